"""What users pass beside tensors: numbers, truth values, lists. Each reader gives it plain, or says what it got."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from math import isfinite
from types import EllipsisType
from typing import Any

import numpy as np

from autograph.errors import ArgumentError, ArgumentTypeError, nearest

__all__ = [
    "a_function", "as_name", "choice", "items", "listed", "misfit", "number", "odd_item", "several", "shown", "symbolic",
    "truth", "uneven_rows", "whole",
]  # fmt: skip

_LONG = 60  # characters of a literal that a message holds
_MANY = 6  # items of a list


def symbolic(value: Any) -> bool:
    """Whether a value is a tensor or an update, which stand on floors above: they know their place and describe themselves."""
    return not isinstance(value, type) and hasattr(value, "origin") and hasattr(value, "describe")


def shown(value: Any, depth: int = 2) -> str:
    """What a message calls a value: the value where it is short, else its kind. Never an address."""
    if symbolic(value):
        return str(value.describe())
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | EllipsisType):
        if isinstance(value, int) and value.bit_length() > 256:
            return f"a whole number of {value.bit_length():,} bits"
        text = repr(value)
        return text if len(text) <= _LONG else f"{text[:_LONG]}…"
    if isinstance(value, np.ndarray | np.generic):
        plain = not value.ndim and value.dtype.kind in "biufcUS"
        return str(value.item()) if plain else f"an array {value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple) and depth:
        items = ", ".join([shown(item, depth - 1) for item in value[:_MANY]] + ["…"] * (len(value) > _MANY))
        return f"[{items}]" if isinstance(value, list) else f"({items})"
    name = getattr(value, "__name__", "")
    if isinstance(name, str) and name:
        return f"the {'class' if isinstance(value, type) else 'function'} {name}"
    kind = type(value).__name__
    if type(value) not in (list, tuple) and any("__repr__" in vars(cls) for cls in type(value).__mro__[:-1]):
        text = repr(value)
        if len(text) <= _LONG and " at 0x" not in text and "\n" not in text:
            return text
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def whole(value: Any, what: str, least: int | None = None, fix: str = "") -> int:
    """A whole number of Python or NumPy, of at least `least`. Raises ArgumentError for anything else, as a truth value."""
    try:
        found = value if value.__class__ is int else None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is not None and -(2**63) <= found < 2**63 and (least is None or found >= least):
        return found
    at_least = "" if least is None else f" ≥ {least}"
    if found is None or (least is not None and found < least):
        raise ArgumentError(f"{what} is {shown(value)}, not a whole number{at_least}", fix=fix or "give a whole number")
    raise ArgumentError(f"{what} is {shown(value)}, beyond 64 bits", fix=f"give a whole number{at_least} below 2**63")


def number(value: Any, what: str) -> float:
    """A finite number of Python or NumPy as a float. Raises ArgumentTypeError for another kind, ArgumentError for nan or inf."""
    single = isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind in "iuf"
    if isinstance(value, bool) or not (single or isinstance(value, int | float | np.integer | np.floating)):
        raise ArgumentTypeError(f"{what} is {shown(value)}, not a number", fix="give a finite number")
    try:
        found = float(value)
    except OverflowError:
        found = float("inf")
    if not isfinite(found):
        raise ArgumentError(f"{what} is {shown(value)}, not a finite number", fix="give a finite number")
    return found


def truth(value: Any, what: str) -> bool:
    """True or False, or 0 or 1 in their place. Raises ArgumentTypeError for anything else."""
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise ArgumentTypeError(f"{what} is {shown(value)}, not True or False", fix="it is settled when the graph is built")
    return bool(value)


def as_name(name: Any) -> str | None:
    """A name, or None. Raises ArgumentTypeError for anything else."""
    if name is not None and not isinstance(name, str):
        raise ArgumentTypeError(f"the name is {shown(name)}, not text", fix='name="weights"')
    return name


def listed(value: Any, what: str, fix: str) -> list[Any]:
    """The items of a list, a tuple, an array, or what else has an order. Raises ArgumentTypeError for anything else."""
    if several(value) and not isinstance(value, Set | Mapping):
        return list(value)
    raise ArgumentTypeError(f"{what} is {shown(value)}, not a list", fix=fix)


def items(value: Any) -> list[Any]:
    """The items of a list, a tuple, an array with axes, or whatever else gives some; else the value alone."""
    return list(value) if several(value) else [value]


def a_function(value: Any, what: str) -> Any:
    """The value, if it can be called. Raises ArgumentTypeError that names what it is for."""
    if not callable(value):
        raise ArgumentTypeError(f"{what} is {shown(value)}, which is no function", fix="pass a function of tensors")
    return value


def several(value: Any) -> bool:
    """Whether a value is a list, a tuple, an array with axes, or gives items in another way; text does not."""
    if value.__class__ in (list, tuple):
        return True
    return isinstance(value, Iterable) and not isinstance(value, str | bytes) and getattr(value, "ndim", 1) > 0


def choice(what: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ArgumentError, naming the nearest, unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        hint = nearest(value, choices) if isinstance(value, str) else ""
        raise ArgumentError(f"{what}={shown(value)} is unknown{hint}", fix=f"one of {', '.join(choices)}")


def misfit(array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> str:
    """Which number of an array, if any, an integer or boolean dtype cannot hold: a fraction, or one outside its range."""
    if dtype.kind == "f" or array.dtype == dtype:
        return ""
    if dtype.kind == "b":
        low, high = 0, 1
    else:
        info = np.iinfo(dtype)
        low, high = int(info.min), int(info.max)
    if array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            bad = array != np.floor(array)
        if bad.any():
            return f"{_first(array, bad)}, which is not whole"
        bad = (array < low) | (array >= float(high) + 1)  # as floats, 2⁶³ - 1 and 2⁶³ are one number
    elif array.dtype.kind == "u":
        bad = array > np.uint64(high)
    else:
        bad = (array < low) | (array > high)
    return f"{_first(array, bad)}, outside {low}..{high}" if bad.any() else ""


def _first(array: np.ndarray[Any, Any], where: np.ndarray[Any, Any]) -> str:
    place = [int(i) for i in np.argwhere(where)[0]]
    return f"{array[tuple(place)]} at {place}" if place else str(array)


def uneven_rows(value: Any) -> str:
    """Of nested lists that make no array: which row is the first of another length."""
    lengths = [len(row) if hasattr(row, "__len__") else 1 for row in value]
    first = next((i for i, n in enumerate(lengths) if n != lengths[0]), 0)
    if not first:
        return "its rows hold rows of different lengths"
    return f"rows of lengths {', '.join(map(str, lengths[: first + 1][-5:]))}: row {first} is the first of another length"


def odd_item(array: np.ndarray[Any, Any]) -> str:
    """Of an array of objects: the first that is no number, and where it stands."""
    for index, item in np.ndenumerate(array):
        if array.dtype.kind == "O" and not isinstance(item, bool | int | float | np.number):
            return f"{shown(item)} at {list(index)}" if index else shown(item)
    return ""
