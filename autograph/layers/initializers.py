"""Initializers: functions of a shape that give the first values of a weight.

What has a seed draws from a stream of its own; without one from `numpy.random`, so that `numpy.random.seed` settles it.
The variance of glorot is 2 / (in + out) (Glorot & Bengio 2010), of he 2 / in (He et al. 2015), of lecun 1 / in, where in and
out are the fans that `variance_scaling` explains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from autograph.arguments import choice
from autograph.errors import ShapeError
from autograph.layers.choices import chosen

__all__ = [
    "constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "initializer_of", "lecun_normal",
    "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip

Initializer = Callable[[Sequence[int]], Any]


def _source(seed: int | None) -> Any:
    return np.random if seed is None else np.random.RandomState(seed)


def constant(value: Any = 0) -> Initializer:
    """`value` everywhere: a number, or an array that fills the shape."""
    return lambda shape: np.broadcast_to(value, tuple(shape))


def random_uniform(minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> Initializer:
    """Uniform in [minval, maxval)."""
    return partial(_source(seed).uniform, minval, maxval)


def random_normal(mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> Initializer:
    """Normal, of that mean and deviation."""
    return partial(_source(seed).normal, mean, stddev)


def truncated_normal(mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> Initializer:
    """Normal, drawn again where a number is farther than two deviations from the mean."""
    source = _source(seed)

    def draw(shape: Sequence[int]) -> Any:
        found = np.asarray(source.normal(size=tuple(shape)))
        while (far := np.abs(found) > 2).any():
            found[far] = source.normal(size=int(far.sum()))
        return mean + stddev * found

    return draw


def variance_scaling(
    scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal", seed: int | None = None
) -> Initializer:
    """Of variance scale / n, where n is the fan in, the fan out, or their mean ("fan_avg"): uniform; or normal, cut at two
    deviations. The fan in is the number of inputs of one output, the fan out the converse; kernels are (space…, in, out)."""
    choice("variance_scaling: mode", mode, ("fan_in", "fan_out", "fan_avg"))
    choice("variance_scaling: distribution", distribution, ("normal", "uniform"))
    drawn = random_uniform(-sqrt(3), sqrt(3), seed) if distribution == "uniform" else truncated_normal(0, 1 / 0.879625661, seed)

    def draw(shape: Sequence[int]) -> Any:
        space, (into, out) = prod(shape[:-2]), shape[-2:] if len(shape) > 1 else [sqrt(prod(shape))] * 2
        n = space * {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2}[mode]
        return sqrt(scale / max(1.0, n)) * drawn(shape)

    return draw


def orthogonal(gain: float = 1.0, seed: int | None = None) -> Initializer:
    """A matrix with orthonormal rows or columns, times `gain` (Saxe et al. 2014); all axes but the last count as rows."""
    source = _source(seed)

    def draw(shape: Sequence[int]) -> Any:
        rows, columns = prod(shape[:-1]), shape[-1]
        left, _, right = np.linalg.svd(source.normal(size=(rows, columns)), full_matrices=False)
        return gain * (left if rows >= columns else right).reshape(tuple(shape))

    return draw


def identity(gain: float = 1.0) -> Initializer:
    """`gain` on the diagonal of a matrix, 0 elsewhere. Raises ShapeError for another rank."""

    def draw(shape: Sequence[int]) -> Any:
        if len(shape) != 2:
            raise ShapeError(f"identity: the shape {tuple(shape)} is no matrix's", fix="use orthogonal, or zeros")
        return gain * np.eye(shape[0], shape[1])

    return draw


zeros, ones = partial(constant, 0), partial(constant, 1)
glorot_uniform, glorot_normal = [partial(variance_scaling, 1.0, "fan_avg", d) for d in ("uniform", "normal")]
he_uniform, he_normal = [partial(variance_scaling, 2.0, "fan_in", d) for d in ("uniform", "normal")]
lecun_uniform, lecun_normal = [partial(variance_scaling, 1.0, "fan_in", d) for d in ("uniform", "normal")]
_KNOWN: dict[str, Callable[..., Initializer]] = {
    "glorot_normal": glorot_normal, "glorot_uniform": glorot_uniform, "he_normal": he_normal, "he_uniform": he_uniform,
    "identity": identity, "lecun_normal": lecun_normal, "lecun_uniform": lecun_uniform, "normal": random_normal, "ones": ones,
    "orthogonal": orthogonal, "random_normal": random_normal, "random_uniform": random_uniform, "uniform": random_uniform,
    "truncated_normal": truncated_normal, "zeros": zeros,
}  # fmt: skip


def initializer_of(identifier: Any) -> Initializer:
    """An initializer from itself, or from the name of one with its defaults."""
    found: Initializer = identifier if callable(identifier) else chosen("initializer", identifier, _KNOWN)()
    return found
