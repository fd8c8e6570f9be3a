"""Keras's constraints by their formulas, and projections: nearest, of the set, and still on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import optimizers as o
from autograph import ArgumentError, ArgumentTypeError, as_tensor, epsilon, variable
from optimizers import SGD
from tests.ticking import tick, values_of

MATRICES = arrays("float64", (3, 4), elements=st.floats(-10, 10))
VECTORS = arrays("float64", 5, elements=st.floats(-10, 10))


def made(constraint: Callable[[Any], Any], w: Any) -> np.ndarray:
    """The value that satisfies the constraint."""
    return np.asarray(values_of([constraint(as_tensor(w))])[0])


@settings(max_examples=25, deadline=None)
@given(MATRICES, st.sampled_from([0, 1, [0, 1]]), st.floats(0.1, 3.0), st.floats(0, 1))
def test_the_constraints_of_keras_are_their_formulas(w: np.ndarray, axis: Any, most: float, rate: float) -> None:
    n = np.sqrt(np.sum(w**2, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))
    e, least = epsilon(), most / 2
    desired = rate * np.clip(n, least, most) + (1 - rate) * n
    for constraint, expected in (
        (o.MaxNorm(most, axis), w * (np.clip(n, 0, most) / (e + n))),
        (o.NonNeg(), w * (w >= 0)),
        (o.UnitNorm(axis), w / (e + n)),
        (o.MinMaxNorm(least, most, rate, axis), w * (desired / (e + n))),
    ):
        np.testing.assert_allclose(made(constraint, w), expected, rtol=1e-13, atol=1e-300)


def test_the_defaults_are_those_of_keras_and_they_are_saved_by_their_numbers() -> None:
    assert o.MaxNorm().get_config() == {"max_value": 2, "axis": 0}
    assert o.UnitNorm().get_config() == {"axis": 0}
    assert o.NonNeg().get_config() == {}
    assert o.MinMaxNorm().get_config() == {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}
    assert repr(o.max_norm(3)) == "MaxNorm(max_value=3, axis=0)"
    for name in ("MaxNorm", "max_norm", "maxnorm"):
        assert isinstance(o.get_constraint(name), o.MaxNorm)
    again = o.get_constraint({"class_name": "MinMaxNorm", "config": {"rate": 0.5}})
    assert again.get_config() == o.MinMaxNorm(rate=0.5).get_config()
    assert o.get_constraint(None) is None
    own = o.box(0, 1)
    assert o.get_constraint(own) is own


@settings(max_examples=25, deadline=None)
@given(VECTORS, st.floats(0.1, 5.0))
def test_a_projection_is_of_the_set_nearest_and_still_on_it(w: np.ndarray, size: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 5))
    unit = np.abs(points) / np.abs(points).sum(1, keepdims=True) * size
    for project, inside, others in (
        (o.box(-size, size), lambda x: np.all(np.abs(x) <= size), np.clip(points, -size, size)),
        (o.l2_ball(size), lambda x: np.linalg.norm(x) <= size * (1 + 1e-12),
         points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True) / size, 1)),
        (o.l1_ball(size), lambda x: np.abs(x).sum() <= size * (1 + 1e-12), unit * np.sign(points)),
        (o.simplex(size), lambda x: np.all(x >= 0) and abs(x.sum() - size) <= 1e-12 * max(size, np.abs(w).max()) * 5, unit),
    ):  # fmt: skip
        new = made(project, w)
        assert inside(new)
        distance = np.linalg.norm(new - w)
        assert np.all(distance <= np.linalg.norm(others - w, axis=1) + 1e-9)
        np.testing.assert_allclose(made(project, new), new, rtol=1e-12, atol=1e-12)
        if inside(w):
            np.testing.assert_allclose(new, w, atol=1e-12)


def test_what_satisfies_a_ball_or_a_box_comes_back_bit_by_bit() -> None:
    w = np.array([0.1, -0.2, 0.3], "float32")
    for project in (o.box(-1, 1), o.l2_ball(1.0), o.l1_ball(1.0), o.l2_ball(1.0, axis=0)):
        assert made(project, w).tobytes() == w.tobytes()
        assert made(project, w * 10).dtype == "float32"


def test_projections_along_an_axis() -> None:
    w = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(made(o.simplex(1.0, axis=0), w).sum(0), 1.0)
    np.testing.assert_allclose(made(o.simplex(), w).sum(1), 1.0)
    np.testing.assert_allclose(np.linalg.norm(made(o.l2_ball(2.0, axis=1), w), axis=1), 2.0)
    np.testing.assert_allclose(np.linalg.norm(made(o.l2_ball(2.0), w)), 2.0)


def test_norms_too_large_to_square_are_projected_all_the_same() -> None:
    np.testing.assert_allclose(made(o.l2_ball(1.0), np.array([3e20, -4e20], "float32")), [0.6, -0.8], rtol=1e-6)


def test_a_parameter_stays_on_its_set() -> None:
    w = variable([0.2, 0.3, 0.5], "float64", constraint=o.simplex())
    updates = SGD(lr=0.1).get_updates([np.array([1.0, -1.0, 0.0])], [w])
    for _ in range(20):
        tick(updates)
    np.testing.assert_allclose(w.get_value(), [0.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: o.MaxNorm(0), ArgumentError, "MaxNorm: max_value=0.*positive"),
        (lambda: o.MaxNorm("2"), ArgumentTypeError, "no number"),
        (lambda: o.MinMaxNorm(2, 1), ArgumentError, "min_value ≤ max_value"),
        (lambda: o.MinMaxNorm(rate=2), ArgumentError, "rate=2"),
        (lambda: o.box(), ArgumentError, "neither"),
        (lambda: o.box(2, 1), ArgumentError, "exceeds"),
        (lambda: o.simplex(-1), ArgumentError, "total=-1"),
        (lambda: o.l2_ball(float("inf")), ArgumentError, "radius=inf"),
        (lambda: o.l1_ball(0), ArgumentError, "radius=0"),
        (lambda: o.get_constraint("MaxNrm"), ArgumentError, "did you mean 'MaxNorm'"),
        (lambda: o.get_constraint(3), ArgumentTypeError, "3 is no constraint"),
        (lambda: o.Constraint()(variable(1.0)), NotImplementedError, "no __call__"),
    ],
)
def test_constraints_that_make_no_sense(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match="(?s)" + words):
        make()
