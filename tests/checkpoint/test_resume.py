"""A run that is saved, killed and resumed goes on as if it had never stopped, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers
from autograph import checkpoint
from optimizers import SGD, Adam, Optimizer
from tests.checkpoint.runs import Saved, goes_on_bit_for_bit

RULES: dict[str, Callable[[], Optimizer]] = {
    name: rule
    for name, rule in vars(optimizers).items()
    if name in optimizers.__all__ and name[0].isupper() and name != "Optimizer"
    if isinstance(rule, type) and issubclass(rule, Optimizer)
} | {
    "SGD with momentum": lambda: SGD(0.05, momentum=0.9, decay=0.01, nesterov=True),
    "SGD with a schedule": lambda: SGD(lambda t: 0.1 / (1.0 + t)),
    "Adam with noise": lambda: Adam(0.02, noise=0.01),
    "Adam with AMSGrad": lambda: Adam(0.02, amsgrad=True, clipnorm=1.0),
}  # fmt: skip


class Run(Saved):
    """Training with dropout, whose random state must go on too; `backwards` reorders the parameters."""

    def __init__(self, make: Callable[[], Optimizer], backwards: bool, seed: int) -> None:
        draw = np.random.default_rng(7)
        x = draw.standard_normal((16, 4))
        self.w = ag.variable(draw.standard_normal((4, 3)) * seed, name="w")
        self.b = ag.variable(np.full((1, 3), float(seed)), name="b")
        self.v = ag.variable(draw.standard_normal((3, 1)) * seed, name="v")
        hidden = ag.dropout(ag.tanh(ag.matmul(ag.constant(x, "float32"), self.w) + self.b), 0.3, seed=seed)
        loss = ag.reduce_mean(ag.square(ag.matmul(hidden, self.v) - 1.0))
        self.optimizer = make()
        parameters = [self.w, self.b, self.v]
        self.step = ag.function([], loss, self.optimizer.get_updates(loss, parameters[::-1] if backwards else parameters))

    def everything(self) -> dict[str, Any]:
        return {"model": [self.w, self.b, self.v], "optimizer": self.optimizer}


@pytest.mark.parametrize("backwards", [False, True], ids=["same order", "reordered"])
@pytest.mark.parametrize("name", RULES)
def test_twenty_further_steps_are_bit_equal(tmp_path: Path, name: str, backwards: bool) -> None:
    goes_on_bit_for_bit(tmp_path / "a", partial(Run, RULES[name]), backwards)


def test_a_changed_rate_is_resumed(tmp_path: Path) -> None:
    first, second = Run(Adam, False, 1), Run(Adam, False, 1)
    first.optimizer.lr = 0.125
    checkpoint.save(tmp_path / "a", first.optimizer)
    checkpoint.load(tmp_path / "a", second.optimizer)
    assert second.optimizer.get_config()["learning_rate"] == 0.125


def test_the_random_state_is_among_what_is_saved(tmp_path: Path) -> None:
    run = Run(SGD, False, 1)
    checkpoint.save(tmp_path / "a", run.optimizer)
    assert checkpoint.read(tmp_path / "a")["SGD/random_0"].dtype == np.uint64


def test_a_number_that_the_updates_would_not_follow_is_refused(tmp_path: Path) -> None:
    run, other = Run(SGD, False, 1), SGD(momentum=0.5)
    checkpoint.save(tmp_path / "a", other)
    problems = checkpoint.load(tmp_path / "a", run.optimizer, strict=False)
    assert any("without this term" in problem for problem in problems)
    momentum = run.optimizer.momentum
    checkpoint.save(tmp_path / "b", {"momentum": other.momentum})
    with pytest.raises(ag.CheckpointError, match="without this term"):
        checkpoint.load(tmp_path / "b", {"momentum": momentum})
    assert momentum.get_value() == 0.0


def test_slots_do_not_pass_from_one_shape_to_another_silently(tmp_path: Path) -> None:
    run = Run(Adam, False, 1)
    checkpoint.save(tmp_path / "a", run.optimizer)
    before = run.bits()
    w = ag.variable(np.ones((4, 2)), name="w")
    other = Adam()
    other.get_updates(ag.reduce_sum(ag.square(w)), [w])
    with pytest.raises(ag.CheckpointError) as caught:
        checkpoint.load(tmp_path / "a", other)
    text = str(caught.value)
    assert all(word in text for word in ("'m/w'", "[4, 3]", "[4, 2]", "unexpected 'm/b'", "nothing was loaded"))
    assert run.bits() == before
