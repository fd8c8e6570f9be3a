"""What runs in a fresh process: the import, the build and the memory of one competitor."""

import importlib
import json
import sys
from pathlib import Path
from time import perf_counter

from .contest import Competitor
from .problems import problem

if sys.platform != "win32":
    import resource

STEPS = 20
PROCESS = Path("/proc/self/status")


def main(competitor_fields: str, problem_name: str) -> None:
    """Print the costs of a competitor on a problem as a line of JSON."""
    competitor, work = Competitor(**json.loads(competitor_fields)), problem(problem_name)
    started = perf_counter()
    for module in competitor.imports:
        importlib.import_module(module)
    imported = perf_counter()
    build = competitor.builder()
    building = perf_counter()
    step = build(work)
    step(0)
    built = perf_counter()
    for i in range(1, STEPS):
        step(i)
    costs = {"import_ms": 1e3 * (imported - started), "build_ms": 1e3 * (built - building), "peak_mb": peak_mb()}
    print(json.dumps(costs))


def peak_mb() -> float:
    """The most memory this process ever held, in MB of a million bytes; NaN where the system does not say."""
    if PROCESS.exists():  # getrusage would count the parent's memory too, from before this program was loaded
        _, _, rest = PROCESS.read_text().partition("VmHWM:")
        return int(rest.split()[0]) * 1024 / 1e6
    if sys.platform == "win32":
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
