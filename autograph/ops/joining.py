"""Joining tensors, and taking them apart; padding, tiling and rolling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autograph.arguments import choice, items, listed, several, shown, whole
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor, cast_literal
from autograph.literals import array_of
from autograph.ops.filling import zeros_like
from autograph.ops.movement import expand_dims_at, flatten, flip, merge_axes, reshape_like, stretch
from autograph.tensor_type import Shape, Size, TensorType, listed_axes, normalize_axes, normalize_axis

__all__ = ["concatenate", "pad", "repeat", "roll", "split", "stack", "tile", "unstack"]


def _cut(x: Tensor, axis: int, start: Size = None, stop: Size = None, step: Size = None) -> Tensor:
    """A slice of `x` along one axis."""
    return x[(*[slice(None)] * axis, slice(start, stop, step))]


# joining -------------------------------------------------------------------------------------------------------------


def _matched(types: Sequence[TensorType], but: int | None, what: str) -> list[Size]:
    """The sizes that all types share, each known where one of them knows it; axis `but` may differ."""
    sizes = list(types[0].shape)
    for i, type in enumerate(types):
        if type.ndim != len(sizes):
            raise ShapeError(f"item {i} is {type}, item 0 is {types[0]}: their ranks differ", fix=f"expand_dims to {what}")
        for axis, size in enumerate(type.shape):
            if axis == but or size is None:
                continue
            if sizes[axis] not in (None, size):
                joining = "" if but is None else f" while joining axis {but}"
                raise ShapeError(
                    f"item {i} is {type}, item 0 is {types[0]}: they differ on axis {axis}{joining}",
                    fix=f"join axis {axis}, or reshape" if but is not None else "all items need one shape",
                )
            sizes[axis] = size
    return sizes


def _joined(*types: TensorType, axis: int) -> TensorType:
    sizes = _matched(types, axis, "join them")
    parts = [type.shape[axis] for type in types]
    sizes[axis] = None if None in parts else sum(parts)  # type: ignore[arg-type]  # None was excluded
    return TensorType(types[0].dtype, tuple(sizes))


_CONCATENATE = register(Op(
    "concatenate",
    kind=Kind.MOVEMENT,
    infer=_joined,
    eval=lambda xp, *arrays, axis: xp.concatenate(arrays, axis),
    vjp=lambda g, y, *inputs, axis: tuple([_piece(g, inputs, axis, i) for i in range(len(inputs))]),
    doc="The inputs joined along `axis`.",
))


def concatenate(tensors: Iterable[Any], axis: int = 0) -> Tensor:
    """The tensors joined along `axis`; on every other axis their sizes are equal.

    Raises ArgumentError for an empty list, ShapeError where ranks or sizes differ, AxisError for rank 0.
    """
    parts = _listed(tensors, "concatenate")
    return apply(_CONCATENATE, *parts, axis=normalize_axis(axis, parts[0]))


def _listed(tensors: Iterable[Any], what: str) -> list[Tensor]:
    """The tensors of a list, or the slices of one tensor along its first axis."""
    found = unstack(tensors) if isinstance(tensors, Tensor) else listed(tensors, f"{what}: the first argument", f"{what}([a, b])")
    parts = [as_tensor(x) for x in found]
    if not parts:
        raise ArgumentError(f"{what}: the list is empty", why="no dtype or shape follows from it", fix="give one tensor or more")
    return parts


def _piece(g: Tensor, parts: Sequence[Tensor], axis: int, position: int) -> Tensor:
    """The part of `g` that stands where `parts[position]` stood: a slice wherever its ends are known."""
    sizes = [part.shape[axis] for part in parts]
    before, own, after = sizes[:position], sizes[position], sizes[position + 1 :]
    if None not in before:
        start = sum(before)  # type: ignore[arg-type]  # None was excluded
        if own is not None or not after:
            return _cut(g, axis, start, None if own is None else start + own)
        if None not in after:
            return _cut(g, axis, start, -sum(after) or None)  # type: ignore[arg-type]
    return apply(_PIECE, g, *parts, axis=axis, position=position)


def _piece_value(xp: Any, g: Any, *parts: Any, axis: int, position: int) -> Any:
    start = sum([part.shape[axis] for part in parts[:position]])
    bounds = (start, start + parts[position].shape[axis], None)
    return xp.basic_index(g, ((None, None, None),) * axis + (bounds,))


_PIECE = register(Op(
    "piece",
    kind=Kind.MOVEMENT,
    infer=lambda g, *parts, axis, position: TensorType(g.dtype, parts[position].shape),
    eval=_piece_value,
    vjp=lambda h, y, g, *parts, axis, position: (
        concatenate([h if i == position else zeros_like(part, h.dtype) for i, part in enumerate(parts)], axis),
        *[None] * len(parts),
    ),
    operands=as_given,
    specialize=lambda inputs, params: _piece(inputs[0], inputs[1:], **params),
    doc="The part of g where input `position` of the others stands when these are joined along `axis`.",
))


def _stacked(*types: TensorType, axis: int) -> TensorType:
    sizes = _matched(types, None, "stack them")
    return TensorType(types[0].dtype, (*sizes[:axis], len(types), *sizes[axis:]))


_STACK = register(Op(
    "stack",
    kind=Kind.MOVEMENT,
    infer=_stacked,
    eval=lambda xp, *arrays, axis: xp.stack(arrays, axis),
    vjp=lambda g, y, *inputs, axis: tuple(_at_each(g, axis, len(inputs))),
    doc="The inputs, of one shape, joined along a new axis.",
))


def stack(tensors: Iterable[Any], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, joined along a new axis, which stands at `axis` of the result.

    Raises ArgumentError for an empty list, ShapeError where shapes differ.
    """
    parts = _listed(tensors, "stack")
    return apply(_STACK, *parts, axis=normalize_axis(axis, parts[0].ndim + 1))


