"""L-BFGS: what it does where a search fails, its slots, its names and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers as o
from autograph import checkpoint
from tests.optimizers.descents import chained, minimising, over, pairs_of
from tests.optimizers.valleys import VALLEYS

# what fails -----------------------------------------------------------------------------------------------------------


def twisted() -> tuple[Any, Any, Any, o.LBFGS]:
    """A loss whose gradient has the sign of a register."""
    sign = ag.variable(1.0, "float64")
    step, w, optimizer = minimising(lambda w: chained(ag.gradient_scale(w, sign)), np.zeros(3))
    return step, w, sign, optimizer


def test_a_search_that_fails_moves_nothing_and_drops_the_pairs() -> None:
    step, w, sign, optimizer = twisted()
    step.loop(5)
    before = w.get_value()
    assert len(pairs_of(optimizer)) == 5
    sign.set_value(-1.0)
    loss = step()
    assert w.get_value().tobytes() == before.tobytes()
    assert not pairs_of(optimizer)
    assert step() == loss and w.get_value().tobytes() == before.tobytes()
    sign.set_value(1.0)
    losses = step.loop(60)
    assert losses[0] == loss and losses[1] < loss and losses[-1] < 1e-15


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("slope", ["is finite", "is not finite"])
def test_a_loss_that_is_not_finite_changes_nothing(bad: float, slope: str) -> None:
    w, bends = ag.variable([3.0, 1.0], "float64", name="w"), ag.placeholder((2,), dtype="float64")
    loss, optimizer = over(VALLEYS[3])(w) * bends[0] + bends[1], o.LBFGS()
    step = ag.function([bends], loss, optimizer.get_updates(loss, [w]))
    step([1.0, 0.0]), step([1.0, 0.0])
    before, state = w.get_value(), optimizer.state()
    assert not np.isfinite(step([1.0, bad] if slope == "is finite" else [bad, 0.0]))
    after = optimizer.state()
    assert after.pop("LBFGS/iterations") == state.pop("LBFGS/iterations") + 1
    assert w.get_value().tobytes() == before.tobytes()
    assert all(value.tobytes() == state[name].tobytes() for name, value in after.items())
    step([1.0, 0.0])
    assert w.get_value().tobytes() != before.tobytes()


def test_a_slope_that_is_not_finite_changes_nothing() -> None:
    step, w, _ = minimising(lambda w: ag.reduce_sum(w**0.5), [0.0, 4.0])
    assert step() == 2.0
    assert w.get_value().tolist() == [0.0, 4.0]


def test_pairs_that_do_not_curve_upwards_are_not_kept() -> None:
    step, _, optimizer = minimising(lambda w: -ag.reduce_sum(ag.square(w)), [1.0, 2.0])
    step.loop(3)
    assert not pairs_of(optimizer)


def test_random_numbers_are_the_same_at_every_trial() -> None:
    w, state = ag.variable(np.zeros(4), "float64", name="w"), ag.seed_state(3)
    loss = ag.reduce_sum(ag.square(w - 10 * ag.random_normal((4,), dtype="float64", state=state)) ** 2)
    step = ag.function([], loss, o.LBFGS().get_updates(loss, [w]))
    for _ in range(10):
        at = state.get_value()
        before = step()
        went = state.get_value()
        state.set_value(at)
        assert float(ag.eval(loss)) < before
        state.set_value(went)
        assert (went != at).any()


# state ----------------------------------------------------------------------------------------------------------------


def two_layers(names: str = "wb", values: Any = None, order: int = 1) -> tuple[Any, list[Any], o.LBFGS]:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)), np.zeros(4)] if values is None else values
    params = [ag.variable(value, "float64", name) for value, name in zip(start, names, strict=True)]
    x = np.random.default_rng(1).normal(size=(20, 3))
    loss = ag.reduce_mean(ag.square(ag.tanh(ag.matmul(x, params[0]) + params[1]) - np.sin(x[:, :1])))
    optimizer = o.LBFGS(history=4)
    return ag.function([], loss, optimizer.get_updates(loss, params[::order])), params, optimizer


@pytest.mark.parametrize("way", ["by name", "by name, parameters in another order", "by place", "by a file, in another order"])
def test_it_resumes_bit_for_bit(way: str, tmp_path: Path) -> None:
    step, params, optimizer = two_layers()
    step.loop(7)
    values, state, weights = [p.get_value() for p in params], optimizer.state(), optimizer.get_weights()
    checkpoint.save(tmp_path / "at", optimizer)
    expected = step.loop(20)
    again, others, resumed = two_layers(values=values, order=-1 if "order" in way else 1)
    if way == "by place":
        resumed.set_weights(weights)
    elif "file" in way:
        checkpoint.load(tmp_path / "at", resumed)
    else:
        resumed.load(state)
    assert again.loop(20).tobytes() == expected.tobytes()
    assert [p.get_value().tobytes() for p in others] == [p.get_value().tobytes() for p in params]


def test_its_slots_have_names_and_a_row_for_each_pair() -> None:
    step, _, optimizer = two_layers()
    step.loop(2)
    shapes = {name: value.shape for name, value in optimizer.state().items() if value.ndim}
    assert shapes == {"s/w": (4, 3, 4), "s/b": (4, 4), "y/w": (4, 3, 4), "y/b": (4, 4), "LBFGS/rho": (4,)}
    assert [w.name for w in optimizer.weights] == ["LBFGS/iterations", "LBFGS/rho", "s/w", "s/b", "y/w", "y/b"]
    state = optimizer.state()
    assert (state["LBFGS/rho"] > 0).tolist() == [False, False, True, True]
    products = sum((state[f"s/{n}"] * state[f"y/{n}"]).reshape(4, -1).sum(1) for n in "wb")
    np.testing.assert_allclose(products[2:] * state["LBFGS/rho"][2:], [1, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("dtypes", "slots"),
    [("float16", "float32"), ("float32", "float32"), ("float32 float64", "float64"), ("float16 float32", "float32")],
)
def test_every_register_keeps_its_dtype_and_shape(dtypes: str, slots: str) -> None:
    shapes = [(2, 3), (), (0,)]
    kinds = (dtypes.split() * 3)[:3]
    params = [ag.variable(np.ones(shapes[i]), kinds[i], f"w{i}") for i in range(3)]
    loss = sum(ag.reduce_sum(ag.square(p - 3)) for p in params)
    optimizer = o.LBFGS()
    ag.function([], None, optimizer.get_updates(loss, params)).loop(5)
    for i, (p, shape) in enumerate(zip(params, shapes, strict=True)):
        assert (p.get_value().dtype, p.get_value().shape) == (p.dtype, shape)
        np.testing.assert_allclose(p.get_value(), np.full(shape, 3.0), rtol=1e-3)
        assert optimizer.state()[f"s/w{i}"].dtype == slots


def test_a_second_call_reads_and_writes_the_same_slots() -> None:
    step, params, optimizer = two_layers()
    step.loop(3)
    loss = ag.reduce_sum(ag.square(params[0])) + ag.reduce_sum(params[1] ** 4)
    other = ag.function([], loss, optimizer.get_updates(loss, params))
    assert {r.name for r in other.registers} == {r.name for r in step.registers}
    other()
    assert optimizer.iterations.get_value() == 4


# for people -----------------------------------------------------------------------------------------------------------


def test_the_rate_is_where_the_trials_begin_and_is_changed_in_flight() -> None:
    step, w, optimizer = minimising(lambda w: ag.reduce_sum(ag.square(w)), [0.25, 0.0], lr=0.25)
    step()
    np.testing.assert_allclose(w.get_value(), [0.125, 0.0])
    optimizer.load({**optimizer.state(), "LBFGS/rho": np.zeros(10)})
    optimizer.lr = 0.5
    step()
    np.testing.assert_allclose(w.get_value(), [0.0, 0.0], atol=1e-15)
    assert "prepared 1×" in repr(step)


def test_it_has_its_names_its_configuration_and_its_formula() -> None:
    made = o.LBFGS(history=3, lr=0.5, c_2=0.8)
    assert o.lbfgs is o.LBFGS and type(o.get("lbfgs")) is o.LBFGS
    config = {"learning_rate": 0.5, "history": 3, "trials": 20, "c_1": 1e-4, "c_2": 0.8, "decay": 0.0}
    assert o.get(o.serialize(made)).get_config() == made.get_config() == config
    assert "p ← p − α·H·g" in str(made)
    _, _, optimizer = two_layers()
    assert "S" in str(optimizer.updates) and "w" in optimizer.updates._repr_latex_()


def with_constraint(**kwargs: Any) -> Any:
    w = ag.variable([1.0], name="w", **kwargs)
    return ag.reduce_sum(ag.square(w)), w


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda loss, w: o.LBFGS().get_updates([loss], [w]), ag.ArgumentTypeError, "gradients in place of the loss"),
        (lambda loss, w: o.accumulate(o.LBFGS(), 2).get_updates(loss, [w]), ag.ArgumentTypeError, "in place of the loss"),
        (lambda loss, w: o.partition({}, o.LBFGS()).get_updates([w * 2], [w]), ag.ArgumentTypeError, "in place of the loss"),
        (lambda loss, w: o.static_scale(o.LBFGS(), 2.0).get_updates(loss, [w]), ag.ArgumentTypeError, "in place of the loss"),
        (lambda loss, w: o.LBFGS().get_updates([w], {w: o.non_neg()}, loss), ag.ArgumentError, "'w' has a constraint"),
        (lambda loss, w: o.LBFGS().get_updates(ag.square(w), [w]), ag.ShapeError, "one number"),
        (lambda loss, w: o.LBFGS().get_updates(loss, [ag.variable(1.0)]), ag.DisconnectedError, "no gradient"),
        (lambda loss, w: o.LBFGS(clipnorm=1.0), ag.ArgumentTypeError, "unknown argument 'clipnorm'"),
        (lambda loss, w: o.LBFGS(weight_decay=1.0), ag.ArgumentTypeError, "unknown argument 'weight_decay'"),
        (lambda loss, w: o.LBFGS(hystory=3), ag.ArgumentTypeError, "did you mean 'history'"),
        (lambda loss, w: o.LBFGS(history=0), ag.ArgumentError, "at least 1"),
        (lambda loss, w: o.LBFGS(trials=2.5), ag.ArgumentTypeError, "whole number"),
        (lambda loss, w: o.LBFGS(c_1=0.5), ag.ArgumentError, "below 0.5"),
        (lambda loss, w: o.LBFGS(c_2=1.0), ag.ArgumentError, "from 0.5 to below 1"),
    ],
)
def test_what_makes_no_sense_is_said(call: Callable[..., Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(*with_constraint())


def test_other_parameters_and_parameters_with_a_constraint_are_refused() -> None:
    loss, w = with_constraint(constraint=o.non_neg())
    with pytest.raises(ag.ArgumentError, match="may raise the loss"):
        o.LBFGS().get_updates(loss, [w])
    loss, w = with_constraint()
    v = ag.variable([1.0], name="v")
    optimizer = o.LBFGS()
    optimizer.get_updates(loss, [w])
    with pytest.raises(ag.ArgumentError, match="other parameters than before"):
        optimizer.get_updates(loss + ag.reduce_sum(v), [w, v])
