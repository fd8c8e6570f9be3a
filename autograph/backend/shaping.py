"""The same elements in another shape: reshaping, joining, repeating, padding, resizing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from autograph.arguments import choice, items, listed, shown, truth, whole
from autograph.backend.indexing import entries
from autograph.backend.operands import check_rank, tensor
from autograph.backend.settings import normalize_data_format
from autograph.backend.sparse import is_sparse
from autograph.errors import ArgumentError, ShapeError
from autograph.functions import sparse
from autograph.graph.tensor import Constant, Tensor
from autograph.ops import joining, movement
from autograph.ops.elementwise import lerp, multiply
from autograph.ops.shape import size_of
from autograph.tensor_type import as_dtype, float_dtype, normalize_axis

__all__ = [
    "batch_flatten",
    "concatenate",
    "expand_dims",
    "flatten",
    "pattern_broadcast",
    "permute_dimensions",
    "repeat",
    "repeat_elements",
    "reshape",
    "resize_images",
    "resize_volumes",
    "reverse",
    "spatial_2d_padding",
    "spatial_3d_padding",
    "squeeze",
    "stack",
    "temporal_padding",
    "tile",
]

Pair = tuple[int, int]


def concatenate(tensors: Iterable[Any], axis: int = -1) -> Any:
    """The tensors joined along `axis`: there the sizes add up, elsewhere they are equal. Of sparse ones alone it is sparse.

    Raises ArgumentError for an empty list, ShapeError where ranks or sizes differ.
    """
    given = tensors if isinstance(tensors, Tensor) else listed(tensors, "concatenate: the first argument", "concatenate([a, b])")
    if not isinstance(given, Tensor) and any(map(is_sparse, given)):
        return sparse.concatenate(given, axis)
    return joining.concatenate(_parts(given, "concatenate"), axis)


def stack(x: Iterable[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis, which stands at `axis` of the result."""
    return joining.stack(_parts(x, "stack"), axis)


def _parts(x: Any, what: str) -> Any:
    """What is to be joined: the slices of a tensor, or the items of a list."""
    return x if isinstance(x, Tensor) else [tensor(item) for item in listed(x, f"{what}: the first argument", f"{what}([a, b])")]


def reshape(x: Any, shape: Any) -> Tensor:
    """The elements of `x`, in C order, as `shape`.

    shape   sizes, of which one may be -1, and any may be a tensor of rank 0; or one integer vector, as `shape(y)`

    Raises ShapeError if the numbers of elements differ, or for None among the sizes.
    """
    return movement.reshape(tensor(x), shape)


def flatten(x: Any) -> Tensor:
    """The elements of `x`, in C order, as a vector."""
    return movement.flatten(tensor(x))


def batch_flatten(x: Any) -> Tensor:
    """Every sample as a vector: (n, a, b, …) → (n, a·b·…), also where sizes are not known yet.

    Raises ShapeError for rank 0.
    """
    batch = tensor(x)
    if not batch.ndim:
        raise ShapeError(f"batch_flatten: {batch.describe()} is a single number, not a batch", fix="use flatten")
    return movement.merge_axes(batch, (1, batch.ndim - 1))


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Tensor:
    """The axes of `x` in the order `pattern`: (a, b, c) by (0, 2, 1) → (a, c, b)."""
    return movement.transpose(tensor(x), pattern)


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """`x` with an axis of size 1, which stands at `axis` of the result."""
    return movement.expand_dims(tensor(x), axis)


def squeeze(x: Any, axis: int) -> Tensor:
    """`x` without `axis`, whose size is 1. Raises ShapeError for another size."""
    return movement.squeeze(tensor(x), axis)


def reverse(x: Any, axes: int | Iterable[int]) -> Tensor:
    """`x` with the elements along `axes` in reverse, in the shape of `x`."""
    return movement.flip(tensor(x), axes)


