"""Choices of form beside `Flag`: one word among several, or a whole number; fixed once updates exist."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import ArgumentError, ArgumentTypeError, nearest
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
            raise ArgumentTypeError(f"{self.name}={value!r}: one of {', '.join(map(repr, self.words))} expected")
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
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ArgumentTypeError(f"{self.name}={value!r}: a whole number of at least 1 expected")
        if value < 1:
            raise ArgumentError(f"{self.name}={value}: a whole number of at least 1 expected")
        return int(value)


class Start(Fixed):
    """The number of at least 0 at which a slot starts. Raises ArgumentTypeError or ArgumentError for anything else."""

    def __init__(self, default: float) -> None:
        self.default = default

    def read(self, value: Any) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ArgumentTypeError(f"{self.name}={value!r} is no number", fix="a finite number of at least 0 expected")
        if not 0 <= float(value) < np.inf:
            raise ArgumentError(f"{self.name}={value!r} makes no sense here", fix="a finite number of at least 0 expected")
        return float(value)
