"""Elements chosen by position, in NumPy: what the ops of `ops/gathering.py` and `ops/sorting.py` call.

An index outside its axis raises IndexRangeError, also where the result is empty. Sums over repeated indices are
taken in the order of the indices, so that they are the same on every run; float16 is summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.errors import IndexRangeError

Array = Any  # an ndarray or a NumPy scalar
Shape = tuple[int, ...]
Index = tuple[Any, ...]  # of int, None (a new axis), (start, stop, step); "?" stands for the next bound


def check_inside(indices: Array, size: int) -> None:
    """Raise IndexRangeError for the first of `indices` outside an axis of `size`."""
    array = np.asarray(indices)
    bad = (array < -size) | (array >= size)
    if not bad.any():
        return
    first = np.unravel_index(int(np.argmax(bad)), bad.shape)
    place = f" at [{', '.join(map(str, first))}]" if first else ""
    raise IndexRangeError(
        f"index {array[first]}{place} is outside an axis of size {size}",
        why=f"valid: {-size}..{size - 1}; negative indices count from the end" if size else "it has no elements",
        fix="mend the indices, or make the axis longer, as the vocabulary of an embedding",
    )


def _whole(indices: Array) -> Array:
    return np.asarray(indices).astype(np.intp, copy=False)


def counted(indices: Array, size: int) -> Array:
    """`indices` counted from the front, all of them inside an axis of `size`."""
    array = _whole(indices)
    if not array.size:
        return array
    low = array.min()
    if low < -size or array.max() >= size:
        check_inside(array, size)
    return np.where(array < 0, array + size, array) if low < 0 else array


def add_rows(home: Array, rows: Array, updates: Array) -> None:
    """home[rows[k]] += updates[k] for each k in turn; `home` is a contiguous matrix of our own."""
    width = home.shape[1]
    flat = rows if width == 1 else (rows[:, None] * width + np.arange(width)).reshape(-1)
    np.add.at(home.reshape(-1), flat, np.ascontiguousarray(updates.reshape(-1)))


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype to add in."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


# basic ---------------------------------------------------------------------------------------------------------------


def _key(index: Index) -> tuple[Any, ...]:
    """The index as NumPy wants it; the ellipsis keeps a result of rank 0 an array."""
    return (*(slice(*item) if isinstance(item, tuple) else item for item in index), ...)


def filled(index: Index, bounds: Sequence[Array]) -> Index:
    """`index` with each "?" replaced by the next of `bounds`."""
    values = iter(bounds)

    def fill(item: Any) -> Any:
        return int(next(values)) if item == "?" else item

    return tuple([tuple([fill(part) for part in item]) if isinstance(item, tuple) else fill(item) for item in index])


def _checked(index: Index, shape: Shape) -> tuple[Any, ...]:
    axis = 0
    for item in index:
        if isinstance(item, int):
            check_inside(item, shape[axis])
        axis += item is not None
    return _key(index)


def basic_index(x: Array, index: Index) -> Array:
    """A view: integers, slices and new axes."""
    return np.asarray(x)[_key(index)]


def unslice(g: Array, shape: Shape, index: Index) -> Array:
    """Zeros of `shape`, with g where `index` looks."""
    home = np.zeros(shape, np.asarray(g).dtype)
    home[_key(index)] = g
    return home


def dynamic_index(x: Array, index: Index, *bounds: Array) -> Array:
    """As `basic_index` with some integers and bounds given as arrays; a copy."""
    x = np.asarray(x)
    return x[_checked(filled(index, bounds), x.shape)].copy()


def dynamic_unslice(g: Array, shape: Shape, index: Index, *bounds: Array) -> Array:
    """As `unslice` with some integers and bounds given as arrays."""
    home = np.zeros(shape, np.asarray(g).dtype)
    home[_checked(filled(index, bounds), shape)] = g
    return home


def diagonal(x: Array, offset: int, axis1: int, axis2: int) -> Array:
    """A view of the elements at (i, i + offset) of two axes."""
    return np.diagonal(x, offset, axis1, axis2)


def undiagonal(g: Array, shape: Shape, offset: int, axis1: int, axis2: int) -> Array:
    """Zeros of `shape`, with g on the diagonal of two axes."""
    home = np.zeros(shape, g.dtype)
    line = np.arange(g.shape[-1])
    np.moveaxis(home, (axis1, axis2), (-2, -1))[..., line - min(offset, 0), line + max(offset, 0)] = g
    return home


def diag(x: Array, offset: int) -> Array:
    """Square matrices with the last axis of x on the diagonal."""
    side = x.shape[-1] + abs(offset)
    return undiagonal(x, (*x.shape[:-1], side, side), offset, -2, -1)


# along one axis ------------------------------------------------------------------------------------------------------


def gather(x: Array, indices: Array, axis: int) -> Array:
    """The slices of x at `indices` along `axis`."""
    whole, size = _whole(indices), x.shape[axis]
    try:
        result = np.take(x, whole, axis)
    except IndexError:
        check_inside(whole, size)
        raise
    if not result.size:
        check_inside(whole, size)  # NumPy does not look where nothing is taken
    return result


def _scatter(home: Array, indices: Array, updates: Array, axis: int, dtype: np.dtype[Any]) -> Array:
    """`home`, whose first axis is `axis` of the result, with `updates` added at `indices` of that axis."""
    rows, rank = counted(indices, home.shape[0]), np.ndim(indices)
    moved = np.moveaxis(updates, range(axis, axis + rank), range(rank)) if axis else updates
    width = math.prod(home.shape[1:])
    if width and rows.size:
        add_rows(home.reshape(-1, width), rows.reshape(-1), moved)
    return np.moveaxis(home.astype(dtype, copy=False), 0, axis)


def scatter(g: Array, indices: Array, shape: Shape, axis: int) -> Array:
    """Zeros of `shape`, with the slices of g added at `indices` along `axis`."""
    home = np.zeros((shape[axis], *shape[:axis], *shape[axis + 1 :]), wide(g.dtype))
    return _scatter(home, indices, g, axis, g.dtype)


def scatter_add(x: Array, indices: Array, updates: Array, axis: int) -> Array:
    """x with the slices of `updates` added at `indices` along `axis`."""
    home = np.array(np.moveaxis(x, axis, 0), wide(x.dtype), order="C")
    shape = (*x.shape[:axis], *np.shape(indices), *x.shape[axis + 1 :])
    return _scatter(home, indices, np.broadcast_to(updates, shape), axis, x.dtype)


def unpicked(g: Array, index: Array, shape: Shape, axis: int) -> Array:
    """Zeros of `shape`, with g as the slice at one index along `axis`."""
    check_inside(index, shape[axis])
    return unslice(g, shape, (*[(None, None, None)] * axis, int(index)))


# along several axes --------------------------------------------------------------------------------------------------


def advanced_index(x: Array, *indices: Array) -> Array:
    """x at the points whose coordinates along its leading axes are `indices`."""
    whole = tuple([_whole(i) for i in indices])
    try:
        result = x[whole]
    except IndexError:
        _check_points(whole, x.shape)
        raise
    if not result.size:
        _check_points(whole, x.shape)
    return result


def _check_points(indices: Sequence[Array], shape: Shape) -> None:
    for i, size in zip(indices, shape, strict=False):
        check_inside(i, size)


def advanced_scatter(g: Array, shape: Shape, *indices: Array) -> Array:
    """Zeros of `shape`, with g added at the points whose coordinates along the leading axes are `indices`."""
    lead, rest = shape[: len(indices)], shape[len(indices) :]
    rows: Any = 0
    for i, size in zip(indices, lead, strict=True):
        rows = rows * size + counted(i, size)
    points = np.shape(g)[: np.ndim(g) - len(rest)]
    home = np.zeros((math.prod(lead), math.prod(rest)), wide(g.dtype))
    if home.size and g.size:
        add_rows(home, np.broadcast_to(rows, points).reshape(-1), g)
    return home.reshape(shape).astype(g.dtype, copy=False)


def positions(mask: Array, flat: bool) -> Array:
    """Where `mask` is not 0, in the order of the elements: one row an axis, or one for the mask taken as a vector."""
    places = np.flatnonzero(mask)
    rows = [places] if flat else np.unravel_index(places, np.shape(mask))
    return np.array(rows, np.int64)


def _grid(shape: Shape, indices: Array, axis: int) -> list[Array]:
    """The coordinates along every axis of what `take_along_axis` takes."""
    rank = len(shape)
    return [
        indices if a == axis else np.arange(size).reshape([-1 if b == a else 1 for b in range(rank)])
        for a, size in enumerate(shape)
    ]


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    """From each line of x along `axis` the elements at the same line of `indices`; other axes broadcast."""
    whole = _whole(indices)
    try:
        result = np.take_along_axis(x, whole, axis)
    except IndexError:
        check_inside(whole, x.shape[axis])
        raise
    if not result.size:
        check_inside(whole, x.shape[axis])
    return result


def scatter_along_axis(g: Array, indices: Array, shape: Shape, axis: int) -> Array:
    """Zeros of `shape`, with each element of g added where `take_along_axis` would take it from."""
    return advanced_scatter(g, shape, *_grid(shape, _whole(indices), axis))


def class_labels(labels: Array, classes: int) -> Array:
    """`labels` as int64. Raises IndexRangeError for the first that is none of 0 … classes - 1."""
    array = np.asarray(labels)
    inside = (array >= 0) & (array < classes)
    if array.dtype.kind == "f":
        inside &= array == np.floor(array)
    if not inside.all():
        wrong = np.unravel_index(int(np.argmin(inside)), array.shape)
        place = ", ".join(map(str, wrong))
        raise IndexRangeError(
            f"label {array[wrong]}{place and f' at [{place}]'} is outside {classes} classes",
            why=f"labels are whole and 0-based: valid 0..{classes - 1}" if classes else "there is no class",
            fix="subtract 1 from labels that begin at 1, leave out what is no class, or add classes",
        )
    return array.astype(np.int64)


def one_hot(labels: Array, classes: int, dtype: np.dtype[Any], axis: int, strict: bool) -> Array:
    """Zeros, and 1 at each label along a new `axis` of size `classes`."""
    if strict:
        class_labels(labels, classes)
    flat = _whole(labels).reshape(-1)
    inside = (flat >= 0) & (flat < classes)
    home = np.zeros((flat.size, classes), dtype)
    home[np.flatnonzero(inside), flat[inside]] = 1
    return np.moveaxis(home.reshape(*np.shape(labels), classes), -1, axis)


# order ---------------------------------------------------------------------------------------------------------------


def _falling(x: Array) -> Array:
    """What sorts in the order opposite to x, NaN last all the same; it is its own inverse."""
    return np.negative(x) if x.dtype.kind == "f" else np.invert(x)


def sort(x: Array, axis: int, descending: bool) -> Array:
    """x sorted along `axis`, NaN last."""
    return _falling(np.sort(_falling(x), axis)) if descending else np.sort(x, axis)


def argsort(x: Array, axis: int, descending: bool) -> Array:
    """The order that sorts x along `axis`: stable either way, NaN last."""
    return np.argsort(_falling(x) if descending else x, axis, kind="stable").astype(np.int64, copy=False)


def top_k(x: Array, k: int, axis: int) -> Array:
    """The positions of the k greatest elements along `axis`, in falling order; of ties the first, NaN last."""
    return np.ascontiguousarray(np.moveaxis(np.moveaxis(argsort(x, axis, True), axis, 0)[:k], 0, axis))


def searchsorted(line: Array, x: Array, side: str) -> Array:
    """Where in the sorted `line` each element of x would be inserted."""
    return np.asarray(np.searchsorted(line, x, side), np.int64)  # type: ignore[call-overload]  # side is "left" or "right"


def first_positions(x: Array) -> Array:
    """The position of the first of each different element of the flat x, in the order of their values."""
    return np.unique(x, return_index=True)[1].astype(np.int64, copy=False)
