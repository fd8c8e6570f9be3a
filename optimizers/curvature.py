"""Rules that measure how the loss curves: by products with its Hessian, or by second moments of rows and columns.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`. What is costly is done at
every k-th step alone, and costs nothing at the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from autograph import (
    ArgumentTypeError,
    Tensor,
    Variable,
    abs,
    cast,
    epsilon,
    equal,
    gradients,
    hold,
    matmul,
    maximum,
    mod,
    placeholder,
    qr,
    random_bernoulli,
    random_normal,
    reshape,
    sqrt,
    square,
    transpose,
    zeros_like,
)
from optimizers.choices import Choice, Count
from optimizers.decoupled import Decoupled, coupling, shrinkage
from optimizers.hyperparameters import amount, fraction, rate
from optimizers.options import by_name
from optimizers.slots import Slots


class Sophia(Decoupled):
    """Liu et al. 2023, Sophia-H: momentum over the diagonal of the Hessian, with steps of at most η.

        m ← β₁·m + (1−β₁)·g
        p ← p − η·clip(m/max(γ·h, ε), ±1) − η·λ·p        with h from before the step
        h ← β₂·h + (1−β₂)·ĥ,  ĥ = u·(H·u)                at the first step and at every k-th after it; k is `every`

    H is the Hessian of the loss; u, the `probe`, is "normal", as in the paper, or "rademacher", ±1, which measures a
    diagonal H without noise (Hutchinson 1990). H·u is a gradient of the gradients, and is computed at those steps alone:
    so h serves from the next step on, as in the authors' code and in optax, and the first is a step by the sign. In
    Algorithm 3 it serves at once; optax divides m by 1−β₁ᵗ. A type that does not hold ε has its smallest number there.
    `get_updates` needs the loss: it raises ArgumentTypeError for a list of gradients, NoGradientRuleError for a loss
    without second derivatives.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.96, "β₁")
    beta_2 = fraction(0.99, "β₂")
    gamma = amount(0.01, "γ")
    epsilon = amount(1e-12, "ε")
    weight_decay = shrinkage(0.01)
    decoupled = coupling()
    every = Count(10)
    probe = Choice("normal", "rademacher")
    _needs_loss = _draws = True
    _products: Mapping[Variable, Tensor] = {}

    def _prepare(self, loss: Any, params: Sequence[Variable], found: Sequence[Tensor]) -> None:
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError(
                f"{self.name} got gradients in place of the loss",
                why="it multiplies the Hessian of the loss, and they may have been changed",
                fix="write get_updates(loss, params); what passes gradients on, as accumulate does, cannot hold it",
            )
        first, named = dict(zip(params, found, strict=True)), by_name(params)
        vectors = [self._vector(p) for p in named]
        products = gradients([first[p] for p in named], named, cotangents=vectors)
        rows = zip(named, vectors, products, strict=True)
        self._products = {p: zeros_like(p) if hu is None else u * hu for p, u, hu in rows}

    def _vector(self, p: Variable) -> Tensor:
        if self.probe == "normal":
            return random_normal(like=p, state=self.random)
        return 2 * random_bernoulli(dtype=p.dtype, like=p, state=self.random) - 1

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        floor = maximum(self.epsilon, float(np.finfo(p.dtype).smallest_subnormal))  # ε, if the type holds it
        floor.name = "ε"
        # clip(m/b, ±1) is m/max(b, |m|)
        new = self.decayed(p - self.rate * (s.m / maximum(maximum(self.gamma * s.h, floor), abs(s.m))), p)
        measured = self._products.get(p, placeholder(p.shape, dtype=p.dtype))
        measured.name = "ĥ"
        due = equal(mod(self._clock.iterations, self.every), 0)
        s.h = hold(due, cast(self.beta_2 * s.h + (1 - self.beta_2) * measured, p.dtype), s.h)
        return new


class SOAP(Decoupled):
    """Vyas et al. 2024: Adam in a basis that is turned towards that of Shampoo's factors (Gupta, Koren & Singer 2018).

        m ← β₁·m + (1−β₁)·g,  v ← β₂·v + (1−β₂)·G²       G = Qₗᵀ·g·Qᵣ,  M = Qₗᵀ·m·Qᵣ
        p ← p − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · Qₗ·(M/(√v + ε))·Qᵣᵀ − η·λ·p
        L ← β₂·L + (1−β₂)·g·gᵀ,  R ← β₂·R + (1−β₂)·gᵀ·g
        Qₗ ← Q of the QR factors of L·Qₗ,  Qᵣ of R·Qᵣ    at every k-th step; k is `every`

    Qₗ and Qᵣ start as identities, and come near the eigenvectors of L and R by a power iteration each time, Algorithm 4:
    so the first k steps are Adam's. The authors' code spends the first step on a decomposition instead, and orders the
    columns. A side longer than `largest`, or of 1, is not turned, nor is what has less than two axes; axes before the
    last are taken as one.
    """

    learning_rate = rate(0.003)
    beta_1 = fraction(0.95, "β₁")
    beta_2 = fraction(0.95, "β₂")
    epsilon = amount(epsilon, "ε")
    weight_decay = shrinkage(0.01)
    decoupled = coupling()
    every = Count(10)
    largest = Count(10_000)
    example = (2, 2)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        left, right = self._basis("Ql", p, 0, s), self._basis("Qr", p, 1, s)
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(_product(_turned(left), g, right))
        rate = self.rate * sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        step = _product(_turned(left), s.m, right) / (sqrt(s.v) + self.epsilon)
        new = self.decayed(p - rate * _product(left, step, _turned(right)), p)
        x = _shaped(g, _sides(g))
        if left is not None:
            self._follow("L", matmul(x, transpose(x)), "Ql", left, s)
        if right is not None:
            self._follow("R", matmul(transpose(x), x), "Qr", right, s)
        return new

    def _basis(self, name: str, p: Variable, side: int, s: Slots) -> Tensor | None:
        """The basis of one side of p as it stands, or None for a side that is not turned."""
        size = _sides(p)[side] if p.ndim > 1 else 1
        return s.start(name, np.eye(size), (size, size)) if 1 < size <= self.largest else None

    def _follow(self, factor: str, squares: Tensor, name: str, basis: Tensor, s: Slots) -> None:
        """A step of the factor, and when it is due one of its basis, towards the factor's eigenvectors."""
        size: Any = squares.shape
        now = self.beta_2 * s.start(factor, 0.0, size) + (1 - self.beta_2) * squares
        setattr(s, factor, now)
        due = equal(mod(self._clock.iterations + 1, self.every), 0)
        setattr(s, name, hold(due, qr(matmul(cast(now, basis.dtype), basis))[0], basis))


def _sides(x: Tensor) -> tuple[int, int]:
    """The sizes of x as a matrix: its last axis, and those before it as one."""
    sizes: Any = x.shape
    return prod(sizes[:-1]), prod(sizes[-1:])


def _shaped(x: Tensor, shape: Any) -> Tensor:
    return x if x.shape == shape else reshape(x, shape)


def _turned(basis: Tensor | None) -> Tensor | None:
    return None if basis is None else transpose(basis)


def _product(left: Tensor | None, x: Tensor, right: Tensor | None) -> Tensor:
    """left·x·right in the shape of x, where None is an identity."""
    if left is None and right is None:
        return x
    found = _shaped(x, _sides(x))
    found = found if left is None else matmul(left, found)
    return _shaped(found if right is None else matmul(found, right), x.shape)
