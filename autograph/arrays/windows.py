"""Windows that step along axes: how many there are, what has to be added at the ends, and what each of their taps sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

Array = Any  # an ndarray
Shape = tuple[int, ...]
SAME = "same"


class Window(NamedTuple):
    """How a window steps: along each axis by a stride, its taps a dilation apart, over an axis with room at its ends.

    padding  pairs (before, after), or "same": as much as gives one window for each stride, the smaller half before
    """

    strides: Shape
    dilation: Shape
    padding: tuple[tuple[int, int], ...] | str

    def reach(self, taps: Sequence[int]) -> Shape:
        """How far a window with so many taps goes along each axis, gaps included."""
        return tuple([(k - 1) * d + 1 for k, d in zip(taps, self.dilation, strict=True)])

    def ends(self, sizes: Sequence[int], taps: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """What is added before and after each axis."""
        if not isinstance(self.padding, str):
            return self.padding
        lacking = [
            max((-(-n // s) - 1) * s + reach - n, 0)
            for n, s, reach in zip(sizes, self.strides, self.reach(taps), strict=True)
        ]
        return tuple([(total // 2, total - total // 2) for total in lacking])

    def counts(self, sizes: Sequence[int], taps: Sequence[int]) -> Shape:
        """How many windows there are along each axis; not one, or less than none, where they do not fit."""
        return tuple([
            (before + n + after - reach) // s + 1
            for n, (before, after), s, reach in zip(sizes, self.ends(sizes, taps), self.strides, self.reach(taps), strict=True)
        ])  # fmt: skip

    def taps(self, taps: Sequence[int], counts: Sequence[int]) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
        """Each tap of a window, in C order, and what it sees of axes with room at their ends."""
        for tap in product(*map(range, taps)):
            starts = [k * d for k, d in zip(tap, self.dilation, strict=True)]
            yield tap, tuple([
                slice(start, start + (count - 1) * s + 1, s)
                for start, count, s in zip(starts, counts, self.strides, strict=True)
            ])  # fmt: skip


def padded(x: Array, ends: Sequence[tuple[int, int]], value: float = 0) -> Array:
    """x with `value` before and after its axes but the first and the last; x itself where there is nothing to add."""
    if not any(map(any, ends)):
        return x
    wide = np.full([x.shape[0], *[n + sum(end) for n, end in zip(x.shape[1:-1], ends, strict=True)], x.shape[-1]], value, x.dtype)
    wide[(slice(None), *inside(x.shape[1:-1], ends))] = x
    return wide


def inside(sizes: Sequence[int], ends: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    """Where an axis is, between its ends."""
    return tuple([slice(before, before + n) for n, (before, _) in zip(sizes, ends, strict=True)])


def overlap_add(pieces: Sequence[Array], axis: int, size: int, window: Window, out: Array | None = None) -> Array:
    """The sum of what each tap of the windows along an axis of `size` gives to the places that it sees."""
    first, taps = pieces[0], (len(pieces),)
    (end,) = window.ends((size,), taps)
    shape = (*first.shape[:axis], size + sum(end), *first.shape[axis + 1 :])
    if out is not None and not any(end):
        wide = out
        wide[...] = 0
    else:
        wide = np.zeros(shape, np.result_type(*pieces))
    ahead = (slice(None),) * axis
    for piece, (_, (seen,)) in zip(pieces, window.taps(taps, (first.shape[axis],)), strict=True):
        wide[(*ahead, seen)] += piece
    result = wide[(*ahead, slice(end[0], end[0] + size))]
    if out is None:
        return result
    if wide is not out:
        out[...] = result
    return out
