"""Native code is the default where llvmlite and SciPy are installed, and NumPy where they are not, silently.

Where it was asked for and one is missing: one clear line, and NumPy; an error only where a function names it.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
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


def test_the_numpy_executor_needs_neither() -> None:
    program = "import sys; import autograph as ag, numpy as np; x = ag.placeholder((2,)); ag.function([x], x + 1.0)(np.ones(2));"
    ran = subprocess.run(
        [sys.executable, "-c", program + "assert 'llvmlite' not in sys.modules and 'scipy' not in sys.modules"],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=60,
        env={"PYTHONPATH": str(ROOT), "AUTOGRAPH_EXECUTOR": "numpy"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


DEFAULT = """
import sys
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == {missing!r} else find(name)
import numpy as np, autograph as ag
x = ag.placeholder((2,))
assert not {{"llvmlite", "scipy"}} & set(sys.modules)
f = ag.function([x], x + 1.0)
print(ag.default_executor(), f.executor.name, *f(np.ones(2)), *ag.eval(ag.constant([1.0]) + 1.0))
"""


@pytest.mark.parametrize("missing", ["", "llvmlite", "scipy"])
@pytest.mark.parametrize("environment", [{}, {"AUTOGRAPH_EXECUTOR": ""}, {"AUTOGRAPH_EXECUTOR": "numpy"}], ids=str)
def test_native_code_is_the_default_where_it_is_installed(missing: str, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", DEFAULT.format(missing=missing)], check=False, capture_output=True, text=True,
        cwd=ROOT, timeout=60, env={"PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    installed = not missing and all(find_spec(name) for name in ("llvmlite", "scipy"))
    name = "native" if installed and not environment.get("AUTOGRAPH_EXECUTOR") else "numpy"
    assert ran.stdout.split() == [name, name, "2.0", "2.0", "2.0"]
