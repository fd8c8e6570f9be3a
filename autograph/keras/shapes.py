"""`_keras_shape`, which Keras reads from every tensor and which its layers write."""

from __future__ import annotations

from collections.abc import Iterable

from autograph.functions.sparse import SparseTensor
from autograph.graph.tensor import Tensor
from autograph.tensor_type import Shape

__all__ = ["note_shapes"]

_NOTED = "_noted_shape"


def _read(tensor: Tensor | SparseTensor) -> Shape:
    """What a layer noted, else the shape that was inferred."""
    noted: Shape = vars(tensor).get(_NOTED, tensor.shape)
    return noted


def _write(tensor: Tensor | SparseTensor, noted: Iterable[int | None]) -> None:
    """Note a shape. Sizes that were inferred stand; those that were not are taken over, and so is another rank."""
    sizes, own = tuple(noted), tensor.shape
    same_rank = len(sizes) == len(own)
    vars(tensor)[_NOTED] = tuple(b if a is None else a for a, b in zip(own, sizes)) if same_rank else sizes


def note_shapes() -> None:
    """Give tensors the attribute `_keras_shape`."""
    for kind in (Tensor, SparseTensor):
        kind._keras_shape = property(_read, _write)  # type: ignore[union-attr]
