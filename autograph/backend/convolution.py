"""Convolutions of sequences, images and volumes: shared, separable, transposed and locally connected.

Kernels are (space…, channels in, channels out) for both data formats, and are not turned round. Where channels stand in the
data, `data_format` says: (samples, space…, channels) for "channels_last", (samples, channels, space…) for "channels_first".
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from autograph.arguments import choice, items, shown
from autograph.backend.operands import check_rank, tensor
from autograph.backend.settings import normalize_data_format
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.tensor import Constant, Tensor
from autograph.ops import convolution
from autograph.ops.contraction import matmul
from autograph.ops.gathering import gather
from autograph.ops.movement import broadcast_to, moveaxis, reshape, transpose
from autograph.ops.shape import shape as shape_of

__all__ = [
    "conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose", "depthwise_conv2d", "local_conv1d", "local_conv2d",
    "separable_conv1d", "separable_conv2d",
]  # fmt: skip

Steps = int | Sequence[int]


def _arguments(what: str, x: Any, kernel: Any, padding: Any, data_format: str | None) -> tuple[Tensor, Tensor, bool]:
    """`x` with its channels last, the kernel, and whether the channels of x stood first."""
    first = normalize_data_format(data_format) == "channels_first"
    choice(f"{what}: padding", padding, ("valid", "same"))
    images, weights = tensor(x), tensor(kernel)
    space = next(int(letter) for letter in what if letter.isdigit())
    check_rank(what, images, space)
    _check_kernel(what, weights, space + 2)
    return (moveaxis(images, 1, -1) if first else images), weights, first


def _check_kernel(what: str, kernel: Tensor, rank: int) -> None:
    if kernel.ndim != rank:
        fix = "it has the sizes of a window, and channels in and out"
        raise ShapeError(f"{what}: the kernel {kernel.describe()} has rank {kernel.ndim}, not {rank}", fix=fix)


def _returned(y: Tensor, first: bool) -> Tensor:
    return moveaxis(y, -1, 1) if first else y


def _convolved(
    what: str, x: Any, kernel: Any, strides: Steps, padding: str, data_format: str | None, dilation: Steps
) -> Tensor:
    images, weights, first = _arguments(what, x, kernel, padding, data_format)
    _check_steps(what, strides, dilation)
    return _returned(convolution.conv(images, weights, strides, padding, dilation), first)


def _each_channel(
    what: str, x: Any, kernel: Any, strides: Steps, padding: str, data_format: str | None, dilation: Steps
) -> Tensor:
    images, weights, first = _arguments(what, x, kernel, padding, data_format)
    _check_steps(what, strides, dilation)
    *taps, c, many = _known(what, weights)
    return _returned(convolution.conv(images, reshape(weights, (*taps, 1, c * many)), strides, padding, dilation, c), first)


def _known(what: str, kernel: Tensor) -> tuple[int, ...]:
    """The shape of the kernel. Raises ShapeError where a size is not known."""
    if not kernel.type.is_static:
        raise ShapeError(f"{what}: the sizes of {kernel.describe()} have to be known", fix="give the placeholder its shape")
    return kernel.shape  # type: ignore[return-value]  # static


def _check_steps(what: str, strides: Steps, dilation: Steps) -> None:
    if set(items(strides)) - {1} and set(items(dilation)) - {1}:
        raise ArgumentError(
            f"{what}: strides={shown(strides)} with dilation_rate={shown(dilation)}", fix="one of them has to be 1"
        )


# one kernel for all places -------------------------------------------------------------------------------------------


def conv1d(
    x: Any, kernel: Any, strides: int = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: int = 1
) -> Tensor:
    """Convolution of sequences of rank 3 by a kernel (steps, channels in, channels out).

    padding  "valid", "same", or "causal": zeros before the first step alone, so that no result sees a later one

    Raises ArgumentError for another padding or data format, for "causal" with channels first, and where both strides and
    dilation are above 1; ShapeError where ranks or channels do not fit, or the kernel is longer than the sequence.
    """
    choice("conv1d: padding", padding, ("valid", "same", "causal"))
    if padding != "causal":
        return _convolved("conv1d", x, kernel, strides, padding, data_format, dilation_rate)
    if normalize_data_format(data_format) != "channels_last":
        raise ArgumentError('conv1d: padding="causal" with channels first', fix='data_format="channels_last"')
    sequences, weights, _ = _arguments("conv1d", x, kernel, "valid", data_format)
    _check_steps("conv1d", strides, dilation_rate)
    before = convolution.steps_of("conv1d: dilation_rate", dilation_rate, 1)[0] * (_known("conv1d", weights)[0] - 1)
    return convolution.conv(sequences, weights, strides, [(before, 0)], dilation_rate)


def conv2d(
    x: Any, kernel: Any, strides: Steps = (1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Steps = (1, 1),
) -> Tensor:  # fmt: skip
    """Convolution of images of rank 4 by a kernel (height, width, channels in, channels out).

    padding  "valid": no zeros; "same": as many as give ⌈size / stride⌉ places, the smaller half before

    Raises ArgumentError for another padding or data format, and where both strides and dilation are above 1; ShapeError
    where ranks or channels do not fit, or the kernel is larger than the image.
    """
    return _convolved("conv2d", x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any, kernel: Any, strides: Steps = (1, 1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Steps = (1, 1, 1),
) -> Tensor:  # fmt: skip
    """Convolution of volumes of rank 5 by a kernel (depth, height, width, channels in, channels out); else as `conv2d`."""
    return _convolved("conv3d", x, kernel, strides, padding, data_format, dilation_rate)


def depthwise_conv2d(
    x: Any, depthwise_kernel: Any, strides: Steps = (1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Steps = (1, 1),
) -> Tensor:  # fmt: skip
    """Convolution of each channel alone, by a kernel (height, width, channels, multiplier).

    The result has channels · multiplier channels, those of one channel beside each other. Raises as `conv2d` does.
    """
    return _each_channel("depthwise_conv2d", x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv1d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: int = 1, padding: str = "valid",
    data_format: str | None = None, dilation_rate: int = 1,
) -> Tensor:  # fmt: skip
    """Convolution of each channel of sequences alone, and then of all channels of each step.

    Shapes: kernels (steps, channels, multiplier) and (1, channels · multiplier, channels out). Raises as `conv1d` does.
    """
    alone = _each_channel("separable_conv1d", x, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return _convolved("separable_conv1d", alone, pointwise_kernel, 1, "valid", data_format, 1)


def separable_conv2d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Steps = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Steps = (1, 1),
) -> Tensor:  # fmt: skip
    """Convolution of each channel of images alone, and then of all channels of each pixel.

    Shapes: kernels (height, width, channels, multiplier) and (1, 1, channels · multiplier, channels out). Raises as
    `conv2d` does.
    """
    alone = _each_channel("separable_conv2d", x, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return _convolved("separable_conv2d", alone, pointwise_kernel, 1, "valid", data_format, 1)


# transposed ----------------------------------------------------------------------------------------------------------


def conv2d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Steps = (1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Steps = (1, 1),
) -> Tensor:  # fmt: skip
    """The transpose of `conv2d`: images of `output_shape`, of which `conv2d` by this kernel makes what `x` is.

    kernel        (height, width, channels out, channels in)
    output_shape  sizes of the result, numbers or tensors, or a vector of them; that of the batch may be None

    Raises ArgumentError as `conv2d` does, ShapeError where `conv2d` does not make as many places of these sizes as x has.
    """
    return _transposed("conv2d_transpose", x, kernel, output_shape, strides, padding, data_format, dilation_rate)


def conv3d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Steps = (1, 1, 1), padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The transpose of `conv3d`, as `conv2d_transpose` is that of `conv2d`."""
    return _transposed("conv3d_transpose", x, kernel, output_shape, strides, padding, data_format, 1)


