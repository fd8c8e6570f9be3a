"""Inverse, determinant, linear systems, Cholesky and QR factors: of matrices, or of each matrix in a larger tensor.

A matrix without an answer raises `numpy.linalg.LinAlgError`, naming which one it is and its condition number.
"""

from __future__ import annotations

from typing import Any

from autograph.errors import ShapeError
from autograph.graph.op import Kind, Op, floating, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.contraction import matmul, swap_last
from autograph.ops.diagonal import trace, tril, triu
from autograph.ops.movement import expand_dims_at, squeeze_at
from autograph.ops.shape import size_of
from autograph.tensor_type import TensorType, broadcast_shapes, shapes_agree

__all__ = ["cholesky", "det", "inv", "qr", "solve"]


def _square(a: TensorType, *_: TensorType) -> TensorType:
    if a.ndim < 2 or not shapes_agree(a.shape[-2:-1], a.shape[-1:]):
        raise ShapeError(f"needs square matrices, got {a}", fix="give as many rows as columns, in the last two axes")
    return TensorType(a.dtype, a.shape)


def _solve_type(a: TensorType, b: TensorType) -> TensorType:
    _square(a)
    if b.ndim < 2 or not shapes_agree(a.shape[-1:], b.shape[-2:-1]):
        what = f"{b} has no right-hand sides for {a}: one row for each row of the matrix is needed"
        raise ShapeError(what, fix="expand_dims(b, -1) makes a column of a vector")
    return TensorType(a.dtype, (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]))


def _inv_gradient(g: Tensor, y: Tensor, a: Tensor) -> tuple[Tensor]:
    turned = swap_last(y)
    return (-matmul(matmul(turned, g), turned),)


def _solve_gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    to_b = apply(_SOLVE, swap_last(a), g)
    return -matmul(to_b, swap_last(y)), to_b


def _det_gradient(g: Tensor, y: Tensor, a: Tensor) -> tuple[Tensor]:
    return (expand_dims_at(g, (g.ndim, g.ndim + 1)) * apply(_COFACTOR, a),)


