"""Loop nests: chains of elementwise calls over one shape, and the reductions that close them, as the text of a kernel.

One axis of the shape goes along the lanes of vector registers: the last. Where no whole number of vectors fills it, the
first two overlap, so that there is one body. A reduction over that axis keeps several sums and joins them at its end; one
over other axes runs down strips of columns, a few vectors wide, so that memory is read line by line. Sizes, none of which
is 0, and strides are words of the row, and no part of the text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from autograph.executors.native.accumulators import ACCUMULATORS
from autograph.executors.native.code import At, Code, load, splat, store
from autograph.executors.native.compiler import PLAINLY, lanes
from autograph.executors.native.emitter import Emitter, Number
from autograph.executors.native.functions import FUNCTIONS
from autograph.executors.native.special import SPECIAL

STRIPS = 4  # vectors beside each other that a reduction over rows adds up at a time
INVARIANT, DENSE, STRIDED = "", "d", "s"
_LIBRARY = {name: name for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh")} | {"power": "pow"}


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
    lanes     of the last axis, how many places go at once: 1 where it is shorter than a vector
    strips    of a reduction along other axes, how many vectors of the last go side by side
    """

    reduced: tuple[bool, ...]
    arrays: tuple[Array, ...]
    loads: int
    calls: tuple[Call, ...]
    stores: tuple[tuple[int, int], ...]
    reductions: tuple[Reduction, ...]
    lanes: int = 1
    strips: int = 1


def widths(size: int, beside: bool, long: bool = False) -> tuple[int, int]:
    """Lanes and strips for a last axis of this size. `beside`: whether reductions run along other axes. `long`: whether one
    number waits so long for another that two registers had better go side by side."""
    if size < lanes():
        return 1, 1
    if long and not beside and size >= 2 * lanes():
        return 2 * lanes(), 1
    strips = STRIPS if beside else 1
    while strips > 1 and (size < strips * lanes() or -size % (strips * lanes()) * 8 > size):  # an eighth is done twice at most
        strips //= 2
    return lanes(), strips


@functools.lru_cache(maxsize=1024)
def text(nest: Nest) -> str:
    """The kernel of a nest. Its words: the sizes of the axes, then for each array its address and the strides it needs."""
    writer = _Writer(nest, Code())
    writer.write(writer.pointers, 0)
    return writer.code.text("" if nest.reduced else PLAINLY)


@functools.lru_cache(maxsize=1024)
def text_of_rows(nests: tuple[Nest, ...], count: int) -> str:
    """The kernel of nests whose first axes, so many, are the same and kept: at each place of these one nest after the other
    runs. Its words: those of each nest."""
    code = Code()
    writers = [_Writer(nest, code) for nest in nests]

    def run(depth: int, places: list[tuple[str, ...]]) -> None:
        if depth == count:
            for writer, pointers in zip(writers, places, strict=True):
                writer.write(pointers, count)
            return
        strided = [(w, k) for w, writer in enumerate(writers) for k, some in enumerate(writer.strides) if some[depth]]

        def turn(at: At, _: list[Number]) -> list[Number]:
            moved = [list(pointers) for pointers in places]
            for (w, k), pointer in zip(strided, at.pointers, strict=True):
                moved[w][k] = pointer
            run(depth + 1, [tuple(pointers) for pointers in moved])
            return []

        moving = [(places[w][k], writers[w].strides[k][depth] or "0") for w, k in strided]
        code.turns(writers[0].sizes[depth], ("1", 1), turn, moving)

    run(0, [writer.pointers for writer in writers])
    return code.text()


@dataclass(frozen=True)
class _State:
    """Where a nest has come to: the pointers of all arrays there, loads that are done, how wide the lanes are.

    own  all bits in the lanes to whose places reductions do not come again
    """

    pointers: tuple[str, ...]
    loaded: tuple[Number | None, ...]
    lanes: int = 1
    strips: int = 1
    own: Number | None = None


Carried = list[list[Number]]  # of each reduction, in each strip
_Inner = Callable[[_State, Carried], Carried]


