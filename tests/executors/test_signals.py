"""All or nothing, under two real timer signals a call, against an uninterrupted trajectory, byte for byte."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.executors.numpy import commit
from autograph.graph.tensor import Variable
from optimizers import SGD, Adam, SparseAdam
from tests.executors.faults import Shots, embedding, is_free, network, values
from tests.function.programs import count

pytestmark = pytest.mark.alone


def needs_timers(test: Any) -> Any:
    """For tests with real signals: one that falls into a finalizer is lost, which tears nothing."""
    skip = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timer signals")
    return skip(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(test))


SLOWEST = 200e-6  # seconds: so long a timer may take to go off, so that shorter steps are several under one signal
NETWORKS: dict[str, Callable[[], tuple[Any, list[Variable], list[Any]]]] = {
    "Adam": lambda: network("apply", Adam(0.01, amsgrad=True)),
    "Adam, refusing": lambda: network("raise", Adam(0.01)),
    "Adam, skipping": lambda: network("skip", Adam(0.01, clipnorm=1.0)),
    "momentum, guarded": lambda: network("apply", SGD(0.01, momentum=0.9), guard=True),
    "a product stepped at once": lambda: network("apply", SGD(0.01), width=2100),
    "blocks": lambda: network("apply", Adam(0.01), width=400),
    "rows": lambda: embedding("apply", SparseAdam(0.01)),
    "rows, refusing": lambda: embedding("raise", SparseAdam(0.01, clipnorm=1.0)),
}


@needs_timers
@pytest.mark.parametrize("case", NETWORKS)
def test_two_signals_a_call_never_tear_a_step(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if case == "blocks":
        monkeypatch.setattr(commit, "BLOCK", 256)
    f, registers, feeds = NETWORKS[case]()
    g, twins, _ = NETWORKS[case]()  # the uninterrupted trajectory, which follows f
    start = f.state()
    f(*feeds)
    f.restore(start)
    assert sum(v.register.home.size for v in registers) > 500
    by_twin = {twin: start[v] for v, twin in zip(registers, twins, strict=True)}
    g(*feeds)
    g.restore(by_twin)
    for _ in range(5):
        f.profile(*feeds, ticks=1)
        g.profile(*feeds, ticks=1)
    f.loop(2, *feeds), g.loop(2, *feeds)  # from then on nothing is compiled
    began = perf_counter()
    f.loop(10, *feeds)
    g.loop(10, *feeds)
    longest = (perf_counter() - began) / 20
    several = math.ceil(SLOWEST / longest)
    hits = 0
    with Shots(len(case), 1.3 * longest * several) as shots:
        for _ in range(count(1_500, 25_000)):
            hits += shots.fire(lambda: [f(*feeds) for _ in range(several)]) > 0
            found, left = values(registers), several
            while found != values(twins) and left:
                g(*feeds)
                left -= 1
            assert found == values(twins), "no step was torn"
            assert not any(v.register.domain.root().lock._is_owned() for v in registers)  # type: ignore[attr-defined]
    assert hits > 20, "the shots must land"
    f(*feeds), g(*feeds)
    assert values(registers) == values(twins) and is_free(registers)


@needs_timers
def test_signals_leave_no_lock_behind_in_reads_and_writes() -> None:
    v = ag.variable(np.zeros(1000))
    lock = v.register.domain.root().lock
    hits = 0
    with Shots(1, 6e-6) as shots:
        for _ in range(count(2000, 100_000)):
            hits += shots.fire(v.get_value) > 0
            hits += shots.fire(lambda: v.set_value(1.0 + np.zeros(1000))) > 0
            assert not lock._is_owned()  # type: ignore[attr-defined]
            assert v.register.home.min() == v.register.home.max()
    assert hits > 100


@needs_timers
def test_a_signal_in_a_loop_stops_it_between_two_ticks() -> None:
    a, b = ag.variable(np.zeros(600)), ag.variable(np.zeros(600))
    f = ag.function([], None, [(a, a + 1.0), (b, b - 1.0)])
    f()
    with Shots(2, 2e-3) as shots:
        hits = sum(shots.fire(lambda: f.loop(10_000)) > 0 for _ in range(count(20, 500)))
    assert hits > 10
    np.testing.assert_array_equal(a.get_value(), -b.get_value())
    assert a.get_value().min() == a.get_value().max()
