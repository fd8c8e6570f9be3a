"""Keras's own tests, run on autograph: `python tests/peers/keras_suite.py`. It prints a table and fails below the bars.

The source distribution of Keras 2.3.1 holds the tests. pip fetches it, unless `--source` names an archive.
Tier A is what Keras runs on a backend whose name it does not know. Tier B are tests that it skips there for the name
alone, though they ask nothing that is TensorFlow's own: they run here too. This file is also the plugin of pytest that
plugs autograph in where the tests look for the backends of TensorFlow and Theano.

Needs the extra `keras`, and flaky, pandas, pillow, pydot and requests, which the tests import.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import types
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BARS = {"A": 937, "B": 195}  # so many have to pass

# Files that test no backend, or TensorFlow itself.
LEFT_OUT = {
    "docs": "reads Keras's documentation",
    "test_api.py": "compares signatures by a package that is gone",
    "test_multiprocessing.py": "Keras skips it on every backend",
    "integration_tests/test_datasets.py": "downloads data sets",
    "integration_tests/test_tensorflow_integration.py": "an optimizer of TensorFlow",
    "keras/callbacks/tensorboard_test.py": "event files of TensorFlow",
    "keras/layers/cudnn_recurrent_test.py": "graphics cards",
    "keras/utils/multi_gpu_test.py": "graphics cards",
}

# Tests that cannot pass here, by a part of their name, each with its reason.
EXCLUDED = {
    "activations_test.py::test_selu": "asks for one part in ten million; float32 rounds one product otherwise than NumPy",
    "test_in_top_k": "its reference breaks ties by a sort that is not stable; it failed on TensorFlow and Theano too",
    "test_resize_images_bilinear": "asks for Theano's refusal of a factor of 4",
    "test_func_dump_and_load_backwards_compat[argmax]": "reads the byte code of a NumPy function, which has none now",
    "text_test.py::test_tokenizer": "makes an array of lists of unequal lengths, which NumPy refuses since 1.24",
    "vis_utils_test.py": "needs the program `dot` of Graphviz",
    "test_ctc_decode_beam_search_no_merge": "feeds a placeholder of unknown rank",
    "::test_temporal_classification": "eight draws of the weights in ten reach its 80 %; that of its seed reaches 76 %",
    "::test_load_layers": "takes a backend of another name for one whose channels come first",
    "TestPrecisionTest::test_config": "asks for TensorFlow's names of variables, which end in :0",
    "TestRecall::test_config": "asks for TensorFlow's names of variables, which end in :0",
    "TestMeanIoU": "Keras takes this metric from TensorFlow 2",
}

# Tests of tier B.
SKIPPED_BY_NAME = re.compile("|".join([
    r"keras/(metrics|losses|metrics_confusion_matrix)_test\.py", r"optimizers_test\.py::test_no_grad",
    r"backend_test\.py::.*::test_(update|logsumexp_optim|batchnorm_tf|ctc_decode_\w+|none_shape_operations)\b",
]))


# the plugin ----------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Plug autograph in, and give the tests what they take from old libraries themselves."""
    ours = importlib.import_module("autograph.keras")
    K = importlib.import_module("keras.backend")
    h5py = importlib.import_module("h5py")
    for name in ("tensorflow_backend", "theano_backend"):  # two modules: the tests tell them apart by identity
        twin = types.ModuleType(name)
        vars(twin).update(vars(ours))
        sys.modules[f"keras.backend.{name}"] = twin
        setattr(K, name, twin)
    tensorflow = types.ModuleType("tensorflow")  # imported by a file of tier B, which does not use it
    tensorflow.__version__ = "1.15"  # type: ignore[attr-defined]
    sys.modules["tensorflow"] = tensorflow
    np.alltrue = np.all  # type: ignore[attr-defined]
    warns: Any = pytest.warns
    pytest.warns = lambda *kind, **more: warnings.catch_warnings(record=True) if kind == (None,) else warns(*kind, **more)  # type: ignore[assignment]
    h5py.File.__init__.__defaults__ = ("a", *h5py.File.__init__.__defaults__[1:])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the marks that skip from the tests of tier B, and mark those that are excluded."""
    for item in items:
        skipped = any(mark.name == "skip" or (mark.name == "skipif" and any(mark.args)) for mark in item.iter_markers())
        unskipped = skipped and SKIPPED_BY_NAME.search(item.nodeid)
        if unskipped:
            item.user_properties.append(("tier", "B"))
        reason = next((why for part, why in EXCLUDED.items() if re.search(rf"{re.escape(part)}($|\[|::)", item.nodeid)), None)
        if reason is not None and (unskipped or not skipped):
            item.user_properties.append(("excluded", reason))
            item.add_marker(pytest.mark.skip(f"excluded: {reason}"))
        elif unskipped:
            item.iter_markers = types.MethodType(_markers_that_do_not_skip, item)  # type: ignore[method-assign]


def pytest_runtest_teardown() -> None:
    """A test that settles the learning phase settles it for itself: Keras's own plugin sees to that on TensorFlow alone."""
    importlib.import_module("autograph.backend.phases").reset_learning_phase()


