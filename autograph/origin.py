"""Where in the user's code a tensor was made: remembered in under a microsecond, read only when somebody asks."""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
from types import CodeType, FrameType
from typing import NamedTuple

import numpy

_HOME = os.path.dirname(os.path.abspath(__file__))
_INSIDE = (
    _HOME + os.sep, os.path.join(os.path.dirname(_HOME), "optimizers") + os.sep, "<autograph>",
    os.path.dirname(os.path.abspath(numpy.__file__)) + os.sep,
)  # fmt: skip
_PACKAGES = ("autograph", "optimizers")
_known: dict[int, tuple[bool, CodeType]] = {}  # whether code is ours, by its id: its hash is slow


@functools.lru_cache(maxsize=4096)
def _line(code: CodeType, instruction: int) -> int:
    """The line of an instruction."""
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line or 0
    return code.co_firstlineno


class Origin(NamedTuple):
    """A code object and an instruction in it; `str` gives `train.py:12 in build()`."""

    code: CodeType | None
    instruction: int
    text: str = ""

    @property
    def line(self) -> int:
        if self.code is None:
            return 0
        return _line(self.code, self.instruction)

    @property
    def place(self) -> str:
        """`train.py:12`."""
        return self.text if self.code is None else f"{os.path.basename(self.code.co_filename)}:{self.line}"

    def __str__(self) -> str:
        if self.code is None or self.code.co_name == "<module>":
            return self.place
        return f"{self.place} in {self.code.co_name}()"


class _Credited(threading.local):
    origin: Origin | None = None


_credited = _Credited()


class credit:
    """`with credit(origin):` — what is made inside counts as made there: for passes, which rewrite what the user wrote."""

    __slots__ = ("before", "origin")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def __enter__(self) -> None:
        self.before = _credited.origin
        _credited.origin = self.origin

    def __exit__(self, *exc: object) -> None:
        _credited.origin = self.before


UNKNOWN = Origin(None, 0, "an unknown place")
_latest = [UNKNOWN]  # most places make several tensors in a row


def here() -> Origin:
    """The innermost frame that is neither autograph's own nor NumPy's, or what is credited."""
    if _credited.origin is not None:
        return _credited.origin
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not (_known.get(id(code)) or _learnt(code, frame))[0]:
            latest = _latest[0]
            if latest.code is not code or latest.instruction != frame.f_lasti:
                latest = _latest[0] = Origin(code, frame.f_lasti)
            return latest
        frame = frame.f_back
    return UNKNOWN


def _learnt(code: CodeType, frame: FrameType) -> tuple[bool, CodeType]:
    """Whether the code of a frame is autograph's own or NumPy's, kept with the code, so that its id stays its own."""
    package = str(frame.f_globals.get("__name__")).partition(".")[0]  # of code that dataclasses write, too
    known = _known[id(code)] = code.co_filename.startswith(_INSIDE) or package in _PACKAGES, code
    return known


def warn_user(message: str) -> None:
    """A UserWarning at the user's line, whatever stands between."""
    origin = here()
    warnings.warn_explicit(message, UserWarning, origin.code.co_filename if origin.code else "autograph", origin.line)
