"""Descendants of Adam: with decay of the weights apart from the gradient, and with other second moments.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`; x̂ is x without the bias
of its start at zero: m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). `epsilon=None` is `autograph.epsilon()`.
"""

from __future__ import annotations

from autograph import (
    Tensor,
    Variable,
    div_no_nan,
    epsilon,
    equal,
    greater,
    maximum,
    sign,
    sqrt,
    square,
    where,
)
from optimizers.adaptive import Nadam
from optimizers.base import Optimizer
from optimizers.choices import Choice, Start
from optimizers.hyperparameters import Flag, Hyper, amount, fraction, rate
from optimizers.options import decay_factor
from optimizers.rules import Adam
from optimizers.slots import Slots


def shrinkage(default: float) -> Hyper:
    """λ, at least 0: at 0 the rule is built without it."""
    return Hyper(default, "λ", least=0, neutral=0.0)


def coupling() -> Choice:
    """What λ is multiplied by."""
    return Choice("lr", "schedule", "none")


class Decoupled(Optimizer):
    """Weight decay apart from the gradient (Loshchilov & Hutter 2019): each step also takes c·λ·p from the old p.

    decoupled="lr"          c = η, as PyTorch and optax have it
    decoupled="schedule"    c = η/η₀, the schedule alone, as the paper has it: η₀ is the rate before schedule and decay
    decoupled="none"        c = 1

    A rule declares `weight_decay = shrinkage(…)` and `decoupled = coupling()`, and ends with `decayed`.
    """

    def decayed(self, new: Tensor, p: Variable) -> Tensor:
        """`new` less what the decay of the old p takes in this step."""
        if not self.uses("weight_decay"):
            return new
        return new - decay_factor(self) * self.weight_decay * p


class AdamW(Decoupled, Adam):
    """Loshchilov & Hutter 2019: Adam, and weight decay that its moments do not see.

        p ← p − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε) − η·λ·p         m and v as in Adam

    eps_hat=False: m̂/(√v̂ + ε), Algorithm 1 of Adam's paper, which PyTorch and optax write. `decoupled` says what λ is
    multiplied by; `amsgrad` as in Adam.
    """

    learning_rate = rate(0.001)
    weight_decay = shrinkage(0.01)
    decoupled = coupling()
    eps_hat = Flag(True)
    fillers = {}

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        v = s.v
        if self.amsgrad:
            v = s.vhat = maximum(s.vhat, s.v)
        root = sqrt(1 - self.beta_2**self.t)
        floor = self.epsilon if self.eps_hat else self.epsilon * root
        return self.decayed(p - self.rate * root / (1 - self.beta_1**self.t) * (s.m / (sqrt(v) + floor)), p)


class NAdamW(Decoupled, Nadam):
    """Nadam (Dozat 2016) with decoupled weight decay (Loshchilov & Hutter 2019).

        p ← p − η·m̄/(√v̂ + ε) − η·λ·p          m̄ as in Nadam

    optax's `nadamw` has no momentum schedule.
    """

    weight_decay = shrinkage(0.01)
    decoupled = coupling()

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        return self.decayed(super().rule(p, g, s), p)


class RAdam(Decoupled):
    """Liu et al. 2020: the adaptive rate counts once its variance is known, and as much as it is known.

        ρ∞ = 2/(1−β₂) − 1,  ρ = ρ∞ − 2t·β₂ᵗ/(1−β₂ᵗ)
        r = √((ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ))
        ρ > 5:  p ← p − η·r·√(1−β₂ᵗ)·m̂/(√v + ε)         m and v as in Adam
        else    p ← p − η·m̂

    eps_hat=False: r·m̂/(√v̂ + ε), which optax writes. The threshold is 5, as everywhere; the paper's is 4. λ is 0.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(epsilon, "ε")
    weight_decay = shrinkage(0.0)
    decoupled = coupling()
    eps_hat = Flag(True)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        kept = self.beta_2**self.t
        limit = 2 / (1 - self.beta_2) - 1
        rho = limit - 2 * self.t * kept / (1 - kept)
        known = greater(rho, 5)
        trust = sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        floor = self.epsilon if self.eps_hat else self.epsilon * sqrt(1 - kept)
        rate = self.rate * where(known, trust * sqrt(1 - kept), 1) / (1 - self.beta_1**self.t)
        return self.decayed(p - rate * (s.m / where(known, sqrt(s.v) + floor, 1)), p)


class Yogi(Optimizer):
    """Zaheer et al. 2018: the second moment moves by steps that do not grow with its distance.

        m ← β₁·m + (1−β₁)·g
        v ← v − (1−β₂)·sign(v − g²)·g²          v starts at `initial`
        p ← p − η·m̂/(√v̂ + ε)

    optax starts m at `initial` too, and so moves without a gradient.
    """

    learning_rate = rate(0.01)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(1e-3, "ε")
    initial = Start(1e-6)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        v = s.start("v", self.initial)
        s.v = v - (1 - self.beta_2) * (sign(v - square(g)) * square(g))
        root = sqrt(s.v / (1 - self.beta_2**self.t))
        return p - self.rate / (1 - self.beta_1**self.t) * (s.m / (root + self.epsilon))


class AdaBelief(Decoupled):
    """Zhuang et al. 2020: the second moment is that of the gradient about its mean.

        m ← β₁·m + (1−β₁)·g
        v ← β₂·v + (1−β₂)·(g − m)² + ε          with the new m
        p ← p − η·m̂/(√v̂ + ε)

    λ is 0. Where the type holds no such ε and v is 0, there is no step.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(1e-16, "ε")
    weight_decay = shrinkage(0.0)
    decoupled = coupling()

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g - s.m) + self.epsilon
        root = sqrt(s.v / (1 - self.beta_2**self.t))
        return self.decayed(p - self.rate / (1 - self.beta_1**self.t) * div_no_nan(s.m, root + self.epsilon), p)


class Adan(Optimizer):
    """Xie et al. 2022: Nesterov's momentum in the moments, by the change d of the gradient.

        d = g − h,  h ← g                        d = 0 at the first step
        m ← β₁·m + (1−β₁)·g
        v ← β₂·v + (1−β₂)·d
        n ← β₃·n + (1−β₃)·(g + (1−β₂)·d)²
        p ← (p − η·(m̂ + (1−β₂)·v̂)/(√n̂ + ε))/(1 + η·λ)

    Here β is what is kept, as everywhere; the paper writes 1−β. optax adds η·λ·p in place of the division.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.98, "β₁")
    beta_2 = fraction(0.92, "β₂")
    beta_3 = fraction(0.99, "β₃")
    epsilon = amount(epsilon, "ε")
    weight_decay = shrinkage(0.0)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        d = where(equal(self.t, 1), 0, g - s.h)
        s.h = g
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * d
        s.n = self.beta_3 * s.n + (1 - self.beta_3) * square(g + (1 - self.beta_2) * d)
        mean = s.m / (1 - self.beta_1**self.t) + (1 - self.beta_2) / (1 - self.beta_2**self.t) * s.v
        new = p - self.rate * (mean / (sqrt(s.n / (1 - self.beta_3**self.t)) + self.epsilon))
        if not self.uses("weight_decay"):
            return new
        taken = self.rate * self.weight_decay
        return new - taken / (1 + taken) * new
