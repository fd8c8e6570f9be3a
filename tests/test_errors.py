"""The table of bad inputs: each gets an error of the right type that says what, why, how to mend it, and where.

Each entry is produced by two graphs or more, with other names and shapes. After each, no variable has changed.
The numbers are those of the list of bad inputs that the engine was designed by.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograph as ag
from autograph import backend as K
from autograph.graph.tensor import Variable
from optimizers import SGD, Adam

Made = tuple[Callable[[], Any], Sequence[Variable]]  # what fails, and the variables that it must leave alone


class Case(NamedTuple):
    """A function that makes ready what fails, the types it fails with, and what the text says."""

    number: int
    make: Callable[[], Made]
    types: tuple[type[BaseException], ...]
    words: tuple[str, ...]
    line: bool  # whether the text names a line of this file


CASES: list[Case] = []


def case(
    number: int, *types: type[BaseException], words: str, line: bool = True
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """An entry: the words are separated by `·`."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(number, make, types, tuple(word.strip() for word in words.split("·")), line))
        return make

    return add


def lines_of(make: Callable[[], Made]) -> set[int]:
    """The lines of this file that a function spans."""
    code = make.__code__
    return {line for c in (code, *(k for k in code.co_consts if hasattr(k, "co_lines"))) for _, _, line in c.co_lines() if line}


@pytest.mark.parametrize("case", CASES, ids=[f"{c.number}-{c.make.__name__}" for c in CASES])
def test_a_bad_input_gets_its_message(case: Case) -> None:
    fails, variables = case.make()
    old = [v.register.home.tobytes() for v in variables]
    with pytest.raises(case.types[0]) as caught:
        fails()
    error = caught.value
    text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    assert all(isinstance(error, t) for t in case.types), type(error).__mro__
    assert isinstance(error, ag.AutographError) and type(error).__doc__
    missing = [word for word in case.words if word not in text]
    assert not missing, f"{missing} not in:\n{text}"
    places = [int(n) for n in re.findall(r"test_errors\.py:(\d+)", text)]
    if case.line:
        assert places and set(places) <= lines_of(case.make), f"{places} not in {sorted(lines_of(case.make))}:\n{text}"
    assert [v.register.home.tobytes() for v in variables] == old, "no variable was changed"
    assert "object at 0x" not in text, text


def test_each_entry_is_produced_twice_at_least() -> None:
    counts = {number: sum(c.number == number for c in CASES) for number in {c.number for c in CASES}}
    assert all(n >= 2 for n in counts.values()), {n: k for n, k in counts.items() if k < 2}
    here = {*range(1, 44), *range(47, 54)}
    assert set(counts) == here, (sorted(here - set(counts)), sorted(set(counts) - here))


# 1–12: building and calling -------------------------------------------------------------------------------------------


@case(1, TypeError, words="`inputs` must be a list · 'x' · [x]", line=False)
def bare_input() -> Made:
    x = ag.placeholder((3,), name="x")
    return lambda: ag.function(x, [x * 2.0]), []


@case(1, TypeError, words="`inputs` must be a list · ndarray", line=False)
def array_of_inputs() -> Made:
    return lambda: ag.function(np.ones(3), []), []


@case(1, TypeError, words="inputs · 'images' · list", line=False)
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


@case(3, ValueError, words="'x' · positions 0 and 2 · list it once", line=False)
def input_twice() -> Made:
    x, y = ag.placeholder((2,), name="x"), ag.placeholder((2,), name="y")
    return lambda: ag.function([x, y, x], x + y), []


@case(3, ValueError, words="'mask' · positions 0 and 1", line=False)
def input_twice_nested() -> Made:
    m = ag.placeholder((), name="mask")
    return lambda: ag.function({"a": m, "b": [m]}, m), []


@case(4, TypeError, words="inputs[1] · 'w' · variable · set_value", line=False)
def variable_as_input() -> Made:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    return lambda: ag.function([x, w], x + w), [w]


@case(4, TypeError, words="inputs[0] · ndarray", line=False)
def array_as_input() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: ag.function([np.ones(2), x], x), []


