"""The table of bad inputs: each gets an error of the right type that says what, why, how to mend it, and where.

Each entry is produced by two graphs or more, with other names and shapes. After each, no variable has changed.
The numbers are those of the list of bad inputs that the engine was designed by; the entries are in `tests/errors/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from tests.errors import building, feeding, graphs, shapes, training
from tests.errors.table import CASES, Case

MODULES = (building, feeding, graphs, shapes, training)  # which fill the table


def lines_of(make: Callable[[], Any]) -> set[int]:
    """The lines of its file that a function spans."""
    code = make.__code__
    return {line for c in (code, *(k for k in code.co_consts if hasattr(k, "co_lines"))) for _, _, line in c.co_lines() if line}


@pytest.mark.parametrize("case", CASES, ids=[f"{c.number}-{c.make.__name__}" for c in CASES])
def test_a_bad_input_gets_its_message(case: Case) -> None:
    fails, variables = case.make()
    old = [v.register.home.tobytes() for v in variables]
    with pytest.raises(case.types[0]) as caught:
        fails()
    error = caught.value
    text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    assert all(isinstance(error, t) for t in case.types), type(error).__mro__
    assert isinstance(error, ag.AutographError) and type(error).__doc__
    missing = [word for word in case.words if word not in text]
    assert not missing, f"{missing} not in:\n{text}"
    file = re.escape(os.path.basename(case.make.__code__.co_filename))
    places = [int(n) for n in re.findall(rf"{file}:(\d+)", text)]
    assert places and set(places) <= lines_of(case.make), f"{places} not in {sorted(lines_of(case.make))}:\n{text}"
    assert [v.register.home.tobytes() for v in variables] == old, "no variable was changed"
    assert "object at 0x" not in text, text


def test_each_entry_is_produced_twice_at_least() -> None:
    counts = {number: sum(c.number == number for c in CASES) for number in {c.number for c in CASES}}
    assert all(n >= 2 for n in counts.values()), {n: k for n, k in counts.items() if k < 2}
    here = {*range(1, 44), *range(47, 54)}
    assert set(counts) == here, (sorted(here - set(counts)), sorted(set(counts) - here))



@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2**24), ("float16", 2**11)])
def test_whole_numbers_too_large_for_a_float_input_warn_once(dtype: str, bound: int) -> None:
    x = ag.placeholder((None,), dtype=dtype, name="timestamps")
    f = ag.function([x], x)
    f(np.array([bound]))
    with pytest.warns(UserWarning, match=rf"'timestamps'.*{bound}.*{dtype}") as record:
        f(np.array([bound + 1]))
        f(np.array([bound + 3]))
    assert len(record) == 1 and record[0].filename == __file__


def test_a_gradient_among_updates_warns_that_it_trains_nothing() -> None:
    w = ag.variable(np.ones(2), name="w")
    (g,) = ag.gradients(ag.reduce_sum(ag.square(w)), [w])
    with pytest.warns(UserWarning, match=r"updates\[0\].*get_updates") as record:
        f = ag.function([], w, [g])
    assert record[0].filename == __file__
    f()
    assert w.get_value().tolist() == [1, 1]
