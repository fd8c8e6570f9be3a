"""Tensors filled with one value, in the shape of another tensor."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from autograph.errors import ShapeError
from autograph.graph.tensor import Constant, Tensor, as_tensor, cast_literal
from autograph.literals import array_of
from autograph.ops.movement import broadcast_like
from autograph.tensor_type import as_dtype, float_dtype

__all__ = ["full_like", "ones_like", "zeros_like"]


def full_like(x: Any, value: Any, dtype: npt.DTypeLike | None = None) -> Tensor:
    """`value` in every place of the shape of `x`, of the dtype of `x` unless `dtype` is given; no gradient reaches `x`.

    `value` is a number or a tensor of rank 0. Raises ShapeError for another rank, DTypeError for an unknown dtype.
    """
    like = as_tensor(x)
    target = _dtype(like, dtype)
    fill = cast_literal(value, target) if isinstance(value, Tensor) else Constant(array_of(value, target))
    if fill.ndim:
        raise ShapeError(f"full_like: the value is {fill.type}, not one number", fix="use broadcast_like, or tile")
    return broadcast_like(fill, like)


def zeros_like(x: Any, dtype: npt.DTypeLike | None = None) -> Tensor:
    """0 in every place of the shape of `x`, of the dtype of `x` unless `dtype` is given."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: npt.DTypeLike | None = None) -> Tensor:
    """1 in every place of the shape of `x`, of the dtype of `x` unless `dtype` is given."""
    return full_like(x, 1, dtype)


def _dtype(like: Tensor, dtype: npt.DTypeLike | None) -> Any:
    if dtype is not None:
        return as_dtype(dtype)
    return float_dtype([like.type]) if like.type.weak and like.type.is_float else like.dtype
