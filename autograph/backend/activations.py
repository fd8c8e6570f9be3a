"""Nonlinearities of layers: each gives the shape of `x`."""

from __future__ import annotations

from numbers import Real
from typing import Any

from autograph.backend.operands import tensor
from autograph.functions import activations
from autograph.graph.tensor import Tensor
from autograph.ops import selection, special
from autograph.ops.comparison import greater
from autograph.ops.elementwise import expm1, multiply, subtract
from autograph.ops.elementwise import tanh as tanh_op

__all__ = ["elu", "hard_sigmoid", "relu", "sigmoid", "softmax", "softplus", "softsign", "tanh"]


def relu(x: Any, alpha: Any = 0.0, max_value: Any = None, threshold: Any = 0.0) -> Tensor:
    """x where x > threshold, and at most `max_value`; elsewhere alpha·(x - threshold). In the shape of `x`.

    With the defaults max(x, 0), whose gradient at 0 is 0; with `alpha` alone the gradient at 0 is `alpha`. Where
    there is a `max_value`, the part above the threshold is cut to [0, max_value].
    """
    values = tensor(x)
    leaks, shifted = not _is_zero(alpha), not _is_zero(threshold)
    if leaks and max_value is None and not shifted:
        return activations.leaky_relu(values, alpha)
    if shifted:
        above = selection.where(greater(values, threshold), values, 0)
    elif isinstance(max_value, Real) and max_value == 6:
        above, max_value = activations.relu6(values), None
    else:
        above = selection.relu(values)
    if max_value is not None:
        above = selection.clip(above, 0, max_value)
    return above - multiply(alpha, selection.relu(subtract(threshold, values) if shifted else -values)) if leaks else above


def _is_zero(number: Any) -> bool:
    return isinstance(number, Real) and number == 0


def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x where x > 0, else alpha·(eˣ - 1). In the shape of `x`; the gradient at 0 is `alpha`."""
    values = tensor(x)
    positive = values > 0
    return selection.where(positive, values, multiply(alpha, expm1(selection.where(positive, 0, values))))


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / Σ exp(x) along `axis`, without overflow. In the shape of `x`."""
    return activations.softmax(tensor(x), axis)


def softplus(x: Any) -> Tensor:
    """log(1 + eˣ), exact in both tails. In the shape of `x`."""
    return special.softplus(tensor(x))


def softsign(x: Any) -> Tensor:
    """x / (1 + |x|). In the shape of `x`."""
    return special.softsign(tensor(x))


def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e⁻ˣ), without overflow. In the shape of `x`."""
    return special.sigmoid(tensor(x))


def hard_sigmoid(x: Any) -> Tensor:
    """0.2·x + 0.5, cut to [0, 1]. In the shape of `x`; the gradient at both ends, ±2.5, is 0.2."""
    return selection.clip(0.2 * tensor(x) + 0.5, 0.0, 1.0)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent. In the shape of `x`."""
    return tanh_op(tensor(x))
