"""Safetensors files of other programs are read, strictly, by NumPy alone; and the safetensors package reads ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint
from autograph.safetensors_format import CODES
from tests.checkpoint.campaigns import independent
from tests.checkpoint.files import parts, saved, state
from tests.checkpoint.mutants import small, written


def file(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def row(dtype: str, shape: list[int], start: int, stop: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_a_file_in_another_order_spelling_and_alignment_is_read(tmp_path: Path) -> None:
    header = rb"""{ "b" : {"shape":[2], "data_offsets":[1, 9],
      "dtype":"F32"}, "__metadata__":{"format":"pt","note":"{\"a\":[1]}"}, "a": {"dtype":"U8","shape":[],"data_offsets":[0,1]},
      "\u00e9\ud83d\ude42\"": {"dtype":"I16","shape":[0,7],"data_offsets":[9,9]}}"""
    found = checkpoint.read_safetensors(file(tmp_path / "a", header, b"\x07" + np.float32([1.5, -2.0]).tobytes()))
    assert list(found) == ["a", "b", 'é🙂"']
    assert (found["a"], found["b"].tolist(), found['é🙂"'].shape) == (7, [1.5, -2.0], (0, 7))
    assert all(array.flags.writeable and array.flags.aligned for array in found.values())
    w = ag.variable([0.0, 0.0])
    ag.set_values({w: found["b"]})
    assert w.get_value().tolist() == [1.5, -2.0]


@pytest.mark.parametrize("header", [b"{}", b'{"__metadata__":{}}', b"{ }   "])
def test_a_file_of_nothing_is_read(tmp_path: Path, header: bytes) -> None:
    assert checkpoint.read_safetensors(file(tmp_path / "a", header)) == {}


def test_bfloat16_comes_as_the_same_numbers_in_float32(tmp_path: Path) -> None:
    values = np.float32([[1.0, -2.5, 0.0], [np.inf, 2.0**-126, 3.0]])
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    data = upper.tobytes() + np.uint16(5).tobytes()
    header = {"w": row("BF16", [2, 3], 0, 12), "n": row("U16", [], 12, 14)}
    found = checkpoint.read_safetensors(file(tmp_path / "a", header, data))
    assert found["w"].dtype == np.float32
    assert found["w"].tolist() == values.tolist()
    assert found["n"] == 5


def test_one_of_ours_is_read_with_its_checksums(tmp_path: Path) -> None:
    whole = written(small())
    path = tmp_path / "a"
    path.write_bytes(whole)
    found = checkpoint.read_safetensors(path)
    assert {name: array.tobytes() for name, array in found.items()} == {name: a.tobytes() for name, a in small().items()}
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 2]))
    with pytest.raises(ag.CheckpointError, match="checksum"):
        checkpoint.read_safetensors(path)


A, AGAIN = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}', b'"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'
REFUSED: dict[str, tuple[Any, bytes]] = {
    "a name twice": (b"{%b,%b}" % (A, AGAIN), b"ab"),
    "a key twice": (b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a"),
    "an unknown key": ({"a": row("U8", [1], 0, 1) | {"strides": [1]}}, b"a"),
    "no shape": ({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, b"a"),
    "a float": (b'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', b"a"),
    "NaN": (b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', b"a"),
    "a truth value": ({"a": row("U8", [True], 0, 1)}, b"a"),
    "a negative number": ({"a": row("U8", [-1, -1], 0, 1)}, b"a"),
    "5,000 digits": (b'{"a":{"dtype":"U8","shape":[' + b"1" * 5000 + b'],"data_offsets":[0,1]}}', b"a"),
    "three offsets": ({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 1]}}, b"a"),
    "a hole": ({"a": row("U8", [1], 0, 1), "b": row("U8", [1], 2, 3)}, b"abc"),
    "an overlap": ({"a": row("U8", [2], 0, 2), "b": row("U8", [2], 1, 3)}, b"abc"),
    "one place twice": ({"a": row("U8", [1], 0, 1), "b": row("U8", [1], 0, 1)}, b"a"),
    "bytes behind": ({"a": row("U8", [1], 0, 1)}, b"ab"),
    "bytes missing": ({"a": row("U8", [2], 0, 2)}, b"a"),
    "a terabyte promised": ({"a": row("U8", [2**40], 0, 2**40)}, b"a"),
    "a product that overflows": ({"a": row("U8", [2**32, 2**32, 2**32], 0, 0)}, b""),
    "too large though empty": ({"a": row("U8", [2**53, 2**53, 0], 0, 0)}, b""),
    "rank 65": ({"a": row("U8", [1] * 65, 0, 1)}, b"a"),
    "a dtype that NumPy does not have": ({"a": row("F8_E4M3", [1], 0, 1)}, b"a"),
    "a truth value that is 2": ({"a": row("BOOL", [1], 0, 1)}, b"\x02"),
    "a long name": ({"n" * 1025: row("U8", [1], 0, 1)}, b"a"),
    "half a pair": (b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a"),
    "no UTF-8": (b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a"),
    "a control character": (b'{"\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a"),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b""),
    "nested metadata": ({"__metadata__": {"a": {"b": "c"}}}, b""),
    "two objects": (b"{}{}", b""),
    "no object": (b"[]", b""),
    "no end": (b'{"a":{"dtype":"U8"', b""),
    "a string without an end": (b'{"a' + b"\\" * 1001 + b'"', b""),
    "100,000 brackets": (b'{"a":' + b"[" * 100_000, b""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_more_than_one_reading_or_none_is_refused(tmp_path: Path, kind: str) -> None:
    path = file(tmp_path / "a", *REFUSED[kind])
    assert independent(path.read_bytes()) is None
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.read_safetensors(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04.", b"PK\x03\x04" * 9, bytes(7) + b"\x80{}"], ids=repr)
def test_what_is_no_such_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ag.CheckpointError):
        checkpoint.read_safetensors(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        checkpoint.read_safetensors(tmp_path / "b")


def test_load_takes_files_of_ours_alone_and_says_how_to_read_others(tmp_path: Path) -> None:
    path = file(tmp_path / "a", {"w": row("F32", [1], 0, 4)}, bytes(4))
    with pytest.raises(ag.CheckpointError, match=r"without checksums(?s:.*)checkpoint\.read_safetensors"):
        checkpoint.load(path, {"w": ag.variable([1.0])})


# with the package ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["every dtype", "nothing", "unusual names"])
def test_the_safetensors_package_reads_ours_and_we_read_its(tmp_path: Path, names: str) -> None:
    package = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    odd = {f"{n} {{}}[]:,'é漢🙂": ag.variable([1.0 * i]) for i, n in enumerate("abc")}
    registers = {"every dtype": state(4), "nothing": {}, "unusual names": odd}[names]
    arrays = {name: np.asarray(v.get_value()) for name, v in registers.items()}
    checkpoint.save(tmp_path / "ours.safetensors", registers)
    found = package.load_file(tmp_path / "ours.safetensors")
    package.save_file(arrays, tmp_path / "theirs.safetensors", metadata={"by": 'them "\\\n'})
    read = checkpoint.read_safetensors(tmp_path / "theirs.safetensors")
    for result in (found, read):
        assert {name: array.tobytes() for name, array in result.items()} == {n: a.tobytes() for n, a in arrays.items()}
        assert all(result[n].shape == a.shape and result[n].dtype == a.dtype for n, a in arrays.items())
    assert checkpoint.load(tmp_path / "ours.safetensors", registers) == []


def test_the_header_is_plain_json_in_the_layout_of_the_format(tmp_path: Path) -> None:
    """What the package would check, where it is not installed."""
    header, data = parts(saved(tmp_path, state(4)))
    rows = json.loads(header)
    assert all(isinstance(value, str) for value in rows.pop("__metadata__").values())
    end = 0
    for entry in sorted(rows.values(), key=lambda entry: entry["data_offsets"]):
        start, stop = entry["data_offsets"]
        size = np.dtype({code: name for name, code in CODES.items()}[entry["dtype"]]).itemsize
        assert start == end and stop - start == size * int(np.prod(entry["shape"], dtype=int)) and start % size == 0
        end = stop
    assert end == len(data)
