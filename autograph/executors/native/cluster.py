"""Joining steps: calls on elements of one shape become one loop, which keeps in registers what nobody else reads.

A step joins the last loop that it may: one of its shape and guard that stands behind all it reads, or makes it. Then the
items are put in an order in which as many as can be run between two calls of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from autograph.executors.native.again import WEIGHT, calls_for, made_where_reduced, weight, without_others
from autograph.executors.native.bands import in_bands
from autograph.executors.native.compiler import lanes
from autograph.executors.native.items import Loop, Multiply, Views, located, product, root_of
from autograph.executors.native.lowering import Elementwise, Host, Lowered, Product, Reduce, lowered
from autograph.executors.native.repeating import Repeated
from autograph.executors.native.singles import Item, Native, OnHost, Repeat, Single
from autograph.executors.native.writing import Written
from autograph.executors.numpy.values import Step, Value

WINDOW = 64  # so many items back a step looks for a loop to join


def joined(steps: Sequence[Step], views: Views, kept: Iterable[Value]) -> list[Item]:
    """The items of a program, in an order that holds. `kept`: the values that are read after the steps."""
    forms = [_form(step, views) for step in steps]
    wanted = _wanted_views(steps, forms, views, kept)
    plan = _Plan(views)
    for step, form in zip(steps, forms, strict=True):
        if step.result not in views:
            plan.add(step, form)
        elif step.result in wanted:
            plan.append(OnHost(step, views, ""))
    read = {root_of(v, views) for v in kept} | {root_of(c, views) for step in steps for c in step.guard}
    made_where_reduced(plan.items, views, kept, plan.is_final)
    for item in plan.items:
        read.update(root_of(v, views) for v in item.inputs())
    for item in plan.items:
        if isinstance(item, Loop):
            item.needed = [v for v in item.results if v.source is not None or v in read]
            without_others(item, calls_for(item, [*item.needed, *(r.operand for r, _ in item.reductions)]))
    return in_bands([item for item in plan.ordered() if item.steps], views, kept)


class Within(NamedTuple):
    """The items of a step that runs others again and again."""

    step: Repeated
    items: list[Native]


def _form(step: Step, views: Views) -> Lowered | Within:
    form = lowered(step)
    if isinstance(step, Repeated):
        return _within(step, views)
    if isinstance(form, Product):
        a, b = form
        if a.shape[-1] == 1 and len(a.shape) == len(b.shape) == 2:
            kind = a.dtype.str[1:]
            return Elementwise("multiply", [a, b], [kind, kind], kind)  # of one term: no sum
        if product(located(a, views), located(b, views), located(step.result, views)) is None:
            return Host("operands that BLAS cannot see as they lie")
    if isinstance(form, Written) and not all(located(v, views).layout.flags.c_contiguous for v in step.reads):
        return Host("operands that do not lie in the order of their elements")
    return form


def _within(step: Repeated, views: Views) -> Within | Host:
    """Its items, if all of them are machine code."""
    items: list[Native] = []
    for item in joined(step.inner, views, step.kept):
        if isinstance(item, OnHost):
            return Host(f"{item.reason}, in the graph it holds")
        items.append(item)
    return Within(step, items)


def _wanted_views(steps: Sequence[Step], forms: Sequence[Lowered | Within], views: Views, kept: Iterable[Value]) -> set[Value]:
    """The views that calls of NumPy read."""
    wanted = set(kept)
    for step, form in zip(reversed(steps), reversed(forms), strict=True):
        wanted.update(step.guard)
        if step.result in views:
            if step.result in wanted:
                wanted.update(step.reads)
        elif isinstance(form, Host):
            wanted.update(step.reads)
    return wanted


class _Plan:
    """Items in the order in which they are made, and before which others each has to stand."""

    def __init__(self, views: Views) -> None:
        self.items: list[Item] = []
        self.before: list[set[int]] = []
        self._views = views
        self._writer: dict[Value, int] = {}  # the item that wrote a value last
        self._parts: dict[Value, set[int]] = {}  # the items that wrote an array or any part of it
        self._last: dict[Value, Value] = {}  # what was written last of it

    def add(self, step: Step, form: Lowered | Within) -> None:
        match form:
            case Host():
                self.append(OnHost(step, self._views, form.reason))
            case Product():
                self.append(Multiply(step, self._views, form))
            case Within():
                self.append(Repeat(form.step, self._views, form.items))
            case Written():
                self.append(Single(step, self._views, form))
            case Elementwise():
                loop = self._loop(step, form.operands, step.result.shape, None)
                loop.calls.append(form)
                loop.weight += weight([form.name])
                loop.results.append(step.result)
                loop.steps.append(step)
            case Reduce():
                loop = self._loop(step, [form.operand], form.operand.shape, form.axes)
                loop.axes = form.axes
                loop.reductions.append((form, step.result))
                loop.steps.append(step)

    def append(self, item: Item) -> None:
        self.items.append(item)
        self.before.append(set())
        self._note(len(self.items) - 1, item.steps[0], item.inputs())

    def _note(self, place: int, step: Step, reads: Iterable[Value]) -> None:
        """Keep in mind that the item runs this step too."""
        earlier = {self._written(step.result)}.union(*map(self._makers, (*reads, *step.guard)))
        self.before[place].update(earlier - {place, -1})
        self._writer[step.result] = place
        for whole in _sources(step.result, self._views):
            self._parts.setdefault(whole, set()).add(place)
            self._last[whole] = step.result

    def _makers(self, value: Value) -> set[int]:
        """The items that made the value: all that wrote it or parts of it, else those of the nearest array it is a part of."""
        return next((self._parts[v] for v in _sources(value, self._views) if v in self._parts), set())

    def _made(self, value: Value) -> int:
        """The item that made the value last; -1 where none did."""
        return max(self._makers(value), default=-1)

    def is_final(self, array: Value) -> bool:
        """Whether one item at most writes the array, or parts of it."""
        return len(self._parts.get(array, ())) < 2

    def _written(self, value: Value) -> int:
        """The item that wrote the value before, or all that it is a part of; other parts are no part of it."""
        return next((self._writer[v] for v in _sources(value, self._views) if v in self._writer), -1)

    def _loop(self, step: Step, reads: Sequence[Value], shape: tuple[int, ...], axes: tuple[int, ...] | None) -> Loop:
        """The loop that the step joins, or a new one."""
        first = 0
        for value in reads:
            made = self._made(value)
            first = max(first, made if self._hands_over(made, value, step, shape, axes) else made + 1)
        first = max([first, self._written(step.result) + 1, *(self._made(c) + 1 for c in step.guard)])
        for place in range(len(self.items) - 1, max(first, len(self.items) - WINDOW) - 1, -1):
            item = self.items[place]
            if isinstance(item, Loop) and item.shape == shape and item.guard == step.guard and _fits(item, axes):
                break
        else:
            item, place = Loop(shape, step.guard, views=self._views), len(self.items)
            self.items.append(item)
            self.before.append(set())
        self._note(place, step, reads)
        return item

    def _hands_over(self, made: int, value: Value, step: Step, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> bool:
        """Whether the value can go from the loop that makes it to the step within the same turn."""
        item = self.items[made] if made >= 0 else None
        if not isinstance(item, Loop) or item.shape != shape or item.guard != step.guard:
            return False
        return value in item.results and self._last[value] is value and _fits(item, axes)

    def ordered(self) -> list[Item]:
        """The items, each behind those it waits for; loops and products first wherever they can go."""
        waits = [len(some) for some in self.before]
        followers: list[list[int]] = [[] for _ in self.items]
        for place, some in enumerate(self.before):
            for k in some:
                followers[k].append(place)
        queues: tuple[list[int], list[int]] = ([], [])  # native, on the host
        result: list[Item] = []

        def ready(place: int) -> None:
            heappush(queues[isinstance(self.items[place], OnHost)], place)

        for place, count in enumerate(waits):
            if not count:
                ready(place)
        while len(result) < len(self.items):
            place = heappop(queues[0] or queues[1])
            result.append(self.items[place])
            for k in followers[place]:
                waits[k] -= 1
                if not waits[k]:
                    ready(k)
        return result


def _sources(value: Value, views: Views) -> Iterator[Value]:
    """The value, what it is a part or a view of, and so on to an array of its own."""
    found: Value | None = value
    while found is not None:
        yield found
        found = views.get(found, found.source)


def _fits(loop: Loop, axes: tuple[int, ...] | None) -> bool:
    """Whether a call, or a reduction along these axes, may join the loop."""
    if loop.weight >= WEIGHT:
        return False
    together = _wide(loop.shape)
    if axes is None:
        return loop.axes is None or together
    return loop.axes == axes or (loop.axes is None and (together or not loop.calls))


def _wide(shape: tuple[int, ...]) -> bool:
    """Whether the last axis of several places fills the lanes, so that a reduction does not slow down what is fused with it."""
    return next((n for n in reversed(shape) if n != 1), 1) >= lanes() and math.prod(shape) > 0