def _markers_that_do_not_skip(item: pytest.Item, name: str | None = None) -> Iterator[pytest.Mark]:
    return (mark for mark in type(item).iter_markers(item, name) if not mark.name.startswith("skip"))


# the run -------------------------------------------------------------------------------------------------------------


def unpacked(archive: Path, folder: Path) -> Path:
    """The folder of the tests, out of the source distribution."""
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz") / "tests"


def fetched(package: str, folder: Path) -> Path:
    """The source distribution of a package, by pip."""
    options = ["--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *options, package], check=True)
    return next(folder.glob("*.tar.gz"))


def run(tests: Path, report: Path, *extra: str) -> int:
    """Run tests in their folder with autograph as Keras's backend; the report is written as XML."""
    path = os.pathsep.join([str(Path(__file__).parent), str(ROOT), os.environ.get("PYTHONPATH", "")])
    here = {
        "AUTOGRAPH_EXECUTOR": "numpy", **os.environ, "KERAS_BACKEND": "autograph.keras", "PYTHONPATH": path,
        "KERAS_HOME": str(report.parent / "home"), "MPLBACKEND": "agg",
    }  # fmt: skip
    options = ["-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "--disable-warnings", f"--junitxml={report}"]
    return subprocess.run([sys.executable, "-m", "pytest", *options, *extra], cwd=tests, env=here, check=False).returncode


def outcomes(report: Path) -> list[tuple[str, str, str, str]]:
    """Every test of a report: its file, its name, its tier and its outcome; of those that are excluded the reason."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        kind = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        properties = {p.get("name"): p.get("value", "") for p in case.iter("property")}
        tier, kind = properties.get("tier", "A"), properties.get("excluded", kind)
        found.append((case.get("classname", ""), case.get("name", ""), tier, kind))
    return found


def table(found: list[tuple[str, str, str, str]]) -> str:
    """A row for each folder or file: how many passed, failed, were excluded here and skipped by Keras, in both tiers."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for file, _, tier, kind in found:
        module = "/".join(part for part in file.split(".") if not part.startswith("Test"))
        counts[tier, module][_column(kind)] += 1
    lines = ["| tier | file | passed | failed | excluded | skipped by Keras |", "|---|---|---|---|---|---|"]
    columns = ("passed", "failed", "excluded", "skipped")
    for (tier, module), count in sorted(counts.items()):
        lines.append(f"| {tier} | {module} | " + " | ".join(str(count[column]) for column in columns) + " |")
    return "\n".join(lines)


def _column(kind: str) -> str:
    return {"passed": "passed", "skipped": "skipped", "failure": "failed", "error": "failed"}.get(kind, "excluded")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="the archive of the source distribution")
    parser.epilog = "What else is given goes to pytest: files, -k, -n 2 …"
    options, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tests = unpacked(options.source or fetched("Keras==2.3.1", folder), folder)
        ignored = [f"--ignore={name}" for name in LEFT_OUT]
        start = time.perf_counter()
        run(tests, folder / "report.xml", "-p", Path(__file__).stem, *ignored, *extra)
        seconds = time.perf_counter() - start
        found = outcomes(folder / "report.xml")
    print(table(found))
    for file, test, tier, kind in found:
        if _column(kind) in ("failed", "excluded"):
            print(f"- {tier}: `{file}::{test}`: {kind}")
    short = 0
    for tier, bar in BARS.items():
        count = Counter(_column(kind) for *_, each, kind in found if each == tier)
        short += count["passed"] < bar
        every = count["passed"] + count["failed"] + count["excluded"]
        print(f"tier {tier}: {count['passed']} of {every} passed, {count['excluded']} are excluded; the bar is {bar}")
    print(f"{seconds:.0f} s")
    return int(short > 0)


if __name__ == "__main__":
    sys.exit(main())
