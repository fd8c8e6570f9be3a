"""Layers that move and scale what passes to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from autograph import backend as K
from autograph.arguments import items, number
from autograph.errors import AxisError
from autograph.layers.layer import Layer

__all__ = ["BatchNormalization", "LayerNormalization"]


class Normalization(Layer):
    """What both have: gamma and beta, the scale and the shift afterwards, of the sizes of `axis`."""

    owns = {"gamma": "ones", "beta": "zeros"}
    least_rank = 2
    supports_masking = True

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self.axis, self.epsilon, self.center, self.scale = axis, number(epsilon, "epsilon"), center, scale

    def build(self, input_shape: Any) -> None:
        for axis in items(self.axis):
            if not -len(input_shape) <= axis < len(input_shape):
                raise AxisError(f"the input {input_shape} has no axis {axis}", fix="-1 is the last one")
        sizes = [input_shape[axis] for axis in sorted(items(self.axis), key=lambda axis: axis % len(input_shape))]
        self.gamma = self.add_weight("gamma", sizes) if self.scale else None
        self.beta = self.add_weight("beta", sizes) if self.center else None


class BatchNormalization(Normalization):
    """(x - mean) / √(variance + epsilon) · gamma + beta, for each index along `axis`: in the shape of x (Ioffe & Szegedy 2015).

    In training mean and variance are the batch's, and moving averages follow by `updates`; in test they are these
    averages. Weights: gamma, beta, moving_mean, moving_variance. The moving variance follows that of the batch times
    n / (n - 1 - epsilon), as in Keras.
    """

    owns = {**Normalization.owns, "moving_mean": "zeros", "moving_variance": "ones"}

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(axis, epsilon, center, scale, **options)
        self.momentum = number(momentum, "BatchNormalization: momentum")

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.moving_mean = self.add_weight("moving_mean", (input_shape[self.axis],), trainable=False)
        self.moving_variance = self.add_weight("moving_variance", (input_shape[self.axis],), trainable=False)

    def call(self, inputs: Any, training: Any = None) -> Any:
        def by_averages() -> Any:
            averages = self.moving_mean, self.moving_variance
            return K.batch_normalization(inputs, *averages, self.beta, self.gamma, self.axis, self.epsilon)

        if training is not None and not K.is_tensor(training) and not training:
            return by_averages()
        axes = [i for i in range(K.ndim(inputs)) if i != self.axis % K.ndim(inputs)]
        normed, mean, variance = K.normalize_batch_in_training(inputs, self.gamma, self.beta, axes, self.epsilon)
        count = K.cast(K.prod(K.stack([K.shape(inputs)[axis] for axis in axes])), K.dtype(inputs))
        unbiased = variance * (count / (count - (1.0 + self.epsilon)))
        self.add_update(K.moving_average_update(self.moving_mean, mean, self.momentum))
        self.add_update(K.moving_average_update(self.moving_variance, unbiased, self.momentum))
        return K.in_train_phase(normed, by_averages, training)


class LayerNormalization(Normalization):
    """(x - mean) / √(variance + epsilon) · gamma + beta, each sample by itself along `axis`: in the shape of x (Ba et al. 2016).

    Weights: gamma, beta, of the sizes of `axis`, which is one axis or several.
    """

    def call(self, inputs: Any) -> Any:
        axes = [axis % K.ndim(inputs) for axis in items(self.axis)]
        normed, _, _ = K.normalize_batch_in_training(inputs, None, None, axes, self.epsilon)
        sizes = [K.int_shape(inputs)[axis] if axis in axes else 1 for axis in range(K.ndim(inputs))]
        scaled = normed if self.gamma is None else normed * K.reshape(self.gamma, sizes)
        return scaled if self.beta is None else scaled + K.reshape(self.beta, sizes)
