"""Models: joined by tensors, nested, called on new inputs, saved by name, shown as a table; and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph import checkpoint
from autograph import layers as L
from autograph.errors import ArgumentError, ArgumentTypeError, AutographError, CheckpointError, ShapeError
from optimizers import Adam

RNG = np.random.RandomState(1)


def ran(inputs: Any, outputs: Any, *arrays: Any) -> Any:
    return K.function(inputs, outputs)(list(arrays))


def test_a_model_is_found_from_its_ends() -> None:
    a, b = L.Input((3,), name="a"), L.Input((2,), name="b")
    left, right = L.Dense(4, name="left"), L.Dense(4, name="right")
    joined = L.Add(name="sum")([left(a), right(b)])
    model = L.Model([a, b], L.Dense(1, name="end")(joined), name="fork")
    assert [layer.name for layer in model.layers] == ["a", "b", "left", "right", "sum", "end"]
    assert model.layers[0].input is a is model.layers[0].output and model.layers[0].input_shape == (None, 3)
    assert model.input == [a, b] and model.output._keras_history[0].name == "end"
    assert model.input_shape == [(None, 3), (None, 2)] and model.output_shape == (None, 1)
    assert len(model.trainable_weights) == 6 and model.get_layer("left") is left
    left.trainable = False
    assert len(model.trainable_weights) == 4 and model.non_trainable_weights == left.weights
    model.trainable = False
    assert not model.trainable_weights and len(model.weights) == 6


def test_a_model_is_a_layer_that_may_be_called_again() -> None:
    x = L.Input((3,))
    inner = L.Model(x, L.Dense(2)(L.Dense(4, activation="tanh")(x)), name="inner")
    z = L.Input((3,))
    outer = L.Model(z, L.Add()([inner(z), inner(L.Lambda(lambda v: 2 * v)(z))]))
    assert inner in outer.layers and len(outer.weights) == 4 and inner.calls[1].outputs[0] is not inner.output
    array = RNG.normal(size=(5, 3))
    once, = ran([x], [inner.output], array)
    twice, = ran([x], [inner.output], 2 * array)
    found, = ran([z], [outer.output], array)
    np.testing.assert_allclose(found, once + twice, rtol=1e-5)
    assert len(inner.layers[1].calls) == 1, "what happens inside another model leaves no trace"
    p = K.placeholder((None, 3))
    assert np.array_equal(ran([p], [outer(p)], array)[0], found)


def test_any_tensors_may_be_the_ends() -> None:
    p = K.placeholder((None, 3))
    hidden = L.Dense(4, activation="relu")(p)
    whole = L.Model(p, L.Dense(2)(hidden))
    half = L.Model(hidden, whole.output)
    assert len(half.weights) == 2 and [layer.kind for layer in half.layers] == ["dense"]
    array = RNG.normal(size=(5, 3))
    assert np.array_equal(half.predict(ran([p], [hidden], array)[0]), whole.predict(array))
    probe = L.Model(whole.inputs, [hidden, whole.output])
    assert [y.shape for y in probe.predict(array)] == [(5, 4), (5, 2)]


def test_a_sequential_model_is_joined_when_its_input_is_known() -> None:
    early = L.Sequential([L.Dense(4, input_shape=(3,)), L.Activation("relu"), L.Dense(2)])
    assert early.built and [layer.kind for layer in early.layers] == ["dense", "activation", "dense"]
    assert early.input_shape == (None, 3) and early.output_shape == (None, 2)
    late = L.Sequential([L.Dense(4), L.Dense(2)], name="late")
    assert not late.built
    assert late.predict(np.ones((5, 3))).shape == (5, 2) and late.built and len(late.weights) == 4
    late.add(L.Dense(7))
    assert late.output_shape == (None, 7) and late.predict(np.ones((5, 3))).shape == (5, 7)
    called = L.Sequential([L.Dense(4)])
    assert K.int_shape(called(L.Input((6,)))) == (None, 4) and called.input_shape == (None, 6)
    begun = L.Sequential()
    begun.add(L.Input((3,)))
    begun.add(L.Dense(2, input_dim=3))
    stacked = L.Sequential([early, L.Dense(1)])
    assert begun.output_shape == (None, 2) and stacked.output_shape == (None, 1) and len(stacked.layers) == 2
    assert L.Sequential([L.Dense(2, batch_input_shape=(8, 3))]).output_shape == (8, 2)
    assert L.Sequential([L.Dense(2)]).predict([[1, 2, 3], [4, 5, 6]]).shape == (2, 2)
    assert K.int_shape(L.Activation("relu")([L.Input((3,))])) == (None, 3), "a list of one is the one"
    again = L.Dense(3)
    shared = L.Sequential([again, again])
    assert shared.predict(np.ones((2, 3))).shape == (2, 3) and len(shared.weights) == 2 and shared.layers == [again, again]


def test_updates_and_losses_are_those_of_the_calls_that_lead_to_the_outputs() -> None:
    x, z = L.Input((3,)), L.Input((3,))
    normal = L.BatchNormalization()
    model, other = L.Model(x, L.Dense(2, kernel_regularizer="l2")(normal(x))), L.Model(z, normal(z))
    assert len(normal.updates) == 2 and len(normal.calls) == 2
    assert [u.variable for u in model.updates] == [u.variable for u in other.updates]
    assert model.updates[0].value is not other.updates[0].value
    K.function([z], [], other.updates)([np.ones((2, 3))])
    nested = L.Input((3,))
    outer = L.Model(nested, model(nested))
    assert len(outer.updates) == 2 and len(outer.losses) == 1 == len(model.losses) and not other.losses
    normal.trainable = False
    assert not outer.updates and not other.updates and len(outer.trainable_weights) == 2
    normal.trainable = True
    model.trainable = False
    assert not outer.updates and not outer.trainable_weights


def test_weights_are_saved_by_name_and_come_back(tmp_path: Path) -> None:
    def made() -> L.Model:
        x = L.Input((3,))
        inner = L.Sequential([L.Dense(4, input_shape=(3,), name="in"), L.Dense(4)], name="body")
        return L.Model(x, L.Dense(2)(L.BatchNormalization(name="norm")(inner(x))))

    first, second = made(), made()
    first.save_weights(tmp_path / "w.ckpt")
    assert sorted(checkpoint.read(tmp_path / "w.ckpt")) == sorted(
        [f"body/{layer}/{w}" for layer in ("in", "dense_1") for w in ("kernel", "bias")]
        + [f"norm/{w}" for w in ("gamma", "beta", "moving_mean", "moving_variance")] + ["dense_1/kernel", "dense_1/bias"]
    )  # fmt: skip
    array = RNG.normal(size=(4, 3))
    assert not np.array_equal(first.predict(array), second.predict(array))
    assert second.load_weights(tmp_path / "w.ckpt") == []
    assert np.array_equal(first.predict(array), second.predict(array))
    second.set_weights([0 * w for w in second.get_weights()])
    assert not np.array_equal(first.predict(array), second.predict(array))
    another = L.Sequential([L.Dense(4, input_shape=(3,), name="body")])
    with pytest.raises(CheckpointError, match="missing 'body/kernel'"):
        another.load_weights(tmp_path / "w.ckpt")
    assert len(another.load_weights(tmp_path / "w.ckpt", strict=False)) == 12


def test_a_model_and_its_optimizer_go_on_from_a_file(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(32, 3)), RNG.normal(size=(32, 1))

    def made() -> L.Sequential:
        K.clear_session()  # names begin again, as in another process
        model = L.Sequential([L.Dense(4, activation="tanh", input_shape=(3,)), L.Dense(1)])
        model.compile(Adam(0.01), "mse")
        model.train_on_batch(x, y)
        return model

    first = made()
    checkpoint.save(tmp_path / "run.ckpt", {"model": first, "adam": first.optimizer})
    wanted = [first.train_on_batch(x, y) for _ in range(3)]
    second = made()
    checkpoint.load(tmp_path / "run.ckpt", {"model": second, "adam": second.optimizer})
    assert [second.train_on_batch(x, y) for _ in range(3)] == wanted


def test_the_summary_is_a_table() -> None:
    lines: list[str] = []
    x = L.Input((3,), name="x")
    h = L.Dense(4, name="first")(x)
    L.Model(x, L.BatchNormalization(name="norm")(h), name="line").summary(lines.append)
    assert lines == [
        "Model 'line'",
        "─" * 46,
        "Layer (type)               Output shape  Params",
        "─" * 46,
        "x (InputLayer)             (None, 3)          0",
        "first (Dense)              (None, 4)         16",
        "norm (BatchNormalization)  (None, 4)         16",
        "─" * 46,
        "Params: 32, of which 24 are trained and 8 are not",
    ] or lines[1] == "─" * len(lines[2])
    lines.clear()
    L.Model(x, L.Add(name="sum")([h, L.Dense(4, name="second")(x)]), name="fork").summary(lines.append)
    assert lines[2].endswith("Reads") and lines[-3].split()[-2:] == ["first,", "second"]


def test_tables_of_unbuilt_and_nested_models() -> None:
    lines: list[str] = []
    inner = L.Sequential([L.Dense(4, input_shape=(3,))], name="inner")
    L.Sequential([inner, L.Dense(2, name="last")]).summary(lines.append)
    assert "inner (Sequential)  (None, 4)         16" in lines and "last (Dense)        (None, 2)         10" in lines
    with pytest.raises(ArgumentError, match="input_shape"):
        L.Sequential([L.Dense(2)]).summary()


# errors --------------------------------------------------------------------------------------------------------------


def fails(error: type[AutographError], make: Any) -> str:
    with pytest.raises(error) as caught:
        make()
    text = str(caught.value)
    assert "test_models.py:" in text and " at 0x" not in text
    return text


def test_errors_say_which_layer_and_what_to_do() -> None:
    x = L.Input((3,), name="x")
    text = fails(ArgumentTypeError, lambda: L.Dense(2, actvation="relu"))
    assert "'actvation'; did you mean 'activation'?" in text
    assert "LSTM" not in text and "did you mean 'kernel_initializer'?" in fails(
        ArgumentTypeError, lambda: L.Dense(2, kernel_initialiser="ones"))  # fmt: skip
    assert "activation 'rely' is unknown; did you mean 'relu'?" in fails(ArgumentError, lambda: L.Dense(2, "rely"))
    assert "initializer 'one' is unknown; did you mean 'ones'?" in fails(
        ArgumentError, lambda: L.Dense(2, kernel_initializer="one"))  # fmt: skip
    assert "not a whole number ≥ 1" in fails(ArgumentError, lambda: L.Dense(0))
    text = fails(ShapeError, lambda: L.Dense(2, name="top")(L.Input(())))
    assert "layer 'top'" in text and "takes rank 2 or more" in text
    assert "layer 'top': 'kernel' has the shape (None, 2)" in fails(
        ShapeError, lambda: L.Dense(2, name="top")(L.Input((None,))))  # fmt: skip
    shared = L.Dense(2, name="shared")
    shared(x)
    assert "layer 'shared': matmul" in fails(ShapeError, lambda: shared(L.Input((4,))))
    assert "model.predict(array) computes" in fails(ArgumentTypeError, lambda: shared(np.ones((2, 3))))
    inner = L.Model(x, shared(x), name="inner")
    assert "layer 'inner': layer 'shared': matmul" in fails(ShapeError, lambda: inner(L.Input((4,))))


def test_errors_of_joining() -> None:
    x, other = L.Input((3,), name="x"), L.Input((3,), name="other")
    h = L.Dense(3, name="h")(x)
    assert "the outputs need 'other', which is no input" in fails(ArgumentError, lambda: L.Model(x, L.Add()([h, other])))
    assert "wrap the expression in a Lambda layer" in fails(ArgumentError, lambda: L.Model(x, L.Dense(2)(h + 1)))
    assert "list it among the inputs" in fails(
        ArgumentError, lambda: L.Model(x, L.Add()([h, K.placeholder((None, 3), name="p")])))  # fmt: skip
    assert "two layers of model" in fails(ArgumentError, lambda: L.Model(x, L.Dense(2, name="h")(h)))
    assert "tensors" in fails(ArgumentTypeError, lambda: L.Model(x, []))
    assert "its call gave 3, which is no tensor" in fails(ArgumentTypeError, lambda: L.Lambda(lambda v: 3)(x))
    assert "no layer 'g'" in fails(ArgumentError, lambda: L.Model(x, h).get_layer("g"))
    assert "its inputs are x" in fails(ArgumentError, lambda: L.Model(x, h)([x, other]))
    assert "is no layer" in fails(ArgumentTypeError, lambda: L.Sequential([K.relu]))
    assert "called 0 times" in fails(ArgumentError, lambda: L.Dense(2, name="new").output)
    assert "one of them" in fails(ArgumentError, L.Input)
    assert "not being called" in fails(ArgumentError, lambda: L.Dense(2).add_loss(K.constant(1)))
    dense = L.Dense(2, name="twice")
    dense(x), dense(h)
    assert "called 2 times" in fails(ArgumentError, lambda: dense.input) and not hasattr(dense, "output")


def test_constants_and_variables_need_no_layer() -> None:
    x, w = L.Input((3,)), K.variable(np.ones((1, 3)))
    model = L.Model(x, L.Add()([x, w]))
    assert (model.predict(np.ones((2, 3))) == 2).all()
    phased = L.Model(x, L.Dropout(0.5)(x, training=K.learning_phase()))
    assert (phased.predict(np.ones((2, 3))) == 1).all()
    inner = L.Model(x, L.Dropout(0.5)(L.Activation("relu")(x)))
    settled, = ran([x], [L.Model(x, inner(x))(x, training=True)], np.ones((20, 3)))
    assert set(np.unique(settled)) == {0, 2}, "training reaches the layers inside"
