"""The native executor against NumPy's: random programs tick by tick, and every way in which arrays may lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import loops, mathlib
from tests.executors.native.running import elementwise
from tests.function.programs import count, random_program

EXACT: dict[str, Callable[..., Any]] = {
    "add": ag.add, "subtract": ag.subtract, "multiply": ag.multiply, "divide": ag.divide, "maximum": ag.maximum,
    "minimum": ag.minimum, "less": ag.less, "equal": ag.equal, "greater_equal": ag.greater_equal,
    "where": lambda a, b: ag.where(a > b, a, b), "sqrt": lambda a, b: ag.sqrt(a) + b, "abs": lambda a, b: ag.abs(a) - b,
    "sign": lambda a, b: ag.sign(a) * b, "floor": lambda a, b: ag.floor(a) + ag.ceil(b) + ag.round(a),
    "cast": lambda a, b: ag.cast(a, "int32") + ag.cast(b, "int32"), "isfinite": lambda a, b: ag.isfinite(a + b),
    "words": lambda a, b: ag.cast(a, "uint64") - ag.cast(b, "uint64"),
}  # fmt: skip
FOUND = (2284538, 25937546)  # programs whose commit chose over what it read
ODD = [0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 5e-324, 1e38, 3.5, 2.5, -2.5, 1e-310, 7.0, 1e9]


def close(got: Any, wanted: Any, rounding: str | None = None) -> bool:
    """Equal but for rounding, of functions and of sums in another order: in the type `rounding`, or their own."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    if got.dtype.kind != "f":
        return bool((got == wanted).all())
    eps = float(np.finfo(rounding or got.dtype).eps)
    scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0))
    return bool(np.allclose(got, wanted, rtol=200 * eps, atol=200 * eps * scale, equal_nan=True))


@pytest.mark.no_cover
@pytest.mark.parametrize("block", range(10))
def test_random_programs_tick_as_with_numpy(block: int) -> None:
    each = count(200, 2000)
    for seed in [*range(block * each, (block + 1) * each), *(FOUND if block == 0 else ())]:
        program = random_program(seed)
        native, plain = (
            ag.function(program.inputs, program.outputs, program.updates, executor=name, on_unused_input="ignore")
            for name in ("native", "numpy")
        )
        for tick in range(2):
            feeds, before = program.feeds(seed + tick), plain.state()
            wanted = plain(*feeds)
            after = plain.state()
            plain.restore(before)
            got = native(*feeds)
            outputs = zip(got, wanted, strict=True)
            assert all(close(g, w, "float32") for g, w in outputs), f"outputs of program {seed}, tick {tick}"
            for register, value in after.items():
                assert close(register.get_value(), value, "float32"), f"{register.name} of program {seed}, tick {tick}"
            plain.restore(after)


def both(build: Callable[..., Any], *arrays: np.ndarray) -> tuple[Any, Any]:
    """What native code and NumPy make of feeds, whose sizes the graph knows as little as can be."""
    inputs = [ag.placeholder((None,) * a.ndim, dtype=a.dtype) for a in arrays]
    y = build(*inputs)
    native, plain = (ag.function(inputs, y, executor=name) for name in ("native", "numpy"))
    got, wanted = native(*arrays), plain(*arrays)
    assert "\n" not in native.explain(), native.explain()
    return got, wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXACT)
