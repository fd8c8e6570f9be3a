"""Steps of a large table of which few rows are read: what the rows cost, and what the table would."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np

from autograph import backend as K
from optimizers import SGD, Adagrad, Optimizer, SparseAdam

from .contest import CHECKED_STEPS, check_agreement
from .problems import RATE, ROTATION, Array, Step
from .report import number, table
from .timing import collector_off, race, time_steps

RULES: dict[str, type[Optimizer]] = {"SGD": SGD, "Adagrad": Adagrad, "SparseAdam": SparseAdam}
EPSILON = 1e-8  # of all but SGD
DENSE_STEPS = 3


@dataclass(frozen=True)
class Embedding:
    """One step: rows of the table at given places, the squares of their distances from targets, a rule; it returns the
    loss. `batches` holds pairs of places and targets."""

    table: Array
    batches: tuple[tuple[Array, Array], ...]


def embedding(size: int, width: int, rows: int) -> Embedding:
    """A table of `size` rows, and batches of `rows` of them."""
    rng = np.random.default_rng(3)
    batches = [(rng.integers(0, size, rows), rng.standard_normal((rows, width), np.float32)) for _ in range(ROTATION)]
    return Embedding(rng.standard_normal((size, width), np.float32), tuple(batches))


def ours(problem: Embedding, rule: type[Optimizer]) -> Step:
    """Ours, as a user writes it."""
    weights = K.variable(problem.table)
    places, targets = K.placeholder((None,), dtype="int64"), K.placeholder((None, problem.table.shape[1]))
    loss = K.sum(K.square(K.gather(weights, places) - targets))
    optimizer = rule(lr=RATE) if issubclass(rule, SGD) else rule(lr=RATE, epsilon=EPSILON)
    train = K.function([places, targets], [loss], updates=optimizer.get_updates(loss, [weights]), executor="numpy")
    return lambda i: train(problem.batches[i % ROTATION])[0]


def torch_sparse(problem: Embedding, rule: str) -> Step:
    """PyTorch's, whose `Embedding(sparse=True)` has sparse gradients."""
    import torch

    warnings.filterwarnings("ignore", "Sparse invariant checks")  # that they are off, as they are by default
    torch.set_num_threads(1)
    weights = torch.nn.Embedding(*problem.table.shape, sparse=True, _weight=torch.tensor(problem.table))
    options = {} if rule == "SGD" else {"eps": EPSILON}
    optimizer = getattr(torch.optim, rule)(weights.parameters(), lr=RATE, **options)
    batches = [(torch.from_numpy(places), torch.from_numpy(targets)) for places, targets in problem.batches]

    def step(i: int) -> float:
        places, targets = batches[i % ROTATION]
        loss = torch.square(weights(places) - targets).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def embedding_table(rounds: int, seconds: float, size: int = 1_000_000, width: int = 64, rows: int = 256) -> str:
    """Microseconds a step by rule: ours, PyTorch's where it is installed, and ours were it not lazy.

    Raises:
        Mismatch: they compute different losses.
    """
    problem = embedding(size, width, rows)
    cells = []
    for name, rule in RULES.items():
        steps = {"ours": ours(problem, rule)}
        if find_spec("torch"):
            steps["torch"] = torch_sparse(problem, name)
        check_agreement({who: [float(step(i)) for i in range(CHECKED_STEPS)] for who, step in steps.items()})
        taken = {who: median(times) * 1e6 for who, times in race(steps, rounds, seconds).items()}
        steps.clear()
        with collector_off():
            dense = ours(problem, type(name, (rule,), {"lazy": lambda self: False}))
            dense(0)
            taken["dense"] = time_steps(dense, 1, DENSE_STEPS) * 1e6
        cells.append([name, *(number(taken[who]) if who in taken else "–" for who in ("ours", "torch", "dense"))])
    columns = ("rule", "autograph µs", "torch, sparse µs", "autograph, not lazy µs")
    return f"### {rows} rows of a table of {size:,} × {width}\n\n{table(columns, cells)}\n"
