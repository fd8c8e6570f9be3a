"""Samples of movement. References place one element after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, DTypeError, ShapeError
from autograph.graph.op import op_named
from autograph.graph.tensor import Tensor, apply, placeholder
from autograph.ops.joining import repeat, roll, tile
from autograph.ops.movement import (
    broadcast_to,
    expand_dims,
    flatten,
    flip,
    merge_axes,
    moveaxis,
    reshape,
    reshape_like,
    squeeze,
    stretch,
    swapaxes,
    transpose,
)
from autograph.ops.shape import shape as shape_of
from autograph.ops.shape import size_of
from tests.samples.define import Array, Case, Sample, values

table = placeholder((None, 3))
fixed = placeholder((2, 3))
small = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
filled = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
lined = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


def op(name: str, *inputs: Any, **params: Any) -> Tensor:
    """An op that users meet by way of gradients or unknown sizes alone."""
    return apply(op_named(name), *inputs, **params)


def placed(shape: tuple[int, ...], element: Callable[..., Any]) -> Array:
    """The array of `shape` with `element(i, j, …)` at [i, j, …]."""
    return np.array([element(*place) for place in np.ndindex(shape)], float).reshape(shape)


def axis_of(draw: st.DrawFn, rank: int) -> int:
    return draw(st.integers(-rank, rank - 1))


def moved(build: Callable[..., Tensor], arrays: tuple[Array, ...], reference: Any, oracle: Any = None) -> Case:
    """Movement is linear, so the complex step judges all of it."""
    return Case(build, arrays, reference, oracle, analytic=True)


# order ---------------------------------------------------------------------------------------------------------------


@st.composite
def _transpose(draw: st.DrawFn) -> Case:
    x = draw(values(draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))))
    rank = x.ndim
    order = draw(st.permutations(range(rank)))

    def reference(x: Array) -> Array:
        back = np.argsort(order)
        return placed(tuple([x.shape[a] for a in order]), lambda *place: x[tuple([place[back[a]] for a in range(rank)])])

    spelt = [a - rank * draw(st.integers(0, 1)) for a in order]
    return moved(lambda x: transpose(x, spelt), (x,), reference, lambda torch, x: x.permute(order))


@st.composite
def _two_axes(draw: st.DrawFn) -> Case:
    x = draw(values(draw(lined)))
    a, b = axis_of(draw, x.ndim), axis_of(draw, x.ndim)
    if draw(st.booleans()):
        return moved(lambda x: swapaxes(x, a, b), (x,), lambda x: np.swapaxes(x, a, b), lambda torch, x: x.swapaxes(a, b))
    return moved(lambda x: moveaxis(x, a, b), (x,), lambda x: np.moveaxis(x, a, b), lambda torch, x: x.moveaxis(a, b))


@st.composite
def _flip(draw: st.DrawFn) -> Case:
    x = draw(values(draw(small)))
    axis = draw(st.none() | hnp.valid_tuple_axes(x.ndim, min_size=0))
    gone = range(x.ndim) if axis is None else [a % x.ndim for a in axis]

    def reference(x: Array) -> Array:
        return placed(x.shape, lambda *place: x[tuple([x.shape[a] - 1 - k if a in gone else k for a, k in enumerate(place)])])

    return moved(lambda x: flip(x, axis), (x,), reference, (lambda torch, x: x.flip(tuple(gone))) if x.ndim else None)


@st.composite
def _roll(draw: st.DrawFn) -> Case:
    x = draw(values(draw(lined)))
    if draw(st.integers(0, 3)) == 0:
        shift = draw(st.integers(-9, 9))
        return moved(lambda x: roll(x, shift), (x,), lambda x: np.roll(x, shift), lambda torch, x: x.roll(shift))
    axes = draw(hnp.valid_tuple_axes(x.ndim))
    shifts = tuple([draw(st.integers(-6, 6)) for _ in axes])
    by = {a % x.ndim: s for a, s in zip(axes, shifts, strict=True)}

    def reference(x: Array) -> Array:
        return placed(x.shape, lambda *place: x[tuple([(k - by.get(a, 0)) % x.shape[a] for a, k in enumerate(place)])])

    return moved(lambda x: roll(x, shifts, axes), (x,), reference)


# axes of size 1, other shapes ----------------------------------------------------------------------------------------


@st.composite
def _with_ones(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape, axes of size 1 in it (counted from either end), and the shape without them."""
    short = draw(small)
    rank = len(short) + draw(st.integers(0, 2))
    ones = sorted(draw(st.permutations(range(rank)))[: rank - len(short)])
    sizes = iter(short)
    long = tuple([1 if a in ones else next(sizes) for a in range(rank)])
    return long, tuple([a - rank * draw(st.integers(0, 1)) for a in ones]), short


