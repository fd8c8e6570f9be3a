"""Random tensors: drawn anew at each call of a function, one value within a call.

`seed=None` draws a seed from `numpy.random`, so that `numpy.random.seed` settles everything that is built after it.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from autograph.arguments import number
from autograph.graph.tensor import Tensor
from autograph.ops import random as ops
from autograph.tensor_type import as_dtype

__all__ = ["random_binomial", "random_normal", "random_uniform", "truncated_normal"]


def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: npt.DTypeLike | None = None, seed: int | None = None
) -> Tensor:
    """Normal random numbers of `shape`, of floatx unless `dtype` is given.

    shape   sizes, each a number or a tensor of rank 0; or an integer vector, as `shape(x)`
    """
    return ops.random_normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: npt.DTypeLike | None = None, seed: int | None = None
) -> Tensor:
    """Random numbers of `shape`, uniform in [minval, maxval), of floatx unless `dtype` is given; `shape` as in `random_normal`.

    Whole numbers, if `dtype` is an integer.
    """
    if as_dtype(dtype).kind in "iu":
        low, high = [int(number(end, "random_uniform: a bound")) for end in (minval, maxval)]
        return ops.random_integers(shape, low, high, as_dtype(dtype), seed)
    return ops.random_uniform(shape, minval, maxval, dtype, seed)


def random_binomial(shape: Any, p: Any = 0.0, dtype: npt.DTypeLike | None = None, seed: int | None = None) -> Tensor:
    """1 with probability `p`, else 0, of `shape` and of floatx unless `dtype` is given; `shape` as in `random_normal`."""
    return ops.random_bernoulli(shape, p, dtype, seed)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: npt.DTypeLike | None = None, seed: int | None = None
) -> Tensor:
    """As `random_normal`, drawn again where a number is farther than two `stddev` from `mean`."""
    return ops.truncated_normal(shape, mean, stddev, dtype, seed)
