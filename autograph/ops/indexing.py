"""Indexing: `x[...]` takes every form of index that NumPy knows, tensors among them.

Integers, slices and new axes make one `basic_index`, a view. Where some of them are tensors it is a `dynamic_index`.
Integer arrays and masks make one `gather` along one axis, or one `advanced_index` along several; the slices beside
them are taken first. Slices are cut at the ends of an axis; an integer outside raises IndexRangeError on every run.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autograph.arguments import shown
from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, DTypeError, ShapeError
from autograph.graph.tensor import Constant, Tensor, as_tensor, set_indexing
from autograph.ops.gathering import advanced_index, basic_index, gather, index_tensor, mask_positions
from autograph.ops.movement import expand_dims_at, merge_axes, transpose
from autograph.tensor_type import normalize_axis

__all__ = ["boolean_mask", "gather_nd", "index", "nonzero"]

_FULL = (None, None, None)


def index(x: Tensor, key: Any) -> Tensor:
    """`x[key]`, by NumPy's rules: integers, slices, `...`, None, arrays and tensors of integers, and boolean masks.

    Array indices broadcast together; their axes stand where the first of them stood, or first of all if slices part
    them. A mask's size depends on its data, so it is unknown until then. Raises AxisError for too many indices,
    IndexRangeError for an integer outside its axis, DTypeError for floats, ArgumentTypeError for what is no index.
    """
    items = _covering([_item(item) for item in (key if isinstance(key, tuple) else (key,))], x)
    if any(isinstance(item, Tensor) and (item.ndim or item.dtype.kind == "b") for item in items):
        return _advanced(x, items)
    return _basic(x, items)


set_indexing(index)


def _item(item: Any) -> Any:
    """An index as None, `...`, an int, (start, stop, step) or a tensor of integers or booleans."""
    if item is None or item is ...:
        return item
    if isinstance(item, slice):
        return _bound(item.start), _bound(item.stop), _step(item.step)
    if isinstance(item, Tensor):
        tensor = item
    elif isinstance(item, list) and not item:
        tensor = Constant(np.zeros(0, np.int64))
    elif isinstance(item, list | int | float | np.ndarray | np.generic):
        tensor = as_tensor(item)
    else:
        raise ArgumentTypeError(
            f"{shown(item)} is no index", fix="use integers, slices, None, `...`, arrays or tensors of integers or booleans"
        )
    if tensor.dtype.kind == "f":
        raise DTypeError(f"an index of {tensor.dtype}: only integers and booleans are indices", fix='cast(i, "int64")')
    if isinstance(tensor, Constant) and not tensor.ndim and tensor.dtype.kind != "b":
        return int(tensor.value)
    return tensor


def _bound(bound: Any) -> Any:
    """None, an int, or a tensor of rank 0."""
    if bound is None:
        return None
    if isinstance(bound, Tensor):
        if bound.ndim or bound.dtype.kind not in "iu":
            raise DTypeError(f"{bound.type} bounds a slice, and only integers of rank 0 do", fix='cast(i, "int64")')
        return int(bound.value) if isinstance(bound, Constant) else bound
    try:
        return operator.index(bound)
    except TypeError:
        raise ArgumentTypeError(f"{shown(bound)} bounds a slice, and only integers do", fix="int(…), if it is whole") from None


def _step(step: Any) -> int | None:
    value = _bound(step)
    if isinstance(value, Tensor):
        raise ArgumentTypeError(f"the step of a slice is the tensor {value.name!r}", fix="give the step as a number")
    if value == 0:
        raise ArgumentError("the step of a slice is 0", fix="x[::1], or x[::-1] for the reverse")
    return None if value == 1 else value


def _covering(items: list[Any], x: Tensor) -> list[Any]:
    """`items` with full slices where `...` stands or at the end, so that they cover every axis of x."""
    used = sum(map(_consumed, items))
    if used > x.ndim:
        raise AxisError(f"too many indices: {used} for {x.describe()} of rank {x.ndim}", fix="one index for each axis")
    places = [i for i, item in enumerate(items) if item is ...]
    if len(places) > 1:
        raise ArgumentError("an index holds `...` more than once", fix="write : for the other axes")
    place = places[0] + 1 if places else len(items)
    return [*items[:place], *[_FULL] * (x.ndim - used), *items[place:]]


def _consumed(item: Any) -> int:
    """How many axes an index item stands for."""
    if item is None or item is ...:
        return 0
    return item.ndim if _is_mask(item) else 1


def _is_mask(item: Any) -> bool:
    return isinstance(item, Tensor) and item.dtype.kind == "b"


def _basic(x: Tensor, items: list[Any]) -> Tensor:
    """`x` at integers, slices and new axes."""
    bounds: list[Tensor] = []

    def placed(part: Any) -> Any:
        if not isinstance(part, Tensor):
            return part
        bounds.append(part)
        return "?"

    places = [
        tuple([placed(part) for part in item]) if isinstance(item, tuple) else placed(item)
        for item in items
        if item is not ...
    ]
    while places and places[-1] == _FULL:
        places.pop()
    return basic_index(x, tuple(places), bounds) if places else x


def _advanced(x: Tensor, items: list[Any]) -> Tensor:
    """`x` at arrays among the indices: the slices first, then the arrays along what is left."""
    lone = [place for place, item in enumerate(items) if isinstance(item, Tensor | int)]
    if len(lone) == 1 and _is_mask(items[lone[0]]) and items[lone[0]].ndim > 1:
        return _masked(x, items, lone[0])
    slices: list[Any] = []  # the basic index; each entry is one axis of its result
    indices: list[Tensor] = []
    axes: list[int] = []  # where these point in that result
    source, apart, parted = 0, False, False
    for item in items:
        if item is ... or item is None or isinstance(item, tuple):
            parted = parted or bool(axes)
            slices.extend([] if item is ... else [item])
            source += isinstance(item, tuple)
            continue
        apart = apart or parted
        found = _coordinates(item, x, source)
        new_axis = _is_mask(item) and not item.ndim
        axes.extend(range(len(slices), len(slices) + len(found)))
        slices.extend([None] if new_axis else [_FULL] * len(found))
        source += 0 if new_axis else len(found)
        indices.extend(found)
    part = _basic(x, slices)
    if len(axes) == 1:
        return gather(part, indices[0], axes[0])
    rest = [axis for axis in range(part.ndim) if axis not in axes]
    result = advanced_index(_ordered(part, [*axes, *rest]), indices)
    rank, front = result.ndim - len(rest), 0 if apart else axes[0]
    return _ordered(result, [*range(rank, rank + front), *range(rank), *range(rank + front, result.ndim)])


def _masked(x: Tensor, items: list[Any], place: int) -> Tensor:
    """`x` at one mask over several axes: these as one axis, of which the mask chooses."""
    mask, axis = items[place], sum(map(_consumed, items[:place]))
    merged = merge_axes(x, (*[1] * axis, mask.ndim, *[1] * (x.ndim - axis - mask.ndim)))
    chosen = mask_positions(mask, x, axis, flat=True)
    return _advanced(merged, [*items[:place], *chosen, *items[place + 1 :]])


def _ordered(x: Tensor, axes: list[int]) -> Tensor:
    return x if axes == sorted(axes) else transpose(x, axes)


def _coordinates(item: Any, x: Tensor, axis: int) -> list[Tensor]:
    """The index of each axis that an integer, an array of them, or a mask over axes of x from `axis` on stands for."""
    if not isinstance(item, Tensor):
        return [Constant(np.array(item, np.int64))]
    if item.dtype.kind != "b":
        return [item]
    if item.ndim:
        return mask_positions(item, x, axis)
    line = Constant(item.value.reshape(1)) if isinstance(item, Constant) else expand_dims_at(item, (0,))
    return mask_positions(line, line, 0)


def nonzero(x: Any) -> tuple[Tensor, ...]:
    """Where `x` is not 0, as `numpy.nonzero`: for each axis a vector of coordinates, in the order of the elements.

    How many there are depends on the data, so the size is unknown. Raises AxisError for rank 0.
    """
    tensor = as_tensor(x)
    if not tensor.ndim:
        raise AxisError("nonzero: a number has no axes", fix="expand_dims(x, 0)")
    return tuple(mask_positions(tensor, tensor, 0))


def boolean_mask(x: Any, mask: Any, axis: int = 0) -> Tensor:
    """The elements of `x` where `mask` holds; the mask covers the axes from `axis` on, and they become one.

    Shapes: x [a…, m…, b…], mask [m…] → [a…, ?, b…]. Raises ShapeError if sizes differ, DTypeError unless it is boolean.
    """
    tensor, chosen = as_tensor(x), as_tensor(mask)
    if chosen.dtype.kind != "b":
        raise DTypeError(f"boolean_mask: the mask is {chosen.type}, not boolean", fix="compare first: x > 0")
    return index(tensor, (*[slice(None)] * normalize_axis(axis, tensor), chosen))


def gather_nd(x: Any, indices: Any) -> Tensor:
    """`x` at points: the last axis of `indices` holds coordinates along the leading axes of `x`.

    Shapes: x [n₁…n_k, b…], indices [i…, k] → [i…, b…]. Raises ShapeError unless k is known and at most the rank of x.
    """
    tensor, points = as_tensor(x), index_tensor(indices)
    depth = points.shape[-1] if points.ndim else None
    if not depth or depth > tensor.ndim:
        what = f"gather_nd: the last axis of {points.describe()} must hold 1..{tensor.ndim} coordinates"
        raise ShapeError(what, why=f"they are places in {tensor.describe()}", fix="one coordinate for each leading axis of it")
    return index(tensor, tuple([points[..., k] for k in range(depth)]))
