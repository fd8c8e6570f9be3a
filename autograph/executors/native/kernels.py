"""Kernels that are written once: products by BLAS, whose arguments are addresses, guards, and the builtin of a segment."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

from autograph.executors.executor import Unavailable
from autograph.executors.native.blas import blas, on_one_thread
from autograph.executors.native.compiler import NAME, PLAINLY, Kernel, compiled

# Words of a product: routine, two flags, m, n, k, α, A, its rows' distance, B, …, β, C, …, how many, steps of A, B and C.
GEMM = f"""
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %routine = load ptr, ptr %words
  %w1 = getelementptr i64, ptr %words, i64 1
  %w2 = getelementptr i64, ptr %words, i64 2
  %w3 = getelementptr i64, ptr %words, i64 3
  %w4 = getelementptr i64, ptr %words, i64 4
  %w5 = getelementptr i64, ptr %words, i64 5
  %w6 = getelementptr i64, ptr %words, i64 6
  %w7 = getelementptr i64, ptr %words, i64 7
  %w8 = getelementptr i64, ptr %words, i64 8
  %w9 = getelementptr i64, ptr %words, i64 9
  %w10 = getelementptr i64, ptr %words, i64 10
  %w11 = getelementptr i64, ptr %words, i64 11
  %w12 = getelementptr i64, ptr %words, i64 12
  %w13 = getelementptr i64, ptr %words, i64 13
  %w14 = getelementptr i64, ptr %words, i64 14
  %w15 = getelementptr i64, ptr %words, i64 15
  %w16 = getelementptr i64, ptr %words, i64 16
  %w17 = getelementptr i64, ptr %words, i64 17
  %a0 = load ptr, ptr %w7
  %b0 = load ptr, ptr %w9
  %c0 = load ptr, ptr %w12
  %many = load i64, ptr %w14
  %sa = load i64, ptr %w15
  %sb = load i64, ptr %w16
  %sc = load i64, ptr %w17
  br label %test
test:
  %i = phi i64 [0, %entry], [%next, %turn]
  %a = phi ptr [%a0, %entry], [%a1, %turn]
  %b = phi ptr [%b0, %entry], [%b1, %turn]
  %c = phi ptr [%c0, %entry], [%c1, %turn]
  %more = icmp slt i64 %i, %many
  br i1 %more, label %turn, label %end
turn:
  call void %routine(
    ptr %w1, ptr %w2, ptr %w3, ptr %w4, ptr %w5, ptr %w6, ptr %a, ptr %w8, ptr %b, ptr %w10, ptr %w11, ptr %c, ptr %w13)
  %a1 = getelementptr i8, ptr %a, i64 %sa
  %b1 = getelementptr i8, ptr %b, i64 %sb
  %c1 = getelementptr i8, ptr %c, i64 %sc
  %next = add i64 %i, 1
  br label %test
end:
  ret i64 0
}}
"""

# The same, of one whose α is not among the words, but its address.
DESCENT = GEMM.replace("%a0 = load", "%rate = load ptr, ptr %w6\n  %a0 = load").replace("ptr %w6, ptr %a,", "ptr %rate, ptr %a,")

# Words of a guard: where its truth value is, and how many entries to pass over if that is false.
GUARD = f"""
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %condition = load ptr, ptr %words
  %place = getelementptr i64, ptr %words, i64 1
  %past = load i64, ptr %place
  %true = load i8, ptr %condition
  %held = icmp ne i8 %true, 0
  %result = select i1 %held, i64 0, i64 %past
  ret i64 %result
}}
"""

# Words of a move: how many words are moved, where the number of the turn is; then for each the word, and what goes there in turn
# 0, and how far it moves with each turn.
MOVE = f"""
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %count = load i64, ptr %words
  %turn_place = getelementptr i64, ptr %words, i64 1
  %turns = load ptr, ptr %turn_place
  %turn = load i64, ptr %turns
  %first = getelementptr i64, ptr %words, i64 2
  br label %more
more:
  %k = phi i64 [0, %entry], [%k2, %move]
  %at = phi ptr [%first, %entry], [%at2, %move]
  %left = icmp slt i64 %k, %count
  br i1 %left, label %move, label %end
move:
  %slot = load ptr, ptr %at
  %base_place = getelementptr i64, ptr %at, i64 1
  %base = load i64, ptr %base_place
  %step_place = getelementptr i64, ptr %at, i64 2
  %step = load i64, ptr %step_place
  %far = mul i64 %step, %turn
  %new = add i64 %base, %far
  store i64 %new, ptr %slot
  %k2 = add i64 %k, 1
  %at2 = getelementptr i64, ptr %at, i64 3
  br label %more
