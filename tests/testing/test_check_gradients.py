"""`check_gradients`: right rules pass, wrong ones do not, and the message says which mistake it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.testing import GradientError, check_gradients
from autograph.testing.report import paste

A = np.array([[0.5, -1.25, 0.75], [1.5, 0.25, -0.5]])
SQUARE = np.array([[0.5, -1.25, 0.75], [1.5, 0.25, -0.5], [-0.875, 0.375, 1.125]])
OTHER = np.array([[1.0, 0.5, -0.25], [-1.5, 2.0, 0.75], [0.125, -0.625, 1.75]])


def op(eval: Callable[..., Any], vjp: Callable[..., Any], **options: Any) -> Callable[..., ag.Tensor]:
    """An op of one's own by the name `my_op`."""
    return ag.custom_op("my_op", eval, vjp, **options)


def fault(fn: Callable[..., Any], *arrays: Any, order: int = 1) -> GradientError:
    with pytest.raises(GradientError) as caught:
        check_gradients(fn, *arrays, order=order)
    return caught.value


# what passes ---------------------------------------------------------------------------------------------------------


def test_a_right_gradient_passes_by_the_complex_step() -> None:
    seen = check_gradients(lambda x, w: ag.tanh(x @ w), A, SQUARE, order=2)
    assert seen.methods == {"complex step"}
    assert seen.error < 1e-12


def test_what_underflows_beside_the_complex_step_is_no_fault() -> None:
    check_gradients(ag.multiply, np.array(0.0), np.array(1.728834159460306e-304))
    check_gradients(ag.matmul, np.array([[3.521786299824024e-304]]), np.array([[0.0]]), order=2)


def test_what_has_no_complex_form_passes_by_differences() -> None:
    assert check_gradients(ag.erf, A).methods == {"differences"}
    assert check_gradients(lambda x: ag.abs(x), A, order=2).methods == {"differences"}


def test_an_op_of_the_users_own_is_taken_through_the_complex_step_too() -> None:
    cube = op(lambda x: x**3, lambda g, y, x: (g * 3 * x**2,))
    assert check_gradients(cube, A, order=2).methods == {"complex step"}


def test_an_op_that_hides_behind_complex_arrays_is_checked_by_differences() -> None:
    size = op(lambda x: np.abs(x), lambda g, y, x: (g * ag.sign(x),))
    assert check_gradients(size, A).methods == {"differences"}


def test_float32_graphs_are_checked_in_float64() -> None:
    w = ag.variable(OTHER, dtype="float32")
    seen = check_gradients(lambda x: ag.exp(ag.cast(x, "float32") @ w) * 0.1, A.astype("float32"))
    assert seen.methods == {"complex step"}
    assert seen.error < 1e-12


def test_outputs_may_be_nested_and_integers_among_them() -> None:
    check_gradients(lambda x: {"a": [ag.sin(x), (ag.argmax(x, 0), ag.reduce_sum(x))]}, A, order=2)


def test_integer_inputs_are_passed_on() -> None:
    check_gradients(lambda x, i: ag.gather(x, i), A, np.array([1, 0, 1]), order=2)


def test_the_values_of_registers_and_random_numbers_stand_still() -> None:
    check_gradients(lambda x: ag.random_normal(like=x, seed=3) * x + ag.random_uniform((3,), seed=1), A)


def test_a_machine_can_be_judged() -> None:
    check_gradients(lambda x: ag.softmax(x) * ag.tanh(x), A, order=2, executor="numpy")


def test_empty_inputs_pass() -> None:
    check_gradients(lambda x, y: x * y, np.zeros((0, 3)), np.ones(3))


def test_inputs_of_very_different_size_are_each_moved_by_their_own() -> None:
    check_gradients(ag.log, np.array([1e-9, 1.0, 1e9]))
    check_gradients(ag.erf, np.array([1e-6, 1.0, 2.0]))


def test_a_sum_that_cancels_is_not_blamed_for_its_rounding() -> None:
    check_gradients(lambda x: ag.reduce_sum(ag.softmax(x)), A)
    check_gradients(lambda x: 1e6 + ag.erf(x), A)


def test_the_arrays_given_are_not_changed() -> None:
    x = A.copy()
    x.flags.writeable = False
    check_gradients(lambda x: ag.sort(x), x)
    assert np.array_equal(x, A)


