"""Schedule-free rules: the mean of their path, how it is looked at, and where it starts."""

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
    ShapeError,
    Updates,
    eval,
    function,
    placeholder,
    reduce_sum,
    square,
    variable,
)
from tests.optimizers.paths import Make
from tests.optimizers.references import gradients_of, start

RULES: list[Make] = [o.ScheduleFreeSGD, o.ScheduleFreeAdamW]


def trained(optimizer: Any, dtype: str = "float64", ticks: int = 20) -> list[Any]:
    """Two parameters after some steps with given gradients."""
    params = [variable(a, dtype, name) for a, name in zip(start(), "wb", strict=True)]
    feeds = [placeholder(p.shape, dtype=dtype) for p in params]
    step = function(feeds, updates=optimizer.get_updates(feeds, params))
    for _, found in zip(range(ticks), gradients_of(dtype), strict=False):
        step(*found)
    return params


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 0.99), st.floats(0, 3), st.floats(0, 1))
def test_the_average_is_the_mean_of_z_weighted_by_powers_of_the_rate(beta: float, power: float, decay: float) -> None:
    w = variable([3.0, -1.0], "float64", name="w")
    optimizer = o.ScheduleFreeSGD(0.1, beta_1=beta, weight_power=power, decay=decay)
    step = function([], updates=optimizer.get_updates([w * np.array([1.0, 5.0])], [w]))
    seen, weights = [], []
    for t in range(12):
        step()
        seen.append(optimizer.state()["z/w"])
        weights.append((0.1 / (1 + decay * t)) ** power)
        mean = np.average(seen, axis=0, weights=weights)
        np.testing.assert_allclose(eval(optimizer.averages[w]), mean, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(w.get_value(), beta * mean + (1 - beta) * seen[-1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_the_average_stands_in_the_parameters_place_and_then_no_more(rule: Make, dtype: str) -> None:
    optimizer = rule(0.01)
    w, b = trained(optimizer, dtype)
    held = [p.get_value() for p in (w, b)]
    mean, other, z = eval(optimizer.averages[w]), eval(optimizer.averages[b]), optimizer.state()["z/w"]
    with o.swapped(optimizer.averages):
        assert w.get_value().tobytes() == mean.tobytes()
        assert w.dtype == dtype
        w.set_value(np.zeros((3, 4)))
    assert [p.get_value().tobytes() for p in (w, b)] == [value.tobytes() for value in held]
    near = 4e-3 if dtype == "float16" else 1e-5
    np.testing.assert_allclose(0.9 * mean.astype("float64") + 0.1 * z, held[0], atol=near)
    with o.swapped(optimizer.averages, [b]):
        assert w.get_value().tobytes() == held[0].tobytes()
        assert b.get_value().tobytes() == other.tobytes() != held[1].tobytes()


@pytest.mark.parametrize("rule", RULES)
def test_the_loss_at_the_average_is_an_expression(rule: Make) -> None:
    optimizer, w = rule(0.1), variable([3.0, -1.0], "float64", name="w")
    loss = reduce_sum(square(w) * np.array([1.0, 5.0]))
    step = function([], updates=optimizer.get_updates(loss, [w]))
    for _ in range(10):
        step()
    there = Updates(optimizer.averages).after(loss)
    with o.swapped(optimizer.averages):
        assert eval(there) != eval(loss)
        inside = eval(loss)
    assert eval(there) == pytest.approx(inside, rel=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_everything_starts_where_the_parameter_is_at_the_first_step(rule: Make) -> None:
    found = []
    for late in (False, True):
        optimizer, w = rule(0.1), variable([0.0] if late else [5.0], "float64", name="w")
        step = function([], updates=optimizer.get_updates([np.ones(1)], [w]))
        w.set_value([5.0])
        assert eval(optimizer.averages[w]).tolist() == [5.0]
        with o.swapped(optimizer.averages):
            assert w.get_value().tolist() == [5.0]
        step()
        step()
        found.append((w.get_value().tolist(), eval(optimizer.averages[w]).tolist()))
    assert found[0] == found[1]
    assert 4.5 < found[0][0][0] < found[0][1][0] < 5.0
    assert rule().averages == {}


@pytest.mark.parametrize("rule", RULES)
def test_a_warm_up_from_nothing_begins_with_no_step(rule: Make) -> None:
    optimizer, w = rule(o.warmup(o.constant(0.1), 3)), variable([1.0, 2.0], name="w")
    step = function([], updates=optimizer.get_updates([np.ones(2)], [w]))
    step()
    assert w.get_value().tolist() == eval(optimizer.averages[w]).tolist() == [1.0, 2.0]
    for _ in range(5):
        step()
    assert (w.get_value() < [1.0, 2.0]).all()


def test_the_mean_forgets_less_than_the_path_where_gradients_are_noisy() -> None:
    rng = np.random.default_rng(0)
    optimizer, w = o.ScheduleFreeSGD(0.5), variable(np.full(50, 3.0), "float64", name="w")
    noise = placeholder((50,), dtype="float64")
    step = function([noise], updates=optimizer.get_updates([w + noise], [w]))
    for _ in range(400):
        step(rng.normal(size=50))
    path, mean = (np.sqrt(np.mean(np.square(x))) for x in (w.get_value(), eval(optimizer.averages[w])))
    assert mean < 0.2 * np.sqrt(np.mean(np.square(optimizer.state()["z/w"])))
    assert mean < path


@pytest.mark.parametrize("rule", RULES)
def test_a_multiplier_changes_the_step_and_not_the_weights_of_the_mean(rule: Make) -> None:
    w, b = (variable([1.0, 2.0], "float64", name=name) for name in "wb")
    optimizer = rule(0.1, multipliers={"w": 0.0})
    step = function([], updates=optimizer.get_updates([np.ones(2)] * 2, [w, b]))
    other = rule(0.1)
    c = variable([1.0, 2.0], "float64", name="c")
    alone = function([], updates=other.get_updates([np.ones(2)], [c]))
    for _ in range(5):
        step()
        alone()
    assert w.get_value().tolist() == [1.0, 2.0]
    assert b.get_value().tobytes() == c.get_value().tobytes()


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("make", "theirs"),
    [
        (lambda: o.ScheduleFreeSGD(0.05), lambda c: c.schedule_free_sgd(0.05)),
        (lambda: o.ScheduleFreeAdamW(0.05, eps_hat=False), lambda c: c.schedule_free_adamw(0.05, eps=1e-7)),
    ],
)
def test_the_average_is_that_of_optax(make: Callable[[], Any], theirs: Callable[[Any], Any]) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    contrib = pytest.importorskip("optax.contrib", reason="optax is not installed")
    optimizer = make()
    ours = [eval(optimizer.averages[p]) for p in trained(optimizer)]
    with jax.enable_x64(True):
        peer, params = theirs(contrib), [jax.numpy.asarray(a) for a in start()]
        state = peer.init(params)
        for _, gradients in zip(range(20), gradients_of(), strict=False):
            changes, state = peer.update(gradients, state, params)
            params = [p + change for p, change in zip(params, changes, strict=True)]
        expected = contrib.schedule_free_eval_params(state, params)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_expressions_stand_in_the_place_of_parameters_beside_registers() -> None:
    w, b, mean = variable([1.0, 2.0], name="w"), variable(3.0, name="b"), variable(7.0, name="mean")
    with o.swapped({w: w * 2 + b, b: mean}):
        assert (w.get_value().tolist(), float(b.get_value())) == ([5.0, 7.0], 7.0)
    assert (w.get_value().tolist(), float(b.get_value())) == ([1.0, 2.0], 3.0)
    for bad, error in (({w: w * 2, b: w}, ShapeError), ({w: placeholder((2,))}, Exception)):
        with pytest.raises(error), o.swapped(bad):
            pytest.fail("the block ran")
        assert (w.get_value().tolist(), float(b.get_value())) == ([1.0, 2.0], 3.0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5])
def test_a_mean_that_could_not_be_found_again_is_refused(rule: Make, beta: float) -> None:
    with pytest.raises(ArgumentError, match="a number above 0 and below 1 is expected"):
        rule(beta_1=beta)
    with pytest.raises(ArgumentTypeError, match="did you mean 'weight_power'"):
        rule(weight_powr=2.0)
