"""PyTensor: the same design as ours, a graph and `function(inputs, outputs, updates)`, compiled in its default mode.

It keeps compiled code on disk: where it has never built this graph before, the build takes many seconds more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, Network, Step

pytensor.config.floatX = "float32"


def mlp(network: Network) -> Step:
    """The training step; arguments are trusted, not checked, as PyTensor advises for loops."""
    x, targets = pt.fmatrix("x"), pt.fmatrix("targets")
    parameters = [(pytensor.shared(w), pytensor.shared(b)) for w, b in network.layers]
    h = x
    for w, b in parameters[:-1]:
        h = pt.tanh(pt.dot(h, w) + b)
    w, b = parameters[-1]
    loss = -pt.mean(pt.sum(targets * pt.special.log_softmax(pt.dot(h, w) + b, axis=1), axis=1))
    rule = _adam if network.rule == "Adam" else _sgd
    train = pytensor.function([x, targets], loss, updates=rule(loss, [p for layer in parameters for p in layer]))
    train.trust_input = True
    batches = network.batches

    def step(i: int) -> float:
        return float(train(*batches[i % ROTATION]))

    return step


def _sgd(loss: Any, parameters: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [(p, p - RATE * g) for p, g in zip(parameters, pytensor.grad(loss, list(parameters)), strict=True)]


def _adam(loss: Any, parameters: Sequence[Any]) -> list[tuple[Any, Any]]:
    t = pytensor.shared(np.float32(0))
    now = t + 1
    rate = RATE * pt.sqrt(1 - BETA_2**now) / (1 - BETA_1**now)
    updates = [(t, now)]
    for p, g in zip(parameters, pytensor.grad(loss, list(parameters)), strict=True):
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_m = BETA_1 * m + (1 - BETA_1) * g
        new_v = BETA_2 * v + (1 - BETA_2) * pt.sqr(g)
        updates += [(m, new_m), (v, new_v), (p, p - rate * new_m / (pt.sqrt(new_v) + EPSILON))]
    return updates