class _Writer:
    def __init__(self, nest: Nest, code: Code) -> None:
        self.nest = nest
        self.code = code
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
        self.apply = apply if axes else apply_once
        self.carried = min(nest.lanes, lanes())  # lanes of what reductions carry
        step = nest.lanes * nest.strips
        self.pace = self.code.first(self.sizes[self.lane], step) if step > 1 else "1", step

    def write(self, pointers: tuple[str, ...], depth: int) -> None:
        """The loops from the one at `depth` on, where arrays are at these pointers."""
        state = _State(pointers, (None,) * self.nest.loads)
        self._descend(depth, self._with_invariants(state, depth), [])

    # loops ------------------------------------------------------------------------------------------------------------

    def _descend(self, depth: int, state: _State, _: Carried) -> Carried:
        """The loops that keep their axis, from the one at `depth` on; within them, the reductions or the elements."""
        if depth < self.outer:
            self._run(depth, state, functools.partial(self._descend, depth + 1), [])
        elif self.nest.reductions:
            self._reduce(state)
        else:
            self._elements(state)
        return []

    def _run(self, depth: int, state: _State, inner: _Inner, carried: Carried) -> Carried:
        """The loop over the axis at `depth`: along the lanes so many at a time, what is left over first.

        From there the next goes on, over places that were come to before. Nothing is lost by that, unless an array is
        written over one that is read; and reductions take what is a turn's own.
        """
        axis = self.order[depth]
        pace = "1", 1
        if axis == self.lane:
            state, pace = self._widened(state), self.pace
        ways = [array.along[axis] for array in self.nest.arrays]
        strided = [k for k, way in enumerate(ways) if way == STRIDED]

        def turn(at: At, held: list[Number]) -> list[Number]:
            pointers = list(state.pointers)
            for k, pointer in zip(strided, at.pointers, strict=True):
                pointers[k] = pointer
            for k, way in enumerate(ways):
                if way == DENSE:
                    pointers[k] = self._along(k, pointers[k], at.i)
            moved = replace(state, pointers=tuple(pointers), own=at.own or state.own)
            if state.lanes == 1:
                moved = self._with_invariants(moved, depth + 1)
            return _flat(inner(moved, _like(carried, held)))

        moving = [(state.pointers[k], self.strides[k][axis] or "0") for k in strided]
        flat = _flat(carried)
        wide = state.lanes if pace[1] > 1 and self.nest.reduced[axis] else 0
        held = [self.carried] * len(flat)
        return _like(carried, self.code.turns(self.sizes[axis], pace, turn, moving, flat, held, wide))

    # states -----------------------------------------------------------------------------------------------------------

    def _along(self, k: int, pointer: str, places: str) -> str:
        """So many places on, where an array is dense."""
        return self.code.line(f"getelementptr i{8 * int(self.nest.arrays[k].type[1])}, ptr {pointer}, i64 {places}")

    def _beside(self, state: _State, strip: int) -> _State:
        """At another strip."""
        moved = list(state.pointers)
        for k, array in enumerate(self.nest.arrays if strip else ()):
            match array.along[self.lane]:
                case "d":
                    moved[k] = self._along(k, moved[k], str(strip * state.lanes))
                case "s":
                    distance = self.code.line(f"mul i64 {self._stride(k)}, {strip * state.lanes}")
                    moved[k] = self.code.line(f"getelementptr i8, ptr {moved[k]}, i64 {distance}")
        return replace(state, pointers=tuple(moved))

    def _with_invariants(self, state: _State, depth: int) -> _State:
        """With those loaded that no loop from `depth` on moves."""
        rest = self.order[depth:]
        loaded = list(state.loaded)
        for k, array in enumerate(self.nest.arrays[: self.nest.loads]):
            if loaded[k] is None and all(array.along[axis] == INVARIANT for axis in rest):
                loaded[k] = load(self.code, array.type, state.pointers[k], 1, None)
        return replace(state, loaded=tuple(loaded))

    def _widened(self, state: _State) -> _State:
        """As wide as the nest is, with what was loaded in every lane."""
        wide = self.nest.lanes
        loaded = tuple([x and splat(self.code, x, wide) for x in state.loaded])
        return replace(state, loaded=loaded, lanes=wide, strips=self.nest.strips)

    # elements ---------------------------------------------------------------------------------------------------------

    def _elements(self, state: _State) -> list[Number]:
        """Load, compute and store at one place. The numbers of the values that reductions take."""
        nest, code = self.nest, self.code
        values: list[Number] = []
        for k, array in enumerate(nest.arrays[: nest.loads]):
            values.append(state.loaded[k] or self._load(array, k, state))
        e = code.emitter(state.lanes)
        for call in nest.calls:
            operands = [
                e.constant(v, t) if isinstance(v, float) else e.cast(values[v], t)
                for v, t in zip(call.operands, call.types, strict=True)
            ]
            values.append(self.apply(e, call, operands))
        code.take(e)
        for value, k in nest.stores:
            store(code, values[value], state.pointers[k], state.lanes, self._stride(k))
        reduced = [values[r.value] for r in nest.reductions]
        if state.own is not None:
            neutral = [ACCUMULATORS[r.name].neutral(x.type) for r, x in zip(nest.reductions, reduced, strict=True)]
            reduced = [_owned(e, state.own, x, n) for x, n in zip(reduced, neutral, strict=True)]
            code.take(e)
        return reduced

    def _stride(self, k: int) -> str | None:
        return self.strides[k][self.lane] if self.strides[k] else None

    def _load(self, array: Array, k: int, state: _State) -> Number:
        if state.lanes > 1 and array.along[self.lane] == INVARIANT:
            return splat(self.code, load(self.code, array.type, state.pointers[k], 1, None), state.lanes)
        return load(self.code, array.type, state.pointers[k], state.lanes, self._stride(k))

    # reductions -------------------------------------------------------------------------------------------------------

    def _reduce(self, state: _State) -> None:
        """All reductions at one place of the axes that are kept, or at the places of strips."""
        along = self.nest.reduced[self.lane]
        wide = self.carried if along else state.lanes
        e = self.code.emitter(wide)
        start = [x for r in self.nest.reductions for x in ACCUMULATORS[r.name].start(e, self._type(r))]
        counts = [len(ACCUMULATORS[r.name].start(e, self._type(r))) for r in self.nest.reductions]
        sums = self._down(self.outer, state, [start] * state.strips)
        for strip, carried in enumerate(sums):
            numbers = iter(carried)
            self._finish(self._beside(state, strip), [[next(numbers) for _ in range(n)] for n in counts], wide if along else 1)

    def _type(self, r: Reduction) -> str:
        """In which a reduction is carried on: half precision in single."""
        loads = self.nest.loads
        found = self.nest.arrays[r.value].type if r.value < loads else self.nest.calls[r.value - loads].type
        return "f4" if found == "f2" else found

    def _down(self, depth: int, state: _State, carried: Carried) -> Carried:
        """The loops over the axes that are reduced, from the one at `depth` on."""
        if depth < len(self.order):
            return self._run(depth, state, functools.partial(self._down, depth + 1), carried)
        return [self._added(self._beside(state, strip), some) for strip, some in enumerate(carried)]

    def _added(self, state: _State, carried: list[Number]) -> list[Number]:
        values = self._elements(state)
        parts = [self._parts(x, state.lanes) for x in values]
        e = self.code.emitter(min(state.lanes, self.carried))
        numbers = iter(carried)
        added = []
        for r, some in zip(self.nest.reductions, parts, strict=True):
            accumulator = ACCUMULATORS[r.name]
            held = [next(numbers) for _ in accumulator.start(e, self._type(r))]
            added += accumulator.add(e, held, some)
        self.code.take(e)
        return added

    def _finish(self, state: _State, carried: list[list[Number]], joins: int) -> None:
        """Store what was carried, its `joins` lanes joined."""
        for r, c in zip(self.nest.reductions, carried, strict=True):
            accumulator, width = ACCUMULATORS[r.name], joins
            while width > 1:
                width //= 2
                e = self.code.emitter(width)
                c = accumulator.join(e, *[[self._part(x, start, width) for x in c] for start in (0, width)])
                self.code.take(e)
            e = self.code.emitter(state.lanes)
            result = accumulator.finish(e, c, self.nest.arrays[r.array].type)
            self.code.take(e)
            store(self.code, result, state.pointers[r.array], state.lanes, self._stride(r.array))

    def _parts(self, x: Number, width: int) -> list[Number]:
        """A vector of that width, cut into those that reductions carry."""
        if width <= self.carried:
            return [x]
        return [self._part(x, start, self.carried) for start in range(0, width, self.carried)]

    def _part(self, x: Number, start: int, count: int) -> Number:
        """Some lanes of twice as many."""
        kind = Emitter(2 * count, self.code.name).llvm_type(x.type)
        if count == 1:
            return Number(self.code.line(f"extractelement {kind} {x.name}, i64 {start}"), x.type)
        lanes = ", ".join(f"i32 {start + k}" for k in range(count))
        return Number(self.code.line(f"shufflevector {kind} {x.name}, {kind} poison, <{count} x i32> <{lanes}>"), x.type)


