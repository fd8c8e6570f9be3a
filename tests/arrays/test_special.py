"""The special functions: accuracy, laws, special values, dtypes and shapes.

special_values.json holds pairs (x, f(x)) in hexadecimal: f by mpmath at 50 digits, rounded once. About half of the x
are float32 numbers, so that the table serves both precisions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograph.arrays import special

TABLE = {
    name: np.array([[float.fromhex(x), float.fromhex(y)] for x, y in rows]).T
    for name, rows in json.loads(Path(__file__).with_name("special_values.json").read_text()).items()
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(special, name) for name in TABLE if hasattr(special, name)},
    **{f"polygamma_{n}": partial(special.polygamma, n) for n in range(9)},
}
EXTREMES = np.array(
    [np.nan, np.inf, 0.0, 5e-324, 1e-310, 1e-300, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 40.0, 1e3, 1e16, 1e155, 1.7e308]
)
EXTREMES = np.concatenate([EXTREMES, -EXTREMES])

laws = settings(derandomize=True, max_examples=200, deadline=None)


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


def natural_scale(name: str, x: np.ndarray) -> np.ndarray | float:
    """The size of the terms that cancel at the zeros on the negative axis."""
    if name in ("lgamma", "digamma"):
        return np.maximum(np.abs(FUNCTIONS[name](1 - x)), 1 if name == "digamma" else 0)  # 1 - x is rounded
    n = int(name[-1])
    return math.factorial(n) * 2.0**n if n % 2 == 0 else 0.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [name for name in TABLE if not name.endswith("_negative")])
def test_a_value_is_within_8_ulp(name: str, dtype: type) -> None:
    x, y = TABLE[name]
    with np.errstate(over="ignore", under="ignore"):
        keep = x.astype(dtype) == x
        x, y = x[keep].astype(dtype), y[keep].astype(dtype)
    assert len(x) > 10
    computed = FUNCTIONS[name](x)
    assert computed.dtype == dtype
    finite = np.isfinite(y)
    np.testing.assert_array_equal(computed[~finite], y[~finite])
    assert (np.abs(computed[finite] - y[finite]) <= 8 * np.spacing(np.abs(y[finite]))).all()


@pytest.mark.parametrize("name", [name for name in TABLE if name.endswith("_negative")])
def test_left_of_zero_the_error_is_8_ulp_of_the_terms_that_cancel(name: str) -> None:
    x, y = TABLE[name]
    name = name.removesuffix("_negative")
    scale = np.maximum(np.abs(y), natural_scale(name, x))
    assert (np.abs(FUNCTIONS[name](x) - y) <= 8 * np.spacing(scale)).all()


@pytest.mark.parametrize("name", [name for name in TABLE if not name.endswith("_negative")])
def test_float16_is_the_float64_value_rounded(name: str) -> None:
    x = np.linspace(-4, 4, 65).astype(np.float16)
    computed, exact = FUNCTIONS[name](x), FUNCTIONS[name](x.astype(np.float64))
    assert computed.dtype == np.float16
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float16)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(computed[~finite], rounded[~finite])
    assert (np.abs(computed[finite] - exact[finite]) <= 0.51 * np.spacing(np.abs(rounded[finite]))).all()


def test_the_table_is_what_mpmath_says() -> None:
    mp = pytest.importorskip("mpmath").mp.clone()
    mp.dps = 50

    def normal(x: Any) -> Any:
        return mp.erfc(-x / mp.sqrt(2)) / 2

    definitions: dict[str, Callable[[Any], Any]] = {
        "erf": mp.erf,
        "erfc": mp.erfc,
        "ndtr": normal,
        "log_ndtr": lambda x: mp.log(normal(x)) if x < 0 else mp.log1p(-normal(-x)),
        "lgamma": lambda x: mp.re(mp.loggamma(x)),
        "digamma": mp.digamma,
        "sinc": mp.sincpi,
        "expit": lambda x: 1 / (1 + mp.exp(-x)),
        "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)),
        "softplus": lambda x: mp.log1p(mp.exp(x)),
        **{f"polygamma_{n}": partial(mp.psi, n) for n in range(1, 9)},
    }
    for name, (x, y) in TABLE.items():
        if definition := definitions.get(name.removesuffix("_negative")):
            assert [float(definition(mp.mpf(a))) for a in x[::8]] == list(y[::8]), name
    for name, inverse in (("erfinv", mp.erf), ("ndtri", normal)):  # y is a rounded root: the sign changes within an ulp
        for a, b in zip(*TABLE[name][:, ::8]):
            below, above = (inverse(mp.mpf(float(np.nextafter(b, to)))) for to in (-np.inf, np.inf))
            assert below < a < above, name


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        *[("erf", 0.0, 0.0), ("erf", -0.0, -0.0), ("erf", np.inf, 1.0), ("erf", -np.inf, -1.0)],
        *[("erfc", 0.0, 1.0), ("erfc", np.inf, 0.0), ("erfc", -np.inf, 2.0), ("erfc", 28.0, 0.0)],
        *[("erfinv", 0.0, 0.0), ("erfinv", -0.0, -0.0), ("erfinv", 1.0, np.inf), ("erfinv", -1.0, -np.inf)],
        *[("erfinv", 1.5, np.nan), ("erfinv", -np.inf, np.nan)],
        *[("ndtr", 0.0, 0.5), ("ndtr", -np.inf, 0.0), ("ndtr", np.inf, 1.0), ("ndtr", -40.0, 0.0)],
        *[("log_ndtr", -np.inf, -np.inf), ("log_ndtr", np.inf, 0.0), ("log_ndtr", -1e155, -np.inf)],
        *[("ndtri", 0.0, -np.inf), ("ndtri", 1.0, np.inf), ("ndtri", 0.5, 0.0), ("ndtri", 2.0, np.nan)],
        *[("ndtri", -1e-300, np.nan), ("ndtri", np.inf, np.nan)],
        *[("lgamma", 1.0, 0.0), ("lgamma", 2.0, 0.0), ("lgamma", 0.0, np.inf), ("lgamma", -0.0, np.inf)],
        *[("lgamma", -3.0, np.inf), ("lgamma", -1e300, np.inf), ("lgamma", -np.inf, np.inf)],
        *[("lgamma", np.inf, np.inf), ("lgamma", 2.6e305, np.inf)],
        *[("digamma", 0.0, -np.inf), ("digamma", -0.0, np.inf), ("digamma", -2.0, np.nan), ("digamma", np.inf, np.inf)],
        *[("digamma", -np.inf, np.nan), ("digamma", -1e300, np.nan)],
        *[("polygamma_1", 0.0, np.inf), ("polygamma_1", -0.0, np.inf), ("polygamma_1", -4.0, np.inf)],
        *[("polygamma_1", np.inf, 0.0), ("polygamma_1", -np.inf, np.nan), ("polygamma_1", -1e300, np.inf)],
        *[("polygamma_2", 0.0, -np.inf), ("polygamma_2", -0.0, np.inf), ("polygamma_2", -4.0, np.nan)],
        *[("polygamma_2", np.inf, -0.0), ("polygamma_0", -0.0, np.inf)],
        *[("expit", np.inf, 1.0), ("expit", -np.inf, 0.0), ("expit", 0.0, 0.5), ("expit", -1000.0, 0.0)],
        *[("log_sigmoid", np.inf, 0.0), ("log_sigmoid", -np.inf, -np.inf), ("log_sigmoid", -1000.0, -1000.0)],
        *[("softplus", np.inf, np.inf), ("softplus", -np.inf, 0.0), ("softplus", 1000.0, 1000.0)],
        *[("sinc", 0.0, 1.0), ("sinc", -0.0, 1.0), ("sinc", 7.0, 0.0), ("sinc", 5e-324, 1.0), ("sinc", np.inf, np.nan)],
    ],
)
def test_a_special_value_is_exact(name: str, x: float, y: float) -> None:
    computed = FUNCTIONS[name](x)
    np.testing.assert_array_equal(computed, y)
    if name in ("erf", "erfinv"):
        assert np.signbit(computed) == np.signbit(y) or np.isnan(y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_warns_and_nan_stays_nan(name: str) -> None:
    for dtype in (np.float64, np.float32, np.float16):
        with np.errstate(all="ignore"):
            x = EXTREMES.astype(dtype)
        with np.errstate(all="raise"):
            y = FUNCTIONS[name](x)
        assert np.isnan(y[np.isnan(x)]).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_shape_goes_and_rank_0_gives_a_scalar(name: str) -> None:
    f = FUNCTIONS[name]
    for dtype in (np.float64, np.float32, np.float16):
        for shape in ((0,), (3, 0, 2)):
            y = f(np.empty(shape, dtype))
            assert (y.shape, y.dtype) == (shape, dtype)
        assert type(f(np.array(0.5, dtype))) is dtype
    assert type(f(0.5)) is np.float64
    x = np.linspace(0.1, 0.9, 24).reshape(2, 3, 4)
    turned = x.transpose(2, 0, 1)[::-1]
    np.testing.assert_array_equal(f(turned), f(x).transpose(2, 0, 1)[::-1])
    np.testing.assert_array_equal(f(np.array([0, 1, 2])), f(np.array([0.0, 1.0, 2.0])))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_element_does_not_depend_on_its_neighbours(name: str) -> None:
    x = np.linspace(0.01, 0.99, 20_001)
    y = FUNCTIONS[name](x)
    for i in (0, 1, 8191, 8192, 8193, 20_000):
        assert y[i] == FUNCTIONS[name](x[i])


def test_the_argument_is_left_alone() -> None:
    x = np.linspace(-3, 3, 50)
    for f in FUNCTIONS.values():
        f(x)
    np.testing.assert_array_equal(x, np.linspace(-3, 3, 50))


def test_a_complex_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="real numbers, not complex128"):
        special.lgamma(np.array([1j]))


# --- laws ---


@laws
@given(between(-1e300, 1e300))
def test_erf_is_odd_and_erfc_is_its_complement(x: float) -> None:
    assert special.erf(-x) == -special.erf(x)
    assert special.erf(x) + special.erfc(x) == pytest.approx(1, rel=4e-16)
    assert special.erfc(x) + special.erfc(-x) == pytest.approx(2, rel=4e-16)


@laws
@given(between(-5, 5))
def test_erfinv_undoes_erf(x: float) -> None:
    slope = 2 / math.sqrt(math.pi) * math.exp(-x * x)
    assert special.erfinv(special.erf(x)) == pytest.approx(x, rel=2e-15, abs=4e-16 / slope if abs(x) > 0.4 else 1e-320)


@laws
@given(between(-37, 5))
def test_ndtri_undoes_ndtr(x: float) -> None:
    slope = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)  # ndtr rounds near 1: x is lost as the slope falls
    assert special.ndtri(special.ndtr(x)) == pytest.approx(x, rel=4e-15, abs=4e-16 / slope if x > -1 else 0)


@laws
@given(between(0, 1))
def test_ndtr_undoes_ndtri(p: float) -> None:
    x = special.ndtri(p)
    assert special.ndtr(x) == pytest.approx(p, rel=2e-15 * max(1, x * x) if p > 1e-300 else 1e-2, abs=5e-324)


@laws
@given(between(-30, 30))
def test_log_ndtr_is_the_logarithm_of_ndtr(x: float) -> None:
    assert special.log_ndtr(x) == pytest.approx(math.log(special.ndtr(x)), rel=4e-15, abs=4e-16)


@laws
@given(between(1e-5, 1e10))
def test_lgamma_satisfies_its_recurrence(x: float) -> None:
    left, right = special.lgamma(x + 1), special.lgamma(x) + math.log(x)
    rounding = float(Fraction(x + 1) - Fraction(x) - 1)
    assert left - rounding * special.digamma(x + 1) == pytest.approx(right, rel=4e-15, abs=4e-15)


@laws
@given(between(1e-5, 1e10))
def test_digamma_satisfies_its_recurrence(x: float) -> None:
    assert special.digamma(x + 1) == pytest.approx(special.digamma(x) + 1 / x, rel=4e-15, abs=4e-15 * max(1, 1 / x))


@laws
@given(st.integers(1, 8), between(1e-3, 1e3))
def test_polygamma_satisfies_its_recurrence(n: int, x: float) -> None:
    step = (-1) ** n * math.factorial(n) / x ** (n + 1)
    left, right = special.polygamma(n, x + 1), special.polygamma(n, x) + step
    assert left == pytest.approx(right, rel=4e-15 * n, abs=4e-15 * abs(step))


@laws
@given(between(-30, 30).filter(lambda x: abs(x - round(x)) > 1e-3))
def test_the_gamma_family_is_reflected(x: float) -> None:
    sine, cotangent = math.sin(math.pi * x), 1 / math.tan(math.pi * x)
    both = special.lgamma(x) + special.lgamma(1 - x)
    assert both == pytest.approx(math.log(math.pi / abs(sine)), rel=1e-12, abs=1e-12)
    assert special.digamma(1 - x) - special.digamma(x) == pytest.approx(math.pi * cotangent, rel=1e-10, abs=1e-12)
    both = special.polygamma(1, x) + special.polygamma(1, 1 - x)
    assert both == pytest.approx((math.pi / sine) ** 2, rel=1e-10)


@laws
@given(
    st.sampled_from(["erf", "ndtr", "log_ndtr", "expit", "log_sigmoid", "softplus", "ndtri", "erfinv", "digamma"]),
    between(1e-3, 0.999),
    st.sampled_from([1e-9, 1e-4, 0.1]),
    st.sampled_from([1, 0.1, 10]),
)
def test_an_increasing_function_increases(name: str, x: float, step: float, stretch: float) -> None:
    if name in ("ndtri", "erfinv"):
        stretch = 1
    x *= stretch
    upper = min(x * (1 + step), 1) if stretch == 1 else x * (1 + step)
    assert FUNCTIONS[name](x) <= FUNCTIONS[name](upper)
    if name not in ("ndtri", "digamma"):
        assert FUNCTIONS[name](-upper) <= FUNCTIONS[name](-x)


@laws
@given(between(-700, 700))
def test_the_sigmoids_agree(x: float) -> None:
    assert special.sigmoid is special.expit
    assert special.expit(x) + special.expit(-x) == pytest.approx(1, rel=4e-16)
    assert special.log_sigmoid(x) == -special.softplus(-x)
    assert special.softplus(x) - special.softplus(-x) == pytest.approx(x, rel=1e-15, abs=4e-16)
    assert special.softplus(x) == pytest.approx(special.logaddexp(0.0, x), rel=1e-15)


# --- the derivatives of digamma beyond the table, and functions of two arguments ---


@pytest.mark.parametrize("n", [20, 60, 200])
def test_high_orders_of_polygamma_neither_overflow_nor_underflow(n: int) -> None:
    x = np.array([30.0, 1e3])
    first = special.polygamma(n, x) - special.polygamma(n, x + 1)  # ψ⁽ⁿ⁾(x + 1) - ψ⁽ⁿ⁾(x) = (-1)ⁿ n!/xⁿ⁺¹
    logarithm = math.lgamma(n + 1) - (n + 1) * np.log(x)
    np.testing.assert_allclose(np.log(np.abs(first)), logarithm, rtol=1e-11)
    assert (np.sign(first) == (-1) ** (n + 1)).all()


def test_polygamma_of_order_0_is_digamma_and_below_is_refused() -> None:
    x = np.linspace(-3.3, 5, 40)
    np.testing.assert_array_equal(special.polygamma(0, x), special.digamma(x))
    with pytest.raises(ValueError, match="0 or more, not -1"):
        special.polygamma(-1, x)


def test_polygamma_is_the_derivative_of_the_order_below() -> None:
    x, h = np.array([-2.6, -0.3, 0.7, 3.2]), 1e-5
    for n in range(1, 9):
        slope = (special.polygamma(n - 1, x + h) - special.polygamma(n - 1, x - h)) / (2 * h)
        np.testing.assert_allclose(special.polygamma(n, x), slope, rtol=1e-6)


def test_logaddexp_keeps_equal_infinities_and_broadcasts() -> None:
    inf = np.inf
    with np.errstate(all="raise"):
        y = special.logaddexp(np.array([inf, -inf, inf, 1000.0, np.nan]), np.array([inf, -inf, -inf, 1000.0, 1.0]))
    np.testing.assert_array_equal(y, [inf, -inf, inf, 1000 + math.log(2), np.nan])
    assert special.logaddexp(np.zeros((2, 1), np.float32), np.zeros(3, np.float32)).dtype == np.float32
    assert special.logaddexp(np.zeros((2, 1)), np.zeros(3)).shape == (2, 3)
    assert special.logaddexp(np.empty((0, 3)), 1.0).shape == (0, 3)


def test_xlogy_is_0_at_0_and_passes_nan_on() -> None:
    nan, inf = np.nan, np.inf
    x = np.array([0.0, -0.0, 0.0, 0.0, nan, 2.0, 2.0, 2.0, 3.0])
    y = np.array([0.0, inf, -1.0, nan, 0.0, 0.0, -1.0, inf, 1.0])
    with np.errstate(all="raise"):
        z = special.xlogy(x, y)
    np.testing.assert_array_equal(z, [0, 0, 0, nan, nan, -inf, nan, inf, 0])
    for dtype in (np.float16, np.float32, np.float64):
        assert special.xlogy(np.ones((2, 1), dtype), np.ones(3, dtype)).dtype == dtype
    assert special.xlogy(np.empty((0, 3)), 2.0).shape == (0, 3)
    assert special.xlogy(2.0, 3.0) == 2 * math.log(3) and np.ndim(special.xlogy(2.0, 3.0)) == 0
