"""Samples of rows by number: which are touched, their sums, and rows put into a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import AxisError, DTypeError, IndexRangeError, ShapeError
from autograph.graph.tensor import Tensor, placeholder
from autograph.ops.rows import is_last, put_rows, touched_rows, touched_sums
from tests.samples.define import Array, Case, Sample, values
from tests.samples.indexing import line, op, positions, table, value, whole


@st.composite
def _chosen(draw: st.DrawFn) -> tuple[Array, Array]:
    """A table, and indices of some of its rows: often one twice, at times more of them than rows."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
    return draw(values(shape)), draw(positions(shape[0], draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=4))))


def _numbers(table: Array, indices: Array) -> list[int]:
    """The numbers of the rows, each by itself."""
    found = [int(i) % len(table) for i in indices.flat]
    if len(found) <= len(table):
        return found
    different = sorted(set(found))
    return different + [different[-1]] * (len(table) - len(different))


def _touched_rows(drawn: tuple[Array, Array]) -> Case:
    x, indices = drawn
    return Case(lambda i, x: touched_rows(i, x), (indices, x), lambda i, x: np.array(_numbers(x, i), np.int64))


@st.composite
def _touched_sums(draw: st.DrawFn) -> Case:
    x, indices = draw(_chosen())
    g = draw(values((*indices.shape, *x.shape[1:])))

    def reference(g: Array, i: Array, like: Array) -> Array:
        home = np.zeros(like.shape)
        for place in np.ndindex(i.shape):
            home[i[place]] += g[place]
        return home[_numbers(like, i)]

    return Case(lambda g, i, like: touched_sums(g, i, like), (g, indices, x), reference, analytic=True)


def _is_last(numbers: Array) -> Case:
    rest = [numbers[k + 1 :].tolist() for k in range(len(numbers))]
    return Case(lambda n: is_last(n), (numbers,), lambda n: np.array([k not in r for k, r in zip(n, rest, strict=True)], bool))


@st.composite
def _put_rows(draw: st.DrawFn) -> Case:
    x, indices = draw(_chosen())
    shape = (*indices.shape, *x.shape[1:])
    smaller = draw(hnp.broadcastable_shapes(shape, min_dims=0, max_dims=len(shape), min_side=1, max_side=1))
    rows = draw(values(draw(st.sampled_from((shape, smaller)))))

    def reference(x: Array, i: Array, rows: Array) -> Array:
        home, rows = x.copy(), np.broadcast_to(rows, shape)
        for place in np.ndindex(i.shape):
            home[i[place]] = rows[place]
        return home

    return Case(lambda x, i, rows: put_rows(x, i, rows), (x, indices, rows), reference)


number: Tensor = placeholder(())


def evaluated(name: str, *inputs: Any) -> Any:
    return value(op(name, *inputs))


SAMPLES = (
    Sample("touched_rows", _chosen().map(_touched_rows), (
        (lambda: touched_rows(line, table), DTypeError),
        (lambda: touched_rows(whole, number), AxisError),
        (lambda: evaluated("touched_rows", np.array([0, 5]), np.ones((5, 2))), IndexRangeError),
        (lambda: evaluated("touched_rows", np.array([0, 1, -3]), np.ones(2)), IndexRangeError),
    ), differentiable=False),
    Sample("touched_sums", _touched_sums(), (
        (lambda: touched_sums(line, whole, table), ShapeError),
        (lambda: touched_sums(placeholder((2, 3), dtype="bool"), whole, table), DTypeError),
        (lambda: touched_sums(number, line, line), DTypeError),
        (lambda: evaluated("touched_sums", np.ones((1, 2)), np.array([5]), np.ones((5, 2))), IndexRangeError),
    )),
    Sample("is_last", hnp.array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=6).flatmap(
        lambda shape: values(shape, -2, 2, dtype="int64")).map(_is_last), (
        (lambda: is_last(line), DTypeError),
        (lambda: is_last(placeholder((2, 2), dtype="int32")), ShapeError),
        (lambda: is_last(placeholder((), dtype="int32")), ShapeError),
    ), differentiable=False),
    Sample("put_rows", _put_rows(), (
        (lambda: put_rows(table, whole, np.ones((2, 4))), ShapeError),
        (lambda: put_rows(table, [0.0], 1.0), DTypeError),
        (lambda: put_rows(number, [0], 1.0), AxisError),
        (lambda: put_rows(line, [5], 1.0), IndexRangeError),
        (lambda: evaluated("put_rows", np.ones(5), np.array([-6]), np.ones(1)), IndexRangeError),
    )),
)  # fmt: skip
