"""What a program is made of once steps are joined, and compiled: loops, and products; what each reads and makes."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from autograph.executors.native import loops, parallel, products
from autograph.executors.native.blas import blas
from autograph.executors.native.compiler import lanes
from autograph.executors.native.kernels import GEMM
from autograph.executors.native.lowering import Elementwise, Product, Reduce
from autograph.executors.native.record import layout_of
from autograph.executors.numpy.values import Guard, Place, Step, Value, stand_in
from autograph.tensor_type import DTYPES, DType

Views = Mapping[Value, Value]
_LARGEST = 2**31 - 1  # BLAS counts in 32 bits


class Address(NamedTuple):
    """A place in memory: so many bytes behind the start of an array."""

    root: Value
    offset: int


@dataclass(eq=False)
class Moved:
    """A word that the row of words itself changes as it runs: the address of another part in each turn of a loop."""


class Slot(NamedTuple):
    """Where such a word is."""

    moved: Moved


Words = list[int | Address | parallel.KernelOf | Moved | Slot]
FUNCTION = 8  # as how many simple calls an elementary function counts
Entry = tuple[str, Words]  # a kernel's text, and the words it is called with


class Located(NamedTuple):
    """Where a value is, and a stand-in that has its strides."""

    address: Address
    layout: np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def located(value: Value, views: Views) -> Located:
    """Where a value lies, through all views."""
    source = views.get(value, value.source)
    layout = layout_of(value)
    if source is None:
        return Located(Address(value, 0), layout)
    (root, offset), behind = located(source, views)
    name, params = value.transform
    if value not in views and name == "part":
        offset += params[0] * value.dtype.itemsize
    else:
        offset += _start(layout) - _start(behind)
    return Located(Address(root, offset), layout)


def _start(layout: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> int:
    return int(layout.__array_interface__["data"][0])


def root_of(value: Value, views: Views) -> Value:
    """The array that a value is all or a part of."""
    while value in views:
        value = views[value]
    return value.root


@dataclass(eq=False)
class Loop:
    """Calls on each element of one shape, and reductions of their results along the same axes."""

    shape: tuple[int, ...]
    guard: Guard
    axes: tuple[int, ...] | None = None
    steps: list[Step] = field(default_factory=list)
    calls: list[Elementwise] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)  # of the calls
    reductions: list[tuple[Reduce, Value]] = field(default_factory=list)
    needed: list[Value] = field(default_factory=list)  # results of calls that are read elsewhere
    views: Views = field(default_factory=dict)
    weight: int = 0  # how long it takes to compile, in simple calls

    def inputs(self) -> list[Value]:
        """What is read from memory, each once."""
        own = set(self.results)
        found = [v for call in self.calls for v in call.operands] + [r.operand for r, _ in self.reductions]
        return [v for v in dict.fromkeys(found) if v not in own]

    @property
    def reads(self) -> list[Value]:
        return [v if v.fixed else root_of(v, self.views) for v in self.inputs()]

    @property
    def makes(self) -> list[Value]:
        return [*self._results, *self._partial]

    @property
    def _results(self) -> list[Value]:
        return [*self.needed, *(result for _, result in self.reductions)]

    @functools.cached_property
    def _partial(self) -> list[Value]:
        """Where the results of parts go, one for each reduction, where a long loop reduces all there is."""
        if not self.reductions or len(self.axes or ()) < len(self.shape) or self.work < parallel.PART:
            return []
        return [Value(Place.SCRATCH, _carried(r, v.dtype), (parallel.MOST,)) for r, v in self.reductions]

    def goes_over(self, value: Value) -> bool:
        """Not where vectors overlap, which would read again what they have written."""
        axes, (wide, strips) = self._form
        return value in self.needed and not (axes and axes[-1].size % (wide * strips))

    def _turned(self) -> bool:
        """Whether its longest axis goes along the lanes: a function pays for numbers from distant places, several at once."""
        narrow = not self.shape or self.shape[-1] < lanes()
        return narrow and not self.reductions and self.weight >= FUNCTION

    @property
    def work(self) -> int:
        """How much there is to do, in simple calls on one number."""
        return math.prod(self.shape) * (self.weight + len(self.reductions))

    def kernels(self) -> list[Entry]:
        """One, whose work threads share where it is long; where all is reduced, part by part, and then the parts."""
        if 0 in self.shape:
            return []
        axes, (wide, strips) = self._form
        places = [place for place, _ in self.laid()]
        axis, parts = self._cut(axes, wide * strips)
        partial = [Located(Address(v, 0), layout_of(v)) for v in self._partial] if len(parts) > 1 and axes[axis].reduced else []
        first = len(places) - len(partial)
        nest = self.nest(axes)
        if partial:
            kept = [loops.Array(p.layout.dtype.str[1:], nest.arrays[-1].along) for p in partial]
            places, nest = places[:first] + partial, replace(nest, arrays=nest.arrays[:first] + tuple(kept))
        rows = []
        for number, (start, stop) in enumerate(parts):
            sizes = [stop - start if k == axis else size for k, (size, _, _) in enumerate(axes)]
            moves = [
                number * place.layout.itemsize if k >= first else start * axes[axis].strides[k] if axes else 0
                for k, place in enumerate(places)
            ]
            rows.append(words_of(nest, axes, sizes, [moved(p.address, far) for p, far in zip(places, moves, strict=True)]))
        return [*parallel.side_by_side(loops.text(nest), rows), *self._joined(partial, len(parts))]

    def _cut(self, axes: Sequence[Axis], unit: int) -> tuple[int, list[tuple[int, int]]]:
        """The axis along which the work is shared, and its parts: of those that reductions keep, the one of the most parts.

        Where there is none, sums are cut all the same, so that they do not depend on the number of threads.
        """
        found: tuple[int, list[tuple[int, int]]] = 0, [(0, axes[0].size if axes else 1)]
        for k, axis in enumerate(axes):
            if self._partial or (not axis.reduced and parallel.has_threads()):
                parts = parallel.cut(axis.size, unit if axis is axes[-1] else 1, self.work)
                found = (k, parts) if len(parts) > len(found[1]) else found
        return found

    def _joined(self, partial: Sequence[Located], count: int) -> list[Entry]:
        """The kernel that reduces what the parts gave."""
        if not partial:
            return []
        results = [located(v, self.views) for _, v in self.reductions]
        arrays = [loops.Array(p.layout.dtype.str[1:], (loops.DENSE,)) for p in partial]
        arrays += [loops.Array(p.layout.dtype.str[1:], (loops.INVARIANT,)) for p in results]
        reductions = [loops.Reduction(r.name, k, len(partial) + k) for k, (r, _) in enumerate(self.reductions)]
        nest = loops.Nest((True,), tuple(arrays), len(partial), (), (), tuple(reductions))
        return [(loops.text(nest), [count, *(p.address for p in (*partial, *results))])]

    @functools.cached_property
    def _form(self) -> tuple[list[Axis], tuple[int, int]]:
        """The axes of the nest, its lanes and strips."""
        axes = merged(self.shape, [strides for _, strides in self.laid()], self.axes or ())
        if self._turned() and axes and axes[-1].size < lanes():
            axes.sort(key=lambda axis: axis.size)
        return axes, self._widths(axes)

    def laid(self) -> list[tuple[Located, tuple[int, ...]]]:
        """Where each array is, those that are read first, and its strides along the axes of the loop."""
        inputs = self.inputs()
        places = [located(v, self.views) for v in (*inputs, *self._results)]
        strides = [np.broadcast_to(p.layout, self.shape).strides for p in places[: len(inputs) + len(self.needed)]]
        sums = zip(self.reductions, places[len(strides) :], strict=True)
        strides += [self._kept(p.layout.strides, result) for (_, result), p in sums]
        return list(zip(places, strides, strict=True))

    def _widths(self, axes: Sequence[Axis]) -> tuple[int, int]:
        """Lanes and strips of a nest with these axes."""
        if not axes:
            return 1, 1
        kinds = [v.dtype for v in (*self.inputs(), *self.results, *self._results)]
        waits = bool(self.reductions or self.weight >= FUNCTION) and all(kind.itemsize <= 4 for kind in kinds)
        return loops.widths(axes[-1].size, bool(self.reductions) and not axes[-1].reduced, waits)

    def _kept(self, strides: Sequence[int], result: Value) -> tuple[int, ...]:
        """The strides of a reduction's result along every axis of what is reduced: 0 along those that go."""
        rest = iter(strides)
        keepdims = len(result.shape) == len(self.shape)
        found = []
        for axis in range(len(self.shape)):
            gone = axis in (self.axes or ())
            stride = next(rest) if keepdims or not gone else 0
            found.append(0 if gone else stride)
        return tuple(found)

    def nest(self, axes: Sequence[Axis], rows: int = 0) -> loops.Nest:
        """The nest of these axes, the first so many of which run around it."""
        inputs = self.inputs()
        numbers = {v: k for k, v in enumerate([*inputs, *self.results])}
        calls = [
            loops.Call(call.name, tuple(numbers[v] for v in call.operands), tuple(call.types), call.type)
            for call in self.calls
        ]
        described = [
            loops.Array(
                v.dtype.str[1:],
                tuple(_way(axis.strides[k], v, number == len(axes) - 1 >= rows) for number, axis in enumerate(axes)),
            )
            for k, v in enumerate([*inputs, *self._results])
        ]
        stores = [(numbers[v], len(inputs) + k) for k, v in enumerate(self.needed)]
        first = len(inputs) + len(self.needed)
        reductions = [loops.Reduction(r.name, numbers[r.operand], first + k) for k, (r, _) in enumerate(self.reductions)]
        wide, strips = self._widths(axes[rows:])
        return loops.Nest(
            tuple(axis.reduced for axis in axes), tuple(described), len(inputs), tuple(calls), tuple(stores), tuple(reductions),
            wide, strips,
        )  # fmt: skip


