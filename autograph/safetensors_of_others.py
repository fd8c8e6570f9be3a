"""Safetensors files of other programs: any spelling of the header that the format allows, and no checksums.

Stricter than the format, so that there is one reading only: a name or a key twice, an unknown key, a hole, a tensor over
another, a number that is not plain and whole, and bytes that belong to no tensor are refused. Everything is checked
against the file's size before an array is allocated.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autograph.errors import CheckpointError
from autograph.safetensors_format import CODES, NAME_LIMIT, NUMBER_LIMIT, RANK_LIMIT, Entry, too_large
from autograph.tensor_type import DTYPES

__all__ = ["parse_others", "widened"]

_STORED = {code: DTYPES[name] for name, code in CODES.items()} | {"BF16": DTYPES["uint16"]}
_KEYS = {"dtype", "shape", "data_offsets"}


class _Placed(NamedTuple):
    start: int
    stop: int
    entry: Entry
    half: bool  # whether it is of bfloat16, whose bits are read as uint16


def parse_others(header: bytes, size: int) -> tuple[list[Entry], set[str]]:
    """The tensors of a file of `size` bytes in the order of their data, and the names of those of bfloat16, whose entries
    are of uint16. Everything but the data is checked. Raises CheckpointError."""
    try:
        placed = sorted(_tensors(header))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, brackets without end, or refused below
        raise CheckpointError(
            f"the header is not that of a safetensors file: {str(error)[:200]}",
            fix="the file is damaged or made by another program: use an earlier save",
        ) from None
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


def _tensors(header: bytes) -> list[_Placed]:
    """Every tensor, in the order of the header. Raises ValueError."""
    found = json.loads(
        header.decode(), object_pairs_hook=_once, parse_int=_plain, parse_float=_unknown, parse_constant=_unknown
    )
    if not isinstance(found, dict):
        raise ValueError("an object was expected")
    notes = found.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise ValueError("the metadata have to be texts by name")
    "".join([*notes, *notes.values()]).encode()  # raises where half of a pair stands alone
    return [_tensor(name, row) for name, row in found.items()]


def _tensor(name: str, row: Any) -> _Placed:
    if len(name.encode()) > NAME_LIMIT:
        raise ValueError(f"{name[:40]!r}… is too long a name")
    if not isinstance(row, dict) or row.keys() != _KEYS:
        raise ValueError(f"{name!r} needs a dtype, a shape and data_offsets, and nothing else")
    code, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    dtype = _STORED.get(code) if isinstance(code, str) else None
    if dtype is None:
        raise ValueError(f"{name!r} is of dtype {str(code)[:40]!r}, which NumPy does not have")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or len(numbers) > RANK_LIMIT or {*map(type, numbers)} - {int}:
            raise ValueError(f"the shape and the data_offsets of {name!r} have to be lists of up to {RANK_LIMIT} whole numbers")
    size = prod(shape) * dtype.itemsize
    if too_large(shape, dtype):
        raise ValueError(f"the shape of {name!r} is too large")
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise ValueError(f"{name!r} stands at {offsets}, and has {size} bytes")
    return _Placed(offsets[0], offsets[1], Entry(name, dtype, tuple(shape), size, b""), code == "BF16")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name or a key comes twice")
    return found


def _plain(digits: str) -> int:
    """A whole number of 0 to 2**53."""
    if len(digits) > 16 or digits[0] == "-" or int(digits) > NUMBER_LIMIT:
        raise ValueError("a whole number of 0 to 2**53 was expected")
    return int(digits)


def _unknown(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number")
