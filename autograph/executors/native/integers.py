"""Arithmetic of integers that may raise: numbers that NumPy refuses leave the step to NumPy, which tells of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.executors.native.instructions import of
from autograph.executors.native.language import Line, Word
from autograph.executors.native.moving import MovingRecorder
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written, written
from autograph.executors.numpy.values import Step, Value


class IntegerRecorder(MovingRecorder):
    """The part of the namespace that divides, and raises integers to powers."""

    def floor_divide(self, a: Any, b: Any) -> Value:
        return self._divided(np.floor_divide, a, b)

    def remainder(self, a: Any, b: Any) -> Value:
        return self._divided(np.remainder, a, b)

    def _divided(self, function: np.ufunc, a: Any, b: Any) -> Value:
        """By divisors that are looked through before, where they are integers that might be 0."""
        name = function.__name__
        if not self._plain(a, b):
            return self._call(name, getattr(numpy_namespace, name), a, b)
        if b.dtype.kind != "f" and (b.array is None or not b.array.all()):
            b = self._placed("divisor", b.dtype, b.shape, self._dense(b))
        return self._ufunc(name, function, a, b)

    def integer_power(self, x: Any, p: Any) -> Value:
        if not self._plain(x, p) or x.dtype is not p.dtype:
            return self._call("integer_power", numpy_namespace.integer_power, x, p)
        shape = np.broadcast_shapes(x.shape, p.shape)
        return self._placed("integer_power", x.dtype, shape, self._dense(x, shape), self._dense(p, shape))


def _divisor(count: Word, given: Line, out: Line) -> Any:
    for k in range(count):
        if given[k] == 0:
            return -1
        out[k] = given[k]


def _integer_power(count: Word, x: Line, p: Line, out: Line) -> Any:
    for k in range(count):
        left = p[k]
        if left < 0:
            return -1
        factor = x[k]
        y = of(out, 1)
        while left != 0:
            if left & 1 != 0:
                y = y * factor
            factor = factor * factor
            left = left >> 1
        out[k] = y


def _dividing(step: Step) -> Written:
    return written(_divisor, math.prod(step.result.shape), step.arguments[0], step.result)


def _powers(step: Step) -> Written:
    x, p = step.arguments
    return written(_integer_power, math.prod(step.result.shape), x, p, step.result, effort=8)


INTEGERS: dict[Callable[..., Any], Callable[[Step], Written]] = {
    into("divisor"): _dividing, into("integer_power"): _powers,
}  # fmt: skip
