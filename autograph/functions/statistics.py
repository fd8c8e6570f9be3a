"""Statistics made of reductions: deviations, norms, counts."""

from __future__ import annotations

import math
from typing import Any

from autograph.arguments import shown
from autograph.errors import ArgumentError
from autograph.graph.tensor import Constant, Tensor, as_tensor
from autograph.ops.comparison import not_equal
from autograph.ops.elementwise import abs, cast, sqrt
from autograph.ops.norms import centered, euclidean_norm, reduce_var
from autograph.ops.reduction import Axis, reduce_max, reduce_mean, reduce_min, reduce_sum
from autograph.ops.shape import size_of
from autograph.tensor_type import normalize_axes

__all__ = ["count_nonzero", "moments", "norm", "reduce_std"]


def reduce_std(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """√(Σ (x - mean x)² / n) along `axis` (all axes if None); integers give floatx. NaN for nothing.

    Where all elements are equal, it is 0 and so is its gradient: a constant feature disturbs no normalisation.
    """
    tensor = as_tensor(x)
    axes = normalize_axes(axis, tensor)
    deviation = euclidean_norm(centered(tensor, axes), axes, keepdims)
    count = size_of(tensor, axes)
    if isinstance(count, Constant):
        n = int(count.value)
        return deviation / (math.sqrt(n) if n else math.nan)
    return deviation / cast(sqrt(cast(count, "float64")), deviation.dtype)


def moments(x: Any, axis: Axis = None, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The mean and the variance along `axis` (all axes if None)."""
    return reduce_mean(x, axis, keepdims), reduce_var(x, axis, keepdims)


def norm(x: Any, ord: Any = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The norm of the elements along `axis` (all axes if None), as of one vector.

        ord 2     √Σx², without overflow; gradient 0 at the origin
        ord 1     Σ|x|
        ord ±inf  the largest or smallest |x|

    Raises ArgumentError for another `ord`, ShapeError for ±inf along an axis of size 0.
    """
    order = ord if isinstance(ord, int | float) else None
    if order == 2:
        return euclidean_norm(x, axis, keepdims)
    if order == 1:
        return reduce_sum(abs(x), axis, keepdims)
    if order in (math.inf, -math.inf):
        return (reduce_max if order > 0 else reduce_min)(abs(x), axis, keepdims)
    raise ArgumentError(f"norm: ord {shown(ord)} is unknown", fix="choose 1, 2 or ±inf; reduce_sum(abs(x)**p)**(1/p) for others")


def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements along `axis` (all axes if None) are not 0, as int64; a NaN is not 0."""
    return reduce_sum(not_equal(x, 0), axis, keepdims)
