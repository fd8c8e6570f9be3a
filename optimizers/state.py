"""Registers by name, and values written to many of them, all or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph import ArgumentError, Variable, nearest, set_values


class Saved:
    """Registers with names, read and written together. A subclass gives `name` and `_registers`."""

    name: str

    def _registers(self) -> dict[str, Variable]:
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Every register's value by its name: hyper-parameters, counters, slots as `slot/parameter`."""
        return {name: register.get_value() for name, register in self._registers().items()}

    def load(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Write a `state` back, all or none. Raises ArgumentError naming everything missing, unexpected or misshapen;
        with strict=False what is missing stays, and what is unexpected is left out."""
        registers = self._registers()
        missing, unexpected = [[n for n in a if n not in b] for a, b in ((registers, state), (state, registers))]
        if strict and (missing or unexpected):
            hints = [f"unexpected {name!r}{nearest(name, missing)}" for name in unexpected]
            raise ArgumentError(
                f"{self.name}: " + ", ".join([f"missing {name!r}" for name in missing] + hints),
                why="nothing was loaded",
                fix="call get_updates for the same parameters first, or load with strict=False",
            )
        chosen = {name: register for name, register in registers.items() if name in state}
        write_all(chosen, [state[name] for name in chosen])


def named(registers: Iterable[Variable]) -> dict[str, Variable]:
    """The registers by their names; equal names get `_1`, `_2`, … in order."""
    found: dict[str, Variable] = {}
    for register in dict.fromkeys(registers):
        name, count = register.name, 0
        while name in found:
            count += 1
            name = f"{register.name}_{count}"
        found[name] = register
    return found


def write_all(registers: Mapping[str, Variable], values: Sequence[Any]) -> None:
    """Write each value to its register, once all of them fit. Raises ArgumentError naming every one that does not."""
    arrays = [np.asarray(value) for value in values]
    problems = []
    for (name, register), array in zip(registers.items(), arrays, strict=True):
        if array.shape != register.shape:
            problems.append(f"{name} ({register.name!r}) is {list(register.shape)}, got {list(array.shape)}")
        elif not np.can_cast(array.dtype, register.dtype, "same_kind"):
            problems.append(f"{name} ({register.name!r}) is {register.dtype}, got {array.dtype}")
    if problems:
        raise ArgumentError("; ".join(problems), why="nothing was changed", fix="pass arrays of these shapes and dtypes")
    set_values(zip(registers.values(), arrays, strict=True))
