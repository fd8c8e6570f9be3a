"""Rules that scale the step of a whole parameter by norms of it, and rules for matrices.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`. ‖x‖ is the norm of all
elements of x; it neither overflows nor vanishes where the elements do not.
"""

from __future__ import annotations

from math import prod
from typing import Any

from autograph import (
    ArgumentError,
    Tensor,
    Variable,
    div_no_nan,
    equal,
    greater,
    logical_and,
    matmul,
    maximum,
    minimum,
    reduce_mean,
    reshape,
    sqrt,
    square,
    transpose,
    where,
)
from optimizers.base import Optimizer
from optimizers.choices import Choice, Count
from optimizers.clipping import global_norm
from optimizers.decoupled import Decoupled, coupling, shrinkage
from optimizers.hyperparameters import Flag, Hyper, amount, fraction, rate
from optimizers.slots import Slots


def length(x: Tensor, symbol: str) -> Tensor:
    """‖x‖, a float64 of rank 0, printed as ‖symbol‖."""
    found = global_norm([x])
    found.name = f"‖{symbol}‖"
    return found


def lengths(p: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """‖p‖, ‖step‖, and whether neither is 0."""
    above, below = length(p, "p"), length(step, "u")
    return above, below, logical_and(greater(above, 0), greater(below, 0))


class LAMB(Optimizer):
    """You et al. 2020: Adam's direction, with a length in proportion to that of the parameter.

        u = m̂/(√v̂ + ε) + λ·p                    m̂ and v̂ as in Adam, Algorithm 1
        p ← p − η·‖p‖/‖u‖ · u                    p ← p − η·u where a norm is 0

    Keras 3 applies λ outside the ratio.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(1e-6, "ε")
    weight_decay = shrinkage(0.0)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        u = s.m / (1 - self.beta_1**self.t) / (sqrt(s.v / (1 - self.beta_2**self.t)) + self.epsilon)
        if self.uses("weight_decay"):
            u = u + self.weight_decay * p
        above, below, known = lengths(p, u)
        return p - self.rate * where(known, above / below, 1) * u


class LARS(Optimizer):
    """You, Gitman & Ginsburg 2017: momentum, with steps in proportion to the length of the parameter.

    u = g + λ·p
    m ← μ·m − η·κ·‖p‖/(‖u‖ + ε) · u          η·u where a norm is 0
    p ← p + m                                nesterov:  p ← p + μ·m − the last step
    """

    learning_rate = rate(0.01)
    momentum = fraction(0.9, "μ")
    trust_coefficient = Hyper(0.001, "κ", positive=True)
    epsilon = amount(0.0, "ε")
    weight_decay = shrinkage(0.0)
    nesterov = Flag(False)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        u = g + self.weight_decay * p if self.uses("weight_decay") else g
        above, below, known = lengths(p, u)
        step = self.rate * where(known, self.trust_coefficient * above / (below + self.epsilon), 1) * u
        s.m = self.momentum * s.m - step
        return p + self.momentum * s.m - step if self.nesterov else p + s.m


class NovoGrad(Optimizer):
    """Ginsburg et al. 2019: the second moment is one number for each parameter, that of ‖g‖.

    v ← β₂·v + (1−β₂)·‖g‖²                   ‖g‖² at the first step
    m ← β₁·m + g/(√v + ε) + λ·p
    p ← p − η·m
    """

    learning_rate = rate(0.01)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.25, "β₂")
    epsilon = amount(1e-6, "ε")
    weight_decay = shrinkage(0.0)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        size = square(length(g, "g"))
        s.v = where(equal(self.t, 1), size, self.beta_2 * s.start("v", 0.0, ()) + (1 - self.beta_2) * size)
        step = g / (sqrt(s.v) + self.epsilon)
        s.m = self.beta_1 * s.m + (step + self.weight_decay * p if self.uses("weight_decay") else step)
        return p - self.rate * s.m


class Muon(Decoupled):
    """Jordan 2024, Liu et al. 2025: momentum whose singular values are all brought near 1; for matrices.

        m ← μ·m + (1−μ)·g
        u = m                                    nesterov:  u = g + μ·(m − g)
        X = u/‖u‖, then `steps` times:  A = X·Xᵀ,  X ← 3.4445·X + (−4.775·A + 2.0315·A²)·X
        p ← p − η·c·X − η·λ·p

    Kernels are [inputs, outputs] here: adjust="original": c = √max(1, outputs/inputs); "rms": c = 0.2·√max(inputs,
    outputs), which gives the steps the size of AdamW's; "none": c = 1. Axes before the last are taken as one, inputs.
    Raises ArgumentError for a parameter of less than two axes: train it by another rule.
    """

    learning_rate = rate(0.001)
    momentum = fraction(0.95, "μ")
    weight_decay = shrinkage(0.1)
    decoupled = coupling()
    nesterov = Flag(True)
    steps = Count(5)
    adjust = Choice("original", "rms", "none")
    example = (1, 1)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        if p.ndim < 2:
            raise ArgumentError(f"Muon steps matrices, and {p.name!r} is {p.type}", fix="step it by another rule, AdamW say")
        sizes: Any = p.shape
        inputs, outputs = prod(sizes[:-1]), sizes[-1]
        s.m = self.momentum * s.m + (1 - self.momentum) * g
        u = g + self.momentum * (s.m - g) if self.nesterov else s.m
        x = reshape(div_no_nan(u, length(u, "u")), (inputs, outputs))
        x = transpose(_orthogonal(transpose(x), self.steps)) if inputs > outputs else _orthogonal(x, self.steps)
        scales = {"original": max(1.0, outputs / max(inputs, 1)) ** 0.5, "rms": 0.2 * max(inputs, outputs) ** 0.5}
        return self.decayed(p - self.rate * scales.get(self.adjust, 1.0) * reshape(x, p.shape), p)


def _orthogonal(x: Tensor, steps: int) -> Tensor:
    """The quintic Newton–Schulz iteration, whose singular values end between about 0.7 and 1.2."""
    for _ in range(steps):
        a = matmul(x, transpose(x))
        x = 3.4445 * x + matmul(-4.775 * a + 2.0315 * matmul(a, a), x)
    x.name = "orthogonal(u)"
    return x


class Adafactor(Optimizer):
    """Shazeer & Stern 2018: the second moments of a matrix from those of its rows and columns; no momentum.

        β = 1 − t^(−γ)
        r ← β·r + (1−β)·mean of g² + ε₁ along rows,  c ← the same along columns
        v = r·c/mean(r)                          of a vector: v ← β·v + (1−β)·(g² + ε₁)
        u = g/√v / max(1, RMS(g/√v)/d)
        p ← p − max(ε₂, RMS(p))·ρ·u − η·λ·p      ρ = min(η, 1/√t); relative_step=False: ρ = η

    Of more than two axes, the last two are the matrix's. PyTorch bounds v by its ε₁² from below, in place of adding ε₁.
    """

    learning_rate = rate(0.01)
    exponent = amount(0.8, "γ")
    epsilon_1 = amount(1e-30, "ε₁")
    epsilon_2 = amount(1e-3, "ε₂")
    threshold = Hyper(1.0, "d", positive=True)
    weight_decay = shrinkage(0.0)
    relative_step = Flag(True)
    example = (1, 1)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        sizes: Any = p.shape
        fresh = self.t**-self.exponent
        squares = square(g) + self.epsilon_1
        if p.ndim < 2:
            s.v = (1 - fresh) * s.v + fresh * squares
            u = div_no_nan(g, sqrt(s.v))
        else:
            rows, columns = s.start("r", 0.0, (*sizes[:-1], 1)), s.start("c", 0.0, (*sizes[:-2], 1, sizes[-1]))
            s.r = (1 - fresh) * rows + fresh * reduce_mean(squares, axis=-1, keepdims=True)
            s.c = (1 - fresh) * columns + fresh * reduce_mean(squares, axis=-2, keepdims=True)
            row = div_no_nan(s.r, reduce_mean(s.r, axis=-2, keepdims=True))
            u = g * div_no_nan(1, sqrt(row)) * div_no_nan(1, sqrt(s.c))
        count = max(prod(sizes), 1) ** 0.5
        rate = minimum(self.rate, self.t**-0.5) if self.relative_step else self.rate
        size = maximum(self.epsilon_2, length(p, "p") / count)
        new = p - size * rate / maximum(1, length(u, "u") / count / self.threshold) * u
        return new - self.rate * self.weight_decay * p if self.uses("weight_decay") else new
