"""L-BFGS: steps by the curvature that the last gradients show, each as long as a line search finds it to be good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    Updates,
    Variable,
    cast,
    concatenate,
    expand_dims,
    flatten,
    greater,
    inner,
    isfinite,
    less,
    logical_and,
    minimum,
    placeholder,
    reshape,
    sqrt,
    variable,
    where,
)
from optimizers.arguments import read_arguments, read_gradients, read_parameters
from optimizers.base import Optimizer
from optimizers.choices import Count
from optimizers.clipping import global_norm
from optimizers.hyperparameters import Hyper, rate
from optimizers.line_search import strong_wolfe
from optimizers.options import by_name


class LBFGS(Optimizer):
    """Liu & Nocedal 1989: a quasi-Newton step over all parameters together, its length by a line search, in one tick.

        p ← p − α·H·g                            s = the step, y = the change of g on it, ρ = 1/⟨s, y⟩
        H·g by the two-loop recursion over the last `history` pairs (s, y), from γ·g with γ = ⟨s, y⟩/⟨y, y⟩ of the latest;
        without a pair it is g·min(1, 1/‖g‖)
        α under the strong Wolfe conditions with c₁ and c₂, from α = η on, by at most `trials` trials: Nocedal & Wright 2006

    It takes the loss, never gradients: each trial evaluates loss and gradient at another point, with the same feeds and
    the same random numbers. Give it all data at each tick; `f.loop(n, …)` takes n steps. It never raises the loss. Where
    no trial lowers it, nothing moves and the pairs are dropped, so that the next tick goes straight downhill; where the
    loss or its slope is not finite, nothing changes. A pair is kept if ⟨s, y⟩ > 0 beyond rounding.

    The pairs are the slots `s/parameter` and `y/parameter`, with an axis more in front, the oldest first, and all ρ are
    `LBFGS/rho`. Options that change gradients or new values are none of its arguments: they belong into the loss.
    """

    learning_rate = rate(1.0)
    history = Count(10)
    trials = Count(20)
    c_1 = Hyper(1e-4, "c₁", least=0, below=0.5)
    c_2 = Hyper(0.9, "c₂", least=0.5, below=1)
    _needs_loss = True
    # What would change the gradient or the step without the loss:
    centralize = clip_adaptive = clipnorm = clipnorm_per_param = clipvalue = noise = noise_decay = seed = None
    weight_decay = decoupled = no_decay = multipliers = constraints = None

    def get_updates(self, *args: Any, **kwargs: Any) -> Updates:
        """What one step changes, line search included: `(variable, new_value)` pairs for `function`.

        get_updates(loss, params), and the other forms of `Optimizer.get_updates`. Raises ArgumentTypeError for gradients
        in the loss's place, ArgumentError for a constraint, and for other parameters than in an earlier call.
        """
        loss, given, constraints = read_arguments(args, kwargs)
        params = self._checked(loss, read_parameters(given), constraints)
        flat = _Flat(by_name(params), loss)
        [clock] = self._enrolled(params)
        updates = Updates([clock.tick()], self._labels([clock]))
        updates += self._stepped(flat, loss, read_gradients(loss, flat.params))
        self.updates = updates
        return updates.copy()

    def _checked(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> list[Variable]:
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError(
                f"{self.name} got gradients in place of the loss",
                why="its line search evaluates the loss at other points",
                fix="write get_updates(loss, params), with the loss a tensor of rank 0",
            )
        for p in params:
            if p in constraints or p.constraint is not None:
                raise ArgumentError(
                    f"{self.name}: {p.name!r} has a constraint",
                    why="a projected step may raise the loss",
                    fix="minimise over a free variable and write the constrained one as a function of it",
                )
        if self._clock_of and set(params) != set(self._clock_of):
            raise ArgumentError(
                f"{self.name}: other parameters than before",
                why="it steps all of them together",
                fix="use another optimizer for them",
            )
        return params

    def _stepped(self, flat: _Flat, loss: Tensor, gradients: list[Tensor]) -> Updates:
        rho = self._clock.shared.setdefault("rho", variable(np.zeros(self.history), "float64", f"{self.name}/rho"))
        registers = [flat.histories(self._slots, name, self.history) for name in ("s", "y")]
        steps, changes = (flat.joined_rows(some) for some in registers)
        x, f, g = flat.joined(flat.params), cast(loss, flat.dtype), flat.joined(gradients)
        newton = -_two_loops(g, steps, changes, rho)
        slope = cast(inner(g, newton), "float64")
        trusted = logical_and(greater(rho[-1], 0), logical_and(isfinite(slope), less(slope, 0)))
        direction = where(trusted, newton, -g * minimum(1.0, 1 / global_norm([g])))
        slope = cast(inner(g, direction), "float64")
        ready = logical_and(isfinite(f), logical_and(isfinite(slope), less(slope, 0)))
        first = where(ready, self.rate, 0.0)
        evaluate = flat.function(loss, gradients)
        end = strong_wolfe(evaluate, x, f, g, direction, first, self.c_1, self.c_2, self.trials)
        s, y = end.x - x, end.g - g
        one, curved = _curvature(s, y, float(np.finfo(flat.dtype).eps))
        steps.name, changes.name, ready.name, curved.name = "S", "Y", "descends", "curved"
        end.x.name, s.name, y.name, one.name = "x − α·H·g", "s", "y", "1/⟨s, y⟩"
        old = where(logical_and(trusted, greater(end.length, 0)), rho, 0.0)
        updates = Updates([(rho, where(curved, _pushed(old, one), where(ready, old, rho)))])
        for some, history, new in zip(registers, (steps, changes), (s, y), strict=True):
            rows = where(curved, _pushed(history, new), history)
            updates += [(r, reshape(rows[:, part], r.shape)) for r, part in zip(some, flat.parts, strict=True)]
        return updates + [*zip(flat.params, flat.split(end.x), strict=True)]

    def formula(self) -> Updates:
        """The rule for a parameter p with gradient g, to be printed."""
        p, a, h = variable(np.zeros(1), name="p"), placeholder((), name="α"), placeholder((1,), name="H·g")
        return Updates([(p, p - a * h)])


def _two_loops(g: Tensor, steps: Tensor, changes: Tensor, rho: Tensor) -> Tensor:
    """H·g. A row that holds no pair yet has ρ = 0, and changes nothing."""
    count: Any = rho.shape[0]
    amounts: dict[int, Tensor] = {}
    for i in reversed(range(count)):
        amounts[i] = rho[i] * inner(steps[i], g)
        g = g - amounts[i] * changes[i]
    latest = changes[-1]
    g = where(greater(rho[-1], 0), 1 / (rho[-1] * cast(inner(latest, latest), "float64")), 1.0) * g
    for i in range(count):
        g = g + (amounts[i] - rho[i] * inner(changes[i], g)) * steps[i]
    return g


def _curvature(s: Tensor, y: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """ρ of a pair, and whether the pair is to be kept."""
    product, sizes = (cast(number, "float64") for number in (inner(s, y), inner(s, s) * inner(y, y)))
    one = 1 / product
    return one, logical_and(greater(product, epsilon * sqrt(sizes)), isfinite(one))


def _pushed(rows: Tensor, new: Tensor) -> Tensor:
    """The rows without the first, and a new last one."""
    return concatenate([rows[1:], expand_dims(cast(new, rows.dtype), 0)], axis=0)


class _Flat:
    """The parameters as one vector, of a dtype that holds each of them and the loss."""

    def __init__(self, params: list[Variable], loss: Tensor) -> None:
        self.params = params
        self.dtype = np.result_type(np.float32, loss.dtype, *[p.dtype for p in params])
        self.parts: list[slice] = []
        start = 0
        for p in params:
            shape: Any = p.shape
            self.parts.append(slice(start, start + prod(shape)))
            start += prod(shape)

    def joined(self, tensors: Iterable[Tensor]) -> Tensor:
        """Tensors like the parameters as one vector."""
        return concatenate([flatten(cast(tensor, self.dtype)) for tensor in tensors], axis=0)

    def split(self, vector: Tensor) -> list[Tensor]:
        """The vector as tensors like the parameters."""
        pairs = zip(self.params, self.parts, strict=True)
        return [cast(reshape(vector[part], p.shape), p.dtype) for p, part in pairs]

    def histories(self, slots: dict[Variable, dict[str, Variable]], name: str, count: int) -> list[Variable]:
        """The registers `name/parameter`, with `count` rows like the parameter."""
        for p in self.params:
            own = slots.setdefault(p, {})
            if name not in own:
                shape: Any = p.shape
                own[name] = variable(np.zeros((count, *shape)), self.dtype, f"{name}/{p.name}")
        return [slots[p][name] for p in self.params]

    def joined_rows(self, histories: Iterable[Variable]) -> Tensor:
        """Registers of rows like the parameters as one matrix."""
        widths = [part.stop - part.start for part in self.parts]
        return concatenate([reshape(h, (h.shape[0], n)) for h, n in zip(histories, widths, strict=True)], axis=1)

    def function(self, loss: Tensor, gradients: Sequence[Tensor]) -> Any:
        """Loss and gradient as functions of the vector."""

        def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
            moved = Updates(zip(self.params, self.split(x), strict=True))
            f, *slopes = moved.after([loss, *gradients])
            return cast(f, self.dtype), self.joined(slopes)

        return evaluate
