"""Functions of each element. All of them broadcast, and take tensors, numbers, lists and arrays."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy.typing as npt

from autograph.backend.operands import tensor, tensors
from autograph.graph.tensor import Tensor
from autograph.ops import comparison, norms, rounding, selection
from autograph.ops import elementwise as ops
from autograph.ops.reduction import Axis

__all__ = [
    "abs",
    "cast",
    "clip",
    "cos",
    "equal",
    "exp",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "maximum",
    "minimum",
    "not_equal",
    "pow",
    "round",
    "sign",
    "sin",
    "sqrt",
    "square",
]


def cast(x: Any, dtype: npt.DTypeLike) -> Tensor:
    """`x` converted to `dtype`, in the same shape; floats become integers by cutting towards zero."""
    return ops.cast(x, dtype)


def square(x: Any) -> Tensor:
    """x², in the shape of `x`."""
    return ops.square(tensor(x))


def abs(x: Any) -> Tensor:
    """|x|, in the shape of `x`; the gradient at 0 is 0."""
    return ops.abs(tensor(x))


def sqrt(x: Any) -> Tensor:
    """√max(x, 0), in the shape of `x`; the gradient is infinite at 0, and 0 below."""
    return ops.sqrt(selection.clip(tensor(x), 0, None))


def exp(x: Any) -> Tensor:
    """eˣ, in the shape of `x`."""
    return ops.exp(tensor(x))


def log(x: Any) -> Tensor:
    """The natural logarithm, in the shape of `x`; NaN below 0."""
    return ops.log(tensor(x))


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) along `axis` (all axes if None), without overflow; reduced axes have size 1 if `keepdims`."""
    return norms.logsumexp(tensor(x), axis, keepdims)


def round(x: Any) -> Tensor:
    """The nearest whole number, the even one of two; in the shape of `x`, with gradient 0."""
    return rounding.round(tensor(x))


def sign(x: Any) -> Tensor:
    """-1, 0 or 1, in the shape of `x`; the gradient is 0."""
    return ops.sign(tensor(x))


def pow(x: Any, a: Any) -> Tensor:
    """xᵃ, where `a` is a number or a tensor that broadcasts."""
    return ops.power(*tensors(x, a))


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """`x` cut to [min_value, max_value], in the shape of `x`; None is no bound. The gradient is 1 at the bounds.

    Of two numbers in the wrong order the first counts twice. Bounds may be tensors that broadcast.
    """
    if isinstance(min_value, Real) and isinstance(max_value, Real) and max_value < min_value:
        max_value = min_value
    return selection.clip(tensor(x), min_value, max_value)


def equal(x: Any, y: Any) -> Tensor:
    """x = y as booleans, in the shape to which both broadcast."""
    return comparison.equal(*tensors(x, y))


def not_equal(x: Any, y: Any) -> Tensor:
    """x ≠ y as booleans, in the shape to which both broadcast."""
    return comparison.not_equal(*tensors(x, y))


def greater(x: Any, y: Any) -> Tensor:
    """x > y as booleans, in the shape to which both broadcast."""
    return comparison.greater(*tensors(x, y))


def greater_equal(x: Any, y: Any) -> Tensor:
    """x ≥ y as booleans, in the shape to which both broadcast."""
    return comparison.greater_equal(*tensors(x, y))


def less(x: Any, y: Any) -> Tensor:
    """x < y as booleans, in the shape to which both broadcast."""
    return comparison.less(*tensors(x, y))


def less_equal(x: Any, y: Any) -> Tensor:
    """x ≤ y as booleans, in the shape to which both broadcast."""
    return comparison.less_equal(*tensors(x, y))


def maximum(x: Any, y: Any) -> Tensor:
    """The greater of each pair, in the shape to which both broadcast; where they are equal each gets half the gradient."""
    return selection.maximum(*tensors(x, y))


def minimum(x: Any, y: Any) -> Tensor:
    """The lesser of each pair, in the shape to which both broadcast; where they are equal each gets half the gradient."""
    return selection.minimum(*tensors(x, y))


def sin(x: Any) -> Tensor:
    """The sine, in the shape of `x`."""
    return ops.sin(tensor(x))


def cos(x: Any) -> Tensor:
    """The cosine, in the shape of `x`."""
    return ops.cos(tensor(x))
