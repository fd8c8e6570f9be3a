"""Schedules: the learning rate as a function of the number of steps taken, for `Adam(lr=cosine(1e-3, 10_000))`.

Each function here gives a `Schedule`, which maps a float64 tensor of rank 0, t = 0 at the first step, to the rate of that
step. Numbers may be tensors of rank 0 too. Steps beyond the last keep the final rate. What t counts are steps that were
taken: behind a guard that holds, time stands still.
`optimizers.plateau` is no function of time: it is an update of the register that holds the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from itertools import pairwise
from math import inf, pi
from typing import Any

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    arguments,
    as_tensor,
    cast,
    ceil,
    clip,
    cos,
    floor,
    greater_equal,
    less,
    log,
    maximum,
    minimum,
    nearest,
    sqrt,
    where,
)
from optimizers.arguments import read_number


@dataclass(frozen=True)
class Schedule:
    """A function of the steps taken, printed as it was written.

    peak    the rate that it scales, where it has one: what papers call α beside the schedule's multiplier
    """

    rule: Callable[[Any], Any]
    text: str
    peak: Any = None

    def __post_init__(self) -> None:
        if not callable(self.rule):
            raise ArgumentTypeError(f"Schedule: {arguments.shown(self.rule)} is no function", fix="pass a function of the step")

    def __call__(self, step: Any) -> Tensor:
        found = as_tensor(self.rule(cast(as_tensor(step), "float64")))
        return found if found.type.is_float else cast(found, "float64")

    def __repr__(self) -> str:
        return self.text


def _schedule(make: Callable[..., Callable[[Any], Any]]) -> Callable[..., Schedule]:
    """Let a function that returns a function return a `Schedule`, once its numbers make sense."""
    form = signature(make)
    peaks = [name for name in form.parameters if name in ("initial", "peak", "value", "high")]

    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> Schedule:
        unknown = [name for name in kwargs if name not in form.parameters]
        if unknown:
            raise ArgumentTypeError(
                f"{make.__name__} got an unknown argument {unknown[0]!r}{nearest(unknown[0], form.parameters)}",
                fix=f"accepted: {', '.join(form.parameters)}",
            )
        try:
            bound = form.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentTypeError(f"{make.__name__}: {error}", fix=f"it is {make.__name__}{form}") from None
        for name, value in bound.arguments.items():
            _check(make.__name__, name, value)
        rule = make(*bound.args, **bound.kwargs)
        parts = [f"{name}={value!r}" if name in kwargs else repr(value) for name, value in bound.arguments.items()]
        peak = rule.peak if isinstance(rule, Schedule) else None
        peak = peak if peak is not None else next((bound.arguments[n] for n in peaks if n in bound.arguments), None)
        return Schedule(rule, f"{make.__name__}({', '.join(parts)})", peak)

    return made


_STEPS = ("steps", "every", "half", "stable", "decay_steps")
_FROM_ZERO = ("linear", "polynomial", "warmup")  # what may begin at 0
_POSITIVE = ("initial", "rate", "peak", "value", "high", "factor", "growth", "divide", "final_divide", "power", "exponent")


def _check(function: str, name: str, value: Any) -> None:
    """Raise ArgumentError or ArgumentTypeError where a number makes no sense under this name."""
    positive = name in _STEPS + _POSITIVE and not (name == "initial" and function in _FROM_ZERO)
    kind = "a positive number" if positive else "a number of at least 0"
    if isinstance(value, Tensor):
        if value.ndim:
            raise ArgumentError(f"{function}: {name} is {value.describe()}", fix="a tensor of rank 0 is expected")
        return
    if name in ("after", "schedules", "boundaries", "milestones", "values", "points", "staircase", "cycle"):
        return
    if name == "end" and value is None:
        return
    read_number(f"{function}: {name}", value, kind, least=0, positive=positive, below=1 if name == "portion" else inf)


def _increasing(function: str, steps: Sequence[Any], count: int | None = None) -> list[float]:
    """Steps as numbers. Raises ArgumentError unless they increase, from above 0."""
    given = arguments.listed(steps, f"{function}: the steps", "a list of steps, as [1000, 2000]")
    found = [read_number(f"{function}: a step", step, "a number of steps") for step in given]
    if any(not b > a for a, b in zip([0.0, *found], found, strict=False)):
        raise ArgumentError(f"{function}: the steps {found} do not increase from above 0", fix="sort them, each once")
    if count is not None and len(found) != count:
        raise ArgumentError(f"{function}: {count} steps are needed between {count + 1} rates, got {len(found)}",
                            fix="one step less than there are rates")  # fmt: skip
    return found


def _choose(t: Any, boundaries: Sequence[float], values: Sequence[Any]) -> Any:
    """The value of the stretch in which t lies; a boundary belongs to the stretch that it begins."""
    found = values[0] + 0 * t
    for boundary, value in zip(boundaries, values[1:], strict=True):
        found = where(greater_equal(t, boundary), value, found)
    return found


# of one formula -------------------------------------------------------------------------------------------------------


@_schedule
def constant(value: Any) -> Callable[[Any], Any]:
    """η at every step."""
    return lambda t: value + 0 * t


@_schedule
def inverse_time(initial: Any, decay: Any, steps: Any = 1, staircase: bool = False) -> Callable[[Any], Any]:
    """η / (1 + decay·t/steps); with `steps=1` Keras's `decay`. `staircase` takes the floor of t/steps."""
    return lambda t: initial / (1 + decay * _ratio(t, steps, staircase))


