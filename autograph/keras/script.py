"""A script run with autograph as Keras's backend: `python -m autograph keras script.py arguments …`."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_USAGE = "usage: python -m autograph keras script.py [arguments …]"


def main(arguments: Sequence[str]) -> int:
    """Run the script as Python would, in this process; 0 when it came to its end, 2 where no script is named."""
    if not arguments or not Path(arguments[0]).is_file():
        print(_USAGE, file=sys.stderr)
        if arguments and arguments[0] not in ("-h", "--help"):
            print(f"there is no script {arguments[0]!r}", file=sys.stderr)
        return 2
    script = Path(arguments[0])
    os.environ["KERAS_BACKEND"] = "autograph.keras"  # which processes that it starts inherit
    sys.argv[:] = [str(script), *arguments[1:]]
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")
    return 0