def moved(address: Address, nbytes: int) -> Address:
    """A place so many bytes behind."""
    return address._replace(offset=address.offset + nbytes)


def words_of(nest: loops.Nest, axes: Sequence[Axis], sizes: Sequence[int], places: Sequence[Address]) -> Words:
    """The words of a nest along axes of these sizes, whose arrays begin at these places."""
    words: Words = [*sizes]
    for k, (place, array) in enumerate(zip(places, nest.arrays, strict=True)):
        words.append(place)
        words += [axis.strides[k] for axis, way in zip(axes, array.along, strict=True) if way == loops.STRIDED]
    return words


def _carried(r: Reduce, dtype: DType) -> DType:
    """In which dtype the results of parts wait: sums of floats in double."""
    return DTYPES["float64"] if r.name == "sum" and dtype.kind == "f" else dtype


class Axis(NamedTuple):
    """An axis of a nest: its size, whether reductions run along it, and each array's stride in bytes."""

    size: int
    reduced: bool
    strides: tuple[int, ...]


def merged(shape: tuple[int, ...], strides: Sequence[Sequence[int]], reduced: tuple[int, ...]) -> list[Axis]:
    """The axes of more than one place; neighbours that every array runs through in one go are one axis."""
    axes: list[Axis] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        new = Axis(size, axis in reduced, tuple(s[axis] for s in strides))
        if axes:
            last = axes[-1]
            if last.reduced == new.reduced and all(a == b * size for a, b in zip(last.strides, new.strides, strict=True)):
                axes[-1] = new._replace(size=last.size * size)
                continue
        axes.append(new)
    if reduced and not axes:
        return [Axis(1, True, (0,) * len(strides))]
    return axes


