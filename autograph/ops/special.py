"""Special functions: error functions, the normal distribution, the gamma family, logistic functions, sinc.

The logistic functions are written so that they neither overflow nor cancel: they are exact at ±1000, relatively
accurate in both tails, and their derivatives of every order end in zeros there, not in NaN.
"""

from __future__ import annotations

import math
from typing import Any

from autograph.arguments import whole
from autograph.graph.op import Kind, Op, floating, register
from autograph.graph.tensor import Tensor, apply
from autograph.ops.comparison import equal, isinf, logical_and
from autograph.ops.define import elementwise, elementwise_type
from autograph.ops.elementwise import exp, log, log1p, mul_no_nan, scaled, square
from autograph.ops.finite import SINGULAR, singular
from autograph.ops.selection import minimum, where
from autograph.tensor_type import TensorType

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "lgamma", "log_sigmoid", "logaddexp", "ndtr", "ndtri", "polygamma", "sigmoid",
    "sinc", "softplus", "softsign", "xlog1py", "xlogy",
]  # fmt: skip

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2 * math.pi)

# error functions and the normal distribution -------------------------------------------------------------------------

erf    = elementwise("erf", "2/√π ∫₀ˣ exp(-t²) dt", operands=floating,
                     vjp=lambda g, y, x: (scaled(g, _TWO_OVER_SQRT_PI * exp(-square(x)), x),))
erfc   = elementwise("erfc", "1 - erf(x), without cancellation", operands=floating,
                     vjp=lambda g, y, x: (scaled(g, -_TWO_OVER_SQRT_PI * exp(-square(x)), x),))
erfinv = singular("erfinv", "The y with erf(y) = x; ±inf at ±1", operands=floating,
                  vjp=lambda g, y, x: (mul_no_nan(g, 1 / _TWO_OVER_SQRT_PI * exp(square(y))),))
ndtr   = elementwise("ndtr", "P(Z ≤ x) of a standard normal Z.", operands=floating,
                     vjp=lambda g, y, x: (scaled(g, 1 / _SQRT_2PI * exp(-0.5 * square(x)), x),))
ndtri  = singular("ndtri", "The y with ndtr(y) = x; ∓inf at 0 and 1", operands=floating,
                  vjp=lambda g, y, x: (mul_no_nan(g, _SQRT_2PI * exp(0.5 * square(y))),))

# the gamma family ----------------------------------------------------------------------------------------------------

digamma = singular("digamma", "ψ(x) = Γ′(x)/Γ(x)", operands=floating,
                   vjp=lambda g, y, x: (mul_no_nan(g, polygamma(1, x)),))
lgamma  = singular("lgamma", "log |Γ(x)|", operands=floating, vjp=lambda g, y, x: (mul_no_nan(g, digamma(x)),))

SINGULAR.add("polygamma")
_POLYGAMMA = register(Op(
    "polygamma",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, n: TensorType(x.dtype, x.shape),
    eval=lambda xp, x, n: xp.polygamma(n, x),
    vjp=lambda g, y, x, n: (mul_no_nan(g, polygamma(n + 1, x)),),
    operands=floating,
    doc="ψ⁽ⁿ⁾(x), the n-th derivative of digamma.",
))


def polygamma(n: Any, x: Any) -> Tensor:
    """ψ⁽ⁿ⁾(x), the `n`-th derivative of digamma. Raises ArgumentError unless n is a whole number ≥ 0."""
    order = whole(n, "polygamma: the order", 0)
    return apply(_POLYGAMMA, x, n=order) if order else digamma(x)


# logistic functions --------------------------------------------------------------------------------------------------

sigmoid     = elementwise("sigmoid", "1/(1 + e⁻ˣ)", operands=floating,
                          eval=lambda xp, x: xp.logistic(x), vjp=lambda g, y, x: (scaled(g, y * (1 - y), x),))
log_sigmoid = elementwise("log_sigmoid", "log(1/(1 + e⁻ˣ)), exact in both tails", operands=floating,
                          eval=lambda xp, x: xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x))),
                          vjp=lambda g, y, x: (scaled(g, sigmoid(-x), x),))
softplus    = elementwise("softplus", "log(1 + eˣ), exact in both tails", operands=floating,
                          eval=lambda xp, x: xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x))),
                          vjp=lambda g, y, x: (scaled(g, sigmoid(x), x),))
softsign    = elementwise("softsign", "x/(1 + |x|)", operands=floating, eval=lambda xp, x: x / (1 + xp.absolute(x)),
                          vjp=lambda g, y, x: (scaled(g, square(1 / (1 + abs(x))), x),))


