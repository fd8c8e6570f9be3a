"""A table of which few rows are read at each step: the problem that tests of row-sparse gradients share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograph import function, gather, matmul, placeholder, reduce_sum, square, variable
from optimizers import SGD, Adagrad, Optimizer, SparseAdam
from tests.optimizers.references import Array

ROWS, WIDTH, STEPS = 9, 4, 30
LAZY: list[Callable[..., Optimizer]] = [SGD, Adagrad, SparseAdam]
EXACT: list[Callable[..., Optimizer]] = [SGD, Adagrad]


def start(dtype: str = "float64") -> Array:
    return np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(dtype)


def batches(count: int = STEPS) -> Iterator[Array]:
    """Two by three indices: some twice, some negative, and one batch of none."""
    rng = np.random.default_rng(1)
    for t in range(count):
        yield rng.integers(-ROWS, ROWS, (0 if t == 5 else 2, 3))


class Problem:
    """A table with a loss over the rows that are fed, and a dense weight beside it."""

    def __init__(self, dtype: str = "float64", value: Any = None) -> None:
        self.p = variable(start(dtype) if value is None else value, dtype, "table")
        self.w = variable(np.eye(WIDTH), dtype, "w")
        self.i = placeholder((None, None), dtype="int64", name="i")
        self.loss = reduce_sum(square(matmul(gather(self.p, self.i), self.w) - 0.5))

    def step(self, optimizer: Any, **options: Any) -> Any:
        return function([self.i], self.loss, optimizer.get_updates(self.loss, [self.p, self.w]), **options)

    def path(self, optimizer: Any, **options: Any) -> list[Array]:
        step = self.step(optimizer, **options)
        for indices in batches():
            step(indices)
        return [self.p.get_value(), self.w.get_value()]


def densely(rule: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    """The same rule, never lazy."""
    return type(rule.__name__, (rule,), {"lazy": lambda self: False})  # type: ignore[attr-defined, no-any-return, return-value]


def is_lazy(optimizer: Any, problem: Problem | None = None) -> bool:
    one = problem or Problem()
    return any(u.value.op.name == "put_rows" for u in optimizer.get_updates(one.loss, [one.p, one.w]) if u.variable is one.p)
