"""What a failed check tells: which input, where, both numbers, which mistake, and a line to repeat it."""

from __future__ import annotations

import numpy as np

from autograph.testing.failure import Diagnosis, Element, Failure
from autograph.testing.lift import Array

SHOWN = 5  # elements a message names
SHORT = 160  # characters of the line to repeat that a message holds; the note has all of it


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
