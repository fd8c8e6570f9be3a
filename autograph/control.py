"""Ops that hold a graph. The first of them evaluates it once for each row of an array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from autograph.errors import ShapeError
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, descendants, evaluate, substitute
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Placeholder, Tensor, apply
from autograph.ops.reduction import reduce_sum
from autograph.tensor_type import TensorType, shapes_agree


class Body(NamedTuple):
    """A graph with its inputs: the first `mapped` get a row each time, the others the same tensor."""

    inputs: tuple[Placeholder, ...]
    output: Tensor
    mapped: int


def _rows_type(*types: TensorType, body: Body) -> TensorType:
    for t, row in zip(types, body.inputs[: body.mapped], strict=False):
        if t.ndim != row.ndim + 1 or not shapes_agree(t.shape[1:], row.shape):
            raise ShapeError(f"rows of {t} are not of the type of their placeholder, {row.type}")
    lengths = {t.shape[0] for t in types[: body.mapped] if t.shape[0] is not None}
    if len(lengths) > 1:
        raise ShapeError(f"rows of {sorted(lengths)} arrays do not pair", fix="map arrays of one length")
    return TensorType(body.output.dtype, (next(iter(lengths), None), *body.output.shape))


def _map_rows(xp: Any, *arrays: Any, body: Body) -> Any:
    rows, fixed = arrays[: body.mapped], arrays[body.mapped :]
    count = len(rows[0])
    results = [
        evaluate([body.output], dict(zip(body.inputs, (*[r[i] for r in rows], *fixed), strict=True)), xp)[0]
        for i in range(count)
    ]
    if results:
        return np.stack([np.asarray(r) for r in results])
    shapes = [np.shape(a)[i < body.mapped :] for i, a in enumerate(arrays)]
    known = [Placeholder(TensorType(p.dtype, shape)) for p, shape in zip(body.inputs, shapes, strict=True)]
    (row,) = substitute([body.output], dict(zip(body.inputs, known, strict=True)))
    return np.zeros((0, *[size or 0 for size in row.shape]), row.dtype)


def _map_rows_vjp(g: Tensor, y: Tensor, *inputs: Tensor, body: Body) -> tuple[Tensor | None, ...]:
    seed = Placeholder(TensorType(body.output.dtype, body.output.shape))
    floats = [p for p in body.inputs if p.type.is_float]
    found = dict(zip(floats, gradients([body.output], floats, cotangents=[seed]), strict=True))
    mapped, fixed = body.mapped, len(body.inputs) - body.mapped
    terms: list[Tensor | None] = []
    for position, p in enumerate(body.inputs):
        term = found.get(p)
        if term is None:
            terms.append(None)
            continue
        inner = Body((*body.inputs[:mapped], seed, *body.inputs[mapped:]), term, mapped + 1)
        rows = apply(_MAP_ROWS, *inputs[:mapped], g, *inputs[mapped:], body=inner)
        terms.append(rows if position < mapped else reduce_sum(rows, 0))
    assert len(terms) == mapped + fixed
    return tuple(terms)


_MAP_ROWS = register(Op(
    "map_rows",
    kind=Kind.CONTROL,
    infer=_rows_type,
    eval=_map_rows,
    vjp=_map_rows_vjp,
    operands=as_given,
    doc="A graph evaluated for each row of its mapped inputs; the results are stacked.",
))


def map_rows(output: Tensor, row: Placeholder, rows: Tensor) -> Tensor:
    """`output` as it would be with `row` replaced by each entry of `rows` along its first axis, stacked.

    What does not depend on `row` is computed once. Gradients of every order flow to `rows` and to all that is read.
    """
    order = ancestors([output])
    inside = descendants([row], order)
    captured = list(dict.fromkeys(
        x for tensor in order if tensor in inside for x in tensor.inputs
        if x not in inside and not isinstance(x, Constant)
    ))  # fmt: skip
    if output not in inside and not isinstance(output, Constant):
        captured = [output]
    stand_ins = [Placeholder(x.type, x.given_name) for x in captured]
    body_output = substitute([output], dict(zip(captured, stand_ins, strict=True)))[0]
    return apply(_MAP_ROWS, rows, *captured, body=Body((row, *stand_ins), body_output, 1))


