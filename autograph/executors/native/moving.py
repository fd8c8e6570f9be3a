"""Arrays put together from others: each piece is a copy into a part of the result, which can join the loop that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.arrays import indexing, movement, numpy_namespace, reductions
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Step, Value
from autograph.tensor_type import DTYPES, DType

Key = tuple[slice | int, ...]


class MovingRecorder(Recorder):
    """The part of the namespace that moves elements."""

    def _plain(self, *values: Any) -> bool:
        """Whether all are arrays of sizes that are known, and of types that kernels read."""
        return all(isinstance(v, Value) and None not in v.shape and v.dtype.char != "e" for v in map(self._known, values))

    def _put(self, x: Value, result: Value) -> None:
        """Copy x into an array, or into a view of one."""
        if 0 not in result.shape:
            self.steps.append(Step("copyto", np.copyto, [x], result, self.node, into=True, first=True))

    def _filled(self, dtype: DType, shape: Sequence[int], fill: Any) -> Value:
        result = self.scratch(dtype, tuple(shape))
        self._put(self.constant(np.asarray(fill, dtype)), result)
        return result

    def _at(self, x: Value, key: Key) -> Value:
        """The view x[key]."""
        return self._view("part_at", numpy_namespace.part_at, x, key)

    def _within(self, x: Value, axis: int, start: int, stop: int) -> Value:
        return self._at(x, (*[slice(None)] * axis, slice(start, stop)))

    def concatenate(self, arrays: Sequence[Any], axis: int) -> Value:
        arrays = [self._known(x) for x in arrays]
        if not self._plain(*arrays) or len({x.dtype for x in arrays}) > 1:
            return self._call("concatenate", movement.concatenate, arrays, axis)
        axis %= len(arrays[0].shape)
        shape = list(arrays[0].shape)
        shape[axis] = sum(x.shape[axis] for x in arrays)
        result = self.scratch(arrays[0].dtype, tuple(shape))
        start = 0
        for x in arrays:
            self._put(x, self._within(result, axis, start, start := start + x.shape[axis]))
        return result

    def stack(self, arrays: Sequence[Any], axis: int) -> Value:
        arrays = [self._known(x) for x in arrays]
        if not self._plain(*arrays) or len({x.dtype for x in arrays}) > 1:
            return self._call("stack", movement.stack, arrays, axis)
        shape = list(arrays[0].shape)
        axis %= len(shape) + 1
        shape.insert(axis, len(arrays))
        result = self.scratch(arrays[0].dtype, tuple(shape))
        for k, x in enumerate(arrays):
            self._put(x, self._at(result, (*[slice(None)] * axis, k)))
        return result

    def pad(self, x: Any, widths: tuple[tuple[int, int], ...], value: float) -> Value:
        x = self._known(x)
        if not self._plain(x):
            return self._call("pad", movement.pad, x, widths, value)
        shape = [before + n + after for (before, after), n in zip(widths, x.shape, strict=True)]
        result = self._filled(x.dtype, shape, value)
        self._put(x, self._at(result, tuple(slice(b, b + n) for (b, _), n in zip(widths, x.shape, strict=True))))
        return result

    def unslice(self, g: Any, shape: tuple[int, ...], index: Any) -> Value:
        g = self._known(g)
        if not self._plain(g):
            return self._call("unslice", indexing.unslice, g, shape, index)
        result = self._filled(g.dtype, shape, 0)
        self._put(g, self.basic_index(result, index))
        return result

    def undiagonal(self, g: Any, shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Value:
        g = self._known(g)
        if not self._plain(g):
            return self._call("undiagonal", indexing.undiagonal, g, shape, offset, axis1, axis2)
        result = self._filled(g.dtype, shape, 0)
        self._put(g, self.diagonal(result, offset, axis1, axis2))
        return result

    def diag(self, x: Any, offset: int) -> Value:
        side = self._known(x).shape[-1] + abs(offset)
        return self.undiagonal(x, (*x.shape[:-1], side, side), offset, -2, -1)

    def roll(self, x: Any, shifts: tuple[int, ...], axes: tuple[int, ...]) -> Value:
        x = self._known(x)
        if not self._plain(x):
            return self._call("roll", movement.roll, x, shifts, axes)
        for shift, axis in zip(shifts, axes, strict=True):
            size = x.shape[axis]
            if size and shift % size:
                cut = size - shift % size
                x = self.concatenate([self._within(x, axis, cut, size), self._within(x, axis, 0, cut)], axis)
        return x  # type: ignore[no-any-return]

    def shift(self, x: Any, axis: int, offset: int, fill: float) -> Value:
        x = self._known(x)
        if not self._plain(x):
            return self._call("shift", reductions.shift, x, axis, offset, fill)
        result, size = self._filled(x.dtype, x.shape, fill), x.shape[axis]
        if abs(offset) < size:
            to, source = max(offset, 0), max(-offset, 0)
            count = size - abs(offset)
            self._put(self._within(x, axis, source, source + count), self._within(result, axis, to, to + count))
        return result

    def tril(self, x: Any, k: int) -> Value:
        rows, columns = self._known(x).shape[-2:]
        return self._triangle(x, np.tri(rows, columns, k, bool))

    def triu(self, x: Any, k: int) -> Value:
        rows, columns = self._known(x).shape[-2:]
        return self._triangle(x, ~np.tri(rows, columns, k - 1, bool))

    def _triangle(self, x: Any, inside: np.ndarray[Any, Any]) -> Value:
        """x within the triangle, 0 outside."""
        return self.where(self.constant(inside), x, self.constant(np.zeros((), x.dtype)))

    def one_hot(self, labels: Any, classes: int, dtype: DType, axis: int, strict: bool) -> Value:
        labels = self._known(labels)
        if strict or not self._plain(labels) or labels.dtype.kind not in "iu" or dtype.char == "e":
            return self._call("one_hot", indexing.one_hot, labels, classes, dtype, axis, strict)
        rank = len(labels.shape) + 1
        axis %= rank
        numbers = np.arange(classes).reshape([classes if a == axis else 1 for a in range(rank)])
        wide = self.expand_dims(self.astype(labels, DTYPES["int64"]), (axis,))
        return self.astype(self.equal(wide, self.constant(numbers)), dtype)
