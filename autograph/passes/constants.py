"""Constants: what depends on nothing is computed once, when the function is built."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor, node
from autograph.tensor_type import element_count

LARGEST = 4096  # elements; what is larger is cheaper to compute than to keep


def folded(tensor: Tensor) -> Tensor:
    """A constant where all inputs are constants and the result is small; else the tensor itself."""
    if not tensor.inputs or tensor.op.kind in (Kind.RANDOM, Kind.CONTROL, Kind.CUSTOM):
        return tensor
    if not all(isinstance(source, Constant) for source in tensor.inputs):
        return tensor
    count = element_count(tensor.shape)
    if count is None or count > LARGEST:
        return tensor
    try:
        with np.errstate(all="ignore"):
            value = tensor.evaluate(numpy_namespace, [source.evaluate(numpy_namespace, []) for source in tensor.inputs])
    except Exception:
        if tensor.op.raises:  # then it is for the tick to say so, where it may be guarded
            return tensor
        raise
    return Constant(np.array(value, tensor.dtype), origin=tensor.origin)


def fold_constants(roots: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor that is computed from constants alone becomes one."""
    done: dict[Tensor, Tensor] = {}
    for tensor in ancestors(roots):
        inputs = tuple([done[source] for source in tensor.inputs])
        same = inputs == tensor.inputs
        done[tensor] = folded(tensor if same else node(tensor, inputs, tensor.params, tensor.type))
    return [done[root] for root in roots]
