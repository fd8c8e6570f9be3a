"""NaN in is NaN out, whole outputs cut the gradient, and what has no answer is refused with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import autograph as ag
from tests.ops.running import each_float, each_way, run

nan = math.nan
UNARY = (
    ag.abs, ag.sign, ag.square, ag.sqrt, ag.rsqrt, ag.cbrt, ag.reciprocal, ag.exp, ag.exp2, ag.expm1, ag.log, ag.log2,
    ag.log10, ag.log1p, ag.sin, ag.cos, ag.tan, ag.arcsin, ag.arccos, ag.arctan, ag.sinh, ag.cosh, ag.tanh, ag.arcsinh,
    ag.arccosh, ag.arctanh, ag.erf, ag.erfc, ag.erfinv, ag.ndtr, ag.ndtri, ag.digamma, ag.lgamma, ag.sigmoid, ag.log_sigmoid,
    ag.softplus, ag.softsign, ag.sinc, ag.relu, ag.floor, ag.ceil, ag.round, ag.trunc, ag.negative, ag.relu6, ag.elu, ag.selu,
    ag.gelu, ag.gelu_tanh, ag.silu, ag.mish, ag.hard_sigmoid, ag.leaky_relu, lambda x: ag.polygamma(1, x), lambda x: x**3,
    lambda x: ag.clip(x, 0, 1), lambda x: ag.maximum(x, 0), lambda x: ag.minimum(0, x), lambda x: ag.logaddexp(x, 0),
)  # fmt: skip


@each_way
@each_float
def test_nan_in_is_nan_out(dtype: str, way: str) -> None:
    x = ag.placeholder((None,), dtype=dtype)
    for function, values in zip(UNARY, run([f(x) for f in UNARY], [x], [np.array([nan, nan], dtype)], way), strict=True):
        assert np.isnan(values).all(), function


@pytest.mark.parametrize("function", (
    lambda x: ag.argmax(x, 0), lambda x: ag.argmin(x, 0), lambda x: ag.argsort(x), lambda x: ag.top_k(x, 1)[1],
    lambda x: ag.cast(x, "int32"), lambda x: x > 0, lambda x: ag.isnan(x), lambda x: ag.count_nonzero(x),
    lambda x: ag.searchsorted(x, 1.0), ag.stop_gradient, lambda x: ag.reduce_any(x),
))  # fmt: skip
def test_whole_outputs_cut_the_gradient(function: Callable[..., ag.Tensor]) -> None:
    x = ag.placeholder((3,))
    assert ag.gradients(ag.reduce_sum(ag.cast(function(x), "float32") * 2.0), x) is None


@each_way
def test_the_first_extreme_wins_and_nan_counts_as_one(way: str) -> None:
    x = ag.placeholder((None,), dtype="float64")
    positions = [ag.argmax(x), ag.argmin(x), ag.argsort(x), ag.argsort(x, descending=True)]
    for values, wanted in (
        ([1.0, 3.0, 3.0, 1.0], (1, 0, [0, 3, 1, 2], [1, 2, 0, 3])),
        ([1.0, nan, 3.0, nan], (1, 1, [0, 2, 1, 3], [2, 0, 1, 3])),
    ):
        assert [v.tolist() for v in run(positions, [x], [np.array(values)], way)] == list(wanted)


@each_way
def test_whole_division_floors_and_has_no_zero(way: str) -> None:
    a, b = (ag.placeholder((None,), dtype="int32") for _ in range(2))
    quotient, rest = run([a // b, a % b], [a, b], [np.array(v, "int32") for v in ([7, -7, 7, -7], [2, 2, -2, -2])], way)
    assert quotient.tolist() == [3, -4, -4, 3] and rest.tolist() == [1, 1, -1, -1]
    for output in (a // b, a % b, b // 0):
        with pytest.raises(ZeroDivisionError, match="divided by 0"):
            run([output], [a, b], [np.array([1, 2], "int32"), np.array([1, 0], "int32")], way)


SINGULAR, INDEFINITE = np.array([[1.0, 2.0], [2.0, 4.0]]), np.array([[1.0, 2.0], [2.0, 1.0]])


@each_way
def test_matrices_without_an_answer_are_refused_with_their_condition(way: str) -> None:
    a = ag.placeholder((None, 2), dtype="float64")
    for output, value in ((ag.inv(a), SINGULAR), (ag.solve(a, np.ones(2)), SINGULAR), (ag.cholesky(a), INDEFINITE)):
        with pytest.raises(np.linalg.LinAlgError, match="condition"):
            run([output], [a], [value], way)


@each_way
def test_indices_outside_and_extremes_of_nothing_are_refused(way: str) -> None:
    x, i = ag.placeholder((None,), dtype="float64"), ag.placeholder((None,), dtype="int64")
    for output in (ag.gather(x, i), ag.take_along_axis(x, i, 0), ag.gradients(ag.reduce_sum(ag.gather(x, i)), x)):
        assert np.shape(run([output], [x, i], [np.ones(3), np.array([-3, 2])], way)[0]) in ((2,), (3,))
        for index in (3, -4):
            with pytest.raises(IndexError, match=str(index)):
                run([output], [x, i], [np.ones(3), np.array([0, index])], way)
    for function in (ag.reduce_max, ag.reduce_min, ag.argmax, ag.argmin):
        for output in (function(x), function(ag.boolean_mask(x, x > 2))):  # a size known when it runs, and one that data set
            with pytest.raises(ValueError, match="axis"):
                run([output], [x], [np.ones(0)], way)


def test_what_is_known_to_be_wrong_is_refused_when_it_is_written() -> None:
    x = ag.placeholder((0, 2))
    for bad, error, text in (
        (lambda: ag.clip(x, 1, 0), ValueError, "exceeds"), (lambda: ag.reduce_max(x, 0), ValueError, "axis 0"),
        (lambda: ag.argmax(x, 0), ValueError, "axis 0"), (lambda: ag.gather(ag.ones_like(np.ones(3)), 3), IndexError, "3"),
        (lambda: ag.power(ag.placeholder((), dtype="int32"), -1), ValueError, "negative"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            bad()
