"""Averages and targets against plain NumPy, beside and after the steps they follow; and swapping, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizers as o
from autograph import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    ShapeError,
    Updates,
    Variable,
    function,
    greater,
    placeholder,
    variable,
)
from optimizers import SGD
from tests.ticking import tick

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


def following(make: Callable[[Variable], Any], values: list[float], start: float = 5.0) -> list[float]:
    """The averages of a parameter that takes these values one by one."""
    w, x = variable(start, "float64", name="w"), placeholder((), dtype="float64")
    averages = make(w)
    step = Updates([(w, x)]).then(averages)
    found = []
    for value in values:
        tick(step, feeds={x: np.array(value)})
        found.append(float(averages.of[w].get_value()))
    return found


# averages -------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(VALUES, st.floats(0, 0.999))
def test_an_exponential_average_from_the_present_value_or_without_the_bias_of_its_start(
    values: list[float], decay: float
) -> None:
    plain, biased, debiased, m = 5.0, [], [], 0.0
    for t, value in enumerate(values, 1):
        plain = decay * plain + (1 - decay) * value
        m = decay * m + (1 - decay) * value
        biased.append(plain)
        debiased.append(m / (1 - decay**t))
    np.testing.assert_allclose(following(lambda w: o.ema([w], decay), values), biased, atol=1e-11)
    np.testing.assert_allclose(following(lambda w: o.ema([w], decay, debias=True), values), debiased, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(1, 4), st.integers(0, 4))
def test_polyak_and_swa_are_plain_means(values: list[float], every: int, start: int) -> None:
    means, swas = [], []
    for t in range(1, len(values) + 1):
        seen = values[start:t]
        means.append(float(np.mean(seen)) if seen else 5.0)
        picked = values[start:t][every - 1 :: every]
        swas.append(float(np.mean(picked)) if picked else 5.0)
    np.testing.assert_allclose(following(lambda w: o.polyak([w], start), values), means, atol=1e-11)
    np.testing.assert_allclose(following(lambda w: o.swa([w], every, start), values), swas, atol=1e-11)


def test_what_is_at_rest_stays_there_in_float32_however_slow_the_average() -> None:
    w = variable([1.2345678], name="w")
    averages = o.ema([w], 0.999999)
    for _ in range(50):
        tick(averages)
    assert averages.of[w].get_value().tobytes() == w.get_value().tobytes()


def test_half_precision_is_averaged_in_float32() -> None:
    w = variable(np.float16(1.0), "float16", name="w")
    averages = o.ema([w], 0.9999)
    w.set_value(np.float16(2.0))
    tick(averages)
    assert averages.of[w].dtype == "float32"
    assert averages.of[w].get_value() == pytest.approx(1.0001, rel=1e-6)
    with o.swapped({w: averages.of[w]}):
        assert (w.dtype, float(w.get_value())) == ("float16", 1.0)


def test_beside_a_step_the_average_reads_the_old_value_and_after_it_the_new() -> None:
    for combine, expected in ((lambda a, b: a + b, 1.0), (lambda a, b: a.then(b), 0.75)):
        w = variable([1.0], "float64")
        averages = o.ema([w], 0.5)
        tick(combine(SGD(lr=0.5).get_updates([np.ones(1)], [w]), averages))
        assert (w.get_value().tolist(), averages.of[w].get_value().tolist()) == ([0.5], [expected])


def test_after_a_step_the_average_sees_what_a_constraint_made_of_it() -> None:
    w = variable([1.0], "float64", constraint=o.box(0.0, 2.0))
    averages = o.ema([w], 0.5)
    tick(SGD(lr=5.0).get_updates([np.ones(1)], [w]).then(averages))
    assert averages.of[w].get_value().tolist() == [0.5]


def test_a_tick_that_is_skipped_counts_for_nothing() -> None:
    w, go = variable([1.0], "float64"), placeholder((), dtype="float64")
    averages = o.polyak([w])
    step = SGD(lr=1.0).get_updates([np.ones(1)], [w]).then(averages).when(greater(go, 0))
    for gate in (1, -1, -1, 1):
        tick(step, feeds={go: np.array(float(gate))})
    assert averages.of[w].get_value().tolist() == [-0.5]
    assert averages.registers[0].get_value() == 2


def test_averages_are_saved_by_name_and_resumed() -> None:
    def make() -> tuple[Any, Any, Any]:
        w = variable([4.0], "float64", name="w")
        averages = o.lookahead(SGD(lr=0.5).get_updates([w], [w]), [w], 2)
        return w, averages, o.ema([w], 0.9, debias=True)

    w, ahead, mean = make()
    for _ in range(3):
        tick(ahead.then(mean))
    assert set(ahead.state()) == {"slow/ticks", "slow/w"}
    assert set(mean.state()) == {"ema/ticks", "ema/w"}
    v, other, again = make()
    v.set_value(w.get_value())
    other.load(ahead.state())
    again.load(mean.state())
    for _ in range(3):
        tick(ahead.then(mean))
        tick(other.then(again))
    assert v.get_value().tobytes() == w.get_value().tobytes()
    assert again.state()["ema/w"].tobytes() == mean.state()["ema/w"].tobytes()


# lookahead and targets ------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.floats(0.1, 1.0))
def test_lookahead_is_its_algorithm(k: int, alpha: float) -> None:
    w = variable([3.0, -2.0], "float64", name="w")
    fast = slow = w.get_value().copy()
    updates = o.lookahead(SGD(lr=0.1).get_updates([w * 2], [w]), [w], k, alpha)
    for t in range(1, 11):
        tick(updates)
        fast = fast - 0.1 * 2 * fast
        if t % k == 0:
            fast = slow = slow + alpha * (fast - slow)
        np.testing.assert_allclose(w.get_value(), fast, rtol=1e-12)
        np.testing.assert_allclose(updates.of[w].get_value(), slow, rtol=1e-12)


def test_lookahead_runs_in_a_function() -> None:
    w = variable([1.0], "float64", name="w")
    updates = o.lookahead(SGD(lr=0.5).get_updates([np.ones(1)], [w]), [w], 2, 0.5)
    step = function([], updates=updates)
    seen = []
    for _ in range(4):
        step()
        seen.append(float(w.get_value()[0]))
    assert seen == [0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    "make", [lambda p: o.ema(p, 0.9), lambda p: o.ema(p, 0.9, debias=True), o.polyak, lambda p: o.swa(p, 2, 1)]
)
def test_averages_in_a_function_are_those_of_ticks_one_by_one(make: Callable[..., Any]) -> None:
    found = []
    for run in (lambda updates: function([], updates=updates), lambda updates: lambda: tick(updates)):
        w = variable([[1.0, 2.0]], name="w")
        averages = make([w])
        step = run(SGD(lr=0.1, momentum=0.9).get_updates([w * 2], [w]).then(averages))
        for _ in range(7):
            step()
        found.append((w.get_value(), averages.of[w].get_value()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(VALUES, st.floats(0.01, 1.0))
def test_soft_targets_go_a_part_of_the_way_and_hard_ones_all_of_it(values: list[float], tau: float) -> None:
    source = variable(np.array(values), "float64")
    target = variable(np.zeros(len(values)), "float64")
    for _ in range(2):
        tick(o.soft_update([target], [source], tau))
    np.testing.assert_allclose(target.get_value(), (1 - (1 - tau) ** 2) * np.array(values), atol=1e-11)
    tick(o.soft_update([target], [source], 1))
    assert target.get_value().tolist() == values
    target.set_value(np.zeros(len(values)))
    tick(o.hard_update([target], [source]))
    assert target.get_value().tolist() == values


def test_targets_beside_a_step_and_after_it() -> None:
    for combine, expected in ((lambda a, b: a + b, 0.5), (lambda a, b: a.then(b), 0.0)):
        theta, target = variable(1.0, "float64"), variable(0.0, "float64")
        step = SGD(lr=1.0).get_updates([theta], [theta])
        tick(combine(step, o.soft_update([target], [theta], 0.5)))
        assert (theta.get_value(), target.get_value()) == (0.0, expected)


def test_a_rate_may_be_a_register_that_is_changed_in_flight() -> None:
    tau, source, target = variable(0.5, "float64"), variable([1.0]), variable([0.0])
    step = function([], updates=o.soft_update([target], [source], tau))
    step()
    tau.set_value(1.0)
    step()
    assert target.get_value().tolist() == [1.0]


# swapping -------------------------------------------------------------------------------------------------------------


def pair() -> tuple[Variable, Variable, Any]:
    w, b = variable([1.0, 2.0], name="w"), variable(3.0, name="b")
    averages = o.ema([w, b], 0.5)
    for register in averages.of.values():
        register.set_value(register.get_value() * 10)
    return w, b, averages


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_averages_stand_in_the_parameters_place_and_then_no_more(error: type[BaseException] | None) -> None:
    w, b, averages = pair()
    try:
        with o.swapped(averages):
            assert (w.get_value().tolist(), float(b.get_value())) == ([10.0, 20.0], 30.0)
            w.set_value([0.0, 0.0])
            if error is not None:
                raise error
    except BaseException as caught:
        assert type(caught) is error
    assert (w.get_value().tolist(), float(b.get_value())) == ([1.0, 2.0], 3.0)
    assert averages.of[w].get_value().tolist() == [10.0, 20.0]


def test_some_parameters_and_other_ways_to_say_whose_average_is_which() -> None:
    w, b, averages = pair()
    for given_, params in (
        (averages, [b]), ({b: averages.of[b]}, None), ([averages.of[b]], [b]), (dict(averages.of), [b])
    ):  # fmt: skip
        with o.swapped(given_, params):
            assert (w.get_value().tolist(), float(b.get_value())) == ([1.0, 2.0], 30.0)
        assert float(b.get_value()) == 3.0
    with o.swapped(averages), o.swapped(averages):
        assert float(b.get_value()) == 30.0
    assert float(b.get_value()) == 3.0


def test_what_does_not_fit_is_not_swapped_at_all() -> None:
    w, b, averages = pair()
    with pytest.raises(ShapeError), o.swapped({w: averages.of[w], b: averages.of[w]}):
        pytest.fail("the block ran")
    assert (w.get_value().tolist(), float(b.get_value())) == ([1.0, 2.0], 3.0)
    c = variable(0.0, name="c")
    for bad, params, error in (
        (averages, [c], ArgumentError), (averages + [(c, 1.0)], None, ArgumentTypeError),
        ([averages.of[w]], [w, b], ArgumentError), ([averages.of[w]], None, ArgumentError), (3, None, ArgumentTypeError),
    ):  # fmt: skip
        with pytest.raises(error), o.swapped(bad, params):
            pytest.fail("the block ran")


# what is refused ------------------------------------------------------------------------------------------------------

W, V, N = variable([1.0, 2.0], name="weight"), variable([1.0], name="v"), variable([1, 2], "int64", "n")


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: o.ema([W], 1.0), ArgumentError, "ema: decay=1.0.*from 0 to below 1"),
        (lambda: o.ema([W], "x"), ArgumentTypeError, "decay='x' is no number"),
        (lambda: o.ema(W, 0.9), ArgumentTypeError, "not a list"),
        (lambda: o.ema([W, W], 0.9), ArgumentError, "again"),
        (lambda: o.ema([W], W), ArgumentError, "rank 0"),
        (lambda: o.polyak([W], -1), ArgumentError, "start=-1"),
        (lambda: o.swa([W], 0), ArgumentError, "every=0"),
        (lambda: o.swa([W], 1.5), ArgumentTypeError, "every=1.5 is no whole number"),
        (lambda: o.lookahead([(variable(0.0, name="weights"), 1.0)], [W]), ArgumentError, "do not write 'weight'; did you mean"),
        (lambda: o.lookahead([(W, W * 2)], [W], 0), ArgumentError, "k=0"),
        (lambda: o.lookahead([(W, W * 2)], [W], 5, 1.5), ArgumentError, "alpha=1.5"),
        (lambda: o.soft_update([W], [W * 2], 0), ArgumentError, "tau=0"),
        (lambda: o.soft_update([W], [W], 0.5), ArgumentError, "its own source"),
        (lambda: o.soft_update([W], [], 0.5), ArgumentError, "1 targets and 0 sources"),
        (lambda: o.soft_update(W, [W], 0.5), ArgumentTypeError, "targets is variable 'weight'"),
        (lambda: o.soft_update([W], [V], 0.5), ShapeError, "cannot follow 'v'"),
        (lambda: o.soft_update([W], [N], 0.5), DTypeError, "no floats"),
        (lambda: o.hard_update([W * 2], [W]), ArgumentTypeError, "no variable"),
        (lambda: o.hard_update([W], [3.0]), ArgumentTypeError, "no tensor"),
    ],
)  # fmt: skip
def test_averages_that_make_no_sense(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()
