"""Long outputs are the caller's: memory is used again only when nobody can see what was in it."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.executors.numpy import fetched

N = 3 * fetched.LONG // 4


def doubled() -> Any:
    x = ag.placeholder((N,))
    return ag.function([x], 2 * x)


def of(value: float) -> np.ndarray[Any, Any]:
    return np.full(N, value, "float32")


def address(array: np.ndarray[Any, Any]) -> int:
    return array.ctypes.data


def test_what_is_held_keeps_its_numbers() -> None:
    f = doubled()
    held = [f(of(k)) for k in range(10)]
    assert all((y == 2 * k).all() for k, y in enumerate(held))


@pytest.mark.parametrize("part", [lambda y: y[5:], lambda y: y[::-1], lambda y: memoryview(y), lambda y: y.reshape(3, -1).T[0]])
def test_a_part_of_it_holds_it_too(part: Any) -> None:
    f = doubled()
    held = [part(f(of(k))) for k in range(10)]
    assert all((np.asarray(y) == 2 * k).all() for k, y in enumerate(held))


@pytest.mark.skipif(not fetched._ALONE, reason="references cannot be counted without the GIL")
def test_memory_that_nobody_holds_is_used_again() -> None:
    f = doubled()
    seen = set()
    y = None
    for k in range(10):
        y = f(of(k))
        seen.add(address(y))
    assert len(seen) == 2 and (y == 18).all()


def test_what_a_caller_did_to_a_result_stays_with_it() -> None:
    f = doubled()
    for k in range(6):
        y = f(of(k))
        assert (y.shape, y.dtype, y.flags.writeable) == ((N,), np.float32, True) and (y == 2 * k).all()
        y.shape = (3, N // 3)
        y.flags.writeable = False
        gone = weakref.ref(y)
        del y
        assert gone() is None


def test_short_outputs_and_those_of_two_functions_share_nothing() -> None:
    f, g = doubled(), doubled()
    a, b = f(of(1.0)), g(of(2.0))
    assert (a == 2).all() and (b == 4).all() and not np.shares_memory(a, b)


def test_an_output_that_is_given_twice_is_two_arrays() -> None:
    x = ag.placeholder((N,))
    y = 2 * x
    a, b = ag.function([x], [y, y])(of(1.0))
    a += 1
    assert (b == 2).all() and (a == 3).all()
