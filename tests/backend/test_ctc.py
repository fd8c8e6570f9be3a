"""Sequences of labels along sequences of scores: what Keras's own tests say of them, and all paths as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph.errors import IndexRangeError
from autograph.ops.beams import ctc_beams
from tests.samples.beams import likeliest

# decoding ------------------------------------------------------------------------------------------------------------


def greedy(probabilities: Any, lengths: Any) -> tuple[Any, Any]:
    """Labels and -Σ log, step by step."""
    tables, scores = [], []
    for rows, length in zip(probabilities, lengths, strict=True):
        best = rows[:length].argmax(-1)
        changes = [label for t, label in enumerate(best) if not t or label != best[t - 1]]
        tables.append([label for label in changes if label != rows.shape[1] - 1])
        scores.append([-np.log(rows[:length].max(-1) + 1e-7).sum()])
    longest = max(map(len, tables))
    return np.array([[*labels, *[-1] * (longest - len(labels))] for labels in tables]), np.array(scores)


@pytest.mark.parametrize("known", [True, False])
def test_the_likeliest_path_without_repeated_labels_and_blanks(known: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.dirichlet(np.full(4, 0.3), (5, 7)).astype("float32")
    lengths = np.array([7, 1, 4, 6, 3])
    p = K.placeholder(x.shape if known else (None, None, None))
    n = K.placeholder((None,), dtype="int32")
    labels, score = K.ctc_decode(p, n, greedy=True)
    found, total = K.function([p, n], [labels[0], score])([x, lengths])
    wanted, of_path = greedy(x, lengths)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(total, of_path, rtol=1e-5)
    assert labels[0].dtype == "int64"


def test_a_label_twice_in_a_row_needs_a_blank_between() -> None:
    one = np.eye(3, dtype="float32")
    path = [0, 0, 2, 0, 1, 1, 2, 2, 1]
    labels, _ = K.ctc_decode(one[path][None], [len(path)])
    assert K.eval(labels[0]).tolist() == [[0, 0, 1, 1]]


def test_beam_search_as_tensorflow_has_it() -> None:
    scores = np.array(
        [[0.30999, 0.309938, 0.0679938, 0.0673362, 0.0708352, 0.173908],
         [0.215136, 0.439699, 0.0370931, 0.0393967, 0.0381581, 0.230517],
         [0.199959, 0.489485, 0.0233221, 0.0251417, 0.0233289, 0.238763],
         [0.279611, 0.452966, 0.0204795, 0.0209126, 0.0194803, 0.20655],
         [0.51286, 0.288951, 0.0243026, 0.0220788, 0.0219297, 0.129878],
         [0, 0, 0, 0, 0, 0]], "float32",
    )  # fmt: skip
    x, n = K.variable(np.exp(scores + 2)[None]), K.variable(np.array([5]))
    labels, logs = K.ctc_decode(x, n, greedy=False, beam_width=2, top_paths=2)
    assert [K.eval(table).tolist() for table in labels] == [[[1, 0]], [[1]]]
    np.testing.assert_allclose(K.eval(logs), [[-5.811451, -6.63339]], rtol=1e-6)


@pytest.mark.parametrize(("merged", "labels"), [(True, [0, 1]), (False, [0, 0, 1, 1])])
def test_equal_labels_in_a_row_are_merged_where_asked(merged: bool, labels: list[int]) -> None:
    x = np.eye(3)[[2, 0, 2, 0, 1, 2, 1]][None]
    found, _ = K.ctc_decode(x, [7], greedy=False, beam_width=1, merge_repeated=merged)
    assert K.eval(found[0]).tolist() == [labels]


def test_a_beam_of_all_prefixes_is_exact_also_where_prefixes_left_it_before() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.dirichlet(np.full(3, 0.5), (1, 6))
        wanted = likeliest(np.log(x[0] + 1e-7) - np.log((x[0] + 1e-7).sum(-1, keepdims=True)))
        found, logs = K.ctc_decode(x, [6], greedy=False, beam_width=200, top_paths=2)
        assert [tuple(K.eval(t)[0]) for t in found] == [labels for labels, _ in wanted[:2]]
        np.testing.assert_allclose(K.eval(logs)[0], [score for _, score in wanted[:2]], rtol=1e-5)


def prefix_search(rows: Any, width: int) -> list[tuple[tuple[int, ...], float]]:
    """The search over a dict of prefixes: for each the paths that end in a blank, and in its last label."""
    beam: dict[tuple[int, ...], list[float]] = {(): [0.0, -np.inf]}
    for row in rows:
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, ended) in beam.items():
            total = np.logaddexp(blank, ended)
            kept = grown.setdefault(prefix, [-np.inf, -np.inf])
            kept[0] = np.logaddexp(kept[0], total + row[-1])
            if prefix:
                kept[1] = np.logaddexp(kept[1], ended + row[prefix[-1]])
            for label, score in enumerate(row[:-1]):
                longer = grown.setdefault((*prefix, label), [-np.inf, -np.inf])
                before = blank if prefix and prefix[-1] == label else total
                longer[1] = np.logaddexp(longer[1], before + score)
        beam = dict(sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))[:width])
    return [(prefix, float(np.logaddexp(*parts))) for prefix, parts in beam.items()]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_keeps_what_a_search_by_prefixes_keeps(width: int) -> None:
    rng = np.random.default_rng(width)
    x = np.log(rng.dirichlet(np.full(3, 0.2), (40, 12)) + 1e-9)
    labels, logs = (K.eval(found) for found in ctc_beams(x, [12] * 40, width, width))
    for sample in range(40):
        for rank, (prefix, score) in enumerate(prefix_search(x[sample], width)):
            assert tuple(k for k in labels[sample, rank] if k >= 0) == prefix
            np.testing.assert_allclose(logs[sample, rank], score, rtol=1e-9)


def test_a_length_beyond_the_scores_is_refused() -> None:
    with pytest.raises(IndexRangeError, match=r"length 9 at \[1\]"):
        K.eval(K.ctc_decode(np.full((2, 3, 4), 0.25), [3, 9], greedy=False)[1])
