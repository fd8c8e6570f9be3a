"""Kernels that run along lines: the first of the greatest, running sums and products, recurrences, order.

Lines are sorted by whole numbers that stand in the same order as what is sorted, NaN last: short lines by insertion, and
where positions are asked for, long ones digit by digit from the last (radix sort), which is stable either way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import reductions
from autograph.executors.native.instructions import (
    copy,
    fill,
    from_order,
    in_order,
    isnan,
    lowest,
    of,
    same,
    vector,
    whole,
)
from autograph.executors.native.language import Line, Word
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written, scratch, written
from autograph.executors.numpy.values import Step, Value
from autograph.tensor_type import DTYPES

_LEAST, _MOST = math.sqrt(np.finfo(np.float64).tiny / np.finfo(np.float64).eps) * 4096, math.inf
_FEW = 64  # so many are sorted by insertion
SHORT = 16  # up to so many this is faster than NumPy, which sorts values, not positions, by vectors
_DIGIT, _DIGITS = 8, 256  # bits of a digit, and how many there are

# the first of the greatest -------------------------------------------------------------------------------------------


def _find(line: Line, value: Any, count: Word) -> Any:
    """The first place of a value in a line that has it; a NaN is that value."""
    place = 0
    while place < (count & -vector()) and same(line + place, value) == 0:
        place += vector()
    if place < (count & -vector()):
        place += lowest(same(line + place, value))
    else:
        while place < count and not (line[place] == value or isnan(line[place])):
            place += 1
    return place


def _first_of(outer: Word, size: Word, inner: Word, x: Line, best: Line, out: Line) -> Any:
    for o in range(outer):
        if inner == 1:
            out[o] = _find(x + o * size, best[o], size)
        else:
            for back in range(size):
                k = size - 1 - back
                row = x + (o * size + k) * inner
                for i in range(inner):
                    if row[i] == best[o * inner + i] or isnan(row[i]):
                        out[o * inner + i] = k


# scans ---------------------------------------------------------------------------------------------------------------


def _cumsum(outer: Word, size: Word, inner: Word, back: Word, x: Line, sums: Line, out: Line) -> Any:
    for o in range(outer):
        if inner == 1:
            total = of(sums, -0.0)
            for k in range(size):
                place = o * size + (size - 1 - k if back == 1 else k)
                total = total + of(sums, x[place])
                out[place] = total
        else:
            fill(sums, -0.0, inner)
            for k in range(size):
                place = (o * size + (size - 1 - k if back == 1 else k)) * inner
                for i in range(inner):
                    sums[i] += of(sums, x[place + i])
                    out[place + i] = sums[i]


def _cumprod(outer: Word, size: Word, inner: Word, back: Word, x: Line, products: Line, out: Line) -> Any:
    for o in range(outer):
        if inner == 1:
            total = of(products, 1)
            for k in range(size):
                place = o * size + (size - 1 - k if back == 1 else k)
                total = total * x[place]
                out[place] = total
        else:
            fill(products, 1, inner)
            for k in range(size):
                place = (o * size + (size - 1 - k if back == 1 else k)) * inner
                for i in range(inner):
                    products[i] *= x[place + i]
                    out[place + i] = products[i]


def _linear_scan(outer: Word, size: Word, inner: Word, back: Word, a: Line, b: Line, last: Line, out: Line) -> Any:
    for o in range(outer):
        fill(last, 0, inner)
        for k in range(size):
            place = (o * size + (size - 1 - k if back == 1 else k)) * inner
            for i in range(inner):
                if last[i] == 0:
                    last[i] = a[place + i]
                else:
                    last[i] = a[place + i] + b[place + i] * last[i]
                out[place + i] = last[i]


def _norm(count: Word, plain: Line, out: Line) -> Any:
    """The roots of plain sums of squares, if none has overflowed, or lost numbers that vanished."""
    for k in range(count):
        if not (plain[k] > _LEAST and plain[k] < _MOST):
            return -1
        out[k] = plain[k]


# order ---------------------------------------------------------------------------------------------------------------


def _less(a: Any, b: Any) -> Any:
    return a < b or (isnan(b) and not isnan(a))


def _searchsorted(size: Word, count: Word, right: Word, line: Line, x: Line, out: Line) -> Any:
    for k in range(count):
        low = 0
        high = size
        while low < high:
            middle = (low + high) >> 1
            if _less(line[middle], x[k]) or (right == 1 and not _less(x[k], line[middle])):
                low = middle + 1
            else:
                high = middle
        out[k] = low


def _count(size: Word, digits: Word, keys: Line, counts: Line) -> Any:
    """How often each digit comes, for all places of digits."""
    fill(counts, 0, digits * _DIGITS)
    for k in range(size):
        key = keys[k]
        for d in range(digits):
            counts[d * _DIGITS + whole(key & 255)] += 1
            key = key >> _DIGIT


def _start(size: Word, counts: Line) -> Any:
    """Counts as where each digit begins; whether only one of them comes."""
    before = 0
    alone = False
    for d in range(_DIGITS):
        many = counts[d]
        alone = alone or many == size
        counts[d] = before
        before += many
    return alone


def _digit(key: Any, d: Word, keys: Line) -> Any:
    return whole((key >> of(keys, d * _DIGIT)) & 255)


def _order_keys(
    size: Word, digits: Word, keys: Line, spare: Line, order: Line, other: Line, counts: Line
) -> Any:
    """Sort the keys of a line, and tell where each of them was."""
    for k in range(size):
        order[k] = k
    if size <= _FEW:
        for k in range(size):
            key = keys[k]
            place = k
            while place > 0 and keys[place - 1] > key:
                keys[place] = keys[place - 1]
                order[place] = order[place - 1]
                place -= 1
            keys[place] = key
            order[place] = k
    else:
        _count(size, digits, keys, counts)
        for d in range(digits):
            places = counts + d * _DIGITS
            if not _start(size, places):
                for k in range(size):
                    digit = _digit(keys[k], d, keys)
                    place = places[digit]
                    spare[place] = keys[k]
                    other[place] = order[k]
                    places[digit] = place + 1
                copy(keys, spare, size)
                copy(order, other, size)


def _sort(outer: Word, size: Word, inner: Word, falling: Word, x: Line, keys: Line, out: Line) -> Any:
    for o in range(outer):
        for i in range(inner):
            start = o * size * inner + i
            for k in range(size):
                key = in_order(x[start + k * inner], falling)
                place = k
                while place > 0 and keys[place - 1] > key:
                    keys[place] = keys[place - 1]
                    place -= 1
                keys[place] = key
            for k in range(size):
                out[start + k * inner] = from_order(out, keys[k], falling)


def _argsort(
    outer: Word, size: Word, inner: Word, kept: Word, digits: Word, falling: Word, x: Line, keys: Line, spare: Line,
    order: Line, other: Line, counts: Line, out: Line,
) -> Any:  # fmt: skip
    for o in range(outer):
        for i in range(inner):
            for k in range(size):
                keys[k] = in_order(x[(o * size + k) * inner + i] + 0, falling)  # -0 and 0 are equal
            _order_keys(size, digits, keys, spare, order, other, counts)
            for k in range(kept):
                out[(o * kept + k) * inner + i] = order[k]


# steps ---------------------------------------------------------------------------------------------------------------


def _lines(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """What stands before an axis, its size, and what stands behind it."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _first(step: Step) -> Written:
    x, best, axis, _ = step.arguments
    return written(_first_of, *_lines(x.shape, axis), x, best, step.result)


