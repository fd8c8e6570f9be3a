"""What has `state_registers` is saved and loaded: optimizers of every kind, and objects of a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers as o
from autograph import checkpoint
from optimizers import SGD, Adam


class Follower:
    """An object of a user's: a trace of each parameter, and a count."""

    def __init__(self, params: list[ag.Variable]) -> None:
        self.count = ag.variable(0, "int64")
        self.traces = {p: ag.variable(np.zeros(p.get_value().shape)) for p in params}

    def state_registers(self) -> dict[Any, ag.Variable]:
        return {"count": self.count} | {("trace", p): trace for p, trace in self.traces.items()}


def pair() -> list[ag.Variable]:
    return [ag.variable([1.0, 2.0], name="w"), ag.variable([3.0])]


def test_an_object_with_state_registers_is_saved_by_the_names_of_its_parameters(tmp_path: Path) -> None:
    w, b = pair()
    follower = Follower([w, b])
    checkpoint.save(tmp_path / "a", {"model": {"w": w, "b": b}, "mine": follower})
    assert set(checkpoint.read(tmp_path / "a")) == {"model/w", "model/b", "mine/count", "mine/trace/w", "mine/trace/model/b"}
    follower.traces[b].set_value([5.0])
    checkpoint.save(tmp_path / "a", {"model": {"w": w, "b": b}, "mine": follower})
    w, b = pair()
    other = Follower([b, w])
    assert checkpoint.load(tmp_path / "a", {"mine": other, "model": {"b": b, "w": w}}) == []
    assert other.traces[b].get_value().tolist() == [5.0]


def test_the_random_states_that_its_updates_read_are_saved_with_it(tmp_path: Path) -> None:
    follower = Follower([])
    noise = ag.random_normal((), seed=3)
    follower.updates = [ag.Update(follower.count, ag.cast(noise, "int64"))]  # type: ignore[attr-defined]
    checkpoint.save(tmp_path / "a", {"mine": follower})
    assert set(checkpoint.read(tmp_path / "a")) == {"mine/count", "mine/Follower/random_0"}


@pytest.mark.parametrize(
    "registers", [[1], {3: ag.variable(0.0)}, {"a": 1.0}, {("m", "w"): ag.variable(0.0)}, {("m",): ag.variable(0.0)}], ids=repr
)
def test_what_state_registers_must_give(tmp_path: Path, registers: Any) -> None:
    class Broken:
        def state_registers(self) -> Any:
            return registers

    with pytest.raises(ag.ArgumentTypeError, match=r"Broken\.state_registers\(\)"):
        checkpoint.save(tmp_path / "a", Broken())
    assert not list(tmp_path.iterdir())


def saved_names(folder: Path, what: Any) -> set[str]:
    checkpoint.save(folder / "a", what)
    return set(checkpoint.read(folder / "a"))


def test_composed_optimizers_name_slots_by_their_parameters_and_keep_random_states(tmp_path: Path) -> None:
    w, b = pair()
    loss = ag.reduce_sum(ag.square(ag.dropout(w, 0.5, seed=1))) + ag.reduce_sum(b)
    whole = o.accumulate(o.partition({w: Adam()}, SGD(momentum=0.5)), 2)
    whole.get_updates(loss, [w, b])
    names = saved_names(tmp_path, {"opt": whole, "model": {"w": w, "b": b}})
    assert {
        "opt/accumulate/ticks", "opt/sum/w", "opt/sum/model/b", "opt/m/w", "opt/v/w", "opt/m/model/b",
        "opt/Adam/iterations", "opt/SGD/iterations", "opt/accumulate/random_0",
    } <= names  # fmt: skip
    with pytest.raises(ag.ArgumentError, match=r"has only an automatic\s+name, 'variable_\d+'"):
        checkpoint.save(tmp_path / "a", whole)


def test_averages_and_plateaus_are_saved(tmp_path: Path) -> None:
    w, b = pair()
    sgd = SGD(0.1)
    averages, follow = o.ema([w, b], 0.9, debias=True), o.plateau(sgd.lr, ag.reduce_sum(w))
    names = saved_names(tmp_path, {"model": {"w": w, "b": b}, "ema": averages, "plateau": follow, "sgd": sgd})
    assert {"ema/ema/ticks", "ema/ema/w", "ema/ema/model/b", "plateau/best/SGD/learning_rate"} <= names


def test_a_rate_that_is_a_variable_of_the_users_has_a_name_by_its_place(tmp_path: Path) -> None:
    rate = ag.variable(0.5, "float64")
    assert "Adam/learning_rate" in saved_names(tmp_path, Adam(rate))
    assert Adam(rate).state()["Adam/learning_rate"] == 0.5
