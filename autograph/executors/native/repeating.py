"""Graphs that an op holds, as machine code: their steps run again and again within a segment, once a row or while a truth holds.

An entry in front counts the turns and passes over the rest when it is time, one behind goes back to it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.control import Body, changed
from autograph.executors.native.convolving import ConvolvingRecorder
from autograph.executors.native.instructions import copy
from autograph.executors.native.language import Line, Word
from autograph.executors.native.writing import Written, scratch, written
from autograph.executors.numpy.plan import ALIGNMENT
from autograph.executors.numpy.values import Place, Step, Value
from autograph.graph.graph import ancestors, family
from autograph.graph.op import REGISTRY
from autograph.graph.tensor import Tensor
from autograph.tensor_type import DTYPES

_ENDLESS = 2**62  # turns

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


def _row_of(size: Word, first: Word, along: Word, turn: Line, x: Line, row: Line) -> Any:
    copy(row, x + (first + along * turn[0]) * size, size)


def _row_to(size: Word, first: Word, along: Word, turn: Line, row: Line, out: Line) -> Any:
    copy(out + (first + along * turn[0]) * size, row, size)


def head(turns: int, count: int, turn: Value, going: Value) -> Written:
    """What stands before so many entries, and the one that goes back."""
    return written(_head, turns, count + 1, turn, going)


def back(count: int) -> Written:
    """What goes back over so many entries and the head before them."""
    return written(_back, -(count + 2))


def _copy(x: Value, out: Value) -> Written:
    return written(_copied, math.prod(x.shape), x, out)


# steps ---------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of an array as an array of its own, in the place of which each turn finds the row itself, unless NumPy looks.

    first    how many bytes the row of turn 0 lies behind the first; turns count from 1
    along    how many bytes further that of the next turn is
    copied   the kernel that copies it to the array, or from there
    """

    own: Value
    whole: Value
    first: int
    along: int
    copied: Written


@dataclass(eq=False)
class Repeated(Step):
    """A step that runs others again and again.

    turns    how often at most
    turn     how many turns have begun
    going    whether to go on
    inner    the steps of a turn
    kept     those of their values that are read behind them
    before, closing   kernels before all turns, and at the end of each
    entries, rows     rows of arrays that a turn reads, and such that it makes
    """

    turns: int = 0
    turn: Value = field(default_factory=lambda: scratch(DTYPES["int64"], 1))
    going: Value = field(default_factory=lambda: scratch(DTYPES["bool"], 1))
    inner: list[Step] = field(default_factory=list)
    kept: list[Value] = field(default_factory=list)
    before: list[Written] = field(default_factory=list)
    closing: list[Written] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def own(self) -> list[Value]:
        """The arrays that its kernels hand from one to the other."""
        copied = [row.copied for row in (*self.entries, *self.rows)]
        words = [w for one in (*self.before, *self.closing, *copied) for w in one.words]
        return [self.turn, self.going, *(w.root for w in words if isinstance(w, Value) and w.fixed)]


