"""Ops that leave the value alone and change the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.errors import ShapeError
from autograph.graph.op import Kind, Op, promoted, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.define import elementwise, same_type
from autograph.ops.selection import check_bounds, clip
from autograph.tensor_type import DType, TensorType, broadcast_shapes, float_dtype, shapes_agree

__all__ = ["gradient_clip", "gradient_reverse", "gradient_scale", "identity", "stop_gradient"]

identity      = elementwise("identity", "x itself, as another tensor.", eval=lambda xp, x: x, infer=same_type,
                            vjp=lambda g, y, x: (g,))
stop_gradient = elementwise("stop_gradient", "x, taken as a constant: no gradient flows through.",
                            eval=lambda xp, x: x, infer=same_type)


def _as_first(types: Sequence[TensorType]) -> Sequence[DType]:
    """The settings of a barrier in the dtype of what passes through it."""
    first = float_dtype(types[:1])
    return (*promoted(types[:1]), *(first,) * (len(types) - 1))


def _barrier_type(x: TensorType, *settings: TensorType) -> TensorType:
    for setting in settings:
        if not shapes_agree(broadcast_shapes(x.shape, setting.shape), x.shape):
            raise ShapeError(f"{setting} does not broadcast to {x}", fix="pass one number")
    return TensorType(x.dtype, x.shape)


_GRADIENT_CLIP = register(Op(
    "gradient_clip",
    kind=Kind.ELEMENTWISE,
    infer=_barrier_type,
    eval=lambda xp, x, low, high: x,
    vjp=lambda g, y, x, low, high: (clip(g, low, high), None, None),
    operands=_as_first,
    doc="x, whose cotangent is clipped to [low, high].",
))

_GRADIENT_SCALE = register(Op(
    "gradient_scale",
    kind=Kind.ELEMENTWISE,
    infer=_barrier_type,
    eval=lambda xp, x, factor: x,
    vjp=lambda g, y, x, factor: (g * factor, None),
    operands=_as_first,
    doc="x, whose cotangent is multiplied by `factor`.",
))


def gradient_clip(x: Any, low: Any, high: Any) -> Tensor:
    """`x`; each element of the gradient that comes back is clipped to [low, high].

    Raises ArgumentError if low > high, ShapeError unless the bounds broadcast to `x`.
    """
    least, most = as_tensor(low), as_tensor(high)
    check_bounds("gradient_clip", least, most)
    return apply(_GRADIENT_CLIP, x, least, most)


def gradient_scale(x: Any, factor: Any) -> Tensor:
    """`x`; the gradient that comes back is multiplied by `factor`, a number or a tensor (a register, to change it).

    Raises ShapeError unless the factor broadcasts to `x`.
    """
    return apply(_GRADIENT_SCALE, x, factor)


def gradient_reverse(x: Any) -> Tensor:
    """`x`; the gradient that comes back changes its sign (Ganin & Lempitsky 2015). Scale it by `gradient_scale`."""
    return apply(_GRADIENT_SCALE, x, -1)
