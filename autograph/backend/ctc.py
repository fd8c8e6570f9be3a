"""Connectionist temporal classification: sequences of labels that stand somewhere along longer sequences of scores.

The last class is the blank. Labels stand at the front of a table, and -1 behind them.
"""

from __future__ import annotations

from typing import Any

from autograph.arguments import truth, whole
from autograph.backend.creation import arange
from autograph.backend.operands import tensor
from autograph.config import epsilon, floatx
from autograph.functions.activations import log_softmax
from autograph.graph.tensor import Tensor
from autograph.ops import beams, cumulative, movement, reduction, selection, shape, sorting
from autograph.ops.comparison import less, logical_and, not_equal
from autograph.ops.elementwise import cast, log

__all__ = ["ctc_decode"]


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
