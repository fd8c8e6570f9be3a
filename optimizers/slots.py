"""Slots: what a rule remembers of one parameter from tick to tick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograph import Tensor, Update, Variable, cast, variable

_OWN = frozenset({"_parameter", "_registers", "_values"})


class Slots:
    """The slots of one parameter while a rule is being written down.

    Reading `s.m` gives the value that m has at this point of the rule: first that of its register, which begins at zeros
    of the parameter's shape and dtype, and is named `m/parameter`. Assigning `s.m = …` gives m a new value, which the
    rest of the rule reads and which the register takes at the end of the tick.
    """

    _parameter: Variable
    _registers: dict[str, Variable]
    _values: dict[str, Tensor]

    def __init__(self, parameter: Variable, registers: dict[str, Variable]) -> None:
        self._parameter = parameter
        self._registers = registers
        self._values = {}

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._values[name] if name in self._values else self._register(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
            return
        self._register(name)
        self._values[name] = cast(value, self._parameter.dtype)

    def start(self, name: str, value: Any = 0.0, shape: tuple[int, ...] | None = None) -> Tensor:
        """Read the slot `name`, whose register begins at `value`, and may be of another shape than p's."""
        self._register(name, value, shape)
        return self._values.get(name, self._registers[name])

    def _register(self, name: str, value: Any = 0.0, shape: tuple[int, ...] | None = None) -> Variable:
        found = self._registers.get(name)
        if found is None:
            found = self._registers[name] = filled(self._parameter, f"{name}/{self._parameter.name}", value, shape)
        return found

    def updates(self) -> Iterator[Update]:
        """What the registers take, in the order in which the rule first named them."""
        for name, register in self._registers.items():
            if name in self._values:
                yield Update(register, self._values[name])


def zeros(parameter: Variable, name: str, shape: tuple[int, ...] | None = None) -> Variable:
    """A register of zeros like `parameter`, or of another shape."""
    return filled(parameter, name, 0.0, shape)


def filled(parameter: Variable, name: str, value: Any, shape: tuple[int, ...] | None = None) -> Variable:
    """A register like `parameter`, or of another shape, filled with `value`: a number or an array."""
    sizes: Any = parameter.shape if shape is None else shape
    return variable(np.full(sizes, value, parameter.dtype), parameter.dtype, name)
