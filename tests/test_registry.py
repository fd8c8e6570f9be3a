"""Every op of the registry, by its sample: complete, right in value and gradient, honest in type, firm with bad calls.

Each fact is one test, run over the registry. A campaign (AUTOGRAPH_CAMPAIGN=1) draws many more examples of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph.ops  # noqa: F401  # fills the registry
from autograph.arrays import numpy_namespace
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, evaluate
from autograph.graph.op import REGISTRY, Kind
from autograph.graph.tensor import Placeholder, Tensor
from autograph.tensor_type import DTYPES, TensorType, shapes_agree
from autograph.testing import check_gradients
from autograph.testing.gradients import tensors_in
from tests.samples import define
from tests.samples.define import Array, Case, Sample

try:
    import torch
except ImportError:  # the extra `oracles` brings it
    torch = None

EXAMPLES = 1000 if define.CAMPAIGN else define.EXAMPLES
SECOND_ORDER = 300 if define.CAMPAIGN else 6
HOME = Path(__file__).parent / "samples"
SAMPLES: tuple[Sample, ...] = tuple(
    sample
    for path in sorted(HOME.glob("*.py"))
    if path.stem not in ("__init__", "define")
    for sample in import_module(f"tests.samples.{path.stem}").SAMPLES
)
OPS = sorted(name for name, op in REGISTRY.items() if op.kind is not Kind.LEAF)
ROUGH_ORACLES = {"digamma": 1e-8}  # torch's trigamma has nine digits
ran: Counter[str] = Counter()  # by what was judged, and how often

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=[sample.op for sample in SAMPLES])
each_differentiable = pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.differentiable],
    ids=[s.op for s in SAMPLES if s.differentiable],
)


@pytest.fixture(scope="module", autouse=True)
def tell_which_oracles_ran(request: pytest.FixtureRequest) -> Iterator[None]:
    """At the end, a line that says what judged: nobody shall think torch did where it was not installed."""
    yield
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None and ran:
        counts = ", ".join(f"{count} by {name}" for name, count in sorted(ran.items()))
        which = f"torch {torch.__version__}" if torch is not None else "torch is not installed"
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\nregistry: {len(OPS)} ops; judged {counts}; {which}")


def for_cases(sample: Sample, examples: int, check: Callable[[Case], None]) -> None:
    """Run `check` on cases of the sample, and let it compute infinities and NaN."""
    define.for_cases(sample, examples, np.errstate(all="ignore")(check))


# building and running ------------------------------------------------------------------------------------------------


def built(case: Case, arrays: Sequence[Array], known: bool = True) -> tuple[Tensor, list[Placeholder]]:
    """The op on placeholders of these arrays' types, its sizes known or not."""
    leaves = [
        Placeholder(TensorType(DTYPES[a.dtype.name], a.shape if known else (None,) * a.ndim), f"x{i}")
        for i, a in enumerate(arrays)
    ]
    return tensors_in(case.build(*leaves))[0], leaves


def run(outputs: Sequence[Tensor], leaves: Sequence[Tensor], arrays: Sequence[Array]) -> list[Array]:
    registers = {t: t.get_value() for t in ancestors(outputs) if hasattr(t, "register")}
    return evaluate(outputs, {**registers, **dict(zip(leaves, arrays, strict=True))}, numpy_namespace)


def narrowed(array: Array, dtype: str) -> Array:
    """Floats in a narrower dtype, in the same memory layout; others as they are."""
    return array.astype(dtype, order="K") if array.dtype.kind == "f" else array


def cotangent(y: Array) -> Array:
    """Numbers of both signs, the same ones for the same shape."""
    rng = np.random.default_rng(y.size + 17)
    return rng.uniform(0.5, 1.5, y.shape) * rng.choice((-1.0, 1.0), y.shape)


