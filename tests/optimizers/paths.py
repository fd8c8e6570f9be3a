"""Paths that optimizers take, through `autograph.function`."""

from __future__ import annotations

from typing import Any

import numpy as np

import optimizers
from autograph import (
    function,
    placeholder,
    variable,
)
from optimizers import (
    ASGD,
    LAMB,
    LARS,
    AdaBelief,
    Adafactor,
    AdamW,
    Adan,
    Lion,
    Muon,
    NAdamW,
    NovoGrad,
    Optimizer,
    RAdam,
)
from tests.optimizers.references import Array, gradients_of, start

Make = type[Optimizer]


def path(optimizer: Optimizer, dtype: str = "float64") -> list[Array]:
    """Where the parameters are after 100 steps with given gradients."""
    params = [variable(a, dtype, name) for a, name in zip(start(), "wb", strict=True)]
    feeds = [placeholder(p.shape, dtype=dtype) for p in params]
    step = function(feeds, updates=optimizer.get_updates(feeds, params))
    for found in gradients_of(dtype):
        step(*found)
    return [p.get_value() for p in params]


def apart(found: list[Array], wanted: list[Array]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))


ALL: list[Make] = [rule for rule in vars(optimizers).values() if isinstance(rule, type) and issubclass(rule, Optimizer)]
ALL = [rule for rule in dict.fromkeys(ALL) if rule is not Optimizer]


def bare(rule: Make, **kwargs: Any) -> Optimizer:
    """The rule without decay of weights."""
    own = {LAMB, LARS, NovoGrad, Muon, Adafactor, AdamW, NAdamW, RAdam, AdaBelief, Adan, Lion}
    return rule(**({"weight_decay": 0.0} if rule in own else {"lambd": 0.0} if rule is ASGD else {}), **kwargs)


def after(optimizer: Optimizer, values: list[Any], *gradients: list[Any]) -> list[Array]:
    """The parameters, `values` at first, after a step with each of the lists of gradients."""
    params = [variable(value, np.asarray(value).dtype, f"w{i}") for i, value in enumerate(values)]
    feeds = [placeholder(p.shape, dtype=p.dtype) for p in params]
    step = function(feeds, updates=optimizer.get_updates(feeds, params))
    for found in gradients:
        step(*found)
    return [p.get_value() for p in params]
