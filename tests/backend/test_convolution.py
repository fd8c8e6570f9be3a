"""Convolution and pooling of K: against torch, against what Keras 2.3.1 gave on TensorFlow, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograph import backend as K

Array = np.ndarray[Any, Any]
rng = np.random.default_rng(3)
IMAGE = np.arange(1, 26, dtype=np.float32).reshape(1, 5, 5, 1)
EVEN = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1, 1)
ONES = np.ones((3, 3, 1, 1), np.float32)


def drawn(*shape: int) -> Array:
    return rng.normal(size=shape).astype(np.float32)


def v(x: Any) -> Any:
    return K.variable(np.asarray(x, np.float32))


# what Keras gave -----------------------------------------------------------------------------------------------------

GOLDENS: tuple[tuple[str, Callable[[], Any], Any], ...] = (
    ("same, even kernel", lambda: K.conv2d(v(IMAGE), v(EVEN), padding="same"),
     [[51, 61, 71, 81, 35], [101, 111, 121, 131, 55], [151, 161, 171, 181, 75], [201, 211, 221, 231, 95], [65, 68, 71, 74, 25]]),
    ("same, stride 2", lambda: K.conv2d(v(IMAGE), v(ONES), (2, 2), "same"), [[16, 33, 28], [69, 117, 87], [76, 123, 88]]),
    ("same, stride 2, even kernel", lambda: K.conv2d(v(IMAGE), v(EVEN), (2, 2), "same"),
     [[51, 71, 35], [151, 171, 75], [65, 71, 25]]),
    ("same, stride 2 on 4x4", lambda: K.conv2d(v(IMAGE[:, :4, :4]), v(ONES), (2, 2), "same"), [[63, 51], [87, 64]]),
    ("average, same", lambda: K.pool2d(v(IMAGE), (2, 2), (2, 2), "same", pool_mode="avg"),
     [[4, 6, 7.5], [14, 16, 17.5], [21.5, 23.5, 25]]),
    ("max, same", lambda: K.pool2d(v(IMAGE[:, :4, :4]), (3, 3), (2, 2), "same"), [[13, 14], [18, 19]]),
    ("causal, dilation 2", lambda: K.conv1d(v(np.arange(1, 7).reshape(1, 6, 1)), v(np.array([1, 2]).reshape(2, 1, 1)),
                                            padding="causal", dilation_rate=2), [2, 4, 7, 10, 13, 16]),
    ("transposed, valid", lambda: K.conv2d_transpose(v(IMAGE[:, :2, :2]), v(ONES), (1, 5, 5, 1), (2, 2)),
     [[1, 1, 3, 2, 2], [1, 1, 3, 2, 2], [7, 7, 16, 9, 9], [6, 6, 13, 7, 7], [6, 6, 13, 7, 7]]),
    ("transposed, same", lambda: K.conv2d_transpose(v(IMAGE[:, :2, :2]), v(np.arange(9).reshape(3, 3, 1, 1)), (1, 4, 4, 1),
                                                    (2, 2), "same"),
     [[0, 1, 2, 2], [3, 4, 11, 8], [6, 13, 32, 21], [18, 24, 51, 28]]),
    ("bilinear", lambda: K.resize_images(v(IMAGE[:, :2, :2]), 2, 2, "channels_last", "bilinear"),
     [[1, 1.5, 2, 2], [3.5, 4, 4.5, 4.5], [6, 6.5, 7, 7], [6, 6.5, 7, 7]]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "make", "wanted"), GOLDENS, ids=[name for name, *_ in GOLDENS])
def test_values_are_those_of_keras(name: str, make: Callable[[], Any], wanted: Any) -> None:
    np.testing.assert_allclose(K.eval(make())[0, ..., 0], wanted, rtol=1e-6)


# against torch -------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A function of K of arrays that have their channels last, and the same in torch, channels first."""

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]


def turned(kernel: Any) -> Any:
    """(taps…, in, out) → (out, in, taps…)."""
    return kernel.movedim(-1, 0).movedim(-1, 1)


def depthwise(F: Any, x: Any, kernel: Any, **options: Any) -> Any:
    h, w, c, m = kernel.shape
    return F.conv2d(x, kernel.reshape(h, w, c * m).movedim(-1, 0)[:, None], groups=c, **options)


def _separable1(F: Any, x: Any, a: Any, b: Any) -> Any:
    k, c, m = a.shape
    return F.conv1d(F.conv1d(x, a.reshape(k, c * m).movedim(-1, 0)[:, None], groups=c, stride=2), turned(b))


