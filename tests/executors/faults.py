"""Faults: an exception at any bytecode, real signals at any moment, and what must hold after each."""

from __future__ import annotations

import dis
import functools
import gc
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import autograph as ag
from autograph.graph.tensor import Variable


class Injected(BaseException):
    """What KeyboardInterrupt is to a program: nobody catches it."""


_BEHIND = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD"}  # behind these CPython looks for signals


@functools.cache
def _breaks(code: Any) -> frozenset[int]:
    """Where in a code object CPython may raise what a signal handler raises."""
    bytecode = dis.Bytecode(code)
    handlers = [(entry.start, entry.end, entry.target) for entry in bytecode.exception_entries]  # type: ignore[attr-defined]

    def handler(offset: int) -> int | None:
        return next((target for start, end, target in handlers if start <= offset < end), None)

    found, before = set(), None
    for instruction in bytecode:
        if instruction.opname in ("CACHE", "PRECALL"):
            continue
        # a signal is raised by the instruction before: where that has another handler, here is not there
        if before is not None and before.opname in _BEHIND and handler(before.offset) == handler(instruction.offset):
            found.add(instruction.offset)
        before = instruction
    return frozenset(found)


def interrupted_at(call: Callable[[], Any], point: int) -> bool:
    """Run the call and raise at its point number `point`; whether it was that long. Other tracers come back after.

    The points are the bytecodes where CPython can raise: after a call returned, where a function begins, and where a
    loop goes back.
    """
    left = [point]

    def local(frame: Any, event: str, argument: Any) -> Any:
        if event == "opcode" and frame.f_lasti in _breaks(frame.f_code):
            if not left[0]:
                raise Injected
            left[0] -= 1
        return local

    def enter(frame: Any, event: str, argument: Any) -> Any:
        if "weakref" in frame.f_code.co_filename:
            return None  # called back while memory is freed: an exception there is lost, not raised
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return local

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # what is raised in a collector's callback is lost
    sys.settrace(enter)
    try:
        call()
    except Injected:
        return True
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return False


def values(variables: Iterable[Variable]) -> list[bytes]:
    """The bytes that registers hold, read behind the engine's back."""
    return [v.register.home.tobytes() for v in variables]


def is_free(variables: Iterable[Variable]) -> bool:
    """Whether nobody holds the registers' lock, and another thread can take it."""
    locks = [v.register.domain.root().lock for v in variables]
    taken: list[bool] = []

    def take() -> None:
        for lock in locks:
            got = lock.acquire(timeout=1)
            taken.append(got)
            if got:
                lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    return all(taken) and not any(lock._is_owned() for lock in locks)  # type: ignore[attr-defined]


class Shots:
    """`with Shots(seed) as shots: shots.fire(call)`: two timer signals a call, the second 1–15 µs after the first."""

    def __init__(self, seed: int, longest: float) -> None:
        self.rng = random.Random(seed)
        self.longest = longest  # seconds that a call takes, about
        self.left = 0
        self.heard = 0

    def __enter__(self) -> Shots:
        self.collects = gc.isenabled()
        gc.disable()  # what is raised in a finalizer is lost
        self.before = signal.signal(signal.SIGALRM, self._hear)
        return self

    def __exit__(self, *exc: object) -> None:
        self.left = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)
        if self.collects:
            gc.enable()

    def _hear(self, *_: Any) -> None:
        if self.left:
            self.left -= 1
            self.heard += 1
            if self.left:
                signal.setitimer(signal.ITIMER_REAL, self.rng.uniform(1e-6, 15e-6))
            raise Injected

    def fire(self, call: Callable[[], Any]) -> int:
        """Run the call under two shots; how many of them hit."""
        heard = self.heard
        try:
            try:
                self.left = 2
                signal.setitimer(signal.ITIMER_REAL, self.rng.uniform(1e-6, self.longest))
                call()
            except Injected:
                for _ in range(20):  # the second may come here
                    pass
            finally:
                self.left = 0
        except Injected:
            self.left = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self.heard - heard


def fuse(burnt: list[int], number: int) -> Callable[[Any], Any]:
    """An op that gives its input, and raises where `burnt` holds its number."""

    def run(a: Any) -> Any:
        if number in burnt:
            raise RuntimeError(f"fuse {number}")
        return a.copy()

    return ag.custom_op(f"fuse_{number}", run, vjp=lambda g, y, x: (g,))  # type: ignore[no-any-return]


def network(mode: str, optimizer: Any, width: int = 64, guard: bool = False) -> tuple[Any, list[Variable], list[Any]]:
    """A training step of a small network, every register it has, and feeds for it."""
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, 8), name="x"), ag.placeholder((None, 3), name="t")
    params = [
        ag.variable(rng.normal(size=shape) * 0.3, name=name)
        for name, shape in (("w1", (8, width)), ("b1", (width,)), ("w2", (width, 3)), ("b2", (3,)))
    ]
    hidden = ag.tanh(ag.matmul(x, params[0]) + params[1])
    loss = ag.reduce_mean(ag.square(ag.matmul(hidden, params[2]) + params[3] - t))
    ticks, target = ag.variable(0, dtype="int64", name="ticks"), ag.variable(np.zeros((8, width)), name="target")
    updates = optimizer.get_updates(loss, params) + [(ticks, ticks + 1), (target, 0.9 * target + 0.1 * params[0])]
    if guard:
        updates = updates.when(ag.greater(loss, 0.0))
    f = ag.function([x, t], loss, updates, on_nonfinite=mode)
    return f, f.registers, [rng.normal(size=(16, 8)).astype("float32"), rng.normal(size=(16, 3)).astype("float32")]


def embedding(mode: str, optimizer: Any) -> tuple[Any, list[Variable], list[Any]]:
    """A training step of an embedding of which few rows are read, every register it has, and feeds for it."""
    rng = np.random.default_rng(0)
    i, t = ag.placeholder((None, 2), dtype="int64", name="i"), ag.placeholder((None, 2, 16), name="t")
    table, ticks = ag.variable(rng.normal(size=(400, 16)), name="table"), ag.variable(0, dtype="int64", name="ticks")
    loss = ag.reduce_mean(ag.square(ag.gather(table, i) - t))
    updates = optimizer.get_updates(loss, [table]) + [(ticks, ticks + 1)]
    f = ag.function([i, t], loss, updates, on_nonfinite=mode)
    return f, f.registers, [rng.integers(-400, 400, (12, 2)), rng.normal(size=(12, 2, 16)).astype("float32")]
