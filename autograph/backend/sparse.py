"""Sparse matrices: SciPy's as feeds, variables, constants and results of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import shown
from autograph.backend.naming import scoped
from autograph.backend.operands import tensor
from autograph.errors import NOTHING_CHANGED, FeedError, ShapeError
from autograph.functions import sparse
from autograph.functions.sparse import SparseTensor
from autograph.graph.tensor import Constant, Placeholder, Tensor
from autograph.literals import array_of
from autograph.ops.movement import broadcast_to
from autograph.ops.shape import shape as shape_of
from autograph.tensor_type import DTYPES, Shape, TensorType, as_dtype, as_shape, shapes_agree, show_shape

__all__ = [
    "SparseFunction", "SparsePlaceholder", "is_sparse", "shape_like", "sparse_leaf", "sparse_placeholder", "symbol", "to_dense",
]  # fmt: skip

_STEPS = 8  # sizes between a power of two and the next, to which entries are filled up


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse: a placeholder made so, a variable of a SciPy matrix, or what is made of them alone."""
    return isinstance(tensor, SparseTensor)


def to_dense(tensor_: Any) -> Tensor:
    """The dense tensor that a sparse one stands for, of its shape; another one as it is."""
    return sparse.to_dense(tensor_) if isinstance(tensor_, SparseTensor) else tensor(tensor_)


def symbol(x: Any) -> Tensor | SparseTensor:
    """`x`, sparse or not, as a tensor."""
    return x if isinstance(x, SparseTensor) else tensor(x)


def shape_like(x: Any) -> Tensor:
    """A tensor of the shape of `x`, of which nothing else may be read."""
    return x.like if isinstance(x, SparseTensor) else tensor(x)


# leaves --------------------------------------------------------------------------------------------------------------


class SparsePlaceholder(SparseTensor):
    """An input that is fed sparse matrices."""


def sparse_placeholder(
    shape: Iterable[Any] | None, ndim: int | None, dtype: npt.DTypeLike | None, name: str | None
) -> SparseTensor:
    """An input of rank 2, to be fed a SciPy matrix. Raises ShapeError for another rank."""
    sizes: Shape = (None,) * (ndim or 0) if shape is None else as_shape(shape, "placeholder")
    if len(sizes) != 2:
        raise ShapeError(f"placeholder: a sparse one has rank 2, not {len(sizes)}", fix="shape=(None, 784), or ndim=2")
    values = Placeholder(TensorType(as_dtype(dtype), (None,)))
    rows, columns = [Placeholder(TensorType(DTYPES["int64"], (None,))) for _ in range(2)]
    made = scoped(SparsePlaceholder(values, rows, columns, Placeholder(TensorType(DTYPES["bool"], sizes))), name)
    for part, what in zip(made.parts, ("values", "rows", "columns", "shape"), strict=True):
        part.name = f"{made.name}/{what}"
    return made


def sparse_leaf(value: Any, dtype: npt.DTypeLike | None, name: str | None, make: Callable[[Any], Tensor]) -> SparseTensor:
    """A SciPy matrix as a sparse tensor; `make` gives a tensor of its entries, which for variables is one."""
    entries = value.tocoo()
    rows, columns = [Constant(np.array(part, np.int64)) for part in (entries.row, entries.col)]
    values = make(array_of(entries.data, as_dtype(dtype)))
    like = broadcast_to(Constant(np.zeros((), bool)), list(entries.shape))
    return SparseTensor(values, rows, columns, like, name)


# functions -----------------------------------------------------------------------------------------------------------


def fed(x: SparseTensor, value: Any, position: int) -> list[Any]:
    """The arrays of a SciPy matrix, filled up by entries that are 0 to one of a few sizes.

    A function is prepared for each number of entries; so there are at most `_STEPS` of them between a power of two and the
    next. What fills up stands where the last entry does.
    """
    if not hasattr(value, "tocoo"):
        raise FeedError(
            f"input {position} {x.name!r} is sparse, and got {shown(value)}", why="it is fed a SciPy matrix",
            fix="scipy.sparse.csr_matrix(value), or a placeholder that is not sparse", after=NOTHING_CHANGED,
        )  # fmt: skip
    if not shapes_agree(x.shape, value.shape):
        what = f"input {position} {x.name!r} expects {show_shape(x.shape)}, got {list(value.shape)}"
        raise FeedError(what, fix="the shape of the placeholder", after=NOTHING_CHANGED)
    entries = value.tocoo()
    count = len(entries.data)
    step = max(1, 2 ** count.bit_length() // (2 * _STEPS))
    extra = -count % step
    values = np.concatenate([entries.data, np.zeros(extra, entries.data.dtype)])
    places = [np.concatenate([part, np.repeat(part[-1:], extra)]).astype(np.int64) for part in (entries.row, entries.col)]
    return [values, *places, np.broadcast_to(np.False_, value.shape)]


def assembled(parts: Sequence[Any]) -> Any:
    """A SciPy matrix from its parts. Raises ImportError where SciPy is not installed."""
    from scipy.sparse import csr_matrix

    values, rows, columns, shape = parts
    return csr_matrix((values, (rows, columns)), shape=tuple(shape))


class SparseFunction:
    """A function some of whose inputs or outputs are sparse: it takes and gives SciPy matrices in their places.

    dense   the function of their parts
    """

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], *rest: Any, **kwargs: Any):
        self.inputs, self.outputs = inputs, outputs
        parts = [part for x in inputs for part in (x.parts if isinstance(x, SparseTensor) else [x])]
        results = [part for x in outputs for part in ([*x.parts[:3], shape_of(x.like)] if isinstance(x, SparseTensor) else [x])]
        self.dense = function(parts, results, *rest, **kwargs)

    def __call__(self, inputs: Sequence[Any] = ()) -> list[Any]:
        """The outputs before the tick, as `K.function` gives them. Raises FeedError for what does not fit."""
        if isinstance(inputs, list | tuple) and len(inputs) == len(self.inputs):
            pairs = enumerate(zip(self.inputs, inputs, strict=True))
            inputs = [part for i, (x, v) in pairs for part in (fed(x, v, i) if isinstance(x, SparseTensor) else [v])]
        elif isinstance(inputs, list | tuple):
            names = ", ".join(x.name for x in self.inputs)
            what = f"{self.dense.name!r} takes {len(self.inputs)} inputs, got {len(inputs)}"
            raise FeedError(what, fix=f"call with [{names}]", after=NOTHING_CHANGED)
        found = iter(self.dense(inputs))
        return [
            assembled([next(found) for _ in x.parts]) if isinstance(x, SparseTensor) else next(found) for x in self.outputs
        ]

    def __getattr__(self, name: str) -> Any:
        """What the function of the parts offers."""
        if name.startswith("__") or name == "dense":
            raise AttributeError(name)
        return getattr(self.dense, name)
