"""What edited lines of Keras and keras-rl call: the parts that today's libraries no longer have, or other backends did."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from autograph import backend as K
from autograph.graph.tensor import Tensor
from autograph.ops.sorting import top_k

__all__ = ["ArgSpec", "copied", "diagonals", "lower_triangles", "stacked", "text", "top_k"]

ArgSpec = namedtuple("ArgSpec", "args varargs keywords defaults")


def text(value: Any) -> str:
    """An attribute of an HDF5 file, or a value of a pickled one: bytes until h5py 2, text since 3."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def stacked(values: Any) -> np.ndarray[Any, Any]:
    """`values` as one array; those of unequal shapes as an array of objects, along the axes that all have in common."""
    try:
        return np.array(values)
    except ValueError:
        return np.array(values, dtype=object)


def copied(value: Any) -> Any:
    """A copy of an observation: of an array, a number, or a list of arrays of unequal shapes."""
    return stacked(value)


# the positive definite matrices of keras-rl's NAFLayer -------------------------------------------------------------------


def lower_triangles(flat: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Lower triangular matrices (batch, size, size) and their transposes, from their rows (batch, size·(size + 1)/2).

    The diagonal is eˣ + epsilon, so that it is positive.
    """
    rows, columns = np.tril_indices(size)
    on_diagonal = (rows == columns).astype(K.floatx())
    filled = (K.exp(flat * on_diagonal) + K.epsilon()) * on_diagonal + flat * (1 - on_diagonal)
    lower = _placed(filled, rows * size + columns, size)
    return lower, K.permute_dimensions(lower, (0, 2, 1))


def diagonals(flat: Tensor, size: int) -> Tensor:
    """Diagonal matrices (batch, size, size) from their diagonals (batch, size)."""
    return _placed(flat, np.arange(size) * (size + 1), size)


def _placed(flat: Tensor, places: np.ndarray[Any, Any], size: int) -> Tensor:
    """Matrices with the elements of `flat` in those places, counted along rows, and 0 elsewhere."""
    spread = np.eye(size * size, dtype=K.floatx())[places]
    return K.reshape(K.dot(flat, K.constant(spread)), (-1, size, size))
