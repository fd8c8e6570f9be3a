"""Elementary functions as polynomials without a branch, so that several elements go at once. All stay within 4 ulp.

The reductions are those of fdlibm (Sun Microsystems 1993; Ng, "Argument reduction for huge arguments", 1992): exp by x =
n·ln 2 + r and a series in r; log by x = m·2ᵏ, √½ ≤ m < √2, and a series in s = (m - 1)/(m + 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autograph.executors.native.compiler import features
from autograph.executors.native.emitter import Emitter, Number


class _Format(NamedTuple):
    """What a float format needs: bits of the fraction, bias of the exponent, ln 2 in two parts, the range of exp, series."""

    fraction: int
    bias: int
    ln2: tuple[float, float]  # the first has zeros at its end, so that its product with an exponent is exact
    range: tuple[float, float]  # below the first exp is 0, above the second infinite
    exp: Sequence[float]  # of (eʳ - 1 - r)/r², |r| ≤ ½·ln 2: where its error times r is least (Remez 1934)
    terms: int  # of the series of sinh and cosh
    log: Sequence[float]  # of (log m - 2s)/s over s²
    smallest: float  # the smallest normal number


FORMATS = {
    "f4": _Format(
        23, 127, (6.93138122558593750e-01, 9.05800061445916e-06), (-104.0, 89.0),
        (0.5, 0.16666542785217114, 0.041666281605599174, 0.008366611428699633, 0.0013946481133865962), 7,
        (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841), 2.0**-126,
    ),
    "f8": _Format(
        52, 1023, (6.93147180369123816490e-01, 1.90821492927058770002e-10), (-746.0, 710.0),
        (
            0.5000000000000006, 0.16666666666666682, 0.04166666666657294, 0.008333333333316414, 0.0013888888932577317,
            0.0001984126989903206, 2.4801504222185016e-05, 2.755723155339928e-06, 2.762641240294464e-07,
            2.5113328673039148e-08,
        ), 13,
        (
            6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
            1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
        ), 2.0**-1022,
    ),
}  # fmt: skip


def exact_products() -> bool:
    """Whether the processor rounds a·b + c once."""
    return bool(features() & {"fma", "neon"})


def fma(e: Emitter, a: Number, b: Number, c: Number) -> Number:
    """a·b + c, rounded once where the processor can."""
    if exact_products():
        return e.intrinsic("fma", a, b, c)
    return e.add(e.multiply(a, b), c)


def polynomial(e: Emitter, x: Number, coefficients: Sequence[float]) -> Number:
    """Σ cₖ·xᵏ by Horner's rule."""
    result = e.constant(coefficients[-1], x.type)
    for c in reversed(coefficients[:-1]):
        result = fma(e, result, x, e.constant(c, x.type))
    return result


def by_powers(e: Emitter, x: Number, coefficients: Sequence[float]) -> Number:
    """As `polynomial`, the highest power first."""
    return polynomial(e, x, coefficients[::-1])


def two_sum(e: Emitter, a: Number, b: Number) -> tuple[Number, Number]:
    """a + b, and what its rounding loses (Knuth 1969)."""
    total = e.add(a, b)
    part = e.subtract(total, a)
    return total, e.add(e.subtract(a, e.subtract(total, part)), e.subtract(b, part))


def power_of_two(e: Emitter, k: Number) -> Number:
    """2ᵏ, for an exponent of a normal number."""
    f = FORMATS[f"f{k.type[1]}"]
    return e.float_of_bits(e.shift("shl", e.add(k, e.constant(f.bias, k.type)), f.fraction))


def scaled(e: Emitter, x: Number, k: Number) -> Number:
    """x·2ᵏ in two steps, so that one rounding alone happens where the result is subnormal, or overflows."""
    half = e.shift("ashr", k, 1)
    return e.multiply(e.multiply(x, power_of_two(e, half)), power_of_two(e, e.subtract(k, half)))


def clamped(e: Emitter, x: Number, low: float, high: float) -> Number:
    """x within the range; a NaN stays."""
    for bound, beyond in ((low, e.less), (high, e.greater)):
        limit = e.constant(bound, x.type)
        x = e.select(beyond(x, limit), limit, x)
    return x