# repeating -----------------------------------------------------------------------------------------------------------


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Each element `rep` times in a row along `axis`: (a, b, c) by 2 along 1 → (a, 2·b, c)."""
    result = joining.repeat(tensor(x), rep, axis)
    result._keras_shape = result.shape  # type: ignore[attr-defined]  # which Keras reads here
    return result


def repeat(x: Any, n: int) -> Tensor:
    """Each row `n` times: (samples, width) → (samples, n, width). Raises ShapeError unless `x` has rank 2."""
    rows = tensor(x)
    if rows.ndim != 2:
        raise ShapeError(f"repeat: {rows.describe()} has rank {rows.ndim}, not 2", fix="use repeat_elements, or tile")
    return joining.repeat(movement.expand_dims(rows, 1), n, 1)


def pattern_broadcast(x: Any, broadcastable: Iterable[Any]) -> Tensor:
    """`x`, of whose axes those that are `broadcastable`, a truth value for each, are known to have size 1.

    Raises ArgumentError unless there is one for each axis, ShapeError, at the latest in a call, for another size there.
    """
    values = tensor(x)
    flags = [truth(flag, "pattern_broadcast: an entry") for flag in items(broadcastable)]
    if len(flags) != values.ndim:
        raise ArgumentError(f"pattern_broadcast: {len(flags)} truth values for {values.describe()}", fix="one for each axis")
    sizes = [1 if flag else size_of(values, axis) for axis, flag in enumerate(flags)]
    return movement.reshape(values, sizes) if any(flags) else values


def tile(x: Any, n: Any) -> Tensor:
    """`x` laid out `n` times along each axis: sizes are multiplied by `n`; fewer numbers stand for the last axes.

    n   a number, a list of numbers or tensors of rank 0, or an integer vector

    Raises ArgumentError for more numbers than axes.
    """
    pattern = tensor(x)
    times = entries(n if isinstance(n, Tensor) and n.ndim else items(n), "tile", "numbers")
    if len(times) > pattern.ndim:
        raise ArgumentError(f"tile: {len(times)} numbers for {pattern.describe()}", fix="expand_dims first")
    if not any(isinstance(count, Tensor) for count in times):
        return joining.tile(pattern, times)
    times = [1] * (pattern.ndim - len(times)) + times
    sizes = [size_of(pattern, axis) for axis in range(pattern.ndim)]
    wide = movement.expand_dims_at(pattern, tuple(range(0, 2 * pattern.ndim, 2)))
    laid_out = movement.broadcast_to(wide, [part for pair in zip(times, sizes, strict=True) for part in pair])
    return movement.reshape(laid_out, [multiply(count, size) for count, size in zip(times, sizes, strict=True)])


# padding -------------------------------------------------------------------------------------------------------------


def temporal_padding(x: Any, padding: Pair = (1, 1)) -> Tensor:
    """Zeros before and after the steps of sequences: (samples, steps, width) → (samples, before + steps + after, width)."""
    return _padded("temporal_padding", tensor(x), (padding,), "channels_last")


def spatial_2d_padding(x: Any, padding: tuple[Pair, Pair] = ((1, 1), (1, 1)), data_format: str | None = None) -> Tensor:
    """Zeros around images of rank 4: (above, below) and (left, right); where the channels stand, `data_format` says."""
    return _padded("spatial_2d_padding", tensor(x), padding, normalize_data_format(data_format))


def spatial_3d_padding(
    x: Any, padding: tuple[Pair, Pair, Pair] = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Tensor:
    """Zeros around volumes of rank 5, a pair for each of their three axes; where the channels stand, `data_format` says."""
    return _padded("spatial_3d_padding", tensor(x), padding, normalize_data_format(data_format))


def _padded(what: str, x: Tensor, padding: Sequence[Pair], data_format: str) -> Tensor:
    count = 1 if what == "temporal_padding" else int(what[8])
    pairs = [items(pair) for pair in items(padding)]
    if len(pairs) != count or any(len(pair) != 2 for pair in pairs):
        raise ArgumentError(f"{what}: padding={shown(padding)}", fix="a pair (before, after) for each axis of space")
    check_rank(what, x, count)
    batch, channels = [(0, 0)], [(0, 0)]
    widths = [*batch, *channels, *pairs] if data_format == "channels_first" else [*batch, *pairs, *channels]
    return joining.pad(x, [[whole(n, f"{what}: a width", 0) for n in pair] for pair in widths])


# resizing ------------------------------------------------------------------------------------------------------------


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Tensor:
    """Images of rank 4, enlarged by whole factors.

    interpolation   "nearest": each pixel is repeated; "bilinear": straight lines between the pixels, of which each
                    stands at the first of its new places, and the last one goes on to the border

    Raises ArgumentError for another interpolation or data format, ShapeError for another rank.
    """
    choice("resize_images: interpolation", interpolation, ("nearest", "bilinear"))
    grow = _interpolated if interpolation == "bilinear" else repeat_elements
    return _resized("resize_images", tensor(x), (height_factor, width_factor), data_format, grow)


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Tensor:
    """Volumes of rank 5, each element repeated by a whole factor along each axis of space.

    Raises ArgumentError for another data format, ShapeError for another rank.
    """
    return _resized("resize_volumes", tensor(x), (depth_factor, height_factor, width_factor), data_format, repeat_elements)


def _resized(what: str, x: Tensor, factors: Sequence[int], data_format: str, grow: Any) -> Tensor:
    first = 2 if normalize_data_format(data_format) == "channels_first" else 1
    check_rank(what, x, len(factors))
    for axis, factor in enumerate(factors, first):
        x = grow(x, factor, axis)
    return x


def _interpolated(x: Tensor, factor: int, axis: int) -> Tensor:
    """Between each element along `axis` and the next, `factor` steps of a straight line."""
    place, factor = normalize_axis(axis, x), whole(factor, "resize_images: a factor", 1)
    ahead = (slice(None),) * place
    following = joining.concatenate([x[(*ahead, slice(1, None))], x[(*ahead, slice(-1, None))]], place)
    steps = (np.arange(factor) / factor).reshape(factor, *[1] * (x.ndim - place - 1))
    way = Constant(steps.astype(as_dtype(float_dtype([x.type]))))
    fine = lerp(movement.expand_dims(x, place + 1), movement.expand_dims(following, place + 1), way)
    return movement.merge_axes(fine, [2 if a == place else 1 for a in range(x.ndim)])
