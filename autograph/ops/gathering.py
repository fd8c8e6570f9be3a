"""Elements chosen by position: the primitives behind `x[...]`, each with the scatter that is its gradient.

An index outside its axis raises IndexRangeError on every run; negative ones count from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import choice, whole
from autograph.arrays.indexing import check_inside, filled, positions
from autograph.errors import DTypeError, IndexRangeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor, told
from autograph.tensor_type import (
    DTYPES,
    DType,
    Shape,
    Size,
    TensorType,
    as_dtype,
    broadcast_shapes,
    normalize_axis,
    result_dtype,
    shapes_agree,
    show_shape,
)

__all__ = [
    "advanced_index",
    "basic_index",
    "class_labels",
    "gather",
    "index_tensor",
    "mask_positions",
    "one_hot",
    "scatter_add",
    "scatter_like",
]

Index = tuple[Any, ...]  # of int, None (a new axis), (start, stop, step); "?" stands for the next input

# basic ---------------------------------------------------------------------------------------------------------------


def _slice_size(size: Size, bounds: tuple[Any, ...]) -> Size:
    if size is None or "?" in bounds:
        return 0 if size == 0 else None
    return len(range(*slice(*bounds).indices(size)))


def _basic_type(x: TensorType, *_: TensorType, index: Index) -> TensorType:
    sizes: list[Size] = []
    axis = 0
    for item in index:
        if item is None:
            sizes.append(1)
            continue
        size, axis = x.shape[axis], axis + 1
        if isinstance(item, tuple):
            sizes.append(_slice_size(size, item))
        elif item != "?" and size is not None:
            check_inside(item, size)
    return TensorType(x.dtype, (*sizes, *x.shape[axis:]))


def _unslice_type(g: TensorType, like: TensorType, *_: TensorType, index: Index) -> TensorType:
    part = _basic_type(like, index=index).shape
    if not shapes_agree(g.shape, part):
        raise ShapeError(f"{g} does not fit the part {show_shape(part)} of {like}")
    return TensorType(g.dtype, like.shape)


_BASIC_INDEX = register(Op(
    "basic_index",
    kind=Kind.MOVEMENT,
    infer=_basic_type,
    eval=lambda xp, x, index: xp.basic_index(x, index),
    vjp=lambda g, y, x, index: (apply(_UNSLICE, g, x, index=index),),
    operands=as_given,
    doc="The part of x that integers, slices and new axes choose: a view.",
))

_UNSLICE: Op = register(Op(
    "unslice",
    kind=Kind.INDEXING,
    infer=_unslice_type,
    eval=lambda xp, g, like, index: xp.unslice(g, like.shape, index),
    vjp=lambda h, y, g, like, index: (apply(_BASIC_INDEX, h, index=index), None),
    operands=as_given,
    doc="Zeros of the shape of `like`, with g at the part that `index` chooses.",
))


def _known_bounds(index: Index, bounds: Sequence[Tensor]) -> Index | None:
    """`index` with its bounds filled in, where all of them are constants."""
    values = [bound.value for bound in bounds if isinstance(bound, Constant)]
    return filled(index, values) if len(values) == len(bounds) else None


def _static_index(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    known = _known_bounds(params["index"], inputs[1:])
    return None if known is None else apply(_BASIC_INDEX, inputs[0], index=known)


def _static_unslice(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    known = _known_bounds(params["index"], inputs[2:])
    return None if known is None else apply(_UNSLICE, *inputs[:2], index=known)


_DYNAMIC_INDEX = register(Op(
    "dynamic_index",
    kind=Kind.INDEXING,
    infer=_basic_type,
    eval=lambda xp, x, *bounds, index: xp.dynamic_index(x, index, *bounds),
    vjp=lambda g, y, x, *bounds, index: (apply(_DYNAMIC_UNSLICE, g, x, *bounds, index=index), *[None] * len(bounds)),
    operands=as_given,
    specialize=_static_index,
    raises=True,
    doc='The part of x that integers, slices and new axes choose, each "?" among them the next of `bounds`.',
))

_DYNAMIC_UNSLICE: Op = register(Op(
    "dynamic_unslice",
    kind=Kind.INDEXING,
    infer=_unslice_type,
    eval=lambda xp, g, like, *bounds, index: xp.dynamic_unslice(g, like.shape, index, *bounds),
    vjp=lambda h, y, g, like, *bounds, index: (
        apply(_DYNAMIC_INDEX, h, *bounds, index=index), *[None] * (len(bounds) + 1)),
    operands=as_given,
    specialize=_static_unslice,
    raises=True,
    doc='Zeros of the shape of `like`, with g at the part that `index` chooses, each "?" in it the next of `bounds`.',
))


def basic_index(x: Tensor, index: Index, bounds: Sequence[Tensor] = ()) -> Tensor:
    """The part of `x` at integers, slices (start, stop, step) and new axes (None), each "?" the next of `bounds`.

    Raises IndexRangeError for an integer outside its axis: at once where both are known.
    """
    return apply(_DYNAMIC_INDEX, x, *bounds, index=index) if bounds else apply(_BASIC_INDEX, x, index=index)


# along one axis ------------------------------------------------------------------------------------------------------


def _gathered(x: Shape, indices: Shape, axis: int) -> Shape:
    return (*x[:axis], *indices, *x[axis + 1 :])


def scatter_like_type(g: TensorType, indices: TensorType, like: TensorType, axis: int) -> TensorType:
    part = _gathered(like.shape, indices.shape, axis)
    if not shapes_agree(g.shape, part):
        raise ShapeError(f"{g} does not fit {show_shape(part)}, the slices of {like} at {indices}")
    return TensorType(g.dtype, like.shape)


def scatter_type(x: TensorType, indices: TensorType, updates: TensorType, axis: int) -> TensorType:
    part = _gathered(x.shape, indices.shape, axis)
    if not shapes_agree(broadcast_shapes(updates.shape, part), part):
        raise ShapeError(
            f"updates {updates} do not fit {show_shape(part)}, the slices of {x} at {indices} along axis {axis}",
            fix="one slice for each index, or what broadcasts to it",
        )
    return TensorType(x.dtype, x.shape)


def sum_operands(types: Sequence[TensorType]) -> Sequence[DType | None]:
    """x and the updates where they meet; the indices as they are."""
    dtype = result_dtype([types[0], types[2]])
    return dtype, None, dtype


_GATHER = register(Op(
    "gather",
    kind=Kind.INDEXING,
    infer=lambda x, indices, axis: TensorType(x.dtype, _gathered(x.shape, indices.shape, axis)),
    eval=lambda xp, x, indices, axis: xp.gather(x, indices, axis),
    vjp=lambda g, y, x, indices, axis: (apply(_SCATTER_LIKE, g, indices, x, axis=axis), None),
    operands=as_given,
    raises=True,
    doc="The slices of x at `indices` along `axis`: the axes of `indices` stand in the place of that axis.",
))

_SCATTER_LIKE: Op = register(Op(
    "scatter_like",
    kind=Kind.INDEXING,
    infer=scatter_like_type,
    eval=lambda xp, g, indices, like, axis: xp.scatter(g, indices, like.shape, axis),
    vjp=lambda h, y, g, indices, like, axis: (apply(_GATHER, h, indices, axis=axis), None, None),
    operands=as_given,
    raises=True,
    doc="Zeros of the shape of `like`, with the slices of g added at `indices` along `axis`: the gradient of gather.",
))

_SCATTER_ADD = register(Op(
    "scatter_add",
    kind=Kind.INDEXING,
    infer=scatter_type,
    eval=lambda xp, x, indices, updates, axis: xp.scatter_add(x, indices, updates, axis),
    vjp=lambda g, y, x, indices, updates, axis: (g, None, apply(_GATHER, g, indices, axis=axis)),
    operands=sum_operands,
    raises=True,
    doc="x with the slices of `updates` added at `indices` along `axis`, in the order of the indices.",
))


def scatter_like(g: Tensor, indices: Tensor, like: Tensor) -> Tensor:
    """Zeros of the shape of `like`, with the slices of g added at `indices` of the first axis: the gradient of gather."""
    return apply(_SCATTER_LIKE, g, indices, like, axis=0)


def index_tensor(indices: Any, what: str = "indices") -> Tensor:
    """`indices` as a tensor of integers. Raises DTypeError for anything else."""
    tensor = as_tensor(indices)
    if isinstance(tensor, Constant) and not tensor.value.size and not isinstance(indices, np.ndarray | Tensor):
        tensor = Constant(tensor.value.astype(np.int64))  # an empty list, of which NumPy makes floats
    if tensor.dtype.kind not in "iu":
        fix = "use boolean_mask, or x[mask]" if tensor.dtype.kind == "b" else f'cast({what}, "int64") if they are whole'
        raise DTypeError(f"{what} are {tensor.describe()}, and only integers are positions", fix=fix)
    return tensor


def check_static(what: str, x: Tensor, indices: Tensor, axis: int) -> None:
    """Raise IndexRangeError at once where the indices and the size of the axis are known."""
    size = x.shape[axis]
    if size is not None and isinstance(indices, Constant):
        try:
            check_inside(indices.value, size)
        except IndexRangeError as error:
            raise told(error, what, [x, indices]) from None


def gather(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """The slices of `x` at `indices` along `axis`, as `numpy.take`.

    Shapes: x [a…, n, b…], indices [i…] → [a…, i…, b…]. Negative indices count from the end. The gradient of a slice
    taken twice is the sum of both. Raises IndexRangeError for an index outside -n … n-1, DTypeError unless the indices
    are integers.
    """
    tensor, places = as_tensor(x), index_tensor(indices)
    place = normalize_axis(axis, tensor)
    check_static("gather", tensor, places, place)
    return apply(_GATHER, tensor, places, axis=place)


def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Tensor:
    """`x` with the slices of `updates` added at `indices` along `axis`; where an index comes twice, both are added.

    Shapes: x [a…, n, b…], indices [i…], updates what broadcasts to [a…, i…, b…] → as x. The sums are taken in the order
    of the indices. Raises IndexRangeError for an index outside the axis, ShapeError if the updates do not fit.
    """
    tensor, places = as_tensor(x), index_tensor(indices)
    place = normalize_axis(axis, tensor)
    check_static("scatter_add", tensor, places, place)
    return apply(_SCATTER_ADD, tensor, places, as_tensor(updates), axis=place)


# along several axes --------------------------------------------------------------------------------------------------


def _advanced_type(x: TensorType, *indices: TensorType) -> TensorType:
    return TensorType(x.dtype, (*broadcast_shapes(*[i.shape for i in indices]), *x.shape[len(indices) :]))


def _advanced_scatter_type(g: TensorType, like: TensorType, *indices: TensorType) -> TensorType:
    part = _advanced_type(like, *indices).shape
    if not shapes_agree(g.shape, part):
        raise ShapeError(f"{g} does not fit {show_shape(part)}, the points of {like}")
    return TensorType(g.dtype, like.shape)


def _positions_type(mask: TensorType, like: TensorType, axis: int, flat: bool) -> TensorType:
    part = like.shape[axis : axis + mask.ndim]
    if not shapes_agree(mask.shape, part):
        raise ShapeError(
            f"the mask {show_shape(mask.shape)} does not match {show_shape(part)} of {like}, from axis {axis} on",
            fix="a mask has the sizes of the axes that it chooses from",
        )
    return TensorType(DTYPES["int64"], (1 if flat else mask.ndim, None))


_ADVANCED_INDEX = register(Op(
    "advanced_index",
    kind=Kind.INDEXING,
    infer=_advanced_type,
    eval=lambda xp, x, *indices: xp.advanced_index(x, *indices),
    vjp=lambda g, y, x, *indices: (apply(_ADVANCED_SCATTER, g, x, *indices), *[None] * len(indices)),
    operands=as_given,
    raises=True,
    doc="x at the points whose coordinates along its leading axes are `indices`, which broadcast.",
))

_ADVANCED_SCATTER: Op = register(Op(
    "advanced_scatter",
    kind=Kind.INDEXING,
    infer=_advanced_scatter_type,
    eval=lambda xp, g, like, *indices: xp.advanced_scatter(g, like.shape, *indices),
    vjp=lambda h, y, g, like, *indices: (apply(_ADVANCED_INDEX, h, *indices), *[None] * (len(indices) + 1)),
    operands=as_given,
    raises=True,
    doc="Zeros of the shape of `like`, with g added at the points whose leading coordinates are `indices`.",
))

_POSITIONS = register(Op(
    "positions",
    kind=Kind.INDEXING,
    infer=_positions_type,
    eval=lambda xp, mask, like, axis, flat: xp.positions(mask, flat),
    operands=as_given,
    doc="Where a mask over the axes of `like` from `axis` on is not 0: one row an axis, or one row for all if `flat`.",
))


def advanced_index(x: Tensor, indices: Sequence[Tensor]) -> Tensor:
    """`x` at the points whose coordinates along its leading axes are `indices`, which broadcast: [n…, b…] → [i…, b…].

    Raises IndexRangeError for a coordinate outside its axis.
    """
    for axis, coordinates in enumerate(indices):
        check_static("index", x, coordinates, axis)
    return apply(_ADVANCED_INDEX, x, *indices)


def mask_positions(mask: Tensor, like: Tensor, axis: int, flat: bool = False) -> list[Tensor]:
    """Where a mask over the axes of `like` from `axis` on is not 0: for each of them a vector of coordinates.

    flat  one vector instead, of places in the mask taken as a vector

    Raises ShapeError where the sizes differ.
    """
    if isinstance(mask, Constant) and like.shape[axis : axis + mask.ndim] == mask.shape:
        return [Constant(row) for row in positions(mask.value, flat)]
    found = apply(_POSITIONS, mask, like, axis=axis, flat=flat)
    return [basic_index(found, (row,)) for row in range(1 if flat else mask.ndim)]


# classes -------------------------------------------------------------------------------------------------------------

_CLASS_LABELS = register(Op(
    "class_labels",
    kind=Kind.INDEXING,
    infer=lambda labels, scores, axis: TensorType(DTYPES["int64"], labels.shape),
    eval=lambda xp, labels, scores, axis: xp.class_labels(labels, scores.shape[axis]),
    operands=as_given,
    raises=True,
    doc="Labels as int64, each the number of a class: a position along `axis` of the scores, counted from 0.",
))


def class_labels(labels: Any, scores: Tensor, axis: int) -> Tensor:
    """`labels` as int64, each the number of a class along `axis` of `scores`; they may be floats, if they are whole.

    Raises IndexRangeError, naming the label and its place, for one that is no class; negative ones are none.
    """
    return apply(_CLASS_LABELS, as_tensor(labels), scores, axis=axis)


_ONE_HOT = register(Op(
    "one_hot",
    kind=Kind.INDEXING,
    infer=lambda labels, classes, dtype, axis, strict: TensorType(
        dtype, (*labels.shape[:axis], classes, *labels.shape[axis:])),
    eval=lambda xp, labels, classes, dtype, axis, strict: xp.one_hot(labels, classes, dtype, axis, strict),
    operands=as_given,
    raises=True,
    doc="1 at each label along a new `axis` of size `classes`, 0 elsewhere; a label outside raises if `strict`.",
))


def one_hot(
    labels: Any, classes: int, dtype: npt.DTypeLike | None = None, axis: int = -1, out_of_range: str = "raise"
) -> Tensor:
    """1 at each label along a new `axis` of size `classes`, 0 elsewhere; floatx unless `dtype` is given.

    out_of_range  "raise" (IndexRangeError naming the label and its place), or "zeros": no 1 anywhere

    Raises DTypeError unless the labels are integers, ArgumentError unless `classes` is a whole number ≥ 0.
    """
    tensor = index_tensor(labels, "labels")
    count = whole(classes, "one_hot: the number of classes", 0)
    choice("one_hot: out_of_range", out_of_range, ("raise", "zeros"))
    place = normalize_axis(axis, tensor.ndim + 1)
    strict = out_of_range == "raise"
    return apply(_ONE_HOT, tensor, classes=count, dtype=as_dtype(dtype), axis=place, strict=strict)