@case(5, TypeError, ValueError, words="updates[0] · placeholder 'x' · only variables · variable(", line=False)
def placeholder_as_target() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: ag.function([x], [], [(x, x + 1.0)]), []


@case(5, TypeError, words="updates[1] · 'scores' · only variables", line=False)
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


@case(9, TypeError, words="updates[0] · 'v' · pair · [(variable, new_value)]", line=False)
def flat_updates() -> Made:
    v = ag.variable(np.ones(2), name="v")
    return lambda: ag.function([], [], [v, v + 1.0]), [v]


@case(9, TypeError, words="updates[0] · 'kernel' · name · variable itself", line=False)
def updates_by_name() -> Made:
    v = ag.variable(np.ones(2), name="kernel")
    return lambda: ag.function([], v, {"kernel": v + 1.0}), [v]


@case(10, ValueError, words="session_kwarg", line=False)
def unknown_keyword() -> Made:
    x = K.placeholder((2,))
    return lambda: K.function([x], [x], session_kwarg=1), []


@case(10, ValueError, words="on_nonfinite='ignore' · apply · raise · skip", line=False)
def unknown_choice() -> Made:
    x = ag.placeholder((2,))
    return lambda: ag.function([x], x, on_nonfinite="ignore"), []


@case(10, ValueError, words="executor 'nunpy' · 'numpy'", line=False)
def unknown_executor() -> Made:
    x = ag.placeholder((2,))
    return lambda: ag.function([x], x, executor="nunpy"), []


@case(11, TypeError, ValueError, words="'train' takes 3 inputs · x [?, 784] · y [?, 10] · phase [] · got 2 · No variable", line=False)
def too_few_values() -> Made:
    x, y = ag.placeholder((None, 784), name="x"), ag.placeholder((None, 10), name="y")
    phase, w = ag.placeholder((), name="phase"), ag.variable(1.0, name="w")
    f = ag.function([x, y, phase], [], [(w, ag.reduce_sum(x) + ag.reduce_sum(y) * phase)], name="train")
    return lambda: f(np.ones((1, 784)), np.ones((1, 10))), [w]


@case(11, TypeError, words="'f' · 'sclae' · 'scale'", line=False)
def misspelt_value() -> Made:
    s = ag.placeholder((), name="scale")
    f = ag.function([s], s * 2.0, name="f")
    return lambda: f(sclae=1), []


@case(12, TypeError, words="list", line=False)
def array_instead_of_a_list() -> Made:
    x = K.placeholder((None, 784), name="x")
    f = K.function([x], [x * 2])
    return lambda: f(np.ones((32, 784))), []


@case(12, TypeError, words="list", line=False)
def number_instead_of_a_list() -> Made:
    x = K.placeholder((), name="x")
    f = K.function([x], [x * 2])
    return lambda: f(3.0), []


# 13–24: feeds and run time --------------------------------------------------------------------------------------------


@case(13, ValueError, TypeError, words="Input 0 'x' · [?, 784] · [32, 28, 28] · rank 3 · reshape(len(x), -1) · [32, 784] · No variable")
def images_not_flat() -> Made:
    x, w = ag.placeholder((None, 784), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, w + ag.reduce_sum(x))])
    return lambda: f(np.ones((32, 28, 28))), [w]


@case(13, ValueError, words="Input 1 'row' · [5] · [4] · axis 0")
def another_size() -> Made:
    a, b = ag.placeholder((), name="a"), ag.placeholder((5,), name="row")
    f = ag.function([a, b], a * b)
    return lambda: f(1.0, np.ones(4)), []


@case(13, ValueError, words="'batch' · [?, 3] · [3] · rank 1 · x[None]")
def an_axis_short() -> Made:
    x = ag.placeholder((None, 3), name="batch")
    f = ag.function([x], x)
    return lambda: f(np.ones(3)), []


