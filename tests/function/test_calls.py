"""Calling a function: structures in and out, names, fed intermediates, givens, defaults, programs by shape."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograph as ag
from autograph.executors.executor import Executor, default_executor
from autograph.program import cache
from optimizers import SGD, Adam


class Pair(NamedTuple):
    left: Any
    right: Any


# structures -----------------------------------------------------------------------------------------------------------


def test_outputs_come_back_in_the_structure_that_was_asked_for() -> None:
    x = ag.placeholder((), name="x")
    f = lambda outputs: ag.function([x], outputs, on_unused_input="ignore")(2.0)
    assert f(x + 1.0) == 3
    assert f([x, x + 1.0]) == [2, 3]
    assert f((x, x + 1.0)) == (2, 3)
    assert f({"a": x, "b": [x, (x * 2.0,)]}) == {"a": 2, "b": [2, (4,)]}
    found = f(Pair(x, {"deep": Pair(x * 3.0, [])}))
    assert found == Pair(2, {"deep": Pair(6, [])}) and type(found) is Pair
    assert f([]) == [] and f(()) == () and f(None) is None and f({}) == {}
    assert list(f(OrderedDict(z=x, a=x))) == ["z", "a"]
    assert f([1.5, x, np.arange(3)])[0] == 1.5


def test_each_top_level_input_is_one_argument_and_may_be_nested() -> None:
    a, b, c, d = (ag.placeholder((), name=n) for n in "abcd")
    f = ag.function([[a, {"b": b}], Pair(c, d)], a + 10.0 * b + 100.0 * c + 1000.0 * d)
    assert f([1, {"b": 2}], Pair(3, 4)) == 4321
    assert f((1, {"b": 2}), (3, 4)) == 4321
    g = ag.function({"first": a, "rest": [b, c]}, a + 10.0 * b + 100.0 * c)
    assert g(1, [2, 3]) == g(first=1, rest=[2, 3]) == g(1, rest=[2, 3]) == 321


def test_arguments_are_given_by_position_or_by_name() -> None:
    x, y = ag.placeholder((), name="x"), ag.placeholder((), name="y")
    f = ag.function([x, y], x - y, name="minus")
    assert f(5, 3) == f(5, y=3) == f(y=3, x=5) == 2
    for bad, text in (
        (lambda: f(5), "takes 2 inputs"), (lambda: f(5, 3, 1), "got 3"), (lambda: f(5, z=3), "no input 'z'"),
        (lambda: f(5, 3, y=3), "'y' twice"), (lambda: f(5, x=3), "'x' twice"), (lambda: f(), "got 0"),
    ):  # fmt: skip
        with pytest.raises(ag.FeedError, match=text):
            bad()
    twins = ag.function([x, ag.placeholder((), name="x")], x, on_unused_input="ignore")
    with pytest.raises(ag.FeedError, match="several inputs 'x'"):
        twins(x=1)


def test_a_placeholder_that_gets_no_argument_takes_its_default() -> None:
    x, p, q = (ag.placeholder((), name=name, default=value) for name, value in (("x", None), ("p", 2.0), ("q", 3.0)))
    f = ag.function([x, p, q], x + 10.0 * p + 100.0 * q)
    assert [f(1), f(1, 5), f(1, 5, 0), f(1, q=0), f(x=1), f(q=0, x=1), f(1)] == [321, 351, 51, 21, 321, 21, 321]
    half = ag.placeholder((), name="half", default=ag.constant(1.0))  # a tensor is no value to be fed
    g = ag.function({"p": p, "nested": [x], "half": half}, x + p + half)
    assert g(1, [2], 3) == g(nested=[2], half=3, p=1) == 6 and g(nested=[2], half=3) == 7
    for bad, count in ((lambda: f(), 0), (lambda: f(q=1), 1), (lambda: g(1, [2]), 2)):
        with pytest.raises(ag.FeedError, match=f"takes 3 inputs.*got {count}"):
            bad()


# what may be fed ------------------------------------------------------------------------------------------------------


def test_any_tensor_may_be_fed_and_the_graph_is_cut_there() -> None:
    x = ag.placeholder((None,), name="x")
    w = ag.variable(np.ones(3), name="w")
    hidden = ag.tanh(x * w)
    y = ag.reduce_sum(hidden * 2.0)
    f = ag.function([hidden], y)
    assert f(np.array([1.0, 2.0, 3.0])) == 12
    both = ag.function([x, hidden], [y, ag.reduce_sum(x)])
    assert both(np.zeros(3), np.ones(3)) == [6, 0]
    assert w not in f.registers


def test_givens_replace_before_anything_else() -> None:
    x, y = ag.placeholder((None,), name="x"), ag.placeholder((None,), name="y")
    v, w = ag.variable(np.array([1.0, 2.0]), name="v"), ag.variable(np.array([5.0, 6.0]), name="w")
    loss = ag.reduce_sum(x * v)
    assert ag.function([y], loss, givens={x: y * 2.0})([1, 1]) == 6
    assert ag.function([x], loss, givens={v: w})([1, 1]) == 11
    assert ag.function([], loss, givens={x: np.array([3.0, 4.0], "float32")})() == 11
    step = ag.function([], None, [(v, v + x)], givens={x: w})
    step()
    assert v.get_value().tolist() == [6, 8]
    swapped = ag.function([x, y], [ag.reduce_sum(v), ag.reduce_sum(w)], givens={v: w, w: v}, on_unused_input="ignore")
    assert swapped(np.zeros(1), np.zeros(1)) == [11, 14]


def test_givens_that_do_not_fit_are_found_when_the_function_is_built() -> None:
    x = ag.placeholder((None,), name="x")
    a, b = ag.variable(np.ones(3), name="a"), ag.variable(np.ones(3), name="b")
    with pytest.raises(ag.UpdateTypeError, match="'a'"):
        ag.function([], [], [(b, b * 2.0), (a, a + x)], givens={x: np.ones((2, 3), "float32")})
    with pytest.raises(ag.ArgumentError, match="both in `inputs` and in `givens`"):
        ag.function([x], ag.reduce_sum(x), givens={x: np.ones(3)})
    with pytest.raises(ag.ArgumentTypeError, match="no tensor"):
        ag.function([], a, givens={"a": b})


def test_placeholders_with_a_default_need_no_feed() -> None:
    phase = ag.placeholder((), dtype="int32", name="phase", default=0)
    x = ag.placeholder((), name="x")
    y = ag.where(ag.equal(phase, 1), x * 2.0, x)
    assert ag.function([x], y)(3) == 3
    assert ag.function([x, phase], y)(3, 1) == 6


def test_numbers_lists_and_other_dtypes_are_taken_where_nothing_is_lost() -> None:
    x = ag.placeholder((None, 2), name="x")
    n = ag.placeholder((), dtype="int32", name="n")
    f = ag.function([x, n], [x * 1.0, n * 1])
    for value in ([[1, 2]], ((1.0, 2.0),), np.array([[1, 2]], "int8"), np.array([[1, 2]], ">f8"), np.array([[1, 2]])[:, :]):
        for number in (3, 3.0, np.int64(3), np.array(3), np.float32(3), True + 2):
            rows, whole = f(value, number)
            assert rows.tolist() == [[1, 2]] and rows.dtype == np.float32
            assert whole == 3 and type(whole) is np.int32
    flag = ag.placeholder((), dtype="bool", name="flag")
    g = ag.function([flag], ag.where(flag, 1.0, 0.0))
    assert [g(v) for v in (True, 1, np.bool_(True), 1.0, False, 0)] == [1, 1, 1, 1, 0, 0]


class Metres(np.ndarray):
    """A subclass that objects to arithmetic."""

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a subclass's own arithmetic ran inside a tick")


def test_subclasses_of_arrays_are_taken_as_plain_arrays() -> None:
    x, w = ag.placeholder((None, 2), name="x"), ag.variable(np.ones((3, 2)), name="w")
    f = ag.function([x], [x, ag.matmul(ag.sin(x) * x, ag.constant(np.ones((2, 2), "float32")))], [(w, w + ag.sqrt(x))])
    for kind in (Metres, np.matrix):
        plain, product = f(np.ones((3, 2), "float32").view(kind))
        assert type(plain) is type(product) is np.ndarray
        assert product.shape == (3, 2)
    assert w.get_value()[0, 0] == 3


@pytest.mark.parametrize("value", [2.0**63, 2.0**64, 1e19, -(2.0**63) * 1.5])
def test_floats_beyond_an_integer_input_are_refused(value: float) -> None:
    n = ag.placeholder((None,), dtype="int64", name="n")
    with pytest.raises(ag.FeedError, match="outside"):
        ag.function([n], n + 1)(np.array([1.0, value]))


def test_read_only_and_overlapping_feeds() -> None:
    x, y = ag.placeholder((None,), name="x"), ag.placeholder((None,), name="y")
    f = ag.function([x, y], [x + y, ag.sin(x) * y])
    base = np.arange(6, dtype="float32")
    base.flags.writeable = False
    total, product = f(base[:4], base[2:])
    assert total.tolist() == [2, 4, 6, 8]
    np.testing.assert_allclose(product, np.sin(base[:4]) * base[2:], rtol=1e-6)


# unused inputs --------------------------------------------------------------------------------------------------------


def test_inputs_that_nothing_reads() -> None:
    x, y = ag.placeholder((), name="x"), ag.placeholder((), name="extra")
    with pytest.raises(ag.ArgumentError, match=r"'extra'.*read by no output"):
        ag.function([x, y], x)
    with pytest.warns(UserWarning, match="'extra'") as record:
        f = ag.function([x, y], x, on_unused_input="warn")
    assert record[0].filename == __file__
    assert f(1, 2) == ag.function([x, y], x, on_unused_input="ignore")(1, 2) == 1


# programs by shape ----------------------------------------------------------------------------------------------------


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows with each program that is prepared."""
    made: list[Any] = []
    machine = type(default_executor())
    prepare = machine.prepare

    def counting(self: Executor, tick: Any, *rest: Any) -> Any:
        made.append(tick)
        return prepare(self, tick, *rest)

    monkeypatch.setattr(machine, "prepare", counting)
    return made


