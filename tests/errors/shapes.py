"""Bad inputs 35–43: shapes, axes, indices."""

from __future__ import annotations

import numpy as np

import autograph as ag
from autograph import backend as K
from optimizers import SGD
from tests.errors.table import Made, case


@case(35, ValueError, words="unknown")
def zeros_of_unknown_size() -> Made:
    return lambda: K.zeros((None, 3)), []


@case(35, ValueError, words="None · -1")
def reshape_to_unknown_size() -> Made:
    x = ag.placeholder((4, 3), name="x")
    return lambda: ag.reshape(x, (None, 6)), []


@case(36, ValueError, words="[2, 3] · [4] · 6")
def impossible_reshape() -> Made:
    x = ag.placeholder((2, 3), name="x")
    return lambda: ag.reshape(x, (4,)), []


@case(36, ValueError, words="-1 · twice")
def two_free_sizes() -> Made:
    w = ag.variable(np.ones((2, 3)), name="w")
    return lambda: ag.reshape(w, (-1, -1)), [w]


@case(36, ValueError, words="'x' · [5, 2] · No variable")
def impossible_reshape_at_run_time() -> Made:
    x = ag.placeholder((None, 2), name="x")
    f = ag.function([x], ag.reshape(x, (-1, 4)))
    return lambda: f(np.ones((5, 2))), []


@case(37, ValueError, IndexError, words="axis 5 · -2..1")
def axis_out_of_range() -> Made:
    x = ag.placeholder((2, 3), name="x")
    return lambda: ag.reduce_sum(x, axis=5), []


@case(37, ValueError, words="axis · twice")
def axis_named_twice() -> Made:
    x = ag.placeholder((2, 3, 4), name="x")
    return lambda: ag.reduce_mean(x, axis=(0, -3)), []


@case(37, ValueError, words="axis · 1.5 · integer")
def axis_that_is_no_integer() -> Made:
    w = ag.variable(np.ones((2, 2)), name="w")
    return lambda: ag.reduce_max(w, axis=1.5), [w]


@case(38, ValueError, words="[2, 3] · [2, 4]")
def sizes_that_do_not_join() -> Made:
    a, b = ag.placeholder((2, 3), name="a"), ag.placeholder((2, 4), name="b")
    return lambda: ag.concatenate([a, b], axis=0), []


@case(38, ValueError, words="concatenate")
def nothing_to_join() -> Made:
    return lambda: ag.concatenate([], axis=0), []


@case(39, ValueError, words="batch_dot · 7 · 5 · axes")
def batch_dot_of_other_sizes() -> Made:
    a, b = K.placeholder((2, 3, 7), name="a"), K.placeholder((2, 5, 3), name="b")
    return lambda: K.batch_dot(a, b, axes=(2, 1)), []


@case(39, ValueError, words="matmul · 4 · 3")
def dot_of_other_sizes() -> Made:
    a, w = ag.placeholder((None, 4), name="a"), ag.variable(np.ones((3, 2)), name="w")
    return lambda: ag.matmul(a, w), [w]


@case(40, ValueError, words="add · [32, 10] · [32] · 10 ≠ 32 · right · 'x' · 'b'")
def sizes_that_do_not_broadcast() -> Made:
    x, b = ag.placeholder((32, 10), name="x"), ag.variable(np.ones(32), name="b")
    return lambda: x + b, [b]


@case(40, ValueError, words="maximum · [4] · [3] · No variable · 'left' · 'right'")
def sizes_that_do_not_broadcast_at_run_time() -> Made:
    a, b = ag.placeholder((None,), name="left"), ag.placeholder((None,), name="right")
    f = ag.function([a, b], ag.maximum(a, b))
    return lambda: f(np.ones(4), np.ones(3)), []


@case(41, IndexError, words="index 7 · [0, 3] · 'embedding' · size 5 · -5..4 · from the end · No variable")
def index_out_of_range() -> Made:
    e, i = ag.variable(np.ones((5, 2)), name="embedding"), ag.placeholder((None, None), dtype="int32", name="i")
    f = ag.function([i], [], [(e, e * ag.reduce_sum(ag.gather(e, i)))])
    return lambda: f([[0, 1, 2, 7]]), [e]


@case(41, IndexError, words="-4 · [1] · 3")
def negative_index_out_of_range() -> Made:
    x, i = ag.placeholder((3,), name="x"), ag.placeholder((None,), dtype="int64", name="i")
    f = ag.function([x, i], ag.gather(x, i))
    return lambda: f(np.ones(3), [0, -4]), []


@case(41, TypeError, words="float32 · integers · cast")
def index_that_is_no_integer() -> Made:
    w, i = ag.variable(np.ones((3, 2)), name="w"), ag.placeholder((None,), name="i")
    return lambda: ag.gather(w, i), [w]


@case(42, ValueError, IndexError, words="label 10 at [4] · 10 classes · 0-based · 0..9 · subtract 1 · 't' · No variable")
def label_too_large() -> Made:
    t, p = K.placeholder((None,), dtype="int64", name="t"), K.placeholder((None, 10), name="p")
    f = ag.function([t, p], K.sparse_categorical_crossentropy(t, p))
    return lambda: f([0, 1, 2, 3, 10], np.full((5, 10), 0.1)), []


@case(42, ValueError, words="label -1 at [1, 0] · 3 classes · leave out · 'marks' · No variable")
def label_below_zero() -> Made:
    t, p = K.placeholder((None, 1), dtype="int32", name="marks"), K.variable(np.zeros((2, 3)), name="logits")
    loss = K.mean(K.sparse_categorical_crossentropy(t, p, from_logits=True))
    f = K.function([t], [], SGD(0.1).get_updates(loss, [p]))
    return lambda: f([[[2], [-1]]]), [p]


@case(42, ValueError, words="label 1.5 at [0] · 3 classes · whole · 't' · No variable")
def label_that_is_not_whole() -> Made:
    t, p = K.placeholder((None,), name="t"), K.placeholder((None, 3), name="p")
    f = K.function([t, p], [K.sparse_categorical_crossentropy(t, p)])
    return lambda: f([[1.5], np.full((1, 3), 0.3)]), []


@case(42, ValueError, words="label 5 at [0] · 5 classes · 'seen' · No variable")
def target_of_in_top_k() -> Made:
    t, p = K.placeholder((None,), dtype="int64", name="seen"), K.placeholder((None, 5), name="p")
    f = K.function([p, t], [K.in_top_k(p, t, 2)])
    return lambda: f([np.ones((1, 5)), [5]]), []


@case(42, ValueError, words="label 3 at [0] · 3 classes · 0-based · subtract 1 · No variable")
def one_hot_of_too_large() -> Made:
    t = ag.placeholder((None,), dtype="int32", name="t")
    f = ag.function([t], ag.one_hot(t, 3))
    return lambda: f([3, 0]), []


@case(43, TypeError, words="condition · float32 · x > 0")
def condition_that_is_no_truth() -> Made:
    x = ag.placeholder((3,), name="x")
    return lambda: ag.where(x, x, -x), []


@case(43, ValueError, words="[3, 2] · [2, 3]")
def branches_of_other_shapes() -> Made:
    a, b = ag.placeholder((3, 2), name="a"), ag.variable(np.ones((2, 3)), name="b")
    return lambda: ag.where(True, a, b), [b]
