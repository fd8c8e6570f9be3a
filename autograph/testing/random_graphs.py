"""Whole random graphs, valid by construction: inputs, outputs, updates, and feeds to run them with."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograph.graph.graph import ancestors
from autograph.graph.show import listing
from autograph.graph.tensor import Placeholder, Tensor, Variable, placeholder, variable
from autograph.graph.updates import Update, Updates
from autograph.ops.elementwise import cast
from autograph.testing.growth import OPS, Growth

__all__ = ["RandomGraph", "graphs"]

FEATURES = ("shared", "swap", "late one")


@dataclass(frozen=True)
class RandomGraph:
    """A graph that runs.

    inputs, outputs   placeholders and tensors; the last output is a number that depends on every float in the graph
    updates           of some of `variables`
    shapes            what each input is fed with; its type may know less
    features          which of "shared" (a subexpression twice), "swap" (two registers exchange values), "late one"
                      (an axis of unknown size that is 1 when it is fed, and broadcasts) the graph surely has
    """

    inputs: list[Placeholder]
    outputs: list[Tensor]
    updates: Updates
    variables: list[Variable]
    shapes: list[tuple[int, ...]]
    features: frozenset[str] = field(default_factory=frozenset)

    @property
    def loss(self) -> Tensor:
        """The number that depends on every float in the graph."""
        return self.outputs[-1]

    def feeds(self, seed: int) -> list[np.ndarray]:
        """Values for the inputs, in [-2, 2]: others for another seed."""
        return [values_for(x, shape, [seed, i]) for i, (x, shape) in enumerate(zip(self.inputs, self.shapes, strict=True))]

    @property
    def size(self) -> int:
        """How many ops it has."""
        return sum(bool(t.inputs) for t in ancestors([*self.outputs, *(u.value for u in self.updates)]))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print the fields of a dataclass

    def __repr__(self) -> str:
        roots = [*self.outputs, *(u.value for u in self.updates)]
        return f"RandomGraph of {self.size} ops, {', '.join(sorted(self.features)) or 'plain'}\n{listing(roots)}"


def values_for(leaf: Tensor, shape: tuple[int, ...], seed: Any) -> np.ndarray:
    """Random values of the dtype of a tensor: floats in [-2, 2], whole numbers below 4."""
    rng = np.random.default_rng(seed)
    match leaf.dtype.kind:
        case "b":
            return rng.integers(0, 2, shape).astype(bool)
        case "f":
            return np.asarray(rng.uniform(-2, 2, shape)).astype(leaf.dtype)
        case _:
            return rng.integers(0, 4, shape).astype(leaf.dtype)


@st.composite
def graphs(
    draw: st.DrawFn,
    nodes: tuple[int, int] = (5, 200),
    inputs: int = 4,
    registers: tuple[int, int] = (0, 4),
    dtypes: tuple[str, ...] = ("float32", "float64"),
) -> RandomGraph:
    """Graphs of `nodes` ops (about), up to `inputs` inputs, and variables as many as `registers` allows.

    Elementwise functions, reductions, movement, indexing, products, choices, casts and random numbers over `dtypes`,
    with sizes unknown here and there. Every value is finite for every feed in [-2, 2], tick after tick. Of the three
    features each is in about half of the graphs. A graph shrinks by losing moves, so a failing one comes out small.
    """
    seeds = st.integers(0, 2**32 - 1)
    rng = random.Random(draw(seeds))
    features = {name for name in FEATURES if draw(st.booleans())}
    if inputs < 2:
        features -= {"late one"}
    if registers[1] < 2:
        features -= {"swap"}
    grow = Growth()
    leaves, shapes = _inputs(grow, rng, draw(st.integers(1 if inputs else 0, inputs)), dtypes, "late one" in features)
    count = draw(st.integers(max(registers[0], 2 if "swap" in features else 0), registers[1]))
    variables = _variables(grow, rng, count, dtypes, "swap" in features)
    if not any(t.type.is_float for t in grow.pool):
        variables.append(_variable(grow, rng, dtypes[0], (2, 3)))
    least, most = max(1, nodes[0] // 2), max(2, int(nodes[1] / 2.9))
    count = draw(st.one_of(st.integers(least, min(most, 8 + least)), st.integers(least, most)))
    moves = draw(st.lists(seeds, min_size=count, max_size=count))
    for seed in moves:
        grow.grow(seed)
    if "shared" in features:
        _share(grow, rng)
    updates = _updates(grow, rng, variables, "swap" in features)
    outputs = _outputs(grow, rng)
    return RandomGraph(leaves, outputs, updates, variables, shapes, frozenset(features))


# leaves --------------------------------------------------------------------------------------------------------------


def _inputs(
    grow: Growth, rng: random.Random, count: int, dtypes: tuple[str, ...], late: bool
) -> tuple[list[Placeholder], list[tuple[int, ...]]]:
    """Placeholders over a few sizes, so that shapes often fit; some sizes stay unknown."""
    sizes = rng.sample((1, 2, 3, 4, 5), 3)
    leaves: list[Placeholder] = []
    for i in range(count):
        shape = tuple(rng.choice(sizes) for _ in range(rng.choice((0, 1, 2, 2, 3))))
        dtype = rng.choice((*dtypes, *dtypes, *dtypes, "int32", "bool"))
        known = [None if rng.random() < 0.4 else size for size in shape]
        leaf = placeholder(known, dtype=dtype, name=f"x{i}")
        grow.plant(leaf, values_for(leaf, shape, i), 4.0)
        leaves.append(leaf)
    if late:
        row, column = rng.choice((2, 3, 4)), rng.choice((2, 3))
        wide = placeholder((None, column), dtype=dtypes[0], name=f"x{count}")
        flat = placeholder((None, column), dtype=dtypes[0], name=f"x{count + 1}")
        leaves += [wide, flat]
        grow.plant(wide, values_for(wide, (row, column), 0), 2.0)
        grow.plant(flat, values_for(flat, (1, column), 0), 2.0)
        grow.keep(rng.choice((lambda: wide * flat, lambda: flat - wide))(), 4.0)
    return leaves, [grow.shapes[leaf] for leaf in leaves]


def _variables(grow: Growth, rng: random.Random, count: int, dtypes: tuple[str, ...], swap: bool) -> list[Variable]:
    made: list[Variable] = []
    for i in range(count):
        if i and (rng.random() < 0.5 or (swap and i == 1)):
            made.append(_variable(grow, rng, made[0].dtype.name, made[0].register.read().shape))
        else:
            made.append(_variable(grow, rng, rng.choice(dtypes), tuple(rng.choice((1, 2, 3)) for _ in range(rng.randint(0, 2)))))
    return made


def _variable(grow: Growth, rng: random.Random, dtype: str, shape: tuple[int, ...]) -> Variable:
    value = np.random.default_rng(rng.randrange(2**32)).uniform(-1, 1, shape)
    made = variable(value, dtype=dtype, name=f"w{sum(isinstance(t, Variable) for t in grow.pool)}")
    grow.plant(made, made.get_value(), 2.0)
    return made


# roots ---------------------------------------------------------------------------------------------------------------


def _share(grow: Growth, rng: random.Random) -> None:
    """One expression read by two others, and built a second time."""
    x = rng.choice([t for t in grow.pool if t.type.is_float])
    shared, again = OPS["sin"](x), OPS["sin"](x)
    grow.keep(shared * shared + OPS["cos"](again), 2.0)


def _updates(grow: Growth, rng: random.Random, variables: list[Variable], swap: bool) -> Updates:
    """New values of magnitude up to 2: an exchange first, then a moving average, a function of the graph, or none."""
    found = Updates()
    rest = list(variables)
    if swap:
        a, b = rest[:2]
        found += [Update(a, b), Update(b, a)]
        rest = rest[2:]
    for register in rest:
        shape = grow.shapes[register]
        same = [t for t in grow.pool if grow.shapes[t] == shape and t.dtype is register.dtype and t.shape == register.shape]
        match rng.randrange(4):
            case 0:
                continue
            case 1:
                found += [Update(register, OPS["tanh"](rng.choice(same)))]
            case 2:
                found += [Update(register, 0.5 * register + 0.5 * OPS["sin"](rng.choice(same)))]
            case _:
                part = OPS["tanh"](OPS["reduce_sum"](grow.rng.choice([t for t in grow.pool if t.type.is_float])))
                found += [Update(register, 0.5 * register + cast(part, register.dtype))]
    return found


def _outputs(grow: Growth, rng: random.Random) -> list[Tensor]:
    """One to three tensors of the pool, and a number that every float of the pool flows into."""
    loose: list[Tensor] = []
    reached: set[Tensor] = set()
    for t in reversed(grow.pool):
        if t.type.is_float and t not in reached:
            loose.append(t)
            reached.update(ancestors([t]))
    terms = [cast(OPS["reduce_sum"](OPS["tanh"](t)), "float64") for t in loose]
    shown = rng.sample(grow.pool, min(len(grow.pool), rng.randint(1, 3)))
    return [*shown, reduce(lambda a, b: a + b, terms)]
