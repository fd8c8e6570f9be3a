"""Updates that are refused: each message says what, why, how to mend it, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph.ops as _ops  # noqa: F401  # operators find their ops in the registry
from autograph.errors import (
    ArgumentError,
    ArgumentTypeError,
    AutographError,
    DuplicateUpdateError,
    UpdateError,
    UpdateTypeError,
)
from autograph.graph.tensor import placeholder, variable
from autograph.graph.updates import Updates, as_updates
from autograph.ops.comparison import greater
from autograph.ops.elementwise import cast, tanh
from tests.ticking import values_of

# what is refused ------------------------------------------------------------------------------------------------------


def message(call: Callable[[], object], error: type[AutographError]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_a_target_that_is_no_variable() -> None:
    x = placeholder((3,), name="x")
    text = message(lambda: as_updates([(x, x + 1)]), UpdateTypeError)
    assert "updates[0] targets the placeholder 'x'" in text
    assert "only variables hold state" in text
    assert issubclass(UpdateTypeError, TypeError)
    assert "targets a float" not in message(lambda: as_updates([(1.0, x)]), UpdateTypeError)


@pytest.mark.parametrize("wrong", [lambda v: [v, v + 1], lambda v: (v, v + 1)])
def test_a_pair_that_was_not_put_into_a_list(wrong: Any) -> None:
    v = variable(1.0, name="v")
    text = message(lambda: as_updates(wrong(v)), UpdateTypeError)
    assert "updates[0] is the variable 'v', expected a pair" in text
    assert "[(variable, new_value)]" in text


@pytest.mark.parametrize("wrong", [lambda v: v, lambda v: v + 1, lambda v: 3, lambda v: "v"])
def test_what_is_no_list_at_all(wrong: Any) -> None:
    v = variable(1.0, name="v")
    assert "not a list of pairs" in message(lambda: as_updates(wrong(v)), UpdateTypeError)


@pytest.mark.parametrize("item", [3.0, "w", None, (1, 2, 3), ()])
def test_items_that_are_no_pairs(item: Any) -> None:
    v = variable(1.0, name="v")
    assert "updates[1] is" in message(lambda: as_updates([(v, v), item]), UpdateTypeError)


@pytest.mark.parametrize("pairs", [{"w": 1.0}, [("w", 1.0)]])
def test_names_in_place_of_variables(pairs: Any) -> None:
    text = message(lambda: as_updates(pairs), UpdateTypeError)
    assert "updates[0] targets the name 'w'" in text
    assert "use the variable itself" in text


def test_a_register_with_two_new_values_names_both_definitions_and_lines() -> None:
    w = variable(1.0, name="bn/mean")
    first = w + 1
    second = w * 2
    u = Updates([(w, first)]) + [(w, second)]
    lines = (first.origin.line, second.origin.line)
    for call in (lambda: as_updates(u), lambda: u.then([]), lambda: Updates().then(u), lambda: u[w], lambda: u.after(w)):
        text = message(call, DuplicateUpdateError)
        assert "'bn/mean' has two new values" in text
        assert all(f"test_bad_updates.py:{line}" in text for line in lines)
        assert f"{first.name} = bn/mean + 1" in text
        assert f"{second.name} = bn/mean·2" in text
        assert "a.then(b)" in text


def test_a_new_value_of_another_shape() -> None:
    w = variable(np.ones((3, 2)), name="w")
    x = placeholder((1, 2), name="x")
    text = message(lambda: as_updates([(w, x + 0)]), UpdateTypeError)
    assert "the update of 'w' [3, 2] gives [1, 2]" in text
    assert "never broadcast" in text
    assert "test_bad_updates.py" in text
    message(lambda: as_updates([(w, 0.0)]), UpdateTypeError)
    assert issubclass(UpdateTypeError, ValueError)


def test_a_size_not_known_yet_may_fit() -> None:
    w = variable(np.ones((3, 2)), name="w")
    assert as_updates([(w, placeholder((None, 2)))])[0].registers == [w]


def test_a_new_value_of_another_dtype_names_the_operand_that_widened_it() -> None:
    w = variable([1.0, 2.0], name="w")
    c = variable([1.0, 2.0], "float64", name="c")
    text = message(lambda: as_updates([(w, tanh(w + c) * 3)]), UpdateTypeError)
    assert "the update of 'w' float32[2] gives float64" in text
    assert f"variable 'c' float64[2] (test_bad_updates.py:{c.origin.line})" in text
    assert 'cast(new_value, "float32")' in text


def test_nothing_is_cast_in_silence_not_even_within_the_floats() -> None:
    rate, w = variable(0.1, "float64", name="rate"), variable(1.0, name="w")
    message(lambda: as_updates([(rate, w)]), UpdateTypeError)
    message(lambda: as_updates([(w, rate)]), UpdateTypeError)
    assert as_updates([(rate, rate * 0.5), (w, w * 0.5)])[0].registers == [rate, w]
    assert as_updates([(rate, cast(w, "float64"))])[0].registers == [rate]


@pytest.mark.parametrize("value", [2.5, np.array(2.5), 300])
def test_a_number_that_an_integer_register_cannot_hold(value: Any) -> None:
    n = variable(0, "int8", name="n")
    assert "the update of 'n' int8[]" in message(lambda: Updates([(n, value)]), UpdateTypeError)


@pytest.mark.parametrize("value", [None, "3", object(), [[1], [2, 3]], 1j])
def test_a_new_value_that_is_no_number(value: Any) -> None:
    n = variable(0.0, name="n")
    assert "the update of 'n'" in message(lambda: Updates([(n, value)]), UpdateTypeError)


def test_a_register_that_is_not_written_names_those_that_are() -> None:
    w, b = variable(0.0, name="kernel"), variable(0.0, name="bias")
    u = Updates([(w, w + 1)])
    assert "do not write 'bias'" in message(lambda: u[b], ArgumentError)
    assert "they write 'kernel'" in message(lambda: u.map(b, tanh), ArgumentError)
    assert u.after(b) is b


def test_every_error_of_updates_is_an_update_error_and_a_standard_one() -> None:
    assert issubclass(DuplicateUpdateError, UpdateError)
    assert issubclass(UpdateTypeError, UpdateError)
    assert issubclass(UpdateError, ValueError)


def test_a_plain_tensor_is_kept_apart_with_a_warning() -> None:
    w = variable(1.0, name="w")
    gradient = w * 2
    with pytest.warns(UserWarning, match=r"updates\[1\].*changes nothing.*get_updates") as caught:
        updates, plain = as_updates([(w, w + 1), gradient])
    assert updates.registers == [w]
    assert plain == [gradient]
    assert caught[0].filename == __file__
    total = Updates([gradient]) + [(w, w + 1)]
    assert total.registers == [w]
    assert total.when(greater(w, 0))[0] is gradient
    later = Updates([(w, w + 1)]).then([gradient])
    assert values_of([later[1]])[0] == 4.0


@pytest.mark.parametrize("wrong", [3, "w"])
def test_only_lists_of_pairs_can_be_added(wrong: Any) -> None:
    for call in (lambda: Updates() + wrong, lambda: wrong + Updates()):
        with pytest.raises(TypeError):
            call()
    assert "not a list of pairs" in message(lambda: Updates() + variable(1.0), UpdateTypeError)


def test_a_map_by_what_is_no_function() -> None:
    w = variable(1.0, name="w")
    nonsense: Any = 2
    assert "2 is no function" in message(lambda: Updates([(w, w * 2)]).map(w, nonsense), ArgumentTypeError)
