"""Commits by BLAS, where SciPy is installed, whose doors to it take an accumulator.

gemm   a gradient that is a product of matrices is stepped down at once, W ← W − η·A·B: three passes less
axpy   y ← y ± a·x in one pass where NumPy takes two
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from autograph.executors.numpy.commit import Component, count_readers
from autograph.executors.numpy.plan import GroupPlan
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Place, Step, Value

WORTH = 16384  # elements; below, the passes saved are not worth SciPy's import


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


class Axpy(NamedTuple):
    """The call y ← y + a·x; its arguments are a, x, y, and y once more as the result."""

    kernel: Any

    def bound(self, a: Any, x: Any, y: Any) -> tuple[Any, ...]:
        """What the commit calls."""
        return self.kernel, x, y, y.size, a


def accumulate(plans: list[GroupPlan], recorder: Recorder) -> list[Step]:
    """Join `t = a·x; y = y ± t` in groups that run flat; return the early steps that negate what is subtracted."""
    first = len(recorder.steps)
    for p in plans:
        if p.group.flat and sum(p.sizes) >= WORTH and _blas() is not None:
            mark = recorder.apart()
            recorder.node = p.group.writes[0].register
            _accumulate(p, recorder)
            for step in recorder.steps[mark:]:
                step.guard = p.group.guard
    return recorder.steps[first:]


def _accumulate(p: GroupPlan, recorder: Recorder) -> None:
    g = p.group
    reads = Counter(a for _, arguments in g.calls for a in arguments[:-1] if isinstance(a, int))
    made = {arguments[-1]: k for k, (_, arguments) in enumerate(g.calls)}
    done: set[int] = set()
    for k, (function, arguments) in enumerate(g.calls):
        if function not in (np.add, np.subtract) or not all(isinstance(a, int) for a in arguments):
            continue
        left, right, result = arguments
        for base, term in ((left, right), (right, left))[: 2 if function is np.add else 1]:
            source = made.get(term, k)
            if source >= k or source in done or reads[term] != 1 or term in g.targets or g.calls[source][0] is not np.multiply:
                continue
            a, x = _factor(g.calls[source][1])
            dtype = g.columns[result][0].dtype
            if a is None or dtype.char not in "fd" or a.dtype is not dtype or not _in_place(p, base, x, result, source, k):
                continue
            if function is np.subtract:
                a = recorder.array_of(recorder.negative(a))
            g.calls[k] = (Axpy(getattr(_blas(), f"{'s' if dtype.char == 'f' else 'd'}axpy")), [a, x, base, result])
            done.add(source)
            break
    g.calls[:] = [call for k, call in enumerate(g.calls) if k not in done]


def _factor(arguments: list[Any]) -> tuple[Value | None, int]:
    """The rank-0 factor and the column of a product of the two."""
    for a, x in ((arguments[0], arguments[1]), (arguments[1], arguments[0])):
        if isinstance(a, Value) and isinstance(x, int):
            return a, x
    return None, -1


def _in_place(p: GroupPlan, base: int, x: int, result: int, source: int, k: int) -> bool:
    """Whether `result` is written over `base`, and `x` is still what it was when the product was due."""
    place = {column: p.storage.get(column, column) for column in (base, x)}
    if place[base] != p.storage[result] or place[x] == p.storage[result] or (p.shadows and base not in p.storage):
        return False
    return all(p.storage[arguments[-1]] != place[x] for _, arguments in p.group.calls[source + 1 : k])
