"""Names: counters by prefix, scopes, and names of variables that are unique in a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from autograph.arguments import as_name, shown
from autograph.errors import ArgumentTypeError

__all__ = ["get_uid", "name_scope", "reset_uids", "scoped", "unique"]

Named = TypeVar("Named", bound=Any)

_uids: defaultdict[str, int] = defaultdict(int)
_taken: defaultdict[str, int] = defaultdict(int)  # how often a variable asked for each name
_scopes: ContextVar[tuple[str, ...]] = ContextVar("autograph_name_scopes", default=())


def get_uid(prefix: Any = "") -> int:
    """The next of the numbers 1, 2, 3, … of `prefix`."""
    if not isinstance(prefix, str):
        raise ArgumentTypeError(f"get_uid: the prefix is {shown(prefix)}, not text", fix='get_uid("dense")')
    _uids[prefix] += 1
    return _uids[prefix]


def reset_uids() -> None:
    """Let the numbers of `get_uid` begin at 1 again, and names of variables be given again."""
    _uids.clear()
    _taken.clear()


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Inside, the names of tensors that are given one begin with `name/`; scopes nest. Gives the whole prefix."""
    stack = (*_scopes.get(), *([_text(name)] if name else []))
    token = _scopes.set(stack)
    try:
        yield "".join(f"{part}/" for part in stack)
    finally:
        _scopes.reset(token)


def _text(name: str) -> str:
    return as_name(name) or ""


def scoped(tensor: Named, name: str | None) -> Named:
    """`tensor` with that name, the scopes in front; nothing where `name` is None."""
    if name is not None:
        tensor.name = "/".join((*_scopes.get(), _text(name)))
    return tensor


def unique(name: str | None) -> str | None:
    """`name` with the scopes in front; the second time it gets `_1`, then `_2`, …: files hold variables by name."""
    if name is None:
        return None
    full = "/".join((*_scopes.get(), _text(name)))
    found = full
    while found in _taken:
        _taken[full] += 1
        found = f"{full}_{_taken[full]}"
    _taken[found] = _taken[found]
    return found
