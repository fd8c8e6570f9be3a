"""What a program computes with: arrays that are planned, given or made on the way, and the steps that make them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Any

import numpy as np

from autograph.graph.tensor import Tensor, Variable
from autograph.tensor_type import DType

_next = count().__next__


class Place(Enum):
    """Where an array lives."""

    SCRATCH = "scratch"  # a planned buffer
    HOME = "home"  # a register
    CONSTANT = "constant"
    FEED = "feed"  # given with each call
    DYNAMIC = "dynamic"  # made by a step of each call
    OUTPUT = "output"  # memory that the caller is given: steps write into it
    SCALAR = "scalar"  # a Python float made by a step of each call

    __hash__ = object.__hash__  # by identity: that of an Enum is slow


@dataclass(eq=False, repr=False, slots=True)
class Value:
    """An array of a program. A view has a `source`; where that is fixed, the view is made once and costs nothing."""

    place: Place
    dtype: DType
    shape: tuple[int, ...]
    register: Variable | None = None
    array: np.ndarray[Any, Any] | None = None  # a constant's value
    source: Value | None = None
    transform: tuple[str, tuple[Any, ...]] = ("", ())  # the namespace function that views `source`, and its arguments
    layout: np.ndarray[Any, Any] | None = None  # a stand-in with the strides of a fixed array
    recorder: Any = None
    pending: bool = False  # dtype and shape are not known before somebody needs them
    number: int = field(default_factory=_next)

    @property
    def root(self) -> Value:
        value = self
        while value.source is not None:
            value = value.source
        return value

    @property
    def fixed(self) -> bool:
        """Whether the array is the same at every call, so that code and views can be bound to it."""
        return self.root.place in _FIXED

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<{self.root.place.value} {self.dtype}{list(self.shape)} #{self.number}>"

    # `eval` may use operators, as it may on arrays; the recorder turns each into a step.
    def _binary(name: str, swap: bool = False) -> Callable[[Value, Any], Value]:  # type: ignore[misc]
        def operator(self: Value, other: Any) -> Value:
            a, b = (other, self) if swap else (self, other)
            return getattr(self.recorder, name)(a, b)  # type: ignore[no-any-return]

        return operator

    __add__, __radd__ = _binary("add"), _binary("add", True)
    __sub__, __rsub__ = _binary("subtract"), _binary("subtract", True)
    __mul__, __rmul__ = _binary("multiply"), _binary("multiply", True)
    __truediv__, __rtruediv__ = _binary("divide"), _binary("divide", True)
    __pow__, __rpow__ = _binary("power"), _binary("power", True)
    __lt__, __le__, __gt__, __ge__ = (
        _binary("less"), _binary("less_equal"), _binary("greater"), _binary("greater_equal"),
    )  # fmt: skip
    __and__, __or__ = _binary("logical_and"), _binary("logical_or")

    def __neg__(self) -> Value:
        return self.recorder.negative(self)  # type: ignore[no-any-return]

    def __invert__(self) -> Value:
        return self.recorder.logical_not(self)  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> Any:
        if self.recorder is None or not self.recorder.recording:
            return self is other
        return self.recorder.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return self is not other if self.recorder is None or not self.recorder.recording else self.recorder.not_equal(self, other)

    __hash__ = object.__hash__


_FIXED = (Place.SCRATCH, Place.HOME, Place.CONSTANT)
Guard = tuple[Value, ...]  # truth values that must all hold
ALWAYS: Guard = ()


@dataclass(eq=False, slots=True)
class Step:
    """One line of the program.

    function   what is called, found by `name` in the program's environment
    arguments  values, and plain numbers, tuples, dtypes
    result     the value it makes; given as the last argument where `into` is set, else returned
    template   a scalar's arithmetic as text over `{}`, instead of a call
    safe       raise-free for data of any content: it may run in the commit
    guard      conditions without which nobody reads the result: it runs where they all hold
    reads      the values among the arguments, those inside tuples and lists too
    """

    name: str
    function: Callable[..., Any] | None
    arguments: list[Any]
    result: Value
    node: Tensor
    into: bool = False
    template: str = ""
    safe: bool = False
    first: bool = False  # `result` is the first argument: copyto(result, x)
    guard: Guard = ()
    reads: list[Value] = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.arguments
        if not all(a.__class__ is Value for a in self.arguments):
            nested = [a if isinstance(a, tuple | list) else (a,) for a in self.arguments]
            self.reads = [v for some in nested for v in some if isinstance(v, Value)]


    @property
    def makes(self) -> list[Value]:
        """The values it leaves behind."""
        return [self.result]

    def goes_over(self, value: Value) -> bool:
        """Whether the value, which it makes, may take the place of an input of the same type: element by element."""
        return self.safe and isinstance(self.function, np.ufunc) and self.result is value


@functools.lru_cache(maxsize=1024)
def stand_in(dtype: DType, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array of that type whose elements nobody may touch: for strides alone."""
    strides = [dtype.itemsize] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, strides, writeable=False)
