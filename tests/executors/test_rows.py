"""A new value that changes some rows of its register is written row by row: in place, all or nothing, and to the same
values as if it were computed whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph as ag
from autograph.arrays import rows as arrays
from autograph.arrays.indexing import scatter, scatter_add
from autograph.executors.numpy import commit
from autograph.executors.numpy import rows as by_rows
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.updates import Updates
from autograph.ops.rows import touched_rows
from tests.executors.faults import is_free
from tests.executors.test_atomic import MODES, survives_every_bytecode

pytestmark = pytest.mark.usefixtures("on_numpy")

TABLE = np.arange(60.0).reshape(20, 3)
LARGE = 50_000  # rows of 64 float32: 12.8 MB


def table(value: Any = TABLE, dtype: str = "float64", name: str = "table") -> Variable:
    return ag.variable(np.asarray(value).astype(dtype), dtype, name)


def puts(f: Any) -> int:
    """How many calls of the last commit write rows."""
    known = f._program.run.__globals__
    calls = [call for name in known if re.fullmatch(r"[CW]\d+", name) for call in known[name]]
    return sum(getattr(call[0], "__name__", "") == "put" for call in calls)


# which updates ---------------------------------------------------------------------------------------------------------


def _forms(p: Variable, i: Tensor, r: Tensor) -> dict[str, tuple[Any, int]]:
    """New values of p, and whether they are written by rows."""
    return {
        "rows": (ag.put_rows(p, i, r), 1),
        "rows that read the old ones": (ag.put_rows(p, i, ag.gather(p, i) * 0.5 + r), 1),
        "one number for all rows": (ag.put_rows(p, i, 7.0), 1),
        "rows of the table itself": (ag.put_rows(p, [3, 4], p[5:7]), 1),
        "the table turned round": (ag.put_rows(p, [0, 1, 2], p[2::-1]), 1),
        "a sum of rows": (ag.scatter_add(p, i, r), 1),
        "a sum of one number": (ag.scatter_add(p, i, 0.5), 1),
        "indices in a square": (ag.put_rows(p, ag.reshape(i, (2, 2)), ag.reshape(r, (2, 2, 3))), 1),
        "a single index": (ag.put_rows(p, i[0], r[0]), 1),
        "what else is done to it": (ag.put_rows(p, i, r) * 1.0 + 1.0, 0),
        "rows of another table": (ag.put_rows(ag.square(p), i, r), 0),
        "columns": (ag.scatter_add(p, [0, 2], ag.ones_like(p)[:, :2], axis=1), 0),
        "rows of unknown number": (ag.put_rows(p, ag.unique(i), 1.5), 0),
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("indices", [[1, 2, 3, 4], [1, 19, -1, 1], [-20, 0, 0, 0]])
@pytest.mark.parametrize("form", list(_forms(table(), ag.placeholder((4,), dtype="int32"), ag.placeholder((4, 3)))))
def test_a_new_value_is_that_of_the_whole(form: str, indices: list[int], mode: str) -> None:
    p, i, r = table(), ag.placeholder((4,), dtype="int32", name="i"), ag.placeholder((4, 3), dtype="float64", name="r")
    new, direct = _forms(p, i, r)[form]
    f = ag.function([i, r], None, [(p, new)], on_unused_input="ignore", on_nonfinite=mode)
    for seed in range(3):
        feeds = np.array(indices, "int32"), np.random.default_rng(seed).normal(size=(4, 3))
        wanted = ag.function([i, r], new, on_unused_input="ignore")(*feeds)
        f(*feeds)
        np.testing.assert_array_equal(p.get_value(), wanted)
    assert puts(f) == direct


def test_of_equal_indices_the_last_row_stands() -> None:
    p, r = table(), ag.placeholder((4, 3), dtype="float64", name="r")
    f = ag.function([r], None, [(p, ag.put_rows(p, [3, 5, -17, 3], r))])
    f(np.repeat([[1.0], [2.0], [3.0], [4.0]], 3, axis=1))
    assert p.get_value()[[3, 5]].tolist() == [[4.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 2, 3)])
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("form", ["put_rows", "scatter_add"])
def test_tables_of_every_rank_and_dtype(form: str, dtype: str, shape: tuple[int, ...]) -> None:
    p = table(np.arange(6 * int(np.prod(shape[1:]))).reshape(shape) % 5, dtype)
    i, r = ag.placeholder((None,), dtype="int64"), ag.placeholder((None, *shape[1:]), dtype=dtype)
    new = getattr(ag, form)(p, i, r)
    f = ag.function([i, r], None, [(p, new)])
    wanted = ag.function([i, r], new)([4], np.ones((1, *shape[1:]), dtype))
    f([4], np.ones((1, *shape[1:]), dtype))
    np.testing.assert_array_equal(p.get_value(), wanted)
    assert puts(f) == 1
    f(np.zeros(0, "int64"), np.ones((0, *shape[1:]), dtype))
    np.testing.assert_array_equal(p.get_value(), wanted)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0,)])
def test_tables_without_elements(shape: tuple[int, ...]) -> None:
    p, i = table(np.zeros(shape)), ag.placeholder((None,), dtype="int64")
    f = ag.function([i], None, [(p, ag.put_rows(p, i, 1.0))])
    f([] if not shape[0] else [1])
    with pytest.raises(ag.IndexRangeError):
        f([4])


def test_a_sum_over_many_indices_is_taken_whole() -> None:
    p, i = table(np.zeros(10)), ag.placeholder((None,), dtype="int64")
    f = ag.function([i], None, [(p, ag.scatter_add(p, i, 1.0))])
    f([3, 3])
    assert puts(f) == 1
    f([3] * 100 + [4])
    assert puts(f) == 0, "sorting them would cost more than the table"
    assert p.get_value()[[3, 4]].tolist() == [102.0, 1.0]


def test_rows_too_long_for_an_item_are_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_rows, "_LONGEST", 8)
    p = table()
    f = ag.function([], None, [(p, ag.put_rows(p, [1], 0.0))])
    f()
    assert puts(f) == 0
    assert not p.get_value()[1].any()


@given(st.data())
def test_rows_put_and_added_in_one_tick_read_what_was_before_it(data: st.DataObject) -> None:
    """Registers that read each other's rows, some behind a guard: as if each were computed whole."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    mode = data.draw(st.sampled_from(MODES))
    count = data.draw(st.integers(1, 4))
    tables = [table(rng.normal(size=(12, 2)), name=f"p{k}") for k in range(count)]
    i, on = ag.placeholder((None,), dtype="int64"), ag.placeholder((), dtype="bool")
    r = ag.placeholder((None, 2), dtype="float64")
    pairs = []
    for p in tables:
        other = tables[data.draw(st.integers(0, count - 1))]
        rows = ag.gather(other, i) + r
        whole = {"put": ag.put_rows(p, i, rows), "add": ag.scatter_add(p, i, rows), "all": 0.5 * other + p}
        update = Updates([(p, whole[data.draw(st.sampled_from(list(whole)))])])
        pairs += update.when(on) if data.draw(st.booleans()) else update
    f = ag.function([i, r, on], None, pairs, on_unused_input="ignore", on_nonfinite=mode)
    g = ag.function([i, r, on], [value for _, value in pairs], on_unused_input="ignore")
    for holds in (True, False):
        length = data.draw(st.integers(0, 4))
        feeds = rng.integers(-12, 12, length), rng.normal(size=(length, 2)), holds
        wanted = g(*feeds)
        f(*feeds)
        for p, value in zip(tables, wanted, strict=True):
            np.testing.assert_array_equal(p.get_value(), value)


