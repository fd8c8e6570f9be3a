"""Options of every optimizer: which parameters decay, by how much each is multiplied, what each must satisfy; noise.

A parameter is named by itself, or by a pattern of its name as in a shell: `{"*/bias": 2.0, kernel: 0.1}`. A parameter
itself goes before patterns; of these, the first that matches stands. What matches no parameter raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from autograph import ArgumentError, ArgumentTypeError, Tensor, Variable, arguments, nearest, seed_state
from optimizers.arguments import read_number
from optimizers.choices import Choice, Fixed
from optimizers.clipping import gradient_noise
from optimizers.constraints import Constraint, get_constraint


class Word(Choice):
    """One of some words, or None, the default."""

    def __init__(self, *words: str) -> None:
        super().__init__(*words)
        self.default: Any = None

    def read(self, value: Any) -> Any:
        """The word, or None."""
        return None if value is None else super().read(value)


class Table(Fixed):
    """A dict from parameters or patterns to what `read_value` makes of its values; None by default."""

    def __init__(self, read_value: Callable[[str, Any], Any]) -> None:
        self.default = None
        self.read_value = read_value

    def read(self, value: Any) -> dict[Any, Any] | None:
        """The dict, checked; None if it is empty."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ArgumentTypeError(f"{self.name} is {arguments.shown(value)}, no dict", fix='write {"*/bias": …} or {w: …}')
        return {_key(self.name, k): self.read_value(self.name, v) for k, v in value.items()} or None


class Names(Fixed):
    """One parameter or pattern, or several; None by default."""

    def __init__(self) -> None:
        self.default = None

    def read(self, value: Any) -> tuple[Any, ...] | None:
        """Several of them."""
        if value is None:
            return None
        several = arguments.items(value)
        return tuple(_key(self.name, key) for key in several) or None


class Seed(Fixed):
    """A whole number, or None for another at every run. Raises ArgumentTypeError for anything else."""

    def __init__(self) -> None:
        self.default = None

    def read(self, value: Any) -> int | None:
        """The number, or None."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            what = f"{self.name}={arguments.shown(value)} is no whole number"
            raise ArgumentTypeError(what, fix="seed=1, or None for another at every run")
        return int(value)


def multiplier(what: str, value: Any) -> float:
    """A finite number of at least 0. Raises ArgumentTypeError or ArgumentError."""
    return read_number(what, value, "a finite number of at least 0", least=0)


def constraint(what: str, value: Any) -> Any:
    """A function of the new value, or None for none."""
    return get_constraint(value)


def _key(what: str, key: Any) -> Any:
    if not isinstance(key, str | Variable):
        said = f"{what}: {arguments.shown(key)} names no parameter"
        raise ArgumentTypeError(said, fix="a variable or a pattern of names is expected")
    return key


# finding parameters ---------------------------------------------------------------------------------------------------


def match(p: Variable, keys: Iterable[Any]) -> Any:
    """The key that names this parameter, or None."""
    found = list(keys)
    if any(key is p for key in found):
        return p
    return next((key for key in found if isinstance(key, str) and fnmatchcase(p.name, key)), None)


def check_matched(what: str, keys: Iterable[Any], params: Iterable[Variable]) -> None:
    """Raise ArgumentError for a key that names none of these parameters."""
    every = list(params)
    known = [p.name for p in every]
    for key in keys:
        if any(key is p or (isinstance(key, str) and fnmatchcase(p.name, key)) for p in every):
            continue
        name = key if isinstance(key, str) else key.name
        shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        raise ArgumentError(
            f"{what}: {name!r} is no parameter{nearest(name, known)}", fix=f"the parameters are {shown}"
        )


def plain(name: str, value: Any) -> Any:
    """The value of an option as plain data. Raises ArgumentError where parameters themselves are named."""
    if isinstance(value, tuple | dict):
        if any(not isinstance(key, str) for key in value):
            raise ArgumentError(f"{name} names variables, and is no plain data", fix="name them by patterns")
        return [*value] if isinstance(value, tuple) else {k: plain(name, v) for k, v in value.items()}
    if isinstance(value, Constraint):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, bool | int | float | str | None):
        return value
    raise ArgumentError(f"{name} is an expression or a schedule, and no plain number", fix="save its parts")


# what they do ---------------------------------------------------------------------------------------------------------


def check_together(optimizer: Any, owned: bool, own_form: bool) -> None:
    """Raise ArgumentError for options of a weight decay or a noise that there is not, or that the rule has by itself.

    owned       whether the rule declares a `weight_decay` of its own
    own_form    whether it declares `decoupled`
    """
    kind = type(optimizer).__name__
    present = optimizer.weight_decay is not None and (not owned or optimizer.uses("weight_decay"))
    for name in ("no_decay", *(() if own_form else ("decoupled",))):
        if getattr(optimizer, name) is not None and not present:
            raise ArgumentError(f"{kind}: {name} without weight_decay does nothing", fix="give weight_decay too")
    if owned and not own_form and optimizer.decoupled is not None:
        raise ArgumentError(f"{kind}: the place of its weight decay is part of the rule", fix="leave out decoupled")
    for name in ("noise_decay", *(() if optimizer._draws else ("seed",))):
        if getattr(optimizer, name) is not None and optimizer.noise is None:
            raise ArgumentError(f"{kind}: {name} without noise does nothing", fix="give noise too")


def check_named(optimizer: Any, params: Iterable[Variable]) -> None:
    """Raise ArgumentError for a parameter or pattern in an option that names none of these."""
    every = list(params)
    for name in ("multipliers", "no_decay", "constraints"):
        check_matched(f"{type(optimizer).__name__}: {name}", getattr(optimizer, name) or (), every)


def look_up(options: Mapping[Any, Any] | None, p: Variable, default: Any) -> Any:
    """What a table says of this parameter."""
    key = match(p, options or ())
    return default if key is None else (options or {})[key]


def stream(optimizer: Any) -> Variable:
    """A new register of random numbers, `optimizer/random`, from the optimizer's seed."""
    state = seed_state(optimizer.seed)
    state.name = f"{optimizer.name}/random"
    return state


