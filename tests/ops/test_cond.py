"""`cond` and lazy `K.switch`: one branch is computed, and its gradient alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import backend as K
from autograph.graph.tensor import Tensor


def counting(calls: list[str], name: str) -> Any:
    """A function of tensors that squares, and tells when it is computed."""

    def squared(a: Any) -> Any:
        calls.append(name)
        return a * a

    return ag.custom_op(f"squared_{name}", squared, vjp=lambda g, y, x: g * 2 * x)


def test_only_the_branch_that_is_taken_is_computed_also_for_a_gradient() -> None:
    calls: list[str] = []
    first, second = (counting(calls, name) for name in ("first", "second"))
    go, x = ag.placeholder((), dtype="bool"), ag.placeholder((2,), dtype="float64")
    y = ag.cond(go, lambda: first(x), lambda: ag.exp(second(x)))
    f = ag.function([go, x], [y, ag.gradients(ag.reduce_sum(y), x)])
    value, slope = f(True, [2.0, 3.0])
    assert (value.tolist(), slope.tolist(), set(calls)) == ([4, 9], [4, 6], {"first"})
    calls.clear()
    value, slope = f(False, [1.0, 0.0])
    np.testing.assert_allclose([*value, *slope], [np.e, 1, 2 * np.e, 0])
    assert set(calls) == {"second"}


def test_what_is_not_finite_in_the_other_branch_reaches_no_gradient() -> None:
    x, w = ag.placeholder((), dtype="float64"), ag.variable(3.0, "float64")
    y = ag.cond(x > 0, lambda: ag.log(x) * w, lambda: x * w)
    first = ag.gradients(y, [x, w])
    f = ag.function([x], [y, *first, *ag.gradients(first[0], [x, w])])
    assert f(0.0) == [0.0, 3.0, 0.0, 0.0, 1.0]
    np.testing.assert_allclose(f(2.0), [3 * np.log(2), 1.5, np.log(2), -0.75, 0.5])
    assert f(-1.0) == [-3.0, 3.0, -1.0, 0.0, 1.0]


def test_results_nest_and_a_branch_may_be_a_tensor() -> None:
    go, x = ag.placeholder((), dtype="bool"), ag.placeholder((None,), dtype="float32")
    found = ag.cond(go, lambda: {"sum": ag.reduce_sum(x), "count": (ag.size_of(x), x)}, {"sum": 7.0, "count": (0, x * 2)})
    f = ag.function([go, x], [found["sum"], *found["count"]])
    assert [v.tolist() for v in f(True, [1, 2])] == [3.0, 2, [1, 2]]
    assert [v.tolist() for v in f(False, [1, 2])] == [7.0, 0, [2, 4]]


def test_branches_nest_in_loops_and_loops_in_branches() -> None:
    x = ag.placeholder((None,), dtype="float64")

    def step(h: Tensor, e: Tensor) -> tuple[Tensor, None]:
        halved = ag.while_loop(lambda y: y > 1, lambda y: y / 2, h * e)
        return ag.cond(e > 0, lambda: ag.scan(lambda a, _: (a * e, None), h, length=2)[0], lambda: halved), None

    last, _ = ag.scan(step, ag.constant(3.0, "float64"), x)
    found = ag.function([x], [last, ag.gradients(last, x)])([2.0, -3.0, 5.0])
    assert found[0] == -36 * 25
    assert found[1].tolist() == [-900.0, 300.0, -360.0]


def test_a_register_behind_a_branch_is_updated_and_random_numbers_go_on() -> None:
    go, w = ag.placeholder((), dtype="bool"), ag.variable(1.0, "float64")
    noise = ag.cond(go, lambda: ag.random_normal((3,), seed=1), lambda: ag.zeros_like(ag.placeholder((3,), name="z", default=0)))
    f = ag.function([go], noise, [(w, ag.cond(go, lambda: w * 2, lambda: w))])
    a, b, c = f(True), f(False), f(True)
    assert not np.array_equal(a, c) and not b.any() and w.get_value() == 4.0


def test_switch_on_one_truth_value_computes_what_it_takes() -> None:
    calls: list[str] = []
    first, second = (counting(calls, name) for name in ("then", "else"))
    go, x = K.placeholder((), dtype="int32"), K.placeholder((None, 2))
    f = K.function([go, x], [K.switch(go, lambda: first(x), lambda: second(x + 1))])
    assert f([1, [[1, 2]]])[0].tolist() == [[1, 4]] and calls == ["then"]
    assert f([0, [[1, 2]]])[0].tolist() == [[4, 9]] and calls == ["then", "else"]


def test_the_learning_phase_computes_what_it_takes_and_defaults_to_test() -> None:
    calls: list[str] = []
    train, test = (counting(calls, name) for name in ("train", "test"))
    x = K.placeholder((None, 2))
    y = K.in_train_phase(lambda: train(x), lambda: test(x) * 2)
    f = K.function([x, K.learning_phase()], [y])
    assert y._uses_learning_phase
    assert K.function([x], [y])([[[1, 2]]])[0].tolist() == [[2, 8]] and calls == ["test"]
    assert f([[[1, 2]], 1])[0].tolist() == [[1, 4]] and calls == ["test", "train"]


def test_a_number_fits_a_branch_of_any_shape() -> None:
    go, x = K.placeholder((), dtype="bool"), K.placeholder((None,))
    f = K.function([go, x], [K.switch(go, lambda: x * 2, 0.0)])
    assert [f([p, [1, 2]])[0].tolist() for p in (True, False)] == [[2, 4], [0, 0]]


def test_sizes_known_only_when_it_runs_have_to_agree() -> None:
    go, x, z = ag.placeholder((), dtype="bool"), ag.placeholder((None,)), ag.placeholder((None,))
    f = ag.function([go, x, z], ag.cond(go, lambda: x * 2, lambda: z))
    assert f(True, [1, 2], [3, 4]).tolist() == [2, 4]
    with pytest.raises(ag.ShapeError, match="one branch makes"):
        f(True, [1, 2], [3])
