"""Tensors that are read after updates: values after the tick, within the tick."""

from __future__ import annotations

from collections.abc import Iterable

from autograph.graph.tensor import Tensor, Variable
from autograph.graph.update import Update
from autograph.graph.updates import Updates


class After(Tensor):
    """`before` as it will be after updates, and whoever evaluates it carries these out.

    before   the tensor in terms of the registers
    behind   the updates, and plain tensors, which are evaluated; those that the tick has itself for a register come first
    """

    before: Tensor
    behind: tuple[Update | Tensor, ...]


def read_after(before: Tensor, behind: Iterable[Update | Tensor], target: Variable | None = None) -> Tensor:
    """`before`, a tensor of its own, as it will be after the updates among `behind`.

    target   the register that is to take the value, so that another new value of it is not brought along
    """
    joined = Updates(behind)
    value = joined.after(before)
    made = After(value.op, value.inputs, value.params, value.type, before.given_name, before.origin)
    made.before = before
    made.behind = tuple([i for i in joined if not (isinstance(i, Update) and i.variable is target)])
    return made