def _expand(drawn: Any) -> st.SearchStrategy[Case]:
    long, ones, short = drawn
    axis = ones[0] if len(ones) == 1 else ones
    return values(short).map(lambda x: moved(lambda x: expand_dims(x, axis), (x,), lambda x: np.array(x.tolist()).reshape(long)))


def _squeeze(drawn: Any) -> st.SearchStrategy[Case]:
    long, ones, short = drawn
    axis = ones[0] if len(ones) == 1 else ones
    return values(long).map(lambda x: moved(lambda x: squeeze(x, axis), (x,), lambda x: np.array(x.tolist()).reshape(short)))


@st.composite
def _another_shape(draw: st.DrawFn) -> tuple[Array, tuple[int, ...]]:
    """An array and a shape with as many elements."""
    x = draw(values(draw(small)))
    sizes = [*draw(st.permutations(x.shape)), *[1] * draw(st.integers(0, 1))]
    while len(sizes) > 1 and draw(st.booleans()):
        sizes[0:2] = [sizes[0] * sizes[1]]
    return x, tuple(sizes)


def _in_order(x: Array, shape: tuple[int, ...]) -> Array:
    return np.array([x[place] for place in np.ndindex(x.shape)], float).reshape(shape)


@st.composite
def _reshape(draw: st.DrawFn) -> Case:
    x, shape = draw(_another_shape())
    free = [a for a in range(len(shape)) if math.prod([*shape[:a], *shape[a + 1 :]])]
    spelt = list(shape)
    if free and draw(st.booleans()):
        spelt[draw(st.sampled_from(free))] = -1
    if draw(st.integers(0, 4)) == 0:
        return moved(flatten, (x.reshape(1, *x.shape),), lambda x: _in_order(x, (x.size,)))
    return moved(lambda x: reshape(x, spelt), (x,), lambda x: _in_order(x, shape), lambda torch, x: x.reshape(shape))


@st.composite
def _reshape_to(draw: st.DrawFn) -> Case:
    x, shape = draw(_another_shape())
    return moved(
        lambda x, sizes: op("reshape_to", x, sizes, shape=(None,) * len(shape)),
        (x, np.array(shape, "int64")),
        lambda x, sizes: _in_order(x, shape),
    )


@st.composite
def _reshape_like(draw: st.DrawFn) -> Case:
    x, shape = draw(_another_shape())
    return moved(lambda x, like: op("reshape_like", x, like), (x, draw(values(shape))), lambda x, like: _in_order(x, shape))


@st.composite
def _merge_axes(draw: st.DrawFn) -> Case:
    """Groups of neighbouring axes; or `repeat`, which merges an axis with its copies."""
    x = draw(values(draw(lined)))
    if draw(st.booleans()):
        return draw(_repeat(x))
    cuts = sorted(draw(st.lists(st.integers(0, x.ndim), max_size=3)))
    groups = [b - a for a, b in itertools.pairwise([0, *cuts, x.ndim])]
    shape = tuple([math.prod(x.shape[a:b]) for a, b in itertools.pairwise([0, *cuts, x.ndim])])
    return moved(lambda x: merge_axes(x, groups), (x,), lambda x: _in_order(x, shape))


