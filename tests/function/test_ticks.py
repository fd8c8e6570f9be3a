"""A call is one tick: everything reads the registers as they were before it, then all updates take effect together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.updates import Updates

GUARDS = ("apply", "raise", "skip")
A = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5], [1.5, 2.5, -2.0]])
B, C = A[::-1] * 0.5 + 1, A.T - 0.75

# Each case: the new values of a, b, c (None: no update) as tensors of a, b, c and the feed x; NumPy's own on arrays.
Rule = Callable[[Any, Any, Any, Any], Sequence[Any]]
CASES: dict[str, tuple[Rule, Rule]] = {
    "a swap": (lambda a, b, c, x: (b, a, None), lambda a, b, c, x: (b, a, None)),
    "a cycle of three": (lambda a, b, c, x: (b, c, a), lambda a, b, c, x: (b, c, a)),
    "a cycle of three with arithmetic": (
        lambda a, b, c, x: (b * 0.5, c + 1.0, ag.sin(a)), lambda a, b, c, x: (b * 0.5, c + 1.0, np.sin(a)),
    ),
    "each reads all": (
        lambda a, b, c, x: (a + b - c, b * c - a, c * a + b), lambda a, b, c, x: (a + b - c, b * c - a, c * a + b),
    ),
    "a register read by another's update": (lambda a, b, c, x: (a * 2.0, a + b, None), lambda a, b, c, x: (a * 2, a + b, None)),
    "read after it is written, and written after it is read": (
        lambda a, b, c, x: (ag.tanh(b) + a, a * b, b - a), lambda a, b, c, x: (np.tanh(b) + a, a * b, b - a),
    ),
    "another register, as it is": (lambda a, b, c, x: (b, None, a), lambda a, b, c, x: (b, None, a)),
    "a shift along a chain": (lambda a, b, c, x: (x, a, b), lambda a, b, c, x: (x, a, b)),
    "the same value for two": (lambda a, b, c, x: (x * 2.0, x * 2.0, None), lambda a, b, c, x: (x * 2, x * 2, None)),
    "one tensor for three": (
        lambda a, b, c, x: [ag.sin(a + x)] * 3, lambda a, b, c, x: [np.sin(a + x)] * 3,
    ),
    "a value shared by two new values": (
        lambda a, b, c, x: (a + ag.sin(c), b - ag.sin(c), c), lambda a, b, c, x: (a + np.sin(c), b - np.sin(c), c),
    ),
    "two that read each other and share a value": (
        lambda a, b, c, x: (b * ag.sin(c), a * ag.sin(c), ag.sin(c) + a),
        lambda a, b, c, x: (b * np.sin(c), a * np.sin(c), np.sin(c) + a),
    ),
    "itself, early and late": (
        lambda a, b, c, x: (ag.sin(a) * a - a, (b * 0.5 + c) * b, ag.sin(c * 2.0) * c),
        lambda a, b, c, x: (np.sin(a) * a - a, (b * 0.5 + c) * b, np.sin(c * 2) * c),
    ),
    "a transposed register": (lambda a, b, c, x: (a.T, None, None), lambda a, b, c, x: (a.T, None, None)),
    "a transposed other": (lambda a, b, c, x: (b.T, a.T, None), lambda a, b, c, x: (b.T, a.T, None)),
    "a register and its transpose": (lambda a, b, c, x: (a + a.T, None, None), lambda a, b, c, x: (a + a.T, None, None)),
    "arithmetic, then the old transpose": (
        lambda a, b, c, x: ((ag.sin(a) + a.T) * 0.5, None, None), lambda a, b, c, x: ((np.sin(a) + a.T) * 0.5, None, None),
    ),
    "the transpose of arithmetic": (
        lambda a, b, c, x: ((a * 0.5).T, (b + x).T + 1.0, None), lambda a, b, c, x: ((a * 0.5).T, (b + x).T + 1, None),
    ),
    "transposes of two alike": (
        lambda a, b, c, x: (a + c.T, b + c.T, c * 0.5), lambda a, b, c, x: (a + c.T, b + c.T, c * 0.5),
    ),
    "reversed": (lambda a, b, c, x: (a[::-1], b[:, ::-1] + 1.0, None), lambda a, b, c, x: (a[::-1], b[:, ::-1] + 1, None)),
    "a row stretched": (
        lambda a, b, c, x: (ag.broadcast_like(b[0], a), None, a + b[0]),
        lambda a, b, c, x: (np.broadcast_to(b[0], a.shape), None, a + b[0]),
    ),
    "a constant": (lambda a, b, c, x: (np.ones((3, 3)), ag.constant(C), None), lambda a, b, c, x: (np.ones((3, 3)), C, None)),
    "a feed": (lambda a, b, c, x: (x, x + 1.0, None), lambda a, b, c, x: (x, x + 1, None)),
    "a feed for one, a register for its like": (
        lambda a, b, c, x: (b + 1.0, None, x + 1.0), lambda a, b, c, x: (b + 1, None, x + 1),
    ),
    "a feed, a register and a constant": (
        lambda a, b, c, x: (x, a, np.zeros((3, 3))), lambda a, b, c, x: (x, a, np.zeros((3, 3))),
    ),
    "a transposed feed": (lambda a, b, c, x: (x.T, a - x.T, None), lambda a, b, c, x: (x.T, a - x.T, None)),
    "soft targets of what moves in the same tick": (
        lambda a, b, c, x: (a - 0.1 * x, 0.9 * b + 0.1 * a, 0.5 * c + 0.5 * b),
        lambda a, b, c, x: (a - 0.1 * x, 0.9 * b + 0.1 * a, 0.5 * c + 0.5 * b),
    ),
    "a product of matrices": (
        lambda a, b, c, x: (a - 0.1 * ag.matmul(x, a), ag.matmul(a, b), None),
        lambda a, b, c, x: (a - 0.1 * (x @ a), a @ b, None),
    ),
    "maximum and minimum in the commit": (
        lambda a, b, c, x: (ag.maximum(a, b), ag.minimum(a, b) - 1.0, ag.clip(c, -1.0, 1.0)),
        lambda a, b, c, x: (np.maximum(a, b), np.minimum(a, b) - 1, np.clip(c, -1, 1)),
    ),
    "nothing new": (lambda a, b, c, x: (a, b, c), lambda a, b, c, x: (a, b, c)),
}  # fmt: skip


def registers(dtype: str) -> list[Variable]:
    return [ag.variable(value, dtype=dtype, name=name) for value, name in ((A, "a"), (B, "b"), (C, "c"))]


def pairs_of(variables: Sequence[Variable], values: Sequence[Any]) -> list[tuple[Variable, Any]]:
    return [(v, new) for v, new in zip(variables, values, strict=True) if new is not None]


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_new_values_come_from_old_ones(case: str, dtype: str, guard: str) -> None:
    rule, numpy_rule = CASES[case]
    variables = registers(dtype)
    x = ag.placeholder((3, 3), dtype=dtype, name="x")
    new_values = pairs_of(variables, rule(*variables, x))
    updates = [(v, ag.cast(new, dtype) if isinstance(new, Tensor) else new) for v, new in new_values]
    f = ag.function([x], variables, updates, on_nonfinite=guard, on_unused_input="ignore")
    state = [v.get_value().astype("float64") for v in variables]
    for tick in range(4):
        feed = (np.cos(A + tick) * 0.3).astype(dtype)
        wanted = [old if new is None else new for old, new in zip(state, numpy_rule(*state, feed.astype("float64")), strict=True)]
        for got, old in zip(f(feed), state, strict=True):
            np.testing.assert_allclose(got, old, rtol=1e-4, atol=1e-4, err_msg="outputs are the values before the tick")
        state = wanted
        for v, value in zip(variables, state, strict=True):
            np.testing.assert_allclose(v.get_value(), value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_registers_of_rank_zero(dtype: str, guard: str) -> None:
    a, b = ag.variable(3, dtype=dtype), ag.variable(5, dtype=dtype)
    f = ag.function([], [a, b], [(a, b), (b, a + b)], on_nonfinite=guard)
    found = [f() for _ in range(5)]
    assert found == [[3, 5], [5, 8], [8, 13], [13, 21], [21, 34]]
    assert (a.get_value(), b.get_value()) == (34, 55)
    assert type(found[0][0]) is np.dtype(dtype).type and type(a.get_value()) is np.dtype(dtype).type


def test_integer_registers_count_and_wrap_as_integers_do() -> None:
    n = ag.variable(np.array([250, 255, 0]), dtype="uint8")
    total = ag.variable(0, dtype="int64")
    step = ag.function([], [], [(n, n + 3), (total, total + ag.cast(ag.reduce_sum(ag.cast(n, "int64")), "int64"))])
    step(), step()
    assert n.get_value().tolist() == [0, 5, 6] and n.get_value().dtype == np.uint8
    assert total.get_value() == 505 + 253 + 2 + 3


@pytest.mark.parametrize("guard", GUARDS)
def test_empty_and_single_element_registers(guard: str) -> None:
    empty, one = ag.variable(np.zeros((0, 3))), ag.variable(np.ones((1, 1)))
    x = ag.placeholder((None, None))
    f = ag.function([x], [empty], [(empty, empty * 2.0), (one, one + ag.reduce_sum(x))], on_nonfinite=guard)
    assert f(np.ones((2, 2)))[0].shape == (0, 3)
    f(np.ones((0, 2)))
    assert one.get_value().tolist() == [[5.0]]


def test_sequence_reads_what_the_first_writes_and_is_still_one_tick() -> None:
    a, b = ag.variable(np.array([1.0, 2.0])), ag.variable(np.array([10.0, 20.0]))
    first, second = Updates([(a, a + b)]), Updates([(b, b * a)])
    f = ag.function([], [a, b], first.then(second))
    before = f()
    assert before[0].tolist() == [1, 2]
    assert a.get_value().tolist() == [11, 22] and b.get_value().tolist() == [110, 440]
    later = ag.function([], first.after(a * 2.0), first)
    assert later().tolist() == [(11 + 110) * 2, (22 + 440) * 2]
    assert a.get_value().tolist() == [121, 462]


# guards ---------------------------------------------------------------------------------------------------------------


def test_a_guard_holds_every_register_behind_it() -> None:
    a, b, n = ag.variable(np.ones(3)), ag.variable(np.zeros(3)), ag.variable(0, dtype="int64")
    every_third = Updates([(a, a * 2.0), (b, b + a)]).when(ag.equal(n % 3, 0))
    f = ag.function([], n, every_third + Updates([(n, n + 1)]))
    seen = [(int(f()), a.get_value()[0], b.get_value()[0]) for _ in range(7)]
    assert seen == [(0, 2, 1), (1, 2, 1), (2, 2, 1), (3, 4, 3), (4, 4, 3), (5, 4, 3), (6, 8, 7)]


def raising(calls: list[int]) -> Callable[[Any], Tensor]:
    def fail(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        raise RuntimeError("must not run")

    return ag.custom_op("fail", fail)  # type: ignore[no-any-return]


@pytest.mark.parametrize("guard", GUARDS)
def test_nothing_of_a_new_value_is_computed_under_a_guard_that_fails(guard: str) -> None:
    calls: list[int] = []
    a, b = ag.variable(np.ones(3)), ag.variable(np.ones(3))
    go = ag.placeholder((), dtype="bool", name="go")
    n, d = ag.variable(7, dtype="int64"), ag.variable(0, dtype="int64")
    guarded = Updates([(a, raising(calls)(a) + 1.0), (n, n // d)]).when(go)
    f = ag.function([go], [], guarded + Updates([(b, b + 1.0)]), on_nonfinite=guard)
    f(False)
    assert not calls and b.get_value()[0] == 2 and n.get_value() == 7
    assert f.preview(False)[n] == 7 and "fail" not in "".join(f.trace(False))
    before = f.state()
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        f(True)
    assert all(f.state()[v].tobytes() == before[v].tobytes() for v in before)
    f(False)
    assert b.get_value()[0] == 3


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("answers", [(False, False), (False, True), (True, False), (True, True)])
def test_guards_that_share_a_value_stay_apart(answers: tuple[bool, bool], guard: str) -> None:
    a, b, c = registers("float32")
    p, q = ag.placeholder((), dtype="bool", name="p"), ag.placeholder((), dtype="bool", name="q")
    x = ag.placeholder((3, 3), name="x")
    shared = ag.sin(x) * 2.0
    updates = Updates([(a, a + shared)]).when(p) + Updates([(b, b - shared)]).when(q) + Updates([(c, c * shared)])
    f = ag.function([x, p, q], [], updates, on_nonfinite=guard)
    f(A, *answers)
    s = np.sin(A) * 2
    for v, old, new, moved in ((a, A, A + s, answers[0]), (b, B, B - s, answers[1]), (c, C, C * s, True)):
        np.testing.assert_allclose(v.get_value(), new if moved else old, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_nested_guards_are_both_asked(outer: bool, inner: bool) -> None:
    a = ag.variable(np.ones(2))
    p, q = ag.placeholder((), dtype="bool", name="p"), ag.placeholder((), dtype="bool", name="q")
    f = ag.function([p, q], [], Updates([(a, a + 1.0)]).when(q).when(p))
    f(outer, inner)
    assert a.get_value()[0] == (2 if outer and inner else 1)


def test_a_guard_that_is_known_costs_nothing() -> None:
    a = ag.variable(np.ones(2))
    assert ag.function([], [], Updates([(a, a + 1.0)]).when(False))() == []
    ag.function([], [], Updates([(a, a + 1.0)]).when(True))()
    assert a.get_value()[0] == 2


def test_a_guard_read_from_a_register_that_it_guards_is_the_old_one() -> None:
    n = ag.variable(0, dtype="int64")
    f = ag.function([], n, Updates([(n, n + 1)]).when(n < 3))
    assert [int(f()) for _ in range(6)] == [0, 1, 2, 3, 3, 3]


# outputs --------------------------------------------------------------------------------------------------------------


def test_outputs_are_the_callers_own() -> None:
    w = ag.variable(np.arange(6.0).reshape(2, 3), name="w")
    x = ag.placeholder((None, 3), name="x")
    k = ag.constant(np.ones((2, 3)))
    f = ag.function([x], [w, x, k, w.T, x[::-1], w[0], ag.broadcast_like(w[0], w), w * 1.0], [(w, w + 1.0)])
    feed = np.full((2, 3), 7, "float32")
    first = f(feed)
    kept = [np.array(result) for result in first]
    for result in first:
        assert result.flags.owndata or result.base is not None
        assert not np.shares_memory(result, feed) and not np.shares_memory(result, w.register.home)
        assert not np.shares_memory(result, k.value)
        assert result.flags.writeable
        result[...] = -1
    assert (feed == 7).all() and w.get_value()[0, 0] == 1
    w.set_value(np.arange(6.0).reshape(2, 3))
    for result, old in zip(f(feed), kept, strict=True):
        np.testing.assert_array_equal(result, old)


def test_two_outputs_of_one_tensor_are_two_arrays() -> None:
    x = ag.placeholder((None,), name="x")
    y = ag.sin(x)
    first, second, third = ag.function([x], [y, y, ag.sin(x)])(np.ones(3))
    first[...] = 5
    assert second[0] == third[0] == np.sin(np.float32(1))


def test_outputs_of_rank_zero_are_numpy_scalars() -> None:
    x = ag.placeholder((), name="x")
    n = ag.variable(2, dtype="int64", name="n")
    results = ag.function([x], [x, x * 2.0, n, n + 1, x > 0, ag.constant(3.0), ag.reduce_sum(x)])(1.5)
    assert [type(r) for r in results] == [
        np.float32, np.float32, np.int64, np.int64, np.bool_, np.float32, np.float32,
    ]  # fmt: skip
    assert results[:5] == [1.5, 3.0, 2, 3, True]
