"""Samples of joining and taking apart, and of padding. References place one element after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError
from autograph.graph.tensor import placeholder
from autograph.ops.joining import concatenate, pad, split, stack, unstack
from tests.samples.define import Array, Case, Sample, values
from tests.samples.movement import axis_of, filled, fixed, lined, moved, op, placed, small, table


@st.composite
def _parts(draw: st.DrawFn) -> tuple[tuple[Array, ...], int]:
    """Arrays that fit together along an axis."""
    shape = draw(lined)
    axis = axis_of(draw, len(shape))
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return tuple([draw(values(tuple([n if a == axis % len(shape) else m for a, m in enumerate(shape)]))) for n in sizes]), axis


def _concatenate(drawn: Any) -> Case:
    parts, axis = drawn

    def reference(*parts: Array) -> Array:
        rows = [row for part in parts for row in np.moveaxis(part, axis, 0)]
        home = np.moveaxis(parts[0], axis, 0).shape[1:]
        return np.moveaxis(np.array(rows, float).reshape(len(rows), *home), 0, axis)

    return moved(
        lambda *parts: concatenate(parts, axis), parts, reference, lambda torch, *parts: torch.cat(parts, axis)
    )


@st.composite
def _piece(draw: st.DrawFn) -> Case:
    parts, axis = draw(_parts())
    place, position = axis % parts[0].ndim, draw(st.integers(0, len(parts) - 1))
    whole = draw(values(np.concatenate(parts, axis).shape))
    start = sum([part.shape[place] for part in parts[:position]])

    def reference(g: Array, *parts: Array) -> Array:
        return placed(
            parts[position].shape, lambda *at: g[tuple([k + start if a == place else k for a, k in enumerate(at)])]
        )

    return moved(lambda g, *parts: op("piece", g, *parts, axis=place, position=position), (whole, *parts), reference)


@st.composite
def _stack(draw: st.DrawFn) -> Case:
    shape = draw(small)
    parts = tuple([draw(values(shape)) for _ in range(draw(st.integers(1, 3)))])
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return moved(
        lambda *parts: stack(parts, axis),
        parts,
        lambda *parts: np.moveaxis(np.array([p.tolist() for p in parts], float).reshape(len(parts), *shape), 0, axis),
        lambda torch, *parts: torch.stack(parts, axis),
    )


@st.composite
def _taken_apart(draw: st.DrawFn) -> Case:
    """`split` and `unstack`, put together in another order."""
    x = draw(values(draw(filled)))
    axis = axis_of(draw, x.ndim)
    cuts = sorted(draw(st.lists(st.integers(0, x.shape[axis]), max_size=2)))
    if draw(st.booleans()):
        count = x.shape[axis]
        return moved(
            lambda x: concatenate([stack(unstack(x, axis, count)[::-1])]), (x,), lambda x: np.moveaxis(x, axis, 0)[::-1]
        )
    return moved(
        lambda x: concatenate(split(x, cuts, axis)[::-1], axis),
        (x,),
        lambda x: np.concatenate(np.split(x, cuts, axis)[::-1], axis),
    )


@st.composite
def _pad(draw: st.DrawFn) -> Case:
    x = draw(values(draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))))
    widths = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in x.shape]
    value = draw(st.sampled_from((0, 1.5)))
    return moved(
        lambda x: pad(x, widths, value=value), (x,), lambda x: np.pad(x, widths, constant_values=value)
    )


@st.composite
def _bordered(draw: st.DrawFn) -> Case:
    """Pads that are joined from slices, mirrored or stretched."""
    x = draw(values(draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=3, max_side=4))))
    widths = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in x.shape]
    mode = draw(st.sampled_from(("edge", "reflect", "symmetric")))
    return moved(
        lambda x: concatenate([pad(x, widths, mode)]), (x,), lambda x: np.pad(x, widths, mode)  # type: ignore[call-overload]
    )


SAMPLES: tuple[Sample, ...] = (
    Sample("concatenate", _parts().map(_concatenate) | _bordered() | _taken_apart(), (
        (lambda: concatenate([]), ArgumentError),
        (lambda: concatenate([fixed, placeholder((2, 4))]), ShapeError),
        (lambda: concatenate([fixed, placeholder((2,))]), ShapeError),
        (lambda: concatenate([1.0, 2.0]), AxisError),
        (lambda: pad(fixed, 2, "reflect"), ShapeError),
        (lambda: split(fixed, 2, 1), ShapeError),
        (lambda: split(table, 2), ShapeError),
    )),
    Sample("piece", _piece(), (
        (lambda: op("piece", None, fixed, axis=0, position=0), ArgumentTypeError),
        (lambda: concatenate([fixed], 2), AxisError),
        (lambda: split(fixed, 0), ArgumentError),
    )),
    Sample("stack", _stack(), (
        (lambda: stack([]), ArgumentError),
        (lambda: stack([fixed, placeholder((2, 4))]), ShapeError),
        (lambda: stack([fixed], 3), AxisError),
        (lambda: unstack(table), ShapeError),
        (lambda: unstack(fixed, 0, 3), ShapeError),
    )),
    Sample("pad", _pad(), (
        (lambda: pad(fixed, -1), ArgumentError),
        (lambda: pad(fixed, 1, "mirror"), ArgumentError),
        (lambda: pad(fixed, ((1, 1), (1, 1), (1, 1))), ShapeError),
        (lambda: pad(placeholder((2,), dtype="int32"), 1, value=0.5), ArgumentError),
    )),
)  # fmt: skip
