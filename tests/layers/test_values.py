"""Layers: what they compute, against NumPy by hand and PyTorch; their weights; and what training and test differ in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph import layers as L
from autograph.errors import ArgumentError, AxisError, ShapeError
from optimizers import MaxNorm

RNG = np.random.RandomState(0)


def drawn(*shape: int) -> Any:
    return RNG.normal(size=shape)


def value(layer: Any, *arrays: Any, phase: int = 0, **options: Any) -> Any:
    """What a layer gives for arrays whose sizes it does not know beforehand, save the last."""
    inputs = [L.Input((*[None] * (a.ndim - 2), *a.shape[1:][-1:]), dtype=a.dtype) for a in arrays]
    result = layer(inputs if len(inputs) > 1 else inputs[0], **options)
    return K.function([*inputs, K.learning_phase()], [result])([*arrays, phase])[0]


def same(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def test_dense_is_a_product_a_bias_and_an_activation() -> None:
    x, layer = drawn(4, 3), L.Dense(2, activation="tanh", bias_initializer=L.initializers.constant(0.5))
    found = value(layer, x)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (3, 2) and bias.tolist() == [0.5, 0.5]
    same(found, np.tanh(x @ kernel + bias))
    sequences = drawn(4, 5, 3)
    same(value(layer, sequences), np.tanh(sequences @ kernel + bias))
    assert value(L.Dense(2, use_bias=False), x).shape == (4, 2)


@pytest.mark.oracle
def test_gradients_of_a_network_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    x, t = drawn(8, 5), drawn(8, 2)
    inputs = L.Input((5,))
    h = L.LayerNormalization()(L.Dense(6, activation="relu")(inputs))
    model = L.Model(inputs, L.Dense(2)(L.BatchNormalization(momentum=0.9)(h)))
    loss = K.mean(K.square(model.output - t))
    grads = K.function([inputs, K.learning_phase()], K.gradients(loss, model.trainable_weights))([x, 1])
    w, b, g, s, bg, bs, w2, b2 = [torch.tensor(a, requires_grad=True) for a in K.batch_get_value(model.trainable_weights)]
    h = torch.relu(torch.tensor(x, dtype=torch.float32) @ w + b)
    h = torch.nn.functional.layer_norm(h, (6,), g, s, eps=1e-3)
    h = torch.nn.functional.batch_norm(h, None, None, bg, bs, training=True, eps=1e-3)
    (((h @ w2 + b2) - torch.tensor(t, dtype=torch.float32)) ** 2).mean().backward()
    for found, wanted in zip(grads, (w, b, g, s, bg, bs, w2, b2), strict=True):
        same(found, wanted.grad.numpy(), 1e-4)


def test_layer_normalization_takes_several_axes_in_any_order() -> None:
    x, gamma = drawn(3, 4, 5), drawn(4, 5)
    mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    for axis in ((1, 2), (-1, 1)):
        layer = L.LayerNormalization(axis=axis, gamma_initializer=lambda shape: gamma, beta_initializer="ones")
        inputs = L.Input((4, 5))
        found, = K.function([inputs], [layer(inputs)])([x])
        same(found, (x - mean) / np.sqrt(var + 1e-3) * gamma + 1)
    with pytest.raises(AxisError, match="has no axis 3"):
        L.LayerNormalization(axis=3)(L.Input((4, 5)))


def test_batch_normalization_learns_in_training_what_it_uses_in_test() -> None:
    x, layer = 3 + 2 * drawn(50, 4), L.BatchNormalization(momentum=0.5)
    inputs = L.Input((4,))
    result = layer(inputs)
    assert [w.name.split("/")[-1] for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    step = K.function([inputs, K.learning_phase()], [result], updates=layer.updates)
    same(step([x, 1])[0], (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), 1e-4)
    _, _, mean, variance = layer.get_weights()
    same(mean, 0.5 * x.mean(0))
    same(variance, 0.5 + 0.5 * x.var(0) * 50 / (49 - 1e-3))  # Keras's correction
    same(K.function([inputs], [result])([x])[0], (x - mean) / np.sqrt(variance + 1e-3), 1e-4)
    same(K.function([inputs, K.learning_phase()], [layer(inputs, training=False)])([x, 1])[0],
         (x - mean) / np.sqrt(variance + 1e-3), 1e-4)  # fmt: skip
    assert not layer.calls[-1].updates, "what is no training teaches nothing"


def test_batch_normalization_of_another_axis() -> None:
    x, layer = drawn(6, 3, 4), L.BatchNormalization(axis=1)
    inputs = L.Input((3, 4))
    found, = K.function([inputs, K.learning_phase()], [layer(inputs)])([x, 1])
    same(found, (x - x.mean((0, 2), keepdims=True)) / np.sqrt(x.var((0, 2), keepdims=True) + 1e-3), 1e-4)


def test_a_frozen_layer_has_no_updates_and_no_trainable_weights() -> None:
    layer = L.BatchNormalization(trainable=False)
    layer(L.Input((3,)))
    assert not layer.updates and not layer.trainable_weights and len(layer.non_trainable_weights) == 4
    layer.trainable = True
    assert len(layer.updates) == 2 and len(layer.trainable_weights) == 2


def test_a_normalization_that_is_called_twice_follows_both_batches_in_turn() -> None:
    layer, a, b = L.BatchNormalization(momentum=0.5), L.Input((2,)), L.Input((2,))
    model = L.Model([a, b], L.Add()([layer(a), layer(b)]))
    assert len(model.updates) == 2
    K.function([a, b, K.learning_phase()], [], updates=model.updates)([np.full((4, 2), 8), np.full((4, 2), 2), 1])
    assert K.get_value(layer.moving_mean).tolist() == [3, 3]  # 0 → 4 → 3


def test_dropout_drops_in_training_alone() -> None:
    x, layer = np.ones((200, 50)), L.Dropout(0.4)
    assert (value(layer, x) == 1).all()
    found = value(layer, x, phase=1)
    assert set(np.round(np.unique(found), 4)) == {0, np.round(1 / 0.6, 4)} and abs((found == 0).mean() - 0.4) < 0.03
    assert (value(layer, x, training=True) != 1).all() and (value(layer, x, phase=1, training=False) == 1).all()
    rows = value(L.Dropout(0.5, noise_shape=(None, 1)), x, phase=1)
    assert (rows == rows[:, :1]).all() and 0 < (rows == 0).mean() < 1
    assert (value(L.Dropout(0), x, phase=1) == 1).all()
    with pytest.raises(ArgumentError, match="0 ≤ rate < 1"):
        L.Dropout(1.0)


def test_shapes_are_changed_and_inferred() -> None:
    x = drawn(2, 3, 4)
    inputs = L.Input((3, 4))
    for layer, shape in {L.Flatten(): (None, 12), L.Reshape((2, -1)): (None, 2, 6), L.Reshape((4, 3)): (None, 4, 3)}.items():
        result = layer(inputs)
        assert K.int_shape(result) == shape
        same(K.function([inputs], [result])([x])[0], x.reshape(2, *shape[1:]))
    assert value(L.Reshape((-1, 2)), x).shape == (2, 6, 2)
    first = L.Flatten(data_format="channels_first")(inputs)
    same(K.function([inputs], [first])([x])[0], x.transpose(0, 2, 1).reshape(2, 12))
    with pytest.raises(ShapeError, match=r"layer 'reshape_\d+': \(3, 4\) does not reshape to \(5,\)"):
        L.Reshape((5,))(inputs)
    with pytest.raises(ShapeError, match="does not reshape"):
        L.Reshape((5, -1))(inputs)


def test_an_embedding_looks_rows_up_and_masks_zeros() -> None:
    layer, inputs = L.Embedding(5, 3, mask_zero=True), L.Input((None,), dtype="int32")
    result = layer(inputs)
    rows, mask = K.function([inputs], [result, result._keras_mask])([[[1, 4, 0]]])
    same(rows[0], layer.get_weights()[0][[1, 4, 0]])
    assert mask.tolist() == [[True, True, False]] and K.int_shape(result) == (None, None, 3)
    assert L.Sequential([L.Embedding(5, 3, input_length=4)]).output_shape == (None, 4, 3)


def test_masks_pass_where_they_are_understood_and_are_refused_elsewhere() -> None:
    inputs = L.Input((4,), dtype="int32")
    masked = L.Embedding(5, 3, mask_zero=True)(inputs)
    assert L.Dense(2)(L.Dropout(0.5)(masked))._keras_mask is masked._keras_mask
    others = L.Input((4,), dtype="int32")
    both = L.Add()([masked, L.Embedding(5, 3, mask_zero=True)(others), L.Embedding(5, 3)(others)])
    joined = L.Concatenate(axis=1)([masked, L.Embedding(5, 3)(inputs)])
    found = K.function([inputs, others], [both._keras_mask, joined._keras_mask])([[[0, 1, 2, 0]], [[1, 0, 2, 3]]])
    assert found[0].tolist() == [[False, False, True, False]] and found[1].tolist() == [[False, True, True, False] + [True] * 4]
    counted = Counted()(masked)
    assert K.function([inputs], [counted])([[[0, 1, 2, 0]]])[0].tolist() == [2] and not hasattr(counted, "_keras_mask")
    with pytest.raises(TypeError, match="cannot take a mask"):
        L.Flatten()(masked)


class Counted(L.Layer):
    """How many steps there are: it ends the mask."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return K.sum(K.cast(mask, "float32"), axis=1)