@_schedule
def exponential(
    initial: Any, rate: Any, steps: Any = 1, staircase: bool = False, begin: Any = 0, end: Any = None
) -> Callable[[Any], Any]:
    """η·rate^(t/steps), after `begin` steps at η.

    staircase   takes the floor of t/steps
    end         where it stops: from below if rate > 1, else from above
    """
    bound = minimum if not isinstance(rate, Tensor) and rate > 1 else maximum

    def rule(t: Any) -> Any:
        found = initial * rate ** _ratio(maximum(t - begin, 0.0), steps, staircase)
        return found if end is None else bound(found, end)

    return rule


def _ratio(t: Any, steps: Any, staircase: bool) -> Any:
    return floor(t / steps) if staircase else t / steps


@_schedule
def step_decay(initial: Any, every: Any, factor: Any = 0.1) -> Callable[[Any], Any]:
    """η·factor^⌊t/every⌋."""
    return lambda t: initial * factor ** floor(t / every)


@_schedule
def polynomial(
    initial: Any, final: Any, steps: Any, power: Any = 1.0, cycle: bool = False, begin: Any = 0
) -> Callable[[Any], Any]:
    """η₁ + (η₀ − η₁)·(1 − t/n)^power over n steps, after `begin` steps at η₀.

    cycle   begins again after every n steps, each time with n added to n (Keras's and TensorFlow's `cycle`)
    """

    def rule(t: Any) -> Any:
        past = maximum(t - begin, 0.0)
        length = steps * maximum(ceil(past / steps), 1.0) if cycle else steps
        return final + (initial - final) * (1 - minimum(past / length, 1.0)) ** power

    return rule


@_schedule
def linear(initial: Any, final: Any, steps: Any, begin: Any = 0) -> Callable[[Any], Any]:
    """η₀ + (η₁ − η₀)·t/n over n steps, after `begin` steps at η₀. The first rate may be 0."""
    return lambda t: initial + (final - initial) * clip((t - begin) / steps, 0.0, 1.0)


@_schedule
def cosine(initial: Any, steps: Any, alpha: Any = 0.0, exponent: Any = 1.0) -> Callable[[Any], Any]:
    """η·(α + (1−α)·(½(1 + cos π·t/n))^exponent) over n steps: down to α·η (Loshchilov & Hutter 2017)."""
    return lambda t: initial * _half_wave(minimum(t / steps, 1.0), alpha, exponent)


def _half_wave(part: Any, alpha: Any, exponent: Any = 1.0) -> Any:
    wave = 0.5 * (1 + cos(pi * part))
    # A power of 1 is left out, so that none is computed.
    return alpha + (1 - alpha) * (wave if isinstance(exponent, int | float) and exponent == 1 else wave**exponent)


