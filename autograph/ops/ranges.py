"""Constants with a pattern: counting numbers, and matrices of zeros and ones."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import number, whole
from autograph.errors import ArgumentError, ArgumentTypeError
from autograph.graph.tensor import Constant, Tensor
from autograph.ops.shape import known_size
from autograph.tensor_type import as_dtype, made

__all__ = ["arange", "eye", "tri"]


def _number(value: Any, what: str) -> Any:
    """A Python number, also where a tensor of rank 0 is one that is known."""
    known = value
    if isinstance(value, Tensor):
        known = known_size(value) if not value.ndim and value.dtype.kind in "iu" else None
        if known is None:
            raise ArgumentTypeError(f"{what} is {value.describe()}, not known yet", fix="use numbers, or cumsum(ones_like(x))")
    number(known, what)
    return np.asarray(known).item()


def _size(value: Any, what: str) -> int:
    return whole(_number(value, what) if isinstance(value, Tensor) else value, what, 0)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: npt.DTypeLike | None = None) -> Constant:
    """start, start + step, … before `stop` (0, 1, … before `start` where `stop` is None).

    Whole numbers give int64, others floatx, unless `dtype` is given. Raises ArgumentError for a step of 0,
    ArgumentTypeError for a tensor whose value is not known yet.
    """
    given = {"start": start, "stop": stop, "step": step} if stop is not None else {"start": 0, "stop": start, "step": step}
    first, last, by = [_number(value, f"arange: {name}") for name, value in given.items()]
    if not by:
        raise ArgumentError("arange: the step is 0", fix="1 counts up, -1 down")
    integers = all(isinstance(v, int) for v in (first, last, by))
    target = as_dtype("int64" if integers and dtype is None else dtype)
    size = max(0, ceil((last - first) / by))
    return Constant(made(lambda: np.arange(first, last, by).astype(target), "arange", target, (size,)))


def eye(rows: int, columns: int | None = None, k: int = 0, dtype: npt.DTypeLike | None = None) -> Constant:
    """Ones on diagonal `k` of a matrix of zeros, square if `columns` is None; floatx unless `dtype` is given."""
    return _matrix(np.eye, "eye", rows, columns, k, dtype)


def tri(rows: int, columns: int | None = None, k: int = 0, dtype: npt.DTypeLike | None = None) -> Constant:
    """Ones on and below diagonal `k`, zeros above, square if `columns` is None; floatx unless `dtype` is given."""
    return _matrix(np.tri, "tri", rows, columns, k, dtype)


def _matrix(make: Callable[..., Any], what: str, rows: Any, columns: Any, k: Any, dtype: npt.DTypeLike | None) -> Constant:
    n, target = _size(rows, f"{what}: rows"), as_dtype(dtype)
    m = n if columns is None else _size(columns, f"{what}: columns")
    diagonal = whole(k, f"{what}: k")
    return Constant(made(lambda: make(n, m, diagonal, target), what, target, (n, m)))
