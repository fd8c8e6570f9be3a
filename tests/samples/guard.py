"""Samples of the guard."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autograph.errors import DTypeError, ShapeError
from autograph.graph.tensor import Tensor, constant, placeholder
from autograph.ops.guard import hold
from tests.samples.define import Case, Sample, values


@st.composite
def _held(draw: st.DrawFn) -> Case:
    shape = draw(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    kept = draw(st.booleans())

    def build(new: Tensor, old: Tensor) -> Tensor:
        return hold(constant(kept), new, old)

    def oracle(torch: Any, new: Any, old: Any) -> Any:
        return torch.where(torch.tensor(kept), new, old)

    return Case(build, (draw(values(shape)), draw(values(shape))), lambda new, old: new if kept else old, oracle)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "hold",
        _held(),
        (
            (lambda: hold(placeholder(()), 1.0, 2.0), DTypeError),
            (lambda: hold(constant([True, False]), np.ones(2), np.ones(2)), ShapeError),
            (lambda: hold(True, np.ones(3), np.ones(1)), ShapeError),
            (lambda: hold(True, placeholder((), dtype="float32"), placeholder((), dtype="float64")), DTypeError),
        ),
    ),
)
