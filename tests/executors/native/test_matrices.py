"""Linear algebra through LAPACK: what NumPy finds, and its errors where there is no answer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import apply
from tests.executors.native.test_agreement import both, close


def op(name: str, *inputs: Any) -> Any:
    return apply(REGISTRY[name], *inputs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 1, 2), (0,)], ids=str)
@pytest.mark.parametrize("size", [0, 1, 2, 5, 40])
def test_matrices_are_solved_and_taken_apart_as_by_numpy(size: int, lead: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(size)
    a = rng.normal(size=(*lead, size, size)).astype(dtype) + 2 * np.eye(size, dtype=dtype)
    b, g = rng.normal(size=(size, 3)).astype(dtype), rng.normal(size=a.shape).astype(dtype)

    def build(a: Any, b: Any, g: Any) -> list[Any]:
        turned = ag.transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))
        square = ag.matmul(a, turned) + ag.cast(ag.constant(np.eye(size)), dtype)
        outputs = [op("inv", a), op("inv", turned), op("solve", a, b), op("det", a / 4.0), op("cholesky", square)]
        if size < 10:
            outputs += [op("cofactor", a), op("cofactor_slope", a, g)]
        return [*outputs, op("orthonormal", ag.concatenate([a, g], -2)), op("orthonormal", g)]

    got, wanted = both(build, a, b, g)
    assert all(map(close, got, wanted))


@pytest.mark.parametrize("name", ["inv", "solve", "cholesky"])
def test_a_matrix_without_an_answer_is_named_as_by_numpy_and_changes_nothing(name: str) -> None:
    told = []
    for executor in ("native", "numpy"):
        a, w = ag.placeholder((3, 2, 2), dtype="float64"), ag.variable(np.zeros(2), dtype="float64")
        y = op(name, *([a * 1.0, a] if name == "solve" else [a * 1.0]))
        f = ag.function([a], y, [(w, w + ag.reduce_sum(y))], executor=executor)
        good = np.stack([np.eye(2)] * 3)
        bad = good.copy()
        bad[1] = [[1, 2], [2, 4]] if name != "cholesky" else [[1, 2], [2, 1]]
        before = f(good)
        state = w.get_value()
        with pytest.raises(np.linalg.LinAlgError, match=r"at \[1\]") as raised:
            f(bad)
        np.testing.assert_array_equal(w.get_value(), state)
        np.testing.assert_array_equal(f(good), before)
        told.append(re.sub(r"_\d+'", "'", str(raised.value) + "".join(raised.value.__notes__)))
    assert told[0] == told[1] and "test_matrices.py:" in told[0]


def test_determinants_of_any_size_and_of_singular_matrices() -> None:
    rng = np.random.default_rng(1)
    big = np.diag([1e200, 1e200, 1e-300])
    a = np.stack([big, big / 1e250, np.ones((3, 3)), np.zeros((3, 3)), -np.eye(3), rng.normal(size=(3, 3))])
    got, wanted = both(lambda a: op("det", a), a)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)
    for power in (4.0, 1e-4, 1e100, 1e-100, 1e130):
        mixed = np.diag([power] * 30 + [1 / power] * 28 + [-1.5])[rng.permutation(59)]
        got, wanted = both(lambda a: op("det", a), mixed)
        np.testing.assert_allclose(got, wanted, rtol=1e-9)
    for matrix in (np.full((2, 2), np.nan), np.diag([np.inf, 1.0])):
        np.testing.assert_array_equal(*both(lambda a: op("det", a), matrix))


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_cofactors_of_singular_matrices(rank: int) -> None:
    rng = np.random.default_rng(rank)
    a = rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 4))
    got, wanted = both(lambda a: [op("cofactor", a), op("cofactor_slope", a, a + 1.0)], a)
    assert all(map(close, got, wanted))


def test_singular_values_of_no_number_are_the_error_of_numpy() -> None:
    a = ag.placeholder((2, 2))
    for executor in ("native", "numpy"):
        f = ag.function([a], op("cofactor", a), executor=executor)
        f(np.eye(2))
        with pytest.raises(np.linalg.LinAlgError, match="did not converge"):
            f(np.full((2, 2), np.nan))
