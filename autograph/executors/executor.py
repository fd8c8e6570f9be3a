"""What a machine must offer, and the machines by name."""

from __future__ import annotations

import functools
import warnings
from importlib import import_module
from typing import Any, Protocol

from autograph import config
from autograph.arguments import choice
from autograph.errors import ArgumentError
from autograph.program.lower import Tick


class Executor(Protocol):
    """A machine. `state` is what all programs of one function share; `prepare` makes a program of a lowered tick.

    A program has `run(*arrays)` → outputs, committing on the way; `stamp`, the sum of the store's and the arena's epoch
    when `bind()` gave it its arrays; `many()`, which runs many ticks in one call, or is None; `direct(domain)`, a builtin that
    makes a call and gives a list, or NotImplemented where anything is unusual, or None; `tick`; `source`; `assembly`;
    `explain()`; `nbytes`.
    """

    name: str

    def state(self) -> Any: ...

    def prepare(self, tick: Tick, state: Any, on_nonfinite: str) -> Any: ...


class Refused(Exception):
    """Within a tick, before anything is written: a new value is not finite where the old one was."""


EXECUTORS = {
    "numpy": ("autograph.executors.numpy.executor", "NumpyExecutor"),
    "native": ("autograph.executors.native.executor", "NativeExecutor"),
}  # module and class, loaded when first used
config.EXECUTORS += EXECUTORS


class Unavailable(Exception):
    """A machine lacks what it is built on; the message says what, in one line."""


def executor_named(name: str) -> Executor:
    """The executor of that name. Raises ArgumentError with the valid names, or with what the named one lacks."""
    choice("executor", name, tuple(EXECUTORS))
    made = _made(name)
    if isinstance(made, str):
        raise ArgumentError(f"executor={name!r} does not run here: {made}", fix=f"in a clone: pip install '.[{name}]'")
    return made


def default_executor() -> Executor:
    """The executor of functions that name none. Where it does not run here, a warning says so, once, and NumPy takes over."""
    name = config.default_executor()
    choice("executor", name, tuple(EXECUTORS))
    made = _made(name)
    return _instead(name, made) if isinstance(made, str) else made


@functools.cache
def _instead(name: str, lack: str) -> Executor:
    warnings.warn(f"the {name} executor does not run here, NumPy takes over: {lack}", RuntimeWarning, stacklevel=4)
    return executor_named("numpy")


def lack_of(name: str) -> str:
    """What keeps the executor of that name from running here, in one line; empty where it runs."""
    made = _made(name)
    return made if isinstance(made, str) else ""


@functools.cache
def _made(name: str) -> Executor | str:
    """The executor, or what it lacks."""
    module, cls = EXECUTORS[name]
    try:
        made: Executor = getattr(import_module(module), cls)()
    except (ImportError, Unavailable) as error:
        return str(error)
    return made