def apply(e: Emitter, call: Call, operands: Sequence[Number]) -> Number:
    """The result of one call."""
    if call.name == "cast":
        return e.cast(operands[0], call.type)
    if call.name in FUNCTIONS:
        wide = [e.cast(x, "f4") if x.type == "f2" else x for x in operands]
        return e.cast(FUNCTIONS[call.name](e, *wide), call.type)
    return SPECIAL[call.name](e, *operands) if call.name in SPECIAL else getattr(e, call.name)(*operands)


def apply_once(e: Emitter, call: Call, operands: Sequence[Number]) -> Number:
    """The same where there is one number: what C's library has takes no time to compile."""
    name = _LIBRARY.get(call.name)
    if name is None or call.type not in ("f4", "f8"):
        return apply(e, call, operands)
    kind, function = e.llvm_type(call.type), f"@{name}{'f' if call.type == 'f4' else ''}"
    e.declared[f"declare {kind} {function}({', '.join([kind] * len(operands))})"] = None
    return e.emit(f"call {kind} {function}({', '.join(f'{kind} {x.name}' for x in operands)})", call.type)


def _owned(e: Emitter, own: Number, x: Number, neutral: float) -> Number:
    """x in lanes of all bits, and what changes nothing in the others."""
    if x.type == "f4" and neutral == 0:
        return e.float_of_bits(e.bitwise_and(e.bits(x), own))
    return e.select(e.less(own, e.constant(0, "i4")), x, e.constant(neutral, x.type))


def _flat(carried: Carried) -> list[Number]:
    return [x for some in carried for x in some]


def _like(carried: Carried, flat: Sequence[Number]) -> Carried:
    """Numbers in the structure of others."""
    numbers = iter(flat)
    return [[next(numbers) for _ in some] for some in carried]
