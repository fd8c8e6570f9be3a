"""Every op of the registry in generated code, against the same graph evaluated op by op.

An op meets its inputs in three ways: as feeds, as planned buffers, and as registers. Its value, and its gradient as an
update, must be what the plain evaluation gives, at every call anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograph import function, gradients, maximum, placeholder, reduce_sum, variable
from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors, evaluate
from autograph.graph.tensor import Tensor, Variable
from autograph.testing.gradients import tensors_in
from tests.samples.define import CAMPAIGN, Array, Case, Sample, for_cases

EXAMPLES = 200 if CAMPAIGN else 5
MISSING = [name for name in ("llvmlite", "scipy") if find_spec(name) is None]
EXECUTORS = [
    "numpy",
    pytest.param("native", marks=pytest.mark.skipif(bool(MISSING), reason=f"native code needs {' and '.join(MISSING)}")),
]
SAMPLES: tuple[Sample, ...] = tuple(
    sample
    for path in sorted((Path(__file__).parents[1] / "samples").glob("*.py"))
    if path.stem not in ("__init__", "define")
    for sample in import_module(f"tests.samples.{path.stem}").SAMPLES
)


def _plain(outputs: Sequence[Tensor], feeds: dict[Tensor, Array]) -> list[Any]:
    registers = {t: t.register.home.copy() for t in ancestors(outputs) if isinstance(t, Variable)}
    with np.errstate(all="ignore"):
        return [np.array(v) for v in evaluate(outputs, {**registers, **feeds}, numpy_namespace)]


def _agree(got: Any, wanted: Any, what: str) -> None:
    """Equal but for the rounding of sums in another order, and of algebra."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype, f"{what}: {got.dtype}, wanted {wanted.dtype}"
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, what)
        return
    finite = np.isfinite(wanted)  # where the plain graph is not, a stable form may give the limit
    size = np.abs(wanted[finite]).max(initial=0.0)
    eps = float(np.finfo(got.dtype).eps)
    np.testing.assert_allclose(got[finite], wanted[finite], rtol=1e3 * eps, atol=1e3 * eps * float(size) + 1e-300, err_msg=what)


def _check(case: Case, way: str, executor: str) -> None:
    leaves: list[Any] = [placeholder(a.shape, dtype=a.dtype) for a in case.arrays]
    inputs = list(leaves)
    if way == "buffers":  # maximum(x, x) is no identity to any rule, and keeps every dtype
        inputs = [maximum(x, x) for x in leaves]
    if way == "registers":
        inputs = [variable(a, a.dtype) for a in case.arrays]
        leaves = []
    y = tensors_in(case.build(*inputs))[0]
    outputs = [y]
    sources = [x for x in inputs if x.type.is_float]
    if y.type.is_float and sources:
        weights = np.random.default_rng(5).uniform(0.5, 1.5, [size or 0 for size in y.shape]) if y.type.is_static else 1.0
        outputs += [g for g in gradients(reduce_sum(y * weights), sources) if g is not None]
    kept = [variable(np.zeros(g.shape), g.dtype) for g in outputs[1:] if g.type.is_static]
    step = function(leaves, outputs, list(zip(kept, outputs[1:], strict=False)) if len(kept) == len(outputs) - 1 else [],
                    executor=executor, on_unused_input="ignore")  # fmt: skip
    feeds = [] if way == "registers" else list(case.arrays)
    for call in range(2):
        wanted = _plain(outputs, dict(zip(leaves, feeds, strict=True)))  # anew: counters of random streams went on
        got = step(*feeds)
        for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
            _agree(a, b, f"{way}, output {k}, call {call}")
    for register, value in zip(kept, wanted[1:], strict=False):
        if step.updates:
            _agree(register.get_value(), value, f"{way}, committed gradient")


@pytest.mark.no_cover
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", ["feeds", "buffers", "registers"])
@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.op for sample in SAMPLES])
def test_generated_code_gives_what_the_ops_give(sample: Sample, way: str, executor: str) -> None:
    for_cases(sample, EXAMPLES, lambda case: _check(case, way, executor))
