"""The vocabulary of `autograph.backend` as tables by subject: each function with its arguments and its first sentence."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

from autograph import backend


def subjects() -> dict[ModuleType, list[str]]:
    """The modules of the backend that give public names, and these names."""
    found: dict[ModuleType, list[str]] = {}
    for entry in pkgutil.iter_modules(backend.__path__, f"{backend.__name__}."):
        module = importlib.import_module(entry.name)
        names = [n for n in getattr(module, "__all__", ()) if getattr(backend, n, None) is getattr(module, n)]
        if public := sorted(set(names) & set(backend.__all__)):
            found[module] = public
    return found


def arguments(name: str) -> str:
    """What a call looks like: `cumsum(x, axis=0)`."""
    parts = []
    for p in inspect.signature(getattr(backend, name)).parameters.values():
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        parts.append(star + p.name + ("" if p.default is p.empty else f"={p.default!r}"))
    return f"{name}({', '.join(parts)})"


def sentence(documented: object) -> str:
    """The first sentence of a docstring, as the cell of a table."""
    first = " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[^.])\.(?= |$)", first)[0].replace("|", "\\|") + "."


def tables() -> str:
    """A section for each subject, in Markdown."""
    parts = []
    for module, names in subjects().items():
        word = module.__name__.rpartition(".")[2].replace("_", " ")
        title = word.upper() if len(word) == 3 else word.capitalize()
        rows = [f"| `{arguments(name)}` | {sentence(getattr(backend, name))} |" for name in names]
        parts += [f"## {title}", "", sentence(module), "", "| | |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def write(folder: Path) -> None:
    """Write the tables where the page includes them."""
    folder.mkdir(exist_ok=True)
    (folder / "tables.md").write_text(tables(), encoding="utf-8")
