"""Reductions along axes: sums, products, means, extremes, truth, positions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograph.arguments import truth
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.op import Kind, Op, as_given, floating, promoted, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.comparison import equal
from autograph.ops.cumulative import counting, cumprod, shift
from autograph.ops.elementwise import cast, mul_no_nan
from autograph.ops.movement import broadcast_like, expand_dims_at, flatten, squeeze_at
from autograph.ops.shape import size_of
from autograph.tensor_type import DTYPES, TensorType, normalize_axes, normalize_axis, reduced_shape

__all__ = [
    "argmax", "argmin", "reduce_all", "reduce_any", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum",
    "sum_like",
]  # fmt: skip

Axis = int | Iterable[int] | None
Axes = tuple[int, ...]


def reduced_type(x: TensorType, axis: Axes, keepdims: bool) -> TensorType:
    """The operand's dtype, without `axis`."""
    return TensorType(x.dtype, reduced_shape(x.shape, axis, keepdims))


def restored(g: Tensor, axis: Axes, keepdims: bool) -> Tensor:
    """A result of a reduction with the axes that were reduced put back, of size 1: it broadcasts with the operand."""
    return g if keepdims else expand_dims_at(g, axis)


def spread(g: Tensor, x: Tensor, axis: Axes, keepdims: bool) -> Tensor:
    """A cotangent of the result as one of the operand: the axes that were reduced put back, and broadcast."""
    return broadcast_like(restored(g, axis, keepdims), x)


def shared(g: Tensor, x: Tensor, axis: Axes) -> Tensor:
    """g / n, where n is the number of elements of x along `axis`. float16 could not hold a large n."""
    count = size_of(x, axis)
    n = int(count.value) if isinstance(count, Constant) else count
    return cast(cast(g, "float32") / n, g.dtype) if g.dtype is DTYPES["float16"] else g / n


def reduction(op: Op, x: Any, axis: Axis, keepdims: bool) -> Tensor:
    """Apply a reduction along `axis`: an integer, several, or None for all."""
    tensor = as_tensor(x)
    return apply(op, tensor, axis=normalize_axes(axis, tensor), keepdims=truth(keepdims, "keepdims"))


