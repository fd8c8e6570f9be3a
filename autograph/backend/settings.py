"""Settings of the whole program: the float type, the fuzz of losses, the order of image axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arguments import shown
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
    "epsilon",
    "floatx",
    "image_data_format",
    "normalize_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]

_FORMATS = ("channels_last", "channels_first")


def backend() -> str:
    """The name of this backend, "autograph"."""
    return "autograph"


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
