"""Division with a whole quotient, ⌊a / b⌋ and a - b·⌊a / b⌋: of floats with NumPy's bits, of integers for divisors but 0."""

from __future__ import annotations

from autograph.executors.native import mathlib
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import FORMATS, fma


def _fmod(e: Emitter, a: Number, b: Number) -> Number:
    """The exact remainder with the sign of a: by one fused product where the quotient is exact, else by the C library."""
    if not mathlib.exact_products():
        return e.frem(a, b)
    quotient = e.trunc(e.divide(a, b))
    rest = fma(e, e.negative(quotient), b, a)  # exact; of the other sign where the quotient was rounded up
    wrong = e.logical_and(e.not_equal(e.signbit(rest), e.signbit(a)), e.not_equal(rest, e.constant(0, a.type)))
    rest = e.select(wrong, e.add(rest, e.copysign(b, a)), rest)
    large = e.greater_equal(e.absolute(quotient), e.constant(2.0 ** FORMATS[a.type].fraction, a.type))
    return e.unless(e.logical_or(large, e.isinf(b)), rest, lambda: e.frem(a, b))


def _apart(e: Emitter, b: Number, rest: Number) -> Number:
    """Whether a remainder is not 0, and has not the sign of the divisor."""
    zero = e.constant(0, b.type)
    other = e.not_equal(e.less(b, zero), e.less(rest, zero))
    return e.logical_and(other, e.compare("une", rest, zero) if b.type[0] == "f" else e.not_equal(rest, zero))


def floor_divide(e: Emitter, a: Number, b: Number) -> Number:
    if a.type[0] != "f":
        return _whole(e, a, b)[0]
    one, zero = e.constant(1, a.type), e.constant(0, a.type)
    rest, plain = _fmod(e, a, b), e.divide(a, b)
    quotient = e.divide(e.subtract(a, rest), b)
    quotient = e.select(_apart(e, b, rest), e.subtract(quotient, one), quotient)
    floor = e.floor(quotient)
    floor = e.select(e.greater(e.subtract(quotient, floor), e.constant(0.5, a.type)), e.add(floor, one), floor)
    y = e.select(e.equal(quotient, zero), e.copysign(zero, plain), floor)
    return e.select(e.equal(b, zero), plain, y)


def remainder(e: Emitter, a: Number, b: Number) -> Number:
    if a.type[0] != "f":
        return _whole(e, a, b)[1]
    rest = _fmod(e, a, b)
    y = e.select(_apart(e, b, rest), e.add(rest, b), rest)
    return e.select(e.equal(rest, e.constant(0, a.type)), e.copysign(e.constant(0, a.type), b), y)


def _whole(e: Emitter, a: Number, b: Number) -> tuple[Number, Number]:
    """The quotient and the remainder of integers. The least of them by -1 is itself."""
    zero, one = e.constant(0, a.type), e.constant(1, a.type)
    b = e.select(e.equal(b, zero), one, b)
    if a.type[0] == "u":
        quotient = e.whole_quotient(a, b)
        return quotient, e.subtract(a, e.multiply(quotient, b))
    opposite = e.equal(b, e.constant(-1, a.type))
    b = e.select(opposite, one, b)
    quotient = e.whole_quotient(a, b)
    rest = e.subtract(a, e.multiply(quotient, b))
    apart = _apart(e, b, rest)
    floor = e.select(apart, e.subtract(quotient, one), quotient)
    return e.select(opposite, e.negative(a), floor), e.select(apart, e.add(rest, b), rest)


DIVISION = {f.__name__: f for f in (floor_divide, remainder)}
