"""Random bits, a kernel of their own, and the numbers made of them: arithmetic on words, which can join other loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.arrays import random, special
from autograph.executors.native.instructions import high_product, whole
from autograph.executors.native.language import Line, Word
from autograph.executors.native.moving import MovingRecorder
from autograph.executors.native.special import into
from autograph.executors.native.writing import Written, written
from autograph.executors.numpy.values import Step, Value
from autograph.tensor_type import DTYPES, DType

_FLOAT64, _WORD = DTYPES["float64"], DTYPES["uint64"]
_HALF, _MASK = np.uint64(32), np.uint64(2**32 - 1)
_ROUNDS = 10


class DrawingRecorder(MovingRecorder):
    """The part of the namespace that draws random numbers, as `arrays.philox` has it."""

    def random_bits(self, state: Any, shape: Any) -> Value:
        if isinstance(shape, Value):
            return self._call("random_bits", random.random_bits, state, shape)
        return self._placed("random_bits", _WORD, shape, self._dense(state), shape)

    def uniform_from_bits(self, bits: Any, dtype: DType) -> Value:
        digits = np.finfo(dtype).nmant + 1
        return self.multiply(self._top(bits, digits, dtype), np.array(2.0**-digits, dtype)[()])

    def _top(self, bits: Any, digits: int, dtype: DType) -> Value:
        """The top binary digits of each word, as a float."""
        return self.astype(self.right_shift(self._known(bits), np.uint64(64 - digits)), dtype)

    def _open_uniform(self, bits: Any) -> Value:
        """As `philox.open_uniform_from_bits`."""
        return self.multiply(self.add(self._top(bits, 52, _FLOAT64), 0.5), 2.0**-52)

    def normal_from_bits(self, bits: Any, dtype: DType) -> Value:
        return self.astype(self.ndtri(self._open_uniform(bits)), dtype)

    def truncated_normal_from_bits(self, bits: Any, dtype: DType) -> Value:
        within = 1 - 2 * float(special.ndtr(-2.0))
        p = self.add(self.multiply(self.subtract(self._open_uniform(bits), 0.5), within), 0.5)
        return self.astype(self.minimum(self.maximum(self.ndtri(p), -2.0), 2.0), dtype)

    def integers_from_bits(self, bits: Any, low: int, high: int, dtype: DType) -> Value:
        chosen = self._multiply_high(self._known(bits), high - low)
        return self.astype(self.add(chosen, np.uint64(low % 2**64)), dtype)

    def permutation_from_bits(self, bits: Any) -> Value:
        return self.argsort(bits, 0, False)

    def _multiply_high(self, bits: Value, factor: int) -> Value:
        """As the function of this name in `philox`."""
        if factor == 2**64:
            return bits
        top, low = np.uint64(factor >> 32), np.uint64(factor % 2**32)
        a, b = self.right_shift(bits, _HALF), self.bitwise_and(bits, _MASK)
        middle = self.add(self.multiply(a, low), self.right_shift(self.multiply(b, low), _HALF))
        carry = self.right_shift(self.add(self.multiply(b, top), self.bitwise_and(middle, _MASK)), _HALF)
        return self.add(self.add(self.multiply(a, top), self.right_shift(middle, _HALF)), carry)


# NumPy's Philox-4x64-10 (Salmon, Moraes, Dror & Shaw 2011); words of 64 bits, as signed numbers
_MULTIPLY_0, _MULTIPLY_1 = 0xD2E7470EE14C6C93 - 2**64, 0xCA5A826395121157 - 2**64
_WEYL_0, _WEYL_1 = 0x9E3779B97F4A7C15 - 2**64, 0xBB67AE8584CAA73B - 2**64


def _random_bits(count: Word, state: Line, out: Line) -> Any:
    for block in range((count + 3) // 4):
        a = state[1] + block + 1
        b = whole(a >= 0 and a <= block)  # the counter's carry: of a state that has grown past its word
        c = 0
        d = 0
        key = state[0]
        other = 0
        for _ in range(_ROUNDS):
            high = high_product(_MULTIPLY_0, a)
            high_1 = high_product(_MULTIPLY_1, c)
            b_1 = c * _MULTIPLY_1
            d_1 = a * _MULTIPLY_0
            a = high_1 ^ b ^ key
            c = high ^ d ^ other
            b = b_1
            d = d_1
            key = key + _WEYL_0
            other = other + _WEYL_1
        place = 4 * block
        out[place] = a
        if place + 3 < count:
            out[place + 1] = b
            out[place + 2] = c
            out[place + 3] = d
        else:
            if place + 1 < count:
                out[place + 1] = b
            if place + 2 < count:
                out[place + 2] = c


def _bits(step: Step) -> Written:
    state, shape = step.arguments
    return written(_random_bits, math.prod(shape), (state, "i8"), (step.result, "i8"), effort=16)


DRAWING: dict[Callable[..., Any], Callable[[Step], Written]] = {into("random_bits"): _bits}
