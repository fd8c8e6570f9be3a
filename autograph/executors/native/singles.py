"""What a program is made of beside loops and products: single steps, steps that run others again and again, calls of NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autograph.executors.native import repeating
from autograph.executors.native.items import Entry, Loop, Multiply, OneStep, Views, located
from autograph.executors.native.repeating import Repeated
from autograph.executors.native.writing import Written
from autograph.executors.numpy.values import Place, Step, Value


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

    def told(self) -> list[tuple[Entry, Step | None]]:
        """The entries, each with the step that it may leave to NumPy."""
        step = self.step
        inner = self._listed(step.opening)
        for item in self.items:
            inner += told(item)
        inner += self._listed(step.closing)
        begin = [*step.before, repeating.head(step.turns, len(inner), step.turn, step.going)]
        return [*self._listed(begin), *inner, *self._listed([repeating.back(len(inner)), *step.behind])]

    def _listed(self, some: Sequence[Written]) -> list[tuple[Entry, Step | None]]:
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


Native = Loop | Multiply | Single | Repeat
Item = Native | OnHost


def told(item: Native) -> list[tuple[Entry, Step | None]]:
    """The entries of an item, each with the step that it may leave to NumPy."""
    if isinstance(item, Repeat):
        return item.told()
    step = item.step if isinstance(item, Single) else None
    return [(entry, step) for entry in item.kernels()]
