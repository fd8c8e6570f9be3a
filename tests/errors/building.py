"""Bad inputs 1–12: building a function, and calling it."""

from __future__ import annotations

import numpy as np

import autograph as ag
from autograph import backend as K
from tests.errors.table import Made, case


@case(1, TypeError, words="`inputs` must be a list · 'x' · [x]")
def bare_input() -> Made:
    x = ag.placeholder((3,), name="x")
    return lambda: ag.function(x, [x * 2.0]), []


@case(1, TypeError, words="`inputs` must be a list · an array float64[3]")
def array_of_inputs() -> Made:
    return lambda: ag.function(np.ones(3), []), []


@case(1, TypeError, words="inputs · 'images' · list")
def bare_input_in_k() -> Made:
    x = K.placeholder((None, 4), name="images")
    return lambda: K.function(x, [x + 1]), []


@case(2, ValueError, words="Output 'loss' · 'y_true' · float32[?, 10] · not in `inputs` · loss ← · ← y_true · add it")
def unlisted_placeholder() -> Made:
    x, y = ag.placeholder((None, 10), name="x"), ag.placeholder((None, 10), name="y_true")
    loss = ag.reduce_mean(x - y)
    loss.name = "loss"
    return lambda: ag.function([x], [x, loss]), []


@case(2, ValueError, words="Update of 'w' · 'rate' · float32[] · givens")
def unlisted_in_an_update() -> Made:
    rate, w = ag.placeholder((), name="rate"), ag.variable(np.ones(3), name="w")
    return lambda: ag.function([], [], [(w, w * rate)]), [w]


@case(3, ValueError, words="'x' · positions 0 and 2 · list it once")
def input_twice() -> Made:
    x, y = ag.placeholder((2,), name="x"), ag.placeholder((2,), name="y")
    return lambda: ag.function([x, y, x], x + y), []


@case(3, ValueError, words="'mask' · positions 0 and 1")
def input_twice_nested() -> Made:
    m = ag.placeholder((), name="mask")
    return lambda: ag.function({"a": m, "b": [m]}, m), []


@case(4, TypeError, words="inputs[1] · 'w' · variable · set_value")
def variable_as_input() -> Made:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    return lambda: ag.function([x, w], x + w), [w]


@case(4, TypeError, words="inputs[0] is an array float64[2]")
def array_as_input() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: ag.function([np.ones(2), x], x), []


@case(5, TypeError, ValueError, words="updates[0] · placeholder 'x' · only variables · variable(")
def placeholder_as_target() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: ag.function([x], [], [(x, x + 1.0)]), []


@case(5, TypeError, words="updates[1] · 'scores' · only variables")
def expression_as_target() -> Made:
    w = ag.variable(np.ones(2), name="w")
    y = ag.tanh(w)
    y.name = "scores"
    return lambda: ag.function([], [], [(w, w * 2.0), (y, w)]), [w]


@case(6, ValueError, words="'bn/mean' · two new values · combine · then")
def two_updates() -> Made:
    m, x = ag.variable(np.ones(3), name="bn/mean"), ag.placeholder((3,), name="x")
    return lambda: ag.function([x], [], [(m, 0.9 * m + x), (m, 0.5 * m)]), [m]


@case(6, ValueError, words="'n' · two new values")
def two_updates_by_algebra() -> Made:
    n = ag.variable(0, dtype="int64", name="n")
    return lambda: ag.function([], n, ag.Updates([(n, n + 1)]) + [(n, n + 2)]), [n]


@case(7, ValueError, TypeError, words="'w' · [3, 2] · [1, 2] · never broadcast · keepdims")
def update_of_another_shape() -> Made:
    w = ag.variable(np.ones((3, 2)), name="w")
    return lambda: ag.function([], [], [(w, ag.reduce_mean(w, axis=0, keepdims=True))]), [w]


@case(7, ValueError, words="'b' · [4] · [5] · never broadcast · No variable was changed")
def update_of_another_shape_at_run_time() -> Made:
    b, a, x = ag.variable(np.ones(4), name="b"), ag.variable(np.ones(4)), ag.placeholder((None,), name="x")
    f = ag.function([x], [], [(a, a * 2.0), (b, x * 2.0)])
    return lambda: f(np.ones(5)), [a, b]


@case(8, TypeError, words="'w' · float32 · float64 · 'c' · cast")
def update_of_another_dtype() -> Made:
    w, c = ag.variable(np.ones(3), name="w"), ag.placeholder((3,), dtype="float64", name="c")
    return lambda: ag.function([c], [], [(w, w + c)]), [w]


@case(8, TypeError, words="'n' · int32 · float32 · cast")
def update_of_an_integer() -> Made:
    n, x = ag.variable(1, dtype="int32", name="n"), ag.placeholder((), name="x")
    return lambda: ag.function([x], [], [(n, n * x)]), [n]


@case(9, TypeError, words="updates[0] · 'v' · pair · [(variable, new_value)]")
def flat_updates() -> Made:
    v = ag.variable(np.ones(2), name="v")
    return lambda: ag.function([], [], [v, v + 1.0]), [v]


@case(9, TypeError, words="updates[0] · 'kernel' · name · variable itself")
def updates_by_name() -> Made:
    v = ag.variable(np.ones(2), name="kernel")
    return lambda: ag.function([], v, {"kernel": v + 1.0}), [v]


@case(10, ValueError, words="session_kwarg")
def unknown_keyword() -> Made:
    x = K.placeholder((2,))
    return lambda: K.function([x], [x], session_kwarg=1), []


@case(10, ValueError, words="on_nonfinite='ignore' · apply · raise · skip")
def unknown_choice() -> Made:
    x = ag.placeholder((2,))
    return lambda: ag.function([x], x, on_nonfinite="ignore"), []


@case(10, ValueError, words="executor='nunpy' · 'numpy'")
def unknown_executor() -> Made:
    x = ag.placeholder((2,))
    return lambda: ag.function([x], x, executor="nunpy"), []


@case(11, TypeError, words="'train' takes 3 inputs · x [?, 784] · y [?, 10] · phase [] · got 2 · No variable")
def too_few_values() -> Made:
    x, y = ag.placeholder((None, 784), name="x"), ag.placeholder((None, 10), name="y")
    phase, w = ag.placeholder((), name="phase"), ag.variable(1.0, name="w")
    f = ag.function([x, y, phase], [], [(w, ag.reduce_sum(x) + ag.reduce_sum(y) * phase)], name="train")
    return lambda: f(np.ones((1, 784)), np.ones((1, 10))), [w]


@case(11, TypeError, words="'f' · 'sclae' · 'scale'")
def misspelt_value() -> Made:
    s = ag.placeholder((), name="scale")
    f = ag.function([s], s * 2.0, name="f")
    return lambda: f(sclae=1), []


@case(12, TypeError, words="list")
def array_instead_of_a_list() -> Made:
    x = K.placeholder((None, 784), name="x")
    f = K.function([x], [x * 2])
    return lambda: f(np.ones((32, 784))), []


@case(12, TypeError, words="list")
def number_instead_of_a_list() -> Made:
    x = K.placeholder((), name="x")
    f = K.function([x], [x * 2])
    return lambda: f(3.0), []
