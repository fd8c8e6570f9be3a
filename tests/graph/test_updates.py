"""Updates: what users may write, the laws of their algebra, what is refused, and how they print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph.ops as _ops  # noqa: F401  # operators find their ops in the registry
from autograph.errors import (
    ArgumentTypeError,
    DTypeError,
    ShapeError,
    SymbolicError,
)
from autograph.function import function
from autograph.graph.graph import ancestors
from autograph.graph.tensor import Constant, Tensor, Variable, as_tensor, constant, placeholder, variable
from autograph.graph.updates import Update, Updates, as_updates
from autograph.ops.comparison import greater
from autograph.ops.elementwise import sqrt, square, tanh
from tests.ticking import tick, values_of

START = (0.3, -1.7, 2.5)

# Random updates are drawn as plain data and built over fresh registers, so that each law can tick its own copies. -----

Recipe = Any  # a register's position, a number, or (name of an op, recipes)

recipes: st.SearchStrategy[Recipe] = st.recursive(
    st.integers(0, 2) | st.sampled_from((0.5, -2.0, 3.25)),
    lambda inner: st.tuples(st.sampled_from(("add", "multiply", "subtract", "tanh")), inner, inner),
    max_leaves=6,
)


def some_updates(registers: tuple[int, ...] = (0, 1, 2)) -> st.SearchStrategy[dict[int, Recipe]]:
    """New values for some of these registers."""
    return st.dictionaries(st.sampled_from(registers), recipes, max_size=len(registers))


def build(recipe: Recipe, registers: list[Variable]) -> Tensor:
    if isinstance(recipe, int):
        return registers[recipe]
    if isinstance(recipe, float):
        return as_tensor(np.full(2, recipe))
    name, *operands = recipe
    a, b = (build(operand, registers) for operand in operands)
    return {"add": lambda: a + b, "multiply": lambda: a * b, "subtract": lambda: a - b, "tanh": lambda: tanh(a - b)}[name]()


def fresh() -> list[Variable]:
    return [variable(np.array([x, -x / 3]), "float64", name) for x, name in zip(START, "xyz", strict=True)]


def made(recipe: dict[int, Recipe], registers: list[Variable]) -> Updates:
    return Updates([(registers[i], build(value, registers)) for i, value in recipe.items()])


def after(*ticks: Callable[[list[Variable]], Any]) -> bytes:
    """The bytes of all registers after these ticks, each made over the same registers."""
    registers = fresh()
    for make in ticks:
        tick(make(registers))
    return b"".join(np.asarray(register.get_value()).tobytes() for register in registers)


NOTHING = after()


@given(some_updates())
def test_when_true_is_the_updates_themselves_and_when_false_changes_nothing(u: dict[int, Recipe]) -> None:
    assert after(lambda r: made(u, r).when(True)) == after(lambda r: made(u, r))
    assert after(lambda r: made(u, r).when(constant(True))) == after(lambda r: made(u, r))
    assert after(lambda r: made(u, r).when(False)) == NOTHING
    assert after(lambda r: made(u, r).when(constant(False))) == NOTHING


@given(some_updates(), some_updates())
def test_then_is_two_ticks_in_one(a: dict[int, Recipe], b: dict[int, Recipe]) -> None:
    assert after(lambda r: made(a, r).then(made(b, r))) == after(lambda r: made(a, r), lambda r: made(b, r))


@given(some_updates(), some_updates(), some_updates())
def test_then_is_associative(a: dict[int, Recipe], b: dict[int, Recipe], c: dict[int, Recipe]) -> None:
    assert after(lambda r: made(a, r).then(made(b, r)).then(made(c, r))) == after(
        lambda r: made(a, r).then(made(b, r).then(made(c, r)))
    )


@given(some_updates((0, 1)), some_updates((2,)))
def test_plus_is_commutative(a: dict[int, Recipe], b: dict[int, Recipe]) -> None:
    assert after(lambda r: made(a, r) + made(b, r)) == after(lambda r: made(b, r) + made(a, r))


@given(some_updates((0,)), st.dictionaries(st.sampled_from((1, 2)), st.sampled_from((1, 2, ("multiply", 1, 2)))))
def test_then_is_plus_where_the_second_touches_nothing_of_the_first(a: dict[int, Recipe], b: dict[int, Recipe]) -> None:
    assert after(lambda r: made(a, r).then(made(b, r))) == after(lambda r: made(a, r) + made(b, r))


@given(some_updates(), st.booleans(), st.booleans())
def test_a_guard_in_a_guard_asks_for_both(u: dict[int, Recipe], first: bool, second: bool) -> None:
    def nested(registers: list[Variable]) -> Updates:
        return made(u, registers).when(constant(first)).when(constant(second))

    assert after(nested) == after(lambda r: made(u, r).when(first and second))


@given(some_updates(), some_updates(), st.booleans())
def test_a_guard_around_a_sequence_holds_both(a: dict[int, Recipe], b: dict[int, Recipe], open: bool) -> None:
    guarded = after(lambda r: made(a, r).then(made(b, r)).when(constant(open)))
    assert guarded == (after(lambda r: made(a, r).then(made(b, r))) if open else NOTHING)
    assert after(lambda r: made(a, r).then(made(b, r).when(constant(open)))) == (
        after(lambda r: made(a, r).then(made(b, r))) if open else after(lambda r: made(a, r))
    )


@given(some_updates(), recipes)
def test_after_is_the_expression_one_tick_later(u: dict[int, Recipe], expression: Recipe) -> None:
    early, late = fresh(), fresh()
    foretold = values_of([made(u, early).after(build(expression, early))])
    tick(made(u, late))
    np.testing.assert_array_equal(foretold[0], values_of([build(expression, late)])[0])


@given(some_updates(), recipes)
def test_map_applies_to_the_next_value_of_one_register_alone(u: dict[int, Recipe], value: Recipe) -> None:
    u = {0: value} | u
    registers = fresh()
    plain = made(u, registers)
    mapped = plain.map(registers[0], lambda new: tanh(new) * 2)
    assert mapped.registers == plain.registers
    assert [m is p for m, p in zip(mapped[1:], plain[1:], strict=True)].count(False) == 0
    new, projected = values_of([plain[registers[0]], mapped[registers[0]]])
    np.testing.assert_array_equal(projected, np.tanh(new) * 2)


@given(some_updates((0,)), some_updates((1,)), some_updates((2,)))
def test_sums_from_either_side_are_updates(
    a: dict[int, Recipe], b: dict[int, Recipe], c: dict[int, Recipe]
) -> None:
    registers = fresh()
    parts = [made(part, registers) for part in (a, b, c)]
    expected = [item for part in parts for item in part]
    for total in (sum(parts), list(parts[0]) + parts[1] + list(parts[2]), parts[0] + (*parts[1], *parts[2])):
        assert isinstance(total, Updates)
        assert list(total) == expected


@given(some_updates(), some_updates(), st.booleans())
def test_a_function_does_what_the_updates_say(a: dict[int, Recipe], b: dict[int, Recipe], open: bool) -> None:
    def guarded(registers: list[Variable]) -> Updates:
        return made(a, registers).then(made(b, registers)).when(greater(registers[0][0], 0.0 if open else 1.0))

    registers = fresh()
    function([], updates=guarded(registers), executor="numpy")()  # op by op: the same bits
    assert b"".join(register.get_value().tobytes() for register in registers) == after(guarded)


# a list, as Keras needs it --------------------------------------------------------------------------------------------


def test_a_swap_needs_no_third_register() -> None:
    a, b = variable(1.0), variable(2.0)
    tick([(a, b), (b, a)])
    assert (a.get_value(), b.get_value()) == (2.0, 1.0)


def test_an_update_unpacks_as_a_pair() -> None:
    w = variable([1.0, 2.0])
    u = Updates([(w, w * 2)])
    for target, new in u:
        assert target is w
        assert new is u[0].value
    assert isinstance(u[0], tuple)
    assert u[0] == (w, u[w])


def test_plus_equals_with_a_list_stays_the_same_updates() -> None:
    a, b, c, d = (variable(0.0) for _ in range(4))
    u = alias = Updates([(a, a + 1)])
    u += [(b, b + 1)]
    u.append((c, c + 1))
    u.extend({d: d + 1})
    u.insert(0, (a, a + 2))
    assert u is alias
    assert all(isinstance(item, Update) for item in u)
    assert u.registers == [a, a, b, c, d]
    assert b in u
    assert variable(0.0) not in u
    u[0] = (a, a)
    u[1:2] = []
    assert u.registers == [a, b, c, d]
    assert isinstance(u[1:], Updates)
    assert u[1:].registers == [b, c, d]
    assert u.copy() == u
    assert u.copy() is not u


def test_numbers_and_arrays_become_constants_of_the_registers_dtype() -> None:
    n, w, flag = variable(3, "int8"), variable([1.0, 2.0], "float16"), variable(True, "bool")
    u = Updates({n: 0, w: np.array([5.0, 6.0]), flag: False})
    assert [item.value.dtype for item in u] == ["int8", "float16", "bool"]
    assert all(isinstance(item.value, Constant) and not item.value.type.weak for item in u)
    tick(u)
    assert (n.get_value(), w.get_value().tolist(), flag.get_value()) == (0, [5.0, 6.0], False)
    tick({w: [1, 2]})
    tick([(w, [as_tensor(7.0, "float16"), as_tensor(8.0, "float16")])])
    assert w.get_value().tolist() == [7.0, 8.0]


def test_later_changes_of_an_array_do_not_reach_the_update() -> None:
    w, new = variable([0.0, 0.0]), np.array([1.0, 2.0])
    u = Updates([(w, new)])
    new[:] = 9
    tick(u)
    assert w.get_value().tolist() == [1.0, 2.0]


def test_none_and_an_empty_list_are_no_updates() -> None:
    assert as_updates(None) == ([], [])
    assert as_updates([]) == ([], [])
    assert Updates().then([]).when(True) == []


# guards ---------------------------------------------------------------------------------------------------------------


def test_a_guard_is_one_condition_at_the_root_of_each_update() -> None:
    a, b = variable(1.0, name="a"), variable(2.0, name="b")
    first, second = greater(a, 0), greater(b, 0)
    u = Updates([(a, a + 1), (b, b * 2)]).when(first).when(second)
    conditions = {item.value.inputs[0] for item in u}
    assert {item.value.op.name for item in u} == {"hold"}
    assert [item.value.inputs[2] for item in u] == [a, b]
    assert len(conditions) == 1
    assert next(iter(conditions)).inputs == (second, first)


def test_a_closed_guard_keeps_what_would_have_been_nan() -> None:
    w = variable([1.0, 2.0])
    tick(Updates([(w, sqrt(w - 10))]).when(constant(False)))
    assert w.get_value().tolist() == [1.0, 2.0]


def test_a_register_that_keeps_its_value_needs_no_guard() -> None:
    w = variable(1.0)
    assert Updates([(w, w)]).when(greater(w, 0)) == [(w, w)]


@pytest.mark.parametrize(
    ("condition", "error", "words"),
    [
        (lambda w: 1, ArgumentTypeError, "1 is no condition"),
        (lambda w: np.array([True]), ArgumentTypeError, "equal"),
        (lambda w: placeholder(()), DTypeError, "compare it first"),
        (lambda w: greater(w, 0), ShapeError, "any or all"),
        (lambda w: w == 1, SymbolicError, "equal"),
    ],
)
def test_a_condition_is_one_truth_value(condition: Any, error: type[Exception], words: str) -> None:
    w = variable([1.0, 2.0])
    with pytest.raises(error, match=words):
        Updates([(w, w + 1)]).when(condition(w))


# for people -----------------------------------------------------------------------------------------------------------


def test_updates_print_as_aligned_mathematics_with_primes_for_new_values() -> None:
    w, m = variable([1.0], name="w"), variable([0.0], name="m/w")
    g = placeholder((1,), name="g")
    m_new = 0.9 * m + 0.1 * g
    u = Updates([(m, m_new), (w, w - 0.01 * m_new)], labels={m: "m"})
    assert repr(u).splitlines() == ["m/w ← 0.9·m + 0.1·g", "w   ← w − 0.01·m′"]
    assert repr(u[1:]) == "w ← w − 0.01·(0.9·m + 0.1·g)"
    guarded = u.when(greater(placeholder((), name="n"), 3))
    assert repr(guarded).splitlines()[1] == "w   ← w − 0.01·m′ if n > 3 else w"
    assert u._repr_latex_().startswith("$$\\begin{aligned}\n\\mathrm{m/w} &\\leftarrow 0.9 \\cdot m + 0.1 \\cdot g")
    assert u._repr_html_().count("<tr>") == 2
    assert repr(Updates()) == "Updates()"


def test_a_label_of_a_new_value_is_used_in_the_other_rows() -> None:
    w, b = variable(1.0, name="w"), variable(1.0, name="b")
    new = w + 1
    assert repr(Updates([(w, new), (b, new * b)], {new: "N"})).splitlines() == ["w ← w + 1", "b ← N·b"]


def test_a_plain_tensor_among_updates_prints_without_a_register() -> None:
    w = variable(1.0, name="w")
    assert repr(Updates([(w, w + 1), w * 2])).splitlines() == ["w ← w + 1", "  = w·2"]


def test_several_expressions_can_be_foretold_at_once() -> None:
    w = variable(1.0, name="w")
    u = Updates([(w, w + 1)])
    assert [float(x) for x in values_of(u.after([w, w * 3]))] == [2.0, 6.0]
    assert values_of([u.after(w)])[0] == 2.0


def test_names_are_escaped_where_they_are_shown_as_html() -> None:
    w = variable(1.0, name="<script>")
    assert "<script>" not in Updates([(w, w + 1)])._repr_html_()


def test_many_updates_print_in_a_screenful() -> None:
    w = [variable(0.0, name=f"w{i}") for i in range(1000)]
    assert len(repr(Updates([(v, v + 1) for v in w])).splitlines()) == 61


@given(some_updates())
def test_whatever_updates_there_are_they_print(u: dict[int, Recipe]) -> None:
    found = made(u, fresh())
    for text in (repr(found), found._repr_latex_(), found._repr_html_()):
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")


def test_a_chain_of_20_000_ops_is_moved_one_tick_later_without_recursion() -> None:
    w = variable(0.0)
    x: Tensor = w
    for _ in range(20_000):
        x = x + 1
    moved = Updates([(w, square(w))]).then([(w, x)])
    assert len(ancestors([moved[w]])) >= 20_000
    assert repr(moved).startswith(f"{w.name} ← … + 1")


def test_updates_that_are_extended_keep_how_tensors_are_called() -> None:
    w, g = variable([1.0, 2.0]), placeholder((2,))
    named = Updates([(w, w - g)], {g: "∂loss/∂w"})
    longer = Updates()
    longer.extend(named)
    assert "∂loss/∂w" in repr(longer)
