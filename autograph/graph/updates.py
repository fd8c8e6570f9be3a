"""Updates: the next-state function of registers, and its algebra.

A variable is a register, a call of a function is one tick of a clock, and updates say what each register holds after
the tick, in terms of what all registers held before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, SupportsIndex

import numpy as np

from autograph.arguments import listed, shown
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError, nearest
from autograph.graph.graph import substitute
from autograph.graph.notation import escaped, latex_name
from autograph.graph.op import REGISTRY, Kind
from autograph.graph.show import formula, latex
from autograph.graph.tensor import Tensor, Variable, apply
from autograph.graph.update import Update, check_type, check_updates, new_value, read_item, read_items
from autograph.origin import warn_user

__all__ = ["Update", "Updates", "as_updates"]

_TENSORS = "pass a tensor, or a list of them"
_ROWS = 60  # updates that a repr shows


class Updates(list[Any]):
    """A list of `Update`s, each a pair `(variable, new_value)`: what registers hold after a tick.

    u = a + b             both read the old values; the same register twice is an error when a function is built
    u = a.then(b)         b reads the values that a writes; still one tick
    u = u.when(cond)      every register holds its value unless the condition is true
    u = u.map(p, fn)      the next value of p is fn of what it was to be
    u[p]                  the next value of p;  u.after(x): any expression as it will be after the tick

    A new value that is a number or an array becomes a constant of the register's dtype. A plain tensor among updates is
    kept in its place; `function` evaluates it, changes nothing, and warns. `labels` names tensors for printing.
    Raises UpdateTypeError for an item that is no pair, or whose first half is no variable.
    """

    labels: dict[Tensor, str]

    def __init__(
        self, pairs: Iterable[Any] | Mapping[Any, Any] | None = (), labels: Mapping[Tensor, str] | None = None
    ) -> None:
        super().__init__(read_items(pairs))
        self.labels = {**_labels(pairs), **(labels or {})}

    @property
    def registers(self) -> list[Variable]:
        """The variables that are written, in order."""
        return [item.variable for item in self if isinstance(item, Update)]

    # a list that stays Updates -------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Updates:
        if not isinstance(other, list | tuple | Mapping | Tensor):
            return NotImplemented
        return Updates([*self, *read_items(other)], {**_labels(other), **self.labels})

    def __radd__(self, other: Any) -> Updates:
        if isinstance(other, int) and not other:  # where `sum` begins
            return self.copy()
        if not isinstance(other, list | tuple | Mapping):
            return NotImplemented
        return Updates([*read_items(other), *self], self.labels)

    def __iadd__(self, other: Iterable[Any]) -> Self:  # type: ignore[misc]  # wider than list += list
        self.extend(other)
        return self

    def extend(self, pairs: Iterable[Any]) -> None:
        """Append each pair."""
        super().extend(read_items(pairs))
        for tensor, label in _labels(pairs).items():
            self.labels.setdefault(tensor, label)

    def append(self, pair: Any) -> None:
        """Append a pair."""
        super().append(read_item(pair, len(self)))

    def insert(self, position: SupportsIndex, pair: Any) -> None:
        """Insert a pair."""
        super().insert(position, read_item(pair, position))

    def copy(self) -> Updates:
        """Another list of the same updates."""
        return Updates(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, read_items(value) if isinstance(key, slice) else read_item(value, key))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, Tensor):
            return self._find(key).value
        found = super().__getitem__(key)
        return Updates(found, self.labels) if isinstance(key, slice) else found

    def __contains__(self, item: object) -> bool:
        return item in self.registers if isinstance(item, Variable) else super().__contains__(item)

    # the algebra -----------------------------------------------------------------------------------------------------

    def then(self, later: Iterable[Any] | Mapping[Any, Any]) -> Updates:
        """`later` as if it came one tick after these, in the same tick: it reads what these write.

        Where both write a register, the value of `later` stands. Raises DuplicateUpdateError if either writes it twice.
        """
        second = Updates(later)
        new = self._next_values()
        second._next_values()
        labelled = [tensor for tensor in second.labels if tensor.inputs]
        values = [item.value if isinstance(item, Update) else item for item in second]
        images = substitute([*labelled, *values], new)
        labels = {image: second.labels[tensor] for tensor, image in zip(labelled, images, strict=False)}
        moved = iter(images[len(labelled) :])
        second[:] = [Update(i.variable, next(moved)) if isinstance(i, Update) else next(moved) for i in second]
        last = {item.variable: item for item in second if isinstance(item, Update)}
        first = [last.get(item.variable, item) if isinstance(item, Update) else item for item in self]
        rest = [item for item in second if not (isinstance(item, Update) and item.variable in new)]
        return Updates(first + rest, {**labels, **second.labels, **self.labels})

    def when(self, condition: Any) -> Updates:
        """These updates if `condition` is true; else every register holds its value, and nothing is computed.

        condition   a truth value, or a boolean tensor of rank 0

        Raises ArgumentTypeError, DTypeError or ShapeError for another condition, UpdateTypeError for a new value that
        does not fit its register.
        """
        if isinstance(condition, bool | np.bool_):
            return self.copy() if condition else Updates([_held(item) for item in self], self.labels)
        _check_condition(condition)
        joined: dict[Tensor, Tensor] = {}
        return Updates([_guarded(item, condition, joined) for item in self], self.labels)

    def map(self, register: Variable, fn: Callable[[Tensor], Any]) -> Updates:
        """The same updates, save that `register` is to hold `fn` of what it was to hold: a projection, a clip.

        Raises ArgumentError if these do not write it.
        """
        old = self._find(register)
        if not callable(fn):
            raise ArgumentTypeError(f"map(): {shown(fn)} is no function", fix="u.map(w, lambda new: clip(new, 0, 1))")
        new = Update(register, new_value(register, fn(old.value)))
        return Updates([new if item is old else item for item in self], self.labels)

    def after(self, expression: Any) -> Any:
        """`expression` (a tensor, or several) as it will be after the tick, in terms of the values before it."""
        asked = [expression] if isinstance(expression, Tensor) else listed(expression, "after(): the expression", _TENSORS)
        for item in asked:
            if not isinstance(item, Tensor):
                raise ArgumentTypeError(f"after(): {shown(item)} is no tensor", fix=_TENSORS)
        found = substitute(asked, self._next_values())
        return found[0] if isinstance(expression, Tensor) else found

    def _next_values(self) -> dict[Tensor, Tensor]:
        """Each register's next value. Raises DuplicateUpdateError or UpdateTypeError."""
        updates = [item for item in self if isinstance(item, Update)]
        check_updates(updates)
        return {item.variable: item.value for item in updates}

    def _find(self, register: Any) -> Update:
        if not isinstance(register, Variable):
            raise ArgumentTypeError(f"{shown(register)} is no variable", fix="updates are looked up by variable, as in u[w]")
        found = [item for item in self if isinstance(item, Update) and item.variable is register]
        if not found:
            name, names = register.name, [r.name for r in self.registers]
            raise ArgumentError(f"these updates do not write {name!r}{nearest(name, names)}", fix=_written(names))
        check_updates(found)
        return found[0]

    # for people ------------------------------------------------------------------------------------------------------

    def _rows(self, write: Callable[..., str]) -> list[tuple[str, str]]:
        """Names of registers and formulas of their new values; in these the new values of others are primed names.

        Behind a guard that holds, the values behind the same guard are what the registers will hold.
        """
        behind: dict[Tensor | None, dict[Tensor, str]] = {None: {}}
        for item in self:
            if isinstance(item, Update):
                guard, new = _opened(item)
                prime = f"{self.labels.get(item.variable, item.variable.name)}′"
                for at, value in ((None, item.value), (guard, new)):
                    if value.op.kind is not Kind.LEAF:
                        behind.setdefault(at, {}).setdefault(value, prime)
        rows = []
        for item in self[:_ROWS]:
            if not isinstance(item, Update):
                rows.append(("", write(item, {**behind[None], **self.labels})))
                continue
            guard, new = _opened(item)
            labels = {**behind[None], **behind.get(guard, {}), **self.labels}
            if new not in self.labels:
                labels.pop(new, None)
            rows.append((item.variable.name, write(item.value, labels)))
        return rows

    def __repr__(self) -> str:
        rows = self._rows(formula)
        width = max((_width(target) for target, _ in rows), default=0)
        lines = [f"{target}{' ' * (width - _width(target))} {'←' if target else '='} {value}" for target, value in rows]
        if len(self) > _ROWS:
            lines.append(f"… {len(self) - _ROWS:,} more")
        return "\n".join(lines) or "Updates()"

    def _repr_latex_(self) -> str:
        lines = [rf"{latex_name(target)} &\leftarrow {value}" for target, value in self._rows(latex)]
        return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"

    def _repr_html_(self) -> str:
        row = "<tr><td align='right'>${}$</td><td>$\\leftarrow$</td><td align='left'>${}$</td></tr>"
        cells = [(escaped(latex_name(a)), escaped(b)) for a, b in self._rows(latex)]
        return "<table>\n" + "\n".join(row.format(*pair) for pair in cells) + "\n</table>"


