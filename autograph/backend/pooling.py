"""Pooling of images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.arguments import choice
from autograph.backend.operands import check_rank, tensor
from autograph.backend.settings import normalize_data_format
from autograph.graph.tensor import Tensor
from autograph.ops import pooling

__all__ = ["pool2d", "pool3d"]

Steps = int | Sequence[int]


def pool2d(
    x: Any, pool_size: Steps, strides: Steps = (1, 1), padding: str = "valid", data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:  # fmt: skip
    """The maximum, or the mean, of each window of images of rank 4.

    padding    "valid", or "same": ⌈size / stride⌉ windows, of which only what lies in the image counts
    pool_mode  "max" or "avg"

    Of equal maxima the first of a window gets the gradient. Raises ArgumentError for another padding, mode or data format,
    ShapeError for another rank, or where no window fits.
    """
    return _pooled("pool2d", x, 2, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any, pool_size: Steps, strides: Steps = (1, 1, 1), padding: str = "valid", data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:  # fmt: skip
    """The maximum, or the mean, of each window of volumes of rank 5, as `pool2d` of images."""
    return _pooled("pool3d", x, 3, pool_size, strides, padding, data_format, pool_mode)


def _pooled(
    what: str, x: Any, space: int, size: Steps, strides: Steps, padding: str, data_format: str | None, mode: str
) -> Tensor:
    first = normalize_data_format(data_format) == "channels_first"
    choice(f"{what}: padding", padding, ("valid", "same"))
    choice(f"{what}: pool_mode", mode, ("max", "avg"))
    images = tensor(x)
    check_rank(what, images, space)
    pool = pooling.max_pool if mode == "max" else pooling.average_pool
    return pool(images, size, strides, padding, range(2 if first else 1, space + (2 if first else 1)))
