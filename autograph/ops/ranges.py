"""Constants with a pattern: counting numbers, and matrices of zeros and ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.errors import ArgumentError, ArgumentTypeError
from autograph.graph.tensor import Constant, Tensor
from autograph.ops.shape import known_size
from autograph.tensor_type import as_dtype

__all__ = ["arange", "eye", "tri"]


def _number(value: Any, what: str) -> Any:
    """A Python number, also where a tensor of rank 0 is one that is known."""
    known = known_size(value) if isinstance(value, Tensor) and not value.ndim and value.dtype.kind in "iu" else value
    if known is None or isinstance(known, Tensor):
        raise ArgumentTypeError(f"{what}: {value.name!r} is not known yet", fix="use numbers, or cumsum(ones_like(x))")
    if isinstance(known, bool) or np.ndim(known) or not isinstance(known, int | float | np.number | np.ndarray):
        raise ArgumentTypeError(f"{what}: {known!r} is not one number")
    return np.asarray(known).item()


def _size(value: Any, what: str) -> int:
    number = _number(value, what)
    if not isinstance(number, int) or number < 0:
        raise ArgumentError(f"{what}: size {number!r} is not a whole number ≥ 0")
    return number


def arange(start: float, stop: float | None = None, step: float = 1, dtype: npt.DTypeLike | None = None) -> Constant:
    """start, start + step, … before `stop` (0, 1, … before `start` where `stop` is None).

    Whole numbers give int64, others floatx, unless `dtype` is given. Raises ArgumentError for a step of 0,
    ArgumentTypeError for a tensor whose value is not known yet.
    """
    first, last, by = [_number(v, "arange") for v in ((start, stop, step) if stop is not None else (0, start, step))]
    if not by:
        raise ArgumentError("arange: the step is 0")
    whole = all(isinstance(v, int) for v in (first, last, by))
    return Constant(np.arange(first, last, by).astype(as_dtype("int64" if whole and dtype is None else dtype)))


def eye(rows: int, columns: int | None = None, k: int = 0, dtype: npt.DTypeLike | None = None) -> Constant:
    """Ones on diagonal `k` of a matrix of zeros, square if `columns` is None; floatx unless `dtype` is given."""
    n = _size(rows, "eye")
    return Constant(np.eye(n, n if columns is None else _size(columns, "eye"), k, as_dtype(dtype)))


def tri(rows: int, columns: int | None = None, k: int = 0, dtype: npt.DTypeLike | None = None) -> Constant:
    """Ones on and below diagonal `k`, zeros above, square if `columns` is None; floatx unless `dtype` is given."""
    n = _size(rows, "tri")
    return Constant(np.tri(n, n if columns is None else _size(columns, "tri"), k, as_dtype(dtype)))
