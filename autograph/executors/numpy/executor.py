"""The NumPy executor: lowered tick → a prepared program that feeds, runs, commits and fetches."""

from __future__ import annotations

import contextvars
import functools
import operator
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby, starmap
from types import CodeType
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.control import Body
from autograph.executors.executor import Refused
from autograph.executors.numpy import commit, plan
from autograph.executors.numpy.blas import step_by_gemm
from autograph.executors.numpy.bound import BoundGroup, Check, joined, with_feeds
from autograph.executors.numpy.by_blocks import reduce_by_blocks
from autograph.executors.numpy.emit import Source
from autograph.executors.numpy.fetched import LONG, Copies
from autograph.executors.numpy.guards import guard_of, mark_guards
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.rows import write_by_rows
from autograph.executors.numpy.selection import by_bits
from autograph.executors.numpy.values import ALWAYS, Guard, Place, Step, Value
from autograph.graph.graph import ancestors
from autograph.graph.register import Domain, copying, epoch
from autograph.graph.tensor import Tensor
from autograph.ops.effects import effects_in_order
from autograph.program.lower import Tick

_SHORT = 20_000  # characters


class Arena:
    """Scratch bytes shared by the programs of a function, of which one runs at a time."""

    def __init__(self) -> None:
        self.bytes = np.empty(0, np.uint8)
        self.epoch = 0

    def fit(self, size: int) -> None:
        """Grow to hold `size` bytes at an aligned address; programs bound to the old ones bind anew."""
        if size > self.bytes.size:
            raw = np.empty(size + plan.ALIGNMENT, np.uint8)
            start = -raw.ctypes.data % plan.ALIGNMENT
            self.bytes = raw[start : start + size]
            self.epoch += 1


