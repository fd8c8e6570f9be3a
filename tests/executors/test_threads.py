"""Many threads, many processes: ticks take effect in some serial order, and nobody sees half of one."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograph as ag
from tests.executors.faults import is_free
from tests.function.programs import CAMPAIGN, count, random_program


@pytest.fixture(autouse=True)
def _nervous_interpreter() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*work: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, starting at once; the results, or the first exception."""
    results: list[Any] = [None] * len(work)
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(work))

    def run(i: int) -> None:
        barrier.wait()
        try:
            results[i] = work[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


THREADS, CALLS = (64, 10_000) if CAMPAIGN else (8, 1000)


@pytest.mark.parametrize("mode", ["apply", "raise"])
def test_eight_threads_tick_one_counter_and_miss_nothing(mode: str) -> None:
    n = ag.variable(0, dtype="int64", name="n")
    a, b = ag.variable(np.zeros(700), name="a"), ag.variable(np.zeros(700), name="b")
    tick = ag.function([], [n, a[0], b[-1]], [(n, n + 1), (a, a + 1.0), (b, b - 1.0)], on_nonfinite=mode)

    def work() -> list[Any]:
        return [tick() for _ in range(CALLS)]

    rows = [row for found in together(*[work] * THREADS) for row in found]
    assert n.get_value() == THREADS * CALLS
    assert sorted(int(row[0]) for row in rows) == list(range(THREADS * CALLS)), "some serial order"
    assert all(row[0] == row[1] == -row[2] for row in rows), "each of one moment"
    assert is_free([n, a, b])


def test_reads_and_writes_between_ticks_see_whole_ticks() -> None:
    a, b = ag.variable(np.zeros(700), name="a"), ag.variable(np.zeros(700), name="b")
    tick = ag.function([], None, [(a, a + 1.0), (b, b - 1.0)])
    look = ag.function([], [a, b])
    done = threading.Event()
    seen = [0, 0, 0, 0]
    patience = time.monotonic() + 60

    def ticks() -> None:
        for k in itertools.count():
            tick()
            if k > CALLS and (all(seen) or time.monotonic() > patience):
                return done.set()

    def watch(number: int, read: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            while not done.is_set():
                x, y = read()
                assert x.min() == x.max() == -y.min() == -y.max()
                seen[number] += 1

        return run

    def twice() -> list[Any]:
        x = a.get_value()
        return [x, -x]

    readers = [lambda: list(tick.state().values()), look, twice, lambda: list(tick.preview().values())]
    together(ticks, *[watch(number, read) for number, read in enumerate(readers)])
    assert all(seen), "each came between two ticks"


def test_threads_with_shapes_of_their_own_get_their_own_answers() -> None:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    total = ag.variable(0, dtype="int64")
    y = ag.reduce_sum(ag.matmul(x, w)) + ag.cast(total, "float32") * 0.0
    f = ag.function([x], y, [(total, total + 1)])

    def work(rows: int) -> Callable[[], bool]:
        feed = np.full((rows, 3), rows, "float32")
        return lambda: all(f(feed) == 6 * rows * rows for _ in range(CALLS // 4))

    assert all(together(*[work(rows) for rows in range(1, 9)]))
    assert total.get_value() == 8 * (CALLS // 4)


def test_different_functions_of_shared_registers_take_turns() -> None:
    registers = [ag.variable(np.zeros(300), name=f"r{i}") for i in range(4)]
    up = [ag.function([], None, [(r, r + 1.0) for r in registers[i:] + registers[:i]]) for i in range(4)]

    def work(i: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(CALLS // 2):
                up[i]()

        return run

    together(*[work(i) for i in range(4)])
    assert all((r.get_value() == 4 * (CALLS // 2)).all() for r in registers)


def test_graphs_are_built_and_prepared_by_many_threads_at_once() -> None:
    shared = [ag.variable(np.arange(3.0) + i, name=f"s{i}") for i in range(3)]
    seeds = range(count(25, 250))

    def work() -> list[Any]:
        found: list[Any] = []
        for seed in seeds:
            p = random_program(seed, 8)
            f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
            found.append([np.asarray(r).tobytes() for r in f(*p.feeds(seed))] + p.state())
            mine = ag.variable(np.zeros(3))
            g = ag.function([], shared, [(mine, mine + shared[seed % 3]), (shared[0], shared[0] * 1.0)])
            g(), g()
            loss = ag.reduce_sum(ag.square(mine * shared[1]))
            found.append(np.asarray(ag.function([], ag.gradients(loss, mine))()).tobytes())
        return found

    first, *others = together(*[work] * 8)
    assert all(found == first for found in others)
    assert is_free(shared)


def test_merging_while_others_tick_never_blocks() -> None:
    registers = [ag.variable(np.zeros(50)) for _ in range(8)]
    own = [ag.function([], None, [(r, r + 1.0)]) for r in registers]

    def ticks(i: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(count(300, 5000)):
                own[i]()

        return run

    def merges(step: int) -> Callable[[], None]:
        def run() -> None:
            for i in range(8):
                a, b = registers[i], registers[(i + step) % 8]
                ag.function([], None, [(a, a + 0.0), (b, b + 0.0)])()

        return run

    together(*[ticks(i) for i in range(6)], merges(1), merges(3), merges(5))
    for f in own:
        f()
    assert len({id(r.register.domain.root()) for r in registers}) == 1
    assert [float(r.get_value()[0]) for r in registers] == [count(300, 5000) + 1.0] * 6 + [1.0] * 2


def test_domains_do_not_pile_up_with_functions() -> None:
    w = ag.variable(np.zeros(3))
    for _ in range(50):
        ag.function([], w, [(w, w + 1.0)])
    depth, domain = 0, w.register.domain
    while domain.parent is not None:
        depth, domain = depth + 1, domain.parent
    assert depth <= 1


# processes ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_middle_of_anothers_tick_gives_a_child_that_works() -> None:
    a, b = ag.variable(np.zeros(100_000), name="a"), ag.variable(np.zeros(100_000), name="b")
    tick = ag.function([], ag.reduce_sum(a), [(a, a + 1.0), (b, b - 1.0)])
    tick()
    done = threading.Event()

    def ticks() -> None:
        while not done.is_set():
            tick()

    threads = [threading.Thread(target=ticks) for _ in range(2)]
    for thread in threads:
        thread.start()
    codes = []
    try:
        for _ in range(count(15, 500)):
            child = os.fork()
            if child == 0:  # no assert, no return: a child must not come back into pytest
                try:
                    x, y = a.get_value(), b.get_value()
                    whole = x.min() == x.max() == -y.min() == -y.max()
                    tick()
                    os._exit(0 if whole and a.get_value()[0] == x[0] + 1 else 1)
                except BaseException:
                    os._exit(2)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {0}
    tick()
    assert is_free([a, b])


def _in_a_process(f: Any) -> float:
    return float(f(np.ones((2, 3), "float32"), True)["loss"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_functions_go_to_other_processes(method: str) -> None:
    from tests.function.test_life import training

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    f, w = training()
    before = w.get_value()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(method).Pool(1) as pool:
            found = pool.map(_in_a_process, [f, f])
    assert w.get_value().tobytes() == before.tobytes(), "a copy has registers of its own"
    assert found == [_in_a_process(f)] * 2
