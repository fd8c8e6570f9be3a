"""The benchmarks: `python -m autograph bench mlp`, and so for `updates`, `optimizers`, `steps` and `recurrent`.

Every competitor runs in one process, on one thread and one core, in turns. The limits on threads must stand before
NumPy is loaded, and by the time `main` is called it is; so `main` starts Python once more with them set.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


def main(argv: list[str]) -> int:
    """Run one benchmark and print its tables; 0 when all went well, 1 when competitors compute different things."""
    options = _parser().parse_args(argv)
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        return _start_again(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # By name and only now: asking for --help, or starting again, loads neither NumPy nor a competitor.
    benchmark = importlib.import_module(f"{__name__}.{options.benchmark}")
    return int(benchmark.run(options))


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--rounds", type=_count, default=10, help="turns of each competitor (default 10)")
    shared.add_argument("--seconds", type=_above_zero, default=1.0, help="timed seconds of each (default 1.0)")
    shared.add_argument("--only", action="append", metavar="NAME", help="competitors with NAME in their name; repeat")
    shared.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    parser = argparse.ArgumentParser(prog="python -m autograph bench", description="Compare with other libraries.")
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    mlp = benchmarks.add_parser("mlp", parents=[shared], help="a training step of three multilayer perceptrons")
    mlp.add_argument(
        "--network", type=_sizes, action="append", metavar="SIZES", help="this network alone, as 784-128-10; repeat"
    )
    benchmarks.add_parser("updates", parents=[shared], help="Adam on 400 small parameters; the costs of a function")
    benchmarks.add_parser("steps", parents=[shared], help="an actor with its critic; a network of convolutions; along rows")
    benchmarks.add_parser("recurrent", parents=[shared], help="an LSTM over fifty steps, and its gradient")
    benchmarks.add_parser("keras", parents=[shared], help="epochs of Keras 2.3.1 on autograph")
    optimizers = benchmarks.add_parser("optimizers", parents=[shared], help="a step of every rule that a peer has too")
    optimizers.add_argument("--rule", action="append", metavar="NAME", help="rules with NAME in their name; repeat")
    optimizers.add_argument("--size", type=_count_and_size, action="append", metavar="SIZE", help="400x100, say; repeat")
    optimizers.add_argument("--quick", action="store_true", help="40x100 alone, in short turns: a look, not a measure")
    return parser


def _above_zero(text: str) -> float:
    if (number := float(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _count(text: str) -> int:
    if (number := int(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _count_and_size(text: str) -> str:
    count, _, size = text.partition("x")
    if not all(number.isdecimal() and int(number) for number in (count, size)):
        raise argparse.ArgumentTypeError(f"{text} is not a count of parameters and their size, as 400x100")
    return text


def _sizes(text: str) -> str:
    sizes = text.split("-")
    if len(sizes) < 2 or not all(size.isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"{text} is not a list of sizes as 784-128-10")
    return text


def _start_again(argv: list[str]) -> int:
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", __name__, *argv]
    return subprocess.run(command, env=os.environ | ONE_THREAD | {"PYTHONPATH": path}, check=False).returncode
