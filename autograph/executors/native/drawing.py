"""Random numbers from random bits, as `arrays.philox` has them: arithmetic on words, which can join other loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arrays import special
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Value
from autograph.tensor_type import DTYPES, DType

_FLOAT64 = DTYPES["float64"]
_HALF, _MASK = np.uint64(32), np.uint64(2**32 - 1)


class DrawingRecorder(Recorder):
    """The part of the namespace that makes numbers of random bits."""

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

    def _multiply_high(self, bits: Value, factor: int) -> Value:
        """As the function of this name in `philox`."""
        if factor == 2**64:
            return bits
        top, low = np.uint64(factor >> 32), np.uint64(factor % 2**32)
        a, b = self.right_shift(bits, _HALF), self.bitwise_and(bits, _MASK)
        middle = self.add(self.multiply(a, low), self.right_shift(self.multiply(b, low), _HALF))
        carry = self.right_shift(self.add(self.multiply(b, top), self.bitwise_and(middle, _MASK)), _HALF)
        return self.add(self.add(self.multiply(a, top), self.right_shift(middle, _HALF)), carry)