@_schedule
def cosine_restarts(
    initial: Any, steps: int, growth: Any = 2.0, factor: Any = 1.0, alpha: Any = 0.0
) -> Callable[[Any], Any]:
    """SGDR (Loshchilov & Hutter 2017): cosines from η to α·η, of n, n·growth, n·growth², … steps.

    factor  what each restart multiplies the height by: with i restarts behind, factorⁱ·η down to α·η
    growth  a number of at least 1

    With factor 1, PyTorch's CosineAnnealingWarmRestarts; in general TensorFlow's CosineDecayRestarts.
    """
    if isinstance(growth, Tensor) or growth < 1:
        raise ArgumentError(f"cosine_restarts: growth={growth!r} makes no sense here", fix="a number of at least 1 is expected")

    def rule(t: Any) -> Any:
        done = t / steps
        if growth == 1:
            restarts = floor(done)
            part = done - restarts
        else:
            # The lengths are a geometric series; powers of the exact count repair what its logarithm rounds.
            count = floor(log(1 + done * (growth - 1)) / float(np.log(growth)))
            for shift in (1, -1):
                wrong = (greater_equal if shift > 0 else less)(done, _begun(count + max(shift, 0), growth))
                count = where(wrong, count + shift, count)
            restarts = count
            part = (done - _begun(restarts, growth)) / growth**restarts
        height = 1.0 if isinstance(factor, int | float) and factor == 1 else factor**restarts
        return initial * (alpha + (1 - alpha) * 0.5 * height * (1 + cos(pi * part)))

    return rule


def _begun(count: Any, growth: float) -> Any:
    return (growth**count - 1) / (growth - 1)


@_schedule
def rsqrt(peak: Any, warmup_steps: Any = 1) -> Callable[[Any], Any]:
    """peak·min(s/w, √(w/s)) with s = t + 1: up for w steps, then as 1/√s (Vaswani et al. 2017).

    Their rate for a model of width d is that of peak = 1/√(d·w).
    """
    if not isinstance(warmup_steps, Tensor) and warmup_steps <= 0:
        raise ArgumentError(f"rsqrt: warmup_steps={warmup_steps!r}", fix="a positive number is expected")
    return lambda t: peak * minimum((t + 1) / warmup_steps, sqrt(warmup_steps / (t + 1)))


@_schedule
def triangular(low: Any, high: Any, half: Any, factor: Any = 1.0, decay: Any = 1.0) -> Callable[[Any], Any]:
    """Up from `low` to `high` in `half` steps, down in as many, again and again (Smith 2017).

    factor  multiplies the height after each cycle: 0.5 is "triangular2"
    decay   multiplies the height after each step: "exp_range"
    """

    def rule(t: Any) -> Any:
        cycle = floor(t / (2 * half))
        height = maximum(1 - abs(t / half - 2 * cycle - 1), 0.0)
        return low + (high - low) * height * factor**cycle * decay**t

    return rule


# of several stretches -------------------------------------------------------------------------------------------------


@_schedule
def piecewise_constant(values: Sequence[Any], boundaries: Sequence[Any]) -> Callable[[Any], Any]:
    """values[i] from boundaries[i−1] on, up to before boundaries[i].

    As PyTorch and optax have it; Keras 3 lets a boundary belong to the stretch that it ends.
    """
    rates = arguments.listed(values, "piecewise_constant: the values", "a list of rates, as [1e-3, 1e-4]")
    for value in rates:
        _check("piecewise_constant", "a rate", value)
    steps = _increasing("piecewise_constant", boundaries, len(rates) - 1)
    return lambda t: _choose(t, steps, rates)


@_schedule
def multi_step(initial: Any, milestones: Sequence[Any], factor: Any = 0.1) -> Callable[[Any], Any]:
    """η, times `factor` from each milestone on."""
    steps = _increasing("multi_step", milestones)
    return lambda t: _choose(t, steps, [initial * factor**i for i in range(len(steps) + 1)])


@_schedule
def interpolate(points: Any) -> Callable[[Any], Any]:
    """Straight lines through the points {step: rate, …}, the first at step 0; level after the last."""
    if not isinstance(points, Mapping):
        what = f"interpolate: the points are {arguments.shown(points)}, not a dict"
        raise ArgumentTypeError(what, fix="write {0: 1e-3, 1000: 1e-4}")
    steps = sorted(read_number("interpolate: a step", step, "a number of at least 0", least=0) for step in points)
    for value in points.values():
        _check("interpolate", "a rate", value)
    if not steps or steps[0] != 0:
        raise ArgumentError("interpolate: the first point is not at step 0", fix="write {0: 1e-3, 1000: 1e-4}")

    def rule(t: Any) -> Any:
        pieces = [points[a] + (points[b] - points[a]) * ((t - a) / (b - a)) for a, b in pairwise(steps)]
        return _choose(t, steps[1:], [*pieces, points[steps[-1]]])

    return rule


