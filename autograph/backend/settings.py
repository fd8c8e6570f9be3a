"""Settings of the whole program: the float type, the fuzz of losses, the order of image axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from autograph.errors import ArgumentError, nearest

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
    return np.asarray(x, dtype=floatx())


def normalize_data_format(value: str | None) -> str:
    """ "channels_last" or "channels_first" in lower case; None is `image_data_format()`.

    Raises ArgumentError (a ValueError) for anything else.
    """
    name = str(image_data_format() if value is None else value).lower()
    if name not in _FORMATS:
        raise ArgumentError(f"data_format {value!r} is unknown{nearest(name, _FORMATS)}", fix=f"one of {', '.join(_FORMATS)}")
    return name
