"""Planning the commit: which steps may run in place on registers, in what order, and which run flat over many at once.

The tail of a program is made of ufuncs that cannot raise and that only updates need. Each register's part of it is a
component; components that are equal up to their arrays form a group, and a group runs once over flat storage.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Guard, Place, Step, Value
from autograph.graph.tensor import Tensor, Variable

BLOCK = 65536  # elements that one pass over a long group takes at a time
APART = 8192  # elements of a feed from which on calls of its own cost less than a copy of it beside others


@dataclass(eq=False)
class Write:
    """One register's new value."""

    register: Variable
    home: Value
    value: Value
    guard: Guard


@dataclass(eq=False)
class Component:
    """Steps that share temporaries, and the writes they lead to."""

    steps: list[Step]
    writes: list[Write]
    guard: Guard
    direct: list[tuple[Any, list[Any]]] = field(default_factory=list)  # calls that do all of it in place

    def reads(self) -> set[Variable]:
        """Registers whose old values are read here."""
        values = [v for step in self.steps for v in step.reads] + [w.value for w in self.writes if not self.direct]
        values += [a for _, arguments in self.direct for a in arguments[:-1]]
        return {v.root.register for v in values if v.root.register is not None}

    def written(self) -> set[Variable]:
        return {write.register for write in self.writes}


@dataclass(eq=False)
class Group:
    """Components of one form. `columns[k][i]` is the array that member i has where the form says column k."""

    calls: list[tuple[Any, list[Any]]]  # a function, and for each argument a column's number or a rank-0 value
    columns: list[list[Value]]
    targets: dict[int, int]  # column written home → column of the home
    guard: Guard
    members: list[Component]
    flat: bool
    temporaries: set[int] = field(default_factory=set)
    read: set[Variable] = field(default_factory=set)  # registers whose old values some member reads
    written: set[Variable] = field(default_factory=set)  # registers that some member writes
    reads_feeds: bool = True  # where they lie

    @property
    def writes(self) -> list[Write]:
        return [write for member in self.members for write in member.writes]

    @property
    def sizes(self) -> list[int]:
        """How many elements each member has."""
        return [math.prod(member.writes[0].home.shape) for member in self.members]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first home."""
        return self.writes[0].home.shape

    @property
    def by_rows(self) -> bool:
        """Whether it runs on some rows of its one member at a time, since what is broadcast forbids to run flat."""
        return not self.flat and bool(self.targets) and bool(self.shape) and len({w.home.shape for w in self.writes}) == 1

    @property
    def length(self) -> int:
        """How many elements, or rows, are cut into blocks; 1 where nothing is cut."""
        return sum(self.sizes) if self.flat else self.shape[0] if self.by_rows else 1

    @property
    def block(self) -> int:
        """How many of these run at a time."""
        most = BLOCK if self.flat or not self.by_rows else BLOCK // max(math.prod(self.shape[1:]), 1)
        return min(self.length, max(most, 1))

    def is_cut(self, column: int) -> bool:
        """Whether a block has its own part of the column; else it reads all of it."""
        shape = self.columns[column][0].shape
        return self.flat or (self.by_rows and len(shape) == len(self.shape) and shape[0] == self.shape[0])

    def fed(self) -> list[int]:
        """The columns of feeds that are read where they lie."""
        if not self.reads_feeds or not (self.flat or self.by_rows):
            return []
        return [
            n for n, column in enumerate(self.columns)
            if all(v.place is Place.FEED and (self.flat or v.shape == self.shape) for v in column)
        ]


def split_tail(steps: list[Step], kept: Iterable[Value], writes: Sequence[Write]) -> tuple[list[Step], list[Step]]:
    """The early steps, and the tail: safe ufuncs over arrays, which only steps and registers of one guard read."""
    early_values = {value.root for value in kept}
    readers: dict[Value, set[Guard]] = {}  # under which guards a value is read
    written = Counter(write.value for write in writes)
    for write in writes:
        readers.setdefault(write.value.root, set()).add(write.guard)
        if write.value.source is not None or written[write.value] > 1:
            early_values.add(write.value.root)  # what moves elements, or goes to two registers, is only copied home
    early: list[Step] = []
    tail: list[Step] = []
    for step in reversed(steps):
        result = step.result
        movable = step.safe and step.into and not step.first and result.source is None and bool(result.shape)
        movable = movable and result not in early_values and readers.get(result) == {step.guard}
        if movable and all((v.fixed or v.shape == result.shape) and not _moved_home(v) for v in step.reads):
            tail.append(step)
            early_values.update(value.root for value in step.reads if value.source is not None)
        else:
            early.append(step)
            early_values.update(value.root for value in step.reads)
        for value in step.reads:
            readers.setdefault(value.root, set()).add(step.guard)
    return early[::-1], tail[::-1]


def _moved_home(value: Value) -> bool:
    """Whether it is a register's old value with its elements elsewhere: element i may be read after i is written."""
    return value.source is not None and value.root.place is Place.HOME


