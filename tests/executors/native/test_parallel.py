"""Long loops on several threads give the same bits for any number of them, wherever a call comes from and whatever ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
import optimizers
from autograph import config
from autograph.executors.native import parallel
from tests.executors.faults import Shots, values
from tests.executors.native.test_agreement import close
from tests.function.programs import count, random_program

pytestmark = pytest.mark.skipif(not parallel._system(), reason="threads are POSIX's")
COUNTS = (1, 2, 3, 5)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of threads, of which even small loops are worth the while."""
    monkeypatch.setitem(config._settings, "threads", "1")
    monkeypatch.setattr(parallel, "PART", 64)
    return ag.set_threads


def ways(x: Any, y: Any) -> list[Any]:
    """Loops over all, along rows and columns, with results of many kinds."""
    z = ag.tanh(x) * y
    return [
        z, ag.reduce_sum(z), ag.reduce_sum(x + y, 0), ag.reduce_sum(x * y, 1), ag.reduce_max(z), ag.reduce_min(x, 0),
        ag.softmax(x), ag.logsumexp(y, 1), ag.transpose(x) * 2.0, x[::-1, ::2] - 1.0, ag.reduce_any(x > 2.0),
        ag.reduce_all(x > y),
        ag.cast(x * 10.0, "int32"), ag.reduce_sum(ag.cast(x * 10.0, "int64")), ag.reduce_mean(ag.square(x - y)), x > 0.0,
        ag.reduce_sum(ag.transpose(x) * ag.transpose(y)), ag.reduce_sum(x + ag.reduce_max(y)), ag.concatenate([x, z], 1),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shape", [(40, 50), (3, 517), (600, 2), (1, 1000), (997, 1), (5, 0), (64, 64)])
def test_results_are_the_same_for_any_number_of_threads(
    dtype: str, shape: tuple[int, int], threads: Callable[[int], None]
) -> None:
    rng = np.random.default_rng(0)
    data = [rng.normal(size=shape).astype(dtype) for _ in range(2)]
    x, y = (ag.placeholder((None, None), dtype=dtype) for _ in data)
    outputs = [o for o in ways(x, y) if shape[1] or o.ndim == 2]
    if not shape[1]:
        outputs = [x * y, ag.tanh(x), ag.reduce_sum(x, 1, keepdims=True)]
    found = []
    for many in COUNTS:
        threads(many)
        f = ag.function([x, y], outputs, executor="native")
        found.append([np.asarray(o).tobytes() for o in f(*data)])
    assert all(one == found[0] for one in found)
    if dtype != "float16":
        for got, wanted in zip(f(*data), ag.function([x, y], outputs, executor="numpy")(*data), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=2e-4 if dtype == "float32" else 1e-10, atol=1e-5)


def test_random_programs_do_not_depend_on_the_number_of_threads(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "PART", 1)
    monkeypatch.setattr(parallel, "_FEWEST", 2)
    for seed in range(count(25, 1000)):
        p = random_program(seed)
        start, ends = [v.get_value() for v in p.variables], []
        for many in COUNTS:
            threads(many)
            ag.set_values(dict(zip(p.variables, start, strict=True)))
            f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", executor="native")
            ends.append([np.asarray(o).tobytes() for k in range(2) for o in f(*p.feeds(seed + k))] + p.state())
        assert all(end == ends[0] for end in ends), seed
        ag.set_values(dict(zip(p.variables, start, strict=True)))
        got = f(*p.feeds(seed))
        ag.set_values(dict(zip(p.variables, start, strict=True)))
        plain = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", executor="numpy")
        assert all(close(a, b, "float32") for a, b in zip(got, plain(*p.feeds(seed)), strict=True)), seed


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "LAMB", "Adagrad", "Rprop", "Lion"])
def test_trajectories_do_not_depend_on_the_number_of_threads(name: str, threads: Callable[[int], None]) -> None:
    ends = []
    for many in COUNTS:
        threads(many)
        rng = np.random.default_rng(1)
        params = [ag.variable(rng.normal(size=shape), dtype="float32") for shape in ((37, 50), (50,), (50, 21))]
        x = ag.placeholder((None, 37))
        loss = ag.reduce_mean(ag.square(ag.matmul(ag.tanh(ag.matmul(x, params[0]) + params[1]), params[2])))
        updates = getattr(optimizers, name)(clipnorm=1.0).get_updates(loss, params)
        f = ag.function([x], loss, updates, executor="native")
        data = rng.normal(size=(60, 37)).astype("float32")
        ends.append([f(data).tobytes() for _ in range(3)] + [f.loop(4, data).tobytes()] + values(f.registers))
    assert all(end == ends[0] for end in ends)


