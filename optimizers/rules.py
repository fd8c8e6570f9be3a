"""The rules: each the mathematics of one parameter, in the shape of its paper.

In formulas p is the parameter, g its gradient, t = 1, 2, … the step, and η the learning rate after `decay`:
η / (1 + decay·(t−1)). Numbers of rank 0 combine among themselves in float64, and are cast once, at the parameter.
"""

from __future__ import annotations

from autograph import Tensor, Variable, epsilon, maximum, sqrt, square
from optimizers.base import Optimizer
from optimizers.hyperparameters import Flag, amount, fraction, rate
from optimizers.slots import Slots


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013).

        m ← μ·m − η·g
        p ← p + m               nesterov:  p ← p + μ·m − η·g,  with the new m

    With μ = 0, the default, p ← p − η·g and nothing is remembered; μ is then fixed once updates exist. A row-sparse
    gradient then moves its rows, and costs what they cost.
    """

    learning_rate = rate(0.01)
    momentum = fraction(0.0, "μ", neutral=0.0)
    nesterov = Flag(False)
    fillers = {"m": None}

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        step = self.rate * g
        if not self.uses("momentum"):
            return p - step
        s.m = self.momentum * s.m - step
        return p + self.momentum * s.m - step if self.nesterov else p + s.m

    def lazy(self) -> bool:
        """Without momentum: rows without a gradient do not move."""
        return not self.uses("momentum")


class Adam(Optimizer):
    """Kingma & Ba 2015, the ε-hat form at the end of its section 2; AMSGrad: Reddi, Kale & Kumar 2018.

        m ← β₁·m + (1−β₁)·g
        v ← β₂·v + (1−β₂)·g²
        p ← p − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε)

    amsgrad: v̂ ← max(v̂, v), of the v above (not bias-corrected), stands in v's place in the last line. PyTorch and
    optax write Algorithm 1 of the paper, whose ε is ε/√(1−β₂ᵗ) here. `epsilon=None` is `autograph.epsilon()`.
    """

    learning_rate = rate(0.001)
    beta_1 = fraction(0.9, "β₁")
    beta_2 = fraction(0.999, "β₂")
    epsilon = amount(epsilon, "ε")
    amsgrad = Flag(False)
    fillers = {"vhat": (1,)}

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """One step of p."""
        s.m = self.beta_1 * s.m + (1 - self.beta_1) * g
        s.v = self.beta_2 * s.v + (1 - self.beta_2) * square(g)
        rate = self.rate * sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        v = s.v
        if self.amsgrad:
            v = s.vhat = maximum(s.vhat, s.v)
        return p - rate * (s.m / (sqrt(v) + self.epsilon))


class SparseAdam(Adam):
    """Adam (Kingma & Ba 2015) for the rows that a gradient of `gather` touches, and nothing for the others.

        m ← β₁·m + (1−β₁)·g
        v ← β₂·v + (1−β₂)·g²
        p ← p − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε)         for rows that were gathered; t counts all steps

    The moments of other rows neither decay nor move p, as they do in Adam: this is another algorithm, and a step costs
    what its rows cost. It is PyTorch's rule of that name, whose ε is 1e-8. A gradient that is not row-sparse touches every
    row: that parameter takes the steps of Adam.
    """

    def lazy(self) -> bool:
        """Always."""
        return True