# taking apart --------------------------------------------------------------------------------------------------------


def _at_each(x: Tensor, axis: int, count: int) -> list[Tensor]:
    return [x[(*[slice(None)] * axis, i)] for i in range(count)]


def unstack(x: Any, axis: int = 0, num: int | None = None) -> list[Tensor]:
    """The slices of `x` along `axis`, each without that axis. `num` says how many where the size is unknown.

    Raises ShapeError if the size is unknown and `num` not given, or if they differ.
    """
    tensor = as_tensor(x)
    place = normalize_axis(axis, tensor)
    size = tensor.shape[place]
    count = size if num is None else whole(num, "unstack: num", 0)
    if count is None:
        raise ShapeError(f"unstack: the size of axis {axis} of {tensor.describe()} is unknown", fix="pass `num=`")
    if size not in (None, count):
        what = f"unstack: axis {axis} of {tensor.describe()} has {size} slices, not {count}"
        raise ShapeError(what, fix="leave `num` out where the size is known")
    return _at_each(tensor, place, count)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """`x` in parts along `axis`: a number of equal ones, or cut before each position of a list (as `numpy.split`).

    Raises ShapeError if the size is unknown or no multiple of the number.
    """
    tensor = as_tensor(x)
    place = normalize_axis(axis, tensor)
    if several(sections):
        cuts = [0, *[whole(cut, "split: a position") for cut in items(sections)], None]
        return [_cut(tensor, place, start, stop) for start, stop in pairwise(cuts)]
    size, count = tensor.shape[place], whole(sections, "split: the number of sections", 1)
    if size is None or size % count:
        known = "unknown" if size is None else f"{size}, no multiple of {count}"
        raise ShapeError(
            f"split: axis {axis} of {tensor.describe()} is {known}",
            why="equal parts need a size that they divide",
            fix="pass the positions to cut at",
        )
    width = size // count
    return [_cut(tensor, place, i * width, (i + 1) * width) for i in range(count)]


# padding -------------------------------------------------------------------------------------------------------------

_PAD = register(Op(
    "pad",
    kind=Kind.MOVEMENT,
    infer=lambda x, widths, value: TensorType(x.dtype, _padded(x.shape, widths)),
    eval=lambda xp, x, widths, value: xp.pad(x, widths, value),
    vjp=lambda g, y, x, widths, value: (g[tuple([slice(before, -after or None) for before, after in widths])],),
    doc="x with `value` before and after it on each axis.",
))


def _padded(shape: Shape, widths: tuple[tuple[int, int], ...]) -> Shape:
    return tuple([None if s is None else before + s + after for s, (before, after) in zip(shape, widths, strict=True)])


def pad(x: Any, widths: Any, mode: str = "constant", value: Any = 0) -> Tensor:
    """`x` with room before and after it on each axis.

    widths  one number for all sides, one pair (before, after) for all axes, or a pair for each axis
    mode    "constant": filled with `value`; "edge": with the nearest element; "reflect": with the elements mirrored
            at the outermost one; "symmetric": at the border behind it. The mirror holds one copy only.
    Raises ArgumentError for negative widths or another mode, ShapeError where too little is known to be there to mirror.
    """
    tensor = as_tensor(x)
    pairs = _width_pairs(widths, tensor.ndim)
    borders = {"edge": _edges, "reflect": _mirrors, "symmetric": _mirrors}
    choice("pad: mode", mode, ("constant", *borders))
    if mode == "constant":
        return apply(_PAD, tensor, widths=pairs, value=_filling(value, tensor))
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            skip = int(mode == "reflect")
            first, last = borders[mode](tensor, axis, before, after, skip)
            tensor = concatenate([*[first] * bool(before), tensor, *[last] * bool(after)], axis)
    return tensor


def _filling(value: Any, x: Tensor) -> float:
    """The number to fill with, in the dtype of x. Raises ArgumentError where it is none, or does not fit."""
    found = None if isinstance(value, Tensor) else array_of(value)
    if found is None or found.ndim:
        raise ArgumentError(f"pad: the value is {shown(value)}, not one number", fix="concatenate with full_like")
    number: float = found.item()
    if not x.type.is_float and (number % 1 or cast_literal(Constant(found), x.dtype).value != number):  # type: ignore[attr-defined]
        raise ArgumentError(f"pad: {number} does not fit {x.dtype}", fix="cast x first")
    return number


