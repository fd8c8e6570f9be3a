"""Layers give what those of Keras 2.3.1 give, where the extra `keras` is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.mark.skipif(any(find_spec(name) is None for name in ("h5py", "keras")), reason="the extra `keras` is not installed")
def test_layers_agree_with_those_of_keras(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERAS", "COV"))}
    here = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "autograph.keras", "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        [sys.executable, str(HERE / "beside_keras.py")], env={**kept, **here, "AUTOGRAPH_EXECUTOR": "numpy"},
        capture_output=True, text=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 31 and all(line.endswith(" agrees") for line in lines), done.stdout
