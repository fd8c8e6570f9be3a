"""What must hold of every rule: low precision, state, configuration, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers as o
from autograph import ArgumentError, ArgumentTypeError, function, placeholder, reduce_sum, square, variable
from tests.optimizers.paths import ALL, Make, after, bare, steps
from tests.optimizers.references import gradients_of, start


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rule", ALL)
def test_a_zero_gradient_is_no_step_and_never_nan(rule: Make, dtype: str) -> None:
    w, zero = np.array([[1.0, -2.0], [0.0, 0.5]], dtype), np.zeros((2, 2), dtype)
    for value in (w, zero):
        [found] = after(bare(rule), [value], *[[zero]] * 4)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, value, rtol=0, atol=2 * np.finfo(dtype).eps if rule is o.Ftrl else 0)


@pytest.mark.parametrize("kwargs", [{"centered": True}, {"momentum": 0.9}, {"centered": True, "momentum": 0.9}])
def test_a_zero_gradient_is_no_step_of_centred_rmsprop(kwargs: dict[str, Any]) -> None:
    w, zero = np.ones(3, "float16"), np.zeros(3, "float16")
    assert after(o.RMSprop(**kwargs), [w], [zero], [zero])[0].tolist() == [1.0, 1.0, 1.0]


def test_a_constant_gradient_has_no_negative_spread() -> None:
    g = np.full(3, 0.1, "float32")
    assert np.isfinite(after(o.RMSprop(centered=True, rho=0.5), [g], *[[g]] * 60)[0]).all()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 3), (0, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rule", ALL)
def test_every_register_keeps_its_dtype_and_shape(rule: Make, dtype: str, shape: tuple[int, ...]) -> None:
    if rule is o.Muon and len(shape) < 2:
        with pytest.raises(ArgumentError, match="steps matrices, and 'w0'"):
            after(o.Muon(), [np.ones(shape, dtype)], [np.ones(shape, dtype)])
        return
    optimizer = rule()
    [found] = after(optimizer, [np.ones(shape, dtype)], *[[np.ones(shape, dtype)]] * 3)
    assert (found.dtype, found.shape) == (dtype, shape)
    assert np.isfinite(found).all()
    assert all(value.dtype in (dtype, "int64", "float64", "uint64") for value in optimizer.state().values())


@pytest.mark.parametrize("rule", ALL)
def test_state_and_weights_resume_bit_for_bit(rule: Make) -> None:
    found = list(gradients_of())[:10]
    params = [variable(a, "float64", name) for a, name in zip(start(), "wb", strict=True)]
    feeds = [placeholder(p.shape, dtype=p.dtype) for p in params]
    through = rule()
    step = function(feeds, updates=steps(through, feeds, params))
    for gradients in found[:5]:
        step(*gradients)
    state, weights, values = through.state(), through.get_weights(), [p.get_value() for p in params]
    for gradients in found[5:]:
        step(*gradients)
    for restore, order in ((lambda new: new.load(state), -1), (lambda new: new.set_weights(weights), 1)):
        resumed = o.get(o.serialize(through))
        again = [variable(value, "float64", name) for value, name in zip(values, "wb", strict=True)]
        other = function(feeds, updates=steps(resumed, feeds[::order], again[::order]))
        restore(resumed)
        for gradients in found[5:]:
            other(*gradients)
        assert [p.get_value().tobytes() for p in again] == [p.get_value().tobytes() for p in params]


@pytest.mark.parametrize("rule", ALL)
def test_a_function_that_steps_is_pickled_and_goes_on_bit_for_bit(rule: Make) -> None:
    params = [variable(a, "float64", name) for a, name in zip(start(), "wb", strict=True)]
    feeds = [placeholder(p.shape, dtype=p.dtype) for p in params]
    step = function(feeds, params, updates=steps(rule(noise=0.1), feeds, params))
    found = list(gradients_of())[:15]
    for gradients in found[:5]:
        step(*gradients)
    twin = pickle.loads(pickle.dumps(step))
    for gradients in found[5:]:
        assert [a.tobytes() for a in step(*gradients)] == [a.tobytes() for a in twin(*gradients)]


@pytest.mark.parametrize("rule", ALL)
def test_every_rule_has_its_names_its_configuration_and_its_formula(rule: Make) -> None:
    name = rule.__name__
    assert getattr(o, name.lower()) is rule
    assert type(o.get(name)) is type(o.get(name.lower())) is rule
    assert {name, name.lower()} <= set(o.__all__)
    made = rule(lr=0.25, decay=0.5)
    assert o.get(o.serialize(made)).get_config() == made.get_config()
    assert str(rule()).count("←") >= 1
    assert rule.__doc__
    assert "p ← " in rule.__doc__


def test_the_defaults_and_places_of_arguments_are_those_of_keras() -> None:
    assert o.RMSprop().get_config() == {
        "learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.0, "centered": False, "decay": 0.0,
    }  # fmt: skip
    assert (o.Adagrad().get_config()["learning_rate"], o.Adadelta().get_config()["learning_rate"]) == (0.01, 1.0)
    assert o.Adamax(0.5, 0.25, 0.125).get_config() == {
        "learning_rate": 0.5, "beta_1": 0.25, "beta_2": 0.125, "epsilon": 1e-7, "decay": 0.0,
    }  # fmt: skip
    assert o.Nadam(lr=0.5, epsilon=None).get_config() == {
        "learning_rate": 0.5, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "schedule_decay": 0.004, "decay": 0.0,
    }  # fmt: skip
    assert (o.Adadelta().get_config()["rho"], o.Nadam().get_config()["learning_rate"]) == (0.95, 0.002)


@pytest.mark.parametrize(("rule", "place", "value"), [(o.RMSprop, 0, 0), (o.Adagrad, 0, 0), (o.Adadelta, 0, 0), (o.Nadam, 1, 1)])
def test_weights_that_old_keras_saved_are_taken(rule: Make, place: int, value: int) -> None:
    optimizer = rule()
    after(optimizer, start(), next(gradients_of()))
    weights = optimizer.get_weights()
    optimizer.set_weights([*weights[:place], *weights[place + 1 :]])
    found = optimizer.get_weights()
    assert found.pop(place) == value
    for a, b in zip(found, [*weights[:place], *weights[place + 1 :]], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ArgumentError, match="arrays"):
        optimizer.set_weights(weights[2:])


def test_the_momentum_schedule_is_one_number_for_all_parameters_of_a_counter() -> None:
    w, b, late = (variable(np.ones(2), "float64", name) for name in ("w", "b", "late"))
    optimizer = o.Nadam()
    step = function([], updates=optimizer.get_updates([np.ones(2)] * 2, [w, b]))
    step()
    mu = 0.9 * (1 - 0.5 * 0.96**0.004)
    assert optimizer.state()["Nadam/m_schedule"] == pytest.approx(mu, rel=1e-15)
    function([], updates=optimizer.get_updates([np.ones(2)], [late]))
    assert optimizer.state()["Nadam/m_schedule_1"] == 1.0
    names = [weight.name for weight in optimizer.weights]
    assert names[:2] == ["Nadam/iterations", "Nadam/m_schedule"]
    assert optimizer.get_updates([np.ones(2)] * 2, [w, b]).registers.count(optimizer.weights[1]) == 1


def test_the_first_size_of_rprop_is_the_rate_at_the_first_step() -> None:
    w = variable(np.ones(2), "float64")
    optimizer = o.Rprop(lr=0.5)
    step = function([], updates=optimizer.get_updates([np.ones(2)], [w]))
    optimizer.lr = 0.25
    step()
    assert w.get_value().tolist() == [0.75, 0.75]


def test_the_average_of_asgd_is_the_mean_of_its_path() -> None:
    w = variable(np.ones(1), "float64", name="w")
    optimizer = o.ASGD(lr=0.1, lambd=0.0, t0=0.0)
    step = function([], w, updates=optimizer.get_updates(reduce_sum(square(w)), [w]))
    seen = [step() for _ in range(6)]
    np.testing.assert_allclose(optimizer.state()["average/w"], np.mean([*seen[2:], w.get_value()], axis=0), rtol=1e-12)


def test_ftrl_makes_small_weights_exactly_zero() -> None:
    rng = np.random.default_rng(0)
    gradients = [[rng.normal(size=8) * 0.1] for _ in range(50)]
    [found] = after(o.Ftrl(lr=0.1, l1=5.0), [np.zeros(8)], *gradients)
    assert found.tolist() == [0.0] * 8


def test_a_large_float32_gradient_has_a_norm() -> None:
    for rule in (o.LAMB, o.LARS, o.NovoGrad, o.Muon):
        g = np.array([[3e17, -4e17]], "float32")
        [found] = after(bare(rule), [np.ones((1, 2), "float32")], [g])
        assert (np.abs(found - 1) > 0).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: o.AdamW(decoupled="schedul"), ArgumentError, "did you mean 'schedule'"),
        (lambda: o.AdamW(decoupled=True), ArgumentTypeError, "one of 'lr', 'schedule', 'none'"),
        (lambda: o.AdamW(weight_decay=-1), ArgumentError, "at least 0"),
        (lambda: o.AdamW(eps_hat=1), ArgumentTypeError, "True or False"),
        (lambda: o.Muon(steps=0), ArgumentError, "at least 1"),
        (lambda: o.Muon(steps=2.5), ArgumentTypeError, "whole number"),
        (lambda: o.Muon(adjust="no"), ArgumentError, "known: original, rms, none"),
        (lambda: o.Sophia(every=0), ArgumentError, "at least 1"),
        (lambda: o.Sophia(probe="gaussian"), ArgumentError, "known: normal, rademacher"),
        (lambda: o.Sophia(seed="x"), ArgumentTypeError, "whole number"),
        (lambda: o.SOAP(largest=2.5), ArgumentTypeError, "whole number"),
        (lambda: o.Yogi(initial=-1), ArgumentError, "at least 0"),
        (lambda: o.Yogi(initial=float("nan")), ArgumentError, "at least 0"),
        (lambda: o.Yogi(initial="small"), ArgumentTypeError, "no number"),
        (lambda: o.Rprop(shrink=1.5), ArgumentError, "from 0 to below 1"),
        (lambda: o.Rprop(grow=0.5), ArgumentError, "at least 1"),
        (lambda: o.RMSprop(centred=True), ArgumentTypeError, "did you mean 'centered'"),
        (lambda: o.Nadam(schedule=0.1), ArgumentTypeError, "unknown argument 'schedule'"),
        (lambda: o.Adagrad(rho=0.1), ArgumentTypeError, "unknown argument 'rho'"),
    ],
)
def test_impossible_arguments(make: Callable[[], o.Optimizer], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        (o.AdamW(), "decoupled", "none"),
        (o.AdamW(), "eps_hat", False),
        (o.Yogi(), "initial", 0.5),
        (o.Muon(), "steps", 3),
        (o.SOAP(), "every", 3),
        (o.ScheduleFreeAdamW(), "eps_hat", False),
        (o.ScheduleFreeSGD(), "weight_decay", 0.1),
        (o.Lion(), "weight_decay", 0.1),
        (o.RMSprop(), "momentum", 0.9),
    ],
)
def test_a_form_is_fixed_once_updates_exist(optimizer: o.Optimizer, name: str, value: Any) -> None:
    after(optimizer, [np.ones((2, 2))], [np.ones((2, 2))])
    setattr(optimizer, name, optimizer.hyperparameters[name].default)
    with pytest.raises(ArgumentError, match="make a new optimizer"):
        setattr(optimizer, name, value)


def test_a_choice_that_is_not_the_usual_one_is_shown() -> None:
    assert "eps_hat=False" in repr(o.AdamW(eps_hat=False))
    assert "amsgrad" not in repr(o.AdamW())
    assert "nesterov=False" in repr(o.Muon(nesterov=False))
