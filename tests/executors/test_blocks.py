"""Long registers: worked on in blocks, from feeds where they lie, with choices made by bits, in little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers
from autograph.executors.numpy import commit
from autograph.executors.numpy.bound import with_feeds
from autograph.tensor_type import DTYPES
from tests.executors.test_groups import groups_of, program_of

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
    odd = np.frombuffer(bytes(41), np.float32, offset=1)
    assert not odd.flags.aligned
    ((_, fed),) = with_feeds([(np.negative, None)], [(0, 1, 0, slice(2, 9), None)], odd)
    assert fed.flags.aligned and fed.shape == (7,)


@pytest.mark.parametrize("rule", [*RULES, "LARS", "NovoGrad"])
@pytest.mark.parametrize("count", [1, 50])
def test_a_step_takes_blocks_of_scratch_and_no_copy_of_what_is_long(rule: str, count: int) -> None:
    size = 20 * commit.BLOCK // count
    params = [ag.variable(np.ones(size, "float32")) for _ in range(count)]
    feeds = [ag.placeholder((size,)) for _ in range(count)]
    step = ag.function(feeds, None, getattr(optimizers, rule)().get_updates(feeds, params))
    step(*[np.ones(size, "float32")] * count)
    assert 0 < program_of(step).nbytes <= 6 * commit.BLOCK * 4


# sums -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_made_to_be_added_up_is_never_whole(dtype: str) -> None:
    n = 20 * commit.BLOCK + 3
    x, y = ag.placeholder((n,), dtype=dtype), ag.placeholder((), dtype=dtype)
    step = ag.function([x, y], ag.reduce_sum(ag.square(ag.maximum(x, 0) / y)))
    fed = np.random.default_rng(2).standard_normal(2 * n).astype(dtype)[::-2]
    expected = np.sum((np.maximum(fed.astype("float64"), 0) / 3) ** 2)
    np.testing.assert_allclose(step(fed, 3.0), expected, rtol=20 * np.finfo(dtype).eps)
    assert program_of(step).nbytes <= 4 * commit.BLOCK * x.dtype.itemsize


@pytest.mark.parametrize("read_by", ["nothing", "an output", "a register", "another sum", "a guard"])
def test_a_sum_by_blocks_takes_nothing_from_who_reads_the_same(read_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "BLOCK", 7)
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