def _way(stride: int, value: Value, last: bool) -> str:
    if stride == 0:
        return loops.INVARIANT
    return loops.DENSE if last and stride == value.dtype.itemsize else loops.STRIDED


@dataclass(eq=False)
class OneStep:
    """An item of one step, which writes over nothing that it reads."""

    step: Step
    views: Views

    @property
    def guard(self) -> Guard:
        return self.step.guard

    @property
    def steps(self) -> list[Step]:
        return [self.step]

    def inputs(self) -> list[Value]:
        return self.step.reads

    @property
    def reads(self) -> list[Value]:
        return [v if v.fixed else root_of(v, self.views) for v in self.inputs()]

    def goes_over(self, value: Value) -> bool:
        return False


@dataclass(eq=False)
class Multiply(OneStep):
    """A product of matrices, or of stacks of them."""

    product: Product
    turned: Value | None = None  # the second matrix, its rows dense

    def __post_init__(self) -> None:
        a, b = (located(v, self.views).layout for v in self.inputs())
        k, n = b.shape[-2:]
        rows = b.strides[-2] == b.itemsize and b.strides[-1] >= b.itemsize * k and n > 1
        if a.ndim == b.ndim == 2 and rows and k > 1 and _is_small(a, n) and len(a) >= products.ROWS:
            dtype = self.product.b.dtype
            self.turned = Value(Place.SCRATCH, dtype, (k, n), layout=stand_in(dtype, (k, n)))

    def inputs(self) -> list[Value]:
        return [self.product.a, self.product.b]

    @property
    def makes(self) -> list[Value]:
        return [self.step.result, *([] if self.turned is None else [self.turned])]

    @property
    def work(self) -> int:
        return math.prod(self.step.result.shape) * self.product.a.shape[-1]

    def kernels(self) -> list[Entry]:
        if 0 in self.step.result.shape:
            return []
        a, b, c = (located(v, self.views) for v in (*self.inputs(), self.step.result))
        first: list[Entry] = []
        if self.turned is not None:
            dense = located(self.turned, self.views)
            words: Words = [*self.turned.shape, b.address, b.layout.strides[-1], dense.address]
            side = 16 // c.layout.itemsize
            text = products.turning(c.layout.dtype.str[1:], side if min(self.turned.shape) >= side else 1)
            first, b = [(text, words)], dense
        found = product(a, b, c)
        assert found is not None  # else it would have stayed a call of NumPy
        return [*first, found]


