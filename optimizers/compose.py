"""Optimizers made of optimizers: groups of parameters, sums over several ticks, and losses that are scaled.

Each has `get_updates(loss, params)`, `state` and `load`, `get_weights` and `set_weights` and `get_config` as an optimizer
has, and may stand in another's place:
`accumulate(partition({"*/bias": SGD(0.1)}, Adam()), 4)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    Updates,
    Variable,
    arguments,
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
from optimizers.arguments import read_count, read_gradients, read_number
from optimizers.clipping import all_finite
from optimizers.composed import Composed
from optimizers.options import check_matched, match
from optimizers.state import Key

# groups of parameters -------------------------------------------------------------------------------------------------


class Partition(Composed):
    """Each parameter stepped by the optimizer of its group: see `partition`."""

    __slots__ = ("default", "groups")

    def __init__(self, groups: Any, default: Any) -> None:
        if not isinstance(groups, Mapping):
            what = f"partition: {arguments.shown(groups)} is no dict"
            raise ArgumentTypeError(what, fix='write partition({"*/bias": SGD()}, Adam())')
        for key in groups:
            if not isinstance(key, str | Variable):
                what = f"partition: {arguments.shown(key)} names no parameter"
                raise ArgumentTypeError(what, fix="use variables or patterns of names")
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
            raise ArgumentError("partition: every parameter is frozen", why="there is nothing to step",
                                fix="give a group or a default optimizer")  # fmt: skip
        whole = isinstance(loss, Tensor)
        if not whole:
            loss = arguments.listed(loss, "the loss", "a tensor, or a gradient for each parameter")
            if len(loss) != len(params):
                read_gradients(loss, params)  # raises
            given = dict(zip(params, loss, strict=True))
            loss = [given[p] for p in moving]
        gradient = dict(zip(moving, read_gradients(loss, moving), strict=True))
        updates = Updates()
        for one, group in found.items():
            needed = whole and getattr(one, "_needs_loss", False)
            updates += one.get_updates(group, constraints, loss if needed else [gradient[p] for p in group])
        return updates

    def _numbers(self) -> dict[str, Any]:
        place = {None: None} | {one: i for i, one in enumerate(self.optimizers)}
        if any(isinstance(key, Variable) for key in self.groups):
            raise ArgumentError("partition names variables, and is no plain data", fix="name them by patterns")
        return {"groups": {key: place[one] for key, one in self.groups.items()}, "default": place[self.default]}

    @classmethod
    def _made(cls, optimizers: list[Any], config: Mapping[str, Any]) -> Self:
        one = {None: None} | dict(enumerate(optimizers))
        return cls({key: one[place] for key, place in config["groups"].items()}, one[config["default"]])

    def _parts(self) -> list[tuple[str, Any]]:
        groups = [(key.name if isinstance(key, Variable) else key, one) for key, one in self.groups.items()]
        return groups + ([("all others" if groups else "all", self.default)] if self.default is not None else [])

    def _head(self) -> str:
        return "partition"

    def __repr__(self) -> str:
        groups = {key.name if isinstance(key, Variable) else key: one for key, one in self.groups.items()}
        return f"partition({groups!r}" + (f", {self.default!r})" if self.default is not None else ")")


def partition(groups: Any, default: Any = None) -> Partition:
    """Each parameter by the optimizer of its group: `partition({"*/bias": SGD(0.1), "encoder/*": None}, Adam())`.

    groups   {parameter or pattern of names: optimizer, or None to freeze}; a parameter itself goes before patterns, and
             of these the first that matches stands
    default  the optimizer of all others

    The gradients are taken together; each optimizer clips by the norm of its own group, and one that reads the loss itself
    (`Sophia`, `LBFGS`) sees it as a function of its group alone. Raises ArgumentError, when
    updates are made, for a group without parameters and for a parameter without a group; ArgumentTypeError for what is
    no optimizer.
    """
    return Partition(groups, default)


# several ticks to a step ----------------------------------------------------------------------------------------------


class Accumulated(Composed):
    """One step for the gradients of k ticks: see `accumulate`."""

    __slots__ = ("_sums", "k", "mean", "ticks")

    def __init__(self, optimizer: Any, k: int, mean: bool) -> None:
        super().__init__([optimizer], "accumulate")
        self.k, self.mean = k, mean
        self.ticks: Variable = variable(0, "int64", "accumulate/ticks")
        self._sums: dict[Variable, Variable] = {}

    def _own(self) -> dict[Key, Variable]:
        return {"accumulate/ticks": self.ticks, **{("sum", p): total for p, total in self._sums.items()}}

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
        step = self.optimizers[0].get_updates(params, constraints, [s / self.k if self.mean else s for s in sums])
        emptied = [(s, zeros_like(s)) for s in sums]
        return adding.then((step + emptied).when(equal(mod(self.ticks, self.k), 0)))

    def _numbers(self) -> dict[str, Any]:
        return {"k": self.k, "mean": self.mean}

    @classmethod
    def _made(cls, optimizers: list[Any], config: Mapping[str, Any]) -> Self:
        return cls(optimizers[0], config["k"], config.get("mean", True))

    def _parts(self) -> list[tuple[str, Any]]:
        ticks, what = "tick" if self.k == 1 else f"{self.k} ticks", "mean" if self.mean else "sum"
        return [(f"every {ticks}, where g is the {what} of their gradients", *self.optimizers)]


def accumulate(optimizer: Any, k: int, mean: bool = True) -> Accumulated:
    """Every k-th tick a step of `optimizer` for the mean of the gradients of the last k, and nothing else but their sum
    at the others: the step of a batch k times as large, bit by bit where the sums are exact.

    mean    False for their sum, as PyTorch has it, where losses are sums or are divided by k already

    Counters and schedules of the optimizer count steps, not ticks; clipping, decay and constraints come once a step. A
    gradient that is not finite spoils the sum: guard the whole, `.when(all_finite(gradients))`. Registers are named
    `sum/parameter`, beside `accumulate/ticks`; half precision is summed in float32. Raises ArgumentTypeError unless k is
    a whole number, ArgumentError unless it is at least 1.
    """
    read_count("accumulate: k", k)
    if not isinstance(mean, bool):
        raise ArgumentTypeError(f"accumulate: mean={arguments.shown(mean)}", fix="True or False is expected")
    return Accumulated(optimizer, int(k), mean)


# scaled losses --------------------------------------------------------------------------------------------------------

_POSITIVE = "a positive number"  # what is expected of scales


class Scaled(Composed):
    """Gradients of the loss times a scale: see `static_scale` and `dynamic_scale`."""

    __slots__ = ("factor", "good", "most", "period", "scale")

    def __init__(self, optimizer: Any, scale: float, factor: float | None = None, period: int = 0, most: float = 0.0) -> None:
        super().__init__([optimizer], "static_scale" if factor is None else "dynamic_scale")
        self.scale: Variable = variable(scale, "float64", "loss_scale")
        self.good: Variable = variable(0, "int64", "loss_scale/good")
        self.factor, self.period, self.most = factor, period, most

    def _own(self) -> dict[Key, Variable]:
        found: dict[Key, Variable] = {"loss_scale": self.scale}
        return found if self.factor is None else found | {"loss_scale/good": self.good}

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError(f"{self.name}: gradients in place of the loss", fix="it is the loss that is scaled")
        raw = read_gradients(loss * cast(self.scale, loss.dtype), params)
        finite = all_finite(raw)
        found = [cast(g / cast(self.scale, g.dtype), g.dtype) for g in raw]
        step = self.optimizers[0].get_updates(params, constraints, found)
        if self.factor is None:
            return step.when(finite)
        good = where(finite, self.good + 1, 0)
        due = greater_equal(good, self.period)
        grown = where(due, minimum(self.scale * self.factor, self.most), self.scale)
        following = where(finite, grown, maximum(self.scale / self.factor, 1.0))
        return step.when(finite) + [(self.scale, following), (self.good, where(due, 0, good))]

    def _numbers(self) -> dict[str, Any]:
        fixed = {} if self.factor is None else {"factor": self.factor, "period": self.period, "most": self.most}
        return {"scale": float(self.scale.get_value()), **fixed}

    @classmethod
    def _made(cls, optimizers: list[Any], config: Mapping[str, Any]) -> Self:
        return cls(optimizers[0], config["scale"], config.get("factor"), config.get("period", 0), config.get("most", 0.0))

    def _parts(self) -> list[tuple[str, Any]]:
        return [("where g is ∂(scale·loss)/∂p / scale, and is finite", *self.optimizers)]


def static_scale(optimizer: Any, scale: float) -> Scaled:
    """Gradients of scale·loss, divided by the scale again; a tick with one that is not finite is skipped.

    For losses computed in half precision, whose small gradients would vanish: the parameters are of float32. The scale
    is a register, `.scale`. Raises ArgumentError or ArgumentTypeError unless it is positive and finite.
    """
    return Scaled(optimizer, read_number("static_scale: scale", scale, _POSITIVE, positive=True))


def dynamic_scale(
    optimizer: Any, initial: float = 2.0**15, factor: float = 2.0, period: int = 2000, most: float = 2.0**24
) -> Scaled:
    """As `static_scale`, with a scale that is divided by `factor` at each skipped tick, down to 1, and multiplied by it
    after `period` ticks in a row that were not, up to `most` (Micikevicius et al. 2018).

    Raises ArgumentError or ArgumentTypeError for numbers that make no sense.
    """
    given = {"initial": initial, "most": most, "factor": factor}
    start, top, by = [read_number(f"dynamic_scale: {name}", n, _POSITIVE, positive=True) for name, n in given.items()]
    if by <= 1:
        raise ArgumentError(f"dynamic_scale: factor={factor!r} makes no sense", fix="more than 1 is expected")
    read_count("dynamic_scale: period", period)
    if not 1 <= start <= top:
        raise ArgumentError(f"dynamic_scale: initial={initial!r}", fix=f"from 1 to most={most!r} is expected")
    return Scaled(optimizer, start, by, int(period), top)
