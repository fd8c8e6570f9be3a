"""Convolution as products whose terms lie along several loops, and sums of windows; the recorder's part for them.

No window is laid out: a row of A is what one window sees, read where it lies, and the next row begins a stride further on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from autograph.arrays import convolution, windows
from autograph.arrays.windows import Window
from autograph.executors.native import products
from autograph.executors.native.matrices import MatrixRecorder
from autograph.executors.native.writing import Written
from autograph.executors.numpy.values import Step, Value, stand_in
from autograph.tensor_type import DType

Shape = tuple[int, ...]
NEAR = 2**19  # bytes of an image, in and out, that stay in the cache


def _strides(x: Value) -> Shape:
    """The distances of the places of a dense array, in bytes."""
    return stand_in(x.dtype, x.shape).strides


def _loops(counts: Sequence[int], *strides: Sequence[int]) -> list[Any]:
    return list(zip(counts, *strides, strict=True))


def _forward(step: Step) -> Written:
    """The windows of a row of places by the kernel: their channels, and taps along the last axis, go by one loop if they can.

    Of a kernel in panels, (panels, taps…, c, columns), each panel stays near while all windows go by.
    """
    x, kernel, taps, window, groups = step.arguments
    y = step.result
    (n, *counts, m), (*_, c, columns) = y.shape, kernel.shape
    (batch, *steps, one), (panel, *factors, line, column), (image, *rows, _) = map(_strides, (x, kernel, y))
    ahead = [far * s for far, s in zip(steps, window.strides, strict=True)]
    apart = [far * d for far, d in zip(steps, window.dilation, strict=True)]
    around = [(groups, c * one, m // groups * column, m // groups * column), (n, batch, 0, image)]
    around += _loops(counts, ahead, [0] * len(counts), rows)[:-1]
    nest = products.Nest(around, [*_loops(taps, apart, factors), (c, one, line)]).plain()
    beside = column if columns == m else panel // columns
    return _nested(step, (counts[-1], m // groups), nest, (x, ahead[-1]), (kernel, beside), (y, rows[-1]), exact=False)


def _to_kernel(step: Step) -> Written:
    """What the windows see by what they get, image by image, or row by row of large ones: C is a row of taps."""
    x, g, taps, window, groups = step.arguments
    total = step.result
    (*_, c, m), (n, *counts, _) = total.shape, g.shape
    (batch, *steps, one), (*factors, line, column), (image, *rows, _) = map(_strides, (x, total, g))
    ahead = [far * s for far, s in zip(steps, window.strides, strict=True)]
    apart = [far * d for far, d in zip(steps, window.dilation, strict=True)]
    places = _loops(counts, ahead, rows)
    cut = len(places) - 1 if batch + image > NEAR else 0
    around = [(groups, c * one, m // groups * column, m // groups * column), (n, batch, image, 0)]
    around += [(count, far, by, 0) for count, far, by in places[:cut]]
    around += [(count, far, 0, to) for count, far, to in _loops(taps, apart, factors)]
    together = groups == 1 and apart[-1] == c * one
    nest = products.Nest(around[: len(around) - together], places[cut:]).plain()
    size = c * taps[-1] if together else c, m // groups
    return _nested(step, size, nest, (x, one), (g, column), (total, line), exact=True)


def _nested(
    step: Step, size: tuple[int, int], nest: products.Nest, a: tuple[Value, int], b: tuple[Value, int], c: tuple[Value, int],
    exact: bool,
) -> Written:  # fmt: skip
    type = b[0].dtype.str[1:]
    block = products.fitting(*size, products.width(type), exact)
    text = products.text(type, block, len(nest.around), len(nest.terms), True, exact)
    return Written(text, products.words(*size, nest, a, b, c), (), effort=math.prod([count for count, *_ in nest.terms]))


def by_panels(x: Any, kernel: Any, taps: Shape, window: Window, groups: int, out: Any) -> None:
    """NumPy's form of `conv` with a kernel in panels."""
    whole = np.moveaxis(kernel, 0, -2)
    np.copyto(out, convolution.conv(x, whole.reshape(*whole.shape[:-2], out.shape[-1]), window, groups))


def adding(x: Any, g: Any, taps: Shape, window: Window, groups: int, out: Any) -> None:
    """NumPy's form of `conv_to_kernel` that adds to what is there."""
    out += convolution.conv_to_kernel(x, g, taps, window, groups)


CONVOLVING: dict[Callable[..., Any], Callable[[Step], Written]] = {by_panels: _forward, adding: _to_kernel}


