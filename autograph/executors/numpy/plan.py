"""Planning: every array of a program gets its memory, and every group of the commit its storage.

Times are counted in early steps, then in groups. An array lives from the step that makes it to the last that reads it;
arrays whose lives do not overlap share bytes of one arena, which all programs of a function share in turn.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from autograph.executors.numpy.commit import APART, Group
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Guard, Place, Step, Value

ALIGNMENT = 64
_LASTING = (Place.HOME, Place.FEED, Place.CONSTANT)


@dataclass(eq=False)
class GroupPlan:
    """A group, and the arrays that its columns are written to. Those of a flat group are flat; scratch is for a block."""

    group: Group
    storage: dict[int, int | Value]  # a temporary column → the column of a home, or scratch of its own
    shadows: dict[int, Value]  # a home's column → where its new value waits, under a guard against non-finite values
    copies: list[tuple[int, int]]  # (column, home column) to copy at the end of the group
    late: bool = False  # whether its direct calls wait until all new values were checked
    fed: dict[int, Value] = field(default_factory=dict)  # a column of feeds that are not copied → a block for short ones
    block: int = 0  # how many elements, or rows, run at a time


class Made(Protocol):
    """What planning asks of a step, or of several that run as one."""

    @property
    def guard(self) -> Guard: ...

    @property
    def reads(self) -> list[Value]: ...

    @property
    def makes(self) -> list[Value]: ...

    def goes_over(self, value: Value) -> bool: ...


@dataclass
class Memory:
    """Where each root array lies in the arena."""

    offsets: dict[Value, int] = field(default_factory=dict)
    size: int = 0


def late(steps: Iterable[Step]) -> list[Step]:
    """The steps, but what is made of lasting arrays alone (registers, feeds, constants) directly before its first reader."""
    waiting: dict[Value, Step] = {}
    order: list[Step] = []

    def follow(step: Step) -> None:
        todo = [step]
        while todo:
            needed = next((v.root for v in todo[-1].reads if v.root in waiting), None)
            if needed is None:
                order.append(todo.pop())
            else:
                todo.append(waiting.pop(needed))

    for step in steps:
        ufunc = isinstance(step.function, np.ufunc) and step.safe and bool(step.result.shape)
        if ufunc and all(not v.shape or v.root.place in _LASTING or v.root in waiting for v in step.reads):
            waiting[step.result] = step
        else:
            follow(step)
    for step in list(waiting.values()):
        if waiting.pop(step.result, None):
            follow(step)
    return order


def stage(groups: Iterable[Group], steps: list[Step], recorder: Recorder) -> list[Step]:
    """Put each group's inputs side by side where it runs flat, and out of feeds' way; return the copies this takes."""
    placed: set[Value] = set()
    makers = {step.result: step for step in steps}
    copies: list[Step] = []
    for g in groups:
        homes, fed = set(g.targets.values()), g.fed()
        for number, column in enumerate(g.columns):
            if number in homes or number in fed or number in g.temporaries or all(v.root.place is Place.HOME for v in column):
                continue
            if g.flat and len(column) > 1:
                copies += _side_by_side(column, placed, makers, recorder, g)
            else:
                for k, value in enumerate(column):
                    if not value.fixed or (g.flat and not _in_line(value)):
                        mark = len(recorder.steps)
                        recorder.node = g.writes[0].register
                        column[k] = recorder.copy(value)
                        copies += recorder.steps[mark:]
                        recorder.steps[mark:][0].guard = g.guard
    return copies


def _in_line(value: Value) -> bool:
    """Whether its elements lie in memory in their own order, so that a flat view of it exists."""
    return value.layout is None or bool(value.layout.flags.c_contiguous)


def _side_by_side(
    column: list[Value], placed: set[Value], makers: dict[Value, Step], recorder: Recorder, g: Group
) -> list[Step]:
    """One flat array for the column; each member is a part of it, made there or copied there."""
    sizes = [int(np.prod(v.shape, dtype=int)) for v in column]
    area = recorder.scratch(column[0].dtype, (sum(sizes),))
    copies: list[Step] = []
    start = 0
    run: list[Value] = []
    run_start = 0

    def gather(stop: int) -> None:
        if run:
            target = part_of(area, run_start, stop, (stop - run_start,))
            step = Step("concatenate", np.concatenate, [tuple(run), None], target, g.writes[0].register, into=True)
            step.guard = g.guard
            copies.append(step)
            run.clear()

    for k, (value, size) in enumerate(zip(column, sizes, strict=True)):
        maker = makers.get(value)
        if value.place is Place.SCRATCH and value.source is None and value not in placed and maker is not None:
            gather(start)
            placed.add(value)
            value.source, value.transform = area, ("part", (start, start + size, value.shape))
        else:
            if not run:
                run_start = start
            run.append(value)
            column[k] = part_of(area, start, start + size, value.shape)
        start += size
    gather(start)
    return copies


def part_of(area: Value, start: int, stop: int, shape: tuple[int, ...]) -> Value:
    return Value(
        area.place, area.dtype, shape, source=area, transform=("part", (start, stop, shape)), recorder=area.recorder
    )


def plan_group(g: Group, recorder: Recorder, shadowed: bool) -> GroupPlan:
    """Storage for what the group computes: in place on homes where old values are no longer read, else scratch."""
    last_read: dict[int, int] = {}
    made: dict[int, int] = {}
    for k, (_, arguments) in enumerate(g.calls):
        for a in arguments[:-1]:
            if isinstance(a, int):
                last_read[a] = k
        if isinstance(arguments[-1], int):
            made[arguments[-1]] = k
    plan = GroupPlan(g, {}, {}, [], late=shadowed and not g.targets)
    plan.block = g.block

    def scratch(column: int, length: int) -> Value:
        like = g.columns[column][0]
        rest = () if g.flat else like.shape[1:]
        return recorder.scratch(like.dtype, (length, *rest) if g.is_cut(column) else like.shape)

    plan.fed = {n: scratch(n, 0 if min(g.sizes) >= APART else plan.block) for n in g.fed()}
    for column, home in g.targets.items():
        if shadowed:
            plan.shadows[home] = scratch(home, g.length)
        in_place = column in made and (shadowed or last_read.get(home, -1) <= made[column])
        if in_place and _same_type(g, column, home):
            _claim(g, plan, column, home, made, last_read, shadowed)
        else:
            plan.copies.append((column, home))
    free: list[tuple[int, Value]] = []  # (the call after which it is free, scratch)
    for column, k in sorted(made.items(), key=lambda item: item[1]):
        if column not in plan.storage:
            kept = column in g.targets
            area = scratch(column, plan.block)
            fit = next((f for f in free if f[0] <= k and f[1].dtype == area.dtype and f[1].shape == area.shape), None)
            if fit is not None:
                free.remove(fit)
                area = fit[1]
            plan.storage[column] = area
            free.append((len(g.calls) + 1 if kept else last_read.get(column, k), area))
    return plan


def _same_type(g: Group, a: int, b: int) -> bool:
    return g.columns[a][0].dtype is g.columns[b][0].dtype and g.columns[a][0].shape == g.columns[b][0].shape


def _claim(
    g: Group, plan: GroupPlan, column: int, home: int, made: dict[int, int], last_read: dict[int, int], shadowed: bool
) -> None:
    """Let `column`, and the chain of temporaries that ends in it, be computed in the home's own memory."""
    while True:
        plan.storage[column] = home
        k = made[column]
        for a in g.calls[k][1][:-1]:
            chained = isinstance(a, int) and a in made and a not in g.targets and a not in plan.storage
            if chained and last_read[a] == k and _same_type(g, a, home) and (
                shadowed or last_read.get(home, -1) <= made[a]
            ):
                column = a
                break
        else:
            return


