"""L-BFGS: its steps against plain NumPy, its minima against SciPy, PyTorch and optax; and that it never climbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograph as ag
import optimizers as o
from tests.optimizers.descents import chained, counted, minimising, over, pairs_of
from tests.optimizers.plain_lbfgs import PlainLBFGS
from tests.optimizers.valleys import VALLEYS, Array, Valley

each_valley = pytest.mark.parametrize("valley", VALLEYS, ids=[valley.name for valley in VALLEYS])
SCALES = np.logspace(0, 3, 20)


# its steps ------------------------------------------------------------------------------------------------------------


@each_valley
@pytest.mark.parametrize("kwargs", [{}, {"history": 3, "c_2": 0.5}, {"lr": 0.2, "trials": 3}, {"c_1": 0.4, "lr": 5.0}])
def test_every_step_is_that_of_plain_numpy(valley: Valley, kwargs: dict[str, Any]) -> None:
    step, w, optimizer = minimising(over(valley), valley.start, **kwargs)
    settings = {"rate": kwargs.get("lr", 1.0), **{k: v for k, v in kwargs.items() if k != "lr"}}
    for _ in range(60):
        plain = PlainLBFGS(valley.value, w.get_value(), pairs_of(optimizer), **settings)
        plain.step()
        step()
        np.testing.assert_allclose(w.get_value(), plain.x, rtol=1e-12, atol=1e-12)
        found = pairs_of(optimizer)
        if np.abs(plain.value(w.get_value())[1]).max() < 1e-6:
            break  # what follows is rounding
        assert len(found) == len(plain.pairs)
        for ours, wanted in zip(found, plain.pairs, strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-9)


@each_valley
def test_a_path_from_the_start_is_that_of_plain_numpy(valley: Valley) -> None:
    step, w, _ = minimising(over(valley), valley.start)
    plain = PlainLBFGS(valley.value, np.array(valley.start), [])
    for _ in range(10):
        step(), plain.step()
        np.testing.assert_allclose(w.get_value(), plain.x, rtol=1e-10, atol=1e-10)


class Mutant(o.LBFGS):
    """The pairs one step late."""

    def _stepped(self, *args: Any) -> Any:
        updates = super()._stepped(*args)
        late = next(u for u in updates if u.variable.name == "y/w")
        return updates.map(late.variable, lambda new: ag.concatenate([late.variable[:-1], new[-2:-1]]))


@pytest.mark.parametrize(
    ("rule", "kwargs"), [(o.LBFGS, {"c_1": 0.49}), (o.LBFGS, {"c_2": 0.5}), (o.LBFGS, {"history": 1}), (Mutant, {})]
)
def test_a_wrong_number_or_a_stale_slot_would_be_seen(rule: Any, kwargs: dict[str, Any]) -> None:
    valley = VALLEYS[0]
    w = ag.variable(valley.start, "float64", name="w")
    loss = valley.loss(w[0], w[1])
    step = ag.function([], loss, rule(**kwargs).get_updates(loss, [w]))
    plain = PlainLBFGS(valley.value, np.array(valley.start), [])
    for _ in range(20):
        step(), plain.step()
    assert np.abs(w.get_value() - plain.x).max() > 1e-6


# its minima -----------------------------------------------------------------------------------------------------------


def minimum_of(loss: Callable[[Any], Any], start: Any, ticks: int = 100, **kwargs: Any) -> Array:
    step, w, _ = minimising(loss, start, **kwargs)
    step.loop(ticks)
    found: Array = w.get_value()
    return found


@each_valley
def test_it_ends_in_a_minimum(valley: Valley) -> None:
    found = minimum_of(over(valley), valley.start, 50)
    assert min(np.abs(found - end).max() for end in valley.minima) < 1e-8


def test_it_ends_in_a_minimum_of_many_unknowns() -> None:
    np.testing.assert_allclose(minimum_of(chained, np.zeros(30), 250), np.ones(30), atol=1e-8)
    ill = minimum_of(lambda w: 0.5 * ag.reduce_sum(SCALES * ag.square(w)), np.ones(20), 300)
    np.testing.assert_allclose(ill * SCALES, np.zeros(20), atol=1e-8)


@pytest.mark.oracle
@each_valley
def test_its_minima_are_those_of_scipy(valley: Valley) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    peer = optimize.minimize(valley.value, valley.start, jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-10})
    np.testing.assert_allclose(minimum_of(over(valley), valley.start, peer.nit + 10), peer.x, rtol=1e-8, atol=1e-8)


@pytest.mark.oracle
@each_valley
def test_its_minima_are_those_of_torch(valley: Valley) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    v = torch.tensor(valley.start, dtype=torch.float64, requires_grad=True)
    peer = torch.optim.LBFGS([v], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=0)

    def closure() -> Any:
        peer.zero_grad()
        loss = valley.loss(v[0], v[1])
        loss.backward()
        return loss

    peer.step(closure)
    np.testing.assert_allclose(minimum_of(over(valley), valley.start, 60), v.detach().numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.oracle
def test_its_minima_are_those_of_optax() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")

    def run(which: Any, v: Any) -> Any:
        def loss(v: Any) -> Any:
            return jax.lax.switch(which, [lambda v, f=valley.loss: f(v[0], v[1]) for valley in VALLEYS], v)

        def advance(_: Any, now: Any) -> Any:
            v, state = now
            value, slope = optax.value_and_grad_from_state(loss)(v, state=state)
            change, state = peer.update(slope, state, v, value=value, grad=slope, value_fn=loss)
            return optax.apply_updates(v, change), state

        peer = optax.lbfgs()
        return jax.lax.fori_loop(0, 60, advance, (v, peer.init(v)))[0]

    with jax.enable_x64(True):
        starts = jax.numpy.asarray([valley.start for valley in VALLEYS], "float64")
        expected = np.asarray(jax.jit(jax.vmap(run))(jax.numpy.arange(len(VALLEYS)), starts))
    for valley, minimum in zip(VALLEYS, expected, strict=True):
        np.testing.assert_allclose(minimum_of(over(valley), valley.start, 60), minimum, rtol=1e-8, atol=1e-8)


def test_a_network_of_single_precision_learns_a_set_by_heart() -> None:
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, 4)), ag.placeholder((None, 2))
    w, v = ag.variable(rng.normal(size=(4, 16)) / 2, name="w"), ag.variable(rng.normal(size=(16, 2)) / 4, name="v")
    b = ag.variable(np.zeros(16), name="b")
    scores = ag.matmul(ag.tanh(ag.matmul(x, w) + b), v)
    loss = -ag.reduce_mean(ag.reduce_sum(t * ag.log_softmax(scores), axis=-1))
    step = ag.function([x, t], loss, o.LBFGS().get_updates(loss, [w, v, b]))
    feeds = rng.normal(size=(64, 4)), np.eye(2)[rng.integers(0, 2, 64)]
    losses = step.loop(100, *feeds)
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < 1e-3 < losses[0]


# it never climbs ------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), size=st.integers(1, 6), power=st.integers(-6, 6), dtype=st.sampled_from(["float32", "float64"]),
    kwargs=st.sampled_from([{}, {"history": 1}, {"trials": 1}, {"trials": 2, "lr": 10.0}, {"lr": 1e-3}]),
)  # fmt: skip
def test_the_loss_never_rises(seed: int, size: int, power: int, dtype: str, kwargs: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(size, size)).astype(dtype), rng.normal(size=size).astype(dtype)

    def loss(w: Any) -> Any:
        waves = ag.reduce_sum(ag.sin(3 * ag.matmul(a, w) + b)) + ag.reduce_sum(ag.abs(w - b))
        return 10.0**power * (waves + 0.1 * ag.reduce_sum(ag.square(w) ** 2))

    step, w, _ = minimising(loss, rng.normal(size=size) * 3, dtype, **kwargs)
    losses = step.loop(40)
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < losses[0] or kwargs.get("trials") == 1
    assert np.isfinite(w.get_value()).all()


def test_a_domain_with_an_end_is_not_left() -> None:
    step, w, _ = minimising(lambda w: -ag.reduce_sum(ag.log(w * (1 - w))) + 3 * ag.reduce_sum(w), [0.01, 0.4, 0.6])
    plain = PlainLBFGS(lambda v: (-np.log(v * (1 - v)).sum() + 3 * v.sum(), -1 / v + 1 / (1 - v) + 3), w.get_value(), [])
    losses = []
    for _ in range(8):
        losses.append(step()), plain.step()
        np.testing.assert_allclose(w.get_value(), plain.x, rtol=1e-11)
    losses += [*step.loop(20)]
    assert np.isfinite(losses).all() and (np.diff(losses) <= 0).all()
    root = (5 - np.sqrt(13)) / 6  # of −1/w + 1/(1−w) + 3
    np.testing.assert_allclose(w.get_value(), np.full(3, root), rtol=1e-8)


def test_a_loss_without_a_bottom_goes_down_and_stays_finite() -> None:
    step, w, _ = minimising(lambda w: -ag.reduce_sum(ag.square(w)), [1.0, 2.0])
    losses = step.loop(30)
    assert (np.diff(losses) <= 0).all() and losses[-1] < -1e15
    assert np.isfinite(w.get_value()).all()


def test_a_trial_without_a_slope_is_not_where_it_ends() -> None:
    def broken(w: Any) -> Any:
        return ag.reduce_sum(ag.square(ag.gradient_scale(w, ag.where(ag.reduce_min(w) < 0.5, np.nan, 1.0))))

    for trials in (1, 2, 20):
        step, w, _ = minimising(broken, [1.0], trials=trials)
        step.loop(10)
        assert 0.5 <= w.get_value()[0] <= (1.0 if trials == 1 else 0.95)


def test_a_bottomless_hole_is_not_fallen_into() -> None:
    step, w, _ = minimising(lambda w: ag.where(ag.reduce_min(w) < 0.5, -np.inf, ag.reduce_sum(ag.square(w))), [1.0])
    losses = step.loop(10)
    assert np.isfinite(losses).all() and losses[-1] < 0.9
    assert w.get_value()[0] >= 0.5


def test_below_the_precision_of_the_loss_the_slope_is_followed() -> None:
    step, w, _ = minimising(lambda w: 1e10 + 0.6 * ag.reduce_sum(ag.square(w)), [3e-4, -4e-4])
    assert (step.loop(3) == 1e10).all()
    assert np.abs(w.get_value()).max() < 1e-15


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_where_the_gradient_is_zero_nothing_moves_and_nothing_is_tried(dtype: str) -> None:
    calls: list[int] = []
    step, w, optimizer = minimising(lambda w: ag.reduce_sum(ag.square(counted(calls)(w))), [0.0, 0.0], dtype)
    step.loop(3)
    assert w.get_value().tolist() == [0.0, 0.0] and len(calls) == 3
    assert all(np.isfinite(value).all() for value in optimizer.state().values())


def test_a_gradient_whose_square_overflows_is_followed() -> None:
    step, _, _ = minimising(lambda w: 1e25 * ag.reduce_sum(ag.square(w)), [3.0, -4.0], "float32")
    losses = step.loop(10)
    assert np.isfinite(losses).all() and losses[-1] < losses[0] / 100


def test_nothing_is_evaluated_once_the_parameters_stand_still() -> None:
    calls: list[int] = []
    step, _, _ = minimising(lambda w: over(VALLEYS[3])(counted(calls)(w)), VALLEYS[3].start)
    step.loop(40)
    calls.clear()
    step.loop(10)
    assert len(calls) <= 50


def test_a_tick_evaluates_the_loss_once_and_once_a_trial() -> None:
    calls: list[int] = []
    step, _, _ = minimising(lambda w: over(VALLEYS[0])(counted(calls)(w)), VALLEYS[0].start, trials=7)
    plain = PlainLBFGS(VALLEYS[0].value, np.array(VALLEYS[0].start), [], trials=7)
    for _ in range(10):
        step(), plain.step()
    assert len(calls) == plain.evaluations < 30


def test_a_search_ends_where_less_is_to_gain_than_the_loss_can_show() -> None:
    calls: list[int] = []
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(64, 4)), rng.normal(size=(64, 2))

    def ridge(w: Any) -> Any:
        return ag.reduce_mean(ag.square(ag.tanh(ag.matmul(x, counted(calls)(w))) - t)) + 0.01 * ag.reduce_sum(ag.square(w))

    step, _, _ = minimising(ridge, rng.normal(size=(4, 2)))
    step.loop(100)
    calls.clear()
    step.loop(20)
    assert len(calls) <= 60


def test_behind_a_guard_that_does_not_hold_no_trial_is_made() -> None:
    calls: list[int] = []
    w, go = ag.variable([3.0, 1.0], "float64", name="w"), ag.placeholder((), dtype="bool")
    loss = ag.reduce_sum(ag.square(counted(calls)(w)))
    step = ag.function([go], None, o.LBFGS().get_updates(loss, [w]).when(go))
    step(False)
    assert not calls
    step(True)
    assert w.get_value().tolist() != [3.0, 1.0]
