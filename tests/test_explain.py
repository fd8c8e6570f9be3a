"""explain_gradient: the path by which a gradient flows, or the op that cuts it, on the user's line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import autograph.ops as _ops  # noqa: F401  # operators find their ops in the registry
from autograph.errors import ArgumentTypeError, NoGradientRuleError
from autograph.explain import GradientPath, explain_gradient
from autograph.graph.op import REGISTRY, Kind, Op
from autograph.graph.tensor import Tensor, apply, variable
from autograph.ops.barriers import stop_gradient
from autograph.ops.comparison import greater, logical_not
from autograph.ops.elementwise import cast, sign, square
from autograph.ops.reduction import argmax, reduce_sum
from autograph.ops.selection import where
from autograph.scan import scan
from autograph.tensor_type import TensorType


def same(x: TensorType) -> TensorType:
    return TensorType(x.dtype, x.shape)


def refuse(*_: object) -> tuple[Tensor, ...]:
    raise NoGradientRuleError("none")


RULELESS = Op("ruleless", Kind.ELEMENTWISE, same, lambda xp, x: x)
REFUSING = Op("refusing", Kind.ELEMENTWISE, same, lambda xp, x: x, vjp=refuse)
SELECTIVE = Op("selective", Kind.ELEMENTWISE, lambda a, b: same(a), lambda xp, a, b: a, vjp=lambda g, y, a, b: (g, None))


def named(tensor: Tensor, name: str) -> Tensor:
    tensor.name = name
    return tensor


def test_a_gradient_that_flows_is_shown_step_by_step() -> None:
    w = variable([1.0, 2.0], name="w")
    y = square(w)
    loss = named(reduce_sum(y), "loss")
    found = explain_gradient(loss, w)
    assert found.flows
    assert found.path == (loss, y, w)
    assert found.cuts == ()
    assert found.remedy == ""
    assert "no gradient flows" not in str(found)
    assert str(found).splitlines()[0] == "∂loss/∂w: the gradient flows"
    assert f"test_explain.py:{y.origin.line}" in repr(found)


def test_a_gradient_flows_through_a_loop_of_several_results() -> None:
    w, x = variable([1.0, 2.0], name="w"), variable([[1.0, 2.0], [3.0, 4.0]], name="x")
    last, counts = scan(lambda h, e: (h * e, argmax(h)), w, x)
    assert explain_gradient(reduce_sum(last), w).flows and explain_gradient(reduce_sum(last), x).flows
    found = explain_gradient(reduce_sum(cast(counts, "float32")), w)
    assert not found.flows and found.cuts


def test_a_variable_is_reached_by_the_shortest_path() -> None:
    w = variable(1.0)
    loss = square(square(square(w))) + w
    assert explain_gradient(loss, w).path == (loss, w)
    assert explain_gradient(w, w).path == (w,)


def test_a_variable_that_the_loss_does_not_read() -> None:
    w, b = variable(1.0, name="w"), variable(1.0, name="b")
    found = explain_gradient(named(square(w), "loss"), b)
    assert found == GradientPath(found.loss, b)
    assert not found.flows
    assert "'loss' does not read it" in str(found)
    assert "remove it from the list" in found.remedy


def test_a_model_that_was_built_twice() -> None:
    first = variable(1.0, name="kernel")
    again = variable(1.0, name="kernel")
    text = str(explain_gradient(square(first), again))
    assert f"it reads another 'kernel', made at test_explain.py:{first.origin.line}" in text


@pytest.mark.parametrize(
    ("cut", "reason", "remedy"),
    [
        (lambda x: cast(cast(x, "int32") * 2 + 1, "float32"), r"cast 'cut' int32\[3\].*gives int32", "keep the path in floats"),
        (lambda x: cast(argmax(x), "float32"), "argmax 'cut'.*gives int64", "softmax"),
        (lambda x: cast(logical_not(greater(x, 0)), "float32"), "greater 'cut' bool.*gives bool", "sigmoid"),
        (lambda x: stop_gradient(x), "stop_gradient 'cut'.*there to cut it", "take stop_gradient away"),
        (lambda x: apply(RULELESS, x), "ruleless 'cut'.*has no gradient rule", "smooth functions"),
        (lambda x: apply(REFUSING, x), "refusing 'cut'.*whose rule sends nothing", "smooth functions"),
        (lambda x: apply(SELECTIVE, variable([1.0, 1.0, 1.0]), x), "selective 'cut'", "smooth"),
    ],
)
def test_the_op_that_cuts_every_path_is_named_with_its_line(cut: Callable[[Tensor], Tensor], reason: str, remedy: str) -> None:
    w = variable([1.0, 2.0, 3.0], name="w")
    inner = cut(square(w))
    found = explain_gradient(reduce_sum(inner), w)
    assert not found.flows
    (culprit,) = found.cuts
    culprit.name = "cut"
    text = str(explain_gradient(found.loss, w))
    assert re.search(reason, text)
    assert f"(test_explain.py:{culprit.origin.line})" in text
    assert remedy in found.remedy


def test_one_open_path_is_enough() -> None:
    w = variable([1.0, 2.0])
    assert explain_gradient(reduce_sum(stop_gradient(w) * w), w).flows


def test_several_cuts_are_named_nearest_first() -> None:
    w = variable([1.0, 2.0])
    a, b = stop_gradient(w), cast(w, "int32")
    found = explain_gradient(reduce_sum(a + cast(b, "float32")), w)
    assert found.cuts == (a, b)
    assert ", and at " in found.why


def test_a_condition_of_where_carries_no_gradient() -> None:
    w = variable([1.0, 2.0])
    condition = greater(w, 0)
    assert explain_gradient(reduce_sum(where(condition, variable([1.0, 1.0]), 0)), w).cuts == (condition,)


def test_a_loss_or_a_variable_of_integers() -> None:
    w, n = variable([1.0, 2.0]), variable([1, 2], "int32", name="n")
    rounded = cast(w, "int32")
    assert explain_gradient(reduce_sum(rounded), w).cuts == (rounded,)
    assert "which holds int32" in explain_gradient(reduce_sum(cast(n, "float32")), n).why


def test_a_gradient_that_is_zero_everywhere_is_said_to_be() -> None:
    w = variable([1.0, 2.0])
    assert "is 0 everywhere behind sign" in explain_gradient(reduce_sum(sign(w)), w).why


def test_a_long_path_is_cut_in_the_middle() -> None:
    w = variable(0.0)
    x: Tensor = w
    for _ in range(5000):
        x = x + 1
    found = explain_gradient(x, w)
    assert len(found.path) == 5001
    lines = str(found).splitlines()
    assert len(lines) == 18
    assert "… 4,985 more" in lines[9]


@pytest.mark.parametrize("call", [lambda w: explain_gradient(1.0, w), lambda w: explain_gradient(w, "w")])
def test_only_tensors_can_be_explained(call: Callable[[Tensor], object]) -> None:
    with pytest.raises(ArgumentTypeError, match="is no tensor"):
        call(variable(1.0))


def test_the_ops_of_this_file_are_registered_nowhere() -> None:
    assert not {"ruleless", "refusing", "selective"} & set(REGISTRY)
