"""The text of one function in LLVM's language: its blocks, its loops, and the words it is called with.

Every kernel has the same type: it gets the address of a row of 64-bit words, which hold pointers, sizes and strides, and
returns how many entries of its program to pass over, which is 0 but for guards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from autograph.executors.native.compiler import NAME
from autograph.executors.native.emitter import Emitter, Number, stored

Body = Callable[[str, list[Number]], list[Number]]


class At(NamedTuple):
    """Where a turn is: its place, the pointers that move, and as bits of every lane, whether the next turn begins behind it."""

    i: str
    pointers: list[str]
    own: Number | None


Turn = Callable[[At, list[Number]], list[Number]]


class Code:
    """A function that is being written. `block` is the label of the block that the next line goes to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.declared: dict[str, None] = {}
        self.block = "entry"
        self.words = 0
        self._numbers = count()

    def name(self) -> str:
        return f"%v{next(self._numbers)}"

    def line(self, text: str) -> str:
        """An instruction with a result; the name of that."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def word(self, type: str = "i64") -> str:
        """The next word of the row."""
        return self.line(f"load {type}, ptr {self.cell()}")

    def cell(self) -> str:
        """The address of the next word of the row."""
        self.words += 1
        return self.line(f"getelementptr i64, ptr %words, i64 {self.words - 1}")

    def emitter(self, lanes: int) -> Emitter:
        """An emitter for the current block; `take` puts what it has written into it."""
        return Emitter(lanes, self.name, self.block)

    def take(self, e: Emitter) -> None:
        self.lines += [f"  {line}" for line in e.lines]
        self.declared.update(e.declared)
        self.block = e.block
        e.lines.clear()

    def labels(self, *names: str) -> tuple[str, ...]:
        """Labels that no block has yet."""
        return tuple([f"{name}{next(self._numbers)}" for name in names])

    def start(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        self.lines.append(f"  br label %{label}")

    def branch(self, truth: str, label: str, other: str) -> None:
        self.lines.append(f"  br i1 {truth}, label %{label}, label %{other}")

    def leave(self, result: str) -> None:
        """Return from the kernel; another block has to follow."""
        self.lines.append(f"  ret i64 {result}")

    def loop(
        self, start: str, stop: str, step: int, body: Body, carried: Sequence[Number] = (), lanes: Sequence[int] = ()
    ) -> list[Number]:
        """`body(i, carried)` for i from start to stop; it returns what the next turn carries. What the last one returned.

        lanes  for each of the carried, how many numbers it holds
        """
        turn, after = self.labels("turn", "after")
        before = self.block
        self.branch(self.line(f"icmp slt i64 {start}, {stop}"), turn, after)
        self.start(turn)
        place = len(self.lines)
        i = self.name()
        held = [Number(self.name(), c.type) for c in carried]
        results = body(i, held)
        following = self.next(f"add i64 {i}, {step}")
        more = self.line(f"icmp slt i64 {following}, {stop}")
        last = self.block
        self.branch(more, turn, after)
        types = [Emitter(width, self.name).llvm_type(c.type) for c, width in zip(carried, lanes, strict=True)]
        heads = [f"  {i} = phi i64 [{start}, %{before}], [{following}, %{last}]"] + [
            f"  {h.name} = phi {t} [{c.name}, %{before}], [{r.name}, %{last}]"
            for h, t, c, r in zip(held, types, carried, results, strict=True)
        ]
        self.lines[place:place] = heads
        self.start(after)
        return [
            Number(self.line(f"phi {t} [{c.name}, %{before}], [{r.name}, %{last}]"), c.type)
            for t, c, r in zip(types, carried, results, strict=True)
        ]

    def next(self, text: str, type: str = "i64") -> str:
        """What a loop goes on with. Frozen, it is not analysed: half of a loop's compilation would be a search for a
        better way to count, which hardly ever finds one."""
        return self.line(f"freeze {type} {self.line(text)}")

    def first(self, size: str, step: int) -> str:
        """How far to go after a first turn, so that a whole number of `step` places is left."""
        left = self.line(f"and i64 {self.line(f'sub i64 {size}, 1')}, {step - 1}")
        return self.line(f"add i64 {left}, 1")

    def turns(
        self, stop: str, pace: tuple[str, int], body: Turn, moving: Sequence[tuple[str, str]] = (),
        carried: Sequence[Number] = (), lanes: Sequence[int] = (), wide: int = 0,
    ) -> list[Number]:  # fmt: skip
        """`body(turn, carried)` at 0 and at every place below `stop` that is reached, at least once. What the last one returned.

        pace    how many places to go on after the first turn, and after every other one
        moving  pointers, each with the bytes from a place to the next
        lanes   for each of the carried, how many numbers it holds
        wide    of how many lanes turns ask which the next one comes to again
        """
        first, then = pace
        start_own = self._below(first, wide) if wide else None
        before, (label, after) = self.block, self.labels("turn", "after")
        self.jump(label)
        self.start(label)
        place = len(self.lines)
        i, step = self.name(), str(then) if first == str(then) else self.name()
        pointers = [self.name() for _ in moving]
        held = [Number(self.name(), c.type) for c in carried]
        own = start_own and Number(self.name(), "i4")
        results = body(At(i, pointers, own), held)
        heads = [(i, "i64", "0", self.next(f"add i64 {i}, {step}"))]
        if first != str(then):
            heads.append((step, "i64", first, str(then)))
        for pointer, (start, distance) in zip(pointers, moving, strict=True):
            far = distance if step == "1" else self.line(f"mul i64 {distance}, {step}")
            heads.append((pointer, "ptr", start, self.next(f"getelementptr i8, ptr {pointer}, i64 {far}", "ptr")))
        if own and start_own:
            heads.append((own.name, f"<{wide} x i32>", start_own.name, "splat (i32 -1)"))
        for h, c, r, width in zip(held, carried, results, lanes, strict=True):
            heads.append((h.name, Emitter(width, self.name).llvm_type(c.type), c.name, r.name))
        last = self.block
        self.branch(self.line(f"icmp slt i64 {heads[0][3]}, {stop}"), label, after)
        self.lines[place:place] = [f"  {h} = phi {t} [{start}, %{before}], [{on}, %{last}]" for h, t, start, on in heads]
        self.start(after)
        return results

    def _below(self, count: str, lanes: int) -> Number:
        """All bits in the lanes below a count, none in the others."""
        limit = splat(self, Number(self.line(f"trunc i64 {count} to i32"), "i4"), lanes)
        numbers = ", ".join([f"i32 {lane}" for lane in range(lanes)])
        below = self.line(f"icmp slt <{lanes} x i32> <{numbers}>, {limit.name}")
        return Number(self.line(f"sext <{lanes} x i1> {below} to <{lanes} x i32>"), "i4")

    def text(self, how: str = "") -> str:
        """The whole function, compiled in a certain way."""
        return "\n".join([*self.declared, f"define i64 {NAME}(ptr %words) {how}{{", "entry:", *self.lines, "  ret i64 0", "}"])


def load(code: Code, type: str, pointer: str, lanes: int, stride: str | None) -> Number:
    """One number, or several: from neighbouring places, or `stride` bytes apart."""
    kind = stored(type)
    if lanes == 1:
        name = code.line(f"load {kind}, ptr {pointer}, align {type[1]}")
    elif stride is None:
        name = code.line(f"load <{lanes} x {kind}>, ptr {pointer}, align {type[1]}")
    else:
        name = "poison"
        for k, place in enumerate(places(code, pointer, lanes, stride)):
            one = code.line(f"load {kind}, ptr {place}, align {type[1]}")
            name = code.line(f"insertelement <{lanes} x {kind}> {name}, {kind} {one}, i64 {k}")
    if type != "b1":
        return Number(name, type)
    vector = kind if lanes == 1 else f"<{lanes} x {kind}>"
    return Number(code.line(f"icmp ne {vector} {name}, {'0' if lanes == 1 else 'zeroinitializer'}"), type)


def store(code: Code, x: Number, pointer: str, lanes: int, stride: str | None) -> None:
    """The counterpart of `load`."""
    kind, name = stored(x.type), x.name
    vector = kind if lanes == 1 else f"<{lanes} x {kind}>"
    if x.type == "b1":
        name = code.line(f"zext {'i1' if lanes == 1 else f'<{lanes} x i1>'} {name} to {vector}")
    if lanes == 1 or stride is None:
        code.lines.append(f"  store {vector} {name}, ptr {pointer}, align {x.type[1]}")
        return
    for k, place in enumerate(places(code, pointer, lanes, stride)):
        one = code.line(f"extractelement {vector} {name}, i64 {k}")
        code.lines.append(f"  store {kind} {one}, ptr {place}, align {x.type[1]}")


def places(code: Code, pointer: str, count: int, distance: str) -> list[str]:
    """Addresses, each so many bytes behind the one before."""
    found = [pointer]
    while len(found) < count:
        found.append(code.line(f"getelementptr i8, ptr {found[-1]}, i64 {distance}"))
    return found


def splat(code: Code, x: Number, lanes: int) -> Number:
    """The same number in every lane."""
    if lanes == 1 or x.name.startswith("splat"):
        return x
    one = "i1" if x.type == "b1" else stored(x.type)
    first = code.line(f"insertelement <{lanes} x {one}> poison, {one} {x.name}, i64 0")
    return Number(
        code.line(f"shufflevector <{lanes} x {one}> {first}, <{lanes} x {one}> poison, <{lanes} x i32> zeroinitializer"), x.type
    )