CASES = (
    Case("conv1d", lambda x, w, f: K.conv1d(x, w, 2, data_format=f), lambda F, x, w: F.conv1d(x, turned(w), stride=2),
         ((2, 9, 3), (3, 3, 4))),
    Case("conv1d dilated", lambda x, w, f: K.conv1d(x, w, 1, "same", f, 2),
         lambda F, x, w: F.conv1d(x, turned(w), padding=2, dilation=2), ((2, 9, 3), (3, 3, 4))),
    Case("conv2d", lambda x, w, f: K.conv2d(x, w, data_format=f), lambda F, x, w: F.conv2d(x, turned(w)),
         ((2, 7, 6, 3), (3, 2, 3, 4))),
    Case("conv2d same, strides", lambda x, w, f: K.conv2d(x, w, (2, 1), "same", f),
         lambda F, x, w: F.conv2d(F.pad(x, (0, 1, 1, 1)), turned(w), stride=(2, 1)), ((2, 7, 6, 3), (3, 2, 3, 4))),
    Case("conv2d dilated", lambda x, w, f: K.conv2d(x, w, data_format=f, dilation_rate=(2, 1)),
         lambda F, x, w: F.conv2d(x, turned(w), dilation=(2, 1)), ((2, 7, 6, 3), (3, 2, 3, 4))),
    Case("conv3d", lambda x, w, f: K.conv3d(x, w, (1, 2, 1), "same", f),
         lambda F, x, w: F.conv3d(F.pad(x, (1, 1, 0, 1, 0, 1)), turned(w), stride=(1, 2, 1)), ((2, 3, 4, 5, 2), (2, 3, 3, 2, 3))),
    Case("depthwise_conv2d", lambda x, w, f: K.depthwise_conv2d(x, w, (2, 2), data_format=f),
         lambda F, x, w: depthwise(F, x, w, stride=2), ((2, 7, 6, 3), (3, 2, 3, 2))),
    Case("separable_conv1d", lambda x, a, b, f: K.separable_conv1d(x, a, b, 2, data_format=f), _separable1,
         ((2, 9, 3), (3, 3, 2), (1, 6, 4))),
    Case("separable_conv2d", lambda x, a, b, f: K.separable_conv2d(x, a, b, padding="same", data_format=f),
         lambda F, x, a, b: F.conv2d(depthwise(F, x, a, padding=1), turned(b)), ((2, 5, 6, 3), (3, 3, 3, 2), (1, 1, 6, 4))),
    Case("conv2d_transpose", lambda x, w, f: K.conv2d_transpose(x, w, sized(f, None, 9, 8, 2), (2, 2), data_format=f),
         lambda F, x, w: F.conv_transpose2d(x, turned(w), stride=2, output_padding=(0, 0)), ((2, 4, 3, 3), (3, 4, 2, 3))),
    Case("conv3d_transpose", lambda x, w, f: K.conv3d_transpose(x, w, sized(f, 2, 4, 5, 3, 2), (2, 2, 1), "same", f),
         lambda F, x, w: F.conv_transpose3d(x, turned(w), stride=(2, 2, 1), padding=(0, 1, 1), output_padding=(0, 0, 0)),
         ((2, 2, 3, 3, 3), (2, 3, 3, 2, 3))),
    Case("max", lambda x, f: K.pool2d(x, (2, 3), (2, 1), data_format=f), lambda F, x: F.max_pool2d(x, (2, 3), (2, 1)),
         ((2, 7, 6, 3),)),
    Case("max same", lambda x, f: K.pool2d(x, (3, 3), (1, 1), "same", f), lambda F, x: F.max_pool2d(x, 3, 1, 1), ((2, 7, 6, 3),)),
    Case("max 3d", lambda x, f: K.pool3d(x, (2, 2, 2), (2, 2, 2), data_format=f), lambda F, x: F.max_pool3d(x, 2),
         ((2, 4, 5, 6, 2),)),
    Case("average", lambda x, f: K.pool2d(x, (3, 3), (1, 2), "same", f, "avg"),
         lambda F, x: F.avg_pool2d(x, 3, (1, 2), 1, count_include_pad=False), ((2, 6, 7, 3),)),
    Case("average 3d", lambda x, f: K.pool3d(x, (2, 1, 3), (1, 1, 1), data_format=f, pool_mode="avg"),
         lambda F, x: F.avg_pool3d(x, (2, 1, 3), 1), ((2, 4, 5, 6, 2),)),
)  # fmt: skip


