"""Unmodified Keras 2.3.1 and keras-rl 0.4.2 on autograph: Keras loads this module as its backend.

    KERAS_BACKEND=autograph.keras python script.py
    python -m autograph keras script.py arguments …         the same, for scripts that set no variable

`import autograph.keras` before `import keras` does it too. The module holds the names of `autograph.backend`, which Keras
copies. When it is imported it adapts Keras, keras-preprocessing and keras-rl to today's Python, NumPy and h5py: in memory,
as they are loaded, in this process and those that it starts; files on disk stay as they are.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    from autograph import Tensor
    from autograph import backend as K
    from autograph.backend import dependencies
    from autograph.keras import importing, marks, settings
    from autograph.keras.environments import gym as gym
except ImportError as error:  # Keras would take it for a backend that is not there, and hide why
    raise RuntimeError(f"autograph.keras cannot be loaded: {error}") from error

_TESTED = {"keras": "2.3.1", "keras-rl": "0.4.2"}


def _found(package: str) -> str:
    """The version of a package, or "none"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _notice() -> str:
    """What is adapted to what, and which versions were not tried together."""
    found = {package: _found(package) for package in (*_TESTED, "numpy", "h5py")}
    here = f"Python {platform.python_version()}, NumPy {found['numpy']}, h5py {found['h5py']}"
    others = [f"{package} {found[package]}" for package in _TESTED if found[package] not in (_TESTED[package], "none")]
    untried = f"; not tried with {' and '.join(others)}" if others else ""
    tested = " and ".join(f"{package} {number}" for package, number in _TESTED.items())
    return f"autograph.keras: {tested} are adapted to {here}, in memory alone{untried}"


globals().update({name: getattr(K, name) for name in K.__all__})


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """As the backend's; labels that are floats are cut to whole numbers, as Keras's own backends do, and not refused."""
    return K.sparse_categorical_crossentropy(K.cast(target, "int64"), output, from_logits, axis)


importing.install()
settings.share()
marks.mark_tensors()
dependencies.repeated_updates("first")
os.environ.setdefault("KERAS_BACKEND", __name__)  # for scripts that import this module first, and for their children
if multiprocessing.current_process().name == "MainProcess":  # once, not by every worker
    logging.getLogger(__name__).warning(_notice())
