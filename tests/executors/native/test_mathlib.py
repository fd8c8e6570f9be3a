"""Elementary functions of the native executor: within 4 ulp along the line of floats, their special values right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

from autograph.arrays import numpy_namespace
from autograph.executors.native import functions, loops, mathlib
from tests.executors.native.running import distance, elementwise
from tests.function.programs import count

BINARY = {"power", "arctan2", "hypot", "floor_divide", "remainder"}
UNARY = sorted(set(functions.FUNCTIONS) - BINARY)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, 2.0, -2.0, 1e-300, 1e300, 5e-324, -5e-324, 88.72, 709.78, -745.1]
WIDE = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps


@pytest.fixture(params=["fused", "plain"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On a processor that rounds a·b + c once, and on one that does not."""
    loops.text.cache_clear()
    if request.param == "plain":
        monkeypatch.setattr(mathlib, "exact_products", lambda: False)
    elif not mathlib.exact_products():
        pytest.skip("this processor has no fused products")
    yield
    loops.text.cache_clear()


def single() -> np.ndarray:
    """Singles all along the line, each one in a campaign."""
    return np.arange(0, 2**32, count(10_007, 1), dtype=np.uint32).view(np.float32)


def double() -> np.ndarray:
    """Doubles of every size, and many near where functions are used, or bend."""
    rng = np.random.default_rng(count(3, 4))
    n = count(20_000, 2_000_000)
    anywhere = rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64)
    near = [rng.normal(size=n) * scale + at for at, scale in ((0, 1e-4), (0, 1), (0, 30), (0, 400), (1, 1e-3), (-1, 1e-3))]
    return np.concatenate([anywhere, *near, np.array(SPECIAL)])


def pieces(x: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, x.size, 1 << 22):
        yield x[start : start + (1 << 22)]


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("name", UNARY)
def test_singles_are_within_4_ulp_along_the_whole_line(name: str) -> None:
    for x in pieces(single()):
        with np.errstate(all="ignore"):
            exact = getattr(np, name)(x.astype(np.float64))
        apart = distance(elementwise(name, x), exact)
        worst = apart.argmax()
        assert apart[worst] <= 4, f"{name}({x[worst]!r})"


@pytest.mark.skipif(not WIDE, reason="NumPy has no wider float here to compare with")
@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("name", UNARY)
def test_doubles_are_within_4_ulp(name: str) -> None:
    for x in pieces(double()):
        with np.errstate(all="ignore"):
            exact = getattr(np, name)(x.astype(np.longdouble))
        apart = distance(elementwise(name, x), exact)
        worst = apart.argmax()
        assert apart[worst] <= 4, f"{name}({x[worst]!r})"


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_special_values_and_the_signs_of_zeros_are_those_of_numpy(name: str, dtype: str) -> None:
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
        wanted = getattr(np, name)(x)
    got = elementwise(name, x)
    settled = ~np.isfinite(wanted) | (wanted == 0)
    np.testing.assert_array_equal(got[settled], wanted[settled])
    assert (np.signbit(got) == np.signbit(wanted))[~np.isnan(wanted)].all()


def _powers(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Bases and exponents: every pair of special ones, and many whose powers are finite."""
    rng = np.random.default_rng(count(5, 6))
    n, most = count(20_000, 1_000_000), 80 if dtype == "float32" else 700
    special = np.array([*SPECIAL, 3, -3, 2.5, 1e10, 1e17, 3e15 + 1, -0.5])
    bases, exponents = (a.ravel() for a in np.meshgrid(special, special))
    logs = [rng.normal(size=n) * scale for scale in (1e-4, 0.1, 1, most / 3)]
    exponents = np.concatenate([exponents, *(rng.uniform(-most, most, n) / np.maximum(np.abs(x), 1e-3) for x in logs)])
    with np.errstate(all="ignore"):
        bases = np.concatenate([bases, *(np.exp(x) for x in logs)])
        return bases.astype(dtype), exponents.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_are_within_4_ulp_and_their_special_values_those_of_numpy(dtype: str) -> None:
    if dtype == "float64" and not (mathlib.exact_products() and WIDE):
        pytest.skip("NumPy runs it where products round twice; and a wider float is needed to compare with")
    x, p = _powers(dtype)
    with np.errstate(all="ignore"):
        exact = np.power(*(a.astype(np.float64 if dtype == "float32" else np.longdouble) for a in (x, p)))
    got = elementwise("power", x, p)
    apart = distance(got, exact)
    worst = apart.argmax()
    assert apart[worst] <= 4, f"{x[worst]!r} ** {p[worst]!r}"
    assert (np.signbit(got) == np.signbit(exact))[~np.isnan(exact)].all()


def _points(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of special numbers, any two numbers, and two of like size."""
    x = (single() if dtype == "float32" else double()).astype(dtype)
    rng = np.random.default_rng(7)
    a, b = (v.ravel() for v in np.meshgrid(np.array(SPECIAL), np.array(SPECIAL)))
    with np.errstate(all="ignore"):
        second = [rng.permutation(x), x * np.exp(rng.normal(size=x.size)) * rng.choice([-1, 1], x.size), b]
        return np.concatenate([x, x, a]).astype(dtype), np.concatenate(second).astype(dtype)


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["arctan2", "hypot"])
def test_functions_of_points_are_within_4_ulp(name: str, dtype: str) -> None:
    if dtype == "float64" and not WIDE:
        pytest.skip("NumPy has no wider float here to compare with")
    x, y = _points(dtype)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(*(a.astype(np.float64 if dtype == "float32" else np.longdouble) for a in (x, y)))
    got = elementwise(name, x, y)
    apart = distance(got, exact)
    worst = apart.argmax()
    assert apart[worst] <= 4, f"{name}({x[worst]!r}, {y[worst]!r})"
    assert (np.signbit(got) == np.signbit(exact))[~np.isnan(exact)].all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_sines_of_huge_and_of_nearly_round_angles_lose_nothing(name: str, dtype: str) -> None:
    """Also where a few of several lanes are huge, and next to multiples of π/2, where all of the argument cancels."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(8)
    turns = np.concatenate([np.arange(1, 2000), rng.integers(1, 2**40, 2000), 10.0 ** rng.uniform(0, 30, 500)])
    x = (turns * (np.pi / 2)).astype(dtype)
    rng.shuffle(x)
    with mpmath.workprec(400):
        exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x])
    assert (np.abs(elementwise(name, x) - exact) <= 4 * np.spacing(np.abs(exact).astype(dtype))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["erf", "erfc", "ndtr"])
def test_the_error_function_and_its_kin_are_as_near_as_those_of_numpy(name: str, dtype: str) -> None:
    x = (single() if dtype == "float32" else double())[: count(200_000, 10**9)]
    x = np.concatenate([x, np.linspace(-40, 40, 20_001, dtype=dtype)])
    wanted = getattr(numpy_namespace, name)(x)
    apart = distance(elementwise(name, x), wanted.astype(np.longdouble))
    worst = apart.argmax()
    assert apart[worst] <= (1 if dtype == "float32" else 4), f"{name}({x[worst]!r})"
