"""What a machine must offer, and the machines by name."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any, Protocol

from autograph import config
from autograph.arguments import choice
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
config.EXECUTORS += EXECUTORS


def executor_named(name: str) -> Executor:
    """The executor of that name. Raises ArgumentError with the valid names."""
    choice("executor", name, tuple(EXECUTORS))
    return _made(name)


@functools.cache
def _made(name: str) -> Executor:
    module, cls = EXECUTORS[name]
    made: Executor = getattr(import_module(module), cls)()
    return made
