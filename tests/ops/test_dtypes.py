"""Dtypes: literals never widen, whole numbers never widen floats, and what is promised is what is computed."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph as ag
from autograph.errors import DTypeError
from autograph.tensor_type import DTYPES
from tests.ops.running import WAYS, each_way, run

FLOATS = ("float16", "float32", "float64")
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def vector(dtype: str) -> ag.Tensor:
    return ag.placeholder((None,), dtype=dtype)


def number(dtype: str) -> ag.Tensor:
    return ag.placeholder((), dtype=dtype)


@pytest.fixture(params=FLOATS)
def floatx(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each floatx in turn."""
    before = ag.floatx()
    ag.set_floatx(request.param)
    yield request.param
    ag.set_floatx(before)


# literals ------------------------------------------------------------------------------------------------------------

LITERALS = {
    "bool": True, "int": 2, "float": 0.1, "np.int64": np.int64(2), "np.float64": np.float64(0.1), "np.float32": np.float32(0.1),
    "rank 0 array": np.array(0.1), "float64 array": np.ones(3), "int64 array": np.ones(3, "int64"), "list": [0.5, 1.0, 2.0],
}  # fmt: skip
ARITHMETIC: dict[str, Callable[[Any, Any], ag.Tensor]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b, "**": lambda a, b: a**b,
    "//": lambda a, b: a // b, "%": lambda a, b: a % b, "maximum": ag.maximum, "hypot": ag.hypot, "logaddexp": ag.logaddexp,
    "arctan2": ag.arctan2, "div_no_nan": ag.div_no_nan, "power": ag.power, "xlogy": ag.xlogy,
    "where": lambda a, b: ag.where(True, a, b), "lerp": lambda a, b: ag.lerp(a, b, 0.5), "clip": lambda a, b: ag.clip(a, b, 9),
}  # fmt: skip


@each_way
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_on_either_side_leaves_a_float_as_it_is(literal: str, dtype: str, way: str) -> None:
    x = vector(dtype)
    value = LITERALS[literal]
    pairs = [(f, a, b) for f in ARITHMETIC.values() for a, b in ((x, value), (value, x)) if f is not ARITHMETIC["clip"] or a is x]
    outputs = [f(a, b) for f, a, b in pairs]
    assert {str(y.type) for y in outputs} <= {f"{dtype}[?]", f"{dtype}[3]"}
    run(outputs, [x], [np.array([0.5, 1.0, 2.0], dtype)], way)  # which asserts the dtypes computed
    slopes = ag.gradients(outputs, x, cotangents=[ag.ones_like(y) for y in outputs])
    assert slopes.dtype == dtype and run([slopes], [x], [np.array([0.5, 1.0, 2.0], dtype)], way)[0].dtype == dtype


@each_way
def test_a_tenth_of_a_float32_is_rounded_once(way: str) -> None:
    p = vector("float32")
    values = np.array([1.0, 3.0, 1e-3], "float32")
    for y in (0.1 * p, p * 0.1, np.float64(0.1) * p, np.full(3, 0.1) * p):
        assert run([y], [p], [values], way)[0].tobytes() == (np.float32(0.1) * values).tobytes()


