"""docs/reference/vocabulary.md has every name of the backend once, with its arguments and what it does."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograph import backend

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def vocabulary() -> Iterator[Any]:
    """The module that makes the page."""
    sys.path.insert(0, str(DOCS))
    try:
        import vocabulary

        yield vocabulary
    finally:
        sys.path.remove(str(DOCS))
        sys.modules.pop("vocabulary", None)


def test_every_name_stands_once_under_its_subject(vocabulary: Any, tmp_path: Path) -> None:
    vocabulary.write(tmp_path / "tables")
    text = (tmp_path / "tables" / "tables.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    names = Counter(row.removeprefix("| `").partition("(")[0] for row in rows)
    assert set(names) == set(backend.__all__) and set(names.values()) == {1}
    for row in rows:
        call, said = row.removeprefix("| `").removesuffix(" |").split("` | ", 1)
        name, _, listed = call.partition("(")
        own = inspect.signature(getattr(backend, name)).parameters
        assert all(parameter in listed for parameter in own), row
        assert said.endswith(".") and len(said) > 5 and "|" not in said.replace("\\|", ""), row
    assert "`cumsum(x, axis=0)` | x₀ + … + xᵢ along `axis`, in the shape of `x`." in text
    assert "## Linear algebra" in text and (DOCS / "reference/vocabulary.md").read_text().count("vocabulary/tables.md") == 1