def test_exact_arithmetic_is_that_of_numpy_bit_for_bit(name: str, dtype: str) -> None:
    with np.errstate(all="ignore"):
        odd = np.array(ODD).astype(dtype)
    a, b = (np.ascontiguousarray(x).ravel() for x in np.meshgrid(odd, odd))
    got, wanted = both(EXACT[name], a, b)
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted)) if got.dtype.kind == "f" else got == wanted
    assert same.all(), f"{a[~same][:3]} and {b[~same][:3]} give {got[~same][:3]}, not {wanted[~same][:3]}"
    if name not in ("maximum", "minimum", "where"):  # of +0 and -0 NumPy takes either
        assert got.dtype.kind != "f" or (np.signbit(got) == np.signbit(wanted))[~np.isnan(wanted)].all()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_wrap_compare_and_convert_as_with_numpy(dtype: str) -> None:
    info = np.iinfo(dtype)
    odd = np.array([info.min, info.min + 1, 0, 1, 2, 3, info.max - 1, info.max], dtype)
    a, b = (np.ascontiguousarray(x).ravel() for x in np.meshgrid(odd, odd))
    for build in (ag.add, ag.subtract, ag.multiply, ag.maximum, ag.minimum, ag.less, ag.greater_equal, ag.equal,
                  lambda x, y: ag.floor_divide(x, 3) - ag.mod(y, 5), *([] if info.min == 0 else [lambda x, y: x // -1 + y % -3]),
                  lambda x, y: ag.abs(x) + ag.sign(y), lambda x, y: ag.cast(x, "float32") + ag.cast(y, "float32"),
                  lambda x, y: ag.cast(ag.cast(x, "int8"), "int64") + ag.cast(ag.cast(y, "uint16"), "int64")):  # fmt: skip
        got, wanted = both(build, a, b)
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_whole_quotients_and_remainders_of_floats_have_the_bits_of_numpy(
    name: str, dtype: str, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fused and not mathlib.exact_products():
        pytest.skip("this processor has no fused products")
    monkeypatch.setattr(mathlib, "exact_products", lambda: fused)
    rng, n = np.random.default_rng(9), count(5000, 1_000_000)
    word = np.uint32 if dtype == "float32" else np.uint64
    a, b = rng.integers(0, np.iinfo(word).max, (2, n), word, endpoint=True).view(dtype)
    x, y = rng.normal(size=(2, n)).astype(dtype)
    k = rng.integers(-(10**6), 10**6, n).astype(dtype)
    with np.errstate(all="ignore"):
        odd = [v.ravel() for v in np.meshgrid(*[np.array([*ODD, -0.1, 3, 2.0**24, 2.0**53 + 2]).astype(dtype)] * 2)]
        a = np.concatenate([a, 10 * x, k * y, np.nextafter(k * y, 1, dtype=dtype), odd[0]])
        b = np.concatenate([b, y, y, y, odd[1]])
        wanted = getattr(np, name)(a, b)
    loops.text.cache_clear()
    got = elementwise(name, a, b)
    loops.text.cache_clear()
    np.testing.assert_array_equal(got, wanted)
    assert (np.signbit(got) == np.signbit(wanted))[~np.isnan(wanted)].all()


@pytest.mark.parametrize("shape", [(3,), (40,), (3, 5), (33, 21), (5, 1)], ids=str)
def test_branches_of_rare_numbers_stand_within_sums_and_updates_too(shape: tuple[int, ...]) -> None:
    """Of a huge angle, a large quotient, a number left of 0: in some lanes or none, in loops that add up, and in the commit."""
    rng = np.random.default_rng(10)
    for scale in (1.0, 1e30):
        x = rng.normal(size=shape)
        x.flat[:: 1 + rng.integers(1, 7)] *= scale

        def build(a: Any) -> list[Any]:
            y = ag.sin(a) + ag.tan(a) * ag.mod(a, 0.3) + ag.digamma(a)
            last = ag.reduce_max(y, len(shape) - 1)
            return [y, last, ag.reduce_sum(y), ag.reduce_sum(ag.cos(a), 0), ag.reduce_sum(ag.lgamma(a))]

        got, wanted = both(build, x)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        ends = []
        for executor in ("native", "numpy"):
            w = ag.variable(x, "float64")
            step = ag.function([], None, [(w, ag.cos(w) * 1e25 + ag.mod(w, 0.7))], executor=executor)
            step()
            assert "1 of 1 groups" in step.explain() or executor == "numpy"
            ends.append(w.get_value())
        np.testing.assert_allclose(*ends, rtol=1e-12)


SHAPES = [
    ((), ()), ((1,), (1,)), ((0,), (0,)), ((0, 3), (3,)), ((7,), ()), ((8,), (1,)), ((9,), (9,)), ((5, 1), (1, 17)),
    ((3, 1, 33), (4, 1)), ((2, 3, 4), (3, 1)), ((1, 1, 65), (2, 5, 1)), ((16, 16), (16, 16)), ((2, 0, 4), (1, 1, 4)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_shapes_broadcast_and_reduce_along_any_axes(shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=s).astype("float32") for s in shapes)
    rank = max(a.ndim, b.ndim)

    def build(x: Any, y: Any) -> Any:
        z = x * y + 1.0
        axes: list[Any] = [None, *range(rank)] + [(i, j) for j in range(rank) for i in range(j)]
        sums = [ag.reduce_sum(z, axis=axis, keepdims=axis == 0) for axis in axes]
        filled = 0 not in np.broadcast_shapes(*shapes)
        tops = [ag.reduce_max(z - y, axis=axis) + ag.reduce_min(z, axis=axis) for axis in axes if filled]
        return [z, ag.tanh(z) - y, *sums, *tops, ag.reduce_any(z > 1.5), ag.reduce_mean(z, axis=rank - 1) if rank else z]

    got, wanted = both(build, a, b)
    assert all(map(close, got, wanted))


def layouts() -> dict[str, np.ndarray]:
    """A matrix of 6 rows and 10 columns as callers may hold it."""
    base = np.random.default_rng(2).normal(size=(12, 20)).astype("float32")
    raw = bytearray(4 * 60 + 1)
    odd = np.frombuffer(raw, np.uint8)[1:].view("float32").reshape(6, 10)
    odd[...] = base[:6, :10]
    frozen = base[:6, :10].copy()
    frozen.flags.writeable = False
    return {
        "dense": base[:6, :10].copy(), "sliced": base[:6, :10], "stepped": base[::2, ::2], "reversed": base[5::-1, 9::-1],
        "columns first": np.asfortranarray(base[:6, :10]), "stretched": np.broadcast_to(base[:1, :10], (6, 10)),
        "unaligned": odd, "frozen": frozen,
    }  # fmt: skip


@pytest.mark.parametrize("name", layouts())
def test_a_feed_may_lie_in_any_way(name: str) -> None:
    x, y = layouts()[name], np.ones((10, 3), "float32")
    before = x.tobytes()

    def build(a: Any, b: Any) -> Any:
        return [a + 1.0, ag.matmul(a, b), ag.reduce_sum(a, 0), ag.transpose(a) * 2.0, a[::-1, 1::2] - 1.0]

    got, wanted = both(build, x, y)
    assert all(map(close, got, wanted)) and x.tobytes() == before
    assert not any(np.shares_memory(x, g) for g in got)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", [((3, 4), (4, 5)), ((1, 4), (4, 1)), ((5, 1), (1, 6)), ((0, 4), (4, 2)), ((2, 0), (0, 3)),
                                    ((9, 17), (17, 23)), ((40, 33), (33, 70)),
                                    ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((6, 2, 3, 4), (1, 4, 2))], ids=str)  # fmt: skip
def test_products_of_matrices_and_of_their_transposes(shapes: tuple[tuple[int, ...], ...], dtype: str) -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=s).astype(dtype) for s in shapes)
    turned = [np.ascontiguousarray(x.swapaxes(-1, -2)) for x in (a, b)]

    def swap(x: Any) -> Any:
        return ag.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))

    def build(a: Any, b: Any, s: Any, t: Any) -> Any:
        return [ag.matmul(a, b), ag.matmul(swap(s), b), ag.matmul(a, swap(t)), ag.matmul(swap(s), swap(t))]

    got, wanted = both(build, a, b, *turned)
    assert all(map(close, got, wanted))
    assert all(close(g, np.matmul(a, b)) for g in got)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_sums_stay_within_the_bound_of_pairwise_summation(axis: int | None, dtype: str) -> None:
    rng = np.random.default_rng(4)
    for shape in ((3, 10_000), (10_000, 3), (1000, 70)):
        x = (rng.normal(size=shape) * 10.0 ** rng.integers(-4, 5, shape) + 1000).astype(dtype)
        got, _ = both(lambda a: ag.reduce_sum(a, axis=axis), x)
        exact = x.astype(np.longdouble).sum(axis)
        n = x.size // np.asarray(got).size
        bound = (8 + np.log2(n)) * np.finfo(dtype).eps * np.abs(x).astype(np.longdouble).sum(axis)
        assert (np.abs(got - exact) <= bound / 4).all()


def test_a_sum_of_infinities_is_what_it_is() -> None:
    for dtype in ("float32", "float64"):
        for odd in ([np.inf, 1], [-np.inf, 1], [np.inf, -np.inf], [np.nan, np.inf]):
            x = np.array([1.0] * 20 + odd * 3, dtype)
            got, _ = both(lambda a: ag.reduce_sum(a), x)
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(got, x.sum())


def test_softmax_and_its_kin_with_masks_and_infinities() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 12)).astype("float32") * 10
    x[1], x[2, 3], x[3, :2], x[4, 5], x[5, :6] = -np.inf, np.inf, np.inf, np.nan, -np.inf
    got, wanted = both(lambda a: [ag.logsumexp(a, axis=1), ag.softmax(a), ag.log_softmax(a), ag.logsumexp(a, axis=0)], x)
    assert all(map(close, got, wanted))
    got, wanted = both(lambda a: [ag.reduce_var(a, axis=1), ag.reduce_std(a, axis=0), ag.norm(a, axis=1)], x[6:] + 1e4)
    assert all(map(close, got, wanted))
