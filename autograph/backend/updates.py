"""Updates of variables: pairs (variable, new value) for `function`, which takes them all together at the end of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograph.backend.dependencies import sequenced
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.update import read_item
from autograph.graph.updates import Update
from autograph.ops.elementwise import add, cast, multiply, subtract

__all__ = ["moving_average_update", "update", "update_add", "update_sub"]

# `K.eval` carries an update out at once.


def update(x: Variable, new_x: Any) -> Update:
    """x ← new_x, of the shape and dtype of `x`. Raises UpdateTypeError if `x` is no variable."""
    return _pair(x, new_x)


def update_add(x: Variable, increment: Any) -> Update:
    """x ← x + increment, of the shape and dtype of `x`."""
    return _pair(x, _moved(x, add, increment))


def update_sub(x: Variable, decrement: Any) -> Update:
    """x ← x - decrement, of the shape and dtype of `x`."""
    return _pair(x, _moved(x, subtract, decrement))


def moving_average_update(x: Any, value: Any, momentum: Any) -> Update:
    """x ← momentum·x + (1 - momentum)·value, of the shape and dtype of `x`."""
    if not isinstance(x, Variable):
        return _pair(x, value)
    return _pair(x, add(multiply(momentum, x), multiply(subtract(1, momentum), cast(value, x.dtype))))


def _moved(x: Any, op: Callable[..., Tensor], by: Any) -> Any:
    """The new value; of what is no variable none, as `_pair` will say."""
    return op(x, by) if isinstance(x, Variable) else by


def _pair(x: Any, value: Any) -> Update:
    pair = read_item((x, value), 0)
    assert isinstance(pair, Update)
    return Update(pair.variable, sequenced(pair.value, pair.variable))
