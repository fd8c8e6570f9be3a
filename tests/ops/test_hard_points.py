"""The points where systems differ: value, gradient and second derivative at kinks, poles, ties, zeros and infinities.

Each row gives literal numbers. It is run on the graph as written and through `function`, whose passes may change nothing
of it, in float64 and float32, as numbers and as vectors.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import autograph as ag
from tests.ops.running import ANY, Row, compare, each_float, each_way, row, rows, run, same, slopes

inf, nan, pi = math.inf, math.nan, math.pi
ln2 = math.log(2)

# one number at a time ------------------------------------------------------------------------------------------------

ROOTS = (
    row("sqrt at 0", ag.sqrt, 0.0, 0.0, inf, -inf),
    row("x**0.5 at 0", lambda x: x**0.5, 0.0, 0.0, inf, -inf),
    row("power(x, 0.5) at 0", lambda x: ag.power(x, 0.5), 0.0, 0.0, inf, -inf),
    row("sqrt at 0, cotangent 0", ag.sqrt, 0.0, 0.0, 0.0, seed=0.0),
    row("rsqrt at 0", ag.rsqrt, 0.0, inf, -inf, inf),
    row("rsqrt at 0, cotangent 0", ag.rsqrt, 0.0, inf, 0.0, seed=0.0),
    row("x**-0.5 at 0", lambda x: x**-0.5, 0.0, inf, -inf, inf),
    row("cbrt at 0", ag.cbrt, 0.0, 0.0, inf),
    row("cbrt at -8", ag.cbrt, -8.0, -2.0, 1 / 12, 1 / 144),
    row("sqrt at -1", ag.sqrt, -1.0, nan, nan),
    row("sqrt of a square at 0", lambda x: ag.sqrt(ag.square(x)), 0.0, 0.0, nan),
    row("log at 0", ag.log, 0.0, -inf, inf, -inf),
    row("log at 0, cotangent 0", ag.log, 0.0, -inf, 0.0, seed=0.0),
    row("log at -1", ag.log, -1.0, nan, -1.0, -1.0),
    row("log2 at 0", ag.log2, 0.0, -inf, inf),
    row("log10 at 0", ag.log10, 0.0, -inf, inf),
    row("log1p at -1", ag.log1p, -1.0, -inf, inf),
    row("log1p at -2", ag.log1p, -2.0, nan, -1.0),
    row("log1p at 1e-20", ag.log1p, 1e-20, 1e-20, 1.0, -1.0),
    row("expm1 at 1e-20", ag.expm1, 1e-20, 1e-20, 1.0, 1.0),
    row("exp(x) - 1 at 0", lambda x: ag.exp(x) - 1.0, 0.0, 0.0, 1.0, 1.0),
    row("log(1 + x) at 0", lambda x: ag.log(1.0 + x), 0.0, 0.0, 1.0, -1.0),
    row("log exp at 3", lambda x: ag.log(ag.exp(x)), 3.0, 3.0, 1.0, ANY),
    row("arccos at 1", ag.arccos, 1.0, 0.0, -inf),
    row("arccos at -1", ag.arccos, -1.0, pi, -inf),
    row("arcsin at 1", ag.arcsin, 1.0, pi / 2, inf),
    row("arcsin at -1", ag.arcsin, -1.0, -pi / 2, inf),
    row("arcsin at 2", ag.arcsin, 2.0, nan, nan),
    row("arctanh at 1", ag.arctanh, 1.0, inf, inf),
    row("arctanh at -1", ag.arctanh, -1.0, -inf, inf),
    row("arccosh at 1", ag.arccosh, 1.0, 0.0, inf),
    row("arccosh at 0.5", ag.arccosh, 0.5, nan, nan),
    row("erfinv at 1", ag.erfinv, 1.0, inf, inf),
    row("erfinv at -1", ag.erfinv, -1.0, -inf, inf),
    row("erfinv at 2", ag.erfinv, 2.0, nan, nan),
    row("ndtri at 0", ag.ndtri, 0.0, -inf, inf),
    row("ndtri at 1", ag.ndtri, 1.0, inf, inf),
    row("lgamma at 1", ag.lgamma, 1.0, 0.0, -0.5772156649015329, pi**2 / 6),
    row("lgamma at 0", ag.lgamma, 0.0, inf, -inf),
    row("digamma at 1", ag.digamma, 1.0, -0.5772156649015329, pi**2 / 6, -2.4041138063191886),
)

KINKS = (
    row("abs at 0", ag.abs, 0.0, 0.0, 0.0, 0.0),
    row("abs at -2", ag.abs, -2.0, 2.0, -1.0, 0.0),
    row("sign at 0", ag.sign, 0.0, 0.0, 0.0),
    row("sign at -3", ag.sign, -3.0, -1.0, 0.0),
    row("floor at 2", ag.floor, 2.0, 2.0, 0.0),
    row("floor at -0.5", ag.floor, -0.5, -1.0, 0.0),
    row("ceil at 2.5", ag.ceil, 2.5, 3.0, 0.0),
    row("trunc at -2.5", ag.trunc, -2.5, -2.0, 0.0),
    row("round at 0.5", ag.round, 0.5, 0.0, 0.0),
    row("round at 1.5", ag.round, 1.5, 2.0, 0.0),
    row("round at 2.5", ag.round, 2.5, 2.0, 0.0),
    row("round at -2.5", ag.round, -2.5, -2.0, 0.0),
    row("relu at 0", ag.relu, 0.0, 0.0, 0.0, 0.0),
    row("relu at NaN", ag.relu, nan, nan, 0.0),
    row("relu at inf", ag.relu, inf, inf, 1.0),
    row("maximum, tied", ag.maximum, (1.0, 1.0), 1.0, (0.5, 0.5), (0.0, 0.0), (0.0, 0.0)),
    row("minimum, tied", ag.minimum, (1.0, 1.0), 1.0, (0.5, 0.5)),
    row("maximum, tied at 0 and -0", ag.maximum, (0.0, -0.0), ANY, (0.5, 0.5)),
    row("maximum, tied at infinity", ag.maximum, (inf, inf), inf, (0.5, 0.5)),
    row("maximum", ag.maximum, (2.0, 1.0), 2.0, (1.0, 0.0)),
    row("maximum of NaN and 1", ag.maximum, (nan, 1.0), nan, (0.0, 0.0)),
    row("maximum of 1 and NaN", ag.maximum, (1.0, nan), nan, (0.0, 0.0)),
    row("minimum of NaN and 1", ag.minimum, (nan, 1.0), nan, (0.0, 0.0)),
    row("clip at its lower end", lambda x: ag.clip(x, 0, 1), 0.0, 0.0, 1.0),
    row("clip at its upper end", lambda x: ag.clip(x, 0, 1), 1.0, 1.0, 1.0),
    row("clip below", lambda x: ag.clip(x, 0, 1), -0.1, 0.0, 0.0),
    row("clip above", lambda x: ag.clip(x, 0, 1), 1.1, 1.0, 0.0),
    row("clip to one number", lambda x: ag.clip(x, 1, 1), 1.0, 1.0, 1.0),
    row("clip from below alone", lambda x: ag.clip(x, low=0), 0.0, 0.0, 1.0),
    row("clip from above alone", lambda x: ag.clip(x, high=0), 3.0, 0.0, 0.0),
    row("clip at NaN", lambda x: ag.clip(x, 0, 1), nan, nan, 0.0),
    row("clip by tensors", ag.clip, (2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
    row("clip by tensors, below", ag.clip, (-2.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)),
    row("clip by tensors, on an end", ag.clip, (1.0, 0.0, 1.0), 1.0, (1.0, 0.0, 0.0)),
    row("clip by crossed tensors", ag.clip, (2.0, 3.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
    row("remainder", ag.mod, (-5.5, 2.0), 0.5, (1.0, 3.0), (0.0, 0.0), (0.0, 0.0)),
    row("remainder of the divisor's sign", ag.mod, (5.5, -2.0), -0.5, (1.0, 3.0)),
    row("floor_divide", ag.floor_divide, (-5.5, 2.0), -3.0, (0.0, 0.0)),
)

POWERS = (
    row("0**0", ag.power, (0.0, 0.0), 1.0, (0.0, 0.0)),
    row("0**1", ag.power, (0.0, 1.0), 0.0, (1.0, 0.0)),
    row("0**2", ag.power, (0.0, 2.0), 0.0, (0.0, 0.0), (2.0, ANY), (ANY, 0.0)),
    row("0**0.5", ag.power, (0.0, 0.5), 0.0, (inf, 0.0)),
    row("0**-1", ag.power, (0.0, -1.0), inf, (-inf, -inf)),
    row("0**0, cotangent 0", ag.power, (0.0, 0.0), 1.0, (0.0, 0.0), seed=0.0),
    row("0**-1, cotangent 0", ag.power, (0.0, -1.0), inf, (0.0, 0.0), seed=0.0),
    row("(-2)**2", ag.power, (-2.0, 2.0), 4.0, (-4.0, nan)),
    row("(-8)**(1/3)", ag.power, (-8.0, 1 / 3), nan, (nan, nan)),
    row("2**3", ag.power, (2.0, 3.0), 8.0, (12.0, 8 * ln2), (12.0, 4 + 12 * ln2), (4 + 12 * ln2, 8 * ln2**2)),
    row("x**0 at 0", lambda x: x**0, 0.0, 1.0, 0.0, 0.0),
    row("power(x, 0) at 0", lambda x: ag.power(x, 0), 0.0, 1.0, 0.0, 0.0),
    row("x**0.0 at 0", lambda x: x**0.0, 0.0, 1.0, 0.0, 0.0),
    row("x**0 at NaN", lambda x: x**0, nan, 1.0, 0.0),
    row("x**1 at 0", lambda x: x**1, 0.0, 0.0, 1.0, 0.0),
    row("x**2 at 0", lambda x: x**2, 0.0, 0.0, 0.0, 2.0),
    row("power(x, 2) at 0", lambda x: ag.power(x, 2), 0.0, 0.0, 0.0, 2.0),
    row("x**3 at 0", lambda x: x**3, 0.0, 0.0, 0.0, 0.0),
    row("x**4 at -1", lambda x: x**4, -1.0, 1.0, -4.0, 12.0),
    row("x**2 at -2", lambda x: x**2, -2.0, 4.0, -4.0, 2.0),
    row("x**-1 at 0", lambda x: x**-1, 0.0, inf, -inf),
    row("x**(1/3) at -8", lambda x: x ** (1 / 3), -8.0, nan, nan),
    row("2**x at 0", lambda x: 2.0**x, 0.0, 1.0, ln2, ln2**2),
    row("0**x at 2", lambda x: 0.0**x, 2.0, 0.0, 0.0, 0.0),
)

QUOTIENTS = (
    row("1/x at 0", lambda x: 1 / x, 0.0, inf, -inf),
    row("reciprocal at 0", ag.reciprocal, 0.0, inf, -inf),
    row("-1/0", ag.divide, (-1.0, 0.0), -inf, (inf, inf)),
    row("1/-0", ag.divide, (1.0, -0.0), -inf, (-inf, -inf)),
    row("0/0", ag.divide, (0.0, 0.0), nan, (inf, nan)),
    row("0/0, cotangent 0", ag.divide, (0.0, 0.0), nan, (0.0, 0.0), seed=0.0),
    row("div_no_nan(1, 0)", ag.div_no_nan, (1.0, 0.0), 0.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    row("div_no_nan(3, 2)", ag.div_no_nan, (3.0, 2.0), 1.5, (0.5, -0.75), (0.0, -0.25), (-0.25, 0.75)),
    row("mul_no_nan(0, inf)", ag.mul_no_nan, (0.0, inf), 0.0, (inf, 0.0)),
    row("mul_no_nan(0, nan)", ag.mul_no_nan, (0.0, nan), 0.0, (nan, 0.0)),
    row("mul_no_nan(2, 3)", ag.mul_no_nan, (2.0, 3.0), 6.0, (3.0, 2.0), (0.0, 1.0), (1.0, 0.0)),
    row("inf - inf", ag.subtract, (inf, inf), nan, (1.0, -1.0)),
    row("exp at 1000", ag.exp, 1000.0, inf, inf),
    row("exp at -1000", ag.exp, -1000.0, 0.0, 0.0, 0.0),
    row("arctan2(0, 0)", ag.arctan2, (0.0, 0.0), 0.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    row("arctan2(0, -1)", ag.arctan2, (0.0, -1.0), pi, (-1.0, 0.0)),
    row("arctan2(3, 4)", ag.arctan2, (3.0, 4.0), math.atan2(3, 4), (0.16, -0.12), (-0.0384, -0.0112), (-0.0112, 0.0384)),
    row("arctan2, huge", ag.arctan2, (1e37, 1e37), pi / 4, (5e-38, -5e-38)),
    row("hypot(0, 0)", ag.hypot, (0.0, 0.0), 0.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    row("hypot(3, 4)", ag.hypot, (3.0, 4.0), 5.0, (0.6, 0.8), (0.128, -0.096), (-0.096, 0.072)),
    row("hypot, huge", ag.hypot, (1.5e38, 2e38), 2.5e38, (0.6, 0.8)),
    row("xlogy(0, 0)", ag.xlogy, (0.0, 0.0), 0.0, (-inf, 0.0)),
    row("xlogy(0, -1)", ag.xlogy, (0.0, -1.0), 0.0, (nan, 0.0)),
    row("xlogy(0, NaN)", ag.xlogy, (0.0, nan), nan, (nan, 0.0)),
    row("xlogy(2, 1)", ag.xlogy, (2.0, 1.0), 0.0, (0.0, 2.0), (0.0, 1.0), (1.0, -2.0)),
    row("xlog1py(0, -1)", ag.xlog1py, (0.0, -1.0), 0.0, (-inf, 0.0)),
    row("sinc at 0", ag.sinc, 0.0, 1.0, 0.0, -(pi**2) / 3),
    row("sinc at 1", ag.sinc, 1.0, 0.0, -1.0, 2.0),
    row("sinc at 1e-5", ag.sinc, 1e-5, 1 - pi**2 / 6e10, -(pi**2) / 3e5 * (1 - pi**2 / 1e11),
        -(pi**2) / 3 * (1 - 3 * pi**2 / 1e11)),
)  # fmt: skip

LOGISTIC = (
    row("logaddexp(inf, inf)", ag.logaddexp, (inf, inf), inf, (0.5, 0.5)),
    row("logaddexp(-inf, -inf)", ag.logaddexp, (-inf, -inf), -inf, (0.0, 0.0)),
    row("logaddexp(inf, 0)", ag.logaddexp, (inf, 0.0), inf, (1.0, 0.0)),
    row("logaddexp(-inf, 0)", ag.logaddexp, (-inf, 0.0), 0.0, (0.0, 1.0)),
    row("logaddexp(1000, 1000)", ag.logaddexp, (1000.0, 1000.0), 1000 + ln2, (0.5, 0.5), (0.25, -0.25), (-0.25, 0.25)),
    row("logaddexp(-1000, -1000)", ag.logaddexp, (-1000.0, -1000.0), ln2 - 1000, (0.5, 0.5)),
    row("sigmoid at 1000", ag.sigmoid, 1000.0, 1.0, 0.0, 0.0),
    row("sigmoid at -1000", ag.sigmoid, -1000.0, 0.0, 0.0, 0.0),
    row("sigmoid at 0", ag.sigmoid, 0.0, 0.5, 0.25, 0.0),
    row("sigmoid at -80", ag.sigmoid, -80.0, 1.8048513878454153e-35, 1.8048513878454153e-35, 1.8048513878454153e-35),
    row("tanh at 1000", ag.tanh, 1000.0, 1.0, 0.0, 0.0),
    row("tanh at -1000", ag.tanh, -1000.0, -1.0, 0.0, 0.0),
    row("softplus at 1000", ag.softplus, 1000.0, 1000.0, 1.0, 0.0),
    row("softplus at -1000", ag.softplus, -1000.0, 0.0, 0.0, 0.0),
    row("softplus at -80", ag.softplus, -80.0, 1.8048513878454153e-35, 1.8048513878454153e-35, 1.8048513878454153e-35),
    row("log_sigmoid at 1000", ag.log_sigmoid, 1000.0, 0.0, 0.0, 0.0),
    row("log_sigmoid at -1000", ag.log_sigmoid, -1000.0, -1000.0, 1.0, 0.0),
    row("softsign at 0", ag.softsign, 0.0, 0.0, 1.0),
    row("erf at 1000", ag.erf, 1000.0, 1.0, 0.0, 0.0),
    row("erf at -1000", ag.erf, -1000.0, -1.0, 0.0, 0.0),
    row("erfc at 1000", ag.erfc, 1000.0, 0.0, 0.0, 0.0),
    row("erfc at -1000", ag.erfc, -1000.0, 2.0, 0.0, 0.0),
    row("ndtr at 1000", ag.ndtr, 1000.0, 1.0, 0.0, 0.0),
    row("ndtr at -1000", ag.ndtr, -1000.0, 0.0, 0.0, 0.0),
    row("sigmoid at inf", ag.sigmoid, inf, 1.0, 0.0, 0.0),
    row("tanh at -inf", ag.tanh, -inf, -1.0, 0.0, 0.0),
    row("softplus at inf", ag.softplus, inf, inf, 1.0, 0.0),
    row("log_sigmoid at -inf", ag.log_sigmoid, -inf, -inf, 1.0, 0.0),
)


@each_way
@each_float
@rows((*ROOTS, *KINKS, *POWERS, *QUOTIENTS, *LOGISTIC))
def test_a_function_of_numbers(r: Row, dtype: str, way: str) -> None:
    compare(r, slopes(r.function, r.at, dtype, way, r.seed), dtype)
    vectors = [np.full(2, x) for x in r.at]
    compare(r, slopes(r.function, vectors, dtype, way, None if r.seed is None else np.full(2, r.seed)), dtype, (2,))


@each_way
@each_float
def test_the_log_of_a_sigmoid_is_only_repaired_where_it_overflows(dtype: str, way: str) -> None:
    x = ag.placeholder((None,), dtype=dtype)
    values = run([ag.log(ag.sigmoid(x))], [x], [np.array([-1000.0, 0.0, 2.0], dtype)], way)[0]
    same(values, [-inf if way == "raw" else -1000.0, -ln2, -0.12692801104297249], dtype)


@each_way
@pytest.mark.parametrize("dtype", ("float64", "float32", "float16"))
def test_subnormal_numbers_are_kept_apart(dtype: str, way: str) -> None:
    tiny = float(np.finfo(dtype).smallest_subnormal)
    a, b = 3 * tiny, 5 * tiny
    for function, wanted, gradient in ((ag.maximum, b, (0, 1)), (ag.minimum, a, (1, 0)), (ag.add, 8 * tiny, (1, 1))):
        value, found, _ = slopes(function, (a, b), dtype, way)
        assert (float(value), *map(float, found)) == (wanted, *gradient)
    value, found, _ = slopes(ag.reduce_max, ([a, b],), dtype, way)
    assert float(value) == b and found[0].tolist() == [0, 1]
    assert float(slopes(ag.abs, (-a,), dtype, way)[0]) == a and float(slopes(ag.relu, (a,), dtype, way)[1][0]) == 1


# vectors -------------------------------------------------------------------------------------------------------------

VECTORS = (
    row("√Σx² at the origin", lambda x: ag.sqrt(ag.reduce_sum(ag.square(x))), [0.0, 0.0], 0.0, [nan, nan]),
    row("norm at the origin", ag.norm, [0.0, 0.0], 0.0, [0.0, 0.0], [0.0, 0.0]),
    row("norm", ag.norm, [3.0, 4.0], 5.0, [0.6, 0.8], [0.032, -0.024]),
    row("norm of one", ag.norm, [-2.0], 2.0, [-1.0], [0.0]),
    row("norm, huge", ag.norm, [1.5e38, 2e38], 2.5e38, [0.6, 0.8]),
    row("norm, tiny", ag.norm, [3e-37, 4e-37], 5e-37, [0.6, 0.8]),
    row("norm with an infinity", ag.norm, [inf, 1.0], inf, ANY),
    row("norm with a NaN", ag.norm, [nan, 1.0], nan, [nan, nan]),
    row("norm of absolute values", lambda x: ag.norm(x, 1), [0.0, -2.0], 2.0, [0.0, -1.0]),
    row("greatest absolute value, tied", lambda x: ag.norm(x, inf), [-2.0, 2.0], 2.0, [-0.5, 0.5]),
    row("std of equal elements", ag.reduce_std, [0.1, 0.1, 0.1], 0.0, [0.0] * 3, [0.0] * 3),
    row("std of one element", ag.reduce_std, [5.0], 0.0, [0.0], [0.0]),
    row("std", ag.reduce_std, [1.0, 3.0], 1.0, [-0.5, 0.5]),
    row("variance of equal elements", ag.reduce_var, [0.1, 0.1, 0.1], 0.0, [0.0] * 3, [0.0] * 3),
    row("variance", ag.reduce_var, [1.0, 3.0], 1.0, [-1.0, 1.0], seed=1.0),
    row("logsumexp of [1000, 1000]", ag.logsumexp, [1000.0, 1000.0], 1000 + ln2, [0.5, 0.5], [0.0, 0.0]),
    row("logsumexp of [-1000, -1000]", ag.logsumexp, [-1000.0, -1000.0], ln2 - 1000, [0.5, 0.5]),
    row("logsumexp of [inf, 0]", ag.logsumexp, [inf, 0.0], inf, [1.0, 0.0], [0.0, 0.0]),
    row("logsumexp of [inf, inf]", ag.logsumexp, [inf, inf], inf, [0.5, 0.5]),
    row("logsumexp of [0, -inf]", ag.logsumexp, [0.0, -inf], 0.0, [1.0, 0.0], [0.0, 0.0]),
    row("logsumexp, fully masked", ag.logsumexp, [-inf, -inf], -inf, [0.0, 0.0], [0.0, 0.0]),
    row("logsumexp with a NaN", ag.logsumexp, [nan, 0.0], nan, [nan, nan]),
    row("maximum, tied", ag.reduce_max, [3.0, 1.0, 3.0], 3.0, [0.5, 0.0, 0.5]),
    row("minimum, tied", ag.reduce_min, [1.0, 3.0, 1.0], 1.0, [0.5, 0.0, 0.5]),
    row("maximum, tied, infinite", ag.reduce_max, [inf, inf], inf, [0.5, 0.5]),
    row("maximum with a NaN", ag.reduce_max, [nan, 1.0], nan, [nan, nan]),
    row("maximum with a NaN, cotangent 0", ag.reduce_max, [nan, 1.0], nan, [0.0, 0.0], seed=0.0),
    row("product, one zero", ag.reduce_prod, [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0], [5.0, 3.0, 2.0]),
    row("product, two zeros", ag.reduce_prod, [0.0, 0.0, 3.0], 0.0, [0.0] * 3, [3.0, 3.0, 0.0]),
    row("product, three zeros", ag.reduce_prod, [0.0, 0.0, 0.0], 0.0, [0.0] * 3, [0.0] * 3),
    row("product of a pair of zeros", ag.reduce_prod, [0.0, 0.0], 0.0, [0.0, 0.0], [1.0, 1.0]),
    row("running product over a zero", ag.cumprod, [2.0, 0.0, 3.0], [2.0, 0.0, 0.0], [1.0, 8.0, 0.0], [4.0, 6.0, 2.0]),
    row("running product over two zeros", ag.cumprod, [0.0, 0.0, 3.0], [0.0] * 3, [1.0, 0.0, 0.0], [4.0, 4.0, 0.0]),
    row("running product from the end", lambda x: ag.cumprod(x, reverse=True), [3.0, 0.0, 2.0], [0.0, 0.0, 2.0],
        [0.0, 8.0, 1.0], [2.0, 6.0, 4.0]),
    row("sort of ties", ag.sort, [2.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 1.0, 3.0], seed=[1.0, 2.0, 3.0]),
    row("falling sort of ties", lambda x: ag.sort(x, descending=True), [2.0, 1.0, 2.0], [2.0, 2.0, 1.0], [1.0, 3.0, 2.0],
        seed=[1.0, 2.0, 3.0]),
    row("sort puts NaN last", ag.sort, [nan, 1.0, 0.0], [0.0, 1.0, nan], [3.0, 2.0, 1.0], seed=[1.0, 2.0, 3.0]),
    row("the two greatest, tied", lambda x: ag.top_k(x, 2)[0], [2.0, 1.0, 2.0, 2.0], [2.0, 2.0], [1.0, 0.0, 2.0, 0.0],
        seed=[1.0, 2.0]),
    row("the greatest leaves NaN out", lambda x: ag.top_k(x, 1)[0], [nan, 1.0], [1.0], [0.0, 1.0]),
    row("gather twice the same", lambda x: ag.gather(x, [0, 1, 0]), [5.0, 6.0, 7.0], [5.0, 6.0, 5.0], [2.0, 1.0, 0.0]),
    row("gather from the end", lambda x: ag.gather(x, [-1, -3]), [5.0, 6.0, 7.0], [7.0, 5.0], [1.0, 0.0, 1.0]),
    row("index from the end", lambda x: x[-1], [5.0, 6.0], 6.0, [0.0, 1.0]),
    row("sum of nothing", ag.reduce_sum, [], 0.0, []),
    row("product of nothing", ag.reduce_prod, [], 1.0, []),
    row("mean of nothing", ag.reduce_mean, [], nan, []),
    row("variance of nothing", ag.reduce_var, [], nan, []),
    row("norm of nothing", ag.norm, [], 0.0, []),
    row("logsumexp of nothing", ag.logsumexp, [], -inf, []),
    row("determinant, singular", ag.det, [[1.0, 2.0], [2.0, 4.0]], ANY, [[4.0, -2.0], [-2.0, 1.0]], [[1.0, -1.0], [-1.0, 1.0]]),
    row("determinant of zeros", ag.det, [[0.0, 0.0], [0.0, 0.0]], 0.0, [[0.0] * 2] * 2, [[1.0, -1.0], [-1.0, 1.0]]),
)  # fmt: skip


@each_way
@each_float
@rows(VECTORS)
def test_a_function_of_a_vector(r: Row, dtype: str, way: str) -> None:
    for known in (False, True):
        compare(r, slopes(r.function, r.at, dtype, way, r.seed, known), dtype)


@each_way
@each_float
def test_the_hessian_of_a_product_at_two_zeros(dtype: str, way: str) -> None:
    x = ag.placeholder((None,), dtype=dtype)
    second = ag.hessian(ag.reduce_prod(x), x)
    assert run([second], [x], [np.zeros(2, dtype)], way)[0].tolist() == [[0, 1], [1, 0]]
    wanted = [[0, 4, 3], [4, 0, 0], [3, 0, 0]]  # at [0, 3, 4]
    assert run([second], [x], [np.array([0, 3, 4], dtype)], way)[0].tolist() == wanted
