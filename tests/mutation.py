"""What the campaigns of mutants share: which of them are judged, and how that is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Subject = TypeVar("Subject")
Verdict = TypeVar("Verdict")


def judged(
    subjects: Iterable[Subject], judge: Callable[[Subject, Callable[[int], bool]], Iterator[Verdict]], each: int
) -> list[Verdict]:
    """The verdicts on every `each`-th mutant of these, begun at another number for each subject."""
    return [v for k, subject in enumerate(subjects) for v in judge(subject, lambda n, k=k: (n + 5 * k) % each == 0)]


def asked(doc: str, subjects: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a script: names of `subjects`, which it calls so; every how many-th mutant; whether to print all."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("names", metavar=subjects, nargs="*", help=f"names of {subjects}; all where none is given")
    parser.add_argument("--each", type=int, default=1, help="judge every n-th mutant only")
    parser.add_argument("--verbose", action="store_true", help="print every verdict")
    return parser.parse_args(arguments)
