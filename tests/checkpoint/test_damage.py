"""Damaged and hostile files: only CheckpointError, nothing wrong accepted, no more memory than the file's size warrants."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint
from autograph.safetensors_format import Entry, encode
from tests.checkpoint.campaigns import KINDS, bad, in_a_process, right_if_of_others, right_if_ours
from tests.checkpoint.files import CAMPAIGN, parts, sealed
from tests.checkpoint.mutants import small, written

MUTANTS = 100_000 if CAMPAIGN else 3000


def read_or_refuse(path: Path, content: bytes) -> dict[str, np.ndarray] | None:
    path.write_bytes(content)
    start = time.process_time()
    try:
        return checkpoint.read(path)
    except ag.CheckpointError as error:
        assert str(path) in str(error)
        return None
    finally:
        assert time.process_time() - start < 1


@pytest.mark.skipif(os.name != "posix", reason="only here may a process limit its memory")
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_refused_or_are_what_they_claim_to_be_in_little_memory(kind: str) -> None:
    result = in_a_process(kind, MUTANTS)
    assert not bad(result), result
    assert MUTANTS / 2 < result["refused"] < MUTANTS
    assert result["accepted"] + result["refused"] == MUTANTS


def test_a_campaign_tells_what_is_wrongly_accepted_and_wrongly_refused() -> None:
    whole = written(small())
    found = {name: array.copy() for name, array in small().items()}
    assert right_if_ours(whole, found) and right_if_of_others(whole, found)
    found["n"] += 1
    assert not right_if_ours(whole, found) and not right_if_of_others(whole, found)
    assert not right_if_of_others(whole, None)
    assert right_if_of_others(whole[:-1], None) and not right_if_of_others(whole[:-1], small())


LONG, PLAIN = b"9" * 5000, b'"shape":[4,3]'
GRAMMAR: list[tuple[str, bytes, bytes]] = [
    ("NaN", PLAIN, b'"shape":[NaN,3]'),
    ("Infinity", PLAIN, b'"shape":[Infinity]'),
    ("minus", PLAIN, b'"shape":[-4,-3]'),
    ("minus zero", PLAIN, b'"shape":[-0,3]'),
    ("float", PLAIN, b'"shape":[4.0,3]'),
    ("exponent", PLAIN, b'"shape":[4e0,3]'),
    ("bool", PLAIN, b'"shape":[true,12]'),
    ("null", PLAIN, b'"shape":null'),
    ("string", PLAIN, b'"shape":["4",3]'),
    ("zeros in front", PLAIN, b'"shape":[04,3]'),
    ("5,000 digits", PLAIN, b'"shape":[%b,3]' % LONG),
    ("2**53+1", PLAIN, b'"shape":[9007199254740993,0]'),
    ("too large though empty", PLAIN, b'"shape":[9007199254740992,9007199254740992,0]'),
    ("another product", PLAIN, b'"shape":[4,4]'),
    ("product that overflows", PLAIN, b'"shape":[4294967296,4294967296,4294967296]'),
    ("rank 65", PLAIN, b'"shape":[4,3%b]' % (b",1" * 63)),
    ("trailing comma", PLAIN, b'"shape":[4,3,]'),
    ("space", PLAIN, b'"shape": [4,3]'),
    ("unicode digits", PLAIN, '"shape":[٤,3]'.encode()),
    ("nested", PLAIN, b'"shape":[[4,3]]'),
    ("100,000 brackets", PLAIN, b'"shape":' + b"[" * 100_000),
    ("unknown key", PLAIN, PLAIN + b',"more":1'),
    ("key twice", PLAIN, PLAIN + b"," + PLAIN),
    ("unknown dtype", b'"F32"', b'"F8_E5M2"'),
    ("object dtype", b'"F32"', b'"O"'),
    ("another width", b'"F32"', b'"F64"'),
    ("lower case", b'"F32"', b'"f32"'),
    ("hole", b'"data_offsets":[0,24]', b'"data_offsets":[8,32]'),
    ("overlap", b'"data_offsets":[24,32]', b'"data_offsets":[16,24]'),
    ("another beginning", b'"data_offsets":[24,32]', b'"data_offsets":[16,32]'),
    ("backwards", b'"data_offsets":[24,32]', b'"data_offsets":[32,24]'),
    ("beyond the end", b'"data_offsets":[24,32]', b'"data_offsets":[24,9007199254740992]'),
    ("name twice", b'"n"', b'"dense/bias"'),
    ("name twice, in another width", b'"mask"', b'"n"'),
    ("out of order", b'"n"', b'"aa"'),
    ("no name", b'"n"', b'""'),
    ("reserved name", b'"n"', b'"__metadata__"'),
    ("parent folder", b'"n"', b'"n/../../etc"'),
    ("absolute", b'"n"', b'"/etc/passwd"'),
    ("NUL", b'"n"', b'"n\0"'),
    ("escape", b'"n"', b'"\\u006e"'),
    ("no UTF-8", b'"n"', b'"n\xff"'),
    ("surrogate", b'"n"', b'"n\xed\xa0\x80"'),
    ("overlong", b'"n"', b'"\xc1\xae"'),
    ("long name", b'"n"', b'"%b"' % (b"n" * 1025)),
    ("metadata with an unknown key", b',"sha256:n"', b',"more":"x","sha256:n"'),
    ("metadata that is no object", b'{"__metadata__":{', b'{"__metadata__":['),
    ("an upper-case checksum", b'"sha256:n":"', b'"sha256:n":"A'),
    ("no checksum", b'"sha256:n":"', b'"sha256:n":"","x":"'),
    ("byte order mark", b'{"__metadata__"', b'\xef\xbb\xbf{"__metadata__"'),
    ("version 2", b'"version":"1"', b'"version":"2"'),
    ("version 99,999,999,999", b'"version":"1"', b'"version":"99999999999"'),
    ("no version", b'"version":"1",', b""),
    ("another format", b'"format":"autograph"', b'"format":"pt"'),
    ("text behind", b"}}", b"}}x"),
    ("an object behind", b"}}", b"}}{}"),
    ("no end", b"}}", b"}"),
]


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in GRAMMAR], ids=[row[0] for row in GRAMMAR])
@pytest.mark.parametrize("every", [False, True], ids=["once", "everywhere"])
def test_departures_from_the_grammar_are_refused(tmp_path: Path, old: bytes, new: bytes, every: bool) -> None:
    header, data = parts(written(small()))
    assert old in header
    swapped = header.replace(old, new) if every else new.join(header.rsplit(old, 1))
    if every and old == b'"n"':
        swapped = swapped.replace(b'"sha256:n"', b'"sha256:' + new[1:])
    changed = swapped.rstrip(b" ")
    changed += b" " * (-(8 + len(changed)) % 64)
    assert read_or_refuse(tmp_path / "mutant", sealed(changed, data)) is None
    assert read_or_refuse(tmp_path / "mutant", sealed(swapped, data)) is None


def test_truth_values_are_zero_or_one(tmp_path: Path) -> None:
    arrays = {"mask": np.array([1, 2, 0], np.uint8)}
    header, data = parts(b"".join(bytes(part) for part in encode(arrays)))
    text = header.replace(b'"U8",', b'"BOOL",').rstrip(b" ")
    with pytest.raises(ag.CheckpointError, match="neither 0 nor 1"):
        (tmp_path / "a").write_bytes(sealed(text + b" " * (-(8 + len(text)) % 64), data))
        checkpoint.read(tmp_path / "a")


def crowd(count: int) -> bytes:
    """The header of `count` tensors without data."""
    return bytes(encode({f"{i:x}": np.zeros(0, np.uint8) for i in range(count)})[0])


START = crowd(1)[8:]
HOSTILE: dict[str, Callable[[], bytes]] = {
    "brackets": lambda: sealed(START[: START.index(b'","sha256:')] + b"[" * (1 << 22), b""),
    "keys": lambda: sealed(START[:200] + b'"a":1,' * 700_000, b""),
    "numbers": lambda: sealed(START.replace(b"[0]", b"[" + b"1," * 2_000_000 + b"0]"), b""),
    "a terabyte promised": lambda: sealed(START.replace(b"[0]", b"[1099511627776]").replace(b"0,0", b"0,1099511627776"), b""),
    "a header of 2**63": lambda: (2**63).to_bytes(8, "little") + b"{" * 1000,
    "a header of 16 MiB in a small file": lambda: (2**24).to_bytes(8, "little") + b"{" * 1000,
    "a huge first name": lambda: sealed(START.replace(b"sha256:0", b"sha256:" + b"0" * 4_000_000), b""),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_memory_and_time_are_bounded_by_the_size_of_the_file(tmp_path: Path, kind: str) -> None:
    content = HOSTILE[kind]()
    path = tmp_path / "a"
    path.write_bytes(content)
    read_or_refuse(path, content)
    tracemalloc.start()
    try:
        with pytest.raises(ag.CheckpointError):
            checkpoint.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(content) + (1 << 20), (peak, len(content))


def test_the_most_tensors_that_a_header_may_hold(tmp_path: Path) -> None:
    path, content = tmp_path / "a", crowd(20_000)
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert len(checkpoint.read(path)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(content)
    with pytest.raises(ag.CheckpointError, match="save in several files"):
        crowd(140_000)


def test_a_large_array_is_held_once_and_once_more_while_it_is_written_to_its_register(tmp_path: Path) -> None:
    w = ag.variable(np.ones(1 << 20), "float64", "w")
    checkpoint.save(tmp_path / "a", w)
    work: list[tuple[Callable[[], object], float]] = [
        (lambda: checkpoint.read(tmp_path / "a"), 1.1),
        (lambda: checkpoint.save(tmp_path / "b", w), 1.1),
        (lambda: checkpoint.load(tmp_path / "a", w), 2.1),
    ]
    for do, most in work:
        tracemalloc.start()
        try:
            do()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < most * (8 << 20)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, w = tmp_path / "a", ag.variable(np.ones(1 << 16), name="w")
    checkpoint.save(path, w)
    real = checkpoint.parse

    def shrunk(header: bytes, size: int) -> list[Entry]:
        os.truncate(path, 8 + len(header) + 40_000)
        return real(header, size)

    monkeypatch.setattr(checkpoint, "parse", shrunk)
    with pytest.raises(ag.CheckpointError, match="became shorter"):
        checkpoint.load(path, w)
    monkeypatch.setattr(checkpoint, "header_size", lambda head, size: 2 * size)
    with pytest.raises(ag.CheckpointError, match="became shorter"):
        checkpoint.load(path, w)
