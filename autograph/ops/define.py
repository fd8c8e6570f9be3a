"""How ops are written down: the factories that turn a line of mathematics into a registered op and its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from autograph.errors import ArgumentTypeError
from autograph.graph.op import Kind, Op, Operands, promoted, register
from autograph.graph.tensor import Tensor, apply
from autograph.tensor_type import DTYPES, DType, TensorType, broadcast_shapes

Vjp = Callable[..., tuple[Any, ...]]


def elementwise_type(*types: TensorType) -> TensorType:
    """The operands' dtype, and their shapes broadcast together."""
    first = types[0]
    shape = broadcast_shapes(*[t.shape for t in types])
    return first if shape == first.shape and not first.weak else TensorType(first.dtype, shape)


def boolean_type(*types: TensorType) -> TensorType:
    """Booleans of the operands' shapes broadcast together."""
    return TensorType(DTYPES["bool"], broadcast_shapes(*[t.shape for t in types]))


def elementwise(
    name: str,
    doc: str,
    *,
    vjp: Vjp | None = None,
    eval: Callable[..., Any] | None = None,
    operands: Operands = promoted,
    infer: Callable[..., TensorType] = elementwise_type,
    inputs: str = "x",
    raises: bool = False,
) -> Callable[..., Tensor]:
    """Register an elementwise op and return its function of `inputs` (names, split at blanks).

    `eval` defaults to the function of the same name in the namespace. Cotangents may be larger than their inputs:
    `gradients` sums them back where an input was broadcast.
    """
    if eval is None:
        def eval(xp: Any, *arrays: Any) -> Any:
            return getattr(xp, name)(*arrays)

    op = register(Op(name, Kind.ELEMENTWISE, infer, eval, vjp, operands, raises=raises, doc=doc))

    count = len(inputs.split())

    def function(*arguments: Any) -> Tensor:
        if len(arguments) != count:
            raise ArgumentTypeError(f"{name} takes {count} arguments ({inputs}), got {len(arguments)}")
        return apply(op, *arguments)

    return named(function, name, doc, inputs)


def named(function: Callable[..., Tensor], name: str, doc: str, inputs: str) -> Callable[..., Tensor]:
    """`function` as a person would have written it: with a name, a docstring and a signature."""
    kind = inspect.Parameter.POSITIONAL_ONLY
    parameters = [inspect.Parameter(p, kind, annotation=Tensor) for p in inputs.split()]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__signature__ = inspect.Signature(parameters, return_annotation=Tensor)  # type: ignore[attr-defined]
    return function


def same_type(type: TensorType, *_: TensorType, **__: Any) -> TensorType:
    """The type of the first operand."""
    return TensorType(type.dtype, type.shape)


def of_dtype(dtype: str) -> DType:
    """The dtype of that name."""
    return DTYPES[dtype]
