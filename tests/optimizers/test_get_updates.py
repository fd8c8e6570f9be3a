"""get_updates: every call form, several calls, guards, and what it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers
from autograph import (
    ArgumentError,
    ArgumentTypeError,
    AutographError,
    DisconnectedError,
    DuplicateUpdateError,
    ShapeError,
    Updates,
    Variable,
    argmax,
    cast,
    greater,
    placeholder,
    reduce_sum,
    square,
    stack,
    variable,
)
from optimizers import SGD, Adam, Optimizer
from tests.optimizers.problems import keras_problem
from tests.ticking import tick

# call forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda o, loss, params: o.get_updates(loss, params),
        lambda o, loss, params: o.get_updates(loss=loss, params=params),
        lambda o, loss, params: o.get_updates(params=params, loss=loss),
        lambda o, loss, params: o.get_updates(loss, params=tuple(params)),
        lambda o, loss, params: o.get_updates(params, [], loss),
        lambda o, loss, params: o.get_updates(params, {}, loss),
        lambda o, loss, params: o.get_updates(params=params, constraints={}, loss=loss),
        lambda o, loss, params: o.get_updates(o.get_gradients(loss, params), params),
    ],
)
def test_every_call_form_gives_the_same_step(call: Callable[[Any, Any, Any], Updates]) -> None:
    loss, p, q = keras_problem()
    updates = call(SGD(lr=0.05), loss, [p, q])
    assert isinstance(updates, Updates)
    assert isinstance(updates, list)
    assert updates[0][0].name == "SGD/iterations"
    tick(updates)
    np.testing.assert_allclose(p.get_value(), [0.95, -1.0], rtol=1e-6)


def test_constraints_of_old_keras_are_applied() -> None:
    loss, p, q = keras_problem()
    tick(SGD(lr=0.05).get_updates([p, q], {p: lambda new: new * 0}, loss))
    assert p.get_value().tolist() == [0.0, 0.0]


def test_the_list_is_fresh_and_may_be_extended_in_place() -> None:
    loss, p, q = keras_problem()
    target = variable([0.0, 0.0], name="target")
    optimizer = Adam()
    updates = optimizer.get_updates(loss, [p, q])
    kept = len(optimizer.updates)
    updates += [(target, 0.1 * p + 0.9 * target)]
    assert len(optimizer.updates) == kept
    assert updates.registers[-1] is target
    tick([(variable(0.0), 1.0)] + updates)
    np.testing.assert_allclose(target.get_value(), [0.1, -0.2], rtol=1e-6)


def test_a_second_call_for_the_same_parameters_shares_slots_and_counter() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    first, second = optimizer.get_updates(loss, [p, q]), optimizer.get_updates(loss * 2, [q, p])
    assert set(first.registers) == set(second.registers)
    with pytest.raises(DuplicateUpdateError):
        tick(first + second)
    tick(first)
    tick(second)
    assert optimizer.iterations.get_value() == 2
    assert len(optimizer.weights) == 7


def test_other_parameters_in_a_second_call_have_a_counter_of_their_own() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    tick(optimizer.get_updates(loss, [p]) + optimizer.get_updates(loss, [q]))
    state = optimizer.state()
    assert (state["Adam/iterations"], state["Adam/iterations_1"]) == (1, 1)
    assert [w.name for w in optimizer.weights[:4]] == ["Adam/iterations", "m/p", "v/p", "vhat/p"]
    together = optimizer.get_updates(loss, [p, q])
    assert [r.name for r in together.registers[:2]] == ["Adam/iterations", "Adam/iterations_1"]
    tick(together)
    assert optimizer.iterations.get_value() == 2


def test_simultaneous_and_alternating_training_are_plus_and_then() -> None:
    def problem() -> tuple[Variable, Variable, Updates, Updates]:
        x, y = variable(1.0, "float64"), variable(1.0, "float64")
        return x, y, SGD(lr=0.5).get_updates(x * y, [x]), SGD(lr=0.5).get_updates(-(x * y), [y])

    x, y, a, b = problem()
    tick(a + b)
    assert (x.get_value(), y.get_value()) == (0.5, 1.5)
    x, y, a, b = problem()
    tick(a.then(b))
    assert (x.get_value(), y.get_value()) == (0.5, 1.25)


def test_a_guard_holds_slots_and_counter_too() -> None:
    loss, p, q = keras_problem()
    optimizer = Adam()
    updates = optimizer.get_updates(loss, [p, q])
    before = {name: value.tobytes() for name, value in optimizer.state().items()}
    tick(updates.when(greater(loss, 1e9)))
    assert {name: value.tobytes() for name, value in optimizer.state().items()} == before


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        (lambda w: [], ArgumentError, "params is empty"),
        (lambda w: [w, w], ArgumentError, r"params\[1\] is 'w' again.*stepped twice"),
        (lambda w: [w, placeholder((2,), name="x")], ArgumentError, r"params\[1\] is 'x', a placeholder"),
        (lambda w: [w + 1], ArgumentError, r"params\[0\] is .*an? add"),
        (lambda w: [np.ones(2)], ArgumentError, r"params\[0\] is an array float64"),
        (lambda w: [variable(1, "int32", name="n")], ArgumentError, "only floats have gradients"),
        (lambda w: w, ArgumentTypeError, "not a list"),
        (lambda w: None, ArgumentTypeError, "not a list"),
    ],
)
def test_impossible_parameters(params: Callable[[Variable], Any], error: type[AutographError], words: str) -> None:
    w = variable([1.0, 2.0], name="w")
    with pytest.raises(error, match="(?s)" + words):
        SGD().get_updates(reduce_sum(square(w)), params(w))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda o, loss, w: o.get_updates(loss), ArgumentTypeError, "no 'params'"),
        (lambda o, loss, w: o.get_updates(params=[w]), ArgumentTypeError, "no 'loss'"),
        (lambda o, loss, w: o.get_updates(loss, [w], loss=loss), ArgumentTypeError, "each once"),
        (lambda o, loss, w: o.get_updates(loss, parms=[w]), ArgumentTypeError, "did you mean 'params'"),
        (lambda o, loss, w: o.get_updates([w], loss), ArgumentTypeError, "not a list"),
        (lambda o, loss, w: o.get_updates([w], [abs], loss), ArgumentTypeError, "constraints is .*abs"),
        (lambda o, loss, w: o.get_updates(3.0, [w]), ArgumentTypeError, "the loss is 3.0, not a tensor"),
        (lambda o, loss, w: o.get_updates(square(w), [w]), ShapeError, "needs one number"),
        (lambda o, loss, w: o.get_updates([], [w]), ArgumentError, "0 gradients for 1 parameters"),
        (lambda o, loss, w: o.get_updates([None], [w]), DisconnectedError, "'w' is None"),
        (lambda o, loss, w: o.get_updates([np.ones(3)], [w]), ShapeError, "given for 'w' float32"),
    ],
)
def test_impossible_calls(call: Callable[..., Any], error: type[AutographError], words: str) -> None:
    w = variable([1.0, 2.0], name="w")
    with pytest.raises(error, match=words):
        call(SGD(), reduce_sum(square(w)), w)


def test_a_parameter_without_a_gradient_is_named_with_the_op_that_cuts_its_path() -> None:
    w, b, unread = variable([1.0, 2.0], name="w"), variable([1.0], name="b"), variable([1.0], name="unread")
    cut = cast(b, "int32")
    loss = reduce_sum(square(w)) + reduce_sum(cast(cut, "float32"))
    loss.name = "loss"
    with pytest.raises(DisconnectedError) as caught:
        Adam().get_updates(loss, [w, b, unread])
    text = str(caught.value)
    assert "no gradient for 'b' float32[1]" in text
    assert f"cast {cut.name!r} int32[1] (test_get_updates.py:{cut.origin.line})" in text
    assert "no gradient for 'unread' float32[1]: 'loss' does not read it" in text
    assert "remove" in text
    assert f"test_get_updates.py:{b.origin.line}" in text


def test_parameters_behind_one_cut_are_named_together_and_the_cut_once() -> None:
    w, behind = variable([1.0, 2.0], name="w"), [variable([1.0], name=f"b{i}") for i in range(5)]
    unread = [variable([1.0], name="c0"), variable([1.0], name="c1")]
    cut = argmax(stack(behind))
    loss = reduce_sum(square(w)) + cast(cut, "float32")
    loss.name = "loss"
    with pytest.raises(DisconnectedError) as caught:
        SGD().get_updates(loss, [*behind, *unread, w])
    first, second, *rest = str(caught.value).splitlines()
    names = "'b0' float32[1], 'b1' float32[1], 'b2' float32[1], 'b3' float32[1] and 1 more"
    assert first.startswith(f"no gradient for {names}: the path is cut at argmax {cut.name!r}")
    assert second == "  no gradient for 'c0' float32[1], 'c1' float32[1]: 'loss' does not read it"
    assert ["softmax" in line for line in rest[:2]] == [True, False] and "remove" in rest[1]
    assert str(caught.value).count("cut at") == 1


def test_of_very_many_parameters_behind_different_cuts_some_are_explained() -> None:
    params = [variable([1.0], name=f"b{i}") for i in range(50)]
    loss = reduce_sum(stack([cast(cast(p, "int32"), "float32") for p in params]))
    with pytest.raises(DisconnectedError, match=r"'b3'.*\n.*nor for 46 more"):
        SGD().get_updates(loss, params)


def test_what_an_optimizer_refuses_leaves_no_trace() -> None:
    w = variable([1.0, 2.0], name="w")
    optimizer = Adam()
    with pytest.raises(AutographError):
        optimizer.get_updates([None], [w])
    assert optimizer.weights == []
    optimizer.amsgrad = True


# for people -----------------------------------------------------------------------------------------------------------


def test_updates_print_as_the_paper_writes_them() -> None:
    loss, p, _ = keras_problem()
    assert repr(Adam().get_updates(loss, [p])).splitlines() == [
        "Adam/iterations ← iterations + 1",
        "m/p             ← β₁·m + (1 − β₁)·∂loss/∂p",
        "v/p             ← β₂·v + (1 − β₂)·(∂loss/∂p)²",
        "p               ← p − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m′/(√v′ + ε)",
    ]
    assert "p ← p − η/(1 + decay·iterations)·∂loss/∂p" in " ".join(repr(SGD(decay=0.1).get_updates(loss, [p])).split())
    assert "where(‖g‖ > clipnorm, clipnorm/‖g‖, 1)" in repr(SGD(clipnorm=1).get_updates(loss, [p]))


def test_updates_in_sequence_print_as_clearly() -> None:
    loss, p, q = keras_problem()
    alternating = SGD().get_updates(loss, [p]).then(SGD().get_updates(loss * loss, [q])[1:])
    assert repr(alternating).splitlines()[1:] == [
        "p              ← p − η·∂loss/∂p",
        "q              ← q − η·∂loss/∂q",
    ]


def test_a_gradient_that_two_parameters_share_is_called_after_neither() -> None:
    a, b = variable([1.0], name="a"), variable([1.0], name="b")
    assert "∂" not in repr(SGD().get_updates(reduce_sum(a + b), [a, b]))


def test_an_optimizer_prints_its_numbers_and_its_rule() -> None:
    sgd = SGD(lr=0.1, momentum=0.9, nesterov=True, clipnorm=2)
    assert repr(sgd) == "SGD(learning_rate=0.1, momentum=0.9, nesterov=True, clipnorm=2.0)"
    assert str(sgd).splitlines()[1:] == ["  m ← μ·m − η·g", "  p ← p + μ·m′ − η·g"]
    assert r"\sqrt{v'}" in Adam()._repr_latex_()
    assert Adam()._repr_html_().startswith("<code>Adam(learning_rate=0.001")
    assert not sgd.built
    assert sgd.state().keys() == {"SGD/learning_rate", "SGD/momentum", "SGD/decay", "SGD/clipnorm", "SGD/iterations"}


@pytest.mark.parametrize("rule", [SGD, Adam])
def test_every_rule_states_its_formula_and_its_signature(rule: type[Optimizer]) -> None:
    assert "←" in (rule.__doc__ or "")
    assert next(iter(inspect.signature(rule).parameters)) == "learning_rate"


def test_slots_pretend_to_nothing_else() -> None:
    slots = optimizers.Slots(variable([1.0], name="w"), {})
    with pytest.raises(AttributeError):
        slots._repr_html_
    assert not hasattr(slots, "__wrapped__")
