"""Expressions in a flat form that pickles: a list with a line for each tensor, so that depth costs nothing.

Variables stand in it as themselves. So functions that are pickled together, in a list or a dict, share the registers that
they shared before. A variable pickles as its value, its name, its constraint and its default update.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph.control import Body
from autograph.errors import ArgumentTypeError
from autograph.graph.graph import ancestors, substitute
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable
from autograph.origin import Origin
from autograph.tensor_type import TensorType, as_dtype


def flattened(tensors: Sequence[Tensor]) -> dict[str, Any]:
    """What `expanded` needs to make tensors like these: plain data, arrays, variables, and custom ops by reference."""
    order = ancestors(tensors)
    numbers = {tensor: i for i, tensor in enumerate(order)}
    lines = [tensor if isinstance(tensor, Variable) else _line(tensor, numbers) for tensor in order]
    return {"lines": lines, "roots": [numbers[tensor] for tensor in tensors]}


def _line(tensor: Tensor, numbers: dict[Tensor, int]) -> tuple[Any, ...]:
    known = REGISTRY.get(tensor.op.name) is tensor.op
    params = {key: value.name if isinstance(value, np.dtype) else value for key, value in tensor.params.items()}
    dtypes = [key for key, value in tensor.params.items() if isinstance(value, np.dtype)]
    extra: Any = None
    if isinstance(tensor, Constant):
        extra = (np.array(tensor.value), tensor.type.weak)
    elif isinstance(tensor, Placeholder):
        extra = tensor.default
    return (
        tensor.op.name if known else tensor.op,
        [numbers[source] for source in tensor.inputs],
        params,
        dtypes,
        (tensor.dtype.name, tensor.shape),
        tensor.given_name,
        str(tensor.origin.place),
        extra,
    )


def expanded(data: dict[str, Any]) -> list[Tensor]:
    """The tensors that `flattened` was given, made anew on the same variables."""
    made: list[Tensor] = []
    for line in data["lines"]:
        if isinstance(line, Variable):
            made.append(line)
            continue
        op, inputs, params, dtypes, (dtype, shape), name, place, extra = line
        origin = Origin(None, 0, place)
        kind = TensorType(as_dtype(dtype), tuple(shape))
        tensor: Tensor
        if op == "constant":
            tensor = Constant(extra[0], extra[1], origin)
        elif op == "placeholder":
            tensor = Placeholder(kind, name, extra, origin)
        else:
            known = REGISTRY[op] if isinstance(op, str) else op
            given = {key: as_dtype(value) if key in dtypes else value for key, value in params.items()}
            tensor = Tensor(known, tuple(made[i] for i in inputs), given, kind, name, origin)
        made.append(tensor)
    return [made[i] for i in data["roots"]]


# variables -----------------------------------------------------------------------------------------------------------


def twins(variables: Iterable[Variable], known: dict[Tensor, Variable], values: Mapping[Variable, Any]) -> None:
    """Give each of the variables that is not among the keys of `known` a twin there, which holds the value given."""
    new = [variable for variable in variables if variable not in known]
    for variable in new:
        known[variable] = _made(np.array(values[variable]), variable.given_name, variable.constraint, variable.origin.place)
    for variable in new:
        if variable.default_update is not None:
            known[variable].default_update = substitute([variable.default_update], known)[0]


def _made(value: np.ndarray[Any, Any], name: str | None, constraint: Any, place: str) -> Variable:
    variable = Variable(value, name, constraint)
    variable.origin = Origin(None, 0, place)
    return variable


def _reduced(variable: Variable) -> tuple[Any, ...]:
    """How a variable pickles. Its default update reads it, so that comes when the variable is there already."""
    _check_constraint(variable)
    given = (np.array(variable.get_value()), variable.given_name, variable.constraint, str(variable.origin.place))
    update = variable.default_update
    return _made, given, None if update is None else flattened([update]), None, None, _completed


def _completed(variable: Variable, update: dict[str, Any]) -> None:
    (variable.default_update,) = expanded(update)


def _check_constraint(variable: Variable) -> None:
    """Raise ArgumentTypeError for a constraint that does not pickle."""
    try:
        pickle.dumps(variable.constraint)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ArgumentTypeError(
            f"{variable.name!r} cannot be pickled, for its constraint cannot: {error}",
            why="a pickle names functions and classes, and names are found at the top of a module alone",
            fix="make the constraint a function there, not a lambda; or set `constraint = None`: "
            "functions that are compiled have it in them",
            where=str(variable.origin),
        ) from None


def _reduced_body(body: Body) -> tuple[Callable[..., Body], tuple[Any, ...]]:
    return _body, (flattened([*body.inputs, *body.outputs]), len(body.inputs), *body[2:])


def _body(data: dict[str, Any], inputs: int, *rest: Any) -> Body:
    tensors = tuple(expanded(data))
    return Body(tensors[:inputs], tensors[inputs:], *rest)  # type: ignore[arg-type]  # placeholders, as they were flattened


copyreg.pickle(Variable, _reduced)
copyreg.pickle(Body, _reduced_body)
