"""Sums of products: the matrix product, and the contraction of two tensors over named axes that all others reduce to.

    dot         (2, 3, 4) · (6, 4, 5) → (2, 3, 6, 5)     the last axis with the last but one
    matmul      (7, 2, 3) · (3, 4)    → (7, 2, 4)        leading axes broadcast
    tensordot   any axes with any; outer with none
    einsum      axes by letters

Floats of 16 bits are multiplied and added as float32, integers as integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograph.arguments import items, several, shown
from autograph.errors import ArgumentError, AxisError, ShapeError
from autograph.graph.op import Kind, Op, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.elementwise import multiply
from autograph.ops.movement import expand_dims_at, reshape, squeeze_at, transpose
from autograph.tensor_type import Shape, Size, TensorType, broadcast_shapes, listed_axes, normalize_axis, shapes_agree

__all__ = ["LETTERS", "batch_dot", "contract", "dot", "inner", "matmul", "outer", "swap_last", "tensordot", "vecdot"]

# matrices ------------------------------------------------------------------------------------------------------------


def swap_last(x: Tensor) -> Tensor:
    """`x` with its last two axes exchanged."""
    axes = list(range(x.ndim))
    axes[-2:] = axes[-1], axes[-2]
    return transpose(x, axes)


def _matmul_type(a: TensorType, b: TensorType) -> TensorType:
    if not a.ndim or not b.ndim:
        raise ShapeError(f"a number has no axis to sum over: {a} · {b}", fix="use multiply")
    _check_inner(a, b, a.shape[-1], b.shape[-2:][0])
    return TensorType(a.dtype, (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *a.shape[-2:-1], *b.shape[-2:][1:]))


def _check_inner(a: TensorType, b: TensorType, inner: Size, other: Size) -> None:
    if inner is not None and other is not None and inner != other:
        raise ShapeError(
            f"inner sizes differ: {a} · {b}: {inner} ≠ {other}",
            fix="transpose one side, or check the width of the layer before",
        )


def _matmul_gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """g·bᵀ and aᵀ·g; where one matrix serves a batch, the product itself sums its gradient over the batch."""
    row, column = a.ndim == 1, b.ndim == 1
    if row or column:
        g = expand_dims_at(expand_dims_at(g, (g.ndim,) * column), (g.ndim + column - 1,) * row)
        to_a, to_b = _matmul_gradient(g, y, expand_dims_at(a, (0,) * row), expand_dims_at(b, (1,) * column))
        return squeeze_at(to_a, (to_a.ndim - 2,) * row), squeeze_at(to_b, (to_b.ndim - 1,) * column)
    if b.ndim == 2 and a.ndim > 2:
        batch = LETTERS[: a.ndim - 1]
        return matmul(g, swap_last(b)), contract(f"{batch}y,{batch}z->yz", a, g)
    return matmul(g, swap_last(b)), matmul(swap_last(a), g)


def _two_matrices(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """Vectors as matrices, and a batch times one matrix as one product, all rows below each other."""
    a, b = inputs
    if a.ndim > 1 and b.ndim > 1:
        return _below(a, b) if a.ndim > 2 == b.ndim else None
    row, column = a.ndim == 1, b.ndim == 1
    a, b = expand_dims_at(a, (0,) * row), expand_dims_at(b, (1,) * column)
    product = _below(a, b) if a.ndim > 2 == b.ndim else matmul(a, b)
    return squeeze_at(product, (product.ndim - 2,) * row + (product.ndim - 1,) * column)


def _below(a: Tensor, b: Tensor) -> Tensor:
    shape: tuple[Any, ...] = a.shape
    return reshape(matmul(reshape(a, (prod(shape[:-1]), shape[-1])), b), (*shape[:-1], b.shape[-1]))


_MATMUL = register(Op(
    "matmul",
    kind=Kind.CONTRACTION,
    infer=_matmul_type,
    eval=lambda xp, a, b: xp.matmul(a, b),
    vjp=_matmul_gradient,
    specialize=_two_matrices,
    doc="Σₖ aᵢₖ bₖⱼ over the last two axes; leading axes broadcast, and vectors count as a row or a column.",
))


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product over the last two axes, as `numpy.matmul`; leading axes broadcast.

    A vector on the left counts as a row, on the right as a column, and its axis is absent from the result. Raises
    ShapeError for a number, or where inner sizes differ.
    """
    return apply(_MATMUL, as_tensor(a), as_tensor(b))


# contraction of named axes -------------------------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _contract_type(a: TensorType, b: TensorType, subscripts: str) -> TensorType:
    left, right, out = _parts(subscripts)
    if len(left) != a.ndim or len(right) != b.ndim:
        raise ShapeError(f"{subscripts!r} names {len(left)} and {len(right)} axes: {a} · {b}")
    sizes: dict[str, Size] = {}
    for letter in dict.fromkeys(left + right):
        pair = [t.shape[labels.index(letter)] for t, labels in ((a, left), (b, right)) if letter in labels]
        if letter not in out:
            _check_inner(a, b, pair[0], pair[1])
        sizes[letter] = broadcast_shapes(*[(size,) for size in pair])[0]
    return TensorType(a.dtype, tuple([sizes[letter] for letter in out]))


