"""Convolution in NumPy: windows laid out as rows of a matrix, some at a time, and products with the kernel.

Shapes: x (n, size…, c), kernel (taps…, c / groups, m), result (n, count…, m). Kernels are not turned round. Each channel a
group of its own, sums go tap by tap. float16 is multiplied and added as float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import numpy as np

from autograph.arrays.windows import Array, Shape, Window, inside, padded

BLOCK = 2**16  # numbers that are laid out at a time
FEW = 4  # so many channels for each one of the input are laid out, where the transpose is a convolution too


def _in_single(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function, which takes half precision as single and rounds its result once."""

    @wraps(function)
    def wide(a: Array, b: Array, *others: Any) -> Array:
        if a.dtype != np.float16:
            return function(a, b, *others)
        *params, out = others if len(others) + 2 == function.__code__.co_argcount else (*others, None)
        result = function(a.astype(np.float32), b.astype(np.float32), *params).astype(np.float16)
        return result if out is None else _written(result, out)

    return wide


def _written(result: Array, out: Array) -> Array:
    out[...] = result
    return out


def _laid_out(x: Array, taps: Sequence[int], counts: Sequence[int], window: Window) -> Array:
    """Every window of x, which has its room at the ends: a view (n, count…, taps…, c)."""
    n, *steps, c = x.strides
    strides = [step * s for step, s in zip(steps, window.strides, strict=True)]
    apart = [step * d for step, d in zip(steps, window.dilation, strict=True)]
    return np.lib.stride_tricks.as_strided(x, (len(x), *counts, *taps, x.shape[-1]), (n, *strides, *apart, c))


