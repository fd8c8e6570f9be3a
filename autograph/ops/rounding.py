"""Rounding to whole numbers. Integers come back as they are; the gradient is zero wherever there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograph.graph.op import Kind, Op, promoted, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.define import elementwise_type, named
from autograph.ops.filling import zeros_like

__all__ = ["ceil", "floor", "round", "trunc"]


def _zeros(g: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor]:
    return (zeros_like(x),)


def _rounding(name: str, doc: str, eval: Callable[..., Any]) -> Callable[..., Tensor]:
    """Register an op on floats, and return its function, which lets integers through."""
    op = register(Op(name, Kind.ELEMENTWISE, elementwise_type, eval, _zeros, promoted, doc=doc))

    def function(x: Any) -> Tensor:
        tensor = as_tensor(x)
        return apply(op, tensor) if tensor.type.is_float else tensor

    return named(function, name, doc, "x")


floor = _rounding("floor", "The greatest whole number ≤ x.", lambda xp, x: xp.floor(x))
ceil  = _rounding("ceil", "The least whole number ≥ x.", lambda xp, x: xp.ceil(x))
trunc = _rounding("trunc", "x cut towards zero to a whole number.", lambda xp, x: xp.trunc(x))
round = _rounding("round", "The whole number nearest to x, the even one of two.", lambda xp, x: xp.rint(x))
