"""Rules that step by the sign of the gradient, not by its size.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`.
"""

from __future__ import annotations

from autograph import Tensor, Variable, cast, clip, equal, greater, less, sign, where
from optimizers.base import Optimizer
from optimizers.decoupled import Decoupled, coupling, shrinkage
from optimizers.hyperparameters import Hyper, amount, fraction, rate
from optimizers.slots import Slots


class Lion(Decoupled):
    """Chen et al. 2023: the sign of one mean, and another mean to remember.

    p ← p − η·sign(β₁·m + (1−β₁)·g) − η·λ·p
    m ← β₂·m + (1−β₂)·g
    """

    learning_rate = rate(1e-4)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.99, "β₂")
    weight_decay = shrinkage(0.0)
    decoupled = coupling()

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        step = sign(self.beta_1 * s.m + (1 - self.beta_1) * g)
        s.m = self.beta_2 * s.m + (1 - self.beta_2) * g
        return self.decayed(p - self.rate * step, p)


class Rprop(Optimizer):
    """Riedmiller & Braun 1993, in the form iRprop− of Igel & Hüsken 2003: for gradients without noise.

    Δ ← Δ·η⁺ where g·h > 0, Δ·η⁻ where g·h < 0, between `smallest` and `largest`          Δ is η at first
    g ← 0 where g·h < 0
    p ← p − sign(g)·Δ
    h ← g
    """

    learning_rate = rate(0.01)
    shrink = Hyper(0.5, "η⁻", least=0, below=1)
    grow = Hyper(1.2, "η⁺", least=1)
    smallest = amount(1e-6, "Δmin")
    largest = Hyper(50.0, "Δmax", positive=True)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        agreement = sign(g) * sign(s.h)
        before = where(equal(self.t, 1), self.rate, s.delta)
        grow, shrink = cast(self.grow, p.dtype), cast(self.shrink, p.dtype)  # a choice of numbers alone would be float64
        factor = where(greater(agreement, 0), grow, where(less(agreement, 0), shrink, 1))
        s.delta = clip(before * factor, self.smallest, self.largest)
        s.h = where(less(agreement, 0), 0, g)
        return p - sign(s.h) * s.delta