def test_a_new_value_that_is_also_read_stays_whole() -> None:
    p, q = table(), table(np.zeros((20, 3)), name="q")
    new = ag.put_rows(p, [1], 0.0)
    f = ag.function([], new, Updates([(p, new)]).then([(q, p + 1.0)]))
    out = f()
    assert puts(f) == 0
    np.testing.assert_array_equal(out, p.get_value())
    np.testing.assert_array_equal(q.get_value(), p.get_value() + 1)


def test_a_whole_table_may_read_the_old_rows_of_one_that_is_written_by_rows() -> None:
    p, q = table(), table(np.zeros((20, 3)), name="q")
    f = ag.function([], None, [(p, ag.put_rows(p, [1], ag.gather(q, [1]) + 5.0)), (q, p * 2.0)])
    f()
    assert puts(f) == 1
    np.testing.assert_array_equal(q.get_value(), TABLE * 2)
    assert p.get_value()[1].tolist() == [5.0] * 3


def test_the_counter_of_a_random_stream_is_written_whole() -> None:
    """A tick that is skipped lets it go on, which rows cannot."""
    state, x = ag.seed_state(3), ag.variable(1.0)
    draw = ag.random_uniform((), state=state)
    updates = [(state, ag.put_rows(state, [0], ag.gather(state, [0]) + 1)), (x, x * ag.log(draw - 2.0))]
    f = ag.function([], None, updates, on_nonfinite="skip")
    before = state.get_value()
    f()
    assert f.skipped == 1
    assert puts(f) == 0
    assert state.get_value()[0] == before[0] + 1
    assert x.get_value() == 1


