"""Long registers: worked on in blocks, from feeds where they lie, with choices made by bits, in little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers
from autograph.executors.numpy import by_blocks, commit
from autograph.executors.numpy.bound import Fed, with_feeds
from autograph.executors.numpy.record import Recorder
from autograph.tensor_type import DTYPES
from tests.executors.test_groups import groups_of, program_of

pytestmark = pytest.mark.usefixtures("on_numpy")

RULES = ["SGD", "Adam", "RAdam", "Rprop", "AdaBelief", "Adan", "Yogi", "ScheduleFreeAdamW"]


def after(rule: str, values: list[Any], gradients: list[list[Any]]) -> Any:
    """All parameters, one after another, after a step with each of the lists of gradients."""
    params = [ag.variable(v, dtype="float32", name=f"p{i}") for i, v in enumerate(values)]
    feeds = [ag.placeholder(p.shape, name=f"g{i}") for i, p in enumerate(params)]
    step = ag.function(feeds, None, getattr(optimizers, rule)().get_updates(feeds, params))
    for found in gradients:
        step(*found)
    return np.concatenate([p.get_value().reshape(-1) for p in params])


@pytest.mark.parametrize("rule", RULES)
def test_a_long_parameter_gets_the_bits_of_its_parts(rule: str) -> None:
    n = commit.BLOCK + commit.BLOCK // 2
    rng = np.random.default_rng(0)
    whole, gradients = rng.standard_normal(n, np.float32), [rng.standard_normal(n, np.float32) for _ in range(3)]
    ends = [7, 5000, n - 100]
    parts = after(rule, np.split(whole, ends), [np.split(g, ends) for g in gradients])
    assert after(rule, [whole], [[g] for g in gradients]).tobytes() == parts.tobytes()
    split = zip(*[np.split(x, ends) for x in (whole, *gradients)], strict=True)
    alone = [after(rule, [p], [[g] for g in found]) for p, *found in split]
    assert np.concatenate(alone).tobytes() == parts.tobytes()


@pytest.mark.parametrize("rule", RULES)
def test_rules_that_choose_run_as_one(rule: str) -> None:
    params = [ag.variable(np.ones(n), name=f"p{n}") for n in (3, 4, 5)]
    feeds = [ag.placeholder(p.shape) for p in params]
    step = ag.function(feeds, None, getattr(optimizers, rule)().get_updates(feeds, params))
    step(*[np.ones(p.shape) for p in params])  # type: ignore[arg-type]  # static
    (group,) = groups_of(step, *params)
    assert {p.name for p in params} <= set(group)


def test_a_feed_in_any_order_is_read_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "BLOCK", 7)
    p, q = (ag.variable(np.zeros((5, 6)), name=name) for name in "pq")
    x, y = (ag.placeholder((5, 6), name=name) for name in "xy")
    kept = ag.variable(np.zeros(12), name="kept")
    z = ag.placeholder((12,), name="z")
    new = [(a, ag.where(ag.maximum(f, 0.5) > 0.6, f, a - f)) for a, f in ((p, x), (q, y))]
    step = ag.function([x, y, z], None, [*new, (kept, z)])
    rng = np.random.default_rng(1)
    a, b, c = rng.random((6, 5), np.float32), rng.random((10, 12), np.float32), rng.random(12, np.float32)
    for _ in range(2):
        old = p.get_value(), q.get_value()
        fed = a.T, b[::-2, ::2]
        step(*fed, c[::-1])
        for variable, f, was in zip((p, q), fed, old, strict=True):
            np.testing.assert_array_equal(variable.get_value(), np.where(np.maximum(f, 0.5) > 0.6, f, was - f))
        np.testing.assert_array_equal(kept.get_value(), c[::-1])
        a += 1
        c += 1


def test_a_commit_reads_aligned_arrays_alone() -> None:
    x = Recorder().leaf(ag.placeholder((11,)))
    odd = np.frombuffer(bytes(41), np.float32, offset=1)
    assert not odd.flags.aligned
    ((_, fed),) = with_feeds([(np.negative, None)], [(0, 1, 0, Fed(x, slice(2, 9)))], odd)
    assert fed.flags.aligned and fed.shape == (7,)


@pytest.mark.parametrize("rule", [*RULES, "LARS", "NovoGrad", "LAMB", "Adafactor"])
@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize("columns", [1, 64])
def test_a_step_takes_blocks_of_scratch_and_no_copy_of_what_is_long(rule: str, count: int, columns: int) -> None:
    shape = (20 * commit.BLOCK // count // columns, columns)
    params = [ag.variable(np.ones(shape, "float32")) for _ in range(count)]
    feeds = [ag.placeholder(shape) for _ in range(count)]
    step = ag.function(feeds, None, getattr(optimizers, rule)().get_updates(feeds, params))
    step(*[np.ones(shape, "float32")] * count)
    assert 0 < program_of(step).nbytes <= 10 * commit.BLOCK * 4


@pytest.mark.parametrize("rule", ["LAMB", "LARS", "NovoGrad", "Adafactor"])
@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (1, 280), (280,), (2, 20, 7)])
@pytest.mark.parametrize("guarded", [False, True])
def test_what_is_made_twice_is_the_same_twice(
    rule: str, shape: tuple[int, ...], guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(shape), [rng.standard_normal(shape) for _ in range(4)]

    def end() -> Any:
        p, g = ag.variable(start, dtype="float64"), ag.placeholder(shape, dtype="float64")
        updates = getattr(optimizers, rule)().get_updates([g], [p])
        step = ag.function([g], None, updates.when(ag.reduce_sum(g) > 0) if guarded else updates)
        for gradient in gradients:
            step(gradient)
        return p.get_value()

    whole = end()
    monkeypatch.setattr(commit, "BLOCK", 63)
    monkeypatch.setattr(by_blocks, "_WORTH", 1)
    np.testing.assert_allclose(end(), whole, rtol=1e-13)
    assert not np.array_equal(whole, start)


def test_a_group_that_broadcasts_runs_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "BLOCK", 40)
    rng = np.random.default_rng(3)
    p, q = (ag.variable(rng.standard_normal((33, 7)), name=name) for name in "pq")
    held = [rng.standard_normal(shape).astype("float32") for shape in ((33, 1), (1, 7), (7,))]
    row, column, some = map(ag.variable, held)
    x = ag.placeholder((33, 7))
    u = ag.maximum(x * row, p) * column
    step = ag.function([x], None, [(p, q - u), (q, ag.where(u > some, p, u))])
    for way in (1, -1):
        fed = rng.standard_normal((33, 7)).astype("float32")[::way]
        a, b = p.get_value(), q.get_value()
        step(fed)
        made = np.maximum(fed * held[0], a) * held[1]
        np.testing.assert_array_equal(p.get_value(), b - made)
        np.testing.assert_array_equal(q.get_value(), np.where(made > held[2], a, made))
    (plan,) = program_of(step).plans
    assert (plan.group.by_rows, plan.block) == (True, 5)


def test_what_registers_and_feeds_make_waits_for_its_first_reader() -> None:
    feeds = [ag.placeholder((100, 100)) for _ in range(30)]
    squares = [ag.square(x) for x in feeds]
    step = ag.function(feeds, [ag.reduce_max(ag.matmul(square, square)) for square in squares])
    given = np.random.default_rng(4).random((100, 100), np.float32)
    for found in step(*[given] * 30):
        np.testing.assert_allclose(found, np.max(given**2 @ given**2), rtol=1e-5)
    assert program_of(step).nbytes <= 3 * 4 * given.size


# reductions -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_made_to_be_added_up_is_never_whole(dtype: str) -> None:
    n = 20 * commit.BLOCK + 3
    x, y = ag.placeholder((n,), dtype=dtype), ag.placeholder((), dtype=dtype)
    step = ag.function([x, y], ag.reduce_sum(ag.square(ag.maximum(x, 0) / y)))
    fed = np.random.default_rng(2).standard_normal(2 * n).astype(dtype)[::-2]
    expected = np.sum((np.maximum(fed.astype("float64"), 0) / 3) ** 2)
    np.testing.assert_allclose(step(fed, 3.0), expected, rtol=20 * np.finfo(dtype).eps)
    assert program_of(step).nbytes <= 4 * commit.BLOCK * x.dtype.itemsize


@pytest.mark.parametrize("name", ["sum", "max", "min"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("block", [7, 64, 500])
def test_reductions_by_blocks_go_along_any_axis(
    name: str, axis: Any, keepdims: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "BLOCK", block)
    monkeypatch.setattr(by_blocks, "_WORTH", 1)
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((9, 11, 6)), rng.standard_normal((9, 1, 6))
    x, y = ag.placeholder(a.shape, dtype="float64"), ag.variable(b, dtype="float64")
    made = ag.where(ag.where(x > y, x, y) > 0.3, ag.cast(ag.cast(x, "float32"), "float64"), x - ag.square(x) * ag.square(y))
    few = ag.placeholder((6,), dtype="float64")
    outputs = [getattr(ag, f"reduce_{name}")(made, axis, keepdims), ag.reduce_max(ag.square(few))]
    found, most = ag.function([x, few], outputs)(a, a[3, 4])
    known = np.where(np.where(a > b, a, b) > 0.3, a.astype("float32"), a - np.square(a) * np.square(b))
    np.testing.assert_allclose(found, getattr(np, name)(known, axis, keepdims=keepdims), rtol=1e-13, atol=1e-13)
    assert most == np.max(a[3, 4] ** 2)


@pytest.mark.parametrize("read_by", ["nothing", "an output", "a register", "another sum", "a guard"])
def test_a_sum_by_blocks_takes_nothing_from_who_reads_the_same(read_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "BLOCK", 7)
    monkeypatch.setattr(by_blocks, "_WORTH", 1)
    x, p = ag.placeholder((5, 9)), ag.variable(np.ones((5, 9)))
    total = ag.variable(0.0)
    made = ag.square(x * p)
    whole = ag.reduce_sum(made)
    outputs = [made] if read_by == "an output" else [ag.reduce_sum(made - x)] if read_by == "another sum" else []
    updates = ag.Updates([(total, whole)] + [(p, p + made)] * (read_by == "a register"))
    step = ag.function([x], outputs, updates.when(whole > 0) if read_by == "a guard" else updates)
    fed, held = np.random.default_rng(3).standard_normal((5, 9)).astype("float32"), np.ones((5, 9), "float32")
    for _ in range(2):
        found = step(fed)
        squares = np.square(fed * held)
        np.testing.assert_allclose(total.get_value(), squares.sum(), rtol=1e-6)
        if outputs:
            np.testing.assert_allclose(found[0], squares if read_by == "an output" else (squares - fed).sum(), rtol=1e-5)
        held = held + squares if read_by == "a register" else held
        np.testing.assert_allclose(p.get_value(), held, rtol=1e-6)


# choices --------------------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "over neither": lambda where, c, p, x: where(c, x, x[::-1]),
    "over what is taken": lambda where, c, p, x: where(c, p, x),
    "over what is left": lambda where, c, p, x: where(c, x, p),
    "over both": lambda where, c, p, x: where(x == x, where(c, p, p), x),
    "of a choice": lambda where, c, p, x: where(c, where(x == p, x, p), where(c, p, x)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_choice_keeps_every_bit(dtype: str, whole: bool, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "BLOCK", 5)
    odd = [0, 1, 1, 0, 1] if dtype == "bool" else [0.0, -0.0, np.nan, np.inf, 3.5] if "float" in dtype else [0, 1, 100, 3, 7]
    start, fed = (np.array(v * 3).astype(dtype) for v in (odd, odd[::-1]))
    conditions = [True, False] if whole else [np.arange(15) % 2 == 0, np.arange(15) % 3 == 0]
    p, x = ag.variable(start, dtype=dtype), ag.placeholder((15,), dtype=dtype)
    c = ag.placeholder(() if whole else (15,), dtype="bool")
    step = ag.function([x, c], None, [(p, FORMS[form](ag.where, c, p, x))])
    expected = start
    for condition in conditions:
        step(fed, condition)
        expected = FORMS[form](np.where, np.asarray(condition), expected, fed)
        assert p.get_value().tobytes() == expected.tobytes()
