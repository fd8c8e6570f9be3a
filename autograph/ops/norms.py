"""Deviations, the Euclidean norm and log-sum-exp: reductions whose plain formulas lose digits, overflow or divide by 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.graph.op import Kind, Op, floating, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.comparison import equal
from autograph.ops.define import same_type
from autograph.ops.reduction import Axes, Axis, reduce_sum, reduced_type, reduction, restored, shared
from autograph.ops.selection import where
from autograph.tensor_type import normalize_axes

__all__ = ["centered", "euclidean_norm", "logsumexp", "reduce_var", "softmax_weights"]


def _along(op: Op, x: Any, axis: Axis) -> Tensor:
    tensor = as_tensor(x)
    return apply(op, tensor, axis=normalize_axes(axis, tensor))


# deviations ----------------------------------------------------------------------------------------------------------

_CENTERED = register(Op(
    "centered",
    kind=Kind.SCAN,
    infer=lambda x, axis: same_type(x),
    eval=lambda xp, x, axis: xp.centered(x, axis),
    vjp=lambda g, y, x, axis: (centered(g, axis),),
    operands=floating,
    doc="x less its mean along `axis`: exactly 0 where all elements are equal, and exact under a large offset.",
))


def centered(x: Any, axis: Axis = None) -> Tensor:
    """`x` less its mean along `axis` (all axes if None): exactly 0 where all are equal, exact under a large offset."""
    return _along(_CENTERED, x, axis)


_VAR = register(Op(
    "var",
    kind=Kind.REDUCTION,
    infer=reduced_type,
    eval=lambda xp, x, axis, keepdims: xp.var(x, axis, keepdims),
    vjp=lambda g, y, x, axis, keepdims: (restored(shared(2 * g, x, axis), axis, keepdims) * centered(x, axis),),
    operands=floating,
    doc="Σ (x - mean x)² / n along `axis`, in two passes; integers give floatx.",
))


def reduce_var(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ (x - mean x)² / n along `axis` (all axes if None), in two passes; integers give floatx. NaN for nothing."""
    return reduction(_VAR, x, axis, keepdims)


# norms ---------------------------------------------------------------------------------------------------------------


def _norm_vjp(g: Tensor, y: Tensor, x: Tensor, axis: Axes, keepdims: bool) -> tuple[Tensor]:
    """x / ‖x‖, and 0 at the origin: of all slopes there the smallest, and nothing to any order."""
    length = restored(where(equal(y, 0), np.inf, y), axis, keepdims)
    return (restored(g, axis, keepdims) * (x / length),)


_NORM = register(Op(
    "norm",
    kind=Kind.REDUCTION,
    infer=reduced_type,
    eval=lambda xp, x, axis, keepdims: xp.norm(x, axis, keepdims),
    vjp=_norm_vjp,
    operands=floating,
    doc="√Σx² along `axis`, without overflow; its gradient is x/‖x‖, and 0 at the origin.",
))


def euclidean_norm(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """√Σx² along `axis` (all axes if None), without overflow or underflow; integers give floatx.

    The gradient is x/‖x‖, and 0 at the origin.
    """
    return reduction(_NORM, x, axis, keepdims)


# log-sum-exp ---------------------------------------------------------------------------------------------------------

_LOGSUMEXP = register(Op(
    "logsumexp",
    kind=Kind.REDUCTION,
    infer=reduced_type,
    eval=lambda xp, x, axis, keepdims: xp.logsumexp(x, axis, keepdims),
    vjp=lambda g, y, x, axis, keepdims: (restored(g, axis, keepdims) * softmax_weights(x, axis),),
    operands=floating,
    doc="log Σ exp(x) along `axis`, shifted by the maximum so that it cannot overflow.",
))


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) along `axis` (all axes if None), shifted by the maximum so that it cannot overflow.

    Its gradient is softmax(x). Where all are -inf, or nothing is there, the value is -inf and the gradient 0; where
    some are +inf, they share the gradient.
    """
    return reduction(_LOGSUMEXP, x, axis, keepdims)


def _weights_vjp(g: Tensor, y: Tensor, x: Tensor, axis: Axes) -> tuple[Tensor]:
    flow = g * y
    return (flow - y * reduce_sum(flow, axis, keepdims=True),)


_SOFTMAX_WEIGHTS = register(Op(
    "softmax_weights",
    kind=Kind.SCAN,
    infer=lambda x, axis: same_type(x),
    eval=lambda xp, x, axis: xp.softmax_weights(x, axis),
    vjp=_weights_vjp,
    operands=floating,
    doc="exp(x - logsumexp(x)) along `axis`: 0 where all are -inf, and shared among those that are +inf.",
))


def softmax_weights(x: Any, axis: Axis = None) -> Tensor:
    """exp(x - logsumexp(x)) along `axis`: the gradient of logsumexp.

    As softmax, but 0 where all are -inf (a fully masked row), and shared among those that are +inf.
    """
    return _along(_SOFTMAX_WEIGHTS, x, axis)
