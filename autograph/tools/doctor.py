"""What autograph finds on this machine: the first lines of a bug report."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from autograph import config
from autograph.errors import ArgumentError
from autograph.executors.executor import EXECUTORS, lack_of

__all__ = ["examine", "report"]

_DISTRIBUTION = "autograph-engine"
_OPTIONAL = {
    "hypothesis": "gradient checks and strategies (autograph.testing)",
    "jax": "a peer of the benchmarks",
    "llvmlite": "the native executor",
    "matplotlib": "pictures of the tutorials",
    "optax": "a peer of the benchmarks",
    "pytest": "the tests",
    "scipy": "the native executor; matrix products with an update in one call",
    "threadpoolctl": "the threads of BLAS, listed here",
    "torch": "an oracle of the tests, a peer of the benchmarks",
    "tqdm": "progress bars of the tutorials",
}
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "AUTOGRAPH_THREADS")


def examine() -> dict[str, Any]:
    """Everything found, as plain data: executor, NumPy, BLAS, processor, threads, packages, settings."""
    built: Mapping[str, Any] = np.show_config(mode="dicts")
    return {
        "autograph": {"version": _version(_DISTRIBUTION) or "a checkout", "place": str(Path(__file__).parents[1])},
        "python": {"version": platform.python_version(), "place": sys.executable, "system": platform.platform()},
        "executor": {
            "default": config.default_executor(), "available": sorted(EXECUTORS),
            "lacks": {name: lack for name in sorted(EXECUTORS) if (lack := lack_of(name))},
        },
        "numpy": {"version": np.__version__, **_blas(built)},
        "processor": {"machine": platform.machine(), "features": _features(built)},
        "threads": _threads(),
        "packages": {name: _version(name) for name in sorted(_OPTIONAL)},
        "settings": {
            "epsilon": config.epsilon(), "floatx": config.floatx(), "image_data_format": config.image_data_format(),
        },
    }  # fmt: skip


def report(found: Mapping[str, Any]) -> str:
    """What `examine` found, as lines for people."""
    numpy, threads, packages = found["numpy"], found["threads"], found["packages"]
    unknown = found["executor"]["default"] not in found["executor"]["available"]
    present = [f"{name} {number}" for name, number in packages.items() if number]
    absent = [f"{name}: {_OPTIONAL[name]}" for name, number in packages.items() if not number]
    pools = [f"{pool['library']} {pool['version']}: {pool['threads']}" for pool in threads["pools"] or []]
    rows = [
        ("autograph", f"{found['autograph']['version']}, {found['autograph']['place']}"),
        ("Python", f"{found['python']['version']}, {found['python']['place']}"),
        ("system", found["python"]["system"]),
        ("executor", found["executor"]["default"] + (", which is unknown" if unknown else "")),
        ("", f"available: {', '.join(found['executor']['available'])}"),
        *[("", f"{name} does not run here: {lack}") for name, lack in found["executor"]["lacks"].items()],
        ("NumPy", f"{numpy['version']}, BLAS {numpy['blas']} {numpy['blas_version']}".rstrip()),
        ("processor", f"{found['processor']['machine']}: {' '.join(found['processor']['features']) or 'no features named'}"),
        ("threads", f"{threads['usable']} of {threads['processors']} processors may be used"),
        ("", f"long loops of the native executor: {threads['loops']}"),
        *[("", f"{name}={value}") for name, value in threads["environment"].items()],
        *[("", f"{pool} threads") for pool in pools],
        ("settings", ", ".join(f"{name} {value}" for name, value in found["settings"].items())),
        ("packages", ", ".join(present) or "none of the optional ones"),
        *[("absent" if not i else "", line) for i, line in enumerate(absent)],
    ]
    return "\n".join(f"{name:<10} {text}" for name, text in rows)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _blas(built: Mapping[str, Any]) -> dict[str, str]:
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return {"blas": str(blas.get("name", "unknown")), "blas_version": str(blas.get("version", ""))}


def _features(built: Mapping[str, Any]) -> list[str]:
    """The vector instructions that NumPy uses here."""
    extensions = built.get("SIMD Extensions", {})
    return [*extensions.get("baseline", []), *extensions.get("found", [])]


def _threads() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "usable": config.processors(),
        "loops": _loops(),
        "environment": {name: os.environ[name] for name in _THREAD_SETTINGS if name in os.environ},
        "pools": _pools(),
    }


def _loops() -> int | str:
    """On how many threads the native executor runs long loops, or what is wrong with the setting."""
    try:
        return config.threads()
    except ArgumentError as error:
        return error.what


def _pools() -> list[dict[str, Any]] | None:
    """The thread pools of the libraries that are loaded; None where threadpoolctl is not installed."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return [
        {"library": pool["internal_api"], "version": pool["version"] or "", "threads": pool["num_threads"]}
        for pool in threadpool_info()
    ]
