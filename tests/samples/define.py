"""What a sample of an op is: random cases of it, what to judge them by, and the mistakes it must refuse."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from autograph.graph.tensor import Tensor

Array = np.ndarray[Any, Any]
CAMPAIGN = bool(os.environ.get("AUTOGRAPH_CAMPAIGN"))
EXAMPLES = 20  # of a sample in the gate


@dataclass(frozen=True)
class Case:
    """One call of the op. Float arrays are float64; the runner narrows them itself.

    build      tensors, one for each array → the op's output
    arrays     the inputs: any shape the op takes, sizes 0 and 1 among them, strided and reversed ones too
    reference  the same on NumPy arrays (float64), by other means than ours; None where only the oracle judges
    oracle     the name-free torch form: `oracle(torch, *torch_tensors)` → torch tensor; None where torch has none
    analytic   whether `eval` goes through with complex arrays, so that the complex step judges the gradient
    smooth     whether differences across these inputs are meaningful (no kink or tie within 1e-2)
    """

    build: Callable[..., Tensor]
    arrays: tuple[Array, ...]
    reference: Callable[..., Any] | None = None
    oracle: Callable[..., Any] | None = None
    analytic: bool = False
    smooth: bool = True


@dataclass(frozen=True)
class Sample:
    """The cases of one op, and at least three bad calls with the error each must raise (the whole call in a lambda)."""

    op: str
    cases: st.SearchStrategy[Case]
    bad: tuple[tuple[Callable[[], object], type[Exception]], ...]
    differentiable: bool = True


def for_cases(sample: Sample, examples: int, check: Callable[[Case], None]) -> None:
    """Run `check` on cases of the sample: in a campaign on new ones, in the gate on the first of those that all tests share.

    Of one that fails hypothesis looks for a smaller one.
    """

    @settings(max_examples=examples)
    @given(sample.cases)
    def every_case(case: Case) -> None:
        _checked(case, check)

    if CAMPAIGN:
        every_case()
    for case in () if CAMPAIGN else drawn(sample)[:examples]:
        try:
            _checked(case, check)
        except Exception:
            every_case()
            raise


@functools.cache
def drawn(sample: Sample) -> list[Case]:
    """Cases of a sample: the gate draws the same ones whenever it is asked, and to draw them takes longer than most checks."""
    cases: list[Case] = []
    settings(max_examples=EXAMPLES, phases=[Phase.generate])(given(sample.cases)(lambda case: cases.append(case)))()
    return cases


def _checked(case: Case, check: Callable[[Case], None]) -> None:
    for array in case.arrays:
        array.flags.writeable = False  # an op that writes into its inputs raises
    try:
        check(case)
    except Exception as error:
        error.add_note(f"shapes {[a.shape for a in case.arrays]}, dtypes {[a.dtype.name for a in case.arrays]}")
        raise


@st.composite
def values(
    draw: st.DrawFn,
    shape: tuple[int, ...],
    low: float = -2.0,
    high: float = 2.0,
    distinct: bool = False,
    away_from: tuple[float, ...] = (),
    dtype: str = "float64",
) -> Array:
    """An array of `shape` with values in [low, high], from a drawn seed: contiguous, strided, reversed or transposed.

    distinct: no two values within 1e-2·(high-low)/size; away_from: no value within 0.05 of these points.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = int(np.prod(shape, dtype=int))
    if np.dtype(dtype).kind in "iub":
        array = rng.integers(int(low), int(high) + 1, shape).astype(dtype)
    elif distinct:
        array = rng.permutation(np.linspace(low, high, max(size, 2))[:size] if size else np.zeros(0)).reshape(shape)
    else:
        array = rng.uniform(low, high, shape)
    for point in away_from:
        array = np.where(np.abs(array - point) < 0.05, point + np.copysign(0.05, array - point) * 2, array)
    return _laid_out(array.astype(dtype), draw(st.sampled_from(("plain", "strided", "reversed", "transposed"))))


def _laid_out(array: Array, layout: str) -> Array:
    """The same values in another memory layout."""
    if not array.ndim or layout == "plain":
        return array
    if layout == "strided":
        room = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        room[..., ::2] = array
        return room[..., ::2]
    if layout == "reversed":
        return array[..., ::-1].copy()[..., ::-1]
    return np.ascontiguousarray(array.T).T
