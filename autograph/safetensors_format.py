"""The layout of checkpoint files: that of safetensors, in one spelling only, with checksums among its metadata.

    8 bytes     the length of the header, little-endian
    header      JSON, spaces behind it:
                {"__metadata__":{"format":"autograph","version":"1","sha256":"…","sha256:w":"…"},
                 "w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}      without the break and its spaces
    data        the tensors without holes: wide items first, then by name; little-endian, in C order

`sha256:w` is the SHA-256 of the bytes of w; `sha256` is that of the length and the header, in which its own digits are
zeros. A header is read by expecting each of its bytes in turn, so there is no other spelling, no nesting, no number but a
plain one, and nothing is left to a JSON parser. The tensors that fit a header of 16 MiB are at most 125,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autograph.errors import CheckpointError
from autograph.tensor_type import CANONICAL, DTYPES, DType

__all__ = [
    "CODES", "Entry", "NAME_LIMIT", "NUMBER_LIMIT", "RANK_LIMIT", "bad_name", "encode", "fault_of", "foreign",
    "header_size", "is_ours", "parse", "rooms", "too_large",
]  # fmt: skip

VERSION = "1"
HEADER_LIMIT = 16 << 20
NUMBER_LIMIT = 2**53  # what any JSON reader holds exactly
NAME_LIMIT = 1024
RANK_LIMIT = 64
_ALIGNMENT = 64
_ZEROS = b"0" * 64
_START = b'{"__metadata__":{"format":"autograph","version":"'
_PREFIX = _START + VERSION.encode() + b'","sha256":"'
_DIGITS = slice(8 + len(_PREFIX), 8 + len(_PREFIX) + 64)  # of the header's checksum, counted from the file's beginning

CODES = {
    "bool": "BOOL", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_DTYPE_OF = {code.encode(): DTYPES[name] for name, code in CODES.items()}


class Entry(NamedTuple):
    """A tensor of a file: its name, type and size in bytes, and the checksum of these bytes; none in files of others."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    size: int
    digest: bytes


def checksum(*parts: Any) -> bytes:
    """The SHA-256 of some bytes, in digits."""
    found = import_module("hashlib").sha256()  # where it is needed: to load it takes a twentieth of `import autograph`
    for part in parts:
        found.update(part)
    digits: str = found.hexdigest()
    return digits.encode()


def too_large(shape: Iterable[int], dtype: DType) -> bool:
    """Whether a shape is beyond what any file holds, also where a size of 0 hides it."""
    return prod([size or 1 for size in shape]) * dtype.itemsize > NUMBER_LIMIT


def bad_name(name: str) -> str:
    """What is wrong with the name of a tensor, or nothing."""
    if not name or name == "__metadata__":
        return "is reserved" if name else "is empty"
    if not name.isprintable() and any(c < " " or c == "\x7f" for c in name):
        return "holds a control character"
    if '"' in name or "\\" in name:
        return "holds a quote or a backslash"
    if name.startswith("/") or ".." in name.split("/"):
        return "looks like a path to elsewhere"
    try:
        return f"is longer than {NAME_LIMIT} bytes" if len(name.encode()) > NAME_LIMIT else ""
    except UnicodeEncodeError:
        return "is no text"


# writing -------------------------------------------------------------------------------------------------------------


