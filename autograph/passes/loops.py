"""Loops: those that repeat one step on one set of inputs become one, which makes what somebody reads and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograph.control import Body
from autograph.graph.graph import ancestors, on
from autograph.graph.tensor import Tensor, node


def join_loops(roots: Sequence[Tensor]) -> list[Tensor]:
    """Loops whose states go alike on the same inputs as one, with the outputs of all: as a gradient's with the loop before it.

    States, entries and outputs that nobody reads are left out.
    """
    order = ancestors(roots)
    kin: dict[Any, list[Tensor]] = {}
    for tensor in order:
        if tensor.op.several and isinstance(tensor.params.get("body"), Body):
            kin.setdefault(_going_alike(tensor), []).append(tensor)
    if not kin:
        return list(roots)
    plans = {tensor: plan for some in kin.values() for tensor, plan in _joined(some)}
    new: dict[Tensor, Tensor] = {}
    for tensor in order:
        inputs = [new.get(x, x) for x in tensor.inputs]
        if tensor in plans:
            body, result, picked = plans[tensor]
            params = {**tensor.params, "body": body, "result": result}
            new[tensor] = node(tensor, tuple([inputs[k] for k in picked]), params, tensor.type)
        elif any(x in new for x in tensor.inputs):
            new[tensor] = on(tensor, inputs)
    return [new.get(root, root) for root in roots]


def _going_alike(tensor: Tensor) -> Any:
    """What loops have in common that hand on the same states."""
    body: Body = tensor.params["body"]
    others = sorted((key, value) for key, value in tensor.params.items() if key not in ("body", "result"))
    return (tensor.op, tensor.inputs, body.inputs, body.outputs[: body.carried], body.asks, *others)


Plan = tuple[Body, int, list[int]]  # a graph, the number of a result, and which of the inputs it takes


def _joined(results: Sequence[Tensor]) -> Iterable[tuple[Tensor, Plan]]:
    """Each of the results of loops that go alike, as one of a single loop."""
    first: Body = results[0].params["body"]
    made = {tensor: tensor.params["body"].outputs[tensor.params["result"]] for tensor in results}
    stacked = dict.fromkeys(x for tensor, x in made.items() if tensor.params["result"] >= first.carried)
    wanted = {tensor.params["result"] for tensor in results if tensor.params["result"] < first.carried}
    if first.asks:
        wanted.add(first.carried - 1)
    while True:
        reached = set(ancestors([*stacked, *(first.outputs[i] for i in wanted)]))
        more = {i for i, p in enumerate(first.inputs[: first.carried]) if p in reached} - wanted
        if not more:
            break
        wanted |= more
    rows = range(first.carried, first.carried + first.mapped)
    read = [k for k in rows if first.inputs[k] in reached] or list(rows[:1])
    fixed = [k for k in range(rows.stop, len(first.inputs)) if first.inputs[k] in reached]
    states = sorted(wanted)
    picked = [*states, *read, *fixed]
    outputs = (*(first.outputs[i] for i in states), *stacked)
    body = Body(tuple(first.inputs[k] for k in picked), outputs, len(read), len(states), first.asks)
    stacks = {x: len(states) + k for k, x in enumerate(stacked)}
    for tensor, x in made.items():
        result = tensor.params["result"]
        yield tensor, (body, states.index(result) if result < first.carried else stacks[x], picked)
