"""Order: what sorts a tensor, and what is taken along the lines of one.

Sorting is stable, NaN stands last, and a gradient goes to the element that was really picked.
"""

from __future__ import annotations

from typing import Any

from autograph.arguments import choice, truth, whole
from autograph.errors import ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.gathering import gather, index_tensor
from autograph.ops.movement import reshape
from autograph.tensor_type import DTYPES, Shape, TensorType, broadcast_shapes, normalize_axis, shapes_agree, show_shape

__all__ = ["argsort", "searchsorted", "sort", "take_along_axis", "top_k", "unique"]

# along lines ---------------------------------------------------------------------------------------------------------


def _taken(x: TensorType, indices: TensorType, axis: int) -> Shape:
    """The size of `indices` along `axis`; along the other axes both broadcast."""
    if x.ndim != indices.ndim:
        raise ShapeError(f"ranks differ: {x} and indices {indices}", fix="expand_dims gives the one an axis of size 1")
    lines = broadcast_shapes(*[(*t.shape[:axis], 1, *t.shape[axis + 1 :]) for t in (x, indices)])
    return (*lines[:axis], indices.shape[axis], *lines[axis + 1 :])


def _scatter_along_type(g: TensorType, indices: TensorType, like: TensorType, axis: int) -> TensorType:
    part = _taken(like, indices, axis)
    if not shapes_agree(g.shape, part):
        raise ShapeError(f"{g} does not fit {show_shape(part)}, what {indices} takes from {like}")
    return TensorType(g.dtype, like.shape)


_TAKE_ALONG_AXIS = register(Op(
    "take_along_axis",
    kind=Kind.INDEXING,
    infer=lambda x, indices, axis: TensorType(x.dtype, _taken(x, indices, axis)),
    eval=lambda xp, x, indices, axis: xp.take_along_axis(x, indices, axis),
    vjp=lambda g, y, x, indices, axis: (apply(_SCATTER_ALONG_AXIS, g, indices, x, axis=axis), None),
    operands=as_given,
    raises=True,
    doc="From each line of x along `axis` the elements at the same line of `indices`; other axes broadcast.",
))

_SCATTER_ALONG_AXIS: Op = register(Op(
    "scatter_along_axis",
    kind=Kind.INDEXING,
    infer=_scatter_along_type,
    eval=lambda xp, g, indices, like, axis: xp.scatter_along_axis(g, indices, like.shape, axis),
    vjp=lambda h, y, g, indices, like, axis: (apply(_TAKE_ALONG_AXIS, h, indices, axis=axis), None, None),
    operands=as_given,
    raises=True,
    doc="Zeros of the shape of `like`, with each element of g added where take_along_axis took it from.",
))


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Tensor:
    """From each line of `x` along `axis` the elements at the same line of `indices`, as `numpy.take_along_axis`.

    Shapes: x [a…, n, b…], indices [a…, k, b…] → [a…, k, b…]; the other axes broadcast. Negative indices count from the
    end. Raises ShapeError unless the ranks are equal, IndexRangeError for an index outside the axis.
    """
    tensor, positions = as_tensor(x), index_tensor(indices)
    return apply(_TAKE_ALONG_AXIS, tensor, positions, axis=normalize_axis(axis, tensor))


# order ---------------------------------------------------------------------------------------------------------------

_ARGSORT = register(Op(
    "argsort",
    kind=Kind.INDEXING,
    infer=lambda x, axis, descending: TensorType(DTYPES["int64"], x.shape),
    eval=lambda xp, x, axis, descending: xp.argsort(x, axis, descending),
    operands=as_given,
    doc="The positions that sort x along `axis`: ties in their old order, NaN last.",
))


def argsort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """The positions (int64) that sort `x` along `axis`: ties keep their order, NaN stands last, either way.

    No gradient flows. Raises AxisError for an axis that `x` does not have.
    """
    tensor = as_tensor(x)
    return apply(_ARGSORT, tensor, axis=normalize_axis(axis, tensor), descending=truth(descending, "descending"))


