"""JAX and PyTorch for `bench steps`."""

from typing import Any

from .problems import BETA_1, BETA_2, DISCOUNT, EPSILON, RATE, ROTATION, TAU, ActorCritic, ImageNetwork, Layers, RowFunction, Step


def _trained(train: Any, parameters: Any, state: Any, batches: Any) -> Step:
    """The step of JAX that `train(parameters, state, batch)` → (loss, parameters, state) makes; what it is given is donated."""
    import jax

    compiled, given = jax.jit(train, donate_argnums=(0, 1)), jax.device_put(batches)

    def step(i: int) -> float:
        nonlocal parameters, state
        loss, parameters, state = compiled(parameters, state, given[i % ROTATION])
        return float(loss)

    return step


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

    nets: Any = jax.tree.map(jnp.array, (problem.actor, problem.critic) * 2)
    return _trained(train, nets, tuple(map(adam.init, nets[:2])), problem.batches)


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


def images_jax(problem: ImageNetwork) -> Step:
    """Channels last, everything under one jit, the state donated."""
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    adam = optax.adam(RATE, b1=BETA_1, b2=BETA_2, eps=EPSILON)

    def loss_of(parameters: Any, h: Any, targets: Any) -> Any:
        kernels, (w, b) = parameters
        for kernel, bias in kernels:
            seen = jax.lax.conv_general_dilated(h, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            places = (1, 2, 2, 1)
            h = jax.lax.reduce_window(jax.nn.relu(seen + bias), -jnp.inf, jax.lax.max, places, places, "VALID")
        scores = h.reshape(len(h), -1) @ w + b
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(scores), axis=1))

    def train(parameters: Any, state: Any, batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        changes, state = adam.update(gradients, state)
        return loss, optax.apply_updates(parameters, changes), state

    parameters: Any = jax.tree.map(jnp.array, (problem.kernels, problem.layer))
    return _trained(train, parameters, adam.init(parameters), problem.batches)


def images_torch(problem: ImageNetwork) -> Step:
    """Eager, with fused Adam; channels first, as its modules have them, so that the layer's rows are in another order."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    modules: list[torch.nn.Module] = []
    for kernel, bias in problem.kernels:
        one = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
        with torch.no_grad():
            one.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1)))
            one.bias.copy_(torch.tensor(bias))
        modules += [one, torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    w, b = problem.layer
    last = torch.nn.Linear(*w.shape)
    with torch.no_grad():
        last.weight.copy_(torch.tensor(w.reshape(7, 7, 32, -1).transpose(3, 2, 0, 1).reshape(w.shape[::-1])))
        last.bias.copy_(torch.tensor(b))
    model = torch.nn.Sequential(*modules, torch.nn.Flatten(), last)
    adam = torch.optim.Adam(model.parameters(), RATE, (BETA_1, BETA_2), EPSILON, fused=True)
    batches = [(torch.tensor(x.transpose(0, 3, 1, 2).copy()), torch.tensor(t)) for x, t in problem.batches]

    def step(i: int) -> float:
        x, targets = batches[i % ROTATION]
        adam.zero_grad()
        loss = cross_entropy(model(x), targets)
        loss.backward()
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
