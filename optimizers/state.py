"""Registers by name, and values written to many of them, all or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph import ArgumentError, Variable, set_values


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
