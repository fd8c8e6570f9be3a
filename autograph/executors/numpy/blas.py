"""Commits by BLAS, where SciPy is installed, whose door to it takes an accumulator: a gradient that is a product of
matrices is stepped down at once, W ← W − η·A·B, in three passes less.

axpy, y ← y + a·x, is left alone: it rounds once where the two calls of the plain form round twice, so that a register
would get other bits in a long group than alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograph.executors.numpy.commit import Component, count_readers
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Place, Step, Value

WORTH = 16384  # elements; below, the passes saved are not worth SciPy's import


class Gemm(functools.partial[Any]):
    """SciPy's gemm over its last argument. Called with α, A, B, β and C, all but the numbers of rank 0 in Fortran's order."""


@functools.cache
def _blas() -> Any:
    try:
        from scipy.linalg import blas
    except ImportError:
        return None
    return blas


def step_by_gemm(parts: list[Component], early: list[Step], kept: Iterable[Value], recorder: Recorder) -> list[Step]:
    """Give components of that form a direct call, take their products out of `early`; return `early` as it then is."""
    makers = {step.result: step for step in early if step.name == "dot"}
    descents = [(part, found) for part in parts if (found := _descent(part, makers)) is not None]
    readers = count_readers(parts, early, kept) if descents and _blas() is not None else {}
    for part, (rate, product) in descents:
        if readers.get(product.result) == 1:
            mark = recorder.apart()
            recorder.node = product.node
            calls = _call(part.writes[0].home, rate, product, early, recorder)
            if calls is not None:
                early = [step for step in early if step is not product] + recorder.steps[mark:]
                for step in recorder.steps[mark:]:
                    step.guard = part.guard
                part.direct, part.steps = calls, []
    return early


def _descent(part: Component, makers: dict[Value, Step]) -> tuple[Value, Step] | None:
    """η and the product, where the component is `home - η·product` and nothing else."""
    if len(part.steps) != 2 or len(part.writes) != 1:
        return None
    scale, difference = part.steps
    home = part.writes[0].home
    if scale.name != "multiply" or difference.name != "subtract" or difference.reads != [home, scale.result]:
        return None
    for rate, gradient in (scale.reads, scale.reads[::-1]):
        product = makers.get(gradient)
        if product is not None and any(v.root.register is home.register for v in product.reads):
            return None  # gemm must not read what it writes
        if product is not None and rate.shape == () and len(home.shape) == 2 and home.nbytes // home.dtype.itemsize >= WORTH:
            return rate, product
    return None


def _call(home: Value, rate: Value, product: Step, early: list[Step], recorder: Recorder) -> Any:
    """homeᵀ ← homeᵀ − η·Bᵀ·Aᵀ, each operand given in the order that BLAS reads."""
    a, b = (_settled(value, early, recorder) for value in product.reads)
    left, right = _transposed(b, recorder), _transposed(a, recorder)
    operands, flags = [], {}
    for name, value in (("trans_a", left), ("trans_b", right)):
        if value.layout is not None and value.layout.flags.f_contiguous:
            operands.append(value)
            flags[name] = 0
        else:
            turned = _transposed(value, recorder)
            if turned.layout is None or not turned.layout.flags.f_contiguous:
                return None
            operands.append(turned)
            flags[name] = 1
    kernel = Gemm(getattr(_blas(), f"{'s' if home.dtype.char == 'f' else 'd'}gemm"), overwrite_c=1, **flags)
    one = recorder.constant(np.ones((), home.dtype))
    return [(kernel, [recorder.array_of(recorder.negative(rate)), *operands, one, _transposed(home, recorder)])]


def _transposed(x: Value, recorder: Recorder) -> Value:
    """xᵀ; of a transpose, the array itself."""
    if x.source is not None and x.transform == ("transpose", ((1, 0),)):
        return x.source
    return recorder.transpose(x, (1, 0))


def _settled(x: Value, early: list[Step], recorder: Recorder) -> Value:
    """An array that the commit can be bound to: a feed, or the transpose of one, is copied."""
    if x.fixed:
        return x
    if x.place is Place.DYNAMIC:
        maker = next(step for step in early if step.result is x)
        if maker.template == "{}.T":
            return _transposed(_settled(maker.reads[0], early, recorder), recorder)
    return recorder.copy(x)
