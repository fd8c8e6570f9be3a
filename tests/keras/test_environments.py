"""gymnasium's environments in the form of the old gym."""

from __future__ import annotations

from typing import Any

COUNTING = """
class Counting:
    action_space, closed, seeds = "actions", False, []

    def reset(self, seed=None):
        self.seeds.append(seed)
        return 0, {}

    def step(self, action):
        return 1, 2.0, *action, {"told": True}

    def render(self):
        return "picture"

    def close(self):
        self.closed = True

import copy, pickle
from autograph.keras import gym
env = gym(Counting())
"""


def said(run: Any, code: str) -> str:
    done = run(COUNTING + code)
    assert not done.returncode, done.stderr
    return str(done.stdout.strip())


def test_a_step_gives_four_values_and_ends_either_way(run: Any) -> None:
    code = "print(env.reset(), env.action_space, env.step((False, False)), *[env.step(ends)[2] for ends in ((1, 0), (0, 1))])"
    assert said(run, code) == "0 actions (1, 2.0, False, {'told': True}) True True"


def test_a_seed_holds_for_the_next_reset_alone(run: Any) -> None:
    assert said(run, "print(env.seed(7)); env.reset(); env.reset(); print(env.env.seeds)") == "[7]\n[7, None]"


def test_it_draws_closes_and_can_be_copied_and_pickled(run: Any) -> None:
    code = """print(env.render(mode="human"), env.render(close=True)); env.close(); print(env.env.closed)
for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))): print(twin.reset(), twin.closed)"""
    assert said(run, code) == "picture None\nTrue\n0 True\n0 True"
