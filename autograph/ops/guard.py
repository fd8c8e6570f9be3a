"""The guard of updates: a register takes its new value, or holds the old one."""

from __future__ import annotations

from typing import Any

from autograph.errors import DTypeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, apply, as_tensor
from autograph.ops.movement import broadcast_like
from autograph.tensor_type import Shape, TensorType, shapes_agree


def _hold_type(condition: TensorType, new: TensorType, old: TensorType) -> TensorType:
    if condition.dtype.kind != "b":
        raise DTypeError(f"the condition is {condition}, not a boolean", fix="compare first, as in `greater(x, 0)`")
    if condition.shape:
        raise ShapeError(f"the condition is {condition}, not one truth value", fix="reduce it by any or all")
    if new.dtype is not old.dtype:
        raise DTypeError(f"the new value is {new.dtype}, the old one {old.dtype}", fix="cast one of them")
    if not shapes_agree(new.shape, old.shape):
        raise ShapeError(f"the new value is {new}, the old one {old}", why="a held value is never broadcast")
    return TensorType(old.dtype, _known_sizes(new.shape, old.shape))


def _known_sizes(a: Shape, b: Shape) -> Shape:
    """Two shapes that agree as one, each size known where either knows it."""
    return tuple([n if m is None else m for m, n in zip(a, b, strict=True)])


def _hold_gradient(g: Tensor, y: Tensor, condition: Tensor, new: Tensor, old: Tensor) -> tuple[Tensor | None, ...]:
    zeros = broadcast_like(as_tensor(0, y.dtype), y)
    return None, hold(condition, g, zeros), hold(condition, zeros, g)


def _settled(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """The branch that a condition known beforehand picks."""
    condition, new, old = inputs
    if not isinstance(condition, Constant):
        return None
    return new if condition.value else old


_HOLD = register(Op(
    "hold",
    kind=Kind.CONTROL,
    infer=_hold_type,
    eval=lambda xp, condition, new, old: xp.where(condition, new, old),
    vjp=_hold_gradient,
    operands=as_given,
    specialize=_settled,
    doc="`new` if the condition holds, else `old`; nothing is then computed that only `new` needs.",
))


def hold(condition: Any, new: Any, old: Any) -> Tensor:
    """`new` if the one truth value `condition` holds, else `old`: both of one dtype and shape, without broadcasting.

    In a function nothing is computed that only `new` needs, when the condition fails. Raises DTypeError unless the
    condition is a boolean and the dtypes are equal, ShapeError unless it has rank 0 and the shapes agree.
    """
    return apply(_HOLD, as_tensor(condition), as_tensor(new), as_tensor(old))
