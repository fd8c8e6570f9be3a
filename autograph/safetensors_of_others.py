"""Safetensors files of other programs: any spelling of the header that the format allows, and no checksums.

Stricter than the format, so that there is one reading only: a name or a key twice, an unknown key, a hole, a tensor over
another, a number that is not plain and whole, and bytes that belong to no tensor are refused. Only two levels of JSON are
known, so nothing nests; everything is checked against the file's size before anything is allocated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from autograph.errors import CheckpointError
from autograph.safetensors_format import CODES, NAME_LIMIT, RANK_LIMIT, Entry, Scanner
from autograph.tensor_type import DTYPES

__all__ = ["parse_others", "widened"]

_BLANK = re.compile(rb"[ \t\n\r]*")
_STORED = {code: DTYPES[name] for name, code in CODES.items()} | {"BF16": DTYPES["uint16"]}


class _Placed(NamedTuple):
    start: int
    stop: int
    entry: Entry
    half: bool  # whether it is of bfloat16, whose bits are read as uint16


def parse_others(header: bytes, size: int) -> tuple[list[Entry], set[str]]:
    """The tensors of a file of `size` bytes in the order of their data, and the names of those of bfloat16, whose entries
    are of uint16. Everything but the data is checked. Raises CheckpointError."""
    placed = sorted(_Header(header).tensors())
    end = 0
    for start, stop, entry, _ in placed:
        if start != end:
            raise CheckpointError(f"{entry.name!r} stands at {start}, and the one before it ends at {end}")
        end = stop
    full = 8 + len(header) + end
    if full != size:
        raise CheckpointError(f"truncated or damaged: {size:,} bytes present, and its tensors make {full:,}")
    return [one.entry for one in placed], {one.entry.name for one in placed if one.half}


def widened(bits: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The same numbers in float32, of which bfloat16 is the upper half."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


class _Header(Scanner):
    """A header in any spelling."""

    whose = "that of a safetensors file"

    def tensors(self) -> list[_Placed]:
        """Every tensor, in the order of the header."""
        found: list[_Placed] = []
        names: set[str] = set()
        for name in self.pairs():
            if name in names or len(name) > NAME_LIMIT:
                self.fail(f"{name[:NAME_LIMIT]!r} comes twice, or is too long a name")
            names.add(name)
            if name != "__metadata__":
                found.append(self.tensor(name))
                continue
            for _ in self.pairs():
                self.string()
        self.blank()
        if self.at != len(self.text):
            self.fail("nothing was expected here")
        return found

    def pairs(self) -> Iterator[str]:
        """The keys of an object, each when its value comes next."""
        self.token(b"{")
        if not self.sees(b"}"):
            while True:
                key = self.string()
                self.token(b":")
                yield key
                if not self.sees(b","):
                    self.token(b"}")
                    return

    def tensor(self, name: str) -> _Placed:
        code, shape, offsets = None, None, None
        for key in self.pairs():
            if key == "dtype" and code is None:
                code = self.string()
            elif key == "shape" and shape is None:
                shape = self.numbers()
            elif key == "data_offsets" and offsets is None:
                offsets = self.numbers()
            else:
                self.fail(f"{name!r} has {key[:40]!r}, which is unknown or comes twice")
        if code is None or shape is None or offsets is None or len(offsets) != 2:
            self.fail(f"{name!r} needs a dtype, a shape, and data_offsets of two numbers")
        dtype = _STORED.get(code)
        if dtype is None:
            self.fail(f"{name!r} is of dtype {code[:40]!r}, which NumPy does not have")
        size = self.bytes_of(name, shape, dtype.itemsize)
        if offsets[1] - offsets[0] != size:
            self.fail(f"{name!r} stands at {offsets[0]} to {offsets[1]}, and has {size} bytes")
        return _Placed(*offsets, Entry(name, dtype, shape, size, b""), code == "BF16")

    def numbers(self) -> tuple[int, ...]:
        self.token(b"[")
        found: list[int] = []
        if self.sees(b"]"):
            return ()
        while True:
            self.blank()
            found.append(self.number())
            if len(found) > RANK_LIMIT:
                self.fail(f"more than {RANK_LIMIT} numbers")
            if not self.sees(b","):
                self.token(b"]")
                return tuple(found)

    def string(self) -> str:
        self.token(b'"')
        start = self.at - 1
        end = self.text.find(b'"', self.at)
        while end >= 0 and self._escaped(end):
            end = self.text.find(b'"', end + 1)
        if end < 0:
            self.fail("a string that ends was expected")
        try:
            text = self.text[start : end + 1].decode()
            found: str = json.loads(text)
            found.encode()
        except ValueError:  # of any kind: no UTF-8, a control character, an escape that is none, half of a pair
            self.fail("a string was expected")
        self.at = end + 1
        return found

    def _escaped(self, at: int) -> bool:
        """Whether an odd number of backslashes stands before this place."""
        before = at
        while self.text[before - 1 : before] == b"\\":
            before -= 1
        return bool((at - before) % 2)

    def token(self, token: bytes) -> None:
        self.blank()
        self.expect(token)

    def sees(self, token: bytes) -> bool:
        self.blank()
        return self.skip(token)

    def blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
