"""Binding: planned groups become lists of calls on real arrays, which the commit works off."""

from __future__ import annotations

import functools
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from autograph.executors.numpy import plan
from autograph.executors.numpy.commit import APART, Group
from autograph.executors.numpy.emit import BY_KEYWORD
from autograph.executors.numpy.rows import PutRows
from autograph.executors.numpy.selection import IN_CALLS, Call
from autograph.executors.numpy.values import Value
from autograph.graph.register import copying
from autograph.tensor_type import DType

Check = tuple[Any, Any, bool]  # a new value, the home it is for, and whether a skipped tick writes it all the same


class Fed(NamedTuple):
    """Part of a feed, flat, which each tick gives anew; None is all of it. It is of that shape and dtype, if given."""

    feed: Value
    part: slice | None
    shape: tuple[int, ...] | None = None
    dtype: DType | None = None

    def of(self, flat: Any) -> Any:
        """That part of the feed, whose elements these are."""
        x = flat if self.part is None else flat[self.part]
        x = x if self.shape is None else x.reshape(self.shape)
        return x if self.dtype is None else x.view(self.dtype)

    def view(self, dtype: DType) -> Fed:
        """The same as another dtype, as of an array."""
        return self._replace(dtype=dtype)


Hole = tuple[int, int, int, Fed]  # a call's number, the place in it, a feed's number, what goes there


class BoundGroup:
    """A group's calls on real arrays: over the longest runs of members whose arrays are adjacent, in blocks where long."""

    def __init__(self, p: plan.GroupPlan, array: Callable[[Value], Any]) -> None:
        self.calls: list[Call] = []
        self.late: list[Call] = []
        self.checks: list[Check] = []
        g = p.group
        outside = {n: column for n, column in enumerate(g.columns) if n not in g.temporaries}
        fed = {n: outside.pop(n) for n in p.fed}
        columns = {n: [array(v) for v in column] for n, column in outside.items()}
        own = {n: array(area) for n, area in {**p.storage, **p.fed}.items() if isinstance(area, Value)}
        shadows = {n: array(area) for n, area in p.shadows.items()}
        cut = {n for n in range(len(g.columns)) if g.is_cut(n)}
        ends = [0, *accumulate(g.sizes)] if g.flat else [0, g.length]
        alone = [bool(fed) and size >= APART for size in g.sizes]
        for first, last in runs(list(columns.values()), alone) if g.flat else [(0, 1)]:
            arrays = {n: side_by_side(column[first:last]) if g.flat else column[0] for n, column in columns.items()}
            for start in range(ends[first], ends[last], max(p.block, 1)):
                stop = min(start + p.block, ends[last])
                block = slice(start - ends[first], stop - ends[first])
                given = {n: a[block] if n in cut else a for n, a in arrays.items()}
                scratch = {n: area[: stop - start] if n in cut else area for n, area in own.items()}
                for n, column in fed.items():
                    given[n] = self._gathered(g, column, ends, start, stop, scratch.pop(n))
                self._add(p, array, given, scratch, {n: a[start:stop] if n in cut else a for n, a in shadows.items()})

    def _gathered(self, g: Group, column: list[Value], ends: list[int], start: int, stop: int, buffer: Any) -> Any:
        """Elements `start` to `stop` of feeds: where they lie if they are of one, else in a buffer that calls fill."""
        if not g.flat:
            rest = g.shape[1:]
            inner = math.prod(rest)
            return Fed(column[0], slice(start * inner, stop * inner), (stop - start, *rest))
        parts = []
        for k in range(bisect_right(ends, start) - 1, len(column)):
            begin, end = max(start, ends[k]), min(stop, ends[k + 1])
            if begin < end:
                whole = (begin, end) == (ends[k], ends[k + 1])
                part = Fed(column[k], None if whole else slice(begin - ends[k], end - ends[k]))
                parts.append((slice(begin - start, end - start), part))
        if len(parts) == 1:
            return parts[0][1]
        for place, fed in parts:
            self.calls.append(copying(buffer[place], fed))
        return buffer

    def _add(
        self,
        p: plan.GroupPlan,
        array: Callable[[Value], Any],
        arrays: dict[int, Any],
        own: dict[int, Any],
        shadows: dict[int, Any],
    ) -> None:
        written = {**arrays, **shadows}
        place = {n: written[s] if isinstance(s, int) else own[n] for n, s in p.storage.items()}
        for function, arguments in p.group.calls:
            given = [array(a) if isinstance(a, Value) else place.get(a, arrays.get(a)) for a in arguments]
            if isinstance(function, PutRows):
                (self.late if p.late else self.calls).append(function.bound(given[0], given[1], given[-1]))
                if p.late:
                    self.checks.append((given[2], given[3], False))
                continue
            if function in IN_CALLS:
                self.calls += function(*given)
                continue
            if function in BY_KEYWORD:
                function, given = functools.partial(function, out=given[-1]), given[:-1]
            self.calls.append((function, *given))
        for column, home in p.copies:
            self.calls.append(copying(written[home], place.get(column, arrays.get(column))))
        self._check(p, arrays, shadows)

    def _check(self, p: plan.GroupPlan, arrays: dict[int, Any], shadows: dict[int, Any]) -> None:
        """What is asked of new values that wait in shadows, and how they go home."""
        for home, shadow in shadows.items():
            counter = all(v.register is not None and v.register.default_update is not None for v in p.group.columns[home])
            self.checks.append((shadow, arrays[home], counter))
            self.late.append(copying(arrays[home], shadow))


def joined(groups: Sequence[BoundGroup], feeds: Sequence[Value]) -> tuple[list[Call], list[Hole]]:
    """The calls of all, and where feeds go."""
    calls: list[Call] = []
    holes: list[Hole] = []
    for group in groups:
        for call in group.calls:
            for k, a in enumerate(call):
                if isinstance(a, Fed):
                    holes.append((len(calls), k, feeds.index(a.feed), a))
            calls.append(call)
    return calls, holes


def with_feeds(calls: list[Call], holes: list[Hole], *feeds: Any) -> list[Call]:
    """The calls, with what was fed in their holes; what is not aligned is copied here, for a commit must take no memory."""
    flat = [(feed if feed.flags.aligned else feed.copy()).reshape(-1) for feed in feeds]
    filled = calls.copy()
    for k, place, feed, fed in holes:
        call = filled[k]
        filled[k] = (*call[:place], fed.of(flat[feed]), *call[place + 1 :])
    return filled


def runs(columns: Sequence[list[Any]], apart: Sequence[bool]) -> list[tuple[int, int]]:
    """Half-open ranges of members that lie side by side in every column; those that are `apart` are alone."""
    ends = [0]
    addresses = [[a.__array_interface__["data"][0] for a in column] for column in columns]
    for i in range(1, len(apart)):
        if apart[i - 1] or apart[i] or any(
            address[i - 1] + column[i - 1].nbytes != address[i] or column[i - 1].base is not column[i].base
            for column, address in zip(columns, addresses, strict=True)
        ):
            ends.append(i)
    ends.append(len(apart))
    return list(pairwise(ends))


def side_by_side(arrays: list[Any]) -> Any:
    """Adjacent arrays as one flat view."""
    if len(arrays) == 1:
        return arrays[0].reshape(-1)
    size = sum(a.size for a in arrays)
    return np.lib.stride_tricks.as_strided(arrays[0].reshape(-1), (size,), (arrays[0].itemsize,))
