"""The other five rules of Keras 2.3.1: rates that adapt to each element of a parameter.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`, as in `rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph import Tensor, Variable, abs, arguments, epsilon, maximum, sqrt, square
from optimizers.base import Optimizer
from optimizers.hyperparameters import Flag, amount, fraction, rate
from optimizers.slots import Slots


class _Counterless(Optimizer):
    """Weights that were saved before Keras kept the counter among them: they are taken as those of step 0."""

    def set_weights(self, weights: Sequence[Any]) -> None:
        """As of any optimizer; the first array, the counter, may be absent."""
        given = arguments.listed(weights, "the weights", "pass what get_weights gave")
        super().set_weights([0, *given] if len(given) == len(self.weights) - 1 else given)


class RMSprop(_Counterless):
    """Tieleman & Hinton 2012; centred: Graves 2013.

        a ← ρ·a + (1−ρ)·g²
        p ← p − η·g/(√a + ε)
        centered:  μ ← ρ·μ + (1−ρ)·g, and √(a − μ²) stands in the place of √a
        momentum:  b ← β·b + η·g/(√a + ε);  p ← p − b

    PyTorch's ρ is 0.99, and its η stands outside b, which is the same while η is constant. `epsilon=None` is
    `autograph.epsilon()`. With β = 0, the default, there is no b; β is then fixed once updates exist.
    """

    learning_rate = rate(0.001)
    rho = fraction(0.9, "ρ")
    epsilon = amount(epsilon, "ε")
    momentum = fraction(0.0, "β", neutral=0.0)
    centered = Flag(False)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.a = self.rho * s.a + (1 - self.rho) * square(g)
        spread = s.a
        if self.centered:
            s.mu = self.rho * s.mu + (1 - self.rho) * g
            spread = maximum(s.a - square(s.mu), 0)
        step = self.rate * g / (sqrt(spread) + self.epsilon)
        if not self.uses("momentum"):
            return p - step
        s.b = self.momentum * s.b + step
        return p - s.b


class Adagrad(_Counterless):
    """Duchi, Hazan & Singer 2011.

        a ← a + g²
        p ← p − η·g/(√a + ε)

    a starts at zeros; optax and Keras 3 start it at 0.1 and write √(a + ε). `epsilon=None` is `autograph.epsilon()`. A
    row-sparse gradient moves its rows, and costs what they cost.
    """

    learning_rate = rate(0.01)
    epsilon = amount(epsilon, "ε")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.a = s.a + square(g)
        return p - self.rate * g / (sqrt(s.a) + self.epsilon)

    def lazy(self) -> bool:
        """Always: rows without a gradient do not move, and their sums stay."""
        return True


class Adadelta(_Counterless):
    """Zeiler 2012.

        a ← ρ·a + (1−ρ)·g²
        u = g·√(d + ε)/√(a + ε)
        p ← p − η·u
        d ← ρ·d + (1−ρ)·u²

    `epsilon=None` is `autograph.epsilon()`.
    """

    learning_rate = rate(1.0)
    rho = fraction(0.95, "ρ")
    epsilon = amount(epsilon, "ε")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.a = self.rho * s.a + (1 - self.rho) * square(g)
        u = g * sqrt(s.d + self.epsilon) / sqrt(s.a + self.epsilon)
        s.d = self.rho * s.d + (1 - self.rho) * square(u)
        return p - self.rate * u


class Adamax(Optimizer):
    """Kingma & Ba 2015, section 7.

        m ← β₁·m + (1−β₁)·g
        u ← max(β₂·u, |g|)
        p ← p − η/(1−β₁ᵗ) · m/(u + ε)

    PyTorch and optax have ε inside the maximum, and none below. `epsilon=None` is `autograph.epsilon()`.
    """

    learning_rate = rate(0.002)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(epsilon, "ε")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.u = maximum(self.beta_2 * s.u, abs(g))
        return p - self.rate / (1 - self.beta_1**self.t) * (s.m / (s.u + self.epsilon))


class Nadam(Optimizer):
    """Dozat 2016, with the momentum schedule of its implementation in Keras 2 and PyTorch.

        μₜ = β₁·(1 − ½·0.96^(t·s))          s is `schedule_decay`
        Π ← Π·μₜ                            one number for all parameters, 1 at first
        m ← β₁·m + (1−β₁)·g
        v ← β₂·v + (1−β₂)·g²
        m̄ = (1−μₜ)·g/(1−Π) + μₜ₊₁·m/(1−Π·μₜ₊₁)
        p ← p − η·m̄/(√(v/(1−β₂ᵗ)) + ε)

    Keras 3 has s = 1. `epsilon=None` is `autograph.epsilon()`.
    """

    learning_rate = rate(0.002)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(epsilon, "ε")
    schedule_decay = amount(0.004, "s")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        now = self.beta_1 * (1 - 0.5 * 0.96 ** (self.t * self.schedule_decay))
        then = self.beta_1 * (1 - 0.5 * 0.96 ** ((self.t + 1) * self.schedule_decay))
        product = self._clock.carry("m_schedule", 1.0, lambda past: past * now)
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        mean = (1 - now) / (1 - product) * g + then / (1 - product * then) * s.m
        return p - self.rate * (mean / (sqrt(s.v / (1 - self.beta_2**self.t)) + self.epsilon))

    def set_weights(self, weights: Sequence[Any]) -> None:
        """As of any optimizer; the second array, Π, may be absent, as in files of old: it is then 1."""
        given = arguments.listed(weights, "the weights", "pass what get_weights gave")
        super().set_weights([*given[:1], 1.0, *given[1:]] if len(given) == len(self.weights) - 1 else given)
