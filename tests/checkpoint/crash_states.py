"""What a disk may hold after a crash: the calls of a save recorded, and every state enumerated that they may leave.

The model is weaker than any file system in use. What was not synced may be there or not, in any order:

- of a file, each block written since its last sync holds the old bytes, zeros, the new ones, or what the disk held there
  before; and the file ends at any of these blocks;
- of a folder, each name given or taken since its last sync is so or not, each by itself, and so the two of a rename too.

A name points at one file or at none, never at a mixture of two: that much is promised by POSIX.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

BLOCK = 512
GARBAGE = bytes(range(255, -1, -1)) * (BLOCK // 256)


class Call(NamedTuple):
    """A call that changes what a disk may hold: its kind, the name or the number of the file, and what goes with it."""

    kind: str  # create, write, sync, rename, remove, sync folder
    file: int = 0
    name: str = ""
    data: bytes = b""
    target: str = ""


class Recorder:
    """The module `os` for `replacing`, which keeps a list of the calls that count.

    short    bytes that one write takes at most
    nth      the call that fails, with `error`; none where it is 0
    without  kinds of calls that are left out of the list, as if the code did not make them
    """

    def __init__(self, short: int = 0, nth: int = 0, error: int = 0, without: Sequence[str] = ()) -> None:
        self.short, self.nth, self.error, self.without = short, nth, error, without
        self.calls: list[Call] = []
        self.files: dict[int, int] = {}  # by descriptor; 0 is the folder
        self.count = self.made = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _note(self, call: Call) -> None:
        if call.kind not in self.without:
            self.calls.append(call)

    def _counted(self) -> None:
        self.count += 1
        if self.count == self.nth:
            raise OSError(self.error, os.strerror(self.error))

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        self._counted()
        found = os.open(path, flags, mode)
        if flags & os.O_CREAT:
            self.made += 1
            self._note(Call("create", self.made, os.path.basename(path)))
        self.files[found] = self.made if flags & os.O_CREAT else 0
        return found

    def write(self, file: int, data: memoryview) -> int:
        self._counted()
        size = os.write(file, data[: self.short] if self.short else data)
        self._note(Call("write", self.files[file], data=bytes(data[:size])))
        return size

    def fsync(self, file: int) -> None:
        self._counted()
        self._note(Call("sync", self.files[file]) if self.files[file] else Call("sync folder"))

    def close(self, file: int) -> None:
        os.close(file)
        self._counted()

    def replace(self, old: str, new: str) -> None:
        self._counted()
        os.replace(old, new)
        self._note(Call("rename", name=os.path.basename(old), target=os.path.basename(new)))

    def unlink(self, path: str) -> None:
        self._counted()
        os.unlink(path)
        self._note(Call("remove", name=os.path.basename(path)))


@dataclass
class _File:
    synced: bytes = b""
    now: bytes = b""


@dataclass
class Disk:
    """What is synced, and what is not yet."""

    files: dict[int, _File] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)  # as the folder was last synced
    now: dict[str, int] = field(default_factory=dict)  # as programs see it
    pending: list[tuple[str, int]] = field(default_factory=list)  # a name, and the file it is to point at; 0 for none

    @classmethod
    def of(cls, content: dict[str, bytes]) -> Disk:
        """A disk with these files, all synced."""
        numbers = {name: -1 - i for i, name in enumerate(content)}
        return cls({numbers[name]: _File(data, data) for name, data in content.items()}, dict(numbers), dict(numbers))

    def apply(self, call: Call) -> None:
        match call.kind:
            case "create":
                self.files[call.file] = _File()
                self._point(call.name, call.file)
            case "write":
                self.files[call.file].now += call.data
            case "sync":
                self.files[call.file].synced = self.files[call.file].now
            case "rename":
                self._point(call.target, self.now[call.name])
                self._point(call.name, 0)
            case "remove":
                self._point(call.name, 0)
            case "sync folder":
                self.names, self.pending = dict(self.now), []

    def _point(self, name: str, file: int) -> None:
        self.pending.append((name, file))
        if file:
            self.now[name] = file
        else:
            del self.now[name]

    def states(self, watched: str) -> Iterator[dict[str, bytes]]:
        """Every content that a crash now may leave: all of the watched file's, and some of the others'."""
        for kept in product((False, True), repeat=len(self.pending)):
            names = dict(self.names)
            for (name, file), there in zip(self.pending, kept, strict=True):
                if there:
                    names[name] = file
            names = {name: file for name, file in names.items() if file}
            others = {name: _some(self.files[file]) for name, file in names.items() if name != watched}
            if watched not in names:
                yield others
                continue
            for content in _all(self.files[names[watched]]):
                yield {watched: content, **others}


def _some(file: _File) -> bytes:
    return file.now[: (len(file.synced) + len(file.now)) // 2]


def _all(file: _File) -> Iterator[bytes]:
    """Every content that a file may have after a crash."""
    if file.synced == file.now:
        yield file.now
        return
    ends = sorted({len(file.synced), len(file.now), *range(len(file.synced), len(file.now), BLOCK)})
    for end in ends:
        blocks = []
        for start in range(0, end, BLOCK):
            stop = min(end, start + BLOCK)
            old, new = file.synced[start:stop].ljust(stop - start, b"\0"), file.now[start:stop]
            blocks.append([new] if old == new else [old, new, GARBAGE[: stop - start]])
        for chosen in product(*blocks):
            yield b"".join(chosen)


def crashes(before: dict[str, bytes], calls: Sequence[Call], watched: str) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The number of calls made, and a state that a crash then may leave: for every number, every state."""
    disk = Disk.of(before)
    for done in range(len(calls) + 1):
        if done:
            disk.apply(calls[done - 1])
        for state in disk.states(watched):
            yield done, state


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def recorded(
    folder: Path, work: Callable[[], object], module: Any, recorder: Recorder
) -> tuple[dict[str, bytes], list[Call], bool]:
    """What the folder held, the calls that `work` made by way of `module.os`, and whether it ended without an error."""
    before = contents(folder)
    real, module.os = module.os, recorder
    try:
        work()
        ended = True
    except OSError:
        ended = False
    finally:
        module.os = real
    return before, recorder.calls, ended
