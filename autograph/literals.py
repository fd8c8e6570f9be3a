"""Numbers, nested lists and arrays as the arrays of variables and constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import misfit, odd_item, shown, symbolic, uneven_rows
from autograph.errors import NOTHING_CHANGED, ArgumentTypeError, DTypeError, ShapeError, SymbolicError
from autograph.tensor_type import as_dtype

__all__ = ["array_of", "fitted"]


def array_of(value: Any, dtype: npt.DTypeLike | None = None) -> np.ndarray[Any, Any]:
    """A fresh array of a supported dtype from numbers, nested lists or an array.

    Raises ArgumentTypeError for None, text and objects, naming what it got.
    """
    if symbolic(value):
        raise ArgumentTypeError(f"{value.describe()} is symbolic where numbers are needed", fix="eval it first")
    try:
        array = np.array(value)
    except SymbolicError:
        raise
    except Exception as error:
        why = uneven_rows(value) if isinstance(value, list | tuple) else f"{type(error).__name__}: {error}"
        raise ArgumentTypeError(f"{shown(value)} is no array of numbers", why=why, fix="give every row one length") from None
    if array.dtype.kind not in "biuf":
        if isinstance(value, int):
            raise ArgumentTypeError(f"{shown(value)} is beyond int64", fix="write it as a float")
        odd = odd_item(array) if array.ndim else ""
        raise ArgumentTypeError(
            f"{shown(value)} is no array of numbers", why=odd and f"there is {odd}",
            fix="pass `.real` or `.imag`" if array.dtype.kind == "c" else "pass numbers, booleans, or arrays of them",
        )  # fmt: skip
    target = as_dtype(dtype if dtype is not None else array.dtype)
    odd = misfit(array, target)
    if odd:
        raise DTypeError(f"{target} cannot hold {odd}", fix="round or clip it first, or take a wider dtype")
    return array.astype(target, copy=False)


def fitted(value: Any, variable: Any) -> np.ndarray[Any, Any]:
    """`value` as a fresh array of the shape and dtype of a variable. Raises ShapeError or DTypeError."""
    array = value if isinstance(value, np.ndarray) else array_of(value)
    if array.shape != variable.shape:
        hint = "transposed? pass `.T`" if array.shape == variable.shape[::-1] else "build a variable of that shape"
        raise ShapeError(
            f"{variable.name!r} is {list(variable.shape)}, got {list(array.shape)}",
            why="the shape of a variable never changes",
            fix=hint,
            where=str(variable.origin),
            after=NOTHING_CHANGED,
        )
    whole = array.dtype.kind in "iub" and variable.dtype.kind in "iub"
    odd = misfit(array, variable.dtype) if whole else ""
    if odd or not (whole or np.can_cast(array.dtype, variable.dtype, "same_kind")):
        raise DTypeError(
            f"{variable.name!r} is {variable.dtype}, got {odd or array.dtype}", fix="convert the value with astype first",
            where=str(variable.origin), after=NOTHING_CHANGED,
        )  # fmt: skip
    return array.astype(variable.dtype)
