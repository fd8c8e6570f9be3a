"""`scan`: along sequences with states, against the same steps written down one by one."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.graph.tensor import Tensor

T = 5
RNG = np.random.default_rng(0)
ARRAYS = [RNG.normal(size=shape) for shape in ((3, 2), (T, 3, 4), (2, 2), (4, 2))]


def inputs(length: int | None = T) -> list[Tensor]:
    shapes = [(None, 2), (length, None, 4), (2, 2), (4, 2)]
    return [ag.placeholder(shape, dtype="float64") for shape in shapes]


def step(h: Tensor, e: Tensor, w: Tensor, v: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    z = ag.matmul(h, w) + ag.matmul(e, v)
    new = ag.tanh(z) * ag.sigmoid(z)
    return new, (new * 2, ag.reduce_sum(new))


def looped(h: Tensor, x: Tensor, w: Tensor, v: Tensor, **options: Any) -> list[Tensor]:
    last, outputs = ag.scan(lambda h, e: step(h, e, w, v), h, x, **options)
    return [last, *outputs]


def unrolled(h: Tensor, x: Tensor, w: Tensor, v: Tensor, reverse: bool = False, truncate: int = T) -> list[Tensor]:
    made: list[Any] = [None] * T
    order = list(reversed(range(T)) if reverse else range(T))
    for k, t in enumerate(order):
        if 0 < k == T - truncate:
            h = ag.stop_gradient(h)
            made = [None if m is None else tuple(map(ag.stop_gradient, m)) for m in made]
        h, made[t] = step(h, x[t], w, v)
    return [h, *map(ag.stack, zip(*made, strict=True))]


def loss(results: list[Tensor]) -> Tensor:
    last, a, b = results
    return ag.reduce_sum(ag.square(last)) + ag.reduce_sum(ag.sin(a)) + ag.reduce_sum(b * b)


def assert_same(x: list[Tensor], ours: list[Tensor], theirs: list[Tensor], arrays: Any = ARRAYS) -> None:
    for a, b in zip(ag.function(x, ours)(*arrays), ag.function(x, theirs)(*arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients_of_two_orders_are_those_of_steps_written_down(reverse: bool) -> None:
    x, y = inputs(), inputs(None)
    ours, theirs = looped(*y, reverse=reverse), unrolled(*x, reverse=reverse)
    ag_y, ag_x = ag.gradients(loss(ours), y), ag.gradients(loss(theirs), x)
    second_y = ag.gradients(sum(ag.reduce_sum(ag.sin(g)) for g in ag_y), y)
    second_x = ag.gradients(sum(ag.reduce_sum(ag.sin(g)) for g in ag_x), x)
    found = ag.function(y, [*ours, *ag_y, *second_y])(*ARRAYS)
    for a, b in zip(found, ag.function(x, [*theirs, *ag_x, *second_x])(*ARRAYS), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("truncate", [1, 3, T, 2 * T])
def test_gradients_go_through_so_many_of_the_last_steps(truncate: int, reverse: bool) -> None:
    x = inputs()
    ours, theirs = looped(*x, reverse=reverse, truncate=truncate), unrolled(*x, reverse, min(truncate, T))
    zeros = [ag.zeros_like(v) for v in x]
    grads = [[z if g is None else g for z, g in zip(zeros, ag.gradients(loss(r), x), strict=True)] for r in (ours, theirs)]
    if truncate < T:
        assert_same(x, [*ours, *grads[0]], [*theirs, *grads[1]])
    else:
        whole = looped(*x, reverse=reverse)
        assert_same(x, [*ours[:1], *grads[0][1:]], [*whole[:1], *ag.gradients(loss(whole), x)[1:]])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [True, 1, 2, 5, 7])
def test_segments_change_neither_values_nor_gradients(checkpoint: Any, reverse: bool) -> None:
    known, unknown = inputs(), inputs(None)
    plain = looped(*known, reverse=reverse)
    wanted = ag.function(known, [*plain, *ag.gradients(loss(plain), known)])(*ARRAYS)
    for x in (known, unknown):
        ours = looped(*x, reverse=reverse, checkpoint=checkpoint)
        for a, b in zip(ag.function(x, [*ours, *ag.gradients(loss(ours), x)])(*ARRAYS), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_segments_hold_a_gradient_s_memory_down() -> None:
    x, w = ag.placeholder((900, 4, 8)), ag.placeholder((8, 8))
    peaks = []
    for checkpoint in (False, True):
        last, _ = ag.scan(
            lambda h, e: (ag.tanh(ag.matmul(ag.sigmoid(h), w)) + e, None), ag.zeros_like(x[0]), x, checkpoint=checkpoint
        )
        f = ag.function([x, w], ag.gradients(ag.reduce_sum(last), w), executor="numpy")
        arrays = np.ones((900, 4, 8), "float32"), np.ones((8, 8), "float32")
        f(*arrays)
        tracemalloc.start()
        f(*arrays)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 4


def test_states_and_outputs_of_any_rank_and_dtype_nest() -> None:
    x = {"a": ag.placeholder((None,), dtype="float32"), "b": ag.placeholder((None, 2), dtype="int64")}
    start = (ag.constant(1.0), [ag.constant(0, dtype="int32"), ag.constant(True)])

    def step(state: Any, entry: Any) -> Any:
        total, (count, flag) = state
        new = (total * entry["a"], [count + 1, ag.greater(ag.reduce_sum(entry["b"]), 3)])
        return new, {"sum": ag.reduce_sum(entry["b"]), "none": None, "flag": flag}

    (total, (count, flag)), outputs = ag.scan(step, start, x)
    assert outputs["none"] is None
    f = ag.function([x["a"], x["b"]], [total, count, flag, outputs["sum"], outputs["flag"]])
    found = f([2, 3, 4], [[1, 1], [2, 2], [0, 1]])
    assert [v.tolist() for v in found] == [24.0, 3, False, [2, 4, 1], [True, False, True]]
    assert [str(v.dtype) for v in found] == ["float32", "int32", "bool", "int64", "bool"]
    assert [v.tolist() for v in f([], np.zeros((0, 2)))] == [1.0, 0, True, [], []]


def test_without_sequences_a_length_says_how_many_steps() -> None:
    x = ag.placeholder((), dtype="float64")
    last, powers = ag.scan(lambda y, _: (y * x, y), x, length=4)
    assert [v.tolist() for v in ag.function([x], [last, powers])(2.0)] == [32.0, [2, 4, 8, 16]]
    assert ag.function([x], ag.gradients(last, x))(2.0) == 5 * 2.0**4


def test_what_depends_on_neither_state_nor_entry_is_computed_once() -> None:
    calls: list[int] = []

    def passed(a: Any) -> Any:
        calls.append(1)
        return a.copy()

    w, x = ag.placeholder((), dtype="float64"), ag.placeholder((4,), dtype="float64")
    once = ag.custom_op("once", passed)
    last, _ = ag.scan(lambda h, e: (h + e * once(w), None), ag.constant(0.0, "float64"), x)
    assert ag.function([w, x], last)(2.0, np.arange(4.0)) == 12.0
    assert len(calls) == 1


def test_functions_are_not_computed_again_for_a_gradient() -> None:
    calls: list[int] = []

    def cubed(a: Any) -> Any:
        calls.append(1)
        return a**3

    x = ag.placeholder((4,), dtype="float64")
    cube = ag.custom_op("cubed_once", cubed, vjp=lambda g, y, x: g * 3 * y / x)
    last, _ = ag.scan(lambda h, e: (cube(h) + e, None), ag.constant(1.0, "float64"), x)
    f = ag.function([x], [last, ag.gradients(last, x)])
    h, slopes = 1.0, []
    for e in (0.1, -0.2, 0.3, -0.4):
        slopes.append(3 * h**2)
        h = h**3 + e
    calls.clear()
    value, gradient = f([0.1, -0.2, 0.3, -0.4])
    np.testing.assert_allclose(value, h)
    np.testing.assert_allclose(gradient, [np.prod(slopes[k + 1 :]) for k in range(4)])
    assert len(calls) == 4


def test_registers_are_read_as_they_were_and_functions_pickle() -> None:
    w, x = ag.variable(2.0, "float64", name="w"), ag.placeholder((None,), dtype="float64")
    last, outputs = ag.scan(lambda h, e: (h * w + e, h), ag.constant(0.0, "float64"), x)
    f = ag.function([x], [last, outputs], [(w, w + last)])
    g = pickle.loads(pickle.dumps(f))
    for each in (f, g):
        value, seen = each([1.0, 1.0, 1.0])
        assert (value, seen.tolist()) == (7.0, [0, 1, 3])
    assert w.get_value() == 9.0


def test_each_step_draws_anew_and_ticks_go_on_where_the_last_one_ended() -> None:
    x = ag.placeholder((None, 3), dtype="float64")
    noisy = ag.scan(lambda h, e: (h, h + e * 0 + ag.random_uniform(like=e, seed=5)), ag.constant(0.0, "float64"), x)[1]
    outside = ag.random_uniform((8, 3), seed=5)
    f, g = ag.function([x], noisy), ag.function([], outside)
    first, second = f(np.zeros((4, 3))), f(np.zeros((4, 3)))
    assert len(np.unique([first, second])) == 24
    counted = ag.function([x], ag.reduce_sum(noisy))
    assert len(f.updates) == len(counted.updates) == 1
    assert g().shape == (8, 3)


def test_a_mask_that_was_drawn_is_the_same_for_the_gradient() -> None:
    x = ag.placeholder((None, 50), dtype="float64")
    last, outputs = ag.scan(lambda h, e: (h + (y := ag.dropout(e, 0.5, seed=1)), y), ag.constant(np.zeros(50), "float64"), x)
    f = ag.function([x], [outputs, ag.gradients(ag.reduce_sum(last), x)])
    for _ in range(2):
        value, gradient = f(np.ones((4, 50)))
        np.testing.assert_array_equal(value, gradient)
        assert not np.array_equal(value[0], value[1])


def test_steps_within_steps_draw_anew_too() -> None:
    state = ag.seed_state(1)

    def row(h: Tensor, _: Any) -> tuple[Tensor, Tensor]:
        return h, ag.scan(lambda k, _: (k, ag.random_uniform((2,), state=state) + k), h, length=3)[1]

    before = ag.random_uniform((2,), state=state)
    f = ag.function([], [before, ag.scan(row, ag.constant(0.0), length=4)[1]])
    drawn = np.concatenate([np.concatenate([a.ravel(), b.ravel()]) for a, b in (f(), f())])
    assert len(np.unique(drawn)) == 2 * (2 + 4 * 3 * 2)
    plain = ag.function([], ag.random_uniform((26, 2), seed=1))()
    np.testing.assert_array_equal(drawn[:2], plain[0].ravel())


def test_scans_nest() -> None:
    x = ag.placeholder((3, 4), dtype="float64")

    def row(h: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        last, outputs = ag.scan(lambda k, v: (k * ag.sin(v) + h, k), h, e)
        return last, outputs

    last, outputs = ag.scan(row, ag.constant(1.0, "float64"), x)
    h, seen = ag.constant(1.0, "float64"), []
    for i in range(3):
        k = h
        for j in range(4):
            seen.append(k)
            k = k * ag.sin(x[i, j]) + h
        h = k
    plain = ag.reshape(ag.stack(seen), (3, 4))
    data = [np.random.default_rng(1).normal(size=(3, 4))]
    both = [(a, ag.gradients(a + ag.reduce_sum(b * b), x), b) for a, b in ((last, outputs), (h, plain))]
    assert_same([x], list(both[0]), list(both[1]), data)


def test_an_error_names_the_op_and_changes_nothing() -> None:
    x, w = ag.placeholder((None,), dtype="int64"), ag.variable(1, "int64", name="w")
    last, _ = ag.scan(lambda h, e: (h // e, None), w, x)
    f = ag.function([x], None, [(w, last + 5)])
    with pytest.raises(ag.DivisionByZeroError, match="scan"):
        f([1, 0])
    assert w.get_value() == 1
    with pytest.raises(ag.ShapeError, match=r"state float32\[3\]"):
        ag.scan(lambda h, e: (h[:2], None), ag.placeholder((3,)), ag.placeholder((4,)))


@pytest.mark.parametrize("options", [{"truncate": 0}, {"length": 2.5}, {"reverse": "yes"}, {"checkpoint": 0}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises((ag.ArgumentError, ag.ArgumentTypeError)):
        ag.scan(lambda h, e: (h + e, None), ag.constant(0.0), ag.placeholder((3,)), **options)
