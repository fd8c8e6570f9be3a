"""Products of small matrices, without the packing that pays for BLAS where they are large.

C = A·B by blocks of four rows and two vectors of C, which stay in registers while k runs. B and C have dense rows; A may
lie in any way, for its numbers are read one by one. What is left of a row goes by vectors with a mask, what is left of the
rows one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from autograph.executors.native.code import Code, load, splat, store
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import Emitter, Number, stored
from autograph.executors.native.mathlib import fma

ROWS, VECTORS = 4, 2  # of a block; with a mask, twice the rows and one vector
SMALL = {"f4": 2**22, "f8": 2**19}  # multiplications, up to which these are faster than BLAS, as measured


@functools.cache
def text(type: str) -> str:
    """The kernel for floats of a type.

    Its words: m, n, k; how many products; for each of A, B and C its address, the distance of its rows, and that of the
    matrices; at last the distance of the columns of A.
    """
    code = Code()
    m, n, k, many = (code.word() for _ in range(4))
    matrices = [(code.word("ptr"), code.word(), code.word()) for _ in range(3)]
    writer = _Writer(code, type, m, n, k, [rows for _, rows, _ in matrices], code.word())

    def turn(i: str, _: list[Number]) -> list[Number]:
        writer.product(*(writer.moved(start, i, step) for start, _, step in matrices))
        return []

    code.loop("0", many, 1, turn)
    return code.text()


@functools.cache
def turning(type: str) -> str:
    """The kernel that copies a matrix into the dense rows of another, its rows and columns exchanged.

    Its words: the rows and the columns of the copy; the address of what is copied, and the distance of its columns; the
    address of the copy. A square of numbers is turned in registers, by as many rounds as it takes to deal its lines like
    cards, each round one line from either half.
    """
    code = Code()
    rows, columns = code.word(), code.word()
    source, distance, target = code.word("ptr"), code.word(), code.word("ptr")
    width = lanes() * 4 // int(type[1])
    pitch = code.line(f"mul i64 {columns}, {type[1]}")

    def place(start: str, i: str, step: str, j: str) -> str:
        line = code.line(f"getelementptr i8, ptr {start}, i64 {code.line(f'mul i64 {i}, {step}')}")
        return code.line(f"getelementptr {stored(type)}, ptr {line}, i64 {j}")

    def square(i: str, j: str) -> None:
        across = [code.line(f"add i64 {j}, {t}") for t in range(width)]
        lines = [load(code, type, place(source, c, distance, i), width, None) for c in across]
        for _ in range(width.bit_length() - 1):
            lines = [x for a, b in zip(lines[: width // 2], lines[width // 2 :], strict=True) for x in _dealt(code, a, b, width)]
        for t, line in enumerate(lines):
            store(code, line, place(target, code.line(f"add i64 {i}, {t}"), pitch, j), width, None)

    def single(i: str, j: str) -> None:
        store(code, load(code, type, place(source, j, distance, i), 1, None), place(target, i, pitch, j), 1, None)

    def over(rows: tuple[str, str, int], columns: tuple[str, str, int], one: Callable[[str, str], None]) -> None:
        def down(i: str, _: list[Number]) -> list[Number]:
            def along(j: str, _: list[Number]) -> list[Number]:
                one(i, j)
                return []

            code.loop(*columns, along)
            return []

        code.loop(*rows, down)

    whole_rows, whole_columns = (code.line(f"and i64 {size}, {-width}") for size in (rows, columns))
    over(("0", whole_rows, width), ("0", whole_columns, width), square)
    over(("0", whole_rows, 1), (whole_columns, columns, 1), single)
    over((whole_rows, rows, 1), ("0", columns, 1), single)
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
    def __init__(self, code: Code, type: str, m: str, n: str, k: str, rows: list[str], column: str) -> None:
        self.code, self.type = code, type
        self.m, self.n, self.k = m, n, k
        self.rows, self.column = rows, column
        self.width = lanes() * 4 // int(type[1])
        self.vector = Emitter(self.width, code.name).llvm_type(type)

    def moved(self, start: str, i: str, step: str) -> str:
        """The address i steps behind another."""
        return self.code.line(f"getelementptr i8, ptr {start}, i64 {self.code.line(f'mul i64 {i}, {step}')}")

    def _right(self, start: str, j: str | int) -> str:
        return self.code.line(f"getelementptr {stored(self.type)}, ptr {start}, i64 {j}")

    def product(self, a: str, b: str, c: str) -> None:
        """One product: panels of whole vectors, then those with a mask."""
        wide = VECTORS * self.width
        whole = self.code.line(f"and i64 {self.n}, {-wide}")

        def panel(j: str, _: list[Number], masked: bool = False) -> list[Number]:
            mask = self._mask(j) if masked else None
            self._panel(a, self._right(b, j), self._right(c, j), mask)
            return []

        self.code.loop("0", whole, wide, panel)
        self.code.loop(whole, self.n, self.width, functools.partial(panel, masked=True))

    def _mask(self, j: str) -> str:
        """Which lanes are left of a row from column j on."""
        rest = self.code.line(f"sub i64 {self.n}, {j}")
        narrow = Number(self.code.line(f"trunc i64 {rest} to i32"), "i4")
        numbers = ", ".join(f"i32 {i}" for i in range(self.width))
        return self.code.line(f"icmp slt <{self.width} x i32> <{numbers}>, {splat(self.code, narrow, self.width).name}")

    def _panel(self, a: str, b: str, c: str, mask: str | None) -> None:
        most = ROWS if mask is None else ROWS * VECTORS
        whole = self.code.line(f"and i64 {self.m}, {-most}")

        def block(i: str, _: list[Number], rows: int = most) -> list[Number]:
            self._block(self.moved(a, i, self.rows[0]), b, self.moved(c, i, self.rows[2]), mask, rows)
            return []

        self.code.loop("0", whole, most, block)
        self.code.loop(whole, self.m, 1, functools.partial(block, rows=1))

    def _block(self, a: str, b: str, c: str, mask: str | None, rows: int) -> None:
        """Some rows of a panel of C."""
        code, width = self.code, self.width
        vectors = VECTORS if mask is None else 1
        lines = [self.moved(a, str(i), self.rows[0]) for i in range(rows)]
        zero = Emitter(width, code.name).constant(0, self.type)

        def term(k: str, sums: list[Number]) -> list[Number]:
            column = code.line(f"mul i64 {k}, {self.column}")
            line = self.moved(b, k, self.rows[1])
            right = [self._load(self._right(line, v * width), mask) for v in range(vectors)]
            added = []
            for i, start in enumerate(lines):
                place = code.line(f"getelementptr i8, ptr {start}, i64 {column}")
                left = splat(code, load(code, self.type, place, 1, None), width)
                e = code.emitter(width)
                added += [fma(e, left, right[v], sums[i * vectors + v]) for v in range(vectors)]
                code.take(e)
            return added

        sums = code.loop("0", self.k, 1, term, [zero] * (rows * vectors), [width] * (rows * vectors))
        for i in range(rows):
            line = self.moved(c, str(i), self.rows[2])
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
