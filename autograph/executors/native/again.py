"""What is made again where it is read, by a reduction and the commit or by several loops, so that it never meets memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from autograph.executors.native.bands import readers_of
from autograph.executors.native.functions import FUNCTIONS
from autograph.executors.native.items import FUNCTION, Loop, Views, root_of
from autograph.executors.native.singles import Item
from autograph.executors.native.special import SPECIAL
from autograph.executors.numpy import commit
from autograph.executors.numpy.by_blocks import with_their_own
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Guard, Step, Value

WEIGHT = 64  # how many simple calls a loop takes before its compilation gets long
AGAIN = 32  # up to so many simple calls, a number is made again rather than written to memory and read once


def weight(names: Iterable[str]) -> int:
    """As how many simple calls these count."""
    return sum(FUNCTION if name in FUNCTIONS or name in SPECIAL else 1 for name in names)


def made_again(steps: list[Step], kept: Sequence[Value], writes: Sequence[commit.Write], recorder: Recorder) -> list[Step]:
    """The steps, with copies for long reductions of what makes their arrays, where the commit reads it too, and at no more
    than `AGAIN` for a number."""

    def joined(chain: list[Step], end: Step, again: bool) -> list[Step]:
        work = weight(step.name for step in chain)
        shapes = {step.result.shape for step in chain} | {()}
        flat = all(v.shape in shapes for step in chain for v in step.reads)  # as a compiled commit is
        return _copies([*chain, end], recorder) if again and flat and work <= AGAIN else []

    return with_their_own(steps, kept, writes, joined)


def _copies(steps: Sequence[Step], recorder: Recorder) -> list[Step]:
    """Copies that read from each other; the result of the last is that of the last step."""
    made: dict[Value, Value] = {}
    copies = []
    for step in steps:
        last = step is steps[-1]
        result = step.result if last else recorder.scratch(step.result.dtype, step.result.shape)
        arguments = [made.get(a, a) if isinstance(a, Value) else a for a in step.arguments]
        copies.append(replace(step, arguments=arguments, result=result))
        made[step.result] = result
    return copies


def made_where_reduced(items: Sequence[Item], views: Views, kept: Iterable[Value], is_final: Callable[[Value], bool]) -> None:
    """Let reductions from the first axis on, which no band has, make what other loops made for them alone, where that is long
    and costs less than memory.

    kept      what is read behind the items
    is_final  whether an array is written by one item at most: nothing, as behind a guard, goes over what it was
    """
    closing = [item for item in items if isinstance(item, Loop) and item.axes is not None and item.axes[:1] == (0,)]
    if sum(math.prod(loop.shape) for loop in closing) < commit.BLOCK:
        return
    alike: dict[tuple[tuple[int, ...], Guard], list[Loop]] = {}
    for loop in closing:
        alike.setdefault((loop.shape, loop.guard), []).append(loop)
    readers = readers_of(items, views, kept)
    for item in reversed(items):
        if not isinstance(item, Loop):
            continue
        for v in reversed(item.results):
            known = readers.get(v, set())
            loops = [loop for loop in alike.get((item.shape, item.guard), ()) if (loop, v) in known]
            if not loops or len(loops) < len(known):
                continue
            chain = calls_for(item, [v])
            given = {a for k in chain for a in item.calls[k].operands}.difference(item.results)
            if all(is_final(root_of(a, views)) for a in (v, *given)) and _is_worth_it(item, chain, given, loops):
                for loop in loops:
                    _begin_with(loop, item, chain)
                    for a in given:
                        readers.setdefault(root_of(a, views), set()).add((loop, a))
                del readers[v]


def _is_worth_it(item: Loop, chain: Sequence[int], given: set[Value], loops: Sequence[Loop]) -> bool:
    """Whether these calls, made again in each of the loops, cost less than an array that is written once and read by each."""
    work, size = weight(item.calls[k].name for k in chain), math.prod(item.shape)
    more = sum(math.prod(a.shape) == size for loop in loops for a in given.difference(loop.inputs()))
    cost = work * len(loops) + more * AGAIN // 2
    return cost <= (1 + len(loops)) * AGAIN // 2 and all(loop.weight + work <= WEIGHT for loop in loops)


def calls_for(loop: Loop, values: Iterable[Value]) -> list[int]:
    """The numbers of the loop's calls that these values take."""
    needed, found = set(values), []
    for k in range(len(loop.calls) - 1, -1, -1):
        if loop.results[k] in needed:
            needed.update(loop.calls[k].operands)
            found.append(k)
    return found[::-1]


def without_others(loop: Loop, chain: Sequence[int]) -> None:
    """Leave the loop these calls, and none else."""
    if len(chain) < len(loop.calls):
        gone = set(loop.results)
        loop.calls, loop.results = [loop.calls[k] for k in chain], [loop.results[k] for k in chain]
        gone.difference_update(loop.results)
        loop.steps = [step for step in loop.steps if step.result not in gone]
        loop.weight = weight(call.name for call in loop.calls)


def _begin_with(loop: Loop, other: Loop, chain: Sequence[int]) -> None:
    """Let the loop make these calls of another first."""
    first = {other.results[k]: other.calls[k] for k in chain}
    made = first | {v: call for v, call in zip(loop.results, loop.calls, strict=True) if v not in first}
    loop.results, loop.calls = list(made), list(made.values())
    loop.weight = weight(call.name for call in loop.calls)