def sized(data_format: str, batch: Any, *sizes: int) -> tuple[Any, ...]:
    """An output shape for that order of axes."""
    return (batch, sizes[-1], *sizes[:-1]) if data_format == "channels_first" else (batch, *sizes)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_gradients_are_those_of_torch(case: Case, data_format: str) -> None:
    torch = pytest.importorskip("torch")
    arrays = [drawn(*shape) for shape in case.shapes]
    given = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = case.theirs(torch.nn.functional, given[0].movedim(-1, 1), *given[1:])
    weights = drawn(*y.shape)
    wanted = [g.numpy() for g in torch.autograd.grad((y * torch.tensor(weights)).sum(), given)]
    if data_format == "channels_first":
        arrays[0], wanted[0] = (np.moveaxis(a, -1, 1) for a in (arrays[0], wanted[0]))
    else:
        y, weights = y.movedim(1, -1), np.moveaxis(weights, 1, -1)
    variables = [K.variable(a) for a in arrays]
    ours = case.ours(*variables, data_format)
    assert K.int_shape(ours)[1:] == tuple(y.shape[1:])
    np.testing.assert_allclose(K.eval(ours), y.detach().numpy(), rtol=1e-4, atol=1e-5)
    for got, want in zip(K.gradients(ours * weights, variables), wanted, strict=True):
        np.testing.assert_allclose(K.eval(got), want, rtol=1e-4, atol=1e-5)


# sizes that are not known --------------------------------------------------------------------------------------------


