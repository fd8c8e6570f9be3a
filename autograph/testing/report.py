"""What a failed check tells: which input, where, both numbers, which mistake, and a line to repeat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from autograph.testing.lift import Array
from autograph.testing.slopes import Kink, Slope
from autograph.testing.subject import Subject

if TYPE_CHECKING:
    from autograph.testing.diagnosis import Diagnosis

SHOWN = 5  # elements a message names
SHORT = 160  # characters of the line to repeat that a message holds; the note has all of it


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
    truths: dict[int, Array] = field(default_factory=dict)

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


def story(failure: Failure, diagnosis: Diagnosis, culprit: Failure | None, line: str) -> str:
    """The message of a GradientError."""
    subject, wrong, worst = failure.subject, failure.wrong, failure.worst
    head = f"{subject.title}, {subject.named(failure.input)} ({subject.place}): "
    head += f"{len(wrong)} of {len(failure.elements)} elements differ"
    x = subject.arrays[failure.input][worst.index]
    lines = [
        head,
        f"worst at {list(worst.index)}: the rule gives {{}}, {worst.slope.method} {{}} ".format(*apart(worst))
        + f"(x = {x:.6g}, h = {worst.slope.h:.2g})",
    ]
    if worst.kink is not None:
        lines.append(f"at a kink: {worst.kink}; a rule may give anything between")
    others = sorted((e for e in wrong if e is not worst), key=lambda e: -e.gap)[: SHOWN - 1]
    if others:
        lines.append("also " + ", ".join(f"{list(e.index)}: " + " ≠ ".join(apart(e)) for e in others))
    lines.append(diagnosis.sentence)
    if culprit is not None:
        op = culprit.subject
        lines.append(f"the fault is in {op.title} ({op.place}), its {op.named(culprit.input)}")
    lines.append(f"repeat it: {line if len(line) <= SHORT else line[: SHORT - 2] + ' … (whole in the note below)'}")
    return "\n  ".join(lines)


def apart(element: Element) -> tuple[str, str]:
    """Both numbers of an element, with as many digits as it takes to see them differ."""
    a, b = element.rule, element.slope.value
    digits = next((d for d in range(6, 18) if abs(float(f"{a:.{d}g}") - float(f"{b:.{d}g}")) > abs(a - b) / 2), 6)
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def paste(array: Array) -> str:
    """An array as Python text that gives exactly this array back."""
    array = np.asarray(array)
    dtype = "" if array.dtype in (np.float64, np.int64, np.bool_) and array.size else f", {array.dtype.name!r}"
    finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    if array.size > 64 or not finite:
        return f"np.frombuffer(bytes.fromhex({array.tobytes().hex()!r}), {array.dtype.str!r}).reshape({array.shape})"
    if not array.size:
        return f"np.zeros({array.shape}{dtype})"
    return f"np.array({array.tolist()}{dtype})"
