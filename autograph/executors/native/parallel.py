"""Long loops on several threads: one entry that runs a kernel on many rows of words, by whoever is free.

Loops are cut where their sizes say, however many threads there are, and no part reads what another writes: results are the
same for any number. The threads are the system's, know nothing of Python, and run kernels alone. One entry has them at a time;
whoever comes meanwhile, and whoever finds none, runs all of his rows himself.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autograph import config
from autograph.executors.native.compiler import NAME, PLAINLY
from autograph.executors.native.kernels import kernel

PART = 1 << 17  # simple calls on one number of which a part of a loop is worth a thread's while
_FEWEST, MOST = 4, 64  # parts of a loop

# The board, in words, apart by lines of the cache: a lock, what workers wait for, what the caller waits for; the number of the
# job, its kernel, how many rows, where they are, their distance in bytes, and whether to stop; the number of the job above
# that of the next row; how many rows are done; whether somebody has the board.
_LOCK, _WORK, _DONE, _JOB, _NEXT, _FINISHED, _BUSY, _SIZE = 0, 16, 32, 48, 64, 80, 96, 112
_JOB_WORDS = ("number", "code", "count", "rows", "step")
_PATIENCE = 100  # times that a caller lets others go first before it sleeps


class KernelOf(NamedTuple):
    """Among words: the address of the kernel of a text."""

    text: str


def texts(entries: Iterable[tuple[str, Sequence[Any]]]) -> Iterator[str]:
    """The texts of all kernels that entries run."""
    for text, words in entries:
        yield text
        yield from (word.text for word in words if isinstance(word, KernelOf))


def cut(size: int, unit: int, work: int) -> list[tuple[int, int]]:
    """Where an axis of `size` places is cut, at multiples of `unit`, for so many simple calls; one part where it is short."""
    count = min(work // PART, MOST, size // unit)
    ends = [size * k // count // unit * unit for k in range(count)] if count >= _FEWEST else [0]
    return list(pairwise([*ends, size]))


def has_threads() -> bool:
    """Whether there are several."""
    return config.threads() > 1 and bool(_system())


def side_by_side(text: str, rows: Sequence[list[Any]]) -> list[tuple[str, list[Any]]]:
    """A kernel on each of the rows: as one entry where there are threads."""
    if len(rows) == 1 or not has_threads():
        return [(text, row) for row in rows]
    _start(min(config.threads(), MOST) - 1)
    return [(_shared(), [_board(), KernelOf(text), len(rows), 8 * len(rows[0]), *(word for row in rows for word in row)])]


# the system's threads -------------------------------------------------------------------------------------------------


@functools.cache
def _system() -> dict[str, str]:
    """The functions of POSIX that are called, as pointers in a text; none where they are not to be found."""
    names = ("mutex_lock", "mutex_unlock", "cond_wait", "cond_signal", "cond_broadcast")
    try:
        library = ctypes.CDLL(None)
        found = {name: getattr(library, f"pthread_{name}") for name in names} | {"yield": library.sched_yield}
    except (TypeError, OSError, AttributeError):
        return {}
    return {name: f"inttoptr (i64 {ctypes.cast(f, ctypes.c_void_p).value} to ptr)" for name, f in found.items()}


@functools.cache
def _board() -> int:
    """Where the board is; it stays as long as the process."""
    memory = np.zeros(_SIZE + 8, np.int64)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
    board = -(-memory.ctypes.data // 64) * 64
    _clear(board)
    atexit.register(_stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_start_again)
    return board


def _clear(board: int) -> None:
    ctypes.memset(board, 0, 8 * _SIZE)
    library = ctypes.CDLL(None)
    library.pthread_mutex_init(ctypes.c_void_p(board + 8 * _LOCK), None)
    for place in (_WORK, _DONE):
        library.pthread_cond_init(ctypes.c_void_p(board + 8 * place), None)


_threads: list[ctypes.c_void_p] = []
_starting = threading.Lock()


def _start(count: int) -> None:
    """So many threads at least, none of which hears signals."""
    library, worker = ctypes.CDLL(None), _worker()
    with _starting:
        board = _board()
        while len(_threads) < count:
            thread = ctypes.c_void_p()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                failed = library.pthread_create(ctypes.byref(thread), None, ctypes.c_void_p(worker), ctypes.c_void_p(board))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if failed:
                return  # with fewer, everything goes on
            _threads.append(thread)


def _stop() -> None:
    """End all threads: what they run goes away with the process."""
    library, board = ctypes.CDLL(None), _board()
    lock = ctypes.c_void_p(board + 8 * _LOCK)
    library.pthread_mutex_lock(lock)
    ctypes.c_int64.from_address(board + 8 * (_JOB + len(_JOB_WORDS))).value = 1
    library.pthread_cond_broadcast(ctypes.c_void_p(board + 8 * _WORK))
    library.pthread_mutex_unlock(lock)
    while _threads:
        library.pthread_join(_threads.pop(), None)


def _start_again() -> None:
    """A child has none of its parent's threads."""
    global _starting
    count, _starting = len(_threads), threading.Lock()
    _threads.clear()
    _clear(_board())
    _start(count)


