"""The namespace of single numbers: each ufunc becomes instructions of LLVM, on one lane or on several at once.

Nothing here changes a result: no flag allows LLVM to reorder, contract or approximate. `mathlib` has what takes more
than a few instructions. Types are named by NumPy's kind and size: "f4", "i8", "u1", "b1".
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from autograph.executors.native.compiler import features
from autograph.tensor_type import DType

_STORED = {"f2": "half", "f4": "float", "f8": "double", "b1": "i8"}
_COMPARED = {"equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}


class Number(NamedTuple):
    """An SSA value: its name, and its type."""

    name: str
    type: str


def converts_halves() -> bool:
    """Whether the processor converts half precision to single and back; without it each number would be a call."""
    return bool(features() & {"f16c", "avx512fp16", "neon"})


@functools.cache
def type_of(dtype: DType) -> str | None:
    """The name of a dtype here; None for one that the executor leaves to NumPy on this processor."""
    name = dtype.str[1:]
    return None if name == "f2" and not converts_halves() else name


def stored(type: str) -> str:
    """How LLVM calls a type in memory."""
    return _STORED.get(type) or f"i{8 * int(type[1])}"


def literal(value: Any, type: str) -> str:
    """A number as LLVM writes it; floats by their bits, so that none is rounded."""
    if type == "f2":
        return "0xH" + struct.pack(">e", value).hex().upper()
    if type[0] == "f":
        number = struct.unpack("<f", struct.pack("<f", value))[0] if type == "f4" else float(value)
        return "0x" + struct.pack(">d", number).hex().upper()
    return ("true" if value else "false") if type == "b1" else str(int(value))


class Emitter:
    """Instructions that work on `lanes` elements at once. A pure one that was emitted before is used again.

    block  the label of the block that the next one goes to
    """

    def __init__(self, lanes: int, names: Callable[[], str], block: str = "entry") -> None:
        self.lanes = lanes
        self.block = block
        self.lines: list[str] = []
        self.declared: dict[str, None] = {}
        self._names = names
        self._known: dict[str, str] = {}

    # text -------------------------------------------------------------------------------------------------------------

    def llvm_type(self, type: str) -> str:
        """The type of an SSA value: of one number, or of a vector of them."""
        one = "i1" if type == "b1" else stored(type)
        return one if self.lanes == 1 else f"<{self.lanes} x {one}>"

    def emit(self, text: str, type: str) -> Number:
        """A pure instruction."""
        name = self._known.get(text)
        if name is None:
            name = self._known[text] = self._names()
            self.lines.append(f"{name} = {text}")
        return Number(name, type)

    def constant(self, value: Any, type: str) -> Number:
        text = literal(value, type)
        if self.lanes > 1:
            text = f"splat ({'i1' if type == 'b1' else stored(type)} {text})"
        return Number(text, type)

    def like(self, value: Any, x: Number) -> Number:
        return value if isinstance(value, Number) else self.constant(value, x.type)

    def intrinsic(self, name: str, *arguments: Number, type: str | None = None) -> Number:
        """A call of `llvm.<name>` that is overloaded by the type of its first argument."""
        kind = arguments[0].type
        suffix = f"{'f' if kind[0] == 'f' else 'i'}{8 * int(kind[1])}"
        function = f"@llvm.{name}.{suffix if self.lanes == 1 else f'v{self.lanes}{suffix}'}"
        types = [self.llvm_type(a.type) for a in arguments]
        result = self.llvm_type(type or kind)
        self.declared[f"declare {result} {function}({', '.join(types)})"] = None
        given = ", ".join(f"{t} {a.name}" for t, a in zip(types, arguments, strict=True))
        return self.emit(f"call {result} {function}({given})", type or kind)

    def _two(self, instruction: str, a: Number, b: Number) -> Number:
        return self.emit(f"{instruction} {self.llvm_type(a.type)} {a.name}, {b.name}", a.type)

    def convert(self, instruction: str, x: Number, type: str) -> Number:
        """A conversion by one instruction."""
        return self.emit(f"{instruction} {self.llvm_type(x.type)} {x.name} to {self.llvm_type(type)}", type)

    def compare(self, predicate: str, a: Number, b: Number) -> Number:
        """`fcmp` or `icmp` by an LLVM predicate: a truth value."""
        word = "fcmp" if a.type[0] == "f" else "icmp"
        return self.emit(f"{word} {predicate} {self.llvm_type(a.type)} {a.name}, {b.name}", "b1")

    def select(self, condition: Number, a: Number, b: Number) -> Number:
        """a where the condition holds, else b."""
        kind = self.llvm_type(a.type)
        return self.emit(f"select {self.llvm_type('b1')} {condition.name}, {kind} {a.name}, {kind} {b.name}", a.type)

    def by_lane(self, function: str, x: Number) -> Number:
        """The C library's function of a float, called for one lane after the other."""
        one, kind = stored(x.type), self.llvm_type(x.type)
        self.declared[f"declare {one} @{function}({one})"] = None
        result = x.name
        for k in range(self.lanes):
            part = result if self.lanes == 1 else self._line(f"extractelement {kind} {x.name}, i64 {k}")
            part = self._line(f"call {one} @{function}({one} {part})")
            result = part if self.lanes == 1 else self._line(f"insertelement {kind} {result}, {one} {part}, i64 {k}")
        return Number(result, x.type)

    def unless(self, rare: Number, y: Number, other: Callable[[], Number]) -> Number:
        """y, but the other one, which is made by a branch of its own, in lanes where a rare condition holds."""
        rarely, after = (self._names() for _ in range(2))
        some = rare.name
        if self.lanes > 1:
            self.declared[f"declare i1 @llvm.vector.reduce.or.v{self.lanes}i1(<{self.lanes} x i1>)"] = None
            some = self._line(f"call i1 @llvm.vector.reduce.or.v{self.lanes}i1(<{self.lanes} x i1> {rare.name})")
        self.lines.append(f"br i1 {some}, label {rarely}, label {after}")
        before, known = self.block, dict(self._known)
        self._start(rarely)
        chosen = self.select(rare, other(), y)
        self.lines.append(f"br label {after}")
        last, self._known = self.block, known
        self._start(after)
        kind = self.llvm_type(y.type)
        return Number(self._line(f"phi {kind} [{y.name}, %{before}], [{chosen.name}, %{last}]"), y.type)

    def _line(self, text: str) -> str:
        """An instruction that is not used again; the name of its result."""
        name = self._names()
        self.lines.append(f"{name} = {text}")
        return name

    def _start(self, label: str) -> None:
        self.block = label[1:]
        self.lines.append(f"{self.block}:")

    # arithmetic -------------------------------------------------------------------------------------------------------

    def add(self, a: Number, b: Number) -> Number:
        return self._two({"f": "fadd", "b": "or"}.get(a.type[0], "add"), a, b)

    def subtract(self, a: Number, b: Number) -> Number:
        return self._two("fsub" if a.type[0] == "f" else "sub", a, b)

    def multiply(self, a: Number, b: Number) -> Number:
        return self._two({"f": "fmul", "b": "and"}.get(a.type[0], "mul"), a, b)

    def divide(self, a: Number, b: Number) -> Number:
        return self._two("fdiv", a, b)

    def frem(self, a: Number, b: Number) -> Number:
        """The C library's fmod."""
        return self._two("frem", a, b)

    def whole_quotient(self, a: Number, b: Number) -> Number:
        """a / b of integers, cut towards zero; nothing divides by 0, nor the least number by -1."""
        return self._two("udiv" if a.type[0] == "u" else "sdiv", a, b)

    def negative(self, x: Number) -> Number:
        if x.type[0] == "f":
            return self.emit(f"fneg {self.llvm_type(x.type)} {x.name}", x.type)
        return self.subtract(self.constant(0, x.type), x)

    def square(self, x: Number) -> Number:
        return self.multiply(x, x)

    def reciprocal(self, x: Number) -> Number:
        return self.divide(self.constant(1, x.type), x)

    def sqrt(self, x: Number) -> Number:
        return self.intrinsic("sqrt", x)

    def absolute(self, x: Number) -> Number:
        if x.type[0] == "f":
            return self.intrinsic("fabs", x)
        return x if x.type[0] in "ub" else self.select(self.less(x, self.constant(0, x.type)), self.negative(x), x)

    def sign(self, x: Number) -> Number:
        zero, one = self.constant(0, x.type), self.constant(1, x.type)
        if x.type[0] == "u":
            return self.select(self.equal(x, zero), zero, one)
        below = self.select(self.less(x, zero), self.constant(-1, x.type), zero)
        signed = self.select(self.greater(x, zero), one, below)
        return self.select(self.isnan(x), x, signed) if x.type[0] == "f" else signed

    def maximum(self, a: Number, b: Number) -> Number:
        return self._extreme("or", self.greater_equal, a, b)

    def minimum(self, a: Number, b: Number) -> Number:
        return self._extreme("and", self.less_equal, a, b)

    def _extreme(self, of_truths: str, order: Callable[[Number, Number], Number], a: Number, b: Number) -> Number:
        """The one that stands before the other, or a NaN."""
        if a.type[0] == "b":
            return self._two(of_truths, a, b)
        wins = order(a, b)
        return self.select(self._two("or", wins, self.isnan(a)) if a.type[0] == "f" else wins, a, b)

    def fmax(self, a: Number, b: Number) -> Number:
        return self.maximum(a, b) if a.type[0] != "f" else self.select(self.isnan(b), a, self._over(a, b, "greater_equal"))

    def fmin(self, a: Number, b: Number) -> Number:
        return self.minimum(a, b) if a.type[0] != "f" else self.select(self.isnan(b), a, self._over(a, b, "less_equal"))

    def _over(self, a: Number, b: Number, order: str) -> Number:
        return self.select(getattr(self, order)(a, b), a, b)

    def floor(self, x: Number) -> Number:
        return self._rounded("floor", x)

    def ceil(self, x: Number) -> Number:
        return self._rounded("ceil", x)

    def trunc(self, x: Number) -> Number:
        return self._rounded("trunc", x)

    def rint(self, x: Number) -> Number:
        return self._rounded("rint", x)

    def _rounded(self, how: str, x: Number) -> Number:
        return self.intrinsic(how, x) if x.type[0] == "f" else x

    def copysign(self, a: Number, b: Number) -> Number:
        return self.intrinsic("copysign", a, b)

    # truth ------------------------------------------------------------------------------------------------------------

    def _compared(self, name: str, a: Number, b: Number) -> Number:
        word = _COMPARED[name]
        if a.type[0] == "f":
            return self.compare("une" if word == "ne" else f"o{word}", a, b)
        return self.compare(word if word in ("eq", "ne") else f"{'s' if a.type[0] == 'i' else 'u'}{word}", a, b)

    def equal(self, a: Number, b: Number) -> Number:
        return self._compared("equal", a, b)

    def not_equal(self, a: Number, b: Number) -> Number:
        return self._compared("not_equal", a, b)

    def less(self, a: Number, b: Number) -> Number:
        return self._compared("less", a, b)

    def less_equal(self, a: Number, b: Number) -> Number:
        return self._compared("less_equal", a, b)

    def greater(self, a: Number, b: Number) -> Number:
        return self._compared("greater", a, b)

    def greater_equal(self, a: Number, b: Number) -> Number:
        return self._compared("greater_equal", a, b)

    def truth(self, x: Number) -> Number:
        """Whether x is not 0; a NaN is not."""
        return x if x.type == "b1" else self.not_equal(x, self.constant(0, x.type))

    def logical_and(self, a: Number, b: Number) -> Number:
        return self._two("and", self.truth(a), self.truth(b))

    def logical_or(self, a: Number, b: Number) -> Number:
        return self._two("or", self.truth(a), self.truth(b))

    def logical_xor(self, a: Number, b: Number) -> Number:
        return self._two("xor", self.truth(a), self.truth(b))

    def logical_not(self, x: Number) -> Number:
        return self._two("xor", self.truth(x), self.constant(True, "b1"))

    def isnan(self, x: Number) -> Number:
        return self.compare("uno", x, x) if x.type[0] == "f" else self.constant(False, "b1")

    def isinf(self, x: Number) -> Number:
        return self._beside_infinity("oeq", x) if x.type[0] == "f" else self.constant(False, "b1")

    def isfinite(self, x: Number) -> Number:
        return self._beside_infinity("olt", x) if x.type[0] == "f" else self.constant(True, "b1")

    def _beside_infinity(self, predicate: str, x: Number) -> Number:
        return self.compare(predicate, self.absolute(x), self.constant(math.inf, x.type))

    def signbit(self, x: Number) -> Number:
        bits = self.bits(x) if x.type[0] == "f" else x
        return self.less(bits, self.constant(0, bits.type)) if bits.type[0] == "i" else self.constant(False, "b1")

    # bits -------------------------------------------------------------------------------------------------------------

    def bits(self, x: Number) -> Number:
        """The bits of a float as an integer of its size."""
        return self.convert("bitcast", x, f"i{x.type[1]}")

    def float_of_bits(self, x: Number) -> Number:
        """The float that has these bits."""
        return self.convert("bitcast", x, f"f{x.type[1]}")

    def bitwise_and(self, a: Number, b: Number) -> Number:
        return self._two("and", a, b)

    def bitwise_or(self, a: Number, b: Number) -> Number:
        return self._two("or", a, b)

    def shift(self, instruction: str, x: Number, count: int) -> Number:
        """x with its bits moved by a number of places that is known, and less than it has: shl, lshr or ashr."""
        return self._two(instruction, x, self.constant(count, x.type))

    def left_shift(self, a: Number, b: Number) -> Number:
        """a·2ᵇ, and 0 where all bits leave, as NumPy has it."""
        return self._shifted("shl", a, b, self.constant(0, a.type))

    def right_shift(self, a: Number, b: Number) -> Number:
        """⌊a / 2ᵇ⌋, also where all bits leave."""
        zero = self.constant(0, a.type)
        if a.type[0] == "u":
            return self._shifted("lshr", a, b, zero)
        return self._shifted("ashr", a, b, self.select(self.less(a, zero), self.constant(-1, a.type), zero))

    def _shifted(self, instruction: str, a: Number, b: Number, beyond: Number) -> Number:
        size = self.constant(8 * int(a.type[1]), a.type)
        inside = self.compare("ult", b, size)
        return self.select(inside, self._two(instruction, a, self.select(inside, b, self.constant(0, a.type))), beyond)

    # choice and casts -------------------------------------------------------------------------------------------------

    def where(self, condition: Number, a: Number, b: Number) -> Number:
        return self.select(condition, a, b)

    def cast(self, x: Number, type: str) -> Number:
        """x in another type, as C has it; floats that no integer holds become what x86 makes of them."""
        source, target = x.type, type
        if source == target:
            return x
        if target == "b1":
            return self.truth(x)
        if target == "f2":  # whole numbers through single precision, as NumPy has it
            return self.convert("fptrunc", self._to_odd(x) if source == "f8" else self.cast(x, "f4"), "f2")
        if source == "f2" and target != "f4":
            return self.cast(self.cast(x, "f4"), target)
        if target[0] == "f":
            if source[0] == "f":
                return self.convert("fptrunc" if source == "f8" else "fpext", x, target)
            return self.convert("sitofp" if source[0] == "i" else "uitofp", x, target)
        if source[0] == "f":
            return self._integer(x, target)
        if source == "b1":
            return self.convert("zext", x, target)
        if source[1] == target[1]:
            return Number(x.name, target)
        narrower = int(target[1]) < int(source[1])
        return self.convert("trunc" if narrower else "sext" if source[0] == "i" else "zext", x, target)

    def _to_odd(self, x: Number) -> Number:
        """A double in single precision, its last bit set where that is not exact: so that rounding it again is as if once."""
        y = self.convert("fptrunc", x, "f4")
        back, bits, one = self.convert("fpext", y, "f8"), self.bits(y), self.constant(1, "i4")
        beyond = self.greater(self.absolute(back), self.absolute(x))
        odd = self.bitwise_or(self.select(beyond, self.subtract(bits, one), bits), one)
        return self.select(self.compare("one", back, x), self.float_of_bits(odd), y)

    def _integer(self, x: Number, type: str) -> Number:
        """A float cut towards zero. Through 32 bits where they hold the target, else through 64."""
        if type == "u8":
            half = self.constant(2.0**63, x.type)
            large = self.greater_equal(x, half)
            cut = self.cast(self.select(large, self.subtract(x, half), x), "i8")
            return Number(self.select(large, self._two("xor", cut, self.constant(-(2**63), "i8")), cut).name, type)
        wide = "i4" if int(type[1]) < 4 or type == "i4" else "i8"
        limit = 2.0 ** (8 * int(wide[1]) - 1)
        high = self.compare("olt", x, self.constant(limit, x.type))
        inside = self._two("and", high, self.compare("oge", x, self.constant(-limit, x.type)))
        cut = self.convert("fptosi", self.select(inside, x, self.constant(0, x.type)), wide)
        return self.cast(self.select(inside, cut, self.constant(-int(limit), wide)), type)
