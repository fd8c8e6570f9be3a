"""Many ticks in few calls: as many at a time as take no longer than a signal may wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_LONGEST = 0.02  # seconds


class Loop:
    """Ticks of one program, on feeds that are the same for each, or stacked.

    locked   calls what it is given with what runs many ticks of the program, under the lock of its registers
    outputs  arrays like the outputs of a tick
    results  for each of them, an entry for each tick where there is `room`, or the last one alone
    """

    def __init__(
        self, locked: Callable[[Callable[[Any], int]], int], feeds: Sequence[Any], stacked: Sequence[bool],
        outputs: Sequence[Any], room: int,
    ) -> None:  # fmt: skip
        self.results = [np.empty((room, *np.shape(o)), o.dtype) for o in outputs]
        self._locked = locked
        self._feeds = [np.require(feed, requirements=["C", "A"]) for feed in feeds]
        self._stacked = stacked
        self._count = 1

    def run(self, start: int, stop: int) -> int:
        """Some ticks from the one that is number `start`; how many there were, none where it is not machine code as a whole."""
        count = min(self._count, stop - start)
        before = time.perf_counter()
        done = self._locked(
            lambda many: many.run(self._feeds, self._stacked, self.results, start, count) if many is not None else 0
        )
        spent = time.perf_counter() - before
        self._count = max(1, min(2 * self._count, int(count * _LONGEST / spent)))
        return done

    def put(self, i: int, row: Sequence[Any]) -> None:
        """The outputs of a tick that ran alone."""
        for result, output in zip(self.results, row, strict=True):
            result[i if len(result) > 1 else 0] = output
