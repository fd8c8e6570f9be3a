"""Kernels that take elements from chosen places, and add them there: rows by number, lines by position, classes.

Indices are looked through before anything moves: one that is outside leaves the step to NumPy, which tells of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import movement
from autograph.arrays.rows import added_rows, is_last, row_numbers, rows_at
from autograph.executors.native.instructions import copy, fill, of, plus, whole
from autograph.executors.native.language import Line, Word
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written, scratch, written
from autograph.executors.numpy.values import Step, Value
from autograph.tensor_type import DTYPES

_INT64 = DTYPES["int64"]

# indices -------------------------------------------------------------------------------------------------------------


def _row(i: Any, size: Word) -> Any:
    """An index from the front."""
    return whole(i) + size if whole(i) < 0 else whole(i)


def _check(count: Word, size: Word, indices: Line) -> Any:
    for k in range(count):
        i = whole(indices[k])
        if i < -size or i >= size:
            return -1


def _counted(count: Word, size: Word, indices: Line, out: Line) -> Any:
    _check(count, size, indices)
    for k in range(count):
        out[k] = _row(indices[k], size)


def _class_labels(count: Word, classes: Word, labels: Line, out: Line) -> Any:
    for k in range(count):
        label = whole(labels[k])
        if label < 0 or label >= classes or of(labels, label) != labels[k]:
            return -1
        out[k] = label


def _sized(rank: Word, count: Word, sizes: Line, planned: Line, x: Line, out: Line) -> Any:
    """x, if it is to have the sizes that were planned."""
    for axis in range(rank):
        if whole(sizes[axis]) != planned[axis]:
            return -1
    copy(out, x, count)


# along one axis ------------------------------------------------------------------------------------------------------


def _gather(outer: Word, size: Word, inner: Word, count: Word, x: Line, indices: Line, out: Line) -> Any:
    _check(count, size, indices)
    for o in range(outer):
        if inner == 1:
            for k in range(count):
                out[o * count + k] = x[o * size + _row(indices[k], size)]
        else:
            for k in range(count):
                copy(out + (o * count + k) * inner, x + (o * size + _row(indices[k], size)) * inner, inner)


def put(outer: Word, size: Word, inner: Word, count: Word, rows: Line, indices: Line, out: Line) -> Any:
    for o in range(outer):
        for k in range(count):
            copy(out + (o * size + _row(indices[k], size)) * inner, rows + (o * count + k) * inner, inner)


def _unpicked(outer: Word, size: Word, inner: Word, count: Word, g: Line, indices: Line, out: Line) -> Any:
    _check(count, size, indices)
    fill(out, 0, outer * size * inner)
    put(outer, size, inner, count, g, indices, out)


def _put_rows(size: Word, inner: Word, count: Word, x: Line, indices: Line, rows: Line, out: Line) -> Any:
    _check(count, size, indices)
    copy(out, x, size * inner)
    put(1, size, inner, count, rows, indices, out)


def _add(outer: Word, size: Word, inner: Word, count: Word, updates: Line, indices: Line, out: Line) -> Any:
    for o in range(outer):
        if inner == 1:
            for k in range(count):
                out[o * size + _row(indices[k], size)] += updates[o * count + k]
        else:
            for k in range(count):
                row = out + (o * size + _row(indices[k], size)) * inner
                plus(row, row, updates + (o * count + k) * inner, inner)


def _scatter(outer: Word, size: Word, inner: Word, count: Word, g: Line, indices: Line, out: Line) -> Any:
    _check(count, size, indices)
    fill(out, 0, outer * size * inner)
    _add(outer, size, inner, count, g, indices, out)


def _scatter_add(
    outer: Word, size: Word, inner: Word, count: Word, x: Line, indices: Line, updates: Line, out: Line
) -> Any:
    _check(count, size, indices)
    copy(out, x, outer * size * inner)
    _add(outer, size, inner, count, updates, indices, out)


# along lines ---------------------------------------------------------------------------------------------------------


def _take_along(outer: Word, size: Word, inner: Word, count: Word, x: Line, indices: Line, out: Line) -> Any:
    _check(outer * count * inner, size, indices)
    for o in range(outer):
        for k in range(count):
            for i in range(inner):
                place = (o * count + k) * inner + i
                out[place] = x[(o * size + _row(indices[place], size)) * inner + i]


def _scatter_along(outer: Word, size: Word, inner: Word, count: Word, g: Line, indices: Line, out: Line) -> Any:
    _check(outer * count * inner, size, indices)
    fill(out, 0, outer * size * inner)
    for o in range(outer):
        for k in range(count):
            for i in range(inner):
                place = (o * count + k) * inner + i
                out[(o * size + _row(indices[place], size)) * inner + i] += g[place]


# rows that come more than once ---------------------------------------------------------------------------------------


def _slot(n: Any, k: Any, mask: Word, numbers: Line, table: Line) -> Any:
    """Where the table has the place of a number, or would have it: place k of the numbers, which is n."""
    numbers[k] = n
    slot = ((n * -7046029254386353131) >> 32) & mask
    while table[slot] != 0 and numbers[table[slot] - 1] != n:
        slot = (slot + 1) & mask
    return slot


def _grouped(count: Word, size: Word, mask: Word, indices: Line, numbers: Line, table: Line, first: Line) -> Any:
    """The numbers of the rows, and for each the place where it comes first."""
    _check(count, size, indices)
    fill(table, 0, mask + 1)
    for k in range(count):
        slot = _slot(_row(indices[k], size), k, mask, numbers, table)
        if table[slot] == 0:
            table[slot] = k + 1
        first[k] = table[slot] - 1


def _spread(count: Word, inner: Word, first: Line, out: Line) -> Any:
    """To each place the sum of its group."""
    for k in range(count):
        if first[k] != k:
            copy(out + k * inner, out + first[k] * inner, inner)


def _touched_sums(
    count: Word, size: Word, inner: Word, mask: Word, g: Line, indices: Line, numbers: Line, table: Line, first: Line,
    out: Line,
) -> Any:  # fmt: skip
    _grouped(count, size, mask, indices, numbers, table, first)
    for k in range(count):
        if first[k] == k:
            fill(out + k * inner, 0, inner)
        sums = out + first[k] * inner
        plus(sums, sums, g + k * inner, inner)
    _spread(count, inner, first, out)


def _added_rows(
    count: Word, size: Word, inner: Word, mask: Word, x: Line, indices: Line, updates: Line, numbers: Line, table: Line,
    first: Line, out: Line,
) -> Any:  # fmt: skip
    _grouped(count, size, mask, indices, numbers, table, first)
    for k in range(count):
        if first[k] == k:
            copy(out + k * inner, x + numbers[k] * inner, inner)
        sums = out + first[k] * inner
        plus(sums, sums, updates + k * inner, inner)
    _spread(count, inner, first, out)


def _is_last(count: Word, mask: Word, given: Line, numbers: Line, table: Line, out: Line) -> Any:
    fill(table, 0, mask + 1)
    for back in range(count):
        k = count - 1 - back
        slot = _slot(whole(given[k]), k, mask, numbers, table)
        out[k] = table[slot] == 0
        if table[slot] == 0:
            table[slot] = k + 1


def _touched_rows(count: Word, size: Word, indices: Line, marks: Line, out: Line) -> Any:
    _check(count, size, indices)
    if count <= size:
        for k in range(count):
            out[k] = _row(indices[k], size)
    else:
        fill(marks, 0, size)
        for k in range(count):
            marks[_row(indices[k], size)] = 1
        different = 0
        last = 0
        for i in range(size):
            if marks[i] != 0:
                out[different] = i
                different += 1
                last = i
        for k in range(different, size):
            out[k] = last


# steps ---------------------------------------------------------------------------------------------------------------


def _sizes(shape: tuple[int, ...], axis: int, indices: Value) -> tuple[int, int, int, int]:
    """What stands before an axis, its size, what stands behind it, and how many indices there are."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), math.prod(indices.shape)


