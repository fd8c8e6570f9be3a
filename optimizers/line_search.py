"""A line search as one expression: how far to go along a direction, found by trials at points between and beyond.

Nocedal & Wright 2006, Algorithms 3.5 and 3.6 as one: a step α is accepted under the strong Wolfe conditions

    f(α) ≤ f(0) + c₁·α·f′(0)        it goes down far enough
    |f′(α)| ≤ c₂·|f′(0)|            to where the slope is smaller

Trials come from the cubic through values and slopes of two points: the lowest that goes down far enough, and the one that
bounds it on the other side; where there is none yet, the lowest before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograph import (
    Tensor,
    abs,
    cast,
    clip,
    concatenate,
    equal,
    greater,
    inner,
    isfinite,
    iterate,
    less,
    less_equal,
    logical_and,
    logical_or,
    reduce_all,
    sign,
    sqrt,
    square,
    stack,
    where,
)

BRACKETED, BEYOND = (0.1, 0.9), (1.1, 4.0)  # where the next trial may lie, in distances between the two points


class Found(NamedTuple):
    """Where the search ended: how far along (0 where no trial went down), the point, and the gradient there."""

    length: Tensor
    x: Tensor
    g: Tensor


class _Search(NamedTuple):
    """What one trial hands to the next, as one vector. A point is (α, f, f′); `next` is the α to try, 0 at the end."""

    next: Tensor
    low: Tensor  # the lowest point that goes down far enough; the start, before there is one
    high: Tensor  # the point on the other side of a minimum; at infinity, before there is one
    x: Tensor  # the position of `low`
    g: Tensor  # the gradient there

    @classmethod
    def unpacked(cls, state: Tensor, size: int) -> _Search:
        return cls(state[0], state[1:4], state[4:7], state[7 : 7 + size], state[7 + size :])

    def packed(self) -> Tensor:
        return concatenate([_point(self.low.dtype, self.next), self.low, self.high, self.x, self.g], axis=0)


def strong_wolfe(
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    x: Tensor,
    loss: Tensor,
    g: Tensor,
    direction: Tensor,
    first: Tensor,
    c_1: Any,
    c_2: Any,
    most: int,
) -> Found:
    """The point that the search along `direction` from `x` ends at; its loss is never above `loss`.

    evaluate    loss and gradient at a point: vectors like `x`, which has the dtype in which both are compared
    loss, g     those at `x`
    first       the α to try first; 0: nothing is tried, and the search ends at `x`
    most        trials; the lowest so far is where it ends then

    A trial whose loss or slope is not finite counts as one that went up; so does one whose loss is that of the start to the
    last bit, unless the slope is smaller there.
    """
    size: Any = x.shape[0]
    slope = inner(g, direction)
    start = _point(x.dtype, 0.0, loss, slope)
    nowhere = _point(x.dtype, np.inf, np.inf, 0.0)
    f_0, slope_0 = _wide(loss), _wide(slope)

    def trial(state: Tensor) -> Tensor:
        now = _Search.unpacked(state, size)
        a = _wide(now.next)
        x_a = x + a * direction
        f, g_a = evaluate(x_a)
        point = _point(x.dtype, a, f, inner(g_a, direction))
        _, f_a, slope_a = _numbers(point)
        low, f_low, _ = _numbers(now.low)
        flat = less_equal(abs(slope_a), -c_2 * slope_0)
        far = logical_and(less_equal(f_a, f_0 + c_1 * a * slope_0), logical_or(less_equal(low, 0), less(f_a, f_low)))
        known = logical_and(isfinite(f_a), isfinite(slope_a))
        down = logical_and(known, logical_and(far, logical_or(flat, less(f_a, f_0))))
        crossed = less_equal(0, slope_a * (now.high[0] - low))
        after = _Search(
            now.next,
            where(down, point, now.low),
            where(down, where(crossed, now.low, now.high), point),
            where(down, x_a, now.x),
            where(down, g_a, now.g),
        )
        ended = logical_or(logical_and(down, flat), reduce_all(equal(x_a, now.x)))
        return after._replace(next=where(ended, 0.0, _following(after, now.low))).packed()

    begin = _Search(_wide(first), start, nowhere, x, g).packed()
    end = iterate(trial, begin, lambda state: greater(state[0], 0), most)
    found = _Search.unpacked(end, size)
    return Found(_wide(found.low[0]), found.x, found.g)


def _following(now: _Search, before: Tensor) -> Tensor:
    """The α to try next; 0 where what is left to gain is below the precision of the loss."""
    bracketed = isfinite(now.high[0])
    (a, f_a, slope_a) = _numbers(where(bracketed, now.low, before))
    (b, f_b, slope_b) = _numbers(where(bracketed, now.high, now.low))
    d_1 = slope_a + slope_b - 3 * (f_a - f_b) / (a - b)
    d_2 = sign(b - a) * sqrt(square(d_1) - slope_a * slope_b)
    back = (slope_b + d_2 - d_1) / (slope_b - slope_a + 2 * d_2)  # from b to the minimum of the cubic, in b − a
    share = where(bracketed, clip(1 - back, *BRACKETED), clip(-back, *BEYOND))
    blind = where(bracketed, where(isfinite(f_b), _wide(0.5), BRACKETED[0]), BEYOND[1])
    low, f_low, slope_low = _numbers(now.low)
    hopeless = less_equal(abs(slope_low * (b - a)), float(np.finfo(now.low.dtype).eps) * abs(f_low))
    return where(logical_and(bracketed, hopeless), 0.0, low + where(isfinite(back), share, blind) * (b - a))


def _wide(number: Any) -> Tensor:
    return cast(number, "float64")


def _numbers(point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _wide(point[0]), _wide(point[1]), _wide(point[2])


def _point(dtype: Any, *numbers: Any) -> Tensor:
    return stack([cast(number, dtype) for number in numbers])
