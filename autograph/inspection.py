"""Looks inside a function: errors in the user's words, previews, traces and profiles. Slow, and run only when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph import feeding
from autograph.arrays import numpy_namespace
from autograph.errors import NOTHING_CHANGED, AutographError, NonFiniteError, SizeError
from autograph.executors.executor import Refused
from autograph.graph.graph import ancestors
from autograph.graph.register import locked, write_all
from autograph.graph.tensor import Constant, Tensor, Variable, told
from autograph.program.lower import Tick
from autograph.tensor_type import element_count

_HINT = "clip what it reads, lower the learning rate, or clip the gradient"
_HINTS = {
    "log": "clip what it reads below by epsilon(), or use log_softmax or logsumexp, which cannot reach 0",
    "divide": "use div_no_nan, or add epsilon() to the divisor",
    "mul_no_nan": "the slope of what it differentiates is infinite there: norm and reduce_std have one at 0, √(Σx²) has none",
    "multiply": "an infinite slope met a zero: norm and reduce_std have a gradient at 0, √(Σx²) has none",
    "power": "a negative base with a fraction has no value: write sign(x)·abs(x)**p",
    "exp": "it overflows: subtract the maximum first, or use logsumexp, softmax or softplus",
    "logsumexp": "a fully masked row, all −inf, has no finite logarithm: mask its loss by where",
    "softmax_weights": "a fully masked row, all −inf, has no softmax: mask its loss by where",
}


def too_big(tick: Tick, name: str) -> SizeError:
    """The error for a tick whose arrays do not fit into memory: its biggest node, with its inputs."""
    sized = [t for t in ancestors(tick.roots) if t.inputs and element_count(t.shape) is not None]
    big = max(sized, key=lambda t: element_count(t.shape) * t.dtype.itemsize)  # type: ignore[operator]  # counted above
    size = element_count(big.shape) * big.dtype.itemsize / 2**30  # type: ignore[operator]
    reads = " and ".join(f"{x.name} {x.type}" for x in big.inputs)
    return SizeError(
        f"{name!r}: node {big.name!r} needs {big.type} = {size:.1f} GiB", why=f"from {reads}",
        fix="reduce the batch, or contract before you broadcast", where=str(big.origin), after=NOTHING_CHANGED,
    )  # fmt: skip


def explained(error: BaseException, program: Any, arrays: Sequence[Any], function: Any) -> BaseException:
    """An exception of a tick as the user should see it. Interrupts and foreign errors keep their type."""
    if isinstance(error, Refused):
        return _first_bad(function, program, arrays)
    step = None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<autograph>":
            step = program.step_at(frame.tb_lineno) or step
        frame = frame.tb_next
    if isinstance(error, MemoryError) and not isinstance(error, SizeError):
        return too_big(program.tick, function.name)
    if step is None or not isinstance(error, Exception):
        return error
    tensor = step.node
    if isinstance(error, AutographError):
        return error if error.after else told(error, tensor.name, tensor.inputs, str(tensor.origin), NOTHING_CHANGED)
    error.add_note(f"in {tensor.describe()}, created at {tensor.origin}\n{NOTHING_CHANGED}")
    return error


def values_of(tick: Tick, arrays: Sequence[Any]) -> Iterator[tuple[Tensor, Any]]:
    """Every tensor that a tick computes with its value, op by op; the caller holds the registers' lock."""
    known: dict[Tensor, Any] = dict(zip(tick.inputs, arrays, strict=True))
    guards = [guard for guard in tick.guards if guard is not None]
    order = ancestors(tick.roots)
    asked = {*guards, *(tensor.inputs[0] for tensor in order if tensor.op.name == "hold")}
    for tensor in order:
        if tensor in asked:
            known.update(_evaluated([tensor], known))
    living = [v for v, guard in zip(tick.values, tick.guards, strict=True) if guard is None or known[guard]]
    yield from _evaluated([*tick.outputs, *guards, *living], known)


def _evaluated(roots: Sequence[Tensor], known: dict[Tensor, Any]) -> Iterator[tuple[Tensor, Any]]:
    seen: dict[Tensor, Sequence[Tensor]] = {}
    todo = list(roots)
    while todo:
        tensor = todo.pop()
        if tensor not in seen:
            seen[tensor] = _read(tensor, known)
            todo += seen[tensor]
    for tensor in sorted(seen, key=lambda t: t.number):  # inputs first, as in `ancestors`
        if isinstance(tensor, Variable):
            known[tensor] = tensor.register.home.copy()
        elif tensor not in known:
            with np.errstate(all="ignore"):
                known[tensor] = tensor.evaluate(numpy_namespace, [known[x] for x in seen[tensor]])
        yield tensor, known[tensor]


def _read(tensor: Tensor, known: dict[Tensor, Any]) -> Sequence[Tensor]:
    """The inputs that are computed for a tensor: `hold`, whose condition is known, takes one of its values alone."""
    if tensor.op.name != "hold":
        return tensor.inputs
    condition, new, old = tensor.inputs
    return (condition, new, new) if known[condition] else (condition, old, old)


