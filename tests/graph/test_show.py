"""Tensors and graphs as people read them: formulas, LaTeX, lists, dot; cut to size, and never recursive."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph.ops as _ops  # noqa: F401  # operators find their ops in the registry
from autograph.graph.notation import latex_name, number, raised
from autograph.graph.show import dot, formula, latex, listing, summary
from autograph.graph.tensor import Tensor, constant, placeholder, variable
from autograph.ops.comparison import greater, logical_and, logical_not
from autograph.ops.elementwise import abs, cast, exp, sqrt, square, tanh
from autograph.ops.guard import hold
from autograph.ops.movement import transpose
from autograph.ops.reduction import reduce_sum

X, Y, Z = (placeholder((None, 3), name=name) for name in "xyz")
W = variable(np.ones((3, 3)), name="w")
RATE, T = variable(0.1, "float64", name="lr"), variable(3, "int64", name="t")


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: X + Y * Z, "x + y·z"),
        (lambda: (X + Y) * Z, "(x + y)·z"),
        (lambda: X - (Y - Z), "x − (y − z)"),
        (lambda: X - Y - Z, "x − y − z"),
        (lambda: X / (Y * Z), "x/(y·z)"),
        (lambda: X / Y / Z, "x/y/z"),
        (lambda: X * (Y / Z), "x·y/z"),
        (lambda: X + -Y, "x − y"),
        (lambda: -(X + Y), "−(x + y)"),
        (lambda: X * -2.0, "x·(−2)"),
        (lambda: square(X + Y), "(x + y)²"),
        (lambda: square(sqrt(X)), "(√x)²"),
        (lambda: sqrt(X + 1e-7), "√(x + 1e−7)"),
        (lambda: abs(X - Y), "|x − y|"),
        (lambda: RATE ** cast(T, "float64"), "lrᵗ"),
        (lambda: RATE ** (RATE + 1), "lr^(lr + 1)"),
        (lambda: 2.0**RATE, "2^lr"),
        (lambda: X @ transpose(W), "x @ wᵀ"),
        (lambda: exp(-X), "exp(−x)"),
        (lambda: reduce_sum(X, axis=1), "sum(x, axis=1)"),
        (lambda: reduce_sum(X), "sum(x)"),
        (lambda: logical_and(X > Y, logical_not(X > 0)), "x > y ∧ ¬(x > 0)"),
        (lambda: hold(greater(RATE, 0), RATE / 2, RATE), "lr/2 if lr > 0 else lr"),
        (lambda: cast(X, "float64") * 0.5, "x·0.5"),
        (lambda: X + np.zeros((2, 3)), "x + 0"),
        (lambda: X + np.eye(3), "x + constant[3, 3]"),
        (lambda: variable(np.zeros((0, 3)), name="e") + np.zeros((0, 3)), "e + constant[0, 3]"),
        (lambda: cast(X + Y, "float64"), "x + y"),
        (lambda: cast(X, "float64"), "x"),
        (lambda: X + variable(1.0, name="a/b"), "x + a/b"),
        (lambda: X / variable(1.0, name="a/b"), "x/(a/b)"),
    ],
)
def test_a_tensor_reads_as_mathematics(tensor: Callable[[], Tensor], text: str) -> None:
    assert formula(tensor()) == text


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: X / (Y + Z), r"\frac{x}{y + z}"),
        (lambda: square(X + Y), r"{\left(x + y\right)}^2"),
        (lambda: sqrt(X + 1e-7), r"\sqrt{x + 10^{-7}}"),
        (lambda: X * 2.5e-7, r"x \cdot 2.5 \cdot 10^{-7}"),
        (lambda: RATE ** cast(T, "float64"), r"{\mathrm{lr}}^{t}"),
        (lambda: reduce_sum(X, axis=1), r"\operatorname{sum}\left(x, axis=1\right)"),
        (lambda: X @ transpose(W), r"x \, {w}^{\top}"),
    ],
)
def test_a_tensor_reads_as_latex(tensor: Callable[[], Tensor], text: str) -> None:
    assert latex(tensor()) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w", "w"),
        ("kernel", r"\mathrm{kernel}"),
        ("dense_1/w", r"\mathrm{dense\_1/w}"),
        ("β₁", r"\beta _{1}"),
        ("v̂", r"\hat{v}"),
        ("m′", "m'"),
        ("∂loss/∂w", r"\frac{\partial \mathrm{loss}}{\partial w}"),
        ("a{b}$", r"\mathrm{a\{b\}\$}"),
        ("\n", ""),
    ],
)
def test_names_in_latex(name: str, text: str) -> None:
    assert latex_name(name) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (-2.5, "−2.5"), (1e-7, "1e−7"), (1e20, "1e20"), (float("inf"), "inf"), (0.1, "0.1")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_powers_are_raised_where_the_exponent_is_short() -> None:
    assert [raised("x", e) for e in ("2", "−1", "t", "0.5", "(a + b)")] == ["x²", "x⁻¹", "xᵗ", "x^0.5", "x^(a + b)"]


def test_labels_stand_for_tensors() -> None:
    y = X * Y
    assert formula(y + Z, {y: "g", Z: "ε"}) == "g + ε"


def test_a_named_tensor_inside_is_shown_by_its_name_and_at_the_root_by_its_meaning() -> None:
    hidden = tanh(X @ W)
    hidden.name = "hidden"
    assert formula(square(hidden)) == "hidden²"
    assert formula(hidden) == "tanh(x @ w)"


def test_a_shared_subexpression_is_written_once() -> None:
    e = exp(X - reduce_sum(X))
    assert formula(e / reduce_sum(e)) == "a/sum(a)  where a = exp(x − sum(x))"
    assert latex(e / reduce_sum(e)).startswith(r"\frac{a}{\operatorname{sum}\left(a\right)} \quad\text{where } a = ")


def test_letters_of_shared_subexpressions_are_no_names_in_use() -> None:
    a = placeholder((), name="a")
    e = exp(a - tanh(a) * 2)
    assert formula(e / (e + 1)) == "b/(b + 1)  where b = exp(a − tanh(a)·2)"


def test_a_deep_formula_is_cut() -> None:
    x: Tensor = X
    for _ in range(50):
        x = tanh(x)
    assert formula(x, limit=3) == "tanh(tanh(tanh(…)))"


def test_an_expression_that_doubles_at_each_step_stays_short() -> None:
    x: Tensor = X
    for _ in range(200):
        x = tanh(x + x)
    assert len(formula(x)) < 1000
    assert len(latex(x)) < 2000


def test_a_list_of_a_graph_names_each_tensor_once() -> None:
    y = X @ W
    loss = reduce_sum(square(y) * y)
    loss.name = "loss"
    lines = listing(loss).splitlines()
    assert [line.split()[0] for line in lines] == ["%1", "%2", "%3", "%4", "%5", "%6"]
    assert "placeholder x" in lines[0]
    assert lines[3].split()[1] == "square(%3)"
    assert "loss = sum(%5)" in lines[5]
    assert "test_show.py:" in lines[5]


def test_dot_has_a_node_for_each_tensor_and_quotes_names() -> None:
    y = tanh(variable(1.0, name='a "quoted"\nname\\'))
    text = dot([y, y + 1])
    assert text.startswith("digraph {")
    assert text.endswith("}")
    assert r"a \"quoted\" name\\" in text
    assert text.count("->") == 3


def test_a_summary_is_one_line_with_the_users_line() -> None:
    loss = reduce_sum(square(X - Y))
    loss.name = "loss"
    assert summary(loss).startswith("Tensor loss: float32[]  = sum((x − y)²)      test_show.py:")
    assert summary(RATE).startswith("Variable lr: float64[]  = 0.1 ")
    assert summary(W).startswith("Variable w: float32[3, 3]      test_show.py:")
    assert summary(X).startswith("Placeholder x: float32[?, 3] ")
    assert "= 2 " in summary(constant(2.0))


@pytest.mark.alone
def test_a_graph_of_100_000_ops_is_shown_in_no_time_and_without_recursion() -> None:
    x: Tensor = X
    for _ in range(100_000):
        x = cast(cast(x, "float64"), "float32")
    start = time.process_time()
    assert formula(tanh(x)) == "tanh(x)"
    assert listing(x, limit=5).splitlines()[0] == "… 199,996 more"
    assert dot(x, limit=5).count("->") == 5
    assert summary(x)
    assert time.process_time() - start < 5


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_name_can_be_shown(first: str, second: str) -> None:
    x, y = placeholder((), name=first), placeholder((), name=second)
    z = x * square(y) + x / y
    for text in (formula(z), latex(z), summary(z), listing(z), dot(z)):
        assert text
    assert latex(z).count("{") - latex(z).count(r"\{") == latex(z).count("}") - latex(z).count(r"\}")
    assert len(dot(z).splitlines()) == 2 + 1 + 6 + 7
