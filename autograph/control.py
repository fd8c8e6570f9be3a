"""Ops that hold a graph: it is evaluated once for each row of an array, or again and again on its own result.

What such a graph does not compute from its own input is computed once, outside, and handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autograph.arguments import whole
from autograph.errors import DTypeError, NoGradientRuleError, ShapeError
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, descendants, evaluate, mapped, substitute
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, apply, as_tensor, node
from autograph.ops.reduction import reduce_sum
from autograph.tensor_type import TensorType, shapes_agree


class Body(NamedTuple):
    """A graph with its inputs: the first `carried` get what it made before, the next `mapped` a row, the rest one tensor.

    asks   whether the last of what is carried says if there is another turn
    """

    inputs: tuple[Placeholder, ...]
    outputs: tuple[Tensor, ...]
    mapped: int = 0
    carried: int = 0
    asks: bool = False

    def __call__(self, xp: Any, arrays: Sequence[Any]) -> list[Any]:
        """The values of the outputs, op by op. An executor puts a graph that it has prepared in the place of this one."""
        return evaluate(self.outputs, dict(zip(self.inputs, arrays, strict=True)), xp)

    def passing(self, xp: Any, arrays: Sequence[Any]) -> list[Any]:
        """The values, in arrays that the next turn may write again."""
        return self(xp, arrays)

    def types(self, given: Sequence[TensorType]) -> list[TensorType]:
        """The types of its inputs in an op whose inputs have the types `given`."""
        rows = range(self.carried, self.carried + self.mapped)
        return [TensorType(t.dtype, t.shape[1:] if i in rows else t.shape) for i, t in enumerate(given)]

    def none(self, arrays: Sequence[Any]) -> list[Any]:
        """Its outputs stacked, where the op has these inputs and no turn: a size that only data decides is 0."""
        given = [TensorType(p.dtype, np.shape(a)) for p, a in zip(self.inputs, arrays, strict=True)]
        known = dict(zip(self.inputs, map(Placeholder, self.types(given)), strict=True))
        found = substitute(self.outputs, known)
        return [np.zeros((0, *[size or 0 for size in x.shape]), x.dtype) for x in found]


def with_bodies(roots: Sequence[Tensor], change: Callable[[Body], Body]) -> list[Tensor]:
    """`roots`, each graph that an op of theirs holds replaced by what `change` makes of it."""
    return mapped(roots, lambda tensor: with_params(tensor, changed(tensor, change)))


def with_params(tensor: Tensor, params: dict[str, Any]) -> Tensor:
    """`tensor` with params that equal its own; itself where they are its own."""
    return tensor if params is tensor.params else node(tensor, tensor.inputs, params, tensor.type)


def changed(tensor: Tensor, change: Callable[[Body], Body]) -> dict[str, Any]:
    """The params of a tensor, each graph among them replaced by what `change` makes of it."""
    if tensor.op.kind is not Kind.CONTROL or not any(isinstance(value, Body) for value in tensor.params.values()):
        return tensor.params
    return {key: change(value) if isinstance(value, Body) else value for key, value in tensor.params.items()}


def stand_in(x: Tensor) -> Placeholder:
    """A placeholder for the value of x in another graph, or for its cotangent."""
    return Placeholder(TensorType(x.dtype, x.shape))


def truth_type(flag: TensorType) -> None:
    """Raise ShapeError or DTypeError unless it is one truth value."""
    if flag.dtype.kind != "b" or flag.shape:
        error = ShapeError if flag.shape else DTypeError
        raise error(f"the condition is {flag}, not one truth value", fix="compare numbers of rank 0, as in y[0] > 0")


def enclosed(
    outputs: Sequence[Tensor], own: Sequence[Placeholder], mapped: int = 0, carried: int = 0
) -> tuple[list[Tensor], Body]:
    """The graph from `own` to `outputs`, and the tensors that it reads beside its own inputs."""
    order = ancestors(outputs)
    inside = descendants(own, order)
    read = [x for tensor in order if tensor in inside for x in tensor.inputs]
    captured = [x for x in dict.fromkeys([*read, *outputs]) if x not in inside and not isinstance(x, Constant)]
    stand_ins = [Placeholder(x.type, x.given_name) for x in captured]
    found = substitute(outputs, dict(zip(captured, stand_ins, strict=True)))
    return captured, Body((*own, *stand_ins), tuple(found), mapped, carried)


class Drawn(NamedTuple):
    """The registers of random numbers that a step draws from: each turn draws anew, so they are states of the loop.

    starts   what each holds before the first turn
    own      placeholders for what it holds before a turn
    ends     what it holds behind that turn
    made     what the step makes, which draws from those placeholders
    """

    registers: list[Variable]
    starts: list[Tensor]
    own: list[Placeholder]
    ends: list[Tensor]
    made: list[Tensor]

    def settle(self, last: Sequence[Tensor]) -> None:
        """Let each register go on from what it holds behind the last turn."""
        for register_, end in zip(self.registers, last, strict=True):
            register_.default_update = end


def drawn(made: Sequence[Tensor], mark: int) -> Drawn:
    """What a step draws, of which all tensors behind the number `mark` were made."""
    registers, starts, ends = [], [], []
    for x in ancestors(made):
        if isinstance(x, Variable) and x.default_update is not None and x.default_update.number > mark:
            start = x.default_update
            while start.number > mark and start is not x:
                start = start.inputs[start.params.get("result", 0)]  # the register as it was before that was drawn
            registers.append(x)
            starts.append(start)
            ends.append(x.default_update)
    own = [Placeholder(x.type) for x in starts]
    found = substitute([*ends, *made], dict(zip(starts, own, strict=True)))
    return Drawn(registers, starts, own, found[: len(own)], found[len(own) :])


# once for each row ----------------------------------------------------------------------------------------------------


def _rows_type(*types: TensorType, body: Body) -> TensorType:
    for t, row in zip(types, body.inputs[: body.mapped], strict=False):
        if t.ndim != row.ndim + 1 or not shapes_agree(t.shape[1:], row.shape):
            raise ShapeError(f"rows of {t} are not of the type of their placeholder, {row.type}")
    lengths = {t.shape[0] for t in types[: body.mapped] if t.shape[0] is not None}
    if len(lengths) > 1:
        raise ShapeError(f"rows of {sorted(lengths)} arrays do not pair", fix="map arrays of one length")
    (output,) = body.outputs
    return TensorType(output.dtype, (next(iter(lengths), None), *output.shape))


def _map_rows(xp: Any, *arrays: Any, body: Body) -> Any:
    rows, fixed = arrays[: body.mapped], arrays[body.mapped :]
    count = len(rows[0])
    results = [body(xp, (*[r[i] for r in rows], *fixed))[0] for i in range(count)]
    return np.stack([np.asarray(r) for r in results]) if results else body.none(arrays)[0]


def _map_rows_vjp(g: Tensor, y: Tensor, *inputs: Tensor, body: Body) -> tuple[Tensor | None, ...]:
    (output,) = body.outputs
    seed = stand_in(output)
    floats = [p for p in body.inputs if p.type.is_float]
    found = dict(zip(floats, gradients([output], floats, cotangents=[seed]), strict=True))
    mapped, fixed = body.mapped, len(body.inputs) - body.mapped
    terms: list[Tensor | None] = []
    for position, p in enumerate(body.inputs):
        term = found.get(p)
        if term is None:
            terms.append(None)
            continue
        inner = Body((*body.inputs[:mapped], seed, *body.inputs[mapped:]), (term,), mapped + 1)
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
    captured, body = enclosed([output], [row], 1)
    return apply(_MAP_ROWS, rows, *captured, body=body)


# again and again ------------------------------------------------------------------------------------------------------


def _iterate_type(start: TensorType, going: TensorType, *read: TensorType, body: Body, most: int) -> TensorType:
    new, again = (output.type for output in body.outputs)
    if new.dtype is not start.dtype:
        raise DTypeError(f"a step makes {new} of {start}", fix="cast what the step returns")
    if not shapes_agree(new.shape, start.shape):
        raise ShapeError(f"a step makes {new} of {start}", why="its result is the next step's input")
    for flag in (going, again):
        truth_type(flag)
    return TensorType(start.dtype, start.shape)


def _iterate(xp: Any, state: Any, going: Any, *read: Any, body: Body, most: int) -> Any:
    for _ in range(most):
        if not going:
            break
        state, going = body(xp, (state, going, *read))
    return state


def _no_rule(g: Tensor, y: Tensor, *inputs: Tensor, body: Body, most: int) -> NoReturn:
    raise NoGradientRuleError(
        f"no gradient rule for {y.op.name!r} ({y.name!r})",
        why="how many steps it takes depends on data",
        fix="stop_gradient of what it starts from and reads, if its result is meant as a constant",
        where=str(y.origin),
    )


_ITERATE = register(Op(
    "iterate",
    kind=Kind.CONTROL,
    infer=_iterate_type,
    eval=_iterate,
    vjp=_no_rule,
    operands=as_given,
    doc="A graph evaluated on its own result for as long as a condition holds.",
))


def iterate(step: Callable[[Tensor], Any], start: Any, condition: Callable[[Tensor], Any], most: int) -> Tensor:
    """y ← step(y), from y = start on, for as long as condition(y) holds and at most `most` times; the last y.

    step        a function of tensors, called once to write its graph down; it gives a tensor of the type of `start`
    condition   a function of tensors that gives one truth value; where it fails at `start`, no step is computed

    What does not depend on y is computed once, before. No gradient goes through: NoGradientRuleError. Raises
    ArgumentError unless `most` is a whole number of at least 0, DTypeError or ShapeError for results of other types.
    """
    count = whole(most, "iterate: most", 0, "a whole number of at least 0 is expected")
    first = as_tensor(start)
    going = as_tensor(condition(first))
    own = [stand_in(x) for x in (first, going)]
    new = as_tensor(step(own[0]))
    captured, body = enclosed([new, as_tensor(condition(new))], own, 0, len(own))
    return apply(_ITERATE, first, going, *captured, body=body._replace(asks=True), most=count)
