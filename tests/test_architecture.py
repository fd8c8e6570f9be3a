"""The order of the code: what may import what, how long a file may be, what the public names are.

`FLOORS` is the table of docs/architecture.md. Change both together, and only for a better shape.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograph", "optimizers")
LONGEST_FILE = 450

FLOORS = {
    "autograph/origin.py": 0,
    "autograph/errors.py": 0,
    "autograph/config.py": 0,
    "autograph/arguments.py": 0,
    "autograph/tensor_type.py": 0,
    "autograph/literals.py": 0,
    "autograph/structure.py": 0,
    "autograph/arrays/": 0,
    "autograph/graph/": 1,
    "autograph/ops/": 2,
    "autograph/gradients.py": 3,
    "autograph/explain.py": 3,
    "autograph/functions/": 3,
    "autograph/control.py": 4,
    "autograph/keeping.py": 4,
    "autograph/scan.py": 4,
    "autograph/while_loop.py": 4,
    "autograph/branches.py": 4,
    "autograph/derivatives.py": 4,
    "autograph/passes/": 5,
    "autograph/program/": 6,
    "autograph/executors/": 7,
    "autograph/feeding.py": 8,
    "autograph/signature.py": 8,
    "autograph/flat.py": 8,
    "autograph/inspection.py": 8,
    "autograph/looping.py": 8,
    "autograph/function.py": 8,
    "autograph/session.py": 8,
    "autograph/evaluation.py": 8,
    "autograph/safetensors_format.py": 8,
    "autograph/safetensors_of_others.py": 8,
    "autograph/replacing.py": 8,
    "autograph/checkpoint.py": 8,
    "autograph/__init__.py": 8,
    "autograph/backend/": 9,
    "optimizers/": 10,
    "autograph/layers/": 11,
    "autograph/keras/": 11,
    "autograph/testing/": 12,
    "autograph/tools/": 12,
    "autograph/__main__.py": 13,
}

MODULES_AND_KIB = {  # of source, at most, that an import may load
    "import autograph": (102, 640),
    "from autograph import backend": (127, 775),
    "import optimizers": (130, 840),
}
OTHERS = {"copy", "dataclasses", "numpy", "threading"}  # what it may load besides

OPEN_TO_ALL = "autograph/errors.py"  # it imports origin.py, which imports nothing of ours

# Third-party libraries that are used where they are installed: imported inside the function that needs them.
OPTIONAL = {
    "difflib",  # of the standard library: loaded where an error needs it
    *("hypothesis", "jax", "keras", "llvmlite", "matplotlib", "mpmath", "optax", "pytensor", "pytest", "rl", "scipy"),
    *("threadpoolctl", "torch", "tqdm"),
}
# Folders that exist for such a library, and are themselves loaded only when asked for.
BUILT_ON = {
    "autograph/testing/": {"hypothesis"},
    "autograph/tools/bench/": {"jax", "optax", "pytensor", "scipy", "threadpoolctl", "torch"},
    "autograph/executors/native/": {"llvmlite", "scipy"},
    "autograph/executors/xla/": {"jax"},
}


class Import(NamedTuple):
    """One imported module or name: `from autograph.ops import exp` at line 3 is ("autograph.ops", "exp", 3, ...)."""

    module: str
    name: str | None
    line: int
    nested: bool  # inside a function
    typing_only: bool  # under `if TYPE_CHECKING:`

    @property
    def library(self) -> str:
        return self.module.partition(".")[0]


@cache
def source_files() -> tuple[str, ...]:
    """Every Python file of the two packages, as a path from the root."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found))


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


@cache
def imports(path: str) -> tuple[Import, ...]:
    return tuple(_imports(tree(path), path, nested=False, typing_only=False))


def _imports(node: ast.AST, path: str, nested: bool, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, None, child.lineno, nested, typing_only)
            case ast.ImportFrom(names=names):
                for alias in names:
                    yield Import(_absolute(child, path), alias.name, child.lineno, nested, typing_only)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _imports(child, path, True, typing_only)
            case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                yield from _imports(child, path, nested, True)
            case _:
                yield from _imports(child, path, nested, typing_only)


def _absolute(node: ast.ImportFrom, path: str) -> str:
    """The full name of the module in `from ..x import y`."""
    if not node.level:
        return node.module or ""
    package = path.split("/")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def file_of(imported: Import) -> str | None:
    """The file of ours that an import names, or None for a library."""
    if imported.library not in PACKAGES:
        return None
    base = imported.module.replace(".", "/")
    below = f"{base}/{imported.name}" if imported.name else base
    candidates = [f"{below}.py", f"{below}/__init__.py", f"{base}.py", f"{base}/__init__.py"]
    return next((path for path in candidates if path in source_files()), candidates[-1])


def unit(path: str) -> str | None:
    """The row of FLOORS that a file belongs to."""
    return next((row for row in FLOORS if path == row or (row.endswith("/") and path.startswith(row))), None)


def folder(row: str) -> str:
    return row if row.endswith("/") else row.rpartition("/")[0]


def public_names(path: str) -> list[str] | None:
    """The literal `__all__` of a file, or None where it has none."""
    for node in tree(path).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
            case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
                return list(ast.literal_eval(value))
    return None


def report(faults: list[str]) -> None:
    assert not faults, "\n".join(["", *faults])


def test_every_file_stands_on_a_floor() -> None:
    homeless = [path for path in source_files() if not unit(path)]
    report([f"{path}: on no floor; add it to FLOORS and docs/architecture.md" for path in homeless])


