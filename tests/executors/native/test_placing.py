"""Gathers and scatters as machine code: bit for bit those of NumPy, and the same errors in the user's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import compiler, segments
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import apply
from autograph.ops import gathering, rows
from optimizers import SGD
from tests.executors.native.test_agreement import both

TYPES = ["float32", "float64", "int8", "uint16", "int32", "int64", "bool"]
INDEX_TYPES = ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Numbers whose sums round."""
    return (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(dtype)


def indices(rng: np.random.Generator, shape: tuple[int, ...], size: int, dtype: str = "int64") -> np.ndarray:
    return rng.integers(0 if dtype[0] == "u" else -size, size, shape).astype(dtype)


def equal(got: Any, wanted: Any) -> None:
    for a, b in zip(got, wanted, strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "axis"), [((7,), 0), ((5, 1), 0), ((5, 33), 0), ((4, 5), 1), ((3, 5, 16), 1), ((2, 3, 4), 2),
                                             ((6, 0), 0), ((0, 4), 1), ((1, 3), 0)], ids=str)  # fmt: skip
def test_slices_are_taken_and_added_as_by_numpy(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = numbers(rng, shape, dtype)
    for k, some in enumerate([(), (1,), (40,), (2, 3), (0,)]):
        i = indices(rng, some, shape[axis], INDEX_TYPES[k])
        part = (*shape[:axis], *some, *shape[axis + 1 :])
        u = numbers(rng, part, dtype)

        def build(x: Any, i: Any, u: Any) -> list[Any]:
            return [ag.gather(x, i, axis), ag.scatter_add(x, i, u, axis), ag.scatter_add(x, i, u[..., :1] if u.ndim else u, axis)]

        equal(*both(build, x, i, u))
        if axis == 0:
            equal(*both(lambda x, i, u: [ag.scatter_add(x, i, ag.gather(x, i)), gathering.scatter_like(u, i, x)], x, i, u))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("shape", [(4, 5), (6, 3, 8), (9, 2), (3, 1, 1)], ids=str)
def test_points_and_lines_are_taken_and_added_as_by_numpy(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(1)
    x = numbers(rng, shape, dtype)
    i, j = indices(rng, (3, 1), shape[0]), indices(rng, (7,), shape[1], "int32")
    weights = numbers(rng, (3, 7, *shape[2:]), dtype)

    def points(x: Any, i: Any, j: Any, w: Any) -> list[Any]:
        y = x[i, j]
        return [y + w, *(ag.gradients(ag.reduce_sum(y * w), [x]) if y.type.is_float else [])]

    equal(*both(points, x, i, j, weights))
    for axis in range(len(shape)):
        for wide in (False, True):
            some = tuple(11 if a == axis else size if wide or a % 2 else 1 for a, size in enumerate(shape))
            k = indices(rng, some, shape[axis])

            def lines(x: Any, k: Any, axis: int = axis) -> list[Any]:
                y = ag.take_along_axis(x, k, axis)
                return [y, *(ag.gradients(ag.reduce_sum(y * y), [x]) if y.type.is_float else [])]

            equal(*both(lines, x, k))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("count", [0, 1, 5, 40, 300])
@pytest.mark.parametrize("width", [1, 3, 32])
def test_rows_that_come_more_than_once_are_summed_in_their_order(count: int, width: int, dtype: str) -> None:
    rng = np.random.default_rng(count)
    table, g = numbers(rng, (50, width), dtype), numbers(rng, (count, width), dtype)
    i = indices(rng, (count,), 50, "int32")

    def build(table: Any, i: Any, g: Any) -> list[Any]:
        touched = rows.touched_rows(i, table)
        return [rows.touched_sums(g, i, table), touched, rows.put_rows(table, i, g), rows.put_rows(table, touched, 1),
                rows.is_last(i)]  # fmt: skip

    equal(*both(build, table, i, g))
    equal(*both(build, table, i // 9, -np.zeros_like(g)))


def test_one_number_along_axes_that_are_known_picks_and_puts_back() -> None:
    x, g = np.arange(60.0).reshape(3, 4, 5), np.arange(8.0).reshape(1, 4, 2) - 3
    like = ag.placeholder((3, 4, 5), dtype="float64")
    feeds = [ag.placeholder((), dtype="int32"), ag.placeholder((), dtype="int64"), ag.placeholder((1, 4, 2), dtype="float64")]

    def build(executor: str) -> Any:
        y = like[feeds[0], None, :, ::3] * 1.0
        z = like[:, feeds[1], feeds[0]]
        back = [ag.gradients(ag.reduce_sum(y * feeds[2]), [like])[0], ag.gradients(ag.reduce_sum(z * z), [like])[0]]
        return ag.function([like, *feeds], [y, z, *back], executor=executor)

    native, plain = build("native"), build("numpy")
    for i, j in ((0, 0), (2, 3), (-3, -4), (-1, 1)):
        equal(native(x, i, j, g), plain(x, i, j, g))
    assert "\n" not in native.explain(), native.explain()
    for f in (native, plain):
        with pytest.raises(ag.IndexRangeError, match="index -5 is outside an axis of size 4"):
            f(x, 0, -5, g)


WRONG: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "gather": (lambda x, i: ag.gather(x, i), [[0, 1], [2, 5]]),
    "gather of nothing": (lambda x, i: ag.gather(x, i)[:, :, :0], [[0, 1], [2, -6]]),
    "scatter_add": (lambda x, i: ag.scatter_add(x, i, 1.0, 1), [7, 0]),
    "advanced_index": (lambda x, i: x[i, i], [[4], [-6]]),
    "take_along_axis": (lambda x, i: ag.take_along_axis(x, i, 1), [[0, 7]] * 5),
    "gradient": (lambda x, i: ag.gradients(ag.reduce_sum(ag.square(ag.gather(x, i))), [x])[0], [1, 2**40]),
    "put_rows": (lambda x, i: rows.put_rows(x, i, 0.0), [3, 5]),
    "one_hot": (lambda x, i: ag.one_hot(i, 5) * ag.reduce_sum(x), [3, 5, -1]),
    "touched": (lambda x, i: rows.touched_sums(ag.gather(x, ag.clip(i, 0, 4)), i, x), [3, 3, 5]),
    "labels": (lambda x, i: gathering.class_labels(ag.cast(i, "float32") / 2.0, x, 0), [4, 5]),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_index_outside_is_the_error_that_numpy_raises_and_changes_nothing(name: str) -> None:
    build, bad = WRONG[name]
    told = []
    for executor in ("native", "numpy"):
        x, i = ag.placeholder((5, 7), name="x"), ag.placeholder(np.shape(bad), dtype="int64", name="i")
        w, n = ag.variable(np.zeros(3)), ag.variable(0, dtype="int64")
        y = build(ag.tanh(x) + 1.0, i)
        total = ag.reduce_sum(ag.cast(y, "float32"))
        f = ag.function([x, i], y, [(w, w + total), (n, n + 1)], executor=executor)
        data = np.ones((5, 7), "float32")
        for _ in range(2):
            f(data, np.zeros_like(bad))
            before = f.state()
            with pytest.raises(ag.IndexRangeError) as raised:
                f(data[:, ::-1], bad)
            assert all((before[v] == value).all() for v, value in f.state().items())
        f(data, np.zeros_like(bad))
        assert n.get_value() == 3
        told.append(re.sub(r"_\d+'", "'", str(raised.value)))
        if executor == "native":
            assert "\n" not in f.explain(), f.explain()
    assert told[0] == told[1] and "test_placing.py:" in told[0]


def test_what_a_guard_passes_over_is_not_looked_at() -> None:
    i, go, w = ag.placeholder((2,), dtype="int64"), ag.placeholder((), dtype="bool"), ag.variable(np.zeros((4, 3)))
    f = ag.function([i, go], ag.reduce_sum(w), ag.Updates([(w, ag.scatter_add(w, i, 1.0) * 2.0)]).when(go), executor="native")
    f([9, 9], False)
    with pytest.raises(ag.IndexRangeError):
        f([0, 9], True)
    assert not w.get_value().any()
    f([0, 0], True)
    assert w.get_value()[0].tolist() == [4.0] * 3


def test_a_step_that_numpy_runs_in_the_middle_of_a_segment_is_followed_by_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    x, i = ag.placeholder((5, 7)), ag.placeholder((3,), dtype="int64")
    y = ag.gather(ag.transpose(ag.transpose(x)), i)
    f = ag.function([x, i], [y, ag.gather(y * 2.0, i[:2])], executor="native")
    data = np.arange(35, dtype="float32").reshape(5, 7)
    wanted = f(data, [0, 1, 2])
    run = segments.Host.run
    ran = []

    def instead(host: Any, entry: int, arrays: Any) -> int:
        known = dict(zip(host._given, arrays, strict=True))
        ran.append(known)
        for value, array in known.items():
            if value.shape == (3,):
                array[...] = [0, 1, 2]  # what was wrong is right now, so that NumPy does not raise
        return run(host, entry, arrays)

    monkeypatch.setattr(segments.Host, "run", instead)
    for feed in (data, np.asfortranarray(data)):
        bad = np.array([0, 1, 9])
        equal(f(feed, bad), wanted)
    assert len(ran) == 2


def test_a_new_number_of_indices_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ag.variable(np.ones((40, 8)))
    i, t = ag.placeholder((None,), dtype="int64"), ag.placeholder((None, 8))
    loss = ag.reduce_sum(ag.square(ag.gather(table, i) - t)) + ag.reduce_sum(ag.cumsum(ag.take_along_axis(t, ag.argsort(t), 1)))
    step = ag.function([i, t], [loss, ag.argmax(t, 0)], SGD(lr=0.1).get_updates(loss, [table]), executor="native")
    step(np.zeros(9, int), np.ones((9, 8)))

    def forbidden(texts: list[str]) -> Any:
        raise AssertionError(f"{len(texts)} kernels would be compiled")

    monkeypatch.setattr(compiler, "_compile", forbidden)
    for count in (5, 17, 30):
        step(np.zeros(count, int), np.ones((count, 8)))


def test_an_embedding_trains_by_rows_in_machine_code() -> None:
    rng = np.random.default_rng(3)
    start = rng.normal(size=(100, 8))
    trained = []
    for executor in ("native", "numpy"):
        table = ag.variable(start, dtype="float32")
        i, t = ag.placeholder((None,), dtype="int32"), ag.placeholder((None, 8))
        loss = ag.reduce_sum(ag.square(ag.gather(table, i) - t))
        step = ag.function([i, t], loss, SGD(lr=0.01).get_updates(loss, [table]), executor=executor)
        feeds = np.random.default_rng(4)
        for _ in range(10):
            step(feeds.integers(-100, 100, 20), feeds.normal(size=(20, 8)).astype("float32"))
        if executor == "native":
            assert re.search(r"so are (\d) of \1 groups of updates$", step.explain()), step.explain()
        trained.append(table.get_value())
    np.testing.assert_allclose(*trained, rtol=1e-6)


def test_sizes_that_are_planned_are_looked_at() -> None:
    x, n = ag.placeholder((2, 6)), ag.placeholder((2,), dtype="int64")
    one, many = ag.placeholder((4, 1)), ag.placeholder((), dtype="int32")
    sizes = {name: REGISTRY[name] for name in ("reshape_to", "broadcast_to_sizes")}
    outputs = [apply(sizes["reshape_to"], x, n, shape=(4, 3)), apply(sizes["broadcast_to_sizes"], one, n, shape=(4, 3)) + 1.0]
    native, plain = (ag.function([x, n, one, many], [*outputs, many * 2], executor=name) for name in ("native", "numpy"))
    feeds = np.arange(12.0).reshape(2, 6), [4, 3], np.arange(4.0).reshape(4, 1), 1
    equal(native(*feeds), plain(*feeds))
    assert "\n" not in native.explain(), native.explain()
    with pytest.raises(ag.ShapeError):
        native(feeds[0], [4, 4], *feeds[2:])


def test_an_index_outside_is_told_where_other_threads_may_run_meanwhile() -> None:
    x, i = ag.placeholder((None, 4)), ag.placeholder((None,), dtype="int64")
    f = ag.function([x, i], ag.reduce_sum(ag.gather(ag.exp(x), i) * 2.0), executor="native")
    data, places = np.zeros((100_000, 4), "float32"), np.arange(100_000)
    for _ in range(3):
        assert f(data, places) == 800_000
        with pytest.raises(ag.IndexRangeError, match=r"index 100000 at \[99999\]"):
            f(data, places + 1)


@pytest.mark.parametrize("count", [3, 60])
def test_rows_of_half_precision_are_those_of_numpy(count: int) -> None:
    rng = np.random.default_rng(count)
    start, g = rng.normal(size=(20, 9)).astype("float16"), rng.normal(size=(count, 9)).astype("float16")
    i = indices(rng, (count,), 20)
    found = []
    for executor in ("native", "numpy"):
        homes = [ag.variable(start, dtype="float16") for _ in range(3)]
        places, values, table = (ag.placeholder(a.shape, dtype=a.dtype) for a in (i, g, start))
        outputs = [rows.touched_sums(values, places, table), rows.put_rows(table, places, 1),
                   rows.put_rows(table, places, values), ag.scatter_add(table, places, values[:1]),
                   ag.gather(table, places), ag.cumsum(table, 1)]  # fmt: skip
        news = [rows.put_rows(homes[0], places, 2), ag.scatter_add(homes[1], places, values),
                rows.put_rows(homes[2], rows.touched_rows(places, table), rows.touched_sums(values, places, table))]  # fmt: skip
        f = ag.function([places, values, table], outputs, list(zip(homes, news, strict=True)), executor=executor)
        found.append([*f(i, g, start), *(home.get_value() for home in homes)])
    equal(*found)