def test_each_signature_is_prepared_once(prepared: list[Any]) -> None:
    x = ag.placeholder((None, None), name="x")
    w = ag.variable(np.zeros(2), name="w")
    f = ag.function([x], ag.reduce_sum(x), [(w, w + 1.0)])
    assert not prepared
    f.prepare((2, 3))
    assert len(prepared) == 1 and w.get_value()[0] == 0
    for shape in ((2, 3), (4, 1), (2, 3), (4, 1), (0, 1)):
        assert f(np.ones(shape)) == shape[0] * shape[1]
    assert len(prepared) == 3
    f(np.ones((2, 3), "float64")), f([[1, 2, 3], [4, 5, 6]]), f(np.ones((3, 2), "float32").T)
    assert len(prepared) == 3
    with pytest.raises(ag.ArgumentError, match="1 inputs, got 2 shapes"):
        f.prepare((2, 3), (1,))
    with pytest.raises(ag.FeedError):
        f.prepare((2,))


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1, momentum=0.9), SGD(0.1, nesterov=True, momentum=0.5), Adam(0.1, amsgrad=True), Adam(0.1, clipnorm=1.0)]
)
def test_a_change_of_a_hyper_parameter_prepares_nothing_anew(optimizer: Any, prepared: list[Any]) -> None:
    x, w = ag.placeholder((None, 2), name="x"), ag.variable(np.ones((2, 2)), name="w")
    loss = ag.reduce_mean(ag.square(ag.matmul(x, w)))
    f = ag.function([x], loss, optimizer.get_updates(loss, [w]))
    feed = np.ones((4, 2))
    f(feed)
    source, programs = f.source, len(prepared)
    moves = []
    for rate in (0.1, 0.05, 1e-30, 3.0):
        optimizer.lr = rate
        before = w.get_value()
        f(feed)
        moves.append(float(np.abs(w.get_value() - before).max()))
    assert len(prepared) == programs and f.source == source
    assert moves[3] > moves[2]


