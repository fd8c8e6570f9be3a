"""Clipping of gradients. What is within the limit comes back exactly as it was, bit by bit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from autograph import (
    ArgumentError,
    Tensor,
    as_tensor,
    cast,
    clip,
    constant,
    greater,
    maximum,
    reduce_max,
    reduce_min,
    reduce_sum,
    sqrt,
    square,
    where,
)


def global_norm(gradients: Iterable[Any]) -> Tensor:
    """√Σ‖g‖² over all gradients, a float64 of rank 0; None among them counts as zero.

    It is taken as s·√Σ‖g/s‖² with s the greatest |element|, so that no square overflows or vanishes: float32 gradients
    of 1e20 have a norm. It is NaN if any element is infinite or NaN.
    """
    tensors = [_wide(as_tensor(g)) for g in gradients if g is not None]
    tensors = [g for g in tensors if 0 not in g.shape]
    if not tensors:
        return constant(0.0, "float64")
    tops = [cast(maximum(reduce_max(g), -reduce_min(g)), "float64") for g in tensors]
    top = tops[0]
    for other in tops[1:]:
        top = maximum(top, other)
    scale = where(greater(top, 0), top, 1)
    squares = [cast(reduce_sum(square(g / scale)), "float64") for g in tensors]
    total = squares[0]
    for other in squares[1:]:
        total = total + other
    norm = scale * sqrt(total)
    norm.name = "‖g‖"
    return norm


def _wide(g: Tensor) -> Tensor:
    """Half precision would not hold the sum."""
    return cast(g, "float32") if g.dtype.itemsize < 4 else g


def clip_by_global_norm(gradients: Sequence[Any], limit: Any) -> list[Any]:
    """Every gradient times limit/n if their global norm n exceeds `limit`; else exactly the gradients. None stays None.

    limit   a positive number, or a float tensor of rank 0

    Where an element is infinite or NaN nothing is clipped, so that a guard sees it. Raises ArgumentError for a number
    that is not positive and finite.
    """
    bound = _checked(limit)
    norm = global_norm(gradients)
    factor = where(greater(norm, bound), bound / norm, 1.0)
    return [None if g is None else cast(as_tensor(g) * factor, as_tensor(g).dtype) for g in gradients]


def clip_by_norm(gradient: Any, limit: Any) -> Tensor:
    """The gradient times limit/‖g‖ if its norm exceeds `limit`; else exactly the gradient. Raises ArgumentError."""
    clipped: Tensor = clip_by_global_norm([gradient], limit)[0]
    return clipped


def clip_by_value(gradient: Any, low: Any, high: Any) -> Tensor:
    """Each element of the gradient clipped to [low, high], in the gradient's dtype. Raises ArgumentError if low > high."""
    tensor = as_tensor(gradient)
    return cast(clip(tensor, low, high), tensor.dtype)


def _checked(limit: Any) -> Any:
    if not isinstance(limit, Tensor) and not (isfinite(limit) and limit > 0):
        raise ArgumentError(f"limit={limit!r}: a positive finite number expected")
    return limit
