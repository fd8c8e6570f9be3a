"""Problems that optimizers are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import Tensor, Variable, reduce_sum, square, variable


def keras_problem(constraint: Any = None) -> tuple[Tensor, Variable, Variable]:
    """The loss of reference/keras_goldens/probe_opt.py and its two parameters."""
    p = variable([1.0, -2.0], name="p", constraint=constraint)
    q = variable([[0.5]], name="q")
    return reduce_sum(square(p) * np.array([0.5, 5.0])) + reduce_sum(square(q)), p, q
