"""Convolution and pooling as machine code, in all the forms its kernels have, against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import products

# Shapes of input and kernel, and options. Rows fill blocks of six, five, four and fewer, or overlap; columns fill two
# vectors, one, or a part of one, in either precision.
CONVOLUTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 12, 12, 1), (3, 3, 1, 16), {"padding": "same"}),
    ((3, 14, 14, 16), (3, 3, 16, 32), {"padding": "same"}),
    ((2, 7, 7, 3), (3, 3, 3, 8), {}),
    ((2, 9, 5, 4), (2, 3, 4, 24), {"strides": (2, 1), "padding": "same"}),
    ((1, 8, 8, 5), (3, 3, 5, 11), {"strides": 2, "padding": [(0, 2), (3, 1)]}),
    ((2, 10, 9, 2), (3, 2, 2, 40), {"dilation": (2, 3)}),
    ((2, 6, 6, 7), (1, 1, 7, 9), {}),
    ((2, 6, 6, 7), (1, 1, 7, 9), {"strides": 3}),
    ((2, 8, 8, 6), (3, 3, 3, 8), {"groups": 2, "padding": "same"}),
    ((2, 8, 8, 6), (3, 3, 1, 6), {"groups": 6, "padding": "same"}),
    ((2, 8, 8, 3), (3, 3, 1, 6), {"groups": 3, "strides": 2}),
    ((3, 17, 5), (4, 5, 17), {"strides": 3}),
    ((3, 17, 5), (2, 5, 2), {"dilation": 4, "padding": "same"}),
    ((2, 5, 4, 6, 3), (3, 2, 3, 3, 5), {"padding": "same"}),
    ((2, 5, 4, 6, 2), (2, 2, 2, 2, 16), {"strides": (1, 2, 2)}),
    ((2, 3, 4), (5, 4, 3), {"padding": [(7, 1)]}),
)


def close(got: Any, wanted: Any) -> None:
    eps = float(np.finfo(wanted.dtype).eps)
    np.testing.assert_allclose(got, wanted, rtol=100 * eps, atol=300 * eps * (1 + np.abs(wanted).max()))


def compared(build: Any, arrays: list[np.ndarray]) -> ag.Function:
    """The value, and the gradients of the sum of its squares, by either executor; nothing of it is NumPy's."""
    inputs = [ag.placeholder(a.shape, dtype=a.dtype) for a in arrays]
    y = build(*inputs)
    outputs = [y, *ag.gradients(ag.reduce_sum(ag.square(y)), inputs)]
    native, plain = (ag.function(inputs, outputs, executor=name) for name in ("native", "numpy"))
    for got, wanted in zip(native(*arrays), plain(*arrays), strict=True):
        close(got, wanted)
    assert not native._program.host, native.explain()
    return native


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("image", "kernel", "options"), CONVOLUTIONS, ids=str)
def test_convolution_and_both_gradients(image: tuple[int, ...], kernel: tuple[int, ...], options: Any, dtype: str) -> None:
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in (image, kernel)]
    compared(lambda x, w: ag.conv(x, w, **options), arrays)


@pytest.mark.parametrize("pool", [ag.max_pool, ag.average_pool])
@pytest.mark.parametrize(("size", "strides", "padding"), [
    (2, None, "valid"), (2, None, "same"), (3, 2, "same"), (3, 1, "same"), (2, 3, "valid"), ((1, 3), (2, 1), [(0, 0), (2, 1)]),
    ((5, 2), (2, 1), "same"),
])  # fmt: skip
def test_pooling_and_its_gradient(pool: Any, size: Any, strides: Any, padding: Any) -> None:
    x = np.random.default_rng(2).normal(size=(3, 9, 7, 11)).astype(np.float32)
    compared(lambda x: pool(x, size, strides, padding), [x])
    compared(lambda x: pool(x, size, strides, padding), [np.round(x)])


@pytest.mark.parametrize("taps", [2, 3])
def test_kernels_know_no_size(taps: int) -> None:
    """Another batch, and another image with as many rows in its blocks, compile nothing."""
    w = ag.variable(np.random.default_rng(3).normal(size=(taps, taps, 4, 16)), dtype="float32")
    x = ag.placeholder((None, None, None, 4))
    y = ag.conv(x, w)
    f = ag.function([x], [y, *ag.gradients(ag.reduce_sum(y), [w])], executor="native")
    texts = []
    for shape in ((2, 10, 10, 4), (5, 10, 10, 4), (2, 12, 10, 4)):
        f(np.ones(shape, np.float32))
        texts.append({text for text in f._program.kernels if "fma" in text or "fmul" in text})
    assert texts[0] == texts[1] == texts[2]


def test_blocks_that_add_never_overlap() -> None:
    for m in range(1, 80):
        for n in range(1, 50):
            rows, vectors, masked = products.fitting(m, n, 8, True)
            assert m % rows == 0 and (masked or n % (8 * vectors) == 0)
            rows, vectors, masked = products.fitting(m, n, 8, False)
            assert rows <= m and (masked or n >= 8 * vectors)


def test_a_small_network_learns_as_on_numpy() -> None:
    rng = np.random.default_rng(4)
    images, labels = rng.normal(size=(8, 10, 10, 1)).astype(np.float32), np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)]
    losses = []
    for executor in ("native", "numpy"):
        start = np.random.default_rng(5)
        shapes = ((3, 3, 1, 4), (3, 3, 4, 8), (2 * 2 * 8, 3))
        a, b, c = weights = [ag.variable(0.3 * start.normal(size=shape), dtype="float32") for shape in shapes]
        x, t = ag.placeholder((None, 10, 10, 1)), ag.placeholder((None, 3))
        h = ag.max_pool(ag.relu(ag.conv(x, a, padding="same")), 2)
        h = ag.max_pool(ag.relu(ag.conv(h, b, padding="same")), 2)
        z = ag.matmul(ag.reshape(h, (-1, 32)), c)
        loss = -ag.reduce_mean(ag.reduce_sum(t * ag.log_softmax(z), -1))
        slopes = ag.gradients(loss, weights)
        step = ag.function([x, t], loss, [(w, w - 0.1 * g) for w, g in zip(weights, slopes, strict=True)], executor=executor)
        losses.append([float(step(images, labels)) for _ in range(20)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < 0.7 * losses[0][0]
