"""Segments: what runs between two calls of NumPy, as one builtin function over a row of words.

The row holds entries (a kernel and its words), and for each array that a call brings, what it must be like and which words
its address goes to. What is not like that is copied, by `Densely`, and the segment called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograph.executors.native.compiler import Kernel
from autograph.executors.native.items import Address, Entry, Moved, Slot, Views, Words, located
from autograph.executors.native.kernels import GUARD, builtin
from autograph.executors.native.parallel import KernelOf
from autograph.executors.native.singles import Native, told
from autograph.executors.numpy.values import Guard, Place, Step, Value
from autograph.graph.tensor import Tensor
from autograph.tensor_type import DType

_HEADER, _TOLD, _PATCH, _ENTRY = 6, 5, 2, 2  # words of each kind of record
_START, _FAULT = 1, 5  # words of the header
_LONG = 100_000  # simple calls on one number, and multiplications, from which on other threads may run meanwhile


Faults = dict[int, tuple[Step, int]]


@dataclass(eq=False)
class Segment(Step):
    """A run of native items. Its arguments are the arrays that calls bring, its name is that of the builtin.

    faults  for each entry that may leave its step to NumPy, that step and the entry behind it
    """

    entries: list[Entry] = field(default_factory=list)
    work: int = 0
    faults: Faults = field(default_factory=dict)


def segment(name: str, items: Sequence[Native], views: Views, outer: Guard) -> Segment:
    """The items as entries, each behind its guard. The segment as a whole stands behind the outer one."""
    entries: list[Entry] = []
    given: dict[Value, None] = {}
    guard = outer
    opened: list[Words] = []  # the words of guards around the current item
    faults: Faults = {}

    for item in items:
        if item.guard != guard:
            guard, opened = item.guard, []
            for condition in guard if guard != outer else ():
                words: Words = [located(condition, views).address, 0]
                _extend(opened)
                entries.append((GUARD, words))
                opened.append(words)
        for entry, step in told(item):
            entries.append(entry)
            _extend(opened)
            if step is not None:
                faults[len(entries) - 1] = step, len(entries)
    for _, words in entries:
        given.update(dict.fromkeys(w.root for w in words if isinstance(w, Address) and not w.root.fixed))
    result = Value(Place.DYNAMIC, items[0].makes[0].dtype, ())
    node: Tensor = items[0].steps[0].node
    work = sum(item.work for item in items)
    return Segment(name, None, list(given), result, node, guard=outer, entries=entries, work=work, faults=faults)


def _extend(opened: list[Words]) -> None:
    """One more entry stands behind these guards."""
    for words in opened:
        words[1] += 1  # type: ignore[operator]  # the second word of a guard is a count


Patches = list[tuple[int, int]]  # places of words, and what to add to an array's address for each


def told_of(given: Sequence[tuple[DType, tuple[int, ...], Patches]], base: int) -> list[int]:
    """What is told of arrays that a call brings, as words that lie from `base` on."""
    shape = base + 8 * _TOLD * len(given)
    patch = shape + 8 * sum(len(sizes) for _, sizes, _ in given)
    words: list[int] = []
    behind: tuple[list[int], list[int]] = [], []
    for dtype, sizes, patches in given:
        words += id(dtype), len(sizes), shape, len(patches), patch
        behind[0].extend(sizes)
        behind[1].extend(word for pair in patches for word in pair)
        shape, patch = shape + 8 * len(sizes), patch + 8 * _PATCH * len(patches)
    return [*words, *behind[0], *behind[1]]


def bound(
    given: Sequence[Value], entries: Sequence[Entry], work: int, kernels: dict[str, Kernel], array: Callable[[Value], Any],
    host: Host | None = None,
) -> Densely:
    """A segment for the arrays that its values stand for now; what comes back has to live as long as its builtin."""
    words = [(kernels[text].address, words) for text, words in entries]
    patches: dict[Value, Patches] = {v: [] for v in given}
    count = sum(isinstance(w, Address) and not w.root.fixed for _, some in words for w in some)
    entry = _HEADER + sum(_TOLD + len(v.shape) for v in given) + _PATCH * count
    at = entry + _ENTRY * (len(words) + 1)
    row = np.zeros(at + sum(len(some) for _, some in words), np.int64)
    base = row.ctypes.data
    places = dict(zip((word for _, some in words for word in some if isinstance(word, Moved)), _moved(words, base + 8 * at)))
    for k, (kernel, some) in enumerate(words):
        row[entry + _ENTRY * k : entry + _ENTRY * (k + 1)] = kernel, base + 8 * at
        for word in some:
            if isinstance(word, Slot):
                row[at] = places[word.moved]
            elif isinstance(word, Address):
                if word.root.fixed:
                    row[at] = array(word.root).ctypes.data + word.offset
                else:
                    patches[word.root].append((base + 8 * at, word.offset))
            elif not isinstance(word, Moved):  # which is written as the segment runs
                row[at] = kernels[word.text].address if isinstance(word, KernelOf) else word
            at += 1
    dense = Densely(given, host)
    row[:_HEADER] = base + 8 * _HEADER, base + 8 * entry, id(dense), len(given), work >= _LONG, 0
    row[_HEADER:entry] = told_of([(v.dtype, v.shape, patches[v]) for v in given], base + 8 * _HEADER)
    dense.segment = builtin(row)
    dense.row, dense.entries, dense.long = row, base + 8 * entry, work >= _LONG
    dense.patches = [patches[value] for value in given]
    return dense


def _moved(words: Sequence[tuple[int, Words]], first: int) -> list[int]:
    """The addresses of the words that move, of all which lie one behind the other from the first on."""
    return [first + 8 * k for k, word in enumerate(word for _, some in words for word in some) if isinstance(word, Moved)]


class Host:
    """The steps of a segment that NumPy runs where a kernel cannot: mostly to tell what is wrong with their arrays.

    step  the one that runs, or raised
    """

    def __init__(self, faults: Faults, given: Sequence[Value], views: Views, array: Callable[[Value], Any]) -> None:
        self.faults = faults
        self.step: Step | None = None
        self._given = given
        self._views = views
        self._array = array

    def run(self, entry: int, arrays: Sequence[Any]) -> int:
        """Run the step of an entry on the arrays that the call brought; the entry to go on from."""
        step, following = self.faults[entry]
        known = dict(zip(self._given, arrays, strict=True))
        *arguments, out = [self._found(a, known) for a in (*step.arguments, step.result)]
        assert step.function is not None  # no scalar's arithmetic
        self.step = step
        step.function(*arguments, out)
        self.step = None
        return following

    def _found(self, argument: Any, known: Mapping[Value, Any]) -> Any:
        if not isinstance(argument, Value):
            return argument
        if argument.fixed:
            return self._array(argument)
        place = located(argument, self._views)
        root = known[place.address.root]
        return np.ndarray(argument.shape, argument.dtype, root, place.address.offset, place.layout.strides)


class Densely:
    """A segment's other way in: for arrays that do not lie in C order, or are no arrays at all; and for NumPy's steps."""

    segment: Callable[..., None]
    row: np.ndarray[Any, Any]
    entries: int  # where they begin
    long: bool  # whether other threads may run meanwhile
    patches: list[Patches]  # for each array that is given

    def __init__(self, given: Sequence[Value], host: Host | None) -> None:
        self.given = [(v.dtype, v.shape) for v in given]
        self.host = host

    def __call__(self, *arrays: Any) -> None:
        """Go on behind a step that NumPy runs; or call the segment with copies in C order of what lies in another."""
        fault, self.row[_FAULT] = int(self.row[_FAULT]), 0
        if fault and self.host is not None:
            return self._go_on(self.host, fault, arrays)
        copies = []
        for (dtype, shape), array in zip(self.given, arrays, strict=True):
            copy = np.require(array, dtype, ["C", "A"])  # what a kernel writes into is as it should be
            if copy.shape != shape or copy.dtype is not dtype:
                raise ValueError(f"an array of shape {copy.shape} where {shape} was planned")
            copies.append(copy)
        return self.segment(*copies)

    def _go_on(self, host: Host, fault: int, arrays: Sequence[Any]) -> None:
        following = host.run((fault - self.entries) // (8 * _ENTRY), arrays)
        start, self.row[_START] = int(self.row[_START]), self.entries + 8 * _ENTRY * following
        try:
            self.segment(*arrays)
        finally:
            self.row[_START] = start
