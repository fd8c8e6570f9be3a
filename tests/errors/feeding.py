"""Bad inputs 13–24: what is fed, and what is found when a function runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import autograph as ag
from tests.errors.table import Made, case


@case(13, ValueError, TypeError, words="Input 0 'x' · [?, 784] · [32, 28, 28] · rank 3 · reshape(len(x), -1) · [32, 784]")
def images_not_flat() -> Made:
    x, w = ag.placeholder((None, 784), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, w + ag.reduce_sum(x))])
    return lambda: f(np.ones((32, 28, 28))), [w]


@case(13, ValueError, words="Input 1 'row' · [5] · [4] · axis 0")
def another_size() -> Made:
    a, b = ag.placeholder((), name="a"), ag.placeholder((5,), name="row")
    f = ag.function([a, b], a * b)
    return lambda: f(1.0, np.ones(4)), []


@case(13, ValueError, words="'batch' · [?, 3] · [3] · rank 1 · x[None]")
def an_axis_short() -> Made:
    x = ag.placeholder((None, 3), name="batch")
    f = ag.function([x], x)
    return lambda: f(np.ones(3)), []


@case(14, ValueError, words="matmul · 5 · 3 · 'x' · 'W' · No variable")
def inner_sizes() -> Made:
    x, w = ag.placeholder((None, None), name="x"), ag.variable(np.ones((3, 2)), name="W")
    f = ag.function([x], [], [(w, w * ag.reduce_sum(ag.matmul(x, w)))])
    return lambda: f(np.ones((4, 5))), [w]


@case(14, ValueError, words="matmul · 7 · 6 · 'left' · 'right'")
def inner_sizes_of_two_feeds() -> Made:
    a, b = ag.placeholder((2, None), name="left"), ag.placeholder((None, 2), name="right")
    f = ag.function([a, b], ag.matmul(a, b))
    return lambda: f(np.ones((2, 7)), np.ones((6, 2))), []


@case(15, ValueError, words="'x' · 3, 2 · row 1 · equal rows · pad")
def ragged() -> Made:
    x = ag.placeholder((None, None), name="x")
    f = ag.function([x], x)
    return lambda: f([[1, 2, 3], [4, 5]]), []


@case(15, ValueError, words="'words' · 1, 1, 4 · row 2")
def ragged_later() -> Made:
    x = ag.placeholder((None, None), dtype="int32", name="words")
    f = ag.function([x], x)
    return lambda: f([[1], [2], [3, 4, 5, 6]]), []


@case(16, ValueError, TypeError, words="Input 1 'y' · None · float32 · loader")
def nothing_fed() -> Made:
    x, y = ag.placeholder((2,), name="x"), ag.placeholder((2,), name="y")
    f = ag.function([x, y], x + y)
    return lambda: f(np.ones(2), None), []


@case(16, TypeError, words="'age' · text · float()")
def text_fed() -> Made:
    x = ag.placeholder((None,), name="age")
    f = ag.function([x], x)
    return lambda: f(["31", "47"]), []


@case(16, TypeError, words="'x' · object")
def objects_fed() -> Made:
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], x)
    return lambda: f(np.array([{}, None], object)), []


@case(16, TypeError, words="'when' · datetime64")
def dates_fed() -> Made:
    x = ag.placeholder((None,), name="when")
    f = ag.function([x], x)
    return lambda: f(np.array(["2020-01-01"], "datetime64[D]")), []


@case(17, TypeError, words="'x' · complex128 · imaginary · .real")
def complex_fed() -> Made:
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], x)
    return lambda: f(np.ones(3) + 1j), []


@case(17, TypeError, words="'signal' · complex64 · imaginary")
def complex_fed_as_whole() -> Made:
    x = ag.placeholder((), dtype="int32", name="signal")
    f = ag.function([x], x)
    return lambda: f(np.complex64(2)), []


@case(18, ValueError, words="3.7 · [0, 2] · not whole · round")
def fraction_fed() -> Made:
    x = ag.placeholder((None, 3), dtype="int32", name="ids")
    f = ag.function([x], x)
    return lambda: f([[1.0, 2.0, 3.7]]), []


@case(18, ValueError, words="nan · [1] · not whole")
def nan_fed_as_whole() -> Made:
    x = ag.placeholder((None,), dtype="int64", name="ids")
    f = ag.function([x], x)
    return lambda: f([1.0, math.nan]), []


@case(19, ValueError, words="300 · [5] · 0..255 · uint8")
def too_large_fed() -> Made:
    x = ag.placeholder((None,), dtype="uint8", name="pixels")
    f = ag.function([x], x)
    return lambda: f([0, 1, 2, 3, 4, 300]), []


@case(19, ValueError, words="-1 · [1, 0] · 0..65535")
def negative_fed() -> Made:
    x = ag.placeholder((None, 1), dtype="uint16", name="counts")
    f = ag.function([x], x)
    return lambda: f(np.array([[5], [-1]])), []


@case(19, ValueError, words="2 · 0..1 · bool")
def two_fed_as_truth() -> Made:
    x = ag.placeholder((None,), dtype="bool", name="mask")
    f = ag.function([x], x)
    return lambda: f([0, 1, 2]), []


@case(20, TypeError, words="'x' · symbolic · 'dense_1' · numbers · eval")
def symbolic_fed() -> Made:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    y = ag.tanh(w)
    y.name = "dense_1"
    f = ag.function([x], x)
    return lambda: f(y), [w]


@case(20, TypeError, words="'rate' · symbolic · 'w'")
def variable_fed() -> Made:
    x, w = ag.placeholder((), name="rate"), ag.variable(1.0, name="w")
    f = ag.function([x], x)
    return lambda: f(w), [w]


class Sparse:
    """What a SciPy matrix looks like from outside."""

    shape = (1000, 50000)

    def tocoo(self) -> None:
        raise AssertionError("nobody asked")


@case(21, ValueError, words="'x' · sparse · (1000, 50000) · 190.7 MiB · toarray")
def sparse_fed() -> Made:
    x = ag.placeholder((None, 50000), name="x")
    f = ag.function([x], x)
    return lambda: f(Sparse()), []


@case(21, ValueError, words="'counts' · sparse · (3, 4) · toarray")
def small_sparse_fed() -> Made:
    sparse = pytest.importorskip("scipy.sparse")
    x = ag.placeholder((None, 4), name="counts")
    f = ag.function([x], x)
    return lambda: f(sparse.csr_matrix(np.eye(3, 4))), []


def _full(*_: Any) -> None:
    raise MemoryError


@case(22, MemoryError, words="needs float32[100000, 100000] · 37.3 GiB · x · reduce the batch · No variable")
def too_big() -> Made:
    x, w = ag.placeholder((None, 8), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, w + ag.reduce_sum(ag.matmul(x, x.T)))])
    f._state.arena.fit = _full
    return lambda: f(np.ones((100_000, 8), "float32")), [w]


@case(22, MemoryError, words="float64[300, 200, 100] · 0.0 GiB · a float64[300, 1, 1] · No variable")
def too_big_by_broadcasting() -> Made:
    a, b = (ag.placeholder((None, None, None), dtype="float64", name=n) for n in "ab")
    f = ag.function([a, b], ag.reduce_sum(a + b))
    f._state.arena.fit = _full
    return lambda: f(np.ones((300, 1, 1)), np.ones((1, 200, 100))), []


@case(23, FloatingPointError, words="nan · 'softmax_log' · [1, 1] · log(-1e-09) · clip · No variable")
def first_nan() -> Made:
    x, w = ag.placeholder((None, 2), dtype="float64", name="x"), ag.variable(np.ones(2), dtype="float64", name="w")
    y = ag.log(x - 1e-9)
    y.name = "softmax_log"
    f = ag.function([x], [], [(w, w + ag.reduce_sum(y, axis=0))], on_nonfinite="raise")
    return lambda: f([[1, 1], [1, 0]]), [w]


@case(23, FloatingPointError, words="inf · divide · No variable")
def first_inf() -> Made:
    x, w = ag.placeholder((), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, 1.0 / x)], on_nonfinite="raise")
    return lambda: f(0.0), [w]


@case(24, ZeroDivisionError, words="divided by 0 · [3] · infinity · cast to float · No variable")
def whole_division_by_zero() -> Made:
    n, d = ag.variable(np.arange(5), dtype="int64", name="n"), ag.placeholder((None,), dtype="int64", name="d")
    f = ag.function([d], [], [(n, n // d)])
    return lambda: f([1, 2, 3, 0, 5]), [n]


@case(24, ZeroDivisionError, words="divided by 0 · cast to float")
def remainder_of_zero() -> Made:
    a, b = ag.placeholder((), dtype="int32", name="a"), ag.placeholder((), dtype="int32", name="b")
    f = ag.function([a, b], a % b)
    return lambda: f(7, 0), []