end:
  ret i64 0
}}
"""


def walk(name: str, entries: str, before: str, stuck: str, done: str) -> str:
    """The blocks that run entries, from the block `name` on, which follows that of `before`: to `done` behind the last, and to
    `stuck` from one that cannot go on. A kernel says how many entries to pass over, back where that is less than -1."""
    return f"""{name}:
  %{name}_entry = phi ptr [{entries}, %{before}], [%{name}_following, %{name}_on]
  %{name}_kernel = load ptr, ptr %{name}_entry
  %{name}_last = icmp eq ptr %{name}_kernel, null
  br i1 %{name}_last, label %{done}, label %{name}_step
{name}_step:
  %{name}_place = getelementptr i64, ptr %{name}_entry, i64 1
  %{name}_words = load ptr, ptr %{name}_place
  %{name}_past = call i64 %{name}_kernel(ptr %{name}_words)
  %{name}_stuck = icmp eq i64 %{name}_past, -1
  br i1 %{name}_stuck, label %{stuck}, label %{name}_on
{name}_on:
  %{name}_moves = add i64 %{name}_past, 1
  %{name}_distance = mul i64 %{name}_moves, 16
  %{name}_following = getelementptr i8, ptr %{name}_entry, i64 %{name}_distance
  br label %{name}
"""


def givens(before: str, fits: str, unfit: str, told: str = "%given") -> str:
    """The blocks that check `%n` arrays at `%args` against what is told of them, and write their addresses where they belong,
    from the block `givens` on, which follows that of `before`: to `fits`, or to `unfit` from one that does not.

    A given is told by dtype, rank, the place of its sizes, how many patches, and their place; a patch is the place of a word
    and what to add to the address for it.
    """
    return f"""givens:
  %g = phi i64 [0, %{before}], [%g2, %patched]
  %told = phi ptr [{told}, %{before}], [%told2, %patched]
  %left = icmp slt i64 %g, %n
  br i1 %left, label %check, label %{fits}
check:
  %place = getelementptr ptr, ptr %args, i64 %g
  %array = load ptr, ptr %place
  %typed = getelementptr i8, ptr %array, i64 8
  %type = load ptr, ptr %typed
  %t0 = icmp eq ptr %type, {thing(np.ndarray)}
  br i1 %t0, label %fields, label %{unfit}
fields:
  %address_place = getelementptr i8, ptr %array, i64 16
  %address = load ptr, ptr %address_place
  %rank_place = getelementptr i8, ptr %array, i64 24
  %rank32 = load i32, ptr %rank_place
  %rank = sext i32 %rank32 to i64
  %sizes_place = getelementptr i8, ptr %array, i64 32
  %sizes = load ptr, ptr %sizes_place
  %dtype_place = getelementptr i8, ptr %array, i64 56
  %dtype = load ptr, ptr %dtype_place
  %flags_place = getelementptr i8, ptr %array, i64 64
  %flags = load i32, ptr %flags_place
  %flat = and i32 %flags, 257
  %t1 = icmp eq i32 %flat, 257
  %dtype_told = load ptr, ptr %told
  %t2 = icmp eq ptr %dtype, %dtype_told
  %g1 = getelementptr i64, ptr %told, i64 1
  %rank_told = load i64, ptr %g1
  %t3 = icmp eq i64 %rank, %rank_told
  %t12 = and i1 %t1, %t2
  %t123 = and i1 %t12, %t3
  %gs = getelementptr i64, ptr %told, i64 2
  %sizes_told = load ptr, ptr %gs
  br i1 %t123, label %shape, label %{unfit}
shape:
  %k = phi i64 [0, %fields], [%k2, %same]
  %axes = icmp slt i64 %k, %rank
  br i1 %axes, label %size, label %patching
size:
  %here_place = getelementptr i64, ptr %sizes, i64 %k
  %here = load i64, ptr %here_place
  %there_place = getelementptr i64, ptr %sizes_told, i64 %k
  %there = load i64, ptr %there_place
  %t4 = icmp eq i64 %here, %there
  br i1 %t4, label %same, label %{unfit}
same:
  %k2 = add i64 %k, 1
  br label %shape
patching:
  %g3 = getelementptr i64, ptr %told, i64 3
  %count = load i64, ptr %g3
  %g4 = getelementptr i64, ptr %told, i64 4
  %patches = load ptr, ptr %g4
  br label %patch
patch:
  %p = phi i64 [0, %patching], [%p2, %write]
  %more = icmp slt i64 %p, %count
  br i1 %more, label %write, label %patched
write:
  %twice = mul i64 %p, 2
  %slot_place = getelementptr ptr, ptr %patches, i64 %twice
  %slot = load ptr, ptr %slot_place
  %offset_place = getelementptr i64, ptr %slot_place, i64 1
  %offset = load i64, ptr %offset_place
  %moved = getelementptr i8, ptr %address, i64 %offset
  store ptr %moved, ptr %slot
  %p2 = add i64 %p, 1
  br label %patch
