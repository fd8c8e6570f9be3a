"""`scan`: a graph along the first axis of its sequences, which hands states from each step to the next.

Its gradient is a scan the other way. What that reads of the steps, the scan keeps: the results of functions, reductions and
products; what follows from them by plain arithmetic is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isqrt
from typing import Any

import numpy as np

from autograph.arguments import a_function, truth, whole
from autograph.control import Body, drawn, enclosed, stand_in
from autograph.errors import ArgumentError, DTypeError, ShapeError
from autograph.graph.graph import ancestors, substitute
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Placeholder, Tensor, apply, as_tensor, cast_literal, constant
from autograph.keeping import factors_of, kept_for, read_of, steps_back
from autograph.ops.barriers import stop_gradient
from autograph.ops.contraction import matmul
from autograph.ops.elementwise import cast, sqrt
from autograph.ops.filling import zeros_like
from autograph.ops.joining import concatenate
from autograph.ops.movement import merge_axes, reshape, transpose
from autograph.ops.ranges import arange
from autograph.ops.rounding import ceil
from autograph.ops.selection import maximum
from autograph.ops.shape import size_of
from autograph.structure import Build, flatten
from autograph.tensor_type import TensorType, shapes_agree


def kept_type(start: TensorType, new: TensorType, told: str = "a step makes {1} of the state {0}") -> TensorType:
    """The type of what is `start` at first and then `new`. Raises DTypeError or ShapeError unless the two agree."""
    if new.dtype is not start.dtype:
        raise DTypeError(told.format(start, new), fix="cast one to the dtype of the other")
    if not shapes_agree(new.shape, start.shape):
        raise ShapeError(told.format(start, new), fix="broadcast_like one of them")
    return TensorType(start.dtype, tuple([n if m is None else m for m, n in zip(start.shape, new.shape, strict=True)]))


def _scan_type(*types: TensorType, body: Body, reverse: bool, recompute: bool, result: int) -> TensorType:
    rows = slice(body.carried, body.carried + body.mapped)
    for t, row in zip(types[rows], body.inputs[rows], strict=True):
        if t.ndim != row.ndim + 1 or not shapes_agree(t.shape[1:], row.shape):
            raise ShapeError(f"entries of {t} are not of the type of their placeholder, {row.type}")
    lengths = {t.shape[0] for t in types[rows] if t.shape[0] is not None}
    if len(lengths) > 1:
        raise ShapeError(f"sequences of {sorted(lengths)} entries do not pair", fix="scan along sequences of one length")
    states = [kept_type(t, x.type) for t, x in zip(types[: body.carried], body.outputs, strict=False)]
    if result < body.carried:
        return states[result]
    output = body.outputs[result]
    return TensorType(output.dtype, (next(iter(lengths), None), *output.shape))


def _scan(xp: Any, *arrays: Any, body: Body, reverse: bool, recompute: bool, result: int | None = None) -> Any:
    carried, last = body.carried, body.carried + body.mapped
    states, rows, fixed = list(arrays[:carried]), arrays[carried:last], arrays[last:]
    length = len(rows[0])
    stacks: list[Any] = []
    for t in reversed(range(length)) if reverse else range(length):
        found = body.passing(xp, (*states, *[row[t] for row in rows], *fixed))
        states = list(map(np.array, found[:carried]))
        stacks = stacks or [_stack_of(x, length, arrays) for x in found[carried:]]
        for stack, x in zip(stacks, found[carried:], strict=True):
            stack[t] = x
    results = [*states, *(stacks if length else body.none(arrays)[carried:])]
    return results if result is None else results[result]


def _stack_of(x: Any, length: int, arrays: Sequence[Any]) -> Any:
    """Room for so many like x; for complex ones where the loop is given such, as to tell its derivative."""
    complex_ = x.dtype.kind == "f" and any(a.dtype.kind == "c" for a in arrays)
    return np.empty((length, *x.shape), np.complex128 if complex_ else x.dtype)


# the gradient --------------------------------------------------------------------------------------------------------


def _scan_vjp(
    gs: Mapping[int, Tensor], y: Tensor, *inputs: Tensor, body: Body, reverse: bool, recompute: bool, result: int
) -> tuple[Tensor | None, ...]:
    def again(keeping: Body, count: int) -> Tensor:
        return apply(_SCAN, *inputs, body=keeping, reverse=reverse, recompute=recompute, result=count)

    return flows_back(again, gs, inputs, body, not reverse, recompute)


def flows_back(
    again: Callable[[Body, int], Tensor], gs: Mapping[int, Tensor], inputs: Sequence[Tensor], body: Body, reverse: bool,
    recompute: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The cotangents of a loop's inputs from those of its results, by a scan over what its steps keep.

    again      a result of the same loop with another graph, which makes more
    reverse    whether the scan goes from the last step to the first
    recompute  whether steps keep their states alone, and all else is computed again
    """
    carried, last = body.carried, body.carried + body.mapped
    starts, rows, fixed = inputs[:carried], inputs[carried:last], inputs[last:]
    states, entries, constants = body.inputs[:carried], body.inputs[carried:last], body.inputs[last:]
    seeds, found = steps_back(body, gs)
    back = [i for i in seeds if i < carried]
    products = [] if recompute else [(i, factors_of(found[p], body)) for i, p in enumerate(constants) if p in found]
    factors = {i: pair for i, pair in products if pair is not None}
    summed = [i for i, p in enumerate(constants) if p in found and i not in factors]
    mapped = [i for i, p in enumerate(entries) if p in found]
    sums = [stand_in(constants[i]) for i in summed]
    terms = [found[states[i]] if states[i] in found else zeros_like(seeds[i]) for i in back]
    terms += [total + found[constants[i]] for total, i in zip(sums, summed, strict=True)]
    terms += [found[entries[i]] for i in mapped] + [b for _, b in factors.values()]

    read, varying = read_of(terms, [*seeds.values(), *sums], body)
    left = [a for a, _ in factors.values() if a not in entries]
    kept = [] if recompute else list(dict.fromkeys([*left, *kept_for([*left, *read], varying)]))
    order = ancestors(terms, stop=kept)
    kept += [p for p in states if p in order and p not in kept]
    if not rows and not kept:
        kept = list(states[-1:])  # to count the turns
    keeping = body._replace(outputs=(*body.outputs, *kept))
    count = len(body.outputs)
    memory = [again(keeping, count + k) for k in range(len(kept))]

    outputs = [k for k in seeds if k >= carried]
    found_again = [stand_in(x) for x in kept]
    known = dict(zip([*kept, *constants], [*found_again, *fixed], strict=True))
    own = [*(seeds[i] for i in back), *sums, *(seeds[k] for k in outputs), *entries, *found_again]
    begin = [gs[i] if i in gs else zeros_like(starts[i]) for i in back] + [zeros_like(fixed[i]) for i in summed]
    sequences = [*(gs[k] for k in outputs), *rows, *memory]
    captured, inner = enclosed(substitute(terms, known), own, len(sequences), len(begin))
    flow = [
        apply(_SCAN, *begin, *sequences, *captured, body=inner, reverse=reverse, recompute=recompute, result=k)
        for k in range(len(terms))
    ]
    flows: list[Tensor | None] = [None] * len(inputs)
    for place, term in zip([*back, *(last + i for i in summed), *(carried + i for i in mapped)], flow, strict=False):
        flows[place] = term
    stacks = dict(zip([*entries, *kept], [*rows, *memory], strict=True))
    for (i, (a, _)), b in zip(factors.items(), flow[len(terms) - len(factors) :], strict=True):
        flows[last + i] = matmul(transpose(_lines(stacks[a])), _lines(b))
    return tuple(flows)


