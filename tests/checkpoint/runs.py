"""Runs that are saved and resumed: what a training script is to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autograph import checkpoint
from tests.checkpoint.files import bits


class Saved:
    """A run with a `step`; a subclass says in `everything` what is saved of it."""

    step: Callable[[], Any]

    def everything(self) -> dict[str, Any]:
        raise NotImplementedError

    def bits(self) -> dict[str, bytes]:
        return bits(checkpoint._named(self.everything(), saving=True))


def goes_on_bit_for_bit(path: Path, run: Callable[[bool, int], Saved], backwards: bool) -> None:
    """Save a run after seven steps and load it into another: twenty further steps of both are equal to the last bit.

    run   a run from whether its parameters are reordered, and a seed
    """
    first = run(False, 1)
    for _ in range(7):
        first.step()
    checkpoint.save(path, first.everything())
    second = run(backwards, 2)
    second.step()
    assert checkpoint.load(path, second.everything()) == []
    assert first.bits() == second.bits()
    for _ in range(20):
        a, b = first.step(), second.step()
        if not backwards:
            assert np.array_equal(a, b)
    ours, theirs = first.bits(), second.bits()
    assert ours == theirs, [n for n in ours if ours[n] != theirs[n]]
