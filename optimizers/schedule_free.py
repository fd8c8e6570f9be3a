"""Rules that need no schedule, since they average their own path (Defazio et al. 2024).

Three sequences are kept: z takes the steps, x is the mean of z, and gradients are taken at y, between the two. Parameters
hold y while they are trained; z is a slot; x is an expression of both, and what is to be looked at, tested and kept:

    with swapped(optimizer.averages): …                     the parameters are x within the block
    Updates(optimizer.averages).after(loss)                 the loss at x, as an expression

In formulas p is the parameter, which is y, and g its gradient, there; t = 1, 2, … is the step, and η the learning rate
after `decay` and schedule: a warm-up is welcome, a fall is not needed.
"""

from __future__ import annotations

from typing import Any

from autograph import Tensor, Variable, cast, div_no_nan, epsilon, equal, lerp, sqrt, square, where
from optimizers.base import Optimizer
from optimizers.decoupled import shrinkage
from optimizers.hyperparameters import Flag, Hyper, amount, fraction, rate
from optimizers.slots import Slots


class ScheduleFree(Optimizer):
    """What the rules below share: the mean, and where the gradient is taken.

        z ← z − d
        c = γʳ/Σγʳ                                   over all steps so far, with γ the rate of each
        x ← (1−c)·x + c·z
        p ← β₁·x + (1−β₁)·z

    z and x start where p is at the first step. x is not kept: the last two lines are p ← (1−c)·(p − (1−β₁)·d) + c·z. The
    authors' code has in γ's place its greatest value so far, which is the same while rates do not fall; r = 0 weighs all
    steps alike. A constraint binds p, not z.
    """

    beta_1: Any  # of each rule
    weight_power: Any

    @property
    def averages(self) -> dict[Variable, Tensor]:
        """{p: x}, x as an expression of p and z. Empty before `get_updates`."""
        return {p: self._average(p, slots["z"]) for p, slots in self._slots.items()}

    def _average(self, p: Variable, z: Variable) -> Tensor:
        x = lerp(z, p, cast(1 / self.beta_1, p.dtype))
        return where(equal(self._clock_of[p].iterations, 0), p, x)

    def between(self, p: Variable, step: Tensor, gamma: Tensor, s: Slots) -> Tensor:
        """The new p for the step d; γ is the same for all parameters."""
        s.z = where(equal(self.t, 1), p, s.z) - step
        weight = gamma**self.weight_power
        c = div_no_nan(weight, self._clock.carry("weight_sum", 0.0, lambda total: total + weight))
        return lerp(p - (1 - self.beta_1) * step, s.z, cast(c, p.dtype))


def interpolation() -> Hyper:
    """β₁, above 0, since x is found from p and z, and below 1."""
    return Hyper(0.9, "β₁", positive=True, below=1)


class ScheduleFreeSGD(ScheduleFree):
    """Defazio et al. 2024: descent without a schedule.

        z ← z − η·(g + λ·p)
        p ← β₁·x + (1−β₁)·z                          x is the mean of z, weighted by ηʳ

    The mean is `opt.averages[p]`: see `schedule_free`, the module, for how to look at it. β₁ stands where momentum does.
    """

    learning_rate = rate(1.0)
    beta_1 = interpolation()
    weight_decay = shrinkage(0.0)
    weight_power = amount(2.0, "r")

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        u = g + self.weight_decay * p if self.uses("weight_decay") else g
        return self.between(p, self.rate * u, self._clock.now.rate, s)


class ScheduleFreeAdamW(ScheduleFree):
    """Defazio et al. 2024, Algorithm 1: AdamW without a schedule.

        v ← β₂·v + (1−β₂)·g²
        γ = η·√(1−β₂ᵗ)
        z ← z − γ·(g/(√v + ε) + λ·p)
        p ← β₁·x + (1−β₁)·z                          x is the mean of z, weighted by γʳ

    eps_hat=False: γ = η, and √v̂ stands in the place of √v, as the authors' code, optax and Keras 3 have it; Keras 3 weighs
    all steps alike, r = 0. The mean is `opt.averages[p]`: see `schedule_free`, the module, for how to look at it.
    """

    learning_rate = rate(0.0025)
    beta_1 = interpolation()
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(epsilon, "ε")
    weight_decay = shrinkage(0.0)
    weight_power = amount(2.0, "r")
    eps_hat = Flag(True)

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        seen = 1 - self.beta_2**self.t
        v, rate, gamma = s.v / seen, self.rate, self._clock.now.rate
        if self.eps_hat:
            v, rate, gamma = s.v, rate * sqrt(seen), gamma * sqrt(seen)
        u = g / (sqrt(v) + self.epsilon)
        if self.uses("weight_decay"):
            u = u + self.weight_decay * p
        return self.between(p, rate * u, gamma, s)
