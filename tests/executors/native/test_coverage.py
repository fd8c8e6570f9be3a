"""How much of the registry is machine code: printed, and held to what it was."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.testing.gradients import tensors_in
from tests.executors.test_every_op import SAMPLES
from tests.samples.define import Sample, drawn

LEAST = 177  # ops whose sample runs without NumPy


def reasons(sample: Sample) -> set[str]:
    """Why NumPy runs steps of an op's sample; empty where one of its cases is machine code as a whole."""
    found: list[set[str]] = []
    for case in drawn(sample)[:3]:
        inputs = [ag.placeholder(a.shape, dtype=a.dtype) for a in case.arrays]
        f = ag.function(inputs, tensors_in(case.build(*inputs))[0], executor="native", on_unused_input="ignore")
        f.prepare(*[np.shape(a) for a in case.arrays])
        found.append({reason for _, reason in f._program.host})
    return min(found, key=len)


def test_the_registry_is_covered_as_far_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    left = {sample.op: why for sample in SAMPLES if (why := reasons(sample))}
    native = len(SAMPLES) - len(left)
    with capsys.disabled():
        print(f"\n{native} of {len(SAMPLES)} ops are machine code; NumPy runs", ", ".join(sorted(left)))
    assert all(reason for why in left.values() for reason in why)
    assert native >= LEAST
