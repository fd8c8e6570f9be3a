"""Layers of every network: dense, activations, shapes, dropout, embeddings, and functions of your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from math import prod
from typing import Any

from autograph import backend as K
from autograph.arguments import items, number, shown, whole
from autograph.errors import ArgumentError, ShapeError
from autograph.layers.choices import activation_of
from autograph.layers.layer import Layer

__all__ = ["Activation", "Dense", "Dropout", "Embedding", "Flatten", "Lambda", "Reshape"]


class Dense(Layer):
    """activation(x · kernel + bias): (…, in) → (…, units). Weights: kernel (in, units), bias (units,)."""

    least_rank = 2
    supports_masking = True

    owns = {"kernel": "glorot_uniform", "bias": "zeros"}

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, input_dim: int | None = None, **options: Any
    ) -> None:
        super().__init__(**({} if input_dim is None else {"input_shape": (input_dim,)}), **options)
        self.units, self.activation, self.use_bias = whole(units, "Dense: units", 1), activation_of(activation), use_bias

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.bias = self.add_weight("bias", (self.units,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        product = K.dot(inputs, self.kernel)
        return self.activation(product if self.bias is None else product + self.bias)


class Activation(Layer):
    """A function of each tensor, as "relu" or `K.tanh`: in the shape of its input."""

    supports_masking = True

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activation_of(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


class Flatten(Layer):
    """Every sample as a vector: (n, a, b, …) → (n, a·b·…). With channels first these are moved to the end before."""

    least_rank = 2

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = K.normalize_data_format(data_format)

    def call(self, inputs: Any) -> Any:
        rank = K.ndim(inputs)
        first = self.data_format == "channels_first" and rank > 2
        return K.batch_flatten(K.permute_dimensions(inputs, (0, *range(2, rank), 1)) if first else inputs)


class Reshape(Layer):
    """Every sample in the shape `target_shape`, in which one size may be -1: (n, …) → (n, *target_shape)."""

    def __init__(self, target_shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(items(target_shape))

    def call(self, inputs: Any) -> Any:
        sizes, target = K.int_shape(inputs)[1:], self.target_shape
        if None in sizes:
            return K.reshape(inputs, (K.shape(inputs)[0], *target))
        count, fixed = prod(sizes), prod([n for n in target if n != -1])  # type: ignore[arg-type]  # all are known
        known = [count // max(fixed, 1) if n == -1 else n for n in target]
        if prod(known) != count:
            raise ShapeError(f"{sizes} does not reshape to {target}", fix=f"a sample has {count} elements")
        return K.reshape(inputs, (-1, *known))


class Dropout(Layer):
    """In training each element is 0 with probability `rate`, the others are divided by 1 - rate; in test nothing changes.

    noise_shape   the shape in which it is decided, as (None, 1, 8): it broadcasts, None is the size of the input
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Sequence[Any] | None = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rate, self.noise_shape, self.seed = dropped(rate, "Dropout: rate"), noise_shape, seed

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not self.rate:
            return inputs
        return K.in_train_phase(lambda: K.dropout(inputs, self.rate, self.noise_shape, self.seed), inputs, training)


def dropped(rate: Any, what: str) -> float:
    """A share that is dropped. Raises ArgumentError unless 0 ≤ rate < 1."""
    found = number(rate, what)
    if not 0 <= found < 1:
        raise ArgumentError(f"{what} is {shown(rate)}", fix="it is the share that is dropped: 0 ≤ rate < 1")
    return found


class Embedding(Layer):
    """A row of a table for each index: integers (n, …) → (n, …, output_dim). Weights: embeddings (input_dim, output_dim).

    mask_zero   whether 0 stands for nothing: layers after it that know masks leave such steps out
    """

    owns = {"embeddings": "uniform"}

    def __init__(
        self, input_dim: int, output_dim: int, mask_zero: bool = False, input_length: int | None = None, **options: Any
    ) -> None:
        super().__init__(**{"input_shape": (input_length,), **options})
        self.input_dim, self.output_dim = whole(input_dim, "input_dim", 1), whole(output_dim, "output_dim", 1)
        self.mask_zero = self.supports_masking = mask_zero

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        return K.gather(self.embeddings, K.cast(inputs, "int32"))

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return K.not_equal(inputs, 0) if self.mask_zero else None


class Lambda(Layer):
    """A function of tensors as a layer, `Lambda(K.square)`; it may take `mask` and `training`, and `arguments` by name.

    `output_shape` is not needed: shapes are inferred. `mask` is the mask of what it gives, or a function of input and mask.
    """

    supports_masking = True

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
        arguments: Mapping[str, Any] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.function, self.mask, self.arguments = function, mask, dict(arguments or {})

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        wanted = signature(self.function).parameters
        known = {name: value for name, value in {"mask": mask, "training": training}.items() if name in wanted}
        return self.function(inputs, **known, **self.arguments)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask
