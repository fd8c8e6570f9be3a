"""Damaged and hostile files by the thousand: each is refused by CheckpointError, or is what it claims to be.

    python -m tests.checkpoint.campaigns                    a campaign: 100,000 files of each kind
    python -m tests.checkpoint.campaigns --count 3000 bytes some of one kind

bytes       a file of ours with damage anywhere
spelling    its header with damage, sealed again: its checksum is made to fit
grammar     its header taken apart and put together wrongly (numbers, names, offsets, keys, dtypes, counts), the checksums
            of its tensors made to fit too, and sealed
others      the same as files of other programs, for `read_safetensors`

Each campaign runs in a process of its own that may take no more memory than two files and 16 MiB. A file of ours that is
read has to be, byte by byte, what `encode` writes for the arrays that were read. One of others has to be read as an
independent reader reads it, or be refused where that refuses. The exit code is 1 if anything else happens.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autograph as ag
from autograph import checkpoint
from autograph.safetensors_format import CODES
from tests.checkpoint.mutants import Arrays, of_bytes, of_grammar, of_others, of_spelling, written

ROOM = 16 << 20  # bytes beside two files
SLOWEST = 1.0  # seconds of the processor
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a file rewritten on a disk may wait for the disk
DTYPES = {code: np.dtype(name) for name, code in CODES.items()}

# another reader of files of others -----------------------------------------------------------------------------------


class _Odd(Exception):
    """What the format, as it is documented, does not allow."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Odd
    return dict(pairs)


def _whole(digits: str) -> int:
    if not digits.isdigit() or len(digits) > 16:
        raise _Odd
    return int(digits)


def _never(_: str) -> Any:
    raise _Odd


def independent(content: bytes) -> Arrays | None:
    """What such a file holds by another reader, on `json`; None where it is none."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 10 or length > min(len(content) - 8, 16 << 20) or content[8:9] != b"{":
        return None
    data, found, spans = content[8 + length :], {}, []
    try:
        text = content[8 : 8 + length].decode()
        rows = json.loads(text, object_pairs_hook=_once, parse_int=_whole, parse_float=_never, parse_constant=_never)
        for name, row in rows.items():
            if name == "__metadata__":
                if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
                    return None
                continue
            if len(name.encode()) > 1024 or set(row) != {"dtype", "shape", "data_offsets"}:
                return None
            shape, offsets, code = row["shape"], row["data_offsets"], row["dtype"]
            if not all(type(n) is int and 0 <= n <= 2**53 for n in (*shape, *offsets)) or len(shape) > 64 or len(offsets) != 2:
                return None
            dtype = np.dtype("uint16") if code == "BF16" else DTYPES[code]
            count, most = 1, dtype.itemsize
            for n in shape:
                count, most = count * n, most * max(n, 1)
            if most > 2**53 or offsets[1] - offsets[0] != count * dtype.itemsize or offsets[1] > len(data):
                return None
            raw = np.frombuffer(data[offsets[0] : offsets[1]], dtype.newbyteorder("<")).reshape(shape)
            if code == "BOOL" and set(data[offsets[0] : offsets[1]]) - {0, 1}:
                return None
            spans.append(tuple(offsets))
            found[name] = (raw.astype(np.uint32) << 16).view(np.float32) if code == "BF16" else raw
    except (_Odd, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            return None
        end = stop
    return found if end == len(data) else None


# campaigns -----------------------------------------------------------------------------------------------------------


def _bits(arrays: Arrays) -> dict[str, Any]:
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()}


def right_if_ours(content: bytes, found: Arrays | None) -> bool:
    wanted = independent(content)
    return found is None or (written(found) == content and wanted is not None and _bits(found) == _bits(wanted))


def right_if_of_others(content: bytes, found: Arrays | None) -> bool:
    wanted = independent(content)
    if found is None or wanted is None:
        return found is None and wanted is None
    return _bits(found) == _bits(wanted)


Judge = Callable[[bytes, Arrays | None], bool]
KINDS: dict[str, tuple[Callable[[random.Random], Iterator[bytes]], Callable[[Path], Arrays], Judge]] = {
    "bytes": (of_bytes, checkpoint.read, right_if_ours),
    "spelling": (of_spelling, checkpoint.read, right_if_ours),
    "grammar": (of_grammar, checkpoint.read, right_if_ours),
    "others": (of_others, checkpoint.read_safetensors, right_if_of_others),
}


def campaign(kind: str, count: int, seed: int) -> dict[str, Any]:
    """What became of so many files of a kind; meant for a process of its own, whose memory it limits."""
    import resource  # where a process can limit its memory

    make, read, right = KINDS[kind]
    made, outcomes, faults, slowest, largest = make(random.Random(seed)), Counter[str](), [], 0.0, 0
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder) / "mutant"
        if os.path.exists("/proc/self/statm"):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + ROOM + (2 << 20)  # room for two of the largest files
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(count):
            content = next(made)
            path.write_bytes(content)
            start = time.process_time()
            found, outcome = None, "accepted"
            try:
                found = read(path)
            except ag.CheckpointError as error:
                outcome = "refused" if str(path) in str(error) and len(str(error)) < 20_000 else "refused without its name"
            except BaseException as error:
                outcome = type(error).__name__
            slowest, largest = max(slowest, time.process_time() - start), max(largest, len(content))
            if outcome in ("accepted", "refused") and not right(content, found):
                outcome = f"wrongly {outcome}"
            outcomes[outcome] += 1
            if outcome not in ("accepted", "refused"):
                faults.append(f"{outcome}: file {number} of seed {seed}: {content[:300]!r}")
        unit = 1024 if sys.platform == "darwin" else 1  # there it is counted in bytes, elsewhere in KiB
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit
    return {"kind": kind, "files": count, **outcomes, "slowest_s": round(slowest, 3), "largest": largest, "grown_kib": grown,
            "faults": faults[:20]}  # fmt: skip


def in_a_process(kind: str, count: int, seed: int = 11) -> dict[str, Any]:
    """A campaign in a process of its own."""
    command = [sys.executable, "-m", "tests.checkpoint.campaigns", "--here", "--count", str(count), "--seed", str(seed), kind]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if found.returncode:
        return {"kind": kind, "files": count, "faults": [f"the process ended with {found.returncode}: {found.stderr[-2000:]}"]}
    result: dict[str, Any] = json.loads(found.stdout)
    return result


def bad(result: dict[str, Any]) -> list[str]:
    """What a campaign has found wrong."""
    slow = [f"one file took {result['slowest_s']} s"] if result.get("slowest_s", 0) > SLOWEST else []
    grown = result.get("grown_kib", 0) * 1024
    large = [f"memory grew by {grown:,} bytes"] if grown > 2 * result.get("largest", 0) + ROOM else []
    return [*result["faults"], *slow, *large]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="all where none is given")
    parser.add_argument("--count", type=int, default=100_000, help="files of each kind")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--here", action="store_true", help="in this process, which is limited; the result is printed as JSON")
    options = parser.parse_args(arguments)
    if options.here:
        print(json.dumps(campaign(options.kinds[0], options.count, options.seed)))
        return 0
    wrong = 0
    for kind in options.kinds or KINDS:
        result = in_a_process(kind, options.count, options.seed)
        print(", ".join(f"{name} {value}" for name, value in result.items() if name != "faults"), flush=True)
        print(*bad(result), sep="\n", end="\n" if bad(result) else "")
        wrong += len(bad(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
