"""A cotangent of exactly zero stays zero, whatever the slope: `where` keeps a function out of where it is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from tests.ops.running import compare, each_float, each_way, row, run, slopes

DEAD: tuple[tuple[Callable[..., ag.Tensor], float], ...] = (
    *((f, 0.0) for f in (ag.sqrt, ag.rsqrt, ag.cbrt, ag.reciprocal, ag.log, ag.log2, ag.log10, ag.lgamma, ag.digamma)),
    *((f, -1.0) for f in (ag.sqrt, ag.rsqrt, ag.log, ag.log2, ag.log10, ag.log1p)),
    *((f, 1.0) for f in (ag.arcsin, ag.arccos, ag.arctanh, ag.arccosh, ag.erfinv, ag.ndtri)),
    *((f, 2.0) for f in (ag.arcsin, ag.arccos, ag.arctanh, ag.erfinv, ag.ndtri)),
    *((f, 2000.0) for f in (ag.exp, ag.exp2, ag.expm1, ag.sinh, ag.cosh)),
)
HALVES: tuple[tuple[str, Callable[..., ag.Tensor], float], ...] = (  # where(the point is left out, f(x), 0)
    ("1/x", lambda x: 1 / x, 0.0),
    ("x**-1.5", lambda x: x**-1.5, 0.0),
    ("x**x", lambda x: ag.power(x, x), -1.5),
    ("x log x", lambda x: x * ag.log(x), 0.0),
    ("x log x", lambda x: x * ag.log(x), -1.0),
    ("x² log x", lambda x: x**2 * ag.log(x), 0.0),
    ("x√x", lambda x: x * ag.sqrt(x), -1.0),
    ("x/x", lambda x: x / x, 0.0),
    ("x·(1/x)", lambda x: x * (1 / x), 0.0),
    ("(1/x)²", lambda x: ag.square(1 / x), 0.0),
    ("x·(1/x)²", lambda x: (1 / x) ** 2 * x, 0.0),
    ("x·exp(-x)", lambda x: x * ag.exp(-x), -2000.0),
    ("(log x)²", lambda x: ag.log(x) ** 2, 0.0),
    ("(log x)³", lambda x: ag.log(x) ** 3, 0.0),
    ("exp log x", lambda x: ag.exp(ag.log(x)), -1.0),
    ("tanh log x", lambda x: ag.tanh(ag.log(x)), 0.0),
    ("relu log x", lambda x: ag.relu(ag.log(x)), -1.0),
    ("|log x|", lambda x: ag.abs(ag.log(x)), 0.0),
    ("max(log x, -1)", lambda x: ag.maximum(ag.log(x), -1.0), -1.0),
    ("clip(log x)", lambda x: ag.clip(ag.log(x), -1.0, 1.0), -1.0),
    ("arctan(1/x)", lambda x: ag.arctan(1 / x), 0.0),
    ("erf(1/x)", lambda x: ag.erf(1 / x), 0.0),
    ("gelu log x", lambda x: ag.gelu(ag.log(x)), 0.0),
    ("elu log x", lambda x: ag.elu(ag.log(x)), 0.0),
    ("lerp to log x", lambda x: ag.lerp(0.0, ag.log(x), x), 0.0),
    ("tanh log x", lambda x: ag.tanh(ag.log(x)), -1.0),
    ("sigmoid log x", lambda x: ag.sigmoid(ag.log(x)), -1.0),
    ("softplus log x", lambda x: ag.softplus(ag.log(x)), -1.0),
    ("|log x|", lambda x: ag.abs(ag.log(x)), -1.0),
    ("sin(1/x)", lambda x: ag.sin(1 / x), 0.0),
    ("cos log x", lambda x: ag.cos(ag.log(x)), -1.0),
    ("sinc(1/x)", lambda x: ag.sinc(1 / x), 0.0),
    ("erf log x", lambda x: ag.erf(ag.log(x)), -1.0),
    ("arcsinh log x", lambda x: ag.arcsinh(ag.log(x)), -1.0),
    ("hypot(1/x, 1)", lambda x: ag.hypot(1 / x, 1.0), 0.0),
    ("logaddexp(log x, 0)", lambda x: ag.logaddexp(ag.log(x), 0.0), -1.0),
)


def named(table: Any) -> Any:
    return pytest.mark.parametrize(("function", "x"), [t[-2:] for t in table], ids=[
        f"{t[0] if isinstance(t[0], str) else t[0].__name__} at {t[-1]}" for t in table])  # fmt: skip


@each_way
@each_float
@named(DEAD)
def test_a_zero_fed_as_the_cotangent_gives_zero(function: Callable[..., ag.Tensor], x: float, dtype: str, way: str) -> None:
    p, u = (ag.placeholder((None,), dtype=dtype) for _ in range(2))
    slope = ag.gradients([function(p)], p, cotangents=[u])
    found = run([slope], [p, u], [np.full(2, x, dtype), np.array([0, 1], dtype)], way)[0]
    assert found[0] == 0 and found[1] != 0
    twice = ag.gradients([slope], p, cotangents=[u])
    assert run([twice], [p, u], [np.full(2, x, dtype), np.zeros(2, dtype)], way)[0].tolist() == [0, 0]


@each_way
@each_float
@named(DEAD)
def test_where_keeps_a_function_out_to_second_order(function: Callable[..., ag.Tensor], x: float, dtype: str, way: str) -> None:
    r = row("where", lambda p: ag.where(ag.not_equal(p, x), function(p), 0), x, 0.0, 0.0, 0.0)
    compare(r, slopes(r.function, r.at, dtype, way), dtype)


@each_way
@each_float
@named(HALVES)
def test_where_keeps_an_expression_out_to_second_order(
    function: Callable[..., ag.Tensor], x: float, dtype: str, way: str
) -> None:
    r = row("where", lambda p: ag.where(ag.not_equal(p, x), function(p), 0), x, 0.0, 0.0, 0.0)
    compare(r, slopes(r.function, r.at, dtype, way), dtype)
    compare(r, slopes(r.function, [np.full(2, x)], dtype, way), dtype, (2,))


@each_way
def test_a_factor_that_is_no_cotangent_keeps_nan_a_nan(way: str) -> None:
    x = ag.placeholder((2,), dtype="float64")
    root = ag.sqrt(ag.reduce_sum(ag.square(x)))
    slope = ag.gradients(root, x)
    found = run([slope, *[ag.gradients(slope[i], x) for i in range(2)]], [x], [np.zeros(2)], way)
    assert np.isnan(found[0]).all() and found[1][0] == found[2][1] == np.inf


@each_way
def test_what_comes_back_as_infinite_meets_a_cotangent_of_zero_in_every_order(way: str) -> None:
    x = ag.placeholder((2,), dtype="float64")
    y = ag.where(x > 0, x * ag.log(x), 0)
    orders = [y]
    for _ in range(4):
        orders.append(ag.gradients(ag.reduce_sum(orders[-1]), x))
    found = run(orders, [x], [[0.0, 2.0]], way)
    np.testing.assert_allclose([v[1] for v in found], [2 * np.log(2), np.log(2) + 1, 1 / 2, -1 / 4, 1 / 4], rtol=1e-14)
    assert [v[0] for v in found] == [0] * 5


def test_the_passes_keep_a_mask_in_front_of_a_root_that_may_be_nan() -> None:
    def function(x: Any) -> ag.Tensor:
        t = ag.tanh(x)  # within [-1, 1], so that √t is within [0, 1] or NaN
        return ag.where(t > 0, t * ag.sqrt(t), 0)

    found = {way: float(slopes(function, (-1.0,), "float64", way)[1][0]) for way in ("raw", "compiled")}
    assert found == {"raw": 0.0, "compiled": 0.0}