def test_numbers_of_another_tables_rows_are_checked_again() -> None:
    p, q, i = table(), table(np.ones((4, 3)), name="q"), ag.placeholder((None,), dtype="int64")
    f = ag.function([i], None, [(q, ag.put_rows(q, touched_rows(i, p), 0.0))])
    f([1])
    assert puts(f) == 1
    with pytest.raises(ag.IndexRangeError, match="index 9 "):
        f([9])
    assert q.get_value().sum() == 9


@pytest.mark.parametrize("mode", ["raise", "skip"])
@pytest.mark.parametrize("turned", [False, True])
def test_rows_that_wait_for_a_check_keep_their_memory(turned: bool, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order the groups of a commit come, none computes over the rows, the numbers or the guard of another."""
    group = commit.group
    monkeypatch.setattr(commit, "group", lambda parts: group(parts)[:: -1 if turned else 1])
    p, i, r = table(np.zeros(9)), ag.placeholder((8,), dtype="int64"), ag.placeholder((8,), dtype="float64")
    others = [ag.variable(np.full(8, 0.5), "float64", f"q{k}") for k in range(4)]
    updates = Updates([(p, ag.put_rows(p, i, r * 2.0))]).when(ag.greater(ag.reduce_sum(r), 0.0))
    updates += [(q, ag.tanh(q + k) * ag.exp(q)) for k, q in enumerate(others)]
    f = ag.function([i, r], None, updates, on_nonfinite=mode)
    f(np.arange(8)[::-1], np.arange(1.0, 9.0))
    assert puts(f) == 1
    assert p.get_value().tolist() == [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0]
    p.set_value(np.zeros(9))
    f(np.arange(8), -np.ones(8))
    assert not p.get_value().any()


# what it costs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", ["put_rows", "scatter_add", "rows of itself"])
def test_nothing_as_long_as_the_table_is_made(form: str, mode: str) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    p = table(np.zeros((LARGE, 64), "float32"), "float32")
    i, r = ag.placeholder((None,), dtype="int64"), ag.placeholder((None, 64))
    new = ag.put_rows(p, [0, 1], p[1:3]) if form == "rows of itself" else getattr(ag, form)(p, i, r)
    f = ag.function([i, r], None, [(p, new)], on_nonfinite=mode, on_unused_input="ignore")
    feeds = np.arange(16), np.ones((16, 64), "float32")
    f(*feeds)
    tracemalloc.start()
    f(*feeds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
    assert f._program.nbytes < 200_000
    assert puts(f) == 1


# all or nothing --------------------------------------------------------------------------------------------------------


class Moving:
    """A function of which every register moves with every tick."""

    def __init__(self, mode: str, guard: bool) -> None:
        self.i, r = ag.placeholder((None,), dtype="int64", name="i"), ag.placeholder((None, 3), dtype="float64", name="r")
        p, q = table(), table(np.ones((20, 3)), name="q")
        n, b = ag.variable(0, dtype="int64", name="n"), ag.variable(np.ones(4), name="b")
        updates = Updates([
            (p, ag.put_rows(p, self.i, ag.gather(q, self.i) + ag.gather(p, self.i) + r)), (n, n + 1),
            (q, ag.scatter_add(q, self.i, r)), (b, b * 1.5),
        ])  # fmt: skip
        if guard:
            updates = updates.when(n >= 0)
        self.function = ag.function([self.i, r], [ag.reduce_sum(p)], updates, on_nonfinite=mode)
        self.registers = self.function.registers
        self.feeds: list[Any] = [np.array([1, -3, 1]), np.full((3, 3), 0.5)]

    def __call__(self) -> Any:
        return self.function(*self.feeds)

    def held(self) -> list[bytes]:
        return [v.get_value().tobytes() for v in self.registers]


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_an_exception_at_any_bytecode_leaves_all_old_or_all_new(mode: str, guard: bool) -> None:
    moving = Moving(mode, guard)
    assert survives_every_bytecode(moving, moving.registers) > 20
    assert puts(moving.function) == 2
    assert is_free(moving.registers)


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [20, -21])
def test_an_index_outside_changes_nothing(bad: int, mode: str, guard: bool) -> None:
    moving = Moving(mode, guard)
    moving()
    before = moving.held()
    moving.feeds[0] = np.array([1, bad, 2])
    with pytest.raises(ag.IndexRangeError, match=rf"index {bad} at \[1\] is outside an axis of size 20.*"):
        moving()
    assert moving.held() == before
    moving.feeds[0] = np.array([1, -3, 1])
    moving()
    assert all(a != b for a, b in zip(moving.held(), before, strict=True))


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_with_all_else(bad: float, guard: bool) -> None:
    for mode in ("raise", "skip"):
        moving = Moving(mode, guard)
        moving()
        before = moving.held()
        moving.feeds[1] = np.array([[0.0] * 3, [0.0, bad, 0.0], [0.0] * 3])
        if mode == "raise":
            with pytest.raises(ag.NonFiniteError):
                moving()
        else:
            moving()
            assert moving.function.skipped == 1
        assert moving.held() == before


@pytest.mark.parametrize("mode", ["raise", "skip"])
def test_a_row_that_was_not_finite_before_may_stay_so(mode: str) -> None:
    start = TABLE.copy()
    start[2, 1] = np.nan
    p = table(start)
    f = ag.function([], None, [(p, ag.put_rows(p, [2, 3], ag.gather(p, [2, 3]) * 2.0))], on_nonfinite=mode)
    f()
    np.testing.assert_array_equal(p.get_value()[2:4], start[2:4] * 2)


@pytest.mark.parametrize("mode", ["raise", "skip"])
def test_of_equal_indices_only_the_row_that_stands_has_to_be_finite(mode: str) -> None:
    p, r = table(), ag.placeholder((3, 3), dtype="float64")
    f = ag.function([r], None, [(p, ag.put_rows(p, [2, 5, 2], r))], on_nonfinite=mode)
    f(np.array([[np.nan] * 3, [1.0] * 3, [2.0] * 3]))
    assert p.get_value()[[2, 5]].tolist() == [[2.0] * 3, [1.0] * 3]
    before = p.get_value()
    with pytest.raises(ag.NonFiniteError) if mode == "raise" else np.errstate():
        f(np.array([[1.0] * 3, [1.0] * 3, [np.nan] * 3]))
    np.testing.assert_array_equal(p.get_value(), before)


def test_a_guard_that_fails_computes_no_rows() -> None:
    p, i, on = table(), ag.placeholder((None,), dtype="int64"), ag.placeholder((), dtype="bool")
    f = ag.function([i, on], None, Updates([(p, ag.put_rows(p, i, 0.0))]).when(on))
    f([99], False)
    np.testing.assert_array_equal(p.get_value(), TABLE)
    with pytest.raises(ag.IndexRangeError):
        f([99], True)
    f([1], True)
    assert puts(f) == 1
    assert not p.get_value()[1].any()


def test_a_preview_shows_the_whole_table_and_writes_nothing() -> None:
    moving = Moving("apply", guard=False)
    before = moving.held()
    seen = moving.function.preview(*moving.feeds)
    assert moving.held() == before
    moving()
    assert [seen[v].tobytes() for v in moving.registers] == moving.held()


# the kernels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
@pytest.mark.parametrize(
    "kernel", ["touched_sums", "added_rows", "put_rows", "is_last", "row_numbers", "touched_rows", "rows_at"]
)
def test_a_kernel_writes_into_the_array_it_is_given(kernel: str, dtype: str) -> None:
    rng = np.random.default_rng(4)
    x, numbers = rng.integers(-9, 9, (6, 2)).astype(dtype), np.array([4, 1, 4, 0, 1])
    rows = rng.integers(-9, 9, (5, 2)).astype(dtype)
    arguments: dict[str, tuple[Any, ...]] = {
        "touched_sums": (rows, numbers, x.shape), "added_rows": (x, numbers, rows), "put_rows": (x, numbers, rows),
        "is_last": (numbers,), "row_numbers": (numbers - 6, 6), "touched_rows": (numbers, 6), "rows_at": (x, numbers),
    }  # fmt: skip
    call: Callable[..., Any] = getattr(arrays, kernel)
    for few in (slice(0, 5), slice(0, 2)):  # with equal numbers, and without
        given_ = [a[few] if a is numbers or a is rows else a for a in arguments[kernel]]
        wanted = call(*given_)
        out = np.empty_like(wanted)
        assert call(*given_, out) is out
        np.testing.assert_array_equal(out, wanted)


def test_sums_of_half_precision_are_rounded_once() -> None:
    g = np.full((4096, 1), 1.0, "float16")  # 2048 + 1 is 2048 in half precision
    assert arrays.touched_sums(g, np.zeros(4096, int), (5000, 1))[0, 0] == 4096
    assert arrays.added_rows(np.zeros((5000, 1), "float16"), np.zeros(4096, int), g)[0, 0] == 4096


@pytest.mark.parametrize("indices", [[1], [1, 1], [1, 1, 1, 1]])
def test_a_sum_of_negative_zeros_is_what_it_is_in_the_whole(indices: list[int]) -> None:
    sums = arrays.touched_sums(np.full(len(indices), -0.0), np.array(indices), (3,))
    assert not np.signbit(sums).any()


@pytest.mark.parametrize("size", [3, 40, 1000])
def test_sums_are_taken_in_the_order_of_the_indices(size: int) -> None:
    rng = np.random.default_rng(size)
    indices = rng.integers(-size, size, 500) // 2
    g = (rng.normal(size=(500, 3)) * 10 ** rng.uniform(-4, 4, (500, 1))).astype("float32")
    x = rng.normal(size=(size, 3)).astype("float32")
    numbers = arrays.touched_rows(indices, size)
    np.testing.assert_array_equal(arrays.touched_sums(g, indices, (size, 3)), scatter(g, indices, (size, 3), 0)[numbers])
    np.testing.assert_array_equal(arrays.added_rows(x, indices % size, g), scatter_add(x, indices, g, 0)[indices])