def _moved(value: Value) -> tuple[Value, str]:
    """Elements that move, whatever their type."""
    return value, f"i{value.dtype.itemsize}"


def _by_axis(step: Step) -> Written:
    x, indices, axis = step.arguments
    return written(_gather, *_sizes(x.shape, axis, indices), _moved(x), indices, _moved(step.result))


def _to_sizes(step: Step) -> Written:
    x, sizes, planned = step.arguments
    return written(_sized, planned.shape[0], math.prod(x.shape), sizes, planned, _moved(x), _moved(step.result))


def _unpick(step: Step) -> Written:
    g, indices, shape, axis = step.arguments
    return written(_unpicked, *_sizes(shape, axis, indices), _moved(g), indices, _moved(step.result))


def _into_zeros(step: Step) -> Written:
    g, indices, shape, axis = step.arguments
    return written(_scatter, *_sizes(shape, axis, indices), g, indices, step.result)


def _into_x(step: Step) -> Written:
    x, indices, updates, axis = step.arguments
    return written(_scatter_add, *_sizes(x.shape, axis, indices), x, indices, updates, step.result)


def _from_lines(step: Step) -> Written:
    x, indices, axis = step.arguments
    sizes = (*_sizes(x.shape, axis, indices)[:3], indices.shape[axis])
    return written(_take_along, *sizes, _moved(x), indices, _moved(step.result))


