"""Feeds: from what a user passes to arrays of a placeholder's dtype and shape, or a FeedError that says what to pass."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from autograph.arguments import misfit, odd_item, shown, uneven_rows
from autograph.errors import NOTHING_CHANGED, FeedError
from autograph.graph.tensor import Placeholder, Tensor
from autograph.origin import warn_user
from autograph.tensor_type import show_shape

_EXACT = {"float16": 2**11, "float32": 2**24, "float64": 2**53}  # whole numbers up to here are exact
_warned: weakref.WeakSet[Placeholder] = weakref.WeakSet()


def refuse(position: int, placeholder: Placeholder, got: str, why: str = "", fix: str = "") -> FeedError:
    """The error for a value that does not fit input `position`."""
    return FeedError(
        f"Input {position} {placeholder.name!r} {got}", why=why, fix=fix, where=str(placeholder.origin),
        after=NOTHING_CHANGED,
    )  # fmt: skip


def coerce(placeholder: Placeholder, value: Any, position: int) -> np.ndarray[Any, Any]:
    """`value` as an array of the placeholder's dtype; its shape is checked by `check_shape`.

    Floats narrow to floats, whole numbers become floats; everything that would lose more raises FeedError.
    """
    dtype = placeholder.dtype
    if value.__class__ is np.ndarray and value.dtype == dtype:
        return value
    if isinstance(value, Tensor):
        raise refuse(position, placeholder, f"got the symbolic tensor {value.name!r}", "functions take numbers",
                     "link graphs before compiling (`givens=`), or eval it")  # fmt: skip
    array = _array(placeholder, value, position)
    kind = array.dtype.kind
    if array.dtype == dtype:
        return array
    if kind == "c":
        raise refuse(position, placeholder, f"got {array.dtype}", "the imaginary part would be lost", "pass `.real`")
    if kind not in "biuf":
        raise _not_numbers(placeholder, value, array, position)
    if dtype.kind == "f":
        if kind in "iu" and placeholder not in _warned and _beyond(array, _EXACT[dtype.name]):
            _warned.add(placeholder)
            warn_user(
                f"input {position} {placeholder.name!r}: whole numbers beyond {_EXACT[dtype.name]} are rounded in {dtype.name}"
            )
        with np.errstate(all="ignore"):
            return array.astype(dtype)
    return _whole(placeholder, array, position)


def _array(placeholder: Placeholder, value: Any, position: int) -> np.ndarray[Any, Any]:
    if value is None:
        raise refuse(position, placeholder, "got None", f"it expects a {placeholder.dtype} array",
                     "did the loader return nothing?")  # fmt: skip
    if hasattr(value, "tocoo"):
        size = np.prod(value.shape, dtype=float) * placeholder.dtype.itemsize / 2**20
        raise refuse(position, placeholder, f"got a sparse matrix {value.shape} = {size:.1f} MiB dense",
                     "it would be made dense by surprise", "pass `.toarray()` if it fits")  # fmt: skip
    try:
        return np.asarray(value)
    except Exception as error:
        if isinstance(value, list | tuple) and isinstance(error, ValueError):
            got, why, fix = f"got {uneven_rows(value)}", "arrays need equal rows", "pad the rows to one length"
        else:
            got, why = f"got {shown(value)}, which gives no array", f"{type(error).__name__}: {error}"
            fix = "convert it to a NumPy array first"
        raise refuse(position, placeholder, got, why, fix) from None


def _not_numbers(placeholder: Placeholder, value: Any, array: np.ndarray[Any, Any], position: int) -> FeedError:
    text = array.dtype.kind in "US"
    of = "" if array.dtype == object and not array.ndim else f" of dtype {array.dtype}"
    odd = odd_item(array) if array.ndim else ""
    got = f"got {type(value).__name__}{of}" + (f", in which there is {odd}" if odd else "")
    fix = "numbers as text: convert with float()" if text else "pass numbers, or an array of them"
    return refuse(position, placeholder, got, f"it expects a {placeholder.dtype} array", fix)


def _beyond(array: np.ndarray[Any, Any], bound: int) -> bool:
    return array.size > 0 and (int(array.max()) > bound or int(array.min()) < -bound)


def _whole(placeholder: Placeholder, array: np.ndarray[Any, Any], position: int) -> np.ndarray[Any, Any]:
    """Numbers for an integer or boolean input: whole, and within its range."""
    odd = misfit(array, placeholder.dtype)
    if odd:
        fix = "round it, or use a float placeholder" if odd.endswith("whole") else "clip it, or use a wider placeholder"
        raise refuse(position, placeholder, f"got {odd}", f"it is {placeholder.dtype}, and nothing is cut in silence", fix)
    return array.astype(placeholder.dtype)


def check_shape(placeholder: Placeholder, shape: tuple[int, ...], position: int) -> None:
    """Raise FeedError unless `shape` is one the placeholder may have."""
    expected = placeholder.shape
    got = f"expects {show_shape(expected)}, got {show_shape(shape)}"
    if len(shape) != len(expected):
        hint = "reshape it, or build with another shape"
        if shape and len(expected) == 2 and len(shape) > 2:
            flat = (shape[0], int(np.prod(shape[1:], dtype=int)))
            hint = f"`x.reshape(len(x), -1)` gives {show_shape(flat)}"
        elif len(shape) + 1 == len(expected):
            hint = "one axis is missing: `x[None]` adds the first, `x[:, None]` the second"
        raise refuse(position, placeholder, got, f"rank {len(shape)} instead of {len(expected)}", hint)
    for axis, (want, have) in enumerate(zip(expected, shape, strict=True)):
        if want is not None and want != have:
            fix = f"give {want} there, or build with None for a size that varies"
            raise refuse(position, placeholder, got, f"{have} instead of {want} at axis {axis}", fix)
