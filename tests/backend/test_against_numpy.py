"""Every function of K against NumPy: its value, its shape before it has a value, with sizes unknown too, its gradient.

The right-hand sides are what Keras's own NumPy backend computes, or the formula where that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograph import backend as K

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """A function of tensors, the same of arrays, and the shapes of what it is tried on.

    low, high   from where the numbers are drawn
    smooth      whether its gradient is compared with differences
    """

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((2, 3, 4),)
    low: float = -2.0
    high: float = 2.0
    smooth: bool = True


def softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def relu(x: Array, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    above = np.where(x >= threshold, x, 0)
    if max_value is not None:
        above = above.clip(0, max_value)
    return above + alpha * (x - threshold) * (x < threshold)


def crossentropy(target: Array, output: Array, from_logits: bool = False, axis: int = -1) -> Array:
    share = softmax(output, axis) if from_logits else output / output.sum(axis, keepdims=True)
    return -(target * np.log(share.clip(1e-7, 1 - 1e-7))).sum(axis)


def binary(target: Array, output: Array) -> Array:
    return -target * np.log(output) - (1 - target) * np.log(1 - output)


def batch_dot(x: Array, y: Array, i: int, j: int) -> Array:
    return np.stack([np.tensordot(a, b, (i - 1, j - 1)) for a, b in zip(x, y, strict=True)])


def padded(*widths: tuple[int, int]) -> Callable[[Array], Array]:
    return lambda x: np.pad(x, widths)


def normalised(x: Array, gamma: Array, beta: Array, axes: tuple[int, ...]) -> Array:
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-3) * gamma.reshape(kept) + beta.reshape(kept)


PAIR = ((2, 3), (2, 3))
BROADCAST = ((2, 3, 4), (3, 1))
FIT = {"low": 0.2, "high": 0.8}

ELEMENTWISE = (
    Case("square", K.square, np.square),
    Case("abs", K.abs, np.abs),
    Case("sqrt", K.sqrt, np.sqrt, low=0.1),
    Case("sqrt of negatives", K.sqrt, lambda x: np.sqrt(np.maximum(x, 0))),
    Case("exp", K.exp, np.exp),
    Case("log", K.log, np.log, low=0.1),
    Case("round", K.round, np.round, smooth=False),
    Case("sign", K.sign, np.sign, smooth=False),
    Case("pow", lambda x: K.pow(x, 3), lambda x: x**3),
    Case("pow of tensors", K.pow, np.power, BROADCAST, low=0.5),
    Case("clip", lambda x: K.clip(x, -1, 0.5), lambda x: x.clip(-1, 0.5)),
    Case("clip above", lambda x: K.clip(x, None, 0.5), lambda x: x.clip(None, 0.5)),
    Case("sin", K.sin, np.sin),
    Case("cos", K.cos, np.cos),
    Case("cast", lambda x: K.cast(x, "int32"), lambda x: x.astype(np.int32), smooth=False),
    Case("identity", K.identity, lambda x: x),
    Case("equal", lambda x, y: K.equal(K.round(x), K.round(y)), lambda x, y: x.round() == y.round(), BROADCAST, smooth=False),
    Case("not_equal", lambda x, y: K.not_equal(K.round(x), K.round(y)), lambda x, y: x.round() != y.round(), BROADCAST,
         smooth=False),
    Case("greater", K.greater, np.greater, BROADCAST, smooth=False),
    Case("greater_equal", K.greater_equal, np.greater_equal, BROADCAST, smooth=False),
    Case("less", K.less, np.less, BROADCAST, smooth=False),
    Case("less_equal", K.less_equal, np.less_equal, BROADCAST, smooth=False),
    Case("maximum", K.maximum, np.maximum, BROADCAST),
    Case("minimum", K.minimum, np.minimum, BROADCAST),
    Case("maximum of a number", lambda x: K.maximum(x, 0.5), lambda x: np.maximum(x, 0.5)),
)  # fmt: skip

REDUCTIONS = tuple(
    Case(f"{name} {axis} {keepdims}", lambda x, f=ours, a=axis, k=keepdims: f(x, a, k),
         lambda x, f=theirs, a=axis, k=keepdims: f(x, tuple(a) if isinstance(a, list) else a, k), low=0.5, smooth=smooth)
    for name, ours, theirs, smooth in (
        ("max", K.max, lambda x, a, k: x.max(a, keepdims=k), True),
        ("min", K.min, lambda x, a, k: x.min(a, keepdims=k), True),
        ("sum", K.sum, lambda x, a, k: x.sum(a, keepdims=k), True),
        ("prod", K.prod, lambda x, a, k: x.prod(a, keepdims=k), True),
        ("mean", K.mean, lambda x, a, k: x.mean(a, keepdims=k), True),
        ("var", K.var, lambda x, a, k: x.var(a, keepdims=k), True),
        ("std", K.std, lambda x, a, k: x.std(a, keepdims=k), True),
        ("logsumexp", K.logsumexp, lambda x, a, k: np.log(np.exp(x).sum(a, keepdims=k)), True),
        ("any", lambda x, a, k: K.any(K.greater(x, 1.0), a, k), lambda x, a, k: (x > 1).any(a, keepdims=k), False),
        ("all", lambda x, a, k: K.all(K.greater(x, 1.0), a, k), lambda x, a, k: (x > 1).all(a, keepdims=k), False),
    )
    for axis, keepdims in ((None, False), (None, True), (1, False), (-1, True), ([0, -1], False), ((0, 2), True))
) + (
    Case("argmax", K.argmax, lambda x: x.argmax(-1), smooth=False),
    Case("argmax 0", lambda x: K.argmax(x, 0), lambda x: x.argmax(0), smooth=False),
    Case("argmin", K.argmin, lambda x: x.argmin(-1), smooth=False),
    Case("cumsum", K.cumsum, lambda x: x.cumsum(0)),
    Case("cumsum 1", lambda x: K.cumsum(x, 1), lambda x: x.cumsum(1)),
    Case("cumprod", lambda x: K.cumprod(x, -1), lambda x: x.cumprod(-1)),
)  # fmt: skip

SHAPING = (
    Case("reshape", lambda x: K.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    Case("reshape by sizes", lambda x: K.reshape(x, (K.shape(x)[0], 12)), lambda x: x.reshape(len(x), 12)),
    Case("reshape as another", lambda x, y: K.reshape(x, K.shape(y)), lambda x, y: x.reshape(y.shape), ((2, 6), (3, 4))),
    Case("flatten", K.flatten, np.ravel),
    Case("batch_flatten", K.batch_flatten, lambda x: x.reshape(len(x), -1)),
    Case("batch_flatten of a vector", K.batch_flatten, lambda x: x.reshape(len(x), 1), ((3,),)),
    Case("permute_dimensions", lambda x: K.permute_dimensions(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    Case("transpose", K.transpose, np.transpose),
    Case("expand_dims", K.expand_dims, lambda x: x[..., None]),
    Case("expand_dims 1", lambda x: K.expand_dims(x, 1), lambda x: x[:, None]),
    Case("squeeze", lambda x: K.squeeze(x, 1), lambda x: x.squeeze(1), ((2, 1, 3),)),
    Case("concatenate", lambda x, y: K.concatenate([x, y]), lambda x, y: np.concatenate([x, y], -1), ((2, 3), (2, 4))),
    Case("concatenate 0", lambda x, y: K.concatenate([x, y], 0), lambda x, y: np.concatenate([x, y]), ((2, 3), (1, 3))),
    Case("stack", lambda x, y: K.stack([x, y], 1), lambda x, y: np.stack([x, y], 1), PAIR),
    Case("repeat_elements", lambda x: K.repeat_elements(x, 3, 1), lambda x: x.repeat(3, 1)),
    Case("repeat", lambda x: K.repeat(x, 3), lambda x: x[:, None].repeat(3, 1), ((2, 3),)),
    Case("tile", lambda x: K.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    Case("tile by sizes", lambda x: K.tile(x, K.stack([1, K.size(x), 2])), lambda x: np.tile(x, (1, x.size, 2))),
    Case("tile by a tensor", lambda x: K.tile(x, [K.shape(x)[0], 2]), lambda x: np.tile(x, (1, x.shape[0], 2))),
    Case("pattern_broadcast", lambda x: K.pattern_broadcast(x[:1], (True, False, 0)), lambda x: x[:1]),
    Case("tile the last", lambda x: K.tile(x, [2]), lambda x: np.tile(x, 2)),
    Case("reverse", lambda x: K.reverse(x, [0, 2]), lambda x: x[::-1, :, ::-1]),
    Case("temporal_padding", lambda x: K.temporal_padding(x, (2, 1)), padded((0, 0), (2, 1), (0, 0))),
    Case("spatial_2d_padding", K.spatial_2d_padding, padded((0, 0), (1, 1), (1, 1), (0, 0)), ((2, 3, 3, 2),)),
    Case("spatial_2d_padding first", lambda x: K.spatial_2d_padding(x, ((1, 2), (0, 3)), "channels_first"),
         padded((0, 0), (0, 0), (1, 2), (0, 3)), ((2, 2, 3, 3),)),
    Case("spatial_3d_padding", lambda x: K.spatial_3d_padding(x, ((1, 2), (0, 1), (3, 0))),
         padded((0, 0), (1, 2), (0, 1), (3, 0), (0, 0)), ((1, 2, 2, 2, 1),)),
    Case("resize_images", lambda x: K.resize_images(x, 2, 3, "channels_last"), lambda x: x.repeat(2, 1).repeat(3, 2),
         ((2, 3, 2, 2),)),
    Case("resize_volumes", lambda x: K.resize_volumes(x, 2, 1, 3, "channels_first"),
         lambda x: x.repeat(2, 2).repeat(3, 4), ((1, 2, 2, 2, 2),)),
    Case("gather", lambda x: K.gather(x, [[0, 1], [1, -1]]), lambda x: x[[[0, 1], [1, -1]]]),
    Case("one_hot", lambda x: K.one_hot(K.cast(x, "int32"), 3), lambda x: np.eye(4)[x.astype(int)][..., :3], low=0, high=4,
         smooth=False),
    Case("slice", lambda x: K.slice(x, (0, 1, 2), (2, 1, -1)), lambda x: x[0:2, 1:2, 2:]),
    Case("slice by sizes", lambda x: K.slice(x, [0, 1, 0], [K.shape(x)[0], 2, 3]), lambda x: x[:, 1:3, :3]),
    Case("zeros_like", K.zeros_like, np.zeros_like, smooth=False),
    Case("ones_like", K.ones_like, np.ones_like, smooth=False),
    Case("shape", K.shape, np.shape, smooth=False),
    Case("size", K.size, np.size, smooth=False),
)  # fmt: skip

PRODUCTS = (
    Case("dot", K.dot, np.dot, ((2, 3), (3, 4))),
    Case("dot of a batch", K.dot, np.dot, ((2, 3, 4), (4, 5))),
    Case("dot of many axes", K.dot, np.dot, ((2, 3, 4), (6, 4, 5))),
    Case("dot of vectors", K.dot, np.dot, ((3,), (3,))),
    Case("batch_dot", K.batch_dot, lambda x, y: batch_dot(x, y, 2, 1), ((2, 3, 4), (2, 4, 5))),
    Case("batch_dot by axes", lambda x, y: K.batch_dot(x, y, (1, 2)), lambda x, y: batch_dot(x, y, 1, 2),
         ((2, 4, 3), (2, 5, 4))),
    Case("batch_dot by one axis", lambda x, y: K.batch_dot(x, y, -1), lambda x, y: batch_dot(x, y, 2, 2),
         ((2, 3, 4), (2, 5, 4))),
    Case("batch_dot of vectors", K.batch_dot, lambda x, y: (x * y).sum(1, keepdims=True), PAIR),
    Case("batch_dot of rank 4", lambda x, y: K.batch_dot(x, y, (2, 2)), lambda x, y: batch_dot(x, y, 2, 2),
         ((2, 3, 4, 5), (2, 6, 4, 3))),
    Case("bias_add", K.bias_add, np.add, ((2, 3), (3,))),
    Case("bias_add of a place", K.bias_add, np.add, ((2, 3, 4), (3, 4))),
    Case("bias_add first", lambda x, b: K.bias_add(x, b, "channels_first"), lambda x, b: x + b[:, None, None],
         ((2, 3, 4, 5), (3,))),
    Case("bias_add of a place first", lambda x, b: K.bias_add(x, b, "channels_first"),
         lambda x, b: x + b.reshape(3, 4, 5), ((2, 3, 4, 5), (4, 5, 3))),
)  # fmt: skip

NETWORKS = (
    Case("relu", K.relu, relu),
    Case("relu leaky", lambda x: K.relu(x, 0.1), lambda x: relu(x, 0.1)),
    Case("relu with all", lambda x: K.relu(x, 0.1, 1.5, 0.3), lambda x: relu(x, 0.1, 1.5, 0.3)),
    Case("relu up to 6", lambda x: K.relu(x, max_value=6), lambda x: x.clip(0, 6), high=9),
    Case("elu", lambda x: K.elu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    Case("softplus", K.softplus, lambda x: np.log1p(np.exp(x))),
    Case("softsign", K.softsign, lambda x: x / (1 + np.abs(x))),
    Case("sigmoid", K.sigmoid, sigmoid),
    Case("hard_sigmoid", K.hard_sigmoid, lambda x: (0.2 * x + 0.5).clip(0, 1), low=-4, high=4),
    Case("tanh", K.tanh, np.tanh),
    Case("softmax", K.softmax, softmax),
    Case("softmax 1", lambda x: K.softmax(x, 1), lambda x: softmax(x, 1)),
    Case("softmax of a vector", K.softmax, softmax, ((5,),)),
    Case("l2_normalize", lambda x: K.l2_normalize(x, 1), lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))),
    Case("categorical_crossentropy", K.categorical_crossentropy, crossentropy, PAIR, **FIT),
    Case("categorical_crossentropy 1", lambda t, x: K.categorical_crossentropy(t, x, axis=1),
         lambda t, x: crossentropy(t, x, axis=1), ((2, 3, 4), (2, 3, 4)), **FIT),
    Case("categorical_crossentropy logits", lambda t, x: K.categorical_crossentropy(t, x, True),
         lambda t, x: crossentropy(t, x, True), PAIR),
    Case("sparse_categorical_crossentropy", lambda x: K.sparse_categorical_crossentropy([2, 0], x),
         lambda x: crossentropy(np.eye(3)[[2, 0]], x), ((2, 3),), **FIT),
    Case("sparse_categorical_crossentropy logits", lambda x: K.sparse_categorical_crossentropy([[2.0], [0.0]], x, True),
         lambda x: crossentropy(np.eye(3)[[2, 0]], x, True), ((2, 3),)),
    Case("sparse_categorical_crossentropy 1", lambda x: K.sparse_categorical_crossentropy([[2, 0, 1], [1, 1, 0]], x, axis=1),
         lambda x: crossentropy(np.eye(4)[[[2, 0, 1], [1, 1, 0]]].transpose(0, 2, 1), x, axis=1), ((2, 4, 3),), **FIT),
    Case("binary_crossentropy", K.binary_crossentropy, binary, PAIR, **FIT),
    Case("binary_crossentropy logits", lambda t, x: K.binary_crossentropy(t, x, True), lambda t, x: binary(t, sigmoid(x)), PAIR),
    Case("in_top_k", lambda x: K.in_top_k(x, [3, 0], 2), lambda x: np.sum(x > x[[0, 1], [3, 0]][:, None], 1) < 2, ((2, 4),),
         smooth=False),
    Case("normalize_batch_in_training", lambda x, g, b: K.normalize_batch_in_training(x, g, b, [0, 1])[0],
         lambda x, g, b: normalised(x, g, b, (0, 1)), ((3, 4, 2), (2,), (2,))),
    Case("normalize_batch_in_training first", lambda x, g, b: K.normalize_batch_in_training(x, g, b, [0, 2])[0],
         lambda x, g, b: normalised(x, g, b, (0, 2)), ((3, 4, 2), (4,), (4,))),
    Case("its variance", lambda x: K.normalize_batch_in_training(x, None, None, [0, 2])[2], lambda x: x.var((0, 2))),
    Case("batch_normalization", lambda x, m, v, b, g: K.batch_normalization(x, m, K.square(v), b, g, epsilon=0.1),
         lambda x, m, v, b, g: (x - m) / np.sqrt(v**2 + 0.1) * g + b, ((2, 3, 4), (4,), (4,), (4,), (4,))),
    Case("batch_normalization 1", lambda x, m, v, b: K.batch_normalization(x, m, K.square(v), b, None, axis=1),
         lambda x, m, v, b: (x - m[:, None]) / np.sqrt(v[:, None] ** 2 + 1e-3) + b[:, None],
         ((2, 3, 4), (3,), (3,), (3,)), low=0.5),
    Case("switch", lambda x, y: K.switch(K.greater(x, 0), x, K.exp(y)), lambda x, y: np.where(x > 0, x, np.exp(y)), PAIR),
    Case("switch of rows", lambda c, x, y: K.switch(K.greater(c, 0), x, y), lambda c, x, y: np.where(c[:, None] > 0, x, y),
         ((4,), (4, 3), (4, 3))),
    Case("switch of all", lambda x, y: K.switch(K.greater(K.sum(x), 0), x, lambda: K.exp(y)),
         lambda x, y: np.where(x.sum() > 0, x, np.exp(y)), PAIR),
)  # fmt: skip

CASES = [*ELEMENTWISE, *REDUCTIONS, *SHAPING, *PRODUCTS, *NETWORKS]


def arrays(case: Case, dtype: str) -> list[Array]:
    rng = np.random.default_rng(7)
    return [rng.uniform(case.low, case.high, shape).astype(dtype) for shape in case.shapes]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_shape(case: Case) -> None:
    values = arrays(case, "float32")
    result, expected = case.ours(*[K.variable(value) for value in values]), np.asarray(case.theirs(*values))
    value = K.eval(result)
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)
    assert K.int_shape(result) == value.shape == expected.shape
    assert value.dtype == K.dtype(result) and (value.dtype == np.float32 or not case.smooth)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sizes_may_be_unknown(case: Case) -> None:
    values = arrays(case, "float32")
    inputs = [K.placeholder(ndim=value.ndim) for value in values]
    result = case.ours(*inputs)
    (value,) = K.function(inputs, [result])(values)
    known = K.int_shape(result)
    assert len(known) == value.ndim and all(n is None or n == m for n, m in zip(known, value.shape, strict=True))
    np.testing.assert_allclose(value, case.theirs(*values), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lists_and_arrays_are_taken(case: Case) -> None:
    values = arrays(case, "float32")
    result = case.ours(*[value.tolist() for value in values])
    np.testing.assert_allclose(K.eval(result), case.theirs(*values), rtol=2e-5, atol=2e-6)
    assert K.dtype(result) == "float32" or not case.smooth


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=lambda case: case.name)
def test_gradient(case: Case) -> None:
    values = arrays(case, "float64")
    variables = [K.variable(value, "float64") for value in values]
    result = case.ours(*variables)
    rng = np.random.default_rng(8)
    weights = rng.normal(size=prod(K.int_shape(result))).reshape(K.int_shape(result))
    gradients = K.gradients(result * weights, variables)
    for i, value in enumerate(values):
        way, step = rng.normal(size=value.shape), 1e-6
        ends = [np.vdot(case.theirs(*values[:i], value + sign * step * way, *values[i + 1 :]), weights) for sign in (1, -1)]
        slope = 0.0 if gradients[i] is None else np.vdot(K.eval(gradients[i]), way)
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7)
