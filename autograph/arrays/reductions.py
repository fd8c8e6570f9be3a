"""Reductions along axes and scans: sums exact to the pairwise bound on every axis, shifted variances, scaled norms.

Sums of floats go through BLAS: `ones(8) @ x` adds eight slabs of rows to each other, again and again until few rows are
left. No term passes through more than seven roundings for a factor of eight in n, whatever the axis, and it is several
times faster than `numpy.add.reduce`. float16 is computed in float32 throughout.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.errors import ShapeError

Array = Any  # an ndarray or a NumPy scalar
Axes = tuple[int, ...]

_CHAIN = 26  # so many terms added one after the other stay within (8 + log₂ n)·eps·Σ|x|
_FOURS = 64  # and so many where BLAS adds four at a time, as it does in columns whose number is a multiple of four
ALONG = 48  # and so many along a line, which it adds in several chains
LINES = 16  # so many lines are worth two calls of BLAS
_LINE = 65536  # from here on slabs beat NumPy's own pairwise sum of a line
_SMALL = 4096  # below so many elements the overhead of a call decides
_ONES = {char: [np.ones(n, char) for n in range(_FOURS + 1)] for char in "fd"}

_add: Callable[..., Array] = np.add.reduce
_multiply: Callable[..., Array] = np.multiply.reduce
_greatest: Callable[..., Array] = np.maximum.reduce
_least: Callable[..., Array] = np.minimum.reduce
_some: Callable[..., Array] = np.logical_or.reduce
_every: Callable[..., Array] = np.logical_and.reduce


def widened(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function`, computed in float32 where its first argument is float16; other arrays among the arguments too."""

    @functools.wraps(function)
    def in_float32(x: Array, *arguments: Any) -> Array:
        if x.dtype.char != "e":
            return function(x, *arguments)
        wide = [a.astype(np.float32) if isinstance(a, np.ndarray | np.generic) else a for a in (x, *arguments)]
        return function(*wide).astype(np.float16)

    return in_float32


# sums ----------------------------------------------------------------------------------------------------------------


def sum(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """Σ x along `axis` in the dtype of x, within (8 + log₂ n)·eps·Σ|x| on every axis and stride."""
    if axis == (0,) and x.ndim == 2 and x.dtype.char in _ONES and x.flags.c_contiguous:
        if not keepdims:
            return _rows(x, out)
        if out is None:
            return _rows(x)[None]
        _rows(x, out[0])
        return out
    if len(axis) == x.ndim > 1 and x.size > _SMALL and x.flags.c_contiguous and not keepdims:
        x, axis = x.reshape(-1), (0,)
    if not axis or _is_plain(x, axis):
        return _add(x, axis, x.dtype, out, keepdims)
    total = _sum(x, axis)
    if keepdims:
        total = total.reshape([1 if a in axis else size for a, size in enumerate(x.shape)])
    return _delivered(total, out)


def _is_plain(x: Array, axis: Axes) -> bool:
    """Whether NumPy's own sum is as good: of integers, of few, and of short lines."""
    if x.dtype.char not in _ONES:
        return bool(x.dtype.char != "e")
    shape: tuple[int, ...] = x.shape
    count = math.prod([shape[a] for a in axis])
    if count <= _CHAIN:
        return bool(x.size <= _SMALL)
    if len(shape) == 1:
        return count <= _LINE or not bool(x.flags.c_contiguous)
    trailing = axis[-1] == len(shape) - 1 and axis[-1] - axis[0] == len(axis) - 1
    lines = x.size >= LINES * count and (count <= ALONG or bool(piece(count)))
    return trailing and not lines and count <= _LINE and bool(x.flags.c_contiguous)


def _delivered(result: Array, out: Array | None) -> Array:
    if out is None:
        return result
    np.copyto(out, result, "same_kind")
    return out


def _sum(x: Array, axis: Axes) -> Array:
    if x.dtype.char == "e":
        return _sum(x.astype(np.float32), axis).astype(np.float16)
    if not x.size:
        return _add(x, axis)
    if not x.flags.c_contiguous:
        return _strided_sum(x, axis)
    return _contiguous_sum(x, axis)


def _strided_sum(x: Array, axis: Axes) -> Array:
    """As `_contiguous_sum`, once the axes stand in the order of memory; what is stretched is added by a product."""
    repeated = [a for a in axis if not x.strides[a] and x.shape[a] > 1]
    if repeated:
        count = math.prod([x.shape[a] for a in repeated])
        return _sum(x[tuple([slice(1) if a in repeated else slice(None) for a in range(x.ndim)])], axis) * count
    if x.ndim == 1:
        return _add(x, axis)
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))
    total = _contiguous_sum(np.ascontiguousarray(x.transpose(order)), tuple([i for i, a in enumerate(order) if a in axis]))
    kept = [a for a in order if a not in axis]
    return total.transpose([kept.index(a) for a in sorted(kept)])


