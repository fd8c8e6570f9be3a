"""The commit as machine code: the arithmetic of all registers of one rule is one loop, over each run of adjacent homes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from autograph.executors.native import loops
from autograph.executors.native.compiler import lanes
from autograph.executors.native.items import Entry, Words
from autograph.executors.native.lowering import Elementwise, of_ufunc
from autograph.executors.numpy.bound import BoundGroup
from autograph.executors.numpy.plan import GroupPlan
from autograph.executors.numpy.values import Value

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


def group_kernel(p: GroupPlan) -> GroupKernel | None:
    """The kernel of a group, and its plan freed of what it does not need; None where NumPy has to run it."""
    g = p.group
    if not g.flat or len(g.calls) > _MOST or any(column[0].dtype.char == "e" for column in g.columns):
        return None
    calls = []
    for function, arguments in g.calls:
        values = [a if isinstance(a, Value) else g.columns[a][0] for a in arguments]
        call = of_ufunc(function, values[:-1], values[-1]) if isinstance(function, np.ufunc) else None
        if not isinstance(call, Elementwise):
            return None
        calls.append(call)
    kernel = GroupKernel(p, calls)
    p.storage.clear()
    p.copies.clear()
    return kernel


class NativeGroup(BoundGroup):
    """A group's kernel on real arrays: an entry for each run of members whose arrays are adjacent."""

    def __init__(self, p: GroupPlan, kernel: GroupKernel, array: Callable[[Value], Any]) -> None:
        self.kernel = kernel
        self.entries: list[Entry] = []
        self.work = 0
        super().__init__(p, array)

    def _add(
        self,
        p: GroupPlan,
        array: Callable[[Value], Any],
        arrays: dict[int, Any],
        own: dict[int, Any],
        shadows: dict[int, Any],
    ) -> None:
        written = {**arrays, **shadows}
        places = []
        for k, a in enumerate(self.kernel.arrays):
            place = array(a) if isinstance(a, Value) else (arrays if k < self.kernel.loads else written)[a]
            places.append((place.ctypes.data, 0 if isinstance(a, Value) else place.itemsize))
        size = next(iter(arrays.values())).size
        whole = size - size % lanes()  # vectors that overlap would read what they have written
        for start, stop in ((0, whole), (whole, size)):
            if start < stop:
                words: Words = [stop - start, *(address + start * step for address, step in places)]
                self.entries.append((self.kernel.text(stop - start), words))
        self.work += place.size * len(p.group.calls)
        self._check(p, arrays, shadows)
