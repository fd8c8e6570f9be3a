"""Commits by rows: a new value that is the register's old one but for some rows is written row by row, in its home.

Phase one checks the indices and computes the rows as they will be. What is left is a loop of memmove: `put` on a view in
which each row is one item. With every number inside it cannot raise, and it copies nothing of the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograph.arrays import rows as arrays
from autograph.arrays.indexing import scatter_add
from autograph.executors.numpy.commit import Component, count_readers
from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Place, Step, Value
from autograph.tensor_type import DTYPES, DType

FEW = 4  # a sum of rows is taken by a sort of their numbers, which pays where these are one in so many of the table's
_LONGEST = 2**31 - 1  # bytes of an item


class PutRows:
    """The call home[numbers] ← rows.

    Its arguments are the numbers, the rows, and the home as the result; where new values are checked before they go
    home, between them what is to be finite, and what stands there now.
    """

    def bound(self, numbers: Any, rows: Any, home: Any) -> tuple[Any, ...]:
        """What the commit calls."""
        width = home.size // len(home)
        item = np.dtype((np.void, width * home.itemsize))
        flat, items = (a.reshape(len(a), width).view(item).reshape(-1) for a in (home, rows))
        return flat.put, numbers, items, "clip"


def write_by_rows(
    parts: list[Component], early: list[Step], kept: Iterable[Value], recorder: Recorder, checked: bool
) -> list[Step]:
    """Give components that put rows into their own register, or add to some, a direct call; return `early` as it then is.

    checked  whether new values are checked before they go home
    """
    functions = (arrays.put_rows, scatter_add)
    makers = {step.result: step for step in early if _function(step) in functions}
    readers = count_readers(parts, early, kept) if makers else {}
    for part in parts:
        home, step = part.writes[0].home, makers.get(part.writes[0].value)
        if step is None or step.arguments[0] is not home or readers[step.result] != 1 or not _pays(step, home):
            continue
        mark = len(recorder.steps)
        recorder.node = step.node
        part.direct = [(PutRows(), _arguments(step, home, early, recorder, checked))]
        for new in recorder.steps[mark:]:
            new.guard = part.guard
        early = [other for other in early if other is not step] + recorder.steps[mark:]
    return early


def _function(step: Step) -> Any:
    """What a step calls; another executor may have put it into a function of its own."""
    return getattr(step.function, "__wrapped__", step.function)


def _pays(step: Step, home: Value) -> bool:
    """Whether every size is known, each row can be an item, and the way by rows is the shorter one."""
    _, indices, rows, *axis = step.arguments
    counter = home.register is not None and home.register.default_update is not None
    if counter or not home.nbytes or home.nbytes // home.shape[0] > _LONGEST or None in indices.shape or None in rows.shape:
        return False
    return not axis or (axis == [0] and math.prod(indices.shape) * FEW <= home.shape[0])


def _arguments(step: Step, home: Value, early: list[Step], recorder: Recorder, checked: bool) -> list[Value]:
    """The arguments of `PutRows`, and the steps in the recorder that make them."""
    _, indices, rows, *axis = step.arguments

    def made(name: str, dtype: DType, shape: tuple[int, ...], *arguments: Any) -> Value:
        result = recorder.scratch(dtype, shape)
        function = getattr(arrays, name)
        recorder.steps.append(Step(name, function, list(arguments), result, recorder.node, into=True))
        return result

    shape = (math.prod(indices.shape), *home.shape[1:])
    maker = next((other for other in early if other.result is indices), None)
    numbers = indices
    if maker is None or _function(maker) is not arrays.touched_rows or maker.arguments[1] != home.shape[0]:
        numbers = made("row_numbers", DTYPES["int64"], shape[:1], indices, home.shape[0])
    if not rows.fixed or rows.root.place is Place.HOME:
        rows = recorder.copy(rows)
    for view, wanted in (recorder.broadcast_to, (*indices.shape, *home.shape[1:])), (recorder.reshape, shape):
        rows = rows if rows.shape == wanted else view(rows, wanted)
    if axis:
        rows = made("added_rows", home.dtype, shape, home, numbers, rows)
    elif not rows.layout.flags.c_contiguous:
        rows = recorder.copy(rows)
    if not checked:
        return [numbers, rows, home]
    last = recorder.reshape(made("is_last", DTYPES["bool"], shape[:1], numbers), (shape[0], *[1] * (len(shape) - 1)))
    return [numbers, rows, recorder.where(last, rows, 0), made("rows_at", home.dtype, shape, home, numbers), home]