def _parts(subscripts: str) -> tuple[str, str, str]:
    inputs, out = subscripts.split("->")
    left, right = inputs.split(",")
    return left, right, out


def _arranged(xp: Any, x: Any, labels: str, order: str) -> Any:
    return x if labels == order else xp.transpose(x, tuple([labels.index(c) for c in order]))


def _reshaped(xp: Any, x: Any, *groups: tuple[int, ...]) -> Any:
    shape = tuple(chain(*groups))
    return x if x.shape == shape else xp.reshape(x, shape)


def _contracted(xp: Any, a: Any, b: Any, subscripts: str) -> Any:
    """The contraction as one product of (batches of) matrices, or elementwise where nothing is summed."""
    left, right, out = _parts(subscripts)
    batch = "".join([c for c in out if c in left and c in right])
    rows, columns = "".join([c for c in out if c not in right]), "".join([c for c in out if c not in left])
    inner = "".join([c for c in left if c not in out])
    a, b = _arranged(xp, a, left, batch + rows + inner), _arranged(xp, b, right, batch + inner + columns)
    n, r, k = len(batch), len(rows), len(inner)
    height, width = a.shape[n : n + r], b.shape[n + k :]
    if k:
        tall = _reshaped(xp, a, a.shape[:n], (prod(height),), (prod(a.shape[n + r :]),))
        wide = _reshaped(xp, b, b.shape[:n], (prod(b.shape[n : n + k]),), (prod(width),))
        batches = tuple([q if p == 1 else p for p, q in zip(a.shape[:n], b.shape[:n])])
        product = _reshaped(xp, xp.matmul(tall, wide), batches, height, width)
    else:
        tall, wide = _reshaped(xp, a, a.shape, (1,) * len(columns)), _reshaped(xp, b, b.shape[:n], (1,) * r, width)
        product = xp.multiply(tall, wide)
    return _arranged(xp, product, batch + rows + columns, out)


_SYMBOLIC = SimpleNamespace(transpose=transpose, reshape=reshape, matmul=matmul, multiply=multiply)


def _contract_gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor, subscripts: str) -> tuple[Tensor, Tensor]:
    left, right, out = _parts(subscripts)
    return contract(f"{out},{right}->{left}", g, b), contract(f"{left},{out}->{right}", a, g)


_CONTRACT = register(Op(
    "contract",
    kind=Kind.CONTRACTION,
    infer=_contract_type,
    eval=_contracted,
    vjp=_contract_gradient,
    specialize=lambda inputs, params: _contracted(_SYMBOLIC, *inputs, **params),
    doc="Σ a·b over the letters that both have and the result lacks; letters that both and the result have broadcast.",
))


def contract(subscripts: str, a: Any, b: Any) -> Tensor:
    """Two tensors contracted, as in `contract("bik,bkj->bij", a, b)`: no letter twice in one of them.

    Every letter of an input is in the result or in the other input. Sizes summed over are equal; kept ones broadcast.
    `einsum` takes all other forms.
    """
    return apply(_CONTRACT, as_tensor(a), as_tensor(b), subscripts=subscripts)


# by NumPy's names ----------------------------------------------------------------------------------------------------


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of `a` and the last but one of `b` (its only one, if it is a vector).

    Shapes: [i…, k] · [j…, k, l] → [i…, j…, l], as `numpy.dot`: (2, 3, 4) · (6, 4, 5) → (2, 3, 6, 5). With a number
    it is the product. Raises ShapeError where the two sizes differ.
    """
    left, right = as_tensor(a), as_tensor(b)
    if not left.ndim or not right.ndim:
        return multiply(left, right)
    return tensordot(left, right, ([left.ndim - 1], [max(right.ndim - 2, 0)]))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes; those of `a` that are left come first, then those of `b`.

    axes  n: the last n of `a` with the first n of `b`; or (axes of a, axes of b), each one axis or several

    Raises ArgumentError unless the axes pair up, ShapeError where paired sizes differ, AxisError for an absent axis.
    """
    left, right = as_tensor(a), as_tensor(b)
    first, second = _pairs(axes, left.ndim, right.ndim)
    if (left.ndim, right.ndim, first, second) == (2, 2, [1], [0]):
        return matmul(left, right)
    letters = iter(LETTERS)
    one = [next(letters) for _ in range(left.ndim)]
    two = [one[first[second.index(axis)]] if axis in second else next(letters) for axis in range(right.ndim)]
    kept = [one[i] for i in range(left.ndim) if i not in first] + [two[i] for i in range(right.ndim) if i not in second]
    return contract(f"{''.join(one)},{''.join(two)}->{''.join(kept)}", left, right)


