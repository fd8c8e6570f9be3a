"""Random bits from a state of two words (a key and a counter), in NumPy: a pure function of both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograph.arrays.philox import philox_uint64
from autograph.errors import ArgumentError

Array = Any  # an ndarray or a NumPy scalar


def random_bits(state: Array, shape: Any) -> Array:
    """Random words of 64 bits in `shape`, a tuple or a vector."""
    sizes = tuple(map(int, shape))
    if any(size < 0 for size in sizes):
        raise ArgumentError(f"random: the shape {sizes} has a negative size")
    return philox_uint64(int(state[0]), int(state[1]), math.prod(sizes)).reshape(sizes)


def random_step(shape: tuple[int, ...]) -> Array:
    """What the state grows by when bits of `shape` are drawn: the counter counts blocks of four words."""
    return np.array([0, -(-math.prod(shape) // 4)], np.uint64)
