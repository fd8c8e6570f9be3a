"""`while_loop`: for as long as a condition holds, with gradients back over the turns that were taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.tensor import Tensor


def root(a: Tensor) -> Tensor:
    """√a by Newton's method."""
    return ag.while_loop(lambda y: ag.abs(y * y - a) > 1e-13, lambda y: (y + a / y) / 2, a * 0 + 1.0, 50)


def test_it_goes_on_for_as_long_as_the_condition_holds_and_no_longer_than_allowed() -> None:
    x = ag.placeholder((), dtype="float64")
    loops = [ag.while_loop(lambda y: y < 100, lambda y: y * 2, x, most) for most in (None, 0, 3)]
    f = ag.function([x], loops)
    assert f(3.0) == [192.0, 3.0, 24.0]
    assert f(100.0) == [100.0] * 3


def test_gradients_of_every_order_go_back_over_the_turns_taken() -> None:
    a = ag.placeholder((), dtype="float64")
    first = ag.gradients(root(a), a)
    second = ag.gradients(first, a)
    f = ag.function([a], [root(a), first, second, ag.gradients(second, a)])
    for value in (0.5, 2.0, 9.0):
        wanted = [value**0.5, 0.5 * value**-0.5, -0.25 * value**-1.5, 0.375 * value**-2.5]
        np.testing.assert_allclose(f(value), wanted, rtol=1e-9)
    assert f(1.0)[:2] == [1.0, 0.0]  # no turn is taken, and what it starts from is flat


def test_states_nest_and_keep_their_dtypes() -> None:
    x = ag.placeholder((None,), dtype="float32")
    start = {"y": x, "n": ag.constant(0, "int32"), "seen": [ag.constant(False)]}

    def step(s: Any) -> Any:
        return {"y": s["y"] * 2, "n": s["n"] + 1, "seen": [ag.reduce_max(s["y"]) > 3]}

    end = ag.while_loop(lambda s: ag.reduce_sum(s["y"]) < 20, step, start)
    f = ag.function([x], [end["y"], end["n"], end["seen"][0], ag.gradients(ag.reduce_sum(end["y"]), x)])
    assert [v.tolist() for v in f([1, 2])] == [[8, 16], 3, True, [8, 8]]
    assert [v.tolist() for v in f([10, 20])] == [[10, 20], 0, False, [1, 1]]


def test_gradients_flow_to_what_is_read_and_updates_take_them() -> None:
    w, x = ag.variable(1.5, "float64"), ag.placeholder((3,), dtype="float64")
    end = ag.while_loop(lambda y: ag.reduce_sum(y) < 50, lambda y: y * w, x)
    f = ag.function([x], end, [(w, w - 0.5 * ag.gradients(ag.reduce_sum(end), w))])
    start = np.array([1.0, 2.0, 3.0])
    turns = int(np.ceil(np.log(50 / 6) / np.log(1.5)))
    np.testing.assert_allclose(f(start), start * 1.5**turns)
    np.testing.assert_allclose(w.get_value(), 1.5 - 0.5 * turns * 6 * 1.5 ** (turns - 1))


def test_a_loop_without_an_end_can_be_bounded_and_memory_is_kept_for_gradients_alone() -> None:
    x = ag.placeholder((), dtype="float64")
    end = ag.while_loop(lambda y: ag.logical_not(ag.isnan(y)), lambda y: y + 1, x, most=1000)
    assert ag.function([x], end)(0.0) == 1000.0
    assert ag.function([x], ag.gradients(end * end, x))(0.0) == 2000.0


@pytest.mark.parametrize("most", [-1, 2.5, True])
def test_the_most_turns_are_a_whole_number(most: Any) -> None:
    with pytest.raises(ag.ArgumentError, match="whole number"):
        ag.while_loop(lambda y: y > 0, lambda y: y - 1, ag.placeholder(()), most)
