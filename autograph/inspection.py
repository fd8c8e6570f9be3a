"""Looks inside a function: errors in the user's words, previews, traces and profiles. Slow, and run only when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph import feeding
from autograph.arguments import whole
from autograph.arrays import numpy_namespace
from autograph.errors import NOTHING_CHANGED, AutographError, NonFiniteError, ShapeError, SizeError
from autograph.executors.executor import Refused
from autograph.graph.graph import ancestors
from autograph.graph.op import Kind
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
    "subtract": "∞ − ∞ has no value; so a fully masked row, all −inf, has no softmax: mask its loss by where",
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
    if type(error) is ValueError and "shape" in str(error) and tensor.op.kind is not Kind.CUSTOM:  # sizes that data decide
        error = ShapeError(str(error), fix="check the sizes that are known only now")
    if isinstance(error, AutographError):
        what = f"{tensor.op.name} {tensor.name!r}"
        return error if error.after else told(error, what, tensor.inputs, str(tensor.origin), NOTHING_CHANGED)
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


def _read(tensor: Tensor, known: Mapping[Tensor, Any]) -> Sequence[Tensor]:
    """The inputs that are computed for a tensor: `hold`, whose condition is known, takes one of its values alone."""
    if tensor.op.name != "hold":
        return tensor.inputs
    condition, new, old = tensor.inputs
    return (condition, new, new) if known[condition] else (condition, old, old)


class _Bad(NamedTuple):
    """An element that is not finite."""

    tensor: Tensor
    place: tuple[int, ...]
    value: Any

    @property
    def at(self) -> str:
        return f" at {list(self.place)}" if self.place else ""

    def __str__(self) -> str:
        return f"{self.value}{self.at}"


def _first_bad(function: Any, program: Any, arrays: Sequence[Any]) -> NonFiniteError:
    """Found by a second, slow run on the same feeds and old registers: where what is not finite came from."""
    tick = program.tick
    values = dict(values_of(tick, arrays))
    root = next(_refused(tick, values), None)
    if root is None:
        return NonFiniteError(f"{function.name!r}: a new value is not finite", fix=_HINT, after=NOTHING_CHANGED)
    register, end = root
    so = f"the new value of {register.name!r} would be {end}"
    bad, maker = _source(end, values)
    made = maker and f"{maker.tensor.name!r} is {maker}: {_call(maker, values)}"
    leaf = {"placeholder": "feed", "variable": "register"}.get(bad.tensor.op.name)
    if leaf == "feed":
        what = f"{bad} came in through the feed {bad.tensor.name!r} (position {tick.inputs.index(bad.tensor)})"
        fix = "check the data before the call, as by np.isfinite(x).all()"
    elif leaf == "register":
        what = f"the register {bad.tensor.name!r} was already not finite: {bad}"
        fix = 'give it a finite value by set_value; on_nonfinite="raise" keeps such values out of registers'
    else:
        what = f"first {bad.value} in {bad.tensor.name!r}{bad.at}: {_call(bad, values)}"
        made, so = f"input {' and '.join(x.name for x in bad.tensor.inputs)}", f"so {so}"
        fix = _HINTS.get(bad.tensor.op.name, _HINT)
    why, hint = "\n  ".join(filter(None, (made, so))), _HINTS.get(maker.tensor.op.name) if maker else None
    what = f"{function.name!r}: {what}"
    return NonFiniteError(what, why=why, fix=hint or fix, where=str(bad.tensor.origin), after=NOTHING_CHANGED)


def _refused(tick: Tick, values: Mapping[Tensor, Any]) -> Iterator[tuple[Variable, _Bad]]:
    """The registers whose new values are not finite where the old ones are, each with the first such element."""
    for register, tensor, guard in zip(tick.registers, tick.values, tick.guards, strict=True):
        if tensor.type.is_float and (guard is None or values[guard]):
            new = np.asarray(values[tensor])
            wrong = ~np.isfinite(new) & np.isfinite(register.register.home)
            if wrong.any():
                index = tuple(np.argwhere(wrong)[0].tolist())
                yield register, _Bad(tensor, index, new[index])


def _source(end: _Bad, values: Mapping[Tensor, Any]) -> tuple[_Bad, _Bad | None]:
    """Where `end` came from, and, where that is an infinity that was fed or held, the op that made a NaN of it.

    A NaN of a leaf counts first; then an op that made it of finite numbers; then an infinity of a leaf, which may be
    meant (as in masks); then an op that made a NaN of infinities.
    """
    found: list[tuple[int, int, _Bad]] = []
    seen, todo = {end.tensor}, [end]
    while todo:
        bad = todo.pop()
        behind = list(_behind(bad, values))
        nan = np.isnan(bad.value)
        worst = [b for b in behind if np.isnan(b.value)] or behind
        if not bad.tensor.inputs:
            rank = 5 if isinstance(bad.tensor, Constant) else 0 if nan else 2
            found.append((rank, bad.tensor.number, bad))
        elif not any(np.isnan(b.value) for b in behind) and (nan or not behind):
            found.append((3 if behind else 1, bad.tensor.number, bad))
        todo += [b for b in worst if b.tensor not in seen]
        seen.update(b.tensor for b in worst)
    rank, _, first = min(found)
    return first, next((bad for r, _, bad in sorted(found) if r == 3), None) if rank == 2 else None


def _behind(bad: _Bad, values: Mapping[Tensor, Any]) -> Iterator[_Bad]:
    """What is not finite among the inputs of a tensor: elementwise, at the same element; else, the first of a NaN."""
    for source in dict.fromkeys(_read(bad.tensor, values)):
        if not source.type.is_float:
            continue
        array = np.asarray(values[source])
        if bad.tensor.op.kind is Kind.ELEMENTWISE:
            lead = len(bad.place) - array.ndim
            index = tuple(0 if n == 1 else i for i, n in zip(bad.place[lead:], array.shape, strict=True))
            if not np.isfinite(array[index]):
                yield _Bad(source, index, array[index])
        elif not np.all(np.isfinite(array)):
            wrong = np.isnan(array) if np.isnan(array).any() else np.isinf(array)
            index = tuple(np.argwhere(wrong)[0].tolist())
            yield _Bad(source, index, array[index])


def stuck(function: Any, program: Any, arrays: Sequence[Any], ticks: int) -> NonFiniteError:
    """Ticks in a row were skipped: the error that ends it, with the first bad node of the last."""
    last = _first_bad(function, program, arrays)
    return last.retold(
        f"{ticks} ticks in a row were not finite, and were skipped; the registers hold the values before them\n  {last.what}",
        fix=f"{last.fix}\n  else lower the learning rate, or clip the gradient (clipnorm=)",
    )


def _call(bad: _Bad, values: Mapping[Tensor, Any]) -> str:
    """The op of a tensor with what it read: `log(-3)`."""
    shape = np.shape(values[bad.tensor])
    reads = ", ".join(_element(values[x], bad.place, shape) for x in _read(bad.tensor, values))
    return f"{bad.tensor.op.name}({reads})"


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
    arrays, count = _arrays(function, feeds), whole(ticks, "profile: the number of ticks", 1)

    def run() -> Profile:
        before = function.state()
        program = function._find([array.shape for array in arrays])
        function._bind(program)
        rows, tick = program.timed()
        try:
            start = time.perf_counter()
            for _ in range(count):
                function._state.context.run(tick, *arrays)
            seconds = (time.perf_counter() - start) / count
        finally:
            write_all([(variable.register, array) for variable, array in before.items()])
        return Profile(
            tuple(Row(code, t.name, t.origin.place, spent[0] / count, nbytes) for code, t, spent, nbytes in rows), seconds
        )

    return locked(function._domain, run)
