"""Sparse matrices: what is computed of them is what is computed of the dense ones, and nothing makes them dense by surprise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import backend as K
from autograph.errors import FeedError, ShapeError, SymbolicError
from autograph.executors.executor import EXECUTORS, lack_of
from autograph.functions.sparse import SparseTensor
from autograph.graph.graph import ancestors
from autograph.testing import check_gradients

sparse = pytest.importorskip("scipy.sparse", reason="sparse feeds are SciPy's")
everywhere = pytest.mark.parametrize("executor", [name for name in EXECUTORS if not lack_of(name)])


def matrix(rows: int, columns: int, seed: int = 0, density: float = 0.4) -> Any:
    return sparse.random(rows, columns, density, "csr", random_state=seed, dtype="float64")


A, B, W = matrix(4, 5), matrix(4, 3, 1), np.random.default_rng(2).normal(size=(5, 3))
TWICE = sparse.coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [2, 2, 0])), (2, 3))  # one place has two entries


def variable(x: Any) -> Any:
    return K.variable(x, dtype="float64")


# what they are -------------------------------------------------------------------------------------------------------


def test_what_is_known_of_a_sparse_tensor() -> None:
    s, p, d = variable(A), K.placeholder((None, 5), sparse=True, name="x"), K.placeholder((None, 5))
    assert [K.is_sparse(x) for x in (s, p, d, A, None)] == [True, True, False, False, False]
    assert K.is_tensor(s) and K.is_placeholder(p) and not K.is_placeholder(s) and not K.is_keras_tensor(s)
    assert (K.int_shape(s), K.int_shape(p), K.ndim(p), K.dtype(s), K.count_params(s)) == ((4, 5), (None, 5), 2, "float64", 20)
    assert K.eval(K.shape(s)).tolist() == [4, 5] and K.eval(K.size(s)) == 20
    assert (p.name, p.values.name) == ("x", "x/values")
    assert K.int_shape(K.placeholder(ndim=2, sparse=True)) == (None, None)
    assert K.dtype(K.variable(A)) == "float32" and "0.0 MiB dense" in repr(s)


def test_to_dense_adds_what_stands_in_one_place() -> None:
    assert K.eval(K.to_dense(K.constant(TWICE))).tolist() == K.eval(K.constant(TWICE)).tolist() == TWICE.toarray().tolist()
    x = K.placeholder((2,))
    assert K.to_dense(x) is x


@pytest.mark.parametrize("shape", [(3,), (None, 4, 5)])
def test_they_have_rank_2(shape: Any) -> None:
    with pytest.raises(ShapeError, match="rank 2"):
        K.placeholder(shape, sparse=True)


# what is computed of them --------------------------------------------------------------------------------------------

RESULTS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "sparse · dense": (lambda a, b: K.dot(a, variable(W)), lambda a, b: a @ W),
    "sparse · vector": (lambda a, b: K.dot(a, W[:, 0]), lambda a, b: a @ W[:, 0]),
    "dense · sparse": (lambda a, b: K.dot(variable(W.T), K.transpose(a)), lambda a, b: W.T @ a.T),
    "vector · sparse": (lambda a, b: K.dot(W.T[0], a.T), lambda a, b: W.T[0] @ a.T),
    "the operator": (lambda a, b: a @ variable(W), lambda a, b: a @ W),
    "the operator of an array": (lambda a, b: W.T @ a.T, lambda a, b: W.T @ a.T),
    "its mirror": (lambda a, b: variable(W.T) @ a.T, lambda a, b: W.T @ a.T),
    "side by side": (lambda a, b: K.concatenate([a, b, a]), lambda a, b: np.concatenate([a, b, a], 1)),
    "one below the other": (lambda a, b: K.concatenate([a, a * 2], axis=0), lambda a, b: np.concatenate([a, 2 * a])),
    "rows": (lambda a, b: a[1:3], lambda a, b: a[1:3]),
    "rows from the end": (lambda a, b: a[-2:], lambda a, b: a[-2:]),
    "all rows": (lambda a, b: a[:], lambda a, b: a),
    "no rows": (lambda a, b: a[3:1], lambda a, b: a[3:1]),
    "rows of rows": (lambda a, b: K.dot(a[1:][:2], variable(W)), lambda a, b: a[1:3] @ W),
    "factors": (lambda a, b: -(np.float64(2) * a * K.constant(3.0) / 4), lambda a, b: -1.5 * a),
    "a sum": (lambda a, b: sum([a, a[:] * 2]), lambda a, b: 3 * a),
    "transposed": (lambda a, b: K.transpose(b), lambda a, b: b.T),
}


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("executor", [name for name in EXECUTORS if not lack_of(name)])
def test_results_are_those_of_dense_matrices(name: str, executor: str) -> None:
    ours, dense = RESULTS[name]
    fed = K.placeholder((None, 5), dtype="float64", sparse=True)
    result = ours(fed, variable(B)) if "end" not in name else ours(variable(A), variable(B))
    (found,) = K.function([fed], [result], executor=executor)([A])
    wanted = dense(A.toarray(), B.toarray())
    product = name.startswith(("sparse", "dense", "vector", "the", "its", "rows of"))
    assert sparse.issparse(found) is K.is_sparse(result) is not product
    np.testing.assert_allclose(found.toarray() if sparse.issparse(found) else found, wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(K.eval(ours(variable(A), variable(B))), wanted, rtol=1e-12, atol=1e-15)


@everywhere
def test_gradients_reach_both_sides(executor: str) -> None:
    x, w = K.placeholder((None, 5), dtype="float64", sparse=True), variable(W)
    loss = K.sum(K.square(K.dot(x, w)))
    slopes = K.gradients(loss, [w, x.values])
    of_w, of_entries = K.function([x], slopes, executor=executor)([A])
    np.testing.assert_allclose(of_w, 2 * A.T @ (A @ W), rtol=1e-12)
    entries = A.tocoo()
    np.testing.assert_allclose(of_entries[: A.nnz], (2 * (A @ W) @ W.T)[entries.row, entries.col], rtol=1e-12)


def test_gradients_of_both_orders_are_slopes() -> None:
    entries = TWICE.tocoo()

    def product(values: Any, w: Any) -> Any:
        s = SparseTensor(values, K.constant(entries.row, "int64"), K.constant(entries.col, "int64"), K.constant(np.zeros((2, 3))))
        return K.sum(K.square(K.dot(s, w)), axis=1) + K.sum(K.to_dense(s[:1]) ** 3)

    check_gradients(product, entries.data, W[:3], order=2)


def test_the_entries_of_a_variable_are_trained() -> None:
    s, x = variable(A), variable(W)
    loss = K.mean(K.square(K.dot(s, x) - 1.0))
    (g,) = K.gradients(loss, [s.values])
    step = K.function([], [loss], updates=[(s.values, s.values - 0.1 * g)])
    first = step([])[0]
    for _ in range(30):
        step([])
    assert step([])[0] < 0.8 * first
    assert (K.eval(s) != 0).sum() == A.nnz


# functions -----------------------------------------------------------------------------------------------------------


@everywhere
def test_a_function_takes_sparse_and_dense_in_their_order(executor: str) -> None:
    x, y = K.placeholder((None, 5), sparse=True), K.placeholder((None, 3))
    f = K.function([y, x], [K.dot(x, K.constant(W)) + y], executor=executor)
    for rows in (4, 4, 2):
        (found,) = f([np.ones((rows, 3)), A[:rows]])
        np.testing.assert_allclose(found, A[:rows] @ W + 1, rtol=1e-5)
    (none,) = f([np.ones((3, 3)), sparse.csc_matrix((3, 5))])
    assert (none == 1).all()


def test_numbers_of_entries_that_are_near_share_a_program() -> None:
    x = K.placeholder((None, 50), sparse=True)
    f = K.function([x], [K.dot(x, K.constant(np.ones((50, 1))))])
    for count in range(500, 600):
        m = sparse.coo_matrix((np.ones(count), (np.arange(count) % 20, np.arange(count) % 50)), (20, 50))
        assert f([m])[0].sum() == count
    assert len(f._cache.programs) <= 4


def test_what_is_fed_must_fit() -> None:
    x = K.placeholder((None, 5), sparse=True, name="x")
    f = K.function([x], [K.dot(x, K.constant(W))])
    with pytest.raises(FeedError, match=r"'x' is sparse, and got an array"):
        f([A.toarray()])
    with pytest.raises(FeedError, match=r"'x' expects \[\?, 5\], got \[4, 3\]"):
        f([B])
    with pytest.raises(FeedError, match="takes 1 inputs, got 2"):
        f([A, A])
    with pytest.raises(FeedError, match="instead of a list"):
        f(A)
    with pytest.raises(FeedError, match="sparse matrix"):
        K.function([K.placeholder((4, 5))], [])([A])


# never dense by surprise ---------------------------------------------------------------------------------------------

BIG = sparse.coo_matrix(([1.0], ([5], [7])), (2**16, 2**16))


@pytest.mark.parametrize(
    "call",
    [
        lambda s: K.exp(s), lambda s: K.sum(s), lambda s: s * np.ones(2**16), lambda s: 1.0 + s, lambda s: s - s,
        lambda s: K.concatenate([s, np.ones((2**16, 1))]), lambda s: K.dot(s, s), lambda s: s[0], lambda s: s[::2],
        lambda s: s * s, lambda s: np.ones(2) * s, lambda s: K.stack([s, s]), lambda s: s > 0, lambda s: bool(s),
    ],
)  # fmt: skip
def test_what_has_no_sparse_form_says_how_large_it_would_be(call: Callable[[Any], Any]) -> None:
    with pytest.raises(SymbolicError, match=r"16384\.0 MiB dense\) has no sparse form"):
        call(K.constant(BIG))


@everywhere
def test_a_matrix_too_large_to_be_dense_is_multiplied_joined_and_cut(executor: str) -> None:
    x, w = K.placeholder((None, 2**16), sparse=True), K.ones((2**16, 2))
    joined = K.concatenate([x, x * 3], axis=0)[5:6]
    f = K.function([x], [K.sum(K.dot(x, w)), joined, K.gradients(K.sum(K.dot(joined, w)), [x.values])[0]], executor=executor)
    total, cut, slope = f([BIG])
    assert total == 2 and cut.shape == (1, 2**16) and cut[0, 7] == 1 and slope.tolist() == [2]
    assert "basic_index" in {t.op.name for t in ancestors([joined.like])}  # a view of what was fed


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="inner sizes"):
        K.dot(variable(A), W.T)
    with pytest.raises(ShapeError, match="a matrix or a vector"):
        K.dot(variable(A), np.ones((5, 2, 2)))
    with pytest.raises(ShapeError, match="do not fit"):
        K.concatenate([variable(A), variable(B)], axis=0)
    with pytest.raises(ShapeError, match="do not fit"):
        variable(A) + variable(B)
    with pytest.raises(ShapeError, match="from the front"):
        K.placeholder((None, 5), sparse=True)[-1:]


# labels --------------------------------------------------------------------------------------------------------------


def test_labels_of_a_table_as_a_sparse_matrix() -> None:
    table, lengths = K.placeholder((None, None), dtype="int32"), K.placeholder((None,), dtype="int32")
    labels = K.ctc_label_dense_to_sparse(table, lengths)
    (found,) = K.function([table, lengths], [labels])([[[3, 1, 2], [4, -1, -1], [-1, -1, -1]], [3, 1, 0]])
    assert K.is_sparse(labels) and found.nnz == 4 and found.dtype == np.int32
    assert found.toarray().tolist() == [[3, 1, 2], [4, 0, 0], [0, 0, 0]]
