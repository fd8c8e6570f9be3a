"""Sharing: equal expressions are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.graph.graph import mapped
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor

_SMALL = 1024  # bytes; larger constants are compared by identity
_ALONE = (Kind.LEAF, Kind.CONTROL)


def share_common(roots: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one op, one set of inputs and one set of params become one tensor.

    Random ops are pure functions of their counter, so they share too; what holds a graph does not.
    """
    known: dict[Any, Tensor] = {}
    return mapped(roots, lambda tensor: known.setdefault(_key(tensor), tensor))


def _key(tensor: Tensor) -> Any:
    """What tensors of one value have in common; a tensor that is shared with no other itself."""
    if isinstance(tensor, Constant):
        value = tensor.value
        return (*tensor.type, value.tobytes()) if value.nbytes <= _SMALL else tensor
    if tensor.op.kind in _ALONE:
        return tensor
    return (tensor.op, tensor.inputs, *sorted(tensor.params.items())) if tensor.params else (tensor.op, tensor.inputs)
