"""The gamma family in double precision, as `arrays.special` has it: log |Γ|, its derivative, and those of higher order.

What lies left of 0 is reflected in a branch of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from autograph.arrays.special import (
    BERNOULLI,
    BINET,
    DIGAMMA_LARGE,
    DIGAMMA_P,
    DIGAMMA_Q,
    DIGAMMA_ZERO,
    HALF_LOG_2PI,
    LGAMMA_P,
    LGAMMA_Q,
    LOG_PI,
)
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import by_powers, log
from autograph.executors.native.trigonometry import small_sines

_ORDERS = range(1, 5)  # of derivatives of digamma; those of higher order take too long to compile


def _double(e: Emitter, value: float) -> Number:
    return e.constant(value, "f8")


def _reflected(e: Emitter, x: Number) -> tuple[Number, Number]:
    """Whether x < 0, and there 1 - x, elsewhere x."""
    left = e.less(x, _double(e, 0))
    return left, e.select(left, e.subtract(_double(e, 1), x), x)


def _from_half(e: Emitter, a: Number) -> tuple[Number, Number]:
    """Whether a < 1/2, and there a + 1, elsewhere a."""
    low = e.less(a, _double(e, 0.5))
    return low, e.select(low, e.add(a, _double(e, 1)), a)


def _sines_of_turns(e: Emitter, x: Number) -> tuple[Number, Number, Number]:
    """r = x less the integer next to it, and the sine and the cosine of π·|r|."""
    r = e.subtract(x, e.rint(x))
    a = e.absolute(r)
    steep = e.greater(a, _double(e, 0.25))
    a = e.select(steep, e.subtract(_double(e, 0.5), a), a)
    sin, cos = small_sines(e, e.multiply(a, _double(e, math.pi)))
    return r, e.select(steep, cos, sin), e.select(steep, sin, cos)


def lgamma(e: Emitter, x: Number) -> Number:
    wide = e.cast(x, "f8")
    left, a = _reflected(e, wide)
    zero, one = _double(e, 0), _double(e, 1)
    log_a = log(e, a)
    low, y = _from_half(e, a)
    small = e.multiply(e.subtract(y, one), e.subtract(y, _double(e, 2)))
    small = e.multiply(small, e.divide(by_powers(e, y, LGAMMA_P), by_powers(e, y, LGAMMA_Q)))
    small = e.subtract(small, e.select(low, log_a, zero))
    rest = e.divide(by_powers(e, e.divide(one, e.square(a)), BINET), a)
    large = e.multiply(e.subtract(a, _double(e, 0.5)), e.subtract(log_a, one))
    large = e.add(large, e.add(rest, _double(e, HALF_LOG_2PI - 0.5)))
    right = e.select(e.less(a, _double(e, 3)), small, large)

    def reflected() -> Number:
        """log(π/|sin πx|) - log Γ(1 - x)."""
        sine = _sines_of_turns(e, wide)[1]
        value = e.subtract(e.subtract(_double(e, LOG_PI), log(e, sine)), right)
        return e.select(e.isinf(wide), _double(e, math.inf), value)

    return e.cast(e.unless(left, right, reflected), x.type)


def digamma(e: Emitter, x: Number) -> Number:
    wide = e.cast(x, "f8")
    left, a = _reflected(e, wide)
    zero, one = _double(e, 0), _double(e, 1)
    low, y = _from_half(e, a)
    u = e.divide(one, a)
    small = e.subtract(e.subtract(y, _double(e, DIGAMMA_ZERO[0])), _double(e, DIGAMMA_ZERO[1]))
    small = e.divide(e.multiply(small, e.divide(by_powers(e, y, DIGAMMA_P), by_powers(e, y, DIGAMMA_Q))), y)
    small = e.subtract(small, e.select(low, u, zero))
    square = e.square(u)
    tail = e.add(e.multiply(_double(e, 0.5), u), e.multiply(square, by_powers(e, square, DIGAMMA_LARGE)))
    right = e.select(e.less(a, _double(e, 3)), small, e.subtract(log(e, a), tail))

    def reflected() -> Number:
        """ψ(1 - x) - π·cot πx."""
        r, sine, cosine = _sines_of_turns(e, wide)
        cot = e.copysign(e.divide(cosine, sine), r)
        cot = e.select(e.equal(r, zero), _double(e, math.nan), cot)
        return e.subtract(right, e.multiply(_double(e, math.pi), cot))

    return e.cast(e.unless(left, right, reflected), x.type)


def _whole_power(e: Emitter, x: Number, n: int) -> Number:
    """xⁿ for a known n ≥ 1."""
    if n == 1:
        return x
    half = _whole_power(e, e.square(x), n // 2)
    return e.multiply(half, x) if n % 2 else half


def _zeta(e: Emitter, s: int, x: Number, scale: float) -> Number:
    """scaleˢ·Σ (x + k)⁻ˢ over k = 0, 1, …, by the Euler–Maclaurin formula from k = s + 6 on."""
    one = _double(e, 1)

    def divided(x: Number, n: int) -> Number:
        """(x/scale)⁻ⁿ."""
        return _whole_power(e, e.divide(_double(e, scale), x), n)

    w = e.add(x, _double(e, s + 6))
    series = [math.prod(range(s, s + 2 * j - 1)) / math.factorial(2 * j) * b for j, b in enumerate(BERNOULLI, 1)]
    tail = by_powers(e, e.divide(one, e.square(w)), (*reversed(series), 1 / (s - 1)))
    tail = e.add(tail, e.divide(_double(e, 0.5), w))
    y = _double(e, 0)
    for k in range(-s - 5, 1):
        y = e.add(y, divided(e.subtract(x, _double(e, k)), s))
    return e.add(y, e.multiply(e.multiply(_double(e, scale), divided(w, s - 1)), tail))


def _polygamma(n: int, e: Emitter, x: Number) -> Number:
    """ψ⁽ⁿ⁾(x), n ≥ 1."""
    s = n + 1
    exponent = int(math.log2(math.factorial(n)) / s)
    scale, sign = 2.0**exponent, 1 if n % 2 else -1
    wide = e.cast(x, "f8")
    left, a = _reflected(e, wide)
    right = _zeta(e, s, a, scale)

    def reflected() -> Number:
        """The sum over all integers, which depends on x only modulo 1."""
        one = _double(e, 1)
        r = e.subtract(wide, e.rint(wide))
        others = e.subtract(_zeta(e, s, e.subtract(one, r), scale), right)
        others = e.add(_zeta(e, s, e.add(one, r), scale), others if sign > 0 else e.negative(others))
        own = _whole_power(e, e.divide(_double(e, scale), r), s)
        pole = _double(e, math.inf if n % 2 else math.nan)
        return e.select(e.equal(r, _double(e, 0)), pole, e.add(own, others))

    factor = sign * (math.factorial(n) / 2 ** (exponent * s))
    return e.cast(e.multiply(_double(e, factor), e.unless(left, right, reflected)), x.type)


GAMMA: dict[str, Callable[[Emitter, Number], Number]] = {
    "lgamma": lgamma, "digamma": digamma, **{f"polygamma_{n}": functools.partial(_polygamma, n) for n in _ORDERS},
}  # fmt: skip
