"""Groups, sums over several ticks, and scaled losses: against the optimizers that they are made of."""

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
    DisconnectedError,
    Variable,
    function,
    matmul,
    placeholder,
    reduce_mean,
    reduce_sum,
    square,
    variable,
)
from optimizers import SGD, Adam, Optimizer, RMSprop
from tests.ticking import tick


def two() -> tuple[Variable, Variable]:
    """A kernel and a bias."""
    return (
        variable(np.arange(6.0).reshape(3, 2), "float64", name="dense/kernel"),
        variable([1.0, -2.0], "float64", name="dense/bias"),
    )


def loss_of(w: Variable, b: Variable) -> Any:
    """A loss of both."""
    return reduce_sum(square(w)) * 0.5 + reduce_sum(square(b - 3.0))


# groups ---------------------------------------------------------------------------------------------------------------


def test_each_group_moves_as_by_its_own_optimizer() -> None:
    w, b = two()
    x, c = two()
    fast, slow = SGD(0.1, 0.9), Adam(0.01)
    whole = o.partition({"*/bias": fast}, slow).get_updates(loss_of(w, b), [w, b])
    apart = Adam(0.01).get_updates(loss_of(x, c), [x]) + SGD(0.1, 0.9).get_updates(loss_of(x, c), [c])
    for _ in range(4):
        tick(whole)
        tick(apart)
    assert w.get_value().tobytes() == x.get_value().tobytes()
    assert b.get_value().tobytes() == c.get_value().tobytes()
    assert (fast.iterations.get_value(), slow.iterations.get_value()) == (4, 4)


@pytest.mark.parametrize("make", [lambda: o.Sophia(0.1, seed=3), o.LBFGS])
def test_an_optimizer_that_reads_the_loss_steps_its_group(make: Callable[[], Optimizer]) -> None:
    w, b = two()
    x, c = two()
    inner = o.partition({"*/bias": make()}, SGD(0.1))
    whole = o.partition({}, inner).get_updates(loss_of(w, b), [w, b])
    apart = SGD(0.1).get_updates(loss_of(x, c), [x]) + make().get_updates(loss_of(x, c), [c])
    for _ in range(4):
        tick(whole)
        tick(apart)
    assert w.get_value().tobytes() == x.get_value().tobytes()
    assert b.get_value().tobytes() == c.get_value().tobytes() != np.array([1.0, -2.0]).tobytes()


def test_a_variable_goes_before_patterns_none_freezes_and_one_optimizer_may_have_two_groups() -> None:
    w, b = two()
    free = variable([1.0], "float64", name="free")
    both = SGD(1.0)
    groups: Any = {"*/kernel": None, b: both, "free": both}
    updates = o.partition(groups).get_updates([np.ones((3, 2)), np.ones(2), [1.0]], [w, b, free])
    tick(updates)
    assert w not in updates.registers
    assert (b.get_value().tolist(), free.get_value().tolist()) == ([0.0, -3.0], [0.0])
    assert both.iterations.get_value() == 1


def test_what_is_frozen_needs_no_gradient_and_has_no_part_in_the_norm() -> None:
    w, b = two()
    tick(o.partition({"*/kernel": None}, SGD(1.0, clipnorm=1e6)).get_updates(reduce_sum(b), [w, b]))
    assert b.get_value().tolist() == [0.0, -3.0]
    with pytest.raises(DisconnectedError, match="dense/kernel"):
        o.partition({"*/bias": None}, SGD(1.0)).get_updates(reduce_sum(b), [w, b])


