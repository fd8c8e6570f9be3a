"""Whatever a power cut leaves of a save, the path holds the old file or the new one: every state of a model of the disk."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint, replacing
from tests.checkpoint.crash_states import BLOCK, Call, Disk, Recorder, contents, crashes, recorded

SAVES = 20
PATH = "m.ckpt"


class Kind(NamedTuple):
    """A save that is recorded: how large, over what, in how short writes, and which call fails if any does."""

    numbers: int
    old: bool
    stale: bool
    short: int
    nth: int


def kind(i: int) -> Kind:
    """The i-th of a series in which everything varies."""
    return Kind(40 + 97 * (i % 5), old=i % 3 != 2, stale=i % 4 == 1, short=(0, 700, 256)[i % 3], nth=(0, 0, 3, 5, 7)[i % 5])


def registers(value: float, numbers: int) -> list[ag.Variable]:
    return [ag.variable(np.full(numbers, value), "float32", "w"), ag.variable(int(value), "int64", "n")]


def judged(folder: Path, before: dict[str, bytes], calls: Sequence[Call], old: Any, new: float) -> Counter[str]:
    """What the path would hold after a crash in each of the states: "old", "new", or something that must not be.

    Each state that differs from those before is put into a folder and loaded.
    """
    found: Counter[str] = Counter()
    known: dict[bytes | None, str] = {}
    for done, state in crashes(before, calls, PATH):
        content = state.get(PATH)
        if content not in known:
            known[content] = "absent" if content is None else read(folder, content, old, new)
        what = "old" if known[content] == "absent" and old is None else known[content]
        found["old, after the save had ended" if what == "old" and done == len(calls) else what] += 1
    return found


def read(folder: Path, content: bytes, old: Any, new: float) -> str:
    path = folder / "read.ckpt"
    path.write_bytes(content)
    try:
        values = checkpoint.read(path)
    except ag.CheckpointError:
        return "refused"
    numbers = {*values["w"].ravel().tolist(), float(values["n"])}
    return "old" if numbers == {old} else "new" if numbers == {new} else "something else"


def prepared(folder: Path, this: Kind) -> None:
    if this.old:
        checkpoint.save(folder / PATH, registers(1.0, this.numbers))
    if this.stale:
        (folder / f".{PATH}.{replacing._HOST}.{2**22 + 1}.{'0' * 16}.tmp").write_bytes(b"half of a file")


@pytest.mark.skipif(os.name != "posix", reason="there, a folder is not synced")
@pytest.mark.parametrize("number", range(SAVES))
def test_every_state_that_a_crash_may_leave_is_the_old_file_or_the_new(tmp_path: Path, number: int) -> None:
    this = kind(number)
    folder, scratch = tmp_path / "saved", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    prepared(folder, this)
    recorder = Recorder(this.short, this.nth, errno.ENOSPC)
    new = registers(2.0, this.numbers)
    before, calls, ended = recorded(folder, lambda: checkpoint.save(folder / PATH, new), replacing, recorder)
    assert {call.kind for call in calls} >= ({"create", "write", "sync", "rename", "sync folder"} if ended else {"create"})
    found = judged(scratch, before, calls, 1.0 if this.old else None, 2.0)
    wanted = {"old", "new"} if ended else {"old", "old, after the save had ended"}
    assert set(found) == wanted, found
    assert sum(found.values()) > len(calls)


@pytest.mark.skipif(os.name != "posix", reason="there, a folder is not synced")
def test_after_any_crash_the_next_save_succeeds_and_tidies_up(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    this = Kind(100, True, True, 300, 0)
    prepared(folder, this)
    new = registers(2.0, this.numbers)
    before, calls, _ = recorded(folder, lambda: checkpoint.save(folder / PATH, new), replacing, Recorder(this.short))
    states = {tuple(sorted(state.items())) for _, state in crashes(before, calls, PATH)}
    assert len(states) > 10
    third = registers(3.0, this.numbers)
    for i, state in enumerate(states):
        place = tmp_path / f"after {i}"
        place.mkdir()
        for name, content in state:
            (place / name).write_bytes(content)
        checkpoint.save(place / PATH, third)
        assert set(contents(place)) == {PATH}
        assert read(tmp_path, (place / PATH).read_bytes(), 1.0, 3.0) == "new"


# the model itself: what is careless must be seen to fail -------------------------------------------------------------


def in_place(path: Path, data: bytes, os: Any) -> None:
    file = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(file, memoryview(data))
    os.fsync(file)
    os.close(file)


def renamed_before_it_is_synced(path: Path, data: bytes, os: Any) -> None:
    file = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT)
    os.write(file, memoryview(data))
    os.replace(f"{path}.tmp", str(path))
    os.fsync(file)
    os.close(file)


class Module:
    """Where a writer finds `os`."""

    os: Any = os


CARELESS: dict[str, tuple[Callable[..., None] | None, list[str], str]] = {
    "a file that is not synced": (None, ["sync"], "refused"),
    "a folder that is not synced": (None, ["sync folder"], "old, after the save had ended"),
    "a file written in place": (in_place, [], "refused"),
    "a rename before the sync": (renamed_before_it_is_synced, [], "refused"),
}


@pytest.mark.skipif(os.name != "posix", reason="there, a folder is not synced")
@pytest.mark.parametrize("fault", CARELESS)
def test_what_a_careless_save_would_leave_is_found(tmp_path: Path, fault: str) -> None:
    writer, without, outcome = CARELESS[fault]
    folder = tmp_path / "saved"
    folder.mkdir()
    this = Kind(200, True, False, 0, 0)
    prepared(folder, this)
    recorder, new = Recorder(without=without), registers(2.0, this.numbers)
    if writer is None:
        before, calls, _ = recorded(folder, lambda: checkpoint.save(folder / PATH, new), replacing, recorder)
    else:
        checkpoint.save(tmp_path / "new", new)
        data, module = (tmp_path / "new").read_bytes(), Module()
        before, calls, _ = recorded(folder, lambda: writer(folder / PATH, data, module.os), module, recorder)
    found = judged(tmp_path, before, calls, 1.0, 2.0)
    assert found[outcome] > 0, found
    assert not found["something else"], "checksums tell a torn file from a whole one"


def test_the_states_of_a_small_disk_are_all_there() -> None:
    calls = [Call("create", 1, "new"), Call("write", 1, data=b"a" * BLOCK + b"b"), Call("rename", name="new", target="old")]
    found = {tuple(sorted(state.items())) for _, state in crashes({"old": b"x"}, calls, "old")}
    olds = {dict(state).get("old") for state in found}
    zeros, first = bytes(BLOCK), b"a" * BLOCK
    assert {b"x", b"", first, zeros, first + b"b", first + b"\0", zeros + b"b", zeros + b"\0"} <= olds
    assert None not in olds
    assert all(content == b"x" or len(content or b"") in (0, BLOCK, BLOCK + 1) for content in olds)
    synced = [*calls[:2], Call("sync", 1), calls[2]]
    assert {dict(state)["old"] for _, state in crashes({"old": b"x"}, synced, "old")} == {b"x", first + b"b"}
    disk = Disk.of({"a": b"1"})
    for call in (*synced, Call("sync folder")):
        disk.apply(call)
    assert list(disk.states("old")) == [{"old": first + b"b", "a": b"1"}]