@_schedule
def one_cycle_cosine(
    peak: Any, steps: Any, portion: Any = 0.3, divide: Any = 25.0, final_divide: Any = 1e4
) -> Callable[[Any], Any]:
    """From peak/divide up to peak in portion·n steps, then down to peak/(divide·final_divide), by half cosines.

    Smith & Topin 2018, in the form of PyTorch's OneCycleLR and optax.
    """
    first, last, top = peak / divide, peak / (divide * final_divide), portion * steps

    def rule(t: Any) -> Any:
        up = peak + (first - peak) * _half_wave(t / top, 0.0) if portion else peak
        down = last + (peak - last) * _half_wave(minimum((t - top) / (steps - top), 1.0), 0.0)
        return where(less(t, top), up, down)

    return rule


@_schedule
def one_cycle_linear(
    peak: Any, steps: Any, portion: Any = 0.3, portion_final: Any = 0.85, divide: Any = 25.0, final_divide: Any = 1e4
) -> Callable[[Any], Any]:
    """From peak/divide up to peak in portion·n steps, down again until portion_final·n, then down to
    peak/(divide·final_divide), by straight lines (Smith 2018, in optax's form)."""
    if not 0 < portion < portion_final < 1:
        raise ArgumentError(f"one_cycle_linear: portion={portion!r}, portion_final={portion_final!r} do not increase",
                            fix="0 < portion < portion_final < 1")  # fmt: skip
    first = peak / divide
    lines = {0: first, portion * steps: peak, portion_final * steps: first, steps: first / final_divide}
    return interpolate(lines)


@_schedule
def warmup(after: Any, steps: Any, initial: Any = 0.0) -> Callable[[Any], Any]:
    """A straight line from `initial` to the first rate of `after` in n steps, then `after`, which begins at its 0.

    after   a schedule, or a number: `warmup(cosine(1e-3, 9000), 1000)`
    """
    rest = _read("warmup", after)

    def rule(t: Any) -> Any:
        return where(less(t, steps), initial + (rest(0 * t) - initial) * (t / steps), rest(maximum(t - steps, 0.0)))

    return Schedule(rule, "", getattr(rest, "peak", None))


@_schedule
def join(schedules: Sequence[Any], boundaries: Sequence[Any]) -> Callable[[Any], Any]:
    """schedules[i] from boundaries[i−1] on; each begins at its own 0."""
    given = arguments.listed(schedules, "join: the schedules", "a list of schedules")
    found = [_read("join", schedule) for schedule in given]
    steps = _increasing("join", boundaries, len(found) - 1)

    def rule(t: Any) -> Any:
        # None of them sees a time before its own.
        return _choose(t, steps, [f(maximum(t - b, 0.0)) for f, b in zip(found, [0.0, *steps], strict=True)])

    peaks = [f.peak for f in found if isinstance(f, Schedule) and isinstance(f.peak, int | float)]
    return Schedule(rule, "", max(peaks, default=None))


@_schedule
def wsd(peak: Any, warmup_steps: Any, stable: Any, decay_steps: Any, final: Any = 0.0) -> Callable[[Any], Any]:
    """Warm-up, stable, decay (Hu et al. 2024): a line up from 0, `stable` steps at the peak, a line down to `final`."""
    return lambda t: (
        final
        + (peak * _rising(t, warmup_steps) - final)
        * (1 - clip((t - warmup_steps - stable) / decay_steps, 0.0, 1.0))
    )


def _rising(t: Any, steps: Any) -> Any:
    return minimum(t / steps, 1.0) if isinstance(steps, Tensor) or steps else 1.0


def _read(function: str, schedule: Any) -> Any:
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        return constant(schedule)
    if not callable(schedule):
        raise ArgumentTypeError(f"{function}: {arguments.shown(schedule)} is no schedule", fix="pass a function of the step")
    return schedule
