"""Sums over all of a long array that is made for the sum alone, as of squares in a norm: block by block, so that what is
summed is never in memory whole. One pass over what it is made of takes the place of two for each call on the way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph.arrays import reductions
from autograph.executors.numpy import commit
from autograph.executors.numpy.commit import Component, count_readers
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Step, Value


class Link(NamedTuple):
    """A call on blocks: a ufunc, the numbers of the arrays that it reads, and of the buffer that it writes."""

    function: Any
    reads: tuple[int, ...]
    result: int


def sum_by_blocks(parts: Iterable[Component], early: list[Step], kept: Iterable[Value], recorder: Recorder) -> list[Step]:
    """Let such sums make what they add up; return `early` as it then is."""
    makers = {step.result: step for step in early}
    readers = count_readers(parts, early, kept) if any(map(_is_long, early)) else {}
    gone: set[Step] = set()
    replaced: dict[Step, Step] = {}
    for step in filter(_is_long, early):
        chain: dict[Step, None] = {}
        todo = [step.arguments[0]]
        while todo:
            value = todo.pop()
            maker = makers.get(value)
            if maker is not None and readers[value] == 1 and _is_link(maker, step):
                chain[maker] = None
                todo += maker.reads
        if chain:
            replaced[step] = _joined(list(chain)[::-1], step, recorder)
            gone.update(chain)
    return [replaced.get(step, step) for step in early if step not in gone]


def _is_long(step: Step) -> bool:
    """Whether it adds up all elements of a float array that is longer than a block."""
    if step.function is not reductions.sum:
        return False
    x, axis, keepdims = step.arguments
    return x.dtype.char in "fd" and len(axis) == len(x.shape) and not keepdims and math.prod(x.shape) > commit.BLOCK


def _is_link(step: Step, last: Step) -> bool:
    """Whether each element of its result is made of those in the same place, by a call that may run on any part of them."""
    shape = last.arguments[0].shape
    return isinstance(step.function, np.ufunc) and step.safe and step.result.shape == shape and step.guard == last.guard and all(
        not v.shape or (v.shape == shape and (v.layout is None or v.layout.flags.c_contiguous)) for v in step.reads
    )


def _joined(chain: Sequence[Step], last: Step, recorder: Recorder) -> Step:
    """One step that takes the sum of what the chain makes."""
    made = {step.result for step in chain}
    outside = list(dict.fromkeys(v for step in chain for v in step.reads if v not in made))
    buffers = [recorder.scratch(step.result.dtype, (commit.BLOCK,)) for step in chain]
    numbers = {v: k for k, v in enumerate([*outside, *(step.result for step in chain)])}
    links = [Link(s.function, tuple(numbers[v] for v in s.reads), numbers[s.result]) for s in chain]
    function = functools.partial(_sum, links, len(outside), commit.BLOCK)
    return Step("sum", function, [*outside, *buffers], last.result, last.node, into=True, guard=last.guard)


def _sum(links: Sequence[Link], count: int, block: int, *arrays: Any) -> None:
    """The sum of what the last link makes, into the last of the arrays; the first `count` are read, buffers follow."""
    *given, out = arrays
    read = [a.reshape(-1) if np.ndim(a) else a for a in given[:count]]
    size = max(a.size for a in read if np.ndim(a))
    sums = np.empty(-(-size // block), np.float64)
    for k in range(len(sums)):
        start, stop = k * block, min((k + 1) * block, size)
        cut = [a[start:stop] if np.ndim(a) else a for a in read] + [b[: stop - start] for b in given[count:]]
        for function, reads, result in links:
            function(*[cut[i] for i in reads], out=cut[result])
        sums[k] = reductions.sum(cut[links[-1].result], (0,))
    out[...] = reductions.sum(sums, (0,))