def test_the_state_of_all_is_saved_and_loaded_by_name() -> None:
    def make() -> tuple[Any, Variable, Variable, Any]:
        w, b = two()
        whole = o.accumulate(o.partition({"*/bias": Adam(0.1)}, Adam(0.01)), 2)
        return whole, w, b, whole.get_updates(loss_of(w, b), [w, b])

    first, w, b, updates = make()
    for _ in range(3):
        tick(updates)
    state = first.state()
    assert {"accumulate/ticks", "sum/dense/bias", "Adam/iterations", "Adam/iterations_1", "m/dense/kernel"} <= set(state)
    again, x, c, later = make()
    again.load(state)
    x.set_value(w.get_value())
    c.set_value(b.get_value())
    for _ in range(3):
        tick(updates)
        tick(later)
    assert (w.get_value().tobytes(), b.get_value().tobytes()) == (x.get_value().tobytes(), c.get_value().tobytes())
    with pytest.raises(ArgumentError, match="missing 'sum/dense/bias'"):
        again.load({k: v for k, v in state.items() if k != "sum/dense/bias"})


# several ticks to a step ----------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 2, 4, 8]), st.integers(1, 3), st.integers(0, 2**32 - 1),
    st.sampled_from([lambda: SGD(0.1, 0.9), Adam, lambda: Adam(clipnorm=1.0), RMSprop,
                     lambda: SGD(o.cosine(0.1, 3), weight_decay=0.1)]),
)  # fmt: skip
def test_small_batches_make_the_step_of_the_large_one_bit_by_bit_where_sums_are_exact(
    k: int, steps: int, seed: int, make: Callable[[], Optimizer]
) -> None:
    rng = np.random.default_rng(seed)
    x = placeholder((None, 3), dtype="float64")
    (w, _), (v, _) = two(), two()
    target = np.arange(2.0)

    def loss(kernel: Variable) -> Any:
        # Linear in the kernel: gradients are whole numbers over powers of two, whatever the kernel.
        return reduce_mean(reduce_sum(matmul(x, kernel) * target, axis=-1))

    small = function([x], updates=o.accumulate(make(), k).get_updates(loss(w), [w]))
    large = function([x], updates=make().get_updates(loss(v), [v]))
    for _ in range(steps):
        batch = rng.integers(-50, 50, size=(4 * k, 3)).astype("float64")
        before = w.get_value().tobytes()
        for part in np.split(batch, k):
            assert w.get_value().tobytes() == before
            small(part)
        large(batch)
        assert w.get_value().tobytes() == v.get_value().tobytes()


def test_counters_and_schedules_count_steps() -> None:
    w = variable([0.0], "float64")
    inner = SGD(o.piecewise_constant([1.0, 0.5], [1]))
    whole = o.accumulate(inner, 2)
    updates, seen = whole.get_updates([np.ones(1)], [w]), []
    for _ in range(6):
        tick(updates)
        seen.append(float(w.get_value()[0]))
    assert seen == [0.0, -1.0, -1.0, -1.5, -1.5, -2.0]
    assert (inner.iterations.get_value(), whole.ticks.get_value()) == (3, 6)


def test_half_precision_is_summed_in_float32() -> None:
    w = variable(np.float16([0.0]), "float16", name="w")
    whole = o.accumulate(SGD(1.0), 4)
    updates = whole.get_updates([np.float16([60000.0])], [w])
    for _ in range(3):
        tick(updates)
    assert whole.state()["sum/w"].dtype == "float32"
    assert whole.state()["sum/w"].tolist() == [180000.0]
    tick(updates)
    assert w.get_value().tolist() == [-60000.0]


def test_accumulation_is_for_the_same_parameters_each_time() -> None:
    w, b = two()
    whole = o.accumulate(SGD(), 2)
    whole.get_updates(loss_of(w, b), [w, b])
    whole.get_updates(loss_of(w, b), [b, w])
    with pytest.raises(ArgumentError, match="other parameters than before"):
        whole.get_updates(loss_of(w, b), [w])


