"""L-BFGS with its line search as a NumPy programmer writes it, from the papers and not from `optimizers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EPS = np.finfo(np.float64).eps


class PlainLBFGS:
    """`step()` is one iteration from `x` with the pairs (s, y), the oldest first; `evaluations` counts."""

    def __init__(
        self, value: Callable[[Array], tuple[float, Array]], x: Array, pairs: list[tuple[Array, Array]], history: int = 10,
        rate: float = 1.0, c_1: float = 1e-4, c_2: float = 0.9, trials: int = 20,
    ) -> None:  # fmt: skip
        self.value, self.x, self.pairs, self.history = value, np.array(x), list(pairs), history
        self.rate, self.c_1, self.c_2, self.trials = rate, c_1, c_2, trials
        self.evaluations = 0

    def evaluated(self, x: Array) -> tuple[float, Array]:
        self.evaluations += 1
        return self.value(x)

    def direction(self, g: Array) -> Array:
        if self.pairs:
            q, amounts = g.copy(), []
            for s, y in self.pairs[::-1]:
                amounts.append(s @ q / (s @ y))
                q -= amounts[-1] * y
            s, y = self.pairs[-1]
            q *= s @ y / (y @ y)
            for (s, y), a in zip(self.pairs, amounts[::-1], strict=True):
                q += s * (a - y @ q / (s @ y))
            if -np.inf < -g @ q < 0:
                return -q
            self.pairs = []
        return -g / max(1.0, float(np.sqrt(g @ g)))

    @np.errstate(all="ignore")
    def step(self) -> None:
        f, g = self.evaluated(self.x)
        d = self.direction(g)
        if not (np.isfinite(f) and -np.inf < g @ d < 0):
            return
        end = self.search(f, g, d)
        if end is None:
            self.pairs = []
            return
        x, y = end[0], end[1] - g
        s = x - self.x
        if s @ y > EPS * np.sqrt(s @ s * (y @ y)):
            self.pairs = [*self.pairs, (s, y)][-self.history :]
        self.x = x

    def search(self, f_0: float, g_0: Array, d: Array) -> tuple[Array, Array] | None:
        """Point and gradient where it ends."""
        slope_0 = g_0 @ d
        low, high, end, best = (0.0, f_0, slope_0), None, None, self.x
        a = self.rate
        for _ in range(self.trials):
            x = self.x + a * d
            f, g = self.evaluated(x)
            here, before = (a, f, g @ d), low
            flat = abs(here[2]) <= self.c_2 * abs(slope_0)
            lower = f <= f_0 + self.c_1 * a * slope_0 and (end is None or f < low[1]) and (flat or f < f_0)
            if np.isfinite(here[1:]).all() and lower:
                toward = np.inf if high is None else high[0] - low[0]
                high = low if here[2] * toward >= 0 else high
                low, end = here, (x, g)
                if flat:
                    return end
            else:
                high = here
            if np.array_equal(x, best):
                return end
            best = self.x if end is None else end[0]
            following = self.following(low, high, before)
            if following is None:
                return end
            a = following
        return end

    def following(self, low: Any, high: Any, before: Any) -> float | None:
        (a, f_a, slope_a), (b, f_b, slope_b) = (before, low) if high is None else (low, high)
        if high is not None and abs(slope_a * (b - a)) <= EPS * abs(f_a):
            return None
        where = minimum_of_cubic(a, f_a, slope_a, b, f_b, slope_b)
        share = (where - low[0]) / (b - a)
        if high is None:
            return float(low[0] + (b - a) * (np.clip(share, 1.1, 4) if np.isfinite(share) else 4))
        if np.isfinite(share):
            return float(low[0] + (b - a) * np.clip(share, 0.1, 0.9))
        return float(low[0] + (b - a) * (0.5 if np.isfinite(f_b) else 0.1))


def minimum_of_cubic(a: float, f_a: float, slope_a: float, b: float, f_b: float, slope_b: float) -> float:
    """Nocedal & Wright 2006, equation 3.59."""
    d_1 = slope_a + slope_b - 3 * (f_a - f_b) / (a - b)
    d_2 = np.sign(b - a) * np.sqrt(d_1**2 - slope_a * slope_b)
    return float(b - (b - a) * (slope_b + d_2 - d_1) / (slope_b - slope_a + 2 * d_2))