def _running(kernel: Callable[..., Any], wide: bool) -> Callable[[Step], Written]:
    def lower(step: Step) -> Written:
        x, axis, reverse = step.arguments
        sizes = _lines(x.shape, axis)
        work = scratch(DTYPES["float64"] if wide and x.dtype.kind == "f" else x.dtype, sizes[-1])
        return written(kernel, *sizes, int(reverse), x, work, step.result, work=[work])

    return lower


def _recurrence(step: Step) -> Written:
    a, b, axis, reverse = step.arguments
    sizes = _lines(a.shape, axis)
    last = scratch(a.dtype, sizes[-1])
    return written(_linear_scan, *sizes, int(reverse), a, b, last, step.result, work=[last])


def _checked_norm(step: Step) -> Written:
    _, plain, *_ = step.arguments
    return written(_norm, math.prod(plain.shape), plain, step.result)


def _searched(step: Step) -> Written:
    line, x, side = step.arguments
    return written(_searchsorted, line.shape[0], math.prod(x.shape), int(side == "right"), line, x, step.result, effort=8)


def _keys(x: Value, size: int) -> tuple[int, list[Value]]:
    """How many digits the keys of an array have, and the arrays for a line of them, twice, and for their counts."""
    type = np.dtype(np.uint64 if x.dtype.itemsize == 8 else np.uint32)
    digits = x.dtype.itemsize
    return digits, [scratch(type, size), scratch(type, size), scratch(DTYPES["int64"], digits * _DIGITS)]


def _sorted(step: Step) -> Written:
    x, axis, descending = step.arguments
    sizes = _lines(x.shape, axis)
    _, (keys, *_) = _keys(x, sizes[1])
    return written(_sort, *sizes, int(descending), x, keys, step.result, work=[keys], effort=8)


def _ordered(x: Value, axis: int, kept: int, descending: bool, result: Value) -> Written:
    outer, size, inner = _lines(x.shape, axis)
    digits, (keys, spare, counts) = _keys(x, size)
    work = [keys, spare, scratch(DTYPES["int64"], size), scratch(DTYPES["int64"], size), counts]
    return written(
        _argsort, outer, size, inner, kept, digits, int(descending), x, *work, result, work=work, effort=16
    )


def _argsorted(step: Step) -> Written:
    x, axis, descending = step.arguments
    return _ordered(x, axis, x.shape[axis], descending, step.result)


def _top(step: Step) -> Written:
    x, k, axis = step.arguments
    return _ordered(x, axis, k, True, step.result)


def first_greatest(x: Any, best: Any, axis: int, keepdims: bool, out: Any) -> None:
    """NumPy's form of the step that finds the greatest, which is known, again."""
    np.copyto(out, reductions.argmax(x, axis, keepdims))


def first_least(x: Any, best: Any, axis: int, keepdims: bool, out: Any) -> None:
    """As `first_greatest`."""
    np.copyto(out, reductions.argmin(x, axis, keepdims))


def norm_beside(x: Any, plain: Any, axis: tuple[int, ...], keepdims: bool, out: Any) -> None:
    """NumPy's form of the step that checks what plain squares gave."""
    np.copyto(out, reductions.norm(x, axis, keepdims))


ORDERING: dict[Callable[..., Any], Callable[[Step], Written]] = {
    first_greatest: _first, first_least: _first, norm_beside: _checked_norm, into("cumsum"): _running(_cumsum, True),
    into("cumprod"): _running(_cumprod, False), into("linear_scan"): _recurrence, into("searchsorted"): _searched,
    into("sort"): _sorted, into("argsort"): _argsorted, into("top_k"): _top,
}  # fmt: skip