# kernels --------------------------------------------------------------------------------------------------------------


def _places(**places: int) -> str:
    return "".join(f"  %{name} = getelementptr i64, ptr %board, i64 {place}\n" for name, place in places.items())


def _taking(ran: str, done: str) -> str:
    """The blocks that take rows of the job `%number` as long as there are any, from `take` on: `ran` is what follows each."""
    return f"""take:
  %ticket = load atomic i64, ptr %next seq_cst, align 8
  %of = lshr i64 %ticket, 32
  %still = icmp eq i64 %of, %number
  %i = and i64 %ticket, 4294967295
  %more = icmp ult i64 %i, %count
  %go = and i1 %still, %more
  br i1 %go, label %try, label %{done}
try:
  %following = add i64 %ticket, 1
  %swap = cmpxchg ptr %next, i64 %ticket, i64 %following seq_cst seq_cst
  %won = extractvalue {{i64, i1}} %swap, 1
  br i1 %won, label %run, label %take
run:
  %behind = mul i64 %i, %step
  %row = getelementptr i8, ptr %rows, i64 %behind
  %returned = call i64 %code(ptr %row)
  %before = atomicrmw add ptr %finished, i64 1 seq_cst
{ran}"""


@functools.cache
def _shared() -> str:
    """Words: the board, the kernel, how many rows, their distance in bytes, and the rows."""
    call = _system()
    return f"""
define i64 {NAME}(ptr %words) {PLAINLY}{{
entry:
  %board = load ptr, ptr %words
  %w1 = getelementptr i64, ptr %words, i64 1
  %code = load ptr, ptr %w1
  %w2 = getelementptr i64, ptr %words, i64 2
  %count = load i64, ptr %w2
  %w3 = getelementptr i64, ptr %words, i64 3
  %step = load i64, ptr %w3
  %rows = getelementptr i64, ptr %words, i64 4
{_places(lock=_LOCK, work=_WORK, ready=_DONE, job=_JOB, next=_NEXT, finished=_FINISHED, busy=_BUSY)}
  %claim = cmpxchg ptr %busy, i64 0, i64 1 seq_cst seq_cst
  %claimed = extractvalue {{i64, i1}} %claim, 1
  br i1 %claimed, label %post, label %alone
alone:
  %a = phi i64 [0, %entry], [%a1, %alone]
  %a_behind = mul i64 %a, %step
  %a_row = getelementptr i8, ptr %rows, i64 %a_behind
  %a_returned = call i64 %code(ptr %a_row)
  %a1 = add i64 %a, 1
  %a_more = icmp slt i64 %a1, %count
  br i1 %a_more, label %alone, label %end
post:
  %locked = call i32 {call["mutex_lock"]}(ptr %lock)
  %last = load i64, ptr %job
  %one_more = add i64 %last, 1
  %number = and i64 %one_more, 1073741823
  store i64 %number, ptr %job
{"".join(f'''  %j{k} = getelementptr i64, ptr %job, i64 {k}
  store {"i64" if name in ("count", "step") else "ptr"} %{name}, ptr %j{k}
''' for k, name in enumerate(_JOB_WORDS) if k)}  store atomic i64 0, ptr %finished seq_cst, align 8
  %first = shl i64 %number, 32
  store atomic i64 %first, ptr %next seq_cst, align 8
  %told = call i32 {call["cond_broadcast"]}(ptr %work)
  %unlocked = call i32 {call["mutex_unlock"]}(ptr %lock)
  br label %take
{_taking("  br label %take", "look")}
look:
  %tries = phi i64 [0, %take], [%tries1, %let]
  %so_far = load atomic i64, ptr %finished seq_cst, align 8
  %all = icmp eq i64 %so_far, %count
  br i1 %all, label %free, label %wait
wait:
  %tries1 = add i64 %tries, 1
  %patient = icmp slt i64 %tries1, {_PATIENCE}
  br i1 %patient, label %let, label %sleep
let:
  %yielded = call i32 {call["yield"]}()
  br label %look
sleep:
  %locked2 = call i32 {call["mutex_lock"]}(ptr %lock)
  br label %asleep
asleep:
  %by_now = load atomic i64, ptr %finished seq_cst, align 8
  %all2 = icmp eq i64 %by_now, %count
  br i1 %all2, label %awake, label %dream
dream:
  %woken = call i32 {call["cond_wait"]}(ptr %ready, ptr %lock)
  br label %asleep
awake:
  %unlocked2 = call i32 {call["mutex_unlock"]}(ptr %lock)
  br label %free
free:
  store atomic i64 0, ptr %busy seq_cst, align 8
  br label %end
end:
  ret i64 0
}}
"""