class Program:
    """A prepared tick. `run(feeds)` gives the outputs and commits; the caller holds the registers' lock."""

    filename = "<autograph>"

    def __init__(self, tick: Tick, arena: Arena, on_nonfinite: str) -> None:
        self.tick = tick
        self.arena = arena
        self.on_nonfinite = on_nonfinite if tick.registers else "apply"
        self._record()
        self.skipped = False  # whether the last tick was refused under "skip"; its reader sets it back
        self.stamp = -1  # the sum of both epochs, each of which only grows, when the arrays were bound
        self.run: Callable[..., list[Any]] = self._unbound

    def _record(self) -> None:
        tick, recorder = self.tick, self._recorder()
        self.bodies: list[Program] = []
        order = effects_in_order(ancestors(tick.roots))
        feeds = {p: recorder.leaf(p) for p in tick.inputs}
        viewed = Counter(source for tensor in order if tensor.op.name in numpy_namespace.VIEWS for source in tensor.inputs)
        found: dict[Tensor, Value] = {p: recorder.fed(p, leaf, viewed[p]) for p, leaf in feeds.items()}
        for tensor in order:
            if tensor in found:
                continue
            inputs = [found[source] for source in tensor.inputs]
            if tensor.op.name == "hold" and tensor.type.is_static:
                found[tensor] = recorder.hold(tensor, guard_of(tensor.inputs[0], found), *inputs[1:])
            else:
                found[tensor] = recorder.record(tensor, inputs)
        homes = {register: found.get(register) or recorder.leaf(register) for register in tick.registers}
        self.outputs = [found[output] for output in tick.outputs]
        writes = []
        for register, value, guard in zip(tick.registers, tick.values, tick.guards, strict=True):
            recorder.node = value
            new = recorder.array_of(found[value])
            if new.source is not None and new.root.place is Place.HOME:
                new = recorder.copy(new)
            writes.append(commit.Write(register, homes[register], new, ALWAYS if guard is None else guard_of(guard, found)))
        kept = [*self.outputs, *(condition for write in writes for condition in write.guard)]
        steps = mark_guards(recorder.steps, kept, writes)
        early, parts = self._parts(steps, kept, writes, recorder)
        shadowed = self.on_nonfinite != "apply"
        if not shadowed:
            early = step_by_gemm(parts, early, kept, recorder)
        early = write_by_rows(parts, early, kept, recorder, shadowed)
        groups = commit.group(parts)
        if not shadowed:
            groups, copies = commit.in_order(groups, recorder, tick.registers[0] if tick.registers else None)  # type: ignore[arg-type]
            early += copies
        for g in groups:
            g.reads_feeds = self._reads_feeds(g)
        early += plan.stage(groups, early, recorder)
        self.plans = [plan.plan_group(g, recorder, shadowed) for g in groups]
        self._write(list(feeds.values()), early, kept, recorder)
        self._code = _compiled(self.source, self.filename)

    def _recorder(self) -> Recorder:
        return Recorder(self._prepared)

    def _parts(
        self, steps: list[Step], kept: list[Value], writes: list[commit.Write], recorder: Recorder
    ) -> tuple[list[Step], list[commit.Component]]:
        """The early steps, and the components of the commit."""
        steps = reduce_by_blocks(steps, kept, writes, recorder)
        early, tail = by_bits(*commit.split_tail(plan.late(steps), kept, writes), recorder)
        return early, commit.components(tail, writes)

    def _reads_feeds(self, g: commit.Group) -> bool:
        """Whether the group reads feeds where they lie: one of more than a block, and a long member alone."""
        size = sum(g.sizes)
        return size > commit.BLOCK or (len(g.members) == 1 and size >= commit.APART)

    def _write(self, feeds: list[Value], early: list[Step], kept: list[Value], recorder: Recorder) -> None:
        """Plan the memory of the early steps and of the commit, and write the text of the tick."""
        self.memory = plan.plan_memory(early, self.plans, kept)
        self.text = Source(feeds, len(early))
        self.source = self.text.write(early, self._ending)

    def _prepared(self, body: Body) -> Body:
        """A graph that an op holds, as a program of its own; left alone where a size is not known before it runs."""
        if not all(p.type.is_static for p in body.inputs):
            return body
        program = BodyProgram(Tick(body.inputs, body.outputs), Arena(), "apply")
        program.bind()
        self.bodies.append(program)
        prepared = Prepared(*body)
        prepared.program = program
        return prepared

    def _ending(self, source: Source) -> list[str]:
        """The last lines of a tick: fetch the outputs, then commit."""
        names = [f"o{i}" for i in range(len(self.outputs))]
        lines = [f"{o} = {self._fetch(value, source)}" for o, value in zip(names, self.outputs, strict=True)]
        if self.plans:
            calls = self._chained("C", source)
            lines.append(f"deque(starmap(call, {calls}), 0)")
            if self.on_nonfinite != "apply":
                lines += [
                    f"if finite({self._chained('K', source)}):",
                    f"    deque(starmap(call, {self._chained('W', source)}), 0)",
                    "else:",
                    f"    refused({self._chained('K', source)}, [{', '.join(names)}])",
                ]
        lines.append(f"return [{', '.join(names)}]")
        return lines

    def _fetch(self, value: Value, source: Source) -> str:
        """What an output is read by: a copy of its own."""
        name = source.name(value)
        if value.place is Place.SCALAR:
            return f"float64({name})"
        if value.shape == ():
            return f"{name}[()]" if value.fixed else f"array({name})[()]"
        if value.place is Place.OUTPUT:
            return name
        if not value.fixed or None in value.shape:
            return f"array({name})"
        if value.nbytes < LONG:
            return f"{name}.copy()"
        return f"{source.thing('copies', Copies(value.dtype, value.shape))}({name})"

    def _segments(self) -> list[tuple[Guard, list[plan.GroupPlan]]]:
        """The groups in their order, cut where the guard changes."""
        return [(guard, list(some)) for guard, some in groupby(self.plans, lambda p: p.group.guard)]

    def _chained(self, letter: str, source: Source) -> str:
        """All lists of one kind, those behind a guard only where it holds, and feeds where calls read them as they lie."""
        names = []
        for i, (guard, plans) in enumerate(self._segments()):
            name, feeds = f"{letter}{i}", _fed_to(plans)
            if letter == "C" and feeds:
                name = f"with_feeds({name}, F{i}, {', '.join(map(source.name, feeds))})"
            names.append(f"({name} if {source.asked(guard)} else ())" if guard else name)
        return names[0] if len(names) == 1 else f"chain({', '.join(names)})"

    # binding ----------------------------------------------------------------------------------------------------------

    def _unbound(self, *feeds: Any) -> list[Any]:
        raise RuntimeError("a program is bound before it runs")

    def bind(self) -> None:
        """Give registers that run flat a home side by side, and the code its arrays."""
        self.arena.fit(self.memory.size)
        for p in self.plans:
            if p.group.flat and len(p.group.members) > 1:
                _settle(p.group)
        arrays: dict[Value, Any] = {}
        environment: dict[str, Any] = {
            "deque": deque, "starmap": starmap, "chain": chain, "call": operator.call, "array": np.array,
            "float64": np.float64, "finite": _finite, "refused": self._refused, "with_feeds": with_feeds,
            **self.text.objects,
        }  # fmt: skip
        environment.update(self._bound(lambda v: self._array(v, arrays)))
        for name, value in self.text.fixed.items():
            environment[name] = self._array(value, arrays)
        for i, (_, plans) in enumerate(self._segments()):
            bound = self._commit(plans, lambda v: self._array(v, arrays))
            environment[f"C{i}"], environment[f"F{i}"] = joined(bound, _fed_to(plans))
            environment[f"W{i}"] = [call for group in bound for call in group.late]
            environment[f"K{i}"] = [check for group in bound for check in group.checks]
        exec(self._code, environment)  # our own text, made by `emit` from numbers and our own names
        self.run = environment["tick"]
        self.stamp = epoch[0] + self.arena.epoch

    def _commit(self, plans: list[plan.GroupPlan], array: Callable[[Value], Any]) -> list[BoundGroup]:
        """The groups of the commit on real arrays."""
        return [BoundGroup(p, array) for p in plans]

    def _bound(self, array: Callable[[Value], Any]) -> dict[str, Any]:
        """What else the text names."""
        return {}

    def _array(self, value: Value, arrays: dict[Value, Any]) -> Any:
        """The array a fixed value is bound to."""
        found = arrays.get(value)
        if found is None:
            if value.source is not None:
                name, params = value.transform
                found = getattr(numpy_namespace, name)(self._array(value.source, arrays), *params)
            elif value.place is Place.HOME:
                found = value.register.register.home  # type: ignore[union-attr]  # a home has its register
            elif value.place is Place.CONSTANT:
                found = value.array
            else:
                offset = self.memory.offsets[value]
                found = self.arena.bytes[offset : offset + value.nbytes].view(value.dtype).reshape(value.shape)
            arrays[value] = found
        return found

    def _refused(self, checks: Iterable[Check], outputs: list[Any]) -> None:
        """A new value is not finite: `raise` says so, `skip` lets the counters of random streams go on alone."""
        if self.on_nonfinite == "raise":
            raise Refused
        steps = [copying(home, new) for new, home, goes_on in checks if goes_on]
        deque(starmap(operator.call, steps), 0)
        self.skipped = True

    def many(self) -> Any:
        """The program for many ticks in one call; None, for Python is between any two."""
        return None

    def direct(self, domain: Domain) -> Callable[..., Any] | None:
        """The program as one builtin that checks the feeds and takes the lock; None, for the steps are Python's."""
        return None

    @property
    def nbytes(self) -> int:
        """Bytes of scratch this program asks for."""
        return self.memory.size + sum(body.nbytes for body in self.bodies)

    def timed(self) -> tuple[list[tuple[str, Tensor, list[float], int]], Callable[..., list[Any]]]:
        """Rows (code, tensor, seconds spent so far, bytes), one a step, and a tick that adds to them as it runs."""
        lines = self.source.splitlines()
        rows: dict[int, tuple[str, Tensor, list[float], int]] = {}
        for number, step in self.text.steps.items():
            touched = sum(v.nbytes for v in [*step.reads, step.result] if None not in v.shape)
            rows[number] = (lines[number - 1].strip(), step.node, [0.0], touched)
            lines[number - 1] += f"; mark({number})"
        for number, line in enumerate(lines, 1):
            if line.strip().startswith("deque(") and self.tick.registers:
                rows[number] = ("commit", self.tick.registers[0], [0.0], 0)
                lines[number - 1] += f"; mark({number})"
        last = [time.perf_counter()]

        def mark(number: int) -> None:
            now = time.perf_counter()
            rows[number][2][0] += now - last[0]
            last[0] = now

        environment = {**self.run.__globals__, "mark": mark}
        exec("\n".join(lines), environment)  # our own text again
        inner = environment["tick"]

        def tick(*feeds: Any) -> list[Any]:
            last[0] = time.perf_counter()
            return inner(*feeds)  # type: ignore[no-any-return]

        return list(rows.values()), tick

    @property
    def assembly(self) -> str:
        """The machine code that was made for this program."""
        return ""

    def explain(self) -> str:
        """How it runs, in a sentence."""
        return f"{len(self.text.steps)} steps, each a call of NumPy; {len(self.plans)} groups of updates"

    def step_at(self, line: int) -> Step | None:
        """The step that a line of `source` came from."""
        return self.text.steps.get(line)


