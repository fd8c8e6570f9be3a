"""Samples of indexing: basic, dynamic and advanced, gather and scatter, masks, one-hot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.arrays import numpy_namespace
from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, DTypeError, IndexRangeError, ShapeError
from autograph.graph.graph import evaluate
from autograph.graph.op import op_named
from autograph.graph.tensor import Tensor, apply, constant, placeholder
from autograph.ops.gathering import gather, one_hot, scatter_add
from autograph.ops.indexing import boolean_mask, gather_nd, nonzero
from tests.samples.define import Array, Case, Sample, values

shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
full = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
line = placeholder((5,))
table = placeholder((None, 3))
whole = placeholder((2,), dtype="int32")


def op(name: str, *inputs: Any, **params: Any) -> Tensor:
    """A gradient's op, which users meet by way of the gradient alone."""
    return apply(op_named(name), *inputs, **params)


def value(tensor: Tensor) -> Any:
    return evaluate([tensor], {}, numpy_namespace)[0]


def plain(index: Any) -> tuple[Any, ...]:
    """An index as the params of ops hold it, without the ellipsis."""
    items = index if isinstance(index, tuple) else (index,)
    return tuple((i.start, i.stop, i.step) if isinstance(i, slice) else i for i in items)


def put(part: Array, shape: tuple[int, ...], index: Any) -> Array:
    """Zeros, with `part` added at `index` element by element."""
    home = np.zeros(shape)
    np.add.at(home, index, part)
    return home


@st.composite
def positions(draw: st.DrawFn, size: int, shape: tuple[int, ...]) -> Array:
    """Indices into an axis of `size`, negative ones among them; none into an empty axis."""
    if not size:
        shape = (0, *shape[1:])
    drawn = draw(values(shape, -size, max(size - 1, 0), dtype=draw(st.sampled_from(("int64", "int32", "int8")))))
    return np.asarray(drawn)


# basic ---------------------------------------------------------------------------------------------------------------


@st.composite
def _basic(draw: st.DrawFn) -> Case:
    shape = draw(shapes)
    index = draw(hnp.basic_indices(shape, allow_newaxis=True))
    return Case(lambda x: x[index] + 0, (draw(values(shape)),), lambda x: np.array(x[index]), analytic=True)


@st.composite
def _unslice(draw: st.DrawFn) -> Case:
    shape = draw(shapes)
    index = draw(hnp.basic_indices(shape, allow_ellipsis=False))
    part = np.zeros(shape)[index].shape
    return Case(
        lambda g, like: op("unslice", g, like, index=plain(index)),
        (draw(values(part)), draw(values(shape))),
        lambda g, like: put(g, shape, index),
        analytic=True,
    )


