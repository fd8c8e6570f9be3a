"""Matrices in NumPy: what the ops of `ops/linear_algebra.py` call. float16 is computed as float32.

A matrix that has no answer raises LinAlgError, naming which one of the batch it is and its condition number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # an ndarray or a NumPy scalar


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _narrow(result: Array, like: Array) -> Array:
    return np.asarray(result).astype(np.float16) if like.dtype == np.float16 else result


def _solved(what: str, fault: str, function: Callable[..., Array], a: Array, *others: Array) -> Array:
    """function(a, *others) in the dtype of a; where it fails, an error that names the first matrix at fault."""
    wide = [_wide(x) for x in (a, *others)]
    try:
        result = function(*wide)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(f"{what}: {_culprit(function, wide[0], fault)} ({error})") from None
    return _narrow(result, a)


def _culprit(function: Callable[..., Array], a: Array, fault: str) -> str:
    for place in np.ndindex(a.shape[:-2]):
        matrix = a[place]
        try:
            function(matrix) if fault != "singular" else np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            number = np.linalg.cond(matrix) if np.isfinite(matrix).all() else np.nan
            where = f" at [{', '.join(map(str, place))}]" if place else ""
            return f"the matrix{where} is {fault}, its condition number {number:.3g}; add a multiple of the identity"
    return f"a matrix is {fault}"


def inv(a: Array) -> Array:
    """The inverse of each matrix."""
    return _solved("inv", "singular", np.linalg.inv, a)


def solve(a: Array, b: Array) -> Array:
    """x where a·x = b, matrices both."""
    return _solved("solve", "singular", np.linalg.solve, a, b)


def cholesky(a: Array) -> Array:
    """The lower triangle L with L·Lᵀ = a, from the lower triangle of a."""
    return _solved("cholesky", "not positive definite", np.linalg.cholesky, a)


def orthonormal(a: Array) -> Array:
    """Q of a = Q·R for each matrix."""
    return _narrow(np.linalg.qr(_wide(a))[0], a)


def det(a: Array) -> Array:
    """The determinant of each matrix."""
    return _narrow(np.linalg.det(_wide(a)), a)


def others(s: Array, count: int) -> Array:
    """For each one (or pair) of the last axis of s the product of all the others, without division."""
    n = s.shape[-1]
    line = np.arange(n)
    shape = (n,) * count
    kept = np.ones((*shape, n), bool)
    for axis in range(count):
        kept &= line != line.reshape([-1 if axis == i else 1 for i in range(count)] + [1])
    return np.where(kept, s[(..., *[None] * count, slice(None))], 1).prod(-1)


def pairs(s: Array) -> Array:
    """For each pair of the last axis of s the product of all the others; 0 for one with itself."""
    return np.where(np.eye(s.shape[-1], dtype=bool), 0, others(s, 2))


def cofactor(a: Array) -> Array:
    """∂det/∂a, the cofactors of each matrix, singular ones too: by singular values, and the products of all but one."""
    u, s, vt = np.linalg.svd(_wide(a))
    sign = (np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    return _narrow(sign * ((u * others(s, 1)[..., None, :]) @ vt), a)


def cofactor_slope(a: Array, g: Array) -> Array:
    """Σ g·∂cofactor/∂a, singular matrices too: in the basis of the singular values it mixes each pair of them alone."""
    u, s, vt = np.linalg.svd(_wide(a))
    sign = (np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    turned = np.swapaxes(u, -1, -2) @ _wide(g) @ np.swapaxes(vt, -1, -2)
    rest = pairs(s)
    across = -rest * np.swapaxes(turned, -1, -2)
    along = (rest @ np.diagonal(turned, 0, -2, -1)[..., None])[..., 0]
    line = np.arange(s.shape[-1])
    across[..., line, line] = along
    return _narrow(sign * (u @ across @ vt), a)