@functools.cache
def _worker() -> int:
    """The address of what a thread does: it waits for jobs and takes rows of them."""
    call = _system()
    loads = "".join(
        f"  %j{k} = getelementptr i64, ptr %job, i64 {k}\n"
        f"  %{name} = load {'i64' if name in ('number', 'count', 'step') else 'ptr'}, ptr %j{k}\n"
        for k, name in enumerate(_JOB_WORDS)
    )
    worker = kernel(f"""
define i64 {NAME}(ptr %board) {PLAINLY}{{
entry:
{_places(lock=_LOCK, work=_WORK, ready=_DONE, job=_JOB, stop=_JOB + len(_JOB_WORDS), next=_NEXT, finished=_FINISHED)}
  br label %wait
wait:
  %known = phi i64 [0, %entry], [%number, %take]
  %locked = call i32 {call["mutex_lock"]}(ptr %lock)
  br label %look
look:
  %ended = load i64, ptr %stop
  %over = icmp ne i64 %ended, 0
  br i1 %over, label %leave, label %ask
ask:
{loads}  %same = icmp eq i64 %number, %known
  br i1 %same, label %sleep, label %begin
sleep:
  %woken = call i32 {call["cond_wait"]}(ptr %work, ptr %lock)
  br label %look
begin:
  %unlocked = call i32 {call["mutex_unlock"]}(ptr %lock)
  br label %take
{_taking('''  %now = add i64 %before, 1
  %all = icmp eq i64 %now, %count
  br i1 %all, label %tell, label %take''', "wait")}
tell:
  %locked2 = call i32 {call["mutex_lock"]}(ptr %lock)
  %told = call i32 {call["cond_signal"]}(ptr %ready)
  %unlocked2 = call i32 {call["mutex_unlock"]}(ptr %lock)
  br label %take
leave:
  %unlocked3 = call i32 {call["mutex_unlock"]}(ptr %lock)
  ret i64 0
}}
""")
    _kept.append(worker)
    return worker.address


_kept: list[Any] = []  # kernels that stay compiled
