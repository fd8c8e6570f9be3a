"""Averages and targets: updates of registers that follow the parameters.

Each function gives updates that read the parameters. How they meet those of an optimizer says which values they read:

    steps.then(ema(params, 0.999))      the parameters after the step, projected: what a target network is made of
    steps + ema(params, 0.999)          the parameters before it: the average lags one step behind

Behind a guard, `steps.then(averages).when(finite)`, a tick that is skipped counts for nothing. To look at averages in
place of the parameters, `with swapped(averages): …`; `schedule_free` has rules whose averages are expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    ShapeError,
    Tensor,
    Updates,
    Variable,
    arguments,
    cast,
    equal,
    function,
    greater_equal,
    lerp,
    logical_and,
    mod,
    nearest,
    set_values,
    variable,
    where,
)
from optimizers.arguments import read_count, read_number, read_parameters
from optimizers.state import Key, Saved


class Averages(Saved, Updates):
    """The updates of averages; `averages.of[p]` is the register that holds the average of the parameter p.

    `state` and `load` are of the averages and their counter. What is combined with others is plain `Updates`: keep this.
    """

    def __init__(self, pairs: Any, kind: str, of: Mapping[Variable, Variable], ticks: Variable | None = None) -> None:
        super().__init__(pairs)
        if not isinstance(of, Mapping):
            raise ArgumentTypeError(f"Averages: of is {arguments.shown(of)}, not a dict", fix="{parameter: its average}")
        self.name, self.of, self._ticks = kind, dict(of), ticks

    def state_registers(self) -> dict[Key, Variable]:
        """The averages, as `ema/parameter`, and their counter, as `ema/ticks`."""
        ticks: dict[Key, Variable] = {} if self._ticks is None else {f"{self.name}/ticks": self._ticks}
        return ticks | {(self.name, p): average for p, average in self.of.items()}


# averages of parameters -----------------------------------------------------------------------------------------------


def ema(params: Sequence[Variable], decay: Any, debias: bool = False) -> Averages:
    """a ← a + (1−d)·(p − a): the exponential moving average, from the parameters' present values on.

    debias   w = (1−d)/(1−dᵗ) in the place of 1−d, with t = 1, 2, … the tick: the average of Adam's bias correction,
             m̂ = m/(1−dᵗ) of m ← d·m + (1−d)·p from zero, which the register holds as it is. The start is forgotten
             at once.

    decay, d     a number from 0 to below 1, or a float tensor of rank 0

    The registers are named `ema/p`, and `ema/ticks`. Half precision is averaged in float32. Raises ArgumentError.
    """
    _check_fraction("ema", "decay", decay, least=0, below=1)
    of = _registers("ema", params)
    if not debias:
        return Averages([(a, _toward(a, p, 1 - decay)) for p, a in of.items()], "ema", of)
    ticks = variable(0, "int64", "ema/ticks")
    t = cast(ticks + 1, "float64")
    weight = (1 - decay) / (1 - decay**t)
    first = equal(ticks, 0)
    pairs = [(a, where(first, cast(p, a.dtype), _toward(a, p, weight))) for p, a in of.items()]
    return Averages([(ticks, ticks + 1), *pairs], "ema", of, ticks)


def polyak(params: Sequence[Variable], start: int = 0) -> Averages:
    """The mean of the values at all ticks from the one after `start` ticks on (Polyak & Juditsky 1992).

    Before, and at the beginning, the average is the parameters' value when this was called. The registers are named
    `polyak/p`, and `polyak/ticks`. Raises ArgumentError.
    """
    return _means("polyak", params, 1, start)


def swa(params: Sequence[Variable], every: int, start: int = 0) -> Averages:
    """The mean of the values at ticks `start + every`, `start + 2·every`, … (Izmailov et al. 2018: one each cycle of
    the rate). The registers are named `swa/p`, and `swa/ticks`. Raises ArgumentError."""
    return _means("swa", params, every, start)


def _means(kind: str, params: Sequence[Variable], every: int, start: int) -> Averages:
    read_count(f"{kind}: every", every, 1)
    read_count(f"{kind}: start", start, 0)
    of = _registers(kind, params)
    ticks = variable(0, "int64", f"{kind}/ticks")
    past = ticks + 1 - start
    count = past // every
    pairs = []
    for p, a in of.items():
        # The first is taken as it is: from a far start, a + 1·(p − a) would round.
        new = where(equal(count, 1), cast(p, a.dtype), _toward(a, p, 1 / cast(count, "float64")))
        pairs.append((a, new))
    due = logical_and(greater_equal(past, every), equal(mod(past, every), 0))
    return Averages([(ticks, ticks + 1), *Updates(pairs).when(due)], kind, of, ticks)


def lookahead(updates: Any, params: Sequence[Variable], k: int = 5, alpha: Any = 0.5) -> Averages:
    """The given updates, and at every k-th tick: slow ← slow + α·(p − slow), then p ← slow (Zhang et al. 2019).

    updates  those of an optimizer over `params`
    k        ticks between two meetings
    alpha    a number above 0 and up to 1, or a float tensor of rank 0

    The slow values begin as the parameters' present ones; they are registers named `slow/p`, beside `slow/ticks`.
    Guard the whole: `lookahead(…).when(finite)`. Raises ArgumentError, also if `updates` does not write a parameter.
    """
    read_count("lookahead: k", k, 1)
    _check_fraction("lookahead", "alpha", alpha, positive=True)
    fast = Updates(updates)
    written = set(fast.registers)
    for p in read_parameters(params):
        if p not in written:
            hint = nearest(p.name, [r.name for r in fast.registers])
            raise ArgumentError(f"lookahead: the updates do not write {p.name!r}{hint}")
    of = _registers("slow", params, wide=False)
    ticks = variable(0, "int64", "slow/ticks")
    pairs: list[Any] = []
    for p, slow in of.items():
        new = _toward(slow, p, alpha)
        pairs += [(slow, new), (p, new)]
    meeting = Updates(pairs).when(equal(mod(ticks, k), 0))
    return Averages((fast + [(ticks, ticks + 1)]).then(meeting), "slow", of, ticks)


# targets --------------------------------------------------------------------------------------------------------------


def soft_update(targets: Sequence[Variable], sources: Sequence[Tensor], tau: Any) -> Updates:
    """target ← target + τ·(source − target), each for each (Lillicrap et al. 2016).

    tau     a number above 0 and up to 1, or a float tensor of rank 0; with the number 1, `hard_update`

    `steps.then(soft_update(…))` follows the sources after the step, as the paper does. Raises ArgumentError where there
    is not one source to each target, ShapeError or DTypeError where one does not fit.
    """
    _check_fraction("soft_update", "tau", tau, positive=True)
    if not isinstance(tau, Tensor) and tau == 1:
        return hard_update(targets, sources)
    return Updates([(t, _toward(t, s, tau)) for t, s in _pairs("soft_update", targets, sources)])


def hard_update(targets: Sequence[Variable], sources: Sequence[Tensor]) -> Updates:
    """target ← source, each for each; every k ticks by `.when(equal(mod(ticks, k), 0))`. Raises as `soft_update`."""
    return Updates([(t, cast(s, t.dtype)) for t, s in _pairs("hard_update", targets, sources)])


def _pairs(function: str, targets: Any, sources: Any) -> list[tuple[Variable, Tensor]]:
    named_groups = (("targets", targets), ("sources", sources))
    fix = "pass two lists of equal length"
    first, second = [arguments.listed(group, f"{function}: {what}", fix) for what, group in named_groups]
    if len(first) != len(second):
        raise ArgumentError(f"{function}: {len(first)} targets and {len(second)} sources", fix="one each is needed")
    for target, source in zip(first, second, strict=True):
        if not isinstance(target, Variable):
            what = f"{function}: the target {arguments.shown(target)} is no variable"
            raise ArgumentTypeError(what, fix="only variables hold state")
        if not isinstance(source, Tensor):
            raise ArgumentTypeError(f"{function}: the source of {target.name!r} is {arguments.shown(source)}, no tensor",
                                    fix="a variable or a tensor of its shape")  # fmt: skip
        if target is source:
            raise ArgumentError(f"{function}: {target.name!r} is its own source", fix="make a variable of its own")
        if target.shape != source.shape:
            raise ShapeError(f"{function}: {target.name!r} {target.type} cannot follow {source.name!r} {source.type}",
                             fix="pair them in the same order")  # fmt: skip
        if not (target.type.is_float and source.type.is_float):
            raise DTypeError(f"{function}: {target.name!r} {target.type} and {source.name!r} {source.type} are no floats",
                             fix="leave them out")  # fmt: skip
    return list(zip(first, second, strict=True))


# swapping -------------------------------------------------------------------------------------------------------------


@contextmanager
def swapped(averages: Any, params: Sequence[Variable] | None = None) -> Iterator[None]:
    """Within the block the parameters hold their averages; afterwards, whatever happens, what they held before.

    averages  what `ema`, `polyak`, `swa` or `lookahead` gave; or a dict from parameters to registers, or to expressions of
              registers, as `.averages` of a schedule-free rule; or with `params` a list of these, one for each of them
    params    which parameters, if not all

    All are written at once, both times, between two ticks; registers of averages stay as they are, expressions of the
    parameters are no averages within the block. What is written to the parameters there is undone at its end. Raises
    ArgumentError for a parameter that has no average, ShapeError where one does not fit, and then nothing was written.
    """
    of = _averages_of(averages, params)
    held = [(p, np.array(p.get_value())) for p in of]
    shown = [(p, np.asarray(value).astype(p.dtype)) for p, value in zip(of, _values_of(list(of.values())), strict=True)]
    try:
        set_values(shown)
        yield
    finally:
        set_values(held)


def _values_of(tensors: Sequence[Tensor]) -> list[Any]:
    """What registers hold and what expressions come to, these all in one tick."""
    expressions = [a for a in tensors if not isinstance(a, Variable)]
    found = iter(function([], expressions)() if expressions else ())
    return [a.get_value() if isinstance(a, Variable) else next(found) for a in tensors]


def _averages_of(averages: Any, params: Sequence[Variable] | None) -> dict[Variable, Tensor]:
    of: dict[Variable, Tensor]
    if isinstance(averages, Averages):
        of = dict(averages.of)
    elif isinstance(averages, Mapping):
        of = dict(averages)
    elif isinstance(averages, Updates) or not isinstance(averages, Sequence):
        raise ArgumentTypeError(
            f"swapped: {type(averages).__name__} does not say which register is whose average",
            fix="keep what ema(…) gave, before it is combined with other updates",
        )
    elif params is None or len(params) != len(averages):
        raise ArgumentError(f"swapped: {len(averages)} averages need as many params", fix="list both in one order")
    else:
        of = dict(zip(params, averages, strict=True))
    chosen = list(of) if params is None else read_parameters(params)
    for p in chosen:
        if p not in of:
            raise ArgumentError(f"swapped: {p.name!r} has no average{nearest(p.name, [q.name for q in of])}")
    return {p: of[p] for p in chosen}


# shared ---------------------------------------------------------------------------------------------------------------


def _toward(a: Tensor, b: Tensor, weight: Any) -> Tensor:
    """a + weight·(b − a). Where both are equal it stays there, whatever the weight is rounded to."""
    by = cast(weight, a.dtype) if isinstance(weight, Tensor) else float(weight)
    return cast(lerp(a, cast(b, a.dtype), by), a.dtype)


def _registers(kind: str, params: Sequence[Variable], wide: bool = True) -> dict[Variable, Variable]:
    """A register for each parameter, which holds its present value."""
    found = {}
    for p in read_parameters(params):
        dtype = "float32" if wide and p.dtype.itemsize < 4 else p.dtype
        found[p] = variable(np.array(p.get_value(), dtype), dtype, f"{kind}/{p.name}")
    return found


def _check_fraction(
    function: str, name: str, value: Any, *, least: float = 0, below: float | None = None, positive: bool = False
) -> None:
    if isinstance(value, Tensor):
        if value.ndim or not value.type.is_float:
            raise ArgumentError(f"{function}: {name} is {value.describe()}", fix="a float of rank 0 is expected")
        return
    words = "a number above 0 and up to 1" if positive else "a number from 0 to below 1"
    upper = inf if below is None else below
    read_number(f"{function}: {name}", value, words, least=least, below=upper, positive=positive, upto=1)
