"""Graphs that an op holds, as machine code: their steps run again and again within a segment, once a row or while a truth holds.

An entry in front counts the turns and passes over the rest when it is time, one behind goes back to it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.control import Body, changed
from autograph.executors.native.instructions import copy
from autograph.executors.native.language import Line, Word
from autograph.executors.native.matrices import MatrixRecorder
from autograph.executors.native.writing import Written, scratch, written
from autograph.executors.numpy.values import Step, Value
from autograph.graph.graph import ancestors
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import Tensor
from autograph.tensor_type import DTYPES

# kernels -------------------------------------------------------------------------------------------------------------


def _begin(turn: Line) -> Any:
    turn[0] = 0


def _head(turns: Word, past: Word, turn: Line, going: Line) -> Any:
    if turn[0] >= turns or not going[0]:
        return past
    turn[0] += 1


def _back(past: Word) -> Any:
    return past


def _copied(count: Word, x: Line, out: Line) -> Any:
    copy(out, x, count)


def _row_of(size: Word, turn: Line, x: Line, row: Line) -> Any:
    copy(row, x + (turn[0] - 1) * size, size)


def _row_to(size: Word, turn: Line, row: Line, out: Line) -> Any:
    copy(out + (turn[0] - 1) * size, row, size)


def head(turns: int, count: int, turn: Value, going: Value) -> Written:
    """What stands before so many entries, and the one that goes back."""
    return written(_head, turns, count + 1, turn, going)


def back(count: int) -> Written:
    """What goes back over so many entries and the head before them."""
    return written(_back, -(count + 2))


def _copy(x: Value, out: Value) -> Written:
    return written(_copied, math.prod(x.shape), x, out)


# steps ---------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Repeated(Step):
    """A step that runs others again and again.

    turns    how often at most
    turn     how many turns have begun
    going    whether to go on
    inner    the steps of a turn
    kept     those of their values that are read behind them
    before, opening, closing, behind   kernels before all turns, at the begin and the end of each, and behind all
    """

    turns: int = 0
    turn: Value = field(default_factory=lambda: scratch(DTYPES["int64"], 1))
    going: Value = field(default_factory=lambda: scratch(DTYPES["bool"], 1))
    inner: list[Step] = field(default_factory=list)
    kept: list[Value] = field(default_factory=list)
    before: list[Written] = field(default_factory=list)
    opening: list[Written] = field(default_factory=list)
    closing: list[Written] = field(default_factory=list)
    behind: list[Written] = field(default_factory=list)

    @property
    def own(self) -> list[Value]:
        """The arrays that its kernels hand from one to the other."""
        words = [w for some in (self.before, self.opening, self.closing, self.behind) for one in some for w in one.words]
        return [self.turn, self.going, *(w.root for w in words if isinstance(w, Value) and w.fixed)]


class RepeatingRecorder(MatrixRecorder):
    """The part of the namespace that holds graphs."""

    def _whole(self, tensor: Tensor, inputs: list[Value]) -> Value:
        body = tensor.params.get("body")
        ours = REGISTRY.get(tensor.op.name) is tensor.op and tensor.op.name in ("map_rows", "iterate")
        given = [self._known(x) for x in inputs]
        if not ours or not isinstance(body, Body) or not tensor.type.is_static or not self._static(*given):
            return super()._whole(tensor, inputs)
        if not all(p.type.is_static for p in body.inputs) or (tensor.op.name == "map_rows" and not tensor.shape[0]):
            return super()._whole(tensor, inputs)
        dense = [self._dense(x) for x in given]
        result = self.scratch(tensor.dtype, tensor.shape)  # type: ignore[arg-type]  # static
        step = Repeated(tensor.op.name, _by_numpy(tensor, self.prepare), list(dense), result, tensor, into=True)
        if tensor.op.name == "map_rows":
            self._each_row(step, body, dense)
        else:
            self._while(step, body, dense, tensor.params["most"])
        self.steps.append(step)
        return result

    def _turn(self, step: Repeated, body: Body, inputs: Sequence[Value]) -> None:
        """Record the steps of one turn."""
        mark = len(self.steps)
        found = dict(zip(body.inputs, inputs, strict=True))
        for tensor in ancestors(body.outputs):
            if tensor not in found:
                found[tensor] = self.record(tensor, [found[source] for source in tensor.inputs])  # type: ignore[index]
        step.kept = [self.copy(self._known(found[output])) for output in body.outputs]  # type: ignore[index]
        step.inner = self.steps[mark:]
        del self.steps[mark:]
        for inner in step.inner:
            inner.node = step.node
        self.node = step.node

    def _each_row(self, step: Repeated, body: Body, arrays: list[Value]) -> None:
        rows = []
        for array in arrays[: body.mapped]:
            row = self.scratch(array.dtype, array.shape[1:])
            step.opening.append(written(_row_of, math.prod(row.shape), step.turn, array, row))
            rows.append(row)
        self._turn(step, body, [*rows, *arrays[body.mapped :]])
        step.turns = step.result.shape[0]
        step.before = [_copy(self.constant(np.ones(1, bool)), step.going), written(_begin, step.turn)]
        step.closing = [written(_row_to, math.prod(step.kept[0].shape), step.turn, step.kept[0], step.result)]

    def _while(self, step: Repeated, body: Body, arrays: list[Value], most: int) -> None:
        start, going, *read = arrays
        state, flag = self.scratch(start.dtype, start.shape), self.scratch(going.dtype, ())
        step.going = flag
        self._turn(step, body, [state, flag, *read])
        step.turns = most
        step.before = [_copy(start, state), _copy(going, flag), written(_begin, step.turn)]
        step.closing = [_copy(step.kept[0], state), _copy(step.kept[1], flag)]
        step.behind = [_copy(state, step.result)]


def _by_numpy(tensor: Tensor, prepare: Callable[[Body], Body]) -> Callable[..., None]:
    """The op as a call of NumPy; its graph is prepared when it is called first."""

    @functools.cache
    def function() -> Callable[..., Any]:
        return functools.partial(tensor.op.eval, numpy_namespace, **changed(tensor, prepare))

    def written(*given: Any) -> None:
        *arguments, out = given
        np.copyto(out, function()(*arguments))

    return written