# kinks and edges -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fn", [ag.relu, ag.abs, lambda x: ag.maximum(x, 0.0), lambda x: ag.reduce_max(ag.abs(x))])
def test_at_a_kink_what_lies_between_its_sides_passes(fn: Callable[..., Any]) -> None:
    check_gradients(fn, np.array([0.0, 0.0]))
    check_gradients(fn, np.array([-1.0, 0.0, 1.0]))


def test_a_kink_is_reported_where_the_rule_is_not_the_middle() -> None:
    seen = check_gradients(ag.relu, np.array([0.0, 1.0, 0.0]))
    assert list(seen.kinks) == ["relu, input 0 'x' at [0]", "relu, input 0 'x' at [2]"]
    assert all("on the left" in text and "the rule gives" in text for text in seen.kinks.values())


def test_at_a_kink_what_lies_outside_its_sides_is_wrong() -> None:
    bent = op(np.abs, lambda g, y, x: (3 * g,))
    error = fault(bent, np.array([0.0]))
    assert "at a kink" in str(error)


def test_at_a_vertical_tangent_infinity_is_right_and_a_number_is_not() -> None:
    check_gradients(ag.sqrt, np.array([0.0, 1.0]))
    hidden = op(np.sqrt, lambda g, y, x: (0.5 * g / (y + 1e-8),))
    fault(hidden, np.array([0.0, 1.0]))


def test_at_the_end_of_a_domain_the_inner_side_counts() -> None:
    check_gradients(lambda x: x**1.5, np.array([0.0, 2.0]))


def test_the_dead_side_of_where_passes() -> None:
    check_gradients(lambda x: ag.where(x > 0, ag.log(x), 0.0), A)


# what does not pass, and its name ------------------------------------------------------------------------------------


def test_a_sign_at_a_scale_of_a_hundred_thousandth_is_caught() -> None:
    wrong = op(lambda x: 1e-5 * np.tanh(x), lambda g, y, x: (-g * 1e-5 * (1 - ag.tanh(x) ** 2),))
    assert fault(wrong, A).diagnosis.kind == "sign"
    assert fault(lambda x: ag.sin(x) + wrong(x), A).diagnosis.kind == "sign"
    assert fault(lambda x: ag.erf(x) + wrong(x), A).diagnosis.kind == "sign"


@pytest.mark.parametrize("x", [A, np.array(0.5), np.linspace(-2, 2, 700)])
@pytest.mark.parametrize(
    ("kind", "rule", "words"),
    [
        ("sign", lambda g, y, x: (-g * (1 - y * y),), "everywhere −1 ×: the sign is wrong"),
        ("factor", lambda g, y, x: (1.01 * g * (1 - y * y),), "everywhere 1.01 ×: a constant factor is wrong"),
        ("none", lambda g, y, x: (None,), "nothing flows to this input: the rule has no cotangent for it"),
        ("none", lambda g, y, x: (ag.zeros_like(x),), "nothing flows to this input: the rule gives 0"),
        ("term", lambda g, y, x: (g,), "what is missing is -1 × g·y²: a term is dropped or wrong"),
        ("term", lambda g, y, x: (g * (1 - y),), "a term is"),
        ("zero", lambda g, y, x: (g * (1 - y * y) + 0.5,), "a zero cotangent gives 0.5"),
        ("linear", lambda g, y, x: (g * g * (1 - y * y),), "not linear in the cotangent"),
        ("raises", lambda g, y, x: (ag.reshape(g, (-1, 13)),), "its gradient rule raises"),
    ],
)
def test_each_mistake_in_an_elementwise_rule_has_its_sentence(x: Any, kind: str, rule: Any, words: str) -> None:
    if np.size(x) > 512 and kind == "term":
        words = "a term is"  # too many elements to find the whole gradient: no proof, no name
    error = fault(op(np.tanh, rule), x)
    assert error.diagnosis.kind == kind
    assert words in str(error)


def test_a_dropped_constant_is_called_an_offset() -> None:
    # With cotangents of a sum the term that is missing is the same number everywhere.
    total = op(lambda x: np.sum(x * x + 3 * x), lambda g, y, x: (g * 2 * x,), infer=lambda x: ag.reduce_sum(x0()).type)
    error = fault(total, A)
    assert error.diagnosis.kind == "offset"


def x0() -> ag.Placeholder:
    return ag.placeholder((), dtype="float64")


def test_a_transposed_gradient() -> None:
    wrong = op(np.tanh, lambda g, y, x: ((g * (1 - y * y)).T,))
    error = fault(wrong, SQUARE)
    assert error.diagnosis.kind == "transposed"
    assert "axes in the order (1, 0)" in str(error)