def _logaddexp(xp: Any, a: Any, b: Any) -> Any:
    """max(a, b) + log(1 + exp(-|a - b|)); equal infinities have no difference."""
    return xp.maximum(a, b) + xp.log1p(xp.exp(-xp.absolute(xp.where(a == b, 0, a - b))))


def _logaddexp_vjp(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The share of each in eᵃ + eᵇ: a half each at (inf, inf), and none at (-inf, -inf), as logsumexp has it."""
    undefined = logical_and(isinf(a), equal(a, b))
    limit = minimum(a, 0)
    return scaled(g, sigmoid(where(undefined, limit, a - b)), y), scaled(g, sigmoid(where(undefined, limit, b - a)), y)


logaddexp = elementwise("logaddexp", "log(eᵃ + eᵇ) without overflow", inputs="a b", operands=floating, eval=_logaddexp,
                        vjp=_logaddexp_vjp)

# products with a logarithm -------------------------------------------------------------------------------------------

xlogy   = singular("xlogy", "a · log b, and 0 where a is 0 and b is not NaN", inputs="a b", operands=floating,
                   eval=lambda xp, a, b: xp.where(xp.logical_and(a == 0, xp.equal(b, b)), 0, a * xp.log(b)),
                   vjp=lambda g, y, a, b: (mul_no_nan(g, log(b)), mul_no_nan(g, mul_no_nan(a, 1 / b))))
xlog1py = singular("xlog1py", "a · log(1 + b), and 0 where a is 0 and b is not NaN", inputs="a b", operands=floating,
                   eval=lambda xp, a, b: xp.where(xp.logical_and(a == 0, xp.equal(b, b)), 0, a * xp.log1p(b)),
                   vjp=lambda g, y, a, b: (mul_no_nan(g, log1p(b)), mul_no_nan(g, mul_no_nan(a, 1 / (1 + b)))))

# sinc ----------------------------------------------------------------------------------------------------------------

_TERMS = 17  # of the series on [-1, 1]: π³⁴/34! < 1e-21


def _sinc(xp: Any, x: Any, order: int) -> Any:
    """The derivative of that order of f(x) = sin(πx)/(πx).

    Beyond 1 from x·f⁽ⁿ⁾ + n·f⁽ⁿ⁻¹⁾ = πⁿ⁻¹·sin(πx + nπ/2); within, where that cancels, from the series of f.
    """
    divisor = xp.where(x == 0, 1, x)
    f = xp.where(x == 0, 1, _sine_of_turns(xp, x, 0) / (math.pi * divisor))
    for n in range(1, order + 1):
        f = (math.pi ** (n - 1) * _sine_of_turns(xp, x, n) - n * f) / divisor
    return xp.where(xp.absolute(x) < 1, _sinc_series(x, order), f) if order else f


def _sine_of_turns(xp: Any, x: Any, quarters: int) -> Any:
    """sin(πx + quarters·π/2), its argument reduced exactly to [-π/2, π/2]."""
    turned = x - 2 * xp.rint(0.5 * x)  # in [-1, 1]
    turned = xp.absolute(turned) if quarters % 2 else turned
    r = (0.5 - turned) if quarters % 2 else xp.where(xp.absolute(turned) > 0.5, xp.copysign(1, turned) - turned, turned)
    sine = xp.sin(math.pi * r)
    return -sine if quarters % 4 > 1 else sine


def _sinc_series(x: Any, order: int) -> Any:
    """Σ (-1)ᵏ π²ᵏ x²ᵏ⁻ⁿ / ((2k + 1)·(2k - n)!) over k ≥ n/2."""
    first = (order + 1) // 2
    terms = [
        (-1) ** k * math.pi ** (2 * k) / ((2 * k + 1) * math.factorial(2 * k - order))
        for k in range(first, first + _TERMS)
    ]
    square_of_x, total = x * x, terms[-1]
    for term in reversed(terms[:-1]):
        total = total * square_of_x + term
    return total * x if order % 2 else total


def _sinc_vjp(g: Tensor, y: Tensor, x: Tensor, order: int) -> tuple[Tensor]:
    return (scaled(g, apply(_SINC, x, order=order + 1), x),)


_SINC = register(Op(
    "sinc",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, order: elementwise_type(x),
    eval=_sinc,
    vjp=_sinc_vjp,
    operands=floating,
    doc="The derivative of that order of sin(πx)/(πx), which is 1 at 0.",
))


def sinc(x: Any) -> Tensor:
    """sin(πx)/(πx), and 1 at 0; smooth there, with gradient 0."""
    return apply(_SINC, x, order=0)