def test_an_array_on_the_left_asks_the_tensor() -> None:
    x = ag.placeholder((2, 2), dtype="float32")
    left = np.ones((2, 2))
    for y in (left + x, left - x, left * x, left / x, left**x, left // x, left % x, left @ x):
        assert isinstance(y, ag.Tensor) and str(y.type) == "float32[2, 2]"
    for y in (left < x, left <= x, left > x, left >= x, np.float64(1) < x):
        assert isinstance(y, ag.Tensor) and str(y.type) == "bool[2, 2]"


def test_a_literal_takes_the_kind_that_is_higher() -> None:
    whole, truth = vector("int32"), vector("bool")
    for y, dtype in (
        (whole + 2, "int32"), (2 - whole, "int32"), (True + whole, "int32"), (whole * 2.5, "float32"), (whole**2, "int32"),
        (whole**0.5, "float32"), (truth * 2, "int64"), (truth * 2.5, "float32"), (whole + np.float64(1), "float32"),
        (whole + np.int64(1), "int32"), (np.ones(3, "int64") + whole, "int32"), (np.ones(3) + whole, "float64"),
        (ag.where(truth, whole, 1.5), "float32"), (ag.where(truth, whole, 1), "int32"), (ag.maximum(whole, 0.5), "float32"),
        (ag.clip(whole, 0, 2), "int32"), (7 % whole, "int32"), (whole // 2.0, "float32"),
    ):  # fmt: skip
        assert y.dtype == dtype, y


def test_literals_alone_give_floatx_or_int64(floatx: str) -> None:
    for y, dtype in (
        (ag.add(1, 2), "int64"), (ag.add(1.0, 2), floatx), (ag.exp(1), floatx), (ag.hypot(3, 4), floatx),
        (ag.add(np.float64(1), np.float32(2)), floatx), (ag.where(True, 1, 2), "int64"), (ag.where(True, 1, 2.0), floatx),
        (ag.add(np.ones(3, "float64"), 1), "float64"), (ag.add(np.ones(3, "int32"), 1), "int32"),
        (ag.divide(np.ones(3, "int32"), 2), floatx), (ag.constant(1.5), floatx), (ag.variable(1.5), floatx),
        (ag.variable(np.ones(3)), floatx), (ag.constant(np.ones(3)), "float64"), (ag.placeholder(()), floatx),
        (ag.constant(2), "int64"), (ag.reduce_mean([1, 2]), floatx),
    ):  # fmt: skip
        assert y.dtype == dtype, y


@pytest.mark.parametrize(("dtype", "literal"), (
    ("uint8", 300), ("uint8", -1), ("uint8", 256), ("int8", 128), ("int8", -129), ("int32", 2**31), ("int32", -(2**40)),
    ("uint64", -1), ("uint8", np.int64(300)), ("uint8", np.array([0, 300])), ("int16", [1, 40000]),
))  # fmt: skip
def test_a_whole_literal_that_does_not_fit_is_refused(dtype: str, literal: Any) -> None:
    x = vector(dtype)
    for write in (
        lambda: x + literal, lambda: literal * x, lambda: x - literal, lambda: x < literal, lambda: ag.equal(x, literal),
        lambda: ag.maximum(x, literal), lambda: ag.where(True, x, literal),
    ):  # fmt: skip
        with pytest.raises(DTypeError, match=f"does not fit {dtype}"):
            write()
    assert (x + np.float64(300)).dtype == "float32"


@each_way
def test_a_whole_literal_at_the_ends_of_a_dtype_fits(way: str) -> None:
    for dtype in WHOLE:
        info = np.iinfo(dtype)
        x = vector(dtype)
        found = run([ag.minimum(x, info.max), ag.maximum(x, info.min)], [x], [np.array([info.min, info.max], dtype)], way)
        assert [v.tolist() for v in found] == [[info.min, info.max]] * 2


# tensors of two dtypes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", ("bool", *WHOLE))
@pytest.mark.parametrize("real", FLOATS)
def test_whole_numbers_never_widen_floats(real: str, whole: str) -> None:
    pairs = [(vector(real), vector(whole)), (vector(real), number(whole))]
    for a, b in (*pairs, *[pair[::-1] for pair in pairs]):
        for y in (a + b, a * b, a / b, ag.maximum(a, b), ag.where(True, a, b), ag.arctan2(a, b)):
            assert y.dtype == real
        assert ag.stack([vector(real), vector(whole)]).dtype == ag.concatenate([vector(real), vector(whole)]).dtype == real


@pytest.mark.parametrize(("a", "b"), tuple(itertools.combinations_with_replacement((*FLOATS, *WHOLE, "bool"), 2)))
def test_tensors_of_one_kind_meet_as_in_numpy(a: str, b: str) -> None:
    kinds = {DTYPES[a].kind.replace("u", "i"), DTYPES[b].kind.replace("u", "i")}
    if len(kinds) > 1:
        return
    wanted = np.result_type(DTYPES[a], DTYPES[b])
    if wanted.kind == "f" and kinds == {"i"}:
        wanted = np.dtype("float32")  # no integer holds both: floatx
    assert (vector(a) + vector(b)).dtype == (vector(b) + vector(a)).dtype == (number(a) + number(b)).dtype == wanted


@pytest.mark.parametrize(("big", "small"), (
    ("float32", "float64"), ("float16", "float32"), ("float16", "float64"), ("uint8", "int64"), ("int8", "int32"),
))  # fmt: skip
def test_a_tensor_of_rank_0_never_widens_one_with_axes(big: str, small: str) -> None:
    for y in (vector(big) + number(small), number(small) * vector(big), ag.maximum(vector(big), number(small))):
        assert y.dtype == big
    assert (number(big) + number(small)).dtype == np.result_type(DTYPES[big], DTYPES[small])
    assert (number(big) + 1).dtype == big and (np.float64(1) + number("float32")).dtype == "float32"


@pytest.mark.parametrize("whole", ("bool", *WHOLE))
def test_division_means_and_functions_of_whole_numbers_give_floatx(whole: str, floatx: str) -> None:
    x = vector(whole)
    outputs = [
        x / x, x / 2, 2 / x, ag.reduce_mean(x), ag.reduce_var(x), ag.reduce_std(x), ag.norm(x), ag.logsumexp(x), ag.exp(x),
        ag.sqrt(x), ag.sigmoid(x), ag.hypot(x, x), ag.arctan2(x, x), ag.centered(x), ag.softmax(x), ag.div_no_nan(x, x),
    ]  # fmt: skip
    assert {y.dtype.name for y in outputs} == {floatx}
    for way in WAYS:
        run(outputs, [x], [np.array([1, 0, 1], whole)], way)


@each_way
@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_stay_whole_where_they_can(dtype: str, way: str) -> None:
    x = vector(dtype)
    outputs = [
        x + x, x - x, x * x, x // x, x % x, x**2, -x, ag.abs(x), ag.sign(x), ag.square(x), ag.maximum(x, 1), ag.relu(x),
        ag.round(x), ag.floor(x), ag.reduce_sum(x), ag.reduce_prod(x), ag.reduce_max(x), ag.cumsum(x), ag.cumprod(x),
        ag.sort(x), ag.clip(x, 1, 2),
    ]  # fmt: skip
    assert {y.dtype.name for y in outputs} == {dtype}
    found = run(outputs, [x], [np.array([1, 2, 3], dtype)], way)
    assert [found[i].tolist() for i in (2, 3, 4, 5, 14, 15, 17)] == [[1, 4, 9], [1, 1, 1], [0, 0, 0], [1, 4, 9], 6, 6, [1, 3, 6]]


@each_way
def test_booleans_are_counted_and_are_no_numbers_otherwise(way: str) -> None:
    x = vector("bool")
    counted = [ag.reduce_sum(x), ag.reduce_prod(x), ag.cumsum(x), ag.cumprod(x), ag.count_nonzero(x), ag.argmax(x)]
    assert {y.dtype.name for y in counted} == {"int64"}
    found = run([*counted, x + x, x * x, ag.reduce_max(x)], [x], [np.array([False, True, True])], way)
    assert [v.tolist() for v in found] == [2, 0, [0, 1, 2], [0, 0, 0], 2, 1, [False, True, True], [False, True, True], True]
    for write in (lambda: x - x, lambda: -x, lambda: ag.sign(x), lambda: ag.square(x), lambda: x // x, lambda: x % x):
        with pytest.raises(DTypeError, match="booleans"):
            write()


@each_way
def test_products_of_matrices_keep_the_rules(way: str) -> None:
    a, b = ag.placeholder((2, 3), dtype="float16"), ag.placeholder((3, 2), dtype="int32")
    outputs = [a @ b, ag.dot(a, np.ones((3, 2))), b @ b[:2], ag.einsum("ij,jk->ik", a, b), ag.tensordot(a, b, 1)]
    assert [y.dtype.name for y in outputs] == ["float16", "float16", "int32", "float16", "float16"]
    run(outputs, [a, b], [np.ones((2, 3), "float16"), np.ones((3, 2), "int32")], way)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize("power", [ag.power, operator.pow, np.power], ids=["power", "**", "np.power"])
def test_negative_powers_of_whole_numbers_are_refused_when_they_are_written(power: Any, dtype: str) -> None:
    bases = [vector(dtype)] if power is np.power else [vector(dtype), ag.placeholder((), dtype=dtype)]
    for base in bases:
        for exponent in (np.array([2, -1, 0]),) if power is np.power else (-1, -3, np.int64(-1), np.array(-2)):
            with pytest.raises(ag.ArgumentError, match=r"to the power -(?s:.*)no negative powers(?s:.*)cast"):
                power(base, exponent)
    with pytest.raises(ag.ArgumentError, match="negative"):
        ag.power(np.ones(3, dtype), -1)
    assert power(vector(dtype), np.array([2.0, -1.0, 0.0])).type.is_float
    assert power(vector(dtype), np.array([2, 1, 0])).dtype == dtype


@each_way
@pytest.mark.parametrize("exponent", [[2, -1, 0], [-3, -3, -3]])
def test_negative_powers_of_whole_numbers_are_refused_when_they_turn_up(exponent: list[int], way: str) -> None:
    base, p = vector("int32"), vector("int32")
    ones, whole = np.ones(3, "int32"), np.array([3, 1, 0], "int32")
    for wanted in (base**p, 2**p, ag.power(base, p)):
        run([wanted], [base, p], [ones, whole], way)
        with pytest.raises(ag.ArgumentError, match=r"power -\d at \[\d\] of the exponent(?s:.*)no negative powers"):
            run([wanted], [base, p], [ones, np.array(exponent, "int32")], way)
    scalar = ag.placeholder((), dtype="int64")
    with pytest.raises(ag.ArgumentError, match="power -2\\n"):
        ag.function([scalar], 3**scalar)(-2)


def test_a_negative_power_of_whole_numbers_behind_a_guard_that_fails_is_nobodys_error() -> None:
    n, p = ag.variable(3, dtype="int64"), ag.variable(-1, dtype="int64")
    f = ag.function([], n, ag.Updates([(n, n**p)]).when(p >= 0))
    assert f() == 3 and f() == 3


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_gradient_has_the_dtype_of_its_variable(dtype: str) -> None:
    x, other = vector(dtype), vector("float64")
    loss = ag.reduce_sum(ag.cast(ag.tanh(x), "float32") * other + ag.cast(x, "float16"))
    for way in WAYS:
        found = run([ag.gradients(loss, x)], [x, other], [np.ones(3, dtype), np.full(3, 2.0)], way)[0]
        np.testing.assert_allclose(found.astype("float64"), 2 * (1 - np.tanh(1) ** 2) + 1, rtol=2e-3)
    assert ag.gradients(ag.reduce_sum(ag.cast(ag.cast(x, "int32"), dtype)), x) is None


def test_a_float_beyond_the_range_becomes_infinite_without_a_warning() -> None:
    for x, literal in ((vector("float16"), 1e6), (vector("float32"), 1e300)):
        assert (x + literal).dtype == x.dtype


def test_a_float_array_beyond_the_range_becomes_infinite_without_a_warning() -> None:
    x = vector("float16")
    for way in WAYS:
        assert run([ag.minimum(x, np.array([1e6]))], [x], [np.array([1, np.inf], "float16")], way)[0].tolist() == [1, np.inf]


# whatever is drawn ---------------------------------------------------------------------------------------------------

drawn = st.lists(st.tuples(st.sampled_from(tuple(DTYPES)), st.sampled_from((0, 1)), st.booleans()), min_size=1, max_size=4)


@given(drawn)
def test_the_order_of_the_operands_means_nothing(kinds: list[tuple[str, int, bool]]) -> None:
    types = [ag.placeholder((2,) * rank, dtype=dtype).type for dtype, rank, _ in kinds]
    types = [t if not weak else type(t)(t.dtype, t.shape, True) for t, (_, _, weak) in zip(types, kinds, strict=True)]
    found = {ag.tensor_type.result_dtype(order) for order in itertools.permutations(types)}
    assert len(found) == 1
    strongest = max(types, key=lambda t: "buif".index(t.dtype.kind) + (t.dtype.kind == "u"))
    assert found.pop().kind in ("f" if strongest.dtype.kind == "f" else "iuf" if strongest.dtype.kind in "iu" else "b")


@given(st.sampled_from(FLOATS), st.sampled_from(tuple(ARITHMETIC)), st.sampled_from(tuple(LITERALS)), st.booleans())
def test_literals_in_a_chain_never_widen(dtype: str, name: str, literal: str, left: bool) -> None:
    x = vector(dtype)
    value = LITERALS[literal]
    y = ag.sigmoid(x * 2 + 1) / 3 - np.float64(0.5)
    z = ARITHMETIC[name](value, y) if left and name != "clip" else ARITHMETIC[name](y, value)
    assert z.dtype == ag.reduce_mean(z).dtype == dtype
