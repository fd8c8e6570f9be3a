"""The command line: `python -m autograph bench …`, `… keras SCRIPT`, `… explain NAME`, `… doctor`."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Sequence
from importlib import import_module

from autograph import errors
from autograph.errors import AutographError, nearest
from autograph.tools import bench, doctor

__all__ = ["main"]

_ENGINE = (AutographError, Exception, BaseException, object)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all went well."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["bench"]:  # it reads its own arguments, --help among them
        return bench.main(arguments[1:])
    if arguments[:1] == ["keras"]:  # so does a script; by name, since loading it changes how Keras is loaded
        return int(import_module("autograph.keras.script").main(arguments[1:]))
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m autograph", description="autograph from the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("bench", help="compare the speed with other libraries", add_help=False)
    commands.add_parser("keras", help="run a script of Keras 2.3.1 with autograph as its backend", add_help=False)
    about = commands.add_parser("explain", help="what an error means, and how to mend it")
    about.add_argument("name", nargs="?", help="the name of an error, as ShapeError; without it, all of them")
    about.set_defaults(run=lambda options: _explain(options.name))
    health = commands.add_parser("doctor", help="what is found on this machine, for a bug report")
    health.add_argument("--json", action="store_true", help="as JSON")
    health.set_defaults(run=lambda options: _doctor(options.json))
    return parser


# explain -------------------------------------------------------------------------------------------------------------


def _error_classes() -> dict[str, type[AutographError]]:
    """Every error class by name, in the order in which errors.py tells of them."""
    return {
        name: found
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, AutographError)
    }


def _explain(name: str | None) -> int:
    known = _error_classes()
    if name is None:
        width = max(map(len, known))
        print("\n".join(f"{each:<{width}}  {_summary(found)}" for each, found in known.items()))
        print("\npython -m autograph explain NAME tells more of one")
        return 0
    found = next((each for each in known if each.lower() == name.rpartition(".")[2].lower()), None)
    if found is None:
        print(f"{name!r} is no error of autograph{nearest(name, known)}", file=sys.stderr)
        return 2
    print(_page(known[found], known))
    return 0


def _summary(kind: type[AutographError]) -> str:
    """The first sentence of the page."""
    paragraph = " ".join(inspect.getdoc(kind).partition("\n\n")[0].split())  # type: ignore[union-attr]  # all have one
    return paragraph.partition(". ")[0].partition(": ")[0].rstrip(".")


def _page(kind: type[AutographError], known: dict[str, type[AutographError]]) -> str:
    """The docstring of an error, where it stands in the tree, and which `except` clauses catch it."""
    above = [each for each in reversed(kind.__mro__) if issubclass(each, AutographError)]
    below = [each.__name__ for each in known.values() if kind in each.__bases__]
    caught = [each.__name__ for each in kind.__mro__ if not issubclass(each, AutographError) and each not in _ENGINE]
    lines = [kind.__name__, "", inspect.getdoc(kind) or "", "", f"in the tree      {_branch(above)}"]
    if below:
        lines.append(f"its kinds        {', '.join(below)}")
    if kind is not AutographError:
        lines.append(f"also caught by   {', '.join(f'except {name}' for name in ['AutographError', *caught])}")
    return "\n".join(lines)


def _branch(above: Sequence[type[AutographError]]) -> str:
    return " → ".join(each.__name__ for each in above)


# doctor --------------------------------------------------------------------------------------------------------------


def _doctor(as_json: bool) -> int:
    found = doctor.examine()
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else doctor.report(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
