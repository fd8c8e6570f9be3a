"""How the tests of hard points run a graph: as written, op by op, and as the program that `function` makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.arrays import numpy_namespace
from autograph.graph.graph import evaluate

WAYS = ("raw", "compiled")
FLOATS = ("float64", "float32")
ANY = Ellipsis  # nothing is said of it
TOLERANCE = {"float64": 1e-14, "float32": 1e-6, "float16": 2e-3}

each_way = pytest.mark.parametrize("way", WAYS)
each_float = pytest.mark.parametrize("dtype", FLOATS)


def run(outputs: Sequence[ag.Tensor], inputs: Sequence[ag.Tensor], arrays: Sequence[Any], way: str) -> list[Any]:
    """The values of `outputs`: of the raw graph, without any pass, or of the compiled function; dtypes as promised."""
    if way == "raw":
        with np.errstate(all="ignore"):
            found = evaluate(outputs, dict(zip(inputs, map(np.asarray, arrays), strict=True)), numpy_namespace)
    else:
        found = ag.function(list(inputs), list(outputs), on_unused_input="ignore")(*arrays)
    for output, value in zip(outputs, found, strict=True):
        assert np.asarray(value).dtype == output.dtype, f"{output.type} promised, {np.asarray(value).dtype} computed"
    return found


def slopes(
    function: Callable[..., ag.Tensor], points: Sequence[Any], dtype: str, way: str, seed: Any = None, known: bool = False
) -> tuple[Any, list[Any], list[list[Any]]]:
    """Value, gradient and second derivatives of Σ seed·function at `points`; zeros where a second derivative is None.

    seed   the cotangents of the value, ones if None; those of the gradient are 1
    known  whether the sizes are known when the graph is built
    """
    arrays = [np.asarray(p, dtype) for p in points]
    inputs = [ag.placeholder(a.shape if known else (None,) * a.ndim, dtype=dtype) for a in arrays]
    y = function(*inputs)
    shape = np.shape(run([y], inputs, arrays, "raw")[0])
    cotangent = ag.constant(np.asarray(np.ones(shape) if seed is None else seed, y.dtype))
    first = ag.gradients([y], inputs, cotangents=[cotangent])
    live = [g for g in first if g is not None]
    ones = [np.ones(a.shape, dtype) for a, g in zip(arrays, first, strict=True) if g is not None]
    second = [ag.gradients([g], inputs, cotangents=[one]) for g, one in zip(live, ones, strict=True)]
    wanted = [y, *live, *(h for row in second for h in row if h is not None)]
    found = iter(run(wanted, inputs, arrays, way))
    value, gradient = next(found), [None if g is None else next(found) for g in first]
    rows = [[np.zeros(a.shape) if h is None else next(found) for h, a in zip(row, arrays, strict=True)] for row in second]
    return value, gradient, rows


def same(found: Any, wanted: Any, dtype: str, what: str = "") -> None:
    """Equal to a few roundings; infinities, NaN and zeros exactly where they are wanted. None only where None is."""
    if wanted is None or found is None:
        assert found is wanted, f"{what}: found {found}, wanted {wanted}"
        return
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, wanted {wanted.shape}"
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=0, equal_nan=True, err_msg=what)


@dataclass(frozen=True)
class Row:
    """`function` at `at`: its value, its gradient (one entry an argument), and the rows of its Hessian where given."""

    name: str
    function: Callable[..., ag.Tensor]
    at: tuple[Any, ...]
    value: Any
    gradient: tuple[Any, ...]
    hessian: tuple[tuple[Any, ...], ...] = ()
    seed: Any = None


def row(name: str, function: Any, at: Any, value: Any, gradient: Any, *hessian: Any, seed: Any = None) -> Row:
    """A row of functions of one number or vector may leave the tuples out."""
    if not isinstance(at, tuple):
        at, gradient, hessian = (at,), (gradient,), tuple((h,) for h in hessian)
    return Row(name, function, at, value, gradient, hessian, seed)


def compare(r: Row, found: tuple[Any, list[Any], list[list[Any]]], dtype: str, shape: tuple[int, ...] = ()) -> None:
    def check(got: Any, wanted: Any, what: str) -> None:
        if wanted is not ANY:
            same(got, wanted if wanted is None or not shape else np.full(shape, wanted), dtype, f"{r.name}: {what}")

    value, gradient, hessian = found
    check(value, r.value, "value")
    for i, (got, wanted) in enumerate(zip(gradient, r.gradient, strict=True)):
        check(got, wanted, f"∂/∂x{i}")
    for i, (got_row, wanted_row) in enumerate(zip(hessian, r.hessian, strict=False)):
        for k, (got, wanted) in enumerate(zip(got_row, wanted_row, strict=True)):
            check(got, wanted, f"∂²/∂x{i}∂x{k}")


def rows(table: tuple[Row, ...]) -> Any:
    return pytest.mark.parametrize("r", table, ids=[r.name for r in table])
