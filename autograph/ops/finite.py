"""Which tensors may hold infinities or NaN though everything fed is finite: behind a logarithm, a quotient, a root.

A rule multiplies by such a tensor through `mul_no_nan`, and by others plainly, which is three times cheaper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograph.graph.op import Kind, Op
from autograph.graph.tensor import Constant, Tensor
from autograph.ops.define import elementwise

__all__ = ["SINGULAR", "singular", "stays_finite"]

SINGULAR: set[str] = set()  # names of ops that turn some finite numbers into infinities or NaN
_PASSING = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.INDEXING, Kind.REDUCTION)  # kinds that hand infinities on


def singular(name: str, doc: str, **options: Any) -> Callable[..., Tensor]:
    """As `elementwise`, for an op that turns some finite numbers into infinities or NaN."""
    SINGULAR.add(name)
    return elementwise(name, doc, **options)


def stays_finite(tensor: Tensor) -> bool:
    """Whether `tensor` is finite whatever finite numbers its leaves hold, overflow of sums and products aside.

    Looked for back to the last contraction, each tensor once: what left the layer before as infinite is past help.
    """
    if tensor.known_finite is None:
        _settle(tensor)
    return bool(tensor.known_finite)


def _settle(tensor: Tensor) -> None:
    """Write the answer down at the tensor, and before that at whatever decides on it."""
    todo = [tensor]
    while todo:
        current = todo[-1]
        unknown = [x for x in current.inputs if x.known_finite is None] if _depends(current) else []
        if unknown and current.known_finite is None:
            todo.extend(unknown)
            continue
        current.known_finite = _finite(current)
        todo.pop()


def _depends(tensor: Tensor) -> bool:
    """Whether the inputs of a tensor decide on it."""
    return tensor.op.kind in _PASSING and (tensor.op.name not in SINGULAR or _is_harmless(tensor.op, tensor.inputs))


def _finite(tensor: Tensor) -> bool:
    if isinstance(tensor, Constant):
        return bool(np.isfinite(tensor.value).all())
    if tensor.op.kind not in _PASSING:
        return True
    return _depends(tensor) and all(x.known_finite for x in tensor.inputs)


def _is_harmless(op: Op, inputs: tuple[Tensor, ...]) -> bool:
    """Whether the second operand keeps a singular op finite: a constant divisor without 0, a whole exponent ≥ 0."""
    if len(inputs) < 2 or not isinstance(inputs[1], Constant):
        return False
    value = inputs[1].value
    match op.name:
        case "divide" | "mod" | "floor_divide":
            return bool(value.all())
        case "power":
            return bool((value >= 0).all() and (value == np.floor(value)).all())
    return False
