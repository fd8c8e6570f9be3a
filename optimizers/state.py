"""Registers by name, and values written to many of them, all or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph import ArgumentError, ArgumentTypeError, Variable, arguments, nearest, set_values

Key = str | tuple[str, Variable]  # the name of a register, or (slot, parameter)


class Saved:
    """Registers with names, read and written together. A subclass gives `name` and `state_registers`."""

    __slots__ = ()
    name: str

    def state_registers(self) -> dict[Key, Variable]:
        """Every register that is to be saved, by its name; that of a parameter's slot by the pair `(slot, parameter)`.

        `autograph.checkpoint` saves whatever has this method. A pair is written `slot/parameter`, with the name that the
        parameter has where it is saved, so that a slot finds its parameter again in any order.
        """
        raise NotImplementedError(f"{type(self).__name__} has no state_registers()")

    def state(self) -> dict[str, Any]:
        """Every register's value by its name: hyper-parameters, counters, slots as `slot/parameter`."""
        return {name: register.get_value() for name, register in named(self.state_registers()).items()}

    def load(self, state: Any, strict: bool = True) -> None:
        """Write a `state` back, all or none. Raises ArgumentError naming everything missing, unexpected or misshapen;
        with strict=False what is missing stays, and what is unexpected is left out."""
        if not isinstance(state, Mapping):
            raise ArgumentTypeError(f"the state is {arguments.shown(state)}, not a dict", fix="pass what `state()` gave")
        registers = named(self.state_registers())
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

    @property
    def weights(self) -> list[Variable]:
        """The registers in a fixed order, for `get_weights` and `set_weights`."""
        return list(self.state_registers().values())

    def get_weights(self) -> list[Any]:
        """The values of `weights`, as Keras lists them."""
        return [weight.get_value() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the values of `weights`, all or none. Raises ArgumentError for another number of arrays, or for arrays
        that do not fit."""
        own, given = self.weights, arguments.listed(weights, "the weights", "pass what get_weights gave")
        if len(own) != len(given):
            raise ArgumentError(
                f"{self.name} needs {len(own)} arrays, got {len(given)}",
                why="" if own else "it has no slots before get_updates was called",
                fix="they are " + ", ".join(w.name for w in own) if own else "call get_updates first",
            )
        write_all(dict(zip([f"weights[{i}]" for i in range(len(own))], own, strict=True)), given)


def joined(parts: Iterable[Mapping[Any, Variable]]) -> dict[Key, Variable]:
    """One dict of several, each register once; of equal keys the later ones get `_1`, `_2`, … in order."""
    found: dict[Key, Variable] = {}
    seen: set[Variable] = set()
    for key, register in (item for part in parts for item in part.items()):
        if register not in seen:
            seen.add(register)
            found[_free(key, found)] = register
    return found


def named(registers: Mapping[Key, Variable]) -> dict[str, Variable]:
    """The same by plain names, `slot/parameter` with the parameter's own."""
    found: dict[str, Variable] = {}
    for key, register in registers.items():
        name = key if isinstance(key, str) else f"{key[0]}/{key[1].name}"
        found[_free(name, found)] = register
    return found


def _free(key: Any, taken: Mapping[Any, Any]) -> Any:
    """The key, or the first of `key_1`, `key_2`, … that is not taken."""
    new, count = key, 0
    while new in taken:
        count += 1
        new = f"{key}_{count}" if isinstance(key, str) else (f"{key[0]}_{count}", key[1])
    return new


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
