"""Clipping: exact within the limit, safe from overflow, and blind to nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograph import ArgumentError, variable
from optimizers import SGD, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from tests.ticking import tick, values_of

# clipping -------------------------------------------------------------------------------------------------------------


def test_gradients_within_the_limit_come_back_bit_by_bit() -> None:
    rng = np.random.default_rng(3)
    found = [rng.normal(size=(3, 4)).astype("float32"), np.array([-0.0, 1e-40, 5.0], "float32"), np.float32(2.0)]
    for clipped in (clip_by_global_norm(found, 1e3), [clip_by_norm(g, 1e3) for g in found]):
        for a, b in zip(values_of(clipped), found, strict=True):
            assert a.dtype == "float32"
            assert a.tobytes() == b.tobytes()


@given(
    st.lists(st.floats(-1, 1, width=32).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=6),
    st.sampled_from(("float16", "float32", "float64")),
    st.integers(-30, 30),
    st.floats(0.5, 2.0),
)
def test_the_global_norm_after_clipping_is_the_limit_or_what_it_was(
    values: list[float], dtype: str, power: int, limit: float
) -> None:
    scale = 10.0 ** (max(-3, min(power, 4)) if dtype == "float16" else power)
    arrays = [np.array(values, dtype) * np.dtype(dtype).type(scale), np.array(values[::-1], dtype)]
    exact = float(np.sqrt(sum(np.sum(np.square(a.astype("longdouble"))) for a in arrays)))
    precision = float(np.finfo(dtype).eps) * 8
    norm = values_of([global_norm(arrays)])[0]
    assert norm == pytest.approx(exact, rel=precision)
    after = values_of(clip_by_global_norm(arrays, limit))
    found = float(np.sqrt(sum(np.sum(np.square(a.astype("longdouble"))) for a in after)))
    assert found == pytest.approx(min(exact, limit), rel=precision * 4, abs=precision)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_too_large_to_square_are_clipped_to_the_limit_and_not_to_zero(dtype: str) -> None:
    big = 1e20 if dtype == "float32" else 1e200
    g = np.array([3 * big, -4 * big], dtype)
    np.testing.assert_allclose(values_of([clip_by_norm(g, 1.0)])[0], [0.6, -0.8], rtol=1e-6)
    w = variable([0.0, 0.0], dtype)
    tick(SGD(lr=1.0, clipnorm=5.0).get_updates([g], [w]))
    np.testing.assert_allclose(w.get_value(), [-3.0, 4.0], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden_by_clipping(bad: float) -> None:
    a, b = np.array([1.0, bad]), np.array([3.0])
    for clipped, gradient in zip(values_of(clip_by_global_norm([a, b], 0.1)), (a, b), strict=True):
        np.testing.assert_array_equal(clipped, gradient)


def test_no_gradients_and_zero_gradients_have_norm_zero() -> None:
    assert values_of([global_norm([])])[0] == 0
    assert values_of([global_norm([np.zeros((0, 3)), np.zeros(2), None])])[0] == 0
    assert clip_by_global_norm([None], 1.0) == [None]
    assert values_of([clip_by_norm(np.zeros(2), 1.0)])[0].tolist() == [0.0, 0.0]


def test_each_parameter_by_itself_is_another_clipping_than_all_together() -> None:
    a, b = np.array([3.0, 4.0]), np.array([0.3])
    together = values_of(SGD(clipnorm=1.0).get_gradients([a, b], [variable(a), variable(b)]))
    apart = values_of(SGD(clipnorm_per_param=1.0).get_gradients([a, b], [variable(a), variable(b)]))
    np.testing.assert_allclose(together[1], 0.3 / np.hypot(5, 0.3), rtol=1e-6)
    np.testing.assert_allclose(apart[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(apart[1], np.float32(0.3))


def test_the_norm_is_clipped_before_the_values() -> None:
    g = np.array([30.0, 40.0])
    found = values_of(SGD(clipnorm=5.0, clipvalue=3.5).get_gradients([g], [variable(g)]))
    np.testing.assert_allclose(found[0], [3.0, 3.5], rtol=1e-6)


def test_clip_by_value_keeps_the_dtype() -> None:
    clipped = values_of([clip_by_value(np.float32(3.0), -1, variable(2.0, "float64"))])[0]
    assert (clipped.dtype, clipped.shape, float(clipped)) == ("float32", (), 2.0)


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), float("inf")])
def test_an_impossible_limit(limit: float) -> None:
    with pytest.raises(ArgumentError, match="positive finite"):
        clip_by_global_norm([np.ones(2)], limit)
    with pytest.raises(ArgumentError):
        clip_by_value(np.ones(2), 1, -1)