def product(a: Located, b: Located, c: Located) -> Entry | None:
    """The kernel of c = a·b and its words: ours where the matrices are small, else BLAS; None where neither can read them."""
    type = c.layout.dtype.str[1:]
    if _is_small(a.layout, c.layout.shape[-1]):
        words = _small_product(a, b, c)
        if words is not None:
            block = products.block(a.layout.shape[-2], c.layout.shape[-1], products.width(type))
            return products.text(type, block), words
    words = _blas_product(a, b, c)
    return None if words is None else (GEMM, words)


def _is_small(a: np.ndarray[tuple[int, ...], np.dtype[np.generic]], columns: int) -> bool:
    m, k = a.shape[-2:]
    return m < products.ROWS or m * k * columns <= products.SMALL[a.dtype.str[1:]]


def _small_product(a: Located, b: Located, c: Located) -> Words | None:
    """The words of our own kernel; None where the rows of b are not dense, or matrices do not lie at even distances."""
    steps = _stack(a.layout, b.layout, c.layout)
    if steps is None or (b.layout.strides[-1] != b.layout.itemsize and b.layout.shape[-1] > 1):
        return None
    (m, k), n = a.layout.shape[-2:], c.layout.shape[-1]
    many, apart = steps
    nest = products.Nest([(many, apart[0], apart[1], apart[2])], [(k, a.layout.strides[-1], b.layout.strides[-2])])
    left, result = (a.address, a.layout.strides[-2]), (c.address, c.layout.strides[-2])
    return [*products.words(m, n, nest, left, (b.address, b.layout.itemsize), result)]


def _blas_product(a: Located, b: Located, c: Located) -> Words | None:
    """The words of cᵀ = bᵀ·aᵀ, which BLAS sees, since it counts columns first; None where it cannot see the operands so."""
    letter = {"f": "s", "d": "d"}[c.layout.dtype.char]
    left, right = seen(b.layout), seen(a.layout)
    steps = _stack(a.layout, b.layout, c.layout)
    if left is None or right is None or steps is None:
        return None
    (m, inner), n = (b.layout.shape[-1], b.layout.shape[-2]), a.layout.shape[-2]
    if max(m, n, inner, left[1], right[1]) > _LARGEST:
        return None
    one, zero = (int.from_bytes(np.array(x, c.layout.dtype).tobytes(), "little") for x in (1, 0))
    many, (sa, sb, sc) = steps
    return [
        blas(f"{letter}gemm"), ord(left[0]), ord(right[0]), m, n, inner, one, b.address, left[1], a.address, right[1], zero,
        c.address, max(m, 1), many, sb, sa, sc,
    ]  # fmt: skip


def seen(x: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[str, int] | None:
    """How BLAS sees the last two axes: as they are ("N", to it a transpose) or turned, and the distance of their lines."""
    (rows, columns), (down, along) = x.shape[-2:], [s // x.itemsize for s in x.strides[-2:]]
    if any(s % x.itemsize for s in x.strides[-2:]):
        return None
    if (along == 1 or columns <= 1) and (down >= max(columns, 1) or rows <= 1):
        return "N", max(down if rows > 1 else 1, columns, 1)
    if (down == 1 or rows <= 1) and (along >= max(rows, 1) or columns <= 1):
        return "T", max(along if columns > 1 else 1, rows, 1)
    return None


def _stack(*layouts: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[int, list[int]] | None:
    """How many matrices there are, and the steps in bytes from one to the next; None where the steps are not even."""
    shape = layouts[-1].shape[:-2]
    strides = [np.broadcast_to(x, (*shape, *x.shape[-2:])).strides[:-2] for x in layouts]
    axes = merged(shape, strides, ())
    if len(axes) > 1:
        return None
    return (axes[0].size, list(axes[0].strides)) if axes else (1, [0, 0, 0])
