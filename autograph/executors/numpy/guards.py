"""Guards: under which conditions a step has to run, and an order of the steps that asks for them rarely.

What an update reads may itself stand behind a guard: in `a.when(c).then(b)`, b reads what a register will hold, and where
c fails that is the old value. So a guard is a set of conditions that must all hold, and a step has those that every
reader of its result has. Conditions themselves are always computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from autograph.executors.numpy.commit import Write
from autograph.executors.numpy.values import ALWAYS, Guard, Step, Value
from autograph.graph.op import Kind
from autograph.graph.tensor import Tensor


def guard_of(condition: Tensor, values: Mapping[Tensor, Value]) -> Guard:
    """The conditions that must all hold for this one to: those that `logical_and` joins, each on its own."""
    found, todo = [], [condition]
    while todo:
        tensor = todo.pop()
        if tensor.op.name == "logical_and" and not any(source.ndim for source in tensor.inputs):
            todo += tensor.inputs
        else:
            found.append(values[tensor])
    return joined(found)


def joined(conditions: Iterable[Value]) -> Guard:
    """One guard for all of these, each once, in the order in which they were made."""
    return tuple(sorted(set(conditions), key=lambda value: value.number))


def mark_guards(steps: Sequence[Step], kept: Iterable[Value], writes: Sequence[Write]) -> list[Step]:
    """Give each step the guard behind which alone its result is read; return the steps that are needed, in a good order."""
    wanted: dict[Value, Guard] = {}

    def want(value: Value, guard: Guard) -> None:
        root = value.root
        before = wanted.get(root, guard)
        wanted[root] = guard if before == guard else tuple([c for c in before if c in guard])

    for write in writes:
        want(write.value, write.guard)
        for condition in write.guard:
            want(condition, ALWAYS)
    for value in kept:
        want(value, ALWAYS)
    needed: list[Step] = []
    for step in reversed(steps):
        root = step.result.root
        if root in wanted:
            for condition in step.guard:  # one of its own: `hold` takes a new value behind it
                want(condition, ALWAYS)
            step.guard = joined(wanted[root] + step.guard) if step.guard else wanted[root]
            for value in step.reads:
                want(value, step.guard)
            needed.append(step)
    needed.reverse()
    return by_guard(needed) if any(step.guard for step in needed) else needed


def by_guard(steps: Sequence[Step]) -> list[Step]:
    """The steps, each behind those that make what it reads and asks; of one guard as many in a row as can be."""
    makers: dict[Value, list[int]] = {}
    for i, step in enumerate(steps):
        makers.setdefault(step.result.root, []).append(i)
    waits = [0] * len(steps)
    waiting: list[list[int]] = [[] for _ in steps]
    effects: list[int] = []  # so far, each behind the one before
    for i, step in enumerate(steps):
        before = {k for value in step.reads for k in makers.get(value.root, ()) if k < i}
        before.update(k for k in makers[step.result.root] if k < i)
        before.update(k for condition in step.guard for k in makers.get(condition.root, ()))
        if step.node.op.kind is Kind.EFFECT:
            before.update(effects[-1:])
            effects.append(i)
        waits[i] = len(before)
        for k in before:
            waiting[k].append(i)
    ready: dict[Guard, list[int]] = {ALWAYS: []}
    for i, step in enumerate(steps):
        queue = ready.setdefault(step.guard, [])
        if not waits[i]:
            queue.append(i)
    for queue in ready.values():
        heapify(queue)
    ordered: list[Step] = []
    while len(ordered) < len(steps):
        for queue in ready.values():
            while queue:
                i = heappop(queue)
                ordered.append(steps[i])
                for k in waiting[i]:
                    waits[k] -= 1
                    if not waits[k]:
                        heappush(ready[steps[k].guard], k)
    return ordered