def _opened(item: Update) -> tuple[Tensor | None, Tensor]:
    """The guard of an update, if it has one, and the new value behind it."""
    value = item.value
    if value.op is REGISTRY["hold"] and value.inputs[2] is item.variable:
        return value.inputs[0], value.inputs[1]
    return None, value


def _width(text: str) -> int:
    """Columns on a screen: a combining hat takes none."""
    return len(text) - text.count("\u0302")


def as_updates(pairs: Iterable[Any] | Mapping[Any, Any] | None) -> tuple[Updates, list[Tensor]]:
    """What a user passes as updates, checked: the updates, and the plain tensors among them, to be evaluated only.

    Takes `Updates`, pairs, a dict from variables to new values, or None. Raises UpdateTypeError for an item that is no
    pair, a target that is no variable, and a new value of another dtype or shape; DuplicateUpdateError for a register
    with two new values. Warns of each plain tensor.
    """
    updates = Updates(pairs)
    plain = {position: item for position, item in enumerate(updates) if not isinstance(item, Update)}
    kept = Updates([item for item in updates if isinstance(item, Update)], updates.labels)
    kept._next_values()
    for position, item in plain.items():
        warn_user(
            f"updates[{position}] is the tensor {item.describe()}, no pair: it is evaluated and changes nothing; "
            "did you mean `optimizer.get_updates(loss, params)`?"
        )
    return kept, list(plain.values())





