"""How exact sums, means, deviations, norms and running sums are: on every axis and stride, at sizes up to a million."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import autograph as ag
from tests.ops.running import WAYS, each_float, each_way, run

EPS = {name: float(np.finfo(name).eps) for name in ("float64", "float32", "float16")}
SHORT = (2, 3, 5, 26, 27, 31, 32, 36, 60, 63, 64, 65, 68, 100, 128, 200, 256, 500, 511, 512, 513)


@functools.cache
def summing(dtype: str, rank: int, axis: int | None, way: str, n: int) -> Callable[[np.ndarray], np.ndarray]:
    """Σ 1·x: the executor sees an array of its own, whose layout it knows. Compiled once for each n, which is unknown."""
    x, one = ag.placeholder((None,) * rank, dtype=dtype), ag.placeholder((), dtype=dtype)
    y = ag.reduce_sum(x * one, axis)
    if way == "compiled":
        f = ag.function([x, one], y)
        return lambda array: np.atleast_1d(f(array, 1))
    return lambda array: np.atleast_1d(run([y], [x, one], [array, np.ones((), dtype)], way)[0])


def hard(n: int, dtype: str) -> list[np.ndarray]:
    """Positive terms that lose most when they are added one after the other, and some that lose little."""
    small = EPS[dtype] * 0.49
    found = [np.full(n, 0.1, dtype), np.random.default_rng(n).uniform(0, 1, n).astype(dtype)]
    for ones in (slice(0, 1), slice(0, max(1, n // 8)), slice(0, None, max(1, n // 16)), slice(0, 32)):
        terms = np.full(n, small, dtype)
        terms[ones] = 1
        found.append(terms)
    return found


def exact(terms: np.ndarray) -> Fraction:
    return sum(map(Fraction, terms.tolist()), Fraction(0)) if len(terms) < 3000 else Fraction(math.fsum(terms.tolist()))


def excess(found: np.ndarray, terms: np.ndarray, total: Fraction) -> float:
    """The error over the bound: (8 + log₂ n)·eps·Σ|x|."""
    error = max(abs(float(Fraction(value) - total)) for value in set(found.tolist()))
    return error / ((8 + math.log2(len(terms))) * EPS[terms.dtype.name] * float(np.abs(terms.astype("float64")).sum()))


def laid_out(matrix: np.ndarray) -> list[np.ndarray]:
    """The same matrix in other layouts: in C and Fortran order, backwards, and as every second row and column of another."""
    wide = np.repeat(np.repeat(matrix, 2, 0), 2, 1)
    both = [np.ascontiguousarray(matrix), np.asfortranarray(matrix)]
    return [*both, matrix[::-1, ::-1], wide[::2, ::2], wide[:, ::2].T.copy().T[::2]]


@each_way
@each_float
@pytest.mark.parametrize("n", SHORT)
def test_a_short_sum_is_within_the_bound_on_every_axis(n: int, dtype: str, way: str) -> None:
    for terms in hard(n, dtype):
        total = exact(terms)
        assert excess(summing(dtype, 1, None, way, n)(terms), terms, total) <= 1
        for others in (1, 2, 3, 4, 5, 8, 33):
            down, across = np.tile(terms[:, None], (1, others)), np.tile(terms, (others, 1))
            assert excess(summing(dtype, 2, 0, way, n)(down), terms, total) <= 1, f"{others} columns"
            assert excess(summing(dtype, 2, 1, way, n)(across), terms, total) <= 1, f"{others} rows"
            cube = np.stack([down, down], 0)
            assert excess(summing(dtype, 3, 1, way, n)(cube).ravel(), terms, total) <= 1, f"{others} columns, twice"


@each_way
@each_float
@pytest.mark.parametrize("n", (1000, 2049, 5003))
def test_a_sum_is_within_the_bound_on_every_layout(n: int, dtype: str, way: str) -> None:
    for terms in hard(n, dtype):
        total = exact(terms)
        for others in (1, 3, 4):
            for matrix in laid_out(np.tile(terms[:, None], (1, others))):
                assert excess(summing(dtype, 2, 0, way, n)(matrix), terms, total) <= 1, matrix.strides
            for matrix in laid_out(np.tile(terms, (others, 1))):
                assert excess(summing(dtype, 2, 1, way, n)(matrix), terms, total) <= 1, matrix.strides


@each_way
@each_float
@pytest.mark.parametrize("n", (100_003, 1_000_000))
def test_a_long_sum_is_within_the_bound_on_every_axis(n: int, dtype: str, way: str) -> None:
    for terms in hard(n, dtype)[:4]:
        total = exact(terms)
        assert excess(summing(dtype, 1, None, way, n)(terms), terms, total) <= 1
        assert excess(summing(dtype, 1, None, way, n)(np.repeat(terms, 2)[::2]), terms, total) <= 1
        for matrix in (terms[:, None], np.stack([terms, terms], 1), np.stack([terms, terms]).T):
            assert excess(summing(dtype, 2, 0, way, n)(matrix), terms, total) <= 1, matrix.strides
        for matrix in (terms[None], np.stack([terms, terms]), np.stack([terms, terms], 1).T):
            assert excess(summing(dtype, 2, 1, way, n)(matrix), terms, total) <= 1, matrix.strides


@each_way
@each_float
@pytest.mark.parametrize("n", (1, 8, 40, 64, 700))
def test_a_sum_treats_infinities_nan_and_nothing_as_they_are(n: int, dtype: str, way: str) -> None:
    inf, nan = np.inf, np.nan
    x, one = ag.placeholder((None, None), dtype=dtype), ag.placeholder((), dtype=dtype)
    y, unit = x * one, np.ones((), dtype)
    values = np.ones((n, 6), dtype)
    values[n // 2] = inf, -inf, nan, inf, np.finfo(dtype).max, 0
    values[0, 3] = -inf if n > 1 else nan
    wanted = [inf, -inf, nan, nan, np.finfo(dtype).max, n - 1]
    outputs = [ag.reduce_sum(y, 0), ag.reduce_sum(y, 0, keepdims=True)[0], ag.reduce_sum(y.T, 1), ag.reduce_sum(y.T * one, 1)]
    for found in run(outputs, [x, one], [values, unit], way):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    for shape, axis, left in (((0, 3), 0, (3,)), ((3, 0), 0, (0,)), ((0, 3), 1, (0,)), ((3, 0), 1, (3,)), ((0, 0), 0, (0,))):
        for keepdims in (False, True):
            total = run([ag.reduce_sum(y, axis, keepdims)], [x, one], [np.ones(shape, dtype), unit], way)[0]
            kept = tuple(1 if a == axis else size for a, size in enumerate(shape)) if keepdims else left
            assert total.shape == kept and not total.any()


@each_way
@each_float
def test_means_are_sums_over_counts(dtype: str, way: str) -> None:
    x, one = ag.placeholder((None, None), dtype=dtype), ag.placeholder((), dtype=dtype)
    values = np.random.default_rng(5).normal(size=(64, 37)).astype(dtype)
    for axis in (0, 1, None):
        found = run([ag.reduce_mean(x * one, axis)], [x, one], [values, np.ones((), dtype)], way)[0]
        size = np.abs(values.astype("float64")).mean(axis)
        assert np.all(np.abs(found - values.astype("float64").mean(axis)) <= 20 * EPS[dtype] * size)


# running sums --------------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("reverse", (False, True))
def test_running_sums_of_float32_are_added_in_float64(reverse: bool, way: str) -> None:
    n = 1_000_000
    values = np.random.default_rng(0).uniform(0, 1, n).astype("float32")
    x = ag.placeholder((None,))
    found = run([ag.cumsum(x, reverse=reverse)], [x], [values], way)[0]
    wide = values.astype("float64")
    wanted = np.cumsum(wide[::-1])[::-1] if reverse else np.cumsum(wide)
    assert found.dtype == "float32" and np.max(np.abs(found - wanted) / wanted) <= EPS["float32"]


@each_way
def test_running_sums_along_each_axis(way: str) -> None:
    x = ag.placeholder((None, None))
    values = np.full((3000, 3), 0.1, "float32")
    found = run([ag.cumsum(x, 0), ag.cumsum(ag.transpose(x), 1), ag.cumsum(x)], [x], [values], way)
    wanted = np.arange(1, 9001) * float(np.float32(0.1))
    np.testing.assert_allclose(found[0][:, 1], wanted[:3000], rtol=1e-7)
    np.testing.assert_allclose(found[1][2], wanted[:3000], rtol=1e-7)
    np.testing.assert_allclose(found[2], wanted, rtol=1e-7)


@each_way
def test_half_precision_is_added_in_single(way: str) -> None:
    """200,000 ones: a sum of float16 is infinite, and a mean or a deviation must not be."""
    x = ag.placeholder((None,), dtype="float16")
    outputs = [ag.reduce_sum(x), ag.reduce_mean(x), ag.reduce_var(x), ag.reduce_std(x), ag.norm(x), ag.logsumexp(x)]
    total, mean, variance, deviation, norm, lse = run(outputs, [x], [np.ones(200_000, "float16")], way)
    assert (total, mean, variance, deviation) == (np.inf, 1, 0, 0)
    assert norm == np.float16(math.sqrt(200_000)) and lse == np.float16(1 + math.log(200_000))
    slopes = ag.gradients(ag.reduce_mean(x) * 2000 + ag.reduce_var(x), x)
    np.testing.assert_allclose(run([slopes], [x], [np.ones(200_000, "float16")], way)[0], 0.01, rtol=1e-3)
    two = np.tile(np.array([0.875, 1.125], "float16"), 100_000)
    found = run([ag.reduce_mean(x), ag.reduce_var(x), ag.cumsum(x / 200)[-1]], [x], [two], way)
    np.testing.assert_allclose(np.array(found, "float64"), [1, 1 / 64, 1000], rtol=1e-3)


@each_way
def test_the_greatest_of_many_ties_in_half_precision(way: str) -> None:
    x = ag.placeholder((None,), dtype="float16")
    slope = ag.gradients(ag.reduce_max(x) * 1000, x)
    np.testing.assert_allclose(run([slope], [x], [np.ones(100_000, "float16")], way)[0], 0.01, rtol=1e-3)


# deviations ----------------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize(("dtype", "offset", "near"), (("float64", 1e8, 1e-9), ("float32", 1e4, 1e-3), ("float64", -1e12, 1e-6)))
def test_a_variance_is_exact_under_a_large_offset(dtype: str, offset: float, near: float, way: str) -> None:
    values = (np.random.default_rng(1).normal(size=(1000, 3)) + offset).astype(dtype)
    x = ag.placeholder((None, None), dtype=dtype)
    centre = values.astype("longdouble") - values.astype("longdouble").mean(0)
    wanted = (centre**2).mean(0).astype("float64")
    slope = ag.gradients([ag.reduce_var(x, 0)], x, cotangents=[np.ones(3, dtype)])
    found = run([ag.reduce_var(x, 0), ag.reduce_std(x, 0), slope], [x], [values], way)
    np.testing.assert_allclose(found[0], wanted, rtol=near)
    np.testing.assert_allclose(found[1], np.sqrt(wanted), rtol=near)
    np.testing.assert_allclose(found[2], (2 * centre / 1000).astype("float64"), rtol=0, atol=near / 100)


@each_way
@pytest.mark.parametrize("value", (0.1, 1e8, -1e30, 1e-42, 3.3))
def test_equal_elements_deviate_by_nothing(value: float, way: str) -> None:
    for dtype, size in (("float32", 3), ("float32", 1000), ("float64", 7), ("float64", 100_003)):
        x = ag.placeholder((None,), dtype=dtype)
        slope = ag.gradients(ag.reduce_std(x), x)
        for found in run([ag.reduce_var(x), ag.reduce_std(x), ag.centered(x), slope], [x], [np.full(size, value, dtype)], way):
            assert not found.any()


@each_way
def test_moments_and_counts(way: str) -> None:
    x = ag.placeholder((None, 2), dtype="float64")
    values = np.array([[1.0, np.nan], [3.0, 0.0]])
    mean, variance = ag.moments(x[:, :1], 0)
    found = run([mean, variance, ag.count_nonzero(x), ag.count_nonzero(x, 1)], [x], [values], way)
    assert [v.tolist() for v in found] == [[2.0], [1.0], 3, [2, 1]]


# norms and exponentials ----------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize(("dtype", "scale"), (
    *(("float64", s) for s in (1e300, 1e160, 1e-160, 1e-300, 5e-324)),
    *(("float32", s) for s in (5e37, 1e20, 1e-20, 1e-38, 1e-45)),
    *(("float16", s) for s in (1e4, 1e3, 1e-4, 6e-8)),
))  # fmt: skip
def test_a_norm_neither_overflows_nor_vanishes(dtype: str, scale: float, way: str) -> None:
    x = ag.placeholder((None, None), dtype=dtype)
    unit = float(np.array(scale, dtype))
    values = (np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) * unit).astype(dtype)
    slope = ag.gradients([ag.norm(x, axis=1)], x, cotangents=[np.ones(3, dtype)])
    length, slopes = run([ag.norm(x, axis=1), slope], [x], [values], way)
    with np.errstate(over="ignore"):
        wanted = np.array([5 * unit, 0, unit]).astype(dtype)
    np.testing.assert_allclose(length, wanted, rtol=4 * EPS[dtype])
    if np.isfinite(wanted).all():
        np.testing.assert_allclose(slopes, [[0.6, 0.8, 0], [0, 0, 0], [0, 0, 1]], rtol=4 * EPS[dtype])


@each_way
@pytest.mark.parametrize(("dtype", "near"), (("float64", 1e-15), ("float32", 5e-7)))
def test_log_of_a_sum_of_exponentials_of_rows(dtype: str, near: float, way: str) -> None:
    inf, ln2 = np.inf, math.log(2)
    finite, infinite = [[0, 0], [1000, 1000], [-1000, -1000]], [[inf, 0], [-inf, 0], [-inf, -inf], [inf, inf], [inf, -inf]]
    rows = np.array([*finite, *infinite, [3e38, -3e38]])
    x = ag.placeholder((None, None), dtype=dtype)
    slope = ag.gradients([ag.logsumexp(x, 1)], x, cotangents=[np.ones(len(rows), dtype)])
    bend = ag.gradients([slope], x, cotangents=[np.tile(np.array([1, 0], dtype), (len(rows), 1))])
    value, first, second = run([ag.logsumexp(x, 1), slope, bend], [x], [rows.astype(dtype)], way)
    np.testing.assert_allclose(value, [ln2, 1000 + ln2, ln2 - 1000, inf, 0, -inf, inf, inf, 3e38], rtol=near)
    np.testing.assert_allclose(first, [[0.5, 0.5]] * 3 + [[1, 0], [0, 1], [0, 0], [0.5, 0.5], [1, 0], [1, 0]], rtol=near)
    np.testing.assert_allclose(second[:3], [[0.25, -0.25]] * 3, rtol=near)
    assert not second[3:6].any() and np.isfinite(second).all()


@each_float
def test_exact_products_over_zeros_along_any_axis(dtype: str) -> None:
    values = np.array([[2.0, 0.0, 3.0], [0.0, 5.0, 0.0], [1.0, 2.0, 4.0]])
    x = ag.placeholder((None, None), dtype=dtype)
    wanted = np.array([[0, 6, 0], [0, 0, 0], [8, 4, 2.0]])
    for way in WAYS:
        outputs: list[Any] = []
        for axis, layout in ((1, x), (0, ag.transpose(x))):
            outputs.append(ag.gradients([ag.reduce_prod(layout, axis)], x, cotangents=[np.ones(3, dtype)]))
        for found in run(outputs, [x], [values.astype(dtype)], way):
            assert found.tolist() == wanted.tolist()
        whole = ag.gradients(ag.reduce_prod(x), x)
        values_with_one_zero = np.where(values == 0, 1, values)
        values_with_one_zero[0, 1] = 0
        found = run([whole], [x], [values_with_one_zero.astype(dtype)], way)[0]
        assert found.tolist() == [[0, 240, 0], [0, 0, 0], [0, 0, 0]]
