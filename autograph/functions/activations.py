"""Activations: the nonlinearities of layers. Those that are ops (relu, sigmoid, tanh …) are named here too."""

from __future__ import annotations

import math
from typing import Any

from autograph.graph.tensor import Tensor, as_tensor
from autograph.ops.barriers import stop_gradient
from autograph.ops.elementwise import cast, exp, expm1, log, multiply, tanh
from autograph.ops.reduction import reduce_max, reduce_sum
from autograph.ops.selection import clip, relu, where
from autograph.ops.special import ndtr, sigmoid, softplus, softsign
from autograph.tensor_type import float_dtype

__all__ = [
    "elu", "gelu", "gelu_tanh", "hard_sigmoid", "leaky_relu", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
    "silu", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def leaky_relu(x: Any, alpha: Any = 0.01) -> Tensor:
    """x where x > 0, else alpha·x; the gradient at 0 is alpha. `alpha` may be a tensor (PReLU)."""
    tensor = as_tensor(x)
    return where(tensor > 0, tensor, multiply(alpha, tensor))


def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6), with gradient 0 at both ends (Krizhevsky 2010)."""
    return _below(x, 6)


def _below(x: Any, top: float) -> Tensor:
    """min(relu(x), top), with gradient 0 at 0 and at `top`."""
    tensor = as_tensor(x)
    return where(tensor >= top, top, relu(tensor))


def hard_sigmoid(x: Any) -> Tensor:
    """0.2·x + 0.5 cut to [0, 1], as in Keras 2; the gradient is 0 at both ends, ±2.5."""
    return _below(0.2 * _floats(x) + 0.5, 1)


def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x where x ≥ 0, else alpha·(eˣ - 1); the gradient at 0 is 1 (Clevert, Unterthiner & Hochreiter 2016)."""
    tensor = _floats(x)
    positive = tensor >= 0
    return where(positive, tensor, multiply(alpha, expm1(where(positive, 0, tensor))))


def selu(x: Any) -> Tensor:
    """1.0507·elu(x, 1.6733), which keeps mean 0 and variance 1 from layer to layer (Klambauer et al. 2017)."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def gelu(x: Any) -> Tensor:
    """x·Φ(x), where Φ is the standard normal distribution function (Hendrycks & Gimpel 2016)."""
    tensor = _floats(x)
    return tensor * ndtr(tensor)


def gelu_tanh(x: Any) -> Tensor:
    """½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), the approximation to `gelu` of the same paper.

    Computed as x·sigmoid(2u), which is the same without cancellation on the left. Beyond ±30 the sigmoid is 0 or 1.
    """
    tensor = _floats(x)
    near = clip(tensor, -30, 30)
    return tensor * sigmoid(math.sqrt(8 / math.pi) * near * (1 + 0.044715 * (near * near)))


def silu(x: Any) -> Tensor:
    """x·sigmoid(x), also known as swish (Elfwing, Uchibe & Doya 2018)."""
    tensor = _floats(x)
    return tensor * sigmoid(tensor)


swish = silu


def mish(x: Any) -> Tensor:
    """x·tanh(softplus(x)) (Misra 2019)."""
    tensor = _floats(x)
    return tensor * tanh(softplus(tensor))


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / Σ exp(x) along `axis`, shifted by the maximum so that it cannot overflow.

    A row of -inf alone has no softmax: NaN. Raises AxisError for an axis that `x` does not have.
    """
    e = exp(_shifted(x, axis))
    return e / reduce_sum(e, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """x - log Σ exp(x) along `axis`, shifted by the maximum: exact where `softmax` would underflow.

    Raises AxisError for an axis that `x` does not have.
    """
    shifted = _shifted(x, axis)
    return shifted - log(reduce_sum(exp(shifted), axis=axis, keepdims=True))


def _shifted(x: Any, axis: int) -> Tensor:
    """x less its maximum along `axis`, which has no influence on what follows and so gets no gradient."""
    tensor = _floats(x)
    return tensor - stop_gradient(reduce_max(tensor, axis=axis, keepdims=True))


def _floats(x: Any) -> Tensor:
    """x as a tensor of floats."""
    tensor = as_tensor(x)
    return cast(tensor, float_dtype([tensor.type]))