def _lines(x: Tensor) -> Tensor:
    """The rows of all matrices below each other."""
    return merge_axes(x, (2, 1))


_SCAN = register(Op(
    "scan",
    kind=Kind.CONTROL,
    infer=_scan_type,
    eval=_scan,
    vjp=_scan_vjp,
    operands=as_given,
    several=True,
    doc="A graph along the first axis of sequences, on the states that it made the step before; the last states, and the "
    "other outputs of all steps, stacked.",
))


# the function --------------------------------------------------------------------------------------------------------


def scan(
    step: Callable[[Any, Any], Any],
    start: Any,
    sequences: Any = None,
    *,
    length: int | None = None,
    reverse: bool = False,
    truncate: int | None = None,
    checkpoint: bool | int = False,
) -> Any:
    """state, output = step(state, entry) along the first axis of `sequences`; the last state, and all outputs stacked.

    step        a function of tensors, called to write its graph down. It gives (new state, output)
    start       the first state: a tensor, or nested lists, tuples and dicts of tensors, as the step makes it anew
    sequences   a tensor of shape (length, …), or nested ones of one length, which need not be known. An entry has the same
                structure, without that axis. None: the entry is None, and `length` says how many steps there are
    reverse     from the last entry to the first; outputs lie where their entries do
    truncate    gradients go through this many of the last steps alone; what was before them, the start too, is a constant to them
    checkpoint  for gradients keep the states at the begin of segments of so many steps alone, and compute the rest again, a
                segment at a time; True: of about √length steps. Memory for 10,000 steps is then that of 200

    Outputs may be nested, or None. What depends on neither state nor entry is computed once, before. Gradients of every
    order flow to the start, the sequences and all that is read. Raises ShapeError or DTypeError for a state that changes
    its type or sequences that do not pair, ArgumentError for a length or `truncate` that is no whole number.
    """
    a_function(step, "scan: the step")
    begin, as_state = flatten(start)
    if sequences is None:
        if length is None:
            raise ArgumentError("scan: there are no sequences, and no length", fix="say how many steps there are: length=10")
        read: list[Tensor] = [arange(whole(length, "scan: length", 0))]
        as_entry: Build = _nothing
    else:
        given, as_entry = flatten(sequences)
        read = [_sequence(x) for x in given]
        if length is not None:
            known = {n for x in read for n in x.shape[:1] if n is not None}
            if known - {whole(length, "scan: length", 0)}:
                raise ShapeError(f"scan: sequences of {sorted(known)} entries, and a length of {length}", fix="leave it out")
    if not read:
        raise ArgumentError("scan: sequences hold no tensor", fix="pass None, and a length")
    told: list[Any] = []

    def flat(*tensors: Tensor) -> list[Tensor]:
        state, entry = as_state(iter(tensors[: len(begin)])), as_entry(iter(tensors[len(begin) :]))
        made = step(state, entry)
        if not isinstance(made, tuple | list) or len(made) != 2:
            raise ArgumentError("scan: a step gives (new state, output)", fix="return the state, and None, if that is all")
        new, _ = flatten(made[0])
        outputs, as_output = flatten(made[1])
        if len(new) != len(begin):
            raise ArgumentError(f"scan: a step makes {len(new)} states of {len(begin)}", fix="return one for each it is given")
        told[:] = [[x is not None for x in outputs], as_output]
        return [*new, *(x for x in outputs if x is not None)]

    first = typed(begin)
    segment = checkpoint if isinstance(checkpoint, bool) else whole(checkpoint, "scan: checkpoint", 1)
    found = scanned(flat, first, read, truth(reverse, "scan: reverse"), truncate, segment)
    present, as_output = told
    stacks = iter(found[len(begin) :])
    return as_state(iter(found)), as_output(iter([next(stacks) if there else None for there in present]))


