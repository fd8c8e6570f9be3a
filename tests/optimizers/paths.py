"""Paths that optimizers take, through `autograph.function`."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import numpy as np

import optimizers as o
from autograph import Updates, function, placeholder, reduce_sum, square, stop_gradient, variable
from tests.optimizers.references import SHAPES, Array, curvature, gradients_of, start

Make = type[o.Optimizer]


def steps(optimizer: Any, feeds: list[Any], params: list[Any], bends: list[Any] | None = None) -> Updates:
    """The updates for these gradients; by a rule that needs a loss, for one of these gradients and a diagonal Hessian."""
    if not isinstance(optimizer, o.Sophia):
        return optimizer.get_updates(feeds, params)
    loss = sum(reduce_sum(g * p) for g, p in zip(feeds, params, strict=True))
    for h, p in zip(bends or [], params, strict=False):
        loss += reduce_sum(h * square(p - stop_gradient(p))) / 2
    return optimizer.get_updates(loss, params)


def path(optimizer: o.Optimizer, dtype: str = "float64", shapes: Any = SHAPES) -> list[Array]:
    """Where the parameters are after 100 steps with given gradients, and where a rule asks for them, curvatures."""
    params = [variable(a, dtype, name) for a, name in zip(start(shapes=shapes), "wb", strict=True)]
    feeds, bends = ([placeholder(p.shape, dtype=dtype) for p in params] for _ in range(2))
    step = function([*feeds, *bends], updates=steps(optimizer, feeds, params, bends), on_unused_input="ignore")
    for t, found in enumerate(gradients_of(dtype, shapes), 1):
        step(*found, *[curvature(p.shape, t).astype(dtype) for p in params])
    return [p.get_value() for p in params]


def apart(found: list[Array], wanted: list[Array]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))


EVERY: list[Make] = [rule for rule in vars(o).values() if isinstance(rule, type) and issubclass(rule, o.Optimizer)]
EVERY = [rule for rule in dict.fromkeys(EVERY) if rule is not o.Optimizer]
ALL = [rule for rule in EVERY if rule is not o.LBFGS]  # which searches: test_lbfgs.py


def bare(rule: Make, **kwargs: Any) -> o.Optimizer:
    """The rule without decay of weights."""
    own = signature(rule).parameters["weight_decay"].kind is Parameter.POSITIONAL_OR_KEYWORD
    return rule(**({"weight_decay": 0.0} if own else {"lambd": 0.0} if rule is o.ASGD else {}), **kwargs)


def after(optimizer: o.Optimizer, values: list[Any], *gradients: list[Any]) -> list[Array]:
    """The parameters, `values` at first, after a step with each of the lists of gradients."""
    params = [variable(value, np.asarray(value).dtype, f"w{i}") for i, value in enumerate(values)]
    feeds = [placeholder(p.shape, dtype=p.dtype) for p in params]
    step = function(feeds, updates=steps(optimizer, feeds, params))
    for found in gradients:
        step(*found)
    return [p.get_value() for p in params]
