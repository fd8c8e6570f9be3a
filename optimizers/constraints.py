"""Constraints: what a parameter's new value is made to satisfy, as the last thing of its step.

    w = variable(value, constraint=MaxNorm(2.0))          or  Adam(constraints={"*/kernel": MaxNorm(2.0)})

The classes are Keras's, with its ε = `autograph.epsilon()` in the denominator, by which what satisfies them shrinks a
little at every step. The functions are exact projections: the nearest point of the set, and a point of it as it is, bit
by bit. A constraint is any function of the new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    arguments,
    as_tensor,
    cast,
    clip,
    cumsum,
    epsilon,
    greater,
    maximum,
    moveaxis,
    nearest,
    norm,
    ones_like,
    ravel,
    reduce_sum,
    reshape_like,
    sign,
    sort,
    sqrt,
    square,
    where,
)

# Keras's --------------------------------------------------------------------------------------------------------------
from optimizers.arguments import read_number


class Constraint:
    """A function of a parameter's new value, saved by its numbers. A subclass writes `__call__`."""

    def __call__(self, w: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no __call__(self, w)")

    def get_config(self) -> dict[str, Any]:
        """Its numbers by name."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class MaxNorm(Constraint):
    """w·clip(n, 0, max_value)/(ε + n), n the norms along `axis` (Srebro et al. 2005). Raises ArgumentError."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        _check("MaxNorm", "max_value", max_value, positive=True)
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Tensor:
        norms = _norms(w, self.axis)
        return _typed(w, w * (clip(norms, 0, self.max_value) / (epsilon() + norms)))


class NonNeg(Constraint):
    """max(w, 0). What is NaN stays so."""

    def __call__(self, w: Any) -> Tensor:
        return maximum(w, 0)


class UnitNorm(Constraint):
    """w/(ε + n), n the norms along `axis`."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        return _typed(w, w / (epsilon() + _norms(w, self.axis)))


class MinMaxNorm(Constraint):
    """w·(rate·clip(n, min_value, max_value) + (1−rate)·n)/(ε + n), n the norms along `axis`. Raises ArgumentError."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        for name, value in (("min_value", min_value), ("max_value", max_value), ("rate", rate)):
            _check("MinMaxNorm", name, value)
        if min_value > max_value or rate > 1:
            raise ArgumentError(
                f"MinMaxNorm: min_value={min_value!r}, max_value={max_value!r}, rate={rate!r} make no sense",
                fix="min_value ≤ max_value and rate ≤ 1 are expected",
            )
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Tensor:
        norms = _norms(w, self.axis)
        desired = self.rate * clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return _typed(w, w * (desired / (epsilon() + norms)))


def _norms(w: Any, axis: Any) -> Tensor:
    along = tuple(axis) if isinstance(axis, list) else axis
    return sqrt(reduce_sum(square(w), axis=along, keepdims=True))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_KNOWN = {c.__name__.lower(): c for c in (MaxNorm, NonNeg, UnitNorm, MinMaxNorm)}


def get_constraint(identifier: Any) -> Any:
    """A constraint from itself, None, its name ("max_norm", "MaxNorm"), or {"class_name": …, "config": {…}}.

    Raises ArgumentError for an unknown name, ArgumentTypeError for what is no constraint.
    """
    if identifier is None or callable(identifier):
        return identifier
    config: Mapping[str, Any] = {}
    if isinstance(identifier, Mapping):
        identifier, config = identifier.get("class_name"), identifier.get("config", {})
    if not isinstance(identifier, str):
        raise ArgumentTypeError(f"{arguments.shown(identifier)} is no constraint", fix="pass a function of the new value")
    found = _KNOWN.get(identifier.replace("_", "").lower())
    if found is None:
        names = [c.__name__ for c in _KNOWN.values()]
        hint = nearest(identifier, names)
        raise ArgumentError(f"constraint {identifier!r} is unknown{hint}", fix=f"known: {', '.join(names)}")
    return found(**config)


# exact projections ----------------------------------------------------------------------------------------------------


def box(low: Any = None, high: Any = None) -> Callable[[Any], Tensor]:
    """Onto low ≤ w ≤ high, elementwise; None is no bound. Raises ArgumentError if low > high."""
    if low is None and high is None:
        raise ArgumentError("box: neither low nor high is given", fix="box(0, 1), or box(low=0)")
    clip(0.0, low, high)  # which refuses bounds that make no sense
    return lambda w: _typed(w, clip(w, low, high))


def l2_ball(radius: float = 1.0, axis: Any = None) -> Callable[[Any], Tensor]:
    """Onto ‖w‖₂ ≤ radius, of the whole tensor or along `axis`: w·radius/‖w‖ outside. Raises ArgumentError."""
    _check("l2_ball", "radius", radius, positive=True)

    def project(w: Any) -> Tensor:
        n = norm(w, axis=axis, keepdims=True)
        outside = greater(n, radius)
        return _typed(w, where(outside, w * (radius / where(outside, n, 1)), w))

    return project


def simplex(total: float = 1.0, axis: int = -1) -> Callable[[Any], Tensor]:
    """Onto w ≥ 0, Σw = total along `axis`: max(w − θ, 0), θ by sorting (Held, Wolfe & Crowder 1974).

    A point of the set comes back to rounding. Raises ArgumentError.
    """
    _check("simplex", "total", total, positive=True)
    return lambda w: _typed(w, maximum(w - _threshold(w, total, axis), 0))


def l1_ball(radius: float = 1.0) -> Callable[[Any], Tensor]:
    """Onto Σ|w| ≤ radius over the whole tensor: sign(w)·max(|w| − θ, 0) outside (Duchi et al. 2008).

    Raises ArgumentError.
    """
    _check("l1_ball", "radius", radius, positive=True)

    def project(w: Any) -> Tensor:
        flat = ravel(w)
        size = abs(flat)
        shrunk = sign(flat) * maximum(size - _threshold(size, radius, 0), 0)
        return _typed(w, where(greater(reduce_sum(size), radius), reshape_like(shrunk, w), w))

    return project


def _threshold(w: Any, total: float, axis: int) -> Tensor:
    """θ with Σ max(w − θ, 0) = total along `axis`, which is kept with size 1."""
    down = sort(moveaxis(w, axis, -1), descending=True)
    counts = cumsum(ones_like(down), axis=-1)
    kept = greater(down * counts, cumsum(down, axis=-1) - total)
    count = reduce_sum(cast(kept, down.dtype), axis=-1, keepdims=True)
    theta = (reduce_sum(where(kept, down, 0), axis=-1, keepdims=True) - total) / count
    return moveaxis(theta, -1, axis)


# shared ---------------------------------------------------------------------------------------------------------------


def _typed(w: Any, new: Tensor) -> Tensor:
    return cast(new, as_tensor(w).dtype)


def _check(function: str, name: str, value: Any, *, positive: bool = False) -> None:
    kind = "a positive finite number" if positive else "a finite number of at least 0"
    read_number(f"{function}: {name}", value, kind, least=0, positive=positive)
