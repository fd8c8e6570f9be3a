"""Convolution as products whose terms lie along several loops, and sums of windows; the recorder's part for them.

No window is laid out: a row of A is what one window sees, read where it lies, and the next row begins a stride further on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from autograph.arrays import convolution, windows
from autograph.arrays.windows import Window
from autograph.executors.native import products
from autograph.executors.native.matrices import MatrixRecorder
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written
from autograph.executors.numpy.values import Step, Value, stand_in
from autograph.tensor_type import DType

Shape = tuple[int, ...]


def _strides(x: Value) -> Shape:
    """The distances of the places of a dense array, in bytes."""
    return stand_in(x.dtype, x.shape).strides


def _loops(counts: Sequence[int], *strides: Sequence[int]) -> list[Any]:
    return list(zip(counts, *strides, strict=True))


def _forward(step: Step) -> Written:
    """The windows of a row of places by the kernel: their channels, and taps along the last axis, go by one loop if they can."""
    x, kernel, window, groups = step.arguments
    y = step.result
    (*taps, c, m), (n, *counts, _) = kernel.shape, y.shape
    (batch, *steps, one), (*factors, line, column), (image, *rows, _) = map(_strides, (x, kernel, y))
    ahead = [far * s for far, s in zip(steps, window.strides, strict=True)]
    apart = [far * d for far, d in zip(steps, window.dilation, strict=True)]
    still = [0] * len(counts)
    around = [(groups, c * one, m // groups * column, m // groups * column), (n, batch, 0, image)]
    around += _loops(counts, ahead, still, rows)[:-1]
    nest = products.Nest(around, [*_loops(taps, apart, factors), (c, one, line)]).plain()
    return _nested(step, counts[-1], m // groups, nest, (x, ahead[-1]), kernel, (y, rows[-1]), exact=False)


def _to_kernel(step: Step) -> Written:
    """What the windows see by what they get, image by image: the part of the kernel that a row of taps has is C."""
    x, g, taps, window, groups = step.arguments
    total = step.result
    (*_, c, m), (n, *counts, _) = total.shape, g.shape
    (batch, *steps, one), (*factors, line, column), (image, *rows, _) = map(_strides, (x, total, g))
    ahead = [far * s for far, s in zip(steps, window.strides, strict=True)]
    apart = [far * d for far, d in zip(steps, window.dilation, strict=True)]
    around = [(groups, c * one, m // groups * column, m // groups * column), (n, batch, image, 0)]
    around += [(count, far, 0, to) for count, far, to in _loops(taps, apart, factors)]
    nest = products.Nest(around, _loops(counts, ahead, rows)).plain()
    taps_together = groups == 1 and apart[-1] == c * one
    lines = c * taps[-1] if taps_together else c
    if taps_together:
        nest = products.Nest([*around[:-1]], _loops(counts, ahead, rows)).plain()
    return _nested(step, lines, m // groups, nest, (x, one), g, (total, line), exact=True)


def _nested(
    step: Step, m: int, n: int, nest: products.Nest, a: tuple[Value, int], b: Value, c: tuple[Value, int], exact: bool
) -> Written:
    type = b.dtype.str[1:]
    block = products.fitting(m, n, products.width(type), exact)
    text = products.text(type, block, len(nest.around), len(nest.terms), True, exact)
    return Written(text, products.words(m, n, nest, a, b, c), (), effort=math.prod([count for count, *_ in nest.terms]))


def adding(x: Any, g: Any, taps: Shape, window: Window, groups: int, out: Any) -> None:
    """NumPy's form of `conv_to_kernel` that adds to what is there."""
    out += convolution.conv_to_kernel(x, g, taps, window, groups)


CONVOLVING: dict[Callable[..., Any], Callable[[Step], Written]] = {into("conv"): _forward, adding: _to_kernel}

# recording -----------------------------------------------------------------------------------------------------------


