"""Whatever ends a save (a kill, a failing system call, an interrupt), the file is the old one or the new one, whole."""

from __future__ import annotations

import ast
import errno
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint, replacing
from tests.checkpoint.files import CAMPAIGN

KILLS = 500 if CAMPAIGN else 40
ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import os, sys
import numpy as np
import autograph as ag
from autograph import checkpoint
folder = sys.argv[1]
w, n = ag.variable(np.zeros(30_000), name="w"), ag.variable(0, "int64", name="n")
checkpoint.save(os.path.join(folder, "m.ckpt"), [w, n])
print("ready", flush=True)
for line in sys.stdin:  # a fork a line, each killed while it saves
    child = os.fork()
    if not child:
        generation = int(line)
        while True:
            generation += 1
            ag.set_values({w: np.full(30_000, generation % 10_000, np.float32), n: generation})
            checkpoint.save(os.path.join(folder, "m.ckpt"), [w, n])
            os.write(1, b"saved\\n")
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    draw = random.Random(3)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert writer.stdin and writer.stdout
    torn, last, interrupted = [], 0, 0
    try:
        assert writer.stdout.readline() == "ready\n"
        for _ in range(KILLS):
            writer.stdin.write(f"{last}\n")
            writer.stdin.flush()
            child, saves = 0, draw.randrange(1, 4)
            while not child or saves > 0:
                line = writer.stdout.readline()
                assert line not in ("", "dead\n"), "it ended by itself"
                child, saves = (child, saves - 1) if line == "saved\n" else (int(line), saves)
            time.sleep(draw.uniform(0.0, 0.004))
            os.kill(child, signal.SIGKILL)
            while writer.stdout.readline() != "dead\n":
                pass
            found = checkpoint.read(tmp_path / "m.ckpt")
            now = int(found["n"])
            if set(found) != {"w", "n"} or now < last or set(np.unique(found["w"])) != {now % 10_000}:
                torn.append((last, now))
            left = [name for name in os.listdir(tmp_path) if name != "m.ckpt"]
            interrupted += bool(left)
            assert len(left) <= 1, left
            last = now
    finally:
        writer.stdin.close()
        writer.stdout.close()  # a child that still saves ends here
        writer.wait(timeout=20)
    assert not torn
    assert last >= KILLS and interrupted > KILLS / 10, (last, interrupted)
    checkpoint.save(tmp_path / "m.ckpt", ag.variable([1.0], name="w"))
    assert os.listdir(tmp_path) == ["m.ckpt"], "the next save removes what was left behind"


class Shim:
    """The module `os`, of which the `nth` call to one of `CALLS` fails."""

    CALLS = ("open", "write", "fsync", "close", "replace", "unlink", "listdir", "kill", "stat", "urandom", "getpid")

    def __init__(self, nth: int, failure: Callable[[], BaseException] | None, short: int = 0, lasting: bool = False) -> None:
        self.nth, self.failure, self.short, self.lasting = nth, failure, short, lasting
        self.log: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.CALLS:
            return real

        def call(*arguments: Any) -> Any:
            self.log.append(name)
            if self.failure and (len(self.log) == self.nth or (self.lasting and len(self.log) > self.nth)):
                if name == "close":
                    real(*arguments)
                raise self.failure()
            if name == "write" and self.short:
                arguments = (arguments[0], arguments[1][: self.short])
            return real(*arguments)

        return call


def _failures() -> list[Callable[[], BaseException]]:
    codes = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EACCES, errno.EROFS)
    return [*[lambda code=code: OSError(code, os.strerror(code)) for code in codes], KeyboardInterrupt, MemoryError]


@pytest.mark.parametrize("failure", _failures(), ids=lambda make: repr(make()).partition("(")[0] + str(make())[:10])
@pytest.mark.parametrize("before", ["old file", "no file"])
def test_every_system_call_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Callable[[], BaseException], before: str
) -> None:
    path = tmp_path / "m.ckpt"
    w = ag.variable(np.zeros(300), name="w")
    stale = f".m.ckpt.{replacing._HOST}.{2**22 + 1}.{'0' * 16}.tmp"  # a process that no Linux has
    nth, reached = 0, True
    while reached:
        nth += 1
        path.unlink(missing_ok=True)
        if before == "old file":
            w.set_value(np.full(300, 1.0))
            checkpoint.save(path, w)
        old = path.read_bytes() if path.exists() else None
        (tmp_path / stale).write_bytes(b"half of a file")
        w.set_value(np.full(300, 2.0))
        shim = Shim(nth, failure, short=700)
        monkeypatch.setattr(replacing, "os", shim)
        try:
            checkpoint.save(path, w)
            failed = None
        except BaseException as error:
            failed = error
        finally:
            monkeypatch.setattr(replacing, "os", os)
        reached = len(shim.log) >= nth
        now = path.read_bytes() if path.exists() else None
        where = f"call {nth} of {shim.log}"
        if failed is None:
            assert checkpoint.read(path)["w"].tolist() == [2.0] * 300, where
        elif now != old:  # renamed already: the folder's sync failed
            assert shim.log[: nth].count("replace") == 1 and shim.log[nth - 1] != "replace", where
            assert checkpoint.read(path)["w"].tolist() == [2.0] * 300, where
            assert not isinstance(failed, OSError) or "holds the new save" in str(failed), failed
        elif isinstance(failed, OSError):
            assert type(failed) is type(failure()) and failed.errno == failure().errno, where
            assert ("still holds the save of" if old else "nothing was saved") in str(failed), failed
            assert str(path) in str(failed)
        left = set(os.listdir(tmp_path)) - {"m.ckpt", stale}
        assert not left, (where, left)
    assert nth > 12