def _transposed(
    what: str, x: Any, kernel: Any, output_shape: Any, strides: Steps, padding: str, data_format: str | None, dilation: Steps
) -> Tensor:
    images, weights, first = _arguments(what, x, kernel, padding, data_format)
    _check_steps(what, strides, dilation)
    sizes = _sizes(what, output_shape, images.ndim)
    space = sizes[2:] if first else sizes[1:-1]
    target: Any = space
    if any(isinstance(n, Tensor) for n in space):
        target = broadcast_to(Constant(np.zeros((), images.dtype)), (shape_of(images)[0], *space, weights.shape[-2]))
    return _returned(convolution.conv_transpose(images, weights, target, strides, padding, dilation), first)


def _sizes(what: str, output_shape: Any, rank: int) -> list[Any]:
    """The sizes as numbers where they are known, else as tensors of rank 0."""
    if isinstance(output_shape, Tensor):
        given = [output_shape[k] for k in range(rank)] if output_shape.shape == (rank,) else []
    else:
        given = items(output_shape)
    if len(given) != rank:
        raise ShapeError(f"{what}: output_shape={shown(output_shape)}", fix=f"{rank} sizes, None for that of the batch")
    return [int(n.value) if isinstance(n, Constant) else n for n in given]


# kernels of their own at every place ---------------------------------------------------------------------------------