def test_a_lambda_is_a_layer_whose_shape_is_inferred() -> None:
    inputs = L.Input((2, 3))
    result = L.Lambda(lambda x, power: K.sum(x**power, axis=-1), output_shape=(2,), arguments={"power": 2})(inputs)
    assert K.int_shape(result) == (None, 2)
    same(K.function([inputs], [result])([np.full((1, 2, 3), 3.0)])[0], [[27, 27]])
    both = L.Lambda(lambda pair: pair[0] - pair[1])([inputs, inputs])
    assert K.function([inputs], [both])([drawn(1, 2, 3)])[0].tolist() == [[[0] * 3] * 2]
    phase = L.Lambda(lambda x, training=None: K.in_train_phase(x, -x, training))(inputs, training=True)
    assert (K.function([inputs], [phase])([np.ones((1, 2, 3))])[0] == 1).all()


@pytest.mark.parametrize(("layer", "by_hand"), [
    (L.Add, lambda a, b: a + b), (L.Subtract, lambda a, b: a - b), (L.Multiply, lambda a, b: a * b),
    (L.Average, lambda a, b: (a + b) / 2), (L.Maximum, np.maximum), (L.Minimum, np.minimum),
    (L.Concatenate, lambda a, b: np.concatenate([a, b], -1)),
    (lambda: L.Concatenate(axis=1), lambda a, b: np.concatenate([a, b], 1)),
    (lambda: L.Dot(-1), lambda a, b: np.einsum("nij,nkj->nik", a, b)),
    (lambda: L.Dot((1, 2), normalize=True), lambda a, b: np.einsum("nij,nki->njk", unit(a, 1), unit(b, 2))),
])  # fmt: skip
def test_layers_of_two_tensors(layer: Any, by_hand: Any) -> None:
    a, b = drawn(3, 4, 4), drawn(3, 4, 4)
    same(value(layer(), a, b), by_hand(a, b))


