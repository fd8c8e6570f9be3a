"""`on_nonfinite`: a new value that is not finite where the old one was is applied, refused, or skipped, with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.updates import Updates
from optimizers import SGD, Adam
from tests.executors.faults import values

BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: SGD(0.1), "momentum": lambda: SGD(0.1, momentum=0.9, nesterov=True), "Adam": lambda: Adam(0.1),
    "AMSGrad": lambda: Adam(0.1, amsgrad=True), "clipped": lambda: Adam(0.1, clipnorm=1.0),
}  # fmt: skip


def step(optimizer: Any, mode: str, where: str) -> tuple[Any, list[Any]]:
    """A training step into which a feed `bad` enters at the loss, at the gradient, or at the update."""
    x, bad = ag.placeholder((None, 3), name="x"), ag.placeholder((), name="bad")
    w, b = ag.variable(np.ones((3, 2)), name="w"), ag.variable(np.ones(2), name="b")
    n, mean = ag.variable(0, dtype="int64", name="n"), ag.variable(np.zeros(2), name="mean")
    loss = ag.reduce_mean(ag.square(ag.matmul(x, w) + b))
    if where == "the loss":
        loss = loss * bad
    updates = optimizer.get_updates(loss, [w, b])
    if where == "the update":
        updates = updates.map(w, lambda new: new * bad)
    updates += [(n, n + 1), (mean, 0.9 * mean + (b * bad if where == "another update" else b))]
    f = ag.function([x, bad], loss, updates, on_nonfinite=mode, on_unused_input="ignore")
    return f, f.registers


@pytest.mark.parametrize("where", ["the loss", "the update", "another update"])
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_refused_tick_leaves_variables_slots_and_counters(optimizer: str, value: str, where: str) -> None:
    feed = np.ones((4, 3))
    for mode in ("raise", "skip"):
        f, registers = step(OPTIMIZERS[optimizer](), mode, where)
        f(feed, 1.0)
        old = values(registers)
        if mode == "raise":
            with pytest.raises(ag.NonFiniteError, match="No variable was changed"):
                f(feed, BAD[value])
        else:
            loss = f(feed, BAD[value])
            assert np.isfinite(loss) == (where != "the loss"), "the outputs of a skipped tick are what they are"
        assert values(registers) == old
        f(feed, 1.0)
        moving = [v.name for v, a, b in zip(registers, values(registers), old, strict=True) if a != b]
        assert {"w", "b", "n", "mean"} <= set(moving)


def test_apply_takes_what_comes() -> None:
    f, registers = step(SGD(0.1), "apply", "the update")
    f(np.ones((4, 3)), np.nan)
    w = next(v for v in registers if v.name == "w")
    assert np.isnan(w.get_value()).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_is_not_infinite(dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    x, w = ag.placeholder((None,), dtype=dtype), ag.variable(np.zeros(600), dtype=dtype)
    f = ag.function([x], None, [(w, w * 0.0 + x)], on_nonfinite="raise")
    f(np.full(600, largest))
    assert (w.get_value() == largest).all()
    f(np.full(600, -largest))
    row = np.zeros(600)
    row[599] = np.nan
    with pytest.raises(ag.NonFiniteError):
        f(row)
    assert (w.get_value() == -largest).all()


def test_what_was_not_finite_may_stay_so() -> None:
    w = ag.variable(np.array([np.inf, 1.0, np.nan]), name="w")
    x = ag.placeholder((3,), name="x")
    f = ag.function([x], None, [(w, w + x)], on_nonfinite="raise")
    f([1, 1, 1])
    assert w.get_value()[1] == 2
    with pytest.raises(ag.NonFiniteError):
        f([0, np.inf, 0])
    f([np.nan, 0, 5])
    assert np.isnan(w.get_value()[[0, 2]]).all() and w.get_value()[1] == 2
    w.set_value(np.zeros(3))
    with pytest.raises(ag.NonFiniteError):
        f([np.nan, 0, 0])


def test_integers_are_refused_with_their_tick_and_never_cause_it() -> None:
    n, w = ag.variable(np.array([2**31 - 1, 5]), dtype="int32", name="n"), ag.variable(1.0, name="w")
    u = ag.variable(250, dtype="uint8", name="u")
    x = ag.placeholder((), name="x")
    for mode in ("raise", "skip"):
        f = ag.function([x], None, [(n, n + 1), (u, u + 10), (w, w * x)], on_nonfinite=mode)
        f(1.0)
        old = values([n, w, u])
        if mode == "skip":
            f(np.nan)
        else:
            with pytest.raises(ag.NonFiniteError):
                f(np.nan)
        assert values([n, w, u]) == old, "a user's unsigned counter is held like any other register"


def test_a_new_value_behind_a_guard_that_fails_is_not_looked_at() -> None:
    w, v = ag.variable(1.0, name="w"), ag.variable(1.0, name="v")
    x, go = ag.placeholder((), name="x"), ag.placeholder((), dtype="bool", name="go")
    f = ag.function([x, go], None, Updates([(w, w / x)]).when(go) + Updates([(v, v + 1.0)]), on_nonfinite="raise")
    f(0.0, False)
    assert (w.get_value(), v.get_value()) == (1, 2)
    with pytest.raises(ag.NonFiniteError):
        f(0.0, True)
    assert (w.get_value(), v.get_value()) == (1, 2)
    f(2.0, True)
    assert (w.get_value(), v.get_value()) == (0.5, 3)


def test_the_first_bad_node_is_named_with_its_element_inputs_and_line() -> None:
    for shape, place in (((4, 3), (2, 1)), ((5,), (3,))):
        x, w = ag.placeholder((None,) * len(shape), name="scores"), ag.variable(np.zeros(()), name="w")
        logs = ag.log(x - 1e-7)
        logs.name = f"logs{len(shape)}"
        f = ag.function([x], None, [(w, w + ag.reduce_sum(logs * 2.0))], on_nonfinite="raise", name="train")
        feed = np.ones(shape)
        f(feed)
        feed[place] = -3.0
        with pytest.raises(ag.NonFiniteError) as caught:
            f(feed)
        text = str(caught.value)
        parts = (f"'logs{len(shape)}'", "'train'", "nan", "log(-3", str(list(place)), "test_nonfinite.py", "No variable was")
        for part in parts:
            assert part in text, (part, text)
        assert isinstance(caught.value, FloatingPointError)


def test_a_feed_or_a_register_that_is_bad_itself_is_named() -> None:
    x, w = ag.placeholder((3,), name="pixels"), ag.variable(np.zeros(3), name="w")
    f = ag.function([x], None, [(w, w + x)], on_nonfinite="raise")
    with pytest.raises(ag.NonFiniteError, match=r"inf at \[1\] came in through the feed 'pixels' \(position 0\)"):
        f([0, np.inf, 0])
    v = ag.variable(np.array([1.0, np.nan]), name="stale")
    g = ag.function([], None, [(w, w + ag.reduce_sum(v))], on_nonfinite="raise")
    with pytest.raises(ag.NonFiniteError, match=r"the register 'stale' was already not finite: nan at \[1\]"):
        g()


def refusal(f: Any, *feeds: Any) -> str:
    with pytest.raises(ag.NonFiniteError) as caught:
        f(*feeds)
    return str(caught.value)


def test_a_bad_feed_is_told_apart_from_the_ops_that_spread_it() -> None:
    row, w = ag.placeholder((None, 3), name="row"), ag.variable(np.ones(3), name="w")
    bias, loss = ag.placeholder((), name="bias"), ag.reduce_sum(ag.square(ag.tanh(row * w)))
    f = ag.function([bias, row], loss + bias, SGD(0.1).get_updates(loss, [w]), on_nonfinite="raise")
    rows = np.ones((5, 3))
    rows[4, 2] = np.nan
    text = refusal(f, 0.0, rows)
    assert "nan at [4, 2] came in through the feed 'row' (position 1)" in text and "of 'w' would be nan at [" in text


def test_a_register_that_was_bad_is_told_apart_from_the_ops_that_spread_it() -> None:
    scale, w = ag.variable(np.array([1.0, np.nan]), name="scale"), ag.variable(np.ones(2), name="w")
    x = ag.placeholder((2,), name="x")
    f = ag.function([x], None, [(w, ag.exp(scale * x) + w)], on_nonfinite="raise")
    text = refusal(f, [1, 1])
    assert "the register 'scale' was already not finite: nan at [1]" in text and "set_value" in text


def test_the_element_that_is_refused_decides_which_input_is_to_blame() -> None:
    w, x = ag.variable(np.array([np.nan, 1.0]), name="w"), ag.placeholder((2,), name="x")
    f = ag.function([x], None, [(w, w + ag.exp(x))], on_nonfinite="raise")
    text = refusal(f, [0.0, 1000.0])
    assert "first inf in 'exp_" in text and "exp(1000)" in text and "'w' would be inf at [1]" in text


def test_an_infinity_that_is_meant_hides_no_other_fault() -> None:
    mask, w = ag.variable(np.array([0.0, -np.inf]), name="mask"), ag.variable(np.zeros(2), name="w")
    x = ag.placeholder((2,), name="x")
    f = ag.function([x], None, [(w, ag.softmax(x + mask) + ag.log(x))], on_nonfinite="raise")
    text = refusal(f, [0.0, 1.0])
    assert "first -inf in 'log_" in text and "log(0)" in text and "mask" not in text


def test_a_row_that_a_feed_masks_whole_is_told_with_the_op_that_it_breaks() -> None:
    mask, w = ag.placeholder((None, 2), name="mask"), ag.variable(np.zeros(2), name="w")
    f = ag.function([mask], None, [(w, ag.reduce_sum(ag.softmax(w + mask), 0))], on_nonfinite="raise")
    text = refusal(f, [[0.0, 0.0], [-np.inf, -np.inf]])
    assert "-inf at [1, 0] came in through the feed 'mask' (position 0)" in text
    assert "is nan at [1, 0]: subtract(-inf, -inf)" in text and "a fully masked row" in text
    g = ag.function([], None, [(w, ag.softmax(w + ag.constant([-np.inf, -np.inf])))], on_nonfinite="raise")
    text = refusal(g)
    assert "first nan in 'subtract_" in text and "a fully masked row" in text


def test_skipped_ticks_are_counted_and_too_many_in_a_row_are_an_error() -> None:
    x, w = ag.placeholder((), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], w, [(w, w * x)], on_nonfinite="skip", name="train")
    assert f.skipped == 0
    f(np.nan), f(np.inf)
    assert f.skipped == 2
    f(2.0)
    assert f.skipped == 0 and w.get_value() == 2
    ticks = iter(range(1000))
    with pytest.raises(ag.NonFiniteError) as caught:
        for _ in ticks:
            f(np.nan)
    assert next(ticks) == 100 and w.get_value() == 2
    for part in ("100 ticks in a row", "'x'", "clipnorm", "learning rate"):
        assert part in str(caught.value)
    f(3.0)
    assert w.get_value() == 6 and f.skipped == 0


def test_read_only_functions_have_nothing_to_guard() -> None:
    x = ag.placeholder((), name="x")
    for mode in ("raise", "skip", "apply"):
        assert np.isnan(ag.function([x], ag.log(x), on_nonfinite=mode)(-1.0))


def test_an_explanation_never_computes_what_the_tick_did_not() -> None:
    calls: list[int] = []

    def fail(a: np.ndarray) -> np.ndarray:
        calls.append(1)
        raise RuntimeError

    w, v = ag.variable(1.0, name="w"), ag.variable(1.0, name="v")
    x, go = ag.placeholder((), name="x"), ag.placeholder((), dtype="bool", name="go")
    guarded = Updates([(v, ag.custom_op("fail", fail)(v))]).when(go)
    f = ag.function([x, go], None, guarded + Updates([(w, w / x)]), on_nonfinite="raise")
    with pytest.raises(ag.NonFiniteError, match="divide"):
        f(0.0, False)
    assert not calls
