"""Constants: what depends on nothing is computed once, when the function is built."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.graph.graph import mapped
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor
from autograph.tensor_type import element_count

LARGEST = 4096  # elements; what is larger is cheaper to compute than to keep
_NEVER = (Kind.RANDOM, Kind.CONTROL, Kind.CUSTOM, Kind.EFFECT)


def folded(tensor: Tensor) -> Tensor:
    """A constant where all inputs are constants and the result is small; else the tensor itself."""
    for source in tensor.inputs:
        if not isinstance(source, Constant):
            return tensor
    if not tensor.inputs or tensor.op.kind in _NEVER:
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
    return mapped(roots, folded)