class ConvolvingRecorder(MatrixRecorder):
    """The part of the namespace that goes by windows."""

    def _floats(self, *values: Any) -> bool:
        return self._plain(*values) and all(v.dtype.char in "fd" for v in map(self._known, values))

    def _roomy(self, x: Value, taps: Sequence[int], window: Window) -> tuple[Value, Window]:
        """x with room at its ends, and the window on it."""
        ends = window.ends(x.shape[1:-1], taps)
        wide = self._dense(self.pad(x, ((0, 0), *ends, (0, 0)), 0.0) if any(map(any, ends)) else x)
        return wide, window._replace(padding=((0, 0),) * len(ends))

    def conv(self, x: Any, kernel: Any, window: Window, groups: int) -> Value:
        x, kernel = self._known(x), self._known(kernel)
        if not self._floats(x, kernel):
            return self._call("conv", convolution.conv, x, kernel, window, groups)
        *taps, c, m = kernel.shape
        shape = (x.shape[0], *window.counts(x.shape[1:-1], taps), m)
        if 0 in shape or not c:
            return self._filled(x.dtype, shape, 0)
        wide, plain = self._roomy(x, taps, window)
        if math.prod(taps) == groups == 1 and set(window.strides) == {1}:
            return self.reshape(self.matmul(self.reshape(wide, (-1, c)), self.reshape(self._dense(kernel), (c, m))), shape)
        if c == 1 < groups:
            return self._each_channel(wide, kernel, plain, shape)
        return self._placed("conv", x.dtype, shape, wide, self._dense(kernel), plain, groups)

    def _each_channel(self, wide: Value, kernel: Value, window: Window, shape: Shape) -> Value:
        """Where each channel is a group, a sum of products of what the taps see."""
        *taps, _, m = kernel.shape
        c = wide.shape[-1]
        factors = self.reshape(self._dense(kernel), (*taps, c, m // c))
        terms = []
        for tap, places in window.taps(taps, shape[1:-1]):
            seen = self.expand_dims(self._at(wide, (slice(None), *places)), (len(shape),))
            terms.append(self.multiply(seen, self._at(factors, tap)))
        return self.reshape(reduce(self.add, terms), shape)

    def conv_to_input(self, g: Any, kernel: Any, sizes: Shape, window: Window, groups: int) -> Value:
        g, kernel = self._known(g), self._known(kernel)
        if not self._floats(g, kernel):
            return self._call("conv_to_input", convolution.conv_to_input, g, kernel, sizes, window, groups)
        *taps, c, m = kernel.shape
        batch, *counts, _ = g.shape
        shape = (batch, *sizes, c * groups)
        if 0 in shape or not m or 0 in counts:
            return self._filled(g.dtype, shape, 0)
        if set(window.strides) != {1}:
            g = self._apart(g, window.strides)
            window, counts = window._replace(strides=(1,) * len(counts), padding=window.ends(sizes, taps)), g.shape[1:-1]
        back = convolution.turned(sizes, taps, counts, window)
        if back is not None:
            return self.conv(g, self._dense(convolution.turned_kernel(self, self._dense(kernel), groups)), back, groups)
        ends = window.ends(sizes, taps)
        room = tuple([n + sum(end) for n, end in zip(sizes, ends, strict=True)])
        wide = self.conv_to_input(g, kernel, room, window._replace(padding=((0, 0),) * len(ends)), groups)
        return self._dense(self._at(wide, (slice(None), *windows.inside(sizes, ends))))

    def _apart(self, g: Value, strides: Shape) -> Value:
        """g with zeros between its places, so that windows go on by 1."""
        batch, *counts, m = g.shape
        spread = [(count - 1) * s + 1 for count, s in zip(counts, strides, strict=True)]
        wide = self._filled(g.dtype, (batch, *spread, m), 0)
        self._put(g, self._at(wide, (slice(None), *[slice(None, None, s) for s in strides])))
        return wide

    def conv_to_kernel(self, x: Any, g: Any, taps: Shape, window: Window, groups: int) -> Value:
        x, g = self._known(x), self._known(g)
        if not self._floats(x, g):
            return self._call("conv_to_kernel", convolution.conv_to_kernel, x, g, taps, window, groups)
        c, m = x.shape[-1] // groups, g.shape[-1]
        if 0 in x.shape or 0 in g.shape:
            return self._filled(x.dtype, (*taps, c, m), 0)
        wide, plain = self._roomy(x, taps, window)
        if math.prod(taps) == groups == 1 and set(window.strides) == {1}:
            rows = self.transpose(self.reshape(wide, (-1, c)), (1, 0))
            return self.reshape(self.matmul(rows, self.reshape(self._dense(g), (-1, m))), (*taps, c, m))
        if c == 1 < groups:
            return self._kernel_of_each(wide, g, taps, plain)
        result = self._filled(x.dtype, (*taps, c, m), 0)
        arguments = [wide, self._dense(g), taps, plain, groups]
        self.steps.append(Step("conv_to_kernel", adding, arguments, result, self.node, into=True))
        return result

    def _kernel_of_each(self, wide: Value, g: Value, taps: Shape, window: Window) -> Value:
        """Where each channel is a group, for each tap the sum over all windows."""
        *_, groups = wide.shape
        batch, *counts, m = g.shape
        result = self.scratch(g.dtype, (*taps, 1, m))
        sums = self.reshape(result, (*taps, groups, m // groups))
        lines = self.reshape(self._dense(g), (batch, *counts, groups, m // groups))
        for tap, places in window.taps(taps, counts):
            seen = self.expand_dims(self._at(wide, (slice(None), *places)), (len(counts) + 2,))
            axes = tuple(range(len(counts) + 1))
            self._put(self.sum(self.multiply(seen, lines), axes), self._at(sums, tap))
        return result

    def overlap_add(self, pieces: Sequence[Any], axis: int, size: int, window: Window) -> Value:
        """For each place within a stride, the sum of the pieces that reach it, each a few windows late."""
        pieces = [self._known(piece) for piece in pieces]
        if not self._plain(*pieces):
            return self._call("overlap_add", windows.overlap_add, pieces, axis, size, window)
        ((stride,), (dilation,), _), (end,) = window, window.ends((size,), (len(pieces),))
        count, dtype = pieces[0].shape[axis], pieces[0].dtype
        shape = (*pieces[0].shape[:axis], size + sum(end), *pieces[0].shape[axis + 1 :])
        wide = self.scratch(dtype, shape)
        for place in range(min(stride, shape[axis])):
            part = self._at(wide, (*[slice(None)] * axis, slice(place, None, stride)))
            late = {k: (k * dilation - place) // stride for k in range(len(pieces)) if (k * dilation - place) % stride == 0}
            self._put(self._summed([(pieces[k], by) for k, by in late.items()], axis, count, part, dtype), part)
        return self._dense(self._within(wide, axis, end[0], end[0] + size))

    def _summed(self, late: list[tuple[Value, int]], axis: int, count: int, part: Value, dtype: DType) -> Value:
        """The sum of the pieces, each so many places late, over the places of a part."""
        length = part.shape[axis]
        total: Any = None
        for piece, by in late:
            after = max(length - by - count, 0)
            if by or after:
                piece = self.pad(piece, tuple([(by, after) if a == axis else (0, 0) for a in range(len(part.shape))]), 0.0)
            seen = self._within(piece, axis, 0, length)
            total = seen if total is None else self.add(total, seen)
        return self.constant(np.zeros((), dtype)) if total is None else total
