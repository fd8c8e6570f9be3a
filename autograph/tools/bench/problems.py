"""The work that every competitor is given: the same numbers, the same 64 batches in the same order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

Array = np.ndarray
Step = Callable[[int], float]  # the number of the step -> the number it computed, on the host

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # of Adam, for all
ROTATION = 64  # one batch for ever would sit in the cache, and its loss would sink to zero
BATCH_SIZES = {"4-64-64-2": 32, "784-128-10": 32, "784-512-512-10": 128}
MANY_PARAMETERS = "400 parameters of 100 numbers"


@dataclass(frozen=True)
class Network:
    """One training step: tanh layers, softmax cross-entropy on one-hot targets, Adam; a step returns its loss.

    `layers` holds the first kernel and bias of each layer (a competitor copies what it changes), `batches` pairs of
    inputs and targets.
    """

    sizes: tuple[int, ...]
    batch: int
    layers: tuple[tuple[Array, Array], ...]
    batches: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class ManyParameters:
    """Adam alone: a step is fed one array of gradients, and returns the last number of the last parameter as it was.

    A row of `parameters` is the first value of one parameter (a competitor copies it), a row of one of the
    `gradients` its gradient.
    """

    parameters: Array
    gradients: tuple[Array, ...]


def problem(name: str) -> Network | ManyParameters:
    """The problem of that name: `MANY_PARAMETERS`, or the sizes of a network."""
    return many_parameters() if name == MANY_PARAMETERS else network(name)


@cache
def network(name: str) -> Network:
    """The network whose sizes are in its name, as in 784-128-10. All who ask get the same arrays."""
    sizes, batch = tuple(map(int, name.split("-"))), BATCH_SIZES.get(name, 32)
    rng = np.random.default_rng(1)
    layers = [(_glorot(rng, a, b), np.zeros(b, np.float32)) for a, b in pairwise(sizes)]
    one_hot = np.eye(sizes[-1], dtype=np.float32)
    labels = rng.integers(0, sizes[-1], (ROTATION, batch))
    return Network(sizes, batch, tuple(layers), tuple((_normal(rng, batch, sizes[0]), one_hot[row]) for row in labels))


@cache
def many_parameters() -> ManyParameters:
    """The problem `MANY_PARAMETERS`. All who ask get the same arrays."""
    rng = np.random.default_rng(2)
    return ManyParameters(_normal(rng, 400, 100), tuple(_normal(rng, 400, 100) for _ in range(ROTATION)))


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return _normal(rng, rows, columns) * np.float32((2 / (rows + columns)) ** 0.5)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return rng.standard_normal((rows, columns), dtype=np.float32)
