"""Counter-based random bits, NumPy's Philox-4x64-10 stream, and what distributions make of them.

A stream is a pure function of a key of 128 bits and a counter of 256 (Salmon, Moraes, Dror & Shaw, SC 2011). One word
of 64 bits becomes one number, so that shapes and dtypes never shift the stream.
"""

from __future__ import annotations

import operator
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arrays import special

Words = npt.NDArray[np.uint64]

_idle: deque[np.random.Philox] = deque()  # one leaves it for each call in progress, in whatever thread
_NO_WORDS = np.zeros(4, np.uint64)


def philox_uint64(key: int | Words, counter: int | Words, size: int) -> Words:
    """The first `size` words that `np.random.Philox(key=key, counter=counter)` gives.

    key is an integer below 2**128 or two words, counter one below 2**256 or four words, both from the lowest. NumPy
    steps before it draws: these are the blocks of four at counter + 1, counter + 2, …, so the stream goes on at
    counter + ⌈size/4⌉. Raises ValueError for a key, counter or size out of range. Safe in threads and re-entrant.
    """
    if size < 0:
        raise ValueError(f"philox_uint64: size must not be negative, not {size}")
    key, counter = _words(key, 2), _words(counter, 4)
    try:
        stream = _idle.pop()
    except IndexError:
        stream = np.random.Philox(0)
    stream.state = {
        "bit_generator": "Philox",
        "state": {"key": key, "counter": counter},
        "buffer": _NO_WORDS,
        "buffer_pos": 4,  # none is left
        "has_uint32": 0,
        "uinteger": 0,
    }
    bits: Words = stream.random_raw(size)
    _idle.append(stream)
    return bits


def _words(value: int | Words, count: int) -> Words:
    """value as `count` words of 64 bits, the lowest first."""
    if np.ndim(value) == 0:
        number = operator.index(value)
        if not 0 <= number < 2 ** (64 * count):
            raise ValueError(f"philox: {number} is not an integer of {64 * count} bits")
        return np.array([(number >> 64 * i) % 2**64 for i in range(count)], np.uint64)
    words = np.asarray(value, np.uint64)
    if words.shape != (count,):
        raise ValueError(f"philox: expected {count} words of 64 bits, not an array of shape {words.shape}")
    return words


def uniform_from_bits(bits: Words, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Uniform in [0, 1): the top 53, 24 or 11 bits of each word, as many as float64, float32 or float16 holds."""
    digits = np.finfo(np.dtype(dtype)).nmant + 1
    u: npt.NDArray[Any] = (bits >> np.uint64(64 - digits)).astype(dtype) * 2.0**-digits
    return u


def open_uniform_from_bits(bits: Words) -> npt.NDArray[np.float64]:
    """Uniform in (0, 1), float64, symmetric about 1/2: (k + 1/2)/2⁵², k the top 52 bits. For inverse distributions."""
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal_from_bits(bits: Words, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Standard normal by the inverse distribution function; none exceeds 8.21 in size."""
    return np.asarray(special.ndtri(open_uniform_from_bits(bits))).astype(dtype)


def truncated_normal_from_bits(bits: Words, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Standard normal on the condition that it lies in [-2, 2], by the inverse distribution function."""
    within = 1 - 2 * special.ndtr(-2.0)
    x = special.ndtri(0.5 + within * (open_uniform_from_bits(bits) - 0.5))
    return np.asarray(np.clip(x, -2, 2)).astype(dtype)


def integers_from_bits(bits: Words, low: int, high: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Integers in [low, high): low + ⌊bits·(high - low)/2⁶⁴⌋, exact.

    No probability is off from 1/(high - low) by more than 2⁻⁶⁴. Raises ValueError where the range is empty or does not
    fit the dtype.
    """
    limits = np.iinfo(np.dtype(dtype))
    if not limits.min <= low < high <= int(limits.max) + 1:
        raise ValueError(f"integers_from_bits: [{low}, {high}) is empty or does not fit {np.dtype(dtype)}")
    with np.errstate(over="ignore"):  # negative numbers are meant modulo 2⁶⁴
        return (_multiply_high(bits, high - low) + np.uint64(low % 2**64)).astype(dtype)


def _multiply_high(bits: Words, factor: int) -> Words:
    """⌊bits·factor/2⁶⁴⌋ for factor ≤ 2⁶⁴, from products of halves, none of which overflows."""
    if factor == 2**64:
        return bits
    half, mask = np.uint64(32), np.uint64(2**32 - 1)
    top, low = np.uint64(factor >> 32), np.uint64(factor % 2**32)
    a, b = bits >> half, bits & mask
    middle = a * low + (b * low >> half)
    carry = b * top + (middle & mask) >> half
    high: Words = a * top + (middle >> half) + carry
    return high


def permutation_from_bits(bits: Words) -> npt.NDArray[np.int64]:
    """The permutation that sorts the words, equal ones in their order: of n, any two are equal in n²/2⁶⁵ of cases."""
    return np.argsort(bits, kind="stable").astype(np.int64)
