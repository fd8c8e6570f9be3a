"""Samples of order: sorting, the greatest, search, and what is taken along the lines of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, AxisError, DTypeError, IndexRangeError, ShapeError
from autograph.graph.tensor import placeholder
from autograph.ops.sorting import argsort, searchsorted, sort, take_along_axis, top_k, unique
from tests.samples.define import Array, Case, Sample, values
from tests.samples.indexing import full, line, op, shapes, table, value, whole


@st.composite
def _lines(draw: st.DrawFn) -> tuple[Array, Array, int]:
    """A tensor, indices along one axis of it, and that axis; the other axes broadcast."""
    shape = draw(full)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    size = shape[axis]
    lines = [1 if draw(st.integers(0, 3)) == 0 else n for n in shape]
    lines[axis] = draw(st.integers(0, 3))
    wider = [n if n > 1 or k == axis % len(shape) else draw(st.sampled_from((1, 1, 3))) for k, n in enumerate(lines)]
    wider = [w if n in (1, w) or k == axis % len(shape) else 1 for k, (w, n) in enumerate(zip(wider, shape, strict=True))]
    return draw(values(shape)), draw(values(tuple(wider), -size, size - 1, dtype="int64")), axis


def _taken(torch: Any, x: Any, i: Any, axis: int) -> Any:
    return torch.take_along_dim(x, torch.where(i < 0, i + x.shape[axis], i), axis)


def _take(drawn: Any) -> Case:
    x, indices, axis = drawn
    return Case(
        lambda x, i: take_along_axis(x, i, axis),
        (x, indices),
        lambda x, i: np.take_along_axis(x, i, axis),
        lambda torch, x, i: _taken(torch, x, i, axis),
        analytic=True,
    )


@st.composite
def _scatter(draw: st.DrawFn) -> Case:
    x, indices, axis = draw(_lines())
    place = axis % x.ndim
    return Case(
        lambda g, i, like: op("scatter_along_axis", g, i, like, axis=place),
        (draw(values(np.take_along_axis(x, indices, axis).shape)), indices, x),
        lambda g, i, like: _added(g, np.broadcast_to(i, g.shape), like.shape, place),
        analytic=True,
    )


def _added(g: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    home = np.zeros(shape)
    for place in np.ndindex(g.shape):
        target = [0 if n == 1 else k for k, n in zip(place, shape, strict=True)]
        target[axis] = int(indices[place])
        home[tuple(target)] += g[place]
    return home


@st.composite
def _order(draw: st.DrawFn) -> Case:
    """The order of integers with ties, or of floats with NaN."""
    shape = draw(shapes)
    axis, descending = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())
    dtype = draw(st.sampled_from(("int8", "uint8", "bool", "float64")))
    x = draw(values(shape, 0, 3, dtype=dtype))
    x = np.where(x > 2, np.nan, np.round(x)) if dtype == "float64" else x
    return Case(
        lambda x: argsort(x, axis, descending),
        (x,),
        lambda x: np.argsort(-x.astype(float) if descending else x.astype(float), axis, kind="stable"),
        smooth=False,
    )


@st.composite
def _sorted(draw: st.DrawFn) -> Case:
    """Floats without ties."""
    shape = draw(shapes)
    axis, descending = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())
    return Case(
        lambda x: sort(x, axis, descending),
        (draw(values(shape, distinct=True)),),
        lambda x: np.take_along_axis(x, np.argsort(-x if descending else x, axis), axis),
        lambda torch, x: torch.sort(x, dim=axis, descending=descending)[0],
        smooth=_few(shape),
    )


def _few(shape: tuple[int, ...]) -> bool:
    """Whether distinct values lie far enough apart for differences."""
    return int(np.prod(shape)) < 40


@st.composite
def _top(draw: st.DrawFn) -> Case:
    shape = draw(shapes)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    k = draw(st.integers(0, shape[axis]))
    if draw(st.booleans()):
        return Case(
            lambda x: top_k(x, k, axis)[0],
            (draw(values(shape, distinct=True)),),
            lambda x: np.take(-np.sort(-x, axis), range(k), axis),
            lambda torch, x: torch.topk(x, k, dim=axis)[0],
            smooth=_few(shape),
        )
    return Case(
        lambda x: top_k(x, k, axis)[1],
        (draw(values(shape, 0, 3, dtype="int32")),),
        lambda x: np.take(np.argsort(-x, axis, kind="stable"), range(k), axis),
    )


@st.composite
def _search(draw: st.DrawFn) -> Case:
    sorted_line = np.sort(draw(values((draw(st.integers(0, 5)),), -2, 2, dtype="int32")))
    side = draw(st.sampled_from(("left", "right")))
    below = np.less_equal if side == "right" else np.less
    return Case(
        lambda a, x: searchsorted(a, x, side),
        (sorted_line, draw(values(draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)), -3, 3, dtype="int32"))),
        lambda a, x: below(a, x[..., None]).sum(-1),
    )


def _unique(x: Array) -> Case:
    return Case(unique, (x,), lambda x: np.array(sorted(set(x.ravel().tolist())), x.dtype), smooth=_few(x.shape))


SAMPLES = (
    Sample("take_along_axis", _lines().map(_take), (
        (lambda: take_along_axis(line, [[1]]), ShapeError),
        (lambda: take_along_axis(line, [0.5]), DTypeError),
        (lambda: take_along_axis(table, [[0], [1]], 2), AxisError),
        (lambda: value(take_along_axis(np.ones(3), [3])), IndexRangeError),
    )),
    Sample("scatter_along_axis", _scatter(), (
        (lambda: op("scatter_along_axis", line, whole, line, axis=0), ShapeError),
        (lambda: op("scatter_along_axis", table, whole, table, axis=0), ShapeError),
        (lambda: value(op("scatter_along_axis", np.ones(1), np.array([3]), np.ones(3), axis=0)), IndexRangeError),
    )),
    Sample("argsort", _order(), (
        (lambda: argsort(line, 1), AxisError),
        (lambda: argsort(1.0), AxisError),
        (lambda: argsort(line, 0.5), ArgumentError),  # type: ignore[arg-type]
    ), differentiable=False),
    Sample("sort", _sorted(), (
        (lambda: sort(line, 1), AxisError),
        (lambda: sort(1.0), AxisError),
        (lambda: sort(line, True), ArgumentError),
    )),
    Sample("top_k", _top(), (
        (lambda: top_k(line, 6), ShapeError),
        (lambda: top_k(line, -1), ArgumentError),
        (lambda: top_k(line, 1.0), ArgumentError),
        (lambda: top_k(line, 1, 1), AxisError),
    )),
    Sample("searchsorted", _search(), (
        (lambda: searchsorted(table, 1.0), ShapeError),
        (lambda: searchsorted(1.0, 1.0), ShapeError),
        (lambda: searchsorted(line, 1.0, "middle"), ArgumentError),
    ), differentiable=False),
    Sample("first_positions", st.one_of(
        shapes.flatmap(lambda shape: values(shape, distinct=True)), shapes.flatmap(lambda s: values(s, 0, 3, dtype="int16")),
    ).map(_unique), (
        (lambda: op("first_positions", table), ShapeError),
        (lambda: op("first_positions", placeholder(())), ShapeError),
        (lambda: op("first_positions", placeholder((2, 2))), ShapeError),
    )),
)  # fmt: skip