def unit(x: Any, axis: int) -> Any:
    return x / np.sqrt((x**2).sum(axis, keepdims=True))


def test_merges_take_any_number_and_lower_ranks() -> None:
    a, b, c = drawn(2, 3, 4), drawn(2, 4), drawn(2, 3, 4)
    same(value(L.Add(), a, b, c), a + b[:, None] + c)
    same(value(L.Average(), a, a, a), a)
    x = L.Input((3,))
    for merge, given in ((L.Subtract(), [x, x, x]), (L.Add(), [x]), (L.Add(), x), (L.Dot(1), [x, x, x])):
        with pytest.raises(TypeError, match=r"takes a list of (2|two or more) tensors"):
            merge(given)
    with pytest.raises(ShapeError, match="layer 'dot_"):
        L.Dot(1)([x, L.Input((4,))])


# weights -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"])
def test_scaled_initializers_have_the_variance_of_their_papers(name: str) -> None:
    found = getattr(L.initializers, name)(seed=3)((3, 3, 20, 50))
    into, out = 9 * 20, 9 * 50
    variance = {"glorot": 2 / (into + out), "he": 2 / into, "lecun": 1 / into}[name.partition("_")[0]]
    assert abs(found.var() / variance - 1) < 0.05 and abs(found.mean()) < 0.01
    assert np.abs(found).max() < (np.sqrt(3 * variance) if "uniform" in name else 2 * np.sqrt(variance) / 0.8796)
    assert np.array_equal(found, getattr(L.initializers, name)(seed=3)((3, 3, 20, 50)))