class BodyProgram(Program):
    """The program of a graph that an op holds. An error in it is told of that op, a step of the program around it."""

    filename = "<autograph body>"

    def _fetch(self, value: Value, source: Source) -> str:
        """The array itself, which the next run writes again: whoever keeps it copies it."""
        return f"float64({source.name(value)})" if value.place is Place.SCALAR else source.name(value)


class Prepared(Body):
    """A graph that an op holds, with its program."""

    program: BodyProgram

    def __call__(self, xp: Any, arrays: Sequence[Any]) -> list[Any]:
        return list(map(np.array, self.passing(xp, arrays)))

    def passing(self, xp: Any, arrays: Sequence[Any]) -> list[Any]:
        return self.program.run(*map(np.asarray, arrays))


@functools.lru_cache(maxsize=256)
def _kept(source: str, filename: str) -> CodeType:
    return compile(source, filename, "exec")


def _compiled(source: str, filename: str) -> CodeType:
    """The code of a text; short ones are kept, for graphs of one form differ in their arrays alone."""
    return _kept(source, filename) if len(source) <= _SHORT else compile(source, filename, "exec")


def _fed_to(plans: Iterable[plan.GroupPlan]) -> list[Value]:
    """The feeds that these groups read where they lie."""
    return list(dict.fromkeys(value for p in plans for number in p.fed for value in p.group.columns[number]))


