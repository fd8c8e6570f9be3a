"""Samples of convolution and pooling. References go from place to place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from autograph.arrays.windows import Window
from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError
from autograph.graph.op import op_named
from autograph.graph.tensor import Tensor, apply, placeholder
from autograph.ops.convolution import conv, conv_transpose
from autograph.ops.pooling import average_pool, max_pool, sum_pool
from tests.samples.define import Array, Case, Sample, values

image, kernel = placeholder((None, 5, 5, 4)), placeholder((3, 3, 4, 2))


class Geometry(NamedTuple):
    """A convolution: what has to be known of it."""

    sizes: tuple[int, ...]
    taps: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Any
    batch: int
    groups: int
    c: int  # of a group
    m: int

    def ends(self) -> list[tuple[int, int]]:
        """How much is added at the ends of each axis."""
        if self.padding == "valid":
            return [(0, 0)] * len(self.sizes)
        if self.padding != "same":
            return list(self.padding)
        lacking = [
            max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d in zip(self.sizes, self.taps, self.strides, self.dilation, strict=True)
        ]
        return [(n // 2, n - n // 2) for n in lacking]

    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        rows = zip(self.sizes, self.taps, self.strides, self.dilation, self.ends(), strict=True)
        return tuple([(n + sum(ends) - (k - 1) * d - 1) // s + 1 for n, k, s, d, ends in rows])

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the input, of the kernel, and of the result."""
        c, m = self.c * self.groups, self.m * self.groups
        return (self.batch, *self.sizes, c), (*self.taps, self.c, m), (self.batch, *self.counts(), m)

    @property
    def options(self) -> tuple[Any, ...]:
        """What `conv` takes behind its tensors."""
        return self.strides, self.padding, self.dilation, self.groups

    def terms(self) -> Any:
        """Which places meet which taps: (place in, tap, place out), those in the room at the ends left out."""
        for at in np.ndindex(self.counts()):
            for tap in np.ndindex(self.taps):
                rows = zip(at, tap, self.strides, self.dilation, self.ends(), strict=True)
                place = tuple([i * s + k * d - before for i, k, s, d, (before, _) in rows])
                if all(0 <= p < n for p, n in zip(place, self.sizes, strict=True)):
                    yield place, tap, at


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    rank = draw(st.integers(1, 3))
    most = 3 if rank < 3 else 2
    taps = tuple(draw(st.integers(1, most)) for _ in range(rank))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    padding = draw(st.sampled_from(("valid", "same", "pairs")))
    if padding == "pairs":
        padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    widest = 2 * most - 1  # a window
    least = [(k - 1) * d + 1 if padding == "valid" else widest for k, d in zip(taps, dilation, strict=True)]
    sizes = tuple(draw(st.integers(size, widest + 1)) for size in least)
    groups, c, m = draw(st.sampled_from(((1, 1, 1), (1, 2, 3), (1, 3, 2), (2, 1, 1), (3, 1, 2), (2, 2, 2))))
    return Geometry(sizes, taps, strides, dilation, padding, draw(st.integers(0, 2)), groups, c, m)


def _by_terms(form: Geometry, give: Callable[..., None], result: Array) -> Array:
    """What `give` does for each place, tap and group."""
    for place, tap, at in form.terms():
        for k in range(form.groups):
            c, m = slice(k * form.c, (k + 1) * form.c), slice(k * form.m, (k + 1) * form.m)
            give((slice(None), *place, c), (*tap, slice(None), m), (slice(None), *at, m))
    return result


def _conv(form: Geometry, x: Array, w: Array) -> Array:
    y = np.zeros(form.shapes()[2])

    def give(i: Any, k: Any, o: Any) -> None:
        y[o] += x[i] @ w[k]

    return _by_terms(form, give, y)


def _to_input(form: Geometry, g: Array, w: Array) -> Array:
    x = np.zeros(form.shapes()[0])

    def give(i: Any, k: Any, o: Any) -> None:
        x[i] += g[o] @ w[k].T

    return _by_terms(form, give, x)


