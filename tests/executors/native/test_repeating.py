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


