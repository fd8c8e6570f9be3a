"""What a function can do besides being called: loops, snapshots, copies, pickles, looks inside, and depth."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.updates import Updates
from optimizers import Adam
from tests.function.programs import close, count, random_program

# loops ----------------------------------------------------------------------------------------------------------------


def counter() -> tuple[Any, Any]:
    x, total = ag.placeholder((2,), name="x"), ag.variable(np.zeros(2), name="total")
    return ag.function([x], {"before": total, "double": [x * 2.0]}, [(total, total + x)], name="add"), total


def test_a_loop_is_many_ticks_over_stacked_or_fixed_inputs() -> None:
    add, total = counter()
    rows = np.arange(6, dtype="float32").reshape(3, 2)
    found = add.loop(3, rows)
    assert found["before"].tolist() == [[0, 0], [0, 1], [2, 4]]
    assert found["double"][0].tolist() == (rows * 2).tolist()
    assert total.get_value().tolist() == [6, 9]
    last = add.loop(4, x=[1, 1], outputs="last")
    assert last["before"].tolist() == [9, 12] and last["double"][0].tolist() == [2, 2]
    assert add.loop(1, [0, 0])["before"].tolist() == [[10, 13]]
    nothing = add.loop(0, [0, 0])
    assert nothing["before"].shape == (0, 2)
    n = ag.variable(0, dtype="int64")
    tick = ag.function([], None, [(n, n + 1)])
    assert tick.loop(1000) is None and n.get_value() == 1000


def test_loops_that_make_no_sense() -> None:
    add, total = counter()
    for bad in (
        lambda: add.loop(3, np.ones((4, 2))), lambda: add.loop(-1, [1, 1]), lambda: add.loop(2.5, [1, 1]),
        lambda: add.loop(0, [1, 1], outputs="last"), lambda: add.loop(1, [1, 1], outputs="all"), lambda: add.loop(1),
    ):  # fmt: skip
        with pytest.raises((ag.FeedError, ag.ArgumentError, TypeError)):
            bad()
    assert total.get_value().tolist() == [0, 0]


@pytest.mark.parametrize("fails", ["a division", "an op of the user's", "a guard"])
def test_an_error_in_a_loop_says_how_many_ticks_took_effect(fails: str) -> None:
    x, total = ag.placeholder((), name="x", dtype="int64"), ag.variable(0, dtype="int64")
    inverse = ag.variable(0.0, name="inverse")

    def odd(a: np.ndarray) -> np.ndarray:
        if a == 0:
            raise RuntimeError("zero")
        return a.copy()

    value = {
        "a division": 12 // x, "an op of the user's": ag.custom_op("odd", odd)(x), "a guard": x,
    }[fails]  # fmt: skip
    updates = [(total, total + value), (inverse, 1.0 / ag.cast(x, "float32"))]
    f = ag.function([x], total, updates, on_nonfinite="raise")
    with pytest.raises(ag.LoopError, match="tick 3 of 5 failed, after 3 were committed") as caught:
        f.loop(5, np.array([1, 2, 3, 0, 4]))
    assert caught.value.committed == 3 and caught.value.__cause__ is not None
    assert "No variable was changed" not in str(caught.value)
    assert total.get_value() == {"a division": 12 + 6 + 4}.get(fails, 6)


# state ----------------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_restored_whole_or_not_at_all() -> None:
    a, b = ag.variable(np.arange(3.0), name="a"), ag.variable(7, dtype="int64", name="b")
    f = ag.function([], None, [(a, a * 2.0), (b, b + 1)])
    f()
    state = f.state()
    kept = {v: np.array(value) for v, value in state.items()}
    f(), f()
    assert state[a].tolist() == kept[a].tolist(), "a snapshot is a copy"
    f.restore(state)
    assert a.get_value().tolist() == [0, 2, 4] and b.get_value() == 8
    state[a][...] = 99
    assert a.get_value().tolist() == [0, 2, 4]
    for bad in ({a: np.ones(3), b: np.ones(2)}, {b: 1, a: np.ones((3, 1))}):
        with pytest.raises(ag.ShapeError):
            f.restore(bad)
        assert a.get_value().tolist() == [0, 2, 4] and b.get_value() == 8


def test_training_goes_on_from_a_snapshot_bit_for_bit() -> None:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    noise = ag.random_normal((3, 2), seed=3)
    loss = ag.reduce_sum(ag.square(ag.matmul(x, w + 0.1 * noise)))
    f = ag.function([x], loss, Adam(0.01, amsgrad=True).get_updates(loss, [w]))
    feed = np.random.default_rng(0).normal(size=(5, 3))
    f(feed)
    state = f.state()
    first = [f(feed) for _ in range(5)]
    end = w.get_value()
    f.restore(state)
    assert [f(feed) for _ in range(5)] == first
    assert w.get_value().tobytes() == end.tobytes()


# copies ---------------------------------------------------------------------------------------------------------------


def test_a_copy_works_on_other_registers() -> None:
    x = ag.placeholder((2,), name="x")
    a, b, rate = ag.variable(np.ones(2), name="a"), ag.variable(np.full(2, 5.0), name="b"), ag.variable(0.5)
    f = ag.function([x], a, Updates([(a, a + rate * x)]).when(ag.reduce_sum(x) > 0))
    g = f.copy(swap={a: b})
    assert g(np.ones(2)).tolist() == [5, 5] and b.get_value().tolist() == [5.5, 5.5]
    assert g(-np.ones(2)).tolist() == [5.5, 5.5] and b.get_value().tolist() == [5.5, 5.5]
    assert a.get_value().tolist() == [1, 1] and g.updates.registers == [b]
    both = ag.function([], None, [(a, a + 1.0), (b, b * 2.0)])
    swapped = both.copy(swap={a: b, b: a})
    swapped()
    assert a.get_value().tolist() == [2, 2] and b.get_value().tolist() == [6.5, 6.5]


def test_copies_that_make_no_sense() -> None:
    a, b = ag.variable(np.ones(2), name="a"), ag.variable(np.ones(2), name="b")
    f = ag.function([], None, [(a, a + 1.0), (b, b * 2.0)])
    with pytest.raises(ag.DuplicateUpdateError, match="'b'"):
        f.copy(swap={a: b})
    with pytest.raises(ag.ArgumentError, match="'a' is float32\\[2\\], its replacement 'c'"):
        f.copy(swap={a: ag.variable(np.ones(3), name="c")})
    with pytest.raises(ag.ArgumentError, match="'z'"):
        f.copy(swap={ag.variable(np.ones(2), name="z"): b})


def training() -> tuple[Any, Any]:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    go = ag.placeholder((), dtype="bool", name="go")
    loss = ag.reduce_sum(ag.square(ag.matmul(x, w + ag.random_normal((3, 2), seed=1))))
    updates = Adam(0.1).get_updates(loss, [w]).when(go)
    return ag.function({"x": x, "go": go}, {"loss": loss, "rows": (x * 1.0,)}, updates, name="train", on_nonfinite="skip"), w


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_pickle_is_a_function_of_its_own_with_the_values_of_then(how: str) -> None:
    f, w = training()
    feed = np.ones((4, 3))
    f(feed, True)
    other = pickle.loads(pickle.dumps(f)) if how == "pickle" else copy.deepcopy(f)
    assert other.name == "train" and other.on_nonfinite == "skip"
    assert [v.given_name for v in other.updates.registers] == [v.given_name for v in f.updates.registers]
    assert repr(other.updates).count("if go else") == repr(f.updates).count("if go else") > 0
    twin = next(v for v in other.registers if v.name == "w")
    assert twin is not w and twin.get_value().tobytes() == w.get_value().tobytes()
    for go in (True, False, True):
        a, b = f(feed, go), other(x=feed, go=go)
        assert list(b) == ["loss", "rows"] and type(b["rows"]) is tuple
        assert a["loss"] == b["loss"]
        assert twin.get_value().tobytes() == w.get_value().tobytes()
    other(feed, True)
    assert twin.get_value().tobytes() != w.get_value().tobytes()
    kept = twin.get_value()
    rebuilt = ag.function(other.tick.inputs, None, other.updates, on_unused_input="ignore")
    rebuilt(feed, False)
    assert twin.get_value().tobytes() == kept.tobytes(), "the updates of a copy keep their guards"


def test_a_pickle_opens_in_another_process() -> None:
    f, _ = training()
    feed = np.ones((4, 3), "float32")
    program = "import pickle, sys, numpy as np; f = pickle.load(sys.stdin.buffer); print(repr(f(np.ones((4, 3)), True)['loss']))"
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(f), capture_output=True, check=True)
    assert done.stdout.decode().strip() == repr(f(feed, True)["loss"])


@pytest.mark.parametrize("seed", range(count(12, 300)))
def test_copies_of_random_programs_agree(seed: int) -> None:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
    g = pickle.loads(pickle.dumps(f))
    for tick in range(2):
        feeds = p.feeds(seed + tick)
        for a, b in zip(f(*feeds), g(*feeds), strict=True):
            close(b, a)


# looks inside ---------------------------------------------------------------------------------------------------------


def test_preview_and_trace_change_nothing() -> None:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    scaled = x * w
    scaled.name = "scaled"
    f = ag.function([x], ag.reduce_sum(scaled), Updates([(w, w - scaled)]).when(ag.reduce_sum(x) > 0))
    assert f.preview([1, 2])[w].tolist() == [0, -1]
    assert f.preview([-1, -2])[w].tolist() == [1, 1], "a register behind a guard that fails keeps its value"
    assert f.preview(x=[1, 2])[w].tolist() == [0, -1]
    assert f.trace([3, 4])["scaled"].tolist() == [3, 4]
    assert w.get_value().tolist() == [1, 1]
    f.trace([3, 4])["w"][...] = 5
    assert w.get_value().tolist() == [1, 1]


@pytest.mark.parametrize("guard", ["apply", "raise", "skip"])
def test_a_profile_times_every_step_and_puts_the_registers_back(guard: str) -> None:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    go = ag.placeholder((), dtype="bool", name="go")
    loss = ag.reduce_sum(ag.square(ag.matmul(x, w)))
    f = ag.function([x, go], loss, Adam(0.1).get_updates(loss, [w]).when(go), on_nonfinite=guard)
    before = f.state()
    profile = f.profile(np.ones((4, 3)), True, ticks=5)
    assert all(np.array_equal(before[v], value) for v, value in f.state().items())
    assert 0 < sum(row.seconds for row in profile.rows) <= profile.seconds * 1.01
    assert any("test_life.py" in place for place in profile.by_line())
    assert "commit" in str(profile) and "by line" in str(profile)
    events = profile.chrome()
    assert all(event["ph"] == "X" and event["dur"] >= 0 for event in events)
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)
    f(np.ones((4, 3)), True)


# random numbers -------------------------------------------------------------------------------------------------------


def test_random_streams_bring_their_own_update() -> None:
    draw = ag.random_uniform((2,), seed=5)
    w = ag.variable(np.zeros(2), name="w")
    f = ag.function([], draw, Updates([(w, w + draw)]).when(False))
    assert len(f.updates) >= 1 and w not in [u.variable for u in f.updates if u.variable.dtype == np.uint64]
    first, second = f(), f()
    assert first.tolist() != second.tolist() and w.get_value().tolist() == [0, 0]
    state = next(u.variable for u in f.updates if u.variable.dtype == np.uint64)
    g = ag.function([], draw, [(state, state)])
    assert g().tolist() == g().tolist() != first.tolist(), "an explicit update replaces the one that comes with it"
    again = ag.function([], ag.random_uniform((2,), seed=5))
    assert again().tolist() == first.tolist() and again().tolist() == second.tolist()


def test_a_tick_that_raises_leaves_a_random_stream_and_a_skipped_one_moves_it_alone() -> None:
    draw = ag.random_uniform((2,), seed=5)
    x, w, n = ag.placeholder((), name="x"), ag.variable(np.zeros(2)), ag.variable(3, dtype="uint64", name="n")
    make = lambda how: ag.function([x], draw, [(w, w + draw * x), (n, n + 1)], on_nonfinite=how)
    raises, skips = make("raise"), make("skip")
    first = raises(1)
    before = raises.state()
    for _ in range(2):
        with pytest.raises(ag.NonFiniteError):
            raises(np.nan)
        assert all(raises.state()[v].tobytes() == value.tobytes() for v, value in before.items())
    skipped = skips(np.inf)
    assert skipped.tolist() != first.tolist()
    moved = [v for v, value in skips.state().items() if value.tobytes() != before[v].tobytes()]
    assert len(moved) == 1 and moved[0].default_update is not None and n.get_value() == 4
    assert skips(0.0).tolist() != skipped.tolist()


# depth and length -----------------------------------------------------------------------------------------------------


def chain(ops: int) -> tuple[Any, Any]:
    """About `ops` ops, in a chain as deep as the chain rule makes of it."""
    w = ag.variable(np.array([0.5, -0.25, 1.0]), name="w")
    y = w
    for _ in range(ops // 8):
        y = y + 1e-4 * ag.tanh(y)
    loss = ag.reduce_sum(y)
    return loss, w


@pytest.mark.alone
def test_a_chain_of_a_hundred_thousand_ops_lives_and_dies_at_the_usual_recursion_limit() -> None:
    limit = sys.getrecursionlimit()
    loss, w = chain(count(100_000, 800_000))
    step = ag.function([], loss, [(w, w - 0.1 * ag.gradients(loss, w))])
    first = step()
    assert np.isfinite(first) and step() != first
    other = pickle.loads(pickle.dumps(step))  # running it would only prepare it once more
    assert other.registers[0].get_value().tobytes() == w.get_value().tobytes()
    dead = weakref.ref(loss)
    del loss, step, other
    gc.collect()
    assert dead() is None
    assert sys.getrecursionlimit() == limit <= 3000


def test_copies_of_a_deep_chain_go_on_as_it_does() -> None:
    loss, w = chain(2_000)
    step = ag.function([], loss, [(w, w - 0.1 * ag.gradients(loss, w))])
    step()
    twins = [pickle.loads(pickle.dumps(step)), copy.deepcopy(step)]
    assert [twin() for twin in twins] == [step()] * 2


def test_long_programs_are_cut_into_functions_and_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from autograph.executors.numpy import emit

    wanted = [_ran(seed) for seed in range(count(20, 300))]
    monkeypatch.setattr(emit, "LINES", 3)
    assert [_ran(seed) for seed in range(count(20, 300))] == wanted


def _ran(seed: int) -> Any:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", on_nonfinite=("apply", "raise")[seed % 2])
    results: list[Any] = [[np.asarray(r).tobytes() for r in f(*p.feeds(seed + tick))] for tick in range(2)]
    f.profile(*p.feeds(seed), ticks=1)
    return results, p.state()


def test_the_line_of_an_error_is_found_in_a_cut_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from autograph.executors.numpy import emit

    monkeypatch.setattr(emit, "LINES", 2)

    def fail(a: np.ndarray) -> np.ndarray:
        raise RuntimeError("on purpose")

    x = ag.placeholder((2,), name="x")
    y: Any = x
    for _ in range(9):
        y = ag.sin(y)
    bad: Callable[..., Any] = ag.custom_op("fail", fail)
    y = ag.cos(bad(y))
    with pytest.raises(RuntimeError, match="on purpose") as caught:
        ag.function([x], y)(np.ones(2))
    assert "fail" in caught.value.__notes__[0] and "test_life.py" in caught.value.__notes__[0]