def _blocks(counts: Sequence[int], terms: int) -> Iterator[tuple[slice, slice]]:
    """Some images, or some rows of one image, at a time. counts: (n, count…, m); terms: numbers laid out for a window.

    At least as many numbers as the kernel has, which is read for each block.
    """
    images, rows, *others = counts[:-1]
    most = max(BLOCK, terms * counts[-1])
    each = max(math.prod(others) * terms, 1)
    some, few = max(most // max(rows * each, 1), 1), max(most // each, 1)
    for i in range(0, images, some):
        for r in range(0, rows, few):
            yield slice(i, i + some), slice(r, r + few)


def _groups(groups: int, c: int, m: int) -> Iterator[tuple[slice, slice]]:
    """The channels in and out of each group, which has c of the ones; m are all of the others."""
    for k in range(groups):
        yield slice(k * c, (k + 1) * c), slice(k * m // groups, (k + 1) * m // groups)


def _rows(x: Array, width: int) -> Array:
    """The last axes of x, which hold so many numbers, as rows below each other."""
    return x.reshape(math.prod(x.shape) // max(width, 1), width)


@_in_single
def conv(x: Array, kernel: Array, window: Window, groups: int, out: Array | None = None) -> Array:
    """Each window of x times the kernel: y[n, i…, m] = Σ x[n, i·stride + k·dilation…, c] kernel[k…, c, m]."""
    *taps, c, m = kernel.shape
    counts = window.counts(x.shape[1:-1], taps)
    view = _laid_out(padded(x, window.ends(x.shape[1:-1], taps)), taps, counts, window)
    y: Array = np.empty((len(x), *counts, m), np.result_type(x, kernel)) if out is None else out
    if not kernel.size or not y.size:
        return _written(np.zeros((), y.dtype), y)
    if c == 1 < groups:
        return _each_channel(view, kernel.reshape(*taps, groups, -1), y)
    terms = math.prod(taps) * c
    for block in _blocks(y.shape, terms * groups):
        rows = _rows(y[block], m)
        for take, give in _groups(groups, c, m):
            np.matmul(_rows(view[block][..., take], terms), kernel[..., give].reshape(terms, -1), rows[:, give])
    return y


def _each_channel(view: Array, factors: Array, y: Array) -> Array:
    """As `conv`, where each channel is a group: factors (taps…, c, m / c)."""
    taps, (c, many) = factors.shape[:-2], factors.shape[-2:]
    for block in _blocks(y.shape, c):
        sums = y[block].reshape(*y[block].shape[:-1], c, many)
        sums[...] = 0
        for tap in np.ndindex(taps):
            sums += view[block][(..., *tap, slice(None))][..., None] * factors[tap]
    return y


@_in_single
def conv_to_input(g: Array, kernel: Array, sizes: Shape, window: Window, groups: int, out: Array | None = None) -> Array:
    """The transpose of `conv` in its input: x of `sizes` gets from each window what the kernel gave to it."""
    *taps, c, m = kernel.shape
    back = turned(sizes, taps, g.shape[1:-1], window)
    if back is not None and 0 < m <= FEW * c * groups:
        return conv(g, turned_kernel(np, kernel, groups), back, groups, out)
    ends = window.ends(sizes, taps)
    wide = np.zeros((len(g), *[n + sum(end) for n, end in zip(sizes, ends, strict=True)], c * groups), np.result_type(g, kernel))
    view = _laid_out(wide, taps, g.shape[1:-1], window)
    factors = kernel.reshape(*taps, groups, -1)
    for block in _blocks(g.shape, c * groups) if m else ():
        some, seen = g[block], view[block]
        for tap in np.ndindex(*taps):
            if c == 1 < groups:
                lines = some.reshape(*some.shape[:-1], groups, -1)
                seen[(..., *tap, slice(None))] += np.einsum("...cm,cm->...c", lines, factors[tap])
                continue
            for give, take in _groups(groups, c, m):
                seen[(..., *tap, give)] += some[..., take] @ kernel[tap][:, take].T
    result = wide[(slice(None), *inside(sizes, ends))]
    return result if out is None else _written(result, out)


def turned(sizes: Sequence[int], taps: Sequence[int], counts: Sequence[int], window: Window) -> Window | None:
    """The window by which `conv`, with the kernel turned round, is `conv_to_input`; None where there is none."""
    back = []
    for n, reach, count, (before, _) in zip(sizes, window.reach(taps), counts, window.ends(sizes, taps), strict=True):
        first = reach - 1 - before
        back.append((first, n + reach - 1 - first - count))
    if set(window.strides) - {1} or min(map(min, back)) < 0:
        return None
    return window._replace(padding=tuple(back))


def turned_kernel(xp: Any, kernel: Array, groups: int) -> Array:
    """The kernel with its taps in reverse, and the channels in and out of each group exchanged."""
    *taps, c, m = kernel.shape
    order = tuple(range(len(taps)))
    flipped = xp.reshape(xp.flip(kernel, order), (*taps, c, groups, m // groups))
    exchanged = xp.transpose(flipped, (*order, len(taps) + 2, len(taps) + 1, len(taps)))
    return xp.reshape(exchanged, (*taps, m // groups, groups * c))


@_in_single
def conv_to_kernel(x: Array, g: Array, taps: Shape, window: Window, groups: int, out: Array | None = None) -> Array:
    """The transpose of `conv` in its kernel, of these taps: Σ over all windows of what they see times what they get."""
    m, c = g.shape[-1], x.shape[-1] // groups
    view = _laid_out(padded(x, window.ends(x.shape[1:-1], taps)), taps, g.shape[1:-1], window)
    total: Array = np.empty((*taps, c, m), np.result_type(x, g)) if out is None else out
    total[...] = 0
    if not x.size or not g.size:
        return total
    terms = math.prod(taps) * c
    sums, factors = total.reshape(terms, m), total.reshape(*taps, groups, -1)
    for block in _blocks(g.shape, terms * groups):
        some, seen = g[block], view[block]
        if c == 1 < groups:
            lines = some.reshape(-1, groups, m // groups)
            for tap in np.ndindex(*taps):
                factors[tap] += np.einsum("nc,ncm->cm", _rows(seen[(..., *tap, slice(None))], groups), lines)
            continue
        for take, give in _groups(groups, c, m):
            sums[:, give] += _rows(seen[..., take], terms).T @ _rows(some, m)[:, give]
    return total
