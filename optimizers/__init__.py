"""Optimizers that return updates: `function(inputs, loss, updates=Adam(1e-3).get_updates(loss, params))`.

Names and arguments are those of Keras 2.3.1; `lr` is `learning_rate`, and lower-case names are aliases. A rule of your
own is a subclass of `Optimizer` with one method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograph import ArgumentError, ArgumentTypeError, nearest
from optimizers.base import Optimizer
from optimizers.clipping import clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from optimizers.rules import SGD, Adam
from optimizers.slots import Slots

__all__ = [
    "Adam",
    "Optimizer",
    "SGD",
    "Slots",
    "adam",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "deserialize",
    "get",
    "global_norm",
    "serialize",
    "sgd",
]

adam, sgd = Adam, SGD
_RULES: dict[str, type[Optimizer]] = {"adam": Adam, "sgd": SGD}


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The class's name and the current hyper-parameters, as plain data for `deserialize`."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """The optimizer that `serialize` described. Raises ArgumentError for an unknown class."""
    name = str(config["class_name"])
    found = (custom_objects or {}).get(name) or _RULES.get(name.lower())
    if found is None:
        known = [rule.__name__ for rule in _RULES.values()] + list(custom_objects or ())
        raise ArgumentError(f"optimizer {name!r} is unknown{nearest(name, known)}", fix=f"known: {', '.join(known)}")
    made: Optimizer = found.from_config(config.get("config", {}))
    return made


def get(identifier: Any) -> Optimizer:
    """An optimizer from itself, from its name ("adam"), or from the dict of `serialize`.

    Raises ArgumentError for an unknown name, ArgumentTypeError for anything else.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier})
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    raise ArgumentTypeError(f"a {type(identifier).__name__} is no optimizer", fix='pass one, or a name such as "adam"')
