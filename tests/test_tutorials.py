"""The tutorials run as scripts, in an empty folder, and print what their prose says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = ROOT / "docs" / "tutorials"


def ran(name: str, folder: Path) -> str:
    """What the tutorial prints when it is run in `folder`."""
    run = subprocess.run(
        [sys.executable, str(TUTORIALS / f"{name}.py")],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=240, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr, run.stderr
    return run.stdout


def number(pattern: str, printed: str) -> float:
    """The number in the first group of the pattern."""
    found = re.search(pattern, printed)
    assert found, f"{pattern!r} is not in\n{printed}"
    return float(found[1].replace(",", ""))


def digits(printed: str, folder: Path) -> None:
    assert number(r"held-out accuracy ([\d.]+)", printed) > 0.97
    assert 1 <= len(re.findall(r"^epoch", printed, re.MULTILINE)) <= 40, "plain lines where nobody watches"
    picture = (folder / "digits.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg") and picture.count("<polyline") == 2 and " not " in picture


def first_function(printed: str, folder: Path) -> None:
    by_hand = number(r"dy/dw by hand: +([\d.]+)", printed)
    assert number(r"dy/dw by the engine: +([\d.]+)", printed) == by_hand
    assert abs(number(r"dy/dw by differences: +([\d.]+)", printed) - by_hand) < 1e-5
    assert number(r"asked again: ([\d.]+)", printed) == by_hand
    assert number(r"went on too early: ([\d.]+)", printed) < by_hand / 2


def custom_loss(printed: str, folder: Path) -> None:
    assert number(r"points on their side of the boundary: ([\d.]+)%", printed) > 97
    assert number(r"clipped: largest norm [\d.e+]+, mean loss of the last 100 steps ([\d.]+)", printed) < 0.15
    assert "gradient of the share of mistakes: [None]" in printed
    message = printed.split("DisconnectedError:")[1]
    assert "'w1'" in message and "cut at argmax" in message and "custom_loss.py:" in message and "use softmax" in message


def state_machine(printed: str, folder: Path) -> None:
    for line in ("= 0 1.0 2.0", "= 1 2.0 1.0", "= 2 1.0 2.0"):
        assert f"before the tick:  n, a, b {line}" in printed
    assert "seen ← n\n" in printed and "seen ← n + 1\n" in printed
    assert "DuplicateUpdateError: 'n' has two new values" in printed
    assert "preview of x = nan: {'n': 3, 'a': 2.0, 'b': 1.0, 'mean': 0.0}" in printed
    assert number(r"interrupted (\d+) times", printed) == 100
    assert number(r"p and q torn apart: (\d+) times", printed) == 0


def wrong_gradient(printed: str, folder: Path) -> None:
    message = printed.split("GradientError:")[1]
    assert "the sign is wrong" in message and "repeat it: check_gradients(log_cosh, np.array([" in message
    assert printed.count("Checked(methods=") == 2
    assert number(r"complex step: best relative error ([\d.e-]+)", printed) < 1e-14
    assert number(r"forward: best relative error ([\d.e-]+)", printed) > 1e-11


def actor_critic(printed: str, folder: Path) -> None:
    returns = [(float(a), float(b)) for a, b in re.findall(r"first five episodes (-?\d+), of the last five (-?\d+)", printed)]
    assert len(returns) == 5
    first, last = (sum(column) / 5 for column in zip(*returns, strict=True))
    assert first < -500 and last > -300, "it learns to swing up"


FACTS: dict[str, Callable[[str, Path], None]] = {
    check.__name__: check for check in (digits, first_function, custom_loss, state_machine, wrong_gradient, actor_critic)
}


@pytest.mark.parametrize("name", FACTS)
def test_a_tutorial_prints_what_it_says(name: str, tmp_path: Path) -> None:
    FACTS[name](ran(name, tmp_path), tmp_path)


def test_every_tutorial_is_run() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.py")} == set(FACTS)


def test_titles_are_numbered_in_the_order_of_reading() -> None:
    titles = [(ast.get_docstring(ast.parse(source(name))) or "").splitlines()[0] for name in FACTS]
    assert [title.split(" · ")[0] for title in titles] == list("123456")


@pytest.mark.parametrize("name", FACTS)
def test_a_tutorial_is_short(name: str) -> None:
    assert len(source(name).splitlines()) <= 120


def source(name: str) -> str:
    return (TUTORIALS / f"{name}.py").read_text(encoding="utf-8")
