"""`f.loop` runs its ticks inside native code, and does what as many calls do."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.control import map_rows
from autograph.executors.native.looping import Bound
from optimizers import Adam


def step(executor: str, shape: tuple[int, ...] = (4, 3), **options: Any) -> tuple[Any, list[Any]]:
    """A step of training: its loss, predictions, and how many ticks there were."""
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, shape[0])), ag.placeholder((None, shape[1]))
    w, n = ag.variable(rng.normal(size=shape), name="w"), ag.variable(0, name="n", dtype="int64")
    y = ag.tanh(ag.matmul(x, w))
    loss = ag.reduce_mean(ag.square(y - t))
    updates = Adam(lr=0.05).get_updates(loss, [w]) + [(n, n + 1)]
    return ag.function([x, t], [loss, y, n], updates, executor=executor, **options), [w, n]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ticks each native call made."""
    counts: list[int] = []
    run = Bound.run

    def counting(self: Bound, *args: Any) -> int:
        counts.append(run(self, *args))
        return counts[-1]

    monkeypatch.setattr(Bound, "run", counting)
    return counts


@pytest.mark.parametrize("outputs", ["stack", "last"])
@pytest.mark.parametrize("n", [1, 2, 37])
def test_a_loop_gives_what_as_many_calls_give(n: int, outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    xs, t = rng.normal(size=(n, 5, 4)).astype("float32"), rng.normal(size=(5, 3)).astype("float32")
    counts = counted(monkeypatch)
    (looped, registers), (called, others) = step("native"), step("native")
    got = looped.loop(n, xs, t, outputs=outputs)
    rows = [called(x, t) for x in xs]
    wanted = rows[-1] if outputs == "last" else [np.stack(column) for column in zip(*rows, strict=True)]
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.shape(a) == np.shape(b) and a.dtype == b.dtype
    for a, b in zip(registers, others, strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    assert sum(counts) == n - 1, "all but the first, which prepares"


def test_stacks_may_lie_in_any_way() -> None:
    rng = np.random.default_rng(2)
    xs = np.asfortranarray(rng.normal(size=(9, 5, 4)).astype("float32"))
    ts = rng.normal(size=(9, 5, 6)).astype("float32")[..., ::2]
    (a, registers), (b, others) = step("native"), step("native")
    np.testing.assert_array_equal(a.loop(9, xs, ts)[0], [b(x, t)[0] for x, t in zip(xs, ts, strict=True)])
    np.testing.assert_array_equal(registers[0].get_value(), others[0].get_value())


def test_long_feeds_of_the_commit_are_stacked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    g = ag.placeholder((9000,))
    w = ag.variable(np.zeros(9000), dtype="float32")
    f = ag.function([g], ag.reduce_sum(w), [(w, w + g)], executor="native")
    gs = np.random.default_rng(3).normal(size=(6, 9000)).astype("float32")
    counts = counted(monkeypatch)
    f.loop(6, gs)
    total = np.zeros(9000, "float32")
    for row in gs:
        total += row
    np.testing.assert_array_equal(w.get_value(), total)
    assert sum(counts) == 5


def test_rows_that_go_home_in_the_commit_are_looped_too() -> None:
    ids = ag.placeholder((None,), dtype="int64")
    tables = [ag.variable(np.arange(40.0).reshape(10, 4), dtype="float32") for _ in range(2)]
    fs = []
    for table, name in zip(tables, ("native", "numpy"), strict=True):
        loss = ag.reduce_sum(ag.square(ag.gather(table, ids)))
        fs.append(ag.function([ids], loss, Adam(lr=0.1).get_updates(loss, [table]), executor=name))
    stack = np.random.default_rng(5).integers(0, 10, (8, 3))
    np.testing.assert_allclose(*(f.loop(8, stack) for f in fs), rtol=1e-5)
    np.testing.assert_allclose(*(table.get_value() for table in tables), rtol=1e-5)


def test_graphs_that_an_op_holds_are_looped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ag.placeholder((None, 3))
    w = ag.variable(np.ones(3), dtype="float32")
    row = ag.placeholder((3,))
    rows = map_rows(row * 2.0 + ag.reduce_max(row), row, x)
    f, g = (ag.function([x], rows, [(w, w + ag.reduce_sum(rows, 0))], executor=name) for name in ("native", "numpy"))
    xs = np.random.default_rng(4).normal(size=(7, 5, 3)).astype("float32")
    counts = counted(monkeypatch)
    got, after = f.loop(7, xs), w.get_value()
    w.set_value(np.ones(3, "float32"))
    np.testing.assert_allclose(got, g.loop(7, xs), rtol=1e-6)
    np.testing.assert_allclose(after, w.get_value(), rtol=1e-5)
    assert sum(counts) == 6


@pytest.mark.parametrize("nested", [False, True])
def test_updates_behind_a_guard_are_looped_too(nested: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = counted(monkeypatch)
    x = ag.placeholder((None,))
    rows = []
    for executor in ("native", "numpy"):
        w, n, m = ag.variable(np.zeros(40)), ag.variable(0, dtype="int64"), ag.variable(0.5)
        updates = ag.Updates([(w, w + ag.tanh(x))]).when(ag.equal(n % 3, 0)) + ag.Updates([(n, n + 1)])
        updates += ag.Updates([(m, m * 1.5)]).when(m < 4.0)
        f = ag.function([x], [w, n, m], updates.when(n < 7) if nested else updates, executor=executor)
        rows.append(f.loop(11, np.linspace(-1, 1, 440).reshape(11, 40).astype("float32")))
    for got, wanted in zip(*rows, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7)
    assert sum(counts) == 10


@pytest.mark.parametrize("case", ["skip", "host"])
def test_what_is_not_machine_code_as_a_whole_goes_tick_by_tick(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = counted(monkeypatch)
    x = ag.placeholder((None,))
    w = ag.variable(0.0)
    updates = ag.Updates([(w, w + ag.reduce_sum(x))])
    total: Any = ag.reduce_sum(ag.sort(x)) if case == "host" else w
    f = ag.function([x], total, updates, executor="native", on_nonfinite="skip" if case == "skip" else "apply")
    f.loop(5, np.ones(40, "float32"))
    assert w.get_value() == 200.0 and sum(counts) == 0


def test_an_error_in_a_tick_says_how_many_were_committed() -> None:
    x = ag.placeholder((None, 2))
    k = ag.placeholder((), dtype="int64")
    w = ag.variable(0.0)
    f = ag.function([x, k], ag.gather(x, k), [(w, w + 1.0)], executor="native")
    with pytest.raises(ag.LoopError) as raised:
        f.loop(20, np.ones((3, 2), "float32"), np.array([0, 1] * 8 + [7] + [0] * 3))
    assert raised.value.committed == 16 and w.get_value() == 16.0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers are POSIX's")
def test_an_interrupt_ends_a_loop_soon_and_between_ticks() -> None:
    f, (_, n) = step("native", (64, 64))
    x, t = np.ones((32, 64), "float32"), np.ones((32, 64), "float32")
    f(x, t)
    late = []

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for delay in (0.01, 0.05, 0.2):
            start = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, delay)
            with pytest.raises(KeyboardInterrupt):
                f.loop(10**9, x, t, outputs="last")
            late.append(time.perf_counter() - start - delay)
            count = int(n.get_value())
            assert count == int(f(x, t)[2]), "the register is that of a whole tick"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert min(late) < 0.05, late


def test_calls_of_another_thread_come_between() -> None:
    f, (_, n) = step("native")
    x, t = np.ones((5, 4), "float32"), np.ones((5, 3), "float32")
    other = np.ones((6, 4), "float32"), np.ones((6, 3), "float32")
    f(x, t)
    thread = threading.Thread(target=lambda: [f(*other) for _ in range(50)])
    thread.start()
    f.loop(3000, x, t, outputs="last")
    thread.join()
    assert n.get_value() == 3051
