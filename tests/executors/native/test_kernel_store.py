"""Kernels kept on disk: found again by later processes, and never taken where they may not be what was written."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

from autograph import config
from autograph.executors.native import compiler, kernel_store
from tests.executors.native.running import elementwise

POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")
X = np.arange(1.0, 12.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of its own, and nothing that was compiled before."""
    found = tmp_path / "kernels"
    monkeypatch.setitem(config._settings, "kernel_store", str(found))
    monkeypatch.setattr(compiler, "_cache", type(compiler._cache)())
    yield found
    kernel_store._opened.cache_clear()
    kernel_store._told.cache_clear()


def run_anew() -> np.ndarray:
    """√x by a kernel, as a process that has compiled nothing yet."""
    compiler._cache.clear()
    kernel_store._opened.cache_clear()
    return elementwise("sqrt", X)


def count_compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    compile_ = compiler._together
    monkeypatch.setattr(compiler, "_together", lambda texts: counts.append(len(texts)) or compile_(texts))
    return counts


def test_nothing_is_kept_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(config._settings, "kernel_store", "")
    monkeypatch.chdir(tmp_path)
    run_anew()
    assert not list(tmp_path.iterdir())


def test_a_later_process_compiles_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = count_compilations(monkeypatch)
    for _ in range(3):
        np.testing.assert_array_equal(run_anew(), np.sqrt(X))
    assert counts == [1]


@POSIX
def test_folder_and_entries_are_for_their_owner_alone(folder: Path) -> None:
    run_anew()
    (entry,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700 and entry.stat().st_mode & 0o777 == 0o600


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755, 0o777])
def test_a_folder_that_others_may_use_is_refused(folder: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run_anew()
    folder.chmod(mode)
    counts = count_compilations(monkeypatch)
    with pytest.warns(RuntimeWarning, match="others may use it"):
        np.testing.assert_array_equal(run_anew(), np.sqrt(X))
    assert counts == [1]


@POSIX
def test_a_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_anew()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    counts = count_compilations(monkeypatch)
    with pytest.warns(RuntimeWarning, match="another user"):
        run_anew()
    assert counts == [1]


@POSIX
def test_a_link_to_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(RuntimeWarning, match="a link"):
        run_anew()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_damaged_entry_is_compiled_anew_and_mended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_anew()
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    counts = count_compilations(monkeypatch)
    places = [*range(0, 40), *range(40, len(whole), 97), len(whole) - 1]
    damaged = [whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :] for k in places]
    damaged += [b"", whole[:20], whole[:-1], whole + b"\0", bytes(len(whole))]
    for number, bad in enumerate(damaged, 1):
        entry.write_bytes(bad)
        np.testing.assert_array_equal(run_anew(), np.sqrt(X))
        assert len(counts) == number and entry.read_bytes() == whole


def test_an_entry_under_another_kernels_name_is_no_entry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_anew()
    (first,) = folder.iterdir()
    elementwise("negative", X)
    (second,) = set(folder.iterdir()) - {first}
    first.write_bytes(second.read_bytes())
    np.testing.assert_array_equal(run_anew(), np.sqrt(X))


@pytest.mark.parametrize("what", ["get_host_cpu_name", "get_default_triple"])
def test_code_for_another_processor_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run_anew()
    entries = set(folder.iterdir())
    monkeypatch.setattr(compiler.llvm, what, lambda: "another")
    compiler._context.cache_clear()
    try:
        assert kernel_store.store(compiler._context()).get(next(iter(compiler._cache))) is None
    finally:
        compiler._context.cache_clear()
    assert set(folder.iterdir()) == entries


def test_a_folder_that_is_full_stops_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernel_store.Store, "put", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        np.testing.assert_array_equal(run_anew(), np.sqrt(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_anew()


def test_processes_that_write_the_same_entries_at_once_agree(folder: Path) -> None:
    program = (
        "import numpy as np, autograph as ag\n"
        "x = ag.placeholder((None, None), dtype='float64')\n"
        "y = [ag.sqrt(x), -x, ag.reduce_sum(x, 1), x * x - 1.0]\n"
        "f = ag.function([x], y, executor='native')\n"
        "a = np.arange(200.0).reshape(10, 20)\n"
        "root, minus, total, other = f(a)\n"
        "assert (root == np.sqrt(a)).all() and (minus == -a).all() and (total == a.sum(1)).all() and (other == a * a - 1).all()\n"
    )
    environment = {**os.environ, "AUTOGRAPH_KERNEL_STORE": str(folder), "PYTHONWARNINGS": "error::RuntimeWarning"}
    start = [sys.executable, "-c", program]
    running = [subprocess.Popen(start, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=120)[1] for process in running] == [""] * 4
    names = [entry.name for entry in folder.iterdir()]
    assert names and all(len(name) == 64 for name in names)
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
