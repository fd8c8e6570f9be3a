"""Sizes as tensors, and what is known of them before a function runs.

These ops read the sizes of their inputs only. Lowering, which knows every size, makes them constants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograph.arguments import listed, whole
from autograph.errors import ArgumentError, DTypeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.tensor_type import DTYPES, Shape, Size, TensorType, normalize_axes

__all__ = ["known_size", "known_sizes", "rank", "shape", "size_of"]


def _whole(value: Any) -> Constant:
    """A constant of int64."""
    return Constant(np.array(value, np.int64))


_SHAPE_OF = register(Op(
    "shape_of",
    kind=Kind.SHAPE,
    infer=lambda x: TensorType(DTYPES["int64"], (x.ndim,)),
    eval=lambda xp, x: xp.shape_of(x),
    operands=as_given,
    specialize=lambda inputs, params: _whole(inputs[0].shape),
    doc="The sizes of x as an int64 vector.",
))


def shape(x: Any) -> Tensor:
    """The sizes of `x` as an int64 vector; a constant where all of them are known."""
    tensor = as_tensor(x)
    return _whole(tensor.shape) if tensor.type.is_static else apply(_SHAPE_OF, tensor)


_SIZE_OF = register(Op(
    "size_of",
    kind=Kind.SHAPE,
    infer=lambda x, axis: TensorType(DTYPES["int64"], ()),
    eval=lambda xp, x, axis: xp.size_of(x, axis),
    operands=as_given,
    specialize=lambda inputs, params: _whole(_span(inputs[0].shape, params["axis"])),
    doc="How many elements the axes of x span, as an int64.",
))


def _span(sizes: Shape, axis: tuple[int, ...]) -> Size:
    """The product of the sizes of `axis`, None where one is unknown."""
    found = [sizes[a] for a in axis]
    return None if None in found else math.prod(found)  # type: ignore[arg-type]  # None was excluded


def size_of(x: Any, axis: int | Iterable[int] | None = None) -> Tensor:
    """The size of `x` along `axis`, the product of several sizes, or of all of them (None): an int64 of rank 0.

    A constant where it is known. Raises AxisError for an axis that `x` does not have.
    """
    tensor = as_tensor(x)
    axes = normalize_axes(axis, tensor)
    known = _span(tensor.shape, axes)
    return apply(_SIZE_OF, tensor, axis=axes) if known is None else _whole(known)


def rank(x: Any) -> Tensor:
    """How many axes `x` has, as an int64 constant."""
    return _whole(as_tensor(x).ndim)


# what is known already -----------------------------------------------------------------------------------------------


def known_size(x: Tensor) -> Size:
    """The value of an integer tensor of rank 0, if it is a size known already; None if not."""
    match x.op.name:
        case "constant" if isinstance(x, Constant):
            return int(x.value)
        case "cast":
            return known_size(x.inputs[0])
        case "basic_index" if len(x.params["index"]) == 1:
            place = x.params["index"][0]
            sizes = known_sizes(x.inputs[0])
            return sizes[place] if isinstance(place, int) and -len(sizes) <= place < len(sizes) else None
    return None


def known_sizes(x: Tensor) -> Shape:
    """The values of an integer vector, as far as they are sizes known already; None for each that is not.

    Raises ShapeError unless `x` is a vector of known length.
    """
    if x.ndim != 1 or x.shape[0] is None:
        raise ShapeError(
            f"{x.describe()} is no vector of known length",
            why="the rank of a tensor must be known when the graph is built",
            fix="pass a tuple of sizes, or shape(tensor)",
        )
    match x.op.name:
        case "constant" if isinstance(x, Constant):
            return tuple(map(int, x.value))
        case "cast":
            return known_sizes(x.inputs[0])
        case "shape_of":
            return x.inputs[0].shape
        case "stack":
            return tuple(map(known_size, x.inputs))
        case "concatenate":
            return sum(map(known_sizes, x.inputs), ())
        case "basic_index" if len(x.params["index"]) == 1 and isinstance(x.params["index"][0], tuple):
            return known_sizes(x.inputs[0])[slice(*x.params["index"][0])]
    return (None,) * x.shape[0]


def source_of_sizes(x: Tensor) -> Tensor | None:
    """The tensor whose whole shape `x` is, or None."""
    while x.op.name == "cast":
        x = x.inputs[0]
    return x.inputs[0] if x.op is _SHAPE_OF else None


def sizes_of(target: Any, what: str, free: bool) -> tuple[Shape, Tensor | None]:
    """Sizes as the user gives them: what is known of each, and a vector that holds them all where not all are known.

    target  an integer, a vector of integers, or integers and tensors of rank 0; -1 where `free`, once
    Raises ShapeError for None, ArgumentError for what is no size, DTypeError for a tensor that is not of integers.
    """
    vector: Tensor | None
    if isinstance(target, Tensor) and target.ndim:
        known, vector = known_sizes(target), target
    else:
        single = isinstance(target, Tensor | int | np.integer)
        given = [target] if single else listed(target, f"{what}: the shape", "pass a tuple of sizes")
        items = [_item(item, axis, what, "-1, or " if free else "") for axis, item in enumerate(given)]
        known = tuple([known_size(item) if isinstance(item, Tensor) else item for item in items])
        vector = as_tensor(items) if None in known else None
    if vector is not None and vector.dtype.kind not in "iu":
        raise DTypeError(f"{what}: sizes are {vector.dtype}, not integers", fix='cast(sizes, "int64")')
    for size in known:
        if size is not None and size < 0 and not (free and size == -1):
            raise ArgumentError(f"{what}: {size} is no size", fix="sizes are whole numbers ≥ 0")
    if known.count(-1) > 1:
        raise ShapeError(f"{what}: -1 stands twice in {known}", why="only one size can follow from the others",
                         fix="name the other sizes")  # fmt: skip
    return known, vector if None in known else None


def _item(item: Any, axis: int, what: str, free: str) -> Any:
    if isinstance(item, Tensor):
        if item.ndim:
            raise ShapeError(f"{what}: size {axis} is {item.describe()}, not one number", fix="as in (shape(x)[0], 3)")
        return item
    if item is None:
        raise ShapeError(
            f"{what}: size {axis} is None",
            why="an unknown size must come from somewhere",
            fix=f"use {free}shape(x)[{axis}], or a function of another tensor's shape, as zeros_like",
        )
    return whole(item, f"{what}: size {axis}")
