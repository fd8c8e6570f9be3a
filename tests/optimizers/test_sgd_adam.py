"""SGD and Adam: their paths against NumPy, PyTorch and Keras 2.3.1, call forms, state, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from autograph import (
    cast,
    function,
    greater,
    placeholder,
    reduce_sum,
    square,
    variable,
)
from optimizers import SGD, Adam, Optimizer
from tests.optimizers.problems import keras_problem
from tests.ticking import tick

Arrays = list[np.ndarray[Any, Any]]
STEPS = 100


# the rules, as a NumPy programmer writes them -------------------------------------------------------------------------


def sgd(
    p: Arrays, gradients: Iterator[Arrays], lr: float, momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0
) -> None:
    velocity = [np.zeros_like(a) for a in p]
    for t, found in enumerate(gradients):
        rate = lr / (1 + decay * t)
        for a, g, v in zip(p, found, velocity, strict=True):
            v[:] = momentum * v - rate * g
            a += momentum * v - rate * g if nesterov else v


def adam(
    p: Arrays, gradients: Iterator[Arrays], lr: float, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
    decay: float = 0.0, amsgrad: bool = False,
) -> None:  # fmt: skip
    m, v, top = ([np.zeros_like(a) for a in p] for _ in range(3))
    for t, found in enumerate(gradients, 1):
        rate = lr / (1 + decay * (t - 1)) * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        for i, g in enumerate(found):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * g * g
            top[i] = np.maximum(top[i], v[i])
            p[i] -= rate * m[i] / (np.sqrt(top[i] if amsgrad else v[i]) + epsilon)


def start(dtype: str = "float64") -> Arrays:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in ((3, 4), (5,))]


def gradients_of(dtype: str = "float64") -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        yield [rng.normal(size=shape).astype(dtype) * 10 ** rng.uniform(-3, 1) for shape in ((3, 4), (5,))]


def path(optimizer: Optimizer, dtype: str = "float64") -> Arrays:
    """Where the parameters are after 100 steps with given gradients."""
    params = [variable(a, dtype, name) for a, name in zip(start(), "wb", strict=True)]
    feeds = [placeholder(p.shape, dtype=dtype) for p in params]
    step = function(feeds, updates=optimizer.get_updates(feeds, params))
    for found in gradients_of(dtype):
        step(*found)
    return [p.get_value() for p in params]


SETTINGS: list[tuple[type[Optimizer], Callable[..., None], dict[str, Any]]] = [
    (SGD, sgd, {"lr": 0.05}),
    (SGD, sgd, {"lr": 0.05, "decay": 0.1}),
    (SGD, sgd, {"lr": 0.05, "momentum": 0.9}),
    (SGD, sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (SGD, sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.1}),
    (Adam, adam, {"lr": 0.01}),
    (Adam, adam, {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    (Adam, adam, {"lr": 0.01, "decay": 0.1}),
    (Adam, adam, {"lr": 0.01, "amsgrad": True, "beta_2": 0.9}),
]


@pytest.mark.parametrize(("rule", "reference", "kwargs"), SETTINGS)
def test_a_path_is_that_of_plain_numpy(rule: type[Optimizer], reference: Callable[..., None], kwargs: dict[str, Any]) -> None:
    expected = start()
    reference(expected, gradients_of(), **kwargs)
    for found, wanted in zip(path(rule(**kwargs)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    for found, wanted in zip(path(rule(**kwargs), "float32"), expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("mutant", [{"beta_1": 0.999, "beta_2": 0.9}, {"epsilon": 1e-6}, {"lr": 0.0100001}, {"decay": 1e-6}])
def test_a_wrong_rule_would_be_seen(mutant: dict[str, float]) -> None:
    expected = start()
    adam(expected, gradients_of(), lr=0.01)
    found = path(Adam(**{"lr": 0.01, **mutant}))
    assert max(np.abs(f - e).max() for f, e in zip(found, expected, strict=True)) > 1e-9


@pytest.mark.oracle
@pytest.mark.parametrize("kwargs", [k for r, _, k in SETTINGS])
def test_a_path_is_that_of_torch(kwargs: dict[str, Any]) -> None:
    """Momentum with a varying rate is written otherwise there, and ε stands elsewhere: both are bridged."""
    torch = pytest.importorskip("torch")
    kwargs = dict(kwargs)
    ours = SGD if "momentum" in kwargs or kwargs["lr"] == 0.05 else Adam
    found = path(ours(**kwargs))
    lr, decay = kwargs.pop("lr"), kwargs.pop("decay", 0.0)
    if decay and kwargs.get("momentum"):
        pytest.skip("torch multiplies the velocity by the rate of the day")
    params = [torch.tensor(a, requires_grad=True) for a in start()]
    epsilon, betas = kwargs.pop("epsilon", 1e-7), (kwargs.pop("beta_1", 0.9), kwargs.pop("beta_2", 0.999))
    peer = torch.optim.SGD(params, lr=lr, **kwargs) if ours is SGD else torch.optim.Adam(params, lr=lr, betas=betas, **kwargs)
    for t, gradients in enumerate(gradients_of(), 1):
        for p, g in zip(params, gradients, strict=True):
            p.grad = torch.tensor(g)
        peer.param_groups[0]["lr"] = lr / (1 + decay * (t - 1))
        if ours is Adam:
            peer.param_groups[0]["eps"] = epsilon / np.sqrt(1 - betas[1] ** t)
        peer.step()
    for a, b in zip(found, params, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=0, atol=1e-12)


# Keras 2.3.1 on TensorFlow: three steps, float32 (reference/keras_goldens/opt_tf.txt) --------------------------------

KERAS: list[tuple[Optimizer, list[float], list[float], float, list[tuple[int, ...]]]] = [
    (SGD(lr=0.05), [20.75, 5.65375, 1.821278], [0.857375, -0.25], 0.3645, [(), (2,), (1, 1)]),
    (SGD(lr=0.05, momentum=0.9), [20.75, 5.65375, 1.297253], [0.731375, 1.46], 0.243, [(), (2,), (1, 1)]),
    (SGD(lr=0.05, momentum=0.9, nesterov=True), [20.75, 0.623537, 3.62586], [0.631463, 0.80975], 0.163661, [(), (2,), (1, 1)]),
    (SGD(lr=0.05, decay=0.5), [20.75, 5.65375, 2.82029], [0.895375, -0.5], 0.399, [(), (2,), (1, 1)]),
    (SGD(lr=0.05, clipnorm=1.0), [20.75, 19.759951, 18.794792], [0.992344, -1.85039], 0.492364, [(), (2,), (1, 1)]),
    (SGD(lr=0.05, clipvalue=0.5), [20.75, 20.204062, 19.66625], [0.925, -1.925], 0.425, [(), (2,), (1, 1)]),
    (Adam(lr=0.05), [20.75, 19.66625, 18.615948], [0.850312, -1.850137], 0.350794, [(), (2,), (1, 1), (2,), (1, 1), (1,), (1,)]),
    (Adam(lr=0.05, decay=0.5), [20.75, 19.66625, 18.962448], [0.891814, -1.891732], 0.392032,
     [(), (2,), (1, 1), (2,), (1, 1), (1,), (1,)]),
    (Adam(lr=0.05, amsgrad=True), [20.75, 19.66625, 18.615948], [0.850312, -1.850137], 0.350794,
     [(), (2,), (1, 1), (2,), (1, 1), (2,), (1, 1)]),
]  # fmt: skip


@pytest.mark.parametrize("row", KERAS, ids=[repr(row[0]) for row in KERAS])
def test_three_steps_are_those_of_keras(row: tuple[Optimizer, list[float], list[float], float, list[tuple[int, ...]]]) -> None:
    optimizer, losses, p_after, q_after, shapes = row
    loss, p, q = keras_problem()
    step = function([], loss, updates=optimizer.get_updates(loss=loss, params=[p, q]))
    found = [step() for _ in range(3)]
    np.testing.assert_allclose(found, losses, rtol=2e-6)
    np.testing.assert_allclose(p.get_value(), p_after, rtol=0, atol=2e-6)
    np.testing.assert_allclose(q.get_value(), [[q_after]], rtol=0, atol=2e-6)
    assert optimizer.iterations.get_value() == 3
    assert [weight.shape for weight in optimizer.get_weights()] == shapes


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


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adam()])
def test_parameters_listed_in_another_order_take_the_same_steps(optimizer: Optimizer) -> None:
    rule = type(optimizer)
    loss, p, q = keras_problem()
    tick(rule.from_config(optimizer.get_config()).get_updates(loss, [p, q]))
    other, r, s = keras_problem()
    tick(rule.from_config(optimizer.get_config()).get_updates(other, [s, r]))
    assert p.get_value().tobytes() == r.get_value().tobytes()
    assert q.get_value().tobytes() == s.get_value().tobytes()


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


