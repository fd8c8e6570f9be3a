"""Ours for `bench recurrent`, as a user writes it."""

from typing import Any

from autograph import backend as K
from autograph.graph.tensor import Tensor

from .problems import ROTATION, Recurrent, Step


def lstm(problem: Recurrent, executor: str = "numpy") -> Step:
    """The products with the inputs of all steps at once, and the steps by `K.rnn`."""
    w, u, b = map(K.variable, (problem.w, problem.u, problem.b))
    x, goal = (K.placeholder(a.shape) for a in problem.batches[0])
    units = problem.u.shape[0]

    def step(entry: Tensor, states: list[Any]) -> tuple[Tensor, list[Tensor]]:
        z = entry + K.dot(states[0], u)
        i, f, g, o = (z[:, k * units : (k + 1) * units] for k in range(4))
        c = K.sigmoid(f) * states[1] + K.sigmoid(i) * K.tanh(g)
        h = K.sigmoid(o) * K.tanh(c)
        return h, [h, c]

    zeros = K.zeros_like(goal)
    last, _, _ = K.rnn(step, K.dot(x, w) + b, [zeros, zeros])
    loss = K.mean(K.square(last - goal))
    f = K.function([x, goal], [loss, *K.gradients(loss, [w, u, b])], executor=executor)

    def run(i: int) -> float:
        value, _, of_u, _ = f(list(problem.batches[i % ROTATION]))
        return float(value + of_u[i % units, i % units])

    return run


def lstm_native(problem: Recurrent) -> Step:
    """The same as machine code."""
    return lstm(problem, "native")
