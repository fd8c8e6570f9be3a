"""SGD and Adam: identities, low precision, counters, and what they cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from autograph import cast, function, greater, placeholder, reduce_sum, square, variable
from optimizers import SGD, Adam, Optimizer
from tests.optimizers.paths import path
from tests.optimizers.problems import keras_problem
from tests.ticking import tick


def test_a_constraint_of_keras_is_applied_to_the_new_value() -> None:
    loss, p, q = keras_problem(constraint=lambda w: w * cast(greater(w, 0), w.dtype))
    step = function([], loss, updates=SGD(lr=0.05).get_updates(loss, [p, q]))
    found = [step() for _ in range(3)]
    np.testing.assert_allclose(found, [20.75, 0.65375, 0.571278], rtol=2e-6)
    np.testing.assert_allclose(p.get_value(), [0.857375, 0.0], rtol=0, atol=2e-6)


# identities -----------------------------------------------------------------------------------------------------------


def test_nesterov_without_momentum_is_plain_descent() -> None:
    for a, b in zip(path(SGD(lr=0.1, nesterov=True)), path(SGD(lr=0.1)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_adam_without_memory_steps_by_the_sign() -> None:
    w, g = variable([1.0, -2.0, 3.0], "float64"), placeholder((3,), dtype="float64")
    tick(Adam(lr=0.5, beta_1=0, beta_2=0, epsilon=0).get_updates([g], [w]), feeds={g: np.array([1e-9, -1e9, 3.0])})
    np.testing.assert_allclose(w.get_value(), [0.5, -1.5, 2.5])


def test_amsgrad_never_forgets_a_large_gradient() -> None:
    w, g = variable([1.0], "float64", name="w"), placeholder((1,), dtype="float64")
    optimizer = Adam(amsgrad=True, beta_2=0.5)
    updates = optimizer.get_updates([g], [w])
    tops = []
    for x in (1.0, 100.0, 0.0, 0.0):
        tick(updates, feeds={g: np.array([x])})
        tops.append(optimizer.state()["vhat/w"][0])
    assert tops == sorted(tops)
    assert tops[-1] == tops[1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3)])
@pytest.mark.parametrize("make", [SGD, lambda: SGD(momentum=0.9, nesterov=True), Adam, lambda: Adam(amsgrad=True, clipnorm=1.0)])
def test_every_register_keeps_its_dtype_and_shape(make: Callable[[], Optimizer], shape: tuple[int, ...], dtype: str) -> None:
    w = variable(np.ones(shape), dtype)
    optimizer = make()
    updates = optimizer.get_updates(reduce_sum(square(w)), [w])
    tick(updates)
    assert w.get_value().dtype == dtype
    assert all(value.dtype in (dtype, "int64", "float64") for value in optimizer.state().values())


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_zero_gradient_is_no_step_and_never_nan(dtype: str) -> None:
    w = variable([1.0, 2.0], dtype)
    for optimizer in (Adam(), Adam(amsgrad=True), SGD(momentum=0.9)):
        tick(optimizer.get_updates([np.zeros(2, dtype)], [w]))
    assert w.get_value().tolist() == [1.0, 2.0]


def test_the_counter_goes_on_past_what_a_float_counts() -> None:
    w = variable([1.0])
    optimizer = Adam()
    updates = optimizer.get_updates(reduce_sum(square(w)), [w])
    optimizer.iterations.set_value(2**24)
    tick(updates)
    assert optimizer.iterations.get_value() == 2**24 + 1


def test_rank_0_numbers_meet_in_float64_and_are_cast_once_at_the_parameter() -> None:
    """(1−β₂) in float32 would be off by 1e-5, and the first step by 6e-6."""
    w = variable(np.zeros(1000))
    g = np.linspace(1, 3, 1000, dtype="float32")
    tick(Adam(lr=1.0, epsilon=0).get_updates([g], [w]))
    np.testing.assert_allclose(-w.get_value(), np.ones(1000), rtol=5e-7)


def test_adam_is_twelve_calls_over_the_parameter() -> None:
    w, g = variable(np.zeros(1000)), placeholder((1000,))
    found, todo = set(), [update.value for update in Adam().get_updates([g], [w])]
    while todo:
        tensor = todo.pop()
        if tensor not in found and tensor.inputs:
            found.add(tensor)
            todo += tensor.inputs
    assert len([tensor for tensor in found if tensor.ndim]) == 12