def integer(e: Emitter, x: Number, factor: float) -> tuple[Number, Number]:
    """The integer next to x·factor as a float and as an integer: by a sum whose last bit counts ones."""
    f = FORMATS[x.type]
    magic = e.constant(1.5 * 2.0**f.fraction, x.type)
    shifted = fma(e, x, e.constant(factor, x.type), magic)
    return e.subtract(shifted, magic), e.subtract(e.bits(shifted), e.bits(magic))


def powers_of_two(e: Emitter, x: Number, factor: float) -> tuple[Number, tuple[Number, Number]]:
    """The integer n next to x·factor, and two powers of two whose product is 2ⁿ: by sums whose last bits count ones, n's with
    twice the bias, that of about n/2 with the bias, so that what is left of each, shifted, is an exponent."""
    f = FORMATS[x.type]
    ends = [e.constant(1.5 * 2.0**f.fraction + times * f.bias, x.type) for times in (2, 1)]
    whole, half = (fma(e, x, e.constant(factor / k, x.type), end) for k, end in zip((1, 2), ends, strict=True))
    counts = e.bits(half), e.subtract(e.bits(whole), e.bits(half))
    first, second = (e.float_of_bits(e.shift("shl", count, f.fraction)) for count in counts)
    return e.subtract(whole, ends[0]), (first, second)


def _less(e: Emitter, x: Number, n: Number) -> Number:
    """x - n·ln 2."""
    for part in FORMATS[x.type].ln2:
        x = fma(e, n, e.constant(-part, x.type), x)
    return x


def reduced(e: Emitter, x: Number) -> tuple[Number, Number]:
    """k and r of x = k·ln 2 + r, |r| ≤ ½·ln 2."""
    n, k = integer(e, x, 1 / math.log(2))
    return k, _less(e, x, n)


def small_expm1(e: Emitter, r: Number) -> Number:
    """eʳ - 1 for |r| ≤ ½·ln 2."""
    return fma(e, e.multiply(r, r), polynomial(e, r, FORMATS[r.type].exp), r)


def _exponential(e: Emitter, r: Number, powers: tuple[Number, Number]) -> Number:
    """eʳ·2ⁿ for |r| ≤ ½·ln 2, by one power after the other, so that it is rounded once where it is subnormal, or overflows."""
    y = polynomial(e, r, (1, 1, *FORMATS[r.type].exp))
    for power in powers:
        y = e.multiply(y, power)
    return y


def exp(e: Emitter, x: Number, rest: Number | None = None) -> Number:
    """eˣ, or of x with what it lost by rounding."""
    x = clamped(e, x, *FORMATS[x.type].range)
    n, powers = powers_of_two(e, x, 1 / math.log(2))
    r = _less(e, x, n)
    return _exponential(e, r if rest is None else e.add(r, rest), powers)


def exp2(e: Emitter, x: Number) -> Number:
    """2ˣ: the integer next to x is the exponent."""
    f = FORMATS[x.type]
    x = clamped(e, x, f.range[0] / math.log(2) - 1, f.range[1] / math.log(2) + 1)
    n, powers = powers_of_two(e, x, 1.0)
    return _exponential(e, e.multiply(e.subtract(x, n), e.constant(math.log(2), x.type)), powers)


def expm1(e: Emitter, x: Number) -> Number:
    """2ᵏ·((eʳ - 1) + (1 - 2⁻ᵏ)): exact near 0, and the sign of x, also of its zero."""
    f = FORMATS[x.type]
    k, r = reduced(e, clamped(e, x, -(f.fraction + 3) * math.log(2), f.range[1]))
    back = e.negative(k)
    lowest = e.constant(-f.bias, k.type)
    rest = e.subtract(e.constant(1, x.type), power_of_two(e, e.maximum(back, lowest)))
    return e.copysign(scaled(e, e.add(small_expm1(e, r), rest), k), x)


class _Logarithm(NamedTuple):
    """log of x = m·2ᵏ in parts: f = m - 1, and s·(½f² + R) of log m = f - ½f² + s·(½f² + R)."""

    k: Number
    f: Number
    half: Number
    rest: Number


