"""Samples of reductions and scans. References add, multiply and compare one line of numbers at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError
from autograph.functions.statistics import count_nonzero, norm, reduce_std
from autograph.graph.op import op_named
from autograph.graph.tensor import Tensor, apply, placeholder
from autograph.ops.cumulative import cumprod, cumsum, linear_scan, shift
from autograph.ops.norms import centered, logsumexp, reduce_var, softmax_weights
from autograph.ops.reduction import (
    argmax,
    argmin,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from tests.samples.define import Array, Case, Sample, values

Axis = int | tuple[int, ...] | None
Bad = tuple[tuple[Callable[[], object], type[Exception]], ...]

table = placeholder((None, 3))
empty = placeholder((2, 0))
some = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5)
any_shape = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
not_pairs = hnp.array_shapes(min_dims=0, max_dims=3, min_side=3, max_side=5)  # of two numbers, std has no second derivative
few = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def op(name: str, *inputs: Any, **params: Any) -> Tensor:
    """An op that users meet by way of gradients or unknown sizes alone."""
    return apply(op_named(name), *inputs, **params)


# axes and lines ------------------------------------------------------------------------------------------------------


def axes_of(rank: int) -> st.SearchStrategy[Axis]:
    """Every form of axis: all of them, one, several, none."""
    forms: list[st.SearchStrategy[Axis]] = [st.none(), hnp.valid_tuple_axes(rank, min_size=0)]
    return st.one_of(*forms, *[st.integers(-rank, rank - 1)] * bool(rank))


def numbered(axis: Axis, rank: int) -> tuple[int, ...]:
    """The axes counted from the front."""
    return tuple(range(rank)) if axis is None else tuple([a % rank for a in ((axis,) if isinstance(axis, int) else axis)])


def by_lines(x: Array, axis: Axis, keepdims: bool, function: Callable[[list[Any]], Any]) -> Array:
    """`function` of the numbers along `axis`, for each place of the other axes."""
    gone = numbered(axis, x.ndim)
    kept = [a for a in range(x.ndim) if a not in gone]
    sizes = [x.shape[a] for a in kept]
    lines = x.transpose([*kept, *gone]).reshape(math.prod(sizes), math.prod([x.shape[a] for a in gone]))
    found = np.array([function(line.tolist()) for line in lines])
    return found.reshape([1 if a in gone else size for a, size in enumerate(x.shape)] if keepdims else sizes)


def within_lines(x: Array, axis: Axis, function: Callable[[list[float]], Iterable[float]]) -> Array:
    """As `by_lines`, where `function` gives a number for each."""
    gone = numbered(axis, x.ndim)
    order = [*[a for a in range(x.ndim) if a not in gone], *gone]
    moved = x.transpose(order)
    width = math.prod([x.shape[a] for a in gone])
    lines = moved.reshape(x.size // width if width else 0, width)
    found = np.array([list(function(line.tolist())) for line in lines], float).reshape(moved.shape)
    return found.transpose(np.argsort(order))


def torch_over(function: Callable[..., Any], axis: Axis, keepdims: bool) -> Callable[..., Any]:
    """The oracle for a torch function of (torch, x, dims, keepdim); no axes are one more of size 1."""

    def oracle(torch: Any, x: Any) -> Any:
        dims = numbered(axis, x.ndim)
        return function(torch, x, dims, keepdims) if dims else function(torch, x.unsqueeze(-1), (x.ndim,), False)

    return oracle


def reduced(
    public: Callable[..., Tensor],
    line: Callable[[list[Any]], Any],
    torch_function: Callable[..., Any] | None = None,
    shapes: st.SearchStrategy[tuple[int, ...]] = any_shape,
    analytic: bool = False,
    **drawn: Any,
) -> st.SearchStrategy[Case]:
    """Cases of a reduction: any axis, kept or not."""

    @st.composite
    def cases(draw: st.DrawFn) -> Case:
        shape = draw(shapes)
        axis, keepdims = draw(axes_of(len(shape))), draw(st.booleans())
        return Case(
            lambda x: public(x, axis, keepdims),
            (draw(values(shape, **drawn)),),
            lambda x: by_lines(x, axis, keepdims, line),
            None if torch_function is None or 0 in shape else torch_over(torch_function, axis, keepdims),
            analytic=analytic,
            smooth=not drawn.get("distinct") or math.prod(shape) <= 100,
        )

    return cases()


def bad_axes(public: Callable[..., Tensor]) -> Bad:
    """What every reduction refuses."""
    return (
        (lambda: public(table, 2), AxisError),
        (lambda: public(table, (0, -2)), AxisError),
        (lambda: public(None), ArgumentTypeError),
    )


# what a line comes to ------------------------------------------------------------------------------------------------


def _mean(line: list[float]) -> float:
    return math.fsum(line) / len(line) if line else math.nan


def _var(line: list[float]) -> float:
    m = _mean(line)
    return _mean([(v - m) ** 2 for v in line])


def _logsumexp(line: list[float]) -> float:
    return math.log(math.fsum(map(math.exp, line))) if line else -math.inf


def _softmax(line: list[float]) -> list[float]:
    total = math.fsum(map(math.exp, line))
    return [math.exp(v) / total for v in line]


def _centered(line: list[float]) -> list[float]:
    m = _mean(line)
    return [v - m for v in line]


def _first(line: list[float], best: Callable[..., float]) -> int:
    strange = [i for i, v in enumerate(line) if math.isnan(v)]
    return strange[0] if strange else line.index(best(line))


def _torch_prod(torch: Any, x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
    for dim in sorted(dims, reverse=True):
        x = x.prod(dim, keepdim)
    return x


@st.composite
def _with_zeros(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Numbers around 1, some of them 0."""
    array = draw(values(shape, 0.5, 1.5))
    kept = draw(values(shape, 0, draw(st.sampled_from((1, 3))), dtype="int64")) > 0
    return np.asarray(array * kept)