# scaled losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [lambda one: o.static_scale(one, 256.0), o.dynamic_scale])
def test_a_scale_of_a_power_of_two_changes_nothing(scaled: Callable[[Optimizer], Any]) -> None:
    (w, b), (v, c) = two(), two()
    updates, plain = scaled(Adam(0.1)).get_updates(loss_of(w, b), [w, b]), Adam(0.1).get_updates(loss_of(v, c), [v, c])
    for _ in range(3):
        tick(updates)
        tick(plain)
    assert (w.get_value().tobytes(), b.get_value().tobytes()) == (v.get_value().tobytes(), c.get_value().tobytes())


def test_a_dynamic_scale_falls_at_what_is_not_finite_which_is_skipped_and_rises_after_a_while() -> None:
    w, x = variable([1.0], "float64", name="w"), placeholder((), dtype="float64")
    inner = Adam(0.1)
    whole = o.dynamic_scale(inner, 8.0, period=2, most=16.0)
    step = function([x], updates=whole.get_updates(reduce_sum(w) * x, [w]))
    scales = []
    for value in (1.0, np.inf, np.nan, np.inf, np.inf, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        before = inner.state()
        step(value)
        scales.append(float(whole.scale.get_value()))
        assert np.isfinite(value) == (inner.state()["Adam/iterations"] > before["Adam/iterations"])
    assert scales == [8, 4, 2, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 16]
    assert np.isfinite(w.get_value()).all()
    assert {"loss_scale", "loss_scale/good", "m/w"} <= set(whole.state())


def test_all_finite_is_a_guard() -> None:
    w, x = variable([1.0], "float64"), placeholder((1,), dtype="float64")
    optimizer = SGD(1.0)
    updates = optimizer.get_updates([x], [w]).when(o.all_finite([x, None]))
    for value in (1.0, np.nan, -np.inf, 1.0):
        tick(updates, feeds={x: np.array([value])})
    assert (w.get_value().tolist(), optimizer.iterations.get_value()) == ([-1.0], 2)


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: o.partition([SGD()]), ArgumentTypeError, "no dict"),
        (lambda: o.partition({3: SGD()}), ArgumentTypeError, "3 names no parameter"),
        (lambda: o.partition({"*": "sgd"}), ArgumentTypeError, "'sgd' is no optimizer"),
        (lambda: o.partition({"*": SGD}), ArgumentTypeError, r"SGD is a class\n  write SGD\(\)"),
        (lambda: o.partition({"dense/bais": SGD()}, SGD()).get_updates(loss_of(*PAIR), PAIR), ArgumentError,
         "'dense/bais' is no parameter; did you mean 'dense/bias'"),
        (lambda: o.partition({"*/bias": SGD()}).get_updates(loss_of(*PAIR), PAIR), ArgumentError,
         "no group holds 'dense/kernel'"),
        (lambda: o.partition({"*": None}).get_updates(loss_of(*PAIR), PAIR), ArgumentError, "every parameter is frozen"),
        (lambda: o.partition({"*": SGD()}).get_updates([np.ones(2)], PAIR), ArgumentError, "1 gradients for 2"),
        (lambda: o.accumulate(SGD(), 0), ArgumentError, "k=0"),
        (lambda: o.accumulate(SGD(), 2.5), ArgumentTypeError, "k=2.5 is no whole number"),
        (lambda: o.accumulate(3, 2), ArgumentTypeError, "3 is no optimizer"),
        (lambda: o.static_scale(SGD(), 0), ArgumentError, "scale=0"),
        (lambda: o.static_scale(SGD(), 2.0).get_updates([np.ones(2)], PAIR[1:]), ArgumentTypeError, "the loss that is scaled"),
        (lambda: o.dynamic_scale(SGD(), factor=1.0), ArgumentError, "factor=1.0"),
        (lambda: o.dynamic_scale(SGD(), 2.0**30), ArgumentError, "initial"),
        (lambda: o.dynamic_scale(SGD(), period=0), ArgumentError, "period=0"),
    ],
)  # fmt: skip
def test_compositions_that_make_no_sense(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()


PAIR = list(two())
