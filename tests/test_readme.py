"""README.md tells the truth: its example prints what is shown, its commands and links are there. So do the guides."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograph import backend as K
from optimizers import Adam

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("adding-an-op.md", "from-tf1.md", "how-do-i.md", "layers.md", "saving.md", "updates.md", "reference/optimizers.md")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of that language, in order."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def wording(text: str) -> str:
    """The text without its numbers, which differ a little from one BLAS to the next."""
    return NUMBER.sub("#", text)


def test_the_example_prints_the_numbers_that_are_shown() -> None:
    code, shown = blocks("python")[0], blocks("text")[0]
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert wording(run.stdout) == wording(shown)
    printed, expected = (np.array(NUMBER.findall(text), float) for text in (run.stdout, shown))
    np.testing.assert_allclose(printed, expected, rtol=0.05, atol=0.02)


def test_the_example_is_some_twenty_lines_and_comes_first() -> None:
    assert README.index("```python") < README.index("```sh")
    assert len(blocks("python")[0].splitlines()) <= 25


def test_updates_print_as_shown() -> None:
    w = K.variable(np.ones((3, 1)), name="w")
    loss = K.mean(K.square(K.dot(K.placeholder((None, 3), name="x"), w)))
    loss.name = "loss"
    call, *shown = (line.strip() for line in blocks("text")[1].splitlines())
    assert call == ">>> print(Adam(lr=0.001).get_updates(loss, [w]))"
    assert repr(Adam(lr=0.001).get_updates(loss, [w])).splitlines() == shown


def test_the_first_two_shell_blocks_are_the_main_job_and_the_tests() -> None:
    first, second = blocks("sh")[:2]
    assert first.rstrip().endswith("python docs/tutorials/digits.py")
    assert second.rstrip().endswith("python -m pytest")
    for block in (first, second):
        assert "python3 -m venv .venv" in block, "each block does all its set-up"
        assert re.search(r"pip install -e ['.]", block)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_guide_runs(page: str) -> None:
    code = "\n".join(blocks("python", (ROOT / "docs" / page).read_text(encoding="utf-8")))
    exec(compile(code, page, "exec"), {"__name__": page})


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_to_a_file_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_nobody_is_sent_to_the_package_index() -> None:
    assert not re.search(r"pip install ['\"]?(autograph|optimizers)", README)


def test_the_way_through_the_engine_is_as_short_as_it_says() -> None:
    page = (ROOT / "docs/why.md").read_text("utf-8")
    way = re.search(r"A way through it, less than ([\d,]+) lines long:\n\n((?:\d\. .*\n)+)", page)
    assert way is not None
    assert f"less than {way[1]} lines" in README
    files: list[Path] = []
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", way[2]):
        place = ROOT / name if "/" in name else files[-1].parent / name
        files += sorted(place.glob("*.py")) if place.is_dir() else [place]
    assert len(files) > 20
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) < int(way[1].replace(",", ""))
