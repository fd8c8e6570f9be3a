"""Bad inputs 47–53: variables and optimizers."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

import autograph as ag
from autograph import backend as K
from optimizers import SGD, Adam
from tests.errors.table import Made, case


@case(47, TypeError, words="'flaot32' · 'float32'")
def misspelt_dtype() -> Made:
    return lambda: ag.placeholder((2,), dtype="flaot32"), []


@case(47, TypeError, words="complex128 · not supported · valid")
def dtype_that_tensors_cannot_hold() -> Made:
    w = ag.variable(np.ones(2), name="w")
    return lambda: ag.cast(w, complex), [w]


@case(47, TypeError, words="dtype variable 'w' · unknown · valid")
def dtype_that_is_a_tensor() -> Made:
    w = ag.variable(np.ones(2), name="w")
    return lambda: ag.zeros_like(w, dtype=w), [w]


@case(48, TypeError, words="shape is {2, 3} · not a list · (None, 3)")
def shape_without_an_order() -> Made:
    return lambda: ag.placeholder({2, 3}), []


@case(48, ValueError, words="shape= · ndim=")
def placeholder_of_no_shape() -> Made:
    return lambda: ag.placeholder(name="x"), []


@case(48, ValueError, words="-3 · None")
def negative_size() -> Made:
    return lambda: ag.placeholder((None, -3)), []


@case(48, ValueError, words="shape · ndim")
def placeholder_of_no_shape_in_k() -> Made:
    return lambda: K.placeholder(), []


@case(49, ValueError, words="'W' · [784, 10] · [10, 784] · transposed · .T")
def transposed_value() -> Made:
    w = ag.variable(np.ones((784, 10)), name="W")
    return lambda: w.set_value(np.zeros((10, 784))), [w]


@case(49, ValueError, words="'b' · [3] · [1, 3] · never changes")
def value_of_another_rank() -> Made:
    b = ag.variable(np.ones(3), name="b")
    return lambda: K.set_value(b, np.zeros((1, 3))), [b]


@case(50, ValueError, words="'loss' · 'x' · K.function")
def eval_that_needs_a_feed() -> Made:
    x = ag.placeholder((2,), name="x")
    loss = ag.reduce_sum(x)
    loss.name = "loss"
    return lambda: ag.eval(loss), []


@case(50, TypeError, words="no variable · eval")
def value_of_an_expression() -> Made:
    w = ag.variable(np.ones(2), name="w")
    y = ag.tanh(w)
    return lambda: K.set_value(y, 1.0), [w]


@case(51, ValueError, words="learning_rate · nan · finite · positive")
def rate_that_is_no_number() -> Made:
    return lambda: SGD(lr=math.nan), []


@case(51, ValueError, words="learning_rate · -0.1 · positive")
def negative_rate() -> Made:
    return lambda: Adam(learning_rate=-0.1), []


@case(51, TypeError, words="learning_rate · 'fast' · number")
def rate_as_text() -> Made:
    return lambda: Adam("fast"), []


@case(51, ValueError, words="momentum · 1")
def momentum_of_one() -> Made:
    return lambda: SGD(0.1, momentum=1.0), []


@case(51, TypeError, words="learning_rat · 'learning_rate'")
def misspelt_option() -> Made:
    return lambda: Adam(learning_rat=0.1), []


@case(52, ValueError, words="params[1] · 'x' · placeholder")
def placeholder_among_parameters() -> Made:
    w, x = ag.variable(np.ones(2), name="w"), ag.placeholder((2,), name="x")
    loss = ag.reduce_sum(w * x)
    return lambda: SGD(0.1).get_updates(loss, [w, x]), [w]


@case(52, ValueError, words="'W' · twice")
def parameter_twice() -> Made:
    w = ag.variable(np.ones(2), name="W")
    loss = ag.reduce_sum(ag.square(w))
    return lambda: Adam(0.1).get_updates(loss, [w, w]), [w]


@case(52, ValueError, words="param")
def no_parameters() -> Made:
    w = ag.variable(np.ones(2), name="W")
    loss = ag.reduce_sum(ag.square(w))
    return lambda: Adam(0.1).get_updates(loss, []), [w]


def _for_ever(f: Any, *feeds: Any) -> None:
    for _ in range(1000):
        f(*feeds)


@case(53, FloatingPointError, words="100 ticks in a row · not finite · learning rate · clipnorm · No variable")
def training_that_has_diverged() -> Made:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="kernel")
    loss = ag.reduce_sum(ag.log(w * x))
    f = ag.function([x], loss, SGD(0.1).get_updates(loss, [w]), on_nonfinite="skip")
    return functools.partial(_for_ever, f, [0.0, 1.0]), [w]


@case(53, FloatingPointError, words="100 ticks in a row · 'ratio' · inf")
def average_that_has_diverged() -> Made:
    x, m, n = ag.placeholder((), name="x"), ag.variable(0.0, name="mean"), ag.variable(0, dtype="int64", name="n")
    ratio = 1.0 / x
    ratio.name = "ratio"
    f = ag.function([x], [], [(m, 0.9 * m + ratio), (n, n + 1)], on_nonfinite="skip")
    return functools.partial(_for_ever, f, 0.0), [m, n]
