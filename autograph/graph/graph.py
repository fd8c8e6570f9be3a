"""Walks over expressions. None of them recurses, so the depth of a graph is bounded by memory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from autograph.graph.tensor import Tensor, node, rebuilt


def ancestors(outputs: Iterable[Tensor], stop: Iterable[Tensor] = ()) -> list[Tensor]:
    """Every tensor that `outputs` are computed from, themselves included, inputs before consumers.

    Tensors in `stop` are listed but not looked behind. Tensors are numbered as they are made, and an input is made
    before its consumer, so the order of the numbers is a topological one.
    """
    seen, blocked = dict.fromkeys(outputs), set(stop)
    todo = [tensor for tensor in seen if tensor not in blocked]
    while todo:
        for source in todo.pop().inputs:
            if source not in seen:
                seen[source] = None
                if source not in blocked:
                    todo.append(source)
    order = list(seen)
    order.reverse()  # found from the end on, they are nearly sorted then
    order.sort(key=attrgetter("number"))
    return order


def descendants(sources: Iterable[Tensor], order: Iterable[Tensor], stop: Iterable[Tensor] = ()) -> set[Tensor]:
    """The tensors of `order` (inputs first) that are computed from any of `sources`, the sources included.

    Tensors in `stop` count as computed from nothing.
    """
    found, blocked = set(sources), set(stop)
    for tensor in order:
        if tensor not in blocked and not found.isdisjoint(tensor.inputs):
            found.add(tensor)
    return found


def consumers(order: Iterable[Tensor]) -> dict[Tensor, list[Tensor]]:
    """For each tensor of `order`, the tensors of `order` that read it."""
    readers: dict[Tensor, list[Tensor]] = {}
    for tensor in order:
        for source in tensor.inputs:
            readers.setdefault(source, []).append(tensor)
    return readers


def family(tensor: Tensor) -> Any:
    """What the results of one op of several have in common, and with no others."""
    shared = sorted((key, value) for key, value in tensor.params.items() if key != "result")
    return (tensor.op, tensor.inputs, *shared)


def mapped(roots: Iterable[Tensor], change: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """`roots` as they are when `change` has replaced every tensor they are computed from, inputs first."""
    roots = list(roots)
    new: dict[Tensor, Tensor] = {}  # of those that changed
    kept = new.keys().isdisjoint
    for tensor in ancestors(roots):
        result = change(tensor if kept(tensor.inputs) else on(tensor, [new.get(x, x) for x in tensor.inputs]))
        if result is not tensor:
            new[tensor] = result
    return [new.get(root, root) for root in roots]


def on(tensor: Tensor, inputs: Iterable[Tensor]) -> Tensor:
    """`tensor` on inputs that equal its own."""
    return node(tensor, tuple(inputs), tensor.params, tensor.type)


def substitute(outputs: Iterable[Tensor], replacements: Mapping[Any, Tensor]) -> list[Tensor]:
    """`outputs` as they would be, had each key of `replacements` been its value. What does not change is shared."""
    outputs = list(outputs)
    new: dict[Tensor, Tensor] = dict(replacements)
    kept = new.keys().isdisjoint
    for tensor in ancestors(outputs, stop=replacements):
        if tensor not in new and not kept(tensor.inputs):
            new[tensor] = rebuilt(tensor, tuple([new.get(x, x) for x in tensor.inputs]))
    return [new.get(tensor, tensor) for tensor in outputs]


def evaluate(outputs: Iterable[Tensor], values: Mapping[Tensor, Any], xp: Any) -> list[Any]:
    """The values of `outputs` computed op by op through `xp`, given those of the leaves (constants know their own)."""
    outputs = list(outputs)
    known: dict[Tensor, Any] = dict(values)
    for tensor in ancestors(outputs, stop=values):
        if tensor not in known:
            known[tensor] = tensor.evaluate(xp, [known[source] for source in tensor.inputs])
    return [known[tensor] for tensor in outputs]


def path(root: Tensor, source: Tensor) -> list[Tensor]:
    """A chain of tensors from `root` down to `source`, each read by the one before."""
    order = ancestors([root])
    on_path = descendants([source], order)
    chain = [root]
    while chain[-1] is not source:
        chain.append(next(t for t in chain[-1].inputs if t in on_path))
    return chain if len(chain) <= 8 else [*chain[:4], *chain[-4:]]
