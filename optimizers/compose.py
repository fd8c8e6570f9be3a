"""Optimizers made of optimizers: groups of parameters, sums over several ticks, and losses that are scaled.

Each has `get_updates(loss, params)`, `state` and `load` as an optimizer has, and may stand in another's place:
`accumulate(partition({"*/bias": SGD(0.1)}, Adam()), 4)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    Updates,
    Variable,
    cast,
    equal,
    greater_equal,
    maximum,
    minimum,
    mod,
    variable,
    where,
    zeros_like,
)
from optimizers.arguments import read_arguments, read_gradients, read_parameters
from optimizers.clipping import all_finite
from optimizers.options import check_matched, match
from optimizers.state import Saved, named


class Composed(Saved):
    """Optimizers behind one `get_updates`; `optimizers` lists them."""

    optimizers: list[Any]

    def __init__(self, optimizers: Sequence[Any], name: str) -> None:
        self.optimizers = list(dict.fromkeys(optimizers))
        self.name = name
        for one in self.optimizers:
            if not callable(getattr(one, "get_updates", None)):
                fix = "pass an instance, such as Adam()"
                raise ArgumentTypeError(f"{name}: {one!r} is no optimizer", fix=fix)
            if isinstance(one, type):
                raise ArgumentTypeError(f"{name}: {one.__name__} is a class", fix=f"write {one.__name__}()")

    def get_updates(self, *args: Any, **kwargs: Any) -> Updates:
        """What one tick changes. Call forms and errors are those of `Optimizer.get_updates`."""
        loss, params, constraints = read_arguments(args, kwargs)
        return self._updates(loss, read_parameters(params), constraints)

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        raise NotImplementedError

    def _own(self) -> list[Variable]:
        """The registers beside those of the optimizers."""
        return []

    def _registers(self) -> dict[str, Variable]:
        inner = [register for one in self.optimizers for register in one._registers().values()]
        return named([*self._own(), *inner])

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.optimizers))})"


# groups of parameters -------------------------------------------------------------------------------------------------


class Partition(Composed):
    """Each parameter stepped by the optimizer of its group: see `partition`."""

    def __init__(self, groups: Mapping[Any, Any], default: Any) -> None:
        super().__init__([one for one in (*groups.values(), default) if one is not None], "partition")
        self.groups, self.default = dict(groups), default

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        check_matched("partition", self.groups, params)
        found: dict[Any, list[Variable]] = {}
        for p in params:
            key = match(p, self.groups)
            one = self.default if key is None else self.groups[key]
            if one is None and key is None:
                raise ArgumentError(f"partition: no group holds {p.name!r}", fix="give a default optimizer")
            if one is not None:
                found.setdefault(one, []).append(p)
        moving = [p for group in found.values() for p in group]
        if not moving:
            raise ArgumentError("partition: every parameter is frozen", why="there is nothing to step")
        if not isinstance(loss, Tensor):
            loss = list(loss)
            if len(loss) != len(params):
                read_gradients(loss, params)  # raises
            given = dict(zip(params, loss, strict=True))
            loss = [given[p] for p in moving]
        gradient = dict(zip(moving, read_gradients(loss, moving), strict=True))
        updates = Updates()
        for one, group in found.items():
            updates += one.get_updates(group, constraints, [gradient[p] for p in group])
        return updates


def partition(groups: Mapping[Any, Any], default: Any = None) -> Partition:
    """Each parameter by the optimizer of its group: `partition({"*/bias": SGD(0.1), "encoder/*": None}, Adam())`.

    groups   {parameter or pattern of names: optimizer, or None to freeze}; a parameter itself goes before patterns, and
             of these the first that matches stands
    default  the optimizer of all others

    The gradients are taken together; each optimizer clips by the norm of its own group. Raises ArgumentError, when
    updates are made, for a group without parameters and for a parameter without a group; ArgumentTypeError for what is
    no optimizer.
    """
    if not isinstance(groups, Mapping):
        raise ArgumentTypeError(f"partition: {groups!r} is no dict", fix='write partition({"*/bias": SGD()}, Adam())')
    for key in groups:
        if not isinstance(key, str | Variable):
            raise ArgumentTypeError(f"partition: {key!r} names no parameter", fix="use variables or patterns of names")
    return Partition(groups, default)


# several ticks to a step ----------------------------------------------------------------------------------------------


class Accumulated(Composed):
    """One step for the mean gradient of k ticks: see `accumulate`."""

    def __init__(self, optimizer: Any, k: int) -> None:
        super().__init__([optimizer], "accumulate")
        self.k = k
        self.ticks: Variable = variable(0, "int64", "accumulate/ticks")
        self._sums: dict[Variable, Variable] = {}

    def _own(self) -> list[Variable]:
        return [self.ticks, *self._sums.values()]

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        new = [p for p in params if p not in self._sums]
        if self._sums and (new or len(params) != len(self._sums)):
            raise ArgumentError(
                "accumulate: other parameters than before",
                why="all are stepped at the same ticks",
                fix="use another accumulate for them",
            )
        found = read_gradients(loss, params)
        for p in new:
            dtype = "float32" if p.dtype.itemsize < 4 else p.dtype
            self._sums[p] = variable(np.zeros(p.get_value().shape, dtype), dtype, f"sum/{p.name}")
        sums = [self._sums[p] for p in params]
        adding = Updates([(s, s + cast(g, s.dtype)) for s, g in zip(sums, found, strict=True)])
        adding += [(self.ticks, self.ticks + 1)]
        step = self.optimizers[0].get_updates(params, constraints, [s / self.k for s in sums])
        emptied = [(s, zeros_like(s)) for s in sums]
        return adding.then((step + emptied).when(equal(mod(self.ticks, self.k), 0)))


def accumulate(optimizer: Any, k: int) -> Accumulated:
    """Every k-th tick a step of `optimizer` for the mean of the gradients of the last k, and nothing else but their sum
    at the others: the step of a batch k times as large, bit by bit where the sums are exact.

    Counters and schedules of the optimizer count steps, not ticks; clipping, decay and constraints come once a step. A
    gradient that is not finite spoils the sum: guard the whole, `.when(all_finite(gradients))`. Registers are named
    `sum/parameter`, beside `accumulate/ticks`; half precision is summed in float32. Raises ArgumentTypeError unless k is
    a whole number, ArgumentError unless it is at least 1.
    """
    _whole("accumulate", "k", k)
    return Accumulated(optimizer, int(k))


# scaled losses --------------------------------------------------------------------------------------------------------


class Scaled(Composed):
    """Gradients of the loss times a scale: see `static_scale` and `dynamic_scale`."""

    def __init__(self, optimizer: Any, scale: float, next_scale: Callable[..., Tensor] | None, period: int) -> None:
        super().__init__([optimizer], "loss_scale")
        self.scale: Variable = variable(scale, "float64", "loss_scale")
        self.good: Variable = variable(0, "int64", "loss_scale/good")
        self._next, self._period = next_scale, period

    def _own(self) -> list[Variable]:
        return [self.scale] if self._next is None else [self.scale, self.good]

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError("loss_scale: gradients in place of the loss", fix="it is the loss that is scaled")
        raw = read_gradients(loss * cast(self.scale, loss.dtype), params)
        finite = all_finite(raw)
        found = [cast(g / cast(self.scale, g.dtype), g.dtype) for g in raw]
        step = self.optimizers[0].get_updates(params, constraints, found)
        if self._next is None:
            return step.when(finite)
        good = where(finite, self.good + 1, 0)
        due = greater_equal(good, self._period)
        own = [(self.scale, self._next(self.scale, finite, due)), (self.good, where(due, 0, good))]
        return step.when(finite) + own


def static_scale(optimizer: Any, scale: float) -> Scaled:
    """Gradients of scale·loss, divided by the scale again; a tick with one that is not finite is skipped.

    For losses computed in half precision, whose small gradients would vanish: the parameters are of float32. The scale
    is a register, `.scale`. Raises ArgumentError or ArgumentTypeError unless it is positive and finite.
    """
    return Scaled(optimizer, _positive("static_scale", "scale", scale), None, 0)


def dynamic_scale(
    optimizer: Any, initial: float = 2.0**15, factor: float = 2.0, period: int = 2000, most: float = 2.0**24
) -> Scaled:
    """As `static_scale`, with a scale that is divided by `factor` at each skipped tick, down to 1, and multiplied by it
    after `period` ticks in a row that were not, up to `most` (Micikevicius et al. 2018).

    Raises ArgumentError or ArgumentTypeError for numbers that make no sense.
    """
    start, top = _positive("dynamic_scale", "initial", initial), _positive("dynamic_scale", "most", most)
    if not _positive("dynamic_scale", "factor", factor) > 1:
        raise ArgumentError(f"dynamic_scale: factor={factor!r} makes no sense", fix="more than 1 is expected")
    _whole("dynamic_scale", "period", period)
    if not 1 <= start <= top:
        raise ArgumentError(f"dynamic_scale: initial={initial!r}", fix=f"from 1 to most={most!r} is expected")

    def following(scale: Variable, finite: Tensor, due: Tensor) -> Tensor:
        grown = where(due, minimum(scale * factor, top), scale)
        return where(finite, grown, maximum(scale / factor, 1.0))

    return Scaled(optimizer, start, following, period)


def _positive(function: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ArgumentTypeError(f"{function}: {name}={value!r} is no number", fix="a positive number is expected")
    if not (isfinite(value) and value > 0):
        raise ArgumentError(f"{function}: {name}={value!r} makes no sense", fix="a positive number is expected")
    return float(value)


def _whole(function: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"{function}: {name}={value!r} is no whole number")
    if value < 1:
        raise ArgumentError(f"{function}: {name}={value!r} makes no sense", fix="at least 1 is expected")
