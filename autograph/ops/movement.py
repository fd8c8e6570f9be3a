"""Movement: the same elements in another shape or order. Most of these are views."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograph.arguments import items, shown
from autograph.errors import AxisError, ShapeError
from autograph.graph.op import REGISTRY, Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.shape import sizes_of, source_of_sizes
from autograph.tensor_type import (
    Shape,
    Size,
    TensorType,
    element_count,
    listed_axes,
    normalize_axes,
    normalize_axis,
    show_shape,
)

__all__ = [
    "broadcast_like", "broadcast_to", "expand_dims", "expand_dims_at", "flatten", "flip", "merge_axes", "moveaxis", "ravel",
    "reshape", "reshape_like", "squeeze", "squeeze_at", "stretch", "swapaxes", "transpose",
]  # fmt: skip

Axes = int | Iterable[int] | None


# order ---------------------------------------------------------------------------------------------------------------

_TRANSPOSE = register(Op(
    "transpose",
    kind=Kind.MOVEMENT,
    infer=lambda x, axes: TensorType(x.dtype, tuple(x.shape[a] for a in axes)),
    eval=lambda xp, x, axes: xp.transpose(x, axes),
    vjp=lambda g, y, x, axes: (transpose(g, sorted(range(len(axes)), key=axes.__getitem__)),),
    operands=as_given,
    doc="The axes of x in the order `axes`.",
))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes of `x` in another order: reversed if `axes` is None. Raises AxisError unless each axis comes once."""
    tensor = as_tensor(x)
    order = list(reversed(range(tensor.ndim))) if axes is None else listed_axes(axes, tensor)
    if sorted(order) != list(range(tensor.ndim)):
        raise AxisError(f"transpose: axes {shown(axes)} of {tensor.describe()}", fix="name each axis once")
    return apply(_TRANSPOSE, tensor, axes=tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """`x` with two axes exchanged."""
    tensor = as_tensor(x)
    a, b = normalize_axis(axis1, tensor), normalize_axis(axis2, tensor)
    order = list(range(tensor.ndim))
    order[a], order[b] = b, a
    return transpose(tensor, order)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """`x` with the axes `source` at the places `destination`; the others keep their order.

    Raises AxisError unless both name equally many axes, each once.
    """
    tensor = as_tensor(x)
    start, stop = [listed_axes(axes, tensor) for axes in (source, destination)]
    if len(start) != len(stop) or len(set(start)) != len(start) or len(set(stop)) != len(stop):
        what = f"moveaxis: axes {shown(source)} to {shown(destination)}"
        raise AxisError(what, fix="name as many places as axes, each once")
    order = [a for a in range(tensor.ndim) if a not in start]
    for to, a in sorted(zip(stop, start, strict=True)):
        order.insert(to, a)
    return transpose(tensor, order)


_FLIP = register(Op(
    "flip",
    kind=Kind.MOVEMENT,
    infer=lambda x, axes: TensorType(x.dtype, x.shape),
    eval=lambda xp, x, axes: xp.flip(x, axes),
    vjp=lambda g, y, x, axes: (flip(g, axes),),
    operands=as_given,
    doc="x with the elements along `axes` in reverse.",
))


def flip(x: Any, axis: Axes = None) -> Tensor:
    """`x` with the elements along `axis` (all axes if None) in reverse."""
    tensor = as_tensor(x)
    axes = normalize_axes(axis, tensor)
    return apply(_FLIP, tensor, axes=axes) if axes else tensor


# axes of size 1 ------------------------------------------------------------------------------------------------------

_EXPAND_DIMS = register(Op(
    "expand_dims",
    kind=Kind.MOVEMENT,
    infer=lambda x, axes: TensorType(x.dtype, _expanded(x.shape, axes)),
    eval=lambda xp, x, axes: xp.expand_dims(x, axes),
    vjp=lambda g, y, x, axes: (squeeze_at(g, axes),),
    operands=as_given,
    doc="x with axes of size 1 inserted, at `axes` of the result.",
))


def _expanded(shape: Shape, axes: tuple[int, ...]) -> Shape:
    sizes = iter(shape)
    return tuple(1 if axis in axes else next(sizes) for axis in range(len(shape) + len(axes)))


def expand_dims_at(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`x` with axes of size 1 at `axes` of the result, counted from the front."""
    return apply(_EXPAND_DIMS, x, axes=axes) if axes else x


def expand_dims(x: Any, axis: int | Iterable[int] = -1) -> Tensor:
    """`x` with axes of size 1 inserted, which stand at `axis` of the result."""
    tensor = as_tensor(x)
    axes = items(axis)
    return expand_dims_at(tensor, normalize_axes(axes, tensor.ndim + len(axes)))


def _squeezed(x: TensorType, axes: tuple[int, ...]) -> TensorType:
    for axis in axes:
        if x.shape[axis] not in (1, None):
            raise ShapeError(
                f"axis {axis} of {x} has size {x.shape[axis]}, not 1",
                fix=f"reduce it, or index it: x[{':, ' * axis}0]",
            )
    return TensorType(x.dtype, tuple([size for axis, size in enumerate(x.shape) if axis not in axes]))


_SQUEEZE = register(Op(
    "squeeze",
    kind=Kind.MOVEMENT,
    infer=_squeezed,
    eval=lambda xp, x, axes: xp.squeeze(x, axes),
    vjp=lambda g, y, x, axes: (expand_dims_at(g, axes),),
    operands=as_given,
    doc="x without `axes`, each of size 1.",
))


def squeeze_at(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`x` without `axes`, counted from the front and each of size 1."""
    return apply(_SQUEEZE, x, axes=axes) if axes else x


def squeeze(x: Any, axis: Axes = None) -> Tensor:
    """`x` without `axis`, or without all axes whose size is known to be 1 (None).

    Raises ShapeError for an axis of another size: when the graph is built if the size is known, else on the first call.
    """
    tensor = as_tensor(x)
    ones = [a for a, size in enumerate(tensor.shape) if size == 1] if axis is None else axis
    return squeeze_at(tensor, normalize_axes(ones, tensor))


# another shape -------------------------------------------------------------------------------------------------------


def _reshaped(x: TensorType, shape: tuple[Size, ...]) -> TensorType:
    """The type of x as `shape`, its -1 found. Raises ShapeError where the numbers of elements are known and differ."""
    count, rest = element_count(x.shape), math.prod([s for s in shape if s is not None and s != -1])
    if None in shape:
        return TensorType(x.dtype, tuple([None if s == -1 else s for s in shape]))
    if -1 in shape:
        if not rest:
            raise ShapeError(f"{x} to {show_shape(shape)}: any size would do in place of -1", fix="name the size")
        if count is None:
            return TensorType(x.dtype, tuple([None if s == -1 else s for s in shape]))
        if count % rest:
            what = f"{count} elements of {x} do not fill {show_shape(shape)}: {rest} does not divide {count}"
            raise ShapeError(what, fix=_fitting(count, shape))
        return TensorType(x.dtype, tuple([count // rest if s == -1 else s for s in shape]))
    least = math.prod([s for s in x.shape if s is not None])
    if count is None and least and rest % least == 0:
        return TensorType(x.dtype, shape)
    if count != rest:
        several = "a multiple of " if count is None else ""
        raise ShapeError(
            f"{x} does not reshape to {show_shape(shape)}: it has {several}{least} elements, not {rest}",
            fix=_fitting(count, shape) if count is not None else "use -1 for the one size that follows from the others",
        )
    return TensorType(x.dtype, shape)


def _fitting(count: int, shape: Shape) -> str:
    """A hint: the shapes of `count` elements that differ from `shape` in one size."""
    found = []
    for axis in range(len(shape)):
        rest = math.prod([s for i, s in enumerate(shape) if i != axis and s not in (None, -1)])
        if -1 not in (*shape[:axis], *shape[axis + 1 :]) and rest and count % rest == 0:
            found.append(show_shape((*shape[:axis], count // rest, *shape[axis + 1 :])))
    nearest = f"nearest that fit: {' or '.join(found)}; " if found else ""
    return f"{nearest}use -1 for the one size that follows from the others"


_RESHAPE = register(Op(
    "reshape",
    kind=Kind.MOVEMENT,
    infer=_reshaped,
    eval=lambda xp, x, shape: xp.reshape(x, shape),
    vjp=lambda g, y, x, shape: (reshape_like(g, x),),
    operands=as_given,
    specialize=lambda inputs, params: _reshape(inputs[0], params["shape"]),
    doc="The elements of x, in C order, as `shape`; at most one size is -1, and follows from the others.",
))


def _reshape(x: Tensor, shape: Shape) -> Tensor:
    """`x` as `shape`, in known sizes where they are known; nothing where it is so already."""
    sizes = _reshaped(x.type, shape).shape
    if sizes == x.shape and x.type.is_static:
        return x
    return apply(_RESHAPE, x, shape=shape if None in sizes else sizes)


_RESHAPE_TO = register(Op(
    "reshape_to",
    kind=Kind.MOVEMENT,
    infer=lambda x, sizes, shape: _reshaped(x, shape),
    eval=lambda xp, x, sizes, shape: xp.reshape_to(x, sizes),
    vjp=lambda g, y, x, sizes, shape: (reshape_like(g, x), None),
    operands=as_given,
    specialize=lambda inputs, params: _to_constant_sizes(_reshape, *inputs),
    doc="As reshape, to the sizes that a vector holds; `shape` is what is known of them.",
))


def _to_constant_sizes(function: Callable[[Tensor, Shape], Tensor], x: Tensor, sizes: Tensor) -> Tensor | None:
    """`function` of `x` and the sizes that a vector holds, if it is a constant."""
    return function(x, sizes_of(sizes, "shape", free=True)[0]) if isinstance(sizes, Constant) else None


def reshape(x: Any, shape: Any) -> Tensor:
    """The elements of `x`, in C order, as `shape`.

    shape  sizes: numbers, tensors of rank 0, or one integer vector; at most one is -1, and follows from the others
    Raises ShapeError if the numbers of elements differ (when the graph is built, if they are known), or for None.
    """
    tensor = as_tensor(x)
    like = source_of_sizes(shape) if isinstance(shape, Tensor) else None
    if like is not None:
        return reshape_like(tensor, like)
    known, sizes = sizes_of(shape, "reshape", free=True)
    return apply(_RESHAPE, tensor, shape=known) if sizes is None else apply(_RESHAPE_TO, tensor, sizes, shape=known)


def _reshaped_like(x: TensorType, like: TensorType) -> TensorType:
    a, b = element_count(x.shape), element_count(like.shape)
    if a is not None and b is not None and a != b:
        raise ShapeError(f"{x} does not reshape to the shape of {like}: {a} ≠ {b} elements")
    return TensorType(x.dtype, like.shape)


_RESHAPE_LIKE = register(Op(
    "reshape_like",
    kind=Kind.MOVEMENT,
    infer=_reshaped_like,
    eval=lambda xp, x, like: xp.reshape(x, like.shape),
    vjp=lambda g, y, x, like: (reshape_like(g, x), None),
    operands=as_given,
    specialize=lambda inputs, params: _reshape(inputs[0], inputs[1].shape),
    doc="The elements of x, in C order, in the shape of `like`.",
))


def reshape_like(x: Any, like: Tensor) -> Tensor:
    """The elements of `x`, in C order, in the shape of `like`. Raises ShapeError if their numbers are known and differ."""
    tensor, model = as_tensor(x), as_tensor(like)
    return _reshape(tensor, model.shape) if model.type.is_static else apply(_RESHAPE_LIKE, tensor, model)


def flatten(x: Any) -> Tensor:
    """The elements of `x`, in C order, as a vector."""
    tensor = as_tensor(x)
    return tensor if tensor.ndim == 1 else apply(_RESHAPE, tensor, shape=(-1,))


ravel = flatten


def _merged(shape: Shape, groups: tuple[int, ...]) -> Shape:
    """The product of the sizes of each group of neighbouring axes."""
    sizes, place = [], 0
    for width in groups:
        sizes.append(element_count(shape[place : place + width]))
        place += width
    return tuple(sizes)


_MERGE_AXES = register(Op(
    "merge_axes",
    kind=Kind.MOVEMENT,
    infer=lambda x, groups: TensorType(x.dtype, _merged(x.shape, groups)),
    eval=lambda xp, x, groups: xp.reshape(x, _merged(x.shape, groups)),
    vjp=lambda g, y, x, groups: (reshape_like(g, x),),
    operands=as_given,
    specialize=lambda inputs, params: _reshape(inputs[0], _merged(inputs[0].shape, params["groups"])),
    doc="Each group of neighbouring axes of x as one axis.",
))


def merge_axes(x: Any, groups: Sequence[int]) -> Tensor:
    """Neighbouring axes of `x` as one axis each: (1, 2) keeps the first and makes one of the next two, in C order.

    Raises AxisError unless the groups cover the axes of `x`.
    """
    tensor = as_tensor(x)
    if sum(groups) != tensor.ndim or any(width < 0 for width in groups):
        raise AxisError(f"merge_axes: groups {tuple(groups)} do not cover the {tensor.ndim} axes of {tensor.describe()}")
    return apply(_MERGE_AXES, tensor, groups=tuple(groups))


# stretching ----------------------------------------------------------------------------------------------------------


def stretched(x: TensorType, shape: Shape) -> TensorType:
    """The type of x broadcast to `shape`; an unknown size there takes that of x, unless it is 1.

    Raises ShapeError where x does not stretch to it.
    """
    room = (1,) * (len(shape) - x.ndim) + x.shape
    if len(room) != len(shape) or any(
        size not in (1, None, goal) and goal is not None for size, goal in zip(room, shape, strict=True)
    ):
        raise ShapeError(
            f"{x} does not stretch to {show_shape(shape)}",
            why="shapes are aligned at the right, and only a size of 1 stretches",
            fix="reshape it, or add axes of size 1 by expand_dims",
        )
    sizes = [(None if size == 1 else size) if goal is None else goal for size, goal in zip(room, shape, strict=True)]
    return TensorType(x.dtype, tuple(sizes))


def _summed_back(g: Tensor, x: Tensor) -> Tensor:
    """The cotangent of what `x` was stretched to, as one of `x`: found by name, for `sum_like` stands on this file."""
    return g if g.shape == x.shape and x.type.is_static else apply(REGISTRY["sum_like"], g, x)


_BROADCAST_TO = register(Op(
    "broadcast_to",
    kind=Kind.MOVEMENT,
    infer=stretched,
    eval=lambda xp, x, shape: xp.broadcast_to(x, shape),
    vjp=lambda g, y, x, shape: (_summed_back(g, x),),
    operands=as_given,
    specialize=lambda inputs, params: inputs[0] if inputs[0].shape == params["shape"] else None,
    doc="x broadcast to `shape`.",
))

_BROADCAST_TO_SIZES = register(Op(
    "broadcast_to_sizes",
    kind=Kind.MOVEMENT,
    infer=lambda x, sizes, shape: stretched(x, shape),
    eval=lambda xp, x, sizes, shape: xp.broadcast_to_sizes(x, sizes),
    vjp=lambda g, y, x, sizes, shape: (_summed_back(g, x), None),
    operands=as_given,
    specialize=lambda inputs, params: _to_constant_sizes(broadcast_to, *inputs),
    doc="As broadcast_to, to the sizes that a vector holds; `shape` is what is known of them.",
))


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """`x` broadcast to `shape`: sizes (numbers, or tensors of rank 0), or one integer vector.

    Raises ShapeError where `x` does not stretch to it: shapes are aligned at the right, and only a size of 1 stretches.
    """
    tensor = as_tensor(x)
    like = source_of_sizes(shape) if isinstance(shape, Tensor) else None
    if like is not None:
        return broadcast_like(tensor, like)
    known, sizes = sizes_of(shape, "broadcast_to", free=False)
    if sizes is None:
        return apply(_BROADCAST_TO, tensor, shape=known)
    return apply(_BROADCAST_TO_SIZES, tensor, sizes, shape=known)


_BROADCAST_LIKE = register(Op(
    "broadcast_like",
    kind=Kind.MOVEMENT,
    infer=lambda x, like: stretched(x, like.shape),
    eval=lambda xp, x, like: xp.broadcast_to(x, like.shape),
    vjp=lambda g, y, x, like: (_summed_back(g, x), None),
    operands=as_given,
    specialize=lambda inputs, params: broadcast_like(*inputs),
    doc="x broadcast to the shape of `like`.",
))


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """`x` broadcast to the shape of `like`.

    Raises ShapeError where `x` does not stretch to it.
    """
    tensor, model = as_tensor(x), as_tensor(like)
    if not model.type.is_static:
        return apply(_BROADCAST_LIKE, tensor, model)
    return tensor if tensor.shape == model.shape else apply(_BROADCAST_TO, tensor, shape=model.shape)


def _aims(shape: Shape, times: tuple[Size, ...]) -> Shape:
    return tuple([size if n is None else n for size, n in zip(shape, times, strict=True)])


_STRETCH = register(Op(
    "stretch",
    kind=Kind.MOVEMENT,
    infer=lambda x, times: stretched(x, _aims(x.shape, times)),
    eval=lambda xp, x, times: xp.broadcast_to(x, _aims(x.shape, times)),
    vjp=lambda g, y, x, times: (_summed_back(g, x),),
    operands=as_given,
    specialize=lambda inputs, params: broadcast_to(inputs[0], _aims(inputs[0].shape, params["times"])),
    doc="x with axes of size 1 broadcast to the sizes in `times`, the others (None) as they are.",
))


def stretch(x: Tensor, times: tuple[Size, ...]) -> Tensor:
    """`x` with axes of size 1 broadcast to the sizes in `times`; an axis with None stays as it is."""
    return apply(_STRETCH, x, times=times)
