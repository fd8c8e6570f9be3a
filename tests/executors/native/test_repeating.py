"""Graphs that an op holds, run again and again within a segment."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.control import iterate, map_rows
from tests.executors.native.test_agreement import close


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_graph_for_each_row_and_its_gradient(count: int) -> None:
    rng = np.random.default_rng(count)
    x, w = rng.normal(size=(count, 5, 4)).astype("float32"), rng.normal(size=(4, 3)).astype("float32")

    def build(x: Any, w: Any) -> list[Any]:
        row = ag.placeholder((5, 4))
        y = map_rows(ag.matmul(ag.tanh(row)[::-1], w) + ag.reduce_sum(ag.gather(row, [4, 0, -1]), 0)[:3], row, x)
        return [y * 2.0, *ag.gradients(ag.reduce_sum(ag.square(y)), [x, w])]

    inputs = [ag.placeholder(x.shape), ag.placeholder(w.shape)]
    native, plain = (ag.function(inputs, build(*inputs), executor=name) for name in ("native", "numpy"))
    for feed in (x, np.asfortranarray(x)[:, ::-1]):
        assert all(map(close, native(feed, w), plain(feed, w)))
    assert "\n" not in native.explain(), native.explain()


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_rows_of_rows(dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(dtype)

    def build(x: Any) -> Any:
        matrix, line = ag.placeholder((4, 5), dtype=dtype), ag.placeholder((5,), dtype=dtype)
        return map_rows(map_rows(ag.cumsum(line) * ag.reduce_max(matrix), line, matrix), matrix, x)

    inputs = [ag.placeholder(x.shape, dtype=dtype)]
    native, plain = (ag.function(inputs, build(*inputs), executor=name) for name in ("native", "numpy"))
    np.testing.assert_allclose(native(x), plain(x), rtol=1e-14 if dtype == "float64" else 1e-3)
    assert "\n" not in native.explain(), native.explain()


@pytest.mark.parametrize("most", [0, 1, 5, 1000])
def test_steps_go_on_while_a_condition_holds(most: int) -> None:
    w = ag.variable(np.linspace(0.1, 0.3, 6), dtype="float64")
    x = ag.placeholder((6,), dtype="float64")
    y = iterate(lambda y: (y * 2.0)[::-1] + ag.tanh(w), x, lambda y: ag.reduce_sum(y) < 9.0, most)
    native, plain = (ag.function([x], [y, y * 1.0], [(w, w * 0.5 + y)], executor=name) for name in ("native", "numpy"))
    for start in (0.0, 0.01, 3.0, np.nan):
        before = w.get_value()
        wanted = plain(np.full(6, start))
        after = w.get_value()
        w.set_value(before)
        assert all(map(close, native(np.full(6, start)), wanted)) and close(w.get_value(), after)
        w.set_value(before)
    assert "\n" not in native.explain(), native.explain()


def lstm(x: Any, u: Any, reverse: bool = False) -> list[Any]:
    """The last states, all of them, and a count of steps, of a small recurrent network; and its gradients."""

    def step(state: Any, entry: Any) -> Any:
        h, c, n = state
        i, f, g, o = ag.split(entry + ag.matmul(h, u), 4, axis=-1)
        c = ag.sigmoid(f) * c + ag.sigmoid(i) * ag.tanh(g)
        return (ag.sigmoid(o) * ag.tanh(c), c, n + 1), h

    zeros = ag.zeros_like(x[0, :, : u.shape[0]])
    (h, c, n), outputs = ag.scan(step, (zeros, zeros, ag.constant(0, "int32")), x, reverse=reverse)
    return [h, c, n, outputs, *ag.gradients(ag.reduce_sum(h * h) + ag.reduce_sum(ag.sin(outputs)), [x, u])]


@pytest.mark.parametrize(("dtype", "reverse"), [("float32", False), ("float64", True), ("float16", False)])
def test_scans_and_their_gradients_are_machine_code_as_a_whole(dtype: str, reverse: bool) -> None:
    rng = np.random.default_rng(1)
    x, u = rng.normal(size=(6, 2, 12)).astype(dtype), rng.normal(size=(3, 12)).astype(dtype)
    inputs = [ag.placeholder((None, *x.shape[1:]), dtype=dtype), ag.placeholder(u.shape, dtype=dtype)]
    native, plain = (ag.function(inputs, lstm(*inputs, reverse=reverse), executor=name) for name in ("native", "numpy"))
    tolerance = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-13}[dtype]
    for count in (6, 1, 0, 3):
        for ours, theirs in zip(native(x[:count], u), plain(x[:count], u), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
            assert ours.dtype == theirs.dtype
    native(x, u)
    assert "\n" not in native.explain() or dtype == "float16", native.explain()


def test_results_of_a_loop_may_be_read_alone_or_not_at_all() -> None:
    x = ag.placeholder((4, 3), dtype="float64")
    (total, longest), (sums, signs) = ag.scan(
        lambda s, e: ((s[0] + e, ag.maximum(s[1], e)), (s[0], e > 0)), (ag.constant(np.zeros(3)), ag.constant(np.zeros(3))), x
    )
    data = np.random.default_rng(0).normal(size=(4, 3))
    wanted = [data.sum(0), data.max(0, initial=0), np.cumsum(data, 0) - data, data > 0]
    results = [total, longest, sums, signs]
    for some in ([0], [1], [3], [3, 0], [2, 1], [0, 1, 2, 3]):
        found = ag.function([x], [results[k] * 1 if k < 3 else results[k] for k in some], executor="native")(data)
        for k, value in zip(some, found, strict=True):
            np.testing.assert_allclose(value, wanted[k], rtol=1e-6, atol=1e-7)


def test_a_loop_for_as_long_as_a_condition_holds_is_machine_code_too() -> None:
    w, x = ag.variable(0.5, dtype="float64"), ag.placeholder((3,), dtype="float64")
    state = ag.while_loop(lambda s: ag.reduce_sum(s[0]) > w, lambda s: (s[0] * w, s[1] + 1), (x, ag.constant(0, "int64")))
    native, plain = (ag.function([x], list(state), executor=name) for name in ("native", "numpy"))
    for start in ([1.0, 2.0, 3.0], [0.0, 0.0, 0.1]):
        assert [v.tolist() for v in native(start)] == [v.tolist() for v in plain(start)]
    assert "\n" not in native.explain(), native.explain()


def test_branches_are_machine_code_and_errors_come_from_the_one_that_is_taken() -> None:
    go, x, i = ag.placeholder((), dtype="bool"), ag.placeholder((4,), dtype="float64"), ag.placeholder((), dtype="int64")
    y, n = ag.cond(go, lambda: (ag.exp(x[::-1]) * x, i + 1), lambda: (ag.gather(x, i + ag.zeros_like(x, "int64")) * 2.0, i * 3))
    results = [y, n, ag.gradients(ag.reduce_sum(y * y), x)]
    native, plain = (ag.function([go, x, i], results, executor=name) for name in ("native", "numpy"))
    data = np.linspace(-1, 1, 4)
    for taken, index in ((True, 7), (False, 2)):
        assert all(map(close, native(taken, data, index), plain(taken, data, index)))
    assert "\n" not in native.explain(), native.explain()
    with pytest.raises(ag.IndexRangeError):
        native(False, data, 7)


def test_a_branch_that_numpy_has_to_run_is_run_where_it_is_taken() -> None:
    calls: list[int] = []
    noted = ag.custom_op("noted", lambda x: (calls.append(1), x * 3)[1], infer=lambda x: x)
    go, x = ag.placeholder((), dtype="bool"), ag.placeholder((2,), dtype="float64")
    f = ag.function([go, x], ag.cond(go, lambda: noted(x) + 1, lambda: x * 2), executor="native")
    assert (f(False, [1.0, 2.0]).tolist(), f(True, [1.0, 2.0]).tolist(), len(calls)) == ([2, 4], [4, 7], 1)


def test_an_error_within_is_told_of_the_op_that_holds_the_graph() -> None:
    told = []
    for name in ("native", "numpy"):
        x, i = ag.placeholder((3, 4)), ag.placeholder((3,), dtype="int64")
        row = ag.placeholder((), dtype="int64")
        f = ag.function([x, i], map_rows(ag.gather(x, row) * 2.0, row, i), executor=name)
        data = np.arange(12.0).reshape(3, 4)
        np.testing.assert_array_equal(f(data, [2, 0, -1]), data[[2, 0, -1]] * 2)
        with pytest.raises(ag.IndexRangeError, match="index 3 is outside an axis of size 3") as raised:
            f(data, [0, 3, 1])
        told.append(re.sub(r"_\d+'", "'", str(raised.value)))
    assert told[0] == told[1] and "test_repeating.py:" in told[0]


def test_numpy_sees_the_row_of_the_turn_where_a_kernel_leaves_a_step_to_it() -> None:
    x = ag.placeholder((3, 2), dtype="float64")
    outputs = ag.scan(lambda h, e: (h, ag.norm(e)), ag.constant(0.0), x)[1]
    f = ag.function([x], outputs, executor="native")
    np.testing.assert_allclose(f([[3.0, 4.0], [3e200, 4e200], [5.0, 12.0]]), [5.0, 5e200, 13.0])
    assert "\n" not in f.explain(), f.explain()


def test_what_has_no_kernel_within_is_told() -> None:
    x = ag.placeholder((3, 2), dtype="float64")
    turn = ag.custom_op("turned", lambda x: x[::-1], infer=lambda x: x)
    row = ag.placeholder((2,), dtype="float64")
    f = ag.function([x], map_rows(turn(row) + 1.0, row, x), executor="native")
    data = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(f(data), data[:, ::-1] + 1)
    assert "turned" in f.explain() and "graph it holds" in f.explain()


def test_a_guard_passes_over_all_turns() -> None:
    go, w = ag.placeholder((), dtype="bool"), ag.variable(np.ones(3), dtype="float64")
    y = iterate(lambda y: y * 2.0, ag.exp(w), lambda y: y[0] < 100.0, 50)
    f = ag.function([go], None, ag.Updates([(w, y)]).when(go), executor="native")
    f(False)
    assert w.get_value().tolist() == [1.0] * 3
    f(True)
    np.testing.assert_allclose(w.get_value(), np.exp(1) * 64)


