"""Normalising, biases, dropout, and whether a target is among the best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograph.arguments import whole
from autograph.backend.operands import tensor
from autograph.backend.settings import normalize_data_format
from autograph.errors import ArgumentError, ShapeError
from autograph.functions import regularisation
from autograph.graph.tensor import Tensor
from autograph.ops import movement, norms, reduction, selection, sorting
from autograph.ops.comparison import isfinite, logical_and
from autograph.ops.elementwise import add, cast, rsqrt, square
from autograph.ops.gathering import class_labels, index_tensor
from autograph.ops.reduction import Axis
from autograph.ops.shape import size_of
from autograph.tensor_type import normalize_axes, normalize_axis

__all__ = [
    "batch_normalization",
    "bias_add",
    "dropout",
    "in_top_k",
    "l2_normalize",
    "normalize_batch_in_training",
]

_LEAST_SQUARE = 1e-12  # under the root of l2_normalize


def l2_normalize(x: Any, axis: Axis = None) -> Tensor:
    """x / √max(Σx², 10⁻¹²), the sum along `axis` (all axes if None). In the shape of `x`."""
    values = tensor(x)
    total = reduction.reduce_sum(square(values), axis, keepdims=True)
    return values * rsqrt(selection.maximum(total, _LEAST_SQUARE))


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: int | Iterable[int], epsilon: float = 1e-3
) -> tuple[Tensor, Tensor, Tensor]:
    """`x` normalised by its own mean and variance along `reduction_axes`, scaled by `gamma` and moved by `beta`.

    Gives three tensors: the result in the shape of `x`, then the mean and the (biased) variance in the shape of `x`
    without these axes. gamma and beta have that shape too, or are None.
    """
    batch = tensor(x)
    axes = normalize_axes(reduction_axes, batch)
    mean, variance = reduction.reduce_mean(batch, axes), norms.reduce_var(batch, axes)
    scale = _scaled(rsqrt(add(movement.expand_dims_at(variance, axes), epsilon)), _restored(gamma, batch, axes))
    return _moved(norms.centered(batch, axes) * scale, _restored(beta, batch, axes)), mean, variance


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Tensor:
    """(x - mean) / √(var + epsilon) · gamma + beta. In the shape of `x`.

    The four others broadcast with `x`, or are vectors along `axis`; beta and gamma may be None.
    """
    batch = tensor(x)
    others = [i for i in range(batch.ndim) if i != normalize_axis(axis, batch)]
    shift, variance, bias, factor = [_vector(part, others) for part in (mean, var, beta, gamma)]
    scale = _scaled(rsqrt(add(variance, epsilon)), factor)
    return _moved((batch - shift) * scale, bias)


def _restored(part: Any, x: Tensor, axes: Sequence[int]) -> Tensor | None:
    """gamma or beta with the axes that were reduced put back."""
    if part is None:
        return None
    found = tensor(part)
    return movement.expand_dims_at(found, tuple(axes)) if found.ndim + len(axes) == x.ndim else found


def _vector(part: Any, others: Sequence[int]) -> Any:
    """A vector with an axis of size 1 in place of each of the others; anything else as it is."""
    if part is None:
        return None
    found = tensor(part)
    return movement.expand_dims_at(found, tuple(others)) if found.ndim == 1 else found


def _scaled(x: Tensor, gamma: Tensor | None) -> Tensor:
    return x if gamma is None else x * gamma


def _moved(x: Tensor, beta: Tensor | None) -> Tensor:
    return x if beta is None else x + beta


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Tensor:
    """`x` plus a bias of each channel, or of each place and channel. In the shape of `x`.

    bias          a vector, one number a channel; or a tensor with the sizes of a sample, those of space first. With
                  channels first its elements are laid out anew in the sizes (channels, space…), as Keras does it.
    data_format   where the channels of `x` stand, if `x` has rank 3 or more

    Raises ArgumentError (a ValueError) for another rank of the bias.
    """
    place = normalize_data_format(data_format)
    values, added = tensor(x), tensor(bias)
    if added.ndim not in (1, values.ndim - 1):
        raise ArgumentError(
            f"bias_add: the bias {added.type} has rank {added.ndim}", fix=f"1 or {values.ndim - 1} for {values.describe()}"
        )
    if values.ndim < 3 or place == "channels_last":
        return values + added
    if added.ndim == 1:
        return values + movement.expand_dims_at(added, tuple(range(1, values.ndim - 1)))
    order = [added.ndim - 1, *range(added.ndim - 1)]
    return values + movement.reshape(added, [size_of(added, axis) for axis in order])


def dropout(x: Any, level: float, noise_shape: Sequence[Any] | None = None, seed: int | None = None) -> Tensor:
    """`x` with each element set to 0 with probability `level`, the others divided by 1 - level. In the shape of `x`.

    noise_shape   the shape in which it is decided, which broadcasts to that of `x`; None in it is the size of `x`

    It always drops: `in_train_phase` confines it to training. Raises ArgumentError unless 0 ≤ level < 1.
    """
    return regularisation.dropout(tensor(x), level, noise_shape, seed)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether each target is among the `k` greatest predictions of its row: (n, classes) and (n,) → booleans (n,).

    Ties count as in. Where the prediction of the target is not finite it is out. Raises IndexRangeError for a target
    outside, ShapeError for other ranks.
    """
    scores, labels = tensor(predictions), index_tensor(targets, "targets")
    if scores.ndim != 2 or labels.ndim != 1:
        raise ShapeError(f"in_top_k: predictions {scores.type} and targets {labels.type}", fix="ranks 2 and 1 are needed")
    own = sorting.take_along_axis(scores, movement.expand_dims(class_labels(labels, scores, 1), 1), 1)
    better = reduction.reduce_sum(cast(scores > own, "int64"), 1)
    return logical_and(better < whole(k, "in_top_k: k"), isfinite(movement.squeeze(own, 1)))
