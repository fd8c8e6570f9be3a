"""Integers that are divided and raised to powers by machine code: NumPy's numbers, and the same errors in the user's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from tests.executors.native.test_agreement import both

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Every two of the numbers near the ends and near 0, and any two others."""
    info = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    odd = np.array([info.min, info.min + 1, 0, 1, 2, 3, 7, info.max - 1, info.max], dtype)
    odd = np.concatenate([odd, 0 - odd[3:7]])
    a, b = (x.ravel() for x in np.meshgrid(odd, odd))
    any_, small = rng.integers(info.min, info.max, (2, 500), dtype, endpoint=True)
    return np.concatenate([a, any_, any_]), np.concatenate([b, any_[::-1], small >> (info.bits // 2)])


@pytest.mark.parametrize("dtype", TYPES)
def test_quotients_are_rounded_down_and_remainders_have_the_sign_of_the_divisor(dtype: str) -> None:
    a, b = pairs(dtype)
    a, b = a[b != 0], b[b != 0]
    got, wanted = both(lambda a, b: [a // b, a % b, a // 3, a % 7], a, b)
    for x, y in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got[0], a // b)


@pytest.mark.parametrize("dtype", TYPES)
def test_powers_wrap(dtype: str) -> None:
    x, p = pairs(dtype)
    x, p = x[p >= 0], p[p >= 0]
    got, wanted = both(lambda x, p: [x**p, x[:1] ** p, x**5], x, p)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("build", [lambda a, b: a // b, lambda a, b: (a + 1) % (b * 2), lambda a, b: a ** (b - 1)])
def test_what_raises_says_the_same_in_machine_code_and_leaves_registers_alone(build: Callable[..., Any]) -> None:
    a, b = np.arange(24, dtype="int32").reshape(4, 6), np.full((4, 6), 3, "int32")
    said = []
    for name in ("native", "numpy"):
        x, y = (ag.placeholder((None, 6), dtype="int32") for _ in range(2))
        total = ag.variable(np.zeros((), "int32"))
        z = build(x, y)
        f = ag.function([x, y], z, [(total, total + ag.reduce_sum(z))], executor=name)
        f(a, b)
        before = total.get_value().copy()
        b[2, 4] = 0
        with pytest.raises(ag.errors.AutographError) as raised:
            f(a, b)
        b[2, 4] = 3
        said.append(re.sub(r"'.*?'", "", str(raised.value)))
        assert "[2, 4]" in said[-1]
        np.testing.assert_array_equal(total.get_value(), before)
        f(a, b)
        np.testing.assert_array_equal(total.get_value(), 2 * before)
    assert said[0] == said[1]