class RepeatingRecorder(ConvolvingRecorder):
    """The part of the namespace that holds graphs."""

    def _whole(self, tensor: Tensor, inputs: list[Value]) -> Value:
        given = [self._known(x) for x in inputs]
        bodies = [value for value in tensor.params.values() if isinstance(value, Body)]
        if REGISTRY.get(tensor.op.name) is not tensor.op or not self._static(*given) or not all(map(_sized, bodies)):
            return super()._whole(tensor, inputs)
        match bodies:
            case [body]:
                return self._looped(tensor, body, given, inputs)
            case [then, otherwise] if tensor.op.name == "cond":
                return self._branched(tensor, then, otherwise, given)
        return super()._whole(tensor, inputs)

    def _branched(self, tensor: Tensor, then: Body, otherwise: Body, given: Sequence[Value]) -> Value:
        """Each branch as a loop of one turn at most."""
        kin = family(tensor)
        if kin not in self._families:
            arrays = [self._dense(x) for x in given]
            self._families[kin] = area = self.scratch(DTYPES["uint8"], (_places(then, 1)[-1],))
            results = [self._field(area, then, 1, k, False) for k in range(len(then.outputs))]
            for body, going in ((then, arrays[0]), (otherwise, self.logical_not(arrays[0]))):
                function = _by_numpy(tensor, self.prepare, [result.transform[1] for result in results])
                step = Repeated(tensor.op.name, _if(body is then, function), list(arrays), area, tensor, into=True)
                step.reads = [*arrays, going]
                self._turn(step, body, arrays)
                step.turns, step.going = 1, going
                step.before = [written(_begin, step.turn)]
                step.closing = list(map(_copy, step.kept, results))
                self.steps.append(step)
        return self._field(self._families[kin], then, 1, tensor.params["result"], False)

    def _looped(self, tensor: Tensor, body: Body, given: list[Value], inputs: list[Value]) -> Value:
        rows = given[body.carried : body.carried + body.mapped]
        turns = rows[0].shape[0] if rows else tensor.params["most"]
        stacks = body.outputs[body.carried :]
        if (not turns if rows else stacks):  # turns that data count stack nothing here
            return super()._whole(tensor, inputs)
        kin = family(tensor)
        if kin not in self._families:
            self._families[kin] = self._loop(tensor, body, [self._dense(x) for x in given], turns)
        return self._field(self._families[kin], body, turns, tensor.params.get("result", 0))

    def _loop(self, tensor: Tensor, body: Body, arrays: list[Value], turns: int | None) -> Value:
        """The step that runs the graph so many times at most; what it leaves behind lies side by side in bytes."""
        area = self.scratch(DTYPES["uint8"], (_places(body, turns)[-1],))
        results = [self._field(area, body, turns, k) for k in range(len(body.outputs))]
        function = _by_numpy(tensor, self.prepare, [result.transform[1] for result in results])
        step = Repeated(tensor.op.name, function, list(arrays), area, tensor, into=True)
        last = body.carried + body.mapped
        states, entries = results[: body.carried], []
        for array in arrays[body.carried : last]:
            entry = self.scratch(array.dtype, array.shape[1:])
            step.entries.append(self._row(step, entry, array, _row_of, (array, entry)))
            entries.append(entry)
        self._turn(step, body, [*states, *entries, *arrays[last:]])
        step.turns = _ENDLESS if turns is None else turns
        step.before = [_copy(start, state) for start, state in zip(arrays, states, strict=False)]
        if body.asks:
            step.going = states[-1]
        else:
            step.before.append(_copy(self.constant(np.ones(1, bool)), step.going))
        step.before.append(written(_begin, step.turn))
        step.closing = [_copy(new, state) for new, state in zip(step.kept, states, strict=False)]
        for new, stack in zip(step.kept[body.carried :], results[body.carried :], strict=True):
            step.rows.append(self._row(step, new, stack, _row_to, (new, stack)))
        self.steps.append(step)
        return area

    def _row(
        self, step: Repeated, own: Value, whole: Value, kernel: Callable[..., Any], arrays: tuple[Value, Value]
    ) -> Row:
        """The row of each turn, from the first on or from the last."""
        first, along = (whole.shape[0], -1) if step.node.params.get("reverse") else (-1, 1)
        copied = written(kernel, math.prod(own.shape), first, along, step.turn, *arrays)
        return Row(own, whole, first * own.nbytes, along * own.nbytes, copied)

    def _field(self, area: Value, body: Body, turns: int | None, result: int, stacked: bool = True) -> Value:
        """One of the results, as a view of all their bytes."""
        output = body.outputs[result]
        shape: Any = (turns, *output.shape) if stacked and result >= body.carried else output.shape
        params = _places(body, turns)[result], output.dtype, shape
        layout = numpy_namespace.field(area.layout, *params)
        return Value(area.place, output.dtype, shape, source=area, transform=("field", params), layout=layout, recorder=self)

    def _turn(self, step: Repeated, body: Body, inputs: Sequence[Value]) -> None:
        """Record the steps of one turn."""
        mark = self.apart()
        found: dict[Tensor, Value] = dict(zip(body.inputs, inputs, strict=True))
        for tensor in ancestors(body.outputs):
            if tensor not in found:
                found[tensor] = self.record(tensor, [found[source] for source in tensor.inputs])
        made = {inner.result for inner in self.steps[mark:]}
        step.kept = [self._own(self._known(found[output]), made) for output in body.outputs]
        step.inner = self.steps[mark : self.apart()]
        del self.steps[mark:]
        for inner in step.inner:
            inner.node = step.node
        self.node = step.node

    def _own(self, x: Value, made: set[Value]) -> Value:
        """The value, if it is an array of its own that this turn makes; else a copy."""
        return x if x in made and x.place is Place.SCRATCH and x.source is None else self.copy(x)


def _if(truth: bool, function: Callable[..., None]) -> Callable[..., None]:
    """The function where its first argument has that truth, else nothing."""
    return lambda condition, *rest: function(condition, *rest) if bool(condition) is truth else None


def _sized(body: Body) -> bool:
    return all(x.type.is_static for x in (*body.inputs, *body.outputs))


def _places(body: Body, turns: int | None) -> list[int]:
    """The byte at which each of the results begins, and at which the last ends."""
    places = [0]
    for k, x in enumerate(body.outputs):
        size = x.dtype.itemsize * math.prod(x.shape) * (1 if k < body.carried else turns)  # type: ignore[arg-type,operator]
        places.append(places[-1] + -(-size // ALIGNMENT) * ALIGNMENT)
    return places


def _by_numpy(
    tensor: Tensor, prepare: Callable[[Body], Body], places: Sequence[tuple[int, Any, tuple[int, ...]]]
) -> Callable[..., None]:
    """The op as a call of NumPy that fills the places of its results; its graph is prepared when it is called first."""

    @functools.cache
    def function() -> Callable[..., Any]:
        params = changed(tensor, prepare)
        return functools.partial(tensor.op.eval, numpy_namespace, **({**params, "result": None} if tensor.op.several else params))

    def written(*given: Any) -> None:
        *arguments, out = given
        found = function()(*arguments)
        for place, value in zip(places, found if tensor.op.several else [found], strict=False):
            np.copyto(numpy_namespace.field(out, *place), value)

    return written
