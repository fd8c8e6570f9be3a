"""Special functions of the native executor: as near to the exact values as NumPy's, their special values the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import special
from tests.arrays.test_special import EXTREMES, FUNCTIONS, TABLE, natural_scale
from tests.executors.native.running import distance, elementwise
from tests.function.programs import count

NAMES = sorted(special.SPECIAL)
DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_within_8_ulp_of_the_table(name: str, dtype: str) -> None:
    for side in ("", "_negative"):
        if name + side in TABLE:
            x, y = TABLE[name + side]
            with np.errstate(over="ignore", under="ignore"):
                keep = x.astype(dtype) == x
            x, y = x[keep], y[keep].astype(dtype)
            scale = np.maximum(np.abs(y), natural_scale(name, x) if side else 0).astype(dtype)
            got = elementwise(name, x.astype(dtype))
            finite = np.isfinite(y)
            np.testing.assert_array_equal(got[~finite], y[~finite])
            assert (np.abs(got[finite] - y[finite]) <= 8 * np.spacing(scale[finite])).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_extreme_numbers_give_what_they_give_in_numpy(name: str, dtype: str) -> None:
    with np.errstate(over="ignore", under="ignore"):
        x = np.concatenate([EXTREMES, -np.arange(1.0, 20.0), [1e-40, 1e38, -1e38, 1 - 1e-7]]).astype(dtype)
    got, wanted = elementwise(name, x), FUNCTIONS[name](x)
    apart = distance(got, wanted.astype(np.longdouble))
    assert (apart <= 8).all(), list(zip(x[apart > 8], got[apart > 8], wanted[apart > 8], strict=True))
    settled = ~np.isnan(wanted) & ((wanted == 0) | np.isinf(wanted))
    assert (np.signbit(got) == np.signbit(wanted))[settled].all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_in_between_are_near_those_of_numpy(name: str, dtype: str) -> None:
    """Some lanes left of 0, others not; whole lines on one side alone."""
    rng = np.random.default_rng(11)
    n = count(3000, 500_000)
    most = np.log10(np.finfo(dtype).max)
    x = np.concatenate([rng.uniform(-20, 20, n), rng.uniform(0, 1, n), 10.0 ** rng.uniform(-most, most, n), [-0.3]]).astype(dtype)
    got, wanted = elementwise(name, x), FUNCTIONS[name](x)
    gamma = name in ("lgamma", "digamma") or name.startswith("polygamma")
    scale = np.where(x < 0, natural_scale(name, x) if gamma else 0, 0)
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    near = np.spacing(np.maximum(np.abs(wanted), np.where(finite, scale, 0)).astype(dtype))
    assert (np.abs(got[finite] - wanted[finite]) <= (2 if dtype == "float32" else 14) * near[finite]).all()


def test_derivatives_of_high_order_stay_with_numpy() -> None:
    x = ag.placeholder((3,))
    f = ag.function([x], ag.polygamma(7, x), executor="native")
    a = np.array([0.5, 1.5, 20], "float32")
    np.testing.assert_array_equal(f(a), FUNCTIONS["polygamma_7"](a))
    assert "polygamma" in f.explain()