@st.composite
def _repeat(draw: st.DrawFn, x: Array) -> Case:
    times, axis = draw(st.integers(1, 3)), draw(st.none() | st.integers(-x.ndim, x.ndim - 1))

    def reference(x: Array) -> Array:
        line = x.reshape(-1) if axis is None else np.moveaxis(x, axis, 0)
        copies = [line[k // times] for k in range(times * len(line))]
        found = np.array(copies, float).reshape(len(copies), *line.shape[1:])
        return found if axis is None else np.moveaxis(found, 0, axis)

    return moved(lambda x: merge_axes(repeat(x, times, axis), [1] * (1 if axis is None else x.ndim)), (x,), reference)


# stretching ----------------------------------------------------------------------------------------------------------


@st.composite
def _wide(draw: st.DrawFn) -> tuple[Array, tuple[int, ...]]:
    """An array and a shape that it broadcasts to."""
    home = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    found = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=home, max_dims=4, min_side=0, max_side=4))
    return draw(values(home)), found.result_shape


def _spread(x: Array, shape: tuple[int, ...]) -> Array:
    return placed(
        shape,
        lambda *place: x[tuple([0 if n == 1 else k for k, n in zip(place[len(place) - x.ndim :], x.shape, strict=True)])],
    )


def _broadcast_to(drawn: Any) -> Case:
    x, shape = drawn
    return moved(
        lambda x: broadcast_to(x, shape), (x,), lambda x: _spread(x, shape), lambda torch, x: torch.broadcast_to(x, shape)
    )


def _broadcast_to_sizes(drawn: Any) -> Case:
    x, shape = drawn
    return moved(
        lambda x, sizes: op("broadcast_to_sizes", x, sizes, shape=(None,) * len(shape)),
        (x, np.array(shape, "int64")),
        lambda x, sizes: _spread(x, shape),
    )


def _broadcast_like(drawn: Any) -> Case:
    x, shape = drawn
    return moved(
        lambda x, like: op("broadcast_like", x, like), (x, np.zeros(shape)), lambda x, like: _spread(x, shape)
    )


@st.composite
def _stretch(draw: st.DrawFn) -> Case:
    """Axes of size 1 stretched; or `tile`, which stretches new ones."""
    x = draw(values(draw(lined)))
    if draw(st.booleans()):
        times = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)))
        sizes = [1] * max(len(times) - x.ndim, 0) + list(x.shape)
        counts = [1] * max(x.ndim - len(times), 0) + list(times)

        def reference(x: Array) -> Array:
            home = x.reshape(sizes)
            shape = tuple([n * size for n, size in zip(counts, sizes, strict=True)])
            return placed(shape, lambda *place: home[tuple([k % n for k, n in zip(place, sizes, strict=True)])])

        return moved(lambda x: tile(x, times), (x,), reference)
    shape = tuple([draw(st.integers(0, 3)) if size == 1 else size for size in x.shape])
    aims = tuple([n if size == 1 else None for size, n in zip(x.shape, shape, strict=True)])
    return moved(lambda x: stretch(x, aims), (x,), lambda x: _spread(x, shape))


# sizes ---------------------------------------------------------------------------------------------------------------


def _shape_of(x: Array) -> Case:
    return Case(lambda x: op("shape_of", x), (x,), lambda x: np.array(x.shape, "int64"))


@st.composite
def _size_of(draw: st.DrawFn) -> Case:
    x = draw(values(draw(small)))
    axes = tuple(sorted([a % x.ndim for a in draw(hnp.valid_tuple_axes(x.ndim, min_size=0))]))
    return Case(lambda x: op("size_of", x, axis=axes), (x,), lambda x: np.int64(math.prod([x.shape[a] for a in axes])))


