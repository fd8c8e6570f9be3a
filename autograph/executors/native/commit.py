"""The commit as machine code: the arithmetic of all registers of one rule is one loop, over each run of adjacent homes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from autograph.executors.native import language, loops, parallel
from autograph.executors.native.blas import blas
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import type_of
from autograph.executors.native.items import Address, Entry, Words, seen
from autograph.executors.native.kernels import DESCENT
from autograph.executors.native.lowering import Elementwise, choice, of_ufunc
from autograph.executors.native.placing import put
from autograph.executors.numpy.blas import Gemm
from autograph.executors.numpy.bound import BoundGroup, runs, side_by_side
from autograph.executors.numpy.commit import Group
from autograph.executors.numpy.plan import GroupPlan
from autograph.executors.numpy.record import select
from autograph.executors.numpy.rows import PutRows
from autograph.executors.numpy.values import Place, Value

_MOST = 64  # calls of one loop


class GroupKernel:
    """A group's calls as one loop. Every number is read before one is written, so that nothing needs a place to wait.

    sizes    of the parts in which it most likely runs
    arrays   what its words name: columns that are read, values of rank 0, columns of homes that are written
    """

    def __init__(self, p: GroupPlan, calls: list[Elementwise]) -> None:
        g = p.group
        size = sum(g.sizes)
        self.sizes = [some for some in (size - size % lanes(), size % lanes()) if some]
        values: dict[int | Value, int] = {}
        made = {arguments[-1] for _, arguments in g.calls}
        self.arrays: list[int | Value] = []
        described = []
        read = [a for _, arguments in g.calls for a in arguments[:-1]] + list(g.targets)
        for a in dict.fromkeys(a for a in read if a not in made):
            values[a] = len(self.arrays)
            self.arrays.append(a)
            value = a if isinstance(a, Value) else g.columns[a][0]
            described.append(loops.Array(value.dtype.str[1:], (loops.INVARIANT if isinstance(a, Value) else loops.DENSE,)))
        self.loads = len(self.arrays)
        body = []
        for (_, arguments), call in zip(g.calls, calls, strict=True):
            body.append(loops.Call(call.name, tuple(values[a] for a in arguments[:-1]), tuple(call.types), call.type))
            values[arguments[-1]] = self.loads + len(body) - 1
        stores = []
        for column, home in g.targets.items():
            stores.append((values[column], len(self.arrays)))
            self.arrays.append(home)
            described.append(loops.Array(g.columns[home][0].dtype.str[1:], (loops.DENSE,)))
        self._nest = loops.Nest((False,), tuple(described), self.loads, tuple(body), tuple(stores), ())

    def text(self, size: int) -> str:
        """The kernel for so many elements."""
        return loops.text(replace(self._nest, lanes=loops.widths(size, False)[0]))


class RowsKernel:
    """A group that puts rows into one register, as the step `put_rows` does once it has looked at the numbers."""

    sizes = (0,)

    def __init__(self, home: Value) -> None:
        moved = f"i{home.dtype.itemsize}"
        self._text = language.text(put, (moved, "i8", moved))

    def text(self, size: int) -> str:
        """The kernel, which is one for any size."""
        return self._text


class DescentKernel:
    """A group that steps one matrix down by a product: C ← α·A·B + C, where α is read as it is then."""

    sizes = (0,)

    def __init__(self, gemm: Gemm, arguments: Sequence[int | Value]) -> None:
        self._values = [a for a in arguments if isinstance(a, Value)]
        self._turned = [gemm.keywords[name] for name in ("trans_a", "trans_b")]

    def text(self, size: int) -> str:
        """The kernel, which is one for any size."""
        return DESCENT

    def entry(self, array: Callable[[Value], Any]) -> tuple[Entry, int]:
        """The kernel and its words for real arrays, and how many multiplications it takes."""
        rate, a, b, one, c = map(array, self._values)
        (m, n), k = c.shape, a.shape[0 if self._turned[0] else 1]
        (first, apart), (second, distance) = (_taken(x, turned) for x, turned in zip((a, b), self._turned, strict=True))
        words: Words = [
            blas("sgemm" if c.dtype.char == "f" else "dgemm"), ord(first), ord(second), m, n, k, rate.ctypes.data,
            a.ctypes.data, apart, b.ctypes.data, distance, int.from_bytes(one.tobytes(), "little"), c.ctypes.data, m, 1, 0, 0, 0,
        ]  # fmt: skip
        return (DESCENT, words), m * n * k


def _taken(x: Any, turned: bool) -> tuple[str, int]:
    """How BLAS, which counts columns first, has to take a dense matrix, or its transpose, and how far apart its lines are."""
    found = seen(x.T)
    assert found is not None  # it is dense
    way, apart = found
    return "NT"[(way == "T") != turned], apart


def group_kernel(p: GroupPlan) -> GroupKernel | RowsKernel | DescentKernel | None:
    """The kernel of a group, and its plan freed of what it does not need; None where NumPy has to run it."""
    g = p.group
    if not p.late and len(g.calls) == 1 and isinstance(g.calls[0][0], Gemm):
        return DescentKernel(*g.calls[0])
    if not p.late and len(g.calls) == 1 and isinstance(g.calls[0][0], PutRows):
        home = g.calls[0][1][-1]
        return RowsKernel(home if isinstance(home, Value) else g.columns[home][0])
    calls = compilable(g)
    if calls is None:
        return None
    kernel = GroupKernel(p, calls)
    p.storage.clear()
    p.copies.clear()
    return kernel


def compilable(g: Group) -> list[Elementwise] | None:
    """The calls of a group as a loop has them; None where it has not all of them."""
    if not g.flat or len(g.calls) > _MOST or any(type_of(column[0].dtype) is None for column in g.columns):
        return None
    calls = []
    for function, arguments in g.calls:
        *reads, result = [a if isinstance(a, Value) else g.columns[a][0] for a in arguments]
        call = of_ufunc(function, reads, result) if isinstance(function, np.ufunc) else None
        if function is select:
            call = choice(reads, result)
        if not isinstance(call, Elementwise):
            return None
        calls.append(call)
    return calls


class NativeGroup(BoundGroup):
    """A group's kernel on real arrays: an entry for each run of members whose arrays are adjacent.

    feeds  of each feed that is read where it lies, the value that stands for it; new ones are added
    """

    def __init__(
        self, p: GroupPlan, kernel: GroupKernel, array: Callable[[Value], Any], feeds: dict[Value, Value]
    ) -> None:
        self.calls, self.late, self.checks = [], [], []
        self.entries: list[Entry] = []
        g = p.group
        outside = {n: column for n, column in enumerate(g.columns) if n not in g.temporaries}
        fed = {n: outside.pop(n) for n in p.fed}
        columns = {n: [array(v) for v in column] for n, column in outside.items()}
        shadows = {n: array(area) for n, area in p.shadows.items()}
        ends = [0, *accumulate(g.sizes)]
        for first, last in runs(list(columns.values()), [bool(fed)] * len(g.sizes)):
            size = ends[last] - ends[first]
            arrays = {n: side_by_side(column[first:last]) for n, column in columns.items()}
            waiting = {n: area[ends[first] : ends[last]] for n, area in shadows.items()}
            flat = {n: feeds.setdefault(column[first], _flat(column[first])) for n, column in fed.items()}
            places: list[tuple[int | Address, int]] = []
            for k, a in enumerate(kernel.arrays):
                if isinstance(a, Value):
                    places.append((array(a).ctypes.data, 0))
                elif a in flat:
                    places.append((Address(flat[a], 0), flat[a].dtype.itemsize))
                else:
                    x = waiting[a] if a in waiting and k >= kernel.loads else arrays[a]
                    places.append((x.ctypes.data, x.itemsize))
            whole = size - size % lanes()  # vectors that overlap would read what they have written
            shared = parallel.cut(whole, lanes(), whole * len(g.calls)) if parallel.has_threads() else [(0, whole)]
            for parts in (shared, [(whole, size)]):
                rows: list[Words] = [[stop - start, *(_behind(at, start * n) for at, n in places)] for start, stop in parts]
                if parts[0][0] < parts[0][1]:
                    self.entries += parallel.side_by_side(kernel.text(parts[-1][1] - parts[0][0]), rows)
            self._check(p, arrays, waiting)
        self.work = ends[-1] * len(g.calls)


class RowsGroup(BoundGroup):
    """The rows of one register on real arrays."""

    def __init__(self, p: GroupPlan, kernel: RowsKernel, array: Callable[[Value], Any]) -> None:
        self.calls, self.late, self.checks = [], [], []
        g = p.group
        numbers, rows, home = [array(a if isinstance(a, Value) else g.columns[a][0]) for a in g.calls[0][1]]
        addresses = [a.ctypes.data for a in (rows, numbers, home)]
        self.entries: list[Entry] = [(kernel.text(0), [1, len(home), home.size // len(home), len(numbers), *addresses])]
        self.work = rows.size


class DescentGroup(BoundGroup):
    """A step down on real arrays."""

    def __init__(self, kernel: DescentKernel, array: Callable[[Value], Any]) -> None:
        self.calls, self.late, self.checks = [], [], []
        entry, self.work = kernel.entry(array)
        self.entries: list[Entry] = [entry]


def native_group(
    p: GroupPlan, kernel: GroupKernel | RowsKernel | DescentKernel, array: Callable[[Value], Any], feeds: dict[Value, Value]
) -> NativeGroup | RowsGroup | DescentGroup:
    """A group that has a kernel, on real arrays."""
    if isinstance(kernel, DescentKernel):
        return DescentGroup(kernel, array)
    return RowsGroup(p, kernel, array) if isinstance(kernel, RowsKernel) else NativeGroup(p, kernel, array, feeds)


def _flat(feed: Value) -> Value:
    """A feed as the commit is given it: flat, and dense."""
    return Value(Place.DYNAMIC, feed.dtype, (math.prod(feed.shape),))


def _behind(place: int | Address, nbytes: int) -> int | Address:
    return place + nbytes if isinstance(place, int) else Address(place.root, place.offset + nbytes)