def _into_lines(step: Step) -> Written:
    g, indices, shape, axis = step.arguments
    sizes = (*_sizes(shape, axis, indices)[:3], indices.shape[axis])
    return written(_scatter_along, *sizes, g, indices, step.result)


def _replaced(step: Step) -> Written:
    x, indices, rows = step.arguments
    return written(_put_rows, *_sizes(x.shape, 0, indices)[1:], _moved(x), indices, _moved(rows), _moved(step.result))


def _numbered(step: Step) -> Written:
    indices, size = step.arguments
    return written(_counted, math.prod(indices.shape), size, indices, step.result)


def _rows_at(step: Step) -> Written:
    x, numbers = step.arguments
    return written(_gather, *_sizes(x.shape, 0, numbers), _moved(x), numbers, _moved(step.result))


def _classes(step: Step) -> Written:
    labels, classes = step.arguments
    return written(_class_labels, math.prod(labels.shape), classes, labels, step.result)


def _touched(step: Step) -> Written:
    indices, size = step.arguments
    marks = scratch(np.dtype(np.uint8), size)
    return written(_touched_rows, math.prod(indices.shape), size, indices, marks, step.result, work=[marks])


def _table(count: int) -> tuple[int, list[Value]]:
    """What tells which of so many numbers are equal: a mask for places of a table, and the arrays for numbers and the table."""
    size = 1 << max(2 * count - 1, 1).bit_length()
    return size - 1, [scratch(_INT64, count), scratch(_INT64, size)]


def _last(step: Step) -> Written:
    (numbers,) = step.arguments
    mask, work = _table(numbers.shape[0])
    return written(_is_last, numbers.shape[0], mask, numbers, *work, step.result, work=work)


def _group_sums(step: Step) -> Written:
    g, indices, shape = step.arguments
    _, size, inner, count = _sizes(shape, 0, indices)
    mask, work = _table(count)
    work.append(scratch(_INT64, count))
    return written(_touched_sums, count, size, inner, mask, g, indices, *work, step.result, work=work)


def _added(step: Step) -> Written:
    x, numbers, updates = step.arguments
    _, size, inner, count = _sizes(x.shape, 0, numbers)
    mask, work = _table(count)
    work.append(scratch(_INT64, count))
    return written(_added_rows, count, size, inner, mask, x, numbers, updates, *work, step.result, work=work)


def reshaped(x: Any, sizes: Any, planned: Any, out: Any) -> None:
    """NumPy's form of `reshape_to` where it is known what the sizes will be."""
    np.copyto(out, movement.reshape_to(x, sizes))


def stretched(x: Any, sizes: Any, planned: Any, out: Any) -> None:
    """As `reshaped`, of what is stretched already."""
    np.copyto(out, movement.broadcast_to_sizes(x, sizes))


PLACING: dict[Callable[..., Any], Callable[[Step], Written]] = {
    into("gather"): _by_axis, into("scatter"): _into_zeros, into("scatter_add"): _into_x, into("take_along_axis"): _from_lines,
    into("scatter_along_axis"): _into_lines, into("counted"): _numbered, into("class_labels"): _classes,
    into("unpicked"): _unpick, reshaped: _to_sizes, stretched: _to_sizes, into("put_rows"): _replaced,
    into("touched_rows"): _touched, into("touched_sums"): _group_sums, into("is_last"): _last, row_numbers: _numbered,
    rows_at: _rows_at, is_last: _last, added_rows: _added,
}  # fmt: skip  # those of `into` for what the recorder has put in order, the plain ones for what a commit by rows has
