"""A gradient of gather is seen as rows wherever it is one, and these rows are the dense gradient's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph as ag
from autograph import RowSparse, Tensor, Variable, row_sparse
from autograph.graph.graph import ancestors

SIZE = 7
LIMIT = ag.variable(1.0, "float64")


def table(shape: tuple[int, ...] = (SIZE, 3), dtype: str = "float64") -> Variable:
    return ag.variable(np.random.default_rng(0).normal(size=shape), dtype, "table")


def gradient(p: Tensor, *indices: Any) -> Tensor:
    """Of a loss that reads p at these rows."""
    parts = [ag.reduce_sum((k + 2) * ag.sin(ag.gather(p, i))) for k, i in enumerate(indices)]
    return ag.gradients(ag.reduce_sum(ag.stack(parts)), p)  # type: ignore[no-any-return]


def dense(rows: RowSparse) -> Tensor:
    return ag.put_rows(ag.zeros_like(rows.like), rows.indices, rows.rows)


def seen(tensor: Tensor, inputs: Any = (), *feeds: Any) -> tuple[Any, Any]:
    """The tensor, and what is made of it as rows."""
    rows = row_sparse(tensor)
    assert rows is not None
    found: tuple[Any, Any] = ag.function(list(inputs), (tensor, dense(rows)))(*feeds)
    assert rows.like.shape == tensor.shape
    assert rows.rows.dtype is tensor.dtype
    return found


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "itself": lambda g: g,
    "a sign": lambda g: -g,
    "a factor": lambda g: 0.1 * g,
    "a factor behind": lambda g: g * ag.constant(0.1, "float64"),
    "a divisor": lambda g: g / 3.0,
    "a divisor that may be 0": lambda g: ag.div_no_nan(g, ag.constant(0.0, "float64")),
    "a cast": lambda g: ag.cast(g, "float32"),
    "clipped by numbers": lambda g: ag.clip(g, -1.0, 0.5),
    "clipped by a limit": lambda g: ag.clip(g, -LIMIT, LIMIT),
    "another tensor": ag.identity,
    "stopped": ag.stop_gradient,
    "twice": lambda g: g + g,
    "less a part": lambda g: g - g / 4.0,
    "clipped by a norm": lambda g: g * (1.0 / ag.maximum(1.0, ag.norm(g))),
}


@pytest.mark.parametrize("shape", [(SIZE,), (SIZE, 1), (SIZE, 3), (SIZE, 2, 2), (SIZE, 0)])
@pytest.mark.parametrize("form", FORMS)
def test_what_keeps_zeros_is_seen_through_bit_by_bit(form: str, shape: tuple[int, ...]) -> None:
    whole, rows = seen(FORMS[form](gradient(table(shape), [[1, -1], [3, 1]])))
    np.testing.assert_array_equal(whole, rows)
    np.testing.assert_array_equal(np.signbit(whole)[[1, 3, 6]], np.signbit(rows)[[1, 3, 6]])


DENSE: dict[str, Callable[[Tensor], Tensor]] = {
    "an offset": lambda g: g + 1.0,
    "a dense term": lambda g: g + ag.ones_like(g),
    "a dense term in front": lambda g: ag.ones_like(g) - g,
    "a factor for each column": lambda g: g * ag.constant([1.0, 2.0, 3.0]),
    "a divisor for each column": lambda g: g / ag.constant([1.0, 2.0, 3.0]),
    "divided by": lambda g: 1.0 / g,
    "a clip without 0": lambda g: ag.clip(g, 0.5, 1.0),
    "a clip below 0": lambda g: ag.clip(g, -1.0, -0.5),
    "a clip to unknown bounds": lambda g: ag.clip(g, ag.reduce_min(g), ag.constant(1.0)),
    "a clip to two limits": lambda g: ag.clip(g, -ag.square(LIMIT), LIMIT),
    "a sum of another shape": lambda g: g + gradient(table((1, 3)), [0]),
    "a clip to columns of bounds": lambda g: ag.clip(g, [-1.0, -1.0, -1.0], 1.0),
    "a function": ag.tanh,
    "a product of two": lambda g: g * g,
    "a number": ag.reduce_sum,
    "less its mean": lambda g: g - ag.reduce_mean(g, axis=0, keepdims=True),
    "whole numbers": lambda g: ag.cast(g, "int32"),
}


@pytest.mark.parametrize("form", DENSE)
def test_what_fills_zeros_or_may_is_dense(form: str) -> None:
    assert row_sparse(DENSE[form](gradient(table(), [1, 2]))) is None


def test_other_gradients_are_dense() -> None:
    p, i = table(), ag.placeholder((2,), dtype="int64")
    columns, lines = ag.gather(p, [0, 1], axis=1), ag.take_along_axis(p, i[:, None], 0)
    for loss in (columns, lines, ag.gather(ag.tanh(p), i), ag.gather(p, i)[0] * p[0], p * p):
        assert row_sparse(ag.gradients(ag.reduce_sum(ag.square(loss)), p)) is None
    assert row_sparse(gradient(ag.placeholder((None, 3)), i)) is None, "how many rows there are is not known"
    assert row_sparse(1.0) is None


def test_indexing_by_an_array_is_a_gather() -> None:
    p = table()
    for part in (p[[1, 2]], p[ag.constant([True] * 3 + [False] * 4)]):
        assert row_sparse(ag.gradients(ag.reduce_sum(ag.square(part)), p)) is not None


@given(st.data())
def test_the_rows_are_those_of_the_dense_gradient(data: st.DataObject) -> None:
    """Several gathers, of indices that repeat, negative ones among them, and more of them than rows."""
    size = data.draw(st.integers(1, 6))
    p = table((size, 2))
    count = data.draw(st.integers(1, 3))
    inputs = [ag.placeholder((None,), dtype="int64") for _ in range(count)]
    feeds = [data.draw(st.lists(st.integers(-size, size - 1), max_size=8)) for _ in range(count)]
    g = FORMS[data.draw(st.sampled_from(list(FORMS)))](gradient(p, *inputs))
    rows = row_sparse(g)
    assert rows is not None
    pairs = [ag.reduce_sum(rows.once), ag.reduce_sum(g), ag.norm(rows.once), ag.norm(g)]
    f = ag.function(inputs, [g, dense(rows), rows.indices, *pairs])
    whole, found, indices, *pairs = f(*[np.array(i, int) for i in feeds])
    np.testing.assert_allclose(found, whole, rtol=1e-6, atol=1e-6)
    if count == 1:
        np.testing.assert_array_equal(found, whole)
    assert len(indices) <= size * count
    assert set(indices) == {i % size for feed in feeds for i in feed}
    np.testing.assert_allclose(pairs[::2], pairs[1::2], rtol=1e-5, atol=1e-6)


def test_who_reads_the_rows_does_not_pay_for_the_table() -> None:
    rows = row_sparse(-gradient(table(), [1, 2], [3]) / 2.0)
    assert rows is not None
    made = {t.shape for t in ancestors([rows.rows, rows.indices, rows.once]) if t.inputs}
    assert (SIZE, 3) not in made


def test_a_gradient_through_the_rows_is_that_through_the_table() -> None:
    p = table()
    g = gradient(p, [1, -1, 1], [0])
    rows = row_sparse(g)
    assert rows is not None
    whole, found = ag.function([], [ag.gradients(ag.reduce_sum(ag.exp(x)), p) for x in (g, rows.once)])()
    np.testing.assert_allclose(found, whole, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_narrow_rows_are_summed_as_the_table_is(dtype: str) -> None:
    whole, rows = seen(gradient(table(dtype=dtype), [2] * 5 + [1]))
    np.testing.assert_array_equal(whole, rows)


def test_a_long_chain_of_sums_is_no_deeper_than_a_short_one() -> None:
    g = gradient(table(), [1])
    for _ in range(3000):
        g = -g
    assert row_sparse(g) is not None
    doubled = gradient(table(), [1])
    for _ in range(60):
        doubled = doubled + doubled
    whole, rows = seen(doubled)
    np.testing.assert_array_equal(whole, rows)
