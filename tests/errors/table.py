"""What an entry of the table of bad inputs is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autograph.graph.tensor import Variable

Made = tuple[Callable[[], Any], Sequence[Variable]]  # what fails, and the variables that it must leave alone


class Case(NamedTuple):
    """A function that makes ready what fails, the types it fails with, and what the text says."""

    number: int
    make: Callable[[], Made]
    types: tuple[type[BaseException], ...]
    words: tuple[str, ...]
    line: bool  # whether the text names the user's line, which is one of `make`


CASES: list[Case] = []


def case(
    number: int, *types: type[BaseException], words: str, line: bool = True
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """An entry: the words are separated by `·`."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(number, make, types, tuple(word.strip() for word in words.split("·")), line))
        return make

    return add
