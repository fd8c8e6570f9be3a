"""Loops along the same rows run row by row: with NumPy's numbers, and with a row where an array would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph import backend as K
from autograph.executors.native.bands import LONG, Band

N = 300
assert N * N > LONG


def normalised(x: Any, axis: Any) -> Any:
    return ag.centered(x, axis) / ag.sqrt(ag.reduce_var(x, axis, keepdims=True) + 1e-5)


ROWS: dict[str, Callable[..., Any]] = {
    "softmax": lambda x: ag.softmax(x),
    "layer normalisation": lambda x: normalised(x, -1),
    "log-sum-exp": lambda x: ag.logsumexp(x, -1, keepdims=True) + x,
    "log-softmax": lambda x: ag.log_softmax(x),
    "length": lambda x: x / ag.sqrt(ag.reduce_sum(ag.square(x), -1, keepdims=True)),
}


def bands(f: Any) -> list[Band]:
    return [item for item in f._program.items if isinstance(item, Band)]


def agree(graph: Callable[..., Any], *feeds: np.ndarray[Any, Any], dtype: str = "float32", count: int = 1) -> Any:
    """The function by machine code, in so many bands, after its outputs were compared with NumPy's."""
    given = [ag.placeholder(feed.shape, dtype=dtype) for feed in feeds]
    outputs = graph(*given)
    native, plain = (ag.function(given, outputs, executor=name) for name in ("native", "numpy"))
    arrays = [feed.astype(dtype) for feed in feeds]
    for got, wanted in zip(native(*arrays), plain(*arrays), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)
    assert len(bands(native)) == count
    return native


def some(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).normal(size=shape)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(N, N + 5), (3, 5, 7, 701), (1031, 64)])
def test_functions_of_rows_and_their_gradients(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    def graph(x: Any, g: Any) -> list[Any]:
        y = ROWS[name](x)
        return [y, *K.gradients(K.sum(y * g), [x])]

    agree(graph, some(*shape), some(*shape), dtype=dtype)


def test_what_is_read_within_a_band_alone_is_a_row() -> None:
    x = some(N, N)
    f = agree(lambda x, g: [*K.gradients(K.sum(ag.softmax(x) * g), [x])], x, some(N, N))
    assert f._program.nbytes < x.nbytes / 8
    assert len(bands(f)[0].own) > 2


def test_an_axis_of_several_and_rows_at_uneven_distances() -> None:
    mask = some(3, 1, 1, 80)
    agree(lambda x, m: [ag.softmax(x + m), ag.reduce_sum(x * m, -1)], some(3, 4, 80, 80), mask)
    agree(lambda x: [normalised(x, (-2, -1))], some(40, 50, 60))


def test_a_column_of_results_that_is_read_as_a_row_waits_for_all_rows() -> None:
    """The greatest of each row stands, without its axis, along the columns of the same square."""
    agree(lambda x: [x - ag.reduce_max(x, -1)], some(N, N), count=0)
    agree(lambda x: [ag.softmax(x) - ag.reduce_max(x, -1)], some(N, N))


def test_a_transpose_of_what_a_band_makes_waits_for_all_rows() -> None:
    agree(lambda x: [y := ag.softmax(x), ag.softmax(y + ag.transpose(y))], some(N, N), count=2)


def test_sums_over_the_rows_stand_behind_them() -> None:
    agree(lambda x: [ag.reduce_sum(ag.softmax(x), 0), ag.reduce_sum(ag.softmax(x), -1)], some(N, N))


def test_what_is_put_together_of_pieces_is_read_when_all_are_there() -> None:
    agree(lambda x: [ag.softmax(ag.concatenate([ag.softmax(x), x], 0))], some(N, N), count=2)


def test_a_guarded_band_runs_where_its_guard_holds() -> None:
    x, go = ag.placeholder((N, N)), ag.placeholder((), dtype="bool")
    ends = []
    for executor in ("native", "numpy"):
        w = ag.variable(np.zeros((N, N)))
        f = ag.function([x, go], [], ag.Updates([(w, ag.softmax(x + w))]).when(go), executor=executor)
        f(some(N, N).astype("float32"), False)
        assert not w.get_value().any()
        f(some(N, N).astype("float32"), True)
        ends.append(w.get_value())
    np.testing.assert_allclose(*ends, rtol=1e-5)


def test_special_values_stay_in_their_rows() -> None:
    x = some(N, N)
    x[3, 7], x[5, 1], x[9, 0], x[11] = np.nan, np.inf, -np.inf, -np.inf
    agree(lambda x: [ag.logsumexp(x, -1), ag.reduce_max(x, -1), ag.softmax(x)], x)


def test_long_outputs_are_written_where_the_caller_finds_them() -> None:
    """Also of feeds that have to be copied first; and a second output of the same numbers is an array of its own."""
    x = ag.placeholder((N, N))
    y = ag.softmax(x)
    f = ag.function([x], [y, y, ag.reshape(y, (-1,)), 2 * y], executor="native")
    feed = some(N, 2 * N).astype("float32")
    wanted = ag.function([x], y, executor="numpy")(feed[:, ::2])
    first = f(feed[:, ::2])
    second = f(np.zeros((N, N), "float32"))
    for k, factor in enumerate((1, 1, 1, 2)):
        np.testing.assert_allclose(first[k].reshape(N, N), factor * wanted, rtol=1e-5)
        np.testing.assert_allclose(second[k], factor / N, rtol=1e-5)
    assert not any(np.shares_memory(a, b) for k, a in enumerate(first) for b in (*first[k + 1 :], *second))
    assert "copies" not in ag.function([x], y, executor="native").prepare((N, N)).source
