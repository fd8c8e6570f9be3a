"""A function at a point: its values, what its gradient rules say, and the slopes found without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from autograph.errors import AutographError
from autograph.gradients import gradients
from autograph.graph.tensor import Placeholder, Tensor
from autograph.tensor_type import TensorType
from autograph.testing.lift import DOUBLE, Array, Compiled, NotAnalytic, Runner
from autograph.testing.slopes import Kink, Slope, central, kink

EPS = float(np.finfo(np.float64).eps)
STEP = 1e-20  # of the complex step: its error is of order h², so nothing is lost to truncation
EXACT = 1e-12  # what a rule may differ from the complex step, in parts of the sum of absolute terms
TINY = 1e-100  # what a step in parts of the size cannot move: its square is 0
NEAR = 1e-9  # what it may differ from differences, beyond their own error
Flow = Callable[[Sequence[Array]], list[Array]]


class RuleError(Exception):
    """A rule breaks a law whatever the function is: `kind` is one word for it, `text` and `detail` say it."""

    def __init__(self, kind: str, text: str, detail: str) -> None:
        super().__init__(f"{text}\n  {detail}")
        self.kind, self.detail = kind, detail


class Subject:
    """Float outputs as a function of float inputs, at one point.

    outputs, sources   the graph, all in float64
    arrays             the point: one array a source
    values             what the other leaves hold
    title, place       what messages call it, and the line of the user's code that made it
    positions          the place of each source among the arguments of the user's function, or of the op
    executor           the machine that runs the rules; op by op where None
    """

    def __init__(
        self,
        title: str,
        place: str,
        outputs: Sequence[Tensor],
        sources: Sequence[Tensor],
        arrays: Sequence[Array],
        values: Mapping[Tensor, Array],
        positions: Sequence[int] | None = None,
        executor: str | None = None,
    ) -> None:
        self.title, self.place = title, place
        self.outputs, self.sources = list(outputs), list(sources)
        self.arrays, self.values = [np.asarray(a, np.float64) for a in arrays], values
        self.positions = list(range(len(self.sources))) if positions is None else list(positions)
        self.forward = Runner(self.outputs, self.sources, values)
        self.at = [np.asarray(y) for y in self.forward(self.arrays)]
        self.cotangents = [Placeholder(TensorType(DOUBLE, y.shape), f"cotangent {i}") for i, y in enumerate(outputs)]
        try:
            self.rules: list[Tensor | None] = gradients(self.outputs, self.sources, cotangents=self.cotangents)
        except AutographError as error:
            raised = f"{title} ({place}): its gradient rule raises {type(error).__name__}"
            raise RuleError("raises", raised, str(error)) from error
        self.flowing = [rule for rule in self.rules if rule is not None]
        fed = [*self.sources, *self.cotangents]
        self.executor = executor
        self.backward = Runner(self.flowing, fed, values)
        self.machine = Compiled(self.flowing, fed, values, executor) if executor else self.backward
        self._analytic: bool | None = None
        self._reaches: dict[tuple[int, float], Array] = {}

    def named(self, i: int) -> str:
        """`input 0 'x'`, or `input 0` where it has no name of its own."""
        name = self.sources[i].given_name
        return f"input {self.positions[i]}" + (f" {name!r}" if name else "")

    # what the rules say ----------------------------------------------------------------------------------------------

    def flow(self, u: Sequence[Array], arrays: Sequence[Array] | None = None) -> list[Array]:
        """Jᵀu by the gradient rules: one array a source, zeros where nothing flows."""
        return self._flows(self.machine([*(self.arrays if arrays is None else arrays), *u]), u)

    def _flows(self, found: list[Array], u: Sequence[Array]) -> list[Array]:
        numbers = iter(found)
        result = []
        for rule, array in zip(self.rules, self.arrays, strict=True):
            g = np.zeros(array.shape) if rule is None else np.asarray(next(numbers))
            if g.shape != array.shape:
                text = f"{self.title} ({self.place}): a gradient has shape {g.shape}, and its input {array.shape}"
                raise RuleError("shape", text, "a cotangent must be summed back to the shape of its input")
            result.append(g)
        return result

    def flow_noise(self, u: Sequence[Array], rng: np.random.Generator) -> list[Array]:
        """How far rounding may move each element of `flow(u)`, found by rounding once more."""
        exact = self.flow(u)
        tries = [self._flows(self.backward.rounded([*self.arrays, *u], rng, leaves=False), u) for _ in range(3)]
        with np.errstate(all="ignore"):
            moves = [np.max([np.abs(a[i] - g) for a in tries], axis=0) for i, g in enumerate(exact)]
        return [np.where(np.isfinite(move), 3 * move, 0.0) for move in moves]

    # what the function itself does -----------------------------------------------------------------------------------

    def random_cotangents(self, rng: np.random.Generator) -> list[Array]:
        """Numbers of both signs, never small, and 0 where an output is not finite."""
        return [np.where(np.isfinite(y), signed(rng, y.shape), 0.0) for y in self.at]

    def moved(self, i: int, step: Array, arrays: Sequence[Array] | None = None) -> list[Array]:
        """The point with `step` added to source `i`."""
        point = list(self.arrays if arrays is None else arrays)
        point[i] = point[i] + step
        return point

    def line(self, i: int, v: Array, u: Sequence[Array], arrays: Sequence[Array] | None = None) -> Callable[[float], float]:
        """t ↦ ⟨u, f(x + t·v) − f(x)⟩ with v in source `i`."""
        base = self.at if arrays is None else self.forward(arrays)

        def along(t: float) -> float:
            with np.errstate(all="ignore"):
                moved = self.forward(self.moved(i, t * v, arrays))
                total = 0.0
                for w, y, y0 in zip(u, moved, base, strict=True):
                    total += float(np.sum(np.where(w == 0, 0.0, w * (np.asarray(y) - y0))))
            return total if isfinite(total) else nan

        return along

    def magnitude(self, u: Sequence[Array]) -> float:
        """Σ |u·f|: what rounding errors of the value are to be measured by."""
        with np.errstate(all="ignore"):
            return sum(float(np.sum(np.where(w == 0, 0.0, np.abs(w * y)))) for w, y in zip(u, self.at, strict=True))

    def value_noise(self, u: Sequence[Array], rng: np.random.Generator) -> float:
        """How far rounding may move ⟨u, f(x)⟩."""
        with np.errstate(all="ignore"):
            moves = []
            for _ in range(3):
                ys = self.forward.rounded(self.arrays, rng, leaves=True)
                gaps = [np.where(w == 0, 0.0, w * (y - y0)) for w, y, y0 in zip(u, ys, self.at, strict=True)]
                moves.append(abs(sum(float(np.sum(gap)) for gap in gaps)))
        worst = max(move if isfinite(move) else 0.0 for move in moves)
        return 3 * worst + 16 * EPS * self.magnitude(u)

    def complex_slope(self, i: int, v: Array, u: Sequence[Array]) -> tuple[Slope, float] | None:
        """The derivative of ⟨u, f⟩ along v by the complex step, and its sum of absolute terms; None if not analytic."""
        if self._analytic is False:
            return None
        try:
            ys = self.forward.complex(self.moved(i, 1j * STEP * v))
        except NotAnalytic:
            self._analytic = False
            return None
        terms = [np.where(w == 0, 0.0, w * (np.imag(y) / STEP)) for w, y in zip(u, ys, strict=True)]
        real = all(
            np.allclose(np.real(y)[w != 0], y0[w != 0], rtol=1e-9, atol=1e-9) for w, y, y0 in zip(u, ys, self.at, strict=True)
        )
        value = sum(float(np.sum(term)) for term in terms)
        scale = sum(float(np.sum(np.abs(term))) for term in terms)
        error = float(np.finfo(float).tiny) / STEP * sum(float(np.sum(np.abs(w))) for w in u)  # what underflows beside the step
        return (Slope(value, error, "complex step", STEP), scale) if real and isfinite(value) else None

    def element(self, i: int, index: tuple[int, ...], u: Sequence[Array], noise: float) -> tuple[Slope, float, Array]:
        """The derivative by one element of source `i` along a step v of its own size, its scale, and v.

        Where so small a step drowns in rounding, v is a tenth of a typical element.
        """
        tries: list[tuple[Slope, float, Array]] = []
        for least in (0.0, 0.1):
            v = np.zeros(self.arrays[i].shape)
            v[index] = self._reach(i, least)[index]
            if tries and v[index] == tries[0][2][index]:
                break
            slope, scale = self.slope(i, v, u, noise)
            tries.append((slope, scale, v))
            if slope.error <= 1e-6 * scale:
                break
        return min(tries, key=lambda found: found[0].error / found[2][index])

    def _reach(self, i: int, least: float) -> Array:
        if (i, least) not in self._reaches:
            self._reaches[i, least] = reach(self.arrays[i], least)
        return self._reaches[i, least]

    def slope(self, i: int, v: Array, u: Sequence[Array], noise: float) -> tuple[Slope, float]:
        """The derivative of ⟨u, f⟩ along v, and its scale: by the complex step where differences confirm it."""
        line = self.line(i, v, u)
        found = self.complex_slope(i, v, u)
        if found is not None:
            exact, scale = found
            rough = central(line, noise, 1e-6 * scale)
            if abs(rough.value - exact.value) <= 10 * rough.error + 1e-6 * scale and isfinite(rough.error):
                return found
        scale = self._terms(i, v, u)
        rough = central(line, noise, NEAR * scale / 10)
        if found is not None and abs(rough.value - found[0].value) <= 3 * rough.error and isfinite(rough.error):
            return found
        return rough, scale

    def _terms(self, i: int, v: Array, u: Sequence[Array]) -> float:
        """Σ |uₖ (J v)ₖ|, roughly."""
        h = 1e-4
        with np.errstate(all="ignore"):
            ys = self.forward(self.moved(i, h * v))
            scale = sum(
                float(np.sum(np.where(w == 0, 0.0, np.abs(w * (np.asarray(y) - y0))))) / h
                for w, y, y0 in zip(u, ys, self.at, strict=True)
            )
        return scale if isfinite(scale) else 0.0

    def kink(self, i: int, v: Array, u: Sequence[Array], noise: float) -> Kink | None:
        """The slopes of the two sides along v, where they differ."""
        return kink(self.line(i, v, u), noise)


def signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers of both signs and of size 0.5 to 1.5."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice((-1.0, 1.0), shape)


def reach(x: Array, least: float = 0.0) -> Array:
    """How far each element may be moved: by its own size, but by no less than `least` of a typical one; zeros by a tenth.

    A typical size is the median of those that are not zero (as good as zero is what underflows), and at most 1.
    """
    size = np.abs(x)
    some = size > TINY
    typical = min(1.0, float(np.median(size[some]))) if np.any(some) else 1.0
    return np.where(some, np.maximum(size, least * typical), 0.1 * typical)


def product(a: Any, b: Any) -> float:
    """⟨a, b⟩, with 0·NaN = 0."""
    with np.errstate(all="ignore"):
        return float(np.sum(np.where((a == 0) | (b == 0), 0.0, a * b)))
