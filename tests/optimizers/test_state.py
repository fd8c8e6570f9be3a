"""Configuration and state: they go round, by name and as Keras's list, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers
from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Updates,
    reduce_sum,
    set_epsilon,
    variable,
)
from optimizers import SGD, Adam, Optimizer
from tests.optimizers.problems import keras_problem
from tests.ticking import tick

# configuration and state ----------------------------------------------------------------------------------------------


class Mine(Optimizer):
    """A rule of a user's, to be found among `custom_objects`."""



def test_a_configuration_goes_round() -> None:
    adam = Adam(lr=0.02, beta_1=0.5, clipnorm=2.0, amsgrad=True, name="critic")
    adam.lr = 0.03
    config = adam.get_config()
    assert config == {
        "name": "critic", "learning_rate": 0.03, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": True,
        "decay": 0.0, "clipnorm": 2.0,
    }  # fmt: skip
    assert Adam.from_config(config).get_config() == config
    assert Adam.from_config({"lr": 0.5}).get_config()["learning_rate"] == 0.5
    assert optimizers.get(optimizers.serialize(adam)).get_config() == config
    assert optimizers.get(adam) is adam
    assert isinstance(optimizers.get("adam"), Adam)
    assert isinstance(optimizers.get("SGD"), SGD)
    assert optimizers.adam is Adam
    assert isinstance(optimizers.deserialize({"class_name": "Mine", "config": {}}, {"Mine": Mine}), Mine)
    with pytest.raises(ArgumentError, match="did you mean 'Adam'"):
        optimizers.get("Adamm")
    with pytest.raises(ArgumentTypeError):
        optimizers.get(3)
    with pytest.raises(ArgumentError, match="no plain number"):
        Adam(lr=lambda t: t).get_config()


def test_epsilon_none_is_the_fuzz_of_the_configuration() -> None:
    set_epsilon(1e-5)
    try:
        assert Adam(epsilon=None).get_config()["epsilon"] == 1e-5
    finally:
        set_epsilon(1e-7)


@pytest.mark.parametrize("make", [lambda: SGD(momentum=0.9), Adam, lambda: Adam(amsgrad=True)])
def test_state_and_weights_resume_bit_for_bit(make: Callable[[], Optimizer]) -> None:
    def train(optimizer: Optimizer, problem: Any, steps: int) -> Updates:
        loss, p, q = problem
        updates = optimizer.get_updates(loss, [p, q])
        for _ in range(steps):
            tick(updates)
        return updates

    problem, through = keras_problem(), make()
    updates = train(through, problem, 5)
    state, weights, values = through.state(), through.get_weights(), [v.get_value() for v in problem[1:]]
    for _ in range(5):
        tick(updates)
    for restore in (lambda o: o.load(state), lambda o: o.set_weights(weights)):
        again, resumed = keras_problem(), make()
        updates = train(resumed, again, 1)
        restore(resumed)
        for v, value in zip(again[1:], values, strict=True):
            v.set_value(value)
        for _ in range(5):
            tick(updates)
        assert [v.get_value().tobytes() for v in again[1:]] == [v.get_value().tobytes() for v in problem[1:]]
        assert resumed.state().keys() == state.keys()


def test_state_is_named_by_slot_and_parameter() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    optimizer.get_updates(loss, [p, q])
    assert list(optimizer.state()) == [
        "Adam/learning_rate", "Adam/beta_1", "Adam/beta_2", "Adam/epsilon", "Adam/decay", "Adam/iterations",
        "m/p", "v/p", "m/q", "v/q",
    ]  # fmt: skip


def test_loading_names_everything_that_does_not_fit_and_changes_nothing() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    optimizer.get_updates(loss, [p, q])
    state = optimizer.state()
    state["m/pp"] = state.pop("m/p")
    with pytest.raises(ArgumentError, match="missing 'm/p', unexpected 'm/pp'; did you mean 'm/p'"):
        optimizer.load(state)
    state["v/p"], state["Adam/beta_1"] = np.zeros(7), np.array(0.5)
    with pytest.raises(ArgumentError, match=r"'v/p'\) is \[2\], got \[7\]"):
        optimizer.load(state, strict=False)
    with pytest.raises(ArgumentError, match=r"'Adam/iterations'\) is int64, got float64"):
        optimizer.load({"Adam/iterations": np.array(1.5)}, strict=False)
    assert optimizer.beta_1.get_value() == 0.9


def test_parameters_of_one_name_have_states_of_two() -> None:
    a, b = variable([1.0], name="w"), variable([2.0], name="w")
    optimizer = SGD(momentum=0.9)
    optimizer.get_updates(reduce_sum(a * b), [a, b])
    assert [name for name in optimizer.state() if name.startswith("m/")] == ["m/w", "m/w_1"]


def test_set_weights_wants_one_array_for_each_weight() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    assert optimizer.get_weights() == []
    with pytest.raises(ArgumentError, match="call get_updates first"):
        optimizer.set_weights([np.zeros(())])
    optimizer.get_updates(loss, [p, q])
    with pytest.raises(ArgumentError, match="Adam needs 7 arrays, got 6"):
        optimizer.set_weights(optimizer.get_weights()[1:])
    with pytest.raises(ArgumentError, match="nothing was changed"):
        optimizer.set_weights(optimizer.get_weights()[::-1])
