"""What has to be done before a value is read: `control_dependencies`, and metrics, which Keras reads after a tick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from autograph.arguments import choice, several
from autograph.graph.after import After, read_after
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.update import Update, read_items
from autograph.graph.updates import Updates
from autograph.ops import barriers
from autograph.origin import warn_user

__all__ = ["control_dependencies", "distinct", "repeated_updates", "sequenced", "with_metrics"]

_scope: ContextVar[tuple[Update | Tensor, ...]] = ContextVar("autograph_control_dependencies", default=())
_repeated = ["raise"]


@contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """Inside, what `identity` gives, and new values of the functions `update…`, are read after `control_inputs`.

    control_inputs   updates, tensors (which are evaluated, as for what they print), or lists of them; None: no others
                     count, those of scopes around it neither

    Values are those after the updates, within the tick, and a function or `eval` that reads them carries the updates out.
    Of a register that scopes inside each other write, the inner update counts. Raises UpdateTypeError for anything else.
    """
    own = [] if control_inputs is None else list(_flat(control_inputs))
    written = {item.variable for item in own if isinstance(item, Update)}
    around = [] if control_inputs is None else _scope.get()
    token = _scope.set((*[i for i in around if not (isinstance(i, Update) and i.variable in written)], *own))
    try:
        yield
    finally:
        _scope.reset(token)


def _flat(given: Any) -> Iterator[Update | Tensor]:
    """Updates and tensors in lists, however nested; of variables, which wait for nothing, none."""
    if several(given) and not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Variable)):
        for item in given:
            yield from _flat(item)
    elif given is not None and not isinstance(given, Variable):
        yield from read_items([given])


def sequenced(x: Tensor, target: Variable | None = None) -> Tensor:
    """`x`, to be read or to be the new value of `target`, as the scopes around want it: itself, or after their updates."""
    behind = _scope.get()
    return read_after(barriers.identity(x), behind, target) if behind else x


# of a function -------------------------------------------------------------------------------------------------------


def repeated_updates(policy: str) -> None:
    """What `function` does about a register with two new values: "raise" DuplicateUpdateError, or keep the "first" and warn."""
    choice("repeated_updates", policy, ("raise", "first"))
    _repeated[0] = policy


def distinct(updates: Any) -> Updates:
    """The updates of a function; of those that are equal one, and of one register the first where that is the policy."""
    found = Updates(list(dict.fromkeys(read_items(updates))), updates.labels if isinstance(updates, Updates) else None)
    if _repeated[0] == "raise":
        return found
    first: dict[Any, Any] = {}
    for item in found:
        key = item.variable if isinstance(item, Update) else item
        if first.setdefault(key, item) is not item:
            warn_user(f"{key.name!r} has two new values; the first counts, {item.describe()} does not")
    return Updates(list(first.values()), found.labels)


def with_metrics(results: Sequence[Tensor], updates: Updates) -> tuple[list[Tensor], Updates]:
    """Outputs that Keras marks as metrics as they are after the tick, and the updates with those that come with them."""
    metrics = [x for x in results if getattr(x, "_is_metric", False)]
    if not metrics:
        return list(results), updates
    brought = [item for x in metrics if isinstance(x, After) for item in x.behind]
    every = updates + distinct([i for i in brought if not (isinstance(i, Update) and i.variable in updates)])
    marked = set(metrics)
    return [_read(x, every) if x in marked else x for x in results], every


def _read(metric: Tensor, updates: Updates) -> Tensor:
    found: Tensor = updates.after(metric.before if isinstance(metric, After) else metric)
    return found
