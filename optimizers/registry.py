"""Optimizers by name, and as plain data that can be written down: `serialize`, `deserialize`, `get`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograph import ArgumentError, ArgumentTypeError, arguments, nearest
from optimizers.state import Saved

_KNOWN: dict[str, type[Any]] = {}


def register(classes: Iterable[type[Any]]) -> None:
    """Let these be found by their names."""
    _KNOWN.update({cls.__name__.lower(): cls for cls in classes})


def serialize(optimizer: Any) -> dict[str, Any]:
    """The class's name and the current hyper-parameters, as plain data for `deserialize`."""
    if not isinstance(optimizer, Saved) or not hasattr(optimizer, "get_config"):
        raise ArgumentTypeError(f"{arguments.shown(optimizer)} is no optimizer", fix="pass an instance, such as Adam()")
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` described. Raises ArgumentError for an unknown class."""
    if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
        what = f"{arguments.shown(config)} describes no optimizer"
        raise ArgumentTypeError(what, fix='pass what serialize gave: {"class_name": "Adam", "config": {…}}')
    name = config["class_name"]
    found = (custom_objects or {}).get(name) or _KNOWN.get(name.lower())
    if found is None:
        known = [cls.__name__ for cls in _KNOWN.values()] + list(custom_objects or ())
        raise ArgumentError(f"optimizer {name!r} is unknown{nearest(name, known)}", fix=f"known: {', '.join(known)}")
    settings = dict(config.get("config", {}))
    if "optimizers" in settings:  # those inside a composed one
        settings["optimizers"] = [deserialize(one, custom_objects) for one in settings["optimizers"]]
    return found.from_config(settings)


def get(identifier: Any) -> Any:
    """An optimizer from itself, from its name ("adam"), or from the dict of `serialize`.

    Raises ArgumentError for an unknown name, ArgumentTypeError for anything else.
    """
    if isinstance(identifier, Saved) and hasattr(identifier, "get_updates"):
        return identifier
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier})
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    raise ArgumentTypeError(f"{arguments.shown(identifier)} is no optimizer", fix='pass one, or a name such as "adam"')
