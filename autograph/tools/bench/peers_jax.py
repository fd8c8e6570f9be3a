"""JAX: the whole step under one jit, the state donated, Adam from optax where it is installed."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, ManyParameters, Network, Step, Stepper, Steps

try:
    import optax
except ImportError:
    optax = None

# On one core a second thread can only wait for the first.
jax.config.update("jax_cpu_enable_async_dispatch", False)


def mlp(network: Network) -> Step:
    """The training step; the batches lie on the device already."""
    optimizer = adam() if network.rule == "Adam" else _Sgd()
    parameters = [tuple(map(jnp.array, layer)) for layer in network.layers]

    def loss_of(parameters: list[tuple[jax.Array, jax.Array]], x: jax.Array, targets: jax.Array) -> jax.Array:
        for w, b in parameters[:-1]:
            x = jnp.tanh(x @ w + b)
        w, b = parameters[-1]
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(x @ w + b), axis=1))

    def train(parameters: Any, state: Any, x: jax.Array, targets: jax.Array) -> tuple[jax.Array, Any, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, targets)
        changes, state = optimizer.update(gradients, state)
        return loss, jax.tree.map(jnp.add, parameters, changes), state

    return stepper(train, parameters, optimizer.init(parameters), jax.device_put(network.batches))


def updates(problem: ManyParameters) -> Step:
    """Adam on a list of parameters; the gradients are a list too, and lie on the device already."""
    optimizer, parameters = adam(), list(map(jnp.array, problem.parameters))
    fed = [(jax.device_put(list(gradients)),) for gradients in problem.gradients]

    def train(parameters: Any, state: Any, gradients: list[jax.Array]) -> tuple[jax.Array, Any, Any]:
        changes, state = optimizer.update(gradients, state)
        return parameters[-1][-1], jax.tree.map(jnp.add, parameters, changes), state

    return stepper(train, parameters, optimizer.init(parameters), fed)


def rule(problem: Steps) -> Stepper | None:
    """The rule from optax; None where it has no such rule."""
    if problem.rule.optax is None:
        return None
    name, keywords, _ = problem.rule.optax
    optimizer = reduce(getattr, name.split("."), optax)(**keywords)
    parameters = list(map(jnp.array, problem.parameters))
    state = optimizer.init(parameters)
    batches = [list(map(jnp.array, gradients)) for gradients in problem.batches]

    def train(parameters: Any, state: Any, gradients: list[jax.Array]) -> tuple[Any, Any]:
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state

    compiled = jax.jit(train, donate_argnums=(0, 1))

    def step(i: int) -> None:
        nonlocal parameters, state
        parameters, state = jax.block_until_ready(compiled(parameters, state, batches[i % len(batches)]))

    return Stepper(step, lambda: [np.asarray(p) for p in parameters])


def stepper(train: Any, parameters: Any, state: Any, batches: Sequence[tuple[Any, ...]]) -> Step:
    """The step that `train(parameters, state, *batch)` → (number, parameters, state) makes; what it is given is donated."""
    train = jax.jit(train, donate_argnums=(0, 1))

    def step(i: int) -> float:
        nonlocal parameters, state
        result, parameters, state = train(parameters, state, *batches[i % ROTATION])
        return float(result)

    return step


def adam() -> Any:
    """Adam with optax's two methods."""
    return optax.adam(RATE, b1=BETA_1, b2=BETA_2, eps=EPSILON) if optax else _Adam()


class _Sgd:
    """SGD with the two methods of optax's."""

    def init(self, parameters: Any) -> None:
        return None

    def update(self, gradients: Any, state: None) -> tuple[Any, None]:
        return jax.tree.map(lambda g: -RATE * g, gradients), state


class _AdamState(NamedTuple):
    t: jax.Array
    m: Any
    v: Any


class _Adam:
    """Adam with the two methods of optax's, for where it is not installed."""

    def init(self, parameters: Any) -> _AdamState:
        zeros, more_zeros = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
        return _AdamState(jnp.zeros((), jnp.int32), zeros, more_zeros)

    def update(self, gradients: Any, state: _AdamState) -> tuple[Any, _AdamState]:
        t = state.t + 1
        m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, state.m, gradients)
        v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, state.v, gradients)
        rate = RATE * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        return jax.tree.map(lambda m, v: -rate * m / (jnp.sqrt(v) + EPSILON), m, v), _AdamState(t, m, v)
