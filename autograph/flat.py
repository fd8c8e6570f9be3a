"""Expressions in a flat form that pickles: a list with a line for each tensor, so that depth costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.graph.graph import ancestors
from autograph.graph.op import REGISTRY
from autograph.graph.origin import Origin
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable
from autograph.tensor_type import TensorType, as_dtype


def flattened(tensors: Sequence[Tensor]) -> dict[str, Any]:
    """What `expanded` needs to make tensors like these: plain data, arrays, and custom ops by reference."""
    order = ancestors(tensors)
    numbers = {tensor: i for i, tensor in enumerate(order)}
    lines = [_line(tensor, numbers) for tensor in order]
    return {"lines": lines, "roots": [numbers[tensor] for tensor in tensors]}


def _line(tensor: Tensor, numbers: dict[Tensor, int]) -> tuple[Any, ...]:
    known = REGISTRY.get(tensor.op.name) is tensor.op
    params = {key: value.name if isinstance(value, np.dtype) else value for key, value in tensor.params.items()}
    dtypes = [key for key, value in tensor.params.items() if isinstance(value, np.dtype)]
    extra: Any = None
    if isinstance(tensor, Variable):
        update = tensor.default_update
        extra = (tensor.get_value(), tensor.constraint, None if update is None else numbers.get(update))
    elif isinstance(tensor, Constant):
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
    """The tensors that `flattened` was given, made anew; variables hold copies of the values they had."""
    made: list[Tensor] = []
    for op, inputs, params, dtypes, (dtype, shape), name, place, extra in data["lines"]:
        origin = Origin(None, 0, place)
        kind = TensorType(as_dtype(dtype), tuple(shape))
        tensor: Tensor
        if op == "variable":
            tensor = Variable(np.array(extra[0], kind.dtype), name, extra[1])
        elif op == "constant":
            tensor = Constant(extra[0], extra[1], origin)
        elif op == "placeholder":
            tensor = Placeholder(kind, name, extra, origin)
        else:
            known = REGISTRY[op] if isinstance(op, str) else op
            given = {key: as_dtype(value) if key in dtypes else value for key, value in params.items()}
            tensor = Tensor(known, tuple(made[i] for i in inputs), given, kind, name, origin)
        tensor.origin = origin
        made.append(tensor)
    return [made[i] for i in data["roots"]]
