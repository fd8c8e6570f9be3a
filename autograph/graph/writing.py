"""New values for many variables at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograph.graph.register import write_all
from autograph.graph.tensor import Variable

__all__ = ["set_values"]


def set_values(values: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]]) -> None:
    """Let each variable hold its new value: all or nothing, and between two ticks.

    values  a dict from variables to arrays, or pairs of them

    Raises ShapeError or DTypeError for the first value that does not fit, ReentrantCallError inside a tick of such a
    variable; then nothing was changed.
    """
    pairs = list(values.items() if isinstance(values, Mapping) else values)
    for variable, _ in pairs:
        variable.register.check_between_ticks(variable.name)
    write_all([(variable.register, variable.fitted(value)) for variable, value in pairs])
