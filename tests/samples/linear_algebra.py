"""Samples of diagonals and triangles, and of the inverse, the determinant, linear systems, Cholesky and QR factors."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import AxisError, ShapeError
from autograph.graph.tensor import placeholder
from autograph.ops.contraction import matmul, swap_last
from autograph.ops.diagonal import diag, diagonal, diagonal_of_square, trace, tril, triu
from autograph.ops.elementwise import sign
from autograph.ops.linear_algebra import cholesky, det, inv, qr, solve
from tests.samples.define import Array, Case, Sample, values
from tests.samples.indexing import line, op, table, value

many = hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4)
offsets = st.integers(-3, 3)
wide = placeholder((2, 3))
square = placeholder((3, 3))
singular = np.ones((2, 2))


@st.composite
def _diagonal(draw: st.DrawFn) -> Case:
    shape, offset = draw(many), draw(offsets)
    one, two = draw(st.permutations(range(len(shape))))[:2]
    one -= len(shape) * draw(st.booleans())
    build, reference = draw(st.sampled_from(((diagonal, np.diagonal), (trace, np.trace))))
    return Case(
        lambda x: build(x, offset, one, two), (draw(values(shape)),), lambda x: reference(x, offset, one, two), analytic=True
    )


@st.composite
def _undiagonal(draw: st.DrawFn) -> Case:
    shape, offset = draw(many), draw(offsets)
    one, two = draw(st.permutations(range(len(shape))))[:2]
    like = draw(values(shape))
    return Case(
        lambda g, like: op("undiagonal", g, like, offset=offset, axis1=one, axis2=two, square=False),
        (draw(values(np.diagonal(like, offset, one, two).shape)), like),
        lambda g, like: _laid(g, like.shape, offset, one, two),
        analytic=True,
    )


def _laid(g: Array, shape: tuple[int, ...], offset: int, one: int, two: int) -> Array:
    home = np.moveaxis(np.zeros(shape), (one, two), (-2, -1)).copy()
    for i in range(g.shape[-1]):
        home[..., i + max(-offset, 0), i + max(offset, 0)] = g[..., i]
    return np.moveaxis(home, (-2, -1), (one, two))


@st.composite
def _diag(draw: st.DrawFn) -> Case:
    x, offset = draw(values(draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)))), draw(offsets)
    side = x.shape[-1] + abs(offset)
    return Case(
        lambda x: diag(x, offset),
        (x,),
        lambda x: _laid(x, (*x.shape[:-1], side, side), offset, x.ndim - 1, x.ndim),
        lambda torch, x: torch.diag_embed(x, offset),
        analytic=True,
    )


def _triangle(name: str, function: Any, kept: Any) -> Sample:
    cases = st.tuples(many.flatmap(values), offsets).map(lambda drawn: Case(
        lambda x: function(x, drawn[1]),
        (drawn[0],),
        lambda x: np.where(kept(np.arange(x.shape[-1]), np.arange(x.shape[-2])[:, None] + drawn[1]), x, 0),
        lambda torch, x: getattr(torch, name)(x, drawn[1]),
        analytic=True,
    ))  # fmt: skip
    bad = tuple((lambda x=x: function(x), ShapeError) for x in (1.0, line, placeholder(())))
    return Sample(name, cases, bad)


# matrices ------------------------------------------------------------------------------------------------------------


@st.composite
def regular(draw: st.DrawFn, least: int = 0, most: int = 3) -> Array:
    """Well-conditioned matrices."""
    side = draw(st.integers(least, most))
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=1, min_side=0, max_side=2))
    return np.asarray(draw(values((*lead, side, side), -1, 1)) + 3 * np.eye(side))


def _by_permutations(x: Array) -> Array:
    """The determinant by Leibniz's formula."""
    side = x.shape[-1]
    total = np.zeros(x.shape[:-2])
    for order in permutations(range(side)):
        sign = round(np.linalg.det(np.eye(side)[list(order)])) if side else 1
        total = total + sign * np.prod([x[..., i, j] for i, j in enumerate(order)], axis=0)
    return total


def _minors(x: Array) -> Array:
    """The cofactors by determinants of minors."""
    result = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape[-2:]):
        minor = np.delete(np.delete(x, i, -2), j, -1)
        result[..., i, j] = (-1) ** (i + j) * _by_permutations(minor)
    return result


def _flat(x: Array) -> Array:
    """The same matrices with the last row a multiple of the first: singular from 2 rows on."""
    x = x.copy()
    if x.shape[-1] > 1:
        x[..., -1, :] = 2 * x[..., 0, :]
    return x


def _slopes(x: Array, g: Array) -> Array:
    """The slope of the cofactors along g, exact: they are polynomials of degree 2 at most for 3 rows."""
    return (_minors(x + g) - _minors(x - g)) / 2


def _factor(x: Array) -> Array:
    """Cholesky–Banachiewicz, row by row."""
    lower = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape[-2:]):
        rest = x[..., i, j] - np.sum(lower[..., i, :j] * lower[..., j, :j], axis=-1)
        if j <= i:
            lower[..., i, j] = np.sqrt(rest) if i == j else rest / lower[..., j, j]
    return lower


