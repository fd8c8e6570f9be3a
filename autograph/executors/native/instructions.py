"""What kernels call that is no function of their language: conversions, whole lines at once, keys, routines of LAPACK."""

from __future__ import annotations

import math
from collections.abc import Callable

from autograph.executors.native.code import Code, load, splat, store
from autograph.executors.native.compiler import lanes
from autograph.executors.native.emitter import Number, stored
from autograph.executors.native.language import Instruction, Pointer, Term

# numbers -------------------------------------------------------------------------------------------------------------


def _cast(type: str) -> Instruction:
    def emit(code: Code, x: Term) -> Number:
        e = code.emitter(1)
        result = e.cast(x, type) if isinstance(x, Number) else e.constant(x, type)
        code.take(e)
        return result

    return Instruction(emit)


whole, double, byte = _cast("i8"), _cast("f8"), _cast("u1")


def _by_emitter(name: str) -> Instruction:
    def emit(code: Code, *operands: Number) -> Number:
        e = code.emitter(1)
        result: Number = getattr(e, name)(*operands)
        code.take(e)
        return result

    return Instruction(emit)


isnan, absolute = _by_emitter("isnan"), _by_emitter("absolute")


def _high_product(code: Code, a: Term, b: Term) -> Number:
    """The upper 64 bits of the product of two words without a sign."""
    wide = []
    for x in (a, b):
        name = str(x) if isinstance(x, int) else x.name  # type: ignore[union-attr]  # a number
        wide.append(code.line(f"zext i64 {name} to i128"))
    high = code.line(f"lshr i128 {code.line(f'mul i128 {wide[0]}, {wide[1]}')}, 64")
    return Number(code.line(f"trunc i128 {high} to i64"), "i8")


high_product = Instruction(_high_product)


def _of(code: Code, line: Pointer, x: Term) -> Number:
    e = code.emitter(1)
    result = e.cast(x, line.type) if isinstance(x, Number) else e.constant(x, line.type)
    code.take(e)
    return result


of = Instruction(_of)  # of(line, x): x in the type of a line's numbers


def _by_vectors(code: Code, count: Number, type: str, one: Callable[[str, int], None]) -> None:
    """`one(place, lanes)` for all places of a line: vectors, then what is left of them one by one."""
    width = lanes() * 4 // max(int(type[1]), 4)
    whole_ = code.line(f"and i64 {count.name}, {-width}")
    for start, stop, step in (("0", whole_, width), (whole_, count.name, 1)):

        def turn(i: str, _: list[Number], step: int = step) -> list[Number]:
            one(i, step)
            return []

        code.loop(start, stop, step, turn)


def _moved(code: Code, line: Pointer, i: str) -> str:
    return code.line(f"getelementptr {stored(line.type)}, ptr {line.name}, i64 {i}")


def _copy(code: Code, to: Pointer, source: Pointer, count: Number) -> None:
    def one(i: str, width: int) -> None:
        store(code, load(code, source.type, _moved(code, source, i), width, None), _moved(code, to, i), width, None)

    _by_vectors(code, count, to.type, one)


def _plus(code: Code, to: Pointer, a: Pointer, b: Pointer, count: Number) -> None:
    def one(i: str, width: int) -> None:
        x, y = (load(code, line.type, _moved(code, line, i), width, None) for line in (a, b))
        e = code.emitter(width)
        total = e.add(x, y)
        code.take(e)
        store(code, total, _moved(code, to, i), width, None)

    _by_vectors(code, count, to.type, one)


def _fill(code: Code, to: Pointer, value: Term, count: Number) -> None:
    def one(i: str, width: int) -> None:
        assert isinstance(value, int | float)
        e = code.emitter(width)
        store(code, e.constant(value, to.type), _moved(code, to, i), width, None)

    _by_vectors(code, count, to.type, one)


copy, plus, fill = Instruction(_copy), Instruction(_plus), Instruction(_fill)


# lines, a vector at a time; and order


def _vector(code: Code) -> int:
    return lanes()


def _same(code: Code, line: Pointer, value: Number) -> Number:
    """Which of the next numbers are a value, or NaN: a bit for each."""
    width = lanes()
    e = code.emitter(width)
    some = load(code, line.type, line.name, width, None)
    hits = e.logical_or(e.equal(some, splat(code, value, width)), e.isnan(some))
    code.take(e)
    bits = code.line(f"bitcast <{width} x i1> {hits.name} to i{width}")
    return Number(code.line(f"zext i{width} {bits} to i64"), "i8")


def _lowest(code: Code, x: Number) -> Number:
    """The place of the lowest bit that is set."""
    code.declared["declare i64 @llvm.cttz.i64(i64, i1)"] = None
    return Number(code.line(f"call i64 @llvm.cttz.i64(i64 {x.name}, i1 true)"), "i8")


def _in_order(code: Code, x: Number, falling: Number) -> Number:
    """A key: a whole number without a sign that stands as x among its like, NaN last; or the other way round."""
    e = code.emitter(1)
    turned = e.equal(falling, e.constant(1, "i8"))
    bits = e.bits(x) if x.type[0] == "f" else e.cast(x, "u1") if x.type == "b1" else x
    zero, ones = e.constant(0, bits.type), e.constant(-1, bits.type)
    size = f"u{max(int(bits.type[1]), 4)}"
    if bits.type[0] == "i":
        top = e.constant(-(2 ** (8 * int(bits.type[1]) - 1)), bits.type)
        flip = top
        if x.type[0] == "f":
            flip = e.select(e.less(bits, zero), ones, top)
        bits = e.emit(f"xor {stored(bits.type)} {bits.name}, {flip.name}", bits.type)
    bits = Number(bits.name, f"u{bits.type[1]}")
    bits = e.select(turned, e.emit(f"xor {stored(bits.type)} {bits.name}, -1", bits.type), bits)
    if x.type[0] == "f":
        bits = e.select(e.isnan(x), Number("-1", bits.type), bits)
    result = e.cast(bits, size)
    code.take(e)
    return result


def _from_order(code: Code, line: Pointer, key: Number, falling: Number) -> Number:
    """The number of a line's type that has this key."""
    type = line.type
    e = code.emitter(1)
    turned = e.equal(falling, e.constant(1, "i8"))
    size = 1 if type == "b1" else int(type[1])
    bits = e.cast(key, f"u{size}")
    plain = e.select(turned, e.emit(f"xor {stored(bits.type)} {bits.name}, -1", bits.type), bits)
    if type[0] in "fi":
        signed = Number(plain.name, f"i{size}")
        top, ones = e.constant(-(2 ** (8 * size - 1)), signed.type), e.constant(-1, signed.type)
        flip = e.select(e.less(signed, e.constant(0, signed.type)), top, ones) if type[0] == "f" else top
        plain = e.emit(f"xor {stored(signed.type)} {signed.name}, {flip.name}", signed.type)
    if type[0] != "f":
        result = e.truth(plain) if type == "b1" else Number(plain.name, type)
    else:
        last = e.compare("eq", bits, Number("-1", bits.type))
        result = e.select(last, e.constant(math.nan, type), e.float_of_bits(plain))
    code.take(e)
    return result


vector, same, lowest = Instruction(_vector), Instruction(_same), Instruction(_lowest)
in_order, from_order = Instruction(_in_order), Instruction(_from_order)


def _run(code: Code, routine: Pointer, *arguments: Pointer) -> None:
    code.lines.append(f"  call void {routine.name}({', '.join(f'ptr {a.name}' for a in arguments)})")


run = Instruction(_run)  # a routine of LAPACK on addresses
