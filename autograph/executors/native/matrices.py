"""Linear algebra by LAPACK, through the function pointers that SciPy publishes, and the recorder's part for it.

LAPACK counts columns first, so that matrices are turned on the way to it. Where it finds no answer the step is left to
NumPy, which names the matrix at fault, or has another way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import linear_algebra
from autograph.executors.native.along import AlongRecorder
from autograph.executors.native.blas import lapack
from autograph.executors.native.instructions import absolute, copy, double, fill, of, run, whole
from autograph.executors.native.language import Cell, Line, Routine, Word
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written, scratch, written
from autograph.executors.numpy.values import Step, Value

_BLOCK = 64  # columns that LAPACK takes at a time, where it is given room
_LARGE, _SMALL = 2.0**400, 2.0**-400
_INT32 = np.dtype(np.int32)

# kernels -------------------------------------------------------------------------------------------------------------


def _turn(rows: Word, columns: Word, x: Line, to: Line) -> Any:
    """The columns of a matrix one after the other."""
    for i in range(rows):
        for j in range(columns):
            to[j * rows + i] = x[i * columns + j]


def _cholesky(many: Word, size: Word, routine: Routine, upper: Cell, n: Cell, lead: Cell, info: Cell, a: Line, out: Line) -> Any:
    copy(out, a, many * size * size)
    for k in range(many):
        matrix = out + k * size * size
        run(routine, upper, n, matrix, lead, info)
        if info[0] != 0:
            return -1
        for i in range(size):
            fill(matrix + (i * size + i + 1), 0, size - 1 - i)


def _solve(
    many: Word, size: Word, columns: Word, routine: Routine, n: Cell, right: Cell, lead: Cell, info: Cell, a: Line, b: Line,
    matrix: Line, pivots: Line, sides: Line, out: Line,
) -> Any:  # fmt: skip
    for k in range(many):
        _turn(size, size, a + k * size * size, matrix)
        _turn(size, columns, b + k * size * columns, sides)
        run(routine, n, right, matrix, lead, pivots, sides, lead, info)
        if info[0] != 0:
            return -1
        _turn(columns, size, sides, out + k * size * columns)


def _inv(
    many: Word, size: Word, routine: Routine, n: Cell, lead: Cell, info: Cell, a: Line, matrix: Line, pivots: Line, sides: Line,
    out: Line,
) -> Any:  # fmt: skip
    for k in range(many):
        _turn(size, size, a + k * size * size, matrix)
        fill(sides, 0, size * size)
        for i in range(size):
            sides[i * size + i] = 1
        run(routine, n, n, matrix, lead, pivots, sides, lead, info)
        if info[0] != 0:
            return -1
        _turn(size, size, sides, out + k * size * size)


def _det(
    many: Word, size: Word, routine: Routine, n: Cell, lead: Cell, info: Cell, a: Line, matrix: Line, pivots: Line, out: Line
) -> Any:
    """The product of the pivots, with powers of two apart, so that it may pass what a number can hold; NumPy adds logarithms."""
    for k in range(many):
        _turn(size, size, a + k * size * size, matrix)
        run(routine, n, n, matrix, lead, pivots, info)
        if info[0] > 0:
            out[k] = 0
        else:
            product = double(1)
            scale = 0
            for i in range(size):
                pivot = double(matrix[i * size + i])
                if not (absolute(pivot) > _SMALL and absolute(pivot) < _LARGE):
                    return -1
                product = product * pivot if whole(pivots[i]) == i + 1 else -product * pivot
                if absolute(product) > _LARGE:
                    product = product * _SMALL
                    scale += 1
                if absolute(product) < _SMALL:
                    product = product * _LARGE
                    scale -= 1
            while scale > 0:
                product = product * _LARGE
                scale -= 1
            while scale < 0:
                product = product * _SMALL
                scale += 1
            out[k] = product


def _orthonormal(
    many: Word, rows: Word, columns: Word, factor: Routine, form: Routine, m: Cell, n: Cell, lead: Cell, room: Cell, info: Cell,
    a: Line, matrix: Line, scales: Line, space: Line, out: Line,
) -> Any:  # fmt: skip
    for i in range(many):
        _turn(rows, columns, a + i * rows * columns, matrix)
        run(factor, m, n, matrix, lead, scales, space, room, info)
        run(form, m, n, n, matrix, lead, scales, space, room, info)
        if info[0] != 0:
            return -1
        _turn(columns, rows, matrix, out + i * rows * columns)


def _svd(
    many: Word, size: Word, routine: Routine, full: Cell, n: Cell, lead: Cell, room: Cell, info: Cell, a: Line, matrix: Line,
    left: Line, right: Line, space: Line, numbers: Line, out: Line,
) -> Any:  # fmt: skip
    """U, Vᵀ and the singular values of each matrix, one behind the other."""
    for k in range(many):
        place = out + k * (2 * size * size + size)
        _turn(size, size, a + k * size * size, matrix)
        run(routine, full, n, n, matrix, lead, place + 2 * size * size, left, lead, right, lead, space, room, numbers, info)
        if info[0] != 0:
            return -1
        _turn(size, size, left, place)
        _turn(size, size, right, place + size * size)


def _others(many: Word, size: Word, s: Line, out: Line) -> Any:
    """For each number of a line the product of the others."""
    for k in range(many):
        for i in range(size):
            product = of(s, 1)
            for j in range(size):
                if j != i:
                    product = product * s[k * size + j]
            out[k * size + i] = product


def _other_pairs(many: Word, size: Word, s: Line, out: Line) -> Any:
    """For each pair of numbers of a line the product of the others; 0 for a number with itself."""
    for k in range(many):
        for i in range(size):
            for h in range(size):
                product = of(s, 1)
                for j in range(size):
                    if j != i and j != h:
                        product = product * s[k * size + j]
                out[(k * size + i) * size + h] = 0 if i == h else product


# steps ---------------------------------------------------------------------------------------------------------------


def _routine(name: str, x: Value) -> int:
    return lapack({"f": "s", "d": "d"}[x.dtype.char] + name)


def _many(x: Value) -> tuple[int, int, int]:
    """How many matrices there are, their side, and how LAPACK wants that told where it is 0."""
    return math.prod(x.shape[:-2]), x.shape[-1], max(x.shape[-1], 1)


def _by_cholesky(step: Step) -> Written:
    (a,) = step.arguments
    many, size, lead = _many(a)
    return written(_cholesky, many, size, _routine("potrf", a), ord("U"), size, lead, 0, a, step.result, effort=size)


def _by_solving(step: Step) -> Written:
    a, b = step.arguments
    (many, size, lead), columns = _many(a), b.shape[-1]
    work = [scratch(a.dtype, size * size), scratch(_INT32, size), scratch(a.dtype, size * columns)]
    words = [many, size, columns, _routine("gesv", a), size, columns, lead, 0]
    return written(_solve, *words, a, b, *work, step.result, work=work, effort=size)


def _by_inverting(step: Step) -> Written:
    (a,) = step.arguments
    many, size, lead = _many(a)
    work = [scratch(a.dtype, size * size), scratch(_INT32, size), scratch(a.dtype, size * size)]
    return written(_inv, many, size, _routine("gesv", a), size, lead, 0, a, *work, step.result, work=work, effort=3 * size)


def _by_pivots(step: Step) -> Written:
    (a,) = step.arguments
    many, size, lead = _many(a)
    work = [scratch(a.dtype, size * size), scratch(_INT32, size)]
    return written(_det, many, size, _routine("getrf", a), size, lead, 0, a, *work, step.result, work=work, effort=size)


def _by_reflections(step: Step) -> Written:
    (a,) = step.arguments
    rows, columns = a.shape[-2:]
    room = max(columns, 1) * _BLOCK
    work = [scratch(a.dtype, rows * columns), scratch(a.dtype, columns), scratch(a.dtype, room)]
    words = [math.prod(a.shape[:-2]), rows, columns, _routine("geqrf", a), _routine("orgqr", a)]
    words += [rows, columns, max(rows, 1), room, 0]
    return written(_orthonormal, *words, a, *work, step.result, work=work, effort=4 * columns)


def _by_singular_values(step: Step) -> Written:
    (a,) = step.arguments
    many, size, lead = _many(a)
    room = lead * (5 * lead + 7 + _BLOCK)
    work = [scratch(a.dtype, size * size) for _ in range(3)] + [scratch(a.dtype, room), scratch(_INT32, 8 * size)]
    words = [many, size, _routine("gesdd", a), ord("A"), size, lead, room, 0]
    return written(_svd, *words, a, *work, step.result, work=work, effort=20 * size)


def _products(kernel: Callable[..., Any]) -> Callable[[Step], Written]:
    def lower(step: Step) -> Written:
        (s,) = step.arguments
        return written(kernel, math.prod(s.shape[:-1]), s.shape[-1], s, step.result, effort=s.shape[-1])

    return lower


def singular(a: Any, out: Any) -> None:
    """NumPy's form of U, Vᵀ and the singular values of each matrix, one behind the other."""
    u, s, vt = np.linalg.svd(a)
    np.concatenate([u.reshape(*a.shape[:-2], -1), vt.reshape(*a.shape[:-2], -1), s], -1, out)


