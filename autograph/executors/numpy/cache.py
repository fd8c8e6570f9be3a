"""The size of the last-level cache: what exceeds it is worked on in blocks."""

from __future__ import annotations

import functools
import os

_FOLDER = "/sys/devices/system/cpu/cpu0/cache"
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


@functools.cache
def last_level_cache() -> int:
    """Bytes of the largest cache that this system tells of; 32 MiB where it tells nothing."""
    sizes = []
    for entry in os.listdir(_FOLDER) if os.path.isdir(_FOLDER) else []:
        file = os.path.join(_FOLDER, entry, "size")
        if os.path.isfile(file):
            with open(file) as text:
                size = text.read().strip()
            if size[:-1].isdigit():
                sizes.append(int(size[:-1]) * _UNITS.get(size[-1], 1))
    return max(sizes, default=32 * 2**20)
