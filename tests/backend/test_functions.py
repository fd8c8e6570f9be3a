"""K.function, gradients, updates, phases and random numbers: how a program in the style of Keras runs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph.errors import FeedError
from autograph.executors.executor import EXECUTORS, lack_of
from autograph.graph.updates import Update, Updates


@pytest.fixture(autouse=True)
def fresh() -> Any:
    """The phase as at the start of a program."""
    yield
    K.clear_session()


# functions -----------------------------------------------------------------------------------------------------------


def test_a_list_goes_in_and_a_list_comes_out() -> None:
    x, y = K.placeholder((None, 2), name="x"), K.placeholder((), name="y")
    f = K.function([x, y], [K.sum(x) * y, x + y], name="f")
    total, moved = f([np.ones((3, 2)), 2])
    assert total == 12 and moved.shape == (3, 2) and type(f((np.ones((1, 2)), 1))) is list
    assert K.function((x, y), (x,))([np.ones((1, 2)), 0])[0].tolist() == [[1, 1]]
    assert f.name == "f" and "takes a list" in repr(f)


def test_there_may_be_no_inputs_and_no_outputs() -> None:
    n = K.variable(0, "int64")
    tick = K.function([], [], updates=[K.update_add(n, 1)])
    assert tick([]) == tick() == [] and K.get_value(n) == 2 and [u.variable for u in tick.updates] == [n]


def test_inputs_may_be_unused_and_may_be_expressions() -> None:
    x, unused = K.placeholder((2,)), K.placeholder((5,))
    hidden = K.exp(x)
    f = K.function([hidden, unused], [hidden * 2])
    assert f([[1, 2], np.ones(5)])[0].tolist() == [2, 4]


def test_updates_read_old_values_and_take_effect_together() -> None:
    a, b = K.variable(1.0), K.variable(2.0)
    f = K.function([], [a, b], updates=[(a, b), K.update(b, a + b)])
    assert f([]) == [1, 2] and f([]) == [2, 3] and K.batch_get_value([a, b]) == [3, 5]


def test_a_bare_array_is_no_list() -> None:
    x = K.placeholder((None, 784), name="x")
    f = K.function([x], [K.sum(x)], name="f")
    with pytest.raises(TypeError, match=r"(?s)'f' got an array \[32, 784\].*taken as 32 inputs.*call f\(\[x\]\)"):
        f(np.ones((32, 784)))
    for bad in (1.0, {"x": 1}, x, None):
        with pytest.raises(TypeError, match="instead of a list"):
            f(bad)


def test_every_input_needs_a_value() -> None:
    x, y = K.placeholder((None, 784), name="x"), K.placeholder((), name="y")
    f = K.function([x, y], [K.sum(x) * y], name="train")
    with pytest.raises(ValueError, match=r"(?s)'train' takes 2 inputs.*x \[\?, 784\].*got 1"):
        f([np.ones((2, 784))])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda x, v: K.function(x, [x]), TypeError, r"(?s)`inputs` must be a list.*Tensor 'x'.*K\.function\(\[x\], \[y\]\)"),
        (lambda x, v: K.function([x], x), TypeError, "`outputs` must be a list"),
        (lambda x, v: K.function([x], [x], nmae="f"), ValueError, "nmae.*did you mean 'name'"),
        (lambda x, v: K.function([x, x], [x]), ValueError, "positions 0 and 1"),
        (lambda x, v: K.function([v], [v]), TypeError, "not a placeholder"),
        (lambda x, v: K.function([], [x]), ValueError, "needs placeholder 'x'"),
        (lambda x, v: K.function([], [], [(v, 1.0), K.update(v, 2.0)]), ValueError, "two new values"),
        (lambda x, v: K.function([x], [], [(x, v)]), ValueError, "only variables hold state"),
        (lambda x, v: K.function([], [], [v, 1.0]), ValueError, "expected a pair"),
        (lambda x, v: K.update(x, 1.0), TypeError, "only variables hold state"),
    ],
)
def test_misuse_is_explained(make: Any, error: type[Exception], text: str) -> None:
    x, v = K.placeholder((), name="x"), K.variable(0.0, name="v")
    with pytest.raises(error, match=text):
        make(x, v)
    assert K.get_value(v) == 0


def test_a_function_can_be_pickled() -> None:
    n = K.variable(3.0)
    f = pickle.loads(pickle.dumps(K.function([], [n * 2], updates=[K.update_add(n, 1)])))
    assert f([]) == [6] and f([]) == [8] and K.get_value(n) == 3


def test_the_function_of_the_engine_is_at_hand() -> None:
    n = K.variable(3.0)
    f = K.function([], [n], updates=[K.update_add(n, 1)])
    assert f.compiled.preview() == {n: 4} and K.get_value(n) == 3


# gradients -----------------------------------------------------------------------------------------------------------


def test_gradients_of_losses_and_variables_in_every_form() -> None:
    x, y = K.variable([1.0, 2.0]), K.variable(3.0)
    loss = K.sum(x * x) * y
    assert K.gradients(loss, []) == []
    assert [K.eval(g).tolist() for g in K.gradients(loss, (x, y))] == [[6, 12], 5]
    assert K.eval(K.gradients([loss, x * y], [y])[0]) == 8
    middle = K.exp(x)
    assert [K.eval(g).tolist() for g in K.gradients(middle * 2, [middle])] == [[2, 2]]


def test_gradients_of_gradients() -> None:
    x = K.variable([1.0, 2.0])
    (first,) = K.gradients(K.sum(K.pow(x, 3)), [x])
    assert K.eval(K.gradients(first, [x])[0]).tolist() == [6, 12]


def test_integers_have_no_gradient() -> None:
    with pytest.raises(TypeError, match="only floats"):
        K.gradients(K.variable(1.0), [K.variable(1, "int32")])


def test_stop_gradient_of_one_and_of_many() -> None:
    x, y = K.variable(2.0), K.variable(3.0)
    a, b = K.stop_gradient([x, y])
    assert [K.eval(g) for g in K.gradients(a * x + b * y + K.stop_gradient(x * y), [x, y])] == [2, 3]


# updates -------------------------------------------------------------------------------------------------------------


def test_updates_are_pairs() -> None:
    x = K.variable(1.0)
    variable, value = K.update_add(x, 2)
    assert variable is x and K.eval(value) == 3 and isinstance(K.update_sub(x, 1), Update)
    assert K.get_value(x) == 1


def test_updates_with_a_moving_average_of_another_dtype() -> None:
    x = K.variable([1.0, 1.0])
    K.eval(K.moving_average_update(x, np.array([2, 3]), 0.5))
    assert K.get_value(x).tolist() == [1.5, 2]


def test_a_list_of_updates_is_evaluated_together() -> None:
    a, b = K.variable(1.0), K.variable(2.0)
    assert K.eval(Updates([(a, b), (b, a)])) == [2, 1] and K.batch_get_value([a, b]) == [2, 1]


# phases --------------------------------------------------------------------------------------------------------------


def test_the_phase_is_one_input_until_it_is_settled() -> None:
    phase = K.learning_phase()
    assert phase is K.learning_phase() and K.eval(phase) == 0
    x = K.variable(1.0)
    before = K.in_train_phase(x * 2, x * 3)
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    assert K.eval(K.in_train_phase(x * 2, x * 3)) == 2 and K.eval(K.in_test_phase(x * 2, x * 3)) == 3
    assert K.eval(before) == 3 and K.function([phase], [before])([1]) == [2]
    with pytest.raises(ValueError, match="learning phase"):
        K.set_learning_phase(2)


def test_a_phase_given_settles_it_and_calls_one_branch() -> None:
    def never() -> Any:
        raise AssertionError

    wide, narrow = K.ones((3, 3)), K.ones((2, 2))
    for training in (1, True):
        assert K.in_train_phase(wide, never, training=training) is wide
        assert K.in_test_phase(never, lambda: narrow, training=training) is narrow
    for training in (0, False):
        assert K.in_train_phase(never, narrow, training=training) is narrow
    assert not hasattr(K.in_train_phase(wide, wide * 2, training=K.placeholder((), dtype="int32")), "_uses_learning_phase")


def test_clear_session_makes_a_new_phase() -> None:
    old = K.learning_phase()
    K.set_learning_phase(1)
    K.clear_session()
    x = K.variable(1.0)
    assert K.learning_phase() is not old and K.eval(K.in_train_phase(x * 2, x)) == 1


def test_dropout_in_training_alone() -> None:
    x = K.placeholder((None, 100))
    f = K.function([x, K.learning_phase()], [K.in_train_phase(lambda: K.dropout(x, 0.5), x)])
    ones = np.ones((10, 100), "float32")
    np.testing.assert_array_equal(f([ones, 0])[0], ones)
    (dropped,) = f([ones, 1])
    assert set(np.unique(dropped)) == {0, 2} and 0.4 < (dropped == 0).mean() < 0.6
    assert (f([ones, 1])[0] != dropped).any()


@pytest.mark.parametrize("executor", [name for name in EXECUTORS if not lack_of(name)])
def test_a_phase_among_the_inputs_that_is_not_fed_is_0(executor: str) -> None:
    x, phase = K.placeholder((2,)), K.learning_phase()
    f = K.function([x, phase], [K.in_train_phase(x * 2, x * 3)], executor=executor)
    for given, found in (([1], 2), ([], 3), ([1], 2), ([], 3)):
        assert f([np.ones(2, "float32"), *given])[0].tolist() == [found] * 2
    first = K.function([phase, x], [K.in_train_phase(x * 2, x * 3)], executor=executor)
    for g, feeds in ((f, []), (f, [np.ones(2), 1, 1]), (first, [np.ones(2)]), (first, [1])):
        with pytest.raises(FeedError, match=f"takes 2 inputs.*got {len(feeds)}"):
            g(feeds)


def test_a_switch_takes_integers_and_broadcasts_to_the_right() -> None:
    x = K.variable([[1.0, 2.0], [3.0, 4.0]])
    assert K.eval(K.switch(K.variable([1, 0], "int32"), x, 0.0)).tolist() == [[1, 2], [0, 0]]
    assert K.eval(K.switch(0, x, lambda: -x)).tolist() == [[-1, -2], [-3, -4]]


@pytest.mark.parametrize(
    ("condition", "then", "other", "error"),
    [
        (K.ones((2,)), K.ones((2,)), K.ones((2,)), TypeError),
        (K.ones((2, 2), "bool"), K.ones((2,)), K.ones((2,)), ValueError),
        (K.ones((), "bool"), K.ones((3, 2)), K.ones((2, 3)), ValueError),
    ],
)
def test_a_switch_of_what_does_not_fit(condition: Any, then: Any, other: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="switch"):
        K.switch(condition, then, other)


# random numbers ------------------------------------------------------------------------------------------------------

RANDOM = {
    "normal": lambda seed: K.random_normal((4, 3), 1.0, 2.0, seed=seed),
    "uniform": lambda seed: K.random_uniform((4, 3), -1.0, 1.0, seed=seed),
    "binomial": lambda seed: K.random_binomial((40, 3), 0.5, seed=seed),
    "truncated": lambda seed: K.truncated_normal((4, 3), seed=seed),
    "integers": lambda seed: K.random_uniform((4, 3), 0, 1000, "int32", seed),
    "dropout": lambda seed: K.dropout(K.ones((40, 3)), 0.5, seed=seed),
}


@pytest.mark.parametrize("draw", RANDOM.values(), ids=RANDOM)
def test_random_numbers_are_drawn_anew_at_each_call_and_once_within_it(draw: Any) -> None:
    x = draw(None)
    f = K.function([], [x, x + 0])
    one, same = f([])
    np.testing.assert_array_equal(one, same)
    assert (f([])[0] != one).any() and one.shape == K.int_shape(x)


@pytest.mark.parametrize("draw", RANDOM.values(), ids=RANDOM)
def test_a_seed_settles_them_and_so_does_that_of_numpy(draw: Any) -> None:
    np.testing.assert_array_equal(K.eval(draw(5)), K.eval(draw(5)))
    np.random.seed(3)
    one = K.eval(draw(None))
    np.random.seed(3)
    np.testing.assert_array_equal(K.eval(draw(None)), one)


def test_random_numbers_have_their_distribution() -> None:
    normal, uniform = K.eval(K.random_normal((100, 100), 1, 2)), K.eval(K.random_uniform((100, 100), -1, 1))
    cut, coins = K.eval(K.truncated_normal((100, 100), 1, 0.5)), K.eval(K.random_binomial((100, 100), 0.3))
    assert abs(normal.mean() - 1) < 0.1 and abs(normal.std() - 2) < 0.1
    assert uniform.min() >= -1 and uniform.max() < 1 and abs(uniform.mean()) < 0.05
    assert cut.min() >= 0 and cut.max() <= 2 and abs(coins.mean() - 0.3) < 0.03


def test_dropout_shares_its_noise_and_refuses_a_rate_beyond_1() -> None:
    x = K.ones((4, 50))
    shared = K.eval(K.dropout(x, 0.5, noise_shape=(1, 50)))
    assert (shared == shared[0]).all() and 0 < (shared == 0).sum() < 200
    assert K.eval(K.dropout(x, 0.0)).tolist() == K.eval(x).tolist()
    for level in (-0.1, 1.0):
        with pytest.raises(ValueError):
            K.dropout(x, level)
