"""Activations: their values and derivatives to 50 digits, at their edges, far out, over masked rows; and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.errors import ArgumentError, ArgumentTypeError, AxisError
from autograph.functions import activations
from tests.ops.running import each_float, each_way, run, same, slopes

inf, nan = math.inf, math.nan
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
Activation = Callable[..., ag.Tensor]

# x, value, first and second derivative: computed by mpmath at 50 digits from the formula of the paper
SMOOTH: tuple[tuple[Activation, float, float, float, float], ...] = (
    (ag.elu, -3.0, -0.950212931632136, 0.049787068367863944, 0.049787068367863944),
    (ag.elu, -0.5, -0.3934693402873666, 0.6065306597126334, 0.6065306597126334),
    (ag.elu, 3.0, 3.0, 1.0, 0.0),
    (ag.selu, -3.0, -1.6705687287671118, 0.08753061208026489, 0.08753061208026489),
    (ag.selu, -0.5, -0.6917581878028713, 1.0663411530445055, 1.0663411530445055),
    (ag.selu, 3.0, 3.1521029620664414, SCALE, 0.0),
    (ag.gelu, -12.0, -2.1317785344932147e-32, -2.5578956616748956e-31, -3.0478649046415457e-30),
    (ag.gelu, -3.0, -0.0040496940948902835, -0.011945647204183927, -0.03102293888356605),
    (ag.gelu, -0.5, -0.15426876936299344, 0.13250487534383715, 0.6161143218375241),
    (ag.gelu, 0.0, 0.0, 0.5, math.sqrt(2 / math.pi)),
    (ag.gelu, 3.0, 2.99595030590511, 1.011945647204184, -0.03102293888356605),
    (ag.gelu_tanh, -3.0, -0.003637392081773019, -0.011584166630969726, -0.031767658886074704),
    (ag.gelu_tanh, -0.5, -0.15428599017485609, 0.1326300964653577, 0.6155068951159849),
    (ag.gelu_tanh, 0.0, 0.0, 0.5, math.sqrt(2 / math.pi)),
    (ag.gelu_tanh, 3.0, 2.996362607918227, 1.0115841666309697, -0.031767658886074704),
    (ag.silu, -3.0, -0.14227761953270035, -0.08810410601516962, -0.032321404521006174),
    (ag.silu, 0.0, 0.0, 0.5, 0.5),
    (ag.silu, 0.5, 0.3112296656009273, 0.7399611873026518, 0.4412290269770286),
    (ag.mish, -3.0, -0.14564746127562458, -0.09339311453232084, -0.03992871324212925),
    (ag.mish, 0.0, 0.0, 0.6, 0.64),
    (ag.mish, 0.5, 0.37524521130489513, 0.8864243753577272, 0.4680533778448866),
    (ag.sigmoid, -3.0, 0.04742587317756678, 0.04517665973091213, 0.04089157466094348),
    (ag.sigmoid, 0.5, 0.6224593312018546, 0.2350037122015945, -0.05755679485232074),
    (ag.softplus, -3.0, 0.04858735157374206, 0.04742587317756678, 0.04517665973091213),
    (ag.softplus, 0.5, 0.9740769841801067, 0.6224593312018546, 0.2350037122015945),
    (ag.log_sigmoid, -3.0, -3.048587351573742, 0.9525741268224333, -0.04517665973091213),
    (ag.log_sigmoid, 3.0, -0.04858735157374206, 0.04742587317756678, -0.04517665973091213),
    (ag.softsign, -0.5, -1 / 3, 4 / 9, 16 / 27),
    (ag.softsign, 3.0, 0.75, 0.0625, -0.03125),
    (ag.tanh, -3.0, -0.9950547536867305, 0.00986603716544019, 0.019634494363042435),
    (ag.tanh, 0.5, 0.46211715726000974, 0.7864477329659274, -0.7268619813835873),
    (ag.hard_sigmoid, 0.5, 0.6, 0.2, 0.0),
    (ag.relu6, 3.0, 3.0, 1.0, 0.0),
    (ag.leaky_relu, -3.0, -0.03, 0.01, 0.0),
    (ag.leaky_relu, 3.0, 3.0, 1.0, 0.0),
)

EDGES: tuple[tuple[Activation, float, float, float, float], ...] = (
    (ag.relu, 0.0, 0.0, 0.0, 0.0),
    (ag.relu6, 0.0, 0.0, 0.0, 0.0),
    (ag.relu6, 6.0, 6.0, 0.0, 0.0),
    (ag.hard_sigmoid, -2.5, 0.0, 0.0, 0.0),
    (ag.hard_sigmoid, 2.5, 1.0, 0.0, 0.0),
    (ag.hard_sigmoid, 0.0, 0.5, 0.2, 0.0),
    (ag.elu, 0.0, 0.0, 1.0, 0.0),
    (ag.selu, 0.0, 0.0, SCALE, 0.0),
    (ag.leaky_relu, 0.0, 0.0, 0.01, 0.0),
    (ag.softsign, 0.0, 0.0, 1.0, 0.0),
)

FAR: tuple[tuple[Activation, float, float], ...] = (  # value and slope at -1000; at 1000 most are x, with slope 1
    (ag.relu, 0.0, 0.0), (ag.elu, -1.0, 0.0), (ag.selu, -ALPHA * SCALE, 0.0), (ag.gelu, 0.0, 0.0), (ag.gelu_tanh, 0.0, 0.0),
    (ag.silu, 0.0, 0.0), (ag.mish, 0.0, 0.0), (ag.softplus, 0.0, 0.0), (ag.leaky_relu, -10.0, 0.01),
)  # fmt: skip


def ids(table: Any) -> list[str]:
    return [f"{row[0].__name__} at {row[1]}" for row in table]


@each_way
@each_float
@pytest.mark.parametrize(("function", "x", "value", "slope", "bend"), SMOOTH, ids=ids(SMOOTH))
def test_value_slope_and_bend(
    function: Activation, x: float, value: float, slope: float, bend: float, dtype: str, way: str
) -> None:
    near = {"float64": 2e-14, "float32": 2e-6}[dtype]
    found, (first,), ((second,),) = slopes(function, [np.array([x, x])], dtype, way)
    wide = 40 * near if x == -12.0 else near  # x² enters an exponent
    for got, wanted in ((found, value), (first, slope), (second, bend)):
        np.testing.assert_allclose(got, np.full(2, wanted), rtol=wide, atol=near if abs(wanted) > 1e-3 else 0)


@each_way
@each_float
@pytest.mark.parametrize(("function", "x", "value", "slope", "bend"), EDGES, ids=ids(EDGES))
def test_at_its_edges(
    function: Activation, x: float, value: float, slope: float, bend: float, dtype: str, way: str
) -> None:
    found, (first,), ((second,),) = slopes(function, [x], dtype, way)
    for got, wanted in ((found, value), (first, slope), (second, bend)):
        same(got, wanted, dtype, function.__name__)


@each_way
@pytest.mark.parametrize("dtype", ("float64", "float32", "float16"))
@pytest.mark.parametrize(("function", "value", "slope"), FAR, ids=[row[0].__name__ for row in FAR])
def test_far_out(function: Activation, value: float, slope: float, dtype: str, way: str) -> None:
    found, (first,), ((second,),) = slopes(function, [np.array([-1000.0, 1000.0])], dtype, way)
    top = SCALE if function is ag.selu else 1.0
    same(found, [value, 1000 * top], dtype), same(first, [slope, top], dtype), same(second, [0, 0], dtype)


def test_swish_is_silu_and_the_ops_stand_among_the_activations() -> None:
    assert activations.swish is activations.silu is ag.silu
    assert activations.relu is ag.relu and activations.sigmoid is ag.sigmoid and activations.tanh is ag.tanh
    assert set(activations.__all__) <= set(vars(activations))


@each_way
@each_float
def test_slopes_of_the_settings(dtype: str, way: str) -> None:
    """PReLU learns its slope; elu takes its alpha as a number or a tensor."""
    x, alpha = np.array([-2.0, 0.0, 3.0]), np.array([0.25, 0.5, 2.0])
    value, (to_x, to_alpha), _ = slopes(ag.leaky_relu, (x, alpha), dtype, way)
    same(value, [-0.5, 0, 3], dtype), same(to_x, [0.25, 0.5, 1], dtype), same(to_alpha, [-2, 0, 0], dtype)
    value, (to_x, to_alpha), _ = slopes(ag.elu, (x, alpha), dtype, way)
    e = math.expm1(-2)
    same(value, [0.25 * e, 0, 3], dtype), same(to_x, [0.25 * (e + 1), 1, 1], dtype), same(to_alpha, [e, 0, 0], dtype)


# softmax -------------------------------------------------------------------------------------------------------------

ln2 = math.log(2)
ROWS: tuple[tuple[Activation, list[float], list[float], list[float], list[float]], ...] = (  # cotangents [1, 2], then 1
    (ag.softmax, [0.0, 0.0], [0.5, 0.5], [-0.25, 0.25], [0.0, 0.0]),
    (ag.softmax, [0.0, ln2], [1 / 3, 2 / 3], [-2 / 9, 2 / 9], [0.0, 0.0]),
    (ag.softmax, [1000.0, 1000.0], [0.5, 0.5], [-0.25, 0.25], [0.0, 0.0]),
    (ag.softmax, [1000.0, -1000.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    (ag.softmax, [-1000.0, -1000.0], [0.5, 0.5], [-0.25, 0.25], [0.0, 0.0]),
    (ag.softmax, [0.0, -inf], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    (ag.softmax, [-inf, -inf], [nan, nan], [nan, nan], [nan, nan]),
    (ag.softmax, [nan, 0.0], [nan, nan], [nan, nan], [nan, nan]),
    (ag.log_softmax, [0.0, 0.0], [-ln2, -ln2], [-0.5, 0.5], [0.0, 0.0]),
    (ag.log_softmax, [1000.0, 1000.0], [-ln2, -ln2], [-0.5, 0.5], [0.0, 0.0]),
    (ag.log_softmax, [1000.0, -1000.0], [0.0, -2000.0], [-2.0, 2.0], [0.0, 0.0]),
    (ag.log_softmax, [0.0, -inf], [0.0, -inf], [-2.0, 2.0], [0.0, 0.0]),
    (ag.log_softmax, [-inf, -inf], [nan, nan], [nan, nan], [nan, nan]),
)  # fmt: skip


@each_way
@each_float
@pytest.mark.parametrize(("function", "x", "value", "slope", "bend"), ROWS, ids=[f"{r[0].__name__} of {r[1]}" for r in ROWS])
def test_softmax_of_a_row(
    function: Activation, x: list[float], value: list[float], slope: list[float], bend: list[float], dtype: str, way: str
) -> None:
    found, (first,), ((second,),) = slopes(function, [x], dtype, way, seed=[1.0, 2.0])
    relative, absolute = {"float64": (4e-15, 1e-16), "float32": (1e-6, 1e-7)}[dtype]
    for got, wanted in ((found, value), (first, slope), (second, bend)):
        np.testing.assert_allclose(got, wanted, rtol=relative, atol=absolute)


@each_way
@pytest.mark.parametrize(("dtype", "near"), (("float64", 1e-15), ("float32", 5e-7), ("float16", 2e-3)))
@pytest.mark.parametrize("axis", (0, 1, -1))
def test_softmax_along_an_axis_of_an_unknown_size(axis: int, dtype: str, near: float, way: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 5)) * 3
    x = x.astype(dtype).astype("float64")
    p = ag.placeholder((None, None), dtype=dtype)
    e = np.exp(x - x.max(axis, keepdims=True))
    wanted = e / e.sum(axis, keepdims=True)
    soft, log = run([ag.softmax(p, axis), ag.log_softmax(p, axis)], [p], [x.astype(dtype)], way)
    np.testing.assert_allclose(soft, wanted, rtol=8 * near, atol=near)
    np.testing.assert_allclose(log, np.log(wanted), rtol=8 * near, atol=8 * near)
    first = ag.gradients([ag.softmax(p, axis)], p, cotangents=[wanted.astype(dtype)])
    second = ag.gradients([first], p, cotangents=[e.astype(dtype)])
    exact = _second_of_softmax(wanted, wanted.astype(dtype).astype("float64"), e.astype(dtype).astype("float64"), axis)
    np.testing.assert_allclose(run([second], [p], [x.astype(dtype)], way)[0], exact, rtol=0, atol=20 * near)


def _second_of_softmax(s: np.ndarray, u: np.ndarray, v: np.ndarray, axis: int) -> np.ndarray:
    """∂/∂x ⟨v, s∘(u - ⟨s, u⟩)⟩ for s = softmax(x) along `axis`."""
    inner = lambda a, b: (a * b).sum(axis, keepdims=True)
    w = v * (u - inner(s, u)) - u * inner(s, v)  # the cotangent of s
    return s * (w - inner(s, w))


def test_types_of_literals_and_whole_numbers() -> None:
    whole = ag.placeholder((3,), dtype="int32")
    for function in (ag.elu, ag.selu, ag.gelu, ag.gelu_tanh, ag.silu, ag.mish, ag.hard_sigmoid, ag.softmax, ag.log_softmax):
        assert str(function(whole).type) == "float32[3]", function.__name__
        assert str(function(ag.placeholder((3,), dtype="float16")).type) == "float16[3]", function.__name__
    assert ag.relu(whole).dtype == ag.relu6(whole).dtype == "int32" and ag.leaky_relu(whole).dtype == "float32"
    assert ag.softmax([1, 2, 3]).dtype == "float32"


@pytest.mark.parametrize(("call", "error", "text"), (
    (lambda: ag.softmax(ag.placeholder((3,)), axis=1), AxisError, "axis 1"),
    (lambda: ag.softmax(ag.placeholder(())), AxisError, "no axes"),
    (lambda: ag.log_softmax(ag.placeholder((3,)), axis=-2), AxisError, "axis -2"),
    (lambda: ag.log_softmax(ag.placeholder((3,)), axis="x"), ArgumentError, "not an integer"),
    (lambda: ag.softmax(ag.placeholder((0,))), ValueError, "size there is 0"),
    (lambda: ag.gelu("x"), ArgumentTypeError, "no array of numbers"),
    (lambda: ag.relu(None), ArgumentTypeError, "None"),
))  # fmt: skip
def test_what_is_refused(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
