"""Sharing: equal expressions are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.graph.graph import ancestors
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor, node

_SMALL = 1024  # bytes; larger constants are compared by identity


def share_common(roots: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one op, one set of inputs and one set of params become one tensor.

    Random ops are pure functions of their counter, so they share too; what holds a graph does not.
    """
    done: dict[Tensor, Tensor] = {}
    known: dict[Any, Tensor] = {}
    for tensor in ancestors(roots):
        inputs = tuple([done[source] for source in tensor.inputs])
        result = tensor if inputs == tensor.inputs else node(tensor, inputs, tensor.params, tensor.type)
        key = _key(result)
        done[tensor] = result if key is None else known.setdefault(key, result)
    return [done[root] for root in roots]


def _key(tensor: Tensor) -> Any:
    if isinstance(tensor, Constant):
        value = tensor.value
        return ("constant", tensor.type, value.tobytes()) if value.nbytes <= _SMALL else None
    if tensor.op.kind in (Kind.LEAF, Kind.CONTROL):
        return None
    return tensor.op, tensor.inputs, tuple(sorted(tensor.params.items()))
