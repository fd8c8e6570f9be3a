"""Recurrent layers: values and gradients against PyTorch and NumPy, masks, states, directions, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph import layers as L
from autograph.errors import ArgumentError, ShapeError
from optimizers import Adam

RNG = np.random.RandomState(4)
KINDS = [L.SimpleRNN, L.GRU, L.LSTM]


def sigma(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def by_hand(layer: Any, x: Any, states: list[Any] | None = None, mask: Any = None) -> tuple[Any, list[Any]]:
    """All outputs and the last states, step by step."""
    kernel, recurrent, bias = layer.get_weights()
    units = layer.units
    states = states or [np.zeros((len(x), units))] * layer.states_count
    outputs, after = [], bias[1] if bias.ndim == 2 else 0
    for step in range(x.shape[1]):
        h = states[0]
        a, b = x[:, step] @ kernel + (bias[0] if bias.ndim == 2 else bias), h @ recurrent + after
        part = [slice(i * units, (i + 1) * units) for i in range(layer.gates)]
        if layer.kind == "simple_rnn":
            new = [np.tanh(a + b)]
        elif layer.kind == "gru":
            z, r = (sigma(a[:, p] + b[:, p]) for p in part[:2])
            n = r * b[:, part[2]] if bias.ndim == 2 else (r * h) @ recurrent[:, part[2]]
            new = [z * h + (1 - z) * np.tanh(a[:, part[2]] + n)]
        else:
            i, f, n, o = (a[:, p] + b[:, p] for p in part)
            c = sigma(f) * states[1] + sigma(i) * np.tanh(n)
            new = [sigma(o) * np.tanh(c), c]
        if mask is not None:
            new = [np.where(mask[:, step, None], a, b) for a, b in zip(new, states)]
        states = new
        outputs.append(states[0])
    return np.stack(outputs, 1), states


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [*KINDS, lambda *a, **o: L.GRU(*a, reset_after=True, **o)])
@pytest.mark.parametrize("steps", [5, None])
def test_values_are_those_by_hand(kind: Any, steps: int | None) -> None:
    x = RNG.normal(size=(3, 5, 2))
    inputs = L.Input((steps, 2))
    layer = kind(4, return_sequences=True, return_state=True, bias_initializer="random_normal")
    outputs = layer(inputs)
    sequence, states = by_hand(layer, x)
    for found, wanted in zip(K.function([inputs], outputs)([x]), [sequence, *states], strict=True):
        same(found, wanted)
    short = kind(4, weights=layer.get_weights())
    last = short(inputs)
    same(K.function([inputs], [last])([x])[0], sequence[:, -1])
    assert K.int_shape(last) == (None, 4) and K.int_shape(outputs[0]) == (None, steps, 4)
    backwards = kind(4, weights=layer.get_weights(), go_backwards=True, return_sequences=True)
    same(K.function([inputs], [backwards(inputs)])([x])[0], by_hand(layer, x[:, ::-1])[0])
    if steps:
        unrolled = kind(4, weights=layer.get_weights(), unroll=True, return_sequences=True)
        same(K.function([inputs], [unrolled(inputs)])([x])[0], sequence)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gradients_are_those_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    x = RNG.normal(size=(3, 6, 2)).astype("float32")
    options: Any = {"reset_after": True} if kind == "GRU" else {}
    layer = getattr(L, "SimpleRNN" if kind == "RNN" else kind)(4, return_sequences=True, **options)
    inputs = L.Input((None, 2))
    gradients = K.gradients(K.sum(K.square(layer(inputs))), [inputs, *layer.trainable_weights])
    found = K.function([inputs], gradients)([x])
    theirs = getattr(torch.nn, kind)(2, 4, batch_first=True)
    order = [1, 0, 2] if kind == "GRU" else range(layer.gates)  # theirs: r, z, n
    kernel, recurrent, bias = layer.get_weights()

    def turned(a: Any) -> Any:
        parts = np.split(a, layer.gates, -1)
        return torch.tensor(np.concatenate([parts[i] for i in order], -1).T.copy())

    twofold = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    with torch.no_grad():
        for name, value in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), (kernel, recurrent, *twofold)):
            getattr(theirs, name).copy_(turned(value))
    a = torch.tensor(x, requires_grad=True)
    theirs(a)[0].pow(2).sum().backward()
    same(found[0], a.grad)
    same(turned(found[1]), theirs.weight_ih_l0.grad)
    same(turned(found[2]), theirs.weight_hh_l0.grad)
    same(turned(found[3][0] if kind == "GRU" else found[3]), theirs.bias_ih_l0.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_steps_change_nothing(kind: Any) -> None:
    words = np.array([[1, 2, 3, 0, 0], [0, 2, 0, 4, 1]])
    inputs = L.Input((None,), dtype="int32")
    table, layer = L.Embedding(5, 3, mask_zero=True), kind(4, return_sequences=True)
    masked = layer(table(inputs))
    assert masked._keras_mask is not None and not hasattr(kind(4)(table(inputs)), "_keras_mask")
    sequence, _ = by_hand(layer, table.get_weights()[0][words], mask=words > 0)
    same(K.function([inputs], [masked])([words])[0], sequence)


@pytest.mark.parametrize("kind", KINDS)
def test_first_states_may_be_given(kind: Any) -> None:
    x, layer = RNG.normal(size=(3, 5, 2)), kind(4)
    given = [RNG.normal(size=(3, 4)) for _ in range(layer.states_count)]
    inputs, states = L.Input((5, 2)), [L.Input((4,)) for _ in given]
    listed, by_name = layer([inputs, *states]), layer(inputs, initial_state=states)
    model = L.Model([inputs, *states], [listed, by_name])
    for found in model.predict([x, *given]):
        same(found, by_hand(layer, x, given)[1][0])
    with pytest.raises(ArgumentError, match=rf"got {len(given) + 1} states"):
        layer([inputs, *states, states[0]])


def test_a_stateful_layer_goes_on_where_it_ended() -> None:
    x = RNG.normal(size=(3, 4, 2))
    model = L.Sequential([L.LSTM(4, stateful=True, batch_input_shape=(3, 4, 2))])
    layer = model.layers[0]
    step = K.function(model.inputs, model.outputs, updates=model.updates)
    _, states = by_hand(layer, x)
    same(step([x])[0], states[0])
    same(step([x])[0], by_hand(layer, x, states)[1][0])
    layer.reset_states()
    same(step([x])[0], states[0])
    assert len(layer.weights) == 3, "states are no weights"
    layer.reset_states()
    same(model.predict(x), states[0])
    same(model.predict(x), by_hand(layer, x, states)[1][0])
    model.compile("sgd", "mse")
    layer.reset_states()
    same(model.evaluate(x, np.zeros((3, 4)), verbose=0), (states[0] ** 2).mean())
    same(model.evaluate(x, np.zeros((3, 4)), verbose=0), (by_hand(layer, x, states)[1][0] ** 2).mean())
    with pytest.raises(ArgumentError, match="1 arrays"):
        layer.reset_states([np.ones((3, 4))])
    layer.trainable = False
    assert len(model.updates) == 2, "states go on also where weights are frozen"
    with pytest.raises(ArgumentError, match="size of the batch"):
        L.LSTM(4, stateful=True)(L.Input((4, 2)))


@pytest.mark.parametrize("kind", [*KINDS, lambda *a, **o: L.GRU(*a, reset_after=True, **o)])
def test_dropout_is_the_same_at_all_steps_and_only_in_training(kind: Any) -> None:
    x = np.ones((64, 3, 2))
    inputs = L.Input((3, 2))
    layer = kind(4, dropout=0.5, recurrent_dropout=0.5)
    f = K.function([inputs, K.learning_phase()], [layer(inputs)])
    tested, trained = f([x, 0])[0], f([x, 1])[0]
    same(tested, np.broadcast_to(by_hand(layer, x)[1][0], tested.shape))
    assert len(np.unique(np.round(trained, 4), axis=0)) > 10 and np.unique(np.round(tested, 4), axis=0).shape[0] == 1
    simple = L.SimpleRNN(2, activation=None, dropout=0.5, recurrent_initializer="zeros", kernel_initializer="identity",
                         return_sequences=True)  # fmt: skip
    found = K.function([inputs, K.learning_phase()], [simple(inputs)])([x, 1])[0]
    assert (found == found[:, :1]).all() and set(np.unique(found)) == {0, 2}


def test_the_bias_of_the_forget_gate_begins_with_one() -> None:
    layer = L.LSTM(2)
    layer(L.Input((None, 3)))
    assert layer.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert [w.shape for w in layer.weights] == [(3, 8), (2, 8), (8,)]
    plain = L.LSTM(2, unit_forget_bias=False)
    plain(L.Input((None, 3)))
    assert not plain.get_weights()[2].any()


def test_a_recurrent_network_learns_to_count() -> None:
    np.random.seed(0)
    bits = RNG.randint(0, 2, (256, 12, 1))
    model = L.Sequential([L.GRU(8, input_shape=(None, 1)), L.Dense(1)])
    model.compile(Adam(0.05), "mse")
    before = model.evaluate(bits, bits.sum(1), verbose=0)
    model.fit(bits, bits.sum(1), epochs=15, verbose=0)
    assert model.evaluate(bits, bits.sum(1), verbose=0) < before / 20


def test_errors_name_the_layer() -> None:
    with pytest.raises(ShapeError, match=r"layer 'lstm_.*rank 2"):
        L.LSTM(4)(L.Input((3,)))
    with pytest.raises(ArgumentError, match="0 ≤ rate < 1"):
        L.GRU(4, dropout=1.0)
    with pytest.raises(TypeError, match="did you mean 'return_sequences'"):
        L.GRU(4, return_sequence=True)
    with pytest.raises(ArgumentError, match="units"):
        L.SimpleRNN(0)


def test_one_unit_and_one_step_are_enough() -> None:
    x, inputs = RNG.normal(size=(3, 1, 2)), L.Input((1, 2))
    layer = L.LSTM(1, dropout=0.5)
    same(K.function([inputs], [layer(inputs)])([x])[0], by_hand(layer, x)[1][0])