@st.composite
def _prod(draw: st.DrawFn) -> Case:
    shape = draw(few)
    axis, keepdims = draw(axes_of(len(shape))), draw(st.booleans())
    return Case(
        lambda x: reduce_prod(x, axis, keepdims),
        (draw(_with_zeros(shape)),),
        lambda x: by_lines(x, axis, keepdims, math.prod),
        torch_over(_torch_prod, axis, keepdims),
    )


@st.composite
def _sum_like(draw: st.DrawFn) -> Case:
    home = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    wide = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=home, max_dims=4, min_side=0, max_side=4))
    return Case(
        lambda g, like: op("sum_like", g, like),
        (draw(values(wide.result_shape)), draw(values(home))),
        _summed_back,
        lambda torch, g, like: g.sum_to_size(like.shape),
        analytic=True,
    )


def _summed_back(g: Array, like: Array) -> Array:
    home = np.zeros(like.shape)
    for place in np.ndindex(g.shape):
        target = place[len(place) - like.ndim :]
        home[tuple([0 if n == 1 else k for k, n in zip(target, like.shape, strict=True)])] += g[place]
    return home


# extremes and truth --------------------------------------------------------------------------------------------------


@st.composite
def _position(draw: st.DrawFn, public: Callable[..., Tensor], best: Callable[..., float]) -> Case:
    """The place of an extreme, among ties and NaN."""
    shape = draw(some)
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1) if shape else st.none())
    keepdims = draw(st.booleans())
    x = draw(values(shape, -2, 3, dtype="int64")).astype("float64")
    strange = np.where(x > 2, math.nan, x) if draw(st.booleans()) else x
    return Case(
        lambda x: public(x, axis, keepdims),
        (strange,),
        lambda x: by_lines(x, axis, keepdims, lambda line: _first(line, best)),
    )


