"""The native executor: the steps that NumPy would run, joined and compiled; the commit's rules are those of `numpy/`."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from autograph.executors.executor import Unavailable
from autograph.executors.native import calling, looping, parallel
from autograph.executors.native.again import made_again
from autograph.executors.native.cluster import joined
from autograph.executors.native.commit import compilable, group_kernel, native_group
from autograph.executors.native.compiler import assembly, compiled
from autograph.executors.native.kernels import check
from autograph.executors.native.language import readable
from autograph.executors.native.record import NativeRecorder
from autograph.executors.native.segments import Densely, Host, Segment, bound, segment
from autograph.executors.native.singles import Item, OnHost
from autograph.executors.native.whole import Part, Whole
from autograph.executors.numpy import commit, plan
from autograph.executors.numpy.bound import BoundGroup, Fed
from autograph.executors.numpy.emit import Source
from autograph.executors.numpy.executor import Program, State
from autograph.executors.numpy.fetched import LONG, Fresh
from autograph.executors.numpy.record import Recorder, select
from autograph.executors.numpy.selection import by_bits
from autograph.executors.numpy.values import ALWAYS, Guard, Place, Step, Value
from autograph.graph.register import Domain
from autograph.program.lower import Tick


class NativeSource(Source):
    """The text of a program in which some lines are segments."""

    def line(self, step: Step) -> str:
        if isinstance(step, Segment):
            return f"{step.name}({', '.join(map(self.argument, step.arguments))})"
        return super().line(step)


class NativeProgram(Program):
    """A prepared tick whose steps are machine code wherever a kernel can run them.

    host  the steps that stay calls of NumPy, each with the reason
    held  the segments of the arrays bound last: those of the steps, then those of the commit
    """

    held: list[Densely]
    _asked: Any  # the domain and its lock that the builtin of a call is for
    _call: Callable[..., Any] | None

    def _parts(
        self, steps: list[Step], kept: list[Value], writes: list[commit.Write], recorder: Recorder
    ) -> tuple[list[Step], list[commit.Component]]:
        """Choices are made by bits where NumPy has to run a part: as they are, they might be written over what they read."""
        recorder.apart()  # steps that nobody needs are gone
        steps = made_again(steps, kept, writes, recorder)
        early, tail = commit.split_tail(steps, kept, writes)
        parts = commit.components(tail, writes)
        hard = {step for part in parts if compilable(commit.group([part])[0]) is None for step in part.steps}
        if not any(step.function is select for step in hard):
            return early, parts
        early, rest = by_bits(early, [step for step in tail if step in hard], recorder)
        return early, commit.components([*(step for step in tail if step not in hard), *rest], writes)

    def _reads_feeds(self, g: commit.Group) -> bool:
        """A loop for each long one costs less than copies of them side by side."""
        return super()._reads_feeds(g) if compilable(g) is None else min(g.sizes) >= commit.APART

    def _recorder(self) -> Recorder:
        return NativeRecorder(self._prepared)

    def _write(self, feeds: list[Value], early: list[Step], kept: list[Value], recorder: Recorder) -> None:
        assert isinstance(recorder, NativeRecorder)
        self._feeds = feeds
        self.groups = {p: kernel for p in self.plans if (kernel := group_kernel(p)) is not None}
        early = [piece for step in early for piece in _apart(step)]
        self._views = recorder.views
        self.items = items = joined(early, recorder.views, [*kept, *_committed(self.plans)])
        self.host = [(item.step, item.reason) for item in items if isinstance(item, OnHost) and item.reason]
        steps = self._handed_out(items)
        self.memory = plan.plan_memory(items, self.plans, kept)
        self.segments: list[Segment] = []
        behind = {made for item in items if isinstance(item, OnHost) and item.guard for made in item.makes}

        def place(item: Item) -> tuple[bool, Guard]:
            """Whether NumPy runs the item, and the guard its line stands behind: that of what it reads and was not made else."""
            asks = not behind.isdisjoint(item.reads) and not isinstance(item, OnHost)
            return isinstance(item, OnHost), item.guard if asks else ALWAYS

        for (on_host, guard), some in groupby(items, place):
            if on_host:
                steps += [step for item in some for step in item.steps]
            else:
                name = f"segment_{len(self.segments)}"
                native = [item for item in some if not isinstance(item, OnHost)]
                self.segments.append(segment(name, native, recorder.views, guard))
                steps.append(self.segments[-1])
        self.text = NativeSource(feeds, len(steps))
        self.source = self.text.write(steps, self._ending)
        texts = [text for some in self.segments for text in parallel.texts(some.entries)]
        self.kernels = compiled(texts + [kernel.text(size) for kernel in self.groups.values() for size in kernel.sizes])

    def _handed_out(self, items: list[Item]) -> list[Step]:
        """Steps that get the memory of long outputs, into which the items then write: those that nobody needs elsewhere."""
        roots = [v.root for v in self.outputs]
        others = {v.root for v in _committed(self.plans)}
        others.update(v.root for item in items if isinstance(item, OnHost) for v in (*item.reads, *item.makes) if v.source)
        steps = []
        for v, node in zip(self.outputs, self.tick.outputs, strict=True):
            alone = v.source is None and roots.count(v) == 1 and v not in others
            if alone and v.place is Place.SCRATCH and v.nbytes >= LONG:
                v.place = Place.OUTPUT
                steps.append(Step("fresh", Fresh(v.dtype, v.shape), [], v, node))
        return steps

    def _commit(self, plans: list[plan.GroupPlan], array: Callable[[Value], Any]) -> list[BoundGroup]:
        """Groups that are compiled one after the other are one call."""
        found: list[BoundGroup] = []
        for compiled_, those in groupby(plans, self.groups.__contains__):
            some = list(those)
            if not compiled_:
                found += super()._commit(some, array)
                continue
            feeds: dict[Value, Value] = {}
            groups = [native_group(p, self.groups[p], array, feeds) for p in some]
            work = sum(group.work for group in groups)
            entries = [entry for group in groups for entry in group.entries]
            self.kernels.update(compiled(parallel.texts(entries)))
            held = bound(list(feeds.values()), entries, work, self.kernels, array)
            groups[-1].calls.append((held.segment, *(Fed(feed, None) for feed in feeds)))
            self.held.append(held)
            self._commits.append((list(feeds), some[0].group.guard))
            found += groups
        return found

    def many(self) -> looping.Bound | None:
        """The program for many ticks in one call, once it is bound; None where some of a tick is Python's."""
        whole = self._whole()
        return None if whole is None or not all(o.flags.c_contiguous for o in whole.outputs) else looping.Bound(whole)

    def direct(self, domain: Domain) -> Callable[..., Any] | None:
        """The program as one builtin, once it is bound; None where some of a call is Python's, as with long outputs."""
        if self._asked != (domain, domain.lock):
            whole = self._whole()
            self._asked, self._call = (domain, domain.lock), None
            if whole is not None and all(o.nbytes < LONG for o in whole.outputs):
                self._call = calling.call(whole, self._feeds, domain)
        return self._call

    def _whole(self) -> Whole | None:
        """The tick, bound, if all of it is machine code."""
        native = len(self.segments) == len(self.text.steps) <= 1 and len(self.groups) == len(self.plans)
        if not native or not all(v.fixed for v in self.outputs) or self.on_nonfinite != "apply":
            return None
        steps = [(some.arguments, ALWAYS) for some in self.segments]
        parts = []
        for held, (given, guard) in zip(self.held, steps + self._commits, strict=True):
            if not set(given) <= set(self._feeds) or not all(c.fixed for c in guard):
                return None
            numbers = [self._feeds.index(v) for v in given]
            parts.append(Part(held, numbers, [self._known(c).ctypes.data for c in guard]))
        outputs = [self._known(v) for v in self.outputs]
        return Whole(parts[: len(steps)], parts[len(steps) :], outputs, len(self._feeds))

    def _known(self, value: Value) -> Any:
        """The array of a value that the text names."""
        return self.run.__globals__[self.text.name(value)]

    def step_at(self, line: int) -> Step | None:
        step = super().step_at(line)
        return self._hosts[step.name].step or step if isinstance(step, Segment) else step

    @property
    def assembly(self) -> str:
        return "\n".join(assembly(text) for text in self.kernels)

    def explain(self) -> str:
        """How many steps are machine code, and of each other one, why it is not."""
        count = sum(len(item.steps) for item in self.items)
        lines = [
            f"{count - len(self.host)} of {count} steps are machine code, in {len(self.segments)} segments;"
            f" so are {len(self.groups)} of {len(self.plans)} groups of updates"
        ]
        lines += [f"  NumPy runs {step.name or step.template}, {step.node.origin}: {reason}" for step, reason in self.host]
        return "\n".join(lines)

    def _bound(self, array: Callable[[Value], Any]) -> dict[str, Any]:
        self.held = []
        self._commits: list[tuple[list[Value], Guard]] = []
        self._asked = None
        self._hosts: dict[str, Host] = {}
        found: dict[str, Any] = {"held": self.held}
        for some in self.segments:
            self._hosts[some.name] = host = Host(some.faults, some.arguments, self._views, array)
            held = bound(some.arguments, some.entries, some.work, self.kernels, array, host)
            found[some.name] = held.segment
            self.held.append(held)
        return found


