"""Small random programs, valid by construction, and what a tick of them must do, computed op by op.

They have what compilers get wrong: shared subexpressions, registers that exchange values or read each other, new values
that are views, sizes that turn out to be 1 or 0 only at run time, several dtypes, guards.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograph as ag
from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors, evaluate
from autograph.graph.tensor import Placeholder, Tensor, Variable
from autograph.graph.updates import Update, Updates

CAMPAIGN = bool(os.environ.get("AUTOGRAPH_CAMPAIGN"))


def count(gate: int, campaign: int) -> int:
    """How many of something: few in the gate, many in a campaign."""
    return campaign if CAMPAIGN else gate


UNARY: tuple[Callable[[Any], Tensor], ...] = (
    ag.tanh, ag.sin, ag.cos, ag.sigmoid, ag.square, ag.negative, ag.abs, ag.relu,
    lambda x: ag.sqrt(1 + ag.square(x)), lambda x: ag.log(1.5 + ag.square(x)), lambda x: ag.exp(-ag.square(x)),
    lambda x: ag.log(1 + ag.exp(x)), lambda x: x * 1.0 - 0.0, lambda x: ag.negative(-x), lambda x: 1 / (1 + ag.exp(-x)),
    lambda x: ag.exp(ag.tanh(x)) - 1, lambda x: (x * 0.5) * 4.0, lambda x: ag.stop_gradient(x) + 0.0 * x,
    lambda x: ag.sqrt(ag.square(x)), lambda x: ag.log(ag.sigmoid(x)),
)  # fmt: skip
BINARY: tuple[Callable[[Any, Any], Tensor], ...] = (
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, ag.maximum, ag.minimum, lambda a, b: a / (2 + ag.square(b)),
    lambda a, b: ag.where(a > b, a, b * 0.5), lambda a, b: a + -b, lambda a, b: a - -b, lambda a, b: -a * b,
    lambda a, b: ag.mul_no_nan(a, ag.tanh(b)), lambda a, b: a * (1.0 / (1.0 + ag.exp(b))),
)  # fmt: skip
WHOLE: tuple[Callable[[Any, Any], Tensor], ...] = (
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, ag.maximum, lambda a, b: a // (1 + ag.abs(b)),
    lambda a, b: ag.where(ag.equal(a, b), a, b), lambda a, b: a % (1 + ag.abs(b)),
)  # fmt: skip


@dataclass
class RandomProgram:
    """Inputs with the shapes they are fed, outputs, updates, and every variable among them."""

    inputs: list[Placeholder] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    updates: Updates = field(default_factory=Updates)
    variables: list[Variable] = field(default_factory=list)

    @property
    def roots(self) -> list[Tensor]:
        return [*self.outputs, *(u.value for u in self.updates)]

    def feeds(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [drawn(rng, p.dtype, shape) for p, shape in zip(self.inputs, self.shapes, strict=True)]

    def state(self) -> list[bytes]:
        return [v.get_value().tobytes() for v in self.variables]


def drawn(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [-2, 2], or small whole ones."""
    values = rng.uniform(-2, 2, shape) if dtype.kind == "f" else rng.integers(-3, 4, shape)
    return np.asarray(values).astype(dtype)