_SORT = register(Op(
    "sort",
    kind=Kind.INDEXING,
    infer=lambda x, axis, descending: TensorType(x.dtype, x.shape),
    eval=lambda xp, x, axis, descending: xp.sort(x, axis, descending),
    vjp=lambda g, y, x, axis, descending: (
        apply(_SCATTER_ALONG_AXIS, g, argsort(x, axis, descending), x, axis=axis),),
    operands=as_given,
    doc="x sorted along `axis`, NaN last; a gradient goes to the element that argsort puts there.",
))


def sort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """`x` sorted along `axis`, stable, NaN last. Each gradient goes to the element that stands there.

    Raises AxisError for an axis that `x` does not have.
    """
    tensor = as_tensor(x)
    return apply(_SORT, tensor, axis=normalize_axis(axis, tensor), descending=truth(descending, "descending"))


def _top_k_type(x: TensorType, k: int, axis: int) -> TensorType:
    size = x.shape[axis]
    if size is not None and k > size:
        raise ShapeError(f"k={k}, but axis {axis} of {x} holds {size} elements", fix=f"ask for at most {size}")
    return TensorType(DTYPES["int64"], (*x.shape[:axis], k, *x.shape[axis + 1 :]))


_TOP_K = register(Op(
    "top_k",
    kind=Kind.INDEXING,
    infer=_top_k_type,
    eval=lambda xp, x, k, axis: xp.top_k(x, k, axis),
    operands=as_given,
    doc="The positions of the k greatest elements along `axis`, in falling order; of ties the first, NaN last.",
))


def top_k(x: Any, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The `k` greatest elements along `axis`, in falling order, and their positions (int64); of ties the first.

    NaN counts as the least. Raises ArgumentError unless `k` is a whole number, ShapeError if the axis is shorter.
    """
    tensor = as_tensor(x)
    place = normalize_axis(axis, tensor)
    positions = apply(_TOP_K, tensor, k=whole(k, "top_k: k", 0), axis=place)
    return take_along_axis(tensor, positions, place), positions


# search --------------------------------------------------------------------------------------------------------------

_SEARCHSORTED = register(Op(
    "searchsorted",
    kind=Kind.INDEXING,
    infer=lambda line, x, side: TensorType(DTYPES["int64"], x.shape),
    eval=lambda xp, line, x, side: xp.searchsorted(line, x, side),
    doc="Where in the sorted vector `line` each element of x would be inserted to keep it sorted.",
))


def searchsorted(line: Any, x: Any, side: str = "left") -> Tensor:
    """Where in the sorted vector `line` each element of `x` belongs (int64).

    side  "left": before the elements equal to it, or "right": after them

    Raises ShapeError unless `line` is a vector, ArgumentError for another side.
    """
    vector = as_tensor(line)
    if vector.ndim != 1:
        raise ShapeError(f"searchsorted: {vector.describe()} is no vector", fix="search row by row")
    choice("searchsorted: side", side, ("left", "right"))
    return apply(_SEARCHSORTED, vector, as_tensor(x), side=side)


def _first_positions_type(x: TensorType) -> TensorType:
    if x.ndim != 1:
        raise ShapeError(f"needs a vector, got {x}", fix="flatten it first")
    return TensorType(DTYPES["int64"], (None,))


_FIRST_POSITIONS = register(Op(
    "first_positions",
    kind=Kind.INDEXING,
    infer=_first_positions_type,
    eval=lambda xp, x: xp.first_positions(x),
    operands=as_given,
    doc="Where in the vector x each different value comes first, in the order of the values.",
))


def unique(x: Any) -> Tensor:
    """The different values of `x`, sorted, as a vector; each gradient goes to the first element of that value.

    How many there are depends on the data, so the size is unknown.
    """
    flat = reshape(x, (-1,))
    return gather(flat, apply(_FIRST_POSITIONS, flat))
