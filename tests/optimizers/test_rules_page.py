"""docs/rules.md has every rule: its formula, its paper, and a path that leads down the valley."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optimizers
from tests.optimizers.paths import EVERY, Make

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def valley() -> Iterator[Any]:
    """The module that makes the page."""
    sys.path.insert(0, str(DOCS))
    try:
        import valley

        yield valley
    finally:
        sys.path.remove(str(DOCS))
        sys.modules.pop("valley", None)


def test_the_page_has_every_rule_that_there_is(valley: Any) -> None:
    assert set(valley.RULES) == set(EVERY) and len(EVERY) > 20


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.__name__)
def test_a_rule_leads_down_the_valley_within_the_frame(valley: Any, rule: Make) -> None:
    way = valley.path(rule)
    assert way.points.shape == (101, 2) and tuple(way.points[0]) == valley.START
    np.testing.assert_allclose(way.losses, valley.valley(*way.points.T), rtol=1e-12)
    assert way.losses.min() < 0.3 * way.losses[0]


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.__name__)
def test_a_section_has_the_formula_the_picture_and_the_paper(valley: Any, rule: Make) -> None:
    way = valley.Path2D(0.1, np.zeros((101, 2)), np.ones(101))
    text = valley.section(rule, way, list)
    assert f"rules/{rule.__name__.lower()}.png" in text and (inspect.getdoc(rule) or "?") in text
    assert "←" in text, "the formula"
    assert "](https://" in text, "name the paper in the docstring by authors and year, and put it into docs/papers.md"


def test_every_paper_that_a_docstring_names_is_on_the_page_of_papers(valley: Any) -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in Path(optimizers.__file__).parent.glob("*.py")}
    known = valley.papers()
    assert not [(file, *key) for file, text in texts.items() for key in valley.cited(text) if key not in known]


def test_pictures_are_drawn_and_are_small(valley: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    way = valley.Path2D(0.1, np.linspace(valley.START, valley.LOWEST, 101), np.geomspace(10, 1e-6, 101))
    valley.draw(tmp_path, "Adam", way, [way.losses])
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert 10_000 < sizes["adam.png"] < 60_000 and 1_000 < sizes["adam_small.png"] < 10_000
