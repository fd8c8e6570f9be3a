"""Powers and roots, within 4 ulp."""

from __future__ import annotations

import math

from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import (
    FORMATS,
    exp,
    fma,
    log,
    logarithm,
    parted,
    polynomial,
    power_of_two,
    two_sum,
    with_poles,
)  # fmt: skip


def power(e: Emitter, x: Number, p: Number) -> Number:
    """xᵖ by exp(p·log |x|), the logarithm with bits to spare; a negative base goes with integers alone."""
    one = e.constant(1, x.type)
    y = _single_power(e, x, p) if x.type == "f4" else _double_power(e, x, p)
    whole = e.equal(e.rint(p), p)
    half = e.multiply(p, e.constant(0.5, p.type))
    odd = e.logical_and(whole, e.not_equal(e.rint(half), half))
    y = e.select(e.logical_and(e.signbit(x), odd), e.negative(y), y)
    no_value = e.logical_and(e.less(x, e.constant(0, x.type)), e.logical_not(whole))
    y = e.select(e.logical_and(no_value, e.isfinite(x)), e.constant(math.nan, x.type), y)
    y = e.select(e.logical_and(e.equal(e.absolute(x), one), e.isinf(p)), one, y)
    return e.select(e.logical_or(e.equal(p, e.constant(0, p.type)), e.equal(x, one)), one, y)


def _single_power(e: Emitter, x: Number, p: Number) -> Number:
    """|x|ᵖ, in double precision."""
    return e.cast(exp(e, e.multiply(e.cast(p, "f8"), log(e, e.absolute(e.cast(x, "f8"))))), "f4")


def _double_power(e: Emitter, x: Number, p: Number) -> Number:
    """|x|ᵖ, with the logarithm and its product with p in two parts each."""
    x = e.absolute(x)
    high, low = _precise_log(e, x)
    high = with_poles(e, high, x, 0.0)
    product = e.multiply(p, high)
    rest = fma(e, p, low, fma(e, p, high, e.negative(product)))
    inside = e.less(e.absolute(product), e.constant(1000, "f8"))
    return exp(e, product, e.select(inside, rest, e.constant(0, "f8")))


def _precise_log(e: Emitter, x: Number) -> tuple[Number, Number]:
    """log of a positive double in two parts, 2⁻⁶⁵ near: 2s + ⅔s³ in both, the rest of the series in one."""
    parts = logarithm(e, x)
    two = e.constant(2, "f8")
    whole = e.add(two, parts.f)
    lost = e.subtract(parts.f, e.subtract(whole, two))
    s = e.divide(parts.f, whole)
    s_low = e.divide(fma(e, e.negative(s), lost, fma(e, e.negative(s), whole, parts.f)), whole)
    z = e.multiply(s, s)
    z_low = fma(e, e.multiply(two, s), s_low, fma(e, s, s, e.negative(z)))
    cube = e.multiply(z, s)
    cube_low = e.add(fma(e, z, s, e.negative(cube)), e.add(e.multiply(z, s_low), e.multiply(z_low, s)))
    third = e.constant(2 / 3, "f8")
    term = e.multiply(cube, third)
    term_low = fma(e, cube, e.constant(2 / 3 * 2.0**-54, "f8"), fma(e, cube, third, e.negative(term)))
    term_low = fma(e, cube_low, third, term_low)
    series = e.multiply(e.multiply(cube, z), polynomial(e, z, [2 / n for n in range(5, 29, 2)]))
    ln2 = [e.multiply(parts.k, e.constant(part, "f8")) for part in FORMATS["f8"].ln2]
    low = e.add(series, e.add(term_low, fma(e, two, s_low, ln2[1])))
    high, error = two_sum(e, ln2[0], e.multiply(two, s))
    high, more = two_sum(e, high, term)
    return two_sum(e, high, e.add(e.add(error, more), low))


# roots ---------------------------------------------------------------------------------------------------------------


def hypot(e: Emitter, x: Number, y: Number) -> Number:
    """√(x² + y²): of singles in double precision, of doubles with both scaled where a square would leave the range."""
    both = e.logical_or(e.isinf(x), e.isinf(y))
    if x.type == "f4":
        a, b = e.cast(x, "f8"), e.cast(y, "f8")
        h = e.cast(e.sqrt(fma(e, a, a, e.square(b))), "f4")
    else:
        h = _double_hypot(e, e.absolute(x), e.absolute(y))
    return e.select(both, e.constant(math.inf, x.type), h)


def _double_hypot(e: Emitter, a: Number, b: Number) -> Number:
    one = e.constant(1, "f8")
    large = e.maximum(a, b)
    big, tiny = e.greater(large, e.constant(2.0**500, "f8")), e.less(large, e.constant(2.0**-500, "f8"))
    scale = e.select(big, e.constant(2.0**-600, "f8"), e.select(tiny, e.constant(2.0**600, "f8"), one))
    back = e.select(big, e.constant(2.0**600, "f8"), e.select(tiny, e.constant(2.0**-600, "f8"), one))
    a, b = e.multiply(a, scale), e.multiply(b, scale)
    return e.multiply(e.sqrt(fma(e, a, a, e.square(b))), back)


_GUESS = (0.55370591, 0.55366154, -0.10747671)  # of ∛m for √½ ≤ m < √2, to 10 bits


def cbrt(e: Emitter, x: Number) -> Number:
    """∛m·2^(j/3)·2ⁿ of |x| = m·2^(3n + j), j = -1, 0 or 1: a guess, and steps of Halley's, each of which triples its digits."""
    k, m = parted(e, e.absolute(x))
    place = e.cast(k, x.type)
    n = e.rint(e.multiply(place, e.constant(1 / 3, x.type)))
    j = e.subtract(place, e.multiply(n, e.constant(3, x.type)))
    zero = e.constant(0, x.type)
    below, above = e.less(j, zero), e.greater(j, zero)

    def by_j(*values: float) -> Number:
        low, middle, high = (e.constant(v, x.type) for v in values)
        return e.select(below, low, e.select(above, high, middle))

    y = e.multiply(polynomial(e, m, _GUESS), by_j(0.5 ** (1 / 3), 1, 2 ** (1 / 3)))
    m = e.multiply(m, by_j(0.5, 1, 2))
    for _ in range(1 if x.type == "f4" else 2):
        cube = e.multiply(e.square(y), y)
        below_it = e.add(e.add(cube, cube), m)
        y = fma(e, y, e.divide(e.subtract(m, cube), below_it), y)
    y = e.copysign(e.multiply(y, power_of_two(e, e.cast(n, k.type))), x)
    plain = e.logical_and(e.isfinite(x), e.not_equal(x, zero))
    return e.select(plain, y, x)


POWERS = {f.__name__: f for f in (power, hypot, cbrt)}
