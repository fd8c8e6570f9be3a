"""Layers of sequences, images and volumes: convolution and pooling. Channels stand last, or first, as `data_format` says."""

from __future__ import annotations

from typing import Any

from autograph import backend as K
from autograph.arguments import choice, items, shown, whole
from autograph.errors import ArgumentError
from autograph.layers.choices import activation_of
from autograph.layers.layer import Layer

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Conv1D", "Conv2D", "Conv3D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
]  # fmt: skip


class Spatial(Layer):
    """The base of layers over `space` axes: (n, space…, channels), or with channels first (n, channels, space…)."""

    space = 0
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(self, padding: str = "valid", data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rank = self.space + 2
        choice(f"{type(self).__name__}: padding", padding, self.paddings)
        self.padding = padding
        self.data_format = K.normalize_data_format("channels_last" if self.space == 1 and data_format is None else data_format)

    def _sizes(self, what: str, value: Any) -> tuple[int, ...]:
        """A whole number for each axis of space, or the same for all."""
        found = tuple([whole(n, f"{type(self).__name__}: {what}", 1) for n in items(value)])
        if len(found) not in (1, self.space):
            raise ArgumentError(f"{type(self).__name__}: {what}={shown(value)}", fix=f"one whole number, or {self.space}")
        return found * self.space if len(found) == 1 else found

    def _channels(self) -> int:
        return 1 if self.data_format == "channels_first" else self.space + 1


class Convolution(Spatial):
    """activation(x ∗ kernel + bias), a correlation: each of `filters` outputs is a window's sum of products with its kernel.

    kernel_size, strides, dilation_rate   a number, or one for each axis of space
    padding                               "valid": windows that fit; "same": as many as there are steps of the stride

    Weights: kernel (space…, channels, filters), bias (filters,).
    """

    owns = {"kernel": "glorot_uniform", "bias": "zeros"}

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
        dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(padding, data_format, **options)
        self.filters, self.kernel_size = whole(filters, "filters", 1), self._sizes("kernel_size", kernel_size)
        self.strides, self.dilation_rate = self._sizes("strides", strides), self._sizes("dilation_rate", dilation_rate)
        self.activation, self.use_bias = activation_of(activation), use_bias

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight("kernel", (*self.kernel_size, input_shape[self._channels()], self.filters))
        self.bias = self.add_weight("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        convolve: Any = {1: K.conv1d, 2: K.conv2d, 3: K.conv3d}[self.space]
        steps, gaps = (self.strides, self.dilation_rate) if self.space > 1 else (self.strides[0], self.dilation_rate[0])
        result = convolve(inputs, self.kernel, steps, self.padding, self.data_format, gaps)
        return self.activation(result if self.bias is None else K.bias_add(result, self.bias, self.data_format))


class Conv1D(Convolution):
    __doc__ = Convolution.__doc__
    space, paddings = 1, ("valid", "same", "causal")


class Conv2D(Convolution):
    __doc__ = Convolution.__doc__
    space = 2


class Conv3D(Convolution):
    __doc__ = Convolution.__doc__
    space = 3


class Pooling(Spatial):
    """The greatest number, or the mean, of each window of `pool_size`; windows stand `strides` apart, `pool_size` if None.

    The mean does not count what "same" padding adds.
    """

    mode = ""

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(padding, data_format, **options)
        self.pool_size = self._sizes("pool_size", pool_size)
        self.strides = self._sizes("strides", pool_size if strides is None else strides)

    def call(self, inputs: Any) -> Any:
        if self.space == 3:
            return K.pool3d(inputs, self.pool_size, self.strides, self.padding, self.data_format, self.mode)
        flat = self.space == 1  # an image of one column
        column = 2 if self.data_format == "channels_last" else 3
        image, more = (K.expand_dims(inputs, column), (1,)) if flat else (inputs, ())
        pooled = K.pool2d(image, self.pool_size + more, self.strides + more, self.padding, self.data_format, self.mode)
        return K.squeeze(pooled, column) if flat else pooled


class GlobalPooling(Spatial):
    """The greatest number, or the mean, of each channel over all of space: (n, channels)."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__("valid", data_format, **options)

    def call(self, inputs: Any) -> Any:
        axes = [axis for axis in range(1, self.space + 2) if axis != self._channels()]
        return K.max(inputs, axis=axes) if "Max" in type(self).__name__ else K.mean(inputs, axis=axes)


def _pooling(base: type[Spatial], name: str, mode: str) -> list[Any]:
    """The class for each number of axes of space."""
    return [type(f"{name}{n}D", (base,), {"__doc__": base.__doc__, "space": n, "mode": mode}) for n in (1, 2, 3)]


MaxPooling1D, MaxPooling2D, MaxPooling3D = _pooling(Pooling, "MaxPooling", "max")
AveragePooling1D, AveragePooling2D, AveragePooling3D = _pooling(Pooling, "AveragePooling", "avg")
GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D = _pooling(GlobalPooling, "GlobalMaxPooling", "max")
GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D = _pooling(GlobalPooling, "GlobalAveragePooling", "avg")
