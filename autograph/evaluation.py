"""`eval(tensor)`: the value of one tensor, now. For a look; what runs more than once belongs in a `function`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograph.arguments import shown
from autograph.errors import ArgumentTypeError, MissingInputError
from autograph.function import Function, function
from autograph.graph.graph import ancestors
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, as_tensor

__all__ = ["eval"]


def eval(tensor: Any, feeds: Mapping[Tensor, Any] | None = None) -> Any:
    """The value of `tensor`: an array, or a NumPy scalar where its rank is 0. Numbers, lists and arrays pass through.

    feeds   values for placeholders (or for any tensor) that it is computed from

    The function is kept on the tensor, so that a second look is quick; it runs on NumPy, as machine code does not pay for
    a look. Random numbers are drawn anew each time. Raises MissingInputError, naming the placeholder, where a value is missing.
    """
    target = as_tensor(tensor)
    if feeds is not None and not isinstance(feeds, Mapping):
        raise ArgumentTypeError(f"eval: feeds is {shown(feeds)}, not a dict", fix="write eval(y, {x: value})")
    given = dict(feeds or {})
    if not given and isinstance(target, Variable):
        return target.get_value()
    if not given and isinstance(target, Constant):
        return np.array(target.value)[()]
    inputs = sorted(given, key=_number)
    compiled = target.__dict__.setdefault("_evaluations", {})
    key = tuple(inputs)
    if key not in compiled:
        compiled[key] = _compiled(target, inputs)
    return compiled[key](*[given[x] for x in inputs])


def _number(tensor: Tensor) -> int:
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(
            f"eval: feeds has the key {shown(tensor)}, not a tensor", fix="write eval(y, {x: value}), with the placeholder itself"
        )
    return tensor.number


def _compiled(target: Tensor, inputs: list[Tensor]) -> Function:
    try:
        return function(inputs, target, name=target.given_name, on_unused_input="ignore", executor="numpy")
    except MissingInputError:
        given = set(inputs)
        free = [t for t in ancestors([target], stop=inputs) if isinstance(t, Placeholder) and t not in given]
        missing = next(t for t in free if t.default is None)
        raise MissingInputError(
            f"{target.name!r} needs placeholder {missing.name!r} {missing.type}, which has no value",
            why="eval knows what variables hold, and nothing of what is fed",
            fix=f"eval({target.name}, {{{missing.name}: value}}), or "
            f"K.function([{missing.name}], [{target.name}])([value])",
            where=str(missing.origin),
        ) from None
