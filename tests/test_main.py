"""The command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import config, errors
from autograph.__main__ import main
from autograph.errors import AutographError
from autograph.tools import bench, doctor

ROOT = Path(__file__).resolve().parent.parent
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, AutographError)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograph", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_explain_prints_the_page_of_each_error(kind: type[AutographError], capsys: Any) -> None:
    assert main(["explain", kind.__name__]) == 0
    page = capsys.readouterr().out
    assert (kind.__doc__ or "").strip().split("\n")[0] in page
    assert f"→ {kind.__name__}\n" in page or kind is AutographError


def test_explain_shows_the_place_in_the_tree(capsys: Any) -> None:
    main(["explain", "axiserror"])
    page = capsys.readouterr().out
    assert "AutographError → ShapeError → AxisError" in page and "except IndexError" in page
    main(["explain", "autograph.errors.ShapeError"])
    assert "its kinds        AxisError" in capsys.readouterr().out


def test_explain_alone_lists_all(capsys: Any) -> None:
    assert main(["explain"]) == 0
    page = capsys.readouterr().out
    assert all(kind.__name__ in page for kind in CLASSES) and "Sizes do not fit together" in page


def test_explain_helps_with_a_typo(capsys: Any) -> None:
    assert main(["explain", "ShapError"]) == 2
    assert "did you mean 'ShapeError'?" in capsys.readouterr().err


def test_doctor_says_what_is_here(capsys: Any) -> None:
    assert main(["doctor"]) == 0
    page = capsys.readouterr().out
    for text in (f"NumPy      {np.__version__}, BLAS", "executor   numpy", "floatx float32", "processors may be used", "pytest "):
        assert text in page


def test_doctor_as_json(capsys: Any) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["numpy"]["version"] == np.__version__ and found["executor"]["default"] in found["executor"]["available"]
    assert found["packages"]["pytest"] and found["threads"]["usable"] >= 1 and found["settings"]["epsilon"] == 1e-7


def test_doctor_reports_what_is_missing_or_wrong() -> None:
    found = doctor.examine()
    found["packages"] = dict.fromkeys(found["packages"])
    found["executor"] = {"default": "abacus", "available": ["numpy"], "lacks": {"native": "No module named 'llvmlite'"}}
    found["threads"]["environment"] = {"OMP_NUM_THREADS": "1"}
    page = doctor.report(found)
    assert "none of the optional ones" in page and "tqdm: progress bars" in page
    assert "abacus, which is unknown" in page and "OMP_NUM_THREADS=1" in page
    assert "native does not run here: No module named 'llvmlite'" in page


def test_doctor_says_on_how_many_threads_loops_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, told in (("3", ": 3"), ("", f": {config.processors()}"), ("many", ": AUTOGRAPH_THREADS='many' is no number")):
        monkeypatch.setitem(config._settings, "threads", said)
        assert f"long loops of the native executor{told}" in doctor.report(doctor.examine())
    with pytest.raises(ag.ArgumentError, match="AUTOGRAPH_THREADS='many'"):
        ag.threads()


def test_bench_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(bench, "main", lambda argv: seen.append(argv) or 3)
    assert main(["bench", "mlp", "--seconds", "0.1", "--help"]) == 3
    assert seen == [["mlp", "--seconds", "0.1", "--help"]]


def test_as_a_program() -> None:
    helped, typo, nothing = run("--help"), run("explain", "Shape"), run()
    assert helped.returncode == 0 and all(name in helped.stdout for name in ("bench", "explain", "doctor"))
    assert typo.returncode == 2 and nothing.returncode == 2 and "command" in nothing.stderr
