"""Hypothesis strategies: arrays by a spec, updates, prepared functions, and a property test of one's own op in a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from autograph.errors import ArgumentError
from autograph.function import Function, function
from autograph.graph.updates import Updates
from autograph.tensor_type import DType, as_dtype
from autograph.testing.gradients import check_gradients
from autograph.testing.random_graphs import RandomGraph, graphs

__all__ = ["Prepared", "functions", "gradient_property", "tensors", "updates"]

Points = float | Iterable[float]
CLEARANCE = 0.05  # how far `away_from` keeps, in parts of the range
GRID = 400  # values of a `distinct` array come from a grid of at least so many places

# arrays --------------------------------------------------------------------------------------------------------------


def tensors(
    spec: str,
    *,
    low: float = -2.0,
    high: float = 2.0,
    away_from: Points = (),
    distinct: bool = False,
    elements: st.SearchStrategy[Any] | None = None,
    sides: tuple[int, int] = (1, 5),
) -> st.SearchStrategy[np.ndarray]:
    """NumPy arrays of a dtype and shape, as `tensors("float64[?, 3]")`.

    spec       a dtype and sizes: a number, `?` for any, a name for sizes that must be equal, `...` for up to three axes
    low, high  the range of the elements; floats in it are normal numbers or 0
    away_from  points that no element comes near: kinks, poles, ends of a domain
    distinct   no two elements equal, nor near each other: for max, sort and what else has ties
    elements   a strategy for the elements instead of all these
    sides      the least and the greatest size for `?`, names and `...`; (0, 5) draws empty arrays too

    Raises ArgumentError for a spec it cannot read.
    """
    dtype, sizes = _parsed(spec)
    points = (away_from,) if isinstance(away_from, int | float) else tuple(away_from)

    @st.composite
    def draw_array(draw: st.DrawFn) -> np.ndarray:
        shape = _drawn_shape(draw, sizes, sides)
        return draw(_array(dtype, shape, low, high, points, distinct, elements))

    return draw_array()


def _parsed(spec: str) -> tuple[DType, list[int | str]]:
    found = re.fullmatch(r"\s*(\w+)\s*\[(.*)\]\s*", spec)
    if found is None:
        raise ArgumentError(f"{spec!r} is no spec of a tensor", fix='write a dtype and sizes: "float64[?, 3]"')
    words = [word.strip() for word in found[2].split(",") if word.strip()]
    for word in words:
        if not re.fullmatch(r"\d+|\?|\.\.\.|[A-Za-z_]\w*", word):
            raise ArgumentError(f"{spec!r}: {word!r} is no size", fix="a number, ?, a name or ...")
    return as_dtype(found[1]), [int(word) if word.isdigit() else word for word in words]


def _drawn_shape(draw: st.DrawFn, sizes: list[int | str], sides: tuple[int, int]) -> tuple[int, ...]:
    named: dict[str, int] = {}
    shape: list[int] = []
    for size in sizes:
        match size:
            case int():
                shape.append(size)
            case "...":
                shape += draw(npst.array_shapes(min_dims=0, max_dims=3, min_side=sides[0], max_side=sides[1]))
            case "?":
                shape.append(draw(st.integers(*sides)))
            case name:
                if name not in named:
                    named[name] = draw(st.integers(*sides))
                shape.append(named[name])
    return tuple(shape)


def _array(
    dtype: DType,
    shape: tuple[int, ...],
    low: float,
    high: float,
    points: tuple[float, ...],
    distinct: bool,
    elements: st.SearchStrategy[Any] | None,
) -> st.SearchStrategy[np.ndarray]:
    count = int(np.prod(shape, dtype=int))
    if elements is None:
        elements = _grid(dtype, low, high, points, count) if distinct else _elements(dtype, low, high, points)
    fill = st.nothing() if distinct else None  # hypothesis fills arrays with repeats, which are ties
    return npst.arrays(dtype, shape, elements=elements, fill=fill, unique=distinct)


def _elements(dtype: DType, low: float, high: float, points: tuple[float, ...]) -> st.SearchStrategy[Any]:
    match dtype.kind:
        case "b":
            return st.booleans()
        case "f":
            width = dtype.itemsize * 8
            numbers = [_floats(a, b, width, low, high) for a, b in _gaps(low, high, points)]
            return st.one_of(numbers)
        case _:
            least = max(int(np.ceil(low)), int(np.iinfo(dtype).min))
            whole = st.integers(least, int(np.floor(high)))
            return whole.filter(lambda n: n not in points) if points else whole


def _floats(a: float, b: float, width: int, low: float, high: float) -> st.SearchStrategy[float]:
    if width < 64:
        return st.integers(0, 2**10).map(lambda k: float(np.float16(a + (b - a) * k / 2**10))).filter(lambda t: a <= t <= b)
    return st.floats(a, b, allow_subnormal=False)


def _gaps(low: float, high: float, points: tuple[float, ...]) -> list[tuple[float, float]]:
    """What is left of the range when the surroundings of the points are taken out; 0 first, since draws shrink to it."""
    room = CLEARANCE * (high - low)
    ends = [low, *(end for p in sorted(points) if low - room < p < high + room for end in (p - room, p + room)), high]
    pairs = [(a, b) for a, b in zip(ends[::2], ends[1::2]) if a <= b]
    if not pairs:
        raise ArgumentError(f"nothing is left of [{low}, {high}] away from {list(points)}", fix="widen low and high")
    return sorted(pairs, key=lambda pair: abs(pair[0] + pair[1]))


def _grid(dtype: DType, low: float, high: float, points: tuple[float, ...], count: int) -> st.SearchStrategy[Any]:
    """Places far enough apart that a small step changes no order."""
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind != "f":
        return _elements(dtype, low, high, points)
    places = max(GRID, 4 * count)
    gaps = _gaps(low, high, points)
    numbers = [low + (high - low) * k / places for k in range(places + 1)]
    return st.sampled_from(sorted((t for t in numbers if any(a <= t <= b for a, b in gaps)), key=abs))


# updates and functions -----------------------------------------------------------------------------------------------


def updates(nodes: tuple[int, int] = (5, 40)) -> st.SearchStrategy[Updates]:
    """`Updates` of one to four fresh variables by random expressions of them: swaps, shared parts, counters.

    They read no placeholder, so that a function of them takes no input.
    """
    return graphs(nodes=nodes, inputs=0, registers=(1, 4)).map(lambda graph: graph.updates)


@dataclass(frozen=True)
class Prepared:
    """A function made ready while drawing, the graph it came from, and feeds for one call."""

    function: Function
    graph: RandomGraph
    feeds: list[np.ndarray]

    def __call__(self) -> Any:
        return self.function(*self.feeds)


def functions(
    graph: st.SearchStrategy[RandomGraph] | None = None, *, executor: str | None = None, **options: Any
) -> st.SearchStrategy[Prepared]:
    """Functions of random graphs (or of those you give), compiled and prepared while drawing, with feeds.

    Hypothesis counts the time of the test's body against its deadline and not that of drawing, so a slow compiler fails
    no test. `options` go to `function`.
    """

    def prepared(drawn: RandomGraph) -> Prepared:
        made = function(drawn.inputs, drawn.outputs, drawn.updates, executor=executor, on_unused_input="ignore", **options)
        feeds = drawn.feeds(0)
        made.prepare(*[feed.shape for feed in feeds])
        return Prepared(made, drawn, feeds)

    return (graphs() if graph is None else graph).map(prepared)


# a property in a line ------------------------------------------------------------------------------------------------


def gradient_property(
    fn: Callable[..., Any],
    signature: str,
    *,
    order: int = 1,
    executor: str | None = None,
    batch: int | None = None,
    sides: tuple[int, int] = (1, 4),
    low: float = -2.0,
    high: float = 2.0,
    away_from: Points = (),
    distinct: bool = False,
    elements: st.SearchStrategy[Any] | None = None,
    settings: hypothesis_settings | None = None,
) -> Callable[[], None]:
    """A test that `fn` has the right gradients: `test_my_op = gradient_property(my_op, "(m,n),(n)->(m)")`.

    signature   the shapes in NumPy's notation for generalised ufuncs: sizes of equal name are equal
    batch       how many axes may stand before those of the signature, broadcast against each other; 3 where the
                signature names no axes, else 0
    settings    those of hypothesis, as `settings(max_examples=500)`; there is no deadline in any case

    The other options are those of `check_gradients` and `tensors`.
    """
    core = signature.replace(" ", "")
    most = (3 if re.fullmatch(r"(\(\),?)+->\(\)", core) else 0) if batch is None else batch
    points = (away_from,) if isinstance(away_from, int | float) else tuple(away_from)
    shapes = npst.mutually_broadcastable_shapes(signature=core, max_dims=most, min_side=sides[0], max_side=sides[1])
    double = as_dtype("float64")

    @hypothesis_settings(settings or hypothesis_settings(), deadline=None)
    @given(st.data())
    def test(data: st.DataObject) -> None:
        drawn = data.draw(shapes, label="shapes")
        arrays = [data.draw(_array(double, s, low, high, points, distinct, elements), label="input") for s in drawn.input_shapes]
        check_gradients(fn, *arrays, order=order, executor=executor)

    test.__doc__ = f"{getattr(fn, '__name__', 'the function')} has the gradient of what it computes."
    return test
