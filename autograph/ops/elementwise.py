"""Arithmetic and elementary functions: a table of functions and their derivatives. Every operand broadcasts.

A rule uses `mul_no_nan` where its local derivative can be infinite or NaN though x is finite, so that a cotangent of
exactly zero stays zero: `where(x > 0, x * log(x), 0)` has the gradient 0 at 0. Where it is finite the rule uses `product`
or `scaled`: the same for the first derivative, and cheaper. Both remember which factor is the cotangent, for a gradient of
the gradient is linear in it too: where it is zero nothing flows to the other factor, though what comes back be infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from autograph.errors import ArgumentError, DTypeError
from autograph.graph.op import Kind, Op, as_given, floating, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.comparison import equal, logical_and
from autograph.ops.define import elementwise, elementwise_type
from autograph.ops.filling import ones_like, zeros_like
from autograph.ops.finite import SINGULAR, singular, stays_finite
from autograph.ops.selection import where
from autograph.tensor_type import TensorType, as_dtype, result_dtype

__all__ = [
    "abs", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cast", "cbrt", "cos",
    "cosh", "div_no_nan", "divide", "exp", "exp2", "expm1", "floor_divide", "hypot", "lerp", "log", "log10", "log1p",
    "log2", "mod", "mul_no_nan", "multiply", "negative", "power", "product", "reciprocal", "rsqrt", "scaled", "sign", "sin",
    "sinh", "sqrt", "square", "subtract", "tan", "tanh",
]  # fmt: skip

_LN2, _LN10 = math.log(2), math.log(10)

# Rules may name what stands below them; these lines tell type checkers of it.
sign: Callable[..., Tensor]
mul_no_nan: Callable[..., Tensor]
times_slope: Callable[..., Tensor]
times_cotangent: Callable[..., Tensor]
div_no_nan: Callable[..., Tensor]
cos: Callable[..., Tensor]
cosh: Callable[..., Tensor]


def _numbers(*types: TensorType) -> TensorType:
    """As `elementwise_type`. Raises DTypeError for booleans, which NumPy refuses, or turns into int8."""
    if types[0].dtype.kind == "b":
        raise DTypeError(
            f"booleans are no numbers: {' · '.join(map(str, types))}",
            fix='use logical_xor for a difference and logical_not for an opposite, or cast(x, "int32") first',
        )
    return elementwise_type(*types)


# arithmetic ----------------------------------------------------------------------------------------------------------

add      = elementwise("add", "a + b", inputs="a b", vjp=lambda g, y, a, b: (g, g))
subtract = elementwise("subtract", "a - b", inputs="a b", infer=_numbers, vjp=lambda g, y, a, b: (g, -g))
multiply = elementwise("multiply", "a · b", inputs="a b", vjp=lambda g, y, a, b: (product(g, b), product(g, a)))
divide   = singular("divide", "a / b; integers give floatx", inputs="a b", operands=floating,
                    vjp=lambda g, y, a, b: (mul_no_nan(g, 1 / b), mul_no_nan(g, y / -b)))
negative = elementwise("negative", "-x", infer=_numbers, vjp=lambda g, y, x: (-g,))
abs      = elementwise("abs", "|x|, with gradient 0 at 0", eval=lambda xp, x: xp.absolute(x),
                       vjp=lambda g, y, x: (scaled(g, sign(x), x),))
sign     = elementwise("sign", "-1, 0 or 1", infer=_numbers, vjp=lambda g, y, x: (zeros_like(x),))

mul_no_nan = elementwise("mul_no_nan", "a · b, and 0 wherever a is 0, even if b is infinite or NaN", inputs="a b",
                         eval=lambda xp, a, b: xp.where(a == 0, 0, a * b),
                         vjp=lambda g, y, a, b: (mul_no_nan(g, b), times_cotangent(g, a)))
times_slope = elementwise("times_slope", "g · d, where g is a cotangent and d a slope", inputs="g d",
                          eval=lambda xp, g, d: g * d, vjp=lambda u, y, g, d: (product(u, d), times_cotangent(u, g)))
times_cotangent = elementwise("times_cotangent", "u · g of two cotangents: 0 wherever either is 0, whatever the other is",
                              inputs="u g", eval=lambda xp, u, g: xp.where(xp.logical_or(u == 0, g == 0), 0, u * g),
                              vjp=lambda w, y, u, g: (times_cotangent(w, g), times_cotangent(w, u)))
div_no_nan = elementwise("div_no_nan", "a / b, and 0 wherever b is 0; integers give floatx", inputs="a b",
                         operands=floating, eval=lambda xp, a, b: xp.where(b == 0, 0, a / b),
                         vjp=lambda g, y, a, b: (mul_no_nan(g, div_no_nan(1, b)), mul_no_nan(g, div_no_nan(y, -b))))

floor_divide = singular("floor_divide", "⌊a / b⌋; for integers, b = 0 raises DivisionByZeroError", inputs="a b",
                        infer=_numbers, raises=True, vjp=lambda g, y, a, b: (zeros_like(a), zeros_like(b)))
mod          = singular("mod", "a - b·⌊a / b⌋, with the sign of b; for integers, b = 0 raises DivisionByZeroError",
                        inputs="a b", infer=_numbers, raises=True, eval=lambda xp, a, b: xp.remainder(a, b),
                        vjp=lambda g, y, a, b: (g, mul_no_nan(g, -floor_divide(a, b))))


def product(g: Tensor, d: Tensor) -> Tensor:
    """g·d for a rule, and 0 wherever g is 0: plainly, unless d may be infinite."""
    return times_slope(g, d) if stays_finite(d) else mul_no_nan(g, d)


def scaled(g: Tensor, d: Tensor, x: Tensor) -> Tensor:
    """g·d for a rule whose d is finite wherever x is, and 0 wherever g is 0: plainly, unless x may be infinite."""
    return times_slope(g, d) if stays_finite(x) else mul_no_nan(g, d)


# powers and exponentials ---------------------------------------------------------------------------------------------

square     = elementwise("square", "x²", infer=_numbers, vjp=lambda g, y, x: (2 * product(g, x),))
sqrt       = singular("sqrt", "√x", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, 0.5 / y),))
rsqrt      = singular("rsqrt", "1/√x", operands=floating, eval=lambda xp, x: 1 / xp.sqrt(x),
                      vjp=lambda g, y, x: (mul_no_nan(g, y / (-2 * x)),))
cbrt       = elementwise("cbrt", "∛x", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, 1 / (3 * square(y))),))
reciprocal = singular("reciprocal", "1 / x; integers give floatx", operands=floating,
                      vjp=lambda g, y, x: (mul_no_nan(g, -square(y)),))

exp   = singular("exp", "eˣ", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, y),))
exp2  = singular("exp2", "2ˣ", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, _LN2 * y),))
expm1 = singular("expm1", "eˣ - 1, exact near 0", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, exp(x)),))
log   = singular("log", "The natural logarithm.", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, 1 / x),))
log2  = singular("log2", "The logarithm to base 2.", operands=floating,
                 vjp=lambda g, y, x: (mul_no_nan(g, 1 / (_LN2 * x)),))
log10 = singular("log10", "The logarithm to base 10.", operands=floating,
                 vjp=lambda g, y, x: (mul_no_nan(g, 1 / (_LN10 * x)),))
log1p = singular("log1p", "log(1 + x), exact near 0", operands=floating,
                 vjp=lambda g, y, x: (mul_no_nan(g, 1 / (1 + x)),))

# trigonometric and hyperbolic functions ------------------------------------------------------------------------------

sin     = elementwise("sin", "The sine of x, in radians.", operands=floating, vjp=lambda g, y, x: (scaled(g, cos(x), x),))
cos     = elementwise("cos", "The cosine of x, in radians.", operands=floating, vjp=lambda g, y, x: (-scaled(g, sin(x), x),))
tan     = elementwise("tan", "The tangent of x, in radians.", operands=floating,
                      vjp=lambda g, y, x: (mul_no_nan(g, 1 + square(y)),))
arcsin  = singular("arcsin", "The angle in [-π/2, π/2] whose sine is x.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, rsqrt((1 - x) * (1 + x))),))
arccos  = singular("arccos", "The angle in [0, π] whose cosine is x.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, -rsqrt((1 - x) * (1 + x))),))
arctan  = elementwise("arctan", "The angle in [-π/2, π/2] whose tangent is x.", operands=floating,
                      vjp=lambda g, y, x: (scaled(g, reciprocal(1 + square(x)), x),))
hypot   = elementwise("hypot", "√(a² + b²) without overflow; at (0, 0) its gradient is 0.", inputs="a b",
                      operands=floating, vjp=lambda g, y, a, b: (scaled(g, div_no_nan(a, y), y), scaled(g, div_no_nan(b, y), y)))
arctan2 = elementwise("arctan2", "The angle in [-π, π] of the point (b, a); at (0, 0) its gradient is 0.",
                      inputs="a b", operands=floating, vjp=lambda g, y, a, b: _angle_vjp(g, a, b, hypot(a, b)))
sinh    = singular("sinh", "The hyperbolic sine.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, cosh(x)),))
cosh    = singular("cosh", "The hyperbolic cosine.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, sinh(x)),))
tanh    = elementwise("tanh", "The hyperbolic tangent.", operands=floating, vjp=lambda g, y, x: (scaled(g, 1 - y * y, x),))
arcsinh = elementwise("arcsinh", "The number whose hyperbolic sine is x.", operands=floating,
                      vjp=lambda g, y, x: (scaled(g, reciprocal(hypot(x, 1)), x),))
arccosh = singular("arccosh", "The number ≥ 0 whose hyperbolic cosine is x.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, rsqrt(x - 1) * rsqrt(x + 1)),))
arctanh = singular("arctanh", "The number whose hyperbolic tangent is x.", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, reciprocal((1 - x) * (1 + x))),))


def _angle_vjp(g: Tensor, a: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """(b, -a)/r², divided twice, so that r² cannot overflow."""
    return mul_no_nan(g, div_no_nan(div_no_nan(b, r), r)), mul_no_nan(g, div_no_nan(div_no_nan(a, r), -r))


# power ---------------------------------------------------------------------------------------------------------------


def _power_vjp(g: Tensor, y: Tensor, x: Tensor, p: Tensor) -> tuple[Tensor | None, ...]:
    """p·xᵖ⁻¹ and xᵖ·log x. x⁰ is the constant 1, also at 0; 0ᵖ is the constant 0. A literal p has no gradient."""
    number = _number(p)
    if number is not None:
        return _constant_power_vjp(g, x, number), None
    to_x = mul_no_nan(g, mul_no_nan(p, _power(x, p - 1)))
    if isinstance(p, Constant):
        return to_x, None
    log_x = log(where(logical_and(equal(x, 0), p >= 0), 1, x))
    return to_x, mul_no_nan(g, mul_no_nan(y, log_x))


def _constant_power_vjp(g: Tensor, x: Tensor, p: float) -> Tensor:
    match p:
        case 0:
            return zeros_like(x)
        case 1:
            return g
        case 2:
            return 2 * product(g, x)
        case _:
            return mul_no_nan(g, p * power(x, p - 1))


def _number(x: Tensor) -> float | None:
    """The number that a constant of rank 0 holds."""
    return x.value.item() if isinstance(x, Constant) and not x.ndim else None


def _specialize_power(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """A simpler function for a constant exponent; for integers, the op that may raise."""
    x, p = inputs
    match _number(p):
        case 0:
            return ones_like(x)
        case 3:
            return x * square(x)
        case 4:
            return square(square(x))
        case float() | int() as number if (simple := _simple_power(x, number)) is not None:
            return simple
    return None if x.type.is_float else _integer_power(x, p)


def _check_exponent(x: Tensor, p: Tensor) -> None:
    """Raise ArgumentError for integers to a power that is known to be negative."""
    if isinstance(p, Constant) and p.dtype.kind == "i" and p.value.size and p.value.min() < 0:
        raise ArgumentError(
            f"power: {x.describe()} to the power {p.value.min()}",
            why="integers have no negative powers",
            fix='cast(x, "float32") first',
        )


SINGULAR.add("power")
_POWER = register(Op(
    "power",
    kind=Kind.ELEMENTWISE,
    infer=_numbers,
    eval=lambda xp, x, p: (xp.power if x.dtype.kind == "f" else xp.integer_power)(x, p),
    vjp=_power_vjp,
    specialize=_specialize_power,
    doc="xᵖ; NaN for a negative base and a fraction.",
    check=_check_exponent,
))

_integer_power = elementwise("integer_power", "xᵖ of integers; raises ArgumentError where p < 0", inputs="x p",
                             infer=_numbers, raises=True)


def _power(x: Any, p: Any) -> Tensor:
    return apply(_POWER, x, p)


def power(x: Any, exponent: Any) -> Tensor:
    """xᵖ for a number, an array or a tensor p. Common numbers become simpler functions: x² is `square(x)`.

    The gradient in x is p·xᵖ⁻¹, and 0 for p = 0 even at x = 0; in p (a tensor) it is xᵖ·log x: 0 at x = 0 where p ≥ 0,
    and NaN for negative x. A negative base with a fraction is NaN: sign(x)·abs(x)ᵖ may be meant. Raises ArgumentError
    for integers and a negative number, when the graph is built or when it runs; DTypeError for booleans.
    """
    base = as_tensor(x)
    if isinstance(exponent, int | float) and base.type.is_float and not base.type.weak:
        simple = _simple_power(base, exponent)
        return _power(base, exponent) if simple is None else simple
    p = as_tensor(exponent)
    number = _number(p)
    if number is None or base.dtype.kind == "b":
        return _power(base, p)
    base = cast(base, result_dtype([base.type, p.type]))
    simple = _simple_power(base, number)
    return _power(base, p) if simple is None else simple


def _simple_power(x: Tensor, p: float) -> Tensor | None:
    match p:
        case 1:
            return x
        case 2:
            return square(x)
        case -1 if x.type.is_float:
            return reciprocal(x)
        case 0.5 if x.type.is_float:
            return sqrt(x)
        case -0.5 if x.type.is_float:
            return rsqrt(x)
    return None


# casts and combinations ----------------------------------------------------------------------------------------------

_CAST = register(Op(
    "cast",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, dtype: TensorType(dtype, x.shape),
    eval=lambda xp, x, dtype: xp.astype(x, dtype),
    vjp=lambda g, y, x, dtype: (cast(g, x.dtype) if dtype.kind == "f" and x.type.is_float else None,),
    operands=as_given,
    doc="x converted to `dtype`; floats are cut towards zero, and only a cast from float to float carries a gradient.",
))


def cast(x: Any, dtype: npt.DTypeLike) -> Tensor:
    """`x` converted to `dtype`. Floats become integers by cutting towards zero; that cuts the gradient too.

    Raises DTypeError for an unknown dtype.
    """
    tensor, target = as_tensor(x), as_dtype(dtype)
    return tensor if tensor.dtype is target and not tensor.type.weak else apply(_CAST, tensor, dtype=target)


def lerp(a: Any, b: Any, t: Any) -> Tensor:
    """a + t·(b - a): from `a` at t = 0 to `b` at t = 1."""
    return add(a, multiply(t, subtract(b, a)))
