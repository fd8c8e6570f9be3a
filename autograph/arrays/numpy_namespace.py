"""NumPy as the namespace `xp` that ops are written against: NumPy's names, with the sums and corners that we want.

Functions take positional arguments and return fresh arrays or views; none of them changes its inputs. Ufuncs are
NumPy's own, so that an executor can give them an `out`. A function whose result is a view of its first argument is
listed in `VIEWS`; one that takes an `out=` as its last keyword in `WITH_OUT`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograph.arrays.beams import ctc_beams  # noqa: F401
from autograph.arrays.convolution import conv, conv_to_input, conv_to_kernel  # noqa: F401
from autograph.arrays.indexing import (  # noqa: F401
    advanced_index,
    advanced_scatter,
    argsort,
    basic_index,
    class_labels,
    counted,
    diag,
    diagonal,
    dynamic_index,
    dynamic_unslice,
    first_positions,
    gather,
    one_hot,
    positions,
    scatter,
    scatter_add,
    scatter_along_axis,
    searchsorted,
    sort,
    take_along_axis,
    top_k,
    undiagonal,
    unpicked,
    unslice,
)
from autograph.arrays.linear_algebra import cholesky, cofactor, cofactor_slope, det, inv, orthonormal, solve  # noqa: F401
from autograph.arrays.movement import (  # noqa: F401
    broadcast_to_sizes,
    concatenate,
    flip,
    pad,
    reshape_to,
    roll,
    shape_of,
    size_of,
    stack,
)
from autograph.arrays.philox import (  # noqa: F401
    integers_from_bits,
    normal_from_bits,
    permutation_from_bits,
    truncated_normal_from_bits,
    uniform_from_bits,
)
from autograph.arrays.random import random_bits, random_step  # noqa: F401
from autograph.arrays.reductions import (  # noqa: F401
    all,
    any,
    argmax,
    argmin,
    centered,
    cumprod,
    cumsum,
    linear_scan,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    shift,
    softmax_weights,
    sum,
    var,
)
from autograph.arrays.rows import added_rows, is_last, put_rows, row_numbers, rows_at, touched_rows, touched_sums  # noqa: F401
from autograph.arrays.special import digamma, erf, erfc, erfinv, lgamma, ndtr, ndtri, polygamma  # noqa: F401
from autograph.arrays.windows import overlap_add  # noqa: F401
from autograph.errors import ArgumentError, DivisionByZeroError

Array = Any  # an ndarray or a NumPy scalar

add, subtract, multiply, divide, negative = np.add, np.subtract, np.multiply, np.divide, np.negative
power, absolute, sign = np.power, np.absolute, np.sign
exp, expm1, exp2, log, log1p, log2, log10 = np.exp, np.expm1, np.exp2, np.log, np.log1p, np.log2, np.log10
sqrt, cbrt, square, reciprocal, hypot = np.sqrt, np.cbrt, np.square, np.reciprocal, np.hypot
sin, cos, tan, arcsin, arccos, arctan, arctan2 = np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.arctan2
sinh, cosh, tanh, arcsinh, arccosh, arctanh = np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh
maximum, minimum, fmax, fmin, copysign = np.maximum, np.minimum, np.fmax, np.fmin, np.copysign
floor, ceil, trunc, rint = np.floor, np.ceil, np.trunc, np.rint
equal, not_equal, less, less_equal, greater, greater_equal = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
)  # fmt: skip
logical_and, logical_or, logical_xor, logical_not = np.logical_and, np.logical_or, np.logical_xor, np.logical_not
tril, triu = np.tril, np.triu
isnan, isinf, isfinite, signbit = np.isnan, np.isinf, np.isfinite, np.signbit
bitwise_and, right_shift, left_shift = np.bitwise_and, np.right_shift, np.left_shift

VIEWS = {"transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "basic_index", "diagonal", "flip"}
WITH_OUT = {
    "matmul", "sum", "mean", "max", "min", "prod", "any", "all", "concatenate", "stack", "floor_divide", "remainder",
    "integer_power", "is_last", "put_rows", "touched_rows", "touched_sums", "conv", "conv_to_input", "conv_to_kernel",
    "overlap_add",
}  # fmt: skip


def logistic(x: Array) -> Array:
    """1/(1 + e⁻ˣ), without overflow: of two exponentials, each of what is at most 0."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.absolute(x)))


