"""The marks that Keras reads and its layers write: `_keras_shape`, and `_uses_learning_phase`.

Variables, placeholders and sparse tensors have both from the start, as on TensorFlow; on others Keras takes them for its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograph.functions.sparse import SparseTensor
from autograph.graph.tensor import Placeholder, Tensor, Variable
from autograph.tensor_type import Shape

__all__ = ["mark_tensors"]

_NOTED = "_noted_shape"
_MARKED = (Placeholder, SparseTensor, Variable)  # from the start


def _read(tensor: Tensor | SparseTensor) -> Shape:
    """What was noted; else, of what is marked from the start, the shape itself."""
    if _NOTED not in vars(tensor) and not isinstance(tensor, _MARKED):
        raise AttributeError("_keras_shape")
    noted: Shape = vars(tensor).get(_NOTED, tensor.shape)
    return noted


def _write(tensor: Tensor | SparseTensor, noted: Iterable[int | None]) -> None:
    """Note a shape. Sizes that were inferred stand; those that were not are taken over, and so is another rank."""
    sizes, own = tuple(noted), tensor.shape
    same_rank = len(sizes) == len(own)
    vars(tensor)[_NOTED] = tuple(b if a is None else a for a, b in zip(own, sizes)) if same_rank else sizes


def mark_tensors() -> None:
    """Give tensors the attributes that Keras looks for."""
    for kind in (Tensor, SparseTensor):
        kind._keras_shape = property(_read, _write)  # type: ignore[union-attr]
    for marked in _MARKED:
        marked._uses_learning_phase = False  # type: ignore[union-attr]
