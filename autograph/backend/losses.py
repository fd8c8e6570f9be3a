"""Cross-entropies: the loss of each sample. From logits they are exact; probabilities are cut as Keras cuts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arguments import shown, truth
from autograph.backend.operands import tensor
from autograph.config import epsilon
from autograph.errors import ArgumentError, ShapeError
from autograph.functions.activations import log_softmax
from autograph.graph.tensor import Tensor
from autograph.ops import movement, selection, special
from autograph.ops.elementwise import cast, log
from autograph.ops.gathering import class_labels
from autograph.ops.reduction import reduce_sum
from autograph.ops.sorting import take_along_axis
from autograph.tensor_type import normalize_axis, shapes_agree

__all__ = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-Σ target · log(output) along the classes: the shape of `output` without `axis`.

    target        the share of each class, in the shape of `output`
    output        probabilities, which are divided by their sum and cut to [ε, 1 - ε]; or with `from_logits` the logits
                  of a softmax, for which the loss is exact
    axis          where the classes stand

    Raises ArgumentError for an axis that `output` does not have, ShapeError where the two shapes differ.
    """
    shares, scores = tensor(target), tensor(output)
    place = _class_axis("categorical_crossentropy", axis, scores)
    _check_shapes("categorical_crossentropy", shares, scores)
    return -reduce_sum(cast(shares, scores.dtype) * _log_probabilities(scores, from_logits, place), place)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """-log of the output at the class that `target` names: the shape of `output` without `axis`.

    target        the number of each sample's class, whole numbers of any dtype, in the shape of `output` without
                  `axis`, or with a size of 1 there
    output, from_logits, axis   as in `categorical_crossentropy`

    Raises IndexRangeError for a class that there is not, and what `categorical_crossentropy` raises.
    """
    scores, labels = tensor(output), tensor(target)
    place = _class_axis("sparse_categorical_crossentropy", axis, scores)
    labels = class_labels(labels, scores, place)
    if labels.ndim == scores.ndim - 1:
        labels = movement.expand_dims(labels, place)
    without = [(*t.shape[:place], 1, *t.shape[place + 1 :]) for t in (labels, scores)]
    if labels.ndim != scores.ndim or labels.shape[place] not in (1, None) or not shapes_agree(*without):
        raise ShapeError(
            f"sparse_categorical_crossentropy: targets {labels.describe()} for outputs {scores.describe()}",
            fix="one whole number a sample; categorical_crossentropy takes shares of all classes",
        )
    chosen = take_along_axis(_log_probabilities(scores, from_logits, place), labels, place)
    return -movement.squeeze(chosen, place)


def _log_probabilities(scores: Tensor, from_logits: bool, axis: int) -> Tensor:
    if truth(from_logits, "from_logits"):
        return log_softmax(scores, axis)
    shares = scores / reduce_sum(scores, axis, keepdims=True)
    return log(selection.clip(shares, epsilon(), 1 - epsilon()))


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """-target · log(output) - (1 - target) · log(1 - output), for each element: the shape of `output`.

    output   probabilities, which are cut to [ε, 1 - ε], ε being added once more under the logarithm; or with
             `from_logits` the arguments of a sigmoid, for which the loss is exact

    Raises ShapeError where the two shapes differ.
    """
    wanted, scores = tensor(target), tensor(output)
    _check_shapes("binary_crossentropy", wanted, scores)
    wanted = cast(wanted, scores.dtype) if scores.type.is_float else wanted
    if truth(from_logits, "from_logits"):
        positive = scores >= 0
        chord = selection.where(positive, scores * (1 - wanted), -scores * wanted)
        return chord + special.softplus(selection.where(positive, -scores, scores))
    fuzz = epsilon()
    share = selection.clip(scores, fuzz, 1 - fuzz)
    return -(wanted * log(share + fuzz) + (1 - wanted) * log((1 - share) + fuzz))


def _class_axis(what: str, axis: Any, scores: Tensor) -> int:
    """The axis of the classes, counted from the front. Raises ArgumentError as Keras does: -1, or one of 0, 1, …"""
    if not isinstance(axis, int | np.integer) or (axis != -1 and axis not in range(scores.ndim)):
        raise ArgumentError(
            f"{what}: unexpected channels axis {shown(axis)}",
            why=f"`output` has {scores.ndim} dimensions",
            fix="-1, or one of them",
        )
    return normalize_axis(axis, scores)


def _check_shapes(what: str, target: Tensor, output: Tensor) -> None:
    if not shapes_agree(target.shape, output.shape):
        raise ShapeError(
            f"{what}: targets {target.describe()} and outputs {output.describe()} differ in shape",
            fix="one_hot makes shares of labels; sparse_categorical_crossentropy takes labels themselves",
        )