@st.composite
def _truth(draw: st.DrawFn, public: Callable[..., Tensor], line: Callable[[list[Any]], bool]) -> Case:
    shape = draw(any_shape)
    axis, keepdims = draw(axes_of(len(shape))), draw(st.booleans())
    x = draw(values(shape, 0, 1, dtype="int64")).astype(draw(st.sampled_from(("bool", "int32", "float64"))))
    return Case(lambda x: public(x, axis, keepdims), (x,), lambda x: by_lines(x, axis, keepdims, line).astype(bool))


# scans ---------------------------------------------------------------------------------------------------------------


def _scanned(line: list[float], reverse: bool, step: Callable[[float, float], float], start: float) -> list[float]:
    found, value = [], start
    for number in reversed(line) if reverse else line:
        value = step(value, number)
        found.append(value)
    return found[::-1] if reverse else found


@st.composite
def _scan(draw: st.DrawFn, public: Callable[..., Tensor], step: Callable[[float, float], float], start: float) -> Case:
    shape = draw(few)
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1) if shape else st.none())
    reverse = draw(st.booleans())

    def reference(x: Array) -> Array:
        flat = x.reshape(-1) if axis is None else x
        return within_lines(flat, 0 if axis is None else axis, lambda line: _scanned(line, reverse, step, start))

    def oracle(torch: Any, x: Any) -> Any:
        flat, dim = (x.reshape(-1), 0) if axis is None else (x, axis)
        way = flat.flip(dim) if reverse else flat
        found = torch.cumsum(way, dim) if public is cumsum else torch.cumprod(way, dim)
        return found.flip(dim) if reverse else found

    return Case(lambda x: public(x, axis, reverse), (draw(_with_zeros(shape)),), reference, oracle)


@st.composite
def _linear_scan(draw: st.DrawFn) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6))
    axis, reverse = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.booleans())

    def reference(a: Array, b: Array) -> Array:
        pairs = np.stack([np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)], -1)
        found = np.zeros(pairs.shape[:-1])
        for place in np.ndindex(found.shape[:-1]):
            found[place] = _scanned(pairs[place].tolist(), reverse, lambda value, ab: ab[0] + ab[1] * value, 0.0)  # type: ignore[index]
        return np.moveaxis(found, -1, axis)

    return Case(
        lambda a, b: linear_scan(a, b, axis, reverse), (draw(values(shape)), draw(values(shape))), reference, analytic=True
    )


@st.composite
def _shift(draw: st.DrawFn) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    axis, offset = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.integers(-5, 5))

    def line(numbers: list[float]) -> list[float]:
        return [numbers[i - offset] if 0 <= i - offset < len(numbers) else 7.0 for i in range(len(numbers))]

    return Case(
        lambda x: shift(x, axis, offset, 7.0), (draw(values(shape)),), lambda x: within_lines(x, axis, line), analytic=True
    )


# along axes, and as large as before ----------------------------------------------------------------------------------


@st.composite
def _along(
    draw: st.DrawFn, public: Callable[..., Tensor], line: Callable[[list[float]], Iterable[float]], analytic: bool
) -> Case:
    shape = draw(any_shape)
    axis = draw(axes_of(len(shape)))
    return Case(lambda x: public(x, axis), (draw(values(shape)),), lambda x: within_lines(x, axis, line), analytic=analytic)


