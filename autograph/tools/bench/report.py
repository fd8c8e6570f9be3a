"""The numbers as Markdown tables, and as JSON."""

import json
import platform
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .contest import Competitor, Mismatch, Row, hold

LIBRARIES = ("numpy", "scipy", "jax", "optax", "torch", "pytensor")
COLUMNS = ("competitor", "median µs", "min µs", "ratio to ours", "build ms", "import ms", "peak MB")


def conditions(rounds: int) -> str:
    """What a reader must know to repeat the run; nothing about the machine."""
    versions = [f"Python {platform.python_version()}", *filter(None, map(_with_version, LIBRARIES))]
    return f"{', '.join(versions)}; float32, threads=1 on one core; medians of {rounds} rounds taken in turns."


def show_races(
    contests: Iterable[tuple[str, str, Sequence[Competitor]]], options: Namespace, facts: Mapping[str, Any] | None = None
) -> int:
    """Hold contests, each a title, a problem's name and who takes part, and print a table of each; 1 where some disagree.

    `facts` are what else goes into the file of JSON.
    """
    races = {}
    for title, name, competitors in contests:
        try:
            races[title] = hold(name, competitors, options)
        except Mismatch as mismatch:
            print(f"{title}: {mismatch}", file=sys.stderr)
            return 1
        print(race_table(title, races[title]), flush=True)
    if options.json:
        write_json(options.json, {"conditions": conditions(options.rounds), **(facts or {})}, races)
    return 0


def race_table(title: str, rows: Sequence[Row]) -> str:
    """One line for each competitor; a ratio above 1 says that ours is faster."""
    cells = [
        (
            row.competitor,
            number(row.median_us),
            number(row.min_us),
            "–" if row.ratio is None else f"{row.ratio:.2f}",
            number(row.build_ms),
            number(row.import_ms),
            f"{row.peak_mb:.0f}",
        )
        for row in rows
    ]
    return f"### {title}\n\n{table(COLUMNS, cells)}\n"


def cost_table(title: str, costs: Sequence[tuple[str, float, str]]) -> str:
    """One line for each cost: what, how much, its unit."""
    return f"### {title}\n\n{table(('what', 'cost'), [(what, f'{number(n)} {unit}') for what, n, unit in costs])}\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, aligned to be read as plain text; all columns but the first are numbers."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [columns, rule, *rows]
    return "\n".join("| " + " | ".join(_aligned(line, widths)) + " |" for line in lines)


def write_json(path: Path, facts: Mapping[str, Any], races: Mapping[str, Sequence[Any]]) -> None:
    """The same numbers for programs: `facts` as they are, and the rows of each race by its title."""
    content = {**facts, "races": {title: [asdict(row) for row in rows] for title, rows in races.items()}}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _with_version(library: str) -> str | None:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return None