def by_name(params: Iterable[Variable]) -> list[Variable]:
    """The parameters in an order that does not depend on how they were listed: that in which numbers are drawn for them."""
    return sorted(params, key=lambda p: p.given_name or "")


def noisy(optimizer: Any, gradient: dict[Variable, Tensor]) -> dict[Variable, Tensor]:
    """The gradients with the noise of this step, if there is any."""
    if optimizer.noise is None:
        return gradient
    gamma = 0.55 if optimizer.noise_decay is None else optimizer.noise_decay

    def noised(p: Variable) -> Tensor:
        t = optimizer._clock_of[p].now.t
        found: Tensor = gradient_noise([gradient[p]], t, optimizer.noise, gamma, optimizer.random)[0]
        return found

    return {p: noised(p) for p in by_name(gradient)}


def decay_factor(optimizer: Any) -> Any:
    """What λ·p is multiplied by, by the optimizer's `decoupled`: η, η/η₀ or 1. Raises ArgumentError."""
    if optimizer.decoupled == "none":
        return 1.0
    return optimizer.rate if optimizer.decoupled == "lr" else schedule_of(optimizer)


def schedule_of(optimizer: Any) -> Tensor:
    """The rate of this step over the rate that the schedule multiplies: the schedule alone, with `decay`.

    Raises ArgumentError for an expression, or a function that does not say what it multiplies.
    """
    base = optimizer.learning_rate
    peak = base if isinstance(base, Variable) else getattr(base, "peak", None)
    if peak is None:
        raise ArgumentError(
            f"{optimizer.name}: learning_rate is {base!r}, of which the schedule's multiplier isn't known",
            fix='give a number or a schedule of optimizers.schedules, or decoupled="lr"',
        )
    ratio: Tensor = optimizer.rate / peak
    return ratio


# for the base ---------------------------------------------------------------------------------------------------------


def is_zero(value: Any) -> bool:
    """Whether this is the number 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def settle(register: Any, optimizer: str) -> None:
    """Let writes to a hyper-parameter that the rule was built without say so, in place of changing nothing."""
    fit = register.fitted

    def fitted(value: Any) -> Any:
        array = fit(value)
        if float(array) != register.get_value():
            raise ArgumentError(
                f"{register.name}={float(array)!r}: {optimizer}'s updates were built without this term",
                fix="make a new optimizer with it",
            )
        return array

    register.fitted = fitted
