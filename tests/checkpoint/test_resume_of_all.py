"""A whole run resumed: composed optimizers, schedules, plateaus, averages, random states, and objects of a user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers as o
from autograph import checkpoint
from optimizers import SGD, Adam, RMSprop
from tests.checkpoint.runs import Saved, goes_on_bit_for_bit

Made = tuple[Any, dict[str, Any]]  # the updates, and what is saved beside the parameters


def stepped(make: Callable[[], Any]) -> Callable[[Any, list[ag.Variable]], Made]:
    def build(loss: Any, params: list[ag.Variable]) -> Made:
        optimizer = make()
        return optimizer.get_updates(loss, params), {"optimizer": optimizer}

    return build


def averaged(make: Callable[[list[ag.Variable]], Any]) -> Callable[[Any, list[ag.Variable]], Made]:
    def build(loss: Any, params: list[ag.Variable]) -> Made:
        adam, averages = Adam(0.02), make(params)
        return adam.get_updates(loss, params).then(averages), {"optimizer": adam, "averages": averages}

    return build


def looking_ahead(loss: Any, params: list[ag.Variable]) -> Made:
    adam = Adam(0.02)
    ahead = o.lookahead(adam.get_updates(loss, params), params, k=3)
    return ahead, {"optimizer": adam, "ahead": ahead}


def on_a_plateau(loss: Any, params: list[ag.Variable]) -> Made:
    sgd = SGD(0.3, momentum=0.9)
    follow = o.plateau(sgd.lr, loss, 0.7, 2, cooldown=1, threshold=0.05)
    return sgd.get_updates(loss, params) + follow, {"optimizer": sgd, "plateau": follow}


def with_a_rate_of_the_users(loss: Any, params: list[ag.Variable]) -> Made:
    rate = ag.variable(0.125, "float64")
    adam = Adam(rate)
    return adam.get_updates(loss, params) + [(rate, rate * 0.9)], {"optimizer": adam}


def two_optimizers(loss: Any, params: list[ag.Variable]) -> Made:
    first, second = Adam(0.01), Adam(0.02)
    by_name = {p.name: p for p in params}
    updates = first.get_updates(loss, [by_name["w"], by_name["u"]]) + second.get_updates(loss, [by_name["b"]])
    return updates, {"actor": first, "critic": second}


RUNS: dict[str, Callable[[Any, list[ag.Variable]], Made]] = {
    "partition": stepped(lambda: o.partition({"b": SGD(0.1, 0.9), "u": RMSprop(0.01)}, Adam(0.02))),
    "partition of twins": stepped(lambda: o.partition({"b": Adam(0.1)}, Adam(0.02))),
    "accumulate": stepped(lambda: o.accumulate(Adam(0.02), 3)),
    "accumulate sums": stepped(lambda: o.accumulate(SGD(0.02, 0.9), 4, mean=False)),
    "static scale": stepped(lambda: o.static_scale(Adam(0.02), 1024.0)),
    "dynamic scale": stepped(lambda: o.dynamic_scale(Adam(0.02), 64.0, period=2)),
    "nested": stepped(lambda: o.accumulate(o.partition({"b": SGD(0.1, 0.9), "u": None}, Adam(o.cosine(0.1, 20))), 3)),
    "scale of a partition": stepped(lambda: o.dynamic_scale(o.partition({"b": SGD(0.1, 0.9)}, Adam(0.02)), 8.0, period=3)),
    "cosine": stepped(lambda: SGD(o.cosine(0.1, 20), momentum=0.9)),
    "warm-up, then a cycle": stepped(lambda: Adam(o.join([o.linear(0.01, 0.1, 5), o.cosine_restarts(0.1, 7)], [5]))),
    "decay and options": stepped(lambda: Adam(0.05, decay=0.1, clipnorm=1.0, weight_decay=0.01, multipliers={"b": 2.0})),
    "plateau": on_a_plateau,
    "ema": averaged(lambda params: o.ema(params, 0.9)),
    "ema without bias": averaged(lambda params: o.ema(params, 0.9, debias=True)),
    "polyak": averaged(lambda params: o.polyak(params, 3)),
    "swa": averaged(lambda params: o.swa(params, 4, 2)),
    "lookahead": looking_ahead,
    "a rate of the user's": with_a_rate_of_the_users,
    "two optimizers": two_optimizers,
}


class Run(Saved):
    """Training with two places of dropout and noisy gradients; `backwards` reorders the parameters."""

    def __init__(self, make: Callable[[Any, list[ag.Variable]], Made], backwards: bool, seed: int) -> None:
        draw = np.random.default_rng(7)
        x = ag.constant(draw.standard_normal((16, 4)), "float32")
        w = ag.variable(draw.standard_normal((4, 3)) * seed, name="w")
        b = ag.variable(np.full((1, 3), float(seed)), name="b")
        u = ag.variable(draw.standard_normal((4, 3)) * seed, name="u")
        left = ag.dropout(ag.tanh(ag.matmul(x, w) + b), 0.3, seed=seed)
        right = ag.dropout(ag.tanh(ag.matmul(x, u)), 0.3, seed=seed + 10)
        loss = ag.reduce_mean(ag.square(left - 1.0)) + ag.reduce_mean(ag.square(right + 1.0))  # each has its own parameters
        self.params = [w, b, u]
        updates, self.kept = make(loss, self.params[::-1] if backwards else self.params)
        self.step = ag.function([], loss, updates)

    def everything(self) -> dict[str, Any]:
        return {"model": self.params, **self.kept}


@pytest.mark.parametrize("backwards", [False, True], ids=["same order", "reordered"])
@pytest.mark.parametrize("name", RUNS)
def test_twenty_further_steps_are_bit_equal(tmp_path: Path, name: str, backwards: bool) -> None:
    goes_on_bit_for_bit(tmp_path / "a", partial(Run, RUNS[name]), backwards)
    saved = sorted(checkpoint.read(tmp_path / "a"))
    assert [n.rpartition("/")[2] for n in saved if "random" in n][:2] == ["random_0", "random_1"], saved
