"""A learning rate that follows what is measured: an update of the register that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from autograph import (
    ArgumentTypeError,
    Updates,
    Variable,
    arguments,
    as_tensor,
    cast,
    greater,
    greater_equal,
    less,
    logical_and,
    logical_or,
    maximum,
    variable,
    where,
)
from optimizers.arguments import read_count, read_number
from optimizers.state import Key, Saved


class Plateau(Saved, Updates):
    """The updates of a rate that follows a metric, and of what they remember: see `plateau`."""

    def __init__(self, pairs: Any, rate: Variable, kept: Mapping[str, Variable]) -> None:
        super().__init__(pairs)
        self.name, self._rate, self._kept = "plateau", rate, dict(kept)

    def state_registers(self) -> dict[Key, Variable]:
        """What is remembered, as `best/rate` and so on. The rate itself belongs to its optimizer."""
        return {(name, self._rate): register for name, register in self._kept.items()}


def plateau(
    rate: Any,
    metric: Any,
    factor: float = 0.1,
    patience: int = 10,
    *,
    threshold: float = 1e-4,
    cooldown: int = 0,
    least: float = 0.0,
    mode: str = "min",
) -> Plateau:
    """Multiply the register `rate` by `factor` once `metric` has not improved for `patience` ticks (Keras's
    ReduceLROnPlateau): `function([x, y], loss, updates=plateau(optimizer.lr, loss))`, called once an epoch.

    threshold   by how much a metric has to be better than the best
    cooldown    ticks after a reduction in which none is counted
    least       the rate does not fall below it
    mode        "min" or "max": what better is

    A NaN is no improvement. The other registers are named `best/rate`, `wait/rate` and `cooldown/rate`; keep what this
    gives to save them beside the optimizer. PyTorch's `patience=n` is n + 1 here. Raises ArgumentError or
    ArgumentTypeError for what makes no sense.
    """
    if not isinstance(rate, Variable):
        what = f"plateau: the rate is {arguments.shown(rate)}, no register"
        raise ArgumentTypeError(what, fix="pass optimizer.lr, given as a number")
    read_number("plateau: factor", factor, "a number between 0 and 1", positive=True, below=1)
    for name, value in (("threshold", threshold), ("least", least)):
        read_number(f"plateau: {name}", value, "a finite number of at least 0", least=0)
    read_count("plateau: patience", patience)
    read_count("plateau: cooldown", cooldown, 0)
    arguments.choice("plateau: mode", mode, ("min", "max"))
    best = variable(inf if mode == "min" else -inf, "float64", f"best/{rate.name}")
    wait, rest = (variable(0, "int64", f"{name}/{rate.name}") for name in ("wait", "cooldown"))
    seen = cast(as_tensor(metric), "float64")
    better = less(seen, best - threshold) if mode == "min" else greater(seen, best + threshold)
    waited = where(logical_or(better, greater(rest, 1)), 0, wait + 1)
    left = maximum(rest - 1, 0)
    due = logical_and(greater_equal(waited, patience), greater(rate, least))
    return Plateau(
        [
            (rate, where(due, cast(maximum(rate * factor, least), rate.dtype), rate)),
            (best, where(better, seen, best)),
            (wait, where(due, 0, waited)),
            (rest, where(due, cooldown, left)),
        ],
        rate,
        {"best": best, "wait": wait, "cooldown": rest},
    )
