"""Training: compile, fit, evaluate, predict, single steps; what is printed; and a network that reads digits."""

from __future__ import annotations

import itertools
import re
import sys
from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph import layers as L
from autograph.errors import ArgumentError, FeedError
from autograph.layers import training
from optimizers import SGD, Adam

RNG = np.random.RandomState(2)


def linear(**options: Any) -> L.Sequential:
    model = L.Sequential([L.Dense(1, input_shape=(2,), kernel_initializer="ones")])
    model.compile(**{"optimizer": SGD(0.1), "loss": "mse", **options})
    return model


def test_a_network_of_layers_reads_digits(digits: Any) -> None:
    images, labels = digits
    np.random.seed(0)
    learned, unseen = slice(1400), slice(1400, None)
    model = L.Sequential([L.Dense(128, activation="relu", input_shape=(64,)), L.Dropout(0.3), L.Dense(10, activation="softmax")])
    model.compile(Adam(0.005), "sparse_categorical_crossentropy", ["accuracy"])
    judged = images[unseen], labels[unseen]
    seen = model.fit(images[learned], labels[learned], epochs=20, batch_size=50, verbose=0, validation_data=judged)
    assert seen.history["val_accuracy"][-1] > 0.97 and seen.history["loss"][-1] < 0.1 * seen.history["loss"][0]
    assert model.evaluate(images[unseen], labels[unseen], verbose=0) == pytest.approx(
        [seen.history["val_loss"][-1], seen.history["val_accuracy"][-1]])  # fmt: skip
    guesses = model.predict(images[unseen]).argmax(1)
    assert np.mean(guesses == labels[unseen]) == pytest.approx(seen.history["val_accuracy"][-1])