def _of_single(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """A reduction along axes of size 1 is its operand, or that without these axes."""
    x, axis = inputs[0], params["axis"]
    if any(x.shape[a] != 1 for a in axis):
        return None
    return x if params["keepdims"] else squeeze_at(x, axis)


# sums and means ------------------------------------------------------------------------------------------------------

_SUM = register(Op(
    "sum",
    kind=Kind.REDUCTION,
    infer=reduced_type,
    eval=lambda xp, x, axis, keepdims: xp.sum(x, axis, keepdims),
    vjp=lambda g, y, x, axis, keepdims: (spread(g, x, axis, keepdims),),
    operands=counting,
    specialize=_of_single,
    doc="Σ x along `axis`, pairwise; booleans are counted as int64.",
))


def reduce_sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x along `axis` (all axes if None), in the dtype of x; booleans are counted as int64.

    It is added pairwise on every axis: the error is within (8 + log₂ n)·eps·Σ|x|. Nothing sums to 0.
    """
    return reduction(_SUM, x, axis, keepdims)


def _sum_like(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """With every size known: nothing, or a sum over the axes along which `like` was stretched."""
    g, like = inputs
    extra = g.ndim - like.ndim
    stretched = [extra + i for i, size in enumerate(like.shape) if size == 1 and g.shape[extra + i] != 1]
    total = reduce_sum(g, stretched, keepdims=True) if stretched else g
    return reduce_sum(total, range(extra)) if extra else total


_SUM_LIKE = register(Op(
    "sum_like",
    kind=Kind.REDUCTION,
    infer=lambda g, like: TensorType(g.dtype, like.shape),
    eval=lambda xp, g, like: xp.sum_like(g, like.shape),
    vjp=lambda g, y, x, like: (broadcast_like(g, x), None),
    operands=as_given,
    specialize=_sum_like,
    doc="x summed over the axes along which a tensor of the shape of `like` was broadcast to it.",
))


def sum_like(g: Tensor, like: Tensor) -> Tensor:
    """`g` summed back to the shape of `like`, which was broadcast to it. Nothing where the shapes are known to be equal."""
    if g.shape == like.shape and (g.type.is_static or g is like):
        return g
    return apply(_SUM_LIKE, g, like)


_MEAN = register(Op(
    "mean",
    kind=Kind.REDUCTION,
    infer=reduced_type,
    eval=lambda xp, x, axis, keepdims: xp.mean(x, axis, keepdims),
    vjp=lambda g, y, x, axis, keepdims: (spread(shared(g, x, axis), x, axis, keepdims),),
    operands=floating,
    specialize=_of_single,
    doc="Σ x / n along `axis`; integers give floatx, and float16 is accumulated in float32.",
))


def reduce_mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x / n along `axis` (all axes if None); integers give floatx, and float16 is accumulated in float32.

    The mean of nothing is NaN.
    """
    return reduction(_MEAN, x, axis, keepdims)


# products ------------------------------------------------------------------------------------------------------------


def _prod_type(x: TensorType, axis: Axes, keepdims: bool) -> TensorType:
    if len(axis) > 1:
        raise ArgumentError(f"prod: one axis at a time, not {axis}", fix="use reduce_prod")
    return reduced_type(x, axis, keepdims)


def _prod_vjp(g: Tensor, y: Tensor, x: Tensor, axis: Axes, keepdims: bool) -> tuple[Tensor]:
    """Each element is multiplied by all that stand before it and all that stand behind: exact at zeros, to any order."""
    if not axis:
        return (g,)
    (a,) = axis
    before, behind = shift(cumprod(x, a), a, 1, 1), shift(cumprod(x, a, reverse=True), a, -1, 1)
    return (restored(g, axis, keepdims) * (before * behind),)


_PROD = register(Op(
    "prod",
    kind=Kind.REDUCTION,
    infer=_prod_type,
    eval=lambda xp, x, axis, keepdims: xp.prod(x, axis, keepdims),
    vjp=_prod_vjp,
    operands=counting,
    specialize=_of_single,
    doc="Π x along `axis`, one axis or none; booleans are counted as int64.",
))


def reduce_prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Π x along `axis` (all axes if None), in the dtype of x. Its derivatives are exact at zeros; nothing gives 1."""
    result = as_tensor(x)
    axes = normalize_axes(axis, result)
    for a in reversed(axes[1:]):
        result = reduction(_PROD, result, a, keepdims)
    return reduction(_PROD, result, axes[:1], keepdims)


# extremes ------------------------------------------------------------------------------------------------------------


def _check_some(what: str, x: TensorType, axis: Axes) -> None:
    for a in axis:
        if x.shape[a] == 0:
            raise ShapeError(
                f"{x} has no {what} along axis {a}: its size there is 0",
                fix="check the size of what comes in",
            )


def _greatest_type(x: TensorType, axis: Axes, keepdims: bool) -> TensorType:
    _check_some("maximum", x, axis)
    return reduced_type(x, axis, keepdims)


def _least_type(x: TensorType, axis: Axes, keepdims: bool) -> TensorType:
    _check_some("minimum", x, axis)
    return reduced_type(x, axis, keepdims)


def _extreme_vjp(g: Tensor, y: Tensor, x: Tensor, axis: Axes, keepdims: bool) -> tuple[Tensor]:
    """Equal shares to all elements that reach the extreme. A NaN reaches nothing: 1/0 times 0, so NaN for all."""
    wide = DTYPES["float32"] if x.dtype is DTYPES["float16"] else x.dtype
    reached = cast(equal(x, restored(y, axis, keepdims)), wide)
    share = mul_no_nan(cast(restored(g, axis, keepdims), wide), 1 / reduce_sum(reached, axis, keepdims=True))
    return (cast(share * reached, x.dtype),)


_MAX = register(Op(
    "max",
    kind=Kind.REDUCTION,
    infer=_greatest_type,
    eval=lambda xp, x, axis, keepdims: xp.max(x, axis, keepdims),
    vjp=_extreme_vjp,
    operands=promoted,
    specialize=_of_single,
    doc="The maximum along `axis`; ties share the gradient equally, and NaN wins.",
))

_MIN = register(Op(
    "min",
    kind=Kind.REDUCTION,
    infer=_least_type,
    eval=lambda xp, x, axis, keepdims: xp.min(x, axis, keepdims),
    vjp=_extreme_vjp,
    operands=promoted,
    specialize=_of_single,
    doc="The minimum along `axis`; ties share the gradient equally, and NaN wins.",
))


def reduce_max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The maximum along `axis` (all axes if None). Ties share the gradient equally; a NaN makes value and gradient NaN.

    Raises ShapeError along an axis of size 0.
    """
    return reduction(_MAX, x, axis, keepdims)


def reduce_min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The minimum along `axis` (all axes if None). Ties share the gradient equally; a NaN makes value and gradient NaN.

    Raises ShapeError along an axis of size 0.
    """
    return reduction(_MIN, x, axis, keepdims)


def _position_type(x: TensorType, axis: int, keepdims: bool) -> TensorType:
    _check_some("extreme", x, (axis,))
    return TensorType(DTYPES["int64"], reduced_shape(x.shape, (axis,), keepdims))


_ARGMAX = register(Op(
    "argmax",
    kind=Kind.REDUCTION,
    infer=_position_type,
    eval=lambda xp, x, axis, keepdims: xp.argmax(x, axis, keepdims),
    operands=promoted,
    doc="The first index of the maximum along `axis`, as int64; a NaN is greatest.",
))

_ARGMIN = register(Op(
    "argmin",
    kind=Kind.REDUCTION,
    infer=_position_type,
    eval=lambda xp, x, axis, keepdims: xp.argmin(x, axis, keepdims),
    operands=promoted,
    doc="The first index of the minimum along `axis`, as int64; a NaN is least.",
))


def _position(op: Op, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    tensor = as_tensor(x)
    if axis is not None:
        return apply(op, tensor, axis=normalize_axis(axis, tensor), keepdims=truth(keepdims, "keepdims"))
    place = apply(op, flatten(tensor), axis=0, keepdims=False)
    return expand_dims_at(place, tuple(range(tensor.ndim))) if truth(keepdims, "keepdims") else place


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the maximum along `axis`, or in the flat form of `x` (None), as int64; a NaN is greatest.

    No gradient flows. Raises ShapeError along an axis of size 0.
    """
    return _position(_ARGMAX, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the minimum along `axis`, or in the flat form of `x` (None), as int64; a NaN is least.

    No gradient flows. Raises ShapeError along an axis of size 0.
    """
    return _position(_ARGMIN, x, axis, keepdims)


# truth ---------------------------------------------------------------------------------------------------------------


def _truth_type(x: TensorType, axis: Axes, keepdims: bool) -> TensorType:
    return TensorType(DTYPES["bool"], reduced_shape(x.shape, axis, keepdims))


_ANY = register(Op(
    "any",
    kind=Kind.REDUCTION,
    infer=_truth_type,
    eval=lambda xp, x, axis, keepdims: xp.any(x, axis, keepdims),
    doc="Whether some element along `axis` is not 0.",
))

_ALL = register(Op(
    "all",
    kind=Kind.REDUCTION,
    infer=_truth_type,
    eval=lambda xp, x, axis, keepdims: xp.all(x, axis, keepdims),
    doc="Whether no element along `axis` is 0.",
))


def reduce_any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether some element along `axis` (all axes if None) is true, or not 0; a NaN is not 0. False for nothing."""
    return reduction(_ANY, x, axis, keepdims)


def reduce_all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements along `axis` (all axes if None) are true, or not 0; a NaN is not 0. True for nothing."""
    return reduction(_ALL, x, axis, keepdims)
