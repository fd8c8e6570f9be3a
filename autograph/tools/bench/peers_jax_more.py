"""JAX for `bench steps`: everything under one jit, the state donated."""

from typing import Any

import jax
import jax.numpy as jnp

from .peers_jax import adam, stepper
from .problems import DISCOUNT, TAU, ActorCritic, ImageNetwork, RowFunction, Step


def actor_critic(problem: ActorCritic) -> Step:
    """Everything under one jit, the state donated."""
    optimizer = adam()

    def output(net: Any, h: Any) -> Any:
        for w, b in net[:-1]:
            h = jnp.tanh(h @ w + b)
        w, b = net[-1]
        return h @ w + b

    def value(net: Any, s: Any, a: Any) -> Any:
        return output(net, jnp.concatenate([s, a], 1))

    def critic_loss(critic: Any, nets: Any, batch: Any) -> Any:
        state, action, reward, following = batch
        _, _, late_actor, late_critic = nets
        goal = reward + DISCOUNT * value(late_critic, following, jnp.tanh(output(late_actor, following)))
        return jnp.mean((value(critic, state, action) - goal) ** 2)

    def actor_loss(actor: Any, critic: Any, batch: Any) -> Any:
        return -jnp.mean(value(critic, batch[0], jnp.tanh(output(actor, batch[0]))))

    def train(nets: Any, states: Any, *batch: Any) -> Any:
        actor, critic, late_actor, late_critic = nets
        loss, of_critic = jax.value_and_grad(critic_loss)(critic, nets, batch)
        of_actor = jax.grad(actor_loss)(actor, critic, batch)
        late = jax.tree.map(lambda a, b: (1 - TAU) * a + TAU * b, (late_actor, late_critic), (actor, critic))
        changed = [optimizer.update(g, s) for g, s in zip((of_actor, of_critic), states, strict=True)]
        new = [jax.tree.map(jnp.add, net, change) for net, (change, _) in zip((actor, critic), changed, strict=True)]
        return loss, (*new, *late), tuple(s for _, s in changed)

    nets: Any = jax.tree.map(jnp.array, (problem.actor, problem.critic) * 2)
    return stepper(train, nets, tuple(map(optimizer.init, nets[:2])), jax.device_put(problem.batches))


def images(problem: ImageNetwork) -> Step:
    """Channels last, everything under one jit, the state donated."""
    optimizer = adam()

    def loss_of(parameters: Any, h: Any, targets: Any) -> Any:
        kernels, (w, b) = parameters
        for kernel, bias in kernels:
            seen = jax.lax.conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            places = (1, 2, 2, 1)
            h = jax.lax.reduce_window(jax.nn.relu(seen + bias), -jnp.inf, jax.lax.max, places, places, "VALID")
        scores = h.reshape(len(h), -1) @ w + b
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(scores), axis=1))

    def train(parameters: Any, state: Any, *batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        changes, state = optimizer.update(gradients, state)
        return loss, jax.tree.map(jnp.add, parameters, changes), state

    parameters: Any = jax.tree.map(jnp.array, (problem.kernels, problem.layer))
    return stepper(train, parameters, optimizer.init(parameters), jax.device_put(problem.batches))


def along_rows(problem: RowFunction) -> Step:
    """The function and its product with a gradient under one jit."""

    def normalised(x: Any) -> Any:
        return (x - jnp.mean(x, -1, keepdims=True)) / jnp.sqrt(jnp.var(x, -1, keepdims=True) + 1e-5)

    function: Any = {
        "softmax": jax.nn.softmax,
        "layer normalisation": normalised,
        "log-sum-exp": lambda x: jax.nn.logsumexp(x, -1, keepdims=True),
    }[problem.name]

    def both(x: Any, given: Any) -> Any:
        y, pull = jax.vjp(function, x)
        return y, pull(given)[0]

    compiled, x, given = jax.jit(both), jnp.array(problem.x), jnp.array(problem.given)
    return lambda i: float(jax.block_until_ready(compiled(x, given))[1][i, i])
