"""Row-sparse tensors: a gradient of `gather` seen as the few rows where it is not 0.

It is a tensor like any other, and dense wherever something reads it. How it was made says that it has few rows: it is
what gathers send back, scaled, clipped and added. Who asks for the rows alone never pays for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.elementwise import negative
from autograph.ops.joining import concatenate
from autograph.ops.movement import expand_dims_at
from autograph.ops.rows import is_last, touched_rows, touched_sums
from autograph.ops.selection import where

__all__ = ["RowSparse", "row_sparse"]

_SUMS = frozenset({"add", "subtract"})
_PRODUCTS = frozenset({"multiply", "mul_no_nan"})
_FIRST = frozenset({  # ops that are 0 where their first input is
    "cast", "clip", "div_no_nan", "divide", "gradient_clip", "gradient_reverse", "gradient_scale", "identity", "negative",
    "stop_gradient",
})  # fmt: skip


@dataclass(frozen=True)
class RowSparse:
    """A tensor of the shape of `like` that is 0 but for some rows: the row of number indices[k] is rows[k].

    indices  int64 [k], counted from the front; one that comes twice has the same row both times
    rows     [k, …]
    """

    indices: Tensor
    rows: Tensor
    like: Tensor

    @property
    def once(self) -> Tensor:
        """`rows` with 0 in the place of all but the last of an index: sums and norms over it are those of the tensor."""
        return where(expand_dims_at(is_last(self.indices), tuple(range(1, self.rows.ndim))), self.rows, 0)


def row_sparse(tensor: Any) -> RowSparse | None:
    """The rows of `tensor` that may differ from 0, where it is made of gradients of `gather` along the first axis of a
    table of known shape; else None.

    It is seen through sums, signs, casts, factors and divisors of rank 0 (finite ones), and clips whose bounds enclose
    0: `clip(g, -c, c)`. Slices gathered twice are summed, in the order of the indices, so that each row is, bit for
    bit, that of the dense tensor; where several gathers meet, up to a rounding.
    """
    root = as_tensor(tensor)
    found: dict[Tensor, RowSparse | None] = {}
    todo = [root]
    while todo:
        parts = _parts(todo[-1])
        unknown = [x for x in parts if x not in found]
        if unknown:
            todo += unknown
        else:
            current = todo.pop()
            found[current] = _seen(current, [found[x] for x in parts])
    return found[root]


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The inputs that must be row-sparse for the tensor to be: none where something else decides."""
    name, inputs = tensor.op.name, tensor.inputs
    if name in _SUMS and inputs[0].shape == inputs[1].shape:
        return inputs
    if name in _PRODUCTS and not all(x.ndim for x in inputs):
        return tuple([x for x in inputs if x.ndim])
    if name in _FIRST and not any(x.ndim for x in inputs[1:]) and (name != "clip" or _encloses_zero(*inputs[1:])):
        return inputs[:1]
    return ()


def _encloses_zero(low: Tensor, high: Tensor) -> bool:
    """Whether low ≤ 0 ≤ high: as numbers, or as -c and c."""
    if isinstance(low, Constant) and isinstance(high, Constant):
        return bool(low.value <= 0 <= high.value)
    below, above = _bare(low), _bare(high)
    return below.op.name == "negative" and _bare(below.inputs[0]) is above


def _bare(x: Tensor) -> Tensor:
    """What is behind casts."""
    while x.op.name == "cast":
        x = x.inputs[0]
    return x


def _seen(tensor: Tensor, parts: list[RowSparse | None]) -> RowSparse | None:
    """The tensor as rows, given what its parts are."""
    if tensor.op.name == "scatter_like":
        return _scattered(tensor)
    known = [part for part in parts if part is not None]
    if not parts or len(known) < len(parts) or not tensor.type.is_float:
        return None
    if known[0].indices is known[-1].indices:
        rows = dict(zip(_parts(tensor), [part.rows for part in known], strict=True))
        inputs = [rows.get(x, x) for x in tensor.inputs]
        return RowSparse(known[0].indices, apply(tensor.op, *inputs, **tensor.params), known[0].like)
    first, second = (part.once for part in known)
    indices = concatenate([part.indices for part in known])
    rows_of_both = concatenate([first, negative(second) if tensor.op.name == "subtract" else second])
    return _summed(rows_of_both, indices, known[0].like)


def _scattered(tensor: Tensor) -> RowSparse | None:
    """The gradient of one gather."""
    g, indices, like = tensor.inputs
    return _summed(g, indices, like) if tensor.params["axis"] == 0 and like.type.is_static else None


def _summed(g: Tensor, indices: Tensor, like: Tensor) -> RowSparse:
    return RowSparse(touched_rows(indices, like), touched_sums(g, indices, like), like)
