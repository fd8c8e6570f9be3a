"""Convolution and pooling layers: values and gradients against PyTorch, shapes where sizes are unknown, both data formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph import layers as L
from autograph.errors import ArgumentError, ShapeError
from optimizers import Adam

RNG = np.random.RandomState(3)
SIZES = (9, 8, 7)
CONVOLUTIONS, MEANS = [L.Conv1D, L.Conv2D, L.Conv3D], [L.AveragePooling1D, L.AveragePooling2D, L.AveragePooling3D]
GREATEST = [L.MaxPooling1D, L.MaxPooling2D, L.MaxPooling3D]
GLOBAL_MEANS = [L.GlobalAveragePooling1D, L.GlobalAveragePooling2D, L.GlobalAveragePooling3D]
GLOBAL_GREATEST = [L.GlobalMaxPooling1D, L.GlobalMaxPooling2D, L.GlobalMaxPooling3D]


def first(x: Any) -> Any:
    """Channels moved to the front."""
    return np.moveaxis(x, -1, 1)


def applied(layer: Any, x: Any, known: bool = False) -> Any:
    inputs = L.Input(x.shape[1:] if known or layer.data_format == "channels_first" else (*[None] * (x.ndim - 2), x.shape[-1]))
    return K.function([inputs], [layer(inputs)])([x])[0]


@pytest.mark.oracle
@pytest.mark.parametrize("space", [1, 2, 3])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_convolutions_and_their_gradients_are_those_of_torch(space: int, strides: int, dilation: int) -> None:
    torch = pytest.importorskip("torch")
    x = RNG.normal(size=(2, *SIZES[:space], 3)).astype("float32")
    layer = CONVOLUTIONS[space - 1](4, 3, strides=strides, dilation_rate=dilation, activation="tanh", bias_initializer="ones")
    inputs = L.Input((*[None] * space, 3))
    result = layer(inputs)
    gradients = K.gradients(K.sum(K.square(result)), [inputs, *layer.trainable_weights])
    found = K.function([inputs], [result, *gradients])([x])
    kernel, bias = layer.get_weights()
    assert kernel.shape == (*[3] * space, 3, 4) and bias.shape == (4,)
    theirs = [torch.tensor(a, requires_grad=True) for a in (first(x), np.moveaxis(kernel, (-1, -2), (0, 1)), bias)]
    convolve = getattr(torch.nn.functional, f"conv{space}d")
    wanted = torch.tanh(convolve(*theirs, stride=strides, dilation=dilation))
    wanted.pow(2).sum().backward()
    np.testing.assert_allclose(first(found[0]), wanted.detach(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(first(found[1]), theirs[0].grad, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.moveaxis(found[2], (-1, -2), (0, 1)), theirs[1].grad, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[3], theirs[2].grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("space", [1, 2, 3])
def test_channels_may_come_first(space: int) -> None:
    x = RNG.normal(size=(2, *SIZES[:space], 3))
    for kind, options in ((CONVOLUTIONS, {"filters": 4, "kernel_size": 2}), (GREATEST, {}), (MEANS, {}), (GLOBAL_MEANS, {}),
                          (GLOBAL_GREATEST, {})):  # fmt: skip
        last, ahead = kind[space - 1](**options), kind[space - 1](data_format="channels_first", **options)
        wanted = applied(last, x)
        if last.weights or options:
            ahead(L.Input(first(x).shape[1:]))
            ahead.set_weights(last.get_weights())
        found = applied(ahead, first(x))
        np.testing.assert_allclose(found, first(wanted) if wanted.ndim > 2 else wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("space", [1, 2, 3])
def test_pooling_by_hand(space: int) -> None:
    x = RNG.normal(size=(2, *[4] * space, 3))
    blocks = x.reshape(2, *[2, 2] * space, 3)
    inside = tuple(range(2, 2 * space + 1, 2))
    everywhere = tuple(range(1, space + 1))
    for kinds, by_hand, axes in ((GREATEST, np.max, inside), (MEANS, np.mean, inside), (GLOBAL_GREATEST, np.max, None),
                                 (GLOBAL_MEANS, np.mean, None)):  # fmt: skip
        wanted = by_hand(x, everywhere) if axes is None else by_hand(blocks, axes)
        np.testing.assert_allclose(applied(kinds[space - 1](), x), wanted, rtol=1e-5, atol=1e-6)
    same = applied(MEANS[space - 1](3, strides=1, padding="same"), np.ones_like(x))
    np.testing.assert_allclose(same, 1, rtol=1e-6)


def test_causal_and_same_padding_keep_the_length() -> None:
    x = RNG.normal(size=(1, 6, 1))
    layer = L.Conv1D(1, 3, padding="causal", use_bias=False, dilation_rate=2)
    found = applied(layer, x)[0, :, 0]
    w = layer.get_weights()[0][:, 0, 0]
    padded = np.concatenate([np.zeros(4), x[0, :, 0]])
    np.testing.assert_allclose(found, [w @ padded[i : i + 5 : 2] for i in range(6)], rtol=1e-5, atol=1e-6)
    assert applied(L.Conv1D(2, 3, padding="same"), x).shape == (1, 6, 2)
    assert applied(L.Conv2D(2, (3, 2), strides=(2, 1), padding="same"), RNG.normal(size=(1, 5, 5, 1))).shape == (1, 3, 5, 2)


def test_shapes_are_inferred() -> None:
    x = L.Input((28, 28, 1))
    y = L.Conv2D(8, 3)(x)
    z = L.MaxPooling2D()(y)
    assert K.int_shape(y) == (None, 26, 26, 8) and K.int_shape(z) == (None, 13, 13, 8)
    assert K.int_shape(L.Flatten()(z)) == (None, 13 * 13 * 8) and K.int_shape(L.GlobalMaxPooling2D()(z)) == (None, 8)
    assert K.int_shape(L.Conv2D(8, 3)(L.Input((None, None, 3)))) == (None, None, None, 8)
    assert K.int_shape(L.AveragePooling1D(3, 1)(L.Input((9, 2)))) == (None, 7, 2)


def test_the_setting_says_where_channels_are_save_along_one_axis() -> None:
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    try:
        assert [make(2, 3).data_format for make in CONVOLUTIONS] == ["channels_last", "channels_first", "channels_first"]
        assert L.Conv1D(2, 3, data_format="channels_first").data_format == L.MaxPooling2D(2).data_format == "channels_first"
    finally:
        K.set_image_data_format(before)


def test_errors_name_the_layer() -> None:
    for error, words, make in (
        (ArgumentError, "Conv2D: kernel_size=.*one whole number, or 2", lambda: L.Conv2D(4, (3, 3, 3))),
        (ArgumentError, "MaxPooling1D: padding='sam' is unknown; did you mean 'same'", lambda: L.MaxPooling1D(padding="sam")),
        (ArgumentError, "Conv2D: padding='causal' is unknown", lambda: L.Conv2D(4, 3, padding="causal")),
        (ShapeError, "layer 'conv2d_.*rank 3", lambda: L.Conv2D(4, 3)(L.Input((28, 28)))),
        (ShapeError, "layer 'c': 'kernel' has the shape", lambda: L.Conv2D(4, 3, name="c")(L.Input((28, 28, None)))),
        (ArgumentError, "strides", lambda: L.Conv2D(4, 3, strides=0)),
    ):
        with pytest.raises(error, match=f"(?s){words}"):
            make()


def test_a_network_of_convolutions_reads_digits(digits: Any) -> None:
    images, labels = digits
    np.random.seed(0)
    model = L.Sequential([
        L.Reshape((8, 8, 1), input_shape=(64,)), L.Conv2D(12, 3, activation="relu", padding="same"), L.MaxPooling2D(),
        L.Conv2D(24, 3, activation="relu"), L.Flatten(), L.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    seen = model.fit(images[:600], labels[:600], batch_size=20, epochs=3, verbose=0)
    assert seen.history["accuracy"][-1] > 0.85 and seen.history["loss"][-1] < 0.3 * seen.history["loss"][0]
