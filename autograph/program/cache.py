"""Prepared programs by input signature: the least recently used goes first, and a thrashing cache says why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from autograph.origin import warn_user

LIMIT = 256 * 2**20  # bytes of scratch that the programs of one function may ask for together
COUNT = 64  # programs
_THRASH = 32  # evictions before the warning


class Cache:
    """Programs of one function, bounded in bytes and in number."""

    def __init__(self, name: str, inputs: Sequence[str]) -> None:
        self.name = name
        self.inputs = inputs
        self.programs: OrderedDict[Any, Any] = OrderedDict()
        self.nbytes = 0
        self.evicted = 0

    def get(self, key: Any) -> Any:
        """The program for `key`, now the most recently used; None if there is none."""
        program = self.programs.get(key)
        if program is not None:
            self.programs.move_to_end(key)
        return program

    def put(self, key: Any, program: Any) -> None:
        """Keep a program, and let go of the oldest beyond the bounds."""
        self.programs[key] = program
        self.nbytes += program.nbytes
        while len(self.programs) > 1 and (self.nbytes > LIMIT or len(self.programs) > COUNT):
            old_key, old = self.programs.popitem(last=False)
            self.nbytes -= old.nbytes
            self.evicted += 1
            if self.evicted == _THRASH:
                self._warn(old_key, key)

    def _warn(self, old: Any, new: Any) -> None:
        changing = [
            f"axis {axis} of input {name!r} ({a[axis]}, {b[axis]}, …)"
            for name, a, b in zip(self.inputs, old, new, strict=True)
            for axis in range(min(len(a), len(b)))
            if a[axis] != b[axis]
        ]
        warn_user(
            f"{self.name!r} was prepared for {self.evicted + len(self.programs)} different shapes: "
            f"{', '.join(changing)} keeps changing. Pad it to a few sizes."
        )
