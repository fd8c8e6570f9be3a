"""Products of small matrices, without the packing that pays for BLAS where they are large.

C = A·B by blocks of a few rows and one or two vectors of C, which stay in registers while k runs. B and C have dense rows; A
may lie in any way, for its numbers are read one by one. The first two blocks of a row, and of a column, overlap where no
whole number of blocks fills it; where a row is narrow, what is left of it goes by vectors with a mask.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from autograph.executors.native.code import At, Code, load, places, splat, store
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import Emitter, Number, stored
from autograph.executors.native.mathlib import fma

ROWS = 4  # from so many rows on, ours are faster than BLAS also where matrices are larger
SMALL = {"f4": 2**22, "f8": 2**19}  # multiplications, up to which these are faster than BLAS, as measured


class Block(NamedTuple):
    """What stays in registers: so many rows, of so many vectors. With a mask a vector may be a part of one."""

    rows: int
    vectors: int
    masked: bool


def block(m: int, n: int, width: int) -> Block:
    """The block for products of m rows and n columns. Two vectors beside each other read each number of A half as often."""
    half, whole = -(-n // width), -(-n // (2 * width)) * 2
    if n >= 2 * width and whole * 5 <= half * 6:
        return Block(4 if m >= 4 else 1, 2, False)
    return Block(8 if m >= 8 else 4 if m >= 4 else 1, 1, n % width > 0)


def width(type: str) -> int:
    """How many numbers of a type a register holds."""
    return lanes() * 4 // int(type[1])


@functools.cache
def text(type: str, block: Block) -> str:
    """The kernel for floats of a type.

    Its words: m, n, k; how many products; for each of A, B and C its address, the distance of its rows, and that of the
    matrices; at last the distance of the columns of A.
    """
    code = Code()
    m, n, k, many = (code.word() for _ in range(4))
    matrices = [(code.word("ptr"), code.word(), code.word()) for _ in range(3)]
    writer = _Writer(code, type, block, m, n, k, [rows for _, rows, _ in matrices], code.word())

    def turn(at: At, _: list[Number]) -> list[Number]:
        writer.product(*at.pointers)
        return []

    code.turns(many, ("1", 1), turn, [(start, step) for start, _, step in matrices])
    return code.text()


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
    def __init__(self, code: Code, type: str, block: Block, m: str, n: str, k: str, rows: list[str], column: str) -> None:
        self.code, self.type, self.block = code, type, block
        self.m, self.n, self.k = m, n, k
        self.rows, self.column = rows, column
        self.width = width(type)
        self.vector = Emitter(self.width, code.name).llvm_type(type)
        across = block.vectors * self.width
        self.down = code.first(m, block.rows) if block.rows > 1 else "1", block.rows
        self.across = str(across) if block.masked else code.first(n, across), across

    def _right(self, start: str, j: str | int) -> str:
        return self.code.line(f"getelementptr {stored(self.type)}, ptr {start}, i64 {j}")

    def product(self, a: str, b: str, c: str) -> None:
        """One product, panel by panel of columns."""

        def panel(at: At, _: list[Number]) -> list[Number]:
            mask = self._mask(at.i) if self.block.masked else None
            right, result = self._right(b, at.i), self._right(c, at.i)

            def rows(at: At, _: list[Number]) -> list[Number]:
                self._rows(at.pointers[0], right, at.pointers[1], mask)
                return []

            self.code.turns(self.m, self.down, rows, [(a, self.rows[0]), (result, self.rows[2])])
            return []

        self.code.turns(self.n, self.across, panel)

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
        zero = Emitter(width, code.name).constant(0, self.type)

        def term(at: At, sums: list[Number]) -> list[Number]:
            line, first = at.pointers
            right = [self._load(self._right(line, v * width), mask) for v in range(vectors)]
            added = []
            places = [first, *(code.line(f"getelementptr i8, ptr {first}, i64 {far}") for far in apart)]
            for i, place in enumerate(places):
                left = splat(code, load(code, self.type, place, 1, None), width)
                e = code.emitter(width)
                added += [fma(e, left, right[v], sums[i * vectors + v]) for v in range(vectors)]
                code.take(e)
            return added

        count = rows * vectors
        sums = code.turns(self.k, ("1", 1), term, [(b, self.rows[1]), (a, self.column)], [zero] * count, [width] * count)
        for i, line in enumerate(places(code, c, rows, self.rows[2])):
            for v in range(vectors):
                self._store(sums[i * vectors + v], self._right(line, v * width), mask)

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
