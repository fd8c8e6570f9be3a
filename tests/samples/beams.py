"""Samples of the beam search, judged by all paths."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from autograph.errors import ArgumentError, DTypeError, ShapeError
from autograph.graph.tensor import apply, placeholder
from autograph.ops.beams import _BEAMS, ctc_beams
from tests.samples.define import Array, Case, Sample, values

PATHS = 3


def likeliest(rows: Array) -> list[tuple[tuple[int, ...], float]]:
    """All labellings of a sequence and the logarithm of the sum over their paths, the likeliest first."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != rows.shape[1] - 1)
        score = sum(rows[t, label] for t, label in enumerate(path))
        found[labels] = np.logaddexp(found.get(labels, -np.inf), score)
    return sorted(found.items(), key=lambda item: -item[1])


def _all_paths(scores: Array, lengths: Array) -> Array:
    found = np.full((len(scores), PATHS, 1 + scores.shape[1]), -1.0)
    found[..., 0] = -np.inf
    for sample, (rows, length) in enumerate(zip(scores, lengths, strict=True)):
        for rank, (labels, score) in enumerate(likeliest(rows[:length])[:PATHS]):
            found[sample, rank] = [score, *labels, *[-1] * (scores.shape[1] - len(labels))]
    return found


@st.composite
def _searches(draw: st.DrawFn) -> Case:
    count, time, classes = draw(st.integers(0, 2)), draw(st.integers(0, 4)), draw(st.integers(1, 3))
    scores = draw(values((count, time, classes), distinct=True))
    lengths = draw(values((count,), 0, time, dtype="int64"))
    return Case(lambda x, n: apply(_BEAMS, x, n, width=100, paths=PATHS), (scores, lengths), _all_paths)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "ctc_beams",
        _searches(),
        (
            (lambda: ctc_beams(placeholder((2, 3)), placeholder((2,), dtype="int64"), 5), ShapeError),
            (lambda: ctc_beams(placeholder((2, 3, 4)), placeholder((3,), dtype="int64"), 5), ShapeError),
            (lambda: ctc_beams(placeholder((2, 3, 0)), placeholder((2,), dtype="int64"), 5), ShapeError),
            (lambda: ctc_beams(placeholder((2, 3, 4)), placeholder((2,)), 5), DTypeError),
            (lambda: ctc_beams(placeholder((2, 3, 4)), placeholder((2,), dtype="int64"), 5, 6), ArgumentError),
            (lambda: ctc_beams(placeholder((2, 3, 4)), placeholder((2,), dtype="int64"), 0), ArgumentError),
        ),
        differentiable=False,
    ),
)
