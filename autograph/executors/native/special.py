"""Special functions in double precision, with the polynomials of `arrays.special`: the error function and its kin.

The gamma family is in `gamma`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.arrays.special import CENTRE_P, CENTRE_Q, ERF, ERF_SHORT_P, ERF_SHORT_Q, ERFCX, FAR_P, FAR_Q, NEAR_P, NEAR_Q
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.gamma import GAMMA
from autograph.executors.native.mathlib import by_powers, exp, log


def _gaussian(e: Emitter, x: Number, scale: float) -> Number:
    """exp(-scale·x²) for x ≥ 0 and scale a power of two: the rounding error of x² is put back."""
    square, head = e.square(x), e.cast(e.cast(x, "f4"), "f8")
    tail = e.multiply(e.subtract(x, head), e.add(x, head))
    error = e.add(e.subtract(e.square(head), square), tail)
    y = exp(e, e.multiply(square, e.constant(-scale, "f8")))
    return e.subtract(y, e.multiply(y, e.multiply(error, e.constant(scale, "f8"))))


def _tail(e: Emitter, x: Number, scale: float, stretch: float) -> Number:
    """exp(-scale·x²) · exp(z²)·erfc(z) of z = stretch·|x|."""
    limit = e.constant(40, "f8")
    x = e.absolute(x)
    x = e.select(e.greater(x, limit), limit, x)
    z, four = e.multiply(x, e.constant(stretch, "f8")), e.constant(4, "f8")
    ratio = e.divide(e.subtract(z, four), e.add(z, four))
    below = e.add(e.constant(1, "f8"), e.multiply(e.constant(2, "f8"), z))
    return e.multiply(_gaussian(e, x, scale), e.divide(by_powers(e, ratio, ERFCX), below))


def _erf(e: Emitter, x: Number) -> Number:
    large = e.copysign(e.subtract(e.constant(1, "f8"), _tail(e, x, 1, 1)), x)
    small = e.multiply(x, by_powers(e, e.square(x), ERF))
    return e.select(e.less(e.absolute(x), e.constant(0.5, "f8")), small, large)


def _erf_of_single(e: Emitter, x: Number) -> Number:
    """One rational function up to |x| = 4, where single precision reaches 1."""
    four = e.constant(4, "f8")
    x = e.select(e.greater(e.absolute(x), four), e.copysign(four, x), x)
    square = e.square(x)
    return e.multiply(x, e.divide(by_powers(e, square, ERF_SHORT_P), by_powers(e, square, ERF_SHORT_Q)))


def erf(e: Emitter, x: Number) -> Number:
    return e.cast((_erf if x.type == "f8" else _erf_of_single)(e, e.cast(x, "f8")), x.type)


def erfc(e: Emitter, x: Number) -> Number:
    wide = e.cast(x, "f8")
    tail = _tail(e, wide, 1, 1)
    y = e.select(e.less(wide, e.constant(0, "f8")), e.subtract(e.constant(2, "f8"), tail), tail)
    return e.cast(y, x.type)


def ndtr(e: Emitter, x: Number) -> Number:
    wide = e.cast(x, "f8")
    tail = e.multiply(e.constant(0.5, "f8"), _tail(e, wide, 0.5, math.sqrt(0.5)))
    y = e.select(e.less(wide, e.constant(0, "f8")), tail, e.subtract(e.constant(1, "f8"), tail))
    return e.cast(y, x.type)


def _quantile(e: Emitter, q: Number, tail: Number) -> Number:
    """The normal quantile of 1/2 + q, given also its nearer tail 1/2 - |q|: one of three quotients, from the middle outwards."""
    central = e.less_equal(e.absolute(q), e.constant(0.425, "f8"))
    r = e.sqrt(e.negative(log(e, tail)))
    near = e.less(r, e.constant(5, "f8"))
    places = e.subtract(e.constant(0.425**2, "f8"), e.square(q)), *(e.subtract(r, e.constant(v, "f8")) for v in (1.6, 5))
    above, below = (
        e.select(central, by_powers(e, places[0], centre), e.select(near, by_powers(e, places[1], n), by_powers(e, places[2], f)))
        for centre, n, f in ((CENTRE_P, NEAR_P, FAR_P), (CENTRE_Q, NEAR_Q, FAR_Q))
    )
    ratio = e.divide(above, below)
    outside = e.copysign(e.select(e.isinf(r), r, ratio), q)
    return e.select(central, e.multiply(q, ratio), outside)


def erfinv(e: Emitter, x: Number) -> Number:
    wide, half = e.cast(x, "f8"), e.constant(0.5, "f8")
    y = _quantile(e, e.multiply(wide, half), e.subtract(half, e.multiply(e.absolute(wide), half)))
    return e.cast(e.multiply(y, e.constant(math.sqrt(0.5), "f8")), x.type)


def ndtri(e: Emitter, x: Number) -> Number:
    p = e.cast(x, "f8")
    q, rest = e.subtract(p, e.constant(0.5, "f8")), e.subtract(e.constant(1, "f8"), p)
    return e.cast(_quantile(e, q, e.select(e.less(rest, p), rest, p)), x.type)


SPECIAL: dict[str, Callable[..., Number]] = {
    "erf": erf, "erfc": erfc, "erfinv": erfinv, "ndtr": ndtr, "ndtri": ndtri, **GAMMA,
}  # fmt: skip


@functools.cache
def into(name: str) -> Callable[..., None]:
    """NumPy's form of one of these, with an `out`."""
    function = getattr(numpy_namespace, name)

    @functools.wraps(function)
    def written(*given: Any) -> None:
        *arguments, out = given
        np.copyto(out, function(*arguments))

    return written
