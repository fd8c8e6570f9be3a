"""Arrays put together from others: each piece is a copy into a part of the result, which can join the loop that makes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograph.arrays import indexing, movement, numpy_namespace, reductions, rows
from autograph.executors.native.placing import reshaped, stretched
from autograph.executors.native.special import into
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Step, Value, stand_in
from autograph.tensor_type import DTYPES, DType

Key = tuple[slice | int, ...]


class MovingRecorder(Recorder):
    """The part of the namespace that moves elements."""

    def _plain(self, *values: Any) -> bool:
        """Whether all are arrays of sizes that are known, and of types that kernels read."""
        return all(isinstance(v, Value) and None not in v.shape and v.dtype.char != "e" for v in map(self._known, values))

    def _static(self, *values: Any) -> bool:
        """Whether all are arrays of sizes that are known: enough for what only moves."""
        return all(isinstance(v, Value) and None not in v.shape for v in map(self._known, values))

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
        m, n = self._known(x).shape[-2:]
        return self._triangle(x, np.tri(m, n, k, bool))

    def triu(self, x: Any, k: int) -> Value:
        m, n = self._known(x).shape[-2:]
        return self._triangle(x, ~np.tri(m, n, k - 1, bool))

    def _triangle(self, x: Any, inside: np.ndarray[Any, Any]) -> Value:
        """x within the triangle, 0 outside."""
        return self.where(self.constant(inside), x, self.constant(np.zeros((), x.dtype)))

    def basis_like(self, x: Any) -> Value:
        x = self._known(x)
        if not self._plain(x):
            return self._call("basis_like", numpy_namespace.basis_like, x)
        size = math.prod(x.shape)
        return self.reshape(self.diag(self._filled(x.dtype, (size,), 1), 0), (size, *x.shape))

    def reshape_to(self, x: Any, sizes: Any) -> Value:
        if not self._plain(x, sizes):
            return self._call("reshape_to", movement.reshape_to, x, sizes)
        return self._sized("reshape_to", reshaped, x, sizes)

    def broadcast_to_sizes(self, x: Any, sizes: Any) -> Value:
        if not self._plain(x, sizes):
            return self._call("broadcast_to_sizes", movement.broadcast_to_sizes, x, sizes)
        return self._sized("broadcast_to_sizes", stretched, self.broadcast_to(x, self.node.shape), sizes)

    def _sized(self, name: str, function: Callable[..., Any], x: Value, sizes: Value) -> Value:
        """x in the sizes of the node, if the vector says so too."""
        planned = self.constant(np.array(self.node.shape, np.int64))
        return self._step(name, function, x.dtype, self.node.shape, self._dense(x), self._dense(sizes), planned)

    # places -----------------------------------------------------------------------------------------------------------

    def _dense(self, x: Any, shape: tuple[int, ...] | None = None) -> Value:
        """x in the order of its elements, stretched to a shape."""
        x = self._known(x)
        if not isinstance(x, Value):
            x = self.constant(np.asarray(x))
        if shape is not None and x.shape != shape:
            x = self.broadcast_to(x, shape)
        return x if x.layout is None or x.layout.flags.c_contiguous else self.copy(x)

    def _step(self, name: str, function: Callable[..., Any], dtype: DType, shape: Any, *arguments: Any) -> Value:
        """A step with a kernel of its own."""
        result = self.scratch(dtype, shape)
        self.steps.append(Step(name, function, list(arguments), result, self.node, into=True))
        return result

    def _placed(self, name: str, dtype: DType, shape: tuple[int, ...], *arguments: Any) -> Value:
        """The same for the namespace's function of this name."""
        return self._step(name, into(name), dtype, shape, *arguments)

    def _numbers(self, indices: Any) -> bool:
        return self._plain(indices) and indices.dtype.kind in "iu"

    def gather(self, x: Any, indices: Any, axis: int) -> Value:
        if not self._plain(x) or not self._numbers(indices):
            return self._call("gather", indexing.gather, x, indices, axis)
        shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
        return self._placed("gather", x.dtype, shape, self._dense(x), self._dense(indices), axis)

    def scatter(self, g: Any, indices: Any, shape: tuple[int, ...], axis: int) -> Value:
        if not self._plain(g) or not self._numbers(indices):
            return self._call("scatter", indexing.scatter, g, indices, shape, axis)
        return self._placed("scatter", g.dtype, shape, self._dense(g), self._dense(indices), shape, axis)

    def scatter_add(self, x: Any, indices: Any, updates: Any, axis: int) -> Value:
        if not self._plain(x, updates) or not self._numbers(indices):
            return self._call("scatter_add", indexing.scatter_add, x, indices, updates, axis)
        part = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
        arguments = self._dense(x), self._dense(indices), self._dense(updates, part), axis
        return self._placed("scatter_add", x.dtype, x.shape, *arguments)

    def advanced_index(self, x: Any, *indices: Any) -> Value:
        if not self._plain(x) or not all(map(self._numbers, indices)):
            return self._call("advanced_index", indexing.advanced_index, x, *indices)
        lead, rest = x.shape[: len(indices)], x.shape[len(indices) :]
        table = self.reshape(self._dense(x), (math.prod(lead), *rest))
        return self.gather(table, self._points(lead, indices), 0)

    def advanced_scatter(self, g: Any, shape: tuple[int, ...], *indices: Any) -> Value:
        if not self._plain(g) or not all(map(self._numbers, indices)):
            return self._call("advanced_scatter", indexing.advanced_scatter, g, shape, *indices)
        lead, rest = shape[: len(indices)], shape[len(indices) :]
        points = self._points(lead, indices, g.shape[: len(g.shape) - len(rest)])
        return self.reshape(self.scatter(g, points, (math.prod(lead), *rest), 0), shape)

    def _points(self, lead: tuple[int, ...], indices: Sequence[Any], shape: tuple[int, ...] | None = None) -> Value:
        """The numbers of the points that have these coordinates along the leading axes."""
        points: Any = None
        for i, size in zip(indices, lead, strict=True):
            here = self._placed("counted", DTYPES["int64"], i.shape, self._dense(i), size)
            points = here if points is None else self.add(self.multiply(points, size), here)
        return self._dense(points, shape)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Value:
        if not self._plain(x) or not self._numbers(indices):
            return self._call("take_along_axis", indexing.take_along_axis, x, indices, axis)
        shape = list(np.broadcast_shapes(*[(*s[:axis], 1, *s[axis + 1 :]) for s in (x.shape, indices.shape)]))
        lines, shape[axis] = (*shape[:axis], x.shape[axis], *shape[axis + 1 :]), indices.shape[axis]
        arguments = self._dense(x, lines), self._dense(indices, tuple(shape)), axis
        return self._placed("take_along_axis", x.dtype, tuple(shape), *arguments)

    def scatter_along_axis(self, g: Any, indices: Any, shape: tuple[int, ...], axis: int) -> Value:
        alike = self._plain(g) and all(a == b for k, (a, b) in enumerate(zip(g.shape, shape, strict=True)) if k != axis)
        if not alike or not self._numbers(indices):
            return self._call("scatter_along_axis", indexing.scatter_along_axis, g, indices, shape, axis)
        return self._placed("scatter_along_axis", g.dtype, shape, self._dense(g), self._dense(indices, g.shape), shape, axis)

    def dynamic_index(self, x: Any, index: Any, *bounds: Any) -> Value:
        if not self._plain(x) or not all(map(self._numbers, bounds)) or not _whole(index):
            return self._call("dynamic_index", indexing.dynamic_index, x, index, *bounds)
        picked, axes = _opened(index)
        x = self.basic_index(x, picked)
        for axis, i in zip(reversed(axes), reversed(bounds), strict=True):
            x = self.gather(x, i, axis)
        return self._dense(x)

    def dynamic_unslice(self, g: Any, shape: tuple[int, ...], index: Any, *bounds: Any) -> Value:
        if not self._plain(g) or not all(map(self._numbers, bounds)) or not _whole(index):
            return self._call("dynamic_unslice", indexing.dynamic_unslice, g, shape, index, *bounds)
        picked, axes = _opened(index)
        whole = indexing.basic_index(stand_in(g.dtype, shape), picked).shape
        for k, (axis, i) in enumerate(zip(axes, bounds, strict=True)):
            wide = tuple([size for a, size in enumerate(whole) if a not in axes[k + 1 :]])
            g = self._placed("unpicked", g.dtype, wide, self._dense(g), i, wide, axis)
        return self.unslice(g, shape, picked)

    def put_rows(self, x: Any, indices: Any, new: Any) -> Value:
        if not self._static(x, new) or not self._numbers(indices):
            return self._call("put_rows", rows.put_rows, x, indices, new)
        part = (*indices.shape, *x.shape[1:])
        return self._placed("put_rows", x.dtype, x.shape, self._dense(x), self._dense(indices), self._dense(new, part))

    def touched_rows(self, indices: Any, size: int) -> Value:
        if not self._numbers(indices):
            return self._call("touched_rows", rows.touched_rows, indices, size)
        count = min(math.prod(indices.shape), size) if math.prod(indices.shape) else 0
        return self._placed("touched_rows", DTYPES["int64"], (count,), self._dense(indices), size)

    def touched_sums(self, g: Any, indices: Any, shape: tuple[int, ...]) -> Value:
        if not self._plain(g) or not self._numbers(indices):
            return self._call("touched_sums", rows.touched_sums, g, indices, shape)
        count = math.prod(indices.shape)
        dense = self._dense(self.reshape(g, (count, *shape[1:])))
        if count > shape[0]:
            sums = self.scatter(dense, self.reshape(indices, (count,)), shape, 0)
            return self.gather(sums, self.touched_rows(indices, shape[0]), 0)
        return self._placed("touched_sums", g.dtype, dense.shape, dense, self._dense(indices), shape)

    def is_last(self, numbers: Any) -> Value:
        if not self._numbers(numbers):
            return self._call("is_last", rows.is_last, numbers)
        return self._placed("is_last", DTYPES["bool"], numbers.shape, self._dense(numbers))

    def class_labels(self, labels: Any, classes: int) -> Value:
        labels = self._known(labels)
        if not self._plain(labels):
            return self._call("class_labels", indexing.class_labels, labels, classes)
        return self._placed("class_labels", DTYPES["int64"], labels.shape, self._dense(labels), classes)

    def one_hot(self, labels: Any, classes: int, dtype: DType, axis: int, strict: bool) -> Value:
        labels = self._known(labels)
        if not self._numbers(labels):
            return self._call("one_hot", indexing.one_hot, labels, classes, dtype, axis, strict)
        rank = len(labels.shape) + 1
        axis %= rank
        numbers = np.arange(classes).reshape([classes if a == axis else 1 for a in range(rank)])
        whole = self.class_labels(labels, classes) if strict else self.astype(labels, DTYPES["int64"])
        return self.astype(self.equal(self.expand_dims(whole, (axis,)), self.constant(numbers)), dtype)


def _whole(index: Any) -> bool:
    """Whether no slice of an index waits for a bound."""
    return all("?" not in item for item in index if isinstance(item, tuple))


def _opened(index: Any) -> tuple[Any, list[int]]:
    """The index with a whole axis for each integer that is not known yet, and which axes of its result these are."""
    picked = tuple([(None, None, None) if item == "?" else item for item in index])
    kept = [item for item in index if not isinstance(item, int)]
    return picked, [axis for axis, item in enumerate(kept) if item == "?"]
