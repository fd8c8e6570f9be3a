"""Layers that take several tensors and give one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from autograph import backend as K
from autograph.arguments import shown
from autograph.errors import ArgumentTypeError
from autograph.graph.tensor import Tensor
from autograph.layers.layer import Layer

__all__ = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]


class Merge(Layer):
    """The base of layers that are called on a list of tensors; sizes broadcast, lower ranks get axes after the batch.

    A step is masked in what it gives where it is in one of its inputs.
    """

    supports_masking = True
    count: int | None = None  # how many tensors it takes
    pair: Callable[[Any, Any], Any]  # of two tensors the one

    def _check(self, inputs: Any, given: list[Tensor]) -> None:
        super()._check(inputs, given)
        if not isinstance(inputs, list | tuple) or len(given) < 2 or self.count not in (None, len(given)):
            fix = f"{type(self).__name__} takes a list of {self.count or 'two or more'} tensors"
            raise ArgumentTypeError(f"it was called on {shown(inputs)}", fix=fix)

    def call(self, inputs: Any) -> Any:
        rank = max([K.ndim(x) for x in inputs])
        return reduce(self.pair, [reduce(lambda x, _: K.expand_dims(x, 1), range(rank - K.ndim(x)), x) for x in inputs])

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        given = [m for m in mask if m is not None]
        return reduce(operator.and_, given) if given else None


class Add(Merge):
    """a + b + …"""

    pair = staticmethod(operator.add)


class Subtract(Merge):
    """a - b."""

    count, pair = 2, staticmethod(operator.sub)


class Multiply(Merge):
    """a · b · …, element by element."""

    pair = staticmethod(operator.mul)


class Average(Add):
    """(a + b + …) / n."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) / len(inputs)


class Maximum(Merge):
    """The greatest of each place."""

    pair = staticmethod(K.maximum)


class Minimum(Merge):
    """The least of each place."""

    pair = staticmethod(K.minimum)


class Concatenate(Merge):
    """The tensors joined along `axis`, where their sizes add up; elsewhere they are equal."""

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return K.concatenate(inputs, self.axis)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        if self.axis % K.ndim(inputs[0]) != 1 or not any(m is not None for m in mask):
            return super().compute_mask(inputs, mask)
        return K.concatenate([K.ones_like(x[:, :, 0], "bool") if m is None else m for x, m in zip(inputs, mask)], 1)


class Dot(Merge):
    """For each sample the sum of products over one axis of each tensor; `axes` is one number for both, or a pair.

    normalize   whether both are first divided by their norms along these axes: cosines
    """

    count = 2

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.axes, self.normalize = [axes, axes] if isinstance(axes, int) else list(axes), normalize

    def call(self, inputs: Any) -> Any:
        axes = [axis % K.ndim(x) for axis, x in zip(self.axes, inputs)]
        if self.normalize:
            inputs = [K.l2_normalize(x, axis=axis) for x, axis in zip(inputs, axes)]
        return K.batch_dot(inputs[0], inputs[1], axes)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return None
