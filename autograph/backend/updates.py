"""Updates of variables: pairs (variable, new value) for `function`, which takes them all together at the end of a call."""

from __future__ import annotations

from typing import Any

from autograph.graph.tensor import Variable
from autograph.graph.update import read_item
from autograph.graph.updates import Update
from autograph.ops.elementwise import cast

__all__ = ["moving_average_update", "update", "update_add", "update_sub"]

# `K.eval` carries an update out at once.


def update(x: Variable, new_x: Any) -> Update:
    """x ← new_x, of the shape and dtype of `x`. Raises UpdateTypeError if `x` is no variable."""
    return _pair(x, new_x)


def update_add(x: Variable, increment: Any) -> Update:
    """x ← x + increment, of the shape and dtype of `x`."""
    return _pair(x, x + increment)


def update_sub(x: Variable, decrement: Any) -> Update:
    """x ← x - decrement, of the shape and dtype of `x`."""
    return _pair(x, x - decrement)


def moving_average_update(x: Variable, value: Any, momentum: Any) -> Update:
    """x ← momentum·x + (1 - momentum)·value, of the shape and dtype of `x`."""
    return _pair(x, momentum * x + (1 - momentum) * cast(value, x.dtype))


def _pair(x: Variable, value: Any) -> Update:
    pair = read_item((x, value), 0)
    assert isinstance(pair, Update)
    return pair
