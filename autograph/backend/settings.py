"""Settings of the whole program: the float type, the fuzz of losses, the order of image axes."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from autograph.arguments import shown, truth
from autograph.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from autograph.errors import ArgumentError, nearest
from autograph.literals import array_of

__all__ = [
    "backend",
    "cast_to_floatx",
    "eager",
    "epsilon",
    "floatx",
    "image_data_format",
    "manual_variable_initialization",
    "normalize_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "symbolic",
]

F = TypeVar("F")

_FORMATS = ("channels_last", "channels_first")


def backend() -> str:
    """The name of this backend, "autograph"."""
    return "autograph"


def symbolic(func: F) -> F:
    """`func` itself: a decorator that Keras puts on what builds graphs. Here everything does."""
    return func


def eager(func: F) -> F:
    """`func` itself: a decorator that Keras puts on what computes at once."""
    return func


def manual_variable_initialization(value: Any) -> None:
    """Takes a truth value, and changes nothing: a variable holds its value from when it is made, and needs no initialization.

    Raises ArgumentTypeError for anything else.
    """
    truth(value, "manual_variable_initialization: the value")


def cast_to_floatx(x: Any) -> np.ndarray[Any, Any]:
    """An array, a number or a list as an array of the dtype `floatx()`, of the same shape."""
    return array_of(x, floatx())


def normalize_data_format(value: Any) -> str:
    """ "channels_last" or "channels_first" in lower case; None is `image_data_format()`.

    Raises ArgumentError (a ValueError) for anything else.
    """
    name = image_data_format() if value is None else value.lower() if isinstance(value, str) else ""
    if name not in _FORMATS:
        what = f"data_format {shown(value)} is unknown{nearest(name, _FORMATS)}"
        raise ArgumentError(what, fix=f"one of {', '.join(_FORMATS)}")
    return name