def test_swapped_operands() -> None:
    product = op(np.matmul, lambda g, y, a, b: (b.T @ g, g @ a.T))
    assert fault(product, SQUARE, OTHER).diagnosis.kind == "swapped"
    times = op(np.multiply, lambda g, y, a, b: (g * a, g * b))
    error = fault(times, SQUARE, OTHER)
    assert error.diagnosis.kind == "swapped"
    assert "it is the gradient of input 1" in str(error)


def test_a_missing_sum_over_a_broadcast_axis() -> None:
    wrong = op(np.add, lambda g, y, a, b: (g, g[0]))
    error = fault(wrong, A, np.array([1.0, 2.0, 3.0]))
    assert error.diagnosis.kind == "sum"
    assert "the sum over the broadcast axis is missing" in str(error)
    assert error.input == 1


def test_a_mean_where_a_sum_belongs_is_named() -> None:
    wrong = op(np.add, lambda g, y, a, b: (g, ag.reduce_mean(g, 0)))
    assert "perhaps a mean where a sum belongs" in str(fault(wrong, A, np.array([1.0, 2.0, 3.0])))


def test_right_numbers_in_other_places() -> None:
    wrong = op(np.tanh, lambda g, y, x: ((g * (1 - y * y))[:, ::-1],))
    assert fault(wrong, A).diagnosis.kind == "places"


def test_one_branch_wrong_is_told_by_the_sign_of_x() -> None:
    leaky = op(lambda x: np.where(x > 0, x, 0.1 * x), lambda g, y, x: (ag.where(x > 0, g, -0.1 * g),))
    error = fault(leaky, A)
    assert "only where x < 0: −1 ×: the sign is wrong" in str(error)


def test_one_edge_wrong_is_told_by_its_place() -> None:
    mask = np.array([[1.0, 1.0, 0.0]])
    error = fault(op(np.tanh, lambda g, y, x: (g * (1 - y * y) * mask,)), A)
    assert "only in the last place of axis 1: nothing flows there" in str(error)


def test_nan_in_a_rule_is_told() -> None:
    wrong = op(lambda x: x * np.abs(x), lambda g, y, x: (ag.mul_no_nan(2 * g, y / x),))
    error = fault(wrong, np.array([0.0, 1.0, -2.0]))
    assert error.diagnosis.kind == "nan"
    assert "only where x = 0" in str(error)


def test_a_gradient_where_nothing_depends() -> None:
    wrong = op(lambda x, y: np.broadcast_to(y, x.shape) + 0.0, lambda g, r, x, y: (g, g))
    assert fault(wrong, A, np.array(1.0)).diagnosis.kind == "extra"


def test_a_gradient_that_is_cut_on_purpose_is_not_called_a_mistake() -> None:
    error = fault(lambda x: x * ag.stop_gradient(x), A)
    assert error.diagnosis.kind == "purpose"
    assert "stop_gradient" in str(error)


def test_the_op_at_fault_is_found_inside_a_graph() -> None:
    wrong = op(np.tanh, lambda g, y, x: (1.01 * g * (1 - y * y),))

    def network(x: ag.Tensor, w: ag.Tensor) -> ag.Tensor:
        hidden = wrong(x @ w)
        return ag.reduce_sum(ag.exp(hidden) * hidden)

    text = str(fault(network, A, SQUARE))
    assert text.startswith("network, input 0 'x' (test_check_gradients.py:")
    assert re.search(r"the fault is in my_op \(test_check_gradients.py:\d+\), its input 0", text)
    assert "everywhere 1.01 ×" in text


# second order --------------------------------------------------------------------------------------------------------


def test_a_rule_that_is_right_once_and_wrong_twice() -> None:
    once = op(np.sin, lambda g, y, x: (g * ag.stop_gradient(ag.cos(x)),))
    check_gradients(once, A)
    error = fault(once, A, order=2)
    assert str(error).startswith("the gradient of my_op, input 0 'x'") or "the gradient of my_op" in str(error)


def test_a_hessian_that_is_not_symmetric() -> None:
    half = op(np.multiply, lambda g, y, a, b: (g * b, g * ag.stop_gradient(a)))
    check_gradients(half, A, A + 1)
    error = fault(half, A, A + 1, order=2)
    assert error.diagnosis.kind == "symmetry"
    assert "the Hessian is not symmetric" in str(error)


def test_a_function_without_curvature_has_a_second_order_too() -> None:
    check_gradients(lambda x: 3 * x, A, order=3)
    check_gradients(lambda x: ag.floor(x), A, order=2)


# the message ---------------------------------------------------------------------------------------------------------


