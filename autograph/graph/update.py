"""One register's new value: what a user may write for it, and what it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograph.arguments import several, shown
from autograph.errors import AutographError, DTypeError, DuplicateUpdateError, UpdateTypeError
from autograph.graph.op import Kind
from autograph.graph.show import formula
from autograph.graph.tensor import Constant, Tensor, Variable, as_tensor, cast_literal
from autograph.origin import Origin, here
from autograph.tensor_type import shapes_agree, show_shape


class Update(NamedTuple):
    """After the tick `variable` holds `value`, computed from what the registers held before it."""

    variable: Variable
    value: Tensor

    @property
    def origin(self) -> Origin:
        """Where the new value was defined."""
        return self.value.origin

    def describe(self) -> str:
        """The definition, for errors: `add_3 = w + 1 (train.py:12)`."""
        value = self.value
        text = value.name if value.op.kind is Kind.LEAF else f"{value.name} = {formula(value, limit=12)}"
        return f"{text} ({self.origin.place})"


# reading what a user wrote -------------------------------------------------------------------------------------------


def read_items(pairs: Any) -> list[Any]:
    """Each item as an `Update`, or as the plain tensor it is. Raises UpdateTypeError as `read_item` does."""
    if pairs is None:
        return []
    if not several(pairs):
        raise UpdateTypeError(f"updates is {_named(pairs)}, not a list of pairs", fix="write [(variable, new_value)]")
    return [read_item(item, i) for i, item in enumerate(pairs.items() if isinstance(pairs, Mapping) else pairs)]


def read_item(item: Any, position: Any) -> Update | Tensor:
    """A pair as an `Update`; a tensor that is no variable as it is.

    Raises UpdateTypeError, naming the position, for what is no pair, a target that is no variable, and a new value that
    is no number, array or tensor.
    """
    if isinstance(item, Tensor) and not isinstance(item, Variable):
        return item
    if isinstance(item, str) or not isinstance(item, tuple | list) or len(item) != 2:
        raise UpdateTypeError(
            f"updates[{shown(position)}] is {_named(item)}, expected a pair",
            why="" if isinstance(item, Tensor) else "an update says which variable takes which new value",
            fix="did you mean [(variable, new_value)]?",
        )
    variable, value = item
    if isinstance(variable, Variable):
        if isinstance(item, Update) and isinstance(value, Tensor) and not value.type.weak:
            return item
        return Update(variable, new_value(variable, value))
    if isinstance(variable, str):
        raise UpdateTypeError(
            f"updates[{position}] targets the name {variable!r}",
            why="names need not be unique, so they find no variable",
            fix="use the variable itself, as in {w: new_value} or [(w, new_value)]",
        )
    raise UpdateTypeError(
        f"updates[{position}] targets {_named(variable)}",
        why="only variables hold state",
        fix="create it by variable(value)",
    )


def _named(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"the {value.op.name} {value.name!r}"
    return shown(value)


def new_value(variable: Variable, value: Any) -> Tensor:
    """A new value as a tensor; numbers and arrays take the register's dtype where their kind allows it.

    Raises UpdateTypeError where it does not: a fraction for an integer register.
    """
    try:
        tensor = as_tensor(value)
        if not (isinstance(tensor, Constant) and tensor.type.weak):
            return tensor
        if not np.can_cast(tensor.dtype, variable.dtype, "same_kind"):
            what = f"{tensor.dtype} does not go into {variable.dtype} without loss"
            raise DTypeError(what, fix=f'cast(new_value, "{variable.dtype}")')
        if tensor.dtype is variable.dtype:
            return Constant(tensor.value, origin=here())
        return cast_literal(tensor, variable.dtype)
    except AutographError as error:
        what = f"the update of {variable.name!r} {variable.type}: {error.what}"
        raise UpdateTypeError(what, why=error.why, fix=error.fix, where=str(variable.origin)) from None


# checks --------------------------------------------------------------------------------------------------------------


def check_updates(updates: Iterable[Update]) -> None:
    """Raise DuplicateUpdateError for a register with two new values, UpdateTypeError for one of another type."""
    seen: dict[Variable, Update] = {}
    for item in updates:
        first = seen.setdefault(item.variable, item)
        if first is not item:
            raise DuplicateUpdateError(
                f"{item.variable.name!r} has two new values: {first.describe()} and {item.describe()}",
                why="a register takes one new value a tick",
                fix="combine them into one expression, or put them in sequence by a.then(b)",
                where=str(item.variable.origin),
            )
        check_type(item)


def check_type(item: Update) -> None:
    """Raise UpdateTypeError unless the new value has its register's dtype, and a shape that may be its register's."""
    variable, value = item
    if value.dtype is not variable.dtype:
        operand = _widening(value)
        raise UpdateTypeError(
            f"the update of {variable.name!r} {variable.type} gives {value.dtype}, in {value.describe()}",
            why=f"{operand.describe()} brings that dtype in, and a register never changes its own",
            fix=f'cast(new_value, "{variable.dtype}") if that is meant',
            where=str(value.origin),
        )
    if not shapes_agree(value.shape, variable.shape):
        shapes = f"{variable.name!r} {show_shape(variable.shape)} gives {show_shape(value.shape)}"
        raise UpdateTypeError(
            f"the update of {shapes}, in {value.describe()}",
            why="updates are never broadcast",
            fix="use broadcast_like(new_value, variable), or check the axes and keepdims of reductions",
            where=str(value.origin),
        )


def _widening(value: Tensor) -> Tensor:
    """The tensor that brought its dtype into `value`: where a chain of tensors of that dtype begins, casts last."""
    starts, chain, seen = [], [value], {value}
    for tensor in chain:
        sources = {source for source in tensor.inputs if source.dtype is value.dtype}
        if not sources:
            starts.append(tensor)
        chain.extend(sources - seen)
        seen |= sources
    return min(starts, key=lambda tensor: {"cast": 1, "constant": 2}.get(tensor.op.name, 0))
