"""Products of matrices, and of batches of them."""

from __future__ import annotations

from typing import Any

from autograph.arguments import shown
from autograph.backend.operands import tensor as as_operand
from autograph.backend.operands import tensors
from autograph.backend.sparse import is_sparse
from autograph.errors import ArgumentError
from autograph.functions import sparse
from autograph.graph.tensor import Tensor, as_tensor
from autograph.ops import contraction, movement

__all__ = ["batch_dot", "dot", "transpose"]


def dot(x: Any, y: Any) -> Tensor:
    """The sum of products over the last axis of `x` and the last but one of `y`: (2, 3, 4) · (6, 4, 5) → (2, 3, 6, 5).

    A vector has one axis to sum over. One of the two may be a sparse matrix; the result is dense. Raises ShapeError where
    the two sizes differ.
    """
    if is_sparse(x) or is_sparse(y):
        return sparse.dot(*[part if is_sparse(part) else as_operand(part) for part in (x, y)])
    return contraction.dot(*tensors(x, y))


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """For each sample (axis 0 of both) the sum of products over one axis of `x` and one of `y`.

    axes   the two axes, or one number for both. Without it: the last of `x`, and the last but one of `y` (the last, if
           `y` has rank 2)

    Shapes: (2, 3, 4, 5) · (2, 6, 4, 3) by (2, 2) → (2, 3, 5, 6, 3); what would be a vector becomes a column, (n, 1).
    Raises ShapeError below rank 2 or where sizes differ, ArgumentError for axis 0, or several axes of one tensor.
    """
    left, right = [as_tensor(operand) for operand in tensors(x, y)]
    if isinstance(axes, list | tuple) and any(isinstance(axis, list | tuple) for axis in axes):
        raise ArgumentError(f"batch_dot: axes={shown(axes)} sums over several axes of one tensor", fix="None, an axis, or a pair")
    product = contraction.batch_dot(left, right, axes)
    return product if product.ndim > 1 else movement.expand_dims(product, 1)


def transpose(x: Any) -> Any:
    """The axes of `x` in reverse: (a, b, c) → (c, b, a)."""
    return x.T if is_sparse(x) else movement.transpose(as_operand(x))
