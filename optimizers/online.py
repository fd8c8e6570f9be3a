"""Rules of online learning: averages of the path, and regularised leaders.

p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`.
"""

from __future__ import annotations

from autograph import Tensor, Variable, abs, div_no_nan, equal, less_equal, maximum, sign, sqrt, square, where
from optimizers.base import Optimizer
from optimizers.choices import Start
from optimizers.hyperparameters import amount, rate
from optimizers.slots import Slots


class ASGD(Optimizer):
    """Polyak & Juditsky 1992: descent with a falling rate, and beside it the average of its path.

        η̃ = η/(1 + λ·η·(t−1))^α
        p ← p − η̃·(g + λ·p)
        a ← a + (p − a)/max(1, t − 1 − t₀)       with the new p

    a is the slot `average`: p itself until step t₀ + 2.
    """

    learning_rate = rate(0.01)
    lambd = amount(1e-4, "λ")
    alpha = amount(0.75, "α")
    t0 = amount(1e6, "t₀")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        rate = self.rate / (1 + self.lambd * self.rate * (self.t - 1)) ** self.alpha
        new = p - rate * (g + self.lambd * p)
        share = 1 / maximum(1, self.t - 1 - self.t0)
        s.average = share * new + (1 - share) * s.average
        return new


class Ftrl(Optimizer):
    """McMahan et al. 2013: follow the leader, regularised: with λ₁ most elements of p are exactly 0.

        n ← n + g²,  σ = (√n − √n before)/η      n starts at `initial`
        z ← z + g − σ·p
        p ← 0 where |z| ≤ λ₁, else (sign(z)·λ₁ − z)/((β + √n)/η + λ₂)

    z starts where its leader is the p at hand, so that no gradient is no step; Keras 3 starts it at 0, which forgets p.
    """

    learning_rate = rate(0.01)
    beta = amount(0.0, "β")
    l1 = amount(0.0, "λ₁")
    l2 = amount(0.0, "λ₂")
    initial = Start(0.1)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        before = s.start("n", self.initial)
        s.n = before + square(g)
        z = where(equal(self.t, 1), -p * ((self.beta + sqrt(before)) / self.rate + self.l2) - sign(p) * self.l1, s.z)
        s.z = z + g - (sqrt(s.n) - sqrt(before)) / self.rate * p
        leader = div_no_nan(sign(s.z) * self.l1 - s.z, (self.beta + sqrt(s.n)) / self.rate + self.l2)
        return where(less_equal(abs(s.z), self.l1), 0, leader)
