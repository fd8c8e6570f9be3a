"""All functions that take more than a few instructions, by the names of NumPy's ufuncs."""

from __future__ import annotations

from autograph.executors.native.division import DIVISION
from autograph.executors.native.hyperbolic import HYPERBOLIC
from autograph.executors.native.mathlib import ELEMENTARY
from autograph.executors.native.powers import POWERS
from autograph.executors.native.trigonometry import TRIGONOMETRY

FUNCTIONS = {**ELEMENTARY, **POWERS, **DIVISION, **TRIGONOMETRY, **HYPERBOLIC}