def _cofactor_slope_gradient(h: Tensor, y: Tensor, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """The third derivative of det, det(a)·Σ± over the orders of b·g and b·h, where b = a⁻¹: for regular matrices only."""
    b = inv(a)
    bg, bh = matmul(b, g), matmul(b, h)
    tg, th, tgh = (_matrix(trace(m, 0, -2, -1)) for m in (bg, bh, matmul(bg, bh)))
    ghb, hgb = matmul(matmul(bg, bh), b), matmul(matmul(bh, bg), b)
    slope = b * (tg * th - tgh) - matmul(bg, b) * th - matmul(bh, b) * tg + ghb + hgb
    return _matrix(det(a)) * swap_last(slope), apply(_COFACTOR_SLOPE, a, h)


def _matrix(x: Tensor) -> Tensor:
    """Numbers as matrices of one element."""
    return expand_dims_at(x, (x.ndim, x.ndim + 1))


def _cholesky_gradient(g: Tensor, y: Tensor, a: Tensor) -> tuple[Tensor]:
    """L⁻ᵀ Φ(LᵀG) L⁻¹ made symmetric, where Φ keeps the lower triangle and half of the diagonal (Murray 2016)."""
    turned = swap_last(y)
    product = matmul(turned, tril(g))
    half = 0.5 * (tril(product) + tril(product, -1))
    slope = apply(_SOLVE, turned, swap_last(apply(_SOLVE, turned, swap_last(half))))
    return (0.5 * (slope + swap_last(slope)),)


def _tall(a: TensorType) -> TensorType:
    rows, columns = a.shape[-2:] if a.ndim > 1 else (0, None)
    if a.ndim < 2 or (rows is not None and columns is not None and columns > rows):
        raise ShapeError(f"needs matrices with no more columns than rows, got {a}", fix="take the transpose, which is tall")
    return TensorType(a.dtype, a.shape)


def _orthonormal_gradient(g: Tensor, y: Tensor, a: Tensor) -> tuple[Tensor]:
    """(G + Q·S)·R⁻ᵀ, where S has the lower triangle of −Gᵀ·Q on both sides of its diagonal (Walter & Lehmann 2010)."""
    product = -matmul(swap_last(g), y)
    mirrored = tril(product) + swap_last(tril(product, -1))
    r = triu(matmul(swap_last(y), a))
    return (swap_last(apply(_SOLVE, r, swap_last(g + matmul(y, mirrored)))),)


_INV = register(Op(
    "inv",
    kind=Kind.CONTRACTION,
    infer=_square,
    eval=lambda xp, a: xp.inv(a),
    vjp=_inv_gradient,
    operands=floating,
    raises=True,
    doc="The inverse of square matrices.",
))

_SOLVE = register(Op(
    "solve",
    kind=Kind.CONTRACTION,
    infer=_solve_type,
    eval=lambda xp, a, b: xp.solve(a, b),
    vjp=_solve_gradient,
    operands=floating,
    raises=True,
    doc="x where a·x = b; leading axes broadcast.",
))

_DET = register(Op(
    "det",
    kind=Kind.CONTRACTION,
    infer=lambda a: TensorType(a.dtype, _square(a).shape[:-2]),
    eval=lambda xp, a: xp.det(a),
    vjp=_det_gradient,
    operands=floating,
    doc="The determinant of square matrices.",
))

_COFACTOR = register(Op(
    "cofactor",
    kind=Kind.CONTRACTION,
    infer=_square,
    eval=lambda xp, a: xp.cofactor(a),
    vjp=lambda g, y, a: (apply(_COFACTOR_SLOPE, a, g),),
    operands=floating,
    raises=True,
    doc="The cofactors of square matrices, singular ones too: ∂det/∂a.",
))

_COFACTOR_SLOPE: Op = register(Op(
    "cofactor_slope",
    kind=Kind.CONTRACTION,
    infer=_square,
    eval=lambda xp, a, g: xp.cofactor_slope(a, g),
    vjp=_cofactor_slope_gradient,
    operands=floating,
    raises=True,
    doc="Σ g·∂cofactor/∂a.",
))

_CHOLESKY = register(Op(
    "cholesky",
    kind=Kind.CONTRACTION,
    infer=_square,
    eval=lambda xp, a: xp.cholesky(a),
    vjp=_cholesky_gradient,
    operands=floating,
    raises=True,
    doc="The lower triangle L with L·Lᵀ = a, from the lower triangle of a.",
))

_ORTHONORMAL = register(Op(
    "orthonormal",
    kind=Kind.CONTRACTION,
    infer=_tall,
    eval=lambda xp, a: xp.orthonormal(a),
    vjp=_orthonormal_gradient,
    operands=floating,
    raises=True,
    doc="Q of a = Q·R: orthonormal columns, of which the first k span what the first k of a do.",
))


def inv(a: Any) -> Tensor:
    """The inverse of square matrices. Raises LinAlgError when one is singular, ShapeError unless they are square."""
    return apply(_INV, as_tensor(a))


def solve(a: Any, b: Any) -> Tensor:
    """x where a·x = b: [a…, n, n], [a…, n, k] → [a…, n, k]; leading axes broadcast, and `b` may be a vector [n].

    Raises LinAlgError when a matrix is singular, ShapeError where the sizes do not fit.
    """
    matrices, sides = as_tensor(a), as_tensor(b)
    if sides.ndim != 1:
        return apply(_SOLVE, matrices, sides)
    solution = apply(_SOLVE, matrices, expand_dims_at(sides, (1,)))
    return squeeze_at(solution, (solution.ndim - 1,))


def det(a: Any) -> Tensor:
    """The determinant of square matrices: [a…, n, n] → [a…]. Its gradient, the cofactors, is right for singular ones too.

    Raises ShapeError unless the matrices are square.
    """
    return apply(_DET, as_tensor(a))


def cholesky(a: Any) -> Tensor:
    """The lower triangle L with L·Lᵀ = a, for symmetric positive definite matrices; only their lower triangle is read.

    The gradient is symmetric. Raises LinAlgError unless a matrix is positive definite, ShapeError unless square.
    """
    return apply(_CHOLESKY, as_tensor(a))


def qr(a: Any) -> tuple[Tensor, Tensor]:
    """Q and R with a = Q·R, where Q has orthonormal columns and R is 0 below its diagonal: of [a…, m, n], with k the
    lesser of m and n, [a…, m, k] and [a…, k, n]. Signs are those of LAPACK, so that R's diagonal may be negative.

    Gradients flow where the first k columns are independent; where R is singular theirs raises LinAlgError. Raises
    ShapeError below two axes.
    """
    matrices = as_tensor(a)
    q = apply(_ORTHONORMAL, _leading(matrices))
    return q, triu(matmul(swap_last(q), matrices))


def _leading(a: Tensor) -> Tensor:
    """The first columns, as many as there are rows at most."""
    if a.ndim < 2:
        raise ShapeError(f"qr: needs matrices, got {a.describe()}", fix="expand_dims(x, 1) makes a column of a vector")
    rows, columns = a.shape[-2:]
    if rows is not None and columns is not None:
        return a if columns <= rows else a[..., :rows]
    return a[..., : size_of(a, -2)]
