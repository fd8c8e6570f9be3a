"""The clock of parameters that are stepped together: the counter, and the step number and rate derived from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from autograph import ArgumentError, Tensor, Update, Variable, as_tensor, cast, variable


class Now(NamedTuple):
    """Expressions of one tick, float64 of rank 0: t, counted from 1, and the rate after schedule and decay."""

    t: Tensor
    rate: Tensor


class Clock:
    """An int64 register `optimizer/iterations` and what rules read of it."""

    def __init__(self, optimizer: Any, name: str) -> None:
        self.optimizer = optimizer
        self.iterations: Variable = variable(0, "int64", f"{optimizer.name}/{name}")
        self.shared: dict[str, Variable] = {}
        self._carried: dict[str, Tensor] = {}
        self._now: Now | None = None

    @property
    def now(self) -> Now:
        """The expressions of the updates that are being made."""
        if self._now is None:
            self.tick()
        assert self._now is not None
        return self._now

    def tick(self) -> Update:
        """Begin a step: fresh expressions, and the update that counts it."""
        self._carried = {}
        after = self.iterations + 1
        past = cast(self.iterations, "float64")
        rate = self.optimizer.learning_rate
        if not isinstance(rate, Tensor):
            rate = as_tensor(rate(past))
            if rate.ndim or not rate.type.is_float:
                raise ArgumentError(f"the schedule gives {rate.type}", fix="a float of rank 0 is expected")
        self._now = Now(cast(after, "float64"), rate / (1 + self.optimizer.decay * past))
        return Update(self.iterations, after)

    def carry(self, name: str, first: float, step: Callable[[Tensor], Tensor]) -> Tensor:
        """The new value of a number that all parameters of this clock share: `first` before the first tick, and moved by
        `step` once a tick, whichever of them asks first."""
        if name not in self.shared:
            self.shared[name] = variable(first, "float64", f"{self.optimizer.name}/{name}")
        if name not in self._carried:
            self._carried[name] = step(self.shared[name])
        return self._carried[name]

    def carried(self) -> list[Update]:
        """What the shared numbers take at the end of this tick."""
        return [Update(self.shared[name], value) for name, value in self._carried.items()]

    def labels(self) -> dict[Tensor, str]:
        """Symbols for printing; a rate that does not decay is shown as η alone."""
        decay = self.optimizer.decay
        plain = isinstance(decay, Variable) and not decay.get_value()
        own: dict[Tensor, str] = {self.now.t: "t", self.iterations: "iterations"}
        return own | ({self.now.rate: "η"} if plain else {})
