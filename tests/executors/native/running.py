"""Kernels run alone: a nest on arrays whose strides tell how they lie."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.executors.native import compiler, loops

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)


def call(text: str, words: Sequence[int]) -> int:
    """The kernel of this text on a row of words; what it returns."""
    kernel = compiler.compiled([text])[text]
    row = np.array(words, np.int64)
    return int(_PROTOTYPE(kernel.address)(row.ctypes.data))


def elementwise(name: str, *arrays: np.ndarray, gives: str | None = None) -> np.ndarray:
    """A fresh array of `name` on each element of dense arrays of one shape, from a kernel of that one call."""
    kinds = [a.dtype.str[1:] for a in arrays]
    kind = gives or kinds[0]
    out = np.empty(arrays[0].shape, kind)
    described = tuple(loops.Array(k, (loops.DENSE,)) for k in (*kinds, kind))
    one = loops.Call(name, tuple(range(len(arrays))), tuple(kinds), kind)
    wide, _ = loops.widths(out.size, False)
    nest = loops.Nest((False,), described, len(arrays), (one,), ((len(arrays), len(arrays)),), (), wide)
    call(loops.text(nest), [arrays[0].size, *(a.ctypes.data for a in (*arrays, out))])
    return out


def distance(got: np.ndarray, exact: Any) -> np.ndarray:
    """How many units in the last place of its type each number is from a more exact one; infinite where one alone is finite."""
    with np.errstate(all="ignore"):
        nearest = exact.astype(got.dtype)
        apart = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(nearest)).astype(exact.dtype)
    same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
    apart = np.where(np.isfinite(got) & np.isfinite(nearest), apart, np.inf)
    return np.where(same, np.minimum(apart, 0.5), apart)
