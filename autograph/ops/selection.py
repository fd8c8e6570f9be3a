"""Choice, element by element: where, maximum and minimum, clip, relu. Every operand broadcasts.

The cotangent goes to the element that was chosen, by `where` and never by a product, so that an infinite one cannot
turn into NaN on the other side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.errors import ArgumentError, DTypeError
from autograph.graph.op import Kind, Op, promoted, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.comparison import equal, logical_and
from autograph.ops.define import elementwise
from autograph.tensor_type import DType, TensorType, broadcast_shapes, result_dtype

__all__ = ["check_bounds", "clip", "maximum", "minimum", "relu", "where"]


def _where_operands(types: Sequence[TensorType]) -> Sequence[DType | None]:
    dtype = result_dtype(types[1:])
    return None, dtype, dtype


def _where_type(condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
    if condition.dtype.kind != "b":
        raise DTypeError(f"the condition is {condition}, not boolean", fix="compare first, as in where(x > 0, a, b)")
    return TensorType(a.dtype, broadcast_shapes(condition.shape, a.shape, b.shape))


_WHERE = register(Op(
    "where",
    kind=Kind.ELEMENTWISE,
    infer=_where_type,
    eval=lambda xp, condition, a, b: xp.where(condition, a, b),
    vjp=lambda g, y, condition, a, b: (None, where(condition, g, 0), where(condition, 0, g)),
    operands=_where_operands,
    doc="a where the condition holds, else b.",
))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """`a` where the boolean `condition` holds, else `b`; all three broadcast.

    The side that is not chosen gets a gradient of exactly 0, whatever its value: `where(x > 0, log(x), 0)` is safe.
    Raises DTypeError unless the condition is boolean, ShapeError where shapes do not broadcast.
    """
    return apply(_WHERE, condition, a, b)


def _to_chosen(g: Tensor, first: Tensor, second: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """g to a where `first` holds, to b where `second` does, and half to each where they are equal."""
    tied = where(equal(a, b), 0.5 * g, 0)
    return where(first, g, tied), where(second, g, tied)


maximum = elementwise("maximum", "The greater of a and b; NaN wins, and the gradient of a tie is shared equally.",
                      inputs="a b", vjp=lambda g, y, a, b: _to_chosen(g, a > b, b > a, a, b))
minimum = elementwise("minimum", "The lesser of a and b; NaN wins, and the gradient of a tie is shared equally.",
                      inputs="a b", vjp=lambda g, y, a, b: _to_chosen(g, a < b, b < a, a, b))
relu    = elementwise("relu", "max(x, 0), with gradient 0 at 0", eval=lambda xp, x: xp.maximum(x, 0),
                      vjp=lambda g, y, x: (where(y > 0, g, 0),))


def _clip_vjp(g: Tensor, y: Tensor, x: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor | None, ...]:
    to_x = where(logical_and(x >= low, x <= high), g, 0)
    if _is_number(low) and _is_number(high):
        return to_x, None, None
    to_low = where(logical_and(x < low, low <= high), g, 0)
    return to_x, to_low, where(maximum(x, low) > high, g, 0)


def _is_number(x: Tensor) -> bool:
    return isinstance(x, Constant) and not x.ndim


_CLIP = register(Op(
    "clip",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, low, high: TensorType(x.dtype, broadcast_shapes(x.shape, low.shape, high.shape)),
    eval=lambda xp, x, low, high: xp.minimum(xp.maximum(x, low), high),
    vjp=_clip_vjp,
    operands=promoted,
    doc="min(max(x, low), high), with gradient 1 on the closed interval.",
))


def clip(x: Any, low: Any = None, high: Any = None) -> Tensor:
    """min(max(x, low), high). A bound is a number, an array, a tensor, or None for no bound.

    The gradient is 1 on the closed interval [low, high] and 0 outside, where it goes to the bound if that is a
    tensor. Raises ArgumentError if both bounds are known and low > high; where they cross at run time, high wins.
    """
    tensor = as_tensor(x)
    least = as_tensor(_end(tensor, -1) if low is None else low)
    most = as_tensor(_end(tensor, 1) if high is None else high)
    check_bounds("clip", least, most)
    return apply(_CLIP, tensor, least, most)


def check_bounds(what: str, low: Tensor, high: Tensor) -> None:
    """Raise ArgumentError if both bounds are known already and the lower exceeds the upper somewhere."""
    for end in (low, high):
        if isinstance(end, Constant) and end.type.is_float and np.isnan(end.value).any():
            raise ArgumentError(f"{what}: a bound is nan", why="nothing lies on either side of it", fix="None is no bound")
    if not isinstance(low, Constant) or not isinstance(high, Constant):
        return
    broadcast_shapes(low.shape, high.shape)
    if np.any(low.value > high.value):
        raise ArgumentError(
            f"{what}: the lower bound {low.value.tolist()} exceeds the upper bound {high.value.tolist()}",
            why="no value lies between them",
            fix="swap them",
        )


def _end(x: Tensor, sign: int) -> Any:
    """The least (sign -1) or greatest value that the dtype of x has."""
    match x.dtype.kind:
        case "f":
            return sign * np.inf
        case "b":
            return sign > 0
        case _:
            info = np.iinfo(x.dtype)
            return np.array(info.min if sign < 0 else info.max, x.dtype)
