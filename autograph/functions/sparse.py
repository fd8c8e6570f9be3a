"""Sparse matrices: the entries that may differ from 0, and where they stand.

An entry that stands twice counts as the sum. What is computed of one costs what its entries cost; nothing makes it dense
but `to_dense`. Gradients of every order flow to the entries, and to what they are multiplied with.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NoReturn

import numpy as np

from autograph.arguments import as_name, shown
from autograph.errors import ShapeError, SymbolicError
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.comparison import greater_equal, less, logical_and
from autograph.ops.elementwise import add, divide, multiply, negative
from autograph.ops.gathering import gather, scatter_like
from autograph.ops.indexing import boolean_mask
from autograph.ops.joining import concatenate as joined
from autograph.ops.movement import broadcast_to, expand_dims, transpose
from autograph.ops.shape import size_of
from autograph.origin import Origin, here
from autograph.tensor_type import DType, Shape, normalize_axis, shapes_agree, show_shape

__all__ = ["SparseTensor", "concatenate", "dot", "to_dense"]


class SparseTensor:
    """A matrix of the shape of `like` that is 0 but for `values`, of which the k-th stands at (rows[k], columns[k]).

    values, rows, columns   vectors of one length; positions are integers
    like                    a tensor of the dense shape, of which nothing but that is ever read
    """

    __array_ufunc__ = None  # array * sparse asks us
    __iter__: Any = None

    def __init__(self, values: Tensor, rows: Tensor, columns: Tensor, like: Tensor, name: str | None = None) -> None:
        self.values, self.rows, self.columns, self.like = values, rows, columns, like
        self.given_name = as_name(name)
        self.made_at: Origin = here()

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What stands for it in a function."""
        return self.values, self.rows, self.columns, self.like

    @property
    def name(self) -> str:
        return self.given_name or f"sparse_{self.values.name}"

    @name.setter
    def name(self, name: str | None) -> None:
        self.given_name = as_name(name)

    @property
    def dtype(self) -> DType:
        return self.values.dtype

    @property
    def shape(self) -> Shape:
        return self.like.shape

    @property
    def ndim(self) -> int:
        return 2

    @property
    def T(self) -> SparseTensor:
        return SparseTensor(self.values, self.columns, self.rows, transpose(self.like))

    def with_values(self, values: Tensor) -> SparseTensor:
        """Other entries at the same places."""
        return SparseTensor(values, self.rows, self.columns, self.like)

    def describe(self) -> str:
        """What errors call it, with the room that it would take."""
        sizes = ", ".join("?" if n is None else str(n) for n in self.shape)
        known = [n for n in self.shape if n is not None]
        mib = prod(known) * self.dtype.itemsize / 2**20
        room = f"{mib:.1f} MiB" if len(known) == 2 else f"{mib:.3g} MiB for each of its unknown size"
        return f"sparse {self.name!r} {self.dtype}[{sizes}] ({room} dense)"

    def __repr__(self) -> str:
        return self.describe()

    def _dense(self, *_: object, **__: object) -> NoReturn:
        raise SymbolicError(
            f"{self.describe()} has no sparse form in this operation",
            why="it would be made dense by surprise",
            fix="use dot, concatenate, transpose, slices of rows, sums and factors of rank 0; or to_dense(x), if it fits",
            where=str(self.made_at),
        )

    __array__ = __bool__ = __float__ = __int__ = __sub__ = __rsub__ = __pow__ = __rpow__ = __rtruediv__ = _dense
    __lt__ = __le__ = __gt__ = __ge__ = __abs__ = _dense

    def __neg__(self) -> SparseTensor:
        return self.with_values(negative(self.values))

    def __mul__(self, factor: Any) -> SparseTensor:
        return self.with_values(multiply(self.values, self._number(factor)))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> SparseTensor:
        return self.with_values(divide(self.values, self._number(divisor)))

    def _number(self, x: Any) -> Tensor:
        """A factor, which has rank 0."""
        number = self._dense() if isinstance(x, SparseTensor) else as_tensor(x)
        return self._dense() if number.ndim else number

    def __add__(self, other: Any) -> SparseTensor:
        if isinstance(other, int) and not other:  # where `sum` begins
            return self
        if not isinstance(other, SparseTensor):
            return self._dense()
        _check("add", self, other, ())
        values, rows, columns = [joined([a, b], 0) for a, b in zip(self.parts[:3], other.parts[:3], strict=True)]
        return SparseTensor(values, rows, columns, self.like)

    __radd__ = __add__

    def __matmul__(self, other: Any) -> Tensor:
        return dot(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return dot(other, self)

    def __getitem__(self, index: Any) -> SparseTensor:
        """Rows start … stop, by a slice of step 1 of known bounds."""
        if not isinstance(index, slice) or index.step not in (None, 1):
            self._dense()
        like = self.like[index]
        size = self.shape[0]
        if size is None and any(isinstance(end, int) and end < 0 for end in (index.start, index.stop)):
            raise ShapeError(f"{self.describe()}: rows {shown(index)} of an unknown number", fix="bounds from the front")
        first, last, _ = slice(index.start, index.stop).indices(2**62 if size is None else size)
        inside = logical_and(greater_equal(self.rows, first), less(self.rows, last))
        values, rows, columns = [boolean_mask(part, inside) for part in self.parts[:3]]
        return SparseTensor(values, rows - first, columns, like)


def _check(what: str, a: SparseTensor, b: SparseTensor, free: tuple[int, ...]) -> None:
    """Raise ShapeError unless the sizes agree along the axes that are not free."""
    if not shapes_agree(*[tuple([n for axis, n in enumerate(x.shape) if axis not in free]) for x in (a, b)]):
        raise ShapeError(f"{what}: {show_shape(a.shape)} and {show_shape(b.shape)} of {a.name!r} and {b.name!r} do not fit")


def _shape_of(sizes: Sequence[Any], dtype: DType) -> Tensor:
    """A tensor of these sizes that takes no room."""
    return broadcast_to(Constant(np.zeros((), dtype)), list(sizes))


def dot(x: Any, y: Any) -> Tensor:
    """The product of a sparse matrix and a dense matrix or vector, either way round: (m, k) · (k, n) → (m, n), dense.

    It costs one product for each entry and column. Raises ShapeError where sizes differ or the other has no rank of 1 or 2,
    SymbolicError for two sparse matrices.
    """
    if not isinstance(x, SparseTensor):
        assert isinstance(y, SparseTensor)
        dense = as_tensor(x)
        turned = dot(y.T, transpose(dense))
        return transpose(turned)
    if isinstance(y, SparseTensor):
        y._dense()
    dense = as_tensor(y)
    if dense.ndim not in (1, 2):
        raise ShapeError(f"dot: {x.describe()} times {dense.describe()}", fix="the dense one is a matrix or a vector")
    inner, outer = x.shape[1], dense.shape[0]
    if None not in (inner, outer) and inner != outer:
        raise ShapeError(f"dot: inner sizes differ: {x.describe()} · {dense.type}", fix="transpose one side")
    entries = x.values if dense.ndim == 1 else expand_dims(x.values, 1)
    terms = multiply(entries, gather(dense, x.columns))
    sizes = [size_of(x.like, 0), *(size_of(dense, axis) for axis in range(1, dense.ndim))]
    return scatter_like(terms, x.rows, _shape_of(sizes, terms.dtype))


def concatenate(tensors: Sequence[Any], axis: int = -1) -> SparseTensor:
    """Sparse matrices side by side (axis 1) or one below the other (axis 0). Raises SymbolicError if one is dense."""
    first = next(x for x in tensors if isinstance(x, SparseTensor))
    place = normalize_axis(axis, first.like)
    if not all(isinstance(x, SparseTensor) for x in tensors):
        first._dense()
    moved: list[list[Tensor]] = [[], []]
    offset: Tensor | int = 0
    for x in tensors:
        _check("concatenate", first, x, (place,))
        for own, positions in enumerate((x.rows, x.columns)):
            moved[own].append(add(positions, offset) if own == place else positions)
        offset = add(size_of(x.like, place), offset)
    sizes = [offset if a == place else size_of(first.like, a) for a in (0, 1)]
    rows, columns = (joined(some, 0) for some in moved)
    return SparseTensor(joined([x.values for x in tensors], 0), rows, columns, _shape_of(sizes, first.like.dtype))


def to_dense(x: Any) -> Tensor:
    """The dense tensor that a sparse one stands for; another one as it is."""
    if not isinstance(x, SparseTensor):
        return as_tensor(x)
    like = _shape_of([size_of(x.like, axis) for axis in (0, 1)], x.dtype)
    return apply(REGISTRY["advanced_scatter"], x.values, like, x.rows, x.columns)
