"""Options of every optimizer, in the order of the pipeline, against plain NumPy and PyTorch."""

from __future__ import annotations

import inspect
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
    AxisError,
    Variable,
    as_tensor,
    function,
    reduce_sum,
    seed_state,
    square,
    variable,
)
from optimizers import LAMB, SGD, Adam, AdamW, Optimizer, RMSprop
from tests.optimizers.paths import ALL, Make, bare, steps
from tests.optimizers.paths import after as one_by_one
from tests.ticking import tick, values_of

G = np.array([[0.5, -1.0, 2.0], [0.25, 3.0, -0.5]])
P = np.array([[1.0, 2.0, -3.0], [0.5, -0.25, 4.0]])


MORE: list[Make] = [o.Sophia, o.SOAP, o.ScheduleFreeSGD, o.ScheduleFreeAdamW]


def two() -> tuple[Variable, Variable]:
    """A kernel and a bias."""
    return variable(P, "float64", name="dense/kernel"), variable([1.0, -2.0], "float64", name="dense/bias")


def after(optimizer: Optimizer, ticks: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Both after some steps with the same gradients."""
    w, b = two()
    updates = steps(optimizer, [G, np.array([3.0, 4.0])], [w, b])
    for _ in range(ticks):
        tick(updates)
    return w.get_value(), b.get_value()


# weight decay ---------------------------------------------------------------------------------------------------------


def test_coupled_weight_decay_is_part_of_the_gradient() -> None:
    w, b = two()
    by_hand = Adam(0.1).get_updates(reduce_sum(w * G) + reduce_sum(b * np.array([3.0, 4.0]))
                                    + 0.15 * (reduce_sum(square(w)) + reduce_sum(square(b))), [w, b])  # fmt: skip
    for _ in range(5):
        tick(by_hand)
    for found, expected in zip(after(Adam(0.1, weight_decay=0.3)), (w.get_value(), b.get_value()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("decoupled", ["lr", "schedule", "none"])
@pytest.mark.parametrize("schedule", [False, True])
def test_decoupled_weight_decay_is_taken_from_the_old_value_after_the_rule(decoupled: str, schedule: bool) -> None:
    rate = o.warmup(o.inverse_time(0.1, 0.5), 2) if schedule else 0.1
    found, _ = after(SGD(rate, weight_decay=0.3, decoupled=decoupled, decay=0.0 if schedule else 0.5))
    w = P.copy()
    for t in range(5):
        eta = (0.1 * t / 2 if t < 2 else 0.1 / (1 + 0.5 * (t - 2))) if schedule else 0.1 / (1 + 0.5 * t)
        w = w - eta * G - {"lr": eta, "schedule": eta / 0.1, "none": 1.0}[decoupled] * 0.3 * w
    np.testing.assert_allclose(found, w, rtol=1e-12)


@pytest.mark.oracle
def test_weight_decay_of_torch() -> None:
    torch = pytest.importorskip("torch")
    for optimizer, make in (
        (SGD(0.1, 0.5, weight_decay=0.3), lambda p: torch.optim.SGD([p], 0.1, 0.5, weight_decay=0.3)),
        (RMSprop(0.1, weight_decay=0.3, epsilon=1e-7),
         lambda p: torch.optim.RMSprop([p], 0.1, 0.9, 1e-7, weight_decay=0.3)),
    ):  # fmt: skip
        p = torch.tensor(P, requires_grad=True)
        peer = make(p)
        for _ in range(5):
            p.grad = torch.tensor(G)
            peer.step()
        np.testing.assert_allclose(after(optimizer)[0], p.detach().numpy(), rtol=1e-12)


def test_decoupled_adam_is_adamw() -> None:
    for how in ("lr", "schedule", "none"):
        ours = after(Adam(0.01, weight_decay=0.1, decoupled=how))
        for a, b in zip(ours, after(AdamW(0.01, weight_decay=0.1, decoupled=how)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


def test_decay_can_be_changed_in_flight_and_begins_at_zero_if_told_so() -> None:
    w = variable([1.0], "float64")
    optimizer = SGD(0.5, weight_decay=0.0)
    step = function([], updates=optimizer.get_updates([np.zeros(1)], [w]))
    step()
    optimizer.weight_decay = 1.0
    step()
    assert w.get_value().tolist() == [0.5]


@pytest.mark.parametrize("rule", [SGD, Adam, AdamW, LAMB, *MORE])
def test_parameters_that_do_not_decay_move_as_without(rule: type[Optimizer]) -> None:
    w, b = after(rule(0.01, weight_decay=0.3, no_decay="*/bias"))
    np.testing.assert_allclose(w, after(rule(0.01, weight_decay=0.3))[0], rtol=1e-13)
    np.testing.assert_allclose(b, after(rule(0.01, weight_decay=0.0))[1], rtol=1e-13)
    kernel, bias = two()
    updates = steps(rule(0.01, weight_decay=0.3, no_decay=[bias]), [G, np.array([3.0, 4.0])], [kernel, bias])
    for _ in range(5):
        tick(updates)
    assert bias.get_value().tobytes() == b.tobytes()


# multipliers and constraints ------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 5), st.sampled_from([SGD, Adam, AdamW, RMSprop, *MORE]))
def test_a_multiplier_is_another_rate(m: float, rule: type[Optimizer]) -> None:
    w, b = after(rule(0.01, multipliers={"*bias": m}))
    np.testing.assert_array_equal(w, after(rule(0.01))[0])
    expected = after(rule(0.01 * m))[1] if 0.01 * m else np.array([1.0, -2.0])  # a rate itself is never 0
    np.testing.assert_allclose(b, expected, rtol=1e-12, atol=1e-14)


def test_a_parameter_itself_goes_before_patterns_and_of_these_the_first_that_matches_stands() -> None:
    w, b = two()
    updates = SGD(1.0, multipliers={"dense/*": 2.0, "*": 3.0, b: 5.0}).get_updates([G, np.ones(2)], [w, b])
    tick(updates)
    np.testing.assert_allclose(w.get_value(), P - 2 * G)
    np.testing.assert_allclose(b.get_value(), [-4.0, -7.0])


def test_constraints_by_name_go_before_the_parameters_own_and_come_last() -> None:
    w, b = two()
    b.constraint = o.box(0.5, 1.0)
    options: Any = {"*/kernel": "non_neg"}
    tick(SGD(1.0, weight_decay=0.5, decoupled="lr", constraints=options).get_updates([G, np.ones(2)], [w, b]))
    np.testing.assert_allclose(w.get_value(), np.maximum(P - G - 0.5 * P, 0))
    assert b.get_value().tolist() == [0.5, 0.5]
    tick(SGD(1.0, constraints={b: o.box(7, 9)}).get_updates([np.ones(2)], [b]))
    assert b.get_value().tolist() == [7.0, 7.0]
    tick(SGD(1.0, constraints={b: None}).get_updates([np.ones(2)], [b]))
    assert b.get_value().tolist() == [6.0, 6.0]


# what is done to gradients --------------------------------------------------------------------------------------------


def test_centralised_gradients_sum_to_nothing_for_each_output() -> None:
    for shape in ((4, 3), (2, 5, 3)):
        g = np.random.default_rng(0).normal(size=shape)
        found = values_of([o.centralize(g), o.centralize(g, 0)])
        np.testing.assert_allclose(found[0], g - g.mean(tuple(range(len(shape) - 1)), keepdims=True), atol=1e-15)
        np.testing.assert_allclose(found[1], g - g.mean(tuple(range(1, len(shape))), keepdims=True), atol=1e-15)
    vector = as_tensor(np.ones(3))
    assert o.centralize(vector) is vector
    w, b = after(SGD(1.0, centralize=True), 1)
    np.testing.assert_allclose(w, P - (G - G.mean(0)))
    np.testing.assert_allclose(b, [-2.0, -6.0])
    with pytest.raises(AxisError, match="axis 2"):
        o.centralize(G, 2)


def test_adaptive_clipping_bounds_each_unit_by_its_parameter() -> None:
    bound = 0.1 * np.maximum(np.linalg.norm(P, axis=0), 1e-3)
    n = np.linalg.norm(G, axis=0)
    expected = G * np.minimum(1, bound / n)
    np.testing.assert_allclose(values_of(o.clip_adaptively([G], [P], 0.1))[0], expected, rtol=1e-13)
    assert values_of(o.clip_adaptively([G], [P], 1e3))[0].tobytes() == G.tobytes()
    w, b = after(SGD(1.0, clip_adaptive=0.1), 1)
    np.testing.assert_allclose(w, P - expected)
    np.testing.assert_allclose(b, np.array([1, -2]) - 0.1 * np.sqrt(5) * np.array([0.6, 0.8]))
    broken = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(values_of(o.clip_adaptively([broken], [np.ones(2)], 0.1))[0], broken)
    assert o.clip_adaptively([None], [P], 0.1) == [None]


@pytest.mark.oracle
def test_adaptive_clipping_of_optax() -> None:
    optax = pytest.importorskip("optax")
    rng = np.random.default_rng(1)
    for shape in ((4, 3), (5,), (2, 2, 3, 4)):
        g, p = rng.normal(size=shape).astype("float32"), rng.normal(size=shape).astype("float32")
        peer = optax.adaptive_grad_clip(0.1)
        expected, _ = peer.update(g, peer.init(p), p)
        np.testing.assert_allclose(values_of(o.clip_adaptively([g], [p], 0.1))[0], expected, rtol=1e-5, atol=1e-7)


def test_noise_has_its_variance_and_is_another_at_each_tick() -> None:
    w = variable(np.zeros(20_000), "float64")
    found = o.gradient_noise([np.zeros(20_000), None], 4.0, 0.5, 1.0, seed_state(3))
    assert found[1] is None
    step = function([], [found[0]], updates=[(w, found[0])])
    a, b = np.array(step()[0]), np.array(step()[0])
    assert a.std() == pytest.approx(np.sqrt(0.5 / 4), rel=0.03)
    assert abs(a.mean()) < 0.01
    assert not np.array_equal(a, b)
    optimizer = SGD(1.0)
    updates = optimizer.get_updates(o.gradient_noise([np.zeros(20_000)], optimizer.t, 1e-4), [w])
    function([], updates=updates)()
    with pytest.raises(ArgumentError, match="eta=-1"):
        o.gradient_noise([G], 1.0, -1)


def test_the_order_is_centralise_clip_decay_rule_decay_project() -> None:
    found, _ = after(
        SGD(1.0, centralize=True, clipnorm=1.0, clipvalue=0.4, weight_decay=0.1, constraints={"*kernel": o.box(-2, 2)}), 1
    )
    centred = [G - G.mean(0), np.array([3.0, 4.0])]
    n = np.sqrt(sum(np.sum(g**2) for g in centred))
    g = np.clip(centred[0] / n, -0.4, 0.4) + 0.1 * P
    np.testing.assert_allclose(found, np.clip(P - g, -2, 2), rtol=1e-12)


@pytest.mark.parametrize("rule", ALL)
def test_every_rule_is_given_clipped_gradients_and_its_result_is_projected(rule: Make) -> None:
    n = np.linalg.norm(G)
    [found] = one_by_one(bare(rule, clipnorm=1.0), [P], [G], [3 * G])
    [expected] = one_by_one(bare(rule), [P], [G / n], [G / n])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    [found] = one_by_one(bare(rule, lr=0.5, constraints={"*": o.box(-0.5, 0.5)}), [P], [G], [G])
    assert np.abs(found).max() <= 0.5


def test_what_is_left_out_of_the_parameters_has_no_part_in_the_norm() -> None:
    w, b = two()
    loss = reduce_sum(w * G) + 1e6 * reduce_sum(b)
    tick(SGD(1.0, clipnorm=1e3).get_updates(loss, [w]))
    np.testing.assert_allclose(w.get_value(), P - G)
    assert b.get_value().tolist() == [1.0, -2.0]


# configurations and errors --------------------------------------------------------------------------------------------


def test_options_are_saved_where_they_are_plain() -> None:
    made = Adam(
        weight_decay=0.1, decoupled="lr", no_decay=["*/bias"], multipliers={"a*": 2}, constraints={"*": o.MaxNorm(3)},
        centralize=True, clip_adaptive=0.01,
    )  # fmt: skip
    config = made.get_config()
    assert config["constraints"] == {"*": {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 0}}}
    assert (config["no_decay"], config["multipliers"], config["decoupled"]) == (["*/bias"], {"a*": 2.0}, "lr")
    assert Adam.from_config(config).get_config() == config
    assert not {"centralize", "weight_decay", "multipliers"} & set(Adam().get_config())
    for named in ({"multipliers": {variable(1.0): 2.0}}, {"constraints": {"*": o.box(0, 1)}}):
        with pytest.raises(ArgumentError, match="plain"):
            SGD(**named).get_config()


def test_a_rules_own_arguments_stay_before_those_of_all() -> None:
    names = list(inspect.signature(SGD).parameters)
    assert names[:4] == ["learning_rate", "momentum", "nesterov", "decay"]
    assert names[-5:] == ["weight_decay", "decoupled", "no_decay", "multipliers", "constraints"]
    kinds = inspect.signature(AdamW).parameters
    assert kinds["weight_decay"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds["multipliers"].kind is inspect.Parameter.KEYWORD_ONLY


def test_options_are_fixed_once_updates_exist() -> None:
    optimizer, (w, b) = SGD(multipliers={"*": 2.0}), two()
    optimizer.multipliers = {"*": 3.0}
    optimizer.get_updates([G, np.ones(2)], [w, b])
    optimizer.multipliers = {"*": 3.0}
    for name, value in (("multipliers", None), ("no_decay", "*"), ("constraints", {"*": "non_neg"}), ("decoupled", "lr")):
        with pytest.raises(ArgumentError, match=f"{name} is fixed"):
            setattr(optimizer, name, value)


def stepped(optimizer: Optimizer) -> Any:
    """Its updates for a kernel and a bias."""
    return optimizer.get_updates([G, np.ones(2)], list(two()))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD(multiplier={}), ArgumentTypeError, "'multiplier'; did you mean 'multipliers'"),
        (lambda: SGD(multipliers=2.0), ArgumentTypeError, "no dict"),
        (lambda: SGD(multipliers={"w": -1}), ArgumentError, "multipliers=-1 makes no sense"),
        (lambda: SGD(multipliers={"w": "2"}), ArgumentTypeError, "'2' is no number"),
        (lambda: SGD(multipliers={3: 2.0}), ArgumentTypeError, "3 names no parameter"),
        (lambda: SGD(constraints={"w": "NonNeh"}), ArgumentError, "did you mean 'NonNeg'"),
        (lambda: SGD(decoupled="lr"), ArgumentError, "decoupled without weight_decay does nothing"),
        (lambda: SGD(no_decay="*"), ArgumentError, "no_decay without weight_decay does nothing"),
        (lambda: SGD(weight_decay=0.1, decoupled="schedul"), ArgumentError, "did you mean 'schedule'"),
        (lambda: SGD(weight_decay=-0.1), ArgumentError, "weight_decay=-0.1"),
        (lambda: SGD(clip_adaptive=-1), ArgumentError, "clip_adaptive"),
        (lambda: SGD(centralize=1), ArgumentTypeError, "True or False"),
        (lambda: LAMB(weight_decay=0.1, decoupled="lr"), ArgumentError, "part of the rule"),
        (lambda: AdamW(weight_decay=0.0, no_decay="*"), ArgumentError, "does nothing"),
        (lambda: stepped(SGD(multipliers={"dense/kernle": 2.0})), ArgumentError,
         "multipliers: 'dense/kernle' is no parameter; did you mean 'dense/kernel'"),
        (lambda: stepped(SGD(weight_decay=0.1, no_decay=["*norm*"])), ArgumentError, r"no_decay: '\*norm\*'"),
        (lambda: stepped(SGD(constraints={variable(1.0, name="other"): None})), ArgumentError, "'other' is no parameter"),
        (lambda: stepped(SGD(lambda t: 0.1 + 0 * t, weight_decay=0.1, decoupled="schedule")), ArgumentError,
         "multiplier isn't known"),
        (lambda: o.clip_adaptively([G], [], 0.1), ArgumentError, "1 gradients for 0"),
        (lambda: o.clip_adaptively([G], [P], 0), ArgumentError, "positive finite"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()
