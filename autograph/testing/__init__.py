"""Checks for those who write ops: gradients against the function itself, and hypothesis strategies.

`check_gradients` needs NumPy alone. The strategies (`tensors`, `updates`, `functions`, `graphs`) and
`gradient_property` load hypothesis when they are first asked for. There are no pytest or hypothesis plugins: import
what you use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from autograph.testing.gradients import Checked, GradientError, check_gradients

__all__ = [
    "Checked",
    "GradientError",
    "RandomGraph",
    "check_gradients",
    "functions",
    "gradient_property",
    "graphs",
    "tensors",
    "updates",
]

_ON_HYPOTHESIS = {
    "RandomGraph": "autograph.testing.random_graphs",
    "functions": "autograph.testing.strategies",
    "gradient_property": "autograph.testing.strategies",
    "graphs": "autograph.testing.random_graphs",
    "tensors": "autograph.testing.strategies",
    "updates": "autograph.testing.strategies",
}


def __getattr__(name: str) -> Any:
    if name in _ON_HYPOTHESIS:
        return getattr(import_module(_ON_HYPOTHESIS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