def test_no_system_call_is_forgotten() -> None:
    tree = ast.parse(Path(replacing.__file__).read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    harmless = {"os.strerror", "os.uname"}
    assert {name for name in called if re.fullmatch(r"os\.\w+", name)} - harmless == {f"os.{name}" for name in Shim.CALLS}


@pytest.mark.parametrize("old", [False, True])
def test_a_disk_that_fails_for_good_leaves_the_old_file_and_is_tidied_up_by_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    path, w = tmp_path / "m.ckpt", ag.variable(np.zeros(300), name="w")
    for nth in range(1, 40):
        path.unlink(missing_ok=True)
        if old:
            w.set_value(np.full(300, 1.0))
            checkpoint.save(path, w)
        before = path.read_bytes() if old else None
        w.set_value(np.full(300, 2.0))
        shim = Shim(nth, lambda: OSError(errno.EIO, "the disk is gone"), short=700, lasting=True)
        monkeypatch.setattr(replacing, "os", shim)
        failed = None
        try:
            checkpoint.save(path, w)
        except OSError as error:
            failed = error
        monkeypatch.setattr(replacing, "os", os)
        now = path.read_bytes() if path.exists() else None
        if now != before:
            assert "replace" in shim.log[: nth - 1] and checkpoint.read(path)["w"].tolist() == [2.0] * 300
        assert failed is None or ("the disk is gone" in str(failed) and str(path) in str(failed))
        assert len(set(os.listdir(tmp_path)) - {"m.ckpt"}) <= 1
        checkpoint.save(path, w)
        assert os.listdir(tmp_path) == ["m.ckpt"]
        if len(shim.log) < nth:
            break
    assert nth > 12


@pytest.mark.parametrize("short", [1, 7, 64])
def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int) -> None:
    shim = Shim(0, None, short)
    monkeypatch.setattr(replacing, "os", shim)
    w = ag.variable(np.arange(100.0), name="w")
    checkpoint.save(tmp_path / "a", w)
    assert checkpoint.read(tmp_path / "a")["w"].tolist() == list(range(100))
    assert shim.log.count("write") > 8


def test_a_write_of_nothing_is_no_endless_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing.os, "write", lambda *_: 0)
    with pytest.raises(OSError, match="nothing was saved"):
        checkpoint.save(tmp_path / "a", ag.variable([1.0], name="w"))
    assert os.listdir(tmp_path) == []


def test_syncs_come_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = Shim(0, None)
    monkeypatch.setattr(replacing, "os", shim)
    checkpoint.save(tmp_path / "a", ag.variable([1.0], name="w"))
    order = [name for name in shim.log if name in ("write", "fsync", "replace")]
    assert order == ["write", "write", "fsync", "replace", "fsync"]


@pytest.mark.parametrize("old", [False, True])
def test_an_interrupt_at_any_line_leaves_one_whole_file(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "m.ckpt"
    a, b = ag.variable([1.0], name="w"), ag.variable([2.0], name="w")
    line, reached = 0, True
    while reached:
        path.unlink(missing_ok=True)
        if old:
            checkpoint.save(path, a)
        line, reached = line + 1, False
        count = 0

        def trace(frame: Any, event: str, argument: object, line: int = line) -> Any:
            nonlocal count, reached
            if frame.f_code.co_filename != replacing.__file__:
                return None
            if event == "line":
                count += 1
                if count == line:
                    reached = True
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            checkpoint.save(path, b)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        if path.exists() or old:
            assert checkpoint.read(path)["w"].tolist() in ([[2.0]] if not old else [[1.0], [2.0]])
        checkpoint.save(path, b)
        assert os.listdir(tmp_path) == ["m.ckpt"]
    assert line > 20


def test_files_of_live_processes_and_of_other_machines_are_left_alone(tmp_path: Path) -> None:
    host, tail = replacing._HOST, f"{'0' * 16}.tmp"
    kept = [f".m.{host}.{os.getppid()}.{tail}", f".m.{'0' * 8}.{2**22 + 1}.{tail}", f".m.{host}.x.{tail}", ".mm.tmp"]
    gone = [f".m.{host}.{2**22 + 1}.{tail}", f".m.{host}.{os.getpid()}.{tail}"]
    for name in kept + gone:
        (tmp_path / name).write_bytes(b"")
    checkpoint.save(tmp_path / "m", ag.variable([1.0], name="w"))
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "m"])
