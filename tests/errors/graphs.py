"""Bad inputs 25–34: gradients, old graphs, tensors used as numbers."""

from __future__ import annotations

import numpy as np

import autograph as ag
from autograph import backend as K
from optimizers import SGD, Adam
from tests.errors.table import Made, case


@case(25, ValueError, words="loss · 'errors' · float32[?, 10] · one number · mean · cotangents")
def loss_with_axes() -> Made:
    x, w = ag.placeholder((None, 10), name="x"), ag.variable(np.ones(10), name="w")
    y = x - w
    y.name = "errors"
    return lambda: ag.gradients(y, [w]), [w]


@case(25, ValueError, words="loss · 'per_example' · float64[4]")
def loss_of_many() -> Made:
    w = ag.variable(np.ones(4), dtype="float64", name="w")
    y = ag.square(w)
    y.name = "per_example"
    return lambda: ag.gradients(y, w), [w]


@case(26, ValueError, words="'b' · does not read")
def not_connected() -> Made:
    w, b = ag.variable(np.ones(3), name="w"), ag.variable(np.ones(3), name="b")
    loss = ag.reduce_sum(ag.square(w))
    return lambda: SGD(0.1).get_updates(loss, [w, b]), [w, b]


@case(26, ValueError, words="'logits' · cut at · argmax · softmax")
def cut_by_argmax() -> Made:
    w, v = ag.variable(np.ones((3, 4)), name="logits"), ag.variable(1.0, name="v")
    loss = ag.reduce_mean(ag.cast(ag.argmax(w, axis=1), "float32") * v)
    return lambda: Adam(0.1).get_updates(loss, [v, w]), [w, v]


@case(27, TypeError, words="'idx' · int32 · only floats · cast")
def gradient_of_integers() -> Made:
    i, e = ag.variable(np.array([0, 1]), dtype="int32", name="idx"), ag.variable(np.ones((3, 2)), name="table")
    loss = ag.reduce_sum(ag.gather(e, i))
    return lambda: ag.gradients(loss, [e, i]), [i, e]


@case(27, TypeError, words="'mask' · bool · only floats")
def gradient_of_truth() -> Made:
    m = ag.placeholder((3,), dtype="bool", name="mask")
    loss = ag.reduce_sum(ag.where(m, 1.0, 2.0))
    return lambda: ag.gradients(loss, m), []


@case(28, TypeError, words="variables[0] is an array float32[3, 2] · variable itself")
def gradient_of_an_array() -> Made:
    w = ag.variable(np.ones((3, 2)), name="w")
    return lambda: ag.gradients(ag.reduce_sum(w), [w.get_value(), w]), [w]


@case(28, TypeError, words="variables[1] is 'w', not a tensor")
def gradient_of_a_name() -> Made:
    w = ag.variable(np.ones(2), name="w")
    return lambda: ag.gradients(ag.reduce_sum(w), [w, "w"]), [w]


@case(29, NotImplementedError, words="'my_op' · vjp · cut")
def op_without_a_rule() -> Made:
    w = ag.variable(np.ones(3), name="W")
    op = ag.custom_op("my_op", lambda x: x * 2)
    loss = ag.reduce_sum(op(w))
    return lambda: ag.gradients(loss, w), [w]


@case(29, NotImplementedError, words="'quantise' · vjp")
def op_without_a_rule_in_the_middle() -> Made:
    w, x = ag.variable(np.ones((3, 2)), name="W"), ag.placeholder((None, 3), name="x")
    op = ag.custom_op("quantise", lambda a: np.round(a))
    loss = ag.reduce_mean(ag.square(op(ag.matmul(x, w))))
    return lambda: SGD(0.1).get_updates(loss, [w]), [w]


@case(30, RuntimeError, words="'x' · cleared at · again")
def from_before_clear_session() -> Made:
    x = ag.placeholder((2,), name="x")
    ag.clear_session()
    return lambda: x + 1.0, []


@case(30, RuntimeError, words="'kernel' · cleared at")
def function_of_what_was_cleared() -> Made:
    w = ag.variable(np.ones(2), name="kernel")
    K.clear_session()
    return lambda: ag.function([], w), [w]




@case(31, TypeError, words="no truth value · where · eval")
def truth_of_a_comparison() -> Made:
    x = ag.placeholder((), name="x")
    return lambda: 1 if x > 0 else 2, []


@case(31, TypeError, words="'loss' · no truth value")
def truth_of_a_loss() -> Made:
    w = ag.variable(np.ones(2), name="w")
    loss = ag.reduce_sum(w)
    loss.name = "loss"
    return lambda: loss and w, [w]


@case(32, TypeError, words="'mean' · symbolic · eval")
def float_of_a_tensor() -> Made:
    w = ag.variable(np.ones(2), name="w")
    m = ag.reduce_mean(w)
    m.name = "mean"
    return lambda: float(m), [w]


@case(32, TypeError, words="'n' · symbolic")
def whole_number_of_a_tensor() -> Made:
    n = ag.placeholder((), dtype="int32", name="n")
    return lambda: list(range(n)), []


@case(32, TypeError, words="'rows' · symbolic · eval")
def array_of_a_tensor() -> Made:
    x = ag.placeholder((2, 3), name="rows")
    return lambda: np.array(x), []


@case(33, TypeError, words="NumPy's exp · 'x' · no value yet · use exp, autograph's own")
def numpy_function_of_a_tensor() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: np.exp(x), []


@case(33, TypeError, words="'probabilities' · autograph's functions · eval")
def another_numpy_function_of_a_tensor() -> Made:
    x = ag.placeholder((2, 3), name="probabilities")
    return lambda: np.spacing(x), []


@case(33, TypeError, words="'rows' · symbolic · unstack")
def array_function_of_a_tensor() -> Made:
    x = ag.placeholder((2, 3), name="rows")
    return lambda: np.vstack([x, x]), []


@case(34, TypeError, words="'t' · immutable · update")
def assignment_to_an_element() -> Made:
    t = ag.placeholder((2,), name="t")

    def assign() -> None:
        t[0] = 1  # type: ignore[index]

    return assign, []


@case(34, TypeError, words="'w' · immutable")
def assignment_to_a_slice() -> Made:
    w = ag.variable(np.ones((3, 2)), name="w")

    def assign() -> None:
        w[1:, 0] = np.zeros(2)  # type: ignore[index]

    return assign, [w]
