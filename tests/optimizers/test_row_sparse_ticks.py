"""Ticks that step a few rows: all or nothing, previewed, guarded, looped, pickled, saved and resumed as any other."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from autograph import (
    ArgumentError,
    IndexRangeError,
    LoopError,
    NonFiniteError,
    checkpoint,
    function,
    greater,
)
from optimizers import (
    Optimizer,
    SparseAdam,
)
from tests.optimizers.embeddings import LAZY, ROWS, WIDTH, Problem, batches, densely, start


@pytest.mark.parametrize("mode", ["apply", "raise", "skip"])
@pytest.mark.parametrize("rule", LAZY)
def test_an_index_outside_changes_nothing(rule: Callable[..., Optimizer], mode: str) -> None:
    problem, optimizer = Problem(), rule(lr=0.1)
    step = problem.step(optimizer, on_nonfinite=mode)
    step([[1, 2, 3]])
    held = {v: v.get_value().tobytes() for v in step.registers}
    for bad in (ROWS, -ROWS - 1):
        with pytest.raises(IndexRangeError, match=f"index {bad} "):
            step([[1, bad, 3]])
        assert {v: v.get_value().tobytes() for v in step.registers} == held
    with pytest.raises(LoopError) as caught:
        step.loop(3, np.array([[[1]], [[ROWS]], [[1]]]))
    assert caught.value.committed == 1


@pytest.mark.parametrize("rule", LAZY)
def test_a_row_that_would_not_be_finite_is_refused_with_all_else(rule: Callable[..., Optimizer]) -> None:
    value = start()
    value[3] = 1e300
    for mode in ("raise", "skip"):
        problem = Problem(value=value)
        step = problem.step(rule(lr=0.1), on_nonfinite=mode)
        step([[1, 2, 4]])
        held = {v: v.get_value().tobytes() for v in step.registers}
        if mode == "raise":
            with pytest.raises(NonFiniteError):
                step([[1, 3, 3]])
        else:
            step([[1, 3, 3]])
            assert step.skipped == 1
        assert {v: v.get_value().tobytes() for v in step.registers} == held
        step([[1, 2, 2]])
        assert all(v.get_value().tobytes() != held[v] for v in (problem.p, problem.w))


@pytest.mark.parametrize("rule", LAZY)
def test_loop_preview_and_guard(rule: Callable[..., Optimizer]) -> None:
    one, other = Problem(), Problem()
    stacked = np.stack(list(batches(5)))
    one.step(rule(lr=0.1)).loop(5, stacked)
    step = other.step(rule(lr=0.1))
    for indices in stacked:
        seen = step.preview(indices)
        step(indices)
        for register, value in seen.items():
            np.testing.assert_allclose(register.get_value(), value, rtol=1e-14)
    np.testing.assert_array_equal(one.p.get_value(), other.p.get_value())
    guarded = function([other.i], other.loss, rule(lr=0.1).get_updates(other.loss, [other.p]).when(greater(other.loss, 1e9)))
    guarded([[1, 2, 3]])
    np.testing.assert_array_equal(one.p.get_value(), other.p.get_value())


@pytest.mark.parametrize("rule", LAZY)
def test_a_function_that_was_pickled_or_copied_takes_the_same_steps(rule: Callable[..., Optimizer]) -> None:
    problem = Problem()
    step = problem.step(rule(lr=0.1))
    step([[1, -1, 1]])
    other = pickle.loads(pickle.dumps(step))
    assert step([[1, 2, 2]]) == other([[1, 2, 2]])
    mine, theirs = step.state(), other.state()
    assert [v.tobytes() for v in mine.values()] == [v.tobytes() for v in theirs.values()]


@pytest.mark.parametrize("rule", LAZY)
def test_training_resumes_from_a_file_bit_for_bit(rule: Callable[..., Optimizer], tmp_path: Path) -> None:
    found = []
    for stop in (False, True):
        problem, optimizer = Problem(), rule(lr=0.1, clipnorm=1.0)
        step = problem.step(optimizer)
        for t, indices in enumerate(batches(30)):
            if stop and t == 10:
                checkpoint.save(tmp_path / "file", {"model": [problem.p, problem.w], "optimizer": optimizer})
                problem, optimizer = Problem(value=np.zeros((ROWS, WIDTH))), rule(lr=0.5, clipnorm=2.0)
                step = problem.step(optimizer)
                checkpoint.load(tmp_path / "file", {"model": [problem.p, problem.w], "optimizer": optimizer})
            step(indices)
        found.append([problem.p.get_value(), problem.w.get_value(), *optimizer.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", LAZY)
def test_slots_are_those_of_the_dense_rule(rule: Callable[..., Optimizer]) -> None:
    """So that weights and files of either are taken by both."""
    names: list[Sequence[str]] = []
    for make in (rule, densely(rule)):
        problem, optimizer = Problem(), make(lr=0.1, name="one")
        problem.step(optimizer)
        names.append([f"{n} {np.shape(v)}" for n, v in optimizer.state().items()])
    assert names[0] == names[1]


def test_the_learning_rate_may_change_in_flight() -> None:
    problem, optimizer = Problem(), SparseAdam(lr=0.1)
    step = problem.step(optimizer)
    step([[1, 2, 3]])
    before = problem.p.get_value()
    optimizer.lr = 1e-30
    step([[1, 2, 3]])
    assert np.abs(problem.p.get_value() - before).max() < 1e-15
    with pytest.raises(ArgumentError):
        optimizer.amsgrad = True