def _first_bad(function: Any, program: Any, arrays: Sequence[Any]) -> NonFiniteError:
    """Found by a second, slow run on the same feeds and old registers: the first node that is not finite."""
    values: dict[Tensor, Any] = {}
    bad = None
    for tensor, value in values_of(program.tick, arrays):
        values[tensor] = value
        if tensor.type.is_float and not isinstance(tensor, Constant) and not np.all(np.isfinite(value)):
            bad = tensor
            break
    if bad is None:
        return NonFiniteError(f"{function.name!r}: a new value is not finite", after=NOTHING_CHANGED)
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(np.asarray(values[bad])))[0])
    if isinstance(bad, Variable) or not bad.inputs:
        what = f"{bad.op.name} {bad.name!r} holds {np.asarray(values[bad])[where]} at {list(where)}"
        return NonFiniteError(f"{function.name!r}: {what}", after=NOTHING_CHANGED, where=str(bad.origin))
    reads = ", ".join(_element(values[x], where, np.shape(values[bad])) for x in bad.inputs)
    names = " and ".join(x.name for x in bad.inputs)
    return NonFiniteError(
        f"{function.name!r}: first {np.asarray(values[bad])[where]} in {bad.name!r} at {list(where)}: {bad.op.name}({reads})",
        why=f"input {names}",
        fix=_HINTS.get(bad.op.name, _HINT),
        where=str(bad.origin),
        after=NOTHING_CHANGED,
    )


def stuck(function: Any, program: Any, arrays: Sequence[Any], ticks: int) -> NonFiniteError:
    """Ticks in a row were skipped: the error that ends it, with the first bad node of the last."""
    last = _first_bad(function, program, arrays)
    return last.retold(
        f"{ticks} ticks in a row were not finite, and were skipped; the registers hold the values before them\n  {last.what}",
        fix="lower the learning rate, or clip the gradient (clipnorm=)",
    )


def _element(value: Any, where: tuple[int, ...], shape: tuple[int, ...]) -> str:
    array = np.asarray(value)
    try:
        return f"{np.broadcast_to(array, shape)[where]:.6g}"
    except ValueError:
        return f"array {array.shape}"


def _arrays(function: Any, feeds: Sequence[Any]) -> list[Any]:
    inputs = function.tick.inputs
    arrays = [feeding.coerce(p, value, i) for i, (p, value) in enumerate(zip(inputs, feeds, strict=True))]
    for i, (p, array) in enumerate(zip(inputs, arrays, strict=True)):
        feeding.check_shape(p, array.shape, i)
    return arrays


def preview(function: Any, feeds: Sequence[Any]) -> dict[Variable, Any]:
    """The value each register would get."""
    tick = function.tick
    arrays = _arrays(function, feeds)

    def look() -> dict[Variable, Any]:
        values = dict(values_of(tick, arrays))
        return {
            register: np.array(values[value] if guard is None or values[guard] else register.register.home)[()]
            for register, value, guard in zip(tick.registers, tick.values, tick.guards, strict=True)
        }

    return locked(function._domain, look)


def trace(function: Any, feeds: Sequence[Any]) -> dict[str, Any]:
    """Every intermediate by name."""
    arrays = _arrays(function, feeds)
    look = values_of(function.tick, arrays)
    return locked(function._domain, lambda: {tensor.name: np.array(value)[()] for tensor, value in look})


class Row(NamedTuple):
    """One step of a profile: its code, the tensor it computes, the user's place, seconds a tick, bytes it touches."""

    code: str
    tensor: str
    place: str
    seconds: float
    nbytes: int


class Profile(NamedTuple):
    """Seconds a tick by step, and by the user's line. `print` it; `chrome()` gives events for a trace viewer."""

    rows: tuple[Row, ...]
    seconds: float

    def by_line(self) -> dict[str, float]:
        """Seconds a tick for each place in the user's code, the longest first."""
        sums: dict[str, float] = {}
        for row in self.rows:
            sums[row.place] = sums.get(row.place, 0.0) + row.seconds
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def chrome(self) -> list[dict[str, Any]]:
        """The steps of one tick as complete events of Chrome's trace format, in microseconds from 0."""
        events, start = [], 0.0
        for row in self.rows:
            micros = row.seconds * 1e6
            events.append({"ph": "X", "name": row.tensor, "ts": start, "dur": micros, "pid": 0, "tid": 0,
                           "args": {"code": row.code, "line": row.place}})  # fmt: skip
            start += micros
        return events

    def __str__(self) -> str:
        lines = [f"{self.seconds * 1e6:.1f} µs a tick", "", "by line"]
        lines += [f"{seconds * 1e6:10.2f} µs  {place}" for place, seconds in self.by_line().items()]
        lines += ["", "by step"]
        lines += [f"{row.seconds * 1e6:10.2f} µs {row.nbytes:>12,} B  {row.place:<24} {row.code}" for row in self.rows]
        return "\n".join(lines)


def profile(function: Any, feeds: Sequence[Any], ticks: int) -> Profile:
    """Time each step over `ticks` real ticks, then put the registers back."""
    arrays = _arrays(function, feeds)

    def run() -> Profile:
        before = function.state()
        program = function._find([array.shape for array in arrays])
        function._bind(program)
        rows, tick = program.timed()
        try:
            start = time.perf_counter()
            for _ in range(ticks):
                function._state.context.run(tick, *arrays)
            seconds = (time.perf_counter() - start) / ticks
        finally:
            write_all([(variable.register, array) for variable, array in before.items()])
        return Profile(
            tuple(Row(code, t.name, t.origin.place, spent[0] / ticks, nbytes) for code, t, spent, nbytes in rows), seconds
        )

    return locked(function._domain, run)
