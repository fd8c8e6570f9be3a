"""Choices of form beside `Flag`: one word among several, or a whole number; fixed once updates exist."""

from __future__ import annotations

from typing import Any

from autograph import ArgumentError, ArgumentTypeError, arguments, nearest
from optimizers.arguments import read_count, read_number
from optimizers.hyperparameters import Flag


class Fixed(Flag):
    """A choice that stays as it is once updates exist."""

    default: Any
    read: Any  # what it makes of a value; raises ArgumentTypeError or ArgumentError

    def __set__(self, optimizer: Any, value: Any) -> None:
        new = self.read(self.default if value is None else value)
        if optimizer.built and new != optimizer._settings[self.name]:
            raise ArgumentError(
                f"{self.name} is fixed: {optimizer.name}'s updates exist, and would not follow",
                fix="make a new optimizer",
            )
        optimizer._settings[self.name] = new


class Choice(Fixed):
    """One of some words, the first of them by default. Raises ArgumentError for any other."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.default = words[0]

    def read(self, value: Any) -> str:
        """The word."""
        if not isinstance(value, str):
            words = ", ".join(map(repr, self.words))
            raise ArgumentTypeError(f"{self.name}={arguments.shown(value)} is no choice", fix=f"one of {words} expected")
        if value not in self.words:
            raise ArgumentError(
                f"{self.name}={value!r} is unknown{nearest(value, self.words)}", fix=f"known: {', '.join(self.words)}"
            )
        return value


class Count(Fixed):
    """A whole number of at least 1. Raises ArgumentTypeError or ArgumentError for anything else."""

    def __init__(self, default: int) -> None:
        self.default = default

    def read(self, value: Any) -> int:
        """The number."""
        return read_count(self.name, value)


class Start(Fixed):
    """The number of at least 0 at which a slot starts. Raises ArgumentTypeError or ArgumentError for anything else."""

    def __init__(self, default: float) -> None:
        self.default = default

    def read(self, value: Any) -> float:
        """The number."""
        return read_number(self.name, value, "a finite number of at least 0", least=0)
