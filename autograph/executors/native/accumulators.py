"""Reductions as what is carried from element to element.

Sums of single precision are taken in double, of what stands in registers beside each other in pairs; those of double carry the
rounding of every addition along (Knuth's exact sum of two, 1969, as in Neumaier 1974). So neither's error depends on how many
there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import two_sum


class Accumulator(NamedTuple):
    """start    what is carried before the first element, for elements of a type
    add      (carried, elements) → carried
    join     two of what is carried → one
    finish   what is carried → the result
    neutral  the element of a type that changes nothing
    """

    start: Callable[[Emitter, str], list[Number]]
    add: Callable[[Emitter, list[Number], list[Number]], list[Number]]
    join: Callable[[Emitter, list[Number], list[Number]], list[Number]]
    finish: Callable[[Emitter, list[Number], str], Number]
    neutral: Callable[[str], float]


def _first(e: Emitter, carried: list[Number], type: str) -> Number:
    return e.cast(carried[0], type)


def _sum_start(e: Emitter, type: str) -> list[Number]:
    return [e.constant(0, "f8" if type == "f4" else type)] * (2 if type == "f8" else 1)


def _sum_add(e: Emitter, carried: list[Number], elements: list[Number]) -> list[Number]:
    if len(carried) == 2:
        for x in elements:
            carried = _exact(e, carried[0], x, carried[1:])
        return carried
    if carried[0].type == "f8":
        elements = [e.cast(x, "f4") for x in elements]
    while len(elements) > 1:
        elements = [e.add(a, b) for a, b in zip(elements[::2], elements[1::2], strict=True)]
    return [e.add(carried[0], e.cast(elements[0], carried[0].type))]


def _exact(e: Emitter, a: Number, b: Number, lost: list[Number]) -> list[Number]:
    """a + b, and what was lost so far with what its rounding loses."""
    total, error = two_sum(e, a, b)
    for term in lost:
        error = e.add(error, term)
    return [total, error]


def _sum_join(e: Emitter, a: list[Number], b: list[Number]) -> list[Number]:
    return [e.add(a[0], b[0])] if len(a) == 1 else _exact(e, a[0], b[0], [a[1], b[1]])


def _sum_finish(e: Emitter, carried: list[Number], type: str) -> Number:
    """The sum; what was lost counts only where the sum is finite, for of an infinity it is NaN."""
    if len(carried) == 1:
        return e.cast(carried[0], type)
    total, lost = carried
    return e.cast(e.select(e.isfinite(total), e.add(total, lost), total), type)


def _by(name: str, start: Callable[[str], float], over: str = "") -> Accumulator:
    """One number is carried, and joined by an instruction of the emitter."""

    def begin(e: Emitter, type: str) -> list[Number]:
        return [e.constant(start(type), over or type)]

    def add(e: Emitter, carried: list[Number], elements: list[Number]) -> list[Number]:
        for x in elements:
            carried = [getattr(e, name)(carried[0], e.truth(x) if over == "b1" else e.cast(x, carried[0].type))]
        return carried

    def join(e: Emitter, a: list[Number], b: list[Number]) -> list[Number]:
        return [getattr(e, name)(a[0], b[0])]

    return Accumulator(begin, add, join, _first, start)


def _extreme(name: str, first: str, start: Callable[[str], float]) -> Accumulator:
    """Of floats two numbers are carried, so that none waits long for the other: the one that comes first of those that are no
    NaN, and a NaN where there was one. `first`: by which comparison it does."""

    def begin(e: Emitter, type: str) -> list[Number]:
        return [e.constant(start(type), type), *([e.constant(0, type)] if type[0] == "f" else [])]

    def better(e: Emitter, carried: list[Number], other: list[Number]) -> list[Number]:
        if len(carried) == 1:
            return [getattr(e, name)(carried[0], other[0])]
        (a, nan), (b, more) = carried, other
        return [e.select(getattr(e, first)(b, a), b, a), e.select(e.isnan(more), more, nan)]

    def add(e: Emitter, carried: list[Number], elements: list[Number]) -> list[Number]:
        for x in elements:
            carried = better(e, carried, [e.cast(x, carried[0].type)] * len(carried))
        return carried

    def finish(e: Emitter, carried: list[Number], type: str) -> Number:
        return e.cast(e.select(e.isnan(carried[-1]), carried[-1], carried[0]), type)

    return Accumulator(begin, add, better, finish, start)


def _lowest(type: str) -> float:
    return -math.inf if type[0] == "f" else 0 if type == "b1" else int(np.iinfo(type).min)


def _highest(type: str) -> float:
    return math.inf if type[0] == "f" else 1 if type == "b1" else int(np.iinfo(type).max)


ACCUMULATORS = {
    "sum": Accumulator(_sum_start, _sum_add, _sum_join, _sum_finish, lambda type: 0),
    "prod": _by("multiply", lambda type: 1),
    "max": _extreme("maximum", "greater", _lowest),
    "min": _extreme("minimum", "less", _highest),
    "any": _by("logical_or", lambda type: 0, "b1"),
    "all": _by("logical_and", lambda type: 1, "b1"),
}