def test_the_batch_may_be_unknown() -> None:
    x = K.placeholder((None, 8, 8, 3))
    y = K.conv2d(x, v(drawn(3, 3, 3, 4)), (2, 2), "same")
    assert K.int_shape(y) == (None, 4, 4, 4)
    assert K.int_shape(K.pool2d(y, (2, 2), (2, 2))) == (None, 2, 2, 4)
    assert K.int_shape(K.conv2d_transpose(y, v(drawn(3, 3, 5, 4)), (None, 8, 8, 5), (2, 2), "same")) == (None, 8, 8, 5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sizes_of_space_may_be_unknown(padding: str) -> None:
    x, w = K.placeholder((None, None, None, 2)), v(drawn(3, 3, 2, 4))
    y = K.conv2d(x, w, (2, 2), padding)
    means = K.pool2d(y, (2, 2), (1, 1), padding, pool_mode="avg")
    back = K.conv2d_transpose(y, w, K.shape(x), (2, 2), padding)
    sizes = K.shape(x)
    one_by_one = K.conv2d_transpose(y, w, (None, sizes[1], sizes[2], 2), (2, 2), padding)
    assert K.int_shape(y) == (None, None, None, 4) and K.int_shape(back) == (None, None, None, 2)
    step = K.function([x], [y, means, back, one_by_one, *K.gradients(means, [x, w])])
    for shape in ((2, 7, 5, 2), (1, 6, 8, 2)):
        image = drawn(*shape)
        fixed = K.variable(image)
        known = K.conv2d(fixed, w, (2, 2), padding)
        wanted = [known, K.pool2d(known, (2, 2), (1, 1), padding, pool_mode="avg"),
                  *[K.conv2d_transpose(known, w, shape, (2, 2), padding)] * 2]  # fmt: skip
        wanted += K.gradients(wanted[1], [fixed, w])
        for got, want in zip(step([image]), wanted, strict=True):
            np.testing.assert_allclose(got, K.eval(want), rtol=1e-5, atol=1e-6)


# kernels of their own at every place ---------------------------------------------------------------------------------


def test_a_kernel_of_its_own_at_every_place_of_a_sequence() -> None:
    x, w = drawn(2, 7, 3), drawn(3, 6, 4)
    y = K.local_conv1d(K.variable(x), K.variable(w), (2,), (2,))
    wanted = np.stack([x[:, 2 * i : 2 * i + 2].reshape(2, 6) @ w[i] for i in range(3)], 1)
    np.testing.assert_allclose(K.eval(y), wanted, rtol=1e-5, atol=1e-6)
    assert K.int_shape(K.local_conv1d(K.placeholder((None, 7, 3)), K.variable(w), (2,), (2,))) == (None, 3, 4)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_kernel_of_its_own_at_every_place_of_an_image(data_format: str) -> None:
    x, w = drawn(2, 5, 6, 3), drawn(2 * 3, 2 * 3 * 3, 4)
    wanted = np.zeros((2, 2, 3, 4), np.float32)
    for i, j in np.ndindex(2, 3):
        seen = x[:, 2 * i : 2 * i + 2, j : j + 3]
        if data_format == "channels_first":
            seen = np.moveaxis(seen, -1, 1)
        wanted[:, i, j] = seen.reshape(2, -1) @ w[i * 3 + j]
    if data_format == "channels_first":
        x, wanted = np.moveaxis(x, -1, 1), np.moveaxis(wanted, -1, 1)
    variables = [K.variable(x), K.variable(w)]
    y = K.local_conv2d(*variables, (2, 3), (2, 1), (2, 3), data_format)
    np.testing.assert_allclose(K.eval(y), wanted, rtol=1e-5, atol=1e-6)
    slopes = K.gradients(K.square(y), variables)
    np.testing.assert_allclose([np.vdot(K.eval(g), K.get_value(x)) for g, x in zip(slopes, variables, strict=True)],
                               2 * np.square(wanted).sum(), rtol=1e-4)  # fmt: skip


# equal maxima --------------------------------------------------------------------------------------------------------


def test_of_equal_maxima_the_first_gets_the_gradient() -> None:
    x = K.variable(np.array([[1, 3, 3], [3, 0, 2], [5, 5, 5]], np.float32).reshape(1, 3, 3, 1))
    (g,) = K.gradients(K.pool2d(x, (2, 2)), [x])
    assert K.eval(g)[0, ..., 0].tolist() == [[0, 2, 0], [0, 0, 0], [1, 1, 0]]


def test_what_is_added_at_the_ends_never_is_the_maximum() -> None:
    x = K.variable(np.full((1, 3, 3, 1), -np.inf, np.float32))
    (g,) = K.gradients(K.pool2d(x, (3, 3), (1, 1), "same"), [x])
    assert K.eval(g)[0, ..., 0].tolist() == [[4, 2, 0], [2, 1, 0], [0, 0, 0]]


# mistakes ------------------------------------------------------------------------------------------------------------

_1D, _2D, _3D = K.placeholder((2, 9, 3)), K.placeholder((2, 9, 9, 3)), K.placeholder((2, 9, 9, 9, 3))
_W1, _W2, _W3 = K.placeholder((3, 3, 4)), K.placeholder((3, 3, 3, 4)), K.placeholder((3, 3, 3, 3, 4))
_POINT = K.placeholder((1, 1, 12, 2))

MISTAKES: tuple[Callable[[], Any], ...] = (
    lambda: K.conv1d(_1D, _W1, data_format="channels_middle"),
    lambda: K.conv2d(_2D, _W2, data_format="channels_middle"),
    lambda: K.conv3d(_3D, _W3, data_format="channels_middle"),
    lambda: K.separable_conv2d(_2D, _W2, _POINT, data_format="channels_middle"),
    lambda: K.depthwise_conv2d(_2D, _W2, data_format="channels_middle"),
    lambda: K.pool2d(_2D, (2, 2), data_format="channels_middle"),
    lambda: K.pool3d(_3D, (2, 2, 2), data_format="channels_middle"),
    lambda: K.conv1d(_1D, _W1, padding="twice"),
    lambda: K.conv2d(_2D, _W2, padding="causal"),
    lambda: K.conv1d(_1D, _W1, padding="causal", data_format="channels_first"),
    lambda: K.pool2d(_2D, (2, 2), padding="twice"),
    lambda: K.pool3d(_3D, (2, 2, 2), padding="twice"),
    lambda: K.pool2d(_2D, (2, 2), pool_mode="median"),
    lambda: K.pool3d(_3D, (2, 2, 2), pool_mode="median"),
    lambda: K.conv2d(_2D, _W2, (2, 2), dilation_rate=(2, 2)),
    lambda: K.conv2d(_1D, _W2),
    lambda: K.conv2d(_2D, K.placeholder((3, 3, 2, 4))),
    lambda: K.conv2d(_2D, K.placeholder((10, 3, 3, 4))),
    lambda: K.conv2d_transpose(_2D, K.placeholder((3, 3, 4, 3)), (None, 9, 9), (1, 1), "same"),
    lambda: K.conv2d_transpose(_2D, K.placeholder((3, 3, 4, 3)), (None, 9, 10, 4), (1, 1), "same"),
    lambda: K.depthwise_conv2d(_2D, K.placeholder((3, 3, None, 4))),
    lambda: K.local_conv1d(_1D, K.placeholder((5, 6, 4)), (2,), (1,), "channels_middle"),
    lambda: K.local_conv2d(_2D, K.placeholder((5, 12, 4)), (2, 2), (1, 1), (2, 2)),
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_value_errors(mistake: Callable[[], Any]) -> None:
    with pytest.raises(ValueError):
        mistake()
