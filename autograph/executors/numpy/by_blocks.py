"""Reductions of an array that is made for them, as of squares in a norm: block by block, so that what is reduced is never in
memory whole. One pass over what it is made of takes the place of two for each call on the way.

What the commit reads too, as a step whose length is asked for first, is made twice: for the reduction, and in the commit's
own blocks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph.arrays import reductions
from autograph.executors.numpy import commit
from autograph.executors.numpy.commit import Write, split_tail
from autograph.executors.numpy.record import Recorder, select
from autograph.executors.numpy.values import Step, Value

_REDUCTIONS = (reductions.sum, reductions.max, reductions.min)
_WORTH = 1024  # elements of an array from which on it may be made twice


class Link(NamedTuple):
    """A call on blocks: a function, the numbers of the arrays that it reads, and of the buffer that it writes."""

    function: Any
    reads: tuple[int, ...]
    result: int


class Blocks(NamedTuple):
    """How a reduction goes: along which axes, by how many of the rows at a time, which arrays are cut into these, the calls."""

    function: Any
    axis: tuple[int, ...]
    keepdims: bool
    rows: int
    block: int
    cut: tuple[bool, ...]
    links: tuple[Link, ...]


def reduce_by_blocks(
    steps: list[Step], kept: Sequence[Value], writes: Sequence[Write], recorder: Recorder
) -> list[Step]:
    """Let reductions make what they reduce, where that is long, and where the commit would find too much of it made."""
    return with_their_own(steps, kept, writes, lambda chain, end, _: [_joined(chain, end, recorder)])


def with_their_own(
    steps: list[Step],
    kept: Sequence[Value],
    writes: Sequence[Write],
    joined: Callable[[list[Step], Step, bool], list[Step]],
) -> list[Step]:
    """The steps, those instead of a reduction that `joined` gives for what makes its array, for it, and for whether that is
    made again; none where it stays."""
    ends = {step: step.arguments[0] for step in steps if _is_reduction(step)}
    if _size(ends.values()) <= commit.BLOCK:
        return steps
    readers = _readers(steps, kept, writes)
    only: set[Step] = set()  # links that nothing but reductions and such links read
    for step in reversed(steps):
        if _is_link(step) and all(r in ends or r in only for r in readers.get(step.result, [None])):
            only.add(step)
    _, tail = split_tail([step for step in steps if step not in ends and step not in only], kept, writes)
    links = only.union(filter(_is_link, tail))
    made = {step.result: step for step in links}
    chains = {end: _chain(end, made) for end in ends}
    if _size(x for end, x in ends.items() if not only.issuperset(chains[end])) <= commit.BLOCK:
        chains = {end: chain for end, chain in chains.items() if only.issuperset(chain)}
    replaced: dict[Step, list[Step]] = {}
    for end, chain in chains.items():
        again = not only.issuperset(chain)
        if chain and (again or _size([ends[end]]) > commit.BLOCK):
            some = joined([step for step in steps if step in chain], end, again)
            if some:
                replaced[end] = some
    gone: set[Step] = set()
    for step in reversed(steps):
        if step in only and all(r in replaced or r in gone for r in readers[step.result]):
            gone.add(step)
    return [some for step in steps if step not in gone for some in replaced.get(step, [step])]


def _size(values: Iterable[Value]) -> int:
    """How many elements these arrays have."""
    return sum(math.prod(value.shape) for value in dict.fromkeys(values))


def _readers(steps: Iterable[Step], kept: Iterable[Value], writes: Iterable[Write]) -> dict[Value, list[Step | None]]:
    """Which steps read all of an array as it lies, in their own shape and behind their own guard; None for anything else."""
    makers = {step.result: step for step in steps}
    readers: dict[Value, list[Step | None]] = {}
    for step in steps:
        shape = step.arguments[0].shape if _is_reduction(step) else step.result.shape
        for value in step.reads:
            maker = makers.get(value)
            alike = maker is not None and maker.guard == step.guard and value.shape == shape
            readers.setdefault(value.root, []).append(step if alike else None)
    for value in [*kept, *(write.value for write in writes)]:
        readers.setdefault(value.root, []).append(None)
    return readers


def _is_reduction(step: Step) -> bool:
    """Whether it reduces floats along some axes, and enough of them."""
    if step.function not in _REDUCTIONS:
        return False
    x, axis, _ = step.arguments
    return isinstance(x, Value) and bool(axis) and x.dtype.char in "fd" and math.prod(x.shape) >= _WORTH


def _is_link(step: Step) -> bool:
    """Whether each element of its result is made of those in the same place, by a call that may run on any part of them."""
    shape = step.result.shape
    widens = step.function is np.copyto and step.reads[0].dtype.kind == step.result.dtype.kind == "f"
    choice = isinstance(step.function, np.ufunc) or step.function is select
    return (widens or (choice and step.safe)) and bool(shape) and all(
        v.shape != shape or v.layout is None or v.layout.flags.c_contiguous for v in step.reads
    )


def _chain(end: Step, made: dict[Value, Step]) -> set[Step]:
    """The links that make what is reduced, as far back as they have its shape and stand behind its guard."""
    shape = end.arguments[0].shape
    chain: set[Step] = set()
    todo = [end.arguments[0]]
    while todo:
        maker = made.get(todo.pop())
        if maker is not None and maker not in chain and maker.result.shape == shape and maker.guard == end.guard:
            chain.add(maker)
            todo += maker.reads
    return chain


def _joined(chain: Sequence[Step], end: Step, recorder: Recorder) -> Step:
    """One step that makes what it reduces, flat where it can be."""
    x, axis, keepdims = end.arguments
    own = {step.result for step in chain}
    outside = list(dict.fromkeys(v for step in chain for v in step.reads if v not in own))
    whole = [v.shape == x.shape for v in outside]
    flat = len(axis) == len(x.shape) and all(full or not v.shape for v, full in zip(outside, whole, strict=True))
    rows, rest = (math.prod(x.shape), ()) if flat else (x.shape[0], x.shape[1:])
    if not flat:
        whole = [len(v.shape) == len(x.shape) and v.shape[0] == rows for v in outside]
    block = min(rows, max(commit.BLOCK // max(math.prod(rest), 1), 1))
    buffers, places = _buffers(chain, (block, *rest), recorder)
    numbers = {v: k for k, v in enumerate(outside)} | {v: len(outside) + k for v, k in places.items()}
    functions = [_converted if step.function is np.copyto else step.function for step in chain]
    links = tuple(Link(f, tuple(numbers[v] for v in s.reads), numbers[s.result]) for f, s in zip(functions, chain, strict=True))
    blocks = Blocks(end.function, (0,) if flat else axis, keepdims, rows, block, tuple(whole), links)
    function = functools.partial(_reduced, blocks, flat)
    return Step(end.name, function, [*outside, *buffers], end.result, end.node, into=True, guard=end.guard)


def _buffers(chain: Sequence[Step], shape: tuple[int, ...], recorder: Recorder) -> tuple[list[Value], dict[Value, int]]:
    """Scratch for a block of each result, one for another where that is read for the last time; and who has which."""
    last = {v: k for k, step in enumerate(chain) for v in step.reads}
    buffers: list[Value] = []
    places: dict[Value, int] = {}
    for k, step in enumerate(chain):
        reach = k if isinstance(step.function, np.ufunc) else k - 1  # a choice reads what it has begun to write over
        held = {place for v, place in places.items() if last.get(v, len(chain)) > reach}
        free = (n for n, b in enumerate(buffers) if n not in held and b.dtype is step.result.dtype)
        places[step.result] = next(free, len(buffers))
        if places[step.result] == len(buffers):
            buffers.append(recorder.scratch(step.result.dtype, shape))
    return buffers, places


def _converted(x: Any, out: Any) -> None:
    np.copyto(out, x, "unsafe")


def _reduced(b: Blocks, flat: bool, *arrays: Any) -> None:
    """The reduction of what the last link makes, into the last of the arrays; before that are those read, then buffers."""
    *given, out = arrays
    count = len(b.cut)
    read, buffers = given[:count], given[count:]
    if flat:
        read = [a.reshape(-1) if whole else a for a, whole in zip(read, b.cut, strict=True)]
    parts = []
    for start in range(0, b.rows, b.block):
        stop = min(start + b.block, b.rows)
        cut = [a[start:stop] if whole else a for a, whole in zip(read, b.cut, strict=True)]
        cut += [buffer[: stop - start] for buffer in buffers]
        for function, reads, result in b.links:
            function(*[cut[i] for i in reads], out=cut[result])
        if 0 in b.axis:
            parts.append(b.function(cut[result], b.axis))
        else:
            b.function(cut[result], b.axis, b.keepdims, out[start:stop])
    if parts:
        out[...] = b.function(np.array(parts, np.float64), (0,)).reshape(out.shape)