def test_the_document_and_this_test_name_the_same_floors() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|\s*(\d+)\s*\|\s*`([^`]+)`\s*\|", text, flags=re.MULTILINE)
    assert [(path, int(floor)) for floor, path in rows] == list(FLOORS.items())


def test_an_import_goes_down_or_stays_within_its_folder() -> None:
    faults = []
    for path in source_files():
        here = unit(path)
        for imported in imports(path):
            target = file_of(imported)
            there = unit(target) if target else None
            if here is None or there is None or here == there or there == OPEN_TO_ALL:
                continue
            level = FLOORS[here] == FLOORS[there] and folder(here) == folder(there)
            if FLOORS[there] >= FLOORS[here] and not level:
                faults.append(f"{path}:{imported.line}: floor {FLOORS[here]} imports {target}, floor {FLOORS[there]}")
    report(faults)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {path: {file_of(imported) for imported in imports(path)} - {None} for path in source_files()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " <- ".join(error.args[1]))


def test_no_import_stands_inside_a_function_save_that_of_an_optional_library() -> None:
    report(
        [
            f"{path}:{imported.line}: {imported.module} is imported inside a function"
            for path in source_files()
            for imported in imports(path)
            if imported.nested and imported.library not in OPTIONAL
        ]
    )


def test_only_numpy_and_the_standard_library_are_imported_at_the_top() -> None:
    faults = []
    for path in source_files():
        extra = set().union(*(libraries for place, libraries in BUILT_ON.items() if path.startswith(place)))
        allowed = {*sys.stdlib_module_names, *PACKAGES, "numpy", *extra}
        for imported in imports(path):
            optional = imported.library in OPTIONAL and (imported.nested or imported.typing_only)
            if imported.library not in allowed and not optional:
                faults.append(f"{path}:{imported.line}: {imported.module} is neither NumPy nor the standard library")
    report(faults)


def test_optimizers_come_in_by_the_public_names_alone() -> None:
    if "autograph/__init__.py" not in source_files():
        pytest.skip("autograph has no public names yet")
    public = {*(public_names("autograph/__init__.py") or ()), "backend"}
    faults = []
    for path in source_files():
        for imported in imports(path):
            if not path.startswith("optimizers/") or imported.library != "autograph":
                continue
            door = imported.module == "autograph" and imported.name in public
            if not door and not (imported.module == "autograph.backend" and imported.name):
                name = f".{imported.name}" if imported.name else ""
                faults.append(f"{path}:{imported.line}: {imported.module}{name} is no public name of autograph")
    report(faults)


def test_every_package_has_its_public_names_sorted() -> None:
    faults = []
    for path in source_files():
        names = public_names(path)
        if names is None:
            if path in ("autograph/__init__.py", "autograph/backend/__init__.py", "optimizers/__init__.py"):
                faults.append(f"{path}: has no __all__")
        elif names != sorted(set(names)):
            wrong = next((a for a, b in zip(names, sorted(set(names)), strict=False) if a != b), names[-1])
            faults.append(f"{path}: __all__ is not sorted, or names one twice, at {wrong!r}")
    report(faults)


@cache
def loaded(statements: str) -> dict[str, str]:
    """The modules that these load in a fresh interpreter, by name, with their files.

    What the interpreter loads by itself at start (coverage, an editable install) is not counted.
    """
    code = f"""
import json, sys
before = set(sys.modules)
{statements}
print(json.dumps({{name: getattr(m, "__file__", "") for name, m in sys.modules.items() if name not in before}}))"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    modules: dict[str, str] = json.loads(result.stdout)
    return modules


@pytest.mark.parametrize("statement", MODULES_AND_KIB)
def test_importing_loads_numpy_and_nothing_else(statement: str) -> None:
    package = "optimizers" if "optimizers" in statement else "autograph"
    needed = f"{package}/backend/__init__.py" if "backend" in statement else f"{package}/__init__.py"
    if needed not in source_files():
        pytest.skip(f"{needed} does not exist yet")
    roots = {name.partition(".")[0] for name in loaded(f"import numpy\n{statement}")}
    found = {name for name in roots if not name.startswith("_")}
    assert found - set(sys.stdlib_module_names) <= {"numpy", *PACKAGES}


@pytest.mark.parametrize("statement", MODULES_AND_KIB)
def test_an_import_loads_little_beyond_numpy(statement: str) -> None:
    """Counted, for time depends on the machine: `python -m autograph bench` prints the milliseconds."""
    before = loaded("import numpy")
    files = {name: file for name, file in loaded(f"import numpy\n{statement}").items() if name not in before}
    ours = {name: file for name, file in files.items() if name.partition(".")[0] in PACKAGES}
    modules, kib = MODULES_AND_KIB[statement]
    assert len(ours) <= modules
    assert sum(Path(file).stat().st_size for file in ours.values()) <= kib * 1024
    assert {name.partition(".")[0] for name in files.keys() - ours.keys()} <= OTHERS


def written_files() -> list[Path]:
    """What people write here: code, prose and settings, not what is built from them."""
    built, suffixes = {"_build", "gallery"}, {".py", ".md", ".cfg", ".toml"}
    below = [path for name in (*PACKAGES, "tests", "docs") for path in (ROOT / name).rglob("*")]
    found = [path for path in [*ROOT.iterdir(), *below] if path.suffix in suffixes]
    return sorted([path for path in found if not built.intersection(path.relative_to(ROOT).parts)]) + [ROOT / ".ci/run"]


def test_no_file_is_longer_than_one_idea() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in written_files()}
    too_long = {path: n for path, n in lengths.items() if path.suffix == ".py" and n > LONGEST_FILE}
    report([f"{path.relative_to(ROOT)}: {n} lines" for path, n in too_long.items()])


def test_no_work_is_left_as_a_remark() -> None:
    remark = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    report(
        [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for path in written_files()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if remark.search(line)
        ]
    )
