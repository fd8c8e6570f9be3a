"""PyTorch for `bench keras`: the same networks and the same epoch, as a loop."""

from typing import Any

from .epochs import BATCH, Epoch
from .problems import BETA_1, BETA_2, EPSILON, RATE, Step


def epoch_torch(problem: Epoch) -> Step:
    """Eager, with the fused Adam."""
    import torch
    from torch.nn.functional import cross_entropy, max_pool2d

    torch.set_num_threads(1)
    weights = [torch.tensor(w) for w in problem.weights]
    last = torch.nn.Linear(*weights[-2].shape)

    def copied(module: Any, *arrays: Any) -> Any:
        with torch.no_grad():
            for parameter, array in zip(module.parameters(), arrays):
                parameter.copy_(array)
        return module

    if problem.kind == "CNN":
        shapes = [w.shape for w in weights[:4:2]]
        convs = torch.nn.ModuleList([torch.nn.Conv2d(s[2], s[3], 3, padding=1) for s in shapes])
        copied(convs, *[w.permute(3, 2, 0, 1) if w.ndim == 4 else w for w in weights[:4]])
        copied(last, weights[4].reshape(7, 7, 32, -1).permute(3, 2, 0, 1).reshape(weights[4].T.shape), weights[5])

        def features(x: Any) -> Any:
            for conv in convs:
                x = max_pool2d(torch.relu(conv(x)), 2)
            return x.flatten(1)

        first: Any = convs
    elif problem.kind == "LSTM":
        first = copied(torch.nn.LSTM(8, 32, batch_first=True), weights[0].T, weights[1].T, weights[2], 0 * weights[2])
        first.bias_hh_l0.requires_grad_(False)  # Keras has one bias
        copied(last, weights[3].T, weights[4])

        def features(x: Any) -> Any:
            return first(x)[0][:, -1]

    else:
        first = copied(torch.nn.Linear(64, 128), weights[0].T, weights[1])
        copied(last, weights[2].T, weights[3])

        def features(x: Any) -> Any:
            return torch.tanh(first(x))

    adam = torch.optim.Adam([*first.parameters(), *last.parameters()], RATE, (BETA_1, BETA_2), EPSILON, fused=True)
    samples = problem.x.transpose(0, 3, 1, 2).copy() if problem.x.ndim == 4 else problem.x
    x, targets = torch.tensor(samples), torch.tensor(problem.targets)
    pairs = list(zip(x.split(BATCH), targets.split(BATCH)))

    def step(_: int) -> float:
        total = 0.0
        for inputs, wanted in pairs:
            adam.zero_grad()
            loss = cross_entropy(last(features(inputs)), wanted)
            loss.backward()
            adam.step()
            total += loss.item()
        return total / len(pairs)

    return step
