"""Slots: what a rule remembers of one parameter from tick to tick."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import RowSparse, Tensor, Updates, Variable, cast, gather, put_rows, row_sparse, variable

_OWN = frozenset({"_labels", "_parameter", "_registers", "_rows", "_values"})


class Slots:
    """The slots of one parameter while a rule is being written down.

    Reading `s.m` gives the value that m has at this point of the rule: first that of its register, which begins at zeros
    of the parameter's shape and dtype, and is named `m/parameter`. Assigning `s.m = …` gives m a new value, which the
    rest of the rule reads and which the register takes at the end of the tick.
    """

    _parameter: Variable
    _registers: dict[str, Variable]
    _labels: dict[Tensor, str]
    _values: dict[str, Tensor]

    def __init__(self, parameter: Variable, registers: dict[str, Variable]) -> None:
        self._parameter = parameter
        self._registers = registers
        self._labels = {}
        self._values = {}

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._values[name] if name in self._values else self._old(name, self._register(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
            return
        self._register(name)
        self._values[name] = cast(value, self._parameter.dtype)

    def start(self, name: str, value: Any = 0.0, shape: tuple[int, ...] | None = None) -> Tensor:
        """Read the slot `name`, whose register begins at `value`, and may be of another shape than p's."""
        register = self._register(name, value, shape)
        return self._values[name] if name in self._values else self._old(name, register)

    def _register(self, name: str, value: Any = 0.0, shape: tuple[int, ...] | None = None) -> Variable:
        found = self._registers.get(name)
        if found is None:
            found = self._registers[name] = filled(self._parameter, f"{name}/{self._parameter.name}", value, shape)
        return found

    def _old(self, name: str, register: Variable) -> Tensor:
        return register

    def operands(self, g: Tensor) -> tuple[Any, Tensor]:
        """What the rule gets for p and g."""
        return self._parameter, g

    def whole(self, register: Variable, value: Tensor) -> Tensor:
        """The register's new value, where the rule gave `value`."""
        return value

    def updates(self) -> Updates:
        """What the registers take, in the order in which the rule first named them."""
        taken = [(name, register) for name, register in self._registers.items() if name in self._values]
        return Updates([(register, self.whole(register, self._values[name])) for name, register in taken], self._labels)


class RowSlots(Slots):
    """The slots at some rows of a parameter: a rule gets, reads and assigns these rows alone.

    A slot of another shape than the parameter's is read and assigned as a whole.
    """

    _rows: RowSparse

    def __init__(self, parameter: Variable, registers: dict[str, Variable], rows: RowSparse) -> None:
        super().__init__(parameter, registers)
        self._rows = rows
        self._labels = {rows.indices: "i", rows.rows: "g[i]"}

    def _old(self, name: str, register: Variable) -> Tensor:
        if register.shape != self._parameter.shape:
            return register
        found: Tensor = gather(register, self._rows.indices)
        self._labels[found] = f"{name}[i]"
        return found

    def operands(self, g: Tensor) -> tuple[Any, Tensor]:
        """The rows of p and of g."""
        return self._old(self._parameter.name, self._parameter), self._rows.rows

    def whole(self, register: Variable, value: Tensor) -> Tensor:
        """The register's old value, but for these rows."""
        return put_rows(register, self._rows.indices, value) if register.shape == self._parameter.shape else value


def slots_for(parameter: Variable, registers: dict[str, Variable], g: Tensor, lazily: bool) -> Slots:
    """The slots for one step: at the rows that g touches, where it is row-sparse and the step is to be lazy."""
    rows = row_sparse(g) if lazily else None
    return Slots(parameter, registers) if rows is None else RowSlots(parameter, registers, rows)


def zeros(parameter: Variable, name: str, shape: tuple[int, ...] | None = None) -> Variable:
    """A register of zeros like `parameter`, or of another shape."""
    return filled(parameter, name, 0.0, shape)


def filled(parameter: Variable, name: str, value: Any, shape: tuple[int, ...] | None = None) -> Variable:
    """A register like `parameter`, or of another shape, filled with `value`: a number or an array."""
    sizes: Any = parameter.shape if shape is None else shape
    return variable(np.full(sizes, value, parameter.dtype), parameter.dtype, name)