def split(e: Emitter, x: Number) -> tuple[Number, Number]:
    """k and m of a positive x = m·2ᵏ, √½ ≤ m < √2."""
    f = FORMATS[x.type]
    bits = e.bits(x)
    k = e.shift("ashr", e.subtract(bits, e.bits(e.constant(math.sqrt(0.5), x.type))), f.fraction)
    return k, e.float_of_bits(e.subtract(bits, e.shift("shl", k, f.fraction)))


def _series(e: Emitter, k: Number, f: Number) -> _Logarithm:
    s = e.divide(f, e.add(e.constant(2, f.type), f))
    z = e.multiply(s, s)
    r = e.multiply(z, polynomial(e, z, FORMATS[f.type].log))
    half = e.multiply(e.multiply(e.constant(0.5, f.type), f), f)
    return _Logarithm(e.cast(k, f.type), f, half, e.multiply(s, e.add(half, r)))


def parted(e: Emitter, x: Number) -> tuple[Number, Number]:
    """As `split`, of subnormal numbers too."""
    f = FORMATS[x.type]
    tiny = e.less(x, e.constant(f.smallest, x.type))
    up = f.fraction + 2
    k, m = split(e, e.select(tiny, e.multiply(x, e.constant(2.0**up, x.type)), x))
    return e.subtract(k, e.select(tiny, e.constant(up, k.type), e.constant(0, k.type))), m


def logarithm(e: Emitter, x: Number) -> _Logarithm:
    k, m = parted(e, x)
    return _series(e, k, e.subtract(m, e.constant(1, x.type)))


def _log_m(e: Emitter, parts: _Logarithm) -> Number:
    """log m."""
    return e.add(e.subtract(parts.rest, parts.half), parts.f)


def with_poles(e: Emitter, y: Number, x: Number, zero: float) -> Number:
    """y, but -∞ where x is `zero`, NaN below, and x itself where that is ∞ or NaN."""
    pole = e.constant(zero, x.type)
    y = e.select(e.less(x, e.constant(math.inf, x.type)), y, x)
    y = e.select(e.equal(x, pole), e.constant(-math.inf, x.type), y)
    return e.select(e.less(x, pole), e.constant(math.nan, x.type), y)


def log(e: Emitter, x: Number) -> Number:
    parts = logarithm(e, x)
    return with_poles(e, _joined(e, parts, parts.rest), x, 0.0)


def _joined(e: Emitter, parts: _Logarithm, rest: Number) -> Number:
    """k·ln 2 + log m, smallest parts first."""
    high, low = (e.constant(part, rest.type) for part in FORMATS[rest.type].ln2)
    y = e.add(e.subtract(fma(e, parts.k, low, rest), parts.half), parts.f)
    return fma(e, parts.k, high, y)


def log2(e: Emitter, x: Number) -> Number:
    """k + log m / ln 2: exact for powers of two."""
    parts = logarithm(e, x)
    return with_poles(e, fma(e, _log_m(e, parts), e.constant(1 / math.log(2), x.type), parts.k), x, 0.0)


def log10(e: Emitter, x: Number) -> Number:
    """(k·ln 2 + log m) / ln 10, with log₁₀ 2 in two parts."""
    parts = logarithm(e, x)
    high = math.floor(math.log10(2) * 2**12) / 2**12
    y = e.multiply(_log_m(e, parts), e.constant(1 / math.log(10), x.type))
    y = fma(e, parts.k, e.constant(math.log10(2) - high, x.type), y)
    return with_poles(e, fma(e, parts.k, e.constant(high, x.type), y), x, 0.0)


def log1p(e: Emitter, x: Number) -> Number:
    """As log of u = 1 + x, with what u lost by rounding, divided by u, added. Near 0, f is x itself."""
    one = e.constant(1, x.type)
    u = e.add(one, x)
    k, m = split(e, u)
    near = e.equal(k, e.constant(0, k.type))
    large = e.greater(k, e.constant(1, k.type))
    lost = e.select(large, e.subtract(one, e.subtract(u, x)), e.subtract(x, e.subtract(u, one)))
    parts = _series(e, k, e.select(near, x, e.subtract(m, one)))
    lost = e.select(near, e.constant(0, x.type), e.divide(lost, u))
    y = e.copysign(_joined(e, parts, e.add(parts.rest, lost)), x)
    return with_poles(e, y, x, -1.0)


ELEMENTARY = {f.__name__: f for f in (exp, exp2, expm1, log, log2, log10, log1p)}
