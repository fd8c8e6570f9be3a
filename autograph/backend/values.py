"""Variables, constants and placeholders, what they hold, and what is known of a tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph import evaluation
from autograph.arguments import listed, shown, truth
from autograph.backend.dependencies import sequenced
from autograph.backend.naming import scoped, unique
from autograph.backend.operands import tensor
from autograph.backend.sparse import SparsePlaceholder, shape_like, sparse_leaf, sparse_placeholder, symbol, to_dense
from autograph.errors import ArgumentError, ArgumentTypeError, ShapeError
from autograph.function import function
from autograph.functions.sparse import SparseTensor
from autograph.graph import tensor as leaves
from autograph.graph.register import locked, merge
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, cast_literal
from autograph.graph.updates import Update, Updates
from autograph.graph.writing import set_values
from autograph.literals import array_of
from autograph.ops import barriers, effects
from autograph.ops import shape as sizes
from autograph.tensor_type import Shape, as_dtype, as_shape, made, show_shape

__all__ = [
    "batch_get_value",
    "batch_set_value",
    "constant",
    "count_params",
    "dtype",
    "eval",
    "get_value",
    "get_variable_shape",
    "identity",
    "int_shape",
    "is_keras_tensor",
    "is_placeholder",
    "is_tensor",
    "is_variable",
    "ndim",
    "placeholder",
    "print_tensor",
    "set_value",
    "shape",
    "size",
    "variable",
]


# leaves --------------------------------------------------------------------------------------------------------------


def variable(
    value: Any, dtype: npt.DTypeLike | None = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """A variable that holds `value`, of its shape, as floatx unless `dtype` is given.

    value        numbers, an array, or a tensor, which is evaluated now; of a SciPy matrix the entries are the variable
    name         made unique: the second "w" is "w_1"; scopes stand in front
    constraint   a function of the new value, which optimizers apply

    Raises ArgumentTypeError for what is no array of numbers, DTypeError for an unknown dtype; both are TypeErrors.
    """
    as_dtype(dtype)
    if hasattr(value, "tocoo"):
        found: Any = sparse_leaf(value, dtype, unique(name), lambda entries: leaves.variable(entries, dtype))
        return found
    held = evaluation.eval(value) if isinstance(value, Tensor) else value
    made = leaves.variable(held, dtype, None, constraint)
    made.name = unique(name)
    return made


def constant(
    value: Any, dtype: npt.DTypeLike | None = None, shape: Iterable[int] | int | None = None, name: str | None = None
) -> Constant:
    """A constant, as floatx unless `dtype` is given.

    shape   the shape of the result: one number fills it, as many numbers as it holds are laid out in it

    Raises ShapeError for another count of numbers.
    """
    if hasattr(value, "tocoo"):
        found: Any = scoped(sparse_leaf(value, dtype, None, Constant), name)
        return found
    array = array_of(value, as_dtype(dtype))
    if shape is not None:
        array = _laid_out(array, as_shape(shape, "constant"))
    return scoped(Constant(array), name)


def _laid_out(array: np.ndarray[Any, Any], shape: Shape) -> np.ndarray[Any, Any]:
    if None in shape:
        raise ShapeError(f"constant: {show_shape(shape)} has a size that is not known", fix="use ones_like(x) * value")
    count = prod(shape)  # type: ignore[arg-type]  # None was excluded
    if array.size not in (1, count):
        what = f"constant: {array.size} numbers do not fill {show_shape(shape)}, which holds {count}"
        raise ShapeError(what, fix="give one number, or as many as there is room for")
    fill = made(lambda: np.full(shape, array), "constant", array.dtype, shape) if array.size == 1 else array  # type: ignore[arg-type]
    return np.reshape(fill, shape)


def placeholder(
    shape: Iterable[int | None] | None = None,
    ndim: int | None = None,
    dtype: npt.DTypeLike | None = None,
    sparse: bool = False,
    name: str | None = None,
) -> Placeholder:
    """An input of `shape`, None where a size is not known yet, or of `ndim` unknown sizes; of floatx unless `dtype` is given.

    A sparse one, of rank 2, is fed SciPy's sparse matrices, which nothing makes dense but `to_dense`. Raises ShapeError if
    neither is given, ArgumentError for a negative size.
    """
    if truth(sparse, "placeholder: sparse"):
        found: Any = sparse_placeholder(shape, ndim, dtype, name)
        return found
    return scoped(leaves.placeholder(shape, ndim, dtype), name)


def identity(x: Any, name: str | None = None) -> Tensor:
    """A tensor equal to `x`, of the same shape and dtype; within `control_dependencies` as it is after these."""
    values = tensor(x)
    read = sequenced(values)
    return scoped(barriers.identity(values) if read is values else read, name)


def print_tensor(x: Any, message: str = "") -> Tensor:
    """A tensor equal to `x`, through which gradients pass; evaluated, it prints `message`, a blank and the value of `x`.

    Lines come in the order in which the program made them.
    """
    return effects.print_tensor(tensor(x), message)


# questions -----------------------------------------------------------------------------------------------------------


def is_tensor(x: Any) -> bool:
    """Whether `x` is symbolic: a variable, a placeholder, a constant or an expression."""
    return isinstance(x, Tensor | SparseTensor)


def is_variable(x: Any) -> bool:
    """Whether `x` is a variable."""
    return isinstance(x, Variable)


def is_placeholder(x: Any) -> bool:
    """Whether `x` is a placeholder."""
    return isinstance(x, Placeholder | SparsePlaceholder)


def is_keras_tensor(x: Any) -> bool:
    """Whether a Keras layer returned `x`. Raises ArgumentError (a ValueError) for what is no tensor."""
    if not is_tensor(x):
        raise ArgumentError(f"{shown(x)} is no symbolic tensor", fix="pass a tensor")
    return hasattr(x, "_keras_history")


def dtype(x: Any) -> str:
    """The name of the dtype of `x`, as "float32"."""
    return symbol(x).dtype.name


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape of `x` as a tuple, None where a size is not known yet; what a layer noted as `_keras_shape` comes first."""
    noted = getattr(x, "_keras_shape", None)
    return symbol(x).shape if noted is None else tuple(noted)