def _contiguous_sum(x: Array, axis: Axes) -> Array:
    """Σ of an array in C order: the last run of neighbouring axes first, then the one before it."""
    while axis:
        last = first = axis[-1]
        while first - 1 in axis:
            first -= 1
        shape = x.shape
        inner = math.prod(shape[last + 1 :])
        blocks = x.reshape(math.prod(shape[:first]), math.prod(shape[first : last + 1]), inner)
        total = _block_lines(blocks[:, :, 0]) if inner == 1 else _block_rows(blocks)
        axis = axis[: axis.index(first)]
        x = total.reshape(shape[:first] + shape[last + 1 :])
    return x[()]


def _rows(x: Array, out: Array | None = None) -> Array:
    """Σ over the rows of a matrix in C order. Slabs of an eighth of the rows are added to each other, then so again."""
    rows, columns = x.shape
    ones = _ONES[x.dtype.char]
    while rows > _CHAIN and (rows > _FOURS or columns & 3):
        slabs = 8 if rows > _FOURS else 4
        slab, rest = divmod(rows, slabs)
        most = x[: rows - rest] if rest else x
        total = ones[slabs].dot(most.reshape(slabs, slab * columns)).reshape(slab, columns)
        if rest:
            total[:rest] += x[rows - rest :]
        x, rows = total, slab
    return ones[rows].dot(x, out)


def _block_rows(x: Array) -> Array:
    """`_rows` of each of several matrices."""
    blocks, rows, columns = x.shape
    if blocks == 1:
        return _rows(x[0])
    ones = _ONES[x.dtype.char]
    while rows > _CHAIN:
        slabs = 8 if rows > _FOURS else 4
        slab, rest = divmod(rows, slabs)
        most = x[:, : rows - rest].reshape(blocks, slabs, slab * columns)
        total = np.matmul(ones[slabs], most).reshape(blocks, slab, columns)
        if rest:
            total[:, :rest] += x[:, rows - rest :]
        x, rows = total, slab
    return np.matmul(ones[rows], x)