def where(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b."""
    return np.where(condition, a, b)


def astype(x: Array, dtype: np.dtype[Any]) -> Array:
    """x converted to dtype."""
    return np.asarray(x).astype(dtype)


def floor_divide(a: Array, b: Array, out: Array | None = None) -> Array:
    """⌊a / b⌋. Raises DivisionByZeroError where an integer is divided by 0."""
    return np.floor_divide(a, divisor(b), out)


def remainder(a: Array, b: Array, out: Array | None = None) -> Array:
    """a - b·⌊a / b⌋, with the sign of b. Raises DivisionByZeroError where an integer is divided by 0."""
    return np.remainder(a, divisor(b), out)


def integer_power(x: Array, p: Array, out: Array | None = None) -> Array:
    """xᵖ of integers. Raises ArgumentError where p is negative."""
    if p.dtype.kind == "i" and (negative := p < 0).any():
        place = ", ".join(map(str, np.argwhere(negative)[0].tolist()))
        raise ArgumentError(
            f"an integer is raised to the power {p[negative].flat[0]}{place and f' at [{place}] of the exponent'}",
            why="integers have no negative powers",
            fix='cast to float first, or mask the exponent by where',
        )
    return np.power(x, p, out)


def divisor(b: Array) -> Array:
    """b, unless it is an integer and 0 somewhere."""
    if b.dtype.kind == "f" or b.all():
        return b
    place = ", ".join(map(str, np.argwhere(b == 0)[0].tolist()))
    raise DivisionByZeroError(
        f"an integer is divided by 0{place and f' at [{place}] of the divisor'}",
        why="integers have no infinity",
        fix="cast to float, or mask the divisor by where",
    )


def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """The matrix product of the last two axes; float16 is multiplied and added as float32."""
    if a.dtype != np.float16:
        return np.matmul(a, b, out)
    product = np.matmul(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)
    if out is None:
        return product
    np.copyto(out, product)
    return out


def transpose(x: Array, axes: tuple[int, ...]) -> Array:
    """A view with the axes in another order."""
    return np.transpose(x, axes)


def print_tensor(x: Array, message: str, out: Array | None = None) -> Array:
    """Writes the message, a blank and the value of x as a line on standard output; x in an array of its own."""
    print(message, x)
    if out is None:
        return np.array(x)
    np.copyto(out, x)
    return out


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """The elements in another shape; a view wherever the memory allows it."""
    return np.reshape(x, shape)


def expand_dims(x: Array, axes: tuple[int, ...]) -> Array:
    """A view with axes of size 1 inserted."""
    return np.expand_dims(x, axes)


def squeeze(x: Array, axes: tuple[int, ...]) -> Array:
    """A view without `axes`, each of size 1."""
    return np.squeeze(x, axes)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """A read-only view stretched to `shape`."""
    return np.broadcast_to(x, shape)


def sum_like(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which `shape` was broadcast to it."""
    extra = np.ndim(x) - len(shape)
    stretched = tuple(extra + i for i, size in enumerate(shape) if size == 1 and np.shape(x)[extra + i] != 1)
    total = sum(x, stretched, True) if stretched else x
    return sum(total, tuple(range(extra))) if extra else total


def part(x: Array, start: int, stop: int, shape: tuple[int, ...]) -> Array:
    """Elements start to stop of a flat array, as a view of `shape`."""
    return x[start:stop].reshape(shape)


def field(x: Array, start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """The array of that dtype and shape that begins at a byte of a flat array of bytes."""
    return x[start : start + dtype.itemsize * math.prod(shape)].view(dtype).reshape(shape)


def part_at(x: Array, key: tuple[Any, ...]) -> Array:
    """The view of x that slices and whole numbers pick, of rank 0 too."""
    return x[(*key, ...)]


def basis_like(x: Array) -> Array:
    """Every array of the shape of x that is 1 in one place and 0 elsewhere, stacked in order."""
    return np.eye(np.size(x), dtype=np.asarray(x).dtype).reshape(np.size(x), *np.shape(x))


def column(x: Array, k: int, keepdims: bool) -> Array:
    """Entry k of the last axis, as a view; the axis stays, of size 1, with keepdims."""
    return x[..., k : k + 1] if keepdims else x[..., k]