@case(14, ValueError, words="matmul · 5 · 3 · 'x' · 'W' · No variable")
def inner_sizes() -> Made:
    x, w = ag.placeholder((None, None), name="x"), ag.variable(np.ones((3, 2)), name="W")
    f = ag.function([x], [], [(w, w * ag.reduce_sum(ag.matmul(x, w)))])
    return lambda: f(np.ones((4, 5))), [w]


@case(14, ValueError, words="matmul · 7 · 6 · 'left' · 'right'")
def inner_sizes_of_two_feeds() -> Made:
    a, b = ag.placeholder((2, None), name="left"), ag.placeholder((None, 2), name="right")
    f = ag.function([a, b], ag.matmul(a, b))
    return lambda: f(np.ones((2, 7)), np.ones((6, 2))), []


@case(15, ValueError, words="'x' · 3, 2 · row 1 · equal rows · pad")
def ragged() -> Made:
    x = ag.placeholder((None, None), name="x")
    f = ag.function([x], x)
    return lambda: f([[1, 2, 3], [4, 5]]), []


@case(15, ValueError, words="'words' · 1, 1, 4 · row 2")
def ragged_later() -> Made:
    x = ag.placeholder((None, None), dtype="int32", name="words")
    f = ag.function([x], x)
    return lambda: f([[1], [2], [3, 4, 5, 6]]), []


@case(16, ValueError, TypeError, words="Input 1 'y' · None · float32 · loader")
def nothing_fed() -> Made:
    x, y = ag.placeholder((2,), name="x"), ag.placeholder((2,), name="y")
    f = ag.function([x, y], x + y)
    return lambda: f(np.ones(2), None), []


@case(16, TypeError, words="'age' · text · float()")
def text_fed() -> Made:
    x = ag.placeholder((None,), name="age")
    f = ag.function([x], x)
    return lambda: f(["31", "47"]), []


@case(16, TypeError, words="'x' · object")
def objects_fed() -> Made:
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], x)
    return lambda: f(np.array([{}, None], object)), []


@case(16, TypeError, words="'when' · datetime64")
def dates_fed() -> Made:
    x = ag.placeholder((None,), name="when")
    f = ag.function([x], x)
    return lambda: f(np.array(["2020-01-01"], "datetime64[D]")), []


@case(17, TypeError, words="'x' · complex128 · imaginary · .real")
def complex_fed() -> Made:
    x = ag.placeholder((None,), name="x")
    f = ag.function([x], x)
    return lambda: f(np.ones(3) + 1j), []


@case(17, TypeError, words="'signal' · complex64 · imaginary")
def complex_fed_as_whole() -> Made:
    x = ag.placeholder((), dtype="int32", name="signal")
    f = ag.function([x], x)
    return lambda: f(np.complex64(2)), []


@case(18, ValueError, words="3.7 · [0, 2] · not whole · round")
def fraction_fed() -> Made:
    x = ag.placeholder((None, 3), dtype="int32", name="ids")
    f = ag.function([x], x)
    return lambda: f([[1.0, 2.0, 3.7]]), []


@case(18, ValueError, words="nan · [1] · not whole")
def nan_fed_as_whole() -> Made:
    x = ag.placeholder((None,), dtype="int64", name="ids")
    f = ag.function([x], x)
    return lambda: f([1.0, math.nan]), []


@case(19, ValueError, words="300 · [5] · 0..255 · uint8")
def too_large_fed() -> Made:
    x = ag.placeholder((None,), dtype="uint8", name="pixels")
    f = ag.function([x], x)
    return lambda: f([0, 1, 2, 3, 4, 300]), []


@case(19, ValueError, words="-1 · [1, 0] · 0..65535")
def negative_fed() -> Made:
    x = ag.placeholder((None, 1), dtype="uint16", name="counts")
    f = ag.function([x], x)
    return lambda: f(np.array([[5], [-1]])), []


@case(19, ValueError, words="2 · 0..1 · bool")
def two_fed_as_truth() -> Made:
    x = ag.placeholder((None,), dtype="bool", name="mask")
    f = ag.function([x], x)
    return lambda: f([0, 1, 2]), []


