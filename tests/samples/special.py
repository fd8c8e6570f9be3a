"""Samples of special functions."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from hypothesis import strategies as st

from autograph.errors import ArgumentError
from autograph.ops import special as S
from tests.samples.define import Array, Case, Sample, values
from tests.samples.elementwise import also, binary, by_element, no_numbers, shapes, unary

_NORMAL = NormalDist()


def _digamma(x: float) -> float:
    """ψ by its recurrence up to 20 and the asymptotic series there."""
    if x < 0:
        return _digamma(1 - x) - math.pi / math.tan(math.pi * x)
    below = sum(1 / (x + k) for k in range(20))
    y = x + 20
    return math.log(y) - 1 / (2 * y) - 1 / (12 * y**2) + 1 / (120 * y**4) - 1 / (252 * y**6) + 1 / (240 * y**8) - below


def _polygamma(n: int, x: float) -> float:
    """(-1)ⁿ⁺¹ n! Σ (x + k)⁻ⁿ⁻¹, the tail from 200 on by Euler and Maclaurin."""
    s, y = n + 1, x + 200
    head = math.fsum((x + k) ** -s for k in range(200))
    tail = y ** (1 - s) / (s - 1) + y**-s / 2 + s * y ** (-s - 1) / 12 - s * (s + 1) * (s + 2) * y ** (-s - 3) / 720
    return (-1) ** s * math.factorial(n) * (head + tail)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else math.exp(x)


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _polygamma_case(n: int, x: Array) -> Case:
    # torch has it, but only to ten digits
    return Case(lambda t: S.polygamma(n, t), (x,), by_element(lambda v: _polygamma(n, v)))


def _tails(function: Any, reference: Any, high: float = 1000) -> st.SearchStrategy[Case]:
    """The function far out, where its naive form overflows."""
    far = shapes.flatmap(lambda shape: values(shape, -1000, high))
    return far.map(lambda x: Case(function, (x,), by_element(reference), None))


SAMPLES: tuple[Sample, ...] = (
    unary(S.erf, by_element(math.erf), "erf", -3, 3),
    unary(S.erfc, by_element(math.erfc), "erfc", -3, 3),
    unary(S.erfinv, by_element(lambda x: _NORMAL.inv_cdf((x + 1) / 2) / math.sqrt(2)), "erfinv", -0.9, 0.9),
    unary(S.ndtr, by_element(lambda x: math.erfc(-x / math.sqrt(2)) / 2), "special.ndtr", -3, 3),
    unary(S.ndtri, by_element(_NORMAL.inv_cdf), "special.ndtri", 0.05, 0.95),
    unary(S.lgamma, by_element(math.lgamma), "lgamma", 0.2, 8),
    unary(S.digamma, by_element(_digamma), "digamma", 0.2, 8),
    Sample(
        "polygamma",
        st.integers(1, 4).flatmap(
            lambda n: shapes.flatmap(lambda shape: values(shape, 0.3, 5)).map(lambda x: _polygamma_case(n, x))
        ),
        (
            (lambda: S.polygamma(-1, 1.0), ArgumentError),
            (lambda: S.polygamma(1.5, 1.0), ArgumentError),
            *no_numbers(lambda x: S.polygamma(1, x)),
        ),
    ),
    also(unary(S.sigmoid, by_element(_sigmoid), "sigmoid"), _tails(S.sigmoid, _sigmoid, 0)),  # above, y·(1 - y) has no digits
    also(
        unary(S.log_sigmoid, by_element(lambda x: -math.log1p(math.exp(-x))), "nn.functional.logsigmoid"),
        _tails(S.log_sigmoid, lambda x: min(x, 0) - math.log1p(math.exp(-abs(x)))),
    ),
    also(
        unary(S.softplus, by_element(lambda x: math.log1p(math.exp(x))), "nn.functional.softplus"),
        _tails(S.softplus, lambda x: max(x, 0) + math.log1p(math.exp(-abs(x)))),
    ),
    unary(S.softsign, by_element(lambda x: x / (1 + abs(x))), "nn.functional.softsign", away_from=(0,)),
    binary(S.logaddexp, by_element(lambda a, b: math.log(math.exp(a) + math.exp(b))), "logaddexp"),
    binary(S.xlogy, by_element(lambda a, b: a * math.log(b)), "xlogy", (-2, 2), (0.1, 3), analytic=True),
    binary(S.xlog1py, by_element(lambda a, b: a * math.log1p(b)), "special.xlog1py", (-2, 2), (-0.9, 3), analytic=True),
    unary(S.sinc, by_element(_sinc), "sinc", -3, 3),
)
