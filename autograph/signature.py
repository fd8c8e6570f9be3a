"""The signature of a function, checked: inputs, unused ones, missing ones, and nested arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograph.arguments import shown
from autograph.errors import (
    NOTHING_CHANGED,
    ArgumentError,
    ArgumentTypeError,
    FeedError,
    MissingInputError,
    nearest,
)
from autograph.graph.after import After
from autograph.graph.graph import ancestors, path, substitute
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, as_tensor
from autograph.graph.updates import Update, Updates
from autograph.ops.effects import unconditional_effects
from autograph.origin import warn_user
from autograph.structure import is_nested


def check_inputs(leaves: Sequence[Any]) -> None:
    seen: dict[Tensor, int] = {}
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Variable | Constant) or not isinstance(leaf, Tensor):
            what = f"the {leaf.op.name} {leaf.name!r}" if isinstance(leaf, Tensor) else shown(leaf)
            raise ArgumentTypeError(
                f"inputs[{position}] is {what}, not a placeholder or an expression",
                fix="variables are changed by set_value or replaced through `givens`; numbers need no input",
            )
        if leaf in seen:
            raise ArgumentError(
                f"{leaf.name!r} is at positions {seen[leaf]} and {position} of `inputs`",
                why="a value could be given twice", fix="list it once",
            )  # fmt: skip
        seen[leaf] = position


def read_givens(givens: Any) -> dict[Any, Tensor]:
    """What stands in whose place. Raises ArgumentTypeError for what is no dict."""
    if givens is not None and not isinstance(givens, Mapping):
        raise ArgumentTypeError(f"givens is {shown(givens)}, not a dict", fix="write {tensor: what stands in its place}")
    return {key: as_tensor(value) for key, value in (givens or {}).items()}


def read_swap(swap: Any, registers: Sequence[Variable], name: str) -> dict[Variable, Variable]:
    """Which variable stands in whose place. Raises ArgumentTypeError for what is none, ArgumentError where types differ."""
    fix = "write {w: another variable of its type}"
    if swap is not None and not isinstance(swap, Mapping):
        raise ArgumentTypeError(f"copy: swap is {shown(swap)}, not a dict", fix=fix)
    for old, new in (swap or {}).items():
        if old not in registers:
            raise ArgumentError(f"{name!r} neither reads nor writes {shown(old)}, a key of `swap`", fix=fix)
        if not isinstance(new, Variable):
            raise ArgumentTypeError(f"copy: {shown(new)} is no variable, to stand for {old.name!r}", fix=fix)
        if old.type != new.type:
            raise ArgumentError(f"{old.name!r} is {old.type}, its replacement {new.name!r} {new.type}", fix=fix)
    return dict(swap or {})


def check_givens(givens: Mapping[Any, Tensor], leaves: Sequence[Any]) -> None:
    for key in givens:
        if not isinstance(key, Tensor):
            raise ArgumentTypeError(f"givens: the key {shown(key)} is no tensor", fix="write {tensor: what stands in its place}")
        if key in leaves:
            raise ArgumentError(
                f"{key.name!r} is both in `inputs` and in `givens`", why="it is fed, so nothing can stand in its place",
                fix="take it out of one of them",
            )  # fmt: skip


def completed(results: Sequence[Tensor], plain: Sequence[Tensor], pairs: Updates) -> tuple[Updates, list[Tensor]]:
    """The updates with those that come with what the tick reads, and what is evaluated beside the outputs.

    With a random stream comes that of its counter, with a tensor that is read after updates come these; an explicit
    update of a register takes their place. What prints is evaluated, though its value may turn out not to be needed.
    """
    beside = list(plain)
    read, seen = ancestors([*results, *plain, *(u.value for u in pairs)]), set[Tensor]()
    while read:
        found = list(dict.fromkeys(item for t in read for item in _brought(t)))
        joining = Updates([u for u in found if isinstance(u, Update) and u.variable not in pairs])
        joining._next_values()
        extra = [t for t in found if isinstance(t, Tensor)]
        pairs, beside = pairs + joining, beside + extra
        seen.update(read)
        read = [t for t in ancestors([*extra, *(u.value for u in joining)], stop=seen) if t not in seen]
    if any(t.op.kind is Kind.EFFECT for t in seen):
        beside += unconditional_effects([*results, *beside, *(u.value for u in pairs)])
    return pairs, list(dict.fromkeys(beside))


def _brought(tensor: Tensor) -> Sequence[Update | Tensor]:
    """What is to be done or evaluated wherever the tensor is read."""
    if isinstance(tensor, After):
        return tensor.behind
    if isinstance(tensor, Variable) and tensor.default_update is not None:
        return [Update(tensor, tensor.default_update)]
    return ()


def with_defaults(
    roots: list[Tensor], read: Sequence[Tensor], placeholders: Sequence[Tensor], output_count: int, pairs: Updates
) -> list[Tensor]:
    """Placeholders that nobody feeds become their defaults. Raises MissingInputError, with the path, for one without."""
    fed = set(placeholders)
    free = [t for t in read if isinstance(t, Placeholder) and t not in fed]
    for missing in free:
        if missing.default is None:
            root = next(i for i, r in enumerate(roots) if missing in set(ancestors([r])))
            first = len(roots) - len(pairs)  # plain tensors among the updates stand between
            what = "Output" if root < output_count else "Update of" if root >= first else "Tensor"
            name = pairs[root - first].variable.name if root >= first else roots[root].name
            raise MissingInputError(
                f"{what} {name!r} needs placeholder {missing.name!r} {missing.type}, which is not in `inputs`",
                why="path " + " ← ".join(t.name for t in path(roots[root], missing)),
                fix="add it to `inputs`, or give it a value through `givens`",
                where=str(missing.origin),
            )
    defaults = {p: as_tensor(p.default, p.dtype) for p in free}
    return substitute(roots, defaults) if defaults else roots


def check_used(placeholders: Sequence[Tensor], read: Sequence[Tensor], what_to_do: str) -> None:
    if what_to_do == "ignore":
        return
    known = set(read)
    for position, leaf in enumerate(placeholders):
        if leaf not in known:
            text = f"inputs[{position}] {leaf.name!r} is read by no output and no update"
            if what_to_do == "warn":
                warn_user(text)
            else:
                raise ArgumentError(text, fix="remove it, or pass on_unused_input='ignore'", where=str(leaf.origin))


def completed_arguments(
    args: Sequence[Any], named: Mapping[str, Any], entries: Sequence[Any], names: Sequence[Any], function: str
) -> list[Any]:
    """Positional arguments, and behind them those by name, or else the defaults of placeholders that have one.

    Raises FeedError for a name that is none, or is given twice.
    """
    given = list(args)
    signature = ", ".join(f"{n or 'a structure'}" for n in names)
    for name in named:
        if name not in names:
            raise FeedError(f"{function!r} has no input {name!r}{nearest(name, filter(None, names))}",
                            why=f"its inputs are ({signature})", after=NOTHING_CHANGED)  # fmt: skip
    for position, (entry, name) in enumerate(zip(entries, names, strict=True)):
        default = getattr(entry, "default", None)
        if name in named and names.count(name) > 1:
            raise FeedError(f"{function!r} has several inputs {name!r}", why="give them by position", after=NOTHING_CHANGED)
        if position < len(args) and name in named:
            raise FeedError(f"{function!r} got {name!r} twice", after=NOTHING_CHANGED)
        if position >= len(args) and name in named:
            given.append(named[name])
        elif position >= len(args) and default is not None and not isinstance(default, Tensor):
            given.append(default)
    return given


def matched(entry: Any, value: Any, name: str) -> list[Any]:
    """The leaves of a nested argument, in the order of the input's own. Raises FeedError if the two differ in form."""
    if not is_nested(entry):
        return [value]
    if isinstance(entry, dict):
        if not isinstance(value, dict) or set(value) != set(entry):
            got = f"keys {list(value)}" if isinstance(value, dict) else shown(value)
            what = f"{name!r}: a dict with keys {list(entry)} expected, got {got}"
            raise FeedError(what, fix="give it the form that `inputs` had", after=NOTHING_CHANGED)
        return [leaf for key in entry for leaf in matched(entry[key], value[key], name)]
    if not isinstance(value, list | tuple) or len(value) != len(entry):
        got = f"{len(value)}" if isinstance(value, list | tuple) else shown(value)
        what = f"{name!r}: {len(entry)} values expected in a list, got {got}"
        raise FeedError(what, fix="give it the form that `inputs` had", after=NOTHING_CHANGED)
    return [leaf for e, v in zip(entry, value, strict=True) for leaf in matched(e, v, name)]
