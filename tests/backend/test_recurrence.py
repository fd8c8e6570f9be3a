"""`K.rnn`, `K.map_fn`, `K.foldl` and `K.foldr`, against loops in NumPy and against PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autograph import backend as K

SAMPLES, TIME, FEATURES, UNITS = 3, 4, 5, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(SAMPLES, TIME, FEATURES))
W, U = RNG.normal(size=(FEATURES, UNITS)), RNG.normal(size=(UNITS, UNITS))
STATES = [RNG.normal(size=(SAMPLES, UNITS)), RNG.normal(size=(SAMPLES,))]
CONSTANT = RNG.normal(size=(SAMPLES, UNITS))
MASK = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]])


def looped(step: Callable[..., Any], x: Any, states: Sequence[Any], backwards: bool, mask: Any, constants: list[Any]) -> Any:
    """The contract of `rnn`, in NumPy."""
    output, _ = step(x[:, 0], [*states, *constants])
    before, outputs = np.zeros_like(output), []

    def chosen(shown: Any, new: Any, old: Any) -> Any:
        return np.where(shown.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        output, new = step(x[:, t], [*states, *constants])
        if mask is not None:
            output = chosen(mask[:, t] != 0, output, before)
            new = [chosen(mask[:, t] != 0, n, old) for n, old in zip(new, states, strict=True)]
        before, states = output, new
        outputs.append(output)
    return [outputs[-1], np.stack(outputs, 1), *states]


def cell(xp: Any, count: int) -> Callable[..., Any]:
    """A step with 0, 1 or 2 states in the functions of K or of NumPy; a constant behind them is added."""

    def step(x: Any, given: list[Any]) -> tuple[Any, list[Any]]:
        states, constants = given[:count], given[count:]
        y = xp.dot(x, W)
        for c in constants:
            y = y + c
        if not states:
            return y, []
        h = xp.tanh(y + xp.dot(states[0], U))
        return (h, [h]) if count == 1 else (h * 2, [h, states[1] * 0.5 + xp.sum(h, -1)])

    return step


@pytest.mark.parametrize(("count", "known"), list(itertools.product((0, 1, 2), (False, True))))
def test_outputs_and_states_are_those_of_a_loop(count: int, known: bool) -> None:
    shape = (None, TIME if known else None)
    x, mask = K.placeholder((*shape, FEATURES), dtype="float64"), K.placeholder(shape, dtype="int32")
    states = [K.placeholder((None, *s.shape[1:]), dtype="float64") for s in STATES[:count]]
    constant = K.placeholder((None, UNITS), dtype="float64")
    results, wanted = [], []
    for backwards, masked, more, unroll in itertools.product((False, True), repeat=4):
        if unroll and not known:
            continue
        constants = [CONSTANT] if more else []
        last, outputs, new = K.rnn(
            cell(K, count), x, states, go_backwards=backwards, mask=mask if masked else None,
            constants=[constant] if more else None, unroll=unroll,
        )  # fmt: skip
        assert K.int_shape(outputs) == (*shape, UNITS)
        results += [last, outputs, *new]
        wanted += looped(cell(np, count), X, STATES[:count], backwards, MASK if masked else None, constants)
    for ours, theirs in zip(K.function([x, mask, constant, *states], results)([X, MASK, CONSTANT, *STATES[:count]]), wanted):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("backwards", [False, True])
def test_gradients_are_those_of_the_unrolled_steps(backwards: bool) -> None:
    x, mask = K.placeholder((None, TIME, FEATURES), dtype="float64"), K.placeholder((None, TIME), dtype="bool")
    states = [K.placeholder((None, *s.shape[1:]), dtype="float64") for s in STATES]
    both = []
    for unroll in (False, True):
        last, outputs, new = K.rnn(cell(K, 2), x, states, backwards, mask, unroll=unroll)
        both += K.gradients(K.sum(K.sin(last)) + K.sum(outputs * outputs) + K.sum(K.exp(new[1])), [x, *states])
    found = K.function([x, mask, *states], both)([X, MASK, *STATES])
    for ours, theirs in zip(found[:3], found[3:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)


def test_one_step_unrolls_and_an_unknown_time_does_not() -> None:
    x = K.placeholder((None, 1, FEATURES), dtype="float64")
    last, outputs, _ = K.rnn(cell(K, 1), x, [K.constant(STATES[0], "float64")], unroll=True)
    for a, b in zip(K.function([x], [last, outputs])([X[:, :1]]), looped(cell(np, 1), X[:, :1], STATES[:1], False, None, [])):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    with pytest.raises(ValueError, match="unroll"):
        K.rnn(cell(K, 1), K.placeholder((None, None, FEATURES), dtype="float64"), [K.constant(STATES[0], "float64")], unroll=True)


@pytest.mark.parametrize("backwards", [False, True])
def test_numbers_of_steps_stand_for_a_mask(backwards: bool) -> None:
    lengths = np.array([4, 1, 0])
    x, n = K.placeholder((None, None, FEATURES), dtype="float64"), K.placeholder((None,), dtype="int32")
    last, outputs, new = K.rnn(cell(K, 1), x, [K.constant(STATES[0], "float64")], backwards, input_length=n)
    wanted = looped(cell(np, 1), X, STATES[:1], backwards, np.arange(TIME) < lengths[:, None], [])
    for a, b in zip(K.function([x, n], [last, outputs, *new])([X, lengths]), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_states_that_are_passed_stay_as_they_are_and_masks_of_three_axes_fit() -> None:
    x, states = K.constant(X, "float64"), [K.constant(STATES[0], "float64")]
    kept = list(states)
    last, _, _ = K.rnn(cell(K, 1), x, states, mask=K.constant(MASK[..., None]))
    assert all(a is b for a, b in zip(states, kept, strict=True))
    np.testing.assert_allclose(K.eval(last), looped(cell(np, 1), X, STATES[:1], False, MASK, [])[0])


def test_what_follows_the_learning_phase_is_marked() -> None:
    x = K.placeholder((None, TIME, 2))
    plain = K.rnn(lambda e, s: (e, []), x, [])[0]
    marked = K.rnn(lambda e, s: (K.in_train_phase(e * 2, e), []), x, [])[0]
    assert marked._uses_learning_phase and not hasattr(plain, "_uses_learning_phase")
    f = K.function([x, K.learning_phase()], [marked])
    np.testing.assert_array_equal([f([X[..., :2], p])[0][0, 0] for p in (0, 1)], np.float32([X[0, -1, 0], 2 * X[0, -1, 0]]))


@pytest.mark.parametrize("call", [
    lambda: K.rnn(cell(K, 0), K.placeholder((None, 3)), []),
    lambda: K.rnn(cell(K, 0), K.placeholder((2, 3, FEATURES), dtype="float64"), [], mask=K.placeholder((2, 4))),
    lambda: K.rnn(cell(K, 0), K.placeholder((2, 3, FEATURES), dtype="float64"), [], mask=K.placeholder((3,))),
    lambda: K.rnn(lambda e, s: (e, [e]), K.placeholder((2, 3, 4)), []),
])  # fmt: skip
def test_what_does_not_fit_is_a_value_error(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="rnn"):
        call()


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_values_and_gradients_are_those_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    layer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True, dtype=torch.float64)
    given = torch.tensor(X, requires_grad=True)
    theirs, _ = layer(given)
    (theirs * theirs).sum().backward()
    w, u, b, c = (K.variable(p.detach().numpy(), dtype="float64") for p in layer.parameters())
    x = K.placeholder((None, None, FEATURES), dtype="float64")

    def gates(e: Any, h: Any) -> tuple[Any, Any]:
        return K.dot(e, K.transpose(w)) + b, K.dot(h, K.transpose(u)) + c

    def parts(z: Any) -> list[Any]:
        return [z[:, k * UNITS : (k + 1) * UNITS] for k in range(4 if kind == "LSTM" else 3)]

    def lstm(e: Any, states: list[Any]) -> Any:
        i, f, g, o = parts(sum(gates(e, states[0])))
        new = K.sigmoid(f) * states[1] + K.sigmoid(i) * K.tanh(g)
        h = K.sigmoid(o) * K.tanh(new)
        return h, [h, new]

    def gru(e: Any, states: list[Any]) -> Any:
        (a, d, n), (r, z, m) = map(parts, gates(e, states[0]))
        update = K.sigmoid(d + z)
        h = (1 - update) * K.tanh(n + K.sigmoid(a + r) * m) + update * states[0]
        return h, [h]

    zeros = K.zeros_like(K.dot(x[:, 0], K.transpose(w)), "float64")[:, :UNITS]
    _, outputs, _ = K.rnn(lstm if kind == "LSTM" else gru, x, [zeros] * (2 if kind == "LSTM" else 1))
    weights = [w, u, b, c]
    found = K.function([x], [outputs, *K.gradients(K.sum(outputs * outputs), [x, *weights])])([X])
    wanted = [theirs, given.grad, *(p.grad for p in layer.parameters())]
    for ours, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, other.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_folds_begin_with_the_first_or_the_last_entry_or_with_what_is_given() -> None:
    x = K.variable([1.0, 2.0, 3.0])
    found = [fold(lambda a, b: a - b, x) for fold in (K.foldl, K.foldr)]
    found += [fold(lambda a, b: 2 * a - b, x, initializer=10.0) for fold in (K.foldl, K.foldr)]
    assert [float(K.eval(y)) for y in found] == [-4.0, 0.0, 69.0, 63.0]
    assert K.eval(K.gradients(found[2], x)[0]).tolist() == [-4.0, -2.0, -1.0]


def test_a_fold_keeps_its_order_in_float32() -> None:
    big, small = np.float32(1.0), np.float32(2.0**-24)
    up, down = (K.eval(fold(lambda a, b: a + b, K.constant([big, small, small]))) for fold in (K.foldl, K.foldr))
    assert (up, down) == (1.0, np.float32(1 + 2.0**-23))


def test_a_function_of_each_entry_may_index_with_it_and_nest() -> None:
    v = K.variable(np.arange(6.0).reshape(3, 2))
    rows = K.map_fn(lambda i: v[i] * 2, K.arange(3), dtype="float32")
    assert K.eval(rows).tolist() == [[0, 2], [4, 6], [8, 10]]
    assert K.eval(K.gradients(K.sum(rows * rows), v)[0]).tolist() == (8 * np.arange(6.0).reshape(3, 2)).tolist()
    sums = K.map_fn(lambda pair: pair[0] + pair[1], (K.constant([1.0, 2.0]), K.constant([3.0, 4.0])))
    assert K.eval(sums).tolist() == [4.0, 6.0]


def test_ticks_train_a_recurrent_network() -> None:
    x, w = K.placeholder((None, TIME, FEATURES)), K.variable(0.1 * RNG.normal(size=(FEATURES, UNITS)))
    u, start = K.variable(0.1 * RNG.normal(size=(UNITS, UNITS))), K.variable(np.zeros((SAMPLES, UNITS)))

    def cell(e: Any, states: list[Any]) -> Any:
        h = K.tanh(K.dot(e, w) + K.dot(states[0], u))
        return h, [h]

    last, _, (new,) = K.rnn(cell, x, [start])
    loss = K.mean(K.square(last - 0.5))
    slopes = K.gradients(loss, [w, u])
    step = K.function([x], [loss], [(p, p - 0.2 * g) for p, g in zip((w, u), slopes, strict=True)] + [(start, new * 0)])
    losses = [float(step([X])[0]) for _ in range(60)]
    assert losses[-1] < 0.25 * losses[0]