def _labels(pairs: object) -> dict[Tensor, str]:
    return pairs.labels if isinstance(pairs, Updates) else {}


def _written(names: list[str], most: int = 8) -> str:
    shown = [repr(name) for name in names[:most]] + ["…"] * (len(names) > most)
    return f"they write {', '.join(shown) or 'nothing'}"


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, Tensor):
        raise ArgumentTypeError(
            f"when(): {shown(condition)} is no condition",
            fix="pass True, False or a boolean tensor, as in u.when(equal(n % k, 0))",
        )
    if condition.dtype.kind != "b":
        fix = "compare it first, as in u.when(greater(x, 0))"
        raise DTypeError(f"when(): {condition.describe()} is no boolean", fix=fix, where=str(condition.origin))
    if condition.ndim:
        raise ShapeError(
            f"when(): {condition.describe()} is not one truth value",
            why="a guard holds for whole registers",
            fix="reduce it by any or all, or choose elementwise by where inside the new value",
            where=str(condition.origin),
        )


def _held(item: Update | Tensor) -> Update | Tensor:
    return Update(item.variable, item.variable) if isinstance(item, Update) else item


def _guarded(item: Update | Tensor, condition: Tensor, joined: dict[Tensor, Tensor]) -> Update | Tensor:
    """The update behind a guard; two guards become one, so that an executor meets one condition a register."""
    if not isinstance(item, Update) or item.value is item.variable:
        return item
    check_type(item)
    inner, new = _opened(item)
    if inner is not None:
        if inner not in joined:
            joined[inner] = apply(REGISTRY["logical_and"], condition, inner)
        condition = joined[inner]
    return Update(item.variable, apply(REGISTRY["hold"], condition, new, item.variable))
