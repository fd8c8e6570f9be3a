"""Walks over expressions. None of them recurses, so the depth of a graph is bounded by memory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, is_
from typing import Any

from autograph.graph.tensor import Tensor, node, rebuilt


def ancestors(outputs: Iterable[Tensor], stop: Iterable[Tensor] = ()) -> list[Tensor]:
    """Every tensor that `outputs` are computed from, themselves included, inputs before consumers.

    Tensors in `stop` are listed but not looked behind. Tensors are numbered as they are made, and an input is made
    before its consumer, so the order of the numbers is a topological one.
    """
    seen, blocked = set(outputs), set(stop)
    todo = list(seen - blocked)
    while todo:
        for source in todo.pop().inputs:
            if source not in seen:
                seen.add(source)
                if source not in blocked:
                    todo.append(source)
    return sorted(seen, key=attrgetter("number"))


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


def mapped(roots: Iterable[Tensor], change: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """`roots` as they are when `change` has replaced every tensor they are computed from, inputs first."""
    roots = list(roots)
    done: dict[Tensor, Tensor] = {}
    for tensor in ancestors(roots):
        done[tensor] = change(on(tensor, tuple([done[source] for source in tensor.inputs])))
    return [done[root] for root in roots]


def on(tensor: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """`tensor` on inputs that equal its own; itself where they are its own."""
    return tensor if same(inputs, tensor.inputs) else node(tensor, inputs, tensor.params, tensor.type)


def same(some: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    """Whether these are the same tensors, each in its place."""
    return all(map(is_, some, others))


def substitute(outputs: Iterable[Tensor], replacements: Mapping[Any, Tensor]) -> list[Tensor]:
    """`outputs` as they would be, had each key of `replacements` been its value. What does not change is shared."""
    outputs = list(outputs)
    done: dict[Tensor, Tensor] = dict(replacements)
    for tensor in ancestors(outputs, stop=replacements):
        if tensor not in done:
            inputs = tuple([done[source] for source in tensor.inputs])
            done[tensor] = tensor if same(inputs, tensor.inputs) else rebuilt(tensor, inputs)
    return [done[tensor] for tensor in outputs]


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
