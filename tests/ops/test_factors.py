"""Both QR factors together: of tall, square and wide matrices, of sizes that are not known yet, and without a gradient."""

from __future__ import annotations

import numpy as np
import pytest

import autograph as ag
from autograph.errors import ShapeError
from autograph.testing import check_gradients
from tests.ops.running import each_float, each_way, run

SHAPES = ((3, 3), (5, 2), (2, 5), (2, 4, 3), (2, 3, 4), (0, 3), (3, 0), (0, 2, 2))


@each_way
@each_float
@pytest.mark.parametrize("shape", SHAPES)
def test_the_factors_are_orthonormal_and_triangular_and_give_the_matrix_back(
    shape: tuple[int, ...], dtype: str, way: str
) -> None:
    a = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x = ag.placeholder((None,) * len(shape), dtype=dtype)
    q, r = run(list(ag.qr(x)), [x], [a], way)
    k, near = min(shape[-2:]), 8 * float(np.finfo(dtype).eps)
    assert (q.shape, r.shape, q.dtype, r.dtype) == ((*shape[:-1], k), (*shape[:-2], k, shape[-1]), dtype, dtype)
    np.testing.assert_allclose(q.astype(float) @ r, a, atol=near)
    unit = np.broadcast_to(np.eye(k), (*shape[:-2], k, k))
    np.testing.assert_allclose(np.swapaxes(q, -1, -2).astype(float) @ q, unit, atol=near)
    assert not np.tril(r, -1).any()


@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (2, 5), (2, 3, 4)])
def test_gradients_flow_through_both_factors(shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(1).normal(size=shape)
    for factor in (0, 1):
        check_gradients(lambda x, factor=factor: ag.tanh(ag.qr(x)[factor]), a, order=2)


def test_a_column_of_zeros_has_factors_and_no_gradient() -> None:
    x = ag.variable(np.outer([1.0, 2.0, 3.0], [1.0, 0.0]), "float64")
    q, r = ag.qr(x)
    np.testing.assert_allclose(ag.eval(ag.matmul(q, r)), x.get_value(), atol=1e-14)
    with pytest.raises(np.linalg.LinAlgError, match="condition"):
        ag.eval(ag.gradients(ag.reduce_sum(ag.sin(q)), x))


def test_a_vector_has_no_factors() -> None:
    with pytest.raises(ShapeError, match="qr: needs matrices"):
        ag.qr(np.ones(3))