def encode(arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[Any]:
    """The parts of a file, to be written one after another. The names are good ones, the dtypes those of tensors.

    Raises CheckpointError if the header grows too large to be read again.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    data = [_bytes_of(arrays[name]) for name in order]
    sums = b"".join([b',"sha256:%b":"%b"' % (name.encode(), checksum(part)) for name, part in zip(order, data)])
    rows, start = [], 0
    for name, part in zip(order, data):
        array, stop = arrays[name], start + part.nbytes
        shape = ",".join(map(str, array.shape))
        row = f',"{name}":{{"dtype":"{CODES[array.dtype.name]}","shape":[{shape}],"data_offsets":[{start},{stop}]}}'
        rows.append(row.encode())
        start = stop
    header = b"".join([_PREFIX, _ZEROS, b'"', sums, b"}", *rows, b"}"])
    header += b" " * (-(8 + len(header)) % _ALIGNMENT)
    if len(header) > HEADER_LIMIT:
        raise CheckpointError(
            f"{len(arrays)} names make a header of {len(header)} bytes, over the limit of {HEADER_LIMIT}",
            why="nothing was saved",
            fix="save in several files, or shorten the names",
        )
    head = bytearray(len(header).to_bytes(8, "little") + header)
    head[_DIGITS] = checksum(head)
    return [bytes(head), *data]


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


# reading -------------------------------------------------------------------------------------------------------------


def foreign(head: bytes) -> str:
    """What a file is that begins so, where it cannot be a checkpoint, and what to do with it; else nothing."""
    if head[8:9] == b"{":
        return ""
    if head.startswith(b"\x89HDF"):
        return "HDF5, as Keras saves weights: open it with h5py, and pass the arrays to set_values"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive, as numpy.savez and torch.save write: numpy.load(path, allow_pickle=False) and set_values"
    if head.startswith(b"\x93NUMPY"):
        return "a NumPy array: numpy.load(path, allow_pickle=False), and set_value"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle. Refused: loading a pickle can run code"
    return ""


def header_size(head: bytes, size: int) -> int:
    """The length of the header of a file of `size` bytes from its first 8. Raises CheckpointError."""
    length = int.from_bytes(head[:8], "little")
    if size < 8 or length < 2:
        raise CheckpointError(f"{size:,} bytes that are no checkpoint of autograph", fix="save writes checkpoints")
    if length > HEADER_LIMIT:
        raise CheckpointError(
            f"no checkpoint of autograph, or a damaged one: a header of {length:,} bytes is over the limit of 16 MiB",
            fix="use an earlier save",
        )
    if 8 + length > size:
        raise CheckpointError(
            f"truncated: {size:,} of at least {8 + length:,} bytes present", fix="use an earlier save, or copy it again"
        )
    return length


def parse(header: bytes, size: int) -> list[Entry]:
    """The tensors of a file of `size` bytes, in the order of their data. Everything but the data is checked.

    Raises CheckpointError for any departure from the layout.
    """
    _check_start(header)
    digits = header[_DIGITS.start - 8 : _DIGITS.stop - 8]
    length = len(header).to_bytes(8, "little")
    if checksum(length, header[: len(_PREFIX)], _ZEROS, header[len(_PREFIX) + 64 :]) != digits:
        raise CheckpointError("the checksum of the header differs: the file is damaged", fix="use an earlier save")
    entries = _Header(header).entries()
    full = 8 + len(header) + sum(entry.size for entry in entries)
    if full > size:
        raise CheckpointError(f"truncated: {size:,} of {full:,} bytes present", fix="use an earlier save, or copy it again")
    if full < size:
        raise CheckpointError(f"damaged: {size - full:,} bytes follow the last tensor", fix="use an earlier save")
    return entries


def is_ours(header: bytes) -> bool:
    """Whether it begins as `encode` begins."""
    return header.startswith(_START)


def _check_start(header: bytes) -> None:
    """Whether it is a header of ours and of this version."""
    if not is_ours(header):
        if header.startswith(b"{"):
            raise CheckpointError(
                "no checkpoint of autograph: safetensors of another program, without checksums, or a damaged file",
                fix="checkpoint.read_safetensors gives its arrays, unchecked: pass them to set_values",
            )
        raise CheckpointError("no checkpoint of autograph", fix="save writes checkpoints")
    version = header[len(_START) : len(_START) + 8].partition(b'"')[0]
    if version != VERSION.encode() and version.isdigit() and not version.startswith(b"0"):
        raise CheckpointError(
            f"format {version.decode()}, and this engine reads {VERSION}", fix="upgrade autograph, or use an earlier save"
        )
    if not header.startswith(_PREFIX):
        raise CheckpointError("the header is not as autograph writes it: the file is damaged", fix="use an earlier save")


class _Header:
    """A header in the one spelling that `encode` has, and how far it has been read. What is not as expected raises
    CheckpointError with its place."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def entries(self) -> list[Entry]:
        """Everything from the first byte to the last."""
        self.expect(_PREFIX)
        self.digest()
        self.expect(b'"')
        sums: list[tuple[str, bytes]] = []
        while self.skip(b',"sha256:'):
            name = self.name()
            self.expect(b'":"')
            sums.append((name, self.digest()))
            self.expect(b'"')
        self.expect(b"}")
        entries, start = [], 0
        for name, digest in sums:
            entries.append(self.entry(name, digest, start))
            start += entries[-1].size
        for a, b in pairwise(entries):
            if (-a.dtype.itemsize, a.name) >= (-b.dtype.itemsize, b.name):
                self.fail(f"{b.name!r} comes after {a.name!r}, twice or out of order")
        if len({entry.name for entry in entries}) < len(entries):
            self.fail("a name comes twice")
        self.expect(b"}")
        if len(self.text) - self.at >= _ALIGNMENT or (8 + len(self.text)) % _ALIGNMENT:
            self.fail("the header is not padded as it should be")
        self.expect(b" " * (len(self.text) - self.at))
        return entries

    def entry(self, name: str, digest: bytes, start: int) -> Entry:
        self.expect(b',"' + name.encode() + b'":{"dtype":"')
        end = self.text.find(b'"', self.at, self.at + 8)
        dtype = _DTYPE_OF.get(self.text[self.at : end]) if end > 0 else None
        if dtype is None:
            self.fail(f"the dtype of {name!r} is unknown")
        self.at = end
        self.expect(b'","shape":[')
        shape = self.sizes(name)
        self.expect(b'],"data_offsets":[')
        first = self.number()
        self.expect(b",")
        last = self.number()
        self.expect(b"]}")
        if too_large(shape, dtype):
            self.fail(f"the shape of {name!r} is too large")
        size = prod(shape) * dtype.itemsize
        if first != start or last != start + size:
            self.fail(f"{name!r} stands at {first} to {last} in place of {start} to {start + size}")
        return Entry(name, dtype, shape, size, digest)

    def digest(self) -> bytes:
        digits = self.text[self.at : self.at + 64]
        if len(digits) < 64 or digits.strip(b"0123456789abcdef"):
            self.fail("a checksum of 64 digits was expected")
        self.at += 64
        return digits

    def name(self) -> str:
        end = self.text.find(b'"', self.at, self.at + NAME_LIMIT + 1)
        try:
            name = self.text[self.at : end].decode() if end >= 0 else ""
        except UnicodeDecodeError:
            self.fail("a name is no text")
        fault = bad_name(name)
        if fault:
            self.fail(f"the name {name!r} {fault}")
        self.at = end
        return name

    def sizes(self, name: str) -> tuple[int, ...]:
        if self.text.startswith(b"]", self.at):
            return ()
        found = [self.number()]
        while self.skip(b","):
            found.append(self.number())
            if len(found) > RANK_LIMIT:
                self.fail(f"the rank of {name!r} is over {RANK_LIMIT}")
        return tuple(found)

    def skip(self, token: bytes) -> bool:
        """Whether `token` comes next; then it is passed over."""
        found = self.text.startswith(token, self.at)
        self.at += len(token) * found
        return found

    def expect(self, token: bytes) -> None:
        if not self.skip(token):
            self.fail(f"{token[:40].decode(errors='replace')!r} was expected")

    def number(self) -> int:
        """A whole number, plainly written."""
        end = self.at
        while end < self.at + 17 and self.text[end : end + 1].isdigit():
            end += 1
        digits = self.text[self.at : end]
        if not digits or len(digits) > 16 or (digits[:1] == b"0" and len(digits) > 1) or int(digits) > NUMBER_LIMIT:
            self.fail("a whole number of 0 to 2**53 was expected")
        self.at = end
        return int(digits)

    def fail(self, what: str) -> NoReturn:
        raise CheckpointError(
            f"the header is not as autograph writes it, at byte {8 + self.at}: {what}",
            fix="the file is damaged or made by another program: use an earlier save",
        )


def fault_of(entry: Entry, array: np.ndarray[Any, Any]) -> str:
    """What is wrong with the bytes read for an entry, or nothing."""
    raw = array.reshape(-1).view(np.uint8)
    if entry.digest and checksum(raw.data) != entry.digest:
        return "the checksum differs, so the file is damaged"
    if entry.dtype.kind == "b" and raw.size and raw.max() > 1:
        return "a truth value that is neither 0 nor 1"
    return ""


def rooms(entries: Iterable[Entry]) -> list[np.ndarray[Any, Any]]:
    """An array for each entry, in the byte order of files."""
    return [np.empty(entry.shape, entry.dtype.newbyteorder("<")) for entry in entries]


assert set(CODES) == {dtype.name for dtype in CANONICAL}