@case(20, TypeError, words="'x' · symbolic · 'dense_1' · numbers · eval")
def symbolic_fed() -> Made:
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    y = ag.tanh(w)
    y.name = "dense_1"
    f = ag.function([x], x)
    return lambda: f(y), [w]


@case(20, TypeError, words="'rate' · symbolic · 'w'")
def variable_fed() -> Made:
    x, w = ag.placeholder((), name="rate"), ag.variable(1.0, name="w")
    f = ag.function([x], x)
    return lambda: f(w), [w]


class Sparse:
    """What a SciPy matrix looks like from outside."""

    shape = (1000, 50000)

    def tocoo(self) -> None:
        raise AssertionError("nobody asked")


@case(21, ValueError, words="'x' · sparse · (1000, 50000) · 190.7 MiB · toarray")
def sparse_fed() -> Made:
    x = ag.placeholder((None, 50000), name="x")
    f = ag.function([x], x)
    return lambda: f(Sparse()), []


@case(21, ValueError, words="'counts' · sparse · (3, 4) · toarray")
def small_sparse_fed() -> Made:
    sparse = pytest.importorskip("scipy.sparse")
    x = ag.placeholder((None, 4), name="counts")
    f = ag.function([x], x)
    return lambda: f(sparse.csr_matrix(np.eye(3, 4))), []


def _full(*_: Any) -> None:
    raise MemoryError


@case(22, MemoryError, words="needs float32[100000, 100000] · 37.3 GiB · x · reduce the batch · No variable")
def too_big() -> Made:
    x, w = ag.placeholder((None, 8), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, w + ag.reduce_sum(ag.matmul(x, x.T)))])
    f._state.arena.fit = _full
    return lambda: f(np.ones((100_000, 8), "float32")), [w]


@case(22, MemoryError, words="float64[300, 200, 100] · 0.0 GiB · a float64[300, 1, 1] · No variable")
def too_big_by_broadcasting() -> Made:
    a, b = (ag.placeholder((None, None, None), dtype="float64", name=n) for n in "ab")
    f = ag.function([a, b], ag.reduce_sum(a + b))
    f._state.arena.fit = _full
    return lambda: f(np.ones((300, 1, 1)), np.ones((1, 200, 100))), []


@case(23, FloatingPointError, words="nan · 'softmax_log' · [1, 1] · log(-1e-09) · clip · No variable")
def first_nan() -> Made:
    x, w = ag.placeholder((None, 2), dtype="float64", name="x"), ag.variable(np.ones(2), dtype="float64", name="w")
    y = ag.log(x - 1e-9)
    y.name = "softmax_log"
    f = ag.function([x], [], [(w, w + ag.reduce_sum(y, axis=0))], on_nonfinite="raise")
    return lambda: f([[1, 1], [1, 0]]), [w]


@case(23, FloatingPointError, words="inf · divide · No variable")
def first_inf() -> Made:
    x, w = ag.placeholder((), name="x"), ag.variable(1.0, name="w")
    f = ag.function([x], [], [(w, 1.0 / x)], on_nonfinite="raise")
    return lambda: f(0.0), [w]


