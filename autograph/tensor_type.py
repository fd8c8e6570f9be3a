"""What is known of a tensor before it has a value: dtype and shape, and how these combine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from autograph.config import floatx
from autograph.errors import ArgumentError, AxisError, DTypeError, ShapeError, nearest

Size = int | None
Shape = tuple[Size, ...]
DType = np.dtype[Any]

DTYPES: dict[str, DType] = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}
CANONICAL: dict[DType, DType] = {dtype: dtype for dtype in DTYPES.values()}  # one object a dtype, found without its name
_KIND_ORDER = {"b": 0, "u": 1, "i": 1, "f": 2}


class TensorType(NamedTuple):
    """A dtype and a shape in which `None` is a size not known yet.

    `weak` marks a literal (a Python number, a NumPy scalar or array among operands): it takes the dtype of what it
    meets, and never widens a tensor of its own or a higher kind.
    """

    dtype: DType
    shape: Shape
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype.kind == "f"

    @property
    def is_static(self) -> bool:
        return None not in self.shape

    def __str__(self) -> str:
        return f"{self.dtype.name}{show_shape(self.shape)}"


def show_shape(shape: Iterable[Size]) -> str:
    """(None, 3) as "[?, 3]"."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def as_dtype(dtype: npt.DTypeLike | None) -> DType:
    """The NumPy dtype for a name, a type or a dtype; `None` is floatx. Raises DTypeError for what tensors cannot hold."""
    if dtype is None:
        return DTYPES[floatx()]
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"dtype {dtype!r} unknown{nearest(str(dtype), DTYPES)}", fix=f"valid: {', '.join(DTYPES)}") from None
    if found not in CANONICAL:
        raise DTypeError(f"dtype {found.name!r} is not supported{nearest(found.name, DTYPES)}", fix=f"valid: {', '.join(DTYPES)}")
    return CANONICAL[found]


def as_shape(shape: Iterable[Any] | int, what: str = "shape") -> Shape:
    """A tuple of sizes, `None` where unknown. Raises ArgumentError on a negative or fractional size."""
    sizes: list[Size] = []
    for size in (shape,) if isinstance(shape, int | np.integer) else shape:
        if size is None:
            sizes.append(None)
        elif isinstance(size, int | np.integer) and not isinstance(size, bool) and size >= 0:
            sizes.append(int(size))
        else:
            raise ArgumentError(f"{what}: size {size!r} is not a whole number ≥ 0", fix="use None for a size not known yet")
    return tuple(sizes)


def result_dtype(types: Sequence[TensorType]) -> DType:
    """The dtype in which values of these types meet.

    The highest kind wins (bool < integer < float). Among operands of that kind, tensors with axes decide; if there are
    none, rank-0 tensors; if there are none, literals: a scalar literal gives floatx or int64, an array literal its own dtype.
    """
    first = types[0]
    if not first.weak:
        for t in types:
            if t.dtype is not first.dtype or (t.weak and t.shape):
                break
        else:
            return first.dtype
    top = max(_KIND_ORDER[t.dtype.kind] for t in types)
    peers = [t for t in types if _KIND_ORDER[t.dtype.kind] == top]
    for strong in (
        [t.dtype for t in peers if not t.weak and t.shape],
        [t.dtype for t in peers if not t.weak],
        [t.dtype for t in peers if t.shape],
    ):
        if strong:
            dtype = np.result_type(*strong)
            return DTYPES[floatx()] if dtype.kind == "f" and top < 2 else CANONICAL[dtype]
    return DTYPES[("bool", "int64", floatx())[top]]


def float_dtype(types: Sequence[TensorType]) -> DType:
    """As `result_dtype`, but integers and booleans give floatx."""
    dtype = result_dtype(types)
    return dtype if dtype.kind == "f" else DTYPES[floatx()]


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting; an unknown size meets 1 as unknown, and a known size as that size.

    Raises ShapeError naming the first pair of sizes that differ, from the right.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(map(len, shapes))
    result: list[Size] = []
    for axis in range(-rank, 0):
        size: Size = 1
        for shape in shapes:
            other = shape[axis] if -axis <= len(shape) else 1
            if other == 1 or other == size:
                continue
            if size == 1 or (size is None):
                size = other
            elif other is not None:
                raise ShapeError(
                    f"{' and '.join(map(show_shape, shapes))} do not broadcast: {size} ≠ {other} at axis {axis}",
                    why="shapes are aligned at the right, and only a size of 1 stretches",
                )
        result.append(size)
    return tuple(result)


def normalize_axis(axis: int, rank: int, what: str = "axis") -> int:
    """`axis` counted from the front. Raises AxisError outside -rank … rank-1, ArgumentError if it is no integer."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise ArgumentError(f"{what} {axis!r} is not an integer")
    if not -rank <= axis < rank:
        valid = f"valid: {-rank}..{rank - 1}" if rank else "it has no axes"
        raise AxisError(f"{what} {axis} is out of range for rank {rank}; {valid}")
    return int(axis) % rank


def normalize_axes(axis: int | Iterable[int] | None, rank: int) -> tuple[int, ...]:
    """A sorted tuple of axes counted from the front; `None` is all of them. Raises AxisError on one named twice."""
    if axis is None:
        return tuple(range(rank))
    axes = [normalize_axis(a, rank) for a in (axis if isinstance(axis, Iterable) else (axis,))]
    if len(set(axes)) != len(axes):
        raise AxisError(f"axis {axis} names an axis twice")
    return tuple(sorted(axes))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape left when `axes` are reduced."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def element_count(shape: Shape) -> Size:
    """How many elements the shape holds; `None` if a size is unknown (0 if any is 0)."""
    if 0 in shape:
        return 0
    return None if None in shape else math.prod(shape)  # type: ignore[arg-type]  # None was excluded


def shapes_agree(a: Shape, b: Shape) -> bool:
    """Whether the two may be the same shape: equal ranks, and equal sizes wherever both are known."""
    return len(a) == len(b) and all(m is None or n is None or m == n for m, n in zip(a, b, strict=True))
