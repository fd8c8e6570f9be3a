"""Special functions on NumPy arrays: error functions, the normal distribution, the gamma family, stable sigmoids.

Each is called as a ufunc of one argument is: any shape, an ndarray for an ndarray and a scalar for rank 0, any real
dtype (integers give float64), never a warning. The hard ones are computed in float64 and rounded once, so that float16
and float32 are all but correctly rounded; the cheap ones are computed in the dtype given, float16 in float32.
Work goes block by block, so that temporaries stay in the cache.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

_BLOCK = 8192  # elements: a handful of float64 temporaries fit the second-level cache
LOG_PI = math.log(math.pi)
HALF_LOG_2PI = math.log(2 * math.pi) / 2
_SQRT_HALF = math.sqrt(0.5)

# The tables hold coefficients from the highest power down, for Horner's rule; a pair of them is a rational function.
# All were fitted at 60 digits to least squares of the relative error on Chebyshev nodes (rational ones linearised and
# reweighted by the last denominator), then rounded; every fit errs by less than an ulp or so of the result.

# fmt: off
# erf(x)/x in x², |x| ≤ 1/2
ERF = (
    1.4722699274400109e-06, -1.4845531998644718e-05, 0.00012053322205509779, -0.0008548297479645846,
    0.005223977369799816, -0.026866170632682117, 0.11283791670924707, -0.37612638903183465, 1.1283791670955126,
)
# erf(x)/x in x², |x| ≤ 4, as accurate as float32 needs
ERF_SHORT_P = (
    -1.361890822e-08, 4.7684050159e-06, 0.0003826560427, 0.0038530908327, 0.054369392421, 0.18505351494, 1.12837917,
)
ERF_SHORT_Q = (6.3907928006e-05, 0.0013124131456, 0.015479382527, 0.11396060979, 0.49733283898, 1.0)
# (1 + 2x)·exp(x²)·erfc(x) in (x - 4)/(x + 4), x ≥ 0
ERFCX = (
    -2.6563699346558087e-10, 9.285360163433012e-10, 3.1685899836320996e-09, -1.233190442946843e-08,
    -2.0560698495013622e-08, 1.0630172627358504e-07, 7.747437051029861e-08, -8.210423214250482e-07,
    2.91964541011768e-07, 5.706559151176362e-06, -1.1221278319978699e-05, -2.4397720594410568e-05,
    0.00015062148490279964, -0.00019925715624070578, -0.0007577732595149716, 0.005031970069954285,
    -0.016197734060211397, 0.037167515526222605, -0.06633036581213443, 0.09373283499912108, -0.10103906603630396,
    0.06809705425466811, 0.01537965210261969, -0.13962111684056228, 1.2329951186255526,
)
# quantile/q in 0.425² - q², where q = p - 1/2, |q| ≤ 0.425
CENTRE_P = (
    2468.9441643885407, 33014.172983070035, 66635.35253699483, 45611.95009423685, 13669.05985713371,
    1966.1728950133559, 132.97557677750285, 3.3871328727963665,
)
CENTRE_Q = (
    5150.707418754098, 28403.527934989055, 38971.52744576767, 21082.491390980576, 5371.535857524628,
    685.4400427186367, 42.26429479999348, 1.0,
)
# -quantile(exp(-r²)) in r - 1.6, 1.6 ≤ r ≤ 5
NEAR_P = (
    0.0007764015492098277, 0.022781375676651144, 0.24233225116238305, 1.2727382704757146, 3.6523345468438606,
    5.77357317537551, 4.63167785302957, 1.4234371107496835,
)
NEAR_Q = (
    1.0501893991226801e-09, 0.0005489065103278649, 0.015237258238897272, 0.14843582281466575, 0.6909200151676711,
    1.6781188720064018, 2.0541330148191586, 1.0,
)
# -quantile(exp(-r²)) in r - 5, 5 ≤ r ≤ 27.4: p down to the smallest subnormal
FAR_P = (
    1.9981910023744932e-07, 2.700561086458433e-05, 0.001239310932190174, 0.026485461450474916, 0.2962333431344927,
    1.7837082450997122, 5.462304175660249, 6.657904643501103,
)
FAR_Q = (
    2.007579539600894e-15, 1.4129252010744383e-07, 1.8389730613998537e-05, 0.0007848647882927617,
    0.014852167095328642, 0.13681102558162572, 0.5996098039257584, 1.0,
)
# log Γ(y) / ((y - 1)(y - 2)), 1/2 ≤ y ≤ 3
LGAMMA_P = (
    0.008847425184673186, 5.03691779009654, 172.6505888336822, 1644.790123322328, 5906.987710333269,
    8924.520015803553, 5786.086484242164, 1533.2899825819775, 140.87829939472286, 2.827059714525725,
)
LGAMMA_Q = (
    1.2543761049465412, 70.69815898824248, 1029.2138327055122, 5617.587191661655, 13205.884998623436,
    13981.630296931427, 6544.1379973776975, 1250.2091859431798, 80.12603125176364, 1.0,
)
# y·(log Γ(y) - (y - 1/2)·log y + y - log √(2π)) in 1/y², y ≥ 3
BINET = (
    0.26702332067840967, -0.21001386802869593, 0.08202660283370873, -0.02311529979357818, 0.006099711550255105,
    -0.001907192987959413, 0.0008415273933737332, -0.0005952352032865673, 0.0007936507741294842,
    -0.0027777777777257856, 0.08333333333333331,
)
# y·ψ(y) / (y - y₀), 1/2 ≤ y ≤ 3, where ψ(y₀) = 0
DIGAMMA_P = (
    3.455225113407335e-07, 0.00027811449069250674, 0.012709670733010856, 0.17300131884264036, 0.9516698072937663,
    2.299755917301326, 2.2960465745161858, 0.6841666718159054,
)
DIGAMMA_Q = (
    5.415389522175207e-05, 0.003577600370690461, 0.06496486065433242, 0.4680994327747336, 1.5012526877991033,
    2.0945931435939174, 1.0,
)
# y²·(log y - 1/(2y) - ψ(y)) in 1/y², y ≥ 3
DIGAMMA_LARGE = (
    4.2457192945317335, -3.271426462430812, 1.233628683384055, -0.3268704422894555, 0.07781944112303549,
    -0.020911417066388736, 0.00757186522804133, -0.004166616549968383, 0.003968253631177571, -0.008333333332437878,
    0.08333333333333294,
)
# fmt: on
DIGAMMA_ZERO = (1.4616321449683622, 9.549995429965697e-17)  # y₀, the sum of two float64

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def _apply(kernel: Callable[[Array], Array], least: type[np.floating[Any]], x: npt.ArrayLike) -> Any:
    """kernel(x), block by block, in x's dtype or `least`, the wider; the result in x's dtype."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"special functions are defined for real numbers, not {x.dtype}")
    result = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float64)
    source, target = x.reshape(-1), result.reshape(-1)
    working = np.result_type(result, least)
    with np.errstate(all="ignore"):
        for start in range(0, x.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            target[block] = kernel(source[block].astype(working))
    return result[()]


def _elementwise(least: type[np.floating[Any]]) -> Callable[[Callable[[Array], Array]], Callable[[npt.ArrayLike], Any]]:
    """A kernel on flat arrays of at least `least` → a function of arrays of any shape and real dtype."""

    def decorate(kernel: Callable[[Array], Array]) -> Callable[[npt.ArrayLike], Any]:
        @functools.wraps(kernel)
        def function(x: npt.ArrayLike) -> Any:
            return _apply(kernel, least, x)

        return function

    return decorate


def _polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Σ cₖ xᵏ by Horner's rule, the highest power first."""
    y = coefficients[0] * x
    for c in coefficients[1:-1]:
        y += c
        y *= x
    y += coefficients[-1]
    return y


def _rational(x: Array, numerator: tuple[float, ...], denominator: tuple[float, ...]) -> Array:
    """The quotient of two polynomials in x."""
    y = _polynomial(x, numerator)
    y /= _polynomial(x, denominator)
    return y


# --- error functions and the normal distribution ---


def _gaussian(x: Array, scale: float) -> Array:
    """exp(-scale·x²) for x ≥ 0 and scale a power of two, to an ulp: the rounding error of x² is put back."""
    square, head = x * x, x.astype(np.float32).astype(x.dtype)
    error = (head * head - square) + (x - head) * (x + head)
    y = np.exp(-scale * square)
    y -= y * (scale * error)
    return y


def _scaled_erfc(x: Array) -> Array:
    """exp(x²)·erfc(x) for finite x ≥ 0."""
    return _polynomial((x - 4) / (x + 4), ERFCX) / (1 + 2 * x)


def _normal_tail(x: Array) -> Array:
    """P(Z > |x|) for a standard normal Z."""
    x = np.minimum(np.abs(x), 40)
    return 0.5 * _gaussian(x, 0.5) * _scaled_erfc(_SQRT_HALF * x)


def _quantile(q: Array, tail: Array) -> Array:
    """The normal quantile of 1/2 + q, given also its nearer tail 1/2 - |q|, each exact where it is small."""
    y = q * _rational(0.425**2 - q * q, CENTRE_P, CENTRE_Q)
    i = np.flatnonzero(~(np.abs(q) <= 0.425))
    r = np.sqrt(-np.log(tail[i]))
    far = np.where(r < 5, _rational(r - 1.6, NEAR_P, NEAR_Q), _rational(r - 5, FAR_P, FAR_Q))
    y[i] = np.copysign(np.where(np.isinf(r), r, far), q[i])
    return y


def erf(x: npt.ArrayLike) -> Any:
    """2/√π ∫₀ˣ exp(-t²) dt, within 2 ulp."""
    short = np.asarray(x).dtype in (np.float16, np.float32)
    return _apply(_erf_short if short else _erf, np.float64, x)


def _erf(x: Array) -> Array:
    """erf(x): a polynomial near 0, 1 - erfc(|x|) with the sign of x from 1/2 on."""
    a = np.minimum(np.abs(x), 30)
    large = np.copysign(1 - _gaussian(a, 1) * _scaled_erfc(a), x)
    return np.where(a < 0.5, x * _polynomial(x * x, ERF), large)


def _erf_short(x: Array) -> Array:
    """erf(x) to 26 bits at a third of the price: one rational function up to |x| = 4, where float32 reaches 1."""
    x = np.clip(x, -4, 4)
    return x * _rational(x * x, ERF_SHORT_P, ERF_SHORT_Q)


@_elementwise(np.float64)
def erfc(x: Array) -> Array:
    """1 - erf(x) without cancellation, within 5 ulp down to the smallest subnormal."""
    a = np.minimum(np.abs(x), 30)
    tail = _gaussian(a, 1) * _scaled_erfc(a)
    return np.where(x < 0, 2 - tail, tail)


@_elementwise(np.float64)
def erfinv(x: Array) -> Array:
    """The y with erf(y) = x, within 8 ulp: ±inf at ±1, nan outside [-1, 1]."""
    return _SQRT_HALF * _quantile(0.5 * x, 0.5 - 0.5 * np.abs(x))


@_elementwise(np.float64)
def ndtr(x: Array) -> Array:
    """The standard normal distribution function, erfc(-x/√2)/2, within 5 ulp down to the smallest subnormal."""
    tail = _normal_tail(x)
    return np.where(x < 0, tail, 1 - tail)


@_elementwise(np.float64)
def log_ndtr(x: Array) -> Array:
    """log ndtr(x) within 6 ulp: -x²/2 + log(exp(x²/2)·ndtr(x)) left of 0, where ndtr may underflow."""
    a = np.minimum(np.abs(x), 1e200)
    left = np.log(0.5 * _scaled_erfc(_SQRT_HALF * a)) - 0.5 * a * a
    return np.where(x < 0, left, np.log1p(-_normal_tail(x)))


@_elementwise(np.float64)
def ndtri(p: Array) -> Array:
    """The x with ndtr(x) = p, within 6 ulp for every p > 0: -inf at 0, inf at 1, nan outside [0, 1]."""
    return _quantile(p - 0.5, np.minimum(p, 1 - p))


# --- the gamma family ---


def _cot_pi(x: Array) -> Array:
    """cot(πx), nan at integers: the argument is reduced exactly, and near 1/2 turned into a tangent."""
    r = x - np.rint(x)
    near_half = np.copysign(np.tan(math.pi * (0.5 - np.abs(r))), r)
    return np.where(np.abs(r) > 0.25, near_half, np.where(r == 0, np.nan, 1 / np.tan(math.pi * r)))


@_elementwise(np.float64)
def lgamma(x: Array) -> Array:
    """log |Γ(x)|, inf at the poles 0, -1, -2, … and at ±inf.

    For x ≥ 0 within 8 ulp, also near the zeros 1 and 2: by a rational function on [1/2, 3], shifted once below,
    and by Stirling's formula above. For x < 0 by reflection, log |Γ(x)| = log(π/|sin πx|) - log Γ(1 - x), whose
    zeros are met with an error of a few ulp of these two terms.
    """
    a = np.where(x < 0, 1 - x, x)
    log_a = np.log(a)
    y = np.where(a < 0.5, a + 1, a)
    small = (y - 1) * (y - 2) * _rational(y, LGAMMA_P, LGAMMA_Q) - np.where(a < 0.5, log_a, 0)
    large = (a - 0.5) * (log_a - 1) + (_polynomial(1 / (a * a), BINET) / a + (HALF_LOG_2PI - 0.5))
    result: Array = np.where(a < 3, small, large)
    if (i := np.flatnonzero(x < 0)).size:
        sine = np.sin(math.pi * (x[i] - np.rint(x[i])))
        result[i] = np.where(np.isinf(x[i]), np.inf, LOG_PI - np.log(np.abs(sine)) - result[i])
    return result


@_elementwise(np.float64)
def digamma(x: Array) -> Array:
    """ψ(x) = Γ'(x)/Γ(x), nan at the poles -1, -2, …, and ∓inf at ±0.

    For x > 0 within 6 ulp, also near the zero: by a rational function on [1/2, 3], shifted once below, and by the
    asymptotic series above. For x < 0 by reflection, ψ(x) = ψ(1 - x) - π·cot(πx), whose zeros are met with an
    error of a few ulp of the largest of 1 and these two terms.
    """
    a = np.where(x < 0, 1 - x, x)
    y = np.where(a < 0.5, a + 1, a)
    small = ((y - DIGAMMA_ZERO[0]) - DIGAMMA_ZERO[1]) * _rational(y, DIGAMMA_P, DIGAMMA_Q) / y
    small -= np.where(a < 0.5, 1 / a, 0)
    u = 1 / a
    large = np.log(a) - (0.5 * u + u * u * _polynomial(u * u, DIGAMMA_LARGE))
    result: Array = np.where(a < 3, small, large)
    if (i := np.flatnonzero(x < 0)).size:
        result[i] -= math.pi * _cot_pi(x[i])
    return result


def polygamma(n: int, x: npt.ArrayLike) -> Any:
    """ψ⁽ⁿ⁾(x), the n-th derivative of digamma, n ≥ 0: at the poles 0, -1, -2, … inf for odd n, nan for even n, but at
    ±0 the limit from its side.

    For x > 0 it is (-1)ⁿ⁺¹ n! ζ(n + 1, x), a sum without cancellation, within 6 ulp for n ≤ 8 and down to 1e-300. For
    x < 0 the sum of (x + k)⁻ⁿ⁻¹ over all integers k depends on x only modulo 1 and is taken near 0; for even n it has
    zeros near half-integers, met with an error of a few ulp of n!·2ⁿ. This must be finite: beyond n = 140 a value at
    x < 0 may be nan; at x > 0 orders up to 500 are good. Raises ValueError for negative n.
    """
    n = operator.index(n)
    if n < 0:
        raise ValueError(f"polygamma: the order must be 0 or more, not {n}")
    return digamma(x) if n == 0 else _apply(functools.partial(_polygamma, n), np.float64, x)


def _polygamma(n: int, x: Array) -> Array:
    """ψ⁽ⁿ⁾(x), n ≥ 1. Bases are divided by a power of two just below n!^(1/s): neither n! nor powers overflow."""
    s = n + 1
    exponent = int(math.log2(math.factorial(n)) / s)
    scale, sign = 2.0**exponent, 1 if n % 2 else -1
    zeta = _zeta(s, np.where(x < 0, 1 - x, x), scale)
    if (i := np.flatnonzero(x < 0)).size:
        r = x[i] - np.rint(x[i])
        others = _zeta(s, 1 + r, scale) + sign * (_zeta(s, 1 - r, scale) - zeta[i])
        zeta[i] = np.where(r == 0, np.inf if n % 2 else np.nan, (r / scale) ** -s + others)
    factor: float = sign * (math.factorial(n) / 2 ** (exponent * s))
    return factor * zeta


def _zeta(s: int, x: Array, scale: float) -> Array:
    """scaleˢ·Σ (x + k)⁻ˢ over k = 0, 1, …, for s ≥ 2 and x ≥ 0, by the Euler–Maclaurin formula from k = s + 6 on."""
    w = x + (s + 6)
    series = [math.prod(range(s, s + 2 * j - 1)) / math.factorial(2 * j) * b for j, b in enumerate(BERNOULLI, 1)]
    tail = _polynomial(1 / (w * w), (*reversed(series), 1 / (s - 1))) + 0.5 / w
    y = np.zeros_like(x)
    for k in range(-s - 5, 1):  # the small terms first; x - 0 keeps the sign of a zero
        y += ((x - k) / scale) ** -s
    y += scale * (w / scale) ** (1 - s) * tail
    return y


# --- sigmoids and what belongs to them: cheap, and computed in the dtype given ---


@_elementwise(np.float32)
def expit(x: Array) -> Array:
    """The logistic function 1/(1 + exp(-x)), within 3 ulp in both tails."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, e, 1) / (1 + e)
    return y


sigmoid = expit


@_elementwise(np.float32)
def log_sigmoid(x: Array) -> Array:
    """log expit(x) = min(x, 0) - log(1 + exp(-|x|)), within 3 ulp."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


@_elementwise(np.float32)
def softplus(x: Array) -> Array:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), within 3 ulp."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@_elementwise(np.float32)
def sinc(x: Array) -> Array:
    """sin(πx)/(πx), 1 at 0, exactly 0 at other integers, nan at ±inf; within 3 ulp: the argument is reduced exactly."""
    r = x - 2 * np.rint(0.5 * x)  # in [-1, 1], then folded into [-1/2, 1/2]
    r = np.where(np.abs(r) > 0.5, np.copysign(1, r) - r, r)
    return np.where(x == 0, 1, np.sin(math.pi * r) / (math.pi * x))


def logaddexp(a: npt.ArrayLike, b: npt.ArrayLike) -> Any:
    """log(exp(a) + exp(b)) = max(a, b) + log(1 + exp(-|a - b|)); equal infinities give themselves. Broadcasts."""
    with np.errstate(all="ignore"):
        return np.logaddexp(a, b)


def xlogy(x: Any, y: Any) -> Any:
    """x·log y, and 0 where x is 0 and y is not nan. Broadcasts; the dtype is that of x * np.log(y)."""
    with np.errstate(all="ignore"):
        return np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y))[()]