@case(24, ZeroDivisionError, words="divided by 0 · [3] · infinity · cast to float · No variable")
def whole_division_by_zero() -> Made:
    n, d = ag.variable(np.arange(5), dtype="int64", name="n"), ag.placeholder((None,), dtype="int64", name="d")
    f = ag.function([d], [], [(n, n // d)])
    return lambda: f([1, 2, 3, 0, 5]), [n]


@case(24, ZeroDivisionError, words="divided by 0 · cast to float")
def remainder_of_zero() -> Made:
    a, b = ag.placeholder((), dtype="int32", name="a"), ag.placeholder((), dtype="int32", name="b")
    f = ag.function([a, b], a % b)
    return lambda: f(7, 0), []


# 25–30: gradients and old graphs --------------------------------------------------------------------------------------


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


@case(28, TypeError, words="variables[0] · ndarray · variable itself", line=False)
def gradient_of_an_array() -> Made:
    w = ag.variable(np.ones((3, 2)), name="w")
    return lambda: ag.gradients(ag.reduce_sum(w), [w.get_value(), w]), [w]


@case(28, TypeError, words="variables[1] · str", line=False)
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


# 31–34: tensors used as numbers ---------------------------------------------------------------------------------------


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


@case(33, TypeError, words="'x' · autograph", line=False)
def numpy_function_of_a_tensor() -> Made:
    x = ag.placeholder((2,), name="x")
    return lambda: np.exp(x), []


@case(33, TypeError, words="'probabilities' · autograph", line=False)
def another_numpy_function_of_a_tensor() -> Made:
    x = ag.placeholder((2, 3), name="probabilities")
    return lambda: np.log(x), []


@case(34, TypeError, words="'t' · immutable · update", line=False)
def assignment_to_an_element() -> Made:
    t = ag.placeholder((2,), name="t")

    def assign() -> None:
        t[0] = 1  # type: ignore[index]

    return assign, []


@case(34, TypeError, words="'w' · immutable", line=False)
def assignment_to_a_slice() -> Made:
    w = ag.variable(np.ones((3, 2)), name="w")

    def assign() -> None:
        w[1:, 0] = np.zeros(2)  # type: ignore[index]

    return assign, [w]


# 35–43: shapes, axes, indices -----------------------------------------------------------------------------------------


@case(35, ValueError, words="unknown", line=False)
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


@case(36, ValueError, words="-1")
def two_free_sizes() -> Made:
    w = ag.variable(np.ones((2, 3)), name="w")
    return lambda: ag.reshape(w, (-1, -1)), [w]


@case(36, ValueError, words="'x' · [5, 2] · No variable")
def impossible_reshape_at_run_time() -> Made:
    x = ag.placeholder((None, 2), name="x")
    f = ag.function([x], ag.reshape(x, (-1, 4)))
    return lambda: f(np.ones((5, 2))), []


@case(37, ValueError, IndexError, words="axis 5 · -2..1", line=False)
def axis_out_of_range() -> Made:
    x = ag.placeholder((2, 3), name="x")
    return lambda: ag.reduce_sum(x, axis=5), []


@case(37, ValueError, words="axis · twice", line=False)
def axis_named_twice() -> Made:
    x = ag.placeholder((2, 3, 4), name="x")
    return lambda: ag.reduce_mean(x, axis=(0, -3)), []


@case(37, ValueError, words="axis · 1.5 · integer", line=False)
def axis_that_is_no_integer() -> Made:
    w = ag.variable(np.ones((2, 2)), name="w")
    return lambda: ag.reduce_max(w, axis=1.5), [w]


@case(38, ValueError, words="[2, 3] · [2, 4]")
def sizes_that_do_not_join() -> Made:
    a, b = ag.placeholder((2, 3), name="a"), ag.placeholder((2, 4), name="b")
    return lambda: ag.concatenate([a, b], axis=0), []


@case(38, ValueError, words="concatenate", line=False)
def nothing_to_join() -> Made:
    return lambda: ag.concatenate([], axis=0), []


@case(39, ValueError, words="7 · 5")
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


@case(41, IndexError, words="index 7 · [0, 3] · 'embedding' · 5 · 0..4 · No variable")
def index_out_of_range() -> Made:
    e, i = ag.variable(np.ones((5, 2)), name="embedding"), ag.placeholder((None, None), dtype="int32", name="i")
    f = ag.function([i], [], [(e, e * ag.reduce_sum(ag.gather(e, i)))])
    return lambda: f([[0, 1, 2, 7]]), [e]


@case(41, IndexError, words="-4 · [1] · 3")
def negative_index_out_of_range() -> Made:
    x, i = ag.placeholder((3,), name="x"), ag.placeholder((None,), dtype="int64", name="i")
    f = ag.function([x, i], ag.gather(x, i))
    return lambda: f(np.ones(3), [0, -4]), []


@case(41, TypeError, words="float32")
def index_that_is_no_integer() -> Made:
    w, i = ag.variable(np.ones((3, 2)), name="w"), ag.placeholder((None,), name="i")
    return lambda: ag.gather(w, i), [w]


@case(42, ValueError, words="label 10 · [4] · 10 · 0")
def label_too_large() -> Made:
    t, p = K.placeholder((None,), dtype="int64", name="t"), K.placeholder((None, 10), name="p")
    f = ag.function([t, p], K.sparse_categorical_crossentropy(t, p))
    return lambda: f([0, 1, 2, 3, 10], np.full((5, 10), 0.1)), []


@case(42, ValueError, words="3 · [0] · 3")
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


# 47–53: variables and optimizers --------------------------------------------------------------------------------------


@case(47, TypeError, words="'flaot32' · 'float32'", line=False)
def misspelt_dtype() -> Made:
    return lambda: ag.placeholder((2,), dtype="flaot32"), []


@case(47, TypeError, words="complex128 · not supported · valid", line=False)
def dtype_that_tensors_cannot_hold() -> Made:
    w = ag.variable(np.ones(2), name="w")
    return lambda: ag.cast(w, complex), [w]


@case(48, ValueError, words="shape= · ndim=", line=False)
def placeholder_of_no_shape() -> Made:
    return lambda: ag.placeholder(name="x"), []


@case(48, ValueError, words="-3 · None", line=False)
def negative_size() -> Made:
    return lambda: ag.placeholder((None, -3)), []


@case(48, ValueError, words="shape · ndim", line=False)
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
    return lambda: K.get_value(y) if False else K.set_value(y, 1.0), [w]


@case(51, ValueError, words="learning_rate · nan · finite · positive", line=False)
def rate_that_is_no_number() -> Made:
    return lambda: SGD(lr=math.nan), []


@case(51, ValueError, words="learning_rate · -0.1 · positive", line=False)
def negative_rate() -> Made:
    return lambda: Adam(learning_rate=-0.1), []


@case(51, TypeError, words="learning_rate · 'fast' · number", line=False)
def rate_as_text() -> Made:
    return lambda: Adam("fast"), []


@case(51, ValueError, words="momentum · 1", line=False)
def momentum_of_one() -> Made:
    return lambda: SGD(0.1, momentum=1.0), []


@case(51, TypeError, words="learning_rat · 'learning_rate'", line=False)
def misspelt_option() -> Made:
    return lambda: Adam(learning_rat=0.1), []


@case(52, TypeError, words="params[1] · 'x' · placeholder", line=False)
def placeholder_among_parameters() -> Made:
    w, x = ag.variable(np.ones(2), name="w"), ag.placeholder((2,), name="x")
    loss = ag.reduce_sum(w * x)
    return lambda: SGD(0.1).get_updates(loss, [w, x]), [w]


@case(52, ValueError, words="'W' · twice", line=False)
def parameter_twice() -> Made:
    w = ag.variable(np.ones(2), name="W")
    loss = ag.reduce_sum(ag.square(w))
    return lambda: Adam(0.1).get_updates(loss, [w, w]), [w]


@case(52, ValueError, words="param", line=False)
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


# warnings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2**24), ("float16", 2**11)])
def test_whole_numbers_too_large_for_a_float_input_warn_once(dtype: str, bound: int) -> None:
    x = ag.placeholder((None,), dtype=dtype, name="timestamps")
    f = ag.function([x], x)
    f(np.array([bound]))
    with pytest.warns(UserWarning, match=rf"'timestamps'.*{bound}.*{dtype}") as record:
        f(np.array([bound + 1]))
        f(np.array([bound + 3]))
    assert len(record) == 1 and record[0].filename == __file__


def test_a_gradient_among_updates_warns_that_it_trains_nothing() -> None:
    w = ag.variable(np.ones(2), name="w")
    (g,) = ag.gradients(ag.reduce_sum(ag.square(w)), [w])
    with pytest.warns(UserWarning, match=r"updates\[0\].*get_updates") as record:
        f = ag.function([], w, [g])
    assert record[0].filename == __file__
    f()
    assert w.get_value().tolist() == [1, 1]