def plan_memory(early: Sequence[Made], plans: list[GroupPlan], kept: Iterable[Value]) -> Memory:
    """Offsets in the arena for every root array, by first fit over lifetimes; ufuncs write over an input that dies."""
    end = len(early) + len(plans)
    last: dict[Value, int] = {}
    first: dict[Value, int] = {}

    held: dict[Value, set[Value]] = {}  # what a call returned may be a view of what it was given

    def touch(value: Value, time: int) -> None:
        root = value.root
        for kept_alive in held.get(root, ()):
            last[kept_alive] = max(last[kept_alive], time)
        if root.place is Place.SCRATCH:
            first.setdefault(root, time)
            last[root] = max(last.get(root, 0), time)

    for time, step in enumerate(early):
        for made in step.makes:
            if made.root.place is Place.DYNAMIC:
                roots = {v.root for v in step.reads}
                held[made.root] = {r for r in roots if r.place is Place.SCRATCH}.union(*(held.get(r, ()) for r in roots))
        for value in step.reads:
            touch(value, time)
        for condition in step.guard:
            touch(condition, time)
        for made in step.makes:
            touch(made, time)
    for value in kept:
        touch(value, len(early))
    for k, plan in enumerate(plans):
        time = len(early) + k
        g = plan.group
        for number, column in enumerate(g.columns):
            if number not in g.temporaries:
                for value in column:
                    touch(value, time)
        for _, arguments in g.calls:
            for a in arguments:
                if isinstance(a, Value):
                    touch(a, end if plan.late else time)
        for area in [*plan.storage.values(), *plan.shadows.values(), *plan.fed.values()]:
            if isinstance(area, Value):
                touch(area, time)
        for area in plan.shadows.values():
            touch(area, end)
        for condition in g.guard if plan.shadows or plan.late else ():
            touch(condition, end)  # it is asked again when the new values are checked, and when they go home
    return _assign(early, first, last)


