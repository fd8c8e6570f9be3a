"""What is known of a tensor before it has a value: dtype and shape, and how these combine."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from autograph.arguments import items, listed, shown, whole
from autograph.config import floatx
from autograph.errors import ArgumentError, AxisError, DTypeError, ShapeError, SizeError, nearest

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
    if isinstance(dtype, np.dtype) and dtype in CANONICAL:
        return CANONICAL[dtype]
    try:
        found = np.dtype(dtype) if isinstance(dtype, str | type | np.dtype) else None
    except (TypeError, ValueError):
        found = None
    if found is None:
        hint = nearest(dtype, DTYPES) if isinstance(dtype, str) else ""
        raise DTypeError(f"dtype {shown(dtype)} unknown{hint}", fix=f"valid: {', '.join(DTYPES)}")
    if found not in CANONICAL:
        raise DTypeError(f"dtype {found.name!r} is not supported{nearest(found.name, DTYPES)}", fix=f"valid: {', '.join(DTYPES)}")
    return CANONICAL[found]


_FIX = "use None for a size not known yet"


def as_shape(shape: Iterable[Any] | int, what: str = "shape") -> Shape:
    """A tuple of sizes, `None` where unknown. Raises ArgumentError on a negative or fractional size."""
    sizes = (shape,) if isinstance(shape, int | np.integer) else listed(shape, f"{what}: the shape", "as in (None, 3)")
    return tuple([None if size is None else whole(size, f"{what}: size {axis}", 0, _FIX) for axis, size in enumerate(sizes)])


def as_static(shape: Any, what: str) -> tuple[int, ...]:
    """As `as_shape`, with every size known. Raises ShapeError for None."""
    sizes = as_shape(shape, what)
    if None in sizes:
        raise ShapeError(f"{what} is {show_shape(sizes)}, with a size that is not known", fix="give every size as a number")
    return sizes  # type: ignore[return-value]  # None was excluded


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
    return _meeting(tuple([(t.dtype, t.weak, not t.shape) for t in types]), floatx())


@functools.lru_cache(maxsize=4096)
def _meeting(types: tuple[tuple[DType, bool, bool], ...], default: str) -> DType:
    """As `result_dtype`, of (dtype, whether it is a literal, whether it has rank 0), with `default` as floatx."""
    top = max(_KIND_ORDER[dtype.kind] for dtype, _, _ in types)
    peers = [t for t in types if _KIND_ORDER[t[0].kind] == top]
    for strong in (
        [dtype for dtype, weak, single in peers if not weak and not single],
        [dtype for dtype, weak, _ in peers if not weak],
        [dtype for dtype, _, single in peers if not single],
    ):
        if strong:
            dtype = np.result_type(*strong)
            return DTYPES[default] if dtype.kind == "f" and top < 2 else CANONICAL[dtype]
    return DTYPES[("bool", "int64", default)[top]]


def float_dtype(types: Sequence[TensorType]) -> DType:
    """As `result_dtype`, but integers and booleans give floatx."""
    dtype = result_dtype(types)
    return dtype if dtype.kind == "f" else DTYPES[floatx()]


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting; an unknown size meets 1 as unknown, and a known size as that size.

    Raises ShapeError naming the first pair of sizes that differ, from the right.
    """
    common = shapes[0]
    for shape in shapes:
        if shape and shape != common:
            if common:
                break
            common = shape
    else:
        return common
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
                    fix=_aligned(shapes) or "reshape or transpose one of them, or keep its axes by keepdims=True",
                )
        result.append(size)
    return tuple(result)


class Ranked(Protocol):
    """What has axes, and a name: a tensor."""

    @property
    def ndim(self) -> int: ...

    def describe(self) -> str: ...


def _aligned(shapes: Sequence[Shape]) -> str:
    """The hint that shapes of lower rank fit with an axis of size 1 at the end, where they do."""
    rank = max(map(len, shapes))
    padded = [(*shape, *[1] * (rank - len(shape))) if shape else shape for shape in shapes]
    fits = all(len({shape[axis] for shape in padded if shape} - {1, None}) < 2 for axis in range(rank))
    low = next((i for i, shape in enumerate(shapes) if 0 < len(shape) < rank), None)
    if not fits or low is None:
        return ""
    axes = ", ".join(map(str, range(len(shapes[low]), rank)))
    call = f"expand_dims(…, {axes})" if len(shapes[low]) == rank - 1 else f"expand_dims(…, ({axes}))"
    return f"{call} makes {show_shape(padded[low])} of {show_shape(shapes[low])}, which fits"


def normalize_axis(axis: Any, of: int | Ranked) -> int:
    """`axis` of a tensor (or a rank) counted from the front. Raises AxisError for one it lacks, ArgumentError for no integer."""
    rank = of if isinstance(of, int) else of.ndim
    try:
        found = axis if axis.__class__ is int else None if isinstance(axis, bool | np.bool_) else operator.index(axis)
    except TypeError:
        found = None
    if found is None:
        raise ArgumentError(f"axis {shown(axis)} is not an integer", fix=f"give a whole number, {_valid(rank)}")
    if not -rank <= found < rank:
        what = f"rank {of}" if isinstance(of, int) else f"{of.describe()}, of rank {rank}"
        raise AxisError(f"axis {shown(axis)} is out of range for {what}", fix=f"valid: {_valid(rank)}" if rank else _valid(rank))
    return found % rank


def _valid(rank: int) -> str:
    return f"{-rank}..{rank - 1}" if rank else "it has no axes; expand_dims(x, 0) makes one"


def normalize_axes(axis: Any, of: int | Ranked) -> tuple[int, ...]:
    """Axes counted from the front, sorted; `None` is all of them. Raises AxisError on one named twice."""
    if axis is None:
        return tuple(range(of if isinstance(of, int) else of.ndim))
    axes = listed_axes(axis, of)
    if len(set(axes)) != len(axes):
        raise AxisError(f"axis {shown(axis)} names an axis twice", fix="name each once")
    return tuple(sorted(axes))


def listed_axes(axis: Any, of: int | Ranked) -> list[int]:
    """One axis, or several in the order given, counted from the front."""
    return [normalize_axis(a, of) for a in ((axis,) if axis.__class__ is int else items(axis))]


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


def made(make: Callable[[], Any], what: str, dtype: DType, shape: Sequence[int]) -> Any:
    """The array that `make` gives. Raises SizeError where there is no memory for it."""
    try:
        return make()
    except (MemoryError, ValueError, OverflowError):  # what NumPy says to sizes beyond its own
        size = math.prod(shape) * dtype.itemsize / 2**30
        raise SizeError(
            f"{what}: {dtype.name}{show_shape(shape)} needs {size:,.1f} GiB", why="that does not fit here", fix="ask for less"
        ) from None


def shapes_agree(a: Shape, b: Shape) -> bool:
    """Whether the two may be the same shape: equal ranks, and equal sizes wherever both are known."""
    return len(a) == len(b) and all(m is None or n is None or m == n for m, n in zip(a, b, strict=True))
