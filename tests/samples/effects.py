"""Samples of effects."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from autograph.errors import ArgumentTypeError
from autograph.ops.effects import print_tensor
from tests.samples.define import Case, Sample, values


@st.composite
def _printed(draw: st.DrawFn) -> Case:
    x = draw(values(draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))))
    return Case(lambda x: print_tensor(x, "x is"), (x,), lambda x: x, _passed, analytic=True)


def _passed(torch: Any, x: Any) -> Any:
    return x * 1


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "print_tensor",
        _printed(),
        (
            (lambda: print_tensor(None), ArgumentTypeError),
            (lambda: print_tensor("x is"), ArgumentTypeError),
            (lambda: print_tensor([object()], "x is"), ArgumentTypeError),
        ),
    ),
)
