"""Beam search over the labellings of a sequence, in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograph.errors import IndexRangeError

Array = Any  # an ndarray or a NumPy scalar


def ctc_beams(scores: Array, lengths: Array, width: int, paths: int) -> Array:
    """The `paths` likeliest labellings of each sequence, found among `width`: their log-probability, and then their labels.

    Shapes: scores (n, time, classes), the last class the blank; lengths (n,) → float64 (n, paths, 1 + time), -1 behind
    the labels; -inf and no labels where there are fewer. Raises IndexRangeError for a length beyond the time.
    """
    count, time, _ = scores.shape
    found = np.full((count, paths, 1 + time), -1.0)
    found[..., 0] = -np.inf
    for sample, (rows, length) in enumerate(zip(scores, lengths, strict=True)):
        if not 0 <= length <= time:
            raise IndexRangeError(f"length {length} at [{sample}] is outside 0 … {time}", fix="at most as long as the scores")
        likeliest = _likeliest(np.asarray(rows[:length], np.float64), width)
        for rank, (score, labels) in zip(range(paths), likeliest, strict=False):
            found[sample, rank, 0] = score
            found[sample, rank, 1 : 1 + len(labels)] = labels
    return found


def _likeliest(rows: Array, width: int) -> Iterator[tuple[float, list[int]]]:
    """Labellings with their log-probabilities, the likeliest first (Graves 2012, prefix search, `width` of them at a time).

    Of each prefix there are the sum over the paths that end in a blank, and that over those which end in its last label.
    """
    classes = rows.shape[1] - 1
    parents, labels = [-1], [-1]  # of each prefix by its number; 0 is the empty one
    numbers: dict[tuple[int, int], int] = {}  # by parent and last label
    beam, blank, ended = np.zeros(1, np.int64), np.zeros(1), np.full(1, -np.inf)
    for row in rows:
        total, last = np.logaddexp(blank, ended), np.array([labels[k] for k in beam])
        places = {int(k): place for place, k in enumerate(beam)}
        up = np.array([places.get(parents[k], -1) for k in beam])
        grown = total[:, None] + row[:classes]
        own = np.flatnonzero(last >= 0)
        grown[own, last[own]] = blank[own] + row[last[own]]  # a label twice in a row has a blank between
        joined = np.flatnonzero(up >= 0)  # what its parent grows to is in the beam
        kept_ended = ended + row[last]
        kept_ended[joined] = np.logaddexp(kept_ended[joined], grown[up[joined], last[joined]])
        grown[up[joined], last[joined]] = -np.inf
        kept_blank = total + row[classes]
        sums = np.concatenate([np.logaddexp(kept_blank, kept_ended), grown.reshape(-1)])
        best = np.argsort(-sums, kind="stable")[:width]
        best = best[sums[best] > -np.inf]
        stay, grow = best < len(beam), best - len(beam)
        beam_next = np.empty(len(best), np.int64)
        beam_next[stay] = beam[best[stay]]
        for place in np.flatnonzero(~stay):
            at, label = divmod(int(grow[place]), classes)
            key = int(beam[at]), label
            if key not in numbers:
                numbers[key] = len(parents)
                parents.append(key[0])
                labels.append(label)
            beam_next[place] = numbers[key]
        held = np.where(stay, best, 0)
        blank = np.where(stay, kept_blank[held], -np.inf)
        ended = np.where(stay, kept_ended[held], sums[best])
        beam = beam_next
    total = np.logaddexp(blank, ended)
    for place in np.argsort(-total, kind="stable"):
        path, node = [], int(beam[place])
        while node:
            path.append(labels[node])
            node = parents[node]
        yield float(total[place]), path[::-1]