def components(tail: list[Step], writes: Sequence[Write]) -> list[Component]:
    """The tail and the writes, joined wherever they share a value that the tail makes."""
    made = {step.result: i for i, step in enumerate(tail)}
    leader = list(range(len(tail) + len(writes)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for i, step in enumerate(tail):
        for value in step.reads:
            if value.root in made:
                leader[find(i)] = find(made[value.root])
    for k, write in enumerate(writes):
        if write.value.root in made:
            leader[find(len(tail) + k)] = find(made[write.value.root])
    found: dict[int, Component] = {}
    for i, step in enumerate(tail):
        found.setdefault(find(i), Component([], [], step.guard)).steps.append(step)
    for k, write in enumerate(writes):
        found.setdefault(find(len(tail) + k), Component([], [], write.guard)).writes.append(write)
    for component in found.values():
        component.steps = _from_writes(component)
    return [component for component in found.values() if component.writes]


def _from_writes(part: Component) -> list[Step]:
    """The steps in the order in which the writes need them, so that equal rules give equal lists."""
    makers = {step.result: step for step in part.steps}
    ordered: dict[Step, None] = {}
    todo = [makers[w.value.root] for w in reversed(part.writes) if w.value.root in makers]
    while todo:
        step = todo[-1]
        needed = [makers[v.root] for v in step.reads if v.root in makers and makers[v.root] not in ordered]
        if needed:
            todo += reversed(needed)
        else:
            ordered[todo.pop()] = None
    return list(ordered)


def count_readers(parts: Iterable[Component], early: Iterable[Step], kept: Iterable[Value]) -> Counter[Value]:
    """How often each array is read: by steps, as an output, as a new value."""
    everywhere = [*early, *(step for part in parts for step in part.steps)]
    readers = Counter(value.root for step in everywhere for value in step.reads)
    readers.update(value.root for value in kept)
    readers.update(write.value.root for part in parts for write in part.writes)
    return readers


def group(parts: Sequence[Component]) -> list[Group]:
    """Components of equal form, joined unless one reads what another writes."""
    groups: dict[Any, list[Group]] = {}
    for part in parts:
        if part.direct:
            groups.setdefault(id(part), []).append(Group(part.direct, [], {}, part.guard, [part], False))
            continue
        form, columns, calls, targets, temporaries, flat = _form(part)
        read, written = part.reads(), part.written()
        for candidate in groups.get(form, []) if flat else []:
            if candidate.written.isdisjoint(read) and candidate.read.isdisjoint(written):
                candidate.members.append(part)
                candidate.read |= read
                candidate.written |= written
                for column, value in zip(candidate.columns, columns, strict=True):
                    column.append(value)
                break
        else:
            new = Group(calls, [[v] for v in columns], targets, part.guard, [part], flat, temporaries, read, written)
            groups.setdefault(form, []).append(new)
    return [g for alike in groups.values() for g in alike]


def _form(part: Component) -> tuple[Any, list[Value], list[Any], dict[int, int], set[int], bool]:
    """What makes two components alike: the calls, their arguments numbered in order of appearance, dtypes, scalars."""
    shape = part.writes[0].home.shape
    numbers: dict[Value, int] = {}
    flat = True

    def argument(value: Value) -> Any:
        nonlocal flat
        if value.shape == () and shape != ():
            return value
        if value.shape != shape:
            flat = False
        return numbers.setdefault(value, len(numbers))

    calls = []
    for step in part.steps:
        arguments = [argument(value) for value in step.reads]
        calls.append((step.function, [*arguments, argument(step.result)]))
    targets = {}
    for write in part.writes:
        column = numbers.setdefault(write.value, len(numbers))
        targets[column] = numbers.setdefault(write.home, len(numbers))
        flat = flat and write.home.shape == shape
    columns = list(numbers)
    temporaries = {numbers[step.result] for step in part.steps}
    form = (
        part.guard,
        tuple((f, tuple(arguments)) for f, arguments in calls),
        tuple(v.dtype for v in columns),
        tuple(sorted(targets.items())),
    )
    return form, columns, calls, targets, temporaries, flat


def in_order(groups: list[Group], recorder: Recorder, node: Tensor) -> tuple[list[Group], list[Step]]:
    """The groups so that each reads old values before another writes them; a cycle is cut by a copy made early."""
    reads = [_old_reads(g) for g in groups]
    writer = {write.register: k for k, g in enumerate(groups) for write in g.writes}
    readers: list[list[tuple[int, Variable]]] = [[] for _ in groups]  # what other groups read of what this one writes
    for k, read in enumerate(reads):
        for register in read:
            if writer.get(register, k) != k:
                readers[writer[register]].append((k, register))
    waits = [len(r) for r in readers]
    ready = [k for k, count in enumerate(waits) if not count]  # a heap: of those that may go, the first
    waiting = dict.fromkeys(range(len(groups)))
    ordered: list[Group] = []
    copies: list[Step] = []
    while waiting:
        if not ready:
            first = next(iter(waiting))
            for k, register in sorted(readers[first], key=lambda pair: (pair[0], pair[1].number)):
                if k in waiting and register in reads[k]:
                    copies += _read_a_copy(groups[k], register, recorder, node)
                    reads[k].discard(register)
            ready.append(first)
        k = heappop(ready)
        del waiting[k]
        ordered.append(groups[k])
        for register in reads[k]:
            other = writer.get(register, k)
            if other in waiting:
                waits[other] -= 1
                if not waits[other]:
                    heappush(ready, other)
    return ordered, copies


def _old_reads(g: Group) -> set[Variable]:
    """The registers whose homes the group reads."""
    read: set[Variable] = set()
    for _, arguments in g.calls:
        for a in arguments[:-1]:
            values = g.columns[a] if isinstance(a, int) else [a]
            read.update(v.root.register for v in values if v.root.register is not None)
    for column in g.targets:
        read.update(v.root.register for v in g.columns[column] if v.root.register is not None)
    return read


def _read_a_copy(g: Group, register: Variable, recorder: Recorder, node: Tensor) -> list[Step]:
    """Let the group read, instead of the register's home, a copy of it made before the commit."""
    mark = len(recorder.steps)
    recorder.node = node
    replaced: dict[Value, Value] = {}
    for _, arguments in g.calls:
        for k, a in enumerate(arguments[:-1]):
            if isinstance(a, Value) and a.root.register is register:
                arguments[k] = replaced.setdefault(a, recorder.copy(a))
    homes = set(g.targets.values())
    for number, column in enumerate(g.columns):
        if number not in homes:
            column[:] = [
                replaced.setdefault(v, recorder.copy(v)) if v.root.register is register else v for v in column
            ]
    copies = recorder.steps[mark:]
    del recorder.steps[mark:]
    return copies