def others(s: Any, out: Any) -> None:
    """The products of all but one, as `linear_algebra` takes them."""
    np.copyto(out, linear_algebra.others(s, 1))


def other_pairs(s: Any, out: Any) -> None:
    """The products of all but two; 0 where these are one."""
    np.copyto(out, linear_algebra.pairs(s))


MATRICES: dict[Callable[..., Any], Callable[[Step], Written]] = {
    into("cholesky"): _by_cholesky, into("solve"): _by_solving, into("inv"): _by_inverting, into("det"): _by_pivots,
    into("orthonormal"): _by_reflections, singular: _by_singular_values, others: _products(_others),
    other_pairs: _products(_other_pairs),
}  # fmt: skip

# recording -----------------------------------------------------------------------------------------------------------


class MatrixRecorder(AlongRecorder):
    """The part of the namespace that is linear algebra."""

    def _matrices(self, *values: Any) -> bool:
        return self._plain(*values) and all(v.dtype.char in "fd" for v in values)

    def cholesky(self, a: Any) -> Value:
        if not self._matrices(a):
            return self._call("cholesky", linear_algebra.cholesky, a)
        return self._placed("cholesky", a.dtype, a.shape, self._dense(a))

    def inv(self, a: Any) -> Value:
        if not self._matrices(a):
            return self._call("inv", linear_algebra.inv, a)
        return self._placed("inv", a.dtype, a.shape, self._dense(a))

    def solve(self, a: Any, b: Any) -> Value:
        if not self._matrices(a, b) or a.dtype is not b.dtype:
            return self._call("solve", linear_algebra.solve, a, b)
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        shape = (*lead, *b.shape[-2:])
        return self._placed("solve", a.dtype, shape, self._dense(a, (*lead, *a.shape[-2:])), self._dense(b, shape))

    def det(self, a: Any) -> Value:
        if not self._matrices(a):
            return self._call("det", linear_algebra.det, a)
        return self._placed("det", a.dtype, a.shape[:-2], self._dense(a))

    def orthonormal(self, a: Any) -> Value:
        if not self._matrices(a):
            return self._call("orthonormal", linear_algebra.orthonormal, a)
        return self._placed("orthonormal", a.dtype, a.shape, self._dense(a))

    def _parts(self, a: Value) -> tuple[Value, Value, Value, Value]:
        """U, Vᵀ, the singular values, and the sign of det U·det V."""
        lead, n = a.shape[:-2], a.shape[-1]
        packed = self._step("svd", singular, a.dtype, (*lead, 2 * n * n + n), self._dense(a))
        u, vt = (self._line(packed, k * n * n, (k + 1) * n * n, (n, n)) for k in range(2))
        return u, vt, self._line(packed, 2 * n * n, 2 * n * n + n, (n,)), self.multiply(self.det(u), self.det(vt))

    def _line(self, packed: Value, start: int, stop: int, shape: tuple[int, ...]) -> Value:
        lead = packed.shape[:-1]
        return self.reshape(self._within(packed, len(lead), start, stop), (*lead, *shape))

    def _signed(self, sign: Value, x: Value) -> Value:
        return self.multiply(self.expand_dims(sign, (len(sign.shape), len(sign.shape) + 1)), x)

    def cofactor(self, a: Any) -> Value:
        if not self._matrices(a):
            return self._call("cofactor", linear_algebra.cofactor, a)
        u, vt, s, sign = self._parts(a)
        rest = self._step("others", others, s.dtype, s.shape, self._dense(s))
        return self._signed(sign, self.matmul(self.multiply(u, self.expand_dims(rest, (len(s.shape) - 1,))), vt))

    def cofactor_slope(self, a: Any, g: Any) -> Value:
        if not self._matrices(a, g) or a.dtype is not g.dtype or a.shape != g.shape:
            return self._call("cofactor_slope", linear_algebra.cofactor_slope, a, g)
        u, vt, s, sign = self._parts(a)
        rank, n = len(a.shape), a.shape[-1]
        turned = self.matmul(self.matmul(self._swapped(u), g), self._swapped(vt))
        pairs = self._step("others", other_pairs, s.dtype, a.shape, self._dense(s))
        along = self.matmul(pairs, self.expand_dims(self._dense(self.diagonal(turned, 0, rank - 2, rank - 1)), (rank - 1,)))
        across = self.negative(self.multiply(pairs, self._swapped(turned)))
        middle = self.where(self.constant(np.eye(n, dtype=bool)), along, across)
        return self._signed(sign, self.matmul(self.matmul(u, middle), vt))

    def _swapped(self, x: Value) -> Value:
        rank = len(x.shape)
        return self._dense(self.transpose(x, (*range(rank - 2), rank - 1, rank - 2)))
