"""A file replaced whole or not at all, whatever happens on the way.

The new file is written beside the old one, synced, and renamed over it; then the folder is synced. Who is killed on the
way leaves the old file and a temporary one, which the next save to the same path removes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from time import localtime, strftime
from zlib import crc32

__all__ = ["explained", "replace_file"]

_POSIX = os.name == "posix"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_MOST = 1 << 30  # bytes for one call: some systems take no more than 2 GiB
_HOST = f"{crc32(os.uname().nodename.encode()) if _POSIX else 0:08x}"
_under_way: set[str] = set()  # temporary files that threads of this process are writing


def replace_file(path: str, parts: Iterable[bytes | memoryview]) -> None:
    """Let `path` hold these bytes, readable by its owner alone; a link is replaced, and not followed.

    Raises OSError, which tells what the path holds now; whatever is raised, that is the old file or the new one, whole.
    """
    folder, name = os.path.split(os.path.abspath(path))
    beginning = f".{name[:40]}.{_HOST}."
    placed = [False]
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _remove_stale(folder, beginning)
        _replace(folder, name, f"{beginning}{os.getpid()}.{os.urandom(8).hex()}.tmp", parts, placed)
    except OSError as error:
        raise explained(error, path, "save", _what_is_there(path, placed[0])) from error


def _replace(folder: str, name: str, temporary: str, parts: Iterable[bytes | memoryview], placed: list[bool]) -> None:
    new = os.path.join(folder, temporary)
    _under_way.add(temporary)
    try:
        _write(os.open(new, _FLAGS, 0o600), parts)
        _rename(new, folder, name, placed)
    except BaseException as error:
        if not placed[0] and not isinstance(error, FileExistsError):
            with suppress(OSError):
                os.unlink(new)
        raise
    finally:
        _under_way.discard(temporary)


def _write(file: int, parts: Iterable[bytes | memoryview]) -> None:
    """Every byte, synced; the file is closed whatever happens."""
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:
                written = os.write(file, rest[:_MOST])
                if written <= 0:
                    raise OSError(errno.EIO, "nothing more could be written")
                rest = rest[written:]
        os.fsync(file)
    finally:
        os.close(file)


def _rename(new: str, folder: str, name: str, placed: list[bool]) -> None:
    """Over the old file, and the folder synced, which is opened first: then little is left to fail after the rename."""
    directory = os.open(folder, os.O_RDONLY) if _POSIX else -1
    try:
        os.replace(new, os.path.join(folder, name))
        placed[0] = True
        if _POSIX:
            os.fsync(directory)
    finally:
        if _POSIX:
            os.close(directory)


def _remove_stale(folder: str, beginning: str) -> None:
    """Remove what saves to this path left behind that were killed on this machine."""
    with suppress(OSError):
        for found in os.listdir(folder):
            if found.startswith(beginning) and found.endswith(".tmp") and found not in _under_way:
                process = found.removeprefix(beginning).partition(".")[0]
                if process.isdecimal() and not _lives(int(process)):
                    with suppress(OSError):
                        os.unlink(os.path.join(folder, found))


def _lives(process: int) -> bool:
    """Whether another process of this number may be saving."""
    if not _POSIX:
        return True  # there, to ask a process with os.kill is to end it
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _what_is_there(path: str, placed: bool) -> str:
    name = os.path.basename(os.path.abspath(path))
    if placed:
        return f"{name!r} holds the new save, which may be lost if the power fails now"
    try:
        written = localtime(os.stat(path).st_mtime)
    except OSError:
        return f"nothing was saved, and there is no {name!r} from before"
    if os.path.isdir(path):
        return "nothing was saved; name a file in it"
    return f"nothing was saved; {name!r} still holds the save of {strftime('%Y-%m-%d %H:%M:%S', written)}"


def explained(error: OSError, path: str, doing: str, hint: str) -> OSError:
    """The same error, with the full path and a hint in its text."""
    text = f"{doing} {os.path.abspath(path)!r}: {error.strerror or error}\n  {hint}"
    return OSError(error.errno, text) if error.errno else type(error)(text)
