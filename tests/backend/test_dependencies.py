"""What is done when a value is evaluated: printing, in order, and updates that stand before a value."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

import autograph as ag
from autograph import backend as K
from autograph.backend.dependencies import repeated_updates
from autograph.errors import DuplicateUpdateError, UpdateTypeError
from autograph.executors.executor import EXECUTORS, lack_of

everywhere = pytest.mark.parametrize("executor", [name for name in EXECUTORS if not lack_of(name)])

# printing ------------------------------------------------------------------------------------------------------------


def test_a_line_has_the_message_a_blank_and_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    y = K.print_tensor(K.variable(np.array([[1.0]])), "msg")
    assert capsys.readouterr().out == ""
    assert K.eval(y) == 1
    assert capsys.readouterr().out == "msg [[1.]]\n"


@everywhere
def test_lines_come_in_the_order_of_the_program(capsys: pytest.CaptureFixture[str], executor: str) -> None:
    x, w = K.placeholder((None,)), K.variable([3.0, 4.0])
    first = K.print_tensor(K.sum(x), "first")
    second = K.print_tensor(w, "second")
    third = K.print_tensor(K.exp(first * 0.0) + 1.0, "third")
    f = K.function([x], [third, second], executor=executor)
    f([[1.0, 2.0]])
    f([[5.0, 2.0]])
    assert capsys.readouterr().out.splitlines() == [
        "first 3.0", "second [3. 4.]", "third 2.0", "first 7.0", "second [3. 4.]", "third 2.0",
    ]  # fmt: skip


def test_equal_prints_are_two_lines_and_one_print_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    x = K.constant([1.0])
    a, b = K.print_tensor(x), K.print_tensor(x)
    f = K.function([], [a + a, b])
    assert capsys.readouterr().out == ""
    for _ in range(2):
        f([])
        assert capsys.readouterr().out == " [1.]\n [1.]\n"


def test_a_print_of_a_value_that_turns_out_not_to_be_needed_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    x = K.placeholder((None,))
    f = K.function([x], [K.shape(K.print_tensor(x, "unneeded"))])
    assert f([[1.0, 2.0]])[0].tolist() == [2]
    assert capsys.readouterr().out == "unneeded [1. 2.]\n"


@everywhere
def test_behind_a_guard_it_prints_where_the_guard_holds(capsys: pytest.CaptureFixture[str], executor: str) -> None:
    n, w = ag.variable(0, dtype="int64"), K.variable([1.0])
    new = K.print_tensor(K.exp(K.print_tensor(w, "inner")), "outer")
    u = ag.Updates([(w, new)]).when(ag.equal(n % 2, 1)) + [(n, n + 1)]
    f = ag.function([], [K.print_tensor(w + 1.0, "output")], u, executor=executor)
    for _ in range(3):
        f()
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(lines[1:4]) == ["inner", "outer", "output"] and lines[0] == lines[4] == "output"
    assert lines.index("inner") < lines.index("outer")


@everywhere
def test_behind_guards_in_guards_the_order_stays(capsys: pytest.CaptureFixture[str], executor: str) -> None:
    v, w, a, on = K.variable(1.0), K.variable(2.0), K.variable(0.0), ag.variable(True, dtype="bool")
    both = K.print_tensor(v * 2.0, "one") + K.print_tensor(w * 3.0, "two")
    inner = ag.Updates([(v, v + 1.0)]).when(ag.less(w, 9.0))
    f = ag.function([], [], inner.then(ag.Updates([(a, both)]).when(on)), executor=executor)
    f()
    assert capsys.readouterr().out == "one 4.0\ntwo 6.0\n" and K.eval(a) == 10


@everywhere
def test_in_a_loop_it_prints_once_a_step_also_where_a_gradient_goes_back(
    capsys: pytest.CaptureFixture[str], executor: str
) -> None:
    x, w = K.placeholder((None,)), K.variable(2.0)
    last, _ = ag.scan(lambda s, e: (K.print_tensor(ag.tanh(s * w + K.print_tensor(e, "in")), "out") * 0, None), 0.0, x)
    K.function([x], [last, *K.gradients(last, [w])], executor=executor)([[0.0, 0.0]])
    assert capsys.readouterr().out == "in 0.0\nout 0.0\n" * 2


def test_a_gradient_passes_unchanged_in_every_order(capsys: pytest.CaptureFixture[str]) -> None:
    x = K.variable([2.0])
    (g,) = K.gradients(K.print_tensor(x, "x") ** 3, [x])
    (h,) = K.gradients(g, [x])
    assert (K.eval(g), K.eval(h)) == (12, 12)


def test_a_tick_that_cannot_print_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> None:
            raise OSError("closed")

    w = K.variable([1.0])
    f = K.function([], [], updates=[(w, K.print_tensor(w) + 1)])
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(OSError, match="closed"):
        f([])
    monkeypatch.undo()
    assert K.get_value(w) == 1


# updates before a value ----------------------------------------------------------------------------------------------


def test_an_identity_is_read_after_the_updates_and_carries_them_out() -> None:
    total, count = K.variable(0.0), K.variable(0.0)
    with K.control_dependencies([K.update_add(total, 6.0), K.update_add(count, 2.0)]):
        mean = K.identity(total / count)
    assert K.eval(mean) == 3 and K.eval(total) == 6 and K.eval(count) == 2
    assert K.function([], [mean * 2, K.identity(total)])([]) == [6, 6]  # the output without a scope: as before the tick
    assert K.eval(total) == 12


def test_nothing_changes_where_nobody_reads_it() -> None:
    v = K.variable(1.0)
    with K.control_dependencies(K.update(v, 5.0)):
        K.identity(v)
    assert K.eval(v * 2) == 2


def test_a_new_value_in_a_scope_is_in_sequence() -> None:
    v, w = K.variable(1.0), K.variable(0.0)
    with K.control_dependencies([K.update_add(v, 1.0)]):
        later = K.update(w, v * 10.0)
    assert K.eval(later) == 20 and K.eval(v) == 2 and K.eval(w) == 20


def test_scopes_nest_and_none_clears_them() -> None:
    v, w = K.variable(1.0), K.variable(1.0)
    with K.control_dependencies([K.update_add(v, 1.0)]):
        with K.control_dependencies([K.update_add(w, 2.0)]):
            both = K.identity(v * 10.0 + w)
            with K.control_dependencies([K.update_add(v, 5.0)]):
                again = K.identity(v)
        with K.control_dependencies(None):
            none = K.identity(v)
    assert K.eval(none) == 1 and K.eval(v) == 1
    assert K.eval(both) == 23 and K.eval(v) == 2
    assert K.eval(again) == 8  # the inner one alone was built in the outer scope: 2 + 1 + 5


def test_a_print_among_the_dependencies_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    v, y = K.variable(1.0), K.constant(2.0)
    with K.control_dependencies([v, K.print_tensor(y, "y"), None]):
        x = K.identity(v)
    assert K.eval(x + 1) == 2
    assert capsys.readouterr().out == "y 2.0\n"


def test_what_is_neither_update_nor_tensor_is_refused() -> None:
    with pytest.raises(UpdateTypeError), K.control_dependencies([3]):
        pass


def test_an_explicit_update_takes_the_place_of_one_that_comes_along() -> None:
    v = K.variable(1.0)
    with K.control_dependencies([K.update_add(v, 1.0)]):
        x = K.identity(v)
    K.function([], [x], updates=[(v, v * 100.0)])([])
    assert K.eval(v) == 100


def test_two_different_updates_that_come_along_are_refused() -> None:
    v = K.variable(1.0)
    found = []
    for step in (1.0, 2.0):
        with K.control_dependencies([K.update_add(v, step)]):
            found.append(K.identity(v))
    with pytest.raises(DuplicateUpdateError):
        K.eval(found[0] + found[1])


def test_metrics_are_read_after_the_tick_and_within_it() -> None:
    x, total, count = K.placeholder((None,)), K.variable(0.0), K.variable(0.0)
    updates = [K.update_add(total, K.sum(x)), K.update_add(count, K.cast(K.size(x), "float32"))]
    with K.control_dependencies(updates):
        mean = K.identity(total / count)
    mean._is_metric = True  # type: ignore[attr-defined]  # Keras's mark
    train = K.function([x], [K.sum(x), mean, total], updates=updates)
    assert train([[1.0, 3.0]]) == [4, 2, 0]
    assert train([[8.0]]) == [8, 4, 4]
    alone = K.identity(total / count)
    alone._is_metric = True  # type: ignore[attr-defined]
    assert K.eval(alone) == 4  # nothing to carry out
    assert K.function([x], [alone], updates=updates)([[4.0]]) == [4]  # (12 + 4) / 4


def test_a_metric_that_fails_leaves_everything_as_it_was() -> None:
    x, total = K.placeholder((2,)), K.variable(1.0)
    updates = [K.update_add(total, K.sum(x))]
    with K.control_dependencies(updates):
        metric = K.gather(K.variable([1.0, 2.0]), K.cast(K.identity(total), "int32"))
    metric._is_metric = True  # type: ignore[attr-defined]
    with pytest.raises(ag.IndexRangeError):
        K.function([x], [metric], updates=updates)([[4.0, 4.0]])
    assert K.eval(total) == 1


# one register twice --------------------------------------------------------------------------------------------------


@pytest.fixture
def first_counts() -> Iterator[None]:
    repeated_updates("first")
    yield
    repeated_updates("raise")


def test_the_same_update_twice_is_one() -> None:
    v = K.variable(1.0)
    u = K.update_add(v, 1.0)
    K.function([], [], updates=[u, (v, u[1])])([])
    assert K.eval(v) == 2


def test_a_register_with_two_new_values_is_an_error() -> None:
    v = K.variable(1.0)
    with pytest.raises(DuplicateUpdateError):
        K.function([], [], updates=[(v, v + 1.0), (v, v + 10.0)])


@pytest.mark.usefixtures("first_counts")
def test_under_real_keras_the_first_counts_with_a_warning() -> None:
    v = K.variable(1.0, name="written_twice")
    with pytest.warns(UserWarning, match="'written_twice' has two new values"):
        f = K.function([], [], updates=[(v, v + 1.0), (v, v + 10.0)])
    f([])
    assert K.eval(v) == 2
