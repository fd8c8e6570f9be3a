"""Keras runs in processes of its own: loading it changes how the process reads settings and imports modules."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs Python code, or a command's arguments, in a folder of its own from which modules are imported first."""

    def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *(["-c", textwrap.dedent(arguments[0])] if len(arguments) == 1 else arguments)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERAS", "COV"))}
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        here = {**kept, "KERAS_HOME": str(tmp_path / "home"), "PYTHONPATH": path, **variables}
        return subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)

    return start
