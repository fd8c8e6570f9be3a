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
WAYS = ("at once", "in turn")  # to play


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
    found = re.search(pattern, printed, re.MULTILINE)
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


def own_optimizer(printed: str, folder: Path) -> None:
    assert "v/w, m/w" in printed and "TypeError: ADOPT got an unknown argument 'beta1'; did you mean 'beta_1'?" in printed
    assert number(r"distance from the reference ([\d.e-]+)", printed) < 1e-12
    assert number(r"with its lines swapped ([\d.e-]+)", printed) > 1e-4
    ends = dict(re.findall(r"(\w+): x = ([+-][\d.]+) at the end", printed))
    assert float(ends["Adam"]) > 0.9 and float(ends["ADOPT"]) < -0.9


def schedules_and_freezing(printed: str, folder: Path) -> None:
    written = printed.splitlines()[0]
    assert "head/kernel" in written and "body" not in written
    assert "0.0000 0.0015 0.0030 0.0015 0.0000" in printed
    ways = ("from nothing", "all at once", "head only", "head, then all")
    nothing, *others = (number(rf"^ *{way}: ([\d.]+)%", printed) for way in ways)
    assert min(others) > nothing and others[-1] > nothing + 2
    constant, falling = (number(rf"{name}: mean loss of epoch 40 ([\d.]+)", printed) for name in ("constant", "plateau"))
    assert falling < constant / 10
    assert number(r"constant.*the rate then ([\d.]+)", printed) == 0.03 > number(r"plateau.*the rate then ([\d.]+)", printed)


def two_players(printed: str, folder: Path) -> None:
    apart, turning = (number(rf"{way}: after 300 ticks the distance from 0 is ([\d.]+)", printed) for way in WAYS)
    assert apart == number(r"to the power 300: ([\d.]+)", printed) and 0.9 < turning < 1.1
    calls = {way: number(rf"calls of dot, {way}: (\d+)", printed) for way in (*WAYS, "D alone", "G alone")}
    apart = calls["D alone"] + calls["G alone"]
    assert calls["at once"] + 6 == calls["in turn"] + 3 == apart, "three layers each that are not computed twice"
    found = re.findall(r"seed \d, [a-z ]+: (\d) heaps found, (\d+)% of the points", printed)
    assert len(found) == 6 and all(int(heaps) >= 6 and int(near) > 50 for heaps, near in found)


def inside_a_network(printed: str, folder: Path) -> None:
    assert number(r"held-out accuracy ([\d.]+)", printed) > 0.95
    assert "the third layer gives (1, 4, 4, 8)" in printed and "without a phase it is as in test: True" in printed
    assert 5 < number(r"in training (\d+)% of what is not 0", printed) < 50, "a quarter, of a few"
    assert "smaller (MaxPooling2D)  (None, 4, 4, 8)        0" in printed and "(447, 10)" in printed


def part_of_a_network(printed: str, folder: Path) -> None:
    assert number(r"of 5 to 9 it reads ([\d.]+)%", printed) > 75
    assert "the body is as it was, to the last bit: True" in printed
    assert "what fit would change: head/kernel, head/bias" in printed
    assert number(r"the first network reads ([\d.]+)%", printed) == number(r"first network still reads ([\d.]+)%", printed) > 97
    fed, unfed = (set(re.findall(r"\d\.\d+", line)) for line in re.findall(r"^fed .*", printed, re.MULTILINE))
    assert len(fed) == 3 and len(unfed) == 1


def ddpg(printed: str, folder: Path) -> None:
    assert number(r"before (-[\d.]+)", printed) < -15 < -10 < number(r"after (-[\d.]+)", printed)


FACTS: dict[str, Callable[[str, Path], None]] = {
    check.__name__: check
    for check in (
        digits, first_function, custom_loss, state_machine, wrong_gradient, actor_critic, own_optimizer,
        schedules_and_freezing, two_players, inside_a_network, part_of_a_network, ddpg,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_a_tutorial_prints_what_it_says(name: str, tmp_path: Path) -> None:
    FACTS[name](ran(name, tmp_path), tmp_path)


def test_every_tutorial_is_run() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.py")} == set(FACTS)


def test_titles_are_numbered_in_the_order_of_reading() -> None:
    titles = [(ast.get_docstring(ast.parse(source(name))) or "").splitlines()[0] for name in FACTS]
    assert [title.split(" · ")[0] for title in titles] == [str(i + 1) for i in range(len(FACTS))]


@pytest.mark.parametrize("name", FACTS)
def test_a_tutorial_is_short(name: str) -> None:
    assert len(source(name).splitlines()) <= 120


def source(name: str) -> str:
    return (TUTORIALS / f"{name}.py").read_text(encoding="utf-8")
