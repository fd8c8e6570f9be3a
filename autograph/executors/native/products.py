"""Products of small matrices, without the packing that pays for BLAS where they are large.

C = A·B by blocks of a few rows and one or two vectors of C, which stay in registers while k runs. B and C have dense rows; A
may lie in any way, for its numbers are read one by one. The first two blocks of a row, and of a column, overlap where no
whole number of blocks fills it; where a row is narrow, what is left of it goes by vectors with a mask.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from autograph.executors.native.code import At, Code, load, places, splat, store
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import Emitter, Number, stored
from autograph.executors.native.mathlib import fma

ROWS = 4  # from so many rows on, ours are faster than BLAS also where matrices are larger
Where = TypeVar("Where")
SMALL = {"f4": 2**22, "f8": 2**19}  # multiplications, up to which these are faster than BLAS, as measured


class Block(NamedTuple):
    """What stays in registers: so many rows, of so many vectors. With a mask a vector may be a part of one."""

    rows: int
    vectors: int
    masked: bool


def block(m: int, n: int, width: int) -> Block:
    """The block for products of m rows and n columns. Two vectors beside each other read each number of A half as often; of one
    row, so many go side by side that none of their sums waits for itself."""
    for vectors in (2,) if m >= 4 else (8, 4, 2):
        across = vectors * width
        if n >= across and -(-n // across) * vectors * 5 <= -(-n // width) * 6:
            return Block(4 if m >= 4 else 1, vectors, False)
    return Block(8 if m >= 8 else 4 if m >= 4 else 1, 1, n % width > 0)


def width(type: str) -> int:
    """How many numbers of a type a register holds."""
    return lanes() * 4 // int(type[1])


def fitting(m: int, n: int, width: int, exact: bool) -> Block:
    """The block for nests of m rows and n columns; with `exact`, one that tiles them without an overlap."""
    vectors = 2 if n >= 2 * width and not (n % (2 * width) and (exact or n % width)) else 1
    sizes = [rows for rows in (6, 5, 4, 3, 2, 1) if rows <= m and not (exact and m % rows)]
    return Block(min(sizes[:3], key=lambda rows: -(-m // rows) * rows), vectors, vectors == 1 and n % width > 0)


class Nest(NamedTuple):
    """Loops around and within products, outermost first.

    around  for each loop, how many turns, and the bytes that A, B and C go on in each
    terms   for each loop over terms, how many turns, and the bytes that A and B go on in each
    """

    around: Sequence[tuple[int, int, int, int]]
    terms: Sequence[tuple[int, int, int]]

    def plain(self) -> Nest:
        """Without loops of one turn; a loop that another one goes on with is a part of it."""
        return Nest(_merged(self.around), _merged(self.terms) or [(1, 0, 0)])


def _merged(loops: Sequence[tuple[int, ...]]) -> list[Any]:
    found: list[tuple[int, ...]] = []
    for count, *steps in loops:
        if count == 1:
            continue
        if found and all(far == count * near for far, near in zip(found[-1][1:], steps, strict=True)):
            count *= found.pop()[0]
        found.append((count, *steps))
    return found


@functools.cache
def text(type: str, block: Block, around: int = 1, terms: int = 1, panels_first: bool = False, adds: bool = False) -> str:
    """The kernel for floats of a type, with so many loops around products, and over their terms.

    Its words: m, n; for each loop around how many turns, and the steps of A, B and C; for each over terms how many turns, and
    the steps of A and B; the address of A and the distance of its rows; that of B and the distance of its columns, of those
    that do not stand in one block; that of C and the distance of its rows.

    panels_first  the columns of a block go through all loops before the next ones do, so that their part of B stays near
    adds          products are added to C; then blocks must not overlap
    """
    code = Code()
    m, n = code.word(), code.word()
    loops = [[code.word() for _ in range(4)] for _ in range(around)]
    sums = [[code.word() for _ in range(3)] for _ in range(terms)]
    a, left, b, across, c, down = (code.word(kind) for kind in ("ptr", "i64", "ptr", "i64", "ptr", "i64"))
    writer = _Writer(code, type, block, m, n, sums, (left, down), across, adds)

    def nested(level: int, a: str, b: str, c: str, inner: Callable[[str, str, str], None]) -> None:
        if level == around:
            inner(a, b, c)
            return
        stop, *steps = loops[level]

        def turn(at: At, _: list[Number]) -> list[Number]:
            nested(level + 1, at.pointers[0], at.pointers[1], at.pointers[2], inner)
            return []

        code.turns(stop, ("1", 1), turn, list(zip((a, b, c), steps, strict=True)))

    if panels_first:
        writer.panels(b, c, lambda b, c, mask: nested(0, a, b, c, lambda a, b, c: writer.rows_of(a, b, c, mask)))
    else:
        nested(0, a, b, c, lambda a, b, c: writer.panels(b, c, lambda b, c, mask: writer.rows_of(a, b, c, mask)))
    return code.text()


def words(
    m: int, n: int, nest: Nest, a: tuple[Where, int], b: tuple[Where, int], c: tuple[Where, int]
) -> list[int | Where]:
    """The words of such a kernel: A and C with the distances of their rows, B with that of its columns, in bytes."""
    numbers = [number for loops in nest for loop in loops for number in loop]
    return [m, n, *numbers, *a, *b, *c]


@functools.cache
def turning(type: str, side: int) -> str:
    """The kernel that copies a matrix into the dense rows of another, its rows and columns exchanged, by squares.

    Its words: the rows and the columns of the copy; the address of what is copied, and the distance of its columns; the
    address of the copy. A square of numbers is turned in registers, by as many rounds as it takes to deal its lines like
    cards, each round one line from either half.
    """
    code = Code()
    rows, columns = code.word(), code.word()
    source, distance, target = code.word("ptr"), code.word(), code.word("ptr")
    pitch = code.line(f"mul i64 {columns}, {type[1]}")

    def square(start: str, to: str) -> None:
        lines = [load(code, type, place, side, None) for place in places(code, start, side, distance)]
        for _ in range(side.bit_length() - 1):
            lines = [x for a, b in zip(lines[: side // 2], lines[side // 2 :], strict=True) for x in _dealt(code, a, b, side)]
        for line, place in zip(lines, places(code, to, side, pitch), strict=True):
            store(code, line, place, side, None)

    def down(at: At, _: list[Number]) -> list[Number]:
        start, (to,) = code.line(f"getelementptr {stored(type)}, ptr {source}, i64 {at.i}"), at.pointers

        def along(at: At, _: list[Number]) -> list[Number]:
            square(at.pointers[0], code.line(f"getelementptr {stored(type)}, ptr {to}, i64 {at.i}"))
            return []

        code.turns(columns, over[1], along, [(start, distance)])
        return []

    over = [(code.first(size, side) if side > 1 else "1", side) for size in (rows, columns)]
    code.turns(rows, over[0], down, [(target, pitch)])
    return code.text()


def _dealt(code: Code, a: Number, b: Number, width: int) -> list[Number]:
    """Two lines, their numbers taken in turns: the first halves, the second halves."""
    kind = f"<{width} x {stored(a.type)}>"
    halves = []
    for start in (0, width // 2):
        order = ", ".join(f"i32 {k}, i32 {width + k}" for k in range(start, start + width // 2))
        halves.append(Number(code.line(f"shufflevector {kind} {a.name}, {kind} {b.name}, <{width} x i32> <{order}>"), a.type))
    return halves


class _Writer:
    def __init__(
        self, code: Code, type: str, block: Block, m: str, n: str, sums: Sequence[Sequence[str]], rows: tuple[str, str],
        column: str, adds: bool,
    ) -> None:  # fmt: skip
        self.code, self.type, self.block = code, type, block
        self.m, self.n, self.adds = m, n, adds
        self.sums, self.rows, self.column = sums, rows, column
        self.width = width(type)
        self.vector = Emitter(self.width, code.name).llvm_type(type)
        across = block.vectors * self.width
        self.down = self._first(m, block.rows), block.rows
        self.across = str(across) if block.masked else code.first(n, across), across

    def _first(self, size: str, step: int) -> str:
        """As `code.first`, for any number of rows."""
        if step & (step - 1) == 0:
            return self.code.first(size, step) if step > 1 else "1"
        left = self.code.line(f"urem i64 {self.code.line(f'sub i64 {size}, 1')}, {step}")
        return self.code.line(f"add i64 {left}, 1")

    def _right(self, start: str, j: str | int) -> str:
        return self.code.line(f"getelementptr {stored(self.type)}, ptr {start}, i64 {j}")

    def panels(self, b: str, c: str, inner: Callable[[str, str, str | None], None]) -> None:
        """Columns of a block's width after each other."""

        def panel(at: At, _: list[Number]) -> list[Number]:
            mask = self._mask(at.i) if self.block.masked else None
            start = self.code.line(f"getelementptr i8, ptr {b}, i64 {self.code.line(f'mul i64 {self.column}, {at.i}')}")
            inner(start, self._right(c, at.i), mask)
            return []

        self.code.turns(self.n, self.across, panel)

    def rows_of(self, a: str, b: str, c: str, mask: str | None) -> None:
        """The blocks of one panel."""

        def rows(at: At, _: list[Number]) -> list[Number]:
            self._rows(at.pointers[0], b, at.pointers[1], mask)
            return []

        self.code.turns(self.m, self.down, rows, [(a, self.rows[0]), (c, self.rows[1])])

    def _mask(self, j: str) -> str:
        """Which lanes are left of a row from column j on."""
        rest = self.code.line(f"sub i64 {self.n}, {j}")
        narrow = Number(self.code.line(f"trunc i64 {rest} to i32"), "i4")
        numbers = ", ".join(f"i32 {i}" for i in range(self.width))
        return self.code.line(f"icmp slt <{self.width} x i32> <{numbers}>, {splat(self.code, narrow, self.width).name}")

    def _rows(self, a: str, b: str, c: str, mask: str | None) -> None:
        """One block of C."""
        code, width, (rows, vectors, _) = self.code, self.width, self.block
        apart = [code.line(f"mul i64 {self.rows[0]}, {i}") for i in range(1, rows)]
        targets = [self._right(line, v * width) for line in places(code, c, rows, self.rows[1]) for v in range(vectors)]
        zero = Emitter(width, code.name).constant(0, self.type)
        start = [self._load(place, mask) if self.adds else zero for place in targets]

        def term(line: str, first: str, sums: list[Number]) -> list[Number]:
            right = [self._load(self._right(line, v * width), mask) for v in range(vectors)]
            added = []
            lines = [first, *(code.line(f"getelementptr i8, ptr {first}, i64 {far}") for far in apart)]
            for i, place in enumerate(lines):
                left = splat(code, load(code, self.type, place, 1, None), width)
                e = code.emitter(width)
                added += [fma(e, left, right[v], sums[i * vectors + v]) for v in range(vectors)]
                code.take(e)
            return added

        def summed(level: int, line: str, first: str, sums: list[Number]) -> list[Number]:
            if level == len(self.sums):
                return term(line, first, sums)
            stop, left, right = self.sums[level]

            def turn(at: At, held: list[Number]) -> list[Number]:
                return summed(level + 1, at.pointers[0], at.pointers[1], held)

            return code.turns(stop, ("1", 1), turn, [(line, right), (first, left)], sums, [width] * len(sums))

        for x, place in zip(summed(0, b, a, start), targets, strict=True):
            self._store(x, place, mask)

    def _load(self, place: str, mask: str | None) -> Number:
        if mask is None:
            return load(self.code, self.type, place, self.width, None)
        name = f"@llvm.masked.load.v{self.width}f{8 * int(self.type[1])}.p0"
        truth = f"<{self.width} x i1>"
        self.code.declared[f"declare {self.vector} {name}(ptr, i32, {truth}, {self.vector})"] = None
        given = f"ptr {place}, i32 {self.type[1]}, {truth} {mask}, {self.vector} zeroinitializer"
        return Number(self.code.line(f"call {self.vector} {name}({given})"), self.type)

    def _store(self, x: Number, place: str, mask: str | None) -> None:
        if mask is None:
            self.code.lines.append(f"  store {self.vector} {x.name}, ptr {place}, align {self.type[1]}")
            return
        name = f"@llvm.masked.store.v{self.width}f{8 * int(self.type[1])}.p0"
        truth = f"<{self.width} x i1>"
        self.code.declared[f"declare void {name}({self.vector}, ptr, i32, {truth})"] = None
        given = f"{self.vector} {x.name}, ptr {place}, i32 {self.type[1]}, {truth} {mask}"
        self.code.lines.append(f"  call void {name}({given})")
