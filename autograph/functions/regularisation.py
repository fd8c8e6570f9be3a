"""Regularisation by noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.arguments import listed, number
from autograph.errors import ArgumentError, DTypeError, ShapeError
from autograph.graph.tensor import Tensor, Variable, as_tensor
from autograph.ops.elementwise import cast
from autograph.ops.random import happens, random_bits
from autograph.ops.selection import where
from autograph.ops.shape import size_of

__all__ = ["dropout"]


def dropout(
    x: Any,
    rate: Any,
    noise_shape: Sequence[Any] | Tensor | None = None,
    seed: int | None = None,
    *,
    state: Variable | None = None,
) -> Tensor:
    """`x` with each element set to 0 with probability `rate`, and the others multiplied by 1/(1 - rate).

    noise_shape  the shape in which it is decided, broadcast to that of `x`; None in it is the size of `x` there
    seed, state  as in `random_bits`; what is dropped changes at every tick

    Srivastava et al. 2014. Raises ArgumentError unless 0 ≤ rate < 1, DTypeError unless `x` is a float, ShapeError unless
    the noise has the rank of `x`.
    """
    tensor = as_tensor(x)
    if not tensor.type.is_float:
        raise DTypeError(f"dropout: {tensor.describe()} is no float", fix="cast it first")
    if not isinstance(rate, Tensor) and not 0 <= number(rate, "dropout: the rate") < 1:
        raise ArgumentError(f"dropout: the rate {rate} is not within [0, 1)", fix="0.5 drops half of the elements")
    if not isinstance(rate, Tensor) and rate == 0:
        return tensor
    noise = _noise(tensor, noise_shape, seed, state)
    kept = 1 / (1 - (cast(rate, tensor.dtype) if isinstance(rate, Tensor) else rate))
    return where(happens(rate, noise), 0, tensor * kept)


def _noise(x: Tensor, shape: Sequence[Any] | Tensor | None, seed: int | None, state: Variable | None) -> Tensor:
    """Random bits that broadcast to `x`."""
    if shape is None:
        return random_bits(seed=seed, like=x, state=state)
    if not isinstance(shape, Tensor):
        sizes = listed(shape, "dropout: the noise shape", "as in (None, 1)")
        shape = [size_of(x, axis) if size is None and axis < x.ndim else size for axis, size in enumerate(sizes)]
    bits = random_bits(shape, seed, state=state)
    if bits.ndim != x.ndim:
        raise ShapeError(f"dropout: the noise {bits.type} has not the rank of {x.describe()}", fix="use 1 where it is shared")
    return bits
