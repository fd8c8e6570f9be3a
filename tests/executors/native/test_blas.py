"""How many threads of BLAS multiply: one, so that bits do not depend on the machine, unless the user says how many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ASKED = """
import ctypes, json
from scipy.linalg import cython_blas
library = ctypes.CDLL(cython_blas.__file__)
names = ("scipy_openblas_get_num_threads", "openblas_get_num_threads", "MKL_Get_Max_Threads")
count = next((f for name in names if (f := getattr(library, name, None)) is not None), lambda: None)
before = count()
from autograph import function, placeholder
function([x := placeholder(())], x + 1, executor="native")(1.0)
print(json.dumps([before, count()]))
"""


def before_and_after(**settings: str) -> list[int | None]:
    kept = {n: v for n, v in os.environ.items() if not n.endswith("_NUM_THREADS")} | settings
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
    found: list[int | None] = json.loads(done.stdout)
    if found[0] is None:
        pytest.skip("a BLAS that cannot be asked for its threads")
    return found


def test_products_are_those_of_one_thread() -> None:
    assert before_and_after()[1] == 1


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_users_decide_how_many(name: str) -> None:
    before, after = before_and_after(**{name: "2"})
    assert before == after
