"""What the functions of the backend take: tensors, numbers, lists and arrays alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.config import floatx
from autograph.errors import ShapeError
from autograph.graph.tensor import Tensor, as_tensor, cast_literal
from autograph.tensor_type import as_dtype

__all__ = ["check_rank", "tensor", "tensors"]


def tensor(x: Any) -> Tensor:
    """`x` as a tensor. Floats in a list take floatx; an array keeps its dtype, and a list of tensors is stacked."""
    made = as_tensor(x)
    if isinstance(x, Tensor | np.ndarray | np.generic) or not (made.type.weak and made.type.is_float):
        return made
    return cast_literal(made, as_dtype(floatx()))


def tensors(*values: Any) -> list[Any]:
    """Operands of one operation: beside a tensor the others are literals, which take its dtype; else as `tensor`."""
    return list(values) if any(isinstance(value, Tensor) for value in values) else [tensor(value) for value in values]


def check_rank(what: str, x: Tensor, space: int) -> None:
    """Raise ShapeError unless `x` has a batch, `space` axes of space, and channels."""
    if x.ndim != space + 2:
        names = ("steps",) if space == 1 else ("depth", "height", "width")[-space:]
        fix = f"it takes (samples, {', '.join(names)}, channels), or channels before these"
        raise ShapeError(f"{what}: {x.describe()} has rank {x.ndim}, not {space + 2}", fix=fix)
