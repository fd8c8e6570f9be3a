"""Tensors made of nothing: filled ones, identity matrices, ranges, and variables with random numbers in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.backend.naming import scoped
from autograph.backend.operands import tensor
from autograph.backend.values import variable
from autograph.config import floatx
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.tensor import Constant, Tensor, Variable
from autograph.ops import cumulative, elementwise, filling, movement, ranges, rounding, selection
from autograph.ops.shape import known_size, sizes_of
from autograph.tensor_type import as_dtype, as_shape

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
        return variable(np.full(known, value, kind), kind, name)
    return scoped(movement.broadcast_to(Constant(np.array(value, kind)), shape), name)


def zeros_like(x: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """0 in every place of the shape of `x`, as floatx unless `dtype` is given."""
    return scoped(filling.zeros_like(tensor(x), dtype or floatx()), name)


def ones_like(x: Any, dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """1 in every place of the shape of `x`, as floatx unless `dtype` is given."""
    return scoped(filling.ones_like(tensor(x), dtype or floatx()), name)


def eye(size: int | Sequence[int], dtype: npt.DTypeLike | None = None, name: str | None = None) -> Tensor:
    """An identity matrix: `size` is the number of rows and columns, or a pair of both."""
    rows, columns = size if isinstance(size, list | tuple) else (size, size)
    return scoped(ranges.eye(rows, columns, dtype=dtype), name)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: npt.DTypeLike = "int32") -> Tensor:
    """start, start + step, … before `stop`: a vector. With one argument 0, 1, … before it, and nothing if it is negative.

    A bound may be a size that is not known yet, as `shape(x)[0]`. Raises ArgumentError for a step of 0, or one that is
    no number where a bound is not.
    """
    first, last = (0, start) if stop is None else (start, stop)
    if not any(isinstance(end, Tensor) and known_size(end) is None for end in (first, last, step)):
        return ranges.arange(first, last, step, dtype)
    if isinstance(step, Tensor) or not step or step != int(step):
        raise ArgumentError(f"arange: the step is {step!r}, and the bounds are not known yet", fix="use a whole number")
    by = int(step)
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
    return variable(_source(seed).uniform(low, high, _static(shape)), dtype, name)


def random_normal_variable(
    shape: Iterable[int],
    mean: float,
    scale: float,
    dtype: npt.DTypeLike | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable of `shape` with numbers drawn once, from the normal distribution of that mean and deviation `scale`."""
    return variable(_source(seed).normal(mean, scale, _static(shape)), dtype, name)


def _source(seed: int | None) -> np.random.RandomState:
    """A stream of its own; without a seed that is drawn from `numpy.random`, so that `numpy.random.seed` settles it."""
    return np.random.RandomState(np.random.randint(2**31) if seed is None else seed)


def _static(shape: Iterable[int]) -> Any:
    sizes = as_shape(shape)
    if None in sizes:
        raise ShapeError(f"a variable needs sizes that are known, got {sizes}")
    return sizes