def get_variable_shape(x: Any) -> tuple[int | None, ...]:
    """The shape of a variable, as `int_shape`."""
    return int_shape(x)


def ndim(x: Any) -> int:
    """How many axes `x` has."""
    return symbol(x).ndim


def count_params(x: Any) -> int:
    """How many elements `x` has. Raises ShapeError where a size is not known."""
    found = int_shape(x)
    if None in found:
        raise ShapeError(f"count_params: {symbol(x).describe()} has a size that is not known", fix="use size(x)")
    return prod(found)  # type: ignore[arg-type]  # None was excluded


def shape(x: Any) -> Tensor:
    """The sizes of `x` as a tensor: an int32 vector of length `ndim(x)`."""
    return cast_literal(sizes.shape(shape_like(x)), as_dtype("int32"))


def size(x: Any, name: str | None = None) -> Tensor:
    """How many elements `x` has, as a tensor: int32 of rank 0."""
    return scoped(cast_literal(sizes.size_of(shape_like(x)), as_dtype("int32")), name)


# values --------------------------------------------------------------------------------------------------------------


def eval(x: Any) -> Any:
    """The value of `x` now: an array of its shape, or a NumPy scalar where its rank is 0.

    Of a sparse one the dense array. An update is carried out, and gives the new value of its variable; a list of updates
    gives the list of them, and what was made within `control_dependencies` carries these out. Raises MissingInputError (a
    ValueError) where a placeholder would have to be fed.
    """
    if isinstance(x, Update):
        return function([], x.value, [x], name=f"update {x.variable.name}", executor="numpy")()
    if isinstance(x, list | tuple) and x and all(isinstance(item, Update) for item in x):
        x = Updates(x)
    if isinstance(x, Updates):
        return function([], [item.value for item in x if isinstance(item, Update)], x, name="updates", executor="numpy")()
    return evaluation.eval(to_dense(x))


def get_value(x: Variable) -> Any:
    """A copy of what the variable holds: an array of its shape, or a NumPy scalar where its rank is 0.

    Raises ArgumentTypeError for what is no variable.
    """
    return _registered(x, "get_value").get_value()


def _registered(x: Any, what: str) -> Variable:
    if isinstance(x, Variable):
        return x
    raise ArgumentTypeError(
        f"{what}: {shown(x)} is no variable", why="only variables hold a value", fix="use eval(x), or function([…], [x])([…])"
    )


def batch_get_value(ops: Sequence[Variable]) -> list[Any]:
    """Copies of what the variables hold, all of one moment: no function ticks in between."""
    given = listed(ops, "batch_get_value: the first argument", "batch_get_value([w, b])")
    registers = [_registered(x, "batch_get_value").register for x in given]
    return locked(merge([register.domain for register in registers]), lambda: [register.read() for register in registers])


def set_value(x: Variable, value: Any) -> None:
    """Let the variable hold `value`, of its shape. Raises ShapeError or DTypeError, and then nothing was changed."""
    _registered(x, "set_value").set_value(value)


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Let many variables hold new values: pairs (variable, value). All or nothing, and between two ticks.

    Raises ShapeError or DTypeError for a value that does not fit, and then nothing was changed.
    """
    set_values(tuples)
