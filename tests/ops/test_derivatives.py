"""Jacobians, Hessians, their products with vectors, rows mapped, and gradients with stops, cotangents and to third order.

What is expected is written down by hand: derivatives of polynomials, quotients and exponentials at sizes that the graph
does not know.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.arrays import numpy_namespace
from autograph.control import map_rows
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, NoGradientRuleError, ShapeError
from autograph.graph.graph import evaluate
from tests.ops.running import each_float, each_way, run

A = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.25], [0.5, 0.25, 1.0]])  # symmetric
X = np.array([0.5, -1.0, 2.0])
V = np.array([1.0, 0.5, -2.0])


def close(found: Any, wanted: Any, dtype: str = "float64") -> None:
    relative, absolute = {"float64": (1e-13, 1e-14), "float32": (2e-5, 1e-6)}[dtype]
    np.testing.assert_allclose(found, wanted, rtol=relative, atol=absolute)


def vector(dtype: str = "float64", size: int | None = None) -> ag.Tensor:
    return ag.placeholder((size,), dtype=dtype, name="x")


def matrix(dtype: str = "float64") -> ag.Tensor:
    return ag.placeholder((None, None), dtype=dtype, name="m")


# jacobians -----------------------------------------------------------------------------------------------------------


@each_way
@each_float
@pytest.mark.parametrize("size", (None, 3))
def test_the_jacobian_of_a_vector_of_a_vector(size: int | None, dtype: str, way: str) -> None:
    x = vector(dtype, size)
    y = ag.sin(x) * ag.reduce_sum(x)
    found = run([ag.jacobian(y, x)], [x], [X.astype(dtype)], way)[0]
    close(found, np.diag(np.cos(X) * X.sum()) + np.sin(X)[:, None], dtype)
    assert found.dtype == dtype


@each_way
@pytest.mark.parametrize("count", (0, 1, 3))
def test_a_jacobian_has_the_axes_of_both(count: int, way: str) -> None:
    m, x = matrix(), vector()
    values = np.arange(2.0 * count).reshape(count, 2)
    line = np.arange(1.0, count + 1)
    outputs = [ag.jacobian(m * m, m), ag.jacobian(m @ ag.transpose(m), m), ag.jacobian(ag.reduce_sum(m**3), m),
               ag.jacobian(m * ag.expand_dims(x, 1), x), ag.jacobian(x * ag.reduce_sum(m), m)]  # fmt: skip
    found = run(outputs, [m, x], [values, line], way)
    eye, two = np.eye(count), np.eye(2)
    close(found[0], 2 * np.einsum("ij,ik,jl->ijkl", values, eye, two))
    close(found[1], np.einsum("ik,jl->ijkl", eye, values) + np.einsum("jk,il->ijkl", eye, values))
    close(found[2], 3 * values**2)
    close(found[3], np.einsum("ij,ik->ijk", values, eye))
    close(found[4], np.broadcast_to(line[:, None, None], (count, count, 2)))


@each_way
def test_a_jacobian_reads_whatever_else_y_reads(way: str) -> None:
    """A variable, another placeholder and a constant stand in the rows, and flow gradients themselves."""
    x, u, w = vector(), vector(), ag.variable(V, "float64")
    jacobian = ag.jacobian(ag.exp(w * u) * x**2, x)
    loss = ag.reduce_sum(jacobian * A)
    outputs = [jacobian, *ag.gradients(loss, [x, u, w])]
    values = np.array([0.1, 0.2, 0.3])
    if way == "raw":
        with np.errstate(all="ignore"):
            found = evaluate(outputs, {x: X, u: values, w: V}, numpy_namespace)
    else:
        found = run(outputs, [x, u], [X, values], way)
    e, d = np.exp(V * values), np.diag(A)
    close(found[0], np.diag(2 * e * X))
    close(found[1], 2 * e * d), close(found[2], 2 * e * V * X * d), close(found[3], 2 * e * values * X * d)


@each_way
def test_the_jacobian_of_whole_computations(way: str) -> None:
    x = vector()
    s = np.exp(X) / np.exp(X).sum()
    outputs = [
        x, ag.softmax(x), ag.floor(x), ag.sort(x), ag.cumsum(x), ag.cumprod(x), x[::-1], ag.gather(x, [2, 2]),
        ag.concatenate([x, x * x]),
    ]  # fmt: skip
    wanted = [
        np.eye(3), np.diag(s) - np.outer(s, s), np.zeros((3, 3)), np.eye(3)[np.argsort(X)], np.tril(np.ones((3, 3))),
        [[1, 0, 0], [-1, 0.5, 0], [-2, 1, -0.5]], np.eye(3)[::-1], np.eye(3)[[2, 2]], np.concatenate([np.eye(3), np.diag(2 * X)]),
    ]  # fmt: skip
    for value, expected in zip(run([ag.jacobian(y, x) for y in outputs], [x], [X], way), wanted, strict=True):
        close(value, expected)


def test_a_jacobian_of_what_does_not_depend_is_none() -> None:
    x, u = vector(), vector()
    assert ag.jacobian(u * 2, x) is None and ag.jacobian(ag.stop_gradient(x), x) is None
    assert ag.jacobian(ag.cast(ag.argmax(x), "float64"), x) is None
    assert ag.hessian(ag.reduce_sum(u), x) is None and ag.hessian(ag.reduce_sum(3 * x), x) is None
    assert ag.hessian_vector_product(ag.reduce_sum(u), x, V) is None
    assert ag.hessian_vector_product(ag.reduce_sum(x), [x, u], [V, V]) == [None, None]
    assert ag.jacobian_vector_product(u * 2, x, V) is None


# hessians ------------------------------------------------------------------------------------------------------------


@each_way
@each_float
@pytest.mark.parametrize("size", (None, 3))
def test_the_hessian_of_a_quadratic_form_and_more(size: int | None, dtype: str, way: str) -> None:
    x = vector(dtype, size)
    form = ag.reduce_sum(x * (ag.constant(A.astype(dtype)) @ ag.expand_dims(x, 1))[:, 0])
    outputs = [ag.hessian(form, x), ag.hessian(ag.exp(ag.reduce_sum(x)), x), ag.hessian(ag.reduce_prod(x), x),
               ag.hessian(ag.logsumexp(x), x), ag.hessian(ag.norm(x), x), ag.hessian(ag.reduce_var(x), x)]  # fmt: skip
    n, s, length = 3, np.exp(X) / np.exp(X).sum(), np.sqrt((X**2).sum())
    products = [[0, X[2], X[1]], [X[2], 0, X[0]], [X[1], X[0], 0]]
    wanted = [2 * A, np.full((3, 3), np.exp(X.sum())), products, np.diag(s) - np.outer(s, s),
              (np.eye(3) - np.outer(X, X) / length**2) / length, 2 / n * (np.eye(n) - 1 / n)]  # fmt: skip
    for value, expected in zip(run(outputs, [x], [X.astype(dtype)], way), wanted, strict=True):
        close(value, expected, dtype)


@each_way
def test_the_hessian_over_a_matrix(way: str) -> None:
    m = matrix()
    values = np.array([[1.0, 2.0, -1.0], [0.5, 1.5, 3.0]])
    found = run([ag.hessian(ag.square(ag.reduce_sum(m**2)), m)], [m], [values], way)[0]
    total = (values**2).sum()
    eye = np.einsum("ik,jl->ijkl", np.eye(2), np.eye(3))
    close(found, 8 * np.einsum("ij,kl->ijkl", values, values) + 4 * total * eye)


@each_way
def test_the_gradient_of_a_hessian(way: str) -> None:
    x = vector()
    trace = ag.reduce_sum(ag.hessian(ag.reduce_sum(x**4), x) * np.eye(3))
    close(run([trace, ag.gradients(trace, x)], [x], [X], way)[1], 24 * X)
    quartic = ag.hessian(ag.square(ag.reduce_sum(x * x)), x)  # 4(x·x)·I + 8xxᵀ
    slope = ag.gradients([quartic], x, cotangents=[A])
    close(run([slope], [x], [X], way)[0], 8 * np.trace(A) * X + 16 * A @ X)


# products with vectors -----------------------------------------------------------------------------------------------


@each_way
@each_float
def test_hessian_vector_products(dtype: str, way: str) -> None:
    x, v = vector(dtype), vector(dtype)
    loss = ag.reduce_sum(x**3) + ag.square(ag.reduce_sum(x))
    product = ag.hessian_vector_product(loss, x, v)
    slopes = ag.gradients([product], [x, v], cotangents=[A[0].astype(dtype)])
    found = run([product, *slopes], [x, v], [X.astype(dtype), V.astype(dtype)], way)
    hessian = np.diag(6 * X) + 2
    close(found[0], hessian @ V, dtype), close(found[1], 6 * V * A[0], dtype), close(found[2], hessian @ A[0], dtype)


@each_way
def test_hessian_vector_products_of_several(way: str) -> None:
    x, w, u = vector(), matrix(), vector()
    loss = ag.reduce_sum(ag.square((w @ ag.expand_dims(x, 1))[:, 0]))  # |Wx|²
    found = ag.hessian_vector_product(loss, [x, w, u], [V, A, V])
    assert found[2] is None
    values = np.array([[1.0, 2.0, 0.5], [-1.0, 0.25, 3.0], [0.0, 1.0, -0.5]])
    to_x, to_w = run(found[:2], [x, w], [X, values], way)
    dot = values @ V + A @ X  # the derivative of Wx
    close(to_x, 2 * values.T @ dot + 2 * A.T @ (values @ X))
    close(to_w, 2 * np.outer(dot, X) + 2 * np.outer(values @ X, V))


@each_way
@each_float
def test_jacobian_vector_products(dtype: str, way: str) -> None:
    x, v, w = vector(dtype), vector(dtype), vector(dtype)
    y = ag.sin(x) * ag.reduce_sum(x * w)
    arrays = [a.astype(dtype) for a in (X, V, A[0])]
    outputs = [ag.jacobian_vector_product(y, x, v), ag.jacobian_vector_product(y, [x, w], [v, V.astype(dtype)])]
    s = (X * A[0]).sum()
    along = np.cos(X) * s * V + np.sin(X) * (V @ A[0])
    found = run([*outputs, ag.gradients([outputs[0]], v, cotangents=[X.astype(dtype)])], [x, v, w], arrays, way)
    close(found[0], along, dtype), close(found[1], along + np.sin(X) * (X @ V), dtype)
    close(found[2], np.cos(X) * s * X + A[0] * (np.sin(X) @ X), dtype)


@each_way
def test_a_jacobian_vector_product_where_the_slope_is_infinite_or_nothing(way: str) -> None:
    x = vector()
    along = np.array([1.0, 2.0])
    functions = (ag.sqrt(x), ag.log(x), ag.floor(x), ag.relu(x), x * 1.0)
    found = run([ag.jacobian_vector_product(y, x, along) for y in functions], [x], [np.array([0.0, 4.0])], way)
    assert [v.tolist() for v in found] == [[math.inf, 0.5], [math.inf, 0.5], [0, 0], [0, 2], [1, 2]]


@each_way
def test_one_product_of_each_kind_by_hand_and_by_matrix(way: str) -> None:
    x = vector()
    y = ag.tanh(ag.constant(A) @ ag.expand_dims(x, 1))[:, 0]
    pairs = (
        (ag.jacobian_vector_product(y, x, V), (ag.jacobian(y, x) @ V[:, None])[:, 0]),
        (ag.gradients([y], x, cotangents=[V]), (V[None] @ ag.jacobian(y, x))[0]),
        (ag.hessian_vector_product(ag.reduce_sum(y), x, V), (ag.hessian(ag.reduce_sum(y), x) @ V[:, None])[:, 0]),
    )
    found = run([t for pair in pairs for t in pair], [x], [X / 4], way)
    for product, by_matrix in zip(found[::2], found[1::2], strict=True):
        close(product, by_matrix)


def test_vectors_and_variables_must_pair() -> None:
    x = vector()
    with pytest.raises(ArgumentError, match="one each"):
        ag.hessian_vector_product(ag.reduce_sum(x**2), [x], [V, V])
    with pytest.raises(ArgumentError, match="one each"):
        ag.jacobian_vector_product(x, [x, x], [V])
    for vector_of_no_use in (A, 1.0, matrix()):
        with pytest.raises(ShapeError, match="of one shape"):
            ag.hessian_vector_product(ag.reduce_sum(x**2), x, vector_of_no_use)
        with pytest.raises(ShapeError, match="of one shape"):
            ag.jacobian_vector_product(x * x, x, vector_of_no_use)


# rows ----------------------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("count", (0, 1, 4))
def test_rows_are_mapped_and_flow_to_all_that_is_read(count: int, way: str) -> None:
    row, x, w = vector(), matrix(), vector()
    y = map_rows(ag.reduce_sum(row * w) * ag.exp(row), row, x)
    rows = np.linspace(-1, 1, 3 * count).reshape(count, 3)
    seed = np.arange(3.0 * count).reshape(count, 3)
    slopes = ag.gradients([y], [x, w], cotangents=[seed])
    found = run([y, *slopes], [x, w], [rows, V], way)
    inner, e = rows @ V, np.exp(rows)
    close(found[0], inner[:, None] * e)
    close(found[1], (seed * e).sum(1, keepdims=True) * V + seed * inner[:, None] * e)
    close(found[2], ((seed * e).sum(1)[:, None] * rows).sum(0))


@each_way
def test_rows_of_numbers_and_of_what_does_not_depend_on_them(way: str) -> None:
    number, rows, w = ag.placeholder((), dtype="float64"), vector(), vector()
    cubes, same = map_rows(number**3, number, rows), map_rows(w * 2, number, rows)
    slope = ag.gradients([cubes], rows, cotangents=[ag.ones_like(cubes)])
    bend = ag.gradients([slope], rows, cotangents=[V])
    third = ag.gradients([bend], rows, cotangents=[V])
    found = run([cubes, same, slope, bend, third], [rows, w], [X, V], way)
    close(found[0], X**3), close(found[1], np.tile(2 * V, (3, 1)))
    close(found[2], 3 * X**2), close(found[3], 6 * X * V), close(found[4], 6 * V * V)
    to_w = ag.gradients([same], w, cotangents=[ag.ones_like(same)])
    close(run([to_w], [rows, w], [X, V], way)[0], [6, 6, 6])


# stops and cotangents ------------------------------------------------------------------------------------------------


@each_way
def test_what_is_stopped_counts_as_constant(way: str) -> None:
    x = vector()
    h = x * x
    loss = ag.reduce_sum(h * x)
    outputs = [ag.gradients(loss, x), ag.gradients(loss, x, stop=[h]), ag.gradients(loss, x, stop=iter((h, h)))]
    found = run(outputs, [x], [X], way)
    close(found[0], 3 * X**2), close(found[1], X**2), close(found[2], X**2)
    assert ag.gradients(ag.reduce_sum(h), x, stop=[h]) is None
    assert ag.gradients(loss, x, stop=[loss]) is None


@each_way
def test_a_gradient_goes_to_what_is_stopped_and_no_further(way: str) -> None:
    x = vector()
    h = x * x
    y = ag.exp(h)
    loss = ag.reduce_sum(y * h * x)
    through = ag.gradients(loss, [x, h, y], stop=[h])
    partial = ag.gradients(loss, [x, h, y], stop=[x, h, y])
    found = run([*through, *partial], [x], [X], way)
    h_, y_ = X**2, np.exp(X**2)
    close(found[0], y_ * h_), close(found[1], y_ * X + y_ * h_ * X), close(found[2], h_ * X)
    close(found[3], y_ * h_), close(found[4], y_ * X), close(found[5], h_ * X)
    assert ag.gradients(loss, [x, loss], stop=[loss])[0] is None


def test_what_is_stopped_needs_no_gradient_rule_on_the_way_to_it() -> None:
    x = vector()
    h = x * x
    without = ag.custom_op("without", lambda a: a)
    loss = ag.reduce_sum(without(h) + x)
    assert ag.eval(ag.gradients(loss, x, stop=[h]), {x: X}).tolist() == [1] * len(X)
    with pytest.raises(ag.NoGradientRuleError):
        ag.gradients(loss, [x, h], stop=[h])


@each_way
def test_gradients_with_respect_to_an_expression(way: str) -> None:
    x = vector()
    h = ag.exp(x)
    y = h * h + x
    outputs = ag.gradients(ag.reduce_sum(y), [h, x])
    found = run(outputs, [x], [X], way)
    close(found[0], 2 * np.exp(X)), close(found[1], 2 * np.exp(2 * X) + 1)


@each_way
def test_cotangents_weigh_the_outputs(way: str) -> None:
    x, u = vector(), vector()
    y, z = x * x, ag.reduce_sum(x)
    outputs = [
        ag.gradients([y], x, cotangents=[V]), ag.gradients(y, x, cotangents=V), ag.gradients([y], x, cotangents=[2.0]),
        ag.gradients([y, z], x, cotangents=[u, 3]), ag.gradients([y, y], x, cotangents=[V, V]), ag.gradients([z, z], x),
        ag.gradients([x], x, cotangents=[u]),
    ]  # fmt: skip
    found = run(outputs, [x, u], [X, V], way)
    for value, wanted in zip(found, [2 * X * V, 2 * X * V, 4 * X, 2 * X * V + 3, 4 * X * V, [2, 2, 2], V], strict=True):
        close(value, wanted)
    slope = ag.gradients([outputs[3]], u, cotangents=[V])
    close(run([slope], [x, u], [X, V], way)[0], 2 * X * V)


def test_gradients_keep_the_form_that_was_asked_for() -> None:
    x, u = vector(), vector()
    loss = ag.reduce_sum(x * x)
    assert isinstance(ag.gradients(loss, x), ag.Tensor) and ag.gradients(loss, u) is None
    assert ag.gradients(loss, []) == [] and ag.gradients(loss, (u,)) == [None]
    twice = ag.gradients(loss, [x, u, x])
    assert twice[0] is twice[2] and twice[1] is None
    assert ag.gradients(loss, loss) is not None


def test_what_has_no_gradient_is_refused() -> None:
    x, whole = vector(), ag.placeholder((3,), dtype="int32")
    for call, error, text in (
        (lambda: ag.gradients(x, x), ShapeError, "one number"),
        (lambda: ag.gradients([x], x, cotangents=[V, V]), ArgumentError, "one each"),
        (lambda: ag.gradients([ag.reduce_sum(x)], x, cotangents=[V]), ShapeError, "cotangent"),
        (lambda: ag.gradients([ag.placeholder((2,))], x, cotangents=[np.ones(3)]), ShapeError, "cotangent"),
        (lambda: ag.gradients(ag.reduce_sum(whole), x), DTypeError, "only floats"),
        (lambda: ag.gradients(ag.reduce_sum(x), whole), DTypeError, "only floats"),
        (lambda: ag.gradients(ag.reduce_sum(x), [x, "x"]), ArgumentTypeError, r"variables\[1\] is 'x', not a tensor"),
        (lambda: ag.gradients(3.0, x), (TypeError,), ""),
    ):  # fmt: skip
        with pytest.raises(error, match=text or None):
            call()


# orders --------------------------------------------------------------------------------------------------------------

T, SH, CH = np.tanh(X), np.sinh(X), np.cosh(X)
CHAINS = (
    ("x⁵", lambda x: x**5, (5 * X**4, 20 * X**3, 60 * X**2)),
    ("sin 2x", lambda x: ag.sin(2 * x), (2 * np.cos(2 * X), -4 * np.sin(2 * X), -8 * np.cos(2 * X))),
    ("exp -x", lambda x: ag.exp(-x), (-np.exp(-X), np.exp(-X), -np.exp(-X))),
    ("1/x", lambda x: 1 / x, (-1 / X**2, 2 / X**3, -6 / X**4)),
    ("log x²", lambda x: ag.log(x * x), (2 / X, -2 / X**2, 4 / X**3)),
    ("√(x² + 1)", lambda x: ag.sqrt(x * x + 1), (X / (X**2 + 1) ** 0.5, (X**2 + 1) ** -1.5, -3 * X * (X**2 + 1) ** -2.5)),
    ("x|x|", lambda x: x * ag.abs(x), (2 * np.abs(X), 2 * np.sign(X), 0 * X)),
    ("arctan x", ag.arctan, (1 / (1 + X**2), -2 * X / (1 + X**2) ** 2, (6 * X**2 - 2) / (1 + X**2) ** 3)),
    ("tanh x", ag.tanh, (1 - T**2, -2 * T * (1 - T**2), (1 - T**2) * (6 * T**2 - 2))),
    ("erf x", ag.erf, tuple(2 / math.sqrt(math.pi) * np.exp(-(X**2)) * p for p in (1, -2 * X, 4 * X**2 - 2))),
    ("x·sinh x", lambda x: x * ag.sinh(x), (SH + X * CH, 2 * CH + X * SH, 3 * SH + X * CH)),
    ("2ˣ", lambda x: 2.0**x, tuple(math.log(2) ** n * 2**X for n in (1, 2, 3))),
    ("lgamma x²", lambda x: ag.lgamma(x * x + 1), None),
)  # fmt: skip


@each_way
@each_float
@pytest.mark.parametrize(("function", "wanted"), [c[1:] for c in CHAINS], ids=[c[0] for c in CHAINS])
def test_gradients_of_gradients_to_third_order(function: Any, wanted: Any, dtype: str, way: str) -> None:
    x = vector(dtype)
    orders = [function(x)]
    for _ in range(3):
        orders.append(ag.gradients([orders[-1]], x, cotangents=[ag.ones_like(x)]))
    live = [g for g in orders[1:] if g is not None]
    found = run(live, [x], [X.astype(dtype)], way)
    if wanted is None:
        nearby = [run(live, [x], [(X + h).astype(dtype)], way) for h in (1e-5, -1e-5)]
        if dtype == "float64":
            for k in (1, 2):
                np.testing.assert_allclose(found[k], (nearby[0][k - 1] - nearby[1][k - 1]) / 2e-5, rtol=1e-6, atol=1e-8)
        return
    for value, expected in zip(found, wanted, strict=False):
        near = {"float64": 1e-13, "float32": 1e-5}[dtype]
        np.testing.assert_allclose(value, expected, rtol=near, atol=near * np.max(np.abs(expected)))
    assert all(not np.any(expected) for expected in wanted[len(live) :])


@each_way
def test_third_derivatives_of_several_variables(way: str) -> None:
    """∂³/∂x∂y∂z of xyz + exp(xyz) is (1 + (1 + 3t + t²)·eᵗ) with t = xyz."""
    x, y, z = (ag.placeholder((), dtype="float64") for _ in range(3))
    t = x * y * z
    order: Any = t + ag.exp(t)
    for variable in (x, y, z):
        order = ag.gradients(order, variable)
    p = 0.5 * -1.5 * 2.0
    close(run([order], [x, y, z], [0.5, -1.5, 2.0], way)[0], 1 + (1 + 3 * p + p * p) * math.exp(p))


@each_way
def test_a_derivative_of_a_network_by_its_input_and_then_its_weights(way: str) -> None:
    """As a penalty on slopes: ∂/∂w of (∂ tanh(x·w)/∂x)² = ∂/∂w of |w(1 - t²)|²."""
    x, w = vector(), vector()
    y = ag.tanh(ag.reduce_sum(x * w))
    penalty = ag.reduce_sum(ag.square(ag.gradients(y, x)))
    t = math.tanh(X @ V)
    d = 1 - t * t
    wanted = 2 * d * d * V - 4 * t * d * d * (V @ V) * X
    close(run([ag.gradients(penalty, w)], [x, w], [X, V], way)[0], wanted)


@each_way
def test_shared_and_repeated_inputs_add_up(way: str) -> None:
    x = vector()
    h = x
    for _ in range(40):
        h = 0.5 * (h + h)
    found = run([ag.gradients(ag.reduce_sum(y), x) for y in (h, x * x * x, x - x)], [x], [X], way)
    close(found[0], np.ones(3)), close(found[1], 3 * X**2), close(found[2], np.zeros(3))


def test_a_deep_chain_has_a_gradient_without_recursion() -> None:
    x = vector()
    h = x
    for _ in range(3000):
        h = ag.sin(h)
    slope = ag.gradients(ag.reduce_sum(h), x)
    values = X
    for _ in range(3000):
        values = np.sin(values)
    found = run([h, slope], [x], [X], "raw")
    close(found[0], values)
    assert np.isfinite(found[1]).all()


def test_an_op_without_a_rule_is_named() -> None:
    x = vector()
    bare = ag.custom_op("doubled", lambda a: a * 2)
    with pytest.raises(NoGradientRuleError, match="doubled"):
        ag.gradients(ag.reduce_sum(bare(x)), x)
