"""Random numbers of the native executor: NumPy's own stream, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.ops.random import random_bits

STATES = [(5, 0), (2**64 - 1, 2**64 - 2), (2**63, 2**64 - 1), (0, 2**63 - 1), (123, 2**64 - 100)]
DRAWN: dict[str, Callable[..., Any]] = {
    "uniform": lambda state: ag.random_uniform((1000,), state=state), "floats": lambda state: ag.random_uniform(
        (1000,), -1.0, 3.0, "float64", state=state), "normal": lambda state: ag.random_normal((7, 30), state=state),
    "halves": lambda state: ag.random_uniform((99,), dtype="float16", state=state) + ag.random_normal(
        (99,), dtype="float16", state=state), "bernoulli": lambda state: ag.random_bernoulli((1000,), 0.3, state=state),
    "dice": lambda state: ag.random_integers((1000,), 1, 7, state=state),
    "bytes": lambda state: ag.random_integers((1000,), -100, 27, "int8", state=state),
    "large": lambda state: ag.random_integers((1000,), -(2**40), 2**61, state=state),
    "words": lambda state: ag.random_integers((1000,), 0, 2**64, "uint64", state=state),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_bits_are_those_of_numpy_also_where_the_counter_passes_its_word(state: tuple[int, int]) -> None:
    for shape in [(), (0,), *[(n,) for n in range(1, 10)], (1000,), (3, 5), (2, 0)]:
        f = ag.function([], random_bits(shape, state=ag.variable(np.array(state, np.uint64), "uint64")), executor="native")
        key, counter = state
        wanted = np.random.Philox(key=key, counter=counter).random_raw(int(np.prod(shape)))
        np.testing.assert_array_equal(f(), wanted.reshape(shape))
        assert "\n" not in f.explain(), f.explain()


@pytest.mark.parametrize("name", DRAWN)
def test_numbers_are_those_of_numpy_tick_after_tick(name: str) -> None:
    native, plain = (
        ag.function([], DRAWN[name](ag.variable(np.array([3, 7], np.uint64), "uint64")), executor=executor)
        for executor in ("native", "numpy")
    )
    for _ in range(3):
        np.testing.assert_array_equal(native(), plain())
    assert "\n" not in native.explain(), native.explain()


def test_truncated_normals_are_within_their_bounds_and_near_those_of_numpy() -> None:
    native, plain = (
        ag.function([], ag.truncated_normal((5000,), seed=1, dtype="float64"), executor=executor)
        for executor in ("native", "numpy")
    )
    got, wanted = native(), plain()
    np.testing.assert_allclose(got, wanted, rtol=1e-14)
    assert np.abs(got).max() <= 2 and "\n" not in native.explain()
