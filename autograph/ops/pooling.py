"""Pooling: of each window its maximum, its sum, or its mean.

A window over several axes is one over the last of them, then one over the axis before, and so on: the ops go along one axis.
So of equal maxima the first in C order gets the gradient. What is added at the ends of an axis never is a maximum, and does
not count in a mean.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from autograph.arrays.windows import Window
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.op import Kind, Op, as_given, floating, promoted, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.convolution import Padding, Steps, along, counted, steps_of, window_of
from autograph.ops.elementwise import cast, divide
from autograph.ops.filling import ones_like
from autograph.tensor_type import DTYPES, TensorType, normalize_axes, show_shape

__all__ = ["average_pool", "max_pool", "sum_pool"]

# along one axis ------------------------------------------------------------------------------------------------------


def _pooled(x: TensorType, axis: int, taps: int, window: Window) -> TensorType:
    return TensorType(x.dtype, (*x.shape[:axis], *counted(x.shape[axis : axis + 1], (taps,), window), *x.shape[axis + 1 :]))


def _seen(xp: Any, x: Any, axis: int, taps: int, window: Window, fill: float) -> list[Any]:
    """What each tap of the windows sees."""
    (n,), (ends,) = x.shape[axis : axis + 1], window.ends(x.shape[axis : axis + 1], (taps,))
    if any(ends):
        x = xp.pad(x, tuple([ends if a == axis else (0, 0) for a in range(len(x.shape))]), fill)
    ahead = ((None, None, None),) * axis
    places = window.taps((taps,), window.counts((n,), (taps,)))
    return [xp.basic_index(x, (*ahead, (seen.start, seen.stop, seen.step))) for _, (seen,) in places]


def _least(dtype: Any) -> Any:
    """What no number of a type is below."""
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _chosen(xp: Any, g: Any, x: Any, y: Any, axis: int, taps: int, window: Window) -> list[Any]:
    """For each tap, where it is the first to see the maximum y: 1 there, in the order of the taps."""
    found: list[Any] = []
    free: Any = None
    views = _seen(xp, x, axis, taps, window, np.nan)
    for k, view in enumerate(views):
        hit = xp.equal(view, y)
        if k:
            hit = xp.logical_and(hit, free)
        if k < len(views) - 1:
            other = xp.logical_not(hit)
            free = xp.logical_and(free, other) if k else other
        found.append(hit)
    return found


def _to_maximum(xp: Any, g: Any, x: Any, y: Any, axis: int, taps: int, window: Window) -> Any:
    pieces = [xp.where(hit, g, 0.0) for hit in _chosen(xp, g, x, y, axis, taps, window)]
    return xp.overlap_add(pieces, axis, x.shape[axis], window)


def _at_maximum(xp: Any, h: Any, x: Any, y: Any, axis: int, taps: int, window: Window) -> Any:
    hits = _chosen(xp, h, x, y, axis, taps, window)
    picked = [xp.where(hit, part, 0.0) for hit, part in zip(hits, _seen(xp, h, axis, taps, window, 0.0), strict=True)]
    return reduce(xp.add, picked)


_WINDOW_MAX = register(Op(
    "window_max",
    kind=Kind.REDUCTION,
    infer=_pooled,
    eval=lambda xp, x, axis, taps, window: reduce(xp.maximum, _seen(xp, x, axis, taps, window, _least(x.dtype))),
    vjp=lambda g, y, x, **params: (apply(_TO_WINDOW_MAX, g, x, y, **params),),
    operands=promoted,
    doc="The maximum of each window along `axis`; its gradient goes to the first that reaches it, and NaN wins.",
))

_TO_WINDOW_MAX: Op = register(Op(
    "to_window_max",
    kind=Kind.REDUCTION,
    infer=lambda g, x, y, **params: TensorType(g.dtype, x.shape),
    eval=_to_maximum,
    vjp=lambda h, z, g, x, y, **params: (apply(_AT_WINDOW_MAX, h, x, y, **params), None, None),
    operands=promoted,
    doc="For each window along `axis` of x, g added where x is first equal to the maximum y, and 0 elsewhere.",
))

_AT_WINDOW_MAX: Op = register(Op(
    "at_window_max",
    kind=Kind.REDUCTION,
    infer=lambda h, x, y, **params: TensorType(h.dtype, y.shape),
    eval=_at_maximum,
    vjp=lambda g, z, h, x, y, **params: (apply(_TO_WINDOW_MAX, g, x, y, **params), None, None),
    operands=promoted,
    doc="For each window along `axis` of x, h where x is first equal to the maximum y.",
))

_WINDOW_SUM = register(Op(
    "window_sum",
    kind=Kind.REDUCTION,
    infer=_pooled,
    eval=lambda xp, x, axis, taps, window: reduce(xp.add, _seen(xp, x, axis, taps, window, 0.0)),
    vjp=lambda g, y, x, axis, taps, window: (_spread(g, x, axis, taps, window),),
    operands=floating,
    doc="The sum of each window along `axis`.",
))


def _spread_type(g: TensorType, *like: TensorType, size: int | None, axis: int, taps: int, window: Window) -> TensorType:
    n = like[0].shape[axis] if size is None else size
    x = TensorType(g.dtype, (*g.shape[:axis], n, *g.shape[axis + 1 :]))
    count = _pooled(x, axis, taps, window).shape[axis]
    if None not in (count, g.shape[axis]) and count != g.shape[axis]:
        fix = "give the size from which so many windows come"
        raise ShapeError(f"{count} windows along axis {axis} of {show_shape(x.shape)}, not {g.shape[axis]}", fix=fix)
    return x


_WINDOW_SPREAD: Op = register(Op(
    "window_spread",
    kind=Kind.REDUCTION,
    infer=_spread_type,
    eval=lambda xp, g, *like, size, axis, taps, window: xp.overlap_add(
        [g] * taps, axis, like[0].shape[axis] if size is None else size, window
    ),
    vjp=lambda h, y, g, *like, size, axis, taps, window: (
        apply(_WINDOW_SUM, h, axis=axis, taps=taps, window=window), *[None] * len(like),
    ),
    operands=as_given,
    specialize=lambda inputs, params: (
        apply(_WINDOW_SPREAD, inputs[0], **{**params, "size": inputs[1].shape[params["axis"]]}) if inputs[1:] else None
    ),
    doc="The transpose of window_sum: each place along `axis` gets the sum of g over the windows that see it.",
))


def _spread(g: Tensor, x: Tensor, axis: int, taps: int, window: Window) -> Tensor:
    size = x.shape[axis]
    like = (x,) if size is None else ()
    return apply(_WINDOW_SPREAD, g, *like, size=size, axis=axis, taps=taps, window=window)


# along several -------------------------------------------------------------------------------------------------------


def _pool(what: str, op: Op, x: Tensor, size: Any, axes: Any, strides: Any, padding: Any) -> Tensor:
    """The op along each axis, the last of them first."""
    places = _places(x, axes)
    if not places:
        fix = "it takes (samples, space…, channels); or name the axes"
        raise ArgumentError(f"{what}: {x.describe()} has no axes of space", fix=fix)
    taps = steps_of(f"{what}: the size", size, len(places))
    window = window_of(what, len(places), taps if strides is None else strides, padding, 1)
    for k in reversed(range(len(places))):
        one = along(window, k)
        if not isinstance(one.padding, str) and max(one.padding[0]) >= taps[k]:
            fix = "pad the input before"
            raise ArgumentError(f"{what}: padding {one.padding[0]} is as wide as the window, {taps[k]}", fix=fix)
        if taps[k] > 1 or one.strides != (1,):
            x = apply(op, x, axis=places[k], taps=taps[k], window=one)
    return x


def _places(x: Tensor, axes: Any) -> tuple[int, ...]:
    """The axes, or those of space."""
    return tuple(range(1, x.ndim - 1)) if axes is None else normalize_axes(axes, x)


def max_pool(x: Any, size: Steps, strides: Steps | None = None, padding: Padding = "valid", axes: Any = None) -> Tensor:
    """The maximum of each window of `size`.

    strides  how far the windows are apart; None: as far as they are wide
    padding  "valid", "same", or a pair (before, after) for each axis; what is added never is the maximum
    axes     along which they go; None: all but the first, the batch, and the last, the channels
    Of equal maxima the first in C order gets the gradient. Raises ShapeError where no window fits, ArgumentError for sizes
    and steps below 1, and for pairs that are as wide as the window.
    """
    return _pool("max_pool", _WINDOW_MAX, as_tensor(x), size, axes, strides, padding)


def sum_pool(x: Any, size: Steps, strides: Steps | None = None, padding: Padding = "valid", axes: Any = None) -> Tensor:
    """The sum of each window of `size`, with arguments as of `max_pool`; integers give floatx."""
    return _pool("sum_pool", _WINDOW_SUM, as_tensor(x), size, axes, strides, padding)


def average_pool(x: Any, size: Steps, strides: Steps | None = None, padding: Padding = "valid", axes: Any = None) -> Tensor:
    """The mean of each window of `size`, with arguments as of `max_pool`; what is added at the ends does not count.

    float16 is added in float32; integers give floatx.
    """
    tensor = as_tensor(x)
    places = _places(tensor, axes)
    wide = cast(tensor, "float32") if tensor.dtype is DTYPES["float16"] else tensor
    total = _pool("average_pool", _WINDOW_SUM, wide, size, places, strides, padding)
    corner = wide[tuple([slice(None) if a in places else slice(0, 1) for a in range(wide.ndim)])]
    mean = divide(total, _pool("average_pool", _WINDOW_SUM, ones_like(corner), size, places, strides, padding))
    return cast(mean, tensor.dtype) if tensor.dtype is DTYPES["float16"] else mean
