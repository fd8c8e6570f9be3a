"""The store behind variables: one home a register, one lock for registers that meet in a function.

A register's value lives in one array, its home. A program binds views of homes; when a home moves, the store's epoch
grows and programs bind anew. Reads copy out, writes go in, and both hold the lock of the register's domain.
"""

from __future__ import annotations

import operator
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from typing import Any, TypeVar

import numpy as np

from autograph.errors import NOTHING_CHANGED, ReentrantCallError

epoch = [0]  # grows whenever any home moves; a program compares it once a call
_merging, _moving = threading.RLock(), threading.Lock()
T = TypeVar("T")


class Domain:
    """Registers that some function touches together, and the lock that makes its ticks take effect one after another."""

    __slots__ = ("__weakref__", "lock", "parent")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.parent: Domain | None = None
        _domains.add(self)

    def root(self) -> Domain:
        domain = self
        while domain.parent is not None:
            domain = domain.parent
        return domain

    def is_ticking_here(self) -> bool:
        """Whether this thread is inside a tick, or another look, at the registers of this root."""
        return self.lock._is_owned()  # type: ignore[attr-defined, no-any-return]


_domains: weakref.WeakSet[Domain] = weakref.WeakSet()


_PATIENCE = 10.0  # seconds that a fork waits for a tick: for ever, two threads could wait for each other
_kept_by_fork: list[Any] = []


def _before_fork() -> None:
    """A child's memory must not hold half of another thread's commit, so ticks end before it is copied."""
    for lock in (_merging, *(domain.lock for domain in list(_domains) if domain.parent is None)):
        if lock.acquire(timeout=_PATIENCE):
            _kept_by_fork.append(lock)


def _after_fork_here() -> None:
    while _kept_by_fork:
        _kept_by_fork.pop().release()


def _after_fork() -> None:
    """A child has one thread, and no tick of the parent's other threads goes on in it."""
    global _merging, _moving
    _kept_by_fork.clear()
    _merging, _moving = threading.RLock(), threading.Lock()
    for domain in list(_domains):
        domain.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_here, after_in_child=_after_fork)


def locked(domain: Domain, function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)` under the lock of the domain's root, even where another thread merges it meanwhile.

    A `with` on the lock itself cannot be interrupted halfway; an `__enter__` of our own could, and would leave it taken.
    """
    while True:
        root = domain.root()
        with root.lock:
            if root.parent is None:
                return function(*arguments)


def merge(domains: Iterable[Domain]) -> Domain:
    """Make one domain of these; waits until none of them ticks, save one whose tick this thread is in: the others join it.

    Raises ReentrantCallError where this thread is in ticks of two of them.
    """
    with _merging:
        roots = list(dict.fromkeys(domain.root() for domain in domains)) or [Domain()]
        roots.sort(key=Domain.is_ticking_here, reverse=True)
        if len(roots) > 1 and roots[1].is_ticking_here():
            what = "registers of two ticks that are under way cannot be joined"
            raise ReentrantCallError(what, fix="do it afterwards", after=NOTHING_CHANGED)
        first = roots[0]
        for other in roots[1:]:
            with first.lock, other.lock:  # roots stay roots while we merge
                other.parent = first
        return first


class Register:
    """One home: an array that only commits, `set_value` and a move change."""

    __slots__ = ("__weakref__", "domain", "grouped", "home")

    def __init__(self, value: np.ndarray[Any, Any]) -> None:
        self.home = value
        self.domain = Domain()
        self.grouped = False  # whether a program has placed the home beside others, for good

    def read(self) -> Any:
        """A copy; a NumPy scalar where the rank is 0."""
        return locked(self.domain, self._copied)

    def _copied(self) -> Any:
        return self.home.copy() if self.home.ndim else self.home[()]

    def write(self, value: np.ndarray[Any, Any], name: str) -> None:
        """Copy `value`, of the same dtype and shape, into the home: one call that nothing interrupts."""
        self.check_between_ticks(name)
        locked(self.domain, self._filled, value)

    def check_between_ticks(self, name: str) -> None:
        """Raise ReentrantCallError if this thread is inside a tick that may read the register, which it calls `name`."""
        if self.domain.root().is_ticking_here():
            raise ReentrantCallError(
                f"{name!r} was to be written inside a tick of its registers",
                why="a tick reads what registers held before it, and writes its own updates alone",
                fix="do it afterwards", after=NOTHING_CHANGED,
            )

    def _filled(self, value: np.ndarray[Any, Any]) -> None:
        np.copyto(self.home, value)

    def move(self, home: np.ndarray[Any, Any]) -> None:
        """Give the register another home with the same contents. The caller holds the lock."""
        np.copyto(home, self.home)
        with _moving:
            epoch[0] += 1  # first: who is interrupted here binds anew once too often, and never too late
        self.home = home


def copying(home: Any, value: Any) -> tuple[Any, ...]:
    """The call that copies an array into another of its type, for a commit: `np.copyto` would run Python on the way."""
    return operator.setitem, home, ..., value


def write_all(pairs: Sequence[tuple[Register, np.ndarray[Any, Any]]]) -> None:
    """Copy each array, of its register's dtype and shape, into the home: all in one call that nothing interrupts."""

    def write() -> None:
        deque(starmap(operator.call, [copying(register.home, array) for register, array in pairs]), 0)

    if pairs:
        locked(merge([register.domain for register, _ in pairs]), write)