def local_conv1d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None) -> Tensor:
    """Convolution of sequences (samples, steps, channels) with a kernel of its own at every place.

    kernel  (places, kernel_size · channels, channels out)

    Shape: (samples, places, channels out). Raises ArgumentError for another data format, ShapeError where sizes do not fit.
    """
    normalize_data_format(data_format)
    sequences, weights = tensor(inputs), tensor(kernel)
    check_rank("local_conv1d", sequences, 1)
    _check_kernel("local_conv1d", weights, 3)
    (places, *_), (taps,) = _known("local_conv1d", weights), convolution.steps_of("local_conv1d: kernel_size", kernel_size, 1)
    seen = _windows(sequences, 1, taps, convolution.steps_of("local_conv1d: strides", strides, 1)[0], places)
    return _by_place(moveaxis(seen, 1, 0), weights, (places,))


def local_conv2d(
    inputs: Any, kernel: Any, kernel_size: Sequence[int], strides: Sequence[int], output_shape: Sequence[int],
    data_format: str | None = None,
) -> Tensor:  # fmt: skip
    """Convolution of images with a kernel of its own at every place.

    kernel        (rows · columns, features, channels out): features are those of one window, in the order of the data
    output_shape  how many rows and columns of places there are

    Shape: as of the data, with the rows and columns of places, and channels out. Raises as `local_conv1d` does.
    """
    first = normalize_data_format(data_format) == "channels_first"
    images, weights = tensor(inputs), tensor(kernel)
    check_rank("local_conv2d", images, 2)
    _check_kernel("local_conv2d", weights, 3)
    _known("local_conv2d", weights)
    named = {"kernel_size": kernel_size, "strides": strides, "output_shape": output_shape}
    taps, steps, places = (convolution.steps_of(f"local_conv2d: {name}", given, 2) for name, given in named.items())
    axis = 2 if first else 1
    for k in range(2):  # places stand before what the window sees there
        images = _windows(images, axis + 2 * k, taps[k], steps[k], places[k])
    result = _by_place(moveaxis(images, (axis, axis + 2), (0, 1)), weights, places)
    return moveaxis(result, -1, 1) if first else result


def _windows(x: Tensor, axis: int, taps: int, stride: int, places: int) -> Tensor:
    """What windows along an axis see: two axes in its place, that of the places and that of the taps."""
    return gather(x, np.arange(places)[:, None] * stride + np.arange(taps), axis)


def _by_place(seen: Tensor, kernel: Tensor, places: tuple[int, ...]) -> Tensor:
    """(places…, samples, features…) by (places, features, channels out) → (samples, places…, channels out)."""
    count, features, channels = kernel.shape
    if count != prod(places):
        fix = "give it (places, features of a window, channels out)"
        raise ShapeError(f"the kernel {kernel.describe()} is for {count} places, not {prod(places)}", fix=fix)
    rows = reshape(seen, (count, -1, features))
    return reshape(transpose(matmul(rows, kernel), (1, 0, 2)), (-1, *places, channels))
