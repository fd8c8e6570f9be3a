"""PyTorch, eager: the modules and optimizers that its tutorials use."""

from functools import partial
from inspect import signature

import torch
from torch.nn.functional import cross_entropy

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, Array, ManyParameters, Network, Step, Stepper, Steps

torch.set_num_threads(1)
_adam = partial(torch.optim.Adam, lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON)


def mlp(network: Network) -> Step:
    """The training step with `torch.optim.Adam`, or SGD, as it comes."""
    model = _model(network)
    return _mlp(network, model, _optimizer(network, model))


def mlp_fused(network: Network) -> Step:
    """The training step with `fused=True`."""
    model = _model(network)
    return _mlp(network, model, _optimizer(network, model, fused=True))


def mlp_compiled(network: Network) -> Step:
    """The same, with the network compiled by `torch.compile`."""
    model = _model(network)
    model.compile()
    return _mlp(network, model, _optimizer(network, model, fused=True))


def _optimizer(network: Network, model: torch.nn.Module, **form: bool) -> torch.optim.Optimizer:
    if network.rule == "Adam":
        return _adam(model.parameters(), **form)
    return torch.optim.SGD(model.parameters(), lr=RATE, **form)


def _model(network: Network) -> torch.nn.Sequential:
    modules: list[torch.nn.Module] = []
    for kernel, bias in network.layers:
        linear = torch.nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(kernel.T))
            linear.bias.copy_(torch.tensor(bias))
        modules += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


def _mlp(network: Network, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    batches = [(torch.from_numpy(x), torch.from_numpy(targets)) for x, targets in network.batches]

    def step(i: int) -> float:
        x, targets = batches[i % ROTATION]
        loss = cross_entropy(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def updates_loop(problem: ManyParameters) -> Step:
    """`Adam(foreach=False)`: a loop over the parameters, the default on a CPU."""
    parameters = _parameters(problem)
    return _updates(problem, parameters, _adam(parameters, foreach=False))


def updates_foreach(problem: ManyParameters) -> Step:
    """`Adam(foreach=True)`: a loop over the operations."""
    parameters = _parameters(problem)
    return _updates(problem, parameters, _adam(parameters, foreach=True))


def updates_fused(problem: ManyParameters) -> Step:
    """`Adam(fused=True)`: one kernel for each parameter."""
    parameters = _parameters(problem)
    return _updates(problem, parameters, _adam(parameters, fused=True))


def _parameters(problem: ManyParameters) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.tensor(row)) for row in problem.parameters]


def _updates(problem: ManyParameters, parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> Step:
    fed = [torch.from_numpy(rows) for rows in problem.gradients]
    gradients = torch.zeros_like(fed[0])  # each `.grad` is a row: one copy feeds all
    for p, row in zip(parameters, gradients, strict=True):
        p.grad = row
    shown = parameters[-1].detach()

    def step(i: int) -> float:
        before = shown[-1].item()
        gradients.copy_(fed[i % ROTATION])
        optimizer.step()
        return before

    return step


def rule_loop(problem: Steps) -> Stepper | None:
    """The rule with `foreach=False`; None where PyTorch has no such rule."""
    return _rule(problem, "foreach", False)


def rule_foreach(problem: Steps) -> Stepper | None:
    """The rule with `foreach=True`; None where PyTorch has no such rule, or not in this form."""
    return _rule(problem, "foreach", True)


def rule_fused(problem: Steps) -> Stepper | None:
    """The rule with `fused=True`; None where PyTorch has no such rule, or not in this form."""
    return _rule(problem, "fused", True)


def _rule(problem: Steps, form: str, value: bool) -> Stepper | None:
    if problem.rule.torch is None:
        return None
    optimizer_class = getattr(torch.optim, problem.rule.torch.name)
    forms = {form: value} if form in signature(optimizer_class).parameters else {}
    if value and not forms:
        return None
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in problem.parameters]
    optimizer = optimizer_class(parameters, **problem.rule.torch.keywords, **forms)
    batches = [[torch.tensor(g) for g in gradients] for gradients in problem.batches]  # some forms write into them

    def step(i: int) -> None:
        for p, g in zip(parameters, batches[i % len(batches)], strict=True):
            p.grad = g
        optimizer.step()

    def values() -> list[Array]:
        return [p.detach().numpy() for p in parameters]

    return Stepper(step, values)
