"""The records of a failed check: the elements at fault, and the mistake they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from autograph.testing.lift import Array
from autograph.testing.slopes import Kink, Slope
from autograph.testing.subject import Subject


@dataclass(frozen=True)
class Diagnosis:
    """A mistake: one word for programs, one sentence for people, and whether every number bears it out.

    kind   sign, factor, offset, term, none, extra, transposed, swapped, sum, places, nan, purpose, kink, and from laws:
           zero, linear, symmetry, raises, shape
    """

    kind: str
    sentence: str
    certain: bool = True


@dataclass(frozen=True)
class Element:
    """One element of an input: what the rule gives, the function's own slope, and whether they disagree."""

    index: tuple[int, ...]
    rule: float
    slope: Slope
    wrong: bool
    kink: Kink | None = None

    @property
    def gap(self) -> float:
        """How far the two are apart, in parts of their sizes."""
        size = abs(self.rule) + abs(self.slope.value)
        gap = abs(self.rule - self.slope.value)
        return gap / size if isfinite(gap) and size else float("inf")


@dataclass
class Failure:
    """An input of a function along which the rule and the function disagree, for the cotangents `u`."""

    subject: Subject
    input: int
    u: list[Array]
    flow: Array
    elements: list[Element]
    noise: float

    @property
    def wrong(self) -> list[Element]:
        return [element for element in self.elements if element.wrong]

    @property
    def worst(self) -> Element:
        """The element with the largest difference, among those that differ by a large part of their size."""
        far = max(element.gap for element in self.wrong)
        clear = [e for e in self.wrong if e.gap >= far / 2]
        return max(clear, key=lambda e: abs(e.rule - e.slope.value) if isfinite(e.rule) else float("inf"))

    @property
    def precise(self) -> bool:
        """Whether the slopes come from the complex step."""
        return all(element.slope.method == "complex step" for element in self.elements)
