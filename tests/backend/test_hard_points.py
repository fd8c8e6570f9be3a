"""Where plain formulas overflow, cancel or divide by zero; and what is refused, with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K

FAR = 1000.0


def gradient(loss: Any, x: Any) -> Any:
    return K.eval(K.gradients(loss, [x])[0])


# losses --------------------------------------------------------------------------------------------------------------


def test_softmax_cross_entropy_from_logits_is_exact_far_out() -> None:
    x = K.variable([[FAR, -FAR, 0.0], [1.0, 1.0, 1.0]])
    target = np.array([[0, 1, 0], [0, 0, 1]], "float32")
    loss = K.categorical_crossentropy(target, x, from_logits=True)
    np.testing.assert_allclose(K.eval(loss), [2 * FAR, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(gradient(loss, x), [[1, -1, 0], [1 / 3, 1 / 3, -2 / 3]], atol=1e-6)
    sparse = K.sparse_categorical_crossentropy([1, 2], x, from_logits=True)
    np.testing.assert_array_equal(K.eval(sparse), K.eval(loss))
    np.testing.assert_allclose(gradient(sparse, x), gradient(loss, x), atol=1e-7)


def test_sigmoid_cross_entropy_from_logits_is_exact_in_both_tails() -> None:
    x = K.variable([-FAR, -50.0, 0.0, 50.0, FAR], "float64")
    for label in (0.0, 1.0):
        loss = K.binary_crossentropy([label] * 5, x, from_logits=True)
        sign = -1 if label else 1
        np.testing.assert_allclose(K.eval(loss), np.logaddexp(0, sign * K.get_value(x)), rtol=1e-14)
        expected = [0, 1 / (1 + np.exp(50)), 0.5, 1 - 1 / (1 + np.exp(50)), 1]
        np.testing.assert_allclose(gradient(loss, x), np.array(expected) - label, rtol=1e-12, atol=1e-21)


def test_the_second_derivative_of_losses_is_finite_everywhere() -> None:
    x = K.variable([-FAR, -1.0, 0.0, 1.0, FAR])
    for loss in (K.binary_crossentropy(np.ones(5), x, True), K.categorical_crossentropy(np.eye(5)[0], x, True)):
        (first,) = K.gradients(loss, [x])
        assert np.isfinite(gradient(first * np.arange(5.0), x)).all()


def test_certain_and_wrong_probabilities_give_what_keras_gives() -> None:
    x = K.variable([[1.0, 0.0]])
    assert K.eval(K.categorical_crossentropy([[0.0, 1.0]], x)) == pytest.approx(-np.log(1e-7), rel=1e-5)
    assert K.eval(K.sparse_categorical_crossentropy([0], x)) == pytest.approx(1e-7, rel=0.2)


def test_targets_may_be_integers() -> None:
    x = K.variable([[0.2, 0.8]])
    for target in ([[0, 1]], np.array([[0, 1]], "uint8"), K.variable([[0, 1]], "int32")):
        assert K.eval(K.categorical_crossentropy(target, x)) == pytest.approx(-np.log(0.8), rel=1e-5)
        assert K.eval(K.binary_crossentropy(target, x))[0] == pytest.approx([-np.log(0.8)] * 2, rel=1e-5)
        assert K.dtype(K.binary_crossentropy(target, x, True)) == "float32"


def test_a_class_that_there_is_not_is_named() -> None:
    x = K.placeholder((None, 3))
    f = K.function([x], [K.sparse_categorical_crossentropy([2, 3], x)])
    with pytest.raises(IndexError, match="3"):
        f([np.ones((2, 3))])


# activations and norms -----------------------------------------------------------------------------------------------


def test_nothing_overflows_far_out() -> None:
    x = K.variable([-FAR, FAR])
    assert K.eval(K.softmax(x)).tolist() == [0, 1] and K.eval(K.sigmoid(x)).tolist() == [0, 1]
    assert K.eval(K.elu(x)).tolist() == [-1, FAR] and gradient(K.elu(x), x).tolist() == [0, 1]
    assert K.eval(K.softplus(x)).tolist() == [0, FAR] and K.eval(K.logsumexp(x)) == FAR
    assert gradient(K.sigmoid(x), x).tolist() == gradient(K.tanh(x), x).tolist() == [0, 0]


def test_relu_keeps_its_settings_as_numbers_arrays_or_tensors() -> None:
    x = K.variable([-1.0, 0.5, 9.0])
    for number in (float, np.float32, lambda value: np.array(value, "float32")):
        assert K.eval(K.relu(x, number(0.5), number(6), number(0))).tolist() == [-0.5, 0.5, 6]
    slope = K.variable(0.25)
    leaky = K.relu(x, slope)
    assert K.eval(leaky).tolist() == [-0.25, 0.5, 9] and gradient(leaky, slope) == -1
    assert K.eval(K.relu(x, 0.0, 2.0)).tolist() == [0, 0.5, 2] and K.eval(K.relu(x, threshold=0.5)).tolist() == [0, 0, 9]


def test_normalising_a_constant_batch_gives_zeros() -> None:
    x = K.variable(np.full((4, 3), 1e4))
    normed, mean, variance = K.normalize_batch_in_training(x, None, None, [0])
    assert K.eval(normed).tolist() == [[0, 0, 0]] * 4 and K.eval(variance).tolist() == [0] * 3
    assert K.eval(mean).tolist() == [1e4] * 3 and np.isfinite(gradient(K.square(normed), x)).all()


def test_normalising_over_all_axes() -> None:
    x = np.arange(6.0).reshape(2, 3)
    normed, mean, variance = [K.eval(t) for t in K.normalize_batch_in_training(x, [2.0], [1.0], [0, 1])]
    np.testing.assert_allclose(normed, (x - x.mean()) / np.sqrt(x.var() + 1e-3) * 2 + 1, rtol=1e-6)
    assert mean == x.mean() and variance == pytest.approx(x.var())


def test_in_top_k_at_its_ends() -> None:
    scores, labels = K.variable([[0.1, 0.9], [np.nan, 1.0], [0.3, 0.2]]), [0, 0, 0]
    assert [K.eval(K.in_top_k(scores, labels, k)).tolist() for k in (0, 1, 2)] == [
        [False, False, False], [False, False, True], [True, False, True]]  # fmt: skip


def test_literals_never_widen() -> None:
    half = K.variable([1.0], "float16")
    for y in (K.maximum(half, [2.0]), K.pow(half, 2.5), K.clip(half, 0.0, np.float64(1)), K.switch(True, half, 0.5), half * 2.0):
        assert K.dtype(y) == "float16"
    assert K.dtype(K.exp([1.0])) == K.dtype(K.square(2.5)) == K.dtype(K.stack([1.0, 2.0])) == "float32"
    assert K.dtype(K.square(np.array([1.0]))) == "float64" and K.dtype(K.stack([1, K.size(half)])) == "int32"


# refusals ------------------------------------------------------------------------------------------------------------

X2, X3, X4 = K.ones((2, 3)), K.ones((2, 3, 4)), K.ones((2, 3, 3, 2))

REFUSED: tuple[tuple[str, Any, type[Exception], str], ...] = (
    ("cce axis", lambda: K.categorical_crossentropy(X2, X2, axis=2), ValueError, "unexpected channels axis 2"),
    ("cce axis below -1", lambda: K.sparse_categorical_crossentropy([0, 1], X2, axis=-2), ValueError, "axis -2"),
    ("cce shapes", lambda: K.categorical_crossentropy(X2, X3), ValueError, "differ in shape"),
    ("cce sizes", lambda: K.binary_crossentropy(X2, K.ones((2, 4))), ValueError, "differ in shape"),
    ("sparse targets", lambda: K.sparse_categorical_crossentropy(X2, X2), ValueError, "one whole number a sample"),
    ("batch_dot rank 1", lambda: K.batch_dot(K.ones((3,)), X2), ValueError, "batch axis"),
    ("batch_dot axis 0", lambda: K.batch_dot(X2, X2, 0), ValueError, "axis 0"),
    ("batch_dot nested", lambda: K.batch_dot(X3, X3, [[1, 2], [1, 2]]), ValueError, "several axes"),
    ("batch_dot sizes", lambda: K.batch_dot(X3, X3, (1, 2)), ValueError, "3"),
    ("batch_dot batches", lambda: K.batch_dot(X2, K.ones((4, 3)), 1), ValueError, "axis 0"),
    ("dot sizes", lambda: K.dot(X2, X2), ValueError, "3 ≠ 2"),
    ("bias rank", lambda: K.bias_add(X3, K.ones((2, 3, 4))), ValueError, "rank 3"),
    ("bias format", lambda: K.bias_add(X3, K.ones((4,)), "channels_frist"), ValueError, "channels_first"),
    ("concatenate nothing", lambda: K.concatenate([]), ValueError, "empty"),
    ("concatenate sizes", lambda: K.concatenate([X2, X3]), ValueError, "ranks"),
    ("reshape", lambda: K.reshape(X2, (4, -1)), ValueError, "6"),
    ("reshape to None", lambda: K.reshape(X2, (None, 3)), ValueError, "None"),
    ("squeeze", lambda: K.squeeze(X2, 0), ValueError, "not 1"),
    ("repeat", lambda: K.repeat(X3, 2), ValueError, "rank 3"),
    ("tile", lambda: K.tile(X2, (1, 2, 3)), ValueError, "3 numbers"),
    ("tile by a table", lambda: K.tile(X2, K.constant([[1, 2]], "int32")), ValueError, "no vector of known length"),
    ("a pattern too short", lambda: K.pattern_broadcast(X2, [True]), ValueError, "1 truth values"),
    ("a pattern that does not hold", lambda: K.pattern_broadcast(K.zeros((2, 3)), [True, False]), ValueError, "6"),
    ("batch_flatten", lambda: K.batch_flatten(1.0), ValueError, "single number"),
    ("padding rank", lambda: K.temporal_padding(X2), ValueError, "rank 2"),
    ("padding pairs", lambda: K.spatial_2d_padding(X4, ((1, 1),)), ValueError, "a pair"),
    ("resize", lambda: K.resize_images(X4, 2, 2, "channels_last", "cubic"), ValueError, "bilinear"),
    ("resize format", lambda: K.resize_volumes(X4, 2, 2, 2, "channels"), ValueError, "data_format"),
    ("resize rank", lambda: K.resize_images(X2, 2, 2, "channels_last"), ValueError, "rank 2"),
    ("slice", lambda: K.slice(X2, [0], [1]), ValueError, "1 starts and 1 sizes"),
    ("gather floats", lambda: K.gather(X2, [0.5]), TypeError, "integers"),
    ("gather outside", lambda: K.gather(X2, [2]), IndexError, "2"),
    ("in_top_k ranks", lambda: K.in_top_k(X3, [0, 1], 1), ValueError, "ranks 2 and 1"),
    ("max of nothing", lambda: K.max(K.ones((0, 2)), 0), ValueError, "size there is 0"),
    ("axis", lambda: K.sum(X2, 2), ValueError, "axis 2"),
    ("axis twice", lambda: K.sum(X2, [1, -1]), ValueError, "twice"),
    ("cast", lambda: K.cast(X2, "flaot32"), TypeError, "float32"),
    ("arange step", lambda: K.arange(0, K.shape(K.placeholder((None,)))[0], 0.5), ValueError, "step"),
    ("no numbers", lambda: K.exp("one"), TypeError, "no array of numbers"),
)


@pytest.mark.parametrize(("name", "call", "error", "text"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_does_not_fit_is_refused_with_its_reason(name: str, call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
