"""Tensors made of nothing: filled ones, identity matrices, ranges, and variables with random numbers in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import items, number, shown, whole
from autograph.backend.naming import scoped
from autograph.backend.operands import tensor
from autograph.backend.values import variable
from autograph.config import floatx
from autograph.errors import ArgumentError
from autograph.graph.tensor import Constant, Tensor, Variable
from autograph.ops import cumulative, elementwise, filling, movement, ranges, rounding, selection
from autograph.ops.shape import known_size, sizes_of
from autograph.tensor_type import as_dtype, as_static, made

__all__ = [
    "arange",
    "eye",
    "ones",
    "ones_like",
    "random_normal_variable",
    "random_uniform_variable",
    "zeros",
    "zeros_like",
]


def zeros(shape: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """A variable of `shape` filled with 0, of floatx unless `dtype` is given.

    Where a size of `shape` is a tensor, as `shape(x)[0]`, it is no variable but an expression. Raises ShapeError for None
    among the sizes.
    """
    return _filled(0, shape, dtype, name)


def ones(shape: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """As `zeros`, filled with 1."""
    return _filled(1, shape, dtype, name)


def _filled(value: int, shape: Any, dtype: npt.DTypeLike | None, name: str | None) -> Tensor:
    kind = as_dtype(dtype)
    known, rest = sizes_of(shape, "ones" if value else "zeros", free=False)
    if rest is None:
        what = "ones" if value else "zeros"
        return variable(made(lambda: np.full(known, value, kind), what, kind, known), kind, name)  # type: ignore[arg-type]
    return scoped(movement.broadcast_to(Constant(np.array(value, kind)), shape), name)


def zeros_like(x: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """0 in every place of the shape of `x`, as floatx unless `dtype` is given."""
    return scoped(filling.zeros_like(tensor(x), floatx() if dtype is None else dtype), name)


def ones_like(x: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """1 in every place of the shape of `x`, as floatx unless `dtype` is given."""
    return scoped(filling.ones_like(tensor(x), floatx() if dtype is None else dtype), name)


def eye(size: int | Sequence[int], dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """An identity matrix: `size` is the number of rows and columns, or a pair of both."""
    pair = items(size)
    if len(pair) not in (1, 2):
        raise ArgumentError(f"eye: the size is {shown(size)}", fix="give a number of rows, or a pair of rows and columns")
    rows, columns = pair[0], pair[-1]
    return scoped(ranges.eye(rows, columns, dtype=dtype), name)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: npt.DTypeLike = "int32") -> Tensor:
    """start, start + step, … before `stop`: a vector. With one argument 0, 1, … before it, and nothing if it is negative.

    A bound may be a size that is not known yet, as `shape(x)[0]`. Raises ArgumentError for a step of 0, or one that is
    no number where a bound is not.
    """
    first, last = (0, start) if stop is None else (start, stop)
    if not any(isinstance(end, Tensor) and known_size(end) is None for end in (first, last, step)):
        return ranges.arange(first, last, step, dtype)
    by = whole(int(step) if isinstance(step, float) and step.is_integer() else step, "arange: the step, of unknown bounds,")
    if not by:
        raise ArgumentError("arange: the step is 0", fix="1 counts up, -1 down")
    span = elementwise.cast(last, "int64") - elementwise.cast(first, "int64")
    count = selection.maximum(elementwise.cast(rounding.ceil(elementwise.cast(span, "float64") / by), "int64"), 0)
    ones_of_step = movement.broadcast_to(Constant(np.array(by, np.int64)), [count])
    return elementwise.cast(cumulative.cumsum(ones_of_step, 0) + (first - by), dtype)


# variables with random numbers in them -------------------------------------------------------------------------------


def random_uniform_variable(
    shape: Iterable[int],
    low: float,
    high: float,
    dtype: npt.DTypeLike | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable of `shape` with numbers drawn once, uniformly from [low, high)."""
    first, last = number(low, "random_uniform_variable: low"), number(high, "random_uniform_variable: high")
    sizes = as_static(shape, "random_uniform_variable: the shape")
    return variable(_drawn(_source(seed).uniform, first, last, sizes), dtype, name)


def random_normal_variable(
    shape: Iterable[int],
    mean: float,
    scale: float,
    dtype: npt.DTypeLike | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable of `shape` with numbers drawn once, from the normal distribution of that mean and deviation `scale`."""
    deviation = number(scale, "random_normal_variable: the scale")
    if deviation < 0:
        raise ArgumentError(f"random_normal_variable: the scale is {shown(scale)}, below 0", fix="0 gives the mean alone")
    middle = number(mean, "random_normal_variable: the mean")
    sizes = as_static(shape, "random_normal_variable: the shape")
    return variable(_drawn(_source(seed).normal, middle, deviation, sizes), dtype, name)


def _drawn(draw: Callable[..., Any], first: float, second: float, shape: tuple[int, ...]) -> Any:
    return made(lambda: draw(first, second, shape), "random numbers", np.dtype("float64"), shape)


def _source(seed: int | None) -> np.random.RandomState:
    """A stream of its own; without a seed that is drawn from `numpy.random`, so that `numpy.random.seed` settles it."""
    return np.random.RandomState(np.random.randint(2**31) if seed is None else whole(seed, "the seed") % 2**32)