def _assign(early: Sequence[Made], first: dict[Value, int], last: dict[Value, int]) -> Memory:
    memory = Memory()
    gaps = _Gaps()
    leaving: dict[int, list[Value]] = {}
    for value, time in last.items():
        leaving.setdefault(time, []).append(value)
    starting: dict[int, list[Value]] = {}
    for value, time in first.items():
        starting.setdefault(time, []).append(value)
    given_away: set[Value] = set()
    for time in sorted({*leaving, *starting}):
        for value in starting.get(time, ()):
            heir = _dying_input(early, time, value, last, memory, given_away)
            if heir is not None:
                given_away.add(heir)
                memory.offsets[value] = memory.offsets[heir]
            else:
                memory.offsets[value] = gaps.take(_rounded(value.nbytes), memory)
        for value in leaving.get(time, ()):
            if value not in given_away:
                gaps.add(memory.offsets[value], _rounded(value.nbytes))
    return memory


def _rounded(nbytes: int) -> int:
    return max(-(-nbytes // ALIGNMENT), 1) * ALIGNMENT


def _dying_input(
    early: Sequence[Made], time: int, value: Value, last: dict[Value, int], memory: Memory, given_away: set[Value]
) -> Value | None:
    """An input of the ufunc that makes `value`, of the same type and read for the last time there: its bytes serve again."""
    if time >= len(early):
        return None
    step = early[time]
    if not step.goes_over(value):
        return None
    reads = step.reads
    for candidate in reads:
        same = candidate.dtype is value.dtype and candidate.shape == value.shape and candidate.source is None
        if not same or candidate not in memory.offsets or last[candidate] != time or candidate in given_away:
            continue
        if all(other is candidate or other.root is not candidate for other in reads):
            return candidate
    return None


class _Gaps:
    """Free bytes of the arena, found by size and by where they begin and end."""

    def __init__(self) -> None:
        self.by_size: list[tuple[int, int]] = []  # (size, offset), sorted
        self.starts: dict[int, int] = {}  # offset → size
        self.ends: dict[int, int] = {}  # the offset behind → offset

    def add(self, offset: int, size: int) -> None:
        """Give bytes back, joined with free neighbours."""
        if offset in self.ends:
            before = self.ends[offset]
            offset, size = before, self._without(before) + size
        if offset + size in self.starts:
            size += self._without(offset + size)
        insort(self.by_size, (size, offset))
        self.starts[offset] = size
        self.ends[offset + size] = offset

    def take(self, size: int, memory: Memory) -> int:
        """The smallest gap that holds `size` bytes, or new ones at the end."""
        at = bisect_left(self.by_size, (size, 0))
        if at == len(self.by_size):
            memory.size += size
            return memory.size - size
        _, offset = self.by_size[at]
        rest = self._without(offset) - size
        if rest:
            self.add(offset + size, rest)
        return offset

    def _without(self, offset: int) -> int:
        """The size of the gap at `offset`, which is one no longer."""
        size = self.starts.pop(offset)
        del self.ends[offset + size]
        del self.by_size[bisect_left(self.by_size, (size, offset))]
        return size
