"""Derivatives beyond the gradient: Jacobians, Hessians, and their products with vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.arguments import listed, shown
from autograph.control import map_rows, stand_in
from autograph.errors import ArgumentError, ArgumentTypeError, ShapeError
from autograph.gradients import gradients
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.elementwise import multiply
from autograph.ops.filling import zeros_like
from autograph.ops.movement import reshape
from autograph.ops.reduction import reduce_sum
from autograph.ops.shape import size_of
from autograph.tensor_type import TensorType, element_count, shapes_agree

_BASIS = register(Op(
    "basis_like",
    kind=Kind.SHAPE,
    infer=lambda x: TensorType(x.dtype, (element_count(x.shape), *x.shape)),
    eval=lambda xp, x: xp.basis_like(x),
    operands=as_given,
    doc="Every array of the shape of x that is 1 in one place and 0 elsewhere, stacked in order.",
))


def basis_like(x: Any) -> Tensor:
    """Every array of the shape of `x` that is 1 in one place and 0 elsewhere: of shape (size of x, *x.shape)."""
    return apply(_BASIS, as_tensor(x))


def jacobian(y: Tensor, x: Tensor) -> Tensor | None:
    """∂y/∂x of shape (*y.shape, *x.shape), or None where y does not depend on x.

    One op that evaluates the vector-Jacobian product once for each element of y; sizes may be unknown.
    """
    for what in (y, x):
        if not isinstance(what, Tensor):
            raise ArgumentTypeError(f"jacobian: {shown(what)} is no tensor", fix="pass one tensor for y and one for x")
    row = stand_in(y)
    product = gradients([y], x, cotangents=[row])
    if product is None:
        return None
    rows = map_rows(product, row, basis_like(y))
    if y.ndim == 0:
        return rows[0]
    return rows if y.ndim == 1 else reshape(rows, (*_sizes(y), *_sizes(x)))


def _sizes(x: Tensor) -> list[Any]:
    """The sizes of a tensor: numbers where known, tensors where not."""
    return [size_of(x, axis) if size is None else size for axis, size in enumerate(x.shape)]


def hessian(loss: Tensor, x: Tensor) -> Tensor | None:
    """∂²loss/∂x² of shape (*x.shape, *x.shape), or None where the gradient does not depend on x."""
    first = gradients(loss, x)
    return None if first is None else jacobian(first, x)


def hessian_vector_product(loss: Tensor, variables: Any, vectors: Any) -> Any:
    """H·v for the Hessian of `loss` over `variables`: the gradient of ⟨∂loss, v⟩. None where it does not depend."""
    sources, directions, single = _paired(variables, vectors)
    firsts = gradients(loss, sources)
    pairs = [(g, v) for g, v in zip(firsts, directions, strict=True) if g is not None]
    if not pairs:
        return None if single else [None] * len(sources)
    found = gradients(_inner(pairs), sources)
    return found[0] if single else found


def jacobian_vector_product(y: Tensor, variables: Any, vectors: Any) -> Tensor | None:
    """J·v, of the shape of y: the derivative of y along `vectors`. None where y depends on none of `variables`.

    By two reverse passes (Townsend 2017): the vector-Jacobian product is linear in its cotangent, and the gradient of
    ⟨Jᵀu, v⟩ over u is J·v.
    """
    sources, directions, _ = _paired(variables, vectors)
    u = zeros_like(y)
    products = gradients([y], sources, cotangents=[u])
    pairs = [(p, v) for p, v in zip(products, directions, strict=True) if p is not None]
    if not pairs:
        return None
    found = gradients(_inner(pairs), u)
    return zeros_like(y) if found is None else found


def _paired(variables: Any, vectors: Any) -> tuple[list[Tensor], list[Tensor], bool]:
    single = isinstance(variables, Tensor)
    fix = "pass a variable and a vector, or a list of each"
    sources: list[Any] = [variables] if single else listed(variables, "variables", fix)
    directions = [as_tensor(v) for v in ([vectors] if single else listed(vectors, "vectors", fix))]
    if len(sources) != len(directions):
        raise ArgumentError(f"{len(sources)} variables and {len(directions)} vectors: one each is needed", fix=fix)
    for i, (x, v) in enumerate(zip(sources, directions, strict=True)):
        if not isinstance(x, Tensor):
            raise ArgumentTypeError(f"variables[{i}] is {shown(x)}, not a tensor", fix="pass the variable itself")
        if not shapes_agree(x.shape, v.shape):
            raise ShapeError(f"the vector of {x.name!r} is {v.type}, the variable {x.type}", fix="they must be of one shape")
    return list(sources), directions, single


def _inner(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    total = reduce_sum(multiply(*pairs[0]))
    for a, b in pairs[1:]:
        total = total + reduce_sum(multiply(a, b))
    return total
