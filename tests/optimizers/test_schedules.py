"""Schedules against plain NumPy, optax where it is installed, and the plateau against Keras's callback."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizers as o
from autograph import ArgumentError, ArgumentTypeError, equal, mod, placeholder, variable
from optimizers import SGD, Adam
from tests.ticking import tick, values_of


def path(schedule: Any, steps: int) -> np.ndarray:
    """The rates of the first steps."""
    t = placeholder((), dtype="float64")
    rate = schedule(t)
    assert (str(rate.dtype), rate.shape) == ("float64", ())
    return np.array([float(values_of([rate], {t: np.array(float(i))})[0]) for i in range(steps)])


def triangle(t: int) -> float:
    cycle = math.floor(1 + t / 6)
    return 0.1 + 0.9 * max(0.0, 1 - abs(t / 3 - 2 * cycle + 1)) * 0.5 ** (cycle - 1) * 0.99**t


def restarts(t: int) -> float:
    begin, length, height = 0, 3, 1.0
    while t >= begin + length:
        begin, length, height = begin + length, length * 2, height * 0.5
    return 0.2 * (0.1 + 0.9 * 0.5 * height * (1 + math.cos(math.pi * (t - begin) / length)))


def cycle(t: int) -> float:
    n = 4 * max(math.ceil(t / 4), 1)
    return 0.01 + 0.09 * (1 - t / n) ** 2


FORMULAS: list[tuple[Any, Callable[[int], float]]] = [
    (o.constant(0.3), lambda t: 0.3),
    (o.inverse_time(0.3, 0.1), lambda t: 0.3 / (1 + 0.1 * t)),
    (o.inverse_time(0.3, 0.1, 4, staircase=True), lambda t: 0.3 / (1 + 0.1 * (t // 4))),
    (o.exponential(0.3, 0.5, 4), lambda t: 0.3 * 0.5 ** (t / 4)),
    (o.exponential(0.3, 0.5, 4, staircase=True, begin=2, end=0.1), lambda t: max(0.1, 0.3 * 0.5 ** (max(t - 2, 0) // 4))),
    (o.step_decay(0.3, 4), lambda t: 0.3 * 0.1 ** (t // 4)),
    (o.multi_step(0.3, [3, 7], 0.5), lambda t: 0.3 * 0.5 ** ((t >= 3) + (t >= 7))),
    (o.piecewise_constant([0.3, 0.1, 0.7], [3, 7]), lambda t: [0.3, 0.1, 0.7][(t >= 3) + (t >= 7)]),
    (o.interpolate({0: 0.1, 4: 0.3, 9: 0.0}), lambda t: float(np.interp(t, [0, 4, 9], [0.1, 0.3, 0.0]))),
    (o.polynomial(0.1, 0.01, 8, 2), lambda t: 0.01 + 0.09 * (1 - min(t, 8) / 8) ** 2),
    (o.polynomial(0.1, 0.01, 4, 2, cycle=True), cycle),
    (o.linear(0.0, 0.3, 6, begin=2), lambda t: 0.3 * min(max(t - 2, 0), 6) / 6),
    (o.cosine(0.3, 8, 0.1), lambda t: 0.3 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(t, 8) / 8)))),
    (o.cosine_restarts(0.2, 3, 2.0, 0.5, 0.1), restarts),
    (o.cosine_restarts(0.2, 4, 1.0), lambda t: 0.1 * (1 + math.cos(math.pi * (t % 4) / 4))),
    (o.rsqrt(0.3, 4), lambda t: 0.3 * 2 * min((t + 1) ** -0.5, (t + 1) * 4**-1.5)),
    (o.triangular(0.1, 1.0, 3, 0.5, 0.99), triangle),
    (o.warmup(0.3, 4), lambda t: 0.3 * min(t, 4) / 4),
    (o.warmup(o.exponential(0.3, 0.5, 4), 4, 0.1), lambda t: 0.1 + 0.2 * t / 4 if t < 4 else 0.3 * 0.5 ** ((t - 4) / 4)),
    (o.join([0.1, o.linear(0.3, 0.1, 4), 0.05], [3, 9]),
     lambda t: 0.1 if t < 3 else (0.3 - 0.2 * min(t - 3, 4) / 4 if t < 9 else 0.05)),
    (o.wsd(0.3, 4, 3, 5, 0.1), lambda t: 0.3 * min(t, 4) / 4 if t < 7 else 0.3 - 0.2 * min(t - 7, 5) / 5),
    (o.one_cycle_cosine(0.3, 20, 0.25),
     lambda t: 0.3 + (0.012 - 0.3) * 0.5 * (1 + math.cos(math.pi * t / 5)) if t < 5
     else 0.012e-4 + (0.3 - 0.012e-4) * 0.5 * (1 + math.cos(math.pi * min(t - 5, 15) / 15))),
    (o.one_cycle_linear(0.3, 20, 0.25, 0.75),
     lambda t: float(np.interp(t, [0, 5, 15, 20], [0.012, 0.3, 0.012, 0.012e-4]))),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=[repr(s) for s, _ in FORMULAS])
def test_a_schedule_is_its_formula(schedule: Any, formula: Callable[[int], float]) -> None:
    np.testing.assert_allclose(path(schedule, 24), [formula(t) for t in range(24)], rtol=1e-13, atol=1e-16)


def test_every_schedule_is_tried() -> None:
    from optimizers import schedules

    made = {n for n, f in vars(schedules).items() if hasattr(f, "__wrapped__")}
    assert made == {repr(s).partition("(")[0] for s, _ in FORMULAS}
    assert made <= set(o.__all__)


@pytest.mark.oracle
def test_schedules_of_optax() -> None:
    optax = pytest.importorskip("optax")
    for own, theirs in (
        (o.cosine(0.1, 20, 0.1, 2.0), optax.cosine_decay_schedule(0.1, 20, 0.1, 2.0)),
        (o.polynomial(0.1, 0.01, 20, 2.0, begin=3), optax.polynomial_schedule(0.1, 0.01, 2.0, 20, 3)),
        (o.exponential(0.1, 0.5, 5, True, 2, 0.02), optax.exponential_decay(0.1, 5, 0.5, 2, True, 0.02)),
        (o.one_cycle_cosine(0.1, 20), optax.cosine_onecycle_schedule(20, 0.1)),
        (o.one_cycle_linear(0.1, 20), optax.linear_onecycle_schedule(20, 0.1)),
        (o.warmup(0.1, 5), optax.warmup_constant_schedule(0.0, 0.1, 5)),
        (o.warmup(o.cosine(0.1, 15), 5, 0.01), optax.warmup_cosine_decay_schedule(0.01, 0.1, 5, 20)),
        (o.warmup(o.exponential(0.1, 0.5, 4), 5), optax.warmup_exponential_decay_schedule(0.0, 0.1, 5, 4, 0.5)),
        (o.multi_step(0.1, [4, 9], 0.5), optax.piecewise_constant_schedule(0.1, {4: 0.5, 9: 0.5})),
    ):
        np.testing.assert_allclose(path(own, 30), [float(theirs(i)) for i in range(30)], rtol=2e-5, atol=1e-8)


@pytest.mark.oracle
def test_schedules_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rules = torch.optim.lr_scheduler
    for own, make in (
        (o.cosine_restarts(0.2, 3, 2), lambda opt: rules.CosineAnnealingWarmRestarts(opt, 3, 2)),
        (o.triangular(0.1, 0.2, 3, 0.5), lambda opt: rules.CyclicLR(opt, 0.1, 0.2, 3, mode="triangular2", cycle_momentum=False)),
        (o.step_decay(0.2, 4, 0.5), lambda opt: rules.StepLR(opt, 4, 0.5)),
    ):
        opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        schedule, rates = make(opt), []
        for _ in range(25):
            rates.append(opt.param_groups[0]["lr"])
            opt.step()
            schedule.step()
        np.testing.assert_allclose(path(own, 25), rates, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.floats(1.0, 4.0), st.integers(0, 10_000))
def test_restarts_are_within_their_cosine_at_any_time(steps: int, growth: float, t: int) -> None:
    rate = float(values_of([o.cosine_restarts(0.5, steps, growth)(float(t))])[0])
    begin, length = 0.0, float(steps)
    while growth > 1 and t >= begin + length:
        begin, length = begin + length, length * growth
    part = (t % steps) / steps if growth == 1 else (t - begin) / length
    cosines = [0.25 * (1 + math.cos(math.pi * x)) for x in (part, part + 1e-9, part - 1e-9)]
    near_restart = min(part, 1 - part) < 1e-9
    assert 0 <= rate <= 0.5
    assert near_restart or rate == pytest.approx(cosines[0], abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-5, 10), st.integers(1, 100), st.integers(0, 300))
def test_with_a_warm_up_of_any_length_the_rest_comes_later_and_unchanged(peak: float, steps: int, t: int) -> None:
    rest = o.cosine(peak, 50)
    early, late = values_of([o.warmup(rest, steps)(float(t)), rest(float(max(t - steps, 0)))])
    assert early == (late if t >= steps else pytest.approx(peak * t / steps))


# with optimizers ------------------------------------------------------------------------------------------------------


def test_an_optimizer_follows_its_schedule_and_counts_the_steps_it_takes() -> None:
    w, ticks = variable([4.0], "float64"), variable(0, "int64")
    optimizer = SGD(lr=o.piecewise_constant([1.0, 0.5, 0.25], [1, 2]))
    step = optimizer.get_updates([np.ones(1)], [w]).when(equal(mod(ticks, 2), 0)) + [(ticks, ticks + 1)]
    seen = []
    for _ in range(6):
        tick(step)
        seen.append(float(w.get_value()[0]))
    assert seen == [3.0, 3.0, 2.5, 2.5, 2.25, 2.25]
    assert "piecewise_constant([1.0, 0.5, 0.25], [1, 2])" in repr(optimizer)


def test_a_schedule_that_comes_too_late_raises_and_a_number_works_in_flight() -> None:
    w = variable([1.0], "float64")
    optimizer = Adam(lr=0.5)
    optimizer.get_updates([np.ones(1)], [w])
    with pytest.raises(ArgumentError, match=r"(?s)learning_rate cannot become cosine\(0.1, 10\).*would not follow"):
        optimizer.lr = o.cosine(0.1, 10)
    optimizer.lr = 0.25
    assert optimizer.lr.get_value() == 0.25
    scheduled = Adam(lr=o.cosine(0.1, 10))
    scheduled.lr = o.cosine(0.2, 10)
    scheduled.get_updates([np.ones(1)], [w])
    with pytest.raises(ArgumentError, match="would not follow"):
        scheduled.lr = 0.1


def test_numbers_of_a_schedule_may_be_registers() -> None:
    peak = variable(1.0, "float64", name="peak")
    rate = o.warmup(o.exponential(peak, 0.5), 2)(2.0)
    before = values_of([rate])
    peak.set_value(3.0)
    assert [float(x) for x in (*before, *values_of([rate]))] == [1.0, 3.0]


# plateau --------------------------------------------------------------------------------------------------------------


def keras_plateau(metrics: list[float], mode: str, patience: int, threshold: float, cooldown: int, least: float) -> list[float]:
    """Keras 2.3.1's ReduceLROnPlateau.on_epoch_end, factor 0.5, from a rate of 1."""
    rate, best, wait, rest, rates = 1.0, math.inf if mode == "min" else -math.inf, 0, 0, []
    for current in metrics:
        if rest > 0:
            rest, wait = rest - 1, 0
        if current < best - threshold if mode == "min" else current > best + threshold:
            best, wait = current, 0
        elif not rest > 0:
            wait += 1
            if wait >= patience and rate > least:
                rate, rest, wait = max(rate * 0.5, least), cooldown, 0
        rates.append(rate)
    return rates


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.25, 2.0, math.nan]), min_size=1, max_size=30),
    st.sampled_from(["min", "max"]), st.integers(1, 3), st.sampled_from([0.0, 0.25]), st.integers(0, 3),
    st.sampled_from([0.0, 0.2]),
)  # fmt: skip
def test_a_plateau_is_that_of_keras(
    metrics: list[float], mode: str, patience: int, threshold: float, cooldown: int, least: float
) -> None:
    optimizer, metric = SGD(lr=1.0), placeholder((), dtype="float64")
    updates = o.plateau(
        optimizer.lr, metric, 0.5, patience, threshold=threshold, cooldown=cooldown, least=least, mode=mode
    )
    rates = []
    for value in metrics:
        tick(updates, feeds={metric: np.array(value)})
        rates.append(float(optimizer.lr.get_value()))
    assert rates == keras_plateau(metrics, mode, patience, threshold, cooldown, least)
    kept = ["best/SGD/learning_rate", "wait/SGD/learning_rate", "cooldown/SGD/learning_rate"]
    assert [r.name for r in updates.registers] == ["SGD/learning_rate", *kept]
    assert list(updates.state()) == kept


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: o.cosine(0.1, 0), ArgumentError, "cosine: steps=0 makes no sense.*positive"),
        (lambda: o.cosine(-0.1, 5), ArgumentError, "initial=-0.1"),
        (lambda: o.cosine("0.1", 5), ArgumentTypeError, "initial='0.1' is no number"),
        (lambda: o.cosine(0.1, 5, alfa=0.1), ArgumentTypeError, "unknown argument 'alfa'; did you mean 'alpha'"),
        (lambda: o.cosine(0.1), ArgumentTypeError, "missing a required argument: 'steps'"),
        (lambda: o.cosine(float("nan"), 5), ArgumentError, "nan"),
        (lambda: o.multi_step(0.1, [5, 3]), ArgumentError, "do not increase"),
        (lambda: o.piecewise_constant([0.1], [5]), ArgumentError, "0 steps are needed between 1 rates, got 1"),
        (lambda: o.interpolate({3: 0.1}), ArgumentError, "not at step 0"),
        (lambda: o.join([0.1, "x"], [5]), ArgumentTypeError, "no schedule"),
        (lambda: o.one_cycle_linear(0.1, 10, 0.5, 0.4), ArgumentError, "do not increase"),
        (lambda: o.one_cycle_cosine(0.1, 10, 1.0), ArgumentError, "portion=1.0"),
        (lambda: o.cosine_restarts(0.1, 10, 0.5), ArgumentError, "growth=0.5"),
        (lambda: o.rsqrt(0.1, 0), ArgumentError, "warmup_steps=0"),
        (lambda: o.plateau(0.1, variable(0.0)), ArgumentTypeError, "no register"),
        (lambda: o.plateau(variable(0.1), variable(0.0), 2.0), ArgumentError, "factor=2.0"),
        (lambda: o.plateau(variable(0.1), variable(0.0), mode="mim"), ArgumentError, "did you mean 'min'"),
    ],
)  # fmt: skip
def test_schedules_that_make_no_sense(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()
