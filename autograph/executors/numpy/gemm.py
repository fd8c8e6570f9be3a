"""A gradient that is a product of matrices, stepped down at once: W ← W − η·A·B as one call of BLAS's gemm.

It saves three passes over the weights where SciPy, which brings gemm with an accumulator, is installed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograph.executors.numpy.commit import Component
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Place, Step, Value

WORTH = 16384  # elements; smaller registers are stepped flat, all in one


@functools.cache
def _blas() -> Any:
    return importlib.import_module("scipy.linalg.blas") if importlib.util.find_spec("scipy") else None


def step_by_gemm(parts: list[Component], early: list[Step], kept: Iterable[Value], recorder: Recorder) -> list[Step]:
    """Give components of that form a direct call, take their products out of `early`; return `early` as it then is."""
    makers = {step.result: step for step in early if step.name == "dot"}
    everywhere = [*early, *(step for part in parts for step in part.steps)]
    readers = Counter(value.root for step in everywhere for value in step.reads)
    readers.update(value.root for value in kept)
    readers.update(write.value.root for part in parts for write in part.writes)
    for part in parts:
        found = _descent(part, makers)
        if found is not None and _blas() is not None and readers[found[1].result] == 1:
            rate, product = found
            mark = len(recorder.steps)
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
    kernel = functools.partial(getattr(_blas(), f"{'s' if home.dtype.char == 'f' else 'd'}gemm"), overwrite_c=1, **flags)
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
