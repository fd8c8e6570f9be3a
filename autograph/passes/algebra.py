"""Algebra: the same value with fewer operations. Nothing here changes a finite value by more than a rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autograph.graph.graph import ancestors, mapped, on
from autograph.graph.op import Kind, op_named
from autograph.graph.tensor import Constant, Tensor, apply
from autograph.ops.elementwise import divide, multiply, negative
from autograph.ops.joining import concatenate
from autograph.passes.bounds import bounds, is_finite, never_nan
from autograph.passes.constants import folded
from autograph.passes.rewrite import Rules, is_number

algebra = Rules("algebra")
_PARTS = 64  # tensors of a sum that is looked through for parts


@algebra.rule(lambda x: x * 1.0)
def times_one(x: Tensor) -> Tensor:
    return x


@algebra.rule(lambda x: x + 0.0)
def plus_zero(x: Tensor) -> Tensor:
    return x


@algebra.rule(lambda x: x - 0.0)
def minus_zero(x: Tensor) -> Tensor:
    return x


@algebra.rule(lambda x: x / 1.0)
def over_one(x: Tensor) -> Tensor:
    return x


@algebra.rule(lambda x: negative(negative(x)))
def twice_negated(x: Tensor) -> Tensor:
    return x


@algebra.rule(lambda x: x * -1.0)
def times_minus_one(x: Tensor) -> Tensor:
    return -x


@algebra.rule(lambda x: 0.0 - x)
def zero_minus(x: Tensor) -> Tensor:
    return -x


@algebra.rule(lambda x, y: x + -y)
def plus_negated(x: Tensor, y: Tensor) -> Tensor:
    return x - y


@algebra.rule(lambda x, y: x - -y)
def minus_negated(x: Tensor, y: Tensor) -> Tensor:
    return x + y


@algebra.rule(lambda x, y: -(x - y))
def negated_difference(x: Tensor, y: Tensor) -> Tensor:
    return y - x


@algebra.rule(lambda x, y: -x * y)
def sign_outside(x: Tensor, y: Tensor) -> Tensor:
    return x * folded(-y) if isinstance(y, Constant) else -(x * y)


@algebra.on("multiply", reads=("constant", "multiply"))
def gathered_factors(tensor: Tensor) -> Tensor | None:
    """(x·c)·d → x·(c·d), where c·d neither overflows nor loses digits."""
    for product, d in (tensor.inputs, tensor.inputs[::-1]):
        if isinstance(d, Constant) and d.ndim == 0 and product.op.name == "multiply" and product.type.is_float:
            for x, c in (product.inputs, product.inputs[::-1]):
                if isinstance(c, Constant) and c.ndim == 0 and not isinstance(x, Constant):
                    with np.errstate(all="ignore"):
                        cd = np.asarray(c.value * d.value, tensor.dtype)
                    if np.isfinite(cd) and abs(cd) >= np.finfo(cd.dtype).tiny:
                        return x * Constant(cd, origin=tensor.origin)
    return None


@algebra.on("times_slope")
def chained(tensor: Tensor) -> Tensor:
    """Which factor is the cotangent matters to gradients alone."""
    return _plain_product(tensor, tensor.inputs)


def _plain_product(tensor: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """A tensor like `tensor`, whose op is one of the products."""
    return Tensor(op_named("multiply"), inputs, {}, tensor.type, tensor.given_name, tensor.origin)


@algebra.on("mul_no_nan", "times_cotangent", reads=("constant",))
def factor_never_zero(tensor: Tensor) -> Tensor | None:
    """mul_no_nan(g, d) → g·d where g is a constant without zeros; times_cotangent, where either is, and finite."""
    for g in tensor.inputs[: 1 if tensor.op.name == "mul_no_nan" else 2]:
        if isinstance(g, Constant) and g.value.size and bool(np.all(g.value != 0) & np.all(np.isfinite(g.value))):
            return multiply(*tensor.inputs)
    return None


@algebra.rule(lambda g, x: g * (1.0 / x))
def times_reciprocal(g: Tensor, x: Tensor) -> Tensor:
    return divide(g, x)


@algebra.on("transpose")
def transposed_twice(tensor: Tensor) -> Tensor | None:
    (x,), axes = tensor.inputs, tensor.params["axes"]
    if axes == tuple(range(len(axes))):
        return x
    if x.op.name == "transpose":
        return apply(tensor.op, x.inputs[0], axes=tuple(x.params["axes"][a] for a in axes))
    return None


@algebra.on("squeeze", "expand_dims")
def squeezed_and_expanded(tensor: Tensor) -> Tensor | None:
    """squeeze and expand_dims of the same axes undo each other."""
    (x,) = tensor.inputs
    opposite = {"squeeze": "expand_dims", "expand_dims": "squeeze"}[tensor.op.name]
    return x.inputs[0] if x.op.name == opposite and x.params == tensor.params else None


@algebra.on("reshape", "broadcast_to")
def shape_kept(tensor: Tensor) -> Tensor | None:
    """A reshape or broadcast to the shape there is; a reshape of a reshape."""
    (x,) = tensor.inputs
    if tensor.type.is_static and x.shape == tensor.shape:
        return x
    return apply(tensor.op, x.inputs[0], **tensor.params) if x.op is tensor.op else None


@algebra.on("cast")
def cast_to_itself(tensor: Tensor) -> Tensor | None:
    return tensor.inputs[0] if tensor.inputs[0].dtype is tensor.dtype else None


@algebra.on("sum", "prod", "max", "min")
def nothing_reduced(tensor: Tensor) -> Tensor | None:
    return tensor.inputs[0] if tensor.params.get("axis") == () else None


@algebra.on("sum", "mean", reads=("negative",))
def negated_inside(tensor: Tensor) -> Tensor:
    """Σ(-x) → -Σx: there is less to negate."""
    return -apply(tensor.op, tensor.inputs[0].inputs[0], **tensor.params)


@algebra.rule(lambda x, y: -x / y)
def negated_numerator(x: Tensor, y: Tensor) -> Tensor:
    return x / Constant(np.asarray(-y.value), origin=y.origin) if isinstance(y, Constant) else -(x / y)


@algebra.on("negative", reads=("divide",))
def negated_quotient(tensor: Tensor) -> Tensor | None:
    """-(x/c) → x/(-c) for a constant c."""
    x, c = tensor.inputs[0].inputs
    return x / Constant(np.asarray(-c.value), origin=c.origin) if isinstance(c, Constant) and c.type.is_float else None


@algebra.on("sum", "mean", reads=("sum",))
def summed_twice(tensor: Tensor) -> Tensor | None:
    """A sum of a sum is one sum over both; a mean of it, that sum over the count."""
    (x,), axis = tensor.inputs, tensor.params["axis"]
    if tensor.params["keepdims"] or x.params["keepdims"] or not x.type.is_float:
        return None
    source = x.inputs[0]
    kept = [a for a in range(source.ndim) if a not in x.params["axis"]]
    both = tuple(sorted({*x.params["axis"], *(kept[a] for a in axis)}))
    total = apply(x.op, source, axis=both, keepdims=False)
    if tensor.op is x.op:
        return total
    counts = [x.shape[a] for a in axis]
    if x.dtype.itemsize < 4 or None in counts or 0 in counts:
        return None
    return total / float(math.prod(counts))


@algebra.on("add", reads=("unslice",))
def side_by_side(tensor: Tensor) -> Tensor | None:
    """A sum of parts of one array that lie side by side along an axis, and fill it, is those parts put together."""
    parts = []
    todo = [tensor]
    for x in todo:
        if x.op.name == "unslice" and x.shape == tensor.shape:
            parts.append(x)
        elif x.op.name == "add" and len(todo) < _PARTS:
            todo += x.inputs
        else:
            return None
    places = [_place(x) for x in parts]
    if None in places or len({axis for axis, _, _ in places}) > 1:  # type: ignore[misc]  # no None
        return None
    ordered = sorted(zip(places, parts, strict=True), key=lambda pair: pair[0])  # type: ignore[arg-type,return-value]
    ends = [0, *(stop for (_, _, stop), _ in ordered)]  # type: ignore[misc]
    axis = ordered[0][0][0]  # type: ignore[index]
    if [start for (_, start, _), _ in ordered] != ends[:-1] or ends[-1] != tensor.shape[axis]:  # type: ignore[misc]
        return None
    return concatenate([x.inputs[0] for _, x in ordered], axis)


def _place(part: Tensor) -> tuple[int, int, int] | None:
    """The axis along which it is a part of something larger, and from where to where; None for another kind of part."""
    found = None
    for axis, (item, size) in enumerate(zip(part.params["index"], part.shape, strict=False)):
        if not isinstance(item, tuple) or size is None:
            return None
        start, stop, step = slice(*item).indices(size)
        if step != 1:
            return None
        if (start, stop) != (0, size):
            if found is not None:
                return None
            found = axis, start, max(start, stop)
    return found


@algebra.on("identity", "stop_gradient", "gradient_clip", "gradient_scale", "gradient_reverse")
def barrier(tensor: Tensor) -> Tensor:
    """What only changes gradients has done its work."""
    return tensor.inputs[0]


@algebra.on("where", "hold", reads=("constant",))
def condition_known(tensor: Tensor) -> Tensor | None:
    condition, a, b = tensor.inputs
    if not tensor.type.is_static:
        return None  # the other branch may yet turn out to be wider
    return a if is_number(condition, 1) else b if is_number(condition, 0) else None


def stretch_late(roots: Sequence[Tensor]) -> list[Tensor]:
    """An elementwise op stretches its operands itself: a broadcast before one that has another of the full shape goes."""
    return mapped(roots, _stretching)


def _stretching(tensor: Tensor) -> Tensor:
    if tensor.op.kind is not Kind.ELEMENTWISE or len(tensor.inputs) < 2 or not tensor.type.is_static:
        return tensor
    inputs = list(tensor.inputs)
    for i, x in enumerate(tensor.inputs):
        stretched = x.op.name in ("broadcast_to", "broadcast_like")
        if stretched and any(other.shape == tensor.shape for k, other in enumerate(inputs) if k != i):
            inputs[i] = x.inputs[0]
    return tensor if inputs == [*tensor.inputs] else on(tensor, inputs)


_MASKED = {"mul_no_nan": 1, "times_cotangent": 0}  # from which factor on they must be finite for the mask to go


def drop_masks(roots: Sequence[Tensor]) -> list[Tensor]:
    """mul_no_nan(g, d) → g·d wherever d is proved finite: the divisor is a sum of eˣ, or has + ε; of two cotangents, both."""
    order = ancestors(roots)
    if not any(tensor.op.name in _MASKED for tensor in order):
        return list(roots)
    proved = bounds(order)
    sure = never_nan(order, proved)
    done: dict[Tensor, Tensor] = {}
    for tensor in order:
        inputs = tuple([done[source] for source in tensor.inputs])
        asked = tensor.inputs[_MASKED[tensor.op.name] :] if tensor.op.name in _MASKED and tensor.type.is_float else ()
        largest = float(np.finfo(tensor.dtype).max) / 4 if asked else 0.0
        if asked and all(x in sure and is_finite(proved[x], largest) for x in asked):
            done[tensor] = _plain_product(tensor, inputs)
        else:
            done[tensor] = tensor if inputs == tensor.inputs else on(tensor, inputs)
    return [done[root] for root in roots]


