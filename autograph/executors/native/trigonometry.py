"""Sines, tangents and their inverses, within 4 ulp: the series of fdlibm and of Cephes (Moshier 1989), without a branch.

An argument is reduced to x = n·π/2 + r, |r| ≤ π/4, by subtracting n times the parts of π/2 one after the other (Cody &
Waite 1980): each product is exact, or is rounded with the difference. What is too large for that goes to the C library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autograph.executors.native import mathlib
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import fma, polynomial


class _Series(NamedTuple):
    """Coefficients over x²: of (sin x - x)/x³, (cos x - 1 + ½x²)/x⁴, (atan x - x)/x³ and (asin x - x)/x³, P over Q."""

    sin: Sequence[float]
    cos: Sequence[float]
    atan: Sequence[float]
    asin: Sequence[float]
    asin_below: Sequence[float]
    largest: float  # up to which arguments of sines are reduced here
    half_pi: Sequence[float]  # π/2 in parts, all positive, so that from a zero none takes its sign


_SERIES = {
    "f4": _Series(
        (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4),
        (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5),
        (-3.33329491539e-1, 1.99777106478e-1, -1.38776856032e-1, 8.05374449538e-2),
        (1.6666752422e-1, 7.4953002686e-2, 4.5470025998e-2, 2.4181311049e-2, 4.2163199048e-2), (), 2.0**16,
        (1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15),
    ),
    "f8": _Series(
        (
            -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
            -2.50507602534068634195e-08, 1.58969099521155010221e-10,
        ),
        (
            4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05, -2.75573143513906633035e-07,
            2.08757232129817482790e-09, -1.13596475577881948265e-11,
        ),
        (
            -3.33333333333329318027e-01, 1.99999999998764832476e-01, -1.42857142725034663711e-01, 1.11111104054623557880e-01,
            -9.09088713343650656196e-02, 7.69187620504482999495e-02, -6.66107313738753120669e-02, 5.83357013379057348645e-02,
            -4.97687799461593236017e-02, 3.65315727442169155270e-02, -1.62858201153657823623e-02,
        ),
        (
            1.66666666666666657415e-01, -3.25565818622400915405e-01, 2.01212532134862925881e-01, -4.00555345006794114027e-02,
            7.91534994289814532176e-04, 3.47933107596021167570e-05,
        ),
        (1.0, -2.40339491173441421878e+00, 2.02094576023350569471e+00, -6.88283971605453293030e-01, 7.70381505559019352791e-02),
        2.0**20, (1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32),
    ),
}  # fmt: skip
# π/2 in parts of 33 bits, whose products with 20 bits are exact
_IN_SHORT = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)


# sines ---------------------------------------------------------------------------------------------------------------


class _Turned(NamedTuple):
    """sin r and cos r of x = n·π/2 + r, |r| ≤ π/4, and the last bits of n."""

    sin: Number
    cos: Number
    n: Number


def _turned(e: Emitter, x: Number) -> _Turned:
    exact = mathlib.exact_products()
    wide = x if exact or x.type == "f8" else e.cast(x, "f8")
    n, bits = mathlib.integer(e, wide, 2 / math.pi)
    for part in _SERIES[wide.type].half_pi if exact else _IN_SHORT:
        wide = fma(e, n, e.constant(-part, n.type), wide)
    return _Turned(*small_sines(e, e.cast(wide, x.type)), e.cast(bits, f"i{x.type[1]}"))


def small_sines(e: Emitter, r: Number) -> tuple[Number, Number]:
    """sin r and cos r for |r| ≤ π/4."""
    s, z = _SERIES[r.type], e.square(r)
    sin = e.copysign(fma(e, e.multiply(r, z), polynomial(e, z, s.sin), r), r)
    one, half = e.constant(1, r.type), e.multiply(z, e.constant(0.5, r.type))
    cos = e.subtract(one, half)
    lost = e.subtract(e.subtract(one, cos), half)
    return sin, e.add(cos, fma(e, e.square(z), polynomial(e, z, s.cos), lost))


def _of_turned(e: Emitter, x: Number, name: str) -> Number:
    """The sine or the cosine of r, by the last bit of n, and its sign by the bit before; of huge x the C library's."""
    t = _turned(e, x)
    one, zero = e.constant(1, t.n.type), e.constant(0, t.n.type)
    n = t.n if name == "sin" else e.add(t.n, one)
    y = e.select(e.equal(e.bitwise_and(n, one), zero), t.sin, t.cos)
    y = e.select(e.equal(e.bitwise_and(n, e.constant(2, n.type)), zero), y, e.negative(y))
    return _or_huge(e, x, y, name)


def _or_huge(e: Emitter, x: Number, y: Number, name: str) -> Number:
    huge = e.greater(e.absolute(x), e.constant(_SERIES[x.type].largest, x.type))
    return e.unless(huge, y, lambda: e.cast(e.by_lane(name, e.cast(x, "f8")), x.type))


def sin(e: Emitter, x: Number) -> Number:
    return _of_turned(e, x, "sin")


def cos(e: Emitter, x: Number) -> Number:
    return _of_turned(e, x, "cos")