def test_the_message_is_this() -> None:
    my_op = op(lambda x: np.tanh(x), lambda g, y, x: (1.01 * g * (1 - y * y),))
    text = str(fault(my_op, np.array([[0.5, 0.0, 0.0]])))
    lines = text.split("\n  ")
    assert re.fullmatch(r"my_op, input 0 'x' \(test_check_gradients.py:\d+\): 3 of 3 elements differ", lines[0])
    assert re.fullmatch(r"worst at \[0, \d\]: the rule gives \S+, complex step \S+ \(x = \S+, h = 1e-20\)", lines[1])
    assert lines[2].count("≠") == 2
    assert lines[3] == "everywhere 1.01 ×: a constant factor is wrong"
    assert lines[4] == "repeat it: check_gradients(my_op, np.array([[0.5, 0.0, 0.0]]))"


def test_inputs_are_called_what_the_user_calls_them() -> None:
    scaled = op(lambda scores, rate: scores * rate, lambda g, y, scores, rate: (g * rate, 1.5 * g * scores))
    assert str(fault(scaled, A, A)).startswith("my_op, input 1 'rate' (")
    stuck = op(lambda scores: scores, lambda g, y, scores: (g + 1,))
    assert str(fault(stuck, A)).startswith("my_op, input 0 'scores' (") and "a zero cotangent" in str(fault(stuck, A))


def test_at_most_five_elements_are_shown() -> None:
    text = str(fault(op(np.tanh, lambda g, y, x: (g,)), np.linspace(-1, 1, 50)))
    assert "worst at" in text
    assert text.count("≠") == 4


def test_numbers_that_differ_little_are_shown_with_the_digits_that_differ() -> None:
    text = str(fault(op(np.tanh, lambda g, y, x: ((1 + 1e-9) * g * (1 - y * y),)), A))
    ours, theirs = re.search(r"the rule gives (\S+), complex step (\S+)", text).groups()  # type: ignore[union-attr]
    assert ours != theirs


def test_the_error_knows_what_it_says() -> None:
    error = fault(op(np.multiply, lambda g, y, a, b: (g * b, 2 * g * a)), A, A + 3)
    assert (error.input, error.diagnosis.kind) == (1, "factor")
    assert error.rule == pytest.approx(2 * error.numeric)
    assert np.zeros(A.shape)[error.index] == 0


@pytest.mark.parametrize("x", [A, np.linspace(-2, 2, 100).reshape(4, 25), np.array(0.1), A.astype("float32")])
def test_the_line_to_paste_fails_in_the_same_way(x: Any) -> None:
    my_op = op(np.tanh, lambda g, y, x: (1.01 * g * (1 - y * y),))
    error = fault(my_op, x)
    (line,) = error.__notes__
    assert line.startswith("check_gradients(my_op, ")
    with pytest.raises(GradientError) as again:
        eval(line, {"check_gradients": check_gradients, "np": np, "my_op": my_op})
    assert str(again.value).split(": ", 1)[1] == str(error).split(": ", 1)[1]


@pytest.mark.parametrize(
    "array",
    [A, A.T, np.float32([0.1, np.pi]), np.zeros((2, 0, 3)), np.zeros(0, np.int32), np.array([np.nan, -np.inf]), np.arange(99.0)]
    + [np.array(True), np.array([1, 2, 3], np.int8), np.array(0.1 + 0.2), np.float16([0.1, 65504.0])],
)
def test_pasted_arrays_are_the_same_arrays(array: Any) -> None:
    again = eval(paste(array), {"np": np})
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes()


# calls that make no sense --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected", "words"),
    [
        (lambda: check_gradients(ag.argmax, A), ag.ArgumentTypeError, "no float tensor"),
        (lambda: check_gradients(ag.square, np.array([1, 2])), ag.ArgumentError, "no float input"),
        (lambda: check_gradients(ag.log, np.array([-1.0, -2.0])), ag.ArgumentError, "not finite at this point"),
        (lambda: check_gradients(ag.log, A, order=0), ag.ArgumentError, "order is 0"),
        (lambda: check_gradients(lambda x: 3.0, A), ag.ArgumentTypeError, "returned 3.0, not tensors"),
        (lambda: check_gradients(ag.log, "one"), ag.ArgumentTypeError, "no array of numbers"),
        (lambda: check_gradients(ag.log, A, executor="nympy"), ag.ArgumentError, "nympy"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(call: Callable[[], Any], expected: type[Exception], words: str) -> None:
    with pytest.raises(expected, match=words):
        call()
