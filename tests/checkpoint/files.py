"""What the tests of checkpoints share: sizes of campaigns, a state of every dtype, files made by hand."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

import autograph as ag
from autograph import checkpoint
from autograph.tensor_type import DTYPES

CAMPAIGN = bool(os.environ.get("AUTOGRAPH_CAMPAIGN"))
SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 5), (0, 4), (1, 1, 2))


def state(seed: int) -> dict[str, ag.Variable]:
    """A register of each dtype and shape, filled by chance with any bits that the dtype has."""
    draw = np.random.default_rng(seed)
    found = {}
    for name, dtype in DTYPES.items():
        for shape in SHAPES:
            size = int(np.prod(shape, dtype=int))
            raw = draw.integers(0, 2 if name == "bool" else 256, size * dtype.itemsize, np.uint8)
            array = raw.view(dtype).reshape(shape)
            key = f"{name}/{'x'.join(map(str, shape)) or 'scalar'}"
            found[key] = ag.variable(array, name, key)
    return found


def bits(registers: dict[str, ag.Variable]) -> dict[str, bytes]:
    return {name: register.register.home.tobytes() for name, register in registers.items()}


def sealed(header: bytes, data: bytes) -> bytes:
    """A file of this header and data, the header's checksum set right where it can be found, whatever it says."""
    length = len(header).to_bytes(8, "little")
    mark = b'"sha256":"'
    at = header.find(mark) + len(mark)
    if at < len(mark):
        return length + header + data
    zeros = header[:at] + b"0" * 64 + header[at + 64 :]
    return length + header[:at] + hashlib.sha256(length + zeros).hexdigest().encode() + header[at + 64 :] + data


def parts(whole: bytes) -> tuple[bytes, bytes]:
    """The header and the data of a file."""
    size = int.from_bytes(whole[:8], "little")
    return whole[8 : 8 + size], whole[8 + size :]


def saved(folder: Path, what: Any, name: str = "old.ckpt") -> bytes:
    checkpoint.save(folder / name, what)
    return (folder / name).read_bytes()