def tan(e: Emitter, x: Number) -> Number:
    """sin r / cos r, or -cos r / sin r."""
    t = _turned(e, x)
    even = e.equal(e.bitwise_and(t.n, e.constant(1, t.n.type)), e.constant(0, t.n.type))
    y = e.divide(e.select(even, t.sin, e.negative(t.cos)), e.select(even, t.cos, t.sin))
    return _or_huge(e, x, y, "tan")


# their inverses ------------------------------------------------------------------------------------------------------


def _series_of_atan(e: Emitter, x: Number) -> Number:
    """atan x for |x| ≤ tan(π/8)."""
    z = e.square(x)
    return fma(e, e.multiply(x, z), polynomial(e, z, _SERIES[x.type].atan), x)


def _quarters(e: Emitter, n: Number, rest: Number) -> Number:
    """n·π/4 + rest, the smaller part of π/4 first."""
    high, low = (e.constant(part / 2, n.type) for part in _SERIES[n.type].half_pi[:2])
    return fma(e, n, high, fma(e, n, low, rest))


def arctan(e: Emitter, x: Number) -> Number:
    """Of a = |x| it is atan a, π/4 + atan((a - 1)/(a + 1)) or π/2 - atan(1/a)."""
    a, one = e.absolute(x), e.constant(1, x.type)
    middle = e.greater(a, e.constant(math.tan(math.pi / 8), x.type))
    large = e.greater(a, e.constant(math.tan(3 * math.pi / 8), x.type))
    above = e.select(large, e.constant(-1, x.type), e.select(middle, e.subtract(a, one), a))
    below = e.select(large, a, e.select(middle, e.add(a, one), one))
    n = e.select(large, e.constant(2, x.type), e.select(middle, one, e.constant(0, x.type)))
    return e.copysign(_quarters(e, n, _series_of_atan(e, e.divide(above, below))), x)


def arctan2(e: Emitter, y: Number, x: Number) -> Number:
    """The angle of the smaller of |x| and |y| over the larger, mirrored at the diagonal and at the axis of y."""
    a, b = e.absolute(x), e.absolute(y)
    zero, one, two, four = (e.constant(k, x.type) for k in (0, 1, 2, 4))
    steep = e.less(a, b)
    low, high = e.select(steep, a, b), e.select(steep, b, a)
    middle = e.logical_or(e.greater(low, e.multiply(high, e.constant(math.tan(math.pi / 8), x.type))), e.isinf(low))
    scale = e.select(e.greater(high, one), e.constant(0.25, x.type), one)  # so that their sum is finite
    u, v = e.multiply(low, scale), e.multiply(high, scale)
    ratio = e.divide(e.select(middle, e.subtract(u, v), low), e.select(middle, e.add(u, v), high))
    equal = e.equal(a, b)  # zeros and infinities have no ratio
    ratio = e.select(equal, zero, ratio)
    n = e.select(middle, one, zero)
    rest = _series_of_atan(e, ratio)
    n, rest = e.select(steep, e.subtract(two, n), n), e.select(steep, e.negative(rest), rest)
    left = e.signbit(x)
    n, rest = e.select(left, e.subtract(four, n), n), e.select(left, e.negative(rest), rest)
    angle = e.copysign(_quarters(e, n, rest), y)
    return e.select(e.compare("uno", x, y), e.constant(math.nan, x.type), angle)


def _asin(e: Emitter, x: Number) -> tuple[Number, Number]:
    """Whether |x| > ½, and asin |x|, or there asin √((1 - |x|)/2)."""
    s, a, half = _SERIES[x.type], e.absolute(x), e.constant(0.5, x.type)
    large = e.greater(a, half)
    z = e.select(large, e.multiply(e.subtract(e.constant(1, x.type), a), half), e.square(a))
    r = polynomial(e, z, s.asin)
    if s.asin_below:
        r = e.divide(r, polynomial(e, z, s.asin_below))
    root = e.select(large, e.sqrt(z), a)
    return large, fma(e, e.multiply(root, z), r, root)


def arcsin(e: Emitter, x: Number) -> Number:
    """asin |x|, or π/2 - 2·asin √((1 - |x|)/2), with the sign of x."""
    large, p = _asin(e, x)
    turned = _quarters(e, e.constant(2, x.type), e.multiply(p, e.constant(-2, x.type)))
    return e.copysign(e.select(large, turned, p), x)


def arccos(e: Emitter, x: Number) -> Number:
    """π/2 - asin x, or 2·asin √((1 - |x|)/2) to the right, and π less that to the left."""
    large, p = _asin(e, x)
    double = e.multiply(p, e.constant(2, x.type))
    left = e.signbit(x)
    n = e.select(large, e.select(left, e.constant(4, x.type), e.constant(0, x.type)), e.constant(2, x.type))
    rest = e.select(large, double, e.negative(p))
    return _quarters(e, n, e.select(left, e.negative(rest), rest))


TRIGONOMETRY = {f.__name__: f for f in (sin, cos, tan, arcsin, arccos, arctan, arctan2)}
