"""Long outputs: arrays of their own, in memory that is used again once the caller has let go of what was there before.

New memory of megabytes costs more than what is written into it, for the system hands it out page by page.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from autograph.tensor_type import DType

LONG = 1 << 16  # bytes
_KEPT = 2  # for each output: a loop holds one result while it makes the next


class Fresh:
    """Arrays of one type for one output. Who holds one, or a view of it, holds its memory; that of the others is used again."""

    def __init__(self, dtype: DType, shape: tuple[int, ...]) -> None:
        self._type = shape, dtype
        self._kept: list[np.ndarray[Any, Any]] = []

    def __call__(self) -> np.ndarray[Any, Any]:
        for array in self._kept:
            if sys.getrefcount(array) == _ALONE:
                return array.view()
        array = np.empty(*self._type)
        if _ALONE:
            self._kept = [array, *self._kept[: _KEPT - 1]]
        return array.view()


class Copies:
    """Copies of one output."""

    def __init__(self, dtype: DType, shape: tuple[int, ...]) -> None:
        self._fresh = Fresh(dtype, shape)

    def __call__(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        array = self._fresh()
        np.copyto(array, x)
        return array


def _alone() -> int:
    """What counts the references to an array that nobody else holds; 0 where they cannot be counted, as without the GIL."""
    kept = [np.empty(1)]
    for array in kept:
        if getattr(sys, "_is_gil_enabled", bool)() or sys.version_info < (3, 13):
            return sys.getrefcount(array)
    return 0


_ALONE = _alone()
