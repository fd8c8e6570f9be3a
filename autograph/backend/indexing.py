"""Elements chosen by position."""

from __future__ import annotations

from typing import Any

from autograph.arguments import listed, whole
from autograph.backend.operands import tensor
from autograph.errors import ArgumentError
from autograph.graph.tensor import Tensor
from autograph.ops import gathering
from autograph.ops.gathering import index_tensor
from autograph.ops.shape import known_size

__all__ = ["entries", "gather", "one_hot", "slice"]

_cut = slice


def gather(reference: Any, indices: Any) -> Tensor:
    """The slices of `reference` at `indices` along its first axis: (n, b…) at (i…) → (i…, b…).

    Negative indices count from the end. The gradient of a slice that is taken twice is the sum of both. Raises
    IndexRangeError for an index outside, DTypeError unless the indices are integers.
    """
    return gathering.gather(tensor(reference), indices)


def one_hot(indices: Any, num_classes: int) -> Tensor:
    """1 at each index along a new last axis, 0 elsewhere: (i…) → (i…, num_classes), of floatx.

    An index outside 0 … num_classes - 1 gives zeros alone. Raises DTypeError unless the indices are integers.
    """
    return gathering.one_hot(indices, num_classes, out_of_range="zeros")


def slice(x: Any, start: Any, size: Any) -> Tensor:
    """`x[start[0] : start[0] + size[0], …]`, a start and a size for each axis; -1 is all that follows.

    Both are lists of numbers or tensors of rank 0, or integer vectors. Raises ArgumentError unless both have an entry
    for each axis.
    """
    whole = tensor(x)
    starts, sizes = [entries(part, "slice", "starts or sizes") for part in (start, size)]
    if not len(starts) == len(sizes) == whole.ndim:
        raise ArgumentError(
            f"slice: {len(starts)} starts and {len(sizes)} sizes for {whole.describe()}",
            fix=f"one of each for each of the {whole.ndim} axes",
        )
    return whole[tuple([_bounds(first, count) for first, count in zip(starts, sizes, strict=True)])]


def entries(vector: Any, what: str, of: str) -> list[Any]:
    """The entries of a list, or of an integer vector of known length: numbers where they are known.

    Raises ArgumentTypeError for what is no list, ArgumentError for a tensor of another rank or what is no whole number.
    """
    if not isinstance(vector, Tensor):
        given = [_known(entry) for entry in listed(vector, f"{what}: the {of}", f"{what}(x, [0, 1], …)")]
        return [entry if isinstance(entry, Tensor) else whole(entry, f"{what}: one of the {of}") for entry in given]
    positions = index_tensor(vector)
    if positions.ndim != 1 or positions.shape[0] is None:
        raise ArgumentError(f"{what}: {positions.describe()} is no vector of known length", fix="give a list of numbers")
    return [_known(positions[i]) for i in range(positions.shape[0])]


def _known(entry: Any) -> Any:
    found = known_size(entry) if isinstance(entry, Tensor) and not entry.ndim else None
    return entry if found is None else found


def _bounds(first: Any, count: Any) -> Any:
    """From `first` on, `count` elements; all the rest if that is -1."""
    if isinstance(count, Tensor):
        return _cut(first, count if not isinstance(first, Tensor) and first == 0 else first + count)
    return _cut(first, None if count == -1 else first + count)
