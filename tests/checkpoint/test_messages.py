"""What checkpoints say: entries 55 to 60 of the list of bad inputs. After each, nothing has changed."""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint
from optimizers import SGD, Adam
from tests.checkpoint.files import bits, parts, saved, sealed

Make = Callable[[Path, Path], object]


def model() -> dict[str, ag.Variable]:
    return {"dense/kernel": ag.variable(np.ones((2, 3))), "dense/bias": ag.variable(np.zeros(3)), "n": ag.variable(1, "int64")}


def says(error: BaseException, words: str) -> None:
    missing = [word.strip() for word in words.split("·") if word.strip() not in str(error)]
    assert not missing, f"{missing} not in:\n{error}"
    assert "object at 0x" not in str(error)


# 55: the file itself -------------------------------------------------------------------------------------------------


def test_a_missing_file_is_told_with_what_is_near(tmp_path: Path) -> None:
    saved(tmp_path, model(), "model.ckpt")
    with pytest.raises(FileNotFoundError) as caught:
        checkpoint.load(tmp_path / "modell.ckpt", model())
    assert caught.value.errno == 2
    says(caught.value, f"{str(tmp_path / 'modell.ckpt')!r} · working directory is {os.getcwd()!r} · did you mean 'model.ckpt'")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        checkpoint.read(tmp_path / "nowhere" / "model.ckpt")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for work in (lambda: checkpoint.read(tmp_path), lambda: checkpoint.save(tmp_path, model())):
        with pytest.raises(IsADirectoryError) as caught:
            work()
        says(caught.value, str(tmp_path))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ag.CheckpointError, match="no regular file"):
        checkpoint.read(tmp_path / "pipe")


def test_a_failed_save_says_what_the_path_still_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registers = model()
    whole = saved(tmp_path, registers, "m.ckpt")
    os.utime(tmp_path / "m.ckpt", (1e9, 1e9))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError) as caught:
        checkpoint.save(tmp_path / "m.ckpt", registers)
    monkeypatch.undo()
    assert caught.value.errno == 28
    says(caught.value, f"{tmp_path / 'm.ckpt'} · No space left · nothing was saved · 'm.ckpt' still holds the save of 2001-09-0")
    assert (tmp_path / "m.ckpt").read_bytes() == whole


def test_a_disk_that_fails_while_a_file_is_read_is_told_with_its_path_and_nothing_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registers = model()
    saved(tmp_path, registers, "m.ckpt")
    before = bits(registers)

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checkpoint, "fault_of", broken)  # when most of it was read
    for work in (lambda: checkpoint.load(tmp_path / "m.ckpt", registers), lambda: checkpoint.read(tmp_path / "m.ckpt")):
        with pytest.raises(OSError, match="Input/output error") as caught:
            work()
        assert caught.value.errno == 5
        says(caught.value, f"load {str(tmp_path / 'm.ckpt')!r}")
    assert bits(registers) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="nothing was saved"):
            checkpoint.save(tmp_path / "m.ckpt", model())
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("path", [3, None, b"m.ckpt", "", "a\0b"], ids=repr)
def test_what_is_no_path(path: Any) -> None:
    for work in (lambda: checkpoint.read(path), lambda: checkpoint.save(path, []), lambda: checkpoint.load(path, [])):
        with pytest.raises((ag.ArgumentError, ag.ArgumentTypeError), match="path"):
            work()


# 56, 57, 59: not ours, damaged, newer --------------------------------------------------------------------------------


class Harmful:
    """A pickle of it would end the process."""

    def __reduce__(self) -> Any:
        return sys.exit, (3,)


OTHER_HEADER = b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'.ljust(64)


def of_others(folder: Path, save: Callable[[Path], object], name: str) -> bytes:
    save(folder / name)
    return (folder / name).read_bytes()


