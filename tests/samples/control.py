"""Samples of ops that hold a graph, and of what Jacobians are made with."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autograph import cond, less, placeholder, reduce_sum, sin, stop_gradient, while_loop
from autograph.control import iterate, map_rows
from autograph.derivatives import basis_like
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from autograph.graph.tensor import Tensor
from autograph.scan import scan
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


def _forward(h: Tensor, x: Tensor, w: Tensor) -> Tensor:
    last, outputs = scan(lambda h, e: (sin(h * w) + e, h * e), h, x)
    return last + reduce_sum(outputs, 0)


def _backward(h: Tensor, x: Tensor, w: Tensor) -> Tensor:
    (last, _), outputs = scan(lambda s, e: ((s[0] * w + sin(e), s[1] + 1), s[0] * s[0]), (h, 0), x, reverse=True)
    return last * reduce_sum(outputs, 0)


def _stepped(h: Any, x: Any, w: Any, sin: Any) -> Any:
    total = h * 0
    for e in x:
        total = total + h * e
        h = sin(h * w) + e
    return h + total


def _stepped_back(h: Any, x: Any, w: Any, sin: Any) -> Any:
    total = h * 0
    for t in reversed(range(len(x))):
        total = total + h * h
        h = h * w + sin(x[t])
    return h * total


@st.composite
def _scans(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    arrays = (draw(values(shape)), draw(values((draw(st.integers(0, 4)), *shape))), draw(values(shape)))
    build, plain = draw(st.sampled_from(((_forward, _stepped), (_backward, _stepped_back))))
    reference, oracle = (lambda h, x, w: plain(h, x, w, np.sin)), (lambda torch, h, x, w: plain(h, x, w, torch.sin))
    return Case(build, arrays, reference, oracle, analytic=True)


def _halved(x: Tensor, w: Tensor) -> Tensor:
    return while_loop(lambda s: reduce_sum(s[0] * s[0]) > 0.5, lambda s: (s[0] * sin(w) * 0.5, s[1] + s[0]), (x, x))[1]


def _halved_plain(x: Any, w: Any, sin: Any) -> Any:
    total = x
    while (x * x).sum() > 0.5:
        x, total = x * sin(w) * 0.5, total + x
    return total


@st.composite
def _loops(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    reference, oracle = (lambda x, w: _halved_plain(x, w, np.sin)), (lambda torch, x, w: _halved_plain(x, w, torch.sin))
    return Case(_halved, (draw(values(shape)), draw(values(shape))), reference, oracle, smooth=False)


def _either(x: Tensor, w: Tensor) -> Tensor:
    return cond(reduce_sum(x) > 0, lambda: sin(x) * w, lambda: x * x)


@st.composite
def _choices(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    return Case(
        _either,
        (draw(values(shape, away_from=(0.0,))), draw(values(shape))),
        lambda x, w: np.sin(x) * w if x.sum() > 0 else x * x,
        lambda torch, x, w: torch.sin(x) * w if x.sum() > 0 else x * x,
        smooth=False,
    )


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
        "scan",
        _scans(),
        (
            (lambda: scan(lambda h, e: (h > 0, None), placeholder((3,)), placeholder((2, 3))), DTypeError),
            (lambda: scan(lambda h, e: (h[:2], None), placeholder((3,)), placeholder((2, 3))), ShapeError),
            (lambda: scan(lambda h, e: (h, None), placeholder((3,)), (placeholder((2,)), placeholder((3,)))), ShapeError),
            (lambda: scan(lambda h, e: (h, None), placeholder((3,)), placeholder(())), ShapeError),
            (lambda: scan(lambda h, e: (h, None), placeholder((3,))), ArgumentError),
            (lambda: scan(lambda h, e: (h, None), placeholder((3,)), length=-1), ArgumentError),
            (lambda: scan(lambda h, e: h, placeholder((3,)), length=2), ArgumentError),
            (lambda: scan(lambda h, e: ((h, h), e), placeholder((3,)), length=2), ArgumentError),
        ),
    ),
    Sample(
        "while_loop",
        _loops(),
        (
            (lambda: while_loop(lambda y: y[0] > 0, lambda y: y[:2], placeholder((3,))), ShapeError),
            (lambda: while_loop(lambda y: y > 0, lambda y: y > 0, placeholder(())), DTypeError),
            (lambda: while_loop(lambda y: y > 0, lambda y: y + 1, placeholder((3,))), ShapeError),
            (lambda: while_loop(lambda y: y, lambda y: y + 1, placeholder(())), DTypeError),
            (lambda: while_loop(lambda y: y > 0, lambda y: y + 1, placeholder(()), -1), ArgumentError),
            (lambda: while_loop(lambda y: y > 0, lambda y: (y, y), placeholder(())), ArgumentError),
        ),
    ),
    Sample(
        "cond",
        _choices(),
        (
            (lambda: cond(placeholder((3,), dtype="bool"), placeholder(()), placeholder(())), ShapeError),
            (lambda: cond(placeholder(()), placeholder(()), placeholder(())), DTypeError),
            (lambda: cond(placeholder((), dtype="bool"), placeholder((3,)), placeholder((2,))), ShapeError),
            (lambda: cond(placeholder((), dtype="bool"), lambda: (1.0, 2.0), 1.0), ArgumentError),
        ),
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