def test_one_step_is_one_step_of_the_optimizer() -> None:
    model, x, y = linear(), RNG.normal(size=(8, 2)), RNG.normal(size=(8, 1))
    error = x.sum(1, keepdims=True) - y
    assert model.test_on_batch(x, y) == pytest.approx((error**2).mean(), rel=1e-5)
    assert model.train_on_batch(x, y) == pytest.approx((error**2).mean(), rel=1e-5), "the loss before the step"
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, 1 - 0.1 * 2 * x.T @ error / 8, rtol=1e-5)
    np.testing.assert_allclose(bias, -0.1 * 2 * error.mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.predict_on_batch(x), x @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_the_loss_holds_penalties_and_what_calls_add() -> None:
    x = L.Input((2,))
    model = L.Model(x, L.Dense(1, kernel_initializer="ones", kernel_regularizer=L.l2(0.5), activity_regularizer=L.l1(0.1))(x))
    model.compile(SGD(0.1), lambda y, p: K.square(y - p))
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert model.evaluate(array, array.sum(1), verbose=0) == pytest.approx(0.5 * 2 + 0.1 * 10)


def test_several_inputs_and_outputs() -> None:
    a, b = L.Input((2,), name="a"), L.Input((3,), name="b")
    first, second = L.Dense(1, name="first")(a), L.Dense(2, name="second", activation="softmax")(L.Concatenate()([a, b]))
    model = L.Model([a, b], [first, second])
    model.compile(Adam(), ["mse", "categorical_crossentropy"], metrics=[None, ["accuracy", "mae"]], loss_weights=[2, 3])
    assert model.metrics_names == ["loss", "first_loss", "second_loss", "second_accuracy", "second_mae"]
    x, y = [RNG.normal(size=(10, 2)), RNG.normal(size=(10, 3))], [RNG.normal(size=10), np.eye(2)[RNG.randint(0, 2, 10)]]
    loss, one, two, accuracy, _ = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(2 * one + 3 * two, rel=1e-5)
    assert accuracy == pytest.approx(np.mean(model.predict(x)[1].argmax(1) == y[1].argmax(1)))
    named = model.evaluate(dict(zip("ab", x)), {"first": y[0], "second": y[1]}, verbose=0)
    assert named[0] == pytest.approx(loss)
    assert set(model.fit(x, y, verbose=0, epochs=2).history) == set(model.metrics_names)
    model.compile("sgd", ["mse", None], [None, "mae"])
    assert model.metrics_names == ["loss", "first_loss", "second_mae"] and len(model.evaluate(x, y, verbose=0)) == 3
    model.get_layer("second").trainable = False
    model.compile("sgd", ["mse", None])
    assert [*zip(model.metrics_names, model.train_on_batch(x, y[:1]))][1][0] == "first_loss"


@pytest.mark.parametrize(("loss", "by_hand"), [
    ("mse", lambda y, p: (p - y) ** 2), ("mae", lambda y, p: np.abs(p - y)), ("hinge", lambda y, p: np.maximum(1 - y * p, 0)),
    ("mape", lambda y, p: 100 * np.abs((y - p) / y)), ("logcosh", lambda y, p: np.log(np.cosh(p - y))),
    ("poisson", lambda y, p: p - y * np.log(p + 1e-7)),
    ("huber_loss", lambda y, p: np.where(np.abs(p - y) < 1, (p - y) ** 2 / 2, np.abs(p - y) - 0.5)),
])  # fmt: skip
def test_losses_by_hand(loss: str, by_hand: Any) -> None:
    x, y = RNG.uniform(0.1, 3, (8, 2)), RNG.uniform(0.1, 3, (8, 1))
    assert linear(loss=loss).evaluate(x, y, verbose=0) == pytest.approx(by_hand(y, x.sum(1, keepdims=True)).mean(), rel=1e-4)


@pytest.mark.parametrize(("loss", "target", "right"), [
    ("sparse_categorical_crossentropy", [0, 1, 1, 2], 3 / 4), ("sparse_categorical_crossentropy", [[0], [1], [1], [2]], 3 / 4),
    ("categorical_crossentropy", np.eye(3)[[0, 1, 1, 2]], 3 / 4), ("binary_crossentropy", np.eye(3)[[0, 1, 1, 2]], 10 / 12),
])  # fmt: skip
def test_accuracy_fits_the_loss(loss: str, target: Any, right: float) -> None:
    x = L.Input((3,))
    model = L.Model(x, L.Activation(None)(x))
    model.compile("sgd", loss, ["accuracy"])
    guesses = 0.8 * np.eye(3)[[0, 1, 2, 2]] + 0.1
    assert model.evaluate(guesses, target, verbose=0)[1] == pytest.approx(right)


def test_accuracy_of_one_output_is_that_of_truth_values() -> None:
    x = L.Input((1,))
    model = L.Model(x, L.Activation(None)(x))
    model.compile("sgd", "mse", ["accuracy"])
    assert model.evaluate([[0.1], [0.9], [0.4], [0.2]], [0, 1, 1, 0], verbose=0)[1] == pytest.approx(3 / 4)


def test_metrics_may_be_functions_and_do_not_train() -> None:
    def largest(y: Any, p: Any) -> Any:
        return K.max(K.abs(y - p))

    model, x, y = linear(metrics=largest), RNG.normal(size=(8, 2)), RNG.normal(size=(8, 1))
    assert model.metrics_names == ["loss", "largest"]
    assert model.test_on_batch(x, y)[1] == pytest.approx(np.abs(x.sum(1, keepdims=True) - y).max(), rel=1e-5)


def test_masked_steps_do_not_count_in_the_loss() -> None:
    table = L.Embedding(3, 2, mask_zero=True, embeddings_initializer="ones")
    model = L.Sequential([table, L.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    assert model.evaluate([[1, 2, 0, 0]], [[[0], [0], [9], [9]]], verbose=0) == pytest.approx((4 + 4) / 4)


def test_batches_weigh_by_their_size() -> None:
    model, x, y = linear(), RNG.normal(size=(10, 2)), RNG.normal(size=(10, 1))
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    np.testing.assert_allclose(model.predict(x, batch_size=3), model.predict(x), rtol=1e-5)
    assert model.predict(x[:0]).shape == (0, 1)


def test_samples_put_aside_are_not_learned_from() -> None:
    x, y = np.ones((10, 2)), np.concatenate([np.full(8, 2.0), np.full(2, 7.0)])
    model = linear()
    seen = model.fit(x, y, epochs=3, verbose=0, validation_split=0.2)
    assert seen.history["loss"] == [0, 0, 0] and seen.history["val_loss"] == [25, 25, 25] and seen.epoch == [0, 1, 2]


def test_the_order_of_samples_is_settled_by_the_seed() -> None:
    x, y = RNG.normal(size=(20, 2)), RNG.normal(size=20)

    def curve(seed: int, shuffle: bool = True) -> list[float]:
        model = linear()
        np.random.seed(seed)
        return model.fit(x, y, batch_size=3, epochs=2, verbose=0, shuffle=shuffle).history["loss"]

    assert curve(0) == curve(0) != curve(1) and curve(0, shuffle=False) == curve(1, shuffle=False)


def test_what_is_trainable_is_settled_by_compile() -> None:
    x = L.Input((2,))
    inner = L.Model(x, L.Dense(1, name="judge")(x))
    inner.compile(SGD(0.1), "mse")
    inner.trainable = False
    z = L.Input((2,))
    outer = L.Model(z, inner(L.Dense(2, name="maker")(z)))
    outer.compile(SGD(0.1), "mse")
    array, before = np.ones((4, 2)), inner.get_weights()
    outer.train_on_batch(array, np.full(4, 9))
    assert all(np.array_equal(a, b) for a, b in zip(before, inner.get_weights()))
    inner.train_on_batch(array, np.full(4, 9))
    assert not np.array_equal(before[0], inner.get_weights()[0]), "compiled before it was frozen"


def test_moving_averages_follow_in_training_only() -> None:
    model = L.Sequential([L.BatchNormalization(momentum=0.5, input_shape=(2,))])
    model.compile(SGD(1e-9), "mse")
    x = np.full((4, 2), 6.0)
    model.evaluate(x, x, verbose=0), model.predict(x)
    assert model.get_weights()[2].tolist() == [0, 0]
    model.fit(x, x, verbose=0)
    assert model.get_weights()[2].tolist() == [3, 3]


def test_a_settled_phase_is_no_input() -> None:
    K.set_learning_phase(1)
    try:
        model = L.Sequential([L.Dropout(0.5, input_shape=(50,))])
        assert (model.predict(np.ones((4, 50))) != 1).all()
    finally:
        K.clear_session()


# what is printed -----------------------------------------------------------------------------------------------------


def test_lines_where_there_is_no_terminal(capsys: Any, monkeypatch: Any) -> None:
    x, y = np.ones((4, 2)), np.ones(4)
    clock = itertools.count(100.0, 0.02)
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    training.Progress.shown = 0.0
    linear().fit(x, y, epochs=30)
    lines = capsys.readouterr().out.splitlines()
    assert 2 < len(lines) < 8, "at most two a second"
    assert lines[0].startswith("epoch 1/30  4/4  ") and lines[-1].startswith("epoch 30/30  4/4")
    assert re.fullmatch(r"epoch 30/30  4/4  \d+\.\d s  loss \d+\.\d{4}", lines[-1])
    linear().fit(x, y, epochs=3, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 3
    linear().evaluate(x, y)
    assert re.fullmatch(r"4/4  \d\.\d s  loss 1\.0000\n", capsys.readouterr().out)
    linear().fit(x, y, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_bar_on_a_terminal_is_drawn_at_most_twice_a_second(capsys: Any, monkeypatch: Any) -> None:
    now = [100.0]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    bar = training.Progress(1, 40, "epoch 1/1")
    for done in range(1, 41):
        now[0] += 0.1
        bar.show(done, {"loss": 2.0})
    bar.end({"loss": 1.0})
    drawn = capsys.readouterr().out.split("\r\033[K")[1:]
    assert len(drawn) == 8 and drawn[-1] == "epoch 1/1  40/40  4.0 s  loss 1.0000\n"
    assert "█" in drawn[3] and "░" in drawn[3] and "loss 2.0000" in drawn[3] and not any("\n" in line for line in drawn[:-1])


# errors --------------------------------------------------------------------------------------------------------------


def test_errors_of_training() -> None:
    model, x = linear(), np.ones((4, 2))
    bare, a, b = L.Sequential([L.Dense(1, input_shape=(2,))]), L.Input((2,), name="a"), L.Input((2,), name="b")
    for error, words, call in (
        (ArgumentError, "was not compiled", lambda: bare.fit(x, np.ones(4))),
        (ArgumentError, "has no loss", lambda: bare.compile("sgd")),
        (ArgumentError, "loss 'mes' is unknown; did you mean 'mse'?", lambda: bare.compile("sgd", "mes")),
        (ArgumentError, "metric 'acuracy' is unknown", lambda: bare.compile("sgd", "mse", ["acuracy"])),
        (ArgumentError, "optimizer 'adm' is unknown", lambda: bare.compile("adm", "mse")),
        (ArgumentError, "loss: 2 for 1 outputs", lambda: bare.compile("sgd", ["mse", "mse"])),
        (FeedError, "targets: [None] for dense_", lambda: model.fit(x)),
        (FeedError, "inputs: ['abc']", lambda: model.predict("abc")),
        (FeedError, "rows", lambda: model.fit(x, np.ones(5))),
        (FeedError, "no samples", lambda: model.fit(x[:0], np.ones(0))),
        (FeedError, "rank 3 instead of 2", lambda: model.predict([x, x])),
        (FeedError, "inputs: [an array float64[4, 2]] for a, b", lambda: L.Model([a, b], L.Add()([a, b])).predict([x])),
        (FeedError, "expects [?, 2], got [4, 3]", lambda: model.predict(np.ones((4, 3)))),
        (ArgumentError, "0 ≤ validation_split < 1", lambda: model.fit(x, np.ones(4), validation_split=1)),
        (ArgumentError, "batch_size", lambda: model.fit(x, np.ones(4), batch_size=0)),
    ):
        with pytest.raises(error, match=re.escape(words)):
            call()
    assert (model.get_weights()[0] == 1).all(), "nothing was trained"