def test_initializers_by_themselves() -> None:
    assert (L.initializers.constant(2)((2, 2)) == 2).all() and (L.initializers.ones()((2,)) == 1).all()
    wide = L.initializers.orthogonal(gain=2, seed=0)((3, 5))
    same(wide @ wide.T, 4 * np.eye(3))
    assert L.initializers.identity()((2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ShapeError, match="no matrix"):
        L.initializers.identity()((3,))
    assert np.abs(L.initializers.truncated_normal(0, 1, seed=1)((1000,))).max() <= 2
    assert 0.9 < L.initializers.random_normal(1, 0.1, seed=1)((1000,)).mean() < 1.1
    small = L.initializers.random_uniform(-3e-3, 3e-3)((1000,))
    assert -3e-3 <= small.min() < small.max() < 3e-3
    np.random.seed(5)
    first = L.Dense(3).add_weight("kernel", (2, 3)).get_value()
    np.random.seed(5)
    assert np.array_equal(first, L.Dense(3).add_weight("kernel", (2, 3)).get_value())


def test_regularizers_and_constraints_belong_to_weights() -> None:
    layer = L.Dense(2, kernel_regularizer=L.l1_l2(0.5, 2), bias_regularizer="l2", kernel_constraint=MaxNorm(1.0),
                    bias_initializer="ones", activity_regularizer=L.l1(0.1))  # fmt: skip
    x = drawn(4, 3)
    inputs = L.Input((3,))
    result = layer(inputs)
    kernel, _ = layer.get_weights()
    found = K.function([inputs], [*layer.losses, result])([x])
    same(found[:2], [0.5 * np.abs(kernel).sum() + 2 * (kernel**2).sum(), 0.02])
    same(found[2], 0.1 * np.abs(found[3]).sum())
    assert layer.kernel.constraint is not None and layer.bias.constraint is None


def test_weights_are_given_and_set_in_the_order_of_keras() -> None:
    layer = L.Dense(2, weights=[np.ones((3, 2)), np.zeros(2)])
    layer(L.Input((3,)))
    assert (layer.get_weights()[0] == 1).all() and [w.name.split("/")[1] for w in layer.weights] == ["kernel", "bias"]
    layer.set_weights([np.full((3, 2), 2), [1, 1]])
    assert (K.get_value(layer.kernel) == 2).all() and layer.count_params() == 8
    with pytest.raises(ArgumentError, match=r"got 1 arrays for 2 weights"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(ShapeError):
        layer.set_weights([np.full((3, 2), 5), np.zeros(3)])
    assert (K.get_value(layer.kernel) == 2).all(), "all or none"


class Scale(L.Layer):
    """A layer of one's own."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight("factor", input_shape[-1:], initializer="ones")

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


class Twice(L.Layer):
    """A layer that has another one inside."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.inner = L.BatchNormalization()

    def call(self, inputs: Any) -> Any:
        self.add_loss(K.sum(inputs))
        return self.inner(inputs) + inputs


def test_layers_of_ones_own() -> None:
    x = L.Input((3,))
    layer, outer = Scale(), Twice(name="outer")
    model = L.Model(x, outer(layer(x)))
    assert [w.name.split("/")[1] for w in model.weights] == ["factor", "gamma", "beta", "moving_mean", "moving_variance"]
    assert len(model.updates) == 2 and len(model.losses) == 1 and layer.kind == "scale"
    assert "outer/batch_normalization_1/gamma" in model.state_registers() and outer.inner.calls == []


def test_a_layer_that_gives_what_it_got_gives_a_tensor_of_its_own() -> None:
    x = L.Input((3,))
    y = L.Activation(None)(x)
    assert y is not x and y._keras_history[0].kind == "activation" and x._keras_history[0].kind == "input"
