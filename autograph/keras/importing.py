"""The import hook: modules of `EDITS` are compiled from their edited source, in memory; files on disk stay as they are."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from autograph.keras import repairs
from autograph.keras.edits import EDITS, edited

__all__ = ["install"]


class _EditingLoader(SourceFileLoader):
    """Loads a module from its edited source, never from a file of byte code, which holds the source as it was."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # Keras's own docstrings and comparisons
            code: CodeType = compile(self.get_source(fullname), path, "exec", dont_inherit=True)
        return code

    def get_source(self, fullname: str) -> str:
        return edited(fullname, super().get_source(fullname) or "")

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["_autograph"] = repairs
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the modules of `EDITS` where Python finds them, and hands them to the loader above."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if fullname not in EDITS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _EditingLoader(fullname, spec.loader.path)
        return spec


def install() -> None:
    """Put the hook in front of the others, once; modules that were loaded before it are loaded again in their place.

    When Keras asks for its backend, it has loaded two such modules, and nobody has taken a name from them.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name in EDITS:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
