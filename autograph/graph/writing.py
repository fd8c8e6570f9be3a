"""New values for many variables at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograph.arguments import listed, shown
from autograph.errors import ArgumentTypeError
from autograph.graph.register import write_all
from autograph.graph.tensor import Variable

__all__ = ["set_values"]


_FIX = "write {variable: value}, or pairs (variable, value)"


def _pair(item: Any) -> tuple[Variable, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ArgumentTypeError(f"{shown(item)} is no pair of a variable and its value", fix=_FIX)
    if not isinstance(item[0], Variable):
        raise ArgumentTypeError(f"{shown(item[0])} is no variable", why="only variables hold a value", fix=_FIX)
    return item[0], item[1]


def set_values(values: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]]) -> None:
    """Let each variable hold its new value: all or nothing, and between two ticks.

    values  a dict from variables to arrays, or pairs of them

    Raises ShapeError or DTypeError for the first value that does not fit, ReentrantCallError inside a tick of such a
    variable; then nothing was changed.
    """
    given = values.items() if isinstance(values, Mapping) else listed(values, "the values", _FIX)
    pairs = [_pair(item) for item in given]
    for variable, _ in pairs:
        variable.register.check_between_ticks(variable.name)
    write_all([(variable.register, variable.fitted(value)) for variable, value in pairs])