def _cholesky(x: Array) -> Case:
    """Of x·xᵀ + 1, since differences need a matrix that stays symmetric."""
    unit = np.eye(x.shape[-1])
    return Case(
        lambda x: cholesky(matmul(x, swap_last(x)) + unit), (x,), lambda x: _factor(x @ np.swapaxes(x, -1, -2) + unit)
    )


@st.composite
def _tall(draw: st.DrawFn) -> Array:
    """Matrices with well-conditioned columns, and up to two rows more than these."""
    x = draw(regular())
    return np.concatenate([x, draw(values((*x.shape[:-2], draw(st.integers(0, 2)), x.shape[-1]), -1, 1))], -2)


def _upright(x: Any) -> Any:
    """Q with the signs for which R's diagonal is positive."""
    q, r = qr(x)
    return q * sign(diagonal(r, 0, -2, -1)[..., None, :])


def _schmidt(x: Array) -> Array:
    """The modified Gram–Schmidt process."""
    q = x.copy()
    for j in range(x.shape[-1]):
        for i in range(j):
            q[..., j] -= np.sum(q[..., i] * q[..., j], -1, keepdims=True) * q[..., i]
        q[..., j] /= np.linalg.norm(q[..., j], axis=-1, keepdims=True)
    return q


@st.composite
def _solve(draw: st.DrawFn) -> Case:
    x = draw(regular(least=1))
    sides = draw(st.sampled_from(((x.shape[-1], 2), (x.shape[-1],), (2, x.shape[-1], 1))))
    if x.ndim == 3 and len(sides) == 3:
        sides = sides[1:]
    return Case(
        solve,
        (x, draw(values(sides))),
        lambda x, y: np.linalg.inv(x) @ y,
        lambda torch, x, y: torch.linalg.inv(x) @ y,
        analytic=True,
    )


_square_only = ((lambda: op("cofactor", wide), ShapeError), (lambda: op("cofactor", line), ShapeError),
                (lambda: op("cofactor", 1.0), ShapeError))  # fmt: skip

SAMPLES = (
    Sample("diagonal", _diagonal(), (
        (lambda: diagonal(line), AxisError),
        (lambda: diagonal(table, 0, 1, -1), AxisError),
        (lambda: trace(table, 0, 2, 0), AxisError),
        (lambda: diagonal_of_square(wide, 0, 1), ShapeError),
    )),
    Sample("undiagonal", _undiagonal(), tuple(
        (lambda g=g: op("undiagonal", g, wide, offset=0, axis1=0, axis2=1, square=False), ShapeError)
        for g in (placeholder((3,)), placeholder(()), wide)
    )),
    Sample("diag", _diag(), tuple((lambda x=x: diag(x), ShapeError) for x in (1.0, placeholder(()), True))),
    _triangle("tril", tril, np.less_equal),
    _triangle("triu", triu, np.greater_equal),
    Sample("inv", regular().map(
        lambda x: Case(inv, (x,), None, lambda torch, x: torch.linalg.inv(x), analytic=True)), (
        (lambda: inv(wide), ShapeError),
        (lambda: inv(line), ShapeError),
        (lambda: value(inv(singular)), np.linalg.LinAlgError),
        (lambda: value(inv(np.stack([np.eye(2), singular]))), np.linalg.LinAlgError),
    )),
    Sample("solve", _solve(), (
        (lambda: solve(square, line), ShapeError),
        (lambda: solve(wide, wide), ShapeError),
        (lambda: solve(square, 1.0), ShapeError),
        (lambda: value(solve(singular, singular)), np.linalg.LinAlgError),
    )),
    Sample("det", st.tuples(regular(), st.booleans()).map(
        lambda drawn: Case(det, (_flat(drawn[0]) if drawn[1] else drawn[0],), _by_permutations)), (
        (lambda: det(wide), ShapeError),
        (lambda: det(line), ShapeError),
        (lambda: det(1.0), ShapeError),
    )),
    Sample("cofactor", regular(3).map(lambda x: Case(lambda x: op("cofactor", x), (x,), _minors)), _square_only),
    Sample("cofactor_slope", regular(3).flatmap(lambda x: values(x.shape).map(
        lambda g: Case(lambda x, g: op("cofactor_slope", x, g), (x, g), _slopes))), (
        (lambda: op("cofactor_slope", wide, wide), ShapeError),
        (lambda: op("cofactor_slope", line, line), ShapeError),
        (lambda: op("cofactor_slope", 1.0, 1.0), ShapeError),
    )),
    Sample("orthonormal", _tall().map(lambda x: Case(_upright, (x,), _schmidt)), (
        (lambda: op("orthonormal", wide), ShapeError),
        (lambda: op("orthonormal", line), ShapeError),
        (lambda: qr(1.0), ShapeError),
    )),
    Sample("cholesky", regular().map(_cholesky), (
        (lambda: cholesky(wide), ShapeError),
        (lambda: cholesky(line), ShapeError),
        (lambda: value(cholesky(-np.eye(2))), np.linalg.LinAlgError),
    )),
)  # fmt: skip
