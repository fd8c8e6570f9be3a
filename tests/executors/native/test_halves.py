"""Half precision in machine code: NumPy's bits in arithmetic and casts, one rounding in functions and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.executors.native import emitter, functions, special
from optimizers import Adam
from tests.arrays.test_special import FUNCTIONS
from tests.executors.native.running import elementwise
from tests.executors.native.test_agreement import both

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)
OTHER = np.random.default_rng(0).permutation(EVERY)
BINARY = ["power", "arctan2", "hypot"]
EXACT = ["negative", "absolute", "sign", "square", "reciprocal", "sqrt", "floor", "ceil", "trunc", "rint", "add", "subtract",
         "multiply", "divide", "maximum", "minimum", "fmax", "fmin", "copysign", "floor_divide", "remainder"]  # fmt: skip
TRUTHS = ["isnan", "isinf", "isfinite", "signbit", "logical_not", "less", "equal", "greater_equal", "not_equal", "logical_and"]

needs_halves = pytest.mark.skipif(not emitter.converts_halves(), reason="this processor does not convert half precision")


def same(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return (got == wanted) & (np.signbit(got) == np.signbit(wanted)) | (np.isnan(got) & np.isnan(wanted))


def given(name: str) -> tuple[np.ndarray, ...]:
    return (EVERY, OTHER)[: getattr(np, name).nin]


@needs_halves
@pytest.mark.parametrize("name", EXACT)
def test_arithmetic_on_every_half_has_the_bits_of_numpy(name: str) -> None:
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(*given(name))
    assert same(elementwise(name, *given(name)), wanted).all()


@needs_halves
@pytest.mark.parametrize("name", TRUTHS)
def test_questions_about_every_half_have_the_answers_of_numpy(name: str) -> None:
    np.testing.assert_array_equal(elementwise(name, *given(name), gives="b1"), getattr(np, name)(*given(name)))


@needs_halves
@pytest.mark.parametrize("name", sorted(set(functions.FUNCTIONS) - set(EXACT)) + sorted(special.SPECIAL))
def test_functions_of_every_half_are_rounded_once(name: str) -> None:
    """So that in all but a few of 65536 cases, where the number lies between two halves, the bits are those of NumPy."""
    function = FUNCTIONS[name] if name in special.SPECIAL else getattr(np, name)
    arguments = (EVERY, OTHER) if name in BINARY else (EVERY,)
    with np.errstate(all="ignore"):
        got, wanted = elementwise(name, *arguments), function(*arguments)
        near = np.abs(got - wanted) <= np.spacing(np.abs(wanted))
    assert (same(got, wanted) | near).all() and same(got, wanted).sum() > 2**16 - 20


@needs_halves
@pytest.mark.parametrize("type", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", "b1"])
def test_halves_are_cast_as_by_numpy(type: str) -> None:
    x = EVERY
    if type[0] in "iu":
        limits = np.iinfo(type)
        with np.errstate(all="ignore"):
            x = x[np.isfinite(x) & (x.astype("f8") >= limits.min) & (x.astype("f8") <= limits.max)]
    np.testing.assert_array_equal(elementwise("cast", x, gives=type), x.astype(type))


@needs_halves
def test_wider_numbers_are_rounded_to_halves_once() -> None:
    rng = np.random.default_rng(1)
    finite = EVERY[np.isfinite(EVERY)]
    finite = finite[np.abs(finite) < np.finfo("f2").max]
    between = (finite.astype("f8") + np.nextafter(finite, np.float16(np.inf)).astype("f8")) / 2
    x = np.concatenate([between, np.nextafter(between, np.inf), np.nextafter(between, -np.inf), between * (1 + 1e-9)])
    x = np.concatenate([x, rng.integers(0, 2**64, 20_000, np.uint64).view("f8"), rng.normal(size=20_000), [1e300, -1e-300]])
    with np.errstate(all="ignore"):
        for kind in ("f8", "f4"):
            y = x.astype(kind)
            assert same(elementwise("cast", y, gives="f2"), y.astype("f2")).all()
        for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
            info = np.iinfo(kind)
            n = rng.integers(info.min, info.max, 20_000, kind, endpoint=True) >> rng.integers(0, info.bits, 20_000).astype(kind)
            np.testing.assert_array_equal(elementwise("cast", n, gives="f2"), n.astype("f2"))


BUILDS: dict[str, Callable[..., Any]] = {
    "chain": lambda x, y: ag.where(x > y, x * y + 1, -x) / 3, "sums": lambda x, y: [
        ag.reduce_sum(x), ag.reduce_sum(x * y, 0), ag.reduce_mean(x, 1), ag.reduce_max(x, 1), ag.reduce_min(y)],
    "products": lambda x, y: [ag.matmul(x, ag.transpose(y)), ag.matmul(ag.stack([x, y]), ag.transpose(y))],
    "rows": lambda x, y: [ag.softmax(x), ag.logsumexp(y, axis=1), ag.reduce_var(x, axis=0)],
    "moves": lambda x, y: [ag.concatenate([x, y], 1), ag.stack([x, y]), ag.transpose(x), x[::-1, 1:4],
                           ag.pad(x, ((1, 0), (2, 3)))],
    "places": lambda x, y: [ag.gather(x, [2, 0, 2]), ag.sort(x[:, :6], axis=1), ag.argmax(x, 1), ag.cumsum(y, 1),
                            ag.norm(x)],
    "gradients": lambda x, y: ag.gradients(ag.reduce_sum(ag.tanh(ag.gather(x, [0, 1, 1])) * ag.erf(y[:3])), [x, y]),
    "whole": lambda x, y: [x // y, x % y, ag.cast(x * 10, "int32"), ag.cast(ag.argmin(x, 1), "float16")],
}  # fmt: skip


@needs_halves
@pytest.mark.parametrize("name", BUILDS)
def test_programs_of_halves_are_machine_code_and_agree_with_numpy(name: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 7, 19)).astype("float16")
    got, wanted = both(BUILDS[name], x, y)
    for a, b in zip(*([r if isinstance(r, list | tuple) else [r] for r in (got, wanted)]), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a.astype("f8"), b.astype("f8"), rtol=2e-3, atol=2e-3)


@needs_halves
def test_one_half_alone_is_a_half_too() -> None:
    for x in (np.float16(0.75), np.array([0.3], np.float16)):
        got, wanted = both(lambda x: [ag.exp(x), ag.tanh(x), ag.log(x), ag.sin(x), ag.exp(ag.tanh(x)) * x], np.asarray(x))
        np.testing.assert_array_equal(got, wanted)


@needs_halves
def test_an_optimizer_of_halves_commits_what_numpy_commits() -> None:
    rng = np.random.default_rng(3)
    start, target = rng.normal(size=(2, 33)).astype("float16")
    ends = []
    for executor in ("native", "numpy"):
        w = ag.variable(start, "float16")
        loss = ag.reduce_mean(ag.square(w - target))
        step = ag.function([], loss, Adam(lr=0.01).get_updates(loss, [w]), executor=executor)
        for _ in range(20):
            step()
        ends.append(w.get_value())
    assert "so are 1 of 1 groups" in step.explain() or executor == "numpy"
    np.testing.assert_allclose(ends[0].astype("f8"), ends[1].astype("f8"), atol=4e-3)
    assert np.abs(ends[0] - start).max() > 0.1


def test_where_the_processor_does_not_convert_halves_numpy_runs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitter, "converts_halves", lambda: False)
    emitter.type_of.cache_clear()
    x = ag.placeholder((5,), dtype="float16")
    f = ag.function([x], ag.tanh(x) + ag.erf(x), executor="native")
    a = np.linspace(-2, 2, 5).astype("float16")
    np.testing.assert_array_equal(f(a), ag.function([x], ag.tanh(x) + ag.erf(x), executor="numpy")(a))
    assert "half precision" in f.explain()
    emitter.type_of.cache_clear()
