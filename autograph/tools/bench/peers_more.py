"""PyTorch for `bench steps`."""

from typing import Any

from .problems import BETA_1, BETA_2, DISCOUNT, EPSILON, RATE, ROTATION, TAU, ActorCritic, ImageNetwork, Layers, RowFunction, Step


def actor_critic(problem: ActorCritic) -> Step:
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


def images(problem: ImageNetwork) -> Step:
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


def along_rows(problem: RowFunction) -> Step:
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
