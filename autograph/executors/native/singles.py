"""What a program is made of beside loops and products: single steps, steps that run others again and again, calls of NumPy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autograph.executors.native import repeating
from autograph.executors.native.bands import Band
from autograph.executors.native.items import (
    Address,
    Entry,
    Loop,
    Moved,
    Multiply,
    OneStep,
    Slot,
    Views,
    Words,
    located,
    root_of,
)
from autograph.executors.native.kernels import MOVE
from autograph.executors.native.repeating import Repeated, Row
from autograph.executors.native.writing import Written
from autograph.executors.numpy.values import Place, Step, Value

Told = tuple[Entry, Step | None]  # an entry, and the step that it may leave to NumPy


@dataclass(eq=False)
class Single(OneStep):
    """A step with a kernel of its own."""

    written: Written

    @property
    def makes(self) -> list[Value]:
        return [self.step.result, *self.written.work]

    @property
    def work(self) -> int:
        return self.written.effort * sum(math.prod(v.shape) for v in (*self.inputs(), *self.makes))

    def kernels(self) -> list[Entry]:
        return [_entry(self.written, self.views)]


def _entry(written: Written, views: Views) -> Entry:
    return written.text, [located(w, views).address if isinstance(w, Value) else w for w in written.words]


@dataclass(eq=False)
class Repeat(OneStep):
    """Items that run again and again."""

    step: Repeated
    items: list[Native]

    @property
    def makes(self) -> list[Value]:
        given = {v.root for v in self.reads}
        own = [*self.step.own, *(v for item in self.items for some in (item.makes, item.reads) for v in some)]
        return [self.step.result, *(v for v in dict.fromkeys(own) if v.root.place is Place.SCRATCH and v.root not in given)]

    @property
    def work(self) -> int:
        return self.step.turns * sum(item.work for item in self.items)

    def kernels(self) -> list[Entry]:
        return [entry for entry, _ in self.told()]

    def told(self) -> list[Told]:
        """The entries, each with the step that it may leave to NumPy."""
        step = self.step
        inner = [pair for item in self.items for pair in told(item)]
        seen = {root_of(v, self.views) for _, left in inner if left is not None for v in (*left.reads, left.result)}
        moving = {row.own: row for row in (*step.entries, *step.rows) if row.own not in seen}
        opening = self._listed([row.copied for row in step.entries if row.own in seen])
        inner += self._listed([*(row.copied for row in step.rows if row.own in seen), *step.closing])
        moves, inner = self._moved(moving, inner)
        inner = [*moves, *opening, *inner]
        begin = [*step.before, repeating.head(step.turns, len(inner), step.turn, step.going)]
        return [*self._listed(begin), *inner, *self._listed([repeating.back(len(inner))])]

    def _moved(self, moving: Mapping[Value, Row], inner: Sequence[Told]) -> tuple[list[Told], list[Told]]:
        """An entry that moves words on to the rows of the turn, and the others, which have such words for addresses."""
        words: Words = [0, located(self.step.turn, self.views).address]
        changed: list[Told] = []
        for (text, some), left in inner:
            new: Words = list(some)
            for k, word in enumerate(some):
                if isinstance(word, Address) and word.root in moving:
                    row = moving[word.root]
                    root, start = located(row.whole, self.views).address
                    new[k] = moved = Moved()
                    words += [Slot(moved), Address(root, start + row.first + word.offset), row.along]
            changed.append(((text, new), left))
        words[0] = (len(words) - 2) // 3
        return ([((MOVE, words), None)] if words[0] else []), changed

    def _listed(self, some: Sequence[Written]) -> list[Told]:
        return [(_entry(one, self.views), None) for one in some]


@dataclass(eq=False)
class OnHost(OneStep):
    """A step that stays a call of NumPy, and why."""

    reason: str

    @property
    def reads(self) -> list[Value]:
        return self.step.reads

    @property
    def makes(self) -> list[Value]:
        return self.step.makes

    def goes_over(self, value: Value) -> bool:
        return self.step.goes_over(value)


Native = Loop | Band | Multiply | Single | Repeat
Item = Native | OnHost


def told(item: Native) -> list[Told]:
    """The entries of an item, each with the step that it may leave to NumPy."""
    if isinstance(item, Repeat):
        return item.told()
    step = item.step if isinstance(item, Single) else None
    return [(entry, step) for entry in item.kernels()]
