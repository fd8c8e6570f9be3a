"""Running sums and products along one axis, and the linear recurrence that their derivatives are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.arguments import truth
from autograph.errors import ShapeError
from autograph.graph.op import Kind, Op, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.define import same_type
from autograph.ops.movement import flatten
from autograph.tensor_type import DTYPES, DType, TensorType, normalize_axis, result_dtype, shapes_agree

__all__ = ["cumprod", "cumsum", "linear_scan", "shift"]


def counting(types: Sequence[TensorType]) -> Sequence[DType]:
    """As `promoted`, and booleans become int64."""
    dtype = result_dtype(types)
    return (DTYPES["int64"] if dtype.kind == "b" else dtype,) * len(types)


def _along_one(op: Op, x: Any, axis: int | None, reverse: bool) -> Tensor:
    tensor = flatten(x) if axis is None else as_tensor(x)
    return apply(op, tensor, axis=0 if axis is None else normalize_axis(axis, tensor), reverse=truth(reverse, "reverse"))


_CUMSUM = register(Op(
    "cumsum",
    kind=Kind.SCAN,
    infer=same_type,
    eval=lambda xp, x, axis, reverse: xp.cumsum(x, axis, reverse),
    vjp=lambda g, y, x, axis, reverse: (cumsum(g, axis, not reverse),),
    operands=counting,
    doc="yᵢ = x₀ + … + xᵢ along `axis`, accumulated in float64; `reverse`: xᵢ + … to the end.",
))


def cumsum(x: Any, axis: int | None = None, reverse: bool = False) -> Tensor:
    """yᵢ = x₀ + … + xᵢ along `axis`, or of the flat form (None); `reverse` sums from each element to the end.

    float32 is accumulated in float64; booleans are counted as int64.
    """
    return _along_one(_CUMSUM, x, axis, reverse)


_SHIFT = register(Op(
    "shift",
    kind=Kind.MOVEMENT,
    infer=same_type,
    eval=lambda xp, x, axis, offset, fill: xp.shift(x, axis, offset, fill),
    vjp=lambda g, y, x, axis, offset, fill: (shift(g, axis, -offset),),
    doc="x moved by `offset` places along `axis`; the places left behind hold `fill`.",
))


def shift(x: Any, axis: int, offset: int, fill: float = 0) -> Tensor:
    """`x` moved by `offset` places along `axis`; the places left behind hold `fill`, and what leaves is lost."""
    tensor = as_tensor(x)
    return apply(_SHIFT, tensor, axis=normalize_axis(axis, tensor), offset=int(offset), fill=fill)


def _scan_type(a: TensorType, b: TensorType, axis: int, reverse: bool) -> TensorType:
    if not shapes_agree(a.shape, b.shape):
        raise ShapeError(f"{a} and {b} differ in shape", fix="broadcast_like one of them first")
    return TensorType(a.dtype, tuple([n if m is None else m for m, n in zip(a.shape, b.shape, strict=True)]))


def _scan_vjp(g: Tensor, y: Tensor, a: Tensor, b: Tensor, axis: int, reverse: bool) -> tuple[Tensor, Tensor]:
    """The same recurrence the other way: sᵢ = gᵢ + bᵢ₊₁·sᵢ₊₁ is the cotangent of a, and sᵢ·yᵢ₋₁ that of b."""
    way = -1 if reverse else 1
    s = linear_scan(g, shift(b, axis, -way), axis, not reverse)
    return s, s * shift(y, axis, way)


_LINEAR_SCAN = register(Op(
    "linear_scan",
    kind=Kind.SCAN,
    infer=_scan_type,
    eval=lambda xp, a, b, axis, reverse: xp.linear_scan(a, b, axis, reverse),
    vjp=_scan_vjp,
    doc="yᵢ = aᵢ + bᵢ·yᵢ₋₁ along `axis`, with 0 before the first; `reverse`: yᵢ = aᵢ + bᵢ·yᵢ₊₁.",
))


def linear_scan(a: Tensor, b: Tensor, axis: int, reverse: bool = False) -> Tensor:
    """yᵢ = aᵢ + bᵢ·yᵢ₋₁ along `axis`, with 0 before the first (`reverse`: yᵢ = aᵢ + bᵢ·yᵢ₊₁).

    Raises ShapeError unless `a` and `b` are of one shape.
    """
    return apply(_LINEAR_SCAN, a, b, axis=normalize_axis(axis, a), reverse=truth(reverse, "reverse"))


def _cumprod_vjp(g: Tensor, y: Tensor, x: Tensor, axis: int, reverse: bool) -> tuple[Tensor]:
    """xₖ is multiplied by what came before it, and by Σ gᵢ·xₖ₊₁…xᵢ: exact at zeros, for nothing is divided."""
    way = -1 if reverse else 1
    before = shift(y, axis, way, 1)
    return (before * linear_scan(g, shift(x, axis, -way), axis, not reverse),)


_CUMPROD = register(Op(
    "cumprod",
    kind=Kind.SCAN,
    infer=same_type,
    eval=lambda xp, x, axis, reverse: xp.cumprod(x, axis, reverse),
    vjp=_cumprod_vjp,
    operands=counting,
    doc="yᵢ = x₀·…·xᵢ along `axis`; `reverse`: xᵢ·… to the end.",
))


def cumprod(x: Any, axis: int | None = None, reverse: bool = False) -> Tensor:
    """yᵢ = x₀·…·xᵢ along `axis`, or of the flat form (None); `reverse` multiplies from each element to the end.

    The gradient is exact at zeros. Booleans are counted as int64.
    """
    return _along_one(_CUMPROD, x, axis, reverse)
