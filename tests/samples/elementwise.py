"""Samples of arithmetic, elementary functions, rounding, casts and barriers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from autograph.graph.op import op_named
from autograph.graph.tensor import apply, placeholder
from autograph.ops import barriers, elementwise, rounding
from tests.samples.define import Array, Case, Sample, values

Bad = tuple[tuple[Callable[[], object], type[Exception]], ...]
Function = Callable[..., Any]

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def by_element(function: Function) -> Function:
    """A function of Python numbers as one of arrays, which broadcast."""
    return np.vectorize(function, otypes=[np.float64])


def no_numbers(function: Function) -> Bad:
    """What every op refuses in the place of a number."""
    return (
        (lambda: function("one"), ArgumentTypeError),
        (lambda: function(None), ArgumentTypeError),
        (lambda: function([[1.0], [1.0, 2.0]]), ArgumentTypeError),
        (lambda: function(1j), ArgumentTypeError),
    )


def unary(
    function: Function,
    reference: Function | None,
    oracle: str | Function | None = None,
    low: float = -2.0,
    high: float = 2.0,
    *,
    op: str = "",
    away_from: tuple[float, ...] = (),
    analytic: bool = False,
    differentiable: bool = True,
    bad: Bad = (),
) -> Sample:
    """The sample of a function of one array with values in [low, high]; `oracle` may be a name in torch."""

    def case(x: Array) -> Case:
        return Case(function, (x,), reference, torch_form(oracle), analytic)

    cases = shapes.flatmap(lambda shape: values(shape, low, high, away_from=away_from)).map(case)
    return Sample(op or function.__name__, cases, (*no_numbers(function), *bad), differentiable)


def torch_form(oracle: str | Function | None) -> Function | None:
    """A name in torch, dots allowed, as a function of torch and tensors."""
    return (lambda torch, *x: operator.attrgetter(oracle)(torch)(*x)) if isinstance(oracle, str) else oracle


def pairs(a: tuple[float, float], b: tuple[float, float], grid: bool = False, away_from: Any = ()) -> Any:
    """Two arrays that broadcast, with values in these ranges; on a grid, no element of one is near one of the other."""

    def arrays(shape: hnp.BroadcastableShapes) -> st.SearchStrategy[tuple[Array, Array]]:
        first, second = (values(s, *r, away_from=away_from) for s, r in zip(shape.input_shapes, (a, b), strict=True))
        return st.tuples(first, second).map(lambda x: (on_grid(x[0], 0), on_grid(x[1], 0.05)) if grid else x)

    return broadcastable(2).flatmap(arrays)


def broadcastable(count: int) -> Any:
    """So many shapes that broadcast together."""
    return hnp.mutually_broadcastable_shapes(num_shapes=count, min_dims=0, max_dims=4, min_side=0, max_side=5)


def on_grid(x: Array, offset: float) -> Array:
    """x rounded to tenths plus the offset, in place, so that its layout stays."""
    x[...] = np.round(x, 1) + offset
    return x


def binary(
    function: Function,
    reference: Function | None,
    oracle: str | Function | None = None,
    a: tuple[float, float] = (-2.0, 2.0),
    b: tuple[float, float] = (-2.0, 2.0),
    *,
    op: str = "",
    grid: bool = False,
    away_from: tuple[float, ...] = (),
    analytic: bool = False,
    differentiable: bool = True,
    bad: Bad = (),
) -> Sample:
    """The sample of a function of two arrays that broadcast, with values in the ranges `a` and `b`."""
    refused: Bad = (
        (lambda: function(placeholder((2, 3)), placeholder((3, 2))), ShapeError),
        (lambda: function(placeholder((None, 3)), placeholder((4,))), ShapeError),
        (lambda: function("one", 1.0), ArgumentTypeError),
        (lambda: function(1.0, None), ArgumentTypeError),
    )
    cases = pairs(a, b, grid, away_from).map(lambda x: Case(function, x, reference, torch_form(oracle), analytic))
    return Sample(op or function.__name__, cases, (*refused, *bad), differentiable)


def also(sample: Sample, cases: Any) -> Sample:
    """The sample with further cases."""
    return Sample(sample.op, st.one_of(sample.cases, cases), sample.bad, sample.differentiable)


def integers(function: Function, reference: Function, low: int, high: int) -> st.SearchStrategy[Case]:
    """Cases of two arrays of integers, the second between `low` and `high` and never 0."""

    def case(x: tuple[Array, Array]) -> Case:
        return Case(function, (x[0], np.where(x[1] == 0, 1, x[1]).astype("int32")), reference)

    def arrays(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[Array, Array]]:
        return st.tuples(values(shape, -9, 9, dtype="int32"), values(shape, low, high, dtype="int32"))

    return shapes.flatmap(arrays).map(case)


def truth() -> Any:
    """A placeholder of booleans."""
    return placeholder((2,), dtype="bool")


def refuses_booleans(function: Function, operands: int) -> Bad:
    return ((lambda: function(*[truth() for _ in range(operands)]), DTypeError),)


E = elementwise
integer_power = lambda x, p: apply(op_named("integer_power"), x, p)  # the form that `power` takes for integers

ARITHMETIC = (
    binary(E.add, by_element(operator.add), "add", analytic=True),
    binary(E.subtract, by_element(operator.sub), "subtract", analytic=True, bad=refuses_booleans(E.subtract, 2)),
    binary(E.multiply, by_element(operator.mul), "multiply", analytic=True),
    binary(E.divide, by_element(operator.truediv), "divide", away_from=(0,), analytic=True),
    unary(E.negative, by_element(operator.neg), "negative", analytic=True, bad=refuses_booleans(E.negative, 1)),
    unary(E.abs, by_element(math.fabs), "abs", away_from=(0,)),
    unary(E.sign, by_element(lambda x: (x > 0) - (x < 0)), "sign", away_from=(0,), bad=refuses_booleans(E.sign, 1)),
    *(binary(product, by_element(operator.mul), "multiply", analytic=True)
      for product in (E.mul_no_nan, E.times_slope, E.times_cotangent)),
    binary(E.div_no_nan, by_element(operator.truediv), "divide", away_from=(0,), analytic=True),
    also(
        binary(E.floor_divide, by_element(operator.floordiv), None, (2.1, 2.5), (0.85, 0.95),
               bad=refuses_booleans(E.floor_divide, 2)),
        integers(E.floor_divide, lambda a, b: by_element(operator.floordiv)(a, b).astype("int32"), -5, 5),
    ),
    also(
        binary(E.mod, by_element(operator.mod), "remainder", (2.1, 2.5), (0.85, 0.95), bad=refuses_booleans(E.mod, 2)),
        integers(E.mod, lambda a, b: by_element(operator.mod)(a, b).astype("int32"), -5, 5),
    ),
)  # fmt: skip

_BAD_POWERS = (
    *refuses_booleans(E.power, 2),
    (lambda: E.power(placeholder((2,), dtype="int32"), -1), ArgumentError),
)


def _constant_power(x: Array, p: float) -> Case:
    return Case(
        lambda t: E.power(t, p), (x,), by_element(lambda v: math.pow(v, p)), lambda torch, t: t**p, analytic=True
    )


POWERS = (
    unary(E.square, by_element(lambda x: x * x), "square", analytic=True, bad=refuses_booleans(E.square, 1)),
    unary(E.sqrt, by_element(math.sqrt), "sqrt", 0.2, 4, analytic=True),
    unary(E.rsqrt, by_element(lambda x: 1 / math.sqrt(x)), "rsqrt", 0.2, 4, analytic=True),
    unary(E.cbrt, by_element(math.cbrt), lambda torch, x: torch.sign(x) * torch.abs(x) ** (1 / 3), away_from=(0,)),
    unary(E.reciprocal, by_element(lambda x: 1 / x), "reciprocal", away_from=(0,), analytic=True),
    unary(E.exp, by_element(math.exp), "exp", analytic=True),
    unary(E.exp2, by_element(math.exp2), "exp2", analytic=True),
    unary(E.expm1, by_element(math.expm1), "expm1", analytic=True),
    unary(E.log, by_element(math.log), "log", 0.1, 5, analytic=True),
    unary(E.log2, by_element(math.log2), "log2", 0.1, 5, analytic=True),
    unary(E.log10, by_element(math.log10), "log10", 0.1, 5, analytic=True),
    unary(E.log1p, by_element(math.log1p), "log1p", -0.9, 4, analytic=True),
    also(
        binary(E.power, by_element(math.pow), "pow", (0.1, 3), (-2, 2), analytic=True, bad=_BAD_POWERS),
        st.sampled_from((0, 1, 2, 3, 4, 0.5, -0.5, -1, -2, 2.5)).flatmap(
            lambda p: shapes.flatmap(lambda shape: values(shape, 0.1, 3)).map(lambda x: _constant_power(x, p))
        ),
    ),
    Sample(
        "integer_power",
        integers(integer_power, lambda x, p: by_element(operator.pow)(x, p).astype("int32"), 0, 5),
        (
            *refuses_booleans(integer_power, 2),
            (lambda: integer_power(placeholder((2,), dtype="int32"), placeholder((3,), dtype="int32")), ShapeError),
            (lambda: integer_power(None, 2), ArgumentTypeError),
        ),
        differentiable=False,
    ),
)  # fmt: skip

TRIGONOMETRY = (
    unary(E.sin, by_element(math.sin), "sin", -4, 4, analytic=True),
    unary(E.cos, by_element(math.cos), "cos", -4, 4, analytic=True),
    unary(E.tan, by_element(math.tan), "tan", -1.2, 1.2, analytic=True),
    unary(E.arcsin, by_element(math.asin), "arcsin", -0.9, 0.9, analytic=True),
    unary(E.arccos, by_element(math.acos), "arccos", -0.9, 0.9, analytic=True),
    unary(E.arctan, by_element(math.atan), "arctan", analytic=True),
    binary(E.arctan2, by_element(math.atan2), "arctan2", (0.1, 2), (-2, 2)),
    binary(E.hypot, by_element(math.hypot), "hypot", away_from=(0,)),
    unary(E.sinh, by_element(math.sinh), "sinh", analytic=True),
    unary(E.cosh, by_element(math.cosh), "cosh", analytic=True),
    unary(E.tanh, by_element(math.tanh), "tanh", analytic=True),
    unary(E.arcsinh, by_element(math.asinh), "arcsinh", analytic=True),
    unary(E.arccosh, by_element(math.acosh), "arccosh", 1.2, 4, analytic=True),
    unary(E.arctanh, by_element(math.atanh), "arctanh", -0.9, 0.9, analytic=True),
)

_WHOLE = tuple(float(n) for n in range(-3, 4))
_HALVES = tuple(n + 0.5 for n in range(-3, 3))

ROUNDING = (
    unary(rounding.floor, by_element(math.floor), "floor", away_from=_WHOLE),
    unary(rounding.ceil, by_element(math.ceil), "ceil", away_from=_WHOLE),
    unary(rounding.trunc, by_element(math.trunc), "trunc", away_from=_WHOLE),
    unary(rounding.round, by_element(round), "round", away_from=_HALVES),
)


def _cast_case(x: Array, dtype: str, torch_name: str) -> Case:
    """A cast to another dtype: its values lie on steps, so that differences across them mean nothing."""

    def oracle(torch: Any, t: Any) -> Any:
        return t.to(getattr(torch, torch_name))

    return Case(lambda t: E.cast(t, dtype), (x,), lambda x: np.asarray(x, dtype), oracle, smooth=False)


CASTS = (
    Sample(
        "cast",
        st.sampled_from(("float16", "float32", "float64")).flatmap(
            lambda dtype: shapes.flatmap(values).map(lambda x: _cast_case(x, dtype, dtype))
        ),
        (
            (lambda: E.cast(1.0, "flaot32"), DTypeError),
            (lambda: E.cast(1.0, "complex64"), DTypeError),
            (lambda: E.cast("one", "float32"), ArgumentTypeError),
        ),
    ),
)

_SAME = by_element(lambda x: x)
_BAD_CLIPS = (
    (lambda: barriers.gradient_clip(placeholder((2,)), 1, -1), ArgumentError),
    (lambda: barriers.gradient_clip(placeholder((2,)), placeholder((3, 2)), 1), ShapeError),
)
_BAD_SCALES = ((lambda: barriers.gradient_scale(placeholder((2,)), placeholder((3, 2))), ShapeError),)


def _clipped(x: Any) -> Any:
    return barriers.gradient_clip(x, -0.5, 0.5)


def _scaled(x: Any) -> Any:
    return barriers.gradient_scale(x, 0.5)


# The gradient of a barrier is not that of its value, so nothing can judge it but a test of its own.
BARRIERS = (
    unary(barriers.identity, _SAME, "clone"),
    unary(barriers.stop_gradient, _SAME, differentiable=False),
    unary(_clipped, _SAME, op="gradient_clip", differentiable=False, bad=_BAD_CLIPS),
    unary(_scaled, _SAME, op="gradient_scale", differentiable=False, bad=_BAD_SCALES),
)

SAMPLES: tuple[Sample, ...] = (*ARITHMETIC, *POWERS, *TRIGONOMETRY, *ROUNDING, *CASTS, *BARRIERS)
