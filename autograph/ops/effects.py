"""Effects: ops that do something in the world when they are evaluated, in the order in which the program was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from autograph.graph.graph import ancestors
from autograph.graph.op import REGISTRY, Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply
from autograph.ops.define import same_type

__all__ = ["effects_in_order", "print_tensor", "unconditional_effects"]

_next = count().__next__

_PRINT = register(Op(
    "print_tensor",
    kind=Kind.EFFECT,
    infer=same_type,
    eval=lambda xp, x, message, turn: xp.print_tensor(x, message),
    vjp=lambda g, y, x, message, turn: (g,),
    operands=as_given,
    raises=True,
    doc="x; its value is printed, behind `message`, each time it is evaluated. `turn` counts effects as they are written.",
))


def print_tensor(x: Any, message: Any = "") -> Tensor:
    """`x`, which is printed whenever a function evaluates it: a line of the message, a blank and the value.

    Lines come in the order in which the program made them. A print that an output or an update is computed from is
    evaluated even where its value turns out not to be needed; behind the guard of an update only where that holds. What
    is printed stays printed if the tick fails. Value and gradient pass unchanged.
    """
    return apply(_PRINT, x, message=str(message), turn=_next())


def unconditional_effects(roots: Iterable[Tensor]) -> list[Tensor]:
    """The effects behind `roots` that no guard stands before."""
    seen = set(roots)
    todo = list(seen)
    while todo:
        tensor = todo.pop()
        sources = tensor.inputs[::2] if tensor.op is REGISTRY["hold"] else tensor.inputs
        todo += [source for source in sources if source not in seen]
        seen.update(sources)
    return [tensor for tensor in seen if tensor.op.kind is Kind.EFFECT]


def effects_in_order(order: Sequence[Tensor]) -> list[Tensor]:
    """`order`, inputs first, with effects in the order in which they were written, each behind what it is computed from."""
    effects = sorted((t for t in order if t.op.kind is Kind.EFFECT), key=lambda tensor: tensor.params["turn"])
    if len(effects) < 2:
        return list(order)
    seen: dict[Tensor, None] = {}
    for effect in effects:
        seen.update(dict.fromkeys(ancestors([effect], stop=seen)))
    return list(dict.fromkeys([*seen, *order]))
