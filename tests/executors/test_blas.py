"""Commits by BLAS, where SciPy is installed: the same steps in fewer passes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from autograph import Updates, function, placeholder
from autograph import backend as K
from autograph.executors.numpy import blas
from optimizers import SGD

pytestmark = pytest.mark.usefixtures("any_blas", "on_numpy")


def _trained(worth: int, monkeypatch: pytest.MonkeyPatch, dtype: str, guard: str = "apply") -> tuple[list[np.ndarray], list[str]]:
    """Weights after five steps of a small network, and the names of the commit's calls."""
    monkeypatch.setattr(blas, "WORTH", worth)
    rng = np.random.default_rng(3)
    x, t = placeholder((None, 7), dtype=dtype), placeholder((None, 3), dtype=dtype)
    w = [K.variable(rng.standard_normal(shape), dtype=dtype) for shape in ((7, 5), (5, 3))]
    loss = K.mean(K.square(K.dot(K.tanh(K.dot(x, w[0])), w[1]) - t))
    step = function([x, t], loss, SGD(lr=0.1).get_updates(loss, w), on_nonfinite=guard, executor="numpy")
    for _ in range(5):
        step(rng.standard_normal((4, 7)), rng.standard_normal((4, 3)))
    program = step._program
    calls = [call[0] for name, some in program.run.__globals__.items() if re.fullmatch("C[0-9]+", name) for call in some]
    return [v.get_value() for v in w], [str(call) for call in calls]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_step_is_that_of_the_plain_form(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_gemm, calls = _trained(1, monkeypatch, dtype)
    plain, others = _trained(10**9, monkeypatch, dtype)
    assert sum("gemm" in call for call in calls) == 2
    assert not any("gemm" in call for call in others)
    for a, b in zip(by_gemm, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(dtype).eps)


def test_a_guard_against_non_finite_values_keeps_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    _, calls = _trained(1, monkeypatch, "float32", guard="raise")
    assert not any("gemm" in call for call in calls)


def test_weights_read_by_another_update_are_read_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "WORTH", 1)
    x, w, seen = placeholder((4, 6)), K.variable(np.ones((6, 5))), K.variable(np.zeros((6, 5)))
    loss = K.sum(K.square(K.dot(x, w)))
    step = function([x], loss, [*SGD(lr=0.01).get_updates(loss, [w]), (seen, w * 1.0)])
    step(np.ones((4, 6)))
    np.testing.assert_array_equal(seen.get_value(), np.ones((6, 5)))
    assert not np.array_equal(w.get_value(), seen.get_value())


def test_a_gradient_that_is_also_an_output_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "WORTH", 1)
    x, w = placeholder((4, 6)), K.variable(np.ones((6, 5)))
    loss = K.sum(K.square(K.dot(x, w)))
    gradient = K.gradients(loss, [w])[0]
    step = function([x], gradient, SGD(lr=0.01).get_updates([gradient], [w]))
    found = step(np.ones((4, 6)))
    np.testing.assert_allclose(found, np.full((6, 5), 48.0))
    np.testing.assert_allclose(w.get_value(), 1 - 0.48, rtol=1e-6)


@pytest.mark.parametrize("product_first", [True, False])
def test_a_product_and_a_sum_that_read_each_others_registers(product_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "WORTH", 1)
    rng = np.random.default_rng(6)
    old_v, old_w, y = (rng.standard_normal((6, 6)) for _ in range(3))
    v, w = K.variable(old_v, dtype="float64"), K.variable(old_w, dtype="float64")
    fed = placeholder((6, 6), dtype="float64")
    rules = [lambda: (w, w - 0.1 * K.dot(v, fed)), lambda: (v, v + 2.0 * w)]
    step = function([fed], [], [rule() for rule in (rules if product_first else rules[::-1])])
    step(y)
    np.testing.assert_allclose(w.get_value(), old_w - 0.1 * old_v @ y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(v.get_value(), old_v + 2 * old_w, rtol=1e-12, atol=1e-12)


def test_a_rate_that_guards_share_is_there_behind_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "WORTH", 1)
    rate, n = (K.variable(value, dtype="float64") for value in (0.5, 1.0))
    p, q = (K.variable(np.ones(4), dtype="float64") for _ in range(2))
    x = placeholder((4,), dtype="float64")
    first, second = (placeholder((), dtype="bool") for _ in range(2))
    steps = Updates([(p, p - rate * x), (n, n * rate)]).when(first) + Updates([(q, q - rate * (x + 1.0))]).when(second)
    step = function([x, first, second], None, steps)
    step(np.ones(4), False, True)
    assert (p.get_value()[0], q.get_value()[0], n.get_value()) == (1, 0, 1)
    step(np.ones(4), True, False)
    assert (p.get_value()[0], q.get_value()[0], n.get_value()) == (0.5, 0, 0.5)


def test_a_matrix_that_changes_first_is_multiplied_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads what the other writes, and the product is the second: it reads a copy."""
    monkeypatch.setattr(blas, "WORTH", 1)
    rng = np.random.default_rng(4)
    u, v, w = (K.variable(rng.standard_normal((6, 6)), dtype="float64", name=name) for name in "uvw")
    step = function([], None, Updates([(v, v + w * K.dot(u, u)), (w, w - 0.1 * K.dot(u, v))]), executor="numpy")
    for _ in range(2):
        a, b, c = (x.get_value() for x in (u, v, w))
        step()
        np.testing.assert_allclose(v.get_value(), b + c * (a @ a), rtol=1e-13)
        np.testing.assert_allclose(w.get_value(), c - 0.1 * (a @ b), rtol=1e-12)