def _width_pairs(widths: Any, rank: int) -> tuple[tuple[int, int], ...]:
    array = np.zeros(0) if isinstance(widths, Tensor) else np.asarray(widths)
    fix = "pass a pair (before, after) for each axis"
    if array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise ArgumentError(f"pad: widths {shown(widths)} are not whole numbers ≥ 0", fix=fix)
    if array.shape not in ((), (1,), (2,), (1, 2), (rank, 2)):
        raise ShapeError(f"pad: widths {shown(widths)} for rank {rank}", fix=fix)
    return tuple([(int(before), int(after)) for before, after in np.broadcast_to(array, (rank, 2))])


def _edges(x: Tensor, axis: int, before: int, after: int, _: int) -> tuple[Tensor, Tensor]:
    if x.shape[axis] == 0:
        raise ShapeError(f"pad: axis {axis} of {x.describe()} is empty, so it has no edge", fix='use mode="constant"')
    times: list[Size] = [None] * x.ndim
    ends = []
    for end, width in ((_cut(x, axis, 0, 1), before), (_cut(x, axis, -1), after)):
        times[axis] = width
        ends.append(stretch(end, tuple(times)))
    return ends[0], ends[1]


def _mirrors(x: Tensor, axis: int, before: int, after: int, skip: int) -> tuple[Tensor, Tensor]:
    size = x.shape[axis]
    if size is not None and size < max(before, after) + skip:
        what = f"pad: axis {axis} of {x.describe()} is too short to mirror {max(before, after)} elements"
        raise ShapeError(what, fix='pad less, or use mode="edge"')
    last = _cut(x, axis, -after - skip, -skip or None)
    return flip(_cut(x, axis, skip, before + skip), axis), flip(last, axis)


# repetition ----------------------------------------------------------------------------------------------------------


def tile(x: Any, times: int | Sequence[int]) -> Tensor:
    """`x` laid out `times` times along each axis; fewer numbers than axes stand for the last ones, as in `numpy.tile`.

    Raises ArgumentError for what is no whole number ≥ 0.
    """
    tensor = as_tensor(x)
    numbers = tuple([whole(n, "tile: how often", 0) for n in items(times)])
    tensor = expand_dims_at(tensor, tuple(range(len(numbers) - tensor.ndim)))
    numbers = (1,) * (tensor.ndim - len(numbers)) + numbers
    return _repeated(tensor, {axis: n for axis, n in enumerate(numbers) if n != 1}, before=True)


def repeat(x: Any, times: int, axis: int | None = None) -> Tensor:
    """Each element of `x` `times` times in a row along `axis`, or of its flat form (None).

    Raises ArgumentError for what is no whole number ≥ 0.
    """
    tensor = flatten(x) if axis is None else as_tensor(x)
    place = 0 if axis is None else normalize_axis(axis, tensor)
    return _repeated(tensor, {place: whole(times, "repeat: how often", 0)}, before=False)


def _repeated(x: Tensor, times: dict[int, int], before: bool) -> Tensor:
    """`x` with each axis in `times` stretched by a new axis that stands before or behind it, the two merged."""
    if not times:
        return x
    groups = [2 if axis in times else 1 for axis in range(x.ndim)]
    ends = np.cumsum(groups)
    added = {int(ends[axis]) - (2 if before else 1): n for axis, n in times.items()}
    wide = expand_dims_at(x, tuple(sorted(added)))
    return merge_axes(stretch(wide, tuple([added.get(axis) for axis in range(wide.ndim)])), groups)


_ROLL = register(Op(
    "roll",
    kind=Kind.MOVEMENT,
    infer=lambda x, shifts, axes: TensorType(x.dtype, x.shape),
    eval=lambda xp, x, shifts, axes: xp.roll(x, shifts, axes),
    vjp=lambda g, y, x, shifts, axes: (roll(g, [-shift for shift in shifts], axes),),
    operands=as_given,
    doc="x moved by `shifts` along `axes`; what leaves at an end comes in at the other.",
))


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """`x` moved by `shift` places along `axis`, or in its flat form (None); what leaves at an end comes in at the other.

    Raises ArgumentError unless there is one shift, or one for each axis; AxisError for an axis named twice.
    """
    tensor = as_tensor(x)
    if axis is None:
        return reshape_like(roll(flatten(tensor), shift, 0), tensor)
    axes = listed_axes(axis, tensor)
    shifts = [whole(s, "roll: a shift") for s in items(shift)]
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(shifts) != len(axes):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes", fix="pass one whole number for each axis")
    normalize_axes(axes, tensor)
    return apply(_ROLL, tensor, shifts=tuple(shifts), axes=tuple(axes)) if axes else tensor
