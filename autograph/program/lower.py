"""Lowering: a tick of a function and the types of its feeds → the same tick with every size known.

Rules that named a tensor for its size (`sum_like`, `broadcast_like`, `reshape_like`, `shape_of`) become plain ops here,
or nothing. A size that does not fit is found here too, before anything has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import NamedTuple, cast

from autograph.control import Body, changed, with_params
from autograph.errors import NOTHING_CHANGED, AutographError, UpdateTypeError
from autograph.graph.graph import ancestors
from autograph.graph.op import Kind
from autograph.graph.tensor import Placeholder, Tensor, Variable, rebuilt, told
from autograph.graph.update import Update, check_type
from autograph.origin import credit
from autograph.passes.constants import folded
from autograph.tensor_type import TensorType

Bodies = dict[tuple[Body, tuple[Tensor, ...]], Body]


class Tick(NamedTuple):
    """What one call computes: outputs, and for each register its next value, held unless the guard is true."""

    inputs: tuple[Placeholder, ...]
    outputs: tuple[Tensor, ...]
    registers: tuple[Variable, ...] = ()
    values: tuple[Tensor, ...] = ()
    guards: tuple[Tensor | None, ...] = ()

    @property
    def roots(self) -> list[Tensor]:
        """Everything that must be computed."""
        return [*self.outputs, *self.values, *(guard for guard in self.guards if guard is not None)]

    def with_roots(self, roots: Sequence[Tensor], inputs: tuple[Placeholder, ...] | None = None) -> Tick:
        """The same tick with other tensors in the places of `roots`."""
        found = iter(roots)
        outputs = tuple(next(found) for _ in self.outputs)
        values = tuple(next(found) for _ in self.values)
        guards = tuple(None if guard is None else next(found) for guard in self.guards)
        return Tick(self.inputs if inputs is None else inputs, outputs, self.registers, values, guards)


def split_guards(values: Sequence[Tensor], registers: Sequence[Variable]) -> tuple[list[Tensor], list[Tensor | None]]:
    """Each `hold(guard, new, register)` at the root of an update as `new` and its guard."""
    bare: list[Tensor] = []
    guards: list[Tensor | None] = []
    for value, register in zip(values, registers, strict=True):
        held = value.op.name == "hold" and value.inputs[2] is register
        bare.append(value.inputs[1] if held else value)
        guards.append(value.inputs[0] if held else None)
    return bare, guards


def lower(tick: Tick, types: Sequence[TensorType]) -> Tick:
    """The tick for feeds of exactly these types. Raises what `infer` raises for sizes that do not fit."""
    inputs = tuple(
        p if p.type == t else Placeholder(t, p.given_name, p.default, p.origin)
        for p, t in zip(tick.inputs, types, strict=True)
    )
    done: dict[Tensor, Tensor] = dict(zip(tick.inputs, inputs, strict=True))
    bodies: Bodies = {}
    for tensor in ancestors(tick.roots):
        if tensor not in done:
            done[tensor] = _lowered(tensor, tuple([done[source] for source in tensor.inputs]), bodies)
    lowered = tick.with_roots([done[root] for root in tick.roots], inputs)
    for register, value in zip(lowered.registers, lowered.values, strict=True):
        try:
            check_type(Update(register, value))  # a size that was unknown when the function was built
        except UpdateTypeError as error:
            raise error.retold(error.what, after=NOTHING_CHANGED) from None
    return lowered


def _lowered(tensor: Tensor, inputs: tuple[Tensor, ...], bodies: Bodies) -> Tensor:
    if not inputs:
        return tensor
    static = all(None not in source.type.shape for source in inputs)
    if static and tensor.op.kind is Kind.CONTROL:
        tensor = with_params(tensor, changed(tensor, lambda body: _lowered_body(body, inputs, bodies)))
    try:
        if tensor.op.specialize is not None and static:
            with credit(tensor.origin):
                special = tensor.op.specialize(inputs, tensor.params)
            if special is not None:
                return cast(Tensor, special)
        kept = tensor.type.is_static and all(map(is_, inputs, tensor.inputs))
        result = tensor if kept else rebuilt(tensor, inputs)
    except AutographError as error:
        if error.after:  # of a graph inside, and told with the place there
            raise
        raise told(error, f"{tensor.op.name} {tensor.name!r}", inputs, str(tensor.origin), NOTHING_CHANGED) from None
    return folded(result)


def _lowered_body(body: Body, inputs: tuple[Tensor, ...], bodies: Bodies) -> Body:
    """The graph that an op with these inputs holds, its own sizes known too: one, for all results of the op."""
    if (body, inputs) not in bodies:
        tick = lower(Tick(body.inputs, body.outputs), body.types([source.type for source in inputs]))
        bodies[body, inputs] = body._replace(inputs=tick.inputs, outputs=tick.outputs)
    return bodies[body, inputs]
