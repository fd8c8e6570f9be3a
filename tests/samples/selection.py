"""Samples of comparisons, logic and choice."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from autograph.graph.tensor import placeholder
from autograph.ops import comparison as C
from autograph.ops import selection as S
from tests.samples.define import Array, Case, Sample, values
from tests.samples.elementwise import binary, broadcastable, no_numbers, on_grid, pairs, shapes, truth, unary


def _truths(function: Any) -> Any:
    """A function of Python numbers with a truth value, as one of arrays."""
    return np.vectorize(function, otypes=[np.bool_])


def _compared(function: Any, compare: Any, oracle: str) -> Sample:
    """A comparison, on tenths, so that there are ties, and on integers against floats."""
    sample = binary(function, _truths(compare), oracle, differentiable=False)
    tied = pairs((-0.5, 0.5), (-0.5, 0.5)).map(
        lambda x: Case(function, (on_grid(x[0], 0), on_grid(x[1], 0)), _truths(compare))
    )
    return Sample(sample.op, st.one_of(sample.cases, tied), sample.bad, differentiable=False)


def _special(function: Any, test: Any, oracle: str) -> Sample:
    """A test for NaN or infinity, on arrays that hold them."""
    numbers = st.sampled_from((math.nan, math.inf, -math.inf, 0.0, -1.5))
    cases = shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=numbers))
    return Sample(
        function.__name__,
        cases.map(lambda x: Case(function, (x,), _truths(test), lambda torch, t: getattr(torch, oracle)(t))),
        no_numbers(function),
        differentiable=False,
    )


def _logic(function: Any, logic: Any, operands: int) -> Sample:
    def arrays(shape: tuple[int, ...]) -> Any:
        return st.tuples(*[values(shape, 0, 1, dtype="bool")] * operands)

    def refused(other: Any) -> Any:
        return lambda: function(*[other] * operands)

    return Sample(
        function.__name__,
        shapes.flatmap(arrays).map(
            lambda x: Case(function, x, _truths(logic), lambda torch, *t: getattr(torch, function.__name__)(*t))
        ),
        (
            (refused(placeholder((2,))), DTypeError),
            (refused(1), DTypeError),
            (refused("yes"), ArgumentTypeError),
        ),
        differentiable=False,
    )


def _where_case(x: tuple[Array, Array, Array]) -> Case:
    return Case(
        S.where, x, lambda c, a, b: c * a + (1 - c) * b, lambda torch, c, a, b: torch.where(c, a, b), analytic=True
    )


def _clip_case(x: tuple[Array, Array, Array]) -> Case:
    return Case(
        S.clip,
        (on_grid(x[0], 0), on_grid(x[1], 0.05), on_grid(x[2], 0.05)),
        lambda x, low, high: np.sort(np.stack(np.broadcast_arrays(x, low, high)), axis=0)[1],
        lambda torch, x, low, high: torch.minimum(torch.maximum(x, low), high),
    )


def _number_clip_case(x: Array) -> Case:
    return Case(
        lambda t: S.clip(t, -0.75, 0.85),
        (on_grid(x, 0),),
        lambda x: np.median([x, np.full(x.shape, -0.75), np.full(x.shape, 0.85)], axis=0),
        lambda torch, t: torch.clip(t, -0.75, 0.85),
    )


def _three(*ranges: tuple[float, float]) -> Any:
    return broadcastable(3).flatmap(
        lambda s: st.tuples(*[values(shape, *r) for shape, r in zip(s.input_shapes, ranges, strict=True)])
    )


SAMPLES: tuple[Sample, ...] = (
    _compared(C.equal, operator.eq, "eq"),
    _compared(C.not_equal, operator.ne, "ne"),
    _compared(C.less, operator.lt, "lt"),
    _compared(C.less_equal, operator.le, "le"),
    _compared(C.greater, operator.gt, "gt"),
    _compared(C.greater_equal, operator.ge, "ge"),
    _special(C.isnan, math.isnan, "isnan"),
    _special(C.isinf, math.isinf, "isinf"),
    _special(C.isfinite, math.isfinite, "isfinite"),
    _logic(C.logical_and, lambda a, b: a and b, 2),
    _logic(C.logical_or, lambda a, b: a or b, 2),
    _logic(C.logical_xor, operator.xor, 2),
    _logic(C.logical_not, operator.not_, 1),
    Sample(
        "where",
        broadcastable(3).flatmap(
            lambda s: st.tuples(
                values(s.input_shapes[0], 0, 1, dtype="bool"), values(s.input_shapes[1]), values(s.input_shapes[2])
            )
        ).map(_where_case),
        (
            (lambda: S.where(placeholder((2,)), 1.0, 0.0), DTypeError),
            (lambda: S.where(1, 1.0, 0.0), DTypeError),
            (lambda: S.where(truth(), placeholder((3,)), 0.0), ShapeError),
            (lambda: S.where(truth(), None, 0.0), ArgumentTypeError),
        ),
    ),
    binary(S.maximum, lambda a, b: (a + b + np.abs(a - b)) / 2, "maximum", grid=True),
    binary(S.minimum, lambda a, b: (a + b - np.abs(a - b)) / 2, "minimum", grid=True),
    unary(S.relu, lambda x: (x + np.abs(x)) / 2, "relu", away_from=(0,)),
    Sample(
        "clip",
        st.one_of(
            _three((-2, 2), (-1, -0.5), (0.5, 1)).map(_clip_case),
            shapes.flatmap(lambda shape: values(shape)).map(_number_clip_case),
        ),
        (
            (lambda: S.clip(placeholder((2,)), 1, 0), ArgumentError),
            (lambda: S.clip(placeholder((2,)), placeholder((3,)), 0), ShapeError),
            (lambda: S.clip(placeholder((2,)), "low", "high"), ArgumentTypeError),
        ),
    ),
)