def test_loops_within_scans_are_shared_in_each_turn(threads: Callable[[int], None]) -> None:
    rng = np.random.default_rng(2)
    data, start = (rng.normal(size=shape).astype("float32") for shape in ((6, 30, 40), (30, 40)))
    found = []
    for executor, many in [("numpy", 1), *(("native", many) for many in COUNTS)]:
        threads(many)
        x, h = ag.placeholder((None, 30, 40)), ag.placeholder((30, 40))
        last, rows = ag.scan(lambda a, e: (ag.tanh(a + e) * 0.5, ag.reduce_sum(a * e, 1) + ag.reduce_max(e)), h, x)
        outputs = [last, rows, *ag.gradients(ag.reduce_sum(last) + ag.reduce_sum(rows), [x, h])]
        f = ag.function([x, h], outputs, executor=executor)
        for feeds in ((data * 2, start), (data, start)):
            got = f(*feeds)
        found.append(got)
    assert "\n" not in f.explain(), "the scan is machine code"
    for other in found[2:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[1], other, strict=True))
    for a, b in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_threads_take_part(threads: Callable[[int], None]) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("the system does not tell what a thread has done")
    threads(3)
    x = ag.placeholder((None,), dtype="float64")
    f = ag.function([x], ag.exp(ag.sin(x) * ag.cos(x)), executor="native")
    data = np.linspace(0, 9, 500_000)
    f(data)
    ours = {str(thread.native_id) for thread in threading.enumerate()}
    end = time.monotonic() + 30

    def spent() -> int:
        tasks = [t for t in Path("/proc/self/task").iterdir() if t.name not in ours]
        return sum(int(t.joinpath("stat").read_text().rsplit(")", 1)[1].split()[11]) for t in tasks)

    before = spent()
    while spent() < before + 2 and time.monotonic() < end:
        f(data)
    assert spent() >= before + 2, "no other thread has run"


def test_callers_that_come_together_share_the_threads(threads: Callable[[int], None]) -> None:
    threads(3)
    x = ag.placeholder((None,))
    data = [np.linspace(-3, end, 70_000, dtype="float32") for end in (2, 3)]  # by turns: nobody finds old results that are right
    fs = [ag.function([x], [ag.tanh(x * k), ag.reduce_sum(ag.sin(x * k))], executor="native") for k in (1.0, 2.0, 3.0, 4.0)]
    wanted = [[[np.asarray(o).tobytes() for o in f(some)] for some in data] for f in fs]
    wrong: list[int] = []

    def call(k: int) -> None:
        for i in range(count(100, 3000)):
            if [np.asarray(o).tobytes() for o in fs[k](data[i % 2])] != wanted[k][i % 2]:
                wrong.append(k)

    callers = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.alone
def test_signals_between_ticks_of_several_threads_tear_nothing(threads: Callable[[int], None]) -> None:
    threads(3)
    a, b = ag.variable(np.zeros(60_000), dtype="float32"), ag.variable(np.zeros(60_000), dtype="float32")
    f = ag.function([], ag.reduce_sum(a), [(a, a + 1.0), (b, b - ag.exp(a * 0.0))], executor="native")
    f(), f()
    hits = 0
    with Shots(1, 3e-4) as shots:
        for _ in range(count(500, 20_000)):
            hits += shots.fire(lambda: [f() for _ in range(4)]) > 0
            x, y = a.register.home, b.register.home
            assert x.min() == x.max() == -y.min() == -y.max()
    assert hits > 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_has_threads_of_its_own(threads: Callable[[int], None]) -> None:
    threads(3)
    x = ag.placeholder((None,))
    f = ag.function([x], [ag.tanh(x), ag.reduce_sum(x)], executor="native")
    data = np.linspace(-3, 3, 50_000, dtype="float32")
    wanted = [np.asarray(o).tobytes() for o in f(data)]
    for _ in range(5):
        child = os.fork()
        if child == 0:
            same = all([np.asarray(o).tobytes() for o in f(data)] == wanted for _ in range(20))
            os._exit(0 if same and len(parallel._threads) >= 2 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [np.asarray(o).tobytes() for o in f(data)] == wanted


def test_a_process_ends_with_its_threads() -> None:
    program = (
        "import numpy as np, autograph as ag; ag.set_threads(4); x = ag.placeholder((None,))\n"
        "f = ag.function([x], ag.exp(x), executor='native'); y = f(np.zeros(2_000_000, 'float32'))\n"
        "from autograph.executors.native import parallel; assert len(parallel._threads) == 3 and y.min() == 1"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 0 and not ended.stderr, ended.stderr


def test_there_are_no_more_threads_than_parts(threads: Callable[[int], None]) -> None:
    threads(10**6)
    x = ag.placeholder((None,))
    f = ag.function([x], ag.exp(x), executor="native")
    assert f(np.zeros(9000, "float32")).sum() == 9000 and len(parallel._threads) < parallel.MOST


def test_parts_depend_on_sizes_alone() -> None:
    assert parallel.cut(100, 1, parallel.PART) == [(0, 100)]
    for size, unit in ((1000, 1), (1000, 8), (64, 16), (10**7, 32)):
        parts = parallel.cut(size, unit, 7 * parallel.PART)
        assert parts[0][0] == 0 and parts[-1][1] == size and all(a[1] == b[0] for a, b in pairwise(parts))
        assert all(start % unit == 0 and stop > start for start, stop in parts) and len(parts) in (4, 7)


def test_the_setting_is_a_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(config._settings, "threads", "")
    assert ag.threads() == config.processors() >= 1
    for wrong in (0, -1, 1.5, "two", None):
        with pytest.raises(ag.ArgumentError):
            ag.set_threads(wrong)  # type: ignore[arg-type]
    ag.set_threads(2)
    assert ag.threads() == 2