def assert_close(got: Any, wanted: Any, allowed: Any, what: str) -> None:
    """Equal within `allowed`, infinities and NaN in the same places."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    if got.dtype.kind not in "f" or wanted.dtype.kind not in "f":
        np.testing.assert_array_equal(got, wanted, err_msg=what)
        return
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite], err_msg=what)
    gap = np.abs(got.astype(np.float64) - wanted)
    bad = finite & ~(gap <= allowed)
    if bad.any():
        at = tuple(int(k) for k in np.argwhere(bad)[np.argmax(gap[bad])])
        limit = np.broadcast_to(allowed, gap.shape)[at]
        raise AssertionError(f"{what}: {got[at]!r} at {at}, wanted {wanted[at]!r} within {limit:.3g}")


def scale(function: Callable[[Sequence[Array]], Array], arrays: Sequence[Array], eps: float, elementwise: bool) -> Array:
    """What an error of some eps in every term amounts to: 64 eps of the result, and what the result does with such inputs."""
    y = np.asarray(function(arrays), np.float64)
    rng = np.random.default_rng(y.size)
    moved = np.zeros(y.shape)
    for _ in range(3):
        nearby = [a * (1 + eps * rng.uniform(-1, 1, a.shape)) if a.dtype.kind == "f" else a for a in arrays]
        gap = np.abs(function(nearby) - y)
        moved = np.maximum(moved, np.where(np.isfinite(gap), gap, 0.0))
    size = np.where(np.isfinite(y), np.abs(y), 0.0)
    if not elementwise and y.size:
        size, moved = np.full(y.shape, size.max()), np.full(y.shape, moved.max())
    return 64 * eps * size + 16 * moved + 4 * float(np.finfo(np.float64).tiny)


# the registry is complete --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPS)
def test_an_op_has_a_sample_and_a_sentence(name: str) -> None:
    assert name in {sample.op for sample in SAMPLES}, f"{name} has no sample under tests/samples"
    assert REGISTRY[name].doc.strip(), f"{name} has no doc"


@each_sample
def test_a_sample_builds_its_op_and_knows_three_bad_calls(sample: Sample) -> None:
    assert sample.op in REGISTRY, f"there is no op named {sample.op!r}"
    assert len(sample.bad) >= 3, f"{sample.op} has {len(sample.bad)} bad calls, and needs three"
    seen = []
    for_cases(sample, 10, lambda case: seen.append(sample.op in {t.op.name for t in ancestors([built(case, case.arrays)[0]])}))
    assert any(seen), f"no case of the sample of {sample.op} holds that op"


@each_sample
def test_a_bad_call_raises(sample: Sample) -> None:
    for number, (call, expected) in enumerate(sample.bad):
        with pytest.raises(expected) as caught:
            call()
        assert type(caught.value).__module__ != "builtins", f"bad call {number}: a bare {type(caught.value).__name__}"


# values and types ----------------------------------------------------------------------------------------------------


@each_sample
def test_the_value_is_that_of_the_reference(sample: Sample) -> None:
    elementwise = REGISTRY[sample.op].kind is Kind.ELEMENTWISE

    def check(case: Case) -> None:
        output, leaves = built(case, case.arrays)
        value = run([output], leaves, case.arrays)[0]
        if case.reference is not None:
            wanted = case.reference(*case.arrays)
            allowed = scale(lambda arrays: run([output], leaves, arrays)[0], case.arrays, 2.0**-52, elementwise) \
                if output.type.is_float else 0
            assert_close(value, wanted, allowed, sample.op)
            ran["references"] += 1
        elif case.oracle is not None and torch is not None:
            wanted = case.oracle(torch, *[torch.tensor(np.ascontiguousarray(a)) for a in case.arrays]).numpy()
            assert_close(value, wanted, 1e-12 * (np.abs(wanted) + np.max(np.abs(wanted), initial=0)), sample.op)
            ran["torch"] += 1

    for_cases(sample, EXAMPLES, check)


@each_sample
def test_the_type_is_what_was_promised_whether_sizes_are_known_or_not(sample: Sample) -> None:
    def check(case: Case) -> None:
        values = []
        for known in (True, False):
            output, leaves = built(case, case.arrays, known)
            value = np.asarray(run([output], leaves, case.arrays)[0])
            assert value.dtype == output.dtype, f"{output.type} promised, {value.dtype} computed"
            assert shapes_agree(output.shape, value.shape), f"{output.type} promised, {value.shape} computed"
            values.append(value)
        np.testing.assert_array_equal(values[0], values[1], err_msg="sizes known and unknown")

    for_cases(sample, EXAMPLES, check)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@each_sample
def test_narrow_floats_come_near_to_wide_ones(sample: Sample, dtype: str) -> None:
    eps = float(np.finfo(dtype).eps)
    limit, least = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_normal)
    elementwise = REGISTRY[sample.op].kind is Kind.ELEMENTWISE

    def check(case: Case) -> None:
        arrays = [narrowed(a, dtype) for a in case.arrays]
        if all(a is b for a, b in zip(arrays, case.arrays, strict=True)):
            return
        output, leaves = built(case, arrays)
        value = np.asarray(run([output], leaves, arrays)[0])
        assert value.dtype == output.dtype, f"{output.type} promised, {value.dtype} computed"
        wide = [narrowed(a, "float64") for a in arrays]
        output64, leaves64 = built(case, wide)

        def exact(given: Sequence[Array]) -> Array:
            return np.asarray(run([output64], leaves64, given)[0])

        wanted = exact(wide)
        if wanted.dtype.kind != "f" or output.dtype.name != dtype:
            return
        allowed = scale(exact, wide, eps, elementwise) + 4 * least * eps
        fits = np.abs(wanted) < limit / 2
        assert_close(np.where(fits, value, 0), np.where(fits, wanted, 0), allowed, f"{sample.op} in {dtype}")

    for_cases(sample, EXAMPLES, check)


# gradients -----------------------------------------------------------------------------------------------------------


@each_differentiable
def test_the_gradient_is_the_slope(sample: Sample) -> None:
    def check(case: Case) -> None:
        if case.smooth and any(a.dtype.kind == "f" and a.size for a in case.arrays):
            seen = check_gradients(case.build, *case.arrays)
            for method in seen.methods:
                ran[method] += 1
            assert not case.analytic or seen.methods <= {"complex step"}, "the sample says analytic, and it is not"

    for_cases(sample, EXAMPLES, check)


@pytest.mark.no_cover
@each_differentiable
def test_the_second_derivative_is_the_slope_of_the_first(sample: Sample) -> None:
    def check(case: Case) -> None:
        if case.smooth and any(a.dtype.kind == "f" and a.size for a in case.arrays):
            check_gradients(case.build, *case.arrays, order=2)

    for_cases(sample, SECOND_ORDER, check)


@pytest.mark.oracle
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@each_differentiable
def test_the_gradient_is_that_of_torch(sample: Sample) -> None:
    def check(case: Case) -> None:
        if case.oracle is None:
            return
        tensors = [torch.tensor(np.array(a, order="C"), requires_grad=a.dtype.kind == "f") for a in case.arrays]
        theirs = case.oracle(torch, *tensors)
        output, leaves = built(case, case.arrays)
        floats = [i for i, a in enumerate(case.arrays) if a.dtype.kind == "f"]
        u = cotangent(run([output], leaves, case.arrays)[0])
        rules = gradients(output, [leaves[i] for i in floats], cotangents=u)
        if theirs.requires_grad:
            theirs.backward(torch.tensor(u))
        for i, rule in zip(floats, rules, strict=True):
            ours = np.zeros(case.arrays[i].shape) if rule is None else run([rule], leaves, case.arrays)[0]
            given = tensors[i].grad
            wanted = np.zeros(case.arrays[i].shape) if given is None else given.numpy()
            size = np.abs(np.where(np.isfinite(wanted), wanted, 0))
            near = ROUGH_ORACLES.get(sample.op, 1e-11)
            assert_close(ours, wanted, near * size + 1e-12 * size.max(initial=0), f"{sample.op}: ∂/∂x{i} against torch")
        ran["torch"] += 1

    for_cases(sample, EXAMPLES, check)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@each_differentiable
def test_the_gradient_in_narrow_floats_comes_near_to_the_wide_one(sample: Sample, dtype: str) -> None:
    eps, limit, least = (float(getattr(np.finfo(dtype), name)) for name in ("eps", "max", "smallest_normal"))

    def check(case: Case) -> None:
        arrays = [narrowed(a, dtype) for a in case.arrays]
        wide = [narrowed(a, "float64") for a in arrays]
        floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
        narrow, exact = rules_of(case, arrays, floats, dtype), rules_of(case, wide, floats, "float64")
        if narrow is None or exact is None:
            return
        for k, i in enumerate(floats):
            got, wanted = np.asarray(narrow(arrays)[k]), np.asarray(exact(wide)[k])
            assert got.dtype == arrays[i].dtype, f"∂/∂x{i} is {got.dtype}, and its input {arrays[i].dtype}"
            allowed = scale(lambda given, k=k: exact(given)[k], wide, eps, False) + 4 * least * eps
            fits = np.abs(wanted) < limit / 16
            assert_close(np.where(fits, got, 0), np.where(fits, wanted, 0), allowed, f"{sample.op}: ∂/∂x{i} in {dtype}")

    for_cases(sample, EXAMPLES // 2, check)


def rules_of(
    case: Case, arrays: Sequence[Array], floats: Sequence[int], dtype: str
) -> Callable[[Sequence[Array]], list[Array]] | None:
    """The gradients as a function of the inputs, zeros where nothing flows; None where the output is of another dtype."""
    output, leaves = built(case, arrays)
    if output.dtype.name != dtype:
        return None
    u = cotangent(np.asarray(run([output], leaves, arrays)[0])).astype(dtype)
    rules = gradients(output, [leaves[i] for i in floats], cotangents=u)

    def flows(given: Sequence[Array]) -> list[Array]:
        live = iter(run([rule for rule in rules if rule is not None], leaves, given))
        return [np.zeros_like(given[i]) if rule is None else next(live) for rule, i in zip(rules, floats, strict=True)]

    return flows
