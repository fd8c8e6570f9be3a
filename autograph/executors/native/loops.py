"""Loop nests: chains of elementwise calls over one shape, and the reductions that close them, as the text of a kernel.

One axis of the shape goes along the lanes of vector registers: the last. What is left of it goes one by one. A reduction
over that axis keeps several sums and joins them at its end; one over other axes runs down strips of columns, a few
vectors wide, so that memory is read line by line. Sizes and strides are words of the row, and no part of the text.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from autograph.executors.native.accumulators import ACCUMULATORS
from autograph.executors.native.code import Code, load, splat, store
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.mathlib import FUNCTIONS
from autograph.executors.native.special import SPECIAL

STRIPS = 4  # vectors beside each other that a reduction over rows adds up at a time
INVARIANT, DENSE, STRIDED = "", "d", "s"


class Call(NamedTuple):
    """An elementwise operation: its name, and where its operands are among loads and earlier results, or literals."""

    name: str
    operands: tuple[int | float, ...]  # a float is a literal
    types: tuple[str, ...]  # in which the operands are read
    type: str


class Array(NamedTuple):
    """An array of a kernel: its type, and how it lies along each axis of the nest."""

    type: str
    along: tuple[str, ...]


class Reduction(NamedTuple):
    """A reduction: its name, the number of what it reduces, and of the array it goes to."""

    name: str
    value: int
    array: int


@dataclass(frozen=True)
class Nest:
    """What a loop kernel does, without sizes.

    reduced   for each axis, whether the reductions run along it
    arrays    all that is read or written; the first `loads` of them are read
    stores    (number of a value, number of an array)
    narrow    whether the last axis is too short for vectors
    """

    reduced: tuple[bool, ...]
    arrays: tuple[Array, ...]
    loads: int
    calls: tuple[Call, ...]
    stores: tuple[tuple[int, int], ...]
    reductions: tuple[Reduction, ...]
    narrow: bool = False


@functools.lru_cache(maxsize=1024)
def text(nest: Nest) -> str:
    """The kernel of a nest. Its words: the sizes of the axes, then for each array its address and the strides it needs."""
    writer = _Writer(nest)
    writer.write()
    return writer.code.text()


@dataclass(frozen=True)
class _State:
    """Where a nest has come to: the pointers of all arrays there, loads that are done, how wide the lanes are."""

    pointers: tuple[str, ...]
    loaded: tuple[Number | None, ...]
    lanes: int = 1
    strips: int = 1


class _Sums(NamedTuple):
    """What all reductions carry, in so many lanes."""

    lanes: int
    carried: list[list[Number]]


class _Writer:
    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.code = Code()
        self.sizes = [self.code.word() for _ in nest.reduced]
        pointers = []
        self.strides: list[list[str | None]] = []
        for array in nest.arrays:
            pointers.append(self.code.word("ptr"))
            self.strides.append([self.code.word() if way == STRIDED else None for way in array.along])
        self.pointers = tuple(pointers)
        self.lane = len(nest.reduced) - 1
        axes = range(len(nest.reduced))
        kept = [a for a in axes if not nest.reduced[a]]
        self.order = kept + [a for a in axes if nest.reduced[a]]
        self.outer = len(kept)  # so many loops stand around the reductions

    def write(self) -> None:
        state = _State(self.pointers, (None,) * self.nest.loads)
        self._descend(0, self._with_invariants(state, 0))

    # loops ------------------------------------------------------------------------------------------------------------

    def _descend(self, depth: int, state: _State) -> None:
        """The loops that keep their axis, from the one at `depth` on; within them, the reductions or the elements."""
        if depth == self.outer:
            if self.nest.reductions:
                self._reduce(state)
            else:
                self._elements(state)
            return
        axis = self.order[depth]
        if axis != self.lane:

            def turn(i: str, _: list[Number]) -> list[Number]:
                self._descend(depth + 1, self._with_invariants(self._moved(state, axis, i), depth + 1))
                return []

            self.code.loop("0", self.sizes[axis], 1, turn)
            return
        start = "0"
        for width, strips in self._widths():
            stop = self._whole(start, axis, width * strips)
            wide = self._widened(state, width)

            def span(i: str, _: list[Number], wide: _State = wide, strips: int = strips) -> list[Number]:
                self._descend(depth + 1, replace(self._moved(wide, axis, i), strips=strips))
                return []

            self.code.loop(start, stop, width * strips, span)
            start = stop

    def _widths(self) -> list[tuple[int, int]]:
        """How many lanes, and vectors beside each other, the loops along the lanes take, one after the other."""
        if self.nest.narrow:
            return [(1, 1)]
        strips = [(lanes(), STRIPS)] if self.nest.reductions and not self.nest.reduced[self.lane] else []
        return [*strips, (lanes(), 1), (1, 1)]

    def _whole(self, start: str, axis: int, step: int) -> str:
        """Where the last whole step from `start` ends."""
        if step == 1:
            return self.sizes[axis]
        return self.code.line(f"and i64 {self.sizes[axis]}, {-step}")

    # states -----------------------------------------------------------------------------------------------------------

    def _moved(self, state: _State, axis: int, i: str) -> _State:
        """All pointers at place i of an axis."""
        moved = []
        for array, strides, pointer in zip(self.nest.arrays, self.strides, state.pointers, strict=True):
            match array.along[axis]:
                case "d":
                    pointer = self.code.line(f"getelementptr i{8 * int(array.type[1])}, ptr {pointer}, i64 {i}")
                case "s":
                    distance = self.code.line(f"mul i64 {i}, {strides[axis]}")
                    pointer = self.code.line(f"getelementptr i8, ptr {pointer}, i64 {distance}")
            moved.append(pointer)
        return replace(state, pointers=tuple(moved))

    def _with_invariants(self, state: _State, depth: int) -> _State:
        """With those loaded that no loop from `depth` on moves."""
        rest = self.order[depth:]
        loaded = list(state.loaded)
        for k, array in enumerate(self.nest.arrays[: self.nest.loads]):
            if loaded[k] is None and all(array.along[axis] == INVARIANT for axis in rest):
                loaded[k] = load(self.code, array.type, state.pointers[k], 1, None)
        return replace(state, loaded=tuple(loaded))

    def _widened(self, state: _State, width: int) -> _State:
        """With what was loaded in every lane."""
        loaded = tuple([x and splat(self.code, x, width) for x in state.loaded])
        return replace(state, loaded=loaded, lanes=width)

    # elements ---------------------------------------------------------------------------------------------------------

    def _elements(self, state: _State, strip: int = 0) -> list[Number]:
        """Load, compute and store at one place. The numbers of the values that reductions take."""
        nest, code = self.nest, self.code
        if strip:
            state = self._moved(state, self.lane, str(strip * state.lanes))
        values: list[Number] = []
        for k, array in enumerate(nest.arrays[: nest.loads]):
            values.append(state.loaded[k] or self._load(array, k, state))
        e = code.emitter(state.lanes)
        for call in nest.calls:
            operands = [
                e.constant(v, t) if isinstance(v, float) else e.cast(values[v], t)
                for v, t in zip(call.operands, call.types, strict=True)
            ]
            values.append(apply(e, call, operands))
        code.take(e)
        for value, k in nest.stores:
            store(code, values[value], state.pointers[k], state.lanes, self._stride(k))
        return [values[r.value] for r in nest.reductions]

    def _stride(self, k: int) -> str | None:
        return self.strides[k][self.lane] if self.strides[k] else None

    def _load(self, array: Array, k: int, state: _State) -> Number:
        if state.lanes > 1 and array.along[self.lane] == INVARIANT:
            return splat(self.code, load(self.code, array.type, state.pointers[k], 1, None), state.lanes)
        return load(self.code, array.type, state.pointers[k], state.lanes, self._stride(k))

    # reductions -------------------------------------------------------------------------------------------------------

    def _reduce(self, state: _State) -> None:
        """All reductions at one place of the axes that are kept, or at the places of a strip."""
        if self.nest.reduced[self.lane]:
            sums = self._down(self.outer, state, [self._started(width) for width, _ in self._widths()])
            single = sums[-1].carried
            self._finish(state, single if self.nest.narrow else self._joined(sums[0].carried, single))
            return
        sums = self._down(self.outer, state, [self._started(state.lanes) for _ in range(state.strips)])
        for strip, some in enumerate(sums):
            self._finish(self._moved(state, self.lane, str(strip * state.lanes)) if strip else state, some.carried)

    def _started(self, width: int) -> _Sums:
        e = self.code.emitter(width)
        return _Sums(width, [ACCUMULATORS[r.name].start(e, self._type(r)) for r in self.nest.reductions])

    def _type(self, r: Reduction) -> str:
        loads = self.nest.loads
        return self.nest.arrays[r.value].type if r.value < loads else self.nest.calls[r.value - loads].type

    def _down(self, depth: int, state: _State, sums: list[_Sums]) -> list[_Sums]:
        """The loops over the axes that are reduced, from the one at `depth` on."""
        if depth == len(self.order):
            return [self._added(state, strip, some) for strip, some in enumerate(sums)]
        axis = self.order[depth]
        if axis == self.lane:
            return self._along(axis, state, sums)

        def turn(i: str, held: list[Number]) -> list[Number]:
            inner = self._moved(state, axis, i)
            if state.lanes == 1:
                inner = self._with_invariants(inner, depth + 1)
            return _flat(self._down(depth + 1, inner, _like(sums, held)))

        return _like(sums, self.code.loop("0", self.sizes[axis], 1, turn, _flat(sums), _lanes(sums)))

    def _along(self, axis: int, state: _State, sums: list[_Sums]) -> list[_Sums]:
        """The loop along the lanes: vectors, then what is left of them one by one."""
        results = []
        start = "0"
        for some in sums:
            stop = self._whole(start, axis, some.lanes)
            wide = self._widened(state, some.lanes)

            def turn(i: str, held: list[Number], wide: _State = wide, some: _Sums = some) -> list[Number]:
                return _flat([self._added(self._moved(wide, axis, i), 0, _like([some], held)[0])])

            results += _like([some], self.code.loop(start, stop, some.lanes, turn, _flat([some]), _lanes([some])))
            start = stop
        return results

    def _added(self, state: _State, strip: int, some: _Sums) -> _Sums:
        values = self._elements(state, strip)
        e = self.code.emitter(state.lanes)
        added = [
            ACCUMULATORS[r.name].add(e, c, x) for r, c, x in zip(self.nest.reductions, some.carried, values, strict=True)
        ]
        self.code.take(e)
        return _Sums(some.lanes, added)

    def _joined(self, vector: list[list[Number]], single: list[list[Number]]) -> list[list[Number]]:
        """The lanes of the vectors joined with what went one by one."""
        e = self.code.emitter(1)
        results = []
        for r, wide, result in zip(self.nest.reductions, vector, single, strict=True):
            parts = [[self._lane(x, k) for x in wide] for k in range(lanes())]
            while len(parts) > 1:
                parts = [ACCUMULATORS[r.name].join(e, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            results.append(ACCUMULATORS[r.name].join(e, result, parts[0]))
            self.code.take(e)
        return results

    def _lane(self, x: Number, k: int) -> Number:
        kind = Emitter(lanes(), self.code.name).llvm_type(x.type)
        return Number(self.code.line(f"extractelement {kind} {x.name}, i64 {k}"), x.type)

    def _finish(self, state: _State, carried: list[list[Number]]) -> None:
        for r, c in zip(self.nest.reductions, carried, strict=True):
            e = self.code.emitter(state.lanes)
            result = ACCUMULATORS[r.name].finish(e, c, self.nest.arrays[r.array].type)
            self.code.take(e)
            store(self.code, result, state.pointers[r.array], state.lanes, self._stride(r.array))


def apply(e: Emitter, call: Call, operands: Sequence[Number]) -> Number:
    """The result of one call."""
    if call.name == "cast":
        return e.cast(operands[0], call.type)
    function = FUNCTIONS.get(call.name) or SPECIAL.get(call.name)
    return function(e, *operands) if function else getattr(e, call.name)(*operands)


def _flat(sums: list[_Sums]) -> list[Number]:
    return [x for some in sums for one in some.carried for x in one]


def _lanes(sums: list[_Sums]) -> list[int]:
    return [some.lanes for some in sums for one in some.carried for _ in one]


def _like(sums: list[_Sums], flat: Sequence[Number]) -> list[_Sums]:
    """Numbers in the structure of others."""
    numbers = iter(flat)
    return [_Sums(some.lanes, [[next(numbers) for _ in one] for one in some.carried]) for some in sums]