def _to_kernel(form: Geometry, x: Array, g: Array) -> Array:
    w = np.zeros(form.shapes()[1])

    def give(i: Any, k: Any, o: Any) -> None:
        w[k] += x[i].T @ g[o]

    return _by_terms(form, give, w)


def _torch_conv(torch: Any, form: Geometry, x: Any, w: Any) -> Any:
    rank = len(form.sizes)
    wide = torch.nn.functional.pad(x.movedim(-1, 1), [n for ends in reversed(form.ends()) for n in ends])
    turned = w.movedim(-1, 0).movedim(-1, 1)
    function = getattr(torch.nn.functional, f"conv{rank}d")
    return function(wide, turned, None, form.strides, 0, form.dilation, form.groups).movedim(1, -1)


@st.composite
def _convolved(draw: st.DrawFn) -> Case:
    form = draw(geometries())
    x, w, _ = form.shapes()
    return Case(
        lambda x, w: conv(x, w, *form.options),
        (draw(values(x)), draw(values(w))),
        lambda x, w: _conv(form, x, w),
        lambda torch, x, w: _torch_conv(torch, form, x, w),
        analytic=True,
    )


@st.composite
def _transposed(draw: st.DrawFn) -> Case:
    form = draw(geometries())
    x, w, y = form.shapes()
    arrays = draw(values(y)), draw(values(w))
    if draw(st.booleans()):
        return Case(lambda g, w: conv_transpose(g, w, form.sizes, *form.options), arrays,
                    lambda g, w: _to_input(form, g, w), analytic=True)  # fmt: skip
    return Case(lambda g, w, like: conv_transpose(g, w, like, *form.options), (*arrays, draw(values(x))),
                lambda g, w, like: _to_input(form, g, w), analytic=True)  # fmt: skip


def _window(form: Geometry) -> Window:
    padding = ((0, 0),) * len(form.sizes) if form.padding == "valid" else form.padding
    return Window(form.strides, form.dilation, padding)


@st.composite
def _of_kernel(draw: st.DrawFn) -> Case:
    form = draw(geometries())
    x, w, y = form.shapes()
    params = {"window": _window(form), "groups": form.groups}
    arrays = draw(values(x)), draw(values(y))
    if draw(st.booleans()):
        return Case(lambda x, g: apply(op_named("conv_to_kernel"), x, g, sizes=form.taps, **params), arrays,
                    lambda x, g: _to_kernel(form, x, g), analytic=True)  # fmt: skip
    return Case(lambda x, g, like: apply(op_named("conv_to_kernel"), x, g, like, sizes=None, **params),
                (*arrays, draw(values(w))), lambda x, g, like: _to_kernel(form, x, g), analytic=True)  # fmt: skip


# pooling -------------------------------------------------------------------------------------------------------------


@st.composite
def pools(draw: st.DrawFn) -> Geometry:
    """A window over the axes of space of an array that has channels last."""
    form = draw(geometries())
    padding = form.padding
    if not isinstance(padding, str):
        padding = tuple([tuple([min(n, k - 1) for n in pair]) for pair, k in zip(padding, form.taps, strict=True)])
    return form._replace(dilation=(1,) * len(form.taps), padding=padding, groups=1)


def _seen(form: Geometry) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """For each window the places that it sees, in C order."""
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {at: [] for at in np.ndindex(form.counts())}
    for place, _, at in form.terms():
        found[at].append(place)
    return found


def _pooled(form: Geometry, x: Array, take: Callable[[Array], Array]) -> Array:
    y = np.zeros((form.batch, *form.counts(), form.c))
    for at, places in _seen(form).items():
        y[(slice(None), *at)] = take(np.array([x[(slice(None), *place)] for place in places]))
    return y


