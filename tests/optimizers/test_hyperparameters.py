"""Hyper-parameters: registers that can be set at any time, and the numbers that are refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    ShapeError,
    Tensor,
    Variable,
    cast,
    function,
    placeholder,
    reduce_sum,
    sign,
    square,
    variable,
)
from optimizers import SGD, Adam, Optimizer
from tests.ticking import tick, values_of

# hyper-parameters in flight -------------------------------------------------------------------------------------------


def test_a_rate_can_be_set_at_any_time_and_no_update_is_built_anew() -> None:
    w = variable([1.0], "float64")
    optimizer = SGD(lr=0.5)
    register = optimizer.lr
    step = function([], updates=optimizer.get_updates([np.ones(1)], [w]))
    step()
    optimizer.lr = 0.25
    step()
    optimizer.learning_rate = np.float32(0.125)
    step()
    assert w.get_value().tolist() == [1 - 0.5 - 0.25 - 0.125]
    assert optimizer.lr is register is optimizer.learning_rate
    assert (register.dtype, register.shape, register.name) == ("float64", (), "SGD/learning_rate")


@pytest.mark.parametrize("name", ["beta_1", "beta_2", "epsilon", "decay", "clipnorm", "clipvalue"])
def test_every_number_can_be_set_in_flight(name: str) -> None:
    before = {"beta_1": 0.5, "beta_2": 0.5, "epsilon": 0.1, "decay": 0.0, "clipnorm": 5.0, "clipvalue": 5.0}[name]
    late, early = Adam(**{name: before}), Adam(**{name: 0.25})
    a, b = variable([1.0, 2.0], "float64"), variable([1.0, 2.0], "float64")
    first, second = late.get_updates(reduce_sum(square(a)), [a]), early.get_updates(reduce_sum(square(b)), [b])
    setattr(late, name, 0.25)
    for _ in range(3):
        tick(first)
        tick(second)
    assert a.get_value().tobytes() == b.get_value().tobytes()


def test_a_rate_may_be_a_variable_a_tensor_or_a_function_of_the_steps() -> None:
    own = variable(0.5, "float32", name="my_rate")
    for rate in (own, own * 1, lambda steps: own / (1 + 0 * steps)):
        w = variable([1.0], "float64")
        optimizer = SGD(lr=rate)
        tick(optimizer.get_updates([np.ones(1)], [w]))
        assert w.get_value().tolist() == [0.5]
    assert SGD(lr=own).lr is own
    w = variable([4.0], "float64")
    halving = SGD(lr=lambda steps: 2.0 ** -steps).get_updates([np.ones(1)], [w])
    for _ in range(3):
        tick(halving)
    assert w.get_value().tolist() == [4 - 1 - 0.5 - 0.25]


def test_rate_and_step_can_be_read_before_there_are_updates() -> None:
    optimizer = SGD(lr=0.5, decay=1.0)
    optimizer.iterations.set_value(3)
    assert [float(x) for x in values_of([optimizer.t, optimizer.rate])] == [4.0, 0.125]


def test_a_schedule_gives_one_float() -> None:
    with pytest.raises(ArgumentError, match="the schedule gives int64"):
        SGD(lr=lambda steps: cast(steps, "int64")).get_updates([np.ones(1)], [variable([1.0])])


def test_before_updates_exist_a_schedule_can_still_be_given_and_afterwards_it_raises() -> None:
    optimizer, w = SGD(), variable([1.0])
    optimizer.lr = own = variable(0.5)
    assert optimizer.lr is own
    optimizer.get_updates([np.ones(1)], [w])
    with pytest.raises(ArgumentError, match="would not follow"):
        optimizer.lr = lambda steps: own
    with pytest.raises(ArgumentError, match="make a new optimizer"):
        optimizer.clipnorm = 1.0
    with pytest.raises(ArgumentError, match="fixed"):
        optimizer.nesterov = True
    optimizer.nesterov = False
    optimizer.lr = 0.25
    assert own.get_value() == 0.25


def test_momentum_that_was_left_out_cannot_come_back_in_silence() -> None:
    optimizer, w = SGD(), variable([1.0], name="w")
    optimizer.momentum = 0.5
    optimizer.momentum = 0.0
    assert len(optimizer.get_updates([np.ones(1)], [w])) == 2
    for write in (lambda: setattr(optimizer, "momentum", 0.9), lambda: optimizer.momentum.set_value(0.9)):
        with pytest.raises(ArgumentError, match="built without this term"):
            write()
    optimizer.momentum = 0.0
    assert optimizer.momentum.get_value() == 0.0


# a rule of one's own --------------------------------------------------------------------------------------------------


class Signum(Optimizer):
    """p ← p − η·sign(m)."""

    beta = 0.5
    flip = False

    def rule(self, p: Variable, g: Tensor, s: Any) -> Tensor:
        s.m = self.beta * s.m + (1 - self.beta) * g
        return p + self.rate * sign(s.m) if self.flip else p - self.rate * sign(s.m)


class Reader(Optimizer):
    """p ← p − η·h·g, where h is remembered and never changed."""

    def rule(self, p: Variable, g: Tensor, s: Any) -> Tensor:
        return p - self.rate * s.h * g


def test_a_slot_that_is_only_read_keeps_its_value() -> None:
    w = variable([1.0], name="w")
    optimizer = Reader(lr=0.5)
    updates = optimizer.get_updates([np.ones(1)], [w])
    assert [register.name for register in updates.registers] == ["Reader/iterations", "w"]
    optimizer.load({"h/w": np.ones(1)}, strict=False)
    tick(updates)
    assert (w.get_value().tolist(), optimizer.state()["h/w"].tolist()) == ([0.5], [1.0])


def test_a_rule_of_ones_own_is_a_method_and_its_numbers_are_registers() -> None:
    w = variable([1.0, 2.0], name="w")
    optimizer = Signum(0.5, beta=0.25)
    updates = optimizer.get_updates([np.array([1.0, -3.0])], [w])
    tick(updates)
    assert w.get_value().tolist() == [0.5, 2.5]
    assert optimizer.get_weights()[1].tolist() == [0.75, -2.25]
    optimizer.beta = 0.75
    assert Signum.from_config(optimizer.get_config()).get_config() == optimizer.get_config()
    assert list(inspect.signature(Signum).parameters)[:3] == ["learning_rate", "beta", "flip"]
    assert "sign(m′)" in repr(updates)
    with pytest.raises(NotImplementedError, match="no rule"):
        Optimizer().get_updates([np.ones(2)], [w])


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD(lr=float("nan")), ArgumentError, "learning_rate=nan isn't finite.*positive finite number is expected"),
        (lambda: SGD(lr=float("inf")), ArgumentError, "isn't finite"),
        (lambda: SGD(lr=0), ArgumentError, "learning_rate=0.*positive"),
        (lambda: SGD(lr=-1), ArgumentError, "learning_rate=-1"),
        (lambda: SGD(lr="0.1"), ArgumentTypeError, "learning_rate='0.1' is no number"),
        (lambda: SGD(lr=True), ArgumentTypeError, "is no number"),
        (lambda: SGD(lr=np.ones(2)), ArgumentTypeError, "is no number"),
        (lambda: SGD(lr=placeholder((2,))), ShapeError, "rank 0"),
        (lambda: SGD(lr=placeholder((), dtype="int32")), DTypeError, "float of rank 0"),
        (lambda: SGD(momentum=1.0), ArgumentError, "momentum=1.*from 0 to below 1"),
        (lambda: SGD(momentum=-0.1), ArgumentError, "momentum=-0.1"),
        (lambda: SGD(nesterov=1), ArgumentTypeError, "True or False"),
        (lambda: Adam(beta_1=1), ArgumentError, "beta_1=1"),
        (lambda: Adam(epsilon=-1e-7), ArgumentError, "at least 0"),
        (lambda: Adam(decay=-1), ArgumentError, "decay=-1"),
        (lambda: Adam(clipnorm=-1), ArgumentError, "clipnorm=-1"),
        (lambda: Adam(clipnorm=1, clipnorm_per_param=1), ArgumentError, "exclude"),
        (lambda: Adam(learning_rat=0.1), ArgumentTypeError, "'learning_rat'; did you mean 'learning_rate'"),
        (lambda: Adam(lr=0.1, learning_rate=0.1), ArgumentTypeError, "twice"),
        (lambda: Adam(0.1, lr=0.1), ArgumentTypeError, "'learning_rate' twice, once as 'lr'"),
        (lambda: SGD(0.1, 0.9, False, 0.1), ArgumentTypeError, "at most 3 arguments by position"),
    ],
)
def test_impossible_arguments(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()


@pytest.mark.parametrize("value", [float("nan"), 0, -1.0, "fast", None])
def test_an_impossible_rate_is_refused_in_flight_too(value: Any) -> None:
    optimizer = SGD()
    if value is None:
        optimizer.lr = value  # as in the constructor: the default
        assert optimizer.lr.get_value() == 0.01
        return
    with pytest.raises((ArgumentError, ArgumentTypeError)):
        optimizer.lr = value
    assert optimizer.lr.get_value() == 0.01


def test_zero_is_no_limit_for_a_norm_as_in_keras() -> None:
    assert SGD(clipnorm=0.0).clipnorm is None
    assert SGD(global_clipnorm=2.0).clipnorm.get_value() == 2.0