patched:
  %g2 = add i64 %g, 1
  %told2 = getelementptr i64, ptr %told, i64 5
  br label %givens
"""


# A method of a row of words: where the givens are told, where the entries are, what to call if a given does not fit, how
# many are given, whether other threads may run meanwhile, and which entry could not go on. An entry is a kernel and its words;
# a kernel of 0 ends them. A kernel returns how many entries to pass over, less than -1 to go back; at -1 the other way in is
# called.
SEGMENT = """
define ptr {name}(ptr %self, ptr %args, i64 %n) {plainly}{{
entry:
  %data = getelementptr i8, ptr %self, i64 16
  %row = load ptr, ptr %data
  %given = load ptr, ptr %row
  %r1 = getelementptr i64, ptr %row, i64 1
  %entries = load ptr, ptr %r1
  %r2 = getelementptr i64, ptr %row, i64 2
  %other = load ptr, ptr %r2
  %r3 = getelementptr i64, ptr %row, i64 3
  %wanted = load i64, ptr %r3
  %r4 = getelementptr i64, ptr %row, i64 4
  %long = load i64, ptr %r4
  %lets = icmp ne i64 %long, 0
  %right = icmp eq i64 %n, %wanted
  br i1 %right, label %givens, label %unfit
{givens}open:
  br i1 %lets, label %leave, label %start
leave:
  %thread = call ptr {leave}()
  br label %start
start:
  %left_thread = phi ptr [null, %open], [%thread, %leave]
  br label %run
{walk}close:
  br i1 %lets, label %return, label %end
return:
  call void {enter}(ptr %left_thread)
  br label %end
end:
  call void {hold}(ptr {nothing})
  ret ptr {nothing}
fault:
  %fault_place = getelementptr i64, ptr %row, i64 5
  store ptr %run_entry, ptr %fault_place
  br i1 %lets, label %back, label %unfit
back:
  call void {enter}(ptr %left_thread)
  br label %unfit
unfit:
  %answer = call ptr {call}(ptr %other, ptr %args, i64 %n, ptr null)
  ret ptr %answer
}}
"""

_FASTCALL = 0x80


class _Method(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


def kernel(text: str) -> Kernel:
    """The compiled form of one text."""
    return compiled([text])[text]


def python(name: str) -> str:
    """A function of Python's own, as a pointer in a text."""
    return f"inttoptr (i64 {ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value} to ptr)"


def thing(x: object) -> str:
    """An object that stays, as a pointer in a text."""
    return f"inttoptr (i64 {id(x)} to ptr)"


Method = tuple[_Method, Kernel]


@functools.cache
def _method() -> Method:
    """What all segments are made of."""
    return method(SEGMENT.format(
        name=NAME, plainly=PLAINLY, givens=givens("entry", "open", "unfit"),
        walk=walk("run", "%entries", "start", "fault", "close"), nothing=thing(None), hold=python("Py_IncRef"),
        call=python("PyObject_Vectorcall"), leave=python("PyEval_SaveThread"), enter=python("PyEval_RestoreThread"),
    ), b"segment", b"Machine code of a tick.")  # fmt: skip


def method(text: str, name: bytes, doc: bytes) -> Method:
    """What builtins are made of that take a row of words as their own: the definition, and the code that it points to."""
    code = kernel(text)
    return _Method(name, code.address, _FASTCALL, doc), code


def check() -> None:
    """Raise Unavailable unless this processor, this LLVM, this SciPy and this NumPy are what the segments are made for."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    header = [ctypes.c_int64.from_address(id(array) + at).value for at in (8, 16, 32, 56)]
    flags, rank = (ctypes.c_int32.from_address(id(array) + at).value for at in (64, 24))
    sizes = [ctypes.c_int64.from_address(header[2] + 8 * k).value for k in range(2)]
    if [header[0], header[1], header[3]] != [id(np.ndarray), array.ctypes.data, id(array.dtype)] or sizes != [2, 3] or rank != 2:
        raise Unavailable("arrays of this NumPy are laid out in another way")
    if flags & 257 != 257 or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise Unavailable("it is made for processors of 64 bits, the low byte first")
    try:
        blas("sgemm")
        on_one_thread()
        builtin(np.zeros(6, np.int64))
    except (RuntimeError, KeyError, ValueError) as error:
        raise Unavailable(f"{type(error).__name__} of llvmlite or SciPy: {' '.join(str(error).split())}") from error


_make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


def builtin(row: np.ndarray[Any, Any], made: Method | None = None) -> Any:
    """A builtin that runs the segment, or what else the method is for, that a row of words tells of. It keeps the row alive."""
    return _make(ctypes.addressof((made or _method())[0]), row, None)
