"""Bands: loops over the same rows, run row by row, one loop after the other, as long as a row is near.

What only the loops of a band read is a row, written again and again; so a softmax with its gradient reads from memory what it is
given, and writes what is asked for, once each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from numpy.lib.stride_tricks import as_strided

from autograph.executors.native import loops, parallel
from autograph.executors.native.items import Axis, Entry, Loop, Views, Words, merged, moved, root_of, words_of
from autograph.executors.numpy.values import Guard, Place, Step, Value

LONG, LINE = 1 << 16, 64  # elements of an array, and of a row, from which on bands are made


class Ordered(Protocol):
    """What is asked of an item."""

    @property
    def guard(self) -> Guard: ...

    @property
    def reads(self) -> list[Value]: ...

    def inputs(self) -> list[Value]: ...


Item = TypeVar("Item", bound=Ordered)


@dataclass(eq=False)
class Band:
    """Loops whose first axes, so many, are the same.

    own  for what they alone read, a row
    """

    loops: list[Loop]
    rows: int
    own: dict[Value, Value] = field(default_factory=dict)

    @property
    def guard(self) -> Guard:
        return self.loops[0].guard

    @property
    def steps(self) -> list[Step]:
        return [step for loop in self.loops for step in loop.steps]

    def inputs(self) -> list[Value]:
        made = {v for loop in self.loops for v in loop.makes}
        return [v for v in dict.fromkeys(v for loop in self.loops for v in loop.inputs()) if v not in made]

    @property
    def reads(self) -> list[Value]:
        return [v if v.fixed else root_of(v, self.loops[0].views) for v in self.inputs()]

    @property
    def makes(self) -> list[Value]:
        return [self.own.get(v, v) for loop in self.loops for v in loop.makes]

    def goes_over(self, value: Value) -> bool:
        return False

    @property
    def work(self) -> int:
        return sum(loop.work for loop in self.loops)

    def _outer(self) -> list[Axis]:
        """The axes around all loops, with the strides of all arrays, loop after loop."""
        strides = [some[: self.rows] for loop in self.loops for _, some in loop.laid()]
        return merged(self.loops[0].shape[: self.rows], strides, ())

    def kernels(self) -> list[Entry]:
        """One, whose rows threads share, each with rows of its own for what only the loops read."""
        outer, own = self._outer(), set(self.own.values())
        nests, axes, places, start = [], [], [], 0
        for loop in self.loops:
            laid = loop.laid()
            rows = [axis._replace(strides=axis.strides[start : start + len(laid)]) for axis in outer]
            reduced = tuple([axis - self.rows for axis in loop.axes or ()])
            inner = merged(loop.shape[self.rows :], [some[self.rows :] for _, some in laid], reduced)
            axes.append([*rows, *inner])
            places.append([place.address for place, _ in laid])
            nests.append(loop.nest(axes[-1], len(rows)))
            start += len(laid)
        text, calls = loops.text_of_rows(tuple(nests), len(outer)), []
        for number, (first, behind) in enumerate(self.parts):
            words: Words = []
            for nest, some, addresses in zip(nests, axes, places, strict=True):
                sizes = [behind - first, *(axis.size for axis in some[1:])]
                words += words_of(nest, some, sizes, [
                    moved(a, number * _nbytes(a.root) if a.root in own else first * stride)
                    for a, stride in zip(addresses, some[0].strides, strict=True)
                ])  # fmt: skip
            calls.append(words)
        return parallel.side_by_side(text, calls)

    @functools.cached_property
    def parts(self) -> list[tuple[int, int]]:
        """From which row to which, of the first axis, a thread goes."""
        size = self._outer()[0].size
        return parallel.cut(size, 1, self.work) if parallel.has_threads() else [(0, size)]


def _nbytes(row: Value) -> int:
    """Of one of the rows of an array."""
    return math.prod(row.shape[1:]) * row.dtype.itemsize


def readers_of(items: Iterable[Item], views: Views, kept: Iterable[Value]) -> dict[Value, set[tuple[Item | None, Value]]]:
    """Of each array, the items that read it, and as which views; None for what is read behind them or by guards."""
    readers: dict[Value, set[tuple[Item | None, Value]]] = {}
    for value in kept:
        readers.setdefault(root_of(value, views), set()).add((None, value))
    for item in items:
        for value in item.guard:
            readers.setdefault(root_of(value, views), set()).add((None, value))
        for value in (*item.inputs(), *item.reads):
            readers.setdefault(root_of(value, views), set()).add((item, value))
    return readers


def in_bands(items: Sequence[Item], views: Views, kept: Iterable[Value]) -> list[Item | Band]:
    """The items, with loops along the same rows that follow each other as bands. `kept`: the values that are read behind them."""
    readers = readers_of(items, views, kept)
    found: list[Item | Band] = []
    for some in _growing(items, views):
        if not some.is_worth_it():
            found += some.items
            continue
        band = Band(some.loops, some.rows)
        for v in some.made:
            known = readers.get(v, set())
            alone = all(item in band.loops for item, _ in known) and v.source is None and v.place is Place.SCRATCH
            if alone and v.shape[: band.rows] == some.shape[: band.rows]:
                band.own[v] = _as_row(v, {value for _, value in known}, band.rows, len(band.parts))
        found.append(band)
    return found


def _as_row(v: Value, seen: set[Value], rows: int, count: int) -> Value:
    """Rows, one for each part, of the first of which the value and its views become views, the same along the first axes."""
    assert v.layout is not None  # scratch has one
    shape, strides = (count, *v.shape[rows:]), v.layout.strides[rows:]
    layout = as_strided(v.layout, shape, (math.prod(shape[1:]) * v.dtype.itemsize, *strides))
    row = Value(Place.SCRATCH, v.dtype, shape, layout=layout, recorder=v.recorder)
    for view in seen | {v}:
        assert view.layout is not None
        view.layout = as_strided(view.layout, view.shape, (*[0] * rows, *view.layout.strides[rows:]))
    v.source, v.transform = row, ("broadcast_to", (v.shape,))
    return row


def _is_of_its_row(part: Value, whole: Value, offset: int, rows: int) -> bool:
    """Whether a part of an array of rows, which begins so many bytes behind it, has of each row what lies in that row."""
    assert part.layout is not None and whole.layout is not None
    if part.shape[:rows] != whole.shape[:rows] or part.layout.strides[:rows] != whole.layout.strides[:rows]:
        return False
    far = [(n - 1) * stride for n, stride in zip(part.shape[rows:], part.layout.strides[rows:], strict=True)]
    first, last = offset + sum(f for f in far if f < 0), offset + sum(f for f in far if f > 0)
    return first >= 0 and last < math.prod(whole.shape[rows:]) * whole.dtype.itemsize


@dataclass
class _Some(Generic[Item]):
    """Items that follow each other: loops that may be a band, or one of another kind.

    made  what they made, each with its strides along the rows
    met   the arrays that they read and wrote
    """

    views: Views
    items: list[Item] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    rows: int = 0
    made: dict[Value, tuple[int, ...]] = field(default_factory=dict)
    met: set[Value] = field(default_factory=set)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.loops[0].shape

    def take(self, item: Item) -> bool:
        """Take the item too: a loop that at a row reads of what others made that row alone, and writes what none has met."""
        if not self.items:
            self.items.append(item)
            if isinstance(item, Loop) and 0 not in item.shape:
                self._add(item, item.axes[0] if item.axes else len(item.shape))
            return True
        if not self.loops or not isinstance(item, Loop) or item.guard != self.loops[0].guard:
            return False
        rows = min(self.rows, item.axes[0] if item.axes else len(item.shape))
        if item.shape[:rows] != self.shape[:rows] or 0 in item.shape or math.prod(self.shape[:rows]) == 1:
            return False
        written = {v.root for v in self.made}
        for v, ((address, _), strides) in zip(item.inputs(), item.laid(), strict=False):
            if address.root not in written:
                continue
            whole, along = v if v in self.made else address.root, strides[:rows]
            if 0 in along or self.made.get(whole, ())[:rows] != along:
                return False
            if v is not whole and not _is_of_its_row(v, whole, address.offset, rows):
                return False
        if any(v.root in self.met for v in item.makes):
            return False
        self.items.append(item)
        self._add(item, rows)
        return True

    def _add(self, loop: Loop, rows: int) -> None:
        self.loops.append(loop)
        self.rows = rows
        inputs = loop.inputs()
        self.made.update((v, strides) for v, (_, strides) in zip(loop.makes, loop.laid()[len(inputs) :], strict=False))
        self.met.update(root_of(v, self.views) for v in (*inputs, *loop.makes))

    def is_worth_it(self) -> bool:
        """Whether there are several, one of which reduces, over arrays that are long, and so are their rows."""
        if len(self.loops) < 2 or not any(loop.reductions for loop in self.loops):
            return False
        size = max(math.prod(loop.shape) for loop in self.loops)
        return size >= max(LONG, LINE * math.prod(self.shape[: self.rows]))


def _growing(items: Iterable[Item], views: Views) -> Iterator[_Some[Item]]:
    """The items in their order, loops along the same rows together."""
    some = _Some[Item](views)
    for item in items:
        if not some.take(item):
            yield some
            some = _Some(views)
            some.take(item)
    yield some
