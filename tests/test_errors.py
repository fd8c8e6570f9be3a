"""The table of bad inputs: each gets an error of the right type that says what, why, how to mend it, and where.

Each entry is produced by two graphs or more, with other names and shapes. After each, no variable has changed.
The numbers are those of the list of bad inputs that the engine was designed by; the entries are in `tests/errors/`.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from optimizers.schedules import Schedule
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


def test_the_lines_of_a_message_come_in_one_order() -> None:
    x, w = ag.placeholder((None, None), name="x"), ag.variable(np.ones((3, 2)), name="W")
    f = ag.function([x], [], [(w, w * ag.reduce_sum(ag.matmul(x, w)))])
    with pytest.raises(ag.ShapeError) as caught:
        f(np.ones((4, 5)))
    error = caught.value
    assert str(error).split("\n  ") == [error.what, *error.why.split("\n  "), error.fix, error.where, error.after]
    assert error.where.startswith("created at test_errors.py:") and error.after == "No variable was changed."
    with pytest.raises(ag.AxisError) as caught_too:
        ag.reduce_sum(x, axis=2)
    assert caught_too.value.where == f"called at test_errors.py:{line() - 1} in test_the_lines_of_a_message_come_in_one_order()"


def line() -> int:
    """The caller's line."""
    return sys._getframe(1).f_lineno


def test_the_users_line_is_found_behind_numpy_and_behind_written_code() -> None:
    x = ag.placeholder((2, 2), name="x")
    with pytest.raises(ag.SymbolicError) as caught:
        np.vstack([x, x])
    assert f"test_errors.py:{x.origin.line}" in str(caught.value)
    with pytest.raises(ag.ArgumentTypeError) as caught_too:
        Schedule(3, "three")  # type: ignore[arg-type]  # which a dataclass's own code passes on
    assert "called at test_errors.py:" in str(caught_too.value)


def test_an_error_keeps_its_lines_in_another_process() -> None:
    x = ag.placeholder((3,), name="x")
    f = ag.function([x], x)
    with pytest.raises(ag.FeedError) as caught:
        f(np.ones(4))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and type(again) is ag.FeedError and again.fix == caught.value.fix
    with pytest.raises(ag.LoopError) as stopped:
        f.loop(2, np.ones(4))
    assert pickle.loads(pickle.dumps(stopped.value)).committed == 0
    assert str(stopped.value).endswith("That tick changed no variable.") and stopped.value.where == caught.value.where


def test_an_operand_without_meaning_is_refused_and_a_foreign_class_is_asked() -> None:
    class Foreign:
        def __radd__(self, other: Any) -> str:
            return f"took {other.name}"

    x = ag.placeholder((3,), name="x")
    assert x + Foreign() == "took x"
    for nothing in (None, "a", {}, 1j, len, np.tanh, ag.tanh, int):
        for call in (lambda: x * nothing, lambda: nothing - x, lambda: x < nothing):  # noqa: B023  # called at once
            with pytest.raises(ag.ArgumentTypeError, match="is no array of numbers"):
                call()


def test_numpys_words_about_sizes_that_data_decide_are_put_into_ours() -> None:
    x, n = ag.placeholder((2, 3), name="x"), ag.placeholder((), dtype="int64", name="rows")
    f = ag.function([x, n], ag.reshape(x, (n, 4)))
    with pytest.raises(ag.ShapeError, match=r"reshape_to '.*cannot reshape(.|\n)*placeholder 'x'(.|\n)*No variable"):
        f(np.ones((2, 3)), 2)


def test_the_messages_of_the_documentation_are_what_is_said() -> None:
    text = Path(__file__).parent.parent.joinpath("docs/errors.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)\n```", text, flags=re.DOTALL)
    assert len(examples) >= 2
    for code, message in examples:
        with pytest.raises(ag.AutographError) as caught:
            exec(compile(code, "train.py", "exec"), {"__name__": "__main__"})
        said = f"{type(caught.value).__name__}: {caught.value}"
        assert re.sub(r"_\d+'", "_5'", said) == re.sub(r"_\d+'", "_5'", message)


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
