"""One contest: who takes part, that all compute the same numbers, how fast they are, what they cost besides."""

import importlib
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from math import isclose
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any

from .problems import problem
from .timing import race

CHECKED_STEPS = 5
TOLERANCE = 1e-3
NATIVE = ("llvmlite.binding", "scipy.linalg.cython_blas", "autograph.executors.native.executor")  # what our native executor loads

# A child loads this folder without the package around it, so that a peer's memory is its own.
CHILD = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
folder = Path(sys.argv.pop(1))
spec = spec_from_file_location("bench", folder / "__init__.py", submodule_search_locations=[str(folder)])
sys.modules["bench"] = module_from_spec(spec)
from bench.child import main
main(*sys.argv[1:])
"""


@dataclass(frozen=True)
class Competitor:
    """One way to do the work: a name for the table; "module:function", the function that makes a step of a problem;
    the modules that a user imports for it; whether it does all of the work, so that its numbers can be compared; a program
    that it needs; whether it takes minutes to build, so that it takes part where it is asked for."""

    name: str
    source: str
    imports: tuple[str, ...] = ("numpy",)
    whole: bool = True
    program: str = ""
    slow: bool = False

    @property
    def is_ours(self) -> bool:
        return self.source.startswith("ours")

    def builder(self) -> Callable[..., Any]:
        """The function named by `source`; loads the libraries."""
        module, _, function = self.source.partition(":")
        builder: Callable[..., Any] = getattr(importlib.import_module(f".{module}", __package__), function)
        return builder

    def missing(self) -> str | None:
        """The first of `imports`, or the program, that is not installed."""
        lacks = [name for name in self.imports if not _is_installed(name)]
        return next(iter([*lacks, *([self.program] if self.program and which(self.program) is None else ())]), None)


@dataclass(frozen=True)
class Row:
    """What was found about one competitor; `ratio` is its median time over ours.

    A fresh process gives the last three: the import, beyond NumPy's; the build of the step with its first call; and
    the peak of its memory, the library and the data included.
    """

    competitor: str
    median_us: float
    min_us: float
    ratio: float | None
    import_ms: float
    build_ms: float
    peak_mb: float


class Mismatch(Exception):
    """Competitors compute different numbers: whatever time they take, it is not the same work."""


def entrants(competitors: Sequence[Competitor], only: Sequence[str] | None) -> list[Competitor]:
    """Those whose name has one of `only` in it and whose libraries are installed; prints who is left out."""
    named = [c for c in competitors if any(part.lower() in c.name.lower() for part in only or ())]
    asked = named if only else [c for c in competitors if not c.slow]
    for competitor in asked:
        if library := competitor.missing():
            print(f"Left out: {competitor.name} ({library} is not installed).")
    return [c for c in asked if not c.missing()]


def hold(name: str, competitors: Sequence[Competitor], options: Namespace) -> list[Row]:
    """Compare the competitors on the problem of that name, in rows; the first that is ours is what ratios refer to.

    Raises:
        Mismatch: two of them compute different numbers.
    """
    steps = {c.name: c.builder()(problem(name)) for c in competitors}
    check_agreement({c.name: [float(steps[c.name](i)) for i in range(CHECKED_STEPS)] for c in competitors if c.whole})
    costs = {c.name: costs_in_child(c, name) for c in competitors}
    times = race(steps, options.rounds, options.seconds)
    ours = next((median(times[c.name]) for c in competitors if c.is_ours), None)
    return [
        Row(key, median(taken) * 1e6, min(taken) * 1e6, median(taken) / ours if ours else None, **costs[key])
        for key, taken in times.items()
    ]


def check_agreement(numbers: Mapping[str, Sequence[float]]) -> None:
    """Compare the numbers of the first steps with those of the first competitor.

    Raises:
        Mismatch: some differ by more than a thousandth.
    """
    wrong = [name for name, found in numbers.items() if not _close(found, next(iter(numbers.values())))]
    if wrong:
        found = "\n".join(f"  {name}: {list(values)}" for name, values in numbers.items())
        raise Mismatch(f"MISMATCH, nothing is timed: {', '.join(wrong)} and the first below differ.\n{found}")


def costs_in_child(competitor: Competitor, problem_name: str) -> dict[str, float]:
    """`import_ms`, `build_ms` and `peak_mb`, as a fresh process measures them."""
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", CHILD, folder, json.dumps(asdict(competitor)), problem_name]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    costs: dict[str, float] = json.loads(printed.splitlines()[-1])
    return costs


def _close(found: Sequence[float], expected: Sequence[float]) -> bool:
    return all(isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in zip(found, expected, strict=True))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
