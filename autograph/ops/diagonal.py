"""Diagonals and triangles of matrices; where a tensor has more axes, of each matrix in it."""

from __future__ import annotations

from typing import Any

from autograph.arguments import whole
from autograph.errors import AxisError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.reduction import reduce_sum
from autograph.tensor_type import Size, TensorType, normalize_axis, shapes_agree, show_shape

__all__ = ["diag", "diagonal", "diagonal_of_square", "trace", "tril", "triu"]


def _diagonal_type(x: TensorType, offset: int, axis1: int, axis2: int, square: bool) -> TensorType:
    rows, columns = x.shape[axis1], x.shape[axis2]
    if square and not shapes_agree((rows,), (columns,)):
        raise ShapeError(f"axes {axis1} and {axis2} of {x} have no common diagonal: {rows} ≠ {columns}")
    size: Size = None
    if rows is not None and columns is not None:
        size = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return TensorType(x.dtype, (*[s for axis, s in enumerate(x.shape) if axis not in (axis1, axis2)], size))


def _undiagonal_type(g: TensorType, like: TensorType, **places: Any) -> TensorType:
    part = _diagonal_type(like, **places).shape
    if not shapes_agree(g.shape, part):
        raise ShapeError(f"{g} does not fit {show_shape(part)}, the diagonal of {like}")
    return TensorType(g.dtype, like.shape)


_DIAGONAL = register(Op(
    "diagonal",
    kind=Kind.MOVEMENT,
    infer=_diagonal_type,
    eval=lambda xp, x, offset, axis1, axis2, square: xp.diagonal(x, offset, axis1, axis2),
    vjp=lambda g, y, x, **places: (apply(_UNDIAGONAL, g, x, **places),),
    operands=as_given,
    doc="The elements at (i, i + offset) of two axes, along a new last axis: a view. `square` asks for equal sizes.",
))

_UNDIAGONAL: Op = register(Op(
    "undiagonal",
    kind=Kind.INDEXING,
    infer=_undiagonal_type,
    eval=lambda xp, g, like, offset, axis1, axis2, square: xp.undiagonal(g, like.shape, offset, axis1, axis2),
    vjp=lambda h, y, g, like, **places: (apply(_DIAGONAL, h, **places), None),
    operands=as_given,
    doc="Zeros of the shape of `like`, with g on the diagonal of two axes: the gradient of diagonal.",
))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The elements at (i, i + offset) of the axes `axis1` and `axis2`, along a new last axis, as `numpy.diagonal`.

    Raises AxisError for an absent axis, or one named twice.
    """
    tensor = as_tensor(x)
    one, two = normalize_axis(axis1, tensor), normalize_axis(axis2, tensor)
    if one == two:
        raise AxisError(f"diagonal: axes {axis1} and {axis2} are the same one of {tensor.describe()}", fix="name two")
    return apply(_DIAGONAL, tensor, offset=whole(offset, "the offset"), axis1=one, axis2=two, square=False)


def diagonal_of_square(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """The diagonal of two axes of equal size, counted from the front. Raises ShapeError where the sizes differ."""
    return apply(_DIAGONAL, x, offset=0, axis1=axis1, axis2=axis2, square=True)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal of two axes."""
    return reduce_sum(diagonal(x, offset, axis1, axis2), -1)


def _diag_type(x: TensorType, offset: int) -> TensorType:
    if not x.ndim:
        raise ShapeError(f"needs a vector, got {x}", fix="expand_dims(x, 0) makes one of a number")
    side = None if x.shape[-1] is None else x.shape[-1] + abs(offset)
    return TensorType(x.dtype, (*x.shape[:-1], side, side))


_DIAG = register(Op(
    "diag",
    kind=Kind.MOVEMENT,
    infer=_diag_type,
    eval=lambda xp, x, offset: xp.diag(x, offset),
    vjp=lambda g, y, x, offset: (diagonal(g, offset, -2, -1),),
    operands=as_given,
    doc="Square matrices with the last axis of x on the diagonal, and 0 elsewhere.",
))


def diag(x: Any, offset: int = 0) -> Tensor:
    """Square matrices with the last axis of `x` on their diagonal, 0 elsewhere: [a…, n] → [a…, m, m], m = n + |offset|.

    `diagonal` is the way back. Raises ShapeError for a number.
    """
    return apply(_DIAG, as_tensor(x), offset=whole(offset, "the offset"))


def _triangle_type(x: TensorType, k: int) -> TensorType:
    if x.ndim < 2:
        raise ShapeError(f"needs a matrix, got {x}", fix="diag makes one of a vector")
    return TensorType(x.dtype, x.shape)


_TRIL = register(Op(
    "tril",
    kind=Kind.MOVEMENT,
    infer=_triangle_type,
    eval=lambda xp, x, k: xp.tril(x, k),
    vjp=lambda g, y, x, k: (tril(g, k),),
    operands=as_given,
    doc="The lower triangle: the elements at or below diagonal k of the last two axes, 0 above.",
))

_TRIU = register(Op(
    "triu",
    kind=Kind.MOVEMENT,
    infer=_triangle_type,
    eval=lambda xp, x, k: xp.triu(x, k),
    vjp=lambda g, y, x, k: (triu(g, k),),
    operands=as_given,
    doc="The upper triangle: the elements at or above diagonal k of the last two axes, 0 below.",
))


def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes: what stands at or below diagonal `k`, 0 above. Raises ShapeError below rank 2."""
    return apply(_TRIL, as_tensor(x), k=whole(k, "k"))


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes: what stands at or above diagonal `k`, 0 below. Raises ShapeError below rank 2."""
    return apply(_TRIU, as_tensor(x), k=whole(k, "k"))
