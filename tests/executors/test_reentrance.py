"""What a callback may do in the middle of a tick: read old values, and write nothing of the same registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import backend as K
from optimizers import SGD
from tests.executors.faults import is_free


def test_a_tick_inside_a_tick_is_refused_and_reads_are_of_old_values() -> None:
    seen: list[Any] = []
    w = ag.variable(np.ones(2), name="w")

    def inside(a: np.ndarray) -> np.ndarray:
        seen.append(w.get_value().tolist())
        try:
            inner()
        except ag.ReentrantCallError as error:
            seen.append(str(error))
        return a + 1

    inner = ag.function([], None, [(w, w * 3.0)], name="inner")
    outer = ag.function([], None, [(w, ag.custom_op("inside", inside)(w) * 2.0)])
    outer()
    assert seen[0] == [1, 1] and "'inner'" in seen[1] and "afterwards" in seen[1]
    assert w.get_value().tolist() == [4, 4]
    inner()
    assert w.get_value().tolist() == [12, 12]


WRITERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "set_value": lambda w, f, opt: w.set_value(np.zeros(2)),
    "K.set_value": lambda w, f, opt: K.set_value(w, np.zeros(2)),
    "K.batch_set_value": lambda w, f, opt: K.batch_set_value([(ag.variable(0.0), 1.0), (w, np.zeros(2))]),
    "set_values": lambda w, f, opt: ag.set_values({w: np.zeros(2)}),
    "restore": lambda w, f, opt: f.restore({w: np.zeros(2)}),
    "optimizer.lr = 1": lambda w, f, opt: setattr(opt, "lr", 1.0),
    "optimizer.set_weights": lambda w, f, opt: opt.set_weights(opt.get_weights()),
}


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("look", ["call", "preview", "trace", "profile"])
def test_a_write_inside_a_tick_is_refused_and_reads_are_of_old_values(look: str, how: str) -> None:
    seen: list[Any] = []
    w, opt = ag.variable(np.ones(2), name="w"), SGD(lr=0.25)

    def inside(a: np.ndarray) -> np.ndarray:
        with pytest.raises(ag.ReentrantCallError, match="afterwards"):
            WRITERS[how](w, f, opt)
        seen.append((w.get_value().tolist(), float(opt.lr.get_value())))
        return a + 0.0

    op = ag.custom_op("inside", inside, vjp=lambda g, y, x: (g,))
    loss = ag.reduce_sum(op(w))
    f = ag.function([], loss, opt.get_updates(loss, [w]))
    if look == "profile":
        f.profile(ticks=1)
    else:
        (f if look == "call" else getattr(f, look))()
    assert seen == [([1, 1], 0.25)] and opt.lr.get_value() == 0.25
    assert w.get_value().tolist() == ([0.75, 0.75] if look == "call" else [1, 1])
    WRITERS[how](w, f, opt)


def test_a_write_inside_a_tick_of_other_registers_is_a_write() -> None:
    w, count = ag.variable(np.ones(2)), ag.variable(0, dtype="int64")

    def inside(a: np.ndarray) -> np.ndarray:
        count.set_value(count.get_value() + 1)
        return a + 1

    f = ag.function([], None, [(w, ag.custom_op("inside", inside)(w))])
    f(), f()
    assert count.get_value() == 2


@pytest.mark.parametrize("flip", [False, True])
def test_a_function_built_inside_a_tick_does_not_let_a_second_tick_in(flip: bool) -> None:
    refused: list[Any] = []
    first, second = ag.variable(np.ones(2)), ag.variable(np.ones(2))
    w, other = (second, first) if flip else (first, second)

    def inside(a: np.ndarray) -> np.ndarray:
        inner = ag.function([], w + other, [(w, w * 3.0)])
        for call in (inner, lambda: w.set_value(np.zeros(2)), lambda: other.set_value(np.zeros(2))):
            with pytest.raises(ag.ReentrantCallError):
                call()
            refused.append(call)
        return a + 1

    ag.function([], None, [(w, ag.custom_op("inside", inside)(w) * 2.0)])()
    assert len(refused) == 3 and w.get_value().tolist() == [4, 4] and is_free([w, other])


def test_the_registers_of_two_ticks_under_way_are_not_joined() -> None:
    a, b = ag.variable(np.ones(2)), ag.variable(np.ones(2))

    def join(x: np.ndarray) -> np.ndarray:
        with pytest.raises(ag.ReentrantCallError, match="afterwards"):
            ag.function([], a + b)
        return x + 1

    inner = ag.function([], None, [(b, ag.custom_op("join", join)(b))])

    def inside(x: np.ndarray) -> np.ndarray:
        inner()
        return x + 1

    ag.function([], None, [(a, ag.custom_op("inside", inside)(a))])()
    assert a.get_value()[0] == 2 and b.get_value()[0] == 2
    assert ag.function([], a + b)().tolist() == [4, 4]
