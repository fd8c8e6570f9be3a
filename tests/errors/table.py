"""What an entry of the table of bad inputs is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autograph.graph.tensor import Variable

Made = tuple[Callable[[], Any], Sequence[Variable]]  # what fails, and the variables that it must leave alone


class Case(NamedTuple):
    """A function that makes ready what fails, the types it fails with, and what the text says beside a line of `make`."""

    number: int
    make: Callable[[], Made]
    types: tuple[type[BaseException], ...]
    words: tuple[str, ...]


CASES: list[Case] = []


def case(
    number: int, *types: type[BaseException], words: str
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """An entry: the words are separated by `·`."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(number, make, types, tuple(word.strip() for word in words.split("·"))))
        return make

    return add
