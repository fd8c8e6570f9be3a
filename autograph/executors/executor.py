"""What a machine must offer, and the machines by name."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any, Protocol

from autograph.errors import ArgumentError, nearest
from autograph.program.lower import Tick


class Executor(Protocol):
    """A machine. `state` is what all programs of one function share; `prepare` makes a program of a lowered tick.

    A program has `run(*arrays)` → outputs, committing on the way; `stamp`, the sum of the store's and the arena's epoch
    when `bind()` gave it its arrays; `tick`; `source`; `nbytes`.
    """

    name: str

    def state(self) -> Any: ...

    def prepare(self, tick: Tick, state: Any, on_nonfinite: str) -> Any: ...


class Refused(Exception):
    """Within a tick, before anything is written: a new value is not finite where the old one was."""


EXECUTORS = {"numpy": ("autograph.executors.numpy.executor", "NumpyExecutor")}  # module and class, loaded when first used


@functools.cache
def executor_named(name: str) -> Executor:
    """The executor of that name. Raises ArgumentError with the valid names."""
    if name not in EXECUTORS:
        raise ArgumentError(f"executor {name!r} is unknown{nearest(name, EXECUTORS)}", fix=f"one of {', '.join(EXECUTORS)}")
    module, cls = EXECUTORS[name]
    made: Executor = getattr(import_module(module), cls)()
    return made
