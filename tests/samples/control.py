"""Samples of ops that hold a graph, and of what Jacobians are made with."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autograph import less, placeholder, reduce_sum, sin, stop_gradient
from autograph.control import iterate, map_rows
from autograph.derivatives import basis_like
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from autograph.graph.tensor import Tensor
from tests.samples.define import Array, Case, Sample, values


def _by_row(rows: Tensor, w: Tensor) -> Tensor:
    row = placeholder(rows.shape[1:], dtype=rows.dtype)
    return map_rows(sin(row * w) + reduce_sum(row), row, rows)


def _each_row(rows: Array, w: Array) -> Array:
    out = np.zeros((len(rows), *w.shape))
    for i, row in enumerate(rows):
        out[i] = np.sin(row * w) + row.sum()
    return out


def _torch_rows(torch: Any, rows: Any, w: Any) -> Any:
    return torch.stack([torch.sin(row * w) + row.sum() for row in rows]) if len(rows) else torch.zeros((0, *w.shape))


@st.composite
def _rows(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    count = draw(st.integers(1, 4))
    return Case(_by_row, (draw(values((count, *shape))), draw(values(shape))), _each_row, _torch_rows, analytic=True)


def _growing(x: Tensor, w: Tensor) -> Tensor:
    return stop_gradient(iterate(lambda y: y * 2 + sin(w), x, lambda y: less(reduce_sum(y), 9), 5))


def _grown(x: Array, w: Array) -> Array:
    for _ in range(5):
        if not x.sum() < 9:
            break
        x = x * 2 + np.sin(w)
    return x


@st.composite
def _growths(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    return Case(_growing, (draw(values(shape)), draw(values(shape))), _grown)


@st.composite
def _shapes(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return Case(basis_like, (draw(values(shape)),), lambda x: np.eye(x.size).reshape(x.size, *x.shape))


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "map_rows",
        _rows(),
        (
            (lambda: _by_row(placeholder((2, 3)), placeholder((4,))), ShapeError),
            (lambda: map_rows(placeholder((3,)), placeholder((3,)), placeholder(())), ShapeError),
            (lambda: _by_row(placeholder((2, 3, 5)), placeholder((2, 5))), ShapeError),
        ),
    ),
    Sample(
        "iterate",
        _growths(),
        (
            (lambda: iterate(lambda y: y[:2], placeholder((3,)), lambda y: y[0] > 0, 5), ShapeError),
            (lambda: iterate(lambda y: y > 0, placeholder(()), lambda y: y > 0, 5), DTypeError),
            (lambda: iterate(lambda y: y + 1, placeholder((3,)), lambda y: y > 0, 5), ShapeError),
            (lambda: iterate(lambda y: y + 1, placeholder(()), lambda y: y, 5), DTypeError),
            (lambda: iterate(lambda y: y + 1, placeholder(()), lambda y: y > 0, -1), ArgumentError),
        ),
        differentiable=False,
    ),
    Sample(
        "basis_like",
        _shapes(),
        (
            (lambda: basis_like(None), ArgumentTypeError),
            (lambda: basis_like("x"), ArgumentTypeError),
            (lambda: basis_like([object()]), ArgumentTypeError),
        ),
        differentiable=False,
    ),
)