def _nothing(values: Iterator[Any]) -> None:
    """The entry where there are no sequences."""


def _sequence(x: Any) -> Tensor:
    tensor = as_tensor(x)
    if not tensor.ndim:
        raise ShapeError(f"scan: {tensor.describe()} is one number, and no sequence", fix="give it an axis of entries in front")
    return tensor


def scanned(
    step: Callable[..., Sequence[Any]], start: Sequence[Tensor], rows: Sequence[Tensor], reverse: bool, truncate: Any = None,
    segment: bool | int = False, recompute: bool = False,
) -> list[Tensor]:  # fmt: skip
    """As `scan`, of flat lists: step(*states, *entries) → [*new states, *outputs]; the last states, and outputs stacked.

    recompute   whether a gradient's scan has the states alone, and computes all else again
    """
    if truncate is not None:
        return _truncated(step, start, rows, reverse, whole(truncate, "scan: truncate", 1), segment)
    if segment is not False:
        return _in_segments(step, start, rows, reverse, segment)
    own = [stand_in(x) for x in start]
    entries = [Placeholder(TensorType(x.dtype, x.shape[1:])) for x in rows]
    mark = (own + entries)[-1].number
    made = typed(step(*own, *entries), own)
    states, draws = len(own), drawn(made, mark)
    outputs = [*draws.made[:states], *draws.ends, *draws.made[states:]]
    carried = [*own, *draws.own]
    captured, body = enclosed(outputs, [*carried, *entries], len(entries), len(carried))
    given = [*start, *draws.starts, *rows, *captured]
    found = [
        apply(_SCAN, *given, body=body, reverse=reverse, recompute=recompute, result=k) for k in range(len(outputs))
    ]
    draws.settle(found[states : len(carried)])
    return [*found[:states], *found[len(carried) :]]