def _deviation(x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    return reduce_std(x, axis, keepdims)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "sum",
        reduced(reduce_sum, math.fsum, lambda torch, x, dims, keep: x.sum(dims, keep), analytic=True)
        | reduced(count_nonzero, lambda line: sum(v != 0 for v in line), low=0, high=1, dtype="int32"),
        bad_axes(reduce_sum),
    ),
    Sample("sum_like", _sum_like(), (
        (lambda: op("sum_like", None, table), ArgumentTypeError),
        (lambda: reduce_sum(table, -3), AxisError),
        (lambda: reduce_sum("3"), ArgumentTypeError),
    )),
    Sample(
        "mean",
        reduced(reduce_mean, _mean, lambda torch, x, dims, keep: x.mean(dims, keep), analytic=True),
        bad_axes(reduce_mean),
    ),
    Sample("prod", _prod(), (*bad_axes(reduce_prod), (lambda: op("prod", table, axis=(0, 1), keepdims=False), ArgumentError))),
    Sample(
        "max",
        reduced(reduce_max, max, lambda torch, x, dims, keep: x.amax(dims, keep), shapes=some, distinct=True),
        (*bad_axes(reduce_max), (lambda: reduce_max(empty, 1), ShapeError), (lambda: reduce_max(empty), ShapeError)),
    ),
    Sample(
        "min",
        reduced(reduce_min, min, lambda torch, x, dims, keep: x.amin(dims, keep), shapes=some, distinct=True),
        (*bad_axes(reduce_min), (lambda: reduce_min(empty, -1), ShapeError)),
    ),
    Sample("argmax", _position(argmax, max), (
        (lambda: argmax(table, 2), AxisError),
        (lambda: argmax(table, (0, 1)), ArgumentError),
        (lambda: argmax(empty, 1), ShapeError),
    ), differentiable=False),
    Sample("argmin", _position(argmin, min), (
        (lambda: argmin(table, -3), AxisError),
        (lambda: argmin(table, 0.5), ArgumentError),
        (lambda: argmin(empty), ShapeError),
    ), differentiable=False),
    Sample("any", _truth(reduce_any, any), bad_axes(reduce_any), differentiable=False),
    Sample("all", _truth(reduce_all, all), bad_axes(reduce_all), differentiable=False),
    Sample("centered", _along(centered, _centered, analytic=True), bad_axes(centered)),
    Sample(
        "var",
        reduced(reduce_var, _var, lambda torch, x, dims, keep: x.var(dims, correction=0, keepdim=keep), analytic=True),
        bad_axes(reduce_var),
    ),
    Sample(
        "norm",
        reduced(
            lambda x, axis, keepdims: norm(x, 2, axis, keepdims),
            lambda line: math.hypot(*line),
            lambda torch, x, dims, keep: torch.linalg.vector_norm(x, 2, dims, keep),
            away_from=(0.0,),
        )
        | reduced(_deviation, lambda line: math.sqrt(_var(line)), shapes=not_pairs, distinct=True),
        (
            (lambda: norm(table, axis=2), AxisError),
            (lambda: norm(table, 3), ArgumentError),
            (lambda: norm(None), ArgumentTypeError),
            (lambda: norm(empty, math.inf), ShapeError),
        ),
    ),
    Sample(
        "logsumexp",
        reduced(logsumexp, _logsumexp, lambda torch, x, dims, keep: x.logsumexp(dims, keep)),
        bad_axes(logsumexp),
    ),
    Sample("softmax_weights", _along(softmax_weights, _softmax, analytic=False), bad_axes(softmax_weights)),
    Sample("cumsum", _scan(cumsum, lambda a, b: a + b, 0.0), (
        (lambda: cumsum(table, 2), AxisError),
        (lambda: cumsum(table, (0,)), ArgumentError),
        (lambda: cumsum(None), ArgumentTypeError),
    )),
    Sample("cumprod", _scan(cumprod, lambda a, b: a * b, 1.0), (
        (lambda: cumprod(table, -3), AxisError),
        (lambda: cumprod(table, 0.5), ArgumentError),  # type: ignore[arg-type]
        (lambda: cumprod("3"), ArgumentTypeError),
    )),
    Sample("linear_scan", _linear_scan(), (
        (lambda: linear_scan(table, table, 2), AxisError),
        (lambda: linear_scan(table, placeholder((None, 4)), 0), ShapeError),
        (lambda: linear_scan(placeholder(()), placeholder(()), 0), AxisError),
    )),
    Sample("shift", _shift(), (
        (lambda: shift(table, 2, 1), AxisError),
        (lambda: shift(1.0, 0, 1), AxisError),
        (lambda: shift(None, 0, 1), ArgumentTypeError),
    )),
)  # fmt: skip