@st.composite
def _dynamic(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[Array, ...]]:
    """A shape, and an integer and two bounds for its first two axes."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4))
    place = draw(st.integers(-shape[0], shape[0] - 1))
    return shape, tuple(np.array(i, np.int32) for i in (place, *draw(st.tuples(*[st.integers(-6, 6)] * 2))))


def _dynamic_index(drawn: Any) -> st.SearchStrategy[Case]:
    shape, bounds = drawn
    return values(shape).map(
        lambda x: Case(lambda x, i, a, b: x[i, a:b], (x, *bounds), lambda x, i, a, b: x[int(i), int(a) : int(b)], analytic=True)
    )


def _dynamic_unslice(drawn: Any) -> st.SearchStrategy[Case]:
    shape, bounds = drawn
    index = (int(bounds[0]), slice(int(bounds[1]), int(bounds[2])))
    part = np.zeros(shape)[index].shape
    return st.tuples(values(part), values(shape)).map(
        lambda pair: Case(
            lambda g, like, *bounds: op("dynamic_unslice", g, like, *bounds, index=("?", ("?", "?", None))),
            (*pair, *bounds),
            lambda g, like, *_: put(g, shape, index),
            analytic=True,
        )
    )


# along one axis ------------------------------------------------------------------------------------------------------


@st.composite
def _gathered(draw: st.DrawFn) -> tuple[Array, Array, int]:
    """A tensor, indices into one of its axes, and that axis, which may be negative."""
    shape = draw(shapes)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    indices = draw(positions(shape[axis], draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))))
    return draw(values(shape)), indices if shape[axis] else np.zeros((0, 2), np.int64), axis


def _taken(torch: Any, x: Any, indices: Any, axis: int) -> Any:
    rank, place = indices.ndim, axis % x.ndim
    return torch.movedim(torch.movedim(x, axis, 0)[indices.long()], tuple(range(rank)), tuple(range(place, place + rank)))


def _accumulated(torch: Any, x: Any, indices: Any, updates: Any, axis: int) -> Any:
    rank, place = indices.ndim, axis % x.ndim
    rows = torch.movedim(updates, tuple(range(place, place + rank)), tuple(range(rank)))
    return torch.movedim(torch.movedim(x, axis, 0).index_put((indices.long(),), rows, accumulate=True), 0, axis)


def _gather(drawn: Any) -> Case:
    x, indices, axis = drawn
    return Case(
        lambda x, i: gather(x, i, axis),
        (x, indices),
        lambda x, i: np.concatenate([np.zeros((0, *_rest(x, axis))), *[np.moveaxis(x, axis, 0)[k][None] for k in i.flat]])
        .reshape((*i.shape, *_rest(x, axis)))
        .transpose(_back(i.ndim, x.ndim, axis)),
        lambda torch, x, i: _taken(torch, x, i, axis),
        analytic=True,
    )


def _rest(x: Array, axis: int) -> tuple[int, ...]:
    return tuple(np.delete(x.shape, axis))


def _back(rank: int, ndim: int, axis: int) -> list[int]:
    """The order that brings the first `rank` axes to the place of `axis`."""
    place = axis % ndim
    return [*range(rank, rank + place), *range(rank), *range(rank + place, rank + ndim - 1)]


def _scattered(x: Array, indices: Array, updates: Array, axis: int) -> Array:
    """x with each slice of `updates` added in turn."""
    home = np.moveaxis(x.copy(), axis, 0)
    rows = np.moveaxis(updates, range(axis % x.ndim, axis % x.ndim + indices.ndim), range(indices.ndim))
    for place in np.ndindex(indices.shape):
        home[indices[place]] += rows[place]
    return np.moveaxis(home, 0, axis)


@st.composite
def _scatter_like(draw: st.DrawFn) -> Case:
    x, indices, axis = draw(_gathered())
    place = axis % x.ndim
    return Case(
        lambda g, i, like: op("scatter_like", g, i, like, axis=place),
        (draw(values(np.take(x, indices, place).shape)), indices, x),
        lambda g, i, like: _scattered(np.zeros(like.shape), i, g, axis),
        analytic=True,
    )


@st.composite
def _scatter_add(draw: st.DrawFn) -> Case:
    x, indices, axis = draw(_gathered())
    shape = np.take(x, indices, axis).shape
    smaller = draw(hnp.broadcastable_shapes(shape, min_dims=0, max_dims=len(shape), min_side=1, max_side=1))
    updates = draw(values(draw(st.sampled_from((shape, smaller)))))
    return Case(
        lambda x, i, u: scatter_add(x, i, u, axis),
        (x, indices, updates),
        lambda x, i, u: _scattered(x, i, np.broadcast_to(u, shape), axis),
        lambda torch, x, i, u: _accumulated(torch, x, i, u.expand(shape), axis),
    )


# along several axes --------------------------------------------------------------------------------------------------

# Each as it is written, with a place for the first and the second array.
_forms: tuple[Any, ...] = (
    lambda i, j: (i, j),
    lambda i, j: (..., i, j),
    lambda i, j: (i, slice(None), j),
    lambda i, j: (i, None, j),
    lambda i, j: (slice(None, None, -1), i, j),
    lambda i, j: (i, 0, slice(1, None)),
    lambda i, j: (0, slice(None), j[..., None]),
)


@st.composite
def _advanced(draw: st.DrawFn) -> Case:
    shape = draw(st.tuples(*[st.integers(1, 4)] * 3))
    form = draw(st.sampled_from(_forms))
    both = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=3)).input_shapes
    indices = [draw(positions(min(shape), one)) for one in both]
    return Case(
        lambda x, i, j: x[form(i, j)],
        (draw(values(shape)), *indices),
        lambda x, i, j: x[form(i, j)],
        analytic=True,
    )


@st.composite
def _advanced_scatter(draw: st.DrawFn) -> Case:
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4))
    both = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, min_side=0, max_side=3))
    indices = [draw(positions(min(shape), one)) for one in both.input_shapes]
    return Case(
        lambda g, like, i, j: op("advanced_scatter", g, like, i, j),
        (draw(values((*both.result_shape, *shape[2:]))), draw(values(shape)), *indices),
        lambda g, like, i, j: put(g, shape, (i, j)),
        analytic=True,
    )


@st.composite
def _masked(draw: st.DrawFn) -> Case:
    shape = draw(shapes)
    first = draw(st.integers(0, len(shape) - 1))
    last = draw(st.integers(first + 1, len(shape)))
    mask = draw(values(shape[first:last], 0, 1, dtype="bool"))
    index = (*[slice(None)] * first, mask)
    return Case(
        lambda x, m: boolean_mask(x, m, first),
        (draw(values(shape)), mask),
        lambda x, m: x[index],
        lambda torch, x, m: x[(*[slice(None)] * first, m)],
        analytic=True,
    )


def _labels(drawn: tuple[Array, str]) -> Case:
    labels, dtype = drawn
    return Case(lambda x, scores: op("class_labels", x, scores, axis=0), (labels.astype(dtype), np.ones((5, 2))),
                lambda x, scores: x.astype(np.int64))


def _one_hot(drawn: tuple[Array, str]) -> Case:
    labels, how = drawn
    return Case(
        lambda x: one_hot(x, 4, "float32", -1 if how == "raise" else 0, out_of_range=how),
        (labels if how == "zeros" else np.asarray(np.clip(labels, 0, 3)),),
        lambda x: np.moveaxis(np.array(x[..., None] == np.arange(4), np.float32), -1, -1 if how == "raise" else 0),
    )


SAMPLES = (
    Sample("basic_index", _basic(), (
        (lambda: table[:, 3], IndexRangeError),
        (lambda: table[0, 0, 0], AxisError),
        (lambda: table[1.5], DTypeError),
        (lambda: table["a"], ArgumentTypeError),
        (lambda: table[::0], ArgumentError),
        (lambda: table[..., ...], ArgumentError),
        (lambda: table[1.5:], ArgumentTypeError),
    )),
    Sample("unslice", _unslice(), (
        (lambda: op("unslice", line, line, index=((0, 2, None),)), ShapeError),
        (lambda: op("unslice", placeholder(()), line, index=(5,)), IndexRangeError),
        (lambda: op("unslice", placeholder((2, 2)), line, index=((0, 2, None),)), ShapeError),
    )),
    Sample("dynamic_index", _dynamic().flatmap(_dynamic_index), (
        (lambda: line[placeholder(())], DTypeError),
        (lambda: line[: placeholder((2,), dtype="int32")], DTypeError),
        (lambda: line[:: placeholder((), dtype="int32")], ArgumentTypeError),
        (lambda: value(op("dynamic_index", np.ones(5), np.array(5), index=("?",))), IndexRangeError),
    )),
    Sample("dynamic_unslice", _dynamic().flatmap(_dynamic_unslice), (
        (lambda: op("dynamic_unslice", line, line, np.array(1), index=("?",)), ShapeError),
        (lambda: op("dynamic_unslice", placeholder((2,)), table, np.array(1), index=("?",)), ShapeError),
        (lambda: value(op("dynamic_unslice", np.array(1.0), np.ones(5), np.array(-6), index=("?",))), IndexRangeError),
    )),
    Sample("gather", _gathered().map(_gather), (
        (lambda: gather(line, [0.5]), DTypeError),
        (lambda: gather(line, [True]), DTypeError),
        (lambda: gather(line, [[0, 5]]), IndexRangeError),
        (lambda: gather(table, 0, 2), AxisError),
        (lambda: value(op("gather", np.ones(5), np.array([0, -6]), axis=0)), IndexRangeError),
        (lambda: value(op("gather", np.ones((3, 0)), np.array([3]), axis=0)), IndexRangeError),
    )),
    Sample("scatter_like", _scatter_like(), (
        (lambda: op("scatter_like", line, whole, line, axis=0), ShapeError),
        (lambda: op("scatter_like", placeholder((2, 4)), whole, table, axis=0), ShapeError),
        (lambda: value(op("scatter_like", np.ones(1), np.array([5]), np.ones(5), axis=0)), IndexRangeError),
    )),
    Sample("scatter_add", _scatter_add(), (
        (lambda: scatter_add(line, [0, 1], [1.0, 2.0, 3.0]), ShapeError),
        (lambda: scatter_add(line, [0.0], [1.0]), DTypeError),
        (lambda: scatter_add(line, [5], [1.0]), IndexRangeError),
        (lambda: scatter_add(line, [0], [1.0], axis=1), AxisError),
    )),
    Sample("advanced_index", _advanced(), (
        (lambda: table[[0, 1], [0, 1, 2]], ShapeError),
        (lambda: table[[0], [3]], IndexRangeError),
        (lambda: table[[0.5], [1]], DTypeError),
        (lambda: table[[0], [0], [0]], AxisError),
        (lambda: gather_nd(table, placeholder((2, 3), dtype="int32")), ShapeError),
        (lambda: value(op("advanced_index", np.ones((2, 2)), np.array([0]), np.array([2]))), IndexRangeError),
    )),
    Sample("advanced_scatter", _advanced_scatter(), (
        (lambda: op("advanced_scatter", line, table, whole, whole), ShapeError),
        (lambda: op("advanced_scatter", placeholder((2, 2)), table, whole, whole), ShapeError),
        (lambda: value(op("advanced_scatter", np.ones(1), np.ones(5), np.array([5]))), IndexRangeError),
    )),
    Sample("positions", _masked(), (
        (lambda: table[np.ones(4, bool)] if table[np.ones((2, 4), bool)] else None, ShapeError),
        (lambda: line[placeholder((4,), dtype="bool")], ShapeError),
        (lambda: boolean_mask(line, line), DTypeError),
        (lambda: nonzero(1.0), AxisError),
    )),
    Sample("class_labels", st.tuples(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3).flatmap(
        lambda shape: values(shape, 0, 4, dtype="int64")), st.sampled_from(("int64", "uint8", "float32"))).map(_labels), (
        (lambda: value(op("class_labels", np.array([0, 3]), np.ones((2, 3)), axis=1)), IndexRangeError),
        (lambda: value(op("class_labels", np.array([-1]), np.ones(3), axis=0)), IndexRangeError),
        (lambda: value(op("class_labels", np.array([0.5, math.nan]), np.ones(3), axis=0)), IndexRangeError),
    ), differentiable=False),
    Sample("one_hot", st.tuples(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3).flatmap(
        lambda shape: values(shape, -1, 5, dtype="int64")), st.sampled_from(("raise", "zeros"))).map(_one_hot), (
        (lambda: one_hot(line, 3), DTypeError),
        (lambda: one_hot(whole, -1), ArgumentError),
        (lambda: one_hot(whole, 3, out_of_range="zero"), ArgumentError),
        (lambda: one_hot(whole, 3, axis=2), AxisError),
        (lambda: value(one_hot(constant([[0, 3]]), 3)), IndexRangeError),
        (lambda: value(one_hot(constant([-1]), 3)), IndexRangeError),
    ), differentiable=False),
)  # fmt: skip
