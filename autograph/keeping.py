"""What the steps of a loop keep for its gradient: no more than what is dear, and cannot be had again from what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autograph.control import Body, stand_in
from autograph.errors import AutographError
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, descendants
from autograph.graph.op import Kind, floating
from autograph.graph.tensor import Placeholder, Tensor
from autograph.tensor_type import TensorType


def _cheap(tensor: Tensor) -> bool:
    """Whether to compute it again costs no more than to keep it: plain arithmetic, and what moves elements."""
    op = tensor.op
    return (op.kind is Kind.ELEMENTWISE and op.operands is not floating) or op.kind in (Kind.MOVEMENT, Kind.SHAPE, Kind.LEAF)


def kept_for(read: Iterable[Tensor], varying: set[Tensor]) -> list[Tensor]:
    """What the steps have to keep, that `read` can be had again: of those that vary from step to step the dear ones.

    A cheap one whose own inputs would have to be kept for it is kept itself. What has a size that data decides, another one
    in each step, is always computed again.
    """
    kept: dict[Tensor, None] = {}
    odd = _odd(varying)
    todo = list(dict.fromkeys(read))
    for tensor in sorted(todo, key=_cheap):  # the dear ones first
        if tensor in odd:
            todo += [x for x in tensor.inputs if x in varying]
        elif not _cheap(tensor) or _needs_dear(tensor, varying, kept):
            kept[tensor] = None
    return list(kept)


def _needs_dear(tensor: Tensor, varying: set[Tensor], kept: Mapping[Tensor, None]) -> bool:
    """Whether a cheap tensor is made of a dear one that is not kept, with none but cheap ones between."""
    todo = [tensor]
    for t in todo:
        if not _cheap(t):
            return True
        todo += [x for x in t.inputs if x in varying and x not in kept]
    return False


def _odd(varying: Iterable[Tensor]) -> set[Tensor]:
    """Those that have a size which data decide."""
    found: set[Tensor] = set()
    for tensor in sorted(varying, key=lambda t: t.number):
        if not tensor.type.is_static and (not found.isdisjoint(tensor.inputs) or _decided_by_data(tensor)):
            found.add(tensor)
    return found


def _decided_by_data(tensor: Tensor) -> bool:
    """Whether a size of its is unknown though those of its inputs were known."""
    body = tensor.params.get("body")
    if tensor.op.kind is Kind.LEAF or isinstance(body, Body):
        return isinstance(body, Body) and body.asks and tensor.params["result"] >= body.carried
    known = [TensorType(x.dtype, tuple([1 if n is None else n for n in x.shape])) for x in tensor.inputs]
    try:
        return not tensor.op.infer(*known, **tensor.params).is_static
    except AutographError:  # of sizes of 1 that do not fit: it would have them from its inputs
        return False


def steps_back(
    body: Body, cotangents: Iterable[int]
) -> tuple[dict[int, Placeholder], dict[Tensor, Tensor]]:
    """For results of one step their cotangents, and those of its inputs: of a state that has one, its result has one too."""
    floats = [p for p in body.inputs if p.type.is_float]
    seeds = {k: stand_in(body.outputs[k]) for k in sorted(cotangents)}
    while True:
        outputs = [body.outputs[k] for k in seeds]
        found = dict(zip(floats, gradients(outputs, floats, cotangents=list(seeds.values())), strict=True))
        more = [i for i, p in enumerate(body.inputs[: body.carried]) if i not in seeds and found.get(p) is not None]
        if not more:
            return seeds, {p: g for p, g in found.items() if g is not None}
        seeds |= {i: stand_in(body.outputs[i]) for i in more}


def read_of(terms: Sequence[Tensor], seeds: Iterable[Tensor], body: Body) -> tuple[list[Tensor], set[Tensor]]:
    """What `terms`, made from `seeds` and a step, read of that step alone; and all of the step that varies."""
    order = ancestors(terms)
    backward = descendants(seeds, order)
    varying = descendants(body.inputs[: body.carried + body.mapped], order) - backward
    read = [x for t in order if t in backward for x in t.inputs if x in varying]
    return [*read, *(t for t in terms if t in varying)], varying


def factors_of(term: Tensor, body: Body) -> tuple[Tensor, Tensor] | None:
    """Matrices a, which each step makes before, and b, if a cotangent is aᵀ·b: the sum over all steps is one product."""
    if term.op.name != "matmul" or term.inputs[0].op.name != "transpose" or any(x.ndim != 2 for x in term.inputs):
        return None
    a, b = term.inputs[0].inputs[0], term.inputs[1]
    order = ancestors(body.outputs)
    moving = descendants(body.inputs[: body.carried + body.mapped], order)
    return (a, b) if a in moving else None
