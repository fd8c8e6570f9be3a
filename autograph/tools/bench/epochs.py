"""The work of `bench keras`: small networks, their weights in Keras's order, and the samples of an epoch."""

from dataclasses import dataclass
from functools import cache

import numpy as np

Array = np.ndarray

BATCH, BATCHES, CLASSES = 32, 20, 10
EPOCHS = {
    "MLP 64-128-10": ((64,), ((64, 128), (128,), (128, CLASSES), (CLASSES,))),
    "CNN 28×28, 16 and 32 channels": (
        (28, 28, 1), ((3, 3, 1, 16), (16,), (3, 3, 16, 32), (32,), (7 * 7 * 32, CLASSES), (CLASSES,)),
    ),
    "LSTM 8 → 32, 20 steps": ((20, 8), ((8, 128), (32, 128), (128,), (32, CLASSES), (CLASSES,))),
}  # fmt: skip


@dataclass(frozen=True)
class Epoch:
    """Adam on softmax cross-entropy, one pass over the samples in their order; a step returns the mean loss of its batches."""

    kind: str
    x: Array
    targets: Array
    weights: tuple[Array, ...]


@cache
def epoch(name: str) -> Epoch:
    """One of `EPOCHS`. All who ask get the same arrays."""
    rng, (sample, shapes) = np.random.default_rng(8), EPOCHS[name]
    scale = [np.sqrt(2 / (np.prod(shape[:-1]) + shape[-1])) for shape in shapes]
    weights = [rng.standard_normal(s, np.float32) * np.float32(k * (len(s) > 1)) for s, k in zip(shapes, scale)]
    x = rng.standard_normal((BATCH * BATCHES, *sample), np.float32)
    return Epoch(name[: name.index(" ")], x, np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, len(x))], tuple(weights))
