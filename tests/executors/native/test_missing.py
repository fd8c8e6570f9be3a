"""Where llvmlite or SciPy is missing: one clear line, and NumPy; an error only where native code was asked for by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, warnings
sys.modules[{library!r}] = None  # as if it were not installed
import numpy as np, autograph as ag
x = ag.placeholder((None,))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    functions = [ag.function([x], x + 1.0) for _ in range(2)]
print(functions[0].executor.name, functions[1](np.ones(2)), len(said), said[0].message if said else "", sep="|")
try:
    ag.function([x], x, executor="native")
except ag.ArgumentError as error:
    print(str(error).splitlines()[0], error.fix, sep="|")
"""


@pytest.mark.parametrize("library", ["llvmlite", "scipy"])
def test_numpy_takes_over_with_one_line_and_asking_by_name_is_an_error(library: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(library=library)], check=False, capture_output=True, text=True, cwd=ROOT,
        timeout=60, env={"AUTOGRAPH_EXECUTOR": "native", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    name, result, warnings, said = first.split("|")
    assert (name, result, warnings) == ("numpy", "[2. 2.]", "1"), first
    what, fix = second.split("|")
    for text in (said, what):
        assert "native" in text and (library in text or "llvmlite" in text), text
    assert fix == "in a clone: pip install '.[native]'"


def test_numpy_needs_neither() -> None:
    program = "import sys; import autograph as ag, numpy as np; x = ag.placeholder((2,)); ag.function([x], x + 1.0)(np.ones(2));"
    ran = subprocess.run(
        [sys.executable, "-c", program + "assert 'llvmlite' not in sys.modules and 'scipy' not in sys.modules"],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
