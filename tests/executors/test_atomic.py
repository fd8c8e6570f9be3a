"""All or nothing, under an exception at every bytecode where CPython can raise: afterwards each register holds, byte for
byte, what it held before the tick, or all hold what they should after it; and no lock is held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.tensor import Variable
from autograph.graph.updates import Updates
from tests.executors.faults import interrupted_at, is_free, values
from tests.function.programs import count, random_program

MODES = ("apply", "raise", "skip")


def survives_every_bytecode(call: Callable[[], Any], registers: list[Variable], stride: int = 1) -> int:
    """Interrupt the call at each bytecode; registers are then all old or all new, and no lock is held. How many points."""
    call()
    point = points = 0
    while True:
        old = values(registers)
        hit = interrupted_at(call, point)
        found = values(registers)
        assert not any(v.register.domain.root().lock._is_owned() for v in registers)  # type: ignore[attr-defined]
        if not hit:
            return points
        if found != old:
            assert all(a != b for a, b in zip(found, old, strict=True)), f"torn at bytecode {point}"
        points += 1
        point += stride


class Moving:
    """A function of which every register moves with every tick, so that old and new are told apart one by one."""

    def __init__(self, mode: str, guard: bool, draw: bool) -> None:
        x = ag.placeholder((None, 3), name="x")
        a, b = ag.variable(np.ones((3, 3)), name="a"), ag.variable(np.full((3, 3), 2.0), name="b")
        n, big = ag.variable(0, dtype="int64", name="n"), ag.variable(np.zeros(600), name="big")
        shift = ag.random_uniform((3, 3), seed=1) if draw else ag.matmul(x.T, x)
        updates = Updates([(a, b + 1.0), (b, a * 1.01 + 0.01 * shift), (n, n + 1), (big, big + 1.0 + ag.reduce_sum(x) * 0.0)])
        if guard:
            late = ag.variable(np.zeros((3, 3)), name="late")
            updates = updates.when(n >= 0).then([(late, late + a + ag.cast(n, "float32"))])
        self.function = ag.function([x], [a, ag.reduce_sum(x)], updates, on_nonfinite=mode)
        self.registers = self.function.registers
        self.feed: Any = np.eye(3, dtype="float32")

    def __call__(self) -> Any:
        return self.function(self.feed)


@pytest.mark.parametrize("draw", [False, True])
@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_an_exception_at_any_bytecode_of_a_call_leaves_all_old_or_all_new(mode: str, guard: bool, draw: bool) -> None:
    moving = Moving(mode, guard, draw)
    assert survives_every_bytecode(moving, moving.registers) > 5
    moving.feed = moving.feed.tolist()  # the long way of a call that is one builtin
    assert survives_every_bytecode(moving, moving.registers) > 20
    assert is_free(moving.registers)
    before = moving.registers[0].get_value()
    moving()
    assert moving.registers[0].get_value().tobytes() != before.tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_an_exception_at_any_bytecode_of_a_first_call(mode: str) -> None:
    points = 0
    for point in range(3, 10**6, count(331, 7)):
        moving = Moving(mode, guard=False, draw=False)
        old = values(moving.registers)
        if not interrupted_at(moving, point):
            break
        points += 1
        found = values(moving.registers)
        changed = [a != b for a, b in zip(found, old, strict=True)]
        assert all(changed) or not any(changed)
        assert not any(v.register.domain.root().lock._is_owned() for v in moving.registers)  # type: ignore[attr-defined]
        twin = Moving(mode, guard=False, draw=False)
        if all(changed):
            twin()
        moving(), twin()
        assert values(moving.registers) == values(twin.registers)
    assert points > 20


def test_an_exception_at_any_bytecode_when_shapes_change() -> None:
    moving = Moving("apply", guard=False, draw=False)
    rows = [np.ones((n, 3), "float32") for n in range(1, 40)]  # fewer than a cache holds
    for point in range(count(60, 900)):
        feed = rows[point % len(rows)]
        moving.feed = feed
        old = values(moving.registers)
        interrupted_at(moving, point * count(97, 7))
        changed = [a != b for a, b in zip(values(moving.registers), old, strict=True)]
        assert all(changed) or not any(changed)
        moving.feed = feed
        assert moving()[1] == feed.sum(), "the shapes of an interrupted call are not another's"


@pytest.mark.parametrize("seed", range(count(10, 200)))
def test_random_programs_under_an_exception_at_each_bytecode(seed: int) -> None:
    p = random_program(seed)
    q = random_program(seed)
    f, g = (ag.function(r.inputs, r.outputs, r.updates, on_unused_input="ignore", on_nonfinite=MODES[seed % 3]) for r in (p, q))
    feeds = p.feeds(seed)
    f(*feeds), g(*feeds)
    point = 0
    while interrupted_at(lambda: f(*feeds), point):
        if values(p.variables) != values(q.variables):
            g(*feeds)
        assert values(p.variables) == values(q.variables), f"torn at bytecode {point}"
        point += 1 + seed % 3


@pytest.mark.parametrize(
    "what", ["get_value", "set_value", "state", "restore", "preview", "profile", "prepare", "function", "pickle"]
)
def test_no_lock_stays_held_whatever_is_interrupted(what: str) -> None:
    import pickle

    moving = Moving("apply", guard=False, draw=True)
    moving()
    a, f = moving.registers[0], moving.function
    state = f.state()
    rows = iter(range(5, 10**6))
    calls: dict[str, Callable[[], Any]] = {
        "get_value": a.get_value, "set_value": lambda: a.set_value(np.ones(a.shape)), "state": f.state,  # type: ignore[arg-type]
        "restore": lambda: f.restore(state), "preview": lambda: f.preview(moving.feed),
        "profile": lambda: f.profile(moving.feed, ticks=1), "prepare": lambda: f.prepare((next(rows), 3)),
        "function": lambda: ag.function([], a, [(a, a + 1.0)]), "pickle": lambda: pickle.dumps(f),
    }  # fmt: skip
    stride = {"profile": 97, "preview": 23, "prepare": 401, "function": 401, "pickle": 41, "state": 3, "restore": 5}.get(what, 1)
    point = 0
    while interrupted_at(calls[what], point):
        assert not any(v.register.domain.root().lock._is_owned() for v in moving.registers)  # type: ignore[attr-defined]
        point += stride
        if point > count(12_000, 10**6):
            break
    assert is_free(moving.registers)
    moving()


def test_restoring_is_all_or_nothing_at_every_bytecode() -> None:
    moving = Moving("apply", guard=False, draw=True)
    f = moving.function
    moving()
    first = f.state()
    moving()
    second = f.state()
    point, now = 0, second
    while True:
        other = first if now is second else second
        hit = interrupted_at(lambda: f.restore(other), point)  # noqa: B023
        found = [f.state()[v].tobytes() for v in f.registers]
        wanted = [[s[v].tobytes() for v in f.registers] for s in (now, other)]
        assert found in wanted, f"torn at bytecode {point}"
        now = now if found == wanted[0] else other
        if not hit:
            break
        point += 1