SAMPLES: tuple[Sample, ...] = (
    Sample("transpose", _transpose() | _two_axes(), (
        (lambda: transpose(table, (0,)), AxisError),
        (lambda: transpose(table, (0, -2)), AxisError),
        (lambda: swapaxes(table, 0, 2), AxisError),
        (lambda: moveaxis(table, (0, 1), 0), AxisError),
        (lambda: transpose(None), ArgumentTypeError),
    )),
    Sample("flip", _flip(), (
        (lambda: flip(table, 2), AxisError),
        (lambda: flip(table, (1, -1)), AxisError),
        (lambda: flip("3"), ArgumentTypeError),
    )),
    Sample("roll", _roll(), (
        (lambda: roll(table, 1, 2), AxisError),
        (lambda: roll(table, (1, 2), 0), ArgumentError),
        (lambda: roll(table, 0.5, 0), ArgumentError),  # type: ignore[arg-type]
    )),
    Sample("expand_dims", _with_ones().flatmap(_expand), (
        (lambda: expand_dims(table, 3), AxisError),
        (lambda: expand_dims(table, (0, -4)), AxisError),
        (lambda: expand_dims(None), ArgumentTypeError),
    )),
    Sample("squeeze", _with_ones().flatmap(_squeeze), (
        (lambda: squeeze(fixed, 0), ShapeError),
        (lambda: squeeze(fixed, 2), AxisError),
        (lambda: squeeze(table, -1), ShapeError),
    )),
    Sample("reshape", _reshape(), (
        (lambda: reshape(fixed, (4,)), ShapeError),
        (lambda: reshape(fixed, (-1, 4)), ShapeError),
        (lambda: reshape(fixed, (-1, -1)), ShapeError),
        (lambda: reshape(fixed, (None, 3)), ShapeError),
        (lambda: reshape(fixed, (-2, 3)), ArgumentError),
        (lambda: reshape(fixed, 6.0), ArgumentTypeError),
        (lambda: reshape(table, (5, 5)), ShapeError),
    )),
    Sample("reshape_to", _reshape_to(), (
        (lambda: reshape(fixed, placeholder((2,))), DTypeError),
        (lambda: reshape(fixed, placeholder((None,), dtype="int32")), ShapeError),
        (lambda: reshape(fixed, (placeholder((), dtype="int32"), -1, -1)), ShapeError),
    )),
    Sample("reshape_like", _reshape_like(), (
        (lambda: reshape_like(fixed, placeholder((5,))), ShapeError),
        (lambda: op("reshape_like", fixed, placeholder((7, 1))), ShapeError),
        (lambda: reshape_like(None, table), ArgumentTypeError),
    )),
    Sample("merge_axes", _merge_axes(), (
        (lambda: merge_axes(fixed, (3,)), AxisError),
        (lambda: merge_axes(fixed, (3, -1)), AxisError),
        (lambda: repeat(fixed, -1), ArgumentError),
        (lambda: repeat(fixed, 2, 2), AxisError),
    )),
    Sample("broadcast_to", _wide().map(_broadcast_to), (
        (lambda: broadcast_to(fixed, (3, 2)), ShapeError),
        (lambda: broadcast_to(fixed, (3,)), ShapeError),
        (lambda: broadcast_to(fixed, (-1, 3)), ArgumentError),
    )),
    Sample("broadcast_to_sizes", _wide().map(_broadcast_to_sizes), (
        (lambda: broadcast_to(fixed, (placeholder((), dtype="int32"), 2)), ShapeError),
        (lambda: broadcast_to(fixed, (placeholder((1,), dtype="int32"), 2)), ShapeError),
        (lambda: broadcast_to(fixed, (placeholder(()), 2)), DTypeError),
    )),
    Sample("broadcast_like", _wide().map(_broadcast_like), (
        (lambda: op("broadcast_like", fixed, placeholder((None, 2))), ShapeError),
        (lambda: op("broadcast_like", fixed, placeholder((None,))), ShapeError),
        (lambda: op("broadcast_like", None, fixed), ArgumentTypeError),
    )),
    Sample("stretch", _stretch(), (
        (lambda: stretch(fixed, (None, 2)), ShapeError),
        (lambda: tile(fixed, -1), ArgumentError),
        (lambda: tile(fixed, (1, 0.5)), ArgumentError),  # type: ignore[arg-type]
    )),
    Sample("shape_of", small.flatmap(values).map(_shape_of), (
        (lambda: shape_of(None), ArgumentTypeError),
        (lambda: reshape(fixed, shape_of(placeholder((5,)))), ShapeError),
        (lambda: shape_of("3"), ArgumentTypeError),
    ), differentiable=False),
    Sample("size_of", _size_of(), (
        (lambda: size_of(table, 2), AxisError),
        (lambda: size_of(table, (0, 0)), AxisError),
        (lambda: size_of(None), ArgumentTypeError),
    ), differentiable=False),
)  # fmt: skip
