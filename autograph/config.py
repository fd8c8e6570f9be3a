"""What a program may set once for all: floatx, epsilon, image data format, default executor."""

from __future__ import annotations

import os

import numpy as np

from autograph.errors import ArgumentError, nearest

_FLOATS = ("float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")
_settings: dict[str, str | float] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "executor": os.environ.get("AUTOGRAPH_EXECUTOR", "numpy"),
}


def _choice(what: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ArgumentError(f"{what} {value!r} is unknown{nearest(value, choices)}", fix=f"choose one of {choices}")
    return value


def floatx() -> str:
    """The dtype that floats have when nothing else is said: "float16", "float32" (default) or "float64"."""
    return str(_settings["floatx"])


def set_floatx(dtype: str) -> None:
    """Set what `floatx()` returns; tensors that exist keep their dtype. Raises ArgumentError on another name."""
    _settings["floatx"] = _choice("floatx", str(dtype), _FLOATS)


def epsilon() -> float:
    """The fuzz that losses and normalisations add (1e-7)."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Set what `epsilon()` returns. Raises ArgumentError unless the value is a finite positive number."""
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ArgumentError(f"epsilon={value!r}: a finite positive number expected")
    _settings["epsilon"] = number


def image_data_format() -> str:
    """ "channels_last" (default) or "channels_first"."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Set what `image_data_format()` returns. Raises ArgumentError on another name."""
    _settings["image_data_format"] = _choice("image data format", str(data_format), _FORMATS)


def default_executor() -> str:
    """The executor of functions that name none: the environment's AUTOGRAPH_EXECUTOR, or "numpy"."""
    return str(_settings["executor"])


def set_default_executor(name: str) -> None:
    """Set the executor of functions built from now on; the name is checked when one is built."""
    _settings["executor"] = name
