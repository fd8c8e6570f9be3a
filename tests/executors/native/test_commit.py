"""The commit as machine code: rules that choose are one loop, and long feeds are read where they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
import optimizers
from autograph.executors.native.commit import DescentKernel
from autograph.executors.numpy.record import select

SHAPES = [(3, 7), (5,), (40, 3), (2, 2)]


def trained(
    rule: Callable[[], Any], executor: str, shapes: list[tuple[int, ...]], ticks: int = 5
) -> tuple[Any, list[np.ndarray]]:
    """A function that is fed gradients, and its registers after some ticks."""
    rng = np.random.default_rng(3)
    registers = [ag.variable(rng.normal(size=shape), name=f"w{k}") for k, shape in enumerate(shapes)]
    feeds = [ag.placeholder(shape) for shape in shapes]
    step = ag.function(feeds, None, rule().get_updates(feeds, registers), executor=executor)
    for _ in range(ticks):
        step(*(rng.normal(size=shape).astype("float32") for shape in shapes))
    return step, [register.get_value() for register in step.registers]


@pytest.mark.parametrize("name", ["Rprop", "LAMB", "Adam", "RMSprop", "Lion", "Adamax", "AMSGrad"])
def test_a_rule_that_chooses_is_one_loop_and_follows_numpy(name: str) -> None:
    rule = (lambda: optimizers.Adam(amsgrad=True)) if name == "AMSGrad" else getattr(optimizers, name)
    native, got = trained(rule, "native", SHAPES)
    _, wanted = trained(rule, "numpy", SHAPES)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)
    program = native._program
    assert len(program.groups) == len(program.plans)
    chosen = [step for item in program.items for step in item.steps if step.function is select and step.result.shape]
    assert not chosen, "choices stay in the commit"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [1, 3, 8, 21])
def test_choices_in_the_commit_give_numpys_bits_wherever_their_results_go(dtype: str, size: int) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4, size)).astype(dtype)
    after = []
    for executor in ("native", "numpy"):
        a, b, c = (ag.variable(row, dtype=dtype) for row in data[:3])
        g = ag.placeholder((size,), dtype=dtype)
        updates = [
            (a, ag.where(g > 0, a + b, a * b)), (b, ag.where(a > b, b, a)), (c, ag.where(c < g, c, ag.where(g > 1, g, c - g))),
        ]  # fmt: skip
        step = ag.function([g], None, updates, executor=executor)
        for _ in range(3):
            step(data[3])
        after.append([register.get_value() for register in (a, b, c)])
    for got, wanted in zip(*after, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_choices_of_a_part_that_numpy_has_to_run_are_made_by_bits() -> None:
    """What is broadcast to a register is no loop over flat homes; there a choice might be written over what it reads."""
    after = []
    for executor in ("native", "numpy"):
        w, v = ag.variable(np.linspace(-1, 1, 15).reshape(5, 3)), ag.variable(np.linspace(2, -2, 15).reshape(5, 3))
        u, g = ag.variable(np.ones((5, 3))), ag.placeholder((3,))
        updates = [(w, ag.where(g > 0, ag.where(w > v, w, v), w * 0.5)), (v, ag.where(g > w, v - w, v))]
        updates.append((u, ag.where(g > 0, u, u * 0.5 + g)))
        step = ag.function([g], None, updates, executor=executor)
        for k in range(4):
            step(np.array([1.0, -1.0, k - 1.5], "float32"))
        after.append([w.get_value(), v.get_value(), u.get_value()])
    for got, wanted in zip(*after, strict=True):
        np.testing.assert_array_equal(got, wanted)


def fed(executor: str, shapes: list[tuple[int, ...]], feeds: list[list[np.ndarray]]) -> tuple[Any, list[np.ndarray]]:
    registers = [ag.variable(np.full(shape, 0.5), name=f"w{k}") for k, shape in enumerate(shapes)]
    given = [ag.placeholder(shape) for shape in shapes]
    step = ag.function(given, None, [(w, w * 0.5 + g) for w, g in zip(registers, given, strict=True)], executor=executor)
    for some in feeds:
        step(*some)
    return step, [w.get_value() for w in registers]


def test_long_feeds_are_read_where_they_lie() -> None:
    rng = np.random.default_rng(1)
    shapes = [(100, 101), (9001,), (90, 100)]
    feeds = [[rng.normal(size=shape).astype("float32") for shape in shapes] for _ in range(4)]
    step, got = fed("native", shapes, feeds)
    _, wanted = fed("numpy", shapes, feeds)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not step._program.items and step._program.nbytes < 4 * 9000, "nothing is copied"


def test_feeds_that_lie_in_any_way_are_fed_to_the_commit() -> None:
    rng = np.random.default_rng(2)
    shapes = [(100, 101), (9001,)]

    def odd(shape: tuple[int, ...], kind: int) -> np.ndarray:
        plain = rng.normal(size=shape).astype("float32")
        if kind == 0:
            return np.asfortranarray(plain)
        if kind == 1:
            return np.repeat(plain, 2, axis=-1)[..., ::2]
        raw = np.empty(plain.nbytes + 1, np.uint8)[1:].view("float32")  # not aligned
        raw[:] = plain.reshape(-1)
        return raw.reshape(shape)

    feeds = [[odd(shape, kind) for shape in shapes] for kind in (0, 1, 2, 0)]
    for a, b in zip(fed("native", shapes, feeds)[1], fed("numpy", shapes, feeds)[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_feed_may_be_gone_once_its_tick_is_over() -> None:
    x = ag.placeholder((20_000,))
    w = ag.variable(np.zeros(20_000), dtype="float32")
    step = ag.function([x], None, [(w, w + x)], executor="native")
    for k in range(50):
        step(np.full(20_000, float(k), "float32"))
    np.testing.assert_array_equal(w.get_value(), np.full(20_000, 49.0 * 50 / 2, "float32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("batch", [1, 9])
def test_a_matrix_that_steps_along_a_product_does_so_within_the_native_commit(dtype: str, left: bool, batch: int) -> None:
    """The weights of a layer, whichever side of the product they stand on; so a whole tick, and many, are machine code."""
    rng = np.random.default_rng(1)
    sizes = (130, 160) if left else (160, 130)
    start = rng.normal(size=sizes)
    shapes = [(160, batch), (130, batch)] if left else [(batch, 160), (batch, 130)]
    feeds = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    ends = []
    for executor in ("native", "numpy"):
        x, t = (ag.placeholder(shape, dtype=dtype) for shape in shapes)
        w = ag.variable(start, dtype=dtype)
        loss = ag.reduce_mean(ag.square((ag.matmul(w, x) if left else ag.matmul(x, w)) - t))
        step = ag.function([x, t], loss, optimizers.SGD(lr=0.01).get_updates(loss, [w]), executor=executor)
        for _ in range(3):
            step(*feeds)
        step.loop(4, *feeds)
        ends.append(w.get_value())
        if executor == "native":
            assert any(isinstance(kernel, DescentKernel) for kernel in step._program.groups.values())
            assert step._program.many() is not None
    np.testing.assert_allclose(*ends, rtol=0, atol=2e3 * np.finfo(dtype).eps)


def test_a_product_in_the_commit_reads_a_matrix_as_it_was() -> None:
    """It is a copy, in another order than the matrix itself, for that changes before."""
    rng = np.random.default_rng(6)
    old_v, old_w, fed = (rng.normal(size=(150, 150)) for _ in range(3))
    v, w = (ag.variable(old, dtype="float64") for old in (old_v, old_w))
    x = ag.placeholder((150, 150), dtype="float64")
    step = ag.function([x], None, [(v, v + 2.0 * w), (w, w - 0.1 * ag.matmul(v, x))], executor="native")
    step(fed)
    assert any(isinstance(kernel, DescentKernel) for kernel in step._program.groups.values())
    np.testing.assert_allclose(w.get_value(), old_w - 0.1 * old_v @ fed, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(v.get_value(), old_v + 2 * old_w, rtol=1e-12, atol=1e-12)
