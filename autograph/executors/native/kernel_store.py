"""Kernels kept on disk from one process to the next, in a folder that nobody else may write to.

An entry is the object code of one kernel: 32 bytes of a checksum, then the bytes that the linker takes. It is never
unpickled. Its name is a digest of all that the code depends on. What is damaged counts as absent, and is written anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import warnings
from contextlib import suppress

from autograph import config

_FORMAT = b"autograph kernel 1"


class Refused(Exception):
    """Of a folder: it is not one in which code may lie."""


class Store:
    """A folder of entries.

    context  what every kernel's code depends on beside its text
    """

    def __init__(self, folder: str, context: str) -> None:
        self.folder = folder
        self._context = context
        os.makedirs(folder, 0o700, exist_ok=True)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode):
            raise Refused("it is a link, or no folder")
        if hasattr(os, "getuid"):
            if found.st_uid != os.getuid():
                raise Refused("it belongs to another user")
            if found.st_mode & 0o077:
                raise Refused(f"others may use it: its mode is {stat.S_IMODE(found.st_mode):o}, not 700")

    def get(self, text: str) -> bytes | None:
        """The code of a kernel; None where there is none, or none that is whole."""
        try:
            with open(os.path.join(self.folder, self._name(text)), "rb") as file:
                entry = file.read()
        except FileNotFoundError:
            return None
        code = entry[32:]
        return code if entry[:32] == self._checksum(text, code) else None

    def put(self, text: str, code: bytes) -> None:
        """Keep the code of a kernel. Who looks meanwhile finds the old entry or the new one, whole."""
        name = os.path.join(self.folder, self._name(text))
        new = f"{name}.{os.getpid()}.{os.urandom(8).hex()}"
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
                file.write(self._checksum(text, code) + code)
            os.replace(new, name)
        except BaseException:
            with suppress(OSError):
                os.unlink(new)
            raise

    def _name(self, text: str) -> str:
        return hashlib.sha256(b"\0".join([_FORMAT, self._context.encode(), text.encode()])).hexdigest()

    def _checksum(self, text: str, code: bytes) -> bytes:
        return hashlib.sha256(self._name(text).encode() + code).digest()


def store(context: str) -> Store | None:
    """The store in the folder that the settings name; None where they name none, or one that cannot serve: a warning says why."""
    folder = config.kernel_store()
    return _opened(os.path.abspath(folder), context) if folder else None


@functools.cache
def _opened(folder: str, context: str) -> Store | None:
    try:
        return Store(folder, context)
    except (OSError, Refused) as error:
        warnings.warn(f"no kernels are kept in {folder!r}: {error}", RuntimeWarning, stacklevel=2)
        return None


def fails(store: Store, error: OSError) -> None:
    """Say, once, that the folder does not do."""
    _told(store.folder, str(error))


@functools.cache
def _told(folder: str, error: str) -> None:
    warnings.warn(f"kernels are not kept in {folder!r}: {error}", RuntimeWarning, stacklevel=2)