def _met(place: int, stride: int, dilation: int, taps: int) -> range:
    """The taps of an axis that meet places a stride apart, of which the first is `place`."""
    every = stride // math.gcd(stride, dilation)
    return range(next((k for k in range(min(every, taps)) if (k * dilation - place) % stride == 0), taps), taps, every)


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
        if math.prod(taps) == groups == 1:
            rows = self.reshape(self._at_first_tap(wide, plain, shape), (-1, c))
            return self.reshape(self.matmul(rows, self.reshape(self._dense(kernel), (c, m))), shape)
        if c == 1 < groups:
            return self._each_channel(wide, kernel, plain, shape)
        panels = self._in_panels(self._dense(kernel), groups)
        return self._step("conv", by_panels, x.dtype, shape, wide, panels, tuple(taps), plain, groups)

    def _in_panels(self, kernel: Value, groups: int) -> Value:
        """The kernel as (panels, taps…, c, columns), the columns those of a block; in one panel where blocks overlap."""
        *taps, c, m = kernel.shape
        columns = 2 * products.width(kernel.dtype.str[1:])
        if groups > 1 or m % columns or m == columns:
            return self.reshape(kernel, (1, *kernel.shape))
        terms = math.prod(taps) * c
        turned = self._dense(self.transpose(self.reshape(kernel, (terms, m // columns, columns)), (1, 0, 2)))
        return self.reshape(turned, (m // columns, *taps, c, columns))

    def _at_first_tap(self, wide: Value, window: Window, counts: Shape) -> Value:
        """What the first tap of each window sees, in C order."""
        ((_, places),) = window.taps((1,) * len(window.strides), counts[1:-1])
        return self._dense(self._at(wide, (slice(None), *places)))

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
            return self._by_phases(g, kernel, sizes, window, groups)
        back = convolution.turned(sizes, taps, counts, window)
        if back is not None:
            return self.conv(g, self._dense(convolution.turned_kernel(self, self._dense(kernel), groups)), back, groups)
        ends = window.ends(sizes, taps)
        room = tuple([n + sum(end) for n, end in zip(sizes, ends, strict=True)])
        wide = self.conv_to_input(g, kernel, room, window._replace(padding=((0, 0),) * len(ends)), groups)
        return self._dense(self._at(wide, (slice(None), *windows.inside(sizes, ends))))

    def _by_phases(self, g: Value, kernel: Value, sizes: Shape, window: Window, groups: int) -> Value:
        """Places that are a stride apart meet the same taps: for each place within a stride, a part of the result."""
        *taps, c, _ = kernel.shape
        ends = window.ends(sizes, taps)
        wide = self.scratch(g.dtype, (g.shape[0], *[n + sum(end) for n, end in zip(sizes, ends, strict=True)], c * groups))
        for place in product(*map(range, map(min, window.strides, wide.shape[1:]))):
            part = self._at(wide, (slice(None), *[slice(p, None, s) for p, s in zip(place, window.strides, strict=True)]))
            met = [_met(*axis) for axis in zip(place, window.strides, window.dilation, taps, strict=True)]
            if not all(map(len, met)):
                self._put(self.constant(np.zeros((), g.dtype)), part)
                continue
            some = self._dense(self._at(kernel, tuple([slice(m.start, m.stop, m.step) for m in met])))
            late = [(m.start * d - p) // s for m, d, p, s in zip(met, window.dilation, place, window.strides, strict=True)]
            apart = tuple([m.step * d // s for m, d, s in zip(met, window.dilation, window.strides, strict=True)])
            back = []
            for m, far, by, n, count in zip(met, apart, late, part.shape[1:], g.shape[1:], strict=False):
                back.append(((len(m) - 1) * far + by, n - by - count))
            turned = self._dense(convolution.turned_kernel(self, some, groups))
            self._put(self.conv(g, turned, Window((1,) * len(taps), apart, tuple(back)), groups), part)
        return self._dense(self._at(wide, (slice(None), *windows.inside(sizes, ends))))

    def conv_to_kernel(self, x: Any, g: Any, taps: Shape, window: Window, groups: int) -> Value:
        x, g = self._known(x), self._known(g)
        if not self._floats(x, g):
            return self._call("conv_to_kernel", convolution.conv_to_kernel, x, g, taps, window, groups)
        c, m = x.shape[-1] // groups, g.shape[-1]
        if 0 in x.shape or 0 in g.shape:
            return self._filled(x.dtype, (*taps, c, m), 0)
        wide, plain = self._roomy(x, taps, window)
        if math.prod(taps) == groups == 1:
            rows = self.transpose(self.reshape(self._at_first_tap(wide, plain, g.shape), (-1, c)), (1, 0))
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
