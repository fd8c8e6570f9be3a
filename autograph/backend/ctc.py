"""Connectionist temporal classification: sequences of labels that stand somewhere along longer sequences of scores.

The last class is the blank. Labels stand at the front of a table, and -1 behind them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.arguments import truth, whole
from autograph.backend.creation import arange
from autograph.backend.operands import tensor
from autograph.config import epsilon, floatx
from autograph.errors import ShapeError
from autograph.functions.activations import log_softmax
from autograph.functions.sparse import SparseTensor
from autograph.graph.tensor import Tensor, as_tensor
from autograph.ops import beams, cumulative, filling, joining, movement, reduction, selection, shape, sorting, special
from autograph.ops.comparison import less, logical_and, not_equal
from autograph.ops.elementwise import cast, log
from autograph.ops.gathering import class_labels, mask_positions
from autograph.ops.indexing import boolean_mask
from autograph.scan import scan

__all__ = ["ctc_batch_cost", "ctc_decode", "ctc_label_dense_to_sparse"]


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Tensor:
    """-log P(labels) of each sequence, summed over all places where they may stand: (n, 1) (Graves et al. 2006).

    y_true        labels, the first `label_length` of each row: (n, longest). Padding behind them may be anything
    y_pred        probabilities, as of a softmax: (n, time, classes), the last class the blank
    input_length  how many steps of each sequence count: (n, 1)
    label_length  how many labels each sequence has: (n, 1)

    Computed in logarithms, with gradients of every order. Where the labels need more steps than there are the cost is
    infinity, and its gradient 0. Raises IndexRangeError for a label that is no class, ShapeError for other ranks.
    """
    given, predicted, *lengths = [tensor(x) for x in (y_true, y_pred, input_length, label_length)]
    if (predicted.ndim, given.ndim, *(x.ndim for x in lengths)) != (3, 2, 2, 2):
        found = ", ".join(str(x.type) for x in (given, predicted, *lengths))
        raise ShapeError(f"ctc_batch_cost: {found}", fix="(n, longest), (n, time, classes), (n, 1) and (n, 1) are needed")
    scores = log_softmax(log(predicted + epsilon()))
    steps, counts = [cast(length, "int64") for length in lengths]
    labels = selection.where(less(movement.expand_dims(_places(given, 1), 0), counts), cast(given, "int64"), 0)
    return -_log_likelihood(scores, class_labels(labels, scores, 2), steps, counts)


def _log_likelihood(scores: Tensor, labels: Tensor, steps: Tensor, counts: Tensor) -> Tensor:
    """log P of the labels: (n, time, classes), (n, longest), (n, 1) and (n, 1) → (n, 1).

    Of the paths so far there are, for each number of labels that are done, the sum over those that end in a blank, and
    over those that end in the last of these labels.
    """
    wide = cast(scores, "float32") if scores.dtype.name == "float16" else scores
    of_labels = movement.swapaxes(sorting.take_along_axis(wide, movement.expand_dims(labels, 1), 2), 0, 1)
    of_blank = movement.swapaxes(wide[:, :, -1:], 0, 1)
    going = less(arange(shape.size_of(wide, 1), dtype="int64")[:, None, None], movement.expand_dims(steps, 0))
    none, begin = [movement.broadcast_like(as_tensor(-np.inf, wide.dtype), like) for like in (labels, counts)]
    changes = not_equal(labels, _before(labels))

    def step(state: tuple[Tensor, Tensor], entry: tuple[Tensor, Tensor, Tensor]) -> tuple[Any, None]:
        (blank, ended), (label_score, blank_score, goes) = state, entry
        before = joining.concatenate([begin, ended], 1)  # the label before each place
        at_blank = special.logaddexp(blank, before) + blank_score
        skipped = selection.where(changes, before[:, :-1], -np.inf)
        at_label = special.logaddexp(special.logaddexp(ended, blank[:, :-1]), skipped) + label_score
        return (selection.where(goes, at_blank, blank), selection.where(goes, at_label, ended)), None

    first = joining.concatenate([filling.zeros_like(begin), none], 1)
    (blank, ended), _ = scan(step, (first, none), (of_labels, of_blank, going))
    total = special.logaddexp(blank, joining.concatenate([begin, ended], 1))
    return cast(sorting.take_along_axis(total, counts, 1), scores.dtype)


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> SparseTensor:
    """The first `label_lengths` (n,) labels of each row of a table (n, longest), as a sparse matrix of its shape and dtype."""
    table = tensor(labels)
    inside = less(movement.expand_dims(_places(table, 1), 0), movement.expand_dims(cast(tensor(label_lengths), "int64"), 1))
    rows, columns = mask_positions(inside, table, 0)
    return SparseTensor(boolean_mask(table, inside), rows, columns, table)


def ctc_decode(
    y_pred: Any,
    input_length: Any,
    greedy: bool = True,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = False,
) -> tuple[list[Tensor], Tensor]:
    """The likeliest labels of each sequence, and how likely they are: a list of tables (n, longest), -1 behind the labels.

    y_pred          probabilities, as of a softmax: (n, time, classes)
    input_length    how many steps of each sequence count: (n,)
    greedy          the labels of the likeliest path, repeated ones and blanks taken out; the second result is -Σ log of its
                    probabilities, (n, 1). Else a beam search: the `top_paths` likeliest labellings, and the logarithms of
                    their probabilities, (n, top_paths)
    beam_width      how many prefixes the search keeps from step to step
    merge_repeated  whether equal labels in a row are one, also where a blank stood between; by the beam search alone

    Labels are int64. Raises ArgumentError for more paths than the beam is wide, ShapeError for other ranks.
    """
    scores = log(tensor(y_pred) + epsilon())
    lengths = cast(tensor(input_length), "int64")
    if truth(greedy, "ctc_decode: greedy"):
        steps = less(movement.expand_dims(_places(scores, 1), 0), movement.expand_dims(lengths, 1))
        best = reduction.argmax(scores, 2)
        blank = shape.size_of(scores, 2) - 1
        labels = _cut(best, logical_and(logical_and(steps, not_equal(best, blank)), not_equal(best, _before(best))))
        path = selection.where(steps, reduction.reduce_max(scores, 2), 0)
        return [labels], -reduction.reduce_sum(path, 1, keepdims=True)
    found, probabilities = beams.ctc_beams(log_softmax(scores), lengths, beam_width, top_paths)
    merged = truth(merge_repeated, "ctc_decode: merge_repeated")
    tables = []
    for path_number in range(whole(top_paths, "ctc_decode: top_paths", 1)):
        labels = found[:, path_number]
        kept = not_equal(labels, -1)
        tables.append(_cut(labels, logical_and(kept, not_equal(labels, _before(labels))) if merged else kept))
    return tables, cast(probabilities, floatx())


def _places(x: Tensor, axis: int) -> Tensor:
    """0, 1, … along an axis of `x`."""
    return arange(shape.size_of(x, axis), dtype="int64")


def _before(labels: Tensor) -> Tensor:
    """For each place of (n, time) the label before it; -2 at the first."""
    return cumulative.shift(labels, 1, 1, -2)


def _cut(labels: Tensor, kept: Tensor) -> Tensor:
    """The labels that are kept, moved to the front of (n, time), -1 behind them, and no column that holds nothing else."""
    order = sorting.argsort(cast(selection.where(kept, 0, 1), "int64"), 1)
    counts = reduction.reduce_sum(cast(kept, "int64"), 1, keepdims=True)
    there = less(movement.expand_dims(_places(labels, 1), 0), counts)
    longest = reduction.reduce_sum(cast(reduction.reduce_any(there, 0), "int64"))
    return selection.where(there, sorting.take_along_axis(labels, order, 1), -1)[:, :longest]
