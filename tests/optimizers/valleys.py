"""Problems of two unknowns that optimizers are followed on step by step: each a loss, its gradient by hand, a start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Valley(NamedTuple):
    """A loss of x and y that any library can compute, ∂loss/∂(x, y), where to start, and its minima.

    scale   what the loss is multiplied by, so that plain descent at a rate of 0.05 does not run away
    """

    name: str
    loss: Callable[[Any, Any], Any]
    slope: Callable[[float, float], tuple[float, float]]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    scale: float

    def value(self, v: Array) -> tuple[float, Array]:
        """Loss and gradient at a vector, without the scale."""
        return float(self.loss(*v)), np.array(self.slope(*v))


def _rosenbrock(x: float, y: float) -> tuple[float, float]:
    return -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)


def _beale(x: float, y: float) -> tuple[float, float]:
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y
    return 2 * (a * (y - 1) + b * (y * y - 1) + c * (y**3 - 1)), 2 * x * (a + 2 * b * y + 3 * c * y * y)


def _himmelblau(x: float, y: float) -> tuple[float, float]:
    a, b = x * x + y - 11, x + y * y - 7
    return 4 * a * x + 2 * b, 2 * a + 4 * b * y


def _booth(x: float, y: float) -> tuple[float, float]:
    a, b = x + 2 * y - 7, 2 * x + y - 5
    return 2 * a + 4 * b, 4 * a + 2 * b


def _quadratic(x: float, y: float) -> tuple[float, float]:
    return 50.5 * x + 49.5 * y, 49.5 * x + 50.5 * y


VALLEYS = (
    Valley("rosenbrock", lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, _rosenbrock, (-1.5, 2.0), ((1.0, 1.0),), 0.01),
    Valley("beale", lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
           _beale, (1.0, 1.0), ((3.0, 0.5),), 0.1),
    Valley("quadratic", lambda x, y: 25.25 * x**2 + 49.5 * x * y + 25.25 * y**2, _quadratic, (1.0, -0.5), ((0.0, 0.0),), 0.1),
    Valley("himmelblau", lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, _himmelblau, (-1.0, 1.0),
           ((3.0, 2.0), (-2.805118086952745, 3.131312518250573), (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404)), 0.1),
    Valley("booth", lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2, _booth, (0.0, 0.0), ((1.0, 3.0),), 1.0),
)  # fmt: skip
