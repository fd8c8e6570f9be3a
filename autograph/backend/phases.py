"""Training or test: the learning phase, and choices that depend on it or on any other condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arguments import shown, truth
from autograph.backend.operands import tensors
from autograph.branches import chosen
from autograph.errors import ArgumentError, DTypeError, ShapeError, StaleGraphError
from autograph.graph.graph import ancestors
from autograph.graph.tensor import Placeholder, Tensor, as_tensor, check_current, placeholder
from autograph.ops import movement, selection
from autograph.ops.elementwise import cast
from autograph.tensor_type import shapes_agree, show_shape

__all__ = ["in_test_phase", "in_train_phase", "learning_phase", "reset_learning_phase", "set_learning_phase", "switch"]

_phase: list[Placeholder | int | None] = [None]


def learning_phase() -> Placeholder | int:
    """The phase, 1 in training and 0 in test: an int32 input of rank 0 that is 0 where a function is not fed it.

    After `set_learning_phase` it is that number.
    """
    phase = _phase[0]
    if isinstance(phase, int) or (phase is not None and _is_current(phase)):
        return phase
    _phase[0] = made = placeholder((), dtype="int32", name="learning_phase", default=0)
    return made


def _is_current(phase: Placeholder) -> bool:
    try:
        check_current([phase])
    except StaleGraphError:
        return False
    return True


def set_learning_phase(value: Any) -> None:
    """Settle the phase, 0 or 1, for everything that is built from now on. Raises ArgumentError (a ValueError) for others."""
    if not isinstance(value, int | np.integer) or value not in (0, 1):
        raise ArgumentError(f"the learning phase is {shown(value)}", fix="0 for test, 1 for training")
    _phase[0] = int(value)


def reset_learning_phase() -> None:
    """Let the phase be an input again."""
    _phase[0] = None


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Tensor:
    """`then_expression` where the condition holds, else `else_expression`; no gradient reaches the other one.

    condition     booleans or integers, of rank 0 or of leading axes of the expressions
    expressions   tensors of one shape, or functions without arguments that give them; a number fits every shape

    Where the condition is of rank 0, what a function makes is computed only if it is chosen; else both are. Raises
    DTypeError for a condition of floats, ShapeError if it has the higher rank or if the shapes of the expressions differ.
    """
    mask = _truth(as_tensor(condition))
    mark = as_tensor(0).number
    then, other = tensors(*[_given(part) for part in (then_expression, else_expression)])
    first, second = as_tensor(then), as_tensor(other)
    rank = max(first.ndim, second.ndim)
    if mask.ndim > rank:
        raise ShapeError(
            f"switch: the condition {mask.type} has a higher rank than its branches {first.type} and {second.type}",
            fix="reduce it by any or all, or expand_dims the branches",
        )
    if first.ndim and second.ndim and not shapes_agree(first.shape, second.shape):
        what = f"switch: the branches {show_shape(first.shape)} and {show_shape(second.shape)} differ in shape"
        raise ShapeError(what, why=f"they are {first.describe()} and {second.describe()}", fix="broadcast_like one of them")
    lazy = mask.ndim == 0 and (_is_function(then_expression) or _is_function(else_expression))
    if lazy and first.dtype is second.dtype and first.ndim == second.ndim:
        return chosen(mask, [first], [second], mark)[0]
    if mask.ndim:
        mask = movement.expand_dims_at(mask, tuple(range(mask.ndim, rank)))
    return selection.where(mask, then, other)


def _given(part: Any) -> Any:
    """A branch; of a function without arguments, what it gives."""
    return part() if _is_function(part) else part


def _is_function(part: Any) -> bool:
    return callable(part) and not isinstance(part, type)


def _truth(condition: Tensor) -> Tensor:
    if condition.type.is_float:
        raise DTypeError(f"switch: the condition is {condition.describe()}, of floats", fix="compare first, as in greater(x, 0)")
    return cast(condition, "bool")


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`: tensors of one shape, or functions without arguments that give them.

    training   a number or a truth value, which settles it now; a tensor of rank 0; or None, the learning phase
    """
    phase = learning_phase() if training is None else training
    if not isinstance(phase, Tensor):
        chosen = x if truth(phase, "training") else alt
        return _given(chosen)
    result = switch(phase, x, alt)
    if training is None:
        result._uses_learning_phase = True  # type: ignore[attr-defined]  # Keras's mark, which layers hand on
    return result


def follows_phase(x: Any) -> bool:
    """Whether a tensor bears Keras's mark, or is computed from the phase of now."""
    phase = _phase[0]
    return bool(getattr(x, "_uses_learning_phase", False)) or (isinstance(phase, Placeholder) and phase in ancestors([x]))


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in test, else `alt`; as `in_train_phase` with the two exchanged."""
    return in_train_phase(alt, x, training=training)