def test_programs_are_bounded_and_a_thrashing_cache_says_which_size_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "COUNT", 4)
    monkeypatch.setattr(cache, "_THRASH", 5)
    x = ag.placeholder((None, 3), name="rows")
    f = ag.function([x], ag.reduce_sum(x), name="total")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(1, 30):
            assert f(np.ones((n, 3))) == 3 * n
            assert len(f._cache.programs) <= 4
    assert len(caught) == 1, "it is said once"
    text = str(caught[0].message)
    assert "'total'" in text and "axis 0" in text and "rows" in text
    assert "axis 1" not in text
    assert caught[0].filename == __file__


def test_programs_are_bounded_in_bytes_and_share_their_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], ag.reduce_sum(ag.sin(x) * ag.cos(x)))
    for n in (1000, 2000, 500, 3000):
        f(np.ones(n))
    assert len(f._cache.programs) == 4
    arena = f._state.arena
    assert arena.bytes.size == max(p.nbytes for p in f._cache.programs.values())
    monkeypatch.setattr(cache, "LIMIT", arena.bytes.size)
    f(np.ones(10)), f(np.ones(20))
    assert sum(p.nbytes for p in f._cache.programs.values()) <= arena.bytes.size


def test_the_least_recently_used_program_goes_first(monkeypatch: pytest.MonkeyPatch, prepared: list[Any]) -> None:
    monkeypatch.setattr(cache, "COUNT", 2)
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], ag.reduce_sum(x))
    for n, programs in ((1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4)):
        assert f(np.ones(n)) == n
        assert len(prepared) == programs


