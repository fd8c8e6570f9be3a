"""Slopes of a function of one real number, by differences that know how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, nan

Line = Callable[[float], float]  # t ↦ φ(x + t·v) − φ(x); NaN where the function is not finite

STEPS = (2e-3, 2e-4, 2e-2, 2e-5)
SIDE_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Slope:
    """A derivative along a line.

    value, error   the number, and how far it may be from the truth
    method, h      how it was found: "complex step", "differences" or "one-sided differences", and with what step
    """

    value: float
    error: float
    method: str
    h: float

    def admits(self, other: float, tolerance: float) -> bool:
        """Whether `other` is this slope, within what both may be off."""
        return abs(other - self.value) <= tolerance + self.error

    def per(self, step: float) -> Slope:
        """The same slope for a unit of the variable, where the line moved it by `step` a unit."""
        h = self.h if self.method == "complex step" else self.h * abs(step)
        return Slope(self.value / step, self.error / abs(step), self.method, h)


@dataclass(frozen=True)
class Kink:
    """A point where the slopes of the two sides differ: `left` and `right`, ±inf where one grows without bound.

    error   how far either may be from the truth; a function like x^1.5 comes near its slope at 0 but slowly
    """

    left: float
    right: float
    error: float = 0.0

    def admits(self, value: float, tolerance: float) -> bool:
        """Whether `value` lies between the two sides, as the conventions for kinks want."""
        low, high = sorted((self.left, self.right))
        allowed = tolerance + 4 * self.error
        return low - allowed <= value <= high + allowed

    def per(self, step: float) -> Kink:
        """The same slopes for a unit of the variable, where the line moved it by `step` > 0 a unit."""
        return Kink(self.left / step, self.right / step, self.error / step)

    def __str__(self) -> str:
        return f"{self.left:.6g} on the left, {self.right:.6g} on the right"


def central(line: Line, noise: float, enough: float) -> Slope:
    """The slope at 0 by five points, with the step that promises the least error; stops once that is below `enough`.

    noise is the error of one value of `line`. A slope that no step finds has an infinite error.
    """
    seen: dict[float, float] = {}

    def value(t: float) -> float:
        if t not in seen:
            seen[t] = line(t)
        return seen[t]

    def five(h: float) -> float:
        return (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)

    best = Slope(nan, inf, "differences", STEPS[0])
    for h in STEPS:
        coarse, fine = five(h), five(h / 2)
        error = abs(coarse - fine) + 3 * noise / h
        if error < best.error:
            best = Slope(fine, error, "differences", h / 2)
        if best.error <= enough:
            break
    return best


def one_sided(line: Line, noise: float, side: int) -> Slope:
    """The slope at 0 seen from the right (side = 1) or the left (−1); ±inf where it grows as the step shrinks."""
    best = Slope(nan, inf, "one-sided differences", SIDE_STEPS[0])
    slopes = []
    for h in SIDE_STEPS:
        step = side * h
        coarse = (4 * line(step) - line(2 * step)) / (2 * step)
        fine = (4 * line(step / 2) - line(step)) / step
        error = abs(coarse - fine) + 8 * noise / h
        slopes.append(fine)
        if error < best.error:
            best = Slope(fine, error, "one-sided differences", h / 2)
    if _grows(slopes) and abs(slopes[-1]) > 1e3 * noise / SIDE_STEPS[-1]:
        return Slope(inf if slopes[-1] > 0 else -inf, 0.0, "one-sided differences", SIDE_STEPS[-1])
    return best


def _grows(slopes: list[float]) -> bool:
    """Whether slopes with shrinking steps run away, each time by no less than half of what they did before."""
    if not all(map(isfinite, slopes)) or not all(abs(b) > abs(a) for a, b in pairwise(slopes)):
        return False
    growth = [b - a for a, b in pairwise(slopes)]
    steady = all(b / a > 0.5 for a, b in pairwise(growth))
    return steady and abs(growth[-1]) > 1e-2 * abs(slopes[-1])


def kink(line: Line, noise: float) -> Kink | None:
    """The slopes of the two sides at 0, if they differ by more than differences can be off, or one side is outside.

    A side outside the domain takes the slope of the other. None where the function is smooth, or outside on both sides.
    """
    left, right = one_sided(line, noise, -1), one_sided(line, noise, 1)
    if not isfinite(left.error) and not isfinite(right.error):
        return None
    if not isfinite(left.error):
        return Kink(right.value, right.value, right.error)
    if not isfinite(right.error):
        return Kink(left.value, left.value, left.error)
    if abs(left.value - right.value) > 10 * (left.error + right.error) or not isfinite(left.value - right.value):
        return Kink(left.value, right.value, max(left.error, right.error))
    return None