def _finite(checks: Iterable[Check]) -> bool:
    """Whether every new value is finite where the old one was: a sum of squares tells in most cases."""
    for new, home, _ in checks:
        if new.dtype.kind == "f":
            flat = new.reshape(-1)
            if not np.isfinite(np.dot(flat, flat)) and bool(np.any(~np.isfinite(new) & np.isfinite(home))):
                return False
    return True


def _settle(g: commit.Group) -> None:
    """Give the group's registers homes side by side, column by column: once, for good, and only if all are free."""
    for column in dict.fromkeys(g.targets.values()):
        registers = [value.register.register for value in g.columns[column]]  # type: ignore[union-attr]
        if any(r.grouped for r in registers):
            continue
        flat = np.empty(sum(r.home.size for r in registers), registers[0].home.dtype)
        start = 0
        for r in registers:
            stop = start + r.home.size
            r.move(flat[start:stop].reshape(r.home.shape))
            r.grouped = True
            start = stop


def quiet_context() -> contextvars.Context:
    """A context whose errstate ignores everything, entered once a call at almost no cost."""
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    return context


class State:
    """What the programs of one function share: scratch bytes, and the context they run in."""

    def __init__(self) -> None:
        self.arena = Arena()
        self.context = quiet_context()


class NumpyExecutor:
    """The reference executor: NumPy alone."""

    name = "numpy"

    def state(self) -> State:
        return State()

    def prepare(self, tick: Tick, state: State, on_nonfinite: str) -> Program:
        return Program(tick, state.arena, on_nonfinite)