class _Builder:
    """A pool of tensors whose run-time shapes are known to us, though not always to the graph."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.program = RandomProgram()
        self.shape_of: dict[Tensor, tuple[int, ...]] = {}
        self.sizes = self.rng.sample((1, 2, 3, 4), 2) + [self.rng.choice((0, 1, 1, 3))]

    def drawn_shape(self) -> tuple[int, ...]:
        return tuple(self.rng.choice(self.sizes) for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3))))

    def keep(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
        self.shape_of[tensor] = shape
        return tensor

    def pick(self, fits: Callable[[Tensor], bool] = lambda t: True) -> Tensor | None:
        found = [t for t in self.shape_of if fits(t)]
        return self.rng.choice(found) if found else None

    def leaves(self) -> None:
        for i in range(self.rng.randint(1, 3)):
            shape, dtype = self.drawn_shape(), self.rng.choice(("float32", "float64", "float32", "int32"))
            known = [None if self.rng.random() < 0.6 else size for size in shape]
            x = ag.placeholder(known, dtype=dtype, name=f"x{i}")
            self.program.inputs.append(x)
            self.program.shapes.append(shape)
            self.keep(x, shape)
        rng = np.random.default_rng(self.rng.randrange(2**32))
        for i in range(self.rng.randint(2, 5)):
            same = self.program.variables and self.rng.random() < 0.6
            like = self.rng.choice(self.program.variables) if same else None
            shape = like.shape if like is not None else self.drawn_shape()
            dtype = like.dtype if like is not None else np.dtype(self.rng.choice(("float32", "float64", "int64")))
            v = ag.variable(drawn(rng, dtype, shape), dtype=dtype, name=f"w{i}")  # type: ignore[arg-type]  # static
            self.program.variables.append(v)
            self.keep(v, v.shape)  # type: ignore[arg-type]  # static

    def move(self) -> None:
        """One more tensor; nothing where nothing fits."""
        kind = self.rng.random()
        x = self.pick(lambda t: t.type.is_float)
        if x is None:
            return
        shape = self.shape_of[x]
        if kind < 0.3:
            self.keep(self.rng.choice(UNARY)(x), shape)
        elif kind < 0.65:
            y = self.pick(lambda t: t.type.is_float and _fit(self.shape_of[t], shape) and _fit(t.shape, x.shape))
            if y is not None:
                self.keep(self.rng.choice(BINARY)(x, y), np.broadcast_shapes(shape, self.shape_of[y]))
        elif kind < 0.72:
            a = self.pick(lambda t: t.dtype.kind == "i")
            b = None if a is None else self.pick(lambda t: self._alike(t, a))
            if a is not None and b is not None:
                self.keep(self.rng.choice(WHOLE)(a, b), self.shape_of[a])
        elif kind < 0.8 and shape:
            axis, keep = self.rng.randrange(len(shape)), self.rng.random() < 0.5
            reduce = self.rng.choice((ag.reduce_sum, ag.reduce_sum, ag.reduce_mean, ag.reduce_max))
            if shape[axis] == 0:
                reduce = ag.reduce_sum
            left = tuple(1 if i == axis else n for i, n in enumerate(shape) if keep or i != axis)
            self.keep(reduce(x, axis=axis, keepdims=keep), left)
        elif kind < 0.9 and len(shape) >= 2:
            order = self.rng.sample(range(len(shape)), len(shape))
            self.keep(ag.transpose(x, order), tuple(shape[i] for i in order))
        elif kind < 0.94 and len(shape) == 2 and x.shape[0] is not None:
            self.keep(ag.matmul(ag.tanh(x).T, x), (shape[1], shape[1]))
        elif kind < 0.97:
            self.keep(ag.expand_dims(x, 0), (1, *shape))
        else:
            dtype = self.rng.choice(("float32", "float64"))
            self.keep(ag.cast(x, dtype), shape)

    def _alike(self, a: Tensor, b: Tensor) -> bool:
        return a.dtype is b.dtype and self.shape_of[a] == self.shape_of[b] and a.shape == b.shape

    def new_values(self) -> None:
        """A swap where two registers are alike, a register from another, views, averages; guards over some of them."""
        found, left = Updates(), list(self.program.variables)
        self.rng.shuffle(left)
        while left:
            v = left.pop()
            twin = next((w for w in left if w.type == v.type), None)
            form = self.rng.random()
            if twin is not None and form < 0.3:
                left.remove(twin)
                found += [(v, twin), (twin, v)]
            elif twin is not None and form < 0.45:
                found += [(v, v + twin if v.type.is_float else twin)]
            elif form < 0.6 and v.ndim == 2 and v.shape[0] == v.shape[1]:
                found += [(v, v.T if form < 0.5 else (v.T * 0.5 + v).T if v.type.is_float else v.T)]
            elif form < 0.9:
                fit = [t for t in self.shape_of if t.dtype is v.dtype and self.shape_of[t] == v.shape]
                new = self.rng.choice(fit)
                found += [(v, 0.5 * v + 0.25 * ag.tanh(new) if v.type.is_float else new)]
        if self.rng.random() < 0.4 and len(found) > 1:
            half = len(found) // 2
            condition = ag.greater(self._number(), 0.0)
            guarded, rest = found[:half].when(condition), found[half:]
            found = guarded.then(rest) if self.rng.random() < 0.5 else guarded + rest
        self.program.updates = Updates(found)

    def _number(self) -> Tensor:
        x = self.pick(lambda t: t.type.is_float)
        return ag.constant(1.0) if x is None else ag.reduce_sum(ag.sin(x))


def _fit(a: Sequence[int | None], b: Sequence[int | None]) -> bool:
    return all(m is None or n is None or m == n or 1 in (m, n) for m, n in zip(tuple(a)[::-1], tuple(b)[::-1]))


def random_program(seed: int, moves: int = 14) -> RandomProgram:
    """The program of a seed: up to three inputs, two to five registers, about `moves` tensors."""
    build = _Builder(seed)
    build.leaves()
    for _ in range(moves):
        build.move()
    build.new_values()
    pool = list(build.shape_of)
    build.program.outputs = [pool[-1], *build.rng.sample(pool, min(3, len(pool)))]
    return build.program


def computed(tensors: Sequence[Tensor], feeds: dict[Tensor, Any]) -> list[np.ndarray]:
    """The values of tensors op by op, on the registers as they are."""
    known = {t: t.get_value() for t in ancestors(tensors) if isinstance(t, Variable)}
    arrays = {t: np.asarray(value) for t, value in {**known, **feeds}.items()}
    with np.errstate(all="ignore"):
        return [np.array(v) for v in evaluate(tensors, arrays, numpy_namespace)]


def close(found: Any, wanted: Any, dtype: np.dtype | None = None) -> None:
    """Equal to rounding; bit for bit where whole. Where `wanted` is not finite nothing is asked."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    finite = np.isfinite(wanted)
    tolerance = {"float16": 2e-2, "float32": 2e-4, "float64": 1e-10}[str(dtype or wanted.dtype)]
    np.testing.assert_allclose(found[finite], wanted[finite], rtol=tolerance, atol=tolerance)


def precision(roots: Sequence[Tensor]) -> np.dtype:
    """The coarsest float dtype on the way to the roots."""
    floats = [t.dtype for t in ancestors(roots) if t.type.is_float]
    return min(floats, key=lambda d: d.itemsize, default=np.dtype("float64"))


def update_of(pairs: Sequence[tuple[Variable, Any]]) -> list[Update]:
    """Pairs as updates."""
    return [Update(v, ag.as_tensor(x)) for v, x in pairs]
