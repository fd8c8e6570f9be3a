"""`cond`: one of two graphs, as a condition says; the other is not computed, nor does it touch a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograph.control import Body, stand_in, truth_type
from autograph.errors import ArgumentError
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, substitute
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Placeholder, Tensor, apply, as_tensor
from autograph.ops.filling import zeros_like
from autograph.scan import kept_type, typed
from autograph.structure import flatten
from autograph.tensor_type import TensorType


def _cond_type(condition: TensorType, *read: TensorType, then: Body, otherwise: Body, result: int) -> TensorType:
    truth_type(condition)
    return kept_type(then.outputs[result].type, otherwise.outputs[result].type, "one branch makes {1}, the other {0}")


def _cond(xp: Any, *arrays: Any, then: Body, otherwise: Body, result: int | None = None) -> Any:
    found = (then if arrays[0] else otherwise)(xp, arrays)
    return found if result is None else found[result]


def _cond_vjp(
    gs: Mapping[int, Tensor], y: Tensor, *inputs: Tensor, then: Body, otherwise: Body, result: int
) -> tuple[Tensor | None, ...]:
    """The cotangents of what the branch reads that is taken; the other branch adds 0, whatever it would have made."""
    back = [_back(body, gs) for body in (then, otherwise)]
    reached = [k for k in range(len(inputs)) if any(terms[k] is not None for _, _, terms in back)]
    bodies = []
    for body, seeds, terms in back:
        full = [zeros_like(body.inputs[k]) if (term := terms[k]) is None else term for k in reached]
        bodies.append(Body((body.inputs[0], *seeds, *body.inputs[1:]), tuple(full)))
    given = [inputs[0], *(gs[k] for k in sorted(gs)), *inputs[1:]]
    flows: list[Tensor | None] = [None] * len(inputs)
    for place, k in enumerate(reached):
        flows[k] = apply(_COND, *given, then=bodies[0], otherwise=bodies[1], result=place)
    return tuple(flows)


def _back(body: Body, gs: Mapping[int, Tensor]) -> tuple[Body, list[Placeholder], list[Tensor | None]]:
    """A branch, placeholders for the cotangents of its results, and the cotangents of its inputs."""
    outputs = [body.outputs[k] for k in sorted(gs)]
    seeds = [stand_in(x) for x in outputs]
    floats = [p for p in body.inputs if p.type.is_float]
    found = dict(zip(floats, gradients(outputs, floats, cotangents=seeds), strict=True))
    return body, seeds, [found.get(p) for p in body.inputs]


_COND = register(Op(
    "cond",
    kind=Kind.CONTROL,
    infer=_cond_type,
    eval=_cond,
    vjp=_cond_vjp,
    operands=as_given,
    several=True,
    doc="The results of one graph if the condition holds, else those of another.",
))


def cond(condition: Any, then: Any, otherwise: Any) -> Any:
    """What `then` gives if the condition holds, else what `otherwise` gives; only that branch is computed.

    condition   one truth value
    branches    functions without arguments, called once each to write their graphs down, that give a tensor or nested lists,
                tuples and dicts of tensors, of the same dtypes and shapes. What they make when called belongs to the branch;
                what they only read was made before, and is computed in any case. A branch may be such a tensor itself

    Gradients of every order flow through the branch that is taken; NaN and infinities in the other one never reach them.
    Raises DTypeError or ShapeError unless the condition is one boolean and the branches agree, ArgumentError for branches
    of different structure.
    """
    asked = as_tensor(condition)
    mark = Placeholder(asked.type).number
    made = [flatten(branch() if _is_function(branch) else branch) for branch in (then, otherwise)]
    (first, build), (second, _) = made
    if len(first) != len(second):
        raise ArgumentError(f"cond: one branch gives {len(first)} tensors, the other {len(second)}", fix="return as many")
    return build(iter(chosen(asked, first, second, mark)))


def _is_function(branch: Any) -> bool:
    return callable(branch) and not isinstance(branch, Tensor | type)


def _beside(value: Any, other: Any) -> Tensor:
    """A value as a tensor; a literal in the dtype of the other one, if that is none."""
    return typed([value], [other] if isinstance(other, Tensor) and not other.type.weak else [])[0]


def chosen(condition: Tensor, then: Sequence[Any], otherwise: Sequence[Any], mark: int) -> list[Tensor]:
    """`cond` of tensors, where what was made after the tensor of the number `mark` belongs to a branch."""
    branches = [[_beside(x, y) for x, y in zip(*pair, strict=True)] for pair in ((then, otherwise), (otherwise, then))]
    order = ancestors([x for some in branches for x in some])
    inside = {x for x in order if x.number > mark and x.op.kind is not Kind.LEAF}
    read = [x for tensor in order if tensor in inside for x in tensor.inputs]
    read += [x for some in branches for x in some]
    captured = [x for x in dict.fromkeys(read) if x not in inside and not isinstance(x, Constant)]
    own = [Placeholder(TensorType(x.dtype, x.shape), x.given_name) for x in (condition, *captured)]
    known = dict(zip(captured, own[1:], strict=True))
    first, second = (Body(tuple(own), tuple(substitute(some, known))) for some in branches)
    return [
        apply(_COND, condition, *captured, then=first, otherwise=second, result=k) for k in range(len(first.outputs))
    ]
