"""Movement of elements that NumPy does slowly or under another signature, and the sizes of arrays as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any  # an ndarray or a NumPy scalar


def concatenate(arrays: Sequence[Array], axis: int, out: Array | None = None) -> Array:
    """The arrays joined along `axis`."""
    return np.concatenate(arrays, axis, out)


def stack(arrays: Sequence[Array], axis: int, out: Array | None = None) -> Array:
    """The arrays joined along a new axis."""
    return np.stack(arrays, axis, out)


def pad(x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    """x with `value` before and after it on each axis."""
    result = np.full([before + size + after for (before, after), size in zip(widths, x.shape, strict=True)], value, x.dtype)
    result[tuple([slice(before, before + size) for (before, _), size in zip(widths, x.shape, strict=True)])] = x
    return result


def flip(x: Array, axes: tuple[int, ...]) -> Array:
    """A view with the elements along `axes` in reverse."""
    return np.flip(x, axes)


def roll(x: Array, shifts: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The elements moved along each axis; those that leave at an end come in at the other."""
    return np.roll(x, shifts, axes)


def reshape_to(x: Array, sizes: Array) -> Array:
    """As `reshape`, to the sizes that a vector holds."""
    return np.reshape(x, tuple(np.asarray(sizes).tolist()))


def broadcast_to_sizes(x: Array, sizes: Array) -> Array:
    """As `broadcast_to`, to the sizes that a vector holds."""
    return np.broadcast_to(x, tuple(np.asarray(sizes).tolist()))


def shape_of(x: Array) -> Array:
    """The sizes of x as an int64 vector."""
    return np.array(np.shape(x), np.int64)


def size_of(x: Array, axes: tuple[int, ...]) -> Array:
    """How many elements the axes span, as an int64."""
    shape = np.shape(x)
    return np.int64(math.prod([shape[a] for a in axes]))
