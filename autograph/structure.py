"""Nested lists, tuples and dicts of leaves: taken apart into a flat list, and put together again in the same shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Build = Callable[[Iterator[Any]], Any]


def flatten(structure: Any) -> tuple[list[Any], Build]:
    """The leaves in order, and the function that rebuilds the structure around an iterator of as many others.

    Lists, tuples (named ones too) and dicts nest; anything else, None too, is a leaf.
    """
    leaves: list[Any] = []
    return leaves, _walk(structure, leaves)


def _walk(structure: Any, leaves: list[Any]) -> Build:
    if isinstance(structure, dict):
        entries = [(key, _walk(value, leaves)) for key, value in structure.items()]
        return lambda values: {key: part(values) for key, part in entries}
    if isinstance(structure, list | tuple):
        parts = [_walk(item, leaves) for item in structure]
        if isinstance(structure, list):
            return lambda values: [part(values) for part in parts]
        if hasattr(structure, "_fields"):
            kind = type(structure)
            return lambda values: kind(*[part(values) for part in parts])
        return lambda values: tuple([part(values) for part in parts])
    leaves.append(structure)
    return next


def is_nested(structure: Any) -> bool:
    """Whether it is a list, tuple or dict."""
    return isinstance(structure, list | tuple | dict)