def test_functions_say_what_they_are() -> None:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.zeros(3), name="w")
    f = ag.function([x], ag.reduce_sum(x * w), [(w, w + 1.0)], name="step")
    assert f.source == "" and "step" in repr(f) and "x: float32[?, 3]" in repr(f)
    f(np.ones((1, 3)))
    assert "def tick(" in f.source and f.updates.registers == [w] and f.registers == [w]
    assert "w" in f._repr_html_()


def test_no_text_of_a_users_enters_the_generated_code() -> None:
    nasty = "x'); import os; ('\n\"\"\"#{}"
    x = ag.placeholder((None,), name=nasty)
    w = ag.variable(np.ones(2), name=nasty)
    op = ag.custom_op("boom); raise SystemExit  #", lambda a: a + 1)
    f = ag.function({nasty: x}, {nasty: op(x) * w}, [(w, w + x)], name=nasty)
    assert f(np.ones(2))[nasty].tolist() == [2, 2]
    assert "import" not in f.source and "SystemExit" not in f.source and nasty not in f.source


@pytest.mark.parametrize(
    "name", ["call", "deque", "starmap", "chain", "array", "float64", "finite", "tick", "lambda", "C0", "t1", "r0", "o0", "x0"]
)
def test_an_op_may_be_called_as_the_generated_code_calls_its_own(name: str) -> None:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    op = ag.custom_op(name, lambda a: a + np.float32(1))
    f = ag.function([x], [op(x), ag.reduce_sum(x) * 2.0], [(w, w * 0.5 + op(x))], on_nonfinite="raise")
    for _ in range(2):
        first, second = f([1, 2])
        assert first.tolist() == [2, 3] and second == 6
    assert w.get_value().tolist() == [3.25, 4.75]