def _of_pool(pool: Callable[..., Tensor], take: Callable[[Array], Array], distinct: bool) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: st.DrawFn) -> Case:
        form = draw(pools())
        return Case(
            lambda x: pool(x, form.taps, form.strides, form.padding),
            (draw(values(form.shapes()[0], distinct=distinct)),),
            lambda x: _pooled(form, x, take),
            analytic=not distinct,
        )

    return case()


@st.composite
def _line(draw: st.DrawFn) -> tuple[Geometry, Array, int, dict[str, Any]]:
    """A window along one axis, an array for it with equal numbers in it, and the parameters of the ops."""
    form = draw(pools())
    form = form._replace(sizes=form.sizes[:1], taps=form.taps[:1], strides=form.strides[:1], dilation=(draw(st.integers(1, 2)),))
    padding = form.padding if isinstance(form.padding, str) else form.padding[:1]
    form = form._replace(padding=padding, sizes=(max(form.sizes[0], 5),))
    x = np.round(draw(values(form.shapes()[0])))
    return form, x, 1, {"axis": 1, "taps": form.taps[0], "window": _window(form)}


def _first(form: Geometry, x: Array) -> dict[tuple[int, int, int], int]:
    """For each sample, window and channel the first place that has the maximum."""
    found = {}
    for (at,), places in _seen(form).items():
        for n, c in np.ndindex(form.batch, form.c):
            line = [x[n, place, c] for (place,) in places]
            found[n, at, c] = places[int(np.argmax(line))][0]
    return found


def _maxima(form: Geometry, x: Array) -> Array:
    return _pooled(form, x, lambda seen: np.max(seen, 0))


@st.composite
def _to_maximum(draw: st.DrawFn) -> Case:
    form, x, _, params = draw(_line())

    def reference(g: Array) -> Array:
        result = np.zeros_like(x)
        for (n, at, c), place in _first(form, x).items():
            result[n, place, c] += g[n, at, c]
        return result

    y = _maxima(form, x)
    return Case(lambda g: apply(op_named("to_window_max"), g, x, y, **params), (draw(values(y.shape)),), reference)


@st.composite
def _at_maximum(draw: st.DrawFn) -> Case:
    form, x, _, params = draw(_line())

    def reference(h: Array) -> Array:
        result = np.zeros_like(y)
        for (n, at, c), place in _first(form, x).items():
            result[n, at, c] = h[n, place, c]
        return result

    y = _maxima(form, x)
    return Case(lambda h: apply(op_named("at_window_max"), h, x, y, **params), (draw(values(x.shape)),), reference)


@st.composite
def _spread(draw: st.DrawFn) -> Case:
    form, x, _, params = draw(_line())

    def reference(g: Array, *_: Array) -> Array:
        result = np.zeros_like(x)
        for (at,), places in _seen(form).items():
            for (place,) in places:
                result[:, place] += g[:, at]
        return result

    g = draw(values((form.batch, *form.counts(), form.c)))
    op = op_named("window_spread")
    if draw(st.booleans()):
        return Case(lambda g: apply(op, g, size=form.sizes[0], **params), (g,), reference, analytic=True)
    return Case(lambda g, like: apply(op, g, like, size=None, **params), (g, x), reference, analytic=True)


_LINE: dict[str, Any] = {"axis": 1, "taps": 2, "window": Window((2,), (1,), ((0, 0),))}
_SPREAD: dict[str, Any] = {**_LINE, "size": 4}

