"""Sophia and SOAP: what they measure, when they measure it, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizers as o
from autograph import (
    ArgumentTypeError,
    NoGradientRuleError,
    Tensor,
    Variable,
    custom_op,
    eval,
    function,
    greater,
    matmul,
    placeholder,
    random_normal,
    reduce_sum,
    seed_state,
    square,
    tanh,
    variable,
)
from tests.optimizers.paths import after, path
from tests.optimizers.references import curvature, gradients_of, start
from tests.ticking import tick

SYMMETRIC = np.array([[4.0, 1.0, 0.5], [1.0, -2.0, 0.0], [0.5, 0.0, 9.0]])


def form(w: Variable, matrix: Any = SYMMETRIC) -> Tensor:
    """½·wᵀ·matrix·w, whose Hessian is the matrix."""
    return reduce_sum(w * reduce_sum(np.asarray(matrix) * w, axis=1)) / 2


# Sophia ---------------------------------------------------------------------------------------------------------------


def test_the_diagonal_is_u_times_the_hessian_times_u_for_normal_u() -> None:
    w = variable(np.ones(3), "float64", name="w")
    optimizer = o.Sophia(seed=7, beta_2=0.5)
    tick(optimizer.get_updates(form(w), [w]))
    u = eval(random_normal(like=w, state=seed_state(7)))
    np.testing.assert_allclose(optimizer.state()["h/w"], 0.5 * u * (SYMMETRIC @ u), rtol=1e-12)


@pytest.mark.parametrize("probe", ["normal", "rademacher"])
def test_on_the_mean_it_is_the_diagonal_of_the_hessian(probe: str) -> None:
    w = variable(np.ones(3), "float64", name="w")
    optimizer = o.Sophia(lr=1e-9, seed=1, every=1, beta_2=0.9998, probe=probe)
    step = function([], updates=optimizer.get_updates(form(w), [w]))
    for _ in range(20_000):
        step()
    np.testing.assert_allclose(optimizer.state()["h/w"] / (1 - 0.9998**20_000), SYMMETRIC.diagonal(), atol=0.4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5))
def test_signs_give_a_diagonal_hessian_without_noise(diagonal: list[float]) -> None:
    w = variable(np.ones(len(diagonal)), "float64", name="w")
    optimizer = o.Sophia(probe="rademacher", beta_2=0.0)
    tick(optimizer.get_updates(reduce_sum(square(w) * np.array(diagonal)) / 2, [w]))
    np.testing.assert_allclose(optimizer.state()["h/w"], diagonal, rtol=1e-14)


def test_without_memory_it_is_newtons_method_within_the_reach_of_a_step() -> None:
    w = variable(np.array([3.0, -2.0, 4.0, 30.0]), "float64", name="w")
    optimizer = o.Sophia(lr=5.0, beta_1=0.0, beta_2=0.0, gamma=5.0, weight_decay=0.0, every=1, probe="rademacher")
    step = function([], updates=optimizer.get_updates(reduce_sum(square(w) * np.array([1.0, 10.0, 0.1, 3.0])), [w]))
    step()
    assert w.get_value().tolist() == [-2.0, 3.0, -1.0, 25.0]  # by the sign
    step()
    np.testing.assert_allclose(w.get_value(), [0, 0, 0, 20], atol=1e-14)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 10))
def test_no_element_moves_by_more_than_the_rate(seed: int, rate: float) -> None:
    w, x = variable(np.ones((3, 2)), "float64", name="w"), np.random.default_rng(seed).normal(size=(5, 3)) * 10
    step = function([], w, updates=o.Sophia(lr=rate, weight_decay=0.0).get_updates(reduce_sum(tanh(matmul(x, w))), [w]))
    seen = np.array([step() for _ in range(12)])
    assert np.abs(np.diff(seen, axis=0)).max() <= rate * (1 + 1e-12) + 1e-15


def counted() -> tuple[Callable[[Tensor], Tensor], list[int]]:
    """The square of a tensor, and a list that grows whenever its second derivative is taken."""
    calls: list[int] = []

    def note(g: Any) -> Any:
        calls.append(1)
        return g

    second = custom_op("second", note, vjp=lambda g, y, x: (g,))
    slope = custom_op("slope", lambda x: 2 * x, vjp=lambda g, y, x: (2 * second(g),))
    return custom_op("squared", lambda x: x * x, vjp=lambda g, y, x: (g * slope(x),)), calls


@pytest.mark.parametrize("guarded", [False, True])
def test_the_hessian_is_multiplied_at_every_kth_step_and_never_between(guarded: bool) -> None:
    squared, calls = counted()
    w, b, go = variable(np.ones(3), name="w"), variable(np.ones(2), name="b"), placeholder((), name="go")
    loss = reduce_sum(squared(w)) + reduce_sum(square(b))
    updates = o.Sophia(every=10).get_updates(loss, [w, b])
    step = function([go], loss, updates=updates.when(greater(go, 0)) if guarded else updates, on_unused_input="ignore")
    assert [len(calls) for _ in range(25) if step(1.0) or True] == [1] * 10 + [2] * 10 + [3] * 5
    if guarded:
        for _ in range(20):
            step(-1.0)
        assert len(calls) == 3


def test_a_loss_without_curvature_is_stepped_by_the_sign() -> None:
    w = variable(np.zeros(3), "float64", name="w")
    optimizer = o.Sophia(lr=0.5, weight_decay=0.0)
    updates = optimizer.get_updates(reduce_sum(w * np.array([2.0, 0.0, -1e-9])), [w])
    for _ in range(3):
        tick(updates)
    assert w.get_value().tolist() == [-1.5, 0.0, 1.5]
    assert optimizer.state()["h/w"].tolist() == [0.0, 0.0, 0.0]


def test_half_precision_that_does_not_hold_epsilon_steps_by_the_sign() -> None:
    [found] = after(o.Sophia(lr=0.5, weight_decay=0.0), [np.zeros(3, "float16")], [np.array([2.0, 0.0, -1e-3], "float16")])
    assert found.tolist() == [-0.5, 0.0, 0.5]
    [found] = after(o.Sophia(lr=0.5, epsilon=0.0, weight_decay=0.0), [np.zeros(2)], [np.array([0.0, 1e-300])])
    assert found.tolist() == [0.0, -0.5]


@pytest.mark.parametrize(
    "call",
    [
        lambda loss, w: o.Sophia().get_updates([w * 2], [w]),
        lambda loss, w: o.Sophia().get_updates(o.Sophia().get_gradients(loss, [w]), [w]),
        lambda loss, w: o.accumulate(o.Sophia(), 2).get_updates(loss, [w]),
        lambda loss, w: o.dynamic_scale(o.Sophia()).get_updates(loss, [w]),
    ],
)
def test_gradients_in_place_of_the_loss_are_refused(call: Callable[..., Any]) -> None:
    w = variable(np.ones(3), name="w")
    with pytest.raises(ArgumentTypeError, match=r"Sophia got gradients in place of the loss(?s:.*)get_updates\(loss, params\)"):
        call(form(w), w)


def test_what_is_refused_leaves_no_trace() -> None:
    w = variable(np.ones(3), name="w")
    optimizer = o.Sophia()
    once = custom_op("once", np.square, vjp=lambda g, y, x: (g * custom_op("twice", lambda x: 2 * x)(x),))
    for wrong, error in (([w], ArgumentTypeError), (reduce_sum(once(w)), NoGradientRuleError)):
        with pytest.raises(error):
            optimizer.get_updates(wrong, [w])
    assert optimizer.weights == []
    assert not optimizer.built


def test_clipped_and_noisy_gradients_do_not_change_the_diagonal() -> None:
    found = []
    for options in ({}, {"clipnorm": 1e-3, "centralize": True}):
        w = variable(np.ones((3, 1)), "float64", name="w")
        optimizer = o.Sophia(seed=3, **options)
        tick(optimizer.get_updates(form(w), [w]))
        found.append(optimizer.state()["h/w"])
    np.testing.assert_array_equal(*found)


# SOAP -----------------------------------------------------------------------------------------------------------------


def test_vectors_and_long_sides_are_not_turned() -> None:
    optimizer = o.SOAP(largest=4)
    ones = [np.ones(shape) for shape in ((5, 4), (1, 3), (3,), ())]
    after(optimizer, ones, ones)
    turned = [name for name in optimizer.state() if name[0] in "LRQ"]
    assert turned == ["Qr/w0", "R/w0", "Qr/w1", "R/w1"]
    [one], [other] = (after(rule, [np.ones(3)], *[[np.array([1.0, 2.0, 0.1])]] * 25) for rule in (
        o.SOAP(0.01, weight_decay=0.1, every=2), o.AdamW(0.01, beta_1=0.95, beta_2=0.95, weight_decay=0.1)))  # fmt: skip
    np.testing.assert_allclose(one, other, rtol=1e-13)


def test_axes_before_the_last_are_one() -> None:
    w = np.random.default_rng(0).normal(size=(2, 3, 4))
    found = [np.random.default_rng(t).normal(size=w.shape) for t in range(1, 20)]
    [deep] = after(o.SOAP(every=5), [w], *[[g] for g in found])
    [flat] = after(o.SOAP(every=5), [w.reshape(6, 4)], *[[g.reshape(6, 4)] for g in found])
    assert deep.tobytes() == flat.tobytes()


def test_a_path_turns_with_its_gradients_and_bases() -> None:
    rng = np.random.default_rng(3)
    u, v = np.linalg.qr(rng.normal(size=(3, 3)))[0], np.linalg.qr(rng.normal(size=(4, 4)))[0]
    found = []
    for left, right in ((np.eye(3), np.eye(4)), (u, v)):
        w = variable(left @ start()[0] @ right.T, "float64", name="w")
        g = placeholder((3, 4), dtype="float64")
        optimizer = o.SOAP(lr=0.05, every=4)
        step = function([g], updates=optimizer.get_updates([g], [w]))
        optimizer.load({"Ql/w": left, "Qr/w": right}, strict=False)
        for given_, _ in gradients_of():
            step(left @ given_ @ right.T)
        found.append(left.T @ w.get_value() @ right)
    np.testing.assert_allclose(found[1], found[0], atol=1e-10)
    assert np.abs(found[0] - path(o.AdamW(0.05, beta_1=0.95, beta_2=0.95))[0]).max() > 1e-3


def test_bases_stay_orthonormal_and_come_to_the_eigenvectors() -> None:
    rng = np.random.default_rng(0)
    tall, wide = (np.linalg.qr(rng.normal(size=(n, n)))[0] * 4.0 ** np.arange(n) for n in (3, 4))
    w, g = variable(np.zeros((3, 4)), name="w"), placeholder((3, 4))
    optimizer = o.SOAP(every=2, beta_2=0.99)
    step = function([g], updates=optimizer.get_updates([g], [w]))
    for _ in range(400):
        step((tall @ rng.normal(size=(3, 4)) @ wide.T).astype("float32"))
    state = optimizer.state()
    for basis, factor in ((state["Ql/w"], state["L/w"]), (state["Qr/w"], state["R/w"])):
        np.testing.assert_allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-5)
        turned = basis.T @ factor @ basis
        scale = np.sqrt(turned.diagonal())
        assert np.abs(turned / np.outer(scale, scale) - np.eye(len(basis))).max() < 0.2
        assert np.abs(factor / np.sqrt(np.outer(factor.diagonal(), factor.diagonal())) - np.eye(len(basis))).max() > 0.5


def test_bases_are_turned_at_every_kth_step_and_never_between(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda *args: (calls.append(1), real(*args))[1])
    w = variable(np.ones((3, 2)), name="w")
    updates = o.SOAP(every=10).get_updates(reduce_sum(tanh(w) * curvature((3, 2), 1)), [w])
    step = function([], updates=updates, executor="numpy")
    assert [len(calls) for _ in range(25) if step() or True] == [0] * 9 + [2] * 10 + [4] * 6


def test_what_never_has_a_gradient_never_moves() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(6, 5)).astype("float32")
    steps = [[(rng.normal(size=w.shape) * np.array([[1], [0], [1], [0], [1], [1]])).astype("float32")] for _ in range(40)]
    [found] = after(o.SOAP(lr=0.1, every=3, weight_decay=0.0), [w], *steps)
    assert found[[1, 3]].tobytes() == w[[1, 3]].tobytes()
    assert (found[0] != w[0]).all()
