"""Sequences of labels along sequences of scores: what Keras's own tests say of them, and all paths as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph.errors import IndexRangeError, ShapeError
from autograph.executors.executor import EXECUTORS, lack_of
from autograph.ops.beams import ctc_beams
from autograph.testing import check_gradients
from tests.samples.beams import likeliest

everywhere = pytest.mark.parametrize("executor", [name for name in EXECUTORS if not lack_of(name)])
TIME, CLASSES = 6, 3
INPUTS = np.array(
    [[[0.633766, 0.221185, 0.0917319, 0.0129757, 0.0142857, 0.0260553],
      [0.111121, 0.588392, 0.278779, 0.0055756, 0.00569609, 0.010436],
      [0.0357786, 0.633813, 0.321418, 0.00249248, 0.00272882, 0.0037688],
      [0.0663296, 0.643849, 0.280111, 0.00283995, 0.0035545, 0.00331533],
      [0.458235, 0.396634, 0.123377, 0.00648837, 0.00903441, 0.00623107]],
     [[0.30176, 0.28562, 0.0831517, 0.0862751, 0.0816851, 0.161508],
      [0.24082, 0.397533, 0.0557226, 0.0546814, 0.0557528, 0.19549],
      [0.230246, 0.450868, 0.0389607, 0.038309, 0.0391602, 0.202456],
      [0.280884, 0.429522, 0.0326593, 0.0339046, 0.0326856, 0.190345],
      [0.423286, 0.315517, 0.0338439, 0.0393744, 0.0339315, 0.154046]]], "float32",
)  # fmt: skip

# the cost ------------------------------------------------------------------------------------------------------------


@everywhere
def test_the_cost_is_that_of_tensorflow(executor: str) -> None:
    x, y = K.placeholder((None, None, 6)), K.placeholder((None, None), dtype="int32")
    steps, counts = K.placeholder((None, 1), dtype="int32"), K.placeholder((None, 1))
    f = K.function([y, x, steps, counts], [K.ctc_batch_cost(y, x, steps, counts)], executor=executor)
    labels = np.array([[0, 1, 2, 1, 0], [0, 1, 1, 0, -1]])
    (both,) = f([labels, INPUTS, [[5], [5]], [[5], [4]]])
    np.testing.assert_allclose(both, [[3.34211], [5.42262]], atol=1e-5)
    (alone,) = f([labels[:1], INPUTS[:1], [[5]], [[5]]])
    np.testing.assert_allclose(alone, both[:1], rtol=1e-6)


CASES = (  # labels, and how many steps of six count
    ((0, 1, 0), 6), ((1, 1), 6), ((0, 0, 0), 5), ((0,), 1), ((), 4), ((), 0), ((1, 0), 2), ((1,), 6),
)  # fmt: skip


def costs(x: Any, cases: Any = CASES) -> Any:
    """The cost of each case, on probabilities of its own."""
    table = np.array([[*labels, *[-1] * (3 - len(labels))] for labels, _ in cases])
    return K.ctc_batch_cost(table, x, np.array([[n] for _, n in cases]), np.array([[len(k)] for k, _ in cases]))


def test_the_cost_is_that_of_all_paths() -> None:
    x = np.random.default_rng(1).dirichlet(np.ones(CLASSES), (len(CASES), TIME))
    found = K.eval(costs(K.variable(x, dtype="float64")))
    for (labels, steps), rows, cost in zip(CASES, np.log(x + 1e-7), found[:, 0], strict=True):
        rows = rows - np.logaddexp.reduce(rows, -1, keepdims=True)
        np.testing.assert_allclose(cost, -dict(likeliest(rows[:steps]))[labels], rtol=1e-9, atol=1e-12)


def test_gradients_of_both_orders_are_slopes() -> None:
    cases = [((0, 1), 3)]
    x = np.random.default_rng(2).dirichlet(np.ones(CLASSES), (len(cases), 3))
    check_gradients(lambda x: costs(x, cases), x, order=2)


def test_labels_without_enough_steps_cost_infinity_and_pull_nowhere() -> None:
    x = K.variable(np.random.default_rng(3).dirichlet(np.ones(CLASSES), (3, TIME)), dtype="float64")
    cost = costs(x, [((0, 0, 0), 4), ((0, 1), 1), ((1, 0), 6)])
    (g,) = K.gradients(cost, [x])
    (h,) = K.gradients(g * g, [x])
    assert np.isinf(K.eval(cost)[:, 0]).tolist() == [True, True, False]
    for slope in (K.eval(g), K.eval(h)):
        assert not slope[:2].any() and np.isfinite(slope).all() and slope[2].any()


@everywhere
def test_cost_and_gradient_are_those_of_pytorch(executor: str) -> None:
    torch = pytest.importorskip("torch", reason="the oracle")
    rng = np.random.default_rng(4)
    x, labels = rng.dirichlet(np.full(8, 0.3), (5, 20)), rng.integers(0, 7, (5, 6))
    steps, counts = np.array([20, 17, 13, 20, 12]), np.array([6, 5, 4, 1, 6])
    p = K.placeholder((None, None, 8), dtype="float64")
    cost = K.ctc_batch_cost(labels, p, steps[:, None], counts[:, None])
    found, slope = K.function([p], [cost, K.gradients(cost, [p])[0]], executor=executor)([x])
    t = torch.tensor(x, requires_grad=True)
    scores = torch.log_softmax(torch.log(t + 1e-7), -1).transpose(0, 1)
    wanted = torch.nn.functional.ctc_loss(
        scores, torch.tensor(labels), torch.tensor(steps), torch.tensor(counts), blank=7, reduction="none"
    )
    wanted.sum().backward()
    np.testing.assert_allclose(found[:, 0], wanted.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(slope, t.grad.numpy(), rtol=1e-6, atol=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(n, longest\)"):
        K.ctc_batch_cost([[0]], np.ones((1, 2, 3)), [2], [1])
    with pytest.raises(IndexRangeError, match="5"):
        K.eval(K.ctc_batch_cost([[5]], np.ones((1, 2, 3)), [[2]], [[1]]))


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
