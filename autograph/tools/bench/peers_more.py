"""JAX and PyTorch for `bench steps`."""

from typing import Any

from .problems import BETA_1, BETA_2, DISCOUNT, EPSILON, RATE, ROTATION, TAU, ActorCritic, Layers, RowFunction, Step


def actor_critic_jax(problem: ActorCritic) -> Step:
    """Everything under one jit, the state donated."""
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    adam = optax.adam(RATE, b1=BETA_1, b2=BETA_2, eps=EPSILON)

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

    def train(nets: Any, states: Any, batch: Any) -> Any:
        actor, critic, late_actor, late_critic = nets
        loss, of_critic = jax.value_and_grad(critic_loss)(critic, nets, batch)
        of_actor = jax.grad(actor_loss)(actor, critic, batch)
        late = jax.tree.map(lambda a, b: (1 - TAU) * a + TAU * b, (late_actor, late_critic), (actor, critic))
        changed = [adam.update(g, s) for g, s in zip((of_actor, of_critic), states, strict=True)]
        new = [optax.apply_updates(net, change) for net, (change, _) in zip((actor, critic), changed, strict=True)]
        return loss, (*new, *late), tuple(s for _, s in changed)

    compiled = jax.jit(train, donate_argnums=(0, 1))
    nets: Any = jax.tree.map(jnp.array, (problem.actor, problem.critic) * 2)
    states: Any = tuple(map(adam.init, nets[:2]))
    batches = jax.device_put(problem.batches)

    def step(i: int) -> float:
        nonlocal nets, states
        loss, nets, states = compiled(nets, states, batches[i % ROTATION])
        return float(loss)

    return step


def actor_critic_torch(problem: ActorCritic) -> Step:
    """Eager, with fused Adam; the gradient of the actor's loss is asked for its own parameters alone."""
    import torch

    torch.set_num_threads(1)

    def net(layers: Layers, ends: list[torch.nn.Module]) -> torch.nn.Sequential:
        modules: list[torch.nn.Module] = []
        for w, b in layers:
            linear = torch.nn.Linear(*w.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(w.T))
                linear.bias.copy_(torch.tensor(b))
            modules += [linear, torch.nn.Tanh()]
        return torch.nn.Sequential(*modules[:-1], *ends)

    actor, late_actor = (net(problem.actor, [torch.nn.Tanh()]) for _ in range(2))
    critic, late_critic = (net(problem.critic, []) for _ in range(2))
    late = [*late_actor.parameters(), *late_critic.parameters()]
    own = [*actor.parameters(), *critic.parameters()]
    adams = [torch.optim.Adam(n.parameters(), RATE, (BETA_1, BETA_2), EPSILON, fused=True) for n in (actor, critic)]
    batches = [[torch.from_numpy(x) for x in batch] for batch in problem.batches]

    def step(i: int) -> float:
        state, action, reward, following = batches[i % ROTATION]
        with torch.no_grad():
            goal = reward + DISCOUNT * late_critic(torch.cat([following, late_actor(following)], 1))
        loss = torch.nn.functional.mse_loss(critic(torch.cat([state, action], 1)), goal)
        actor_loss = -critic(torch.cat([state, actor(state)], 1)).mean()
        for some, parameters in ((actor_loss, actor), (loss, critic)):
            found = torch.autograd.grad(some, list(parameters.parameters()))
            for p, g in zip(parameters.parameters(), found, strict=True):
                p.grad = g
        with torch.no_grad():
            torch._foreach_lerp_(late, own, TAU)
        for adam in adams:
            adam.step()
        return loss.item()

    return step


def along_rows_jax(problem: RowFunction) -> Step:
    """The function and its product with a gradient under one jit."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", False)

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


def along_rows_torch(problem: RowFunction) -> Step:
    """PyTorch's own kernels, forward and backward."""
    import torch

    torch.set_num_threads(1)
    function: Any = {
        "softmax": lambda x: torch.softmax(x, -1),
        "layer normalisation": lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
        "log-sum-exp": lambda x: torch.logsumexp(x, -1, keepdim=True),
    }[problem.name]
    x, given = torch.tensor(problem.x, requires_grad=True), torch.tensor(problem.given)

    def step(i: int) -> float:
        return float(torch.autograd.grad(function(x), x, given)[0][i, i])

    return step