def _apart(step: Step) -> list[Step]:
    """The step, or copies instead of it where it puts arrays side by side for the commit."""
    area = step.result.source
    if step.function is not np.concatenate or area is None or step.result.transform[0] != "part":
        return [step]
    start = step.result.transform[1][0]
    copies = []
    for value in step.reads:
        piece = plan.part_of(area, start, start := start + math.prod(value.shape), value.shape)
        copies.append(Step("copyto", np.copyto, [value], piece, step.node, into=True, first=True, guard=step.guard))
    return copies


def _committed(plans: list[plan.GroupPlan]) -> list[Value]:
    """What the commit reads."""
    found: list[Value] = []
    for p in plans:
        g = p.group
        found += [v for number, column in enumerate(g.columns) if number not in g.temporaries for v in column]
        found += [a for _, arguments in g.calls for a in arguments if isinstance(a, Value)]
    return found


class NativeExecutor:
    """Machine code through LLVM, and NumPy for what has no kernel."""

    name = "native"

    def __init__(self) -> None:
        check()
        if not readable():
            raise Unavailable("the text of its own kernels is not installed")

    def state(self) -> State:
        return State()

    def prepare(self, tick: Tick, state: State, on_nonfinite: str) -> NativeProgram:
        return NativeProgram(tick, state.arena, on_nonfinite)


