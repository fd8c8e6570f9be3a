"""What a program may set once for all: floatx, epsilon, image data format, default executor, threads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from autograph.arguments import choice, number, shown, whole
from autograph.errors import ArgumentError

_FLOATS = ("float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")
_settings: dict[str, str | float] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "executor": os.environ.get("AUTOGRAPH_EXECUTOR", ""),
    "threads": os.environ.get("AUTOGRAPH_THREADS", ""),
    "kernel_store": os.environ.get("AUTOGRAPH_KERNEL_STORE", ""),
}


EXECUTORS: list[str] = []  # the names of the machines there are, which `executors` knows


def keep_in(holder: Callable[[dict[str, str | float]], dict[str, str | float]]) -> None:
    """Let a dict of another class hold the settings from now on: `holder` makes it of the one that holds them now."""
    global _settings
    _settings = holder(_settings)


def _chosen(what: str, value: Any, choices: tuple[str, ...]) -> str:
    name = getattr(value, "name", value)  # of a dtype
    choice(what, name, choices)
    return str(name)


def floatx() -> str:
    """The dtype that floats have when nothing else is said: "float16", "float32" (default) or "float64"."""
    return str(_settings["floatx"])


def set_floatx(dtype: str) -> None:
    """Set what `floatx()` returns; tensors that exist keep their dtype. Raises ArgumentError on another name."""
    _settings["floatx"] = _chosen("floatx", dtype, _FLOATS)


def epsilon() -> float:
    """The fuzz that losses and normalisations add (1e-7)."""
    return float(_settings["epsilon"])


def set_epsilon(value: float) -> None:
    """Set what `epsilon()` returns. Raises ArgumentError unless the value is a finite positive number."""
    found = number(value, "epsilon")
    if found <= 0:
        raise ArgumentError(f"epsilon={shown(value)} is not positive", fix="1e-7, for one")
    _settings["epsilon"] = found


def image_data_format() -> str:
    """ "channels_last" (default) or "channels_first"."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Set what `image_data_format()` returns. Raises ArgumentError on another name."""
    _settings["image_data_format"] = _chosen("image_data_format", data_format, _FORMATS)


def default_executor() -> str:
    """The executor of functions that name none: what was set, or the environment's AUTOGRAPH_EXECUTOR.

    Where neither names one, "native" if llvmlite and SciPy are installed, and else "numpy".
    """
    return str(_settings["executor"]) or ("native" if _has_native() else "numpy")


@functools.cache
def _has_native() -> bool:
    """Whether what the native executor is built on is installed; nothing of it is imported."""
    return all(find_spec(name) for name in ("llvmlite", "scipy"))


def set_default_executor(name: str) -> None:
    """Set the executor of functions built from now on. Raises ArgumentError on another name."""
    choice("executor", name, EXECUTORS)
    _settings["executor"] = name


def kernel_store() -> str:
    """The folder in which the native executor keeps kernels for later processes: the environment's AUTOGRAPH_KERNEL_STORE.

    "" where none is named: then nothing is kept.
    """
    return str(_settings["kernel_store"])


def threads() -> int:
    """On how many threads the native executor runs long loops: the environment's AUTOGRAPH_THREADS, or as many as there are
    processors that this process may use. Raises ArgumentError where the environment says no whole number from 1 on.
    """
    said = str(_settings["threads"])
    if not said:
        return processors()
    if not said.isdecimal() or int(said) < 1:
        raise ArgumentError(f"AUTOGRAPH_THREADS={said!r} is no number of threads", fix="a whole number from 1 on")
    return int(said)


def set_threads(count: int) -> None:
    """Set what `threads()` returns, for what is prepared from now on. Raises ArgumentError unless the count is at least 1."""
    _settings["threads"] = str(whole(count, "threads", 1))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
