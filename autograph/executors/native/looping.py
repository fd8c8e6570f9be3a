"""Many ticks in one native call: the entries of the steps, copies of the outputs, the entries of the commit, again and again."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograph.executors.native.compiler import NAME, PLAINLY
from autograph.executors.native.kernels import kernel, walk
from autograph.executors.native.whole import Whole

# Words: how many ticks; the entries of the steps and of the commit, or 0; how many outputs there are, and where they are told;
# how many words are moved on after a tick, and where that is told. An output is told by its address, where its copy goes,
# how many bytes it has, and how far the next copy is; a moved word by its place, and what is added to it. A kernel that returns
# -1 cannot go on: then the tick is not committed. The result is how many are.
_TICKS = f"""
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %many = load i64, ptr %words
  %w1 = getelementptr i64, ptr %words, i64 1
  %steps = load ptr, ptr %w1
  %w2 = getelementptr i64, ptr %words, i64 2
  %commit = load ptr, ptr %w2
  %w3 = getelementptr i64, ptr %words, i64 3
  %outputs = load i64, ptr %w3
  %w4 = getelementptr i64, ptr %words, i64 4
  %told = load ptr, ptr %w4
  %w5 = getelementptr i64, ptr %words, i64 5
  %moves = load i64, ptr %w5
  %w6 = getelementptr i64, ptr %words, i64 6
  %moved = load ptr, ptr %w6
  br label %tick
tick:
  %t = phi i64 [0, %entry], [%t1, %next]
  %more = icmp slt i64 %t, %many
  br i1 %more, label %stepping, label %end
stepping:
  %some_steps = icmp ne ptr %steps, null
  br i1 %some_steps, label %step, label %fetching
{walk("step", "%steps", "stepping", "end", "fetching")}fetching:
  br label %fetch
fetch:
  %o = phi i64 [0, %fetching], [%o1, %copy]
  %o_more = icmp slt i64 %o, %outputs
  br i1 %o_more, label %copy, label %committing
copy:
  %o_at = mul i64 %o, 32
  %o_place = getelementptr i8, ptr %told, i64 %o_at
  %source = load ptr, ptr %o_place
  %p1 = getelementptr i64, ptr %o_place, i64 1
  %target = load ptr, ptr %p1
  %p2 = getelementptr i64, ptr %o_place, i64 2
  %size = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %o_place, i64 3
  %apart = load i64, ptr %p3
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %size, i1 false)
  %following = getelementptr i8, ptr %target, i64 %apart
  store ptr %following, ptr %p1
  %o1 = add i64 %o, 1
  br label %fetch
committing:
  %some_commit = icmp ne ptr %commit, null
  br i1 %some_commit, label %write, label %moving
{walk("write", "%commit", "committing", "end", "moving")}moving:
  br label %move
move:
  %m = phi i64 [0, %moving], [%m1, %add]
  %m_more = icmp slt i64 %m, %moves
  br i1 %m_more, label %add, label %next
add:
  %m_at = mul i64 %m, 16
  %m_place = getelementptr i8, ptr %moved, i64 %m_at
  %word = load ptr, ptr %m_place
  %q1 = getelementptr i64, ptr %m_place, i64 1
  %by = load i64, ptr %q1
  %old = load i64, ptr %word
  %new = add i64 %old, %by
  store i64 %new, ptr %word
  %m1 = add i64 %m, 1
  br label %move
next:
  %t1 = add i64 %t, 1
  br label %tick
end:
  ret i64 %t
}}
"""

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)  # a call of such a function lets other threads run


class Bound(NamedTuple):
    """A program for many ticks."""

    whole: Whole

    def run(self, feeds: Sequence[Any], stacked: Sequence[bool], results: Sequence[Any], start: int, count: int) -> int:
        """So many ticks from the one that is number `start`; how many there were.

        feeds    in C order and aligned; of what is `stacked`, tick i gets the i-th entry
        results  for each output an array of one entry, or of one for each tick
        """
        moves: list[tuple[int, int]] = []
        for array, many, patches in zip(feeds, stacked, self.whole.patches, strict=True):
            first = array.ctypes.data + (start * array.strides[0] if many else 0)
            for place, offset in patches:
                ctypes.c_int64.from_address(place).value = first + offset
                if many:
                    moves.append((place, array.strides[0]))
        told = []
        for source, target in zip(self.whole.outputs, results, strict=False):  # those behind are of plain tensors among updates
            apart = source.nbytes if len(target) > 1 else 0
            told.append((source.ctypes.data, target.ctypes.data + start * apart, source.nbytes, apart))
        outputs, moved = np.array(told, np.int64), np.array(moves, np.int64)
        row = np.array([count, *self.whole.entries, len(told), outputs.ctypes.data, len(moves), moved.ctypes.data], np.int64)
        return int(_PROTOTYPE(kernel(_TICKS).address)(row.ctypes.data))