SAMPLES = (
    Sample("conv", _convolved(), (
        (lambda: conv(image, placeholder((3, 3, 3, 2))), ShapeError),
        (lambda: conv(image, placeholder((3, 4, 2))), ShapeError),
        (lambda: conv(placeholder((2, 2)), placeholder((2, 2))), ShapeError),
        (lambda: conv(image, placeholder((6, 3, 4, 2))), ShapeError),
        (lambda: conv(image, placeholder((3, 3, 2, 3)), groups=2), ShapeError),
        (lambda: conv(image, kernel, strides=0), ArgumentError),
        (lambda: conv(image, kernel, strides=(1, 1, 1)), ArgumentError),
        (lambda: conv(image, kernel, padding="full"), ArgumentError),
        (lambda: conv(image, kernel, padding=[(1, 1)]), ArgumentError),
        (lambda: conv(image, kernel, groups=0), ArgumentError),
    )),
    Sample("conv_to_input", _transposed(), (
        (lambda: conv_transpose(placeholder((None, 3, 3, 2)), kernel, (6, 5)), ShapeError),
        (lambda: conv_transpose(placeholder((None, 3, 3, 3)), kernel, (5, 5)), ShapeError),
        (lambda: conv_transpose(placeholder((None, 3, 3, 2)), kernel, (5,)), ShapeError),
        (lambda: conv_transpose(placeholder((None, 3, 3, 2)), kernel, (5, -5)), ArgumentError),
    )),
    Sample("conv_to_kernel", _of_kernel(), (
        (lambda: apply(op_named("conv_to_kernel"), image, image, sizes=(2, 2), window=Window((1, 1), (1, 1), "same"), groups=3),
         ShapeError),
        (lambda: apply(op_named("conv_to_kernel"), image, image, sizes=(2, 2), window=Window((2, 2), (1, 1), "same"), groups=1),
         ShapeError),
        (lambda: apply(op_named("conv_to_kernel"), image, placeholder((None, 5, 5)), sizes=(2, 2),
                       window=Window((1, 1), (1, 1), "same"), groups=1), ShapeError),
    )),
    Sample("window_max", _of_pool(max_pool, lambda seen: np.max(seen, 0), True), (
        (lambda: max_pool(image, (2, 2, 2)), ArgumentError),
        (lambda: max_pool(image, 0), ArgumentError),
        (lambda: max_pool(image, 6), ShapeError),
        (lambda: max_pool(image, 2, padding="none"), ArgumentError),
        (lambda: max_pool(image, 2, padding=[(2, 0), (0, 0)]), ArgumentError),
        (lambda: max_pool(image, 2, axes=(1, 4)), AxisError),
        (lambda: max_pool(placeholder((2, 3)), 2), ArgumentError),
    )),
    Sample("to_window_max", _to_maximum(), (
        (lambda: max_pool(None, 2), ArgumentTypeError),
        (lambda: max_pool(image, 2, strides=-1), ArgumentError),
        (lambda: max_pool(image, 7, padding=[(0, 0), (0, 1)]), ShapeError),
    )),
    Sample("at_window_max", _at_maximum(), (
        (lambda: max_pool(image, 2, axes=4), AxisError),
        (lambda: max_pool(image, (1, 2.5)), ArgumentError),
        (lambda: max_pool(image, 2, strides=(1, 2, 3)), ArgumentError),
    )),
    Sample("window_sum", st.one_of(
        _of_pool(sum_pool, lambda seen: np.sum(seen, 0), False), _of_pool(average_pool, lambda seen: np.mean(seen, 0), False),
    ), (
        (lambda: average_pool(image, 6), ShapeError),
        (lambda: sum_pool(image, 2, strides=0), ArgumentError),
        (lambda: average_pool(image, 2, padding=[(0, 2), (0, 0)]), ArgumentError),
        (lambda: sum_pool(image, (2, 2), axes=1), ArgumentError),
    )),
    Sample("window_spread", _spread(), (
        (lambda: apply(op_named("window_spread"), placeholder((2, 3)), **_SPREAD), ShapeError),
        (lambda: apply(op_named("window_spread"), placeholder((2, 2)), **{**_SPREAD, "size": 1}), ShapeError),
        (lambda: apply(op_named("window_spread"), placeholder((2, 1)), placeholder((2, 4)), **{**_SPREAD, "size": None}),
         ShapeError),
    )),
)  # fmt: skip
