"""`while_loop`: a graph on its own results for as long as a condition holds; its gradient goes back over the turns taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograph.arguments import a_function, whole
from autograph.control import Body, drawn, enclosed, stand_in, truth_type
from autograph.errors import ArgumentError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.scan import flows_back, kept_type, typed
from autograph.structure import flatten
from autograph.tensor_type import TensorType


def _while_type(*types: TensorType, body: Body, most: int | None, result: int) -> TensorType:
    truth_type(types[body.carried - 1])
    states = [kept_type(t, x.type) for t, x in zip(types[: body.carried], body.outputs, strict=False)]
    if result < body.carried:
        return states[result]
    output = body.outputs[result]
    return TensorType(output.dtype, (None, *output.shape))


def _while(xp: Any, *arrays: Any, body: Body, most: int | None, result: int | None = None) -> Any:
    carried = body.carried
    states, fixed = list(arrays[:carried]), arrays[carried:]
    turns: list[Any] = []
    while states[-1] and (most is None or len(turns) < most):
        found = body(xp, (*states, *fixed))
        states = found[:carried]
        turns.append(found[carried:])
    stacks = [np.stack(x) for x in zip(*turns, strict=True)] if turns else body.none(arrays)[carried:]
    return [*states, *stacks] if result is None else [*states, *stacks][result]


def _while_vjp(
    gs: Mapping[int, Tensor], y: Tensor, *inputs: Tensor, body: Body, most: int | None, result: int
) -> tuple[Tensor | None, ...]:
    def again(keeping: Body, count: int) -> Tensor:
        return apply(_WHILE, *inputs, body=keeping, most=most, result=count)

    return flows_back(again, gs, inputs, body, reverse=True)


_WHILE = register(Op(
    "while_loop",
    kind=Kind.CONTROL,
    infer=_while_type,
    eval=_while,
    vjp=_while_vjp,
    operands=as_given,
    several=True,
    doc="A graph on the states that it made the turn before, for as long as the last of them holds; the last states, and the "
    "other outputs of all turns, stacked.",
))


def while_loop(
    condition: Callable[[Any], Any], step: Callable[[Any], Any], start: Any, most: int | None = None
) -> Any:
    """state = step(state), from `start` on, for as long as condition(state) holds, and at most `most` times; the last state.

    condition   a function of tensors that gives one truth value; where it fails at `start`, no step is computed
    step        a function of tensors, called once to write its graph down
    start       a tensor, or nested lists, tuples and dicts of tensors, as the step makes it anew

    What does not depend on the state is computed once, before. Gradients of every order flow, back over as many turns as
    were taken; for them each turn's results are kept. Raises ShapeError or DTypeError for a state that changes its type or
    a condition that is no truth value, ArgumentError for `most` below 0.
    """
    for function, what in ((condition, "the condition"), (step, "the step")):
        a_function(function, f"while_loop: {what}")
    count = None if most is None else whole(most, "while_loop: most", 0)
    leaves, as_state = flatten(start)
    first = typed(leaves)
    if not first:
        raise ArgumentError("while_loop: there is no state to go on from", fix="start from a tensor")
    going = as_tensor(condition(as_state(iter(first))))
    truth_type(going.type)
    own = [stand_in(x) for x in (*first, going)]
    new, _ = flatten(step(as_state(iter(own))))
    if len(new) != len(first):
        raise ArgumentError(f"while_loop: a step makes {len(new)} states of {len(first)}", fix="return one for each")
    made = typed(new, own)
    again = as_tensor(condition(as_state(iter(made))))
    truth_type(again.type)
    draws = drawn([*made, again], own[-1].number)
    *made, again = draws.made
    carried = [*own[:-1], *draws.own, own[-1]]
    captured, body = enclosed([*made, *draws.ends, again], carried, 0, len(carried))
    given, body = [*first, *draws.starts, going, *captured], body._replace(asks=True)
    found = [apply(_WHILE, *given, body=body, most=count, result=k) for k in range(len(carried) - 1)]
    draws.settle(found[len(made) :])
    return as_state(iter(found))