def _block_lines(x: Array) -> Array:
    """Σ of each row of a matrix in C order."""
    blocks, size = x.shape
    ones = _ONES[x.dtype.char]
    if size <= ALONG:
        return x.dot(ones[size])
    if part := piece(size):
        return x.reshape(-1, part).dot(ones[part]).reshape(blocks, size // part).dot(ones[size // part])
    while size > _LINE:
        slab, rest = divmod(size, 8)
        total = np.matmul(ones[8], x[:, : size - rest].reshape(blocks, 8, slab))
        if rest:
            total[:, :rest] += x[:, size - rest :]
        x, size = total, slab
    return _add(x, 1)


@functools.cache
def piece(count: int) -> int:
    """How many terms of a line to add up first, so that neither they nor their sums are too many; 0 where it does not go."""
    return next((n for n in range(ALONG, 1, -1) if count > ALONG and count % n == 0 and count // n <= ALONG), 0)


def mean(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """Σ x / n along `axis`; NaN where n is 0."""
    if x.dtype.char == "e":
        return _delivered(mean(x.astype(np.float32), axis, keepdims).astype(np.float16), out)
    total = sum(x, axis, keepdims, out)
    return np.divide(total, math.prod([x.shape[a] for a in axis]), out)


# products, extremes, truth -------------------------------------------------------------------------------------------


def prod(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """Π x along `axis` in the dtype of x."""
    if x.dtype.char == "e":
        return _delivered(_multiply(x, axis, np.float32, None, keepdims).astype(np.float16), out)
    return _multiply(x, axis, x.dtype, out, keepdims)


def max(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """The maximum along `axis`; NaN wins. Raises ShapeError where there is nothing."""
    try:
        return _greatest(x, axis, None, out, keepdims)
    except ValueError:
        raise _nothing(x, axis, "maximum") from None


def min(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """The minimum along `axis`; NaN wins. Raises ShapeError where there is nothing."""
    try:
        return _least(x, axis, None, out, keepdims)
    except ValueError:
        raise _nothing(x, axis, "minimum") from None


def _nothing(x: Array, axis: Axes, what: str) -> ShapeError:
    return ShapeError(f"an array of shape {x.shape} has no {what} along axis {axis}: there is nothing")


def any(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """Whether some element along `axis` is not 0."""
    return _some(x, axis, None, out, keepdims)


def all(x: Array, axis: Axes, keepdims: bool = False, out: Array | None = None) -> Array:
    """Whether no element along `axis` is 0."""
    return _every(x, axis, None, out, keepdims)


def argmax(x: Array, axis: int, keepdims: bool = False) -> Array:
    """The first index of the maximum along `axis`, as int64; a NaN is greatest. Raises ShapeError where there is nothing."""
    if not x.shape[axis]:
        raise _nothing(x, (axis,), "maximum")
    return np.asarray(np.argmax(x, axis, keepdims=keepdims), np.int64)[()]


def argmin(x: Array, axis: int, keepdims: bool = False) -> Array:
    """The first index of the minimum along `axis`, as int64; a NaN is least. Raises ShapeError where there is nothing."""
    if not x.shape[axis]:
        raise _nothing(x, (axis,), "minimum")
    return np.asarray(np.argmin(x, axis, keepdims=keepdims), np.int64)[()]


# spread, norms, exponentials -----------------------------------------------------------------------------------------


@widened
def centered(x: Array, axis: Axes) -> Array:
    """x less its mean along `axis`: exactly 0 where all are equal, and exact under a large offset."""
    m = mean(x, axis, True)
    first = x[tuple([slice(1) if a in axis else slice(None) for a in range(x.ndim)])]
    near = np.less_equal(np.absolute(m - first), 64 * np.finfo(x.dtype).eps * np.absolute(m))
    e = x - np.where(near, first, m)
    return e - mean(e, axis, True)


@widened
def var(x: Array, axis: Axes, keepdims: bool = False) -> Array:
    """The mean square distance from the mean, in two passes."""
    return mean(np.square(centered(x, axis)), axis, keepdims)


@widened
def norm(x: Array, axis: Axes, keepdims: bool = False) -> Array:
    """√Σ|x|², scaled by a power of two where the plain squares would overflow or vanish."""
    y = np.sqrt(sum(np.square(x), axis, keepdims))
    info = np.finfo(x.dtype)
    if np.all((y > math.sqrt(info.tiny / info.eps) * 4096) & (y < np.inf)):
        return y
    return _scaled_norm(x, axis, keepdims)


def _scaled_norm(x: Array, axis: Axes, keepdims: bool) -> Array:
    largest = _greatest(np.absolute(x), axis, None, None, True, 0)
    exponent = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    y = np.sqrt(sum(np.square(np.ldexp(x, -exponent)), axis, True))
    y = np.ldexp(y, exponent).astype(x.dtype, copy=False)
    return y if keepdims else np.squeeze(y, axis)[()]


def _exponentials(x: Array, axis: Axes) -> tuple[Array, Array, Array]:
    """exp(x - m), its sum and m, the maximum (or 0 where that is not finite)."""
    m = _greatest(x, axis, None, None, True, -np.inf)
    m = np.where(np.isfinite(m), m, np.zeros((), x.dtype))
    e = np.exp(x - m)
    return e, sum(e, axis, True), m


@widened
def logsumexp(x: Array, axis: Axes, keepdims: bool = False) -> Array:
    """log Σ exp(x) without overflow; -inf where all are -inf, or none is there."""
    _, total, m = _exponentials(x, axis)
    y = np.log(total) + m
    return y if keepdims else np.squeeze(y, axis)[()]


@widened
def softmax_weights(x: Array, axis: Axes) -> Array:
    """exp(x - logsumexp(x)): 0 where all are -inf, and shared among those that are +inf."""
    infinite = _greatest(x, axis, None, None, True, -np.inf) == np.inf
    if np.any(infinite):
        x = np.where(infinite, np.where(x == np.inf, np.zeros((), x.dtype), -np.inf), x)
    e, total, _ = _exponentials(x, axis)
    return e / np.where(total == 0, np.ones((), x.dtype), total)


# scans ---------------------------------------------------------------------------------------------------------------


def _along(x: Array, axis: int, part: slice) -> Array:
    return x[(slice(None),) * axis + (part,)]


def _accumulated(ufunc: np.ufunc, x: Array, axis: int, reverse: bool, dtype: Any) -> Array:
    result = np.empty(x.shape, x.dtype)
    way = slice(None, None, -1 if reverse else None)
    np.copyto(_along(result, axis, way), ufunc.accumulate(_along(x, axis, way), axis, dtype), "same_kind")
    return result


def cumsum(x: Array, axis: int, reverse: bool = False) -> Array:
    """The sums of the elements up to and with each (`reverse`: from each to the end), accumulated in float64."""
    return _accumulated(np.add, x, axis, reverse, np.float64 if x.dtype.char in "ef" else x.dtype)


def cumprod(x: Array, axis: int, reverse: bool = False) -> Array:
    """The products of the elements up to and with each (`reverse`: from each to the end), without any division."""
    return _accumulated(np.multiply, x, axis, reverse, np.float32 if x.dtype.char == "e" else x.dtype)


@widened
def linear_scan(a: Array, b: Array, axis: int, reverse: bool = False) -> Array:
    """r with rᵢ = aᵢ + bᵢ·rᵢ₋₁ (`reverse`: rᵢ₊₁): the r before the first is 0. log₂ n rounds, each doubling the reach."""
    dtype = np.result_type(a, b)
    r, factor = np.array(a, dtype), np.array(b, dtype)
    size, reach = r.shape[axis], 1
    while reach < size:
        here, there = slice(reach, None), slice(None, -reach)
        if reverse:
            here, there = there, here
        before = _along(r, axis, there)
        _along(r, axis, here)[...] += np.where(before == 0, 0, _along(factor, axis, here) * before)
        _along(factor, axis, here)[...] *= _along(factor, axis, there).copy()
        reach *= 2
    return r


def shift(x: Array, axis: int, offset: int, fill: float) -> Array:
    """x moved by `offset` places along `axis`; the places left behind hold `fill`."""
    result = np.full(x.shape, fill, x.dtype)
    if abs(offset) < x.shape[axis]:
        to, source = slice(offset, None), slice(None, -offset)
        if offset <= 0:
            to, source = slice(None, offset or None), slice(-offset, None)
        _along(result, axis, to)[...] = _along(x, axis, source)
    return result
