"""What runs along an axis as machine code: extremes by position, scans, order and norms, against NumPy's executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native.ordering import SHORT
from autograph.ops.cumulative import linear_scan
from tests.executors.native.test_agreement import both, close
from tests.executors.native.test_placing import equal, numbers

FLOATS = ["float32", "float64"]
TYPES = [*FLOATS, "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
SHAPES = [(1,), (2,), (5,), (16,), (17,), (63,), (64,), (65,), (300,), (3, 40), (3, 40, 2), (2, 100, 3), (4, 1, 5), (3, 0),
          (0, 3), (200, 7)]  # fmt: skip


def odd(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Numbers of every size, with ties, extremes, and of floats what is none and what is infinite."""
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype[0] in "iu":
        info = np.iinfo(dtype)
        some = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        return np.where(rng.random(shape) < 0.5, some, rng.integers(0, 3, shape).astype(dtype))
    x = numbers(rng, shape, dtype)
    x[rng.random(shape) < 0.3] = np.round(x[rng.random(shape) < 0.3].mean() if x.size else 0)
    for value in (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1e-40):
        x[rng.random(shape) < 0.05] = value
    return x


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_order_is_that_of_numpy_stable_and_nan_last(shape: tuple[int, ...], dtype: str) -> None:
    x = odd(np.random.default_rng(0), shape, dtype)

    def build(x: Any) -> list[Any]:
        found = []
        for axis in range(x.ndim):
            for falling in (False, True):
                found += [ag.argsort(x, axis, falling)]
                found += [ag.sort(x, axis, falling)] if shape[axis] <= SHORT else []
            found += [ag.top_k(x, (shape[axis] + 1) // 2, axis)[1]]
            if shape[axis]:
                found += [ag.argmax(x, axis), ag.argmin(x, axis, keepdims=True)]
        return found

    with np.errstate(all="ignore"):
        for got, wanted in zip(*both(build, x), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)


def test_what_is_sorted_keeps_the_sign_of_zero() -> None:
    got, _ = both(lambda x: [ag.sort(x), ag.sort(x, descending=True)], np.array([0.0, -0.0, 1.0, -0.0] * 4))
    assert np.signbit(got[0]).sum() == np.signbit(got[1]).sum() == 8


@pytest.mark.parametrize("size", [15, 16, 1000])
def test_the_first_of_the_greatest_is_found_wherever_it_stands(size: int) -> None:
    x = np.zeros((size, size), "float32")
    x[np.arange(size), np.arange(size)] = 1
    x[:, -1] = np.where(np.arange(size) % 2, 1, np.nan)
    x = np.concatenate([x, np.full((2, size), -np.inf, "float32")])
    equal(*both(lambda x: [ag.argmax(x, 1), ag.argmin(x, 1), ag.argmax(x, 0), ag.argmax(x), ag.argmin(-x)], x))


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "uint8"])
@pytest.mark.parametrize("shape", [(1,), (50,), (4, 30), (3, 9, 17), (0, 4), (4, 0)], ids=str)
def test_running_sums_and_products_are_those_of_numpy_bit_for_bit(shape: tuple[int, ...], dtype: str) -> None:
    x = numbers(np.random.default_rng(1), shape, dtype)
    if dtype[0] == "f" and x.size:
        x.flat[0], x.flat[-1] = -0.0, np.inf

    def build(x: Any) -> list[Any]:
        return [f(x, axis, back) for f in (ag.cumsum, ag.cumprod) for axis in range(x.ndim) for back in (False, True)]

    equal(*both(build, x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_recurrences_follow_numpy(dtype: str) -> None:
    rng = np.random.default_rng(2)
    for shape in ((1,), (60,), (5, 33), (33, 5), (2, 7, 3), (0, 2)):
        a, b = numbers(rng, shape, dtype), rng.uniform(-1.2, 1.2, shape).astype(dtype)
        b[rng.random(shape) < 0.1] = 0
        got, wanted = both(lambda a, b: [linear_scan(a, b, k, back) for k in range(a.ndim) for back in (False, True)], a, b)
        assert all(map(close, got, wanted))
    a, b = np.array([0, 0, 1, 2], dtype), np.array([np.inf, np.nan, np.inf, 0], dtype)
    got, wanted = both(lambda a, b: [linear_scan(a, b, 0), linear_scan(b, a, 0, True)], a, b)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", TYPES)
def test_places_in_a_sorted_line_are_those_of_numpy(dtype: str) -> None:
    rng = np.random.default_rng(3)
    for size in (0, 1, 2, 30, 127):
        line, x = np.sort(odd(rng, (size,), dtype)), odd(rng, (9, 7), dtype)
        equal(*both(lambda line, x: [ag.searchsorted(line, x, side) for side in ("left", "right")], line, x))


@pytest.mark.parametrize("scale", [1.0, 1e-170, 1e170, 1e-200, 0.0])
def test_norms_neither_overflow_nor_vanish(scale: float) -> None:
    x = np.random.default_rng(4).normal(size=(6, 20)) * scale
    x[0] = np.abs(x[0]).max()
    got, wanted = both(lambda x: [ag.norm(x, axis=1), ag.norm(x, axis=0, keepdims=True), ag.norm(x) * 2.0], x)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_gradients_go_back_to_where_the_sorted_came_from() -> None:
    x = np.random.default_rng(5).permutation(np.arange(120.0)).reshape(4, 30)

    def build(x: Any) -> list[Any]:
        y = [ag.sort(x, 0), ag.sort(x, 0, True), ag.top_k(x, 5)[0], ag.cumsum(x, 1), ag.cumprod(x / 60.0, 0), ag.norm(x, axis=1)]
        return [ag.gradients(ag.reduce_sum(ag.square(z)), [x])[0] for z in y]

    got, wanted = both(build, x)
    assert all(map(close, got, wanted))