def typed(values: Sequence[Any], like: Sequence[Tensor] = ()) -> list[Tensor]:
    """Each value as a tensor that is no literal any more: of the dtype of its partner, if it has one; else floats as floatx."""
    partners = [*like[: len(values)], *[None] * (len(values) - len(like))]
    return [_typed(value, partner) for value, partner in zip(values, partners, strict=True)]


def _typed(value: Any, partner: Tensor | None) -> Tensor:
    if isinstance(value, Tensor) and not value.type.weak:
        return value
    literal = as_tensor(value)
    if partner is not None and np.can_cast(literal.dtype, partner.dtype, "same_kind"):
        literal = cast_literal(literal, partner.dtype)
    elif not isinstance(value, Tensor):
        literal = constant(value)
    return Constant(literal.value) if isinstance(literal, Constant) else literal


def _truncated(
    step: Callable[..., Sequence[Any]], start: Sequence[Tensor], rows: Sequence[Tensor], reverse: bool, most: int,
    segment: bool | int,
) -> list[Tensor]:  # fmt: skip
    """All steps but the last so many as a scan of their own, whose results are constants to gradients."""
    cut = slice(most, None) if reverse else slice(None, -most)
    rest = slice(None, most) if reverse else slice(-most, None)
    states = len(start)
    before = list(map(stop_gradient, scanned(step, start, [x[cut] for x in rows], reverse)))
    after = scanned(step, before[:states], [x[rest] for x in rows], reverse, None, segment)
    return _one_behind_the_other(before, after, states, reverse)


def _one_behind_the_other(before: list[Tensor], after: list[Tensor], states: int, reverse: bool) -> list[Tensor]:
    """The results of one scan that goes on where another ended, as those of one."""
    pairs = zip(before[states:], after[states:], strict=True)
    return [*after[:states], *(concatenate([a, b] if reverse else [b, a]) for b, a in pairs)]


def _in_segments(
    step: Callable[..., Sequence[Any]], start: Sequence[Tensor], rows: Sequence[Tensor], reverse: bool, size: bool | int
) -> list[Tensor]:
    """A scan over segments, of which gradients know the states between them; and one over the entries that fill none."""
    known = rows[0].shape[0]
    length: Any = size_of(rows[0], 0) if known is None else known
    if size is not True:
        each: Any = size
    elif known is None:
        each = maximum(cast(ceil(sqrt(cast(length, "float64"))), "int64"), 1)
    else:
        each = max(isqrt(known - 1) + 1, 1) if known else 1
    whole_, states = length // each * each, len(start)
    cut = slice(length - whole_, None) if reverse else slice(None, whole_)
    rest = slice(None, length - whole_) if reverse else slice(whole_, None)

    def segment(*given: Tensor) -> list[Tensor]:
        return scanned(step, given[:states], given[states:], reverse)

    some = [reshape(x[cut], (length // each, each, *_sizes(x))) for x in rows]
    before = scanned(segment, start, some, reverse, recompute=True)
    before[states:] = [merge_axes(x, (2, *(1,) * (x.ndim - 2))) for x in before[states:]]
    if known is not None and whole_ == length:
        return before
    after = scanned(step, before[:states], [x[rest] for x in rows], reverse)
    return _one_behind_the_other(before, after, states, reverse)


def _sizes(x: Tensor) -> list[Any]:
    """The sizes of an entry: numbers where known, tensors where not."""
    return [size_of(x, axis) if size is None else size for axis, size in enumerate(x.shape) if axis]
