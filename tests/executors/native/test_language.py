"""The language of kernels: what its functions say in Python, their machine code does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

from autograph.executors.native import language
from autograph.executors.native.language import Line, Word
from tests.executors.native.running import call


def sieve(n: Word, marks: Line, out: Line) -> Any:
    """Which numbers are prime, and how many."""
    count = 0
    for k in range(2, n):
        if marks[k] == 0:
            count += 1
            j = k * k
            while j < n:
                marks[j] = 1
                j += k
    out[0] = count


def common(n: Word, a: Line, b: Line, out: Line) -> Any:
    """Greatest common divisors."""
    for k in range(n):
        x = a[k]
        y = b[k]
        while y != 0:
            rest = x % y
            x = y
            y = rest
        out[k] = x


def backwards(a: Any, b: Any) -> Any:
    return b - a


def choices(n: Word, a: Line, b: Line, out: Line) -> Any:
    """Branches in loops, truths that look no further than they must, choices, and functions that are called."""
    seen = False
    last = 0
    for k in range(1, n, 2):
        if k > 3 and a[k - 4] > b[k]:
            last = last + 1
            if not seen or a[k] == 7:
                last = -last
            else:
                out[k] += 10
        else:
            seen = k >= 5 or b[k] < 0
            out[k] = backwards(a[k], b[k])
        out[k] += last if seen else k
    out[0] = last if seen else -1


def late(n: Word, a: Line, b: Line, out: Line) -> Any:
    """A return from the middle."""
    for k in range(n):
        for j in range(n):
            if a[k] * b[j] > 12:
                out[0] = k * 100 + j
                return -1
    out[0] = -5


KERNELS: list[Callable[..., Any]] = [common, choices, late]


@pytest.mark.parametrize("kernel", KERNELS, ids=[kernel.__name__ for kernel in KERNELS])
def test_kernels_do_what_they_say(kernel: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    text = language.text(kernel, ("i8", "i8", "i8"))
    for n in [*range(12), 100]:
        for top in (3, 9, 100):
            a, b = rng.integers(0, top, (2, n + 1))
            got, wanted = np.arange(n + 1), np.arange(n + 1)
            result = call(text, [n, *(x.ctypes.data for x in (a, b, got))])
            assert result == (kernel(n, a, b, wanted) or 0)
            np.testing.assert_array_equal(got, wanted)


def test_a_sieve_finds_the_primes_below_ten_thousand() -> None:
    marks, out = np.zeros(10_000, np.uint8), np.zeros(1)
    call(language.text(sieve, ("u1", "f8")), [10_000, marks.ctypes.data, out.ctypes.data])
    assert out[0] == 1229
    assert np.flatnonzero(marks == 0)[-1] == 9973


def torn(n: Word, out: Line) -> Any:
    with open(out) as file:
        file.read(n)


def test_what_no_kernel_may_hold_is_an_error() -> None:
    with pytest.raises(SyntaxError, match="no kernel may hold with open"):
        language.text(torn, ("i8",))
    with pytest.raises(TypeError, match="for kernels alone"):
        language.Instruction(torn)(1)
