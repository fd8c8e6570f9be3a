"""Hyper-parameters: declared in the body of a rule, held by each optimizer in registers, so that changing one is a write.

    class SGD(Optimizer):
        learning_rate = rate(0.01)
        momentum = fraction(0.0, "μ", neutral=0.0)
        nesterov = Flag(False)

On an optimizer, `opt.momentum` is the register and `opt.momentum = 0.9` writes it: no function is prepared anew.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from autograph import ArgumentError, ArgumentTypeError, DTypeError, ShapeError, Tensor, Variable, arguments, variable
from optimizers.arguments import read_number


class Hyper:
    """A number of a rule: a float64 register of rank 0, or the tensor that a user gave in its place.

    default     a number, a function that gives it, or None for a term that is absent until a number is given
    symbol      what formulas call it
    neutral     the value at which its term vanishes: then the rule is built without it
    schedule    whether it may be a function of the `iterations` register
    """

    name: str

    def __init__(
        self,
        default: float | Callable[[], float] | None,
        symbol: str = "",
        *,
        least: float = -inf,
        below: float = inf,
        positive: bool = False,
        neutral: float | None = None,
        schedule: bool = False,
    ) -> None:
        self.default = default
        self.symbol = symbol
        self.least, self.below, self.positive = least, below, positive
        self.neutral = neutral
        self.schedule = schedule

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer._settings[self.name]

    def __set__(self, optimizer: Any, value: Any) -> None:
        new, old = self.read(value), optimizer._settings.get(self.name)
        if isinstance(new, float) and isinstance(old, Variable):
            old.set_value(new)
            return
        if optimizer.built and new is not old:
            raise ArgumentError(
                f"{self.name} cannot become {_brief(value)}: {optimizer.name}'s updates exist, "
                f"and were built with {_brief(old)}",
                why="they would not follow",
                fix="a number in place of a number can be set at any time; else make a new optimizer",
            )
        name = f"{optimizer.name}/{self.name}"
        optimizer._settings[self.name] = variable(new, "float64", name) if isinstance(new, float) else new

    def read(self, value: Any) -> Any:
        """`value` as a float within bounds, a tensor of rank 0, or a schedule.

        Raises ArgumentTypeError for what is no number, ArgumentError outside the bounds.
        """
        if value is None:
            value = self.default() if callable(self.default) else self.default
            if value is None:
                return None
        if isinstance(value, Tensor):
            if value.ndim or not value.type.is_float:
                error = ShapeError if value.ndim else DTypeError
                fix = "cast it to float, and reduce it to one number"
                raise error(f"{self.name} is {value.describe()}: a float of rank 0 expected", fix=fix)
            return value
        if self.schedule and callable(value):
            return value
        return read_number(
            self.name, value, self.expected, least=self.least, below=self.below, positive=self.positive
        )

    @property
    def expected(self) -> str:
        """What numbers it takes, in words."""
        if self.positive:
            return "a positive finite number" if self.below == inf else f"a number above 0 and below {self.below:g}"
        if self.below < inf:
            return f"a number from {self.least:g} to below {self.below:g}"
        return "a finite number" if self.least == -inf else f"a finite number of at least {self.least:g}"


class Flag:
    """A choice of form, True or False; fixed once updates exist. Raises ArgumentTypeError for anything else."""

    name: str

    def __init__(self, default: bool) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer._settings[self.name]

    def __set__(self, optimizer: Any, value: Any) -> None:
        if not isinstance(value, bool | np.bool_):
            raise ArgumentTypeError(f"{self.name}={arguments.shown(value)} is no choice", fix="True or False expected")
        if optimizer.built and value != optimizer._settings[self.name]:
            raise ArgumentError(
                f"{self.name} is fixed: {optimizer.name}'s updates exist, and would not follow",
                fix="make a new optimizer",
            )
        optimizer._settings[self.name] = bool(value)


def _brief(value: Any) -> str:
    if isinstance(value, Variable):
        return "a number"
    return arguments.shown(value)


def rate(default: float) -> Hyper:
    """A positive number, or a tensor, or a schedule: the learning rate."""
    return Hyper(default, "η", positive=True, schedule=True)


def fraction(default: float, symbol: str = "", *, neutral: float | None = None) -> Hyper:
    """A number in [0, 1): how much of the past is kept."""
    return Hyper(default, symbol, least=0, below=1, neutral=neutral)


def amount(default: float | Callable[[], float], symbol: str = "") -> Hyper:
    """A number of at least 0."""
    return Hyper(default, symbol, least=0)


def limit() -> Hyper:
    """A positive number, or None for no limit."""
    return Hyper(None, positive=True)
