"""Hyperbolic functions and their inverses, within 4 ulp."""

from __future__ import annotations

import math

from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import FORMATS, fma, log1p, polynomial, power_of_two, reduced, small_expm1


def tanh(e: Emitter, x: Number) -> Number:
    """-t/(t + 2) of t = e⁻²ˣ - 1 and |x|, with the sign of x; beyond the last bit of 1 it is 1."""
    double = e.multiply(e.absolute(x), e.constant(-2, x.type))
    lowest = e.constant(-(FORMATS[x.type].fraction + 3) * math.log(2), x.type)
    k, r = reduced(e, e.select(e.less(double, lowest), lowest, double))
    scale = power_of_two(e, k)
    t = fma(e, scale, small_expm1(e, r), e.subtract(scale, e.constant(1, x.type)))
    return e.copysign(e.divide(t, e.add(t, e.constant(2, x.type))), x)




def _halves(e: Emitter, x: Number) -> tuple[Number, Number]:
    """½·sinh a and ½·cosh a of a = |x| = k·ln 2 + r: with u, v = 2^(±k - 2) they are (u ∓ v)·cosh r + (u ± v)·sinh r."""
    f = FORMATS[x.type]
    limit = e.constant((f.bias + 2) * math.log(2) + 0.01, x.type)  # where 2·u·cosh r overflows, but u does not
    a = e.absolute(x)
    k, r = reduced(e, e.select(e.greater(a, limit), limit, a))
    two = e.constant(2, k.type)
    u = power_of_two(e, e.subtract(k, two))
    v = power_of_two(e, e.maximum(e.subtract(e.negative(k), two), e.constant(-f.bias, k.type)))
    z = e.square(r)
    odd, even = ([1 / math.factorial(k) for k in range(first, f.terms + 1, 2)] for first in (3, 2))
    sinh = fma(e, e.multiply(r, z), polynomial(e, z, odd), r)
    cosh = e.multiply(z, polynomial(e, z, even))  # less 1
    plus, minus = e.add(u, v), e.subtract(u, v)
    return (
        e.add(minus, fma(e, plus, sinh, e.multiply(minus, cosh))),
        e.add(plus, fma(e, minus, sinh, e.multiply(plus, cosh))),
    )


def sinh(e: Emitter, x: Number) -> Number:
    y = e.multiply(_halves(e, x)[0], e.constant(2, x.type))
    tiny = e.less(e.absolute(x), e.constant(2.0 ** -FORMATS[x.type].fraction, x.type))
    return e.select(tiny, x, e.copysign(y, x))


def cosh(e: Emitter, x: Number) -> Number:
    return e.multiply(_halves(e, x)[1], e.constant(2, x.type))


def _log_of_large(e: Emitter, a: Number, small: Number) -> Number:
    """log(1 + small), or where a is so large that nothing is left of 1 beside its square, log 2a."""
    large = e.greater(a, e.constant(2.0 ** (FORMATS[a.type].fraction // 2 + 2), a.type))
    y = log1p(e, e.select(large, e.subtract(a, e.constant(1, a.type)), small))
    return e.select(large, e.add(y, e.constant(math.log(2), a.type)), y)


def arcsinh(e: Emitter, x: Number) -> Number:
    """log(1 + a + a²/(1 + √(1 + a²))) of a = |x|."""
    a, one = e.absolute(x), e.constant(1, x.type)
    square = e.square(a)
    rest = e.divide(square, e.add(one, e.sqrt(e.add(one, square))))
    return e.copysign(_log_of_large(e, a, e.add(a, rest)), x)


def arccosh(e: Emitter, x: Number) -> Number:
    """log(1 + t + √(2t + t²)) of t = x - 1."""
    one = e.constant(1, x.type)
    t = e.subtract(x, one)
    y = _log_of_large(e, x, e.add(t, e.sqrt(fma(e, t, t, e.add(t, t)))))
    return e.select(e.less(x, one), e.constant(math.nan, x.type), y)


def arctanh(e: Emitter, x: Number) -> Number:
    """½·log(1 + 2a/(1 - a)) of a = |x|."""
    a = e.absolute(x)
    y = log1p(e, e.divide(e.add(a, a), e.subtract(e.constant(1, x.type), a)))
    return e.copysign(e.multiply(y, e.constant(0.5, x.type)), x)


HYPERBOLIC = {f.__name__: f for f in (sinh, cosh, tanh, arcsinh, arccosh, arctanh)}
