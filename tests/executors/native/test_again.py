"""What reductions and the commit read, or several reductions, is made again where it is read, if that costs less than memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
import optimizers
from autograph.executors.native import again
from autograph.executors.native.items import Loop
from autograph.executors.numpy import by_blocks, commit
from tests.executors.test_groups import program_of

RULES = ["LAMB", "LARS", "NovoGrad", "Adafactor"]


def stepping(
    rule: str, shapes: Sequence[tuple[int, ...]], executor: str, dtype: str = "float32", guarded: bool = False
) -> tuple[Any, list[Any]]:
    """A function of gradients that steps registers of ones, and these."""
    params = [ag.variable(np.ones(shape), dtype=dtype) for shape in shapes]
    feeds = [ag.placeholder(shape, dtype=dtype) for shape in shapes]
    updates = getattr(optimizers, rule)().get_updates(feeds, params)
    if guarded:
        updates = updates.when(ag.reduce_sum(feeds[0]) > 0)
    return ag.function(feeds, None, updates, executor=executor), params


@pytest.mark.parametrize("rule", [*RULES, "Adam", "SGD"])
@pytest.mark.parametrize(("count", "columns"), [(1, 1), (1, 64), (50, 64)])
def test_a_step_keeps_no_whole_array_that_it_may_make_again(rule: str, count: int, columns: int) -> None:
    shapes = [(20 * commit.BLOCK // count // columns, columns)] * count
    step, _ = stepping(rule, shapes, "native")
    step(*[np.ones(shape, "float32") for shape in shapes])
    program = step._program
    arrays = (2 if columns == 1 else 1) if rule == "Adafactor" else 0  # what a row and a column make fits no flat commit
    assert not program.host and program.nbytes <= (20 * arrays + 3) * commit.BLOCK * 4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (1, 280), (280, 1), (280,), (2, 20, 7)])
@pytest.mark.parametrize("guarded", [False, True])
def test_what_is_made_again_is_the_same_again(
    rule: str, shape: tuple[int, ...], guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(executor: str) -> tuple[Any, int]:
        rng = np.random.default_rng(0)
        step, (p,) = stepping(rule, [shape], executor, "float64", guarded)
        for _ in range(4):
            step(rng.normal(size=shape))
        return p.get_value(), program_of(step).nbytes

    wanted, _ = end("numpy")
    before, whole = end("native")
    monkeypatch.setattr(commit, "BLOCK", 63)
    monkeypatch.setattr(by_blocks, "_WORTH", 1)
    got, less = end("native")
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    np.testing.assert_allclose(before, wanted, rtol=1e-12)
    assert less < whole if rule == "LAMB" else less <= whole


def test_memory_is_taken_where_it_costs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (4, commit.BLOCK)

    def nbytes() -> int:
        step, _ = stepping("LAMB", [shape], "native")
        step(np.ones(shape, "float32"))
        return program_of(step).nbytes

    assert nbytes() < 4 * commit.BLOCK
    monkeypatch.setattr(again, "AGAIN", 0)
    assert nbytes() >= 4 * 4 * commit.BLOCK


def test_what_a_reduction_reads_is_made_where_it_is_reduced() -> None:
    """The column sums of what a row's loop makes, and of what is asked for besides."""
    x = np.random.default_rng(1).normal(size=(1024, 128)).astype("float32")
    p = ag.placeholder(x.shape)
    y = ag.square(p) + 1.0
    rows, columns = ag.reduce_sum(y, axis=1), ag.reduce_sum(y, axis=0)
    f = ag.function([p], [rows, columns], executor="native")
    wanted = np.square(x) + np.float32(1)
    for got, axis in zip(f(x), (1, 0), strict=True):
        np.testing.assert_allclose(got, wanted.sum(axis, dtype="float64"), rtol=1e-6)
    assert f._program.nbytes < x.nbytes / 8
    g = ag.function([p], [rows, columns, y], executor="native")
    for got, value in zip(g(x), [wanted.sum(1, dtype="float64"), wanted.sum(0, dtype="float64"), wanted], strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-6)
    assert not any(loop.calls for loop in g._program.items if isinstance(loop, Loop) and loop.axes == (0,)), "it is there already"


@pytest.mark.parametrize("holds", [True, False])
def test_what_a_guard_may_write_over_is_read_as_it_is_then(holds: bool) -> None:
    x = np.random.default_rng(3).normal(size=(1024, 128)).astype("float32")
    p, c = ag.placeholder(x.shape), ag.placeholder((), dtype="bool")
    f = ag.function([p, c], ag.reduce_sum(ag.hold(c, p * 2.0, p * 3.0), axis=0), executor="native")
    np.testing.assert_allclose(f(x, holds), (x * (2 if holds else 3)).sum(0, dtype="float64"), rtol=1e-5, atol=1e-4)


def test_a_function_dear_to_make_is_made_once() -> None:
    x = np.random.default_rng(2).normal(size=(1024, 128)).astype("float32")
    p = ag.placeholder(x.shape)
    y = ag.tanh(ag.sin(ag.exp(ag.tanh(ag.cos(p)))))
    f = ag.function([p], [ag.reduce_sum(y, axis=1), ag.reduce_sum(y, axis=0)], executor="native")
    made = np.tanh(np.sin(np.exp(np.tanh(np.cos(x.astype("float64"))))))
    for got, axis in zip(f(x), (1, 0), strict=True):
        np.testing.assert_allclose(got, made.sum(axis), rtol=1e-5)
    assert f._program.nbytes >= x.nbytes
