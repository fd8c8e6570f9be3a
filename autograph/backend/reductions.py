"""Reductions along axes: an integer, several, or None for all. With `keepdims` a reduced axis stays, of size 1."""

from __future__ import annotations

from typing import Any

from autograph.backend.operands import tensor
from autograph.functions import statistics
from autograph.graph.tensor import Tensor
from autograph.ops import cumulative, norms
from autograph.ops import reduction as ops
from autograph.ops.reduction import Axis

__all__ = ["all", "any", "argmax", "argmin", "cumprod", "cumsum", "max", "mean", "min", "prod", "std", "sum", "var"]


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The greatest element along `axis`: the shape of `x` without it. Equal ones share the gradient."""
    return ops.reduce_max(tensor(x), axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The least element along `axis`: the shape of `x` without it. Equal ones share the gradient."""
    return ops.reduce_min(tensor(x), axis, keepdims)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x along `axis`: the shape of `x` without it. Booleans are counted, as int64."""
    return ops.reduce_sum(tensor(x), axis, keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Π x along `axis`: the shape of `x` without it. The gradient is exact at zeros."""
    return ops.reduce_prod(tensor(x), axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ x / n along `axis`: the shape of `x` without it. Integers and booleans give floatx."""
    return ops.reduce_mean(tensor(x), axis, keepdims)


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Σ (x - mean x)² / n along `axis`: the shape of `x` without it. Integers and booleans give floatx."""
    return norms.reduce_var(tensor(x), axis, keepdims)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """√var(x) along `axis`: the shape of `x` without it. Where all elements are equal the gradient is 0."""
    return statistics.reduce_std(tensor(x), axis, keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether some element along `axis` is true, or not 0: booleans, in the shape of `x` without it."""
    return ops.reduce_any(tensor(x), axis, keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every element along `axis` is true, or not 0: booleans, in the shape of `x` without it."""
    return ops.reduce_all(tensor(x), axis, keepdims)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """The first position of the greatest element along `axis`: int64, in the shape of `x` without it."""
    return ops.argmax(tensor(x), axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """The first position of the least element along `axis`: int64, in the shape of `x` without it."""
    return ops.argmin(tensor(x), axis)


def cumsum(x: Any, axis: int = 0) -> Tensor:
    """x₀ + … + xᵢ along `axis`, in the shape of `x`."""
    return cumulative.cumsum(tensor(x), axis)


def cumprod(x: Any, axis: int = 0) -> Tensor:
    """x₀ · … · xᵢ along `axis`, in the shape of `x`. The gradient is exact at zeros."""
    return cumulative.cumprod(tensor(x), axis)
