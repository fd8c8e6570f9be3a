"""NumPy as a careful programmer writes it: backpropagation by hand, buffers made once, in-place Adam."""

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, Array, ManyParameters, Network, Step


def mlp(network: Network) -> Step:
    """The training step with an Adam for each parameter."""
    kernels, biases = ([array.copy() for array in arrays] for arrays in zip(*network.layers, strict=True))
    kernel_gradients, bias_gradients = [np.empty_like(w) for w in kernels], [np.empty_like(b) for b in biases]
    outputs = [np.empty((network.batch, size), np.float32) for size in network.sizes[1:]]
    deltas, scratch = [np.empty_like(a) for a in outputs], [np.empty_like(a) for a in outputs]
    update = adam(kernels + biases) if network.rule == "Adam" else sgd(kernels + biases)
    gradients = kernel_gradients + bias_gradients
    batches, last = network.batches, len(kernels) - 1

    def forward(x: Array) -> None:
        for k, (w, b, out) in enumerate(zip(kernels, biases, outputs, strict=True)):
            np.matmul(x, w, out=out)
            out += b
            x = np.tanh(out, out=out) if k < last else out

    def softmax_loss(targets: Array) -> float:
        """The loss; the gradient with respect to the logits goes to the last delta."""
        logits, p = outputs[last], deltas[last]
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=p)
        totals = p.sum(axis=1, keepdims=True)
        p /= totals
        p -= targets
        p /= network.batch
        return float(np.log(totals).sum() - np.vdot(targets, logits)) / network.batch

    def backward(x: Array) -> None:
        for k in range(last, -1, -1):
            before, delta = (outputs[k - 1] if k else x), deltas[k]
            np.matmul(before.T, delta, out=kernel_gradients[k])
            delta.sum(axis=0, out=bias_gradients[k])
            if k:
                np.matmul(delta, kernels[k].T, out=deltas[k - 1])
                slope = np.multiply(before, before, out=scratch[k - 1])
                np.subtract(1, slope, out=slope)
                deltas[k - 1] *= slope

    def step(i: int) -> float:
        x, targets = batches[i % ROTATION]
        forward(x)
        loss = softmax_loss(targets)
        backward(x)
        update(gradients)
        return loss

    return step


def products(network: Network) -> Step:
    """The matrix products of the step and nothing else: no implementation on the same BLAS can be faster."""
    kernels = [w for w, _ in network.layers]
    outputs = [np.zeros((network.batch, size), np.float32) for size in network.sizes[1:]]
    deltas = [np.zeros_like(a) for a in outputs]
    gradients = [np.empty_like(w) for w in kernels]
    backwards = range(len(kernels) - 1, -1, -1)
    batches = network.batches

    def step(i: int) -> float:
        x = batches[i % ROTATION][0]
        before = x
        for w, out in zip(kernels, outputs, strict=True):
            before = np.matmul(before, w, out=out)
        for k in backwards:
            np.matmul((outputs[k - 1] if k else x).T, deltas[k], out=gradients[k])
            if k:
                np.matmul(deltas[k], kernels[k].T, out=deltas[k - 1])
        return 0.0

    return step


def updates_each(problem: ManyParameters) -> Step:
    """An Adam for each parameter."""
    parameters = list(problem.parameters.copy())
    return _updates(parameters, [list(rows) for rows in problem.gradients], parameters[-1])


def updates_flat(problem: ManyParameters) -> Step:
    """One Adam: the parameters are rows of one array, as a programmer does who knows that calls are what costs."""
    parameters = problem.parameters.copy()
    return _updates([parameters], [[rows] for rows in problem.gradients], parameters[-1])


def _updates(parameters: list[Array], gradients: list[list[Array]], shown: Array) -> Step:
    update = adam(parameters)

    def step(i: int) -> float:
        before = float(shown[-1])
        update(gradients[i % ROTATION])
        return before

    return step


def sgd(parameters: Sequence[Array]) -> Callable[[Sequence[Array]], None]:
    """SGD in place; call it with the gradients, which it scales."""

    def update(gradients: Sequence[Array]) -> None:
        for p, g in zip(parameters, gradients, strict=True):
            p -= np.multiply(g, np.float32(RATE), out=g)

    return update


def adam(parameters: Sequence[Array]) -> Callable[[Sequence[Array]], None]:
    """Adam in place; call it with the gradients."""
    slots = [(p, np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in parameters]
    t = 0

    def update(gradients: Sequence[Array]) -> None:
        nonlocal t
        t += 1
        rate = RATE * sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        for (p, m, v, s), g in zip(slots, gradients, strict=True):
            m *= BETA_1
            m += np.multiply(g, 1 - BETA_1, out=s)
            v *= BETA_2
            np.multiply(g, g, out=s)
            s *= 1 - BETA_2
            v += s
            np.sqrt(v, out=s)
            s += EPSILON
            np.divide(m, s, out=s)
            s *= rate
            p -= s

    return update
