"""The Op record: what one operation is, on every machine, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from autograph.errors import ArgumentError
from autograph.tensor_type import DType, TensorType, float_dtype, result_dtype


class Kind(Enum):
    """How an op treats its elements: what a pass or an executor needs to know to handle ops it never heard of."""

    LEAF = "leaf"  # placeholder, constant, variable
    ELEMENTWISE = "elementwise"  # one output element from the same element of each input, broadcast
    REDUCTION = "reduction"  # fewer elements out than in, along `axis`
    SCAN = "scan"  # as many elements out as in, each made from several along `axis`
    MOVEMENT = "movement"  # the same elements elsewhere
    INDEXING = "indexing"  # elements chosen by data
    CONTRACTION = "contraction"  # sums of products
    RANDOM = "random"  # a pure function of a counter register
    SHAPE = "shape"  # reads the sizes of its inputs only
    CONTROL = "control"  # holds a graph
    EFFECT = "effect"  # does something in the world, each time once and in the order of the program
    CUSTOM = "custom"  # a user's: nothing is known of it


Operands = Callable[[Sequence[TensorType]], Sequence[DType | None]]


def promoted(types: Sequence[TensorType]) -> Sequence[DType]:
    """Every operand in the dtype where they all meet."""
    return (result_dtype(types),) * len(types)


def floating(types: Sequence[TensorType]) -> Sequence[DType]:
    """As `promoted`, and integers become floatx: for functions whose values are not whole."""
    return (float_dtype(types),) * len(types)


def as_given(types: Sequence[TensorType]) -> Sequence[DType | None]:
    """Every operand as it is; a literal in its own dtype."""
    return (None,) * len(types)


@dataclass(frozen=True, eq=False)
class Op:
    """One operation.

    infer     (*input types, **params) → output type; sizes may be None; raises ShapeError or DTypeError
    eval      (xp, *arrays, **params) → array, written against the namespace `xp`
    vjp       (g, y, *inputs, **params) → one cotangent a differentiable input, None where nothing flows; tensors in,
              tensors out. No vjp at all: the op cuts every path through it, as argmax does.
    operands  which dtype each input is cast to before `infer` sees it
    specialize (node's inputs, known values, params) → an equivalent tensor once sizes are known, or None to keep
    differentiable_output  False where the output is an integer or a boolean: gradients stop here
    check     (*inputs) → None: of what a user writes, raises for operands that are known already and have no answer
    raises    whether `eval` can raise for data of the right types (indices, integer division): such a step never commits
    several   whether it has several results, each a node that differs from the others in its param `result` alone; without
              that `eval` gives all of them in a list, and `vjp` is given the cotangents of those that have one, by number
    """

    name: str
    kind: Kind
    infer: Callable[..., TensorType]
    eval: Callable[..., Any]
    vjp: Callable[..., tuple[Any, ...]] | None = None
    operands: Operands = promoted
    specialize: Callable[..., Any] | None = None
    raises: bool = False
    doc: str = ""
    check: Callable[..., None] | None = None
    several: bool = False

    def __repr__(self) -> str:
        return f"Op({self.name!r}, {self.kind.value})"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        return op_named, (self.name,)

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Op:
        return self


REGISTRY: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Put the op where operators, passes and executors find it by name. Raises ArgumentError if the name is taken."""
    if op.name in REGISTRY:
        raise ArgumentError(f"an op named {op.name!r} exists already", fix="give yours another name")
    REGISTRY[op.name] = op
    return op


def op_named(name: str) -> Op:
    """The registered op of that name."""
    return REGISTRY[name]
