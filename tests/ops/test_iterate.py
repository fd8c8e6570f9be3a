"""`iterate`: a graph on its own result, again and again; and what holds of every graph that an op holds."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.tensor import Tensor


def scalar(name: str = "x") -> Any:
    return ag.placeholder((), dtype="float64", name=name)


def doubled(x: Tensor, most: int = 100) -> Tensor:
    return ag.iterate(lambda y: y * 2, x, lambda y: y < 100, most)


def counting(calls: list[int]) -> Any:
    """An op that gives what it gets, and counts."""

    def passed(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(1)
        return a.copy()

    return ag.custom_op("passed", passed)


def test_it_goes_on_for_as_long_as_the_condition_holds() -> None:
    x = scalar()
    f = ag.function([x], doubled(x))
    assert [f(3.0), f(99.0), f(100.0), f(-0.0)] == [192.0, 198.0, 100.0, 0.0]
    assert np.isnan(f(np.nan))


def test_it_ends_after_the_most_steps_allowed() -> None:
    x = scalar()
    f = ag.function([x], [doubled(x, most) for most in (0, 1, 3)])
    assert f(3.0) == [3.0, 6.0, 24.0]


def test_where_the_condition_fails_at_once_no_step_is_computed() -> None:
    calls: list[int] = []
    x, passed = scalar(), counting(calls)
    f = ag.function([x], ag.iterate(lambda y: passed(y) + 1, x, lambda y: y < 3, 10))
    assert (f(5.0), len(calls)) == (5.0, 0)
    assert (f(0.5), len(calls)) == (3.5, 3)


def test_what_does_not_depend_on_the_state_is_computed_once() -> None:
    calls: list[int] = []
    x, w, passed = scalar(), scalar("w"), counting(calls)
    f = ag.function([x, w], ag.iterate(lambda y: y + passed(w), x, lambda y: y < 10, 100))
    assert (f(0.0, 1.0), len(calls)) == (10.0, 1)


def test_registers_are_read_as_they_were_before_the_tick() -> None:
    w, n = ag.variable(1.0, "float64", name="w"), ag.variable(0.0, "float64", name="n")
    sums = ag.iterate(lambda y: y + w, n, lambda y: y < 3 * w, 10)
    f = ag.function([], sums, [(w, w * 2), (n, sums)])
    assert [f(), n.get_value(), w.get_value()] == [3.0, 3.0, 2.0]
    assert [f(), n.get_value()] == [7.0, 7.0]
    then = ag.function([], None, ag.Updates([(w, w * 0 + 10)]).then([(n, sums)]))
    then()
    assert n.get_value() == 37.0


def test_sizes_may_be_unknown_when_it_is_written_down() -> None:
    x = ag.placeholder((None, None), dtype="float64")
    half = ag.iterate(lambda y: y / ag.reduce_sum(y, axis=0), x, lambda y: ag.reduce_sum(y) > 2.5, 10)
    f = ag.function([x], half)
    np.testing.assert_array_equal(f(np.ones((2, 2))), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(f(np.ones((1, 2))), np.ones((1, 2)))
    np.testing.assert_array_equal(f(np.ones((4, 1))), np.full((4, 1), 0.25))


def test_a_size_that_does_not_fit_is_found_before_anything_runs() -> None:
    calls: list[int] = []
    x, w = ag.placeholder((None,), dtype="float64", name="x"), ag.placeholder((None,), dtype="float64", name="w")
    passed = counting(calls)
    f = ag.function([x, w], ag.iterate(lambda y: y * w, passed(x), lambda y: y[0] < 10, 5))
    assert f(np.full(2, 2.0), np.full(2, 3.0)).tolist() == [18.0, 18.0]
    calls.clear()
    with pytest.raises(ag.ShapeError):
        f(np.ones(2), np.ones(3))
    with pytest.raises(ag.ShapeError, match="a step makes"):
        f(np.ones(1), np.ones(3))
    assert not calls


def test_sizes_inside_may_depend_on_data() -> None:
    x = ag.placeholder((5,), dtype="float64")
    f = ag.function([x], ag.iterate(lambda y: y - ag.reduce_min(ag.boolean_mask(y, y > 0)), x, lambda y: ag.reduce_max(y) > 1, 9))
    np.testing.assert_array_equal(f(np.arange(5.0)), [-3, -2, -1, 0, 1])


def test_it_nests() -> None:
    x = scalar()
    inner = ag.iterate(lambda y: ag.iterate(lambda z: z * 2, y, lambda z: z < 50 + y, 9) - 40, x, lambda y: y < 70, 9)
    y = 3.0
    while y < 70:
        z = y
        while z < 50 + y:
            z *= 2
        y = z - 40
    assert ag.function([x], inner)(3.0) == y


def test_no_gradient_goes_through() -> None:
    x = scalar()
    with pytest.raises(ag.NoGradientRuleError, match="how many steps"):
        ag.gradients(doubled(x) * x, x)
    assert ag.function([x], ag.gradients(ag.stop_gradient(doubled(x)) * x, x))(60.0) == 120.0


def test_arithmetic_inside_is_that_outside_bit_for_bit() -> None:
    """A line search compares a loss inside with one outside."""
    x, w = ag.placeholder((None, 4), dtype="float64"), ag.variable(np.zeros(15), "float64")

    def loss(y: Tensor) -> Tensor:
        hidden = ag.tanh(ag.matmul(x, ag.reshape(y[:12], (4, 3))) + y[12:])
        return ag.reduce_mean(ag.logsumexp(ag.square(hidden) @ ag.reshape(y[:12], (3, 4)), axis=-1)) + ag.reduce_sum(y * y)

    inside = ag.iterate(lambda y: loss(w + 0 * y), ag.constant(0.0, "float64"), lambda y: ag.equal(y, 0), 1)
    f = ag.function([x], [loss(w), inside])
    rng = np.random.default_rng(0)
    for rows in range(1, 30):
        w.set_value(rng.normal(size=15))
        outer, inner = f(rng.normal(size=(rows, 4)))
        assert outer == inner != 0


def test_stable_forms_are_found_inside_too() -> None:
    x = ag.placeholder((2,), dtype="float32")
    f = ag.function([x], ag.iterate(lambda y: ag.log(ag.sigmoid(y)), x, lambda y: y[0] < -150, 1))
    np.testing.assert_allclose(f([-200.0, -300.0]), [-200.0, -300.0])


def test_an_error_inside_is_told_of_the_op_that_holds_it_and_changes_nothing() -> None:
    n, k = ag.placeholder((), dtype="int64", name="n"), ag.variable(7, "int64", name="k")
    down = ag.iterate(lambda y: y // (y - 3), n, lambda y: y > 0, 10)
    others = [ag.abs(n), ag.square(n), n + k, n - k, n * k]  # steps of the program around it, which are not to blame
    f = ag.function([n], others, [(k, k + down)])
    f(0)
    with pytest.raises(ag.DivisionByZeroError, match=r"^iterate(.|\n)*test_iterate"):
        f(3)
    assert k.get_value() == 7


def test_functions_with_graphs_inside_pickle_and_copy() -> None:
    x, w = ag.placeholder((3,), dtype="float64"), ag.variable(np.arange(3.0), "float64")
    total = ag.iterate(lambda y: y + ag.reduce_sum(w), x, lambda y: y[0] < 10, 9)
    f = ag.function([x], [total, ag.jacobian(ag.exp(x) * x, x)], [(w, w + 1)])
    for other in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), f.copy()):
        at = np.array([1.0, 2.0, 3.0])
        if other.registers == f.registers:
            w.set_value(np.arange(3.0))
        for a, b in zip(other(at), [at + 9, np.diag(np.exp(at) * (1 + at))], strict=True):
            np.testing.assert_allclose(a, b)


def test_it_can_be_looked_into() -> None:
    x, w = scalar(), ag.variable(0.0, "float64")
    f = ag.function([x], None, [(w, doubled(x))])
    assert f.preview(3.0) == {w: 192.0}
    assert 192.0 in f.trace(3.0).values()
    assert ag.eval(doubled(ag.as_tensor(3.0))) == 192.0
    assert f.profile(3.0, ticks=2).rows


@pytest.mark.parametrize("most", [-1, 2.5, True, None])
def test_the_most_steps_are_a_whole_number(most: Any) -> None:
    with pytest.raises(ag.ArgumentError, match="whole number of at least 0"):
        doubled(scalar(), most)
