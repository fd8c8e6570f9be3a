"""Rows of a table by number: the primitives of updates and gradients that touch a few rows, and cost what these cost.

A row is what one index of the first axis stands for.
"""

from __future__ import annotations

from typing import Any

from autograph.errors import AxisError, DTypeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.elementwise import cast
from autograph.ops.gathering import (
    check_static,
    gather,
    index_tensor,
    scatter_like,
    scatter_like_type,
    scatter_type,
    sum_operands,
)
from autograph.ops.movement import expand_dims_at, reshape, reshape_like
from autograph.ops.selection import where
from autograph.ops.shape import size_of
from autograph.tensor_type import DTYPES, Size, TensorType, element_count

__all__ = ["is_last", "put_rows", "touched_rows", "touched_sums"]

# numbers -------------------------------------------------------------------------------------------------------------


def _last_type(numbers: TensorType) -> TensorType:
    if numbers.dtype.kind not in "iu":
        raise DTypeError(f"the numbers are {numbers}, and only integers number rows", fix='cast(numbers, "int64")')
    if numbers.ndim != 1:
        raise ShapeError(f"the numbers are {numbers}, no vector", fix="flatten them")
    return TensorType(DTYPES["bool"], numbers.shape)


_IS_LAST = register(Op(
    "is_last",
    kind=Kind.INDEXING,
    infer=_last_type,
    eval=lambda xp, numbers: xp.is_last(numbers),
    operands=as_given,
    doc="Where no equal number comes behind: true once for each different number.",
))


def is_last(numbers: Tensor) -> Tensor:
    """Where in a vector of integers no equal one comes behind: true once for each different number."""
    return apply(_IS_LAST, numbers)


def _touched(indices: TensorType, like: TensorType) -> Size:
    """How many rows are told of: one an index, and at most all there are."""
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"the indices are {indices}, and only integers number rows", fix='cast(indices, "int64")')
    if not like.ndim:
        raise AxisError(f"{like} is a number, and has no rows", fix="expand_dims(x, 0) makes one")
    count, size = element_count(indices.shape), like.shape[0]
    return count if count == 0 else None if count is None or size is None else min(count, size)


_TOUCHED_ROWS = register(Op(
    "touched_rows",
    kind=Kind.INDEXING,
    infer=lambda indices, like: TensorType(DTYPES["int64"], (_touched(indices, like),)),
    eval=lambda xp, indices, like: xp.touched_rows(indices, like.shape[0]),
    operands=as_given,
    raises=True,
    doc="The numbers of the rows of `like` at `indices`, from the front: one an index, or each once where these are more.",
))


def touched_rows(indices: Tensor, like: Tensor) -> Tensor:
    """The numbers (int64) of the rows of `like` at `indices`, counted from the front: [i…] → [k].

    There is one to each index; where the indices are more than the rows, each number once, in order, and the last again
    until there are as many as rows. Raises IndexRangeError for an index outside, AxisError where `like` has no rows.
    """
    return apply(_TOUCHED_ROWS, indices, like)


# rows ----------------------------------------------------------------------------------------------------------------


def _sums_type(g: TensorType, indices: TensorType, like: TensorType) -> TensorType:
    count = _touched(indices, like)
    scatter_like_type(g, indices, like, 0)
    if g.dtype.kind == "b":
        raise DTypeError(f"{g} are truth values, which have no sum", fix="cast them")
    return TensorType(g.dtype, (count, *like.shape[1:]))


_TOUCHED_SUMS = register(Op(
    "touched_sums",
    kind=Kind.INDEXING,
    infer=_sums_type,
    eval=lambda xp, g, indices, like: xp.touched_sums(g, indices, like.shape),
    vjp=lambda h, y, g, indices, like: (gather(scatter_like(h, touched_rows(indices, like), like), indices), None, None),
    operands=as_given,
    raises=True,
    doc="The slices of g added at `indices` along the first axis of `like`, of that the rows that `touched_rows` names.",
))


def touched_sums(g: Tensor, indices: Tensor, like: Tensor) -> Tensor:
    """The rows of scatter_like(g, indices, like) that `touched_rows(indices, like)` names: [i…, b…] → [k, b…].

    Raises as `touched_rows`, ShapeError unless g holds a row to each index.
    """
    return apply(_TOUCHED_SUMS, g, indices, like)


def _put_vjp(g: Tensor, y: Tensor, x: Tensor, indices: Tensor, rows: Tensor) -> tuple[Tensor | None, ...]:
    """To x what was not replaced; to each row what stands where it was put, if it was not replaced itself."""
    numbers = cast(indices, "int64")
    last = is_last(reshape(where(numbers < 0, numbers + size_of(x, 0), numbers), (-1,)))
    stands = expand_dims_at(reshape_like(last, indices), tuple(range(indices.ndim, indices.ndim + x.ndim - 1)))
    return put_rows(g, indices, 0), None, where(stands, gather(g, indices), 0)


_PUT_ROWS = register(Op(
    "put_rows",
    kind=Kind.INDEXING,
    infer=lambda x, indices, rows: scatter_type(x, indices, rows, 0),
    eval=lambda xp, x, indices, rows: xp.put_rows(x, indices, rows),
    vjp=_put_vjp,
    operands=sum_operands,
    raises=True,
    doc="x with `rows` at `indices` of its first axis; the last stands where an index comes twice.",
))


def put_rows(x: Any, indices: Any, rows: Any) -> Tensor:
    """`x` with `rows` in the place of those at `indices`; where an index comes twice, the last stands.

    Shapes: x [n, b…], indices [i…], rows what broadcasts to [i…, b…] → as x. As the new value of the register x,
    alone or behind a guard, it is written row by row, and costs what the rows cost. Raises IndexRangeError for an index
    outside, ShapeError if the rows do not fit, AxisError where x has no rows.
    """
    tensor, places = as_tensor(x), index_tensor(indices)
    if not tensor.ndim:
        raise AxisError(f"put_rows: {tensor.describe()} is a number, and has no rows", fix="expand_dims(x, 0) makes one")
    check_static("put_rows", tensor, places, 0)
    return apply(_PUT_ROWS, tensor, places, as_tensor(rows))
