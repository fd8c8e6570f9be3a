"""What our functions cost beyond their arithmetic: to call, to build, to import."""

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from autograph import backend as K
from autograph.graph.tensor import Tensor

from . import ours
from .problems import network
from .timing import race

GRAPH_SIZES = (1_000, 10_000, 100_000)


class Cost(NamedTuple):
    """A line of the table: what, how much, its unit."""

    what: str
    amount: float
    unit: str


def all_costs(rounds: int, seconds: float) -> list[Cost]:
    """Every cost that is measured within this process."""
    build = median(_seconds(lambda: ours.mlp(network("4-64-64-2"))(0)) for _ in range(rounds))
    per_op = [_graph_seconds(size) / size for size in GRAPH_SIZES]
    return [
        Cost("a call with two feeds, beyond the op", call_overhead(rounds, seconds) * 1e6, "µs"),
        Cost("graph, gradients, updates, function and first call, 4-64-64-2", build * 1e3, "ms"),
        *(Cost(f"an op of a graph of {n:,}", cost * 1e6, "µs") for n, cost in zip(GRAPH_SIZES, per_op, strict=True)),
        Cost(f"an op at {GRAPH_SIZES[-1]:,} over one at {GRAPH_SIZES[0]:,} (1: linear)", per_op[-1] / per_op[0], "×"),
    ]


def call_overhead(rounds: int, seconds: float) -> float:
    """Seconds that `f([a, b])` takes beyond NumPy's `a + b` into a new array, four numbers each."""
    x, y = K.placeholder((4,)), K.placeholder((4,))
    f = K.function([x, y], [x + y], executor="numpy")
    a, b = np.ones((2, 4), np.float32)
    times = race({"call": lambda i: f([a, b]), "op": lambda i: np.add(a, b)}, rounds, seconds)
    return median(times["call"]) - median(times["op"])


def _graph_seconds(size: int) -> float:
    """Seconds to make a graph of `size` ops, the best of three; the collector runs, but not over what was there."""
    gc.collect()
    gc.freeze()
    try:
        return min(_seconds(lambda: _chain(size)) for _ in range(3))
    finally:
        gc.unfreeze()


def _chain(size: int) -> object:
    x = K.placeholder((None, 8))
    y: Tensor = x
    for _ in range(size // 2):
        y = K.tanh(y) + x
    return y


def _seconds(work: Callable[[], object]) -> float:
    before = perf_counter()
    result = work()
    taken = perf_counter() - before
    del result  # not before: to free it is not part of the work
    return taken
