"""Ours, as a user writes it: the Keras backend vocabulary, an optimizer, one function."""

import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np

import optimizers
from autograph import backend as K
from autograph.graph.tensor import Tensor, Variable
from optimizers import SGD, Adam

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, ManyParameters, Network, Step, Stepper, Steps


def mlp(network: Network, executor: str = "numpy") -> Step:
    """The training step."""
    x, targets = K.placeholder((None, network.sizes[0])), K.placeholder((None, network.sizes[-1]))
    layers = [(K.variable(w), K.variable(b)) for w, b in network.layers]
    h: Tensor = x
    for w, b in layers[:-1]:
        h = K.tanh(K.dot(h, w) + b)
    w, b = layers[-1]
    loss = K.mean(K.categorical_crossentropy(targets, K.dot(h, w) + b, from_logits=True))
    optimizer = _adam() if network.rule == "Adam" else SGD(lr=RATE)
    updates = optimizer.get_updates(loss, [p for layer in layers for p in layer])
    train = K.function([x, targets], [loss], updates=updates, executor=executor)
    batches = [list(batch) for batch in network.batches]

    def step(i: int) -> float:
        return train(batches[i % ROTATION])[0]

    return step


def mlp_native(network: Network) -> Step:
    """The same as machine code."""
    return mlp(network, "native")


def updates(problem: ManyParameters, executor: str = "numpy") -> Step:
    """Adam on parameters whose gradients are rows of one fed array: the loss is linear, so they *are* its gradients."""
    parameters = [K.variable(row) for row in problem.parameters]
    fed = K.placeholder(problem.parameters.shape)
    loss = sum(K.sum(p * fed[i]) for i, p in enumerate(parameters))
    adam = _adam().get_updates(loss, parameters)
    train = K.function([fed], [parameters[-1][-1]], updates=adam, executor=executor)
    feeds = [[rows] for rows in problem.gradients]
    return lambda i: train(feeds[i % ROTATION])[0]


def updates_native(problem: ManyParameters) -> Step:
    """The same as machine code."""
    return updates(problem, "native")


def updates_separate(problem: ManyParameters) -> Step:
    """The same with one feed for each gradient."""
    parameters = [K.variable(row) for row in problem.parameters]
    fed = [K.placeholder(row.shape) for row in problem.parameters]
    loss = sum(K.sum(p * g) for p, g in zip(parameters, fed, strict=True))
    train = K.function(fed, [parameters[-1][-1]], updates=_adam().get_updates(loss, parameters), executor="numpy")
    feeds = [list(rows) for rows in problem.gradients]
    return lambda i: train(feeds[i % ROTATION])[0]


def rule(problem: Steps, executor: str = "numpy") -> Stepper:
    """The rule, with one feed for each gradient."""
    name, keywords, _ = problem.rule.ours
    parameters = [K.variable(p) for p in problem.parameters]
    fed = [K.placeholder(p.shape) for p in problem.parameters]
    train = K.function(fed, [], updates=getattr(optimizers, name)(**keywords).get_updates(fed, parameters), executor=executor)
    batches = [list(gradients) for gradients in problem.batches]
    registers: list[Variable] = train.compiled.registers
    start = [register.get_value() for register in registers]
    scratch = _scratch(lambda: train(batches[0]), registers)
    for register, value in zip(registers, start, strict=True):
        register.set_value(value)
    return Stepper(lambda i: train(batches[i % len(batches)]), lambda: [p.get_value() for p in parameters], scratch / 1e6)


def rule_native(problem: Steps) -> Stepper:
    """The same as machine code."""
    return rule(problem, "native")._replace(scratch_mb=None)


def _scratch(step: Callable[[], object], registers: Sequence[Variable]) -> int:
    """Bytes that a function takes at its first step and keeps, and what another step takes on the way.

    Registers that move side by side at the first step take no more room than before.
    """
    homes = [r.register.home for r in registers]
    tracemalloc.start()
    try:
        step()
        moved = sum(old.nbytes for old, r in zip(homes, registers, strict=True) if r.register.home is not old)
        domain = np.lib.tracemalloc_domain
        kept = sum(trace.size for trace in tracemalloc.take_snapshot().traces if trace.domain == domain)
        tracemalloc.reset_peak()
        resting, _ = tracemalloc.get_traced_memory()
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept - moved + peak - resting


def _adam() -> Adam:
    return Adam(lr=RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
