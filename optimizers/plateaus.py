"""A learning rate that follows what is measured: an update of the register that holds it."""

from __future__ import annotations

from math import inf
from typing import Any

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Updates,
    Variable,
    as_tensor,
    cast,
    greater,
    greater_equal,
    less,
    logical_and,
    logical_or,
    maximum,
    nearest,
    variable,
    where,
)


def plateau(
    rate: Variable,
    metric: Any,
    factor: float = 0.1,
    patience: int = 10,
    *,
    threshold: float = 1e-4,
    cooldown: int = 0,
    least: float = 0.0,
    mode: str = "min",
) -> Updates:
    """Multiply the register `rate` by `factor` once `metric` has not improved for `patience` ticks (Keras's
    ReduceLROnPlateau): `function([x, y], loss, updates=plateau(optimizer.lr, loss))`, called once an epoch.

    threshold   by how much a metric has to be better than the best
    cooldown    ticks after a reduction in which none is counted
    least       the rate does not fall below it
    mode        "min" or "max": what better is

    A NaN is no improvement. The other registers are `best`, `wait` and `cooldown` after the name of `rate`. PyTorch's
    `patience=n` is n + 1 here. Raises ArgumentError or ArgumentTypeError for what makes no sense.
    """
    if not isinstance(rate, Variable):
        raise ArgumentTypeError(f"plateau: the rate is {rate!r}, no register", fix="pass optimizer.lr, given as a number")
    for name, value, good in (
        ("factor", factor, 0 < factor < 1),
        ("patience", patience, patience >= 1),
        ("threshold", threshold, threshold >= 0),
        ("cooldown", cooldown, cooldown >= 0),
        ("least", least, least >= 0),
    ):
        if not good:
            raise ArgumentError(f"plateau: {name}={value!r} makes no sense")
    if mode not in ("min", "max"):
        raise ArgumentError(f"plateau: mode={mode!r}{nearest(str(mode), ('min', 'max'))}", fix='"min" or "max"')
    best = variable(inf if mode == "min" else -inf, "float64", f"{rate.name}/best")
    wait, rest = (variable(0, "int64", f"{rate.name}/{name}") for name in ("wait", "cooldown"))
    seen = cast(as_tensor(metric), "float64")
    better = less(seen, best - threshold) if mode == "min" else greater(seen, best + threshold)
    waited = where(logical_or(better, greater(rest, 1)), 0, wait + 1)
    left = maximum(rest - 1, 0)
    due = logical_and(greater_equal(waited, patience), greater(rate, least))
    return Updates(
        [
            (rate, where(due, cast(maximum(rate * factor, least), rate.dtype), rate)),
            (best, where(better, seen, best)),
            (wait, where(due, 0, waited)),
            (rest, where(due, cooldown, left)),
        ]
    )