OTHERS: list[tuple[str, Callable[[Path], bytes], str]] = [
    ("hdf5", lambda _: b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 · h5py · set_values"),
    ("npz", lambda t: of_others(t, lambda p: np.savez(p, w=np.ones(2)), "file.npz"), "zip · allow_pickle=False"),
    ("npy", lambda t: of_others(t, lambda p: np.save(p, np.ones(2)), "file.npy"), "NumPy array · allow_pickle=False"),
    *[(f"pickle {n}", lambda _, n=n: pickle.dumps(Harmful(), n), "Refused: loading a pickle can run code") for n in (2, 4, 5)],
    ("empty", lambda _: b"", "no checkpoint of autograph"),
    ("text", lambda _: b"learning_rate: 0.1\n" * 9, "no checkpoint of autograph"),
    ("zeros", lambda _: bytes(1000), "no checkpoint of autograph"),
    ("safetensors of others", lambda _: (64).to_bytes(8, "little") + OTHER_HEADER,
     "safetensors of another program · without checksums · set_values"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_files_of_others(tmp_path: Path, make: Callable[[Path], bytes], words: str) -> None:
    path = tmp_path / "m.ckpt"
    path.write_bytes(make(tmp_path))
    registers = model()
    before = bits(registers)
    for strict in (True, False):
        with pytest.raises(ag.CheckpointError) as caught:
            checkpoint.load(path, registers, strict)
        says(caught.value, f"{str(path)!r} · nothing was loaded · {words}")
    assert bits(registers) == before


def test_a_truncated_file_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    w = ag.variable(np.ones(1 << 18), name="w")
    whole = saved(tmp_path, w)
    path = tmp_path / "m.ckpt"
    path.write_bytes(whole[: 1 << 18])
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.load(path, w)
    says(caught.value, f"truncated: 262,144 of {len(whole):,} bytes present · earlier save")
    path.write_bytes(whole[:100])
    with pytest.raises(ag.CheckpointError, match="truncated: 100 of at least"):
        checkpoint.load(path, w)


def test_a_damaged_tensor_is_named(tmp_path: Path) -> None:
    registers = model()
    whole = saved(tmp_path, registers)
    before = bits(registers)
    (tmp_path / "m.ckpt").write_bytes(whole[:-1] + bytes([whole[-1] ^ 64]))
    for strict in (True, False):
        with pytest.raises(ag.CheckpointError) as caught:
            checkpoint.load(tmp_path / "m.ckpt", registers, strict)
        says(caught.value, "'dense/kernel' · checksum differs · damaged · earlier save")
    (tmp_path / "m.ckpt").write_bytes(whole[:40] + b"\0" + whole[41:])
    with pytest.raises(ag.CheckpointError):
        checkpoint.load(tmp_path / "m.ckpt", registers)
    (tmp_path / "m.ckpt").write_bytes(whole.replace(b'"F32"', b'"I32"'))
    with pytest.raises(ag.CheckpointError, match="checksum of the header differs"):
        checkpoint.load(tmp_path / "m.ckpt", registers)
    assert bits(registers) == before


def test_every_damaged_tensor_is_named_beside_what_does_not_fit(tmp_path: Path) -> None:
    registers = model()
    whole = bytearray(saved(tmp_path, registers))
    whole[-1] ^= 1  # of dense/kernel
    whole[-30] ^= 1  # of dense/bias
    (tmp_path / "m.ckpt").write_bytes(whole)
    here = registers | {"dense/more": ag.variable([0.0])}
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.load(tmp_path / "m.ckpt", here)
    says(caught.value, "'dense/kernel': the checksum differs · 'dense/bias': the checksum differs · missing 'dense/more'")
    assert "'n'" not in str(caught.value)


def test_numbers_that_are_refused_are_told_beside_what_does_not_fit(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {"momentum": ag.variable(0.5, "float64"), "more": ag.variable(1.0)})
    w, sgd = ag.variable([1.0], name="w"), SGD()
    sgd.get_updates(ag.reduce_sum(w), [w])
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.load(tmp_path / "a", {"momentum": sgd.momentum, "w": w})
    says(caught.value, "missing 'w' · unexpected 'more' · built without this term · nothing was loaded")
    assert sgd.momentum.get_value() == 0.0


def test_newer_formats_and_large_headers_are_told_apart_from_damage(tmp_path: Path) -> None:
    header, data = parts(saved(tmp_path, model()))
    path = tmp_path / "m.ckpt"
    path.write_bytes(sealed(header.replace(b'"version":"1"', b'"version":"3"'), data))
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.read(path)
    says(caught.value, "format 3, and this engine reads 1 · upgrade")
    path.write_bytes((900 << 20).to_bytes(8, "little") + b"{" + header)
    with pytest.raises(ag.CheckpointError, match="943,718,400 bytes is over the limit of 16 MiB"):
        checkpoint.read(path)


# 58: names, shapes, dtypes -------------------------------------------------------------------------------------------


def test_everything_that_does_not_fit_is_in_one_message_and_nothing_is_loaded(tmp_path: Path) -> None:
    there = {"dense/bais": ag.variable(np.full(3, 5.0)), "dense/kernel": ag.variable(np.full((2, 4), 5.0)), "n": ag.variable(5.0),
             "ok": ag.variable([5.0])}  # fmt: skip
    checkpoint.save(tmp_path / "a", there)
    here = {**model(), "ok": ag.variable([1.0])}
    before = bits(here)
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.load(tmp_path / "a", here)
    says(
        caught.value,
        "missing 'dense/bias' · unexpected 'dense/bais' (similar: 'dense/bias'!) · 'dense/kernel' is of shape "
        "[2, 4] in the file, [2, 3] here · 'n' is of dtype float32 in the file, int64 here · nothing was loaded · strict=False",
    )
    assert "'ok'" not in str(caught.value)
    assert bits(here) == before
    assert len(checkpoint.load(tmp_path / "a", here, strict=False)) == 4
    assert here.pop("ok").get_value().tolist() == [5.0]
    del before["ok"]
    assert bits(here) == before


def test_a_crowd_of_unexpected_names_is_counted(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {f"w{i}": ag.variable(0.0) for i in range(1000)})
    with pytest.raises(ag.CheckpointError, match="and 800 more that are unexpected"):
        checkpoint.load(tmp_path / "a", [])


def test_no_dtype_is_cast(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {"w": ag.variable([1.0], "float64")})
    with pytest.raises(ag.CheckpointError, match="float64 in the file, float32 here"):
        checkpoint.load(tmp_path / "a", {"w": ag.variable([1.0], "float32")})


# what cannot be named ------------------------------------------------------------------------------------------------


def test_automatic_names_are_refused_with_the_name_to_give(tmp_path: Path) -> None:
    u = ag.variable(np.ones((2, 2)))
    for what in (u, [u], {"list": [u]}):
        with pytest.raises(ag.ArgumentError) as caught:
            checkpoint.save(tmp_path / "a", what)
        says(caught.value, f'{u.name!r} · float32[2, 2] · test_messages.py: · variable(…, name="kernel") · pass a dict of names')
    with pytest.raises(ag.ArgumentError, match="automatic name"):
        checkpoint.load(tmp_path / "a", [u])
    assert os.listdir(tmp_path) == []
    checkpoint.save(tmp_path / "a", {"u": u})


def test_two_registers_of_one_name_are_refused(tmp_path: Path) -> None:
    a, b = ag.variable([1.0], name="w"), ag.variable([2.0], name="w")
    with pytest.raises(ag.ArgumentError, match=r"two registers are called 'w', made at test_messages\.py:"):
        checkpoint.save(tmp_path / "a", [a, b])
    loss, adam = ag.reduce_sum(a + b), Adam()
    adam.get_updates(loss, [a, b])
    with pytest.raises(ag.ArgumentError, match="two registers are called 'm/w'"):
        checkpoint.save(tmp_path / "a", adam)
    with pytest.raises(ag.ArgumentError, match=re.escape("two registers are called 'Adam/learning_rate'")):
        checkpoint.save(tmp_path / "a", [Adam(), Adam()])
    checkpoint.save(tmp_path / "a", {"actor": Adam(), "critic": Adam()})
    checkpoint.save(tmp_path / "a", [a, a])


@pytest.mark.parametrize("name", ["..", "a/../b", "a\0b", "a\nb", 'a"b', "a\\b", "__metadata__", "n" * 1025, "\ud800"], ids=repr)
def test_names_that_no_file_holds(tmp_path: Path, name: str) -> None:
    with pytest.raises(ag.ArgumentError, match="the name"):
        checkpoint.save(tmp_path / "a", {name: ag.variable(0.0)})
    with pytest.raises(ag.ArgumentError, match="the name"):
        checkpoint.save(tmp_path / "a", ag.variable(0.0, name=name))


@pytest.mark.parametrize("what", [{3: ag.variable(0.0)}, {"": ag.variable(0.0)}, {"a/": ag.variable(0.0)}, {"a": 3.0}, 3, "w",
                                  np.ones(2), [None], ag.constant(1.0)], ids=lambda what: type(what).__name__)  # fmt: skip
def test_what_is_no_register(tmp_path: Path, what: Any) -> None:
    for work in (lambda: checkpoint.save(tmp_path / "a", what), lambda: checkpoint.load(tmp_path / "a", what)):
        with pytest.raises((ag.ArgumentError, ag.ArgumentTypeError)):
            work()
    assert os.listdir(tmp_path) == []


def test_the_error_has_a_page_and_is_what_existing_code_catches() -> None:
    assert issubclass(ag.CheckpointError, ag.AutographError) and issubclass(ag.CheckpointError, ValueError)
    assert "strict=False" in (ag.CheckpointError.__doc__ or "")
