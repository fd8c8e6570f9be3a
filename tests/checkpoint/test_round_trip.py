"""Saved and loaded: the same bits, the same names, a file that the safetensors package reads too."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import checkpoint
from autograph.graph import register
from optimizers import SGD, Adam
from tests.checkpoint.files import bits, parts, saved, state


def test_every_dtype_and_shape_comes_back_bit_for_bit(tmp_path: Path) -> None:
    first, second = state(1), state(2)
    checkpoint.save(tmp_path / "a.ckpt", first)
    assert bits(first) != bits(second)
    assert checkpoint.load(tmp_path / "a.ckpt", second) == []
    assert bits(first) == bits(second)
    arrays = checkpoint.read(str(tmp_path / "a.ckpt"))
    assert {name: array.tobytes() for name, array in arrays.items()} == bits(first)
    assert all(arrays[n].shape == v.shape and arrays[n].dtype == v.dtype for n, v in first.items())
    assert all(array.flags.writeable and array.flags.owndata for array in arrays.values())


def test_a_file_is_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    registers = state(1)
    backwards = dict(reversed(registers.items()))
    assert saved(tmp_path, registers) == saved(tmp_path, backwards)


def test_the_layout_is_that_of_safetensors(tmp_path: Path) -> None:
    header, data = parts(saved(tmp_path, state(3)))
    assert (8 + len(header)) % 64 == 0 and header.rstrip(b" ").endswith(b"}}")
    sizes = [array.itemsize for array in checkpoint.read(tmp_path / "old.ckpt").values()]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(array.nbytes for array in checkpoint.read(tmp_path / "old.ckpt").values()) == len(data)


def test_names_come_from_variables_and_from_dicts(tmp_path: Path) -> None:
    w, b, u = ag.variable([1.0], name="w"), ag.variable([2.0], name="b"), ag.variable([3.0])
    cases: list[tuple[Any, list[str]]] = [
        (w, ["w"]),
        ([w, b], ["b", "w"]),
        (iter([w, b]), ["b", "w"]),
        ({"x": w}, ["x"]),
        ({"x": u, "y": {"z": u}}, ["x", "y/z"]),
        ({"model": [w, b], "more": {"list": [w]}}, ["model/b", "model/w", "more/list/w"]),
        ([{"x": u}, w], ["w", "x"]),
        ({"dense/kernel": u}, ["dense/kernel"]),
        ([], []),
    ]
    for what, names in cases:
        checkpoint.save(tmp_path / "a", what)
        assert sorted(checkpoint.read(tmp_path / "a")) == names


def test_slots_are_named_by_their_parameters(tmp_path: Path) -> None:
    w, u = ag.variable([1.0], name="w"), ag.variable([3.0])
    loss, adam = ag.reduce_sum(ag.square(w) + u), Adam()
    adam.get_updates(loss, [w, u])
    with pytest.raises(ag.ArgumentError, match=r"variable\(…, name="):
        checkpoint.save(tmp_path / "a", adam)
    checkpoint.save(tmp_path / "a", {"model": {"u": u, "w": w}, "adam": adam})
    names = set(checkpoint.read(tmp_path / "a"))
    assert {"adam/m/w", "adam/v/w", "adam/m/model/u", "adam/v/model/u", "adam/Adam/iterations", "model/u"} <= names
    u.name = "u"  # a name that comes late will do
    checkpoint.save(tmp_path / "b", adam)
    assert {"m/w", "m/u", "v/w", "v/u", "Adam/learning_rate"} <= set(checkpoint.read(tmp_path / "b"))


def test_one_register_under_two_names_is_loaded_where_they_agree(tmp_path: Path) -> None:
    w, a, b = ag.variable([1.0]), ag.variable([1.0]), ag.variable([2.0])
    checkpoint.save(tmp_path / "a", {"x": w, "y": w})
    assert checkpoint.load(tmp_path / "a", {"x": w, "y": w}) == []
    checkpoint.save(tmp_path / "a", {"x": a, "y": b})
    with pytest.raises(ag.CheckpointError, match="one variable, and the file has two values"):
        checkpoint.load(tmp_path / "a", {"x": w, "y": w})


def test_homes_that_a_function_placed_side_by_side_are_saved_too(tmp_path: Path) -> None:
    registers = {f"w{i}": ag.variable(np.full((3, 4), float(i)), name=f"w{i}") for i in range(6)}
    f = ag.function([], None, [(w, w * 2.0 + 1.0) for w in registers.values()])
    f()
    before = bits(registers)
    checkpoint.save(tmp_path / "a", registers)
    f()
    checkpoint.load(tmp_path / "a", registers)
    assert bits(registers) == before
    f()
    assert registers["w1"].get_value()[0, 0] == 7.0


def test_a_file_is_private_and_a_link_is_replaced(tmp_path: Path) -> None:
    w = ag.variable([1.0], name="w")
    (tmp_path / "target").write_bytes(b"precious")
    os.symlink(tmp_path / "target", tmp_path / "a.ckpt")
    checkpoint.save(tmp_path / "a.ckpt", w)
    found = os.lstat(tmp_path / "a.ckpt")
    assert stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt", "target"]


def test_a_long_name_of_a_file_is_no_obstacle(tmp_path: Path) -> None:
    w = ag.variable([1.0], name="w")
    for name in ("é" * 127, "x" * 255, "🙂" * 63):
        checkpoint.save(tmp_path / name, w)
        assert checkpoint.load(tmp_path / name, w) == []


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads give way to each other as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@contextmanager
def unhurried() -> Iterator[None]:
    """This thread gives way to others at every step of taking a snapshot; who forgets to hold the lock then is seen."""

    def step(frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if code.co_filename == register.__file__ or code.co_name in ("_snapshot", "<lambda>", "<dictcomp>"):
            frame.f_trace_opcodes = True
            time.sleep(1e-5)
            return step
        return None

    before = sys.gettrace()
    sys.settrace(step)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.usefixtures("many_switches")
def test_a_save_while_threads_train_is_of_one_tick(tmp_path: Path) -> None:
    params = [ag.variable(np.zeros(2000 + i), "float64", f"w{i}") for i in range(5)]
    sgd = SGD(1.0)
    updates = sgd.get_updates([np.full(p.get_value().shape, -1.0) for p in params], params)  # each step adds 1
    ticks = [ag.function([], None, updates) for _ in range(3)]
    registers = {"model": params, "sgd": sgd}
    done = threading.Event()

    def train(f: Any) -> None:
        while not done.is_set():
            f()

    def of_one_tick(arrays: dict[str, Any]) -> set[float]:
        values = {float(x) for name, a in arrays.items() if "/w" in name or "iterations" in name for x in np.unique(a)}
        assert len(values) == 1, values
        return values

    threads = [threading.Thread(target=train, args=(f,)) for f in ticks]
    for thread in threads:
        thread.start()
    seen: set[float] = set()
    try:
        for i in range(400):
            with unhurried():
                checkpoint.save(tmp_path / "a", registers)
            seen |= of_one_tick(checkpoint.read(tmp_path / "a"))
            if i % 2:
                checkpoint.load(tmp_path / "a", registers)
            if i >= 5 and len(seen) > 3:
                break
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert len(seen) > 3
    of_one_tick({f"model/{p.name}": p.get_value() for p in params} | {"iterations": sgd.iterations.get_value()})


def test_threads_that_save_to_one_path_leave_one_whole_file(tmp_path: Path) -> None:
    values = [ag.variable(np.full(50_000, float(i)), name="w") for i in range(4)]
    errors: list[BaseException] = []

    def work(w: ag.Variable) -> None:
        try:
            for _ in range(10):
                checkpoint.save(tmp_path / "a", w)
                assert len(np.unique(checkpoint.read(tmp_path / "a")["w"])) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(w,)) for w in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert os.listdir(tmp_path) == ["a"]
