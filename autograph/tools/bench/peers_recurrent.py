"""JAX and PyTorch for `bench recurrent`."""

from typing import Any

from .problems import ROTATION, Recurrent, Step


def lstm_jax(problem: Recurrent) -> Step:
    """`lax.scan` and its gradient under one jit."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", False)

    def loss(weights: Any, x: Any, goal: Any) -> Any:
        w, u, b = weights

        def step(state: Any, entry: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(entry + h @ u, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros_like(goal)
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), jnp.swapaxes(x, 0, 1) @ w + b)
        return jnp.mean((h - goal) ** 2)

    compiled = jax.jit(jax.value_and_grad(loss))
    weights = jax.device_put((problem.w, problem.u, problem.b))
    batches = jax.device_put(problem.batches)
    units = problem.u.shape[0]

    def run(i: int) -> float:
        value, (_, of_u, _) = jax.block_until_ready(compiled(weights, *batches[i % ROTATION]))
        return float(value) + float(of_u[i % units, i % units])

    return run


def lstm_torch(problem: Recurrent) -> Step:
    """PyTorch's own layer."""
    import torch

    torch.set_num_threads(1)
    layer = torch.nn.LSTM(problem.w.shape[0], problem.u.shape[0], batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(problem.w.T))
        layer.weight_hh_l0.copy_(torch.tensor(problem.u.T))
        layer.bias_ih_l0.copy_(torch.tensor(problem.b))
        layer.bias_hh_l0.zero_()
    weights = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    batches = [[torch.from_numpy(a) for a in batch] for batch in problem.batches]
    units = problem.u.shape[0]

    def run(i: int) -> float:
        x, goal = batches[i % ROTATION]
        _, (h, _) = layer(x)
        loss = torch.nn.functional.mse_loss(h[0], goal)
        _, of_u, _ = torch.autograd.grad(loss, weights)
        return loss.item() + float(of_u[i % units, i % units])

    return run