def _pairs(axes: Any, rank: int, other: int) -> tuple[list[int], list[int]]:
    """The axes of two tensors that are paired, counted from the front."""
    if isinstance(axes, int | np.integer) and not isinstance(axes, bool):
        if not 0 <= axes <= min(rank, other):
            raise ArgumentError(f"tensordot: axes={axes}, but the ranks are {rank} and {other}", fix="at most the lower rank")
        return list(range(rank - int(axes), rank)), list(range(int(axes)))
    pair = items(axes)
    if len(pair) != 2:
        raise ArgumentError(f"tensordot: axes={shown(axes)} is neither a number nor a pair", fix="axes=([1, 2], [0, 1])")
    first, second = listed_axes(pair[0], rank), listed_axes(pair[1], other)
    if len(first) != len(second):
        raise ArgumentError(f"tensordot: {len(first)} axes are paired with {len(second)}", fix="name as many of a as of b")
    if len(set(first)) < len(first) or len(set(second)) < len(second):
        raise AxisError(f"tensordot: axes={shown(axes)} names an axis twice", fix="name each once")
    return first, second


def batch_dot(a: Any, b: Any, axes: int | Sequence[int] | None = None) -> Tensor:
    """For each element of the batch (axis 0 of both) the sum of products over one axis of `a` and one of `b`.

    Shapes: (2, 3, 4, 5) · (2, 6, 4, 3), axes=(2, 2) → (2, 3, 5, 6, 3). Without `axes`: the last of `a`, and the last
    but one of `b` (of two the last). Raises ShapeError below rank 2 or where sizes differ, ArgumentError for axis 0.
    """
    left, right = as_tensor(a), as_tensor(b)
    if left.ndim < 2 or right.ndim < 2:
        raise ShapeError(f"batch_dot: needs a batch axis and one more: {left.type} · {right.type}", fix="use dot")
    if axes is None:
        axes = (left.ndim - 1, right.ndim - 1 if right.ndim == 2 else right.ndim - 2)
    pair = items(axes) if several(axes) else [axes, axes]
    if len(pair) != 2:
        raise ArgumentError(f"batch_dot: axes={shown(axes)} is neither an axis nor a pair of them", fix="axes=(2, 1)")
    i, j = normalize_axis(pair[0], left), normalize_axis(pair[1], right)
    if not i or not j:
        raise ArgumentError(f"batch_dot: axes={shown(axes)} sums over the batch, axis 0", fix="use tensordot")
    for k, m in ((0, 0), (i, j)):
        if not shapes_agree((left.shape[k],), (right.shape[m],)):
            raise ShapeError(
                f"batch_dot: a axis {k} ({left.shape[k]}) ≠ b axis {m} ({right.shape[m]})",
                why="batch axes are 0, and the axes summed over need equal sizes\n  "
                f"a is {left.describe()}\n  b is {right.describe()}",
                fix=_equal_axes(left.shape, right.shape),
            )
    one = LETTERS[: left.ndim]
    rest = iter(LETTERS[left.ndim :])
    two = "".join([one[0] if axis == 0 else one[i] if axis == j else next(rest) for axis in range(right.ndim)])
    return contract(f"{one},{two}->{one.replace(one[i], '')}{two[1:].replace(one[i], '')}", left, right)


def _equal_axes(a: Shape, b: Shape) -> str:
    """A hint: axes of equal sizes, which a batch_dot could sum over."""
    pairs = [(i, j) for i in range(1, len(a)) for j in range(1, len(b)) if a[i] is not None and a[i] == b[j]]
    return f"set axes={' or '.join(map(str, pairs[:2]))}?" if pairs else "transpose or reshape one side"


def vecdot(a: Any, b: Any, axis: int = -1) -> Tensor:
    """Σ a·b along `axis` of both; their other axes broadcast. Raises ShapeError where the sizes along it differ."""
    left, right = as_tensor(a), as_tensor(b)
    labels = [_labels(tensor, normalize_axis(axis, tensor)) for tensor in (left, right)]
    return contract(f"{labels[0]},{labels[1]}->{max(labels, key=len).replace('z', '')}", left, right)


def _labels(x: Tensor, axis: int) -> str:
    """Letters that are equal for axes that broadcast together, and z for `axis`."""
    rest = LETTERS[26 : 26 + x.ndim - 1][::-1]
    return f"{rest[:axis]}z{rest[axis:]}"


def inner(a: Any, b: Any) -> Tensor:
    """Σ over the last axes of both: [i…, k] · [j…, k] → [i…, j…]; with a number it is the product."""
    left, right = as_tensor(a), as_tensor(b)
    if not left.ndim or not right.ndim:
        return multiply(left, right)
    return tensordot(left, right, ([-1], [-1]))


def outer(a: Any, b: Any) -> Tensor:
    """Every element of `a` times every element of `b`, both taken as vectors: aᵢ bⱼ."""
    left, right = [x if x.ndim == 1 else reshape(x, (-1,)) for x in (as_tensor(a), as_tensor(b))]
    return contract("a,b->ab", left, right)
