"""Losses with L-BFGS at work on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograph as ag
import optimizers as o
from tests.optimizers.valleys import Array, Valley


def minimising(loss: Callable[[Any], Any], start: Any, dtype: str = "float64", **kwargs: Any) -> tuple[Any, Any, o.LBFGS]:
    """A function whose tick is a step and gives the loss before it; the parameter; the optimizer."""
    w = ag.variable(start, dtype, name="w")
    optimizer = o.LBFGS(**kwargs)
    expression = loss(w)
    return ag.function([], expression, optimizer.get_updates(expression, [w])), w, optimizer


def over(valley: Valley) -> Callable[[Any], Any]:
    return lambda w: valley.loss(w[0], w[1])


def chained(w: Any) -> Any:
    """Rosenbrock's of any number of unknowns."""
    return ag.reduce_sum(100 * ag.square(w[1:] - ag.square(w[:-1])) + ag.square(1 - w[:-1]))


def pairs_of(optimizer: o.LBFGS) -> list[tuple[Array, Array]]:
    state = optimizer.state()
    kept = state["LBFGS/rho"] > 0
    return [(s.ravel(), y.ravel()) for s, y in zip(state["s/w"][kept], state["y/w"][kept], strict=True)]


def counted(calls: list[int]) -> Any:
    """What it gets, counted."""

    def passed(a: Array) -> Array:
        calls.append(1)
        return a.copy()

    return ag.custom_op("passed", passed, vjp=lambda g, y, x: (g,))
