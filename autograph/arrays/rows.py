"""Rows of a table by number, in NumPy: what the ops of `ops/rows.py` call, and what prepares a commit by rows.

Sums over rows of one number are taken in their order, from 0 on, as `scatter` takes them; float16 is added in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arrays.indexing import add_rows, counted, scatter, wide

Array = Any  # an ndarray or a NumPy scalar
Shape = tuple[int, ...]

# numbers -------------------------------------------------------------------------------------------------------------


def row_numbers(indices: Array, size: int, out: Array | None = None) -> Array:
    """`indices` as a vector, counted from the front of an axis of `size`. Raises IndexRangeError for one outside."""
    return _given(counted(indices, size).reshape(-1), out)


def touched_rows(indices: Array, size: int, out: Array | None = None) -> Array:
    """As `row_numbers`; where these are more than `size`, each different one once, and the last again up to `size`."""
    numbers = counted(indices, size).reshape(-1)
    if len(numbers) > size:
        touched = np.zeros(size, bool)
        touched[numbers] = True
        different = np.flatnonzero(touched)
        numbers = np.append(different, np.repeat(different[-1:], size - len(different)))
    return _given(numbers, out)


def _given(numbers: Array, out: Array | None) -> Array:
    if out is None:
        return np.array(numbers, np.int64)
    np.copyto(out, numbers)
    return out


def is_last(numbers: Array, out: Array | None = None) -> Array:
    """Where no equal number comes behind."""
    result = np.empty(len(numbers), bool) if out is None else out
    alone = _is_set(numbers)
    result[...] = alone
    if not alone:
        result[_grouped(numbers)[1]] = True
    return result


def _is_set(numbers: Array) -> bool:
    """Whether all of them differ."""
    line = np.sort(numbers)
    return not (line[1:] == line[:-1]).any()


def _grouped(numbers: Array) -> tuple[Array, Array, Array]:
    """The places where each number comes first, those where it comes last, and which of these is whose."""
    order = np.argsort(numbers, kind="stable")
    line = numbers[order]
    ends = np.flatnonzero(np.append(line[1:] != line[:-1], True))
    lengths = np.diff(ends, prepend=-1)
    group = np.empty_like(order)
    group[order] = np.repeat(np.arange(len(ends)), lengths)
    return order[ends - lengths + 1], order[ends], group


# rows ----------------------------------------------------------------------------------------------------------------


def rows_at(x: Array, numbers: Array, out: Array | None = None) -> Array:
    """The rows of x at `numbers`, each of which is inside."""
    return np.take(x, numbers, 0, out, "clip")


def put_rows(x: Array, indices: Array, rows: Array, out: Array | None = None) -> Array:
    """x with `rows`, which broadcast, at `indices` of its first axis; the last stands where an index comes twice."""
    rest = x.shape[1:]
    numbers = np.ascontiguousarray(counted(indices, x.shape[0]).reshape(-1))
    home = np.empty(x.shape, x.dtype) if out is None else out
    np.copyto(home, x)
    home[numbers] = np.broadcast_to(rows, (*np.shape(indices), *rest)).reshape(len(numbers), *rest)
    return home


def touched_sums(g: Array, indices: Array, shape: Shape, out: Array | None = None) -> Array:
    """The slices of g summed for each of `touched_rows(indices, shape[0])`."""
    numbers = row_numbers(indices, shape[0])
    rows = g.reshape(len(numbers), *shape[1:])
    if len(numbers) > shape[0]:
        return rows_at(scatter(rows, numbers, shape, 0), touched_rows(numbers, shape[0]), out)
    if _is_set(numbers):
        return np.add(rows, rows.dtype.type(0), out)  # -0 becomes 0, as in a sum
    first, _, group = _grouped(numbers)
    later = np.ones(len(numbers), bool)
    later[first] = False
    sums = rows[first].astype(wide(rows.dtype), copy=False) + 0
    return _spread(sums, group[later], rows[later], group, out, rows.dtype)


def added_rows(x: Array, numbers: Array, updates: Array, out: Array | None = None) -> Array:
    """The rows of x at `numbers`, each of which is inside, once every row of `updates` was added to its own in turn."""
    if _is_set(numbers):
        result = rows_at(x, numbers, out)
        return np.add(result, updates, result)
    first, _, group = _grouped(numbers)
    sums = x[numbers[first]].astype(wide(x.dtype), copy=False)
    return _spread(sums, group, updates, group, out, x.dtype)


def _spread(sums: Array, to: Array, rows: Array, group: Array, out: Array | None, dtype: np.dtype[Any]) -> Array:
    """`rows` added to the sums, and to each place the sum of its group, rounded once."""
    if rows.size:
        add_rows(sums.reshape(len(sums), -1), to, rows)
    return rows_at(sums.astype(dtype, copy=False), group, out)
