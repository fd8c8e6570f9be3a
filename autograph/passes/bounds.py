"""Bounds: an interval that holds every value a tensor can have, NaN aside, where one can be proved."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable

import numpy as np

from autograph.graph.tensor import Constant, Tensor
from autograph.ops.finite import SINGULAR, stays_finite
from autograph.tensor_type import DType

Interval = tuple[float, float]
ANY: Interval = (-math.inf, math.inf)
_SAME = {
    "transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "broadcast_like", "basic_index", "flip", "max", "min",
    "stop_gradient", "identity", "reshape_like",
}  # fmt: skip


def bounds(order: Iterable[Tensor]) -> dict[Tensor, Interval]:
    """An interval for each tensor of `order`, inputs before consumers."""
    found: dict[Tensor, Interval] = {}
    for tensor in order:
        found[tensor] = _rounded(tensor, _bound(tensor, [found[source] for source in tensor.inputs]))
    return found


def _rounded(tensor: Tensor, interval: Interval) -> Interval:
    """The interval as the tensor's dtype holds it: what may overflow ends at infinity, what may vanish at 0."""
    if not tensor.type.is_float:
        return interval if isinstance(tensor, Constant) or tensor.dtype.kind == "b" else ANY  # others may wrap
    low, high = interval
    largest, smallest = _extent(tensor.dtype)
    low = -math.inf if not low > -largest else 0.0 if 0 < low < smallest else low
    high = math.inf if not high < largest else 0.0 if -smallest < high < 0 else high
    return low, high


@functools.cache
def _extent(dtype: DType) -> tuple[float, float]:
    """A quarter of the largest number of a float dtype, and the smallest above 0 that has all digits."""
    info = np.finfo(dtype)
    return float(info.max) / 4, float(info.tiny)


def _bound(tensor: Tensor, inputs: list[Interval]) -> Interval:
    if isinstance(tensor, Constant):
        value = tensor.value
        if not value.size or np.isnan(value).any():
            return ANY
        return float(value.min()), float(value.max())
    name = tensor.op.name
    if name in _SAME:
        return inputs[0]
    if name == "cast":
        return inputs[0] if tensor.type.is_float else ANY
    if name == "sum":
        return _sum(tensor, inputs[0])
    if name == "subtract" and _is_maximum_of(tensor.inputs[1], tensor.inputs[0]):
        return -math.inf, 0.0
    rule = _RULES.get(name)
    return ANY if rule is None else rule(*inputs)


def _sum(tensor: Tensor, x: Interval) -> Interval:
    source = tensor.inputs[0]
    sizes = [source.shape[axis] for axis in tensor.params["axis"]]
    if any(size is None or size == 0 for size in sizes):
        return ANY if x[0] < 0 else (0.0, math.inf)
    count = math.prod(sizes)
    low = x[0] * count if x[0] != 0 else 0.0
    high = x[1] * count if x[1] != 0 else 0.0
    if source.op.name == "exp":
        shifted = source.inputs[0]
        if shifted.op.name == "subtract" and _is_maximum_of(shifted.inputs[1], shifted.inputs[0], tensor.params["axis"]):
            low = max(low, 1.0)  # the largest term is e⁰
    return low, high


def _is_maximum_of(tensor: Tensor, x: Tensor, axis: tuple[int, ...] | None = None) -> bool:
    """Whether it is max(x), broadcast back; along `axis` alone, where given."""
    restored = None  # the axes that are put back
    while tensor.op.name in ("stop_gradient", "broadcast_to", "broadcast_like", "expand_dims", "identity"):
        if tensor.op.name == "expand_dims":
            restored = tensor.params["axes"]
        tensor = tensor.inputs[0]
    if tensor.op.name != "max" or tensor.inputs[0] is not x or (axis is not None and tensor.params["axis"] != axis):
        return False
    return tensor.ndim == 0 or tensor.params["keepdims"] or restored == tensor.params["axis"]  # else other rows would meet


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _product(a: Interval, b: Interval) -> Interval:
    corners = [_times(x, y) for x in a for y in b]
    return min(corners), max(corners)


def _quotient(a: Interval, b: Interval) -> Interval:
    return _product(a, (1 / b[1] if b[1] else math.inf, 1 / b[0])) if b[0] > 0 else ANY


def _square(x: Interval) -> Interval:
    ends = [_times(x[0], x[0]), _times(x[1], x[1])]
    return 0.0 if x[0] <= 0 <= x[1] else min(ends), max(ends)


_RULES: dict[str, Callable[..., Interval]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "subtract": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "multiply": _product,
    **dict.fromkeys(("mul_no_nan", "times_slope", "times_cotangent"), _product),
    "divide": _quotient,
    "negative": lambda x: (-x[1], -x[0]),
    "exp": lambda x: (_exp(x[0]), _exp(x[1])),
    "square": _square,
    "var": lambda x: (0.0, math.inf),
    "norm": lambda x: (0.0, math.inf),
    "sqrt": lambda x: (math.sqrt(max(x[0], 0.0)), math.sqrt(x[1]) if x[1] >= 0 else math.inf),
    "abs": lambda x: (0.0 if x[0] <= 0 <= x[1] else min(abs(x[0]), abs(x[1])), max(abs(x[0]), abs(x[1]))),
    "tanh": lambda x: (-1.0, 1.0),
    "sigmoid": lambda x: (0.0, 1.0),
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
}


_BEARS: dict[str, Callable[..., bool]] = {  # where a singular op is finite and no NaN, overflow aside
    "divide": lambda a, b: b[0] > 0,
    "exp": lambda x: x[1] < math.inf,
    "sqrt": lambda x: x[0] >= 0,
    **dict.fromkeys(("log", "log2", "log10", "rsqrt", "reciprocal"), lambda x: x[0] > 0),
}


def never_nan(order: Iterable[Tensor], found: dict[Tensor, Interval]) -> set[Tensor]:
    """The tensors that no finite numbers at the leaves make NaN: every singular op is kept from its poles by a bound."""
    sure: set[Tensor] = set()
    for tensor in order:
        name = tensor.op.name
        bears = name not in SINGULAR or (name in _BEARS and _BEARS[name](*[found[x] for x in tensor.inputs]))
        if stays_finite(tensor) or (bears and all(x in sure for x in tensor.inputs)):
            sure.add(tensor)
    return sure


def is_finite(interval: Interval, largest: float) -> bool:
    """Whether every value in it is finite in a dtype with that largest number."""
    return -largest < interval[0] and interval[1] < largest
