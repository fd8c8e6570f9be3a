"""A tick that is machine code as a whole: the entries of its steps, and those of its commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph.executors.native.compiler import NAME, PLAINLY
from autograph.executors.native.kernels import GUARD, kernel, walk
from autograph.executors.native.segments import Densely, Patches
from autograph.executors.numpy.values import Value
from autograph.tensor_type import DType

# Words of it: where the entries are that it runs.
_RUN = f"""
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %entries = load ptr, ptr %words
  br label %run
{walk("run", "%entries", "entry", "stuck", "done")}stuck:
  ret i64 -1
done:
  ret i64 0
}}
"""


class Part(NamedTuple):
    """A segment, the numbers of the feeds that it is given, and where the truth values are that it stands behind."""

    segment: Densely
    feeds: list[int]
    guard: list[int]


class Whole:
    """A bound tick, of which nothing is Python's.

    entries  where those of the steps begin, and those of the commit; 0 where there are none
    long     of both, whether other threads may run meanwhile
    outputs  the arrays where outputs are
    patches  for each feed, the places of its address
    """

    def __init__(self, steps: Sequence[Part], commit: Sequence[Part], outputs: list[Any], feeds: int) -> None:
        self.parts = [*steps, *commit]
        self.outputs = outputs
        self._rows = [_listed(some) for some in (steps, commit)]
        self.entries = [row.ctypes.data if row.size else 0 for row in self._rows]
        self.long = [any(part.segment.long for part in some) for some in (steps, commit)]
        self.patches: list[Patches] = [[] for _ in range(feeds)]
        for part in self.parts:
            for number, patches in zip(part.feeds, part.segment.patches, strict=True):
                self.patches[number] += patches

    def told(self, feeds: Sequence[Value]) -> list[tuple[DType, tuple[int, ...], Patches]]:
        """What is told of each feed."""
        return [(v.dtype, v.shape, patches) for v, patches in zip(feeds, self.patches, strict=True)]


def _listed(parts: Sequence[Part]) -> np.ndarray[Any, Any]:
    """Entries that run those of the parts, each behind its guard."""
    entries: list[tuple[str, list[int]]] = []
    for part in parts:
        guards = len(part.guard)
        entries += [(GUARD, [place, guards - k]) for k, place in enumerate(part.guard)]
        entries.append((_RUN, [part.segment.entries]))
    if not entries:
        return np.zeros(0, np.int64)
    at = 2 * (len(entries) + 1)
    row = np.zeros(at + sum(len(words) for _, words in entries), np.int64)
    for k, (text, words) in enumerate(entries):
        row[2 * k : 2 * k + 2] = kernel(text).address, row.ctypes.data + 8 * at
        row[at : at + len(words)] = words
        at += len(words)
    return row
