"""Native programs as wholes: what they say of themselves, what they share, and what they leave to NumPy."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import compiler
from autograph.executors.native.segments import Densely
from optimizers import SGD, Adam


def network(executor: str = "native", **options: Any) -> tuple[Any, list[Any]]:
    """A step of training with Adam, and feeds for it."""
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, 5), name="x"), ag.placeholder((None, 3), name="t")
    w, b = ag.variable(rng.normal(size=(5, 3)), name="w"), ag.variable(np.zeros(3), name="b")
    loss = ag.reduce_mean(ag.square(ag.tanh(ag.matmul(x, w) + b) - t))
    step = ag.function([x, t], loss, Adam(lr=0.01).get_updates(loss, [w, b]), executor=executor, **options)
    return step, [rng.normal(size=(7, 5)).astype("float32"), rng.normal(size=(7, 3)).astype("float32")]


@pytest.mark.parametrize("mode", ["apply", "raise", "skip"])
def test_a_step_of_training_is_machine_code_as_a_whole_and_follows_numpy(mode: str) -> None:
    (native, feeds), (plain, _) = network(on_nonfinite=mode), network("numpy", on_nonfinite=mode)
    for _ in range(20):
        assert np.isclose(native(*feeds), plain(*feeds), rtol=1e-5)
    for a, b in zip(native.registers, plain.registers, strict=True):
        np.testing.assert_allclose(a.get_value(), b.get_value(), rtol=1e-4, atol=1e-6)
    said = native.explain()
    assert "\n" not in said and "in 1 segments" in said, said
    assert "call" in native.assembly or "vmul" in native.assembly or "fmul" in native.assembly


def test_gradients_of_single_elements_reach_updates_that_run_together() -> None:
    """Each is put into zeros, their sum is part of the commit, and the zeros lie side by side for all parameters."""
    ends = []
    for executor in ("numpy", "native"):
        params = [ag.variable(np.array([[k + 1.0, k - 0.5]]), dtype="float64") for k in range(4)]
        loss = sum((k + 1) * ag.square(p[0, 0]) + ag.exp(p[0, 1] * p[0, 0]) for k, p in enumerate(params))
        step = ag.function([], loss, SGD(lr=0.01, decay=0.1).get_updates(loss, params), executor=executor)
        step.loop(3)
        ends.append([p.get_value() for p in params])
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-13)


def test_what_two_ops_have_in_common_is_computed_once() -> None:
    """A log-sum-exp and its gradient, the weights of softmax, both look for the greatest and add up exponentials."""
    x = ag.placeholder((7, 9))
    y = ag.logsumexp(x, -1)
    f = ag.function([x], [y, *ag.gradients(ag.reduce_sum(y), [x])], executor="native").prepare((7, 9))
    names = [step.name for item in f._program.items for step in item.steps]
    assert names.count("exp") == names.count("max") == names.count("sum") == 1


def test_a_new_batch_size_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    step, feeds = network()
    x, t = (np.tile(feed, (9, 1)) for feed in feeds)
    step(x, t)

    def forbidden(texts: list[str]) -> Any:
        raise AssertionError(f"{len(texts)} kernels would be compiled")

    monkeypatch.setattr(compiler, "_compile", forbidden)
    for rows in (40, 17, 63):
        step(x[:rows], t[:rows])


def test_what_has_no_kernel_is_told_with_its_reason_and_its_place() -> None:
    x = ag.placeholder((None, 40))
    f = ag.function([x], ag.sort(x + 1.0) * 2.0, executor="native")
    assert "prepare" in f.explain()
    np.testing.assert_array_equal(f(np.eye(40)), np.sort(np.eye(40) + 1) * 2)
    told = f.explain().splitlines()
    assert len(told) == 2 and "sort" in told[1] and "faster" in told[1] and "test_programs.py" in told[1], told
    assert "segment_1(" in f.source
    assert "each a call of NumPy" in ag.function([], ag.variable(1.0) + 1.0, executor="numpy").prepare().explain()


def test_an_op_of_ones_own_may_return_views_and_any_layout() -> None:
    turn = ag.custom_op("turned", lambda x: x.T, infer=lambda x: type(x)(x.dtype, x.shape[::-1]))
    x = ag.placeholder((None, 3))
    f = ag.function([x], turn(x + 1.0) * 2.0 + ag.reduce_sum(x), executor="native")
    data = np.arange(12.0, dtype="float32").reshape(4, 3)
    np.testing.assert_array_equal(f(data), (data + 1).T * 2 + data.sum())


def test_a_segment_takes_no_array_of_another_size_or_kind() -> None:
    step, feeds = network()
    step(*feeds)
    known = step._program.run.__globals__
    held: Densely = known["held"][0]
    before = step.state()
    for bad in ((feeds[0],), (feeds[0], feeds[1], feeds[1]), (feeds[0][:3], feeds[1]), (feeds[0], None), ("x", feeds[1])):
        with pytest.raises((TypeError, ValueError)):
            known["segment_0"](*bad)
    known["segment_0"](feeds[0].astype("float64"), feeds[1].tolist())
    assert held.segment is known["segment_0"]
    assert all((before[v] == value).all() for v, value in step.state().items())


def test_guarded_steps_are_passed_over_in_native_code() -> None:
    n, w = ag.variable(0, dtype="int64"), ag.variable(np.ones(3))
    go = ag.placeholder((), dtype="bool")
    updates = ag.Updates([(w, ag.exp(w) * 2.0)]).when(go) + ag.Updates([(n, n + 1)])
    native = ag.function([go], w * 1.0, updates, executor="native")
    for held in (False, True, False):
        before = w.get_value()
        native(held)
        after = before if not held else np.exp(before) * 2
        np.testing.assert_allclose(w.get_value(), after, rtol=1e-6)
    assert n.get_value() == 3


def test_gradients_that_are_fed_are_put_side_by_side_in_native_code() -> None:
    rng = np.random.default_rng(1)
    rows = ag.placeholder((20, 6))
    homes = [[ag.variable(np.ones(6)) for _ in range(20)] for _ in range(2)]
    native, plain = (
        ag.function([rows], None, Adam(lr=0.1).get_updates(sum(ag.reduce_sum(p * rows[i]) for i, p in enumerate(some)), some),
                    executor=name)
        for name, some in zip(("native", "numpy"), homes, strict=True)
    )  # fmt: skip
    for _ in range(3):
        feed = rng.normal(size=(20, 6)).astype("float32")
        native(feed), plain(feed)
    assert "\n" not in native.explain() and len(native._program.plans) == 2
    for a, b in zip(*homes, strict=True):
        np.testing.assert_allclose(a.get_value(), b.get_value(), rtol=1e-6)


def test_stacks_of_numbers_pads_and_shifts_join_the_loops_that_make_their_pieces() -> None:
    x = ag.placeholder((None,))
    y = ag.tanh(x)
    outputs = [
        ag.stack([ag.reduce_sum(x), ag.reduce_max(x), x[0]]), ag.concatenate([y, x, y * 2.0]), ag.pad(y, ((2, 1),)),
        ag.roll(y, 3), ag.diag(y), ag.tril(ag.expand_dims(y, 0) * ag.expand_dims(x, 1)),
    ]  # fmt: skip
    native, plain = (ag.function([x], outputs, executor=name) for name in ("native", "numpy"))
    for n in (1, 5, 19):
        data = np.linspace(-2, 3, n, dtype="float32")
        for got, wanted in zip(native(data), plain(data), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    assert "\n" not in native.explain()


def test_other_threads_run_while_a_long_segment_does() -> None:
    x = ag.placeholder((None, None), dtype="float64")
    f = ag.function([x], ag.reduce_sum(ag.matmul(x, x)), executor="native")
    data = np.ones((900, 900))
    f(data)
    span: list[float] = []

    def run() -> None:
        span.append(time.perf_counter())
        f(data)
        span.append(time.perf_counter())

    thread = threading.Thread(target=run)
    seen = []
    thread.start()
    while thread.is_alive():
        seen.append(time.perf_counter())
        time.sleep(1e-4)
    start, end = span
    assert any(start + 0.1 * (end - start) < moment < end - 0.1 * (end - start) for moment in seen)


def test_everything_is_released_with_the_function() -> None:
    step, feeds = network()
    step(*feeds)
    program = weakref.ref(step._program)
    segment = weakref.ref(step._program.held[0])
    del step
    gc.collect()
    assert program() is None and segment() is None


def test_kernels_beyond_the_limit_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "KEPT", 3)
    x = ag.placeholder((None,))
    f = ag.function([x], ag.exp(x) + 1.0, executor="native")
    data = np.ones(9)
    first = f(data)
    for k in range(4):
        y = x
        for _ in range(k + 1):
            y = ag.square(y) - 1.0
        ag.function([x], y, executor="native")(data)
    assert len(compiler._cache) <= 3
    np.testing.assert_array_equal(f(data), first)
