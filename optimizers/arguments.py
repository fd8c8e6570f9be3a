"""What users pass to optimizers: call forms, parameters, a loss or gradients; and the errors for what is none of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    DisconnectedError,
    ShapeError,
    Tensor,
    Variable,
    arguments,
    as_tensor,
    cast,
    explain_gradient,
    gradients,
    nearest,
)

_EXPLAINED, _SHOWN = 32, 4  # parameters whose paths are looked at; and what a message lists


def read_number(
    what: str, value: Any, expected: str, *, least: float = -inf, below: float = inf, positive: bool = False, upto: float = inf
) -> float:
    """A finite number within bounds as a float; `expected` says which, in words.

    Raises ArgumentTypeError for what is no number, ArgumentError outside the bounds.
    """
    fix = f"{expected} is expected"
    single = isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind in "iuf"
    if isinstance(value, bool | np.bool_) or not (single or isinstance(value, int | float | np.number)):
        raise ArgumentTypeError(f"{what}={arguments.shown(value)} is no number", fix=fix)
    found = inf if isinstance(value, int) and abs(value) > 2**1023 else float(value)
    if not isfinite(found):
        raise ArgumentError(f"{what}={arguments.shown(value)} isn't finite", fix=fix)
    if not least <= found < below or found > upto or (positive and found <= 0):
        raise ArgumentError(f"{what}={arguments.shown(value)} makes no sense here", fix=fix)
    return found


def read_count(what: str, value: Any, least: int = 1) -> int:
    """A whole number of at least `least`. Raises ArgumentTypeError for what is none, ArgumentError for a smaller one."""
    fix = f"a whole number of at least {least} is expected"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"{what}={arguments.shown(value)} is no whole number", fix=fix)
    if value < least:
        raise ArgumentError(f"{what}={arguments.shown(value)} makes no sense here", fix=fix)
    return int(value)


def read_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any, Mapping[Any, Any]]:
    """loss, params and constraints, from every call form there has been."""
    known = ("loss", "params", "constraints")
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        raise ArgumentTypeError(f"get_updates got an unknown argument {unknown[0]!r}{nearest(unknown[0], known)}",
                                fix="write get_updates(loss, params)")  # fmt: skip
    order = ("params", "constraints", "loss") if len(args) == 3 else ("loss", "params")
    if len(args) > 3 or any(name in kwargs for name in order[: len(args)]):
        raise ArgumentTypeError("get_updates takes a loss and params, each once", fix="write get_updates(loss, params)")
    given = {**dict(zip(order, args, strict=False)), **kwargs}
    absent = [name for name in ("loss", "params") if name not in given]
    if absent:
        raise ArgumentTypeError(f"get_updates got no {absent[0]!r}", fix="write get_updates(loss, params)")
    constraints = given.get("constraints")
    if constraints is None or (isinstance(constraints, list | tuple) and not constraints):
        constraints = {}  # old Keras passed an empty list
    if not isinstance(constraints, Mapping):
        raise ArgumentTypeError(
            f"constraints is {arguments.shown(constraints)}, not a dict from parameters to functions",
            fix="give each variable its constraint: variable(value, constraint=fn)",
        )
    return given["loss"], given["params"], constraints


def read_parameters(params: Any) -> list[Variable]:
    """The parameters as a list. Raises ArgumentError unless they are float variables, each once."""
    found = arguments.listed(params, "params", "write get_updates(loss, [w, b]): a list of variables")
    if not found:
        raise ArgumentError("params is empty", why="there is nothing to step", fix="pass the variables to train")
    seen: dict[Any, int] = {}
    for position, p in enumerate(found):
        if not isinstance(p, Variable):
            what = f"{p.name!r}, a {p.op.name}" if isinstance(p, Tensor) else arguments.shown(p)
            raise ArgumentError(f"params[{position}] is {what}", why="only variables are trained", fix="pass variables")
        if not p.type.is_float:
            raise ArgumentError(f"params[{position}] is {p.name!r} {p.type}", why="only floats have gradients",
                                fix="leave it out, or hold it as a float")  # fmt: skip
        if p in seen:
            raise ArgumentError(
                f"params[{position}] is {p.name!r} again, after params[{seen[p]}]",
                why="it would be stepped twice",
                fix="list it once",
            )
        seen[p] = position
    return found


def read_gradients(loss: Any, params: list[Variable]) -> list[Tensor]:
    """∂loss/∂p for each p, or the gradients given in the loss's place. Raises DisconnectedError where there is none."""
    if isinstance(loss, Tensor):
        found = gradients(loss, params)
        missing = [p for p, g in zip(params, found, strict=True) if g is None]
        if missing:
            raise _disconnected(loss, missing)
        return list(found)
    if not arguments.several(loss):
        raise ArgumentTypeError(f"the loss is {arguments.shown(loss)}, not a tensor", fix="write get_updates(loss, params)")
    given = list(loss)
    if len(given) != len(params):
        raise ArgumentError(
            f"{len(given)} gradients for {len(params)} parameters: one each is needed",
            fix="a list in the loss's place holds gradients; take the sum of several losses",
        )
    return [_gradient_for(p, g) for p, g in zip(params, given, strict=True)]


def _gradient_for(p: Variable, g: Any) -> Tensor:
    if g is None:
        raise DisconnectedError(f"the gradient given for {p.name!r} is None", fix="leave the parameter out")
    found = cast(as_tensor(g), p.dtype)
    if found.ndim != p.ndim or any(a not in (None, b) for a, b in zip(found.shape, p.shape, strict=True)):
        raise ShapeError(f"the gradient given for {p.name!r} {p.type} is {found.type}", fix="pass ∂loss/∂p of p's shape")
    return found


def _disconnected(loss: Tensor, missing: list[Variable]) -> DisconnectedError:
    """The error that names the parameters without a gradient, those behind one cut together, and what cuts their paths."""
    cut: dict[str, list[Variable]] = {}
    remedies: dict[str, None] = {}
    for p in missing[:_EXPLAINED]:
        path = explain_gradient(loss, p)
        cut.setdefault(path.why, []).append(p)
        remedies[path.remedy] = None
    lines = [f"no gradient for {_listed(some)}: {why}" for why, some in list(cut.items())[:_SHOWN]]
    told = sum(len(some) for some in list(cut.values())[:_SHOWN])
    if len(missing) > told:
        lines.append(f"nor for {len(missing) - told} more")
    return DisconnectedError("\n  ".join(lines), fix="\n  ".join(remedies), where=str(missing[0].origin))


def _listed(params: list[Variable]) -> str:
    names = [f"{p.name!r} {p.type}" for p in params[:_SHOWN]]
    return ", ".join(names) + (f" and {len(params) - _SHOWN} more" if len(params) > _SHOWN else "")
