"""Convolution in NumPy: the same whatever is laid out at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph.arrays import convolution
from autograph.arrays.windows import Window

SHAPES = (
    ((3, 7, 6, 4), (3, 2, 4, 5), Window((1, 1), (1, 1), "same"), 1),
    ((3, 7, 6, 4), (3, 2, 2, 6), Window((2, 1), (1, 2), ((1, 0), (2, 2))), 2),
    ((3, 7, 6, 4), (3, 2, 1, 8), Window((1, 2), (1, 1), "same"), 4),
    ((5, 9, 3), (4, 3, 2), Window((2,), (1,), "same"), 1),
    ((2, 3, 4, 5, 1), (2, 2, 2, 1, 30), Window((1, 1, 1), (1, 1, 1), "same"), 1),
)


def results(x: Any, kernel: Any, window: Window, groups: int) -> list[Any]:
    y = convolution.conv(x, kernel, window, groups)
    back = convolution.conv_to_input(y, kernel, x.shape[1:-1], window, groups)
    return [y, back, convolution.conv_to_kernel(x, y, kernel.shape[:-2], window, groups)]


@pytest.mark.parametrize("block", [1, 100, 1000])
@pytest.mark.parametrize(("image", "kernel", "window", "groups"), SHAPES)
def test_blocks_change_nothing(
    image: Any, kernel: Any, window: Window, groups: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(block)
    x, weights = rng.normal(size=image), rng.normal(size=kernel)
    wanted = results(x, weights, window, groups)
    monkeypatch.setattr(convolution, "BLOCK", block)
    for got, want in zip(results(x, weights, window, groups), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("batch", "c", "m"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_of_nothing_sums_are_zero(batch: int, c: int, m: int) -> None:
    y, back, slopes = results(np.ones((batch, 5, 5, c)), np.ones((3, 3, c, m)), Window((1, 2), (1, 1), "same"), 1)
    assert (y.shape, back.shape, slopes.shape) == ((batch, 5, 3, m), (batch, 5, 5, c), (3, 3, c, m))
    assert not y.any() and not back.any() and not slopes.any()


def test_half_precision_is_rounded_once() -> None:
    x, kernel = np.full((1, 3000, 1), 1, np.float16), np.full((3000, 1, 1), 1, np.float16)
    y = convolution.conv(x, kernel, Window((1,), (1,), ((0, 0),)), 1)
    assert y.dtype == np.float16 and y.item() == 3000  # added one by one in half precision, it would stop at 2048
