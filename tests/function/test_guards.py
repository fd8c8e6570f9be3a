"""Behind a guard that fails nothing is computed, whoever reads what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograph as ag
from autograph.executors.numpy import emit
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.updates import Updates

ON_NONFINITE = ("apply", "raise", "skip")


def counting(calls: list[int], number: int = 0) -> Callable[[Any], Tensor]:
    """An op that gives its input, and notes each time it runs."""

    def run(x: np.ndarray) -> np.ndarray:
        calls.append(number)
        return x.copy()

    return ag.custom_op(f"counted_{number}", run)  # type: ignore[no-any-return]


def switches(*names: str) -> list[Tensor]:
    return [ag.placeholder((), dtype="bool", name=name) for name in names]


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("mode", ON_NONFINITE)
def test_what_follows_reads_the_old_value_and_nothing_of_the_new_is_computed(mode: str, shape: tuple[int, ...]) -> None:
    calls: list[int] = []
    a, b = ag.variable(np.full(shape, 2.0), name="a"), ag.variable(np.full(shape, 10.0), name="b")
    (go,) = switches("go")
    first = Updates([(a, counting(calls)(a) * 3.0)])
    f = ag.function([go], a, first.when(go).then([(b, b + a)]), on_nonfinite=mode)
    assert np.all(f(False) == 2) and not calls
    assert np.all(a.get_value() == 2) and np.all(b.get_value() == 12)
    assert np.all(f(True) == 2) and calls == [0]
    assert np.all(a.get_value() == 6) and np.all(b.get_value() == 18)


def test_an_error_behind_a_guard_that_fails_does_not_happen() -> None:
    n, d, m = (ag.variable(k, dtype="int64") for k in (7, 0, 1))
    (go,) = switches("go")
    f = ag.function([go], None, Updates([(n, n // d)]).when(go).then([(m, m + n)]))
    f(False)
    assert (n.get_value(), m.get_value()) == (7, 8)
    with pytest.raises(ZeroDivisionError):
        f(True)
    assert (n.get_value(), m.get_value()) == (7, 8)


def test_a_look_inside_computes_no_more_than_a_tick() -> None:
    calls: list[int] = []
    a, b = ag.variable(np.ones(2), name="a"), ag.variable(np.ones(2), name="b")
    (go,) = switches("go")
    u = Updates([(a, counting(calls)(a) + 1.0)]).when(go).then([(b, b + a)])
    f = ag.function([go], None, u)
    assert f.preview(False)[b].tolist() == [2, 2] and f.preview(False)[a].tolist() == [1, 1]
    assert "counted" not in "".join(f.trace(False)) and not calls
    assert f.preview(True)[b].tolist() == [3, 3] and len(calls) == 1
    assert "counted" in "".join(f.trace(True))


def test_what_is_not_finite_behind_a_guard_that_fails_is_not_blamed() -> None:
    a, b = ag.variable(np.zeros(2), name="a"), ag.variable(np.ones(2), name="b")
    (go,) = switches("go")
    u = Updates([(a, ag.log(a))]).when(go).then([(b, ag.sqrt(a - b))])
    f = ag.function([go], None, u, on_nonfinite="raise")
    with pytest.raises(ag.NonFiniteError, match="sqrt"):
        f(False)
    with pytest.raises(ag.NonFiniteError, match="log"):
        f(True)


@pytest.mark.parametrize("p", [False, True])
@pytest.mark.parametrize("q", [False, True])
def test_a_guard_around_a_sequence_adds_its_condition_to_those_inside(p: bool, q: bool) -> None:
    calls: list[int] = []
    a, b = ag.variable(np.ones(2)), ag.variable(np.ones(2))
    inner, outer = switches("inner", "outer")
    u = Updates([(a, counting(calls)(a) + 1.0)]).when(inner).then([(b, b + a)]).when(outer)
    f = ag.function([inner, outer], None, u)
    f(p, q)
    assert len(calls) == (p and q)
    assert a.get_value()[0] == (2 if p and q else 1) and b.get_value()[0] == (1 if not q else 3 if p else 2)


def test_a_condition_may_read_what_another_guard_let_through() -> None:
    calls: list[int] = []
    a, b, c = ag.variable(np.ones(2)), ag.variable(np.ones(2)), ag.variable(np.zeros(2))
    (go,) = switches("go")
    first = Updates([(a, counting(calls, 1)(a) * 4.0)]).when(go)
    second = Updates([(b, counting(calls, 2)(b) + a)]).when(ag.reduce_sum(a) > 3)
    f = ag.function([go], None, first.then(second).then([(c, c + a + b)]))
    f(False)
    assert not calls and c.get_value().tolist() == [2, 2]
    f(True)
    assert sorted(calls) == [1, 2] and b.get_value().tolist() == [5, 5] and c.get_value().tolist() == [11, 11]


def test_a_program_of_many_lines_keeps_its_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit, "LINES", 3)
    calls: list[int] = []
    a, b = ag.variable(np.ones(2)), ag.variable(np.ones(2))
    x = ag.placeholder((2,), name="x")
    go = ag.reduce_sum(ag.sin(x)) > 0
    u = Updates([(a, ag.tanh(ag.sin(ag.cos(counting(calls)(a)))))]).when(go)
    f = ag.function([x], None, u.then([(b, ag.sin(ag.cos(ag.tanh(a))) + x)]))
    f([-1.0, -1.0])
    assert not calls
    np.testing.assert_allclose(b.get_value(), np.sin(np.cos(np.tanh(1.0))) - 1, rtol=1e-6)
    f([1.0, 1.0])
    assert calls == [0]
    new = np.tanh(np.sin(np.cos(1.0)))
    np.testing.assert_allclose(a.get_value(), new, rtol=1e-6)
    np.testing.assert_allclose(b.get_value(), np.sin(np.cos(np.tanh(new))) + 1, rtol=1e-6)


LAYERS = st.lists(
    st.tuples(
        st.integers(0, 2),  # the register that it writes
        st.integers(0, 2),  # one that it reads
        st.sampled_from([None, 0, 1, 2]),  # a guard of its own
        st.sampled_from([None, None, 0, 1, 2]),  # a guard around it and all before it
    ),
    min_size=1,
    max_size=6,
)


@given(LAYERS, st.tuples(st.booleans(), st.booleans(), st.booleans()), st.sampled_from(ON_NONFINITE))
def test_guards_and_sequences_in_any_order_give_what_python_gives(
    layers: list[tuple[int, int, int | None, int | None]], answers: tuple[bool, bool, bool], mode: str
) -> None:
    calls: list[int] = []
    start = [1.0, 2.0, 3.0]
    registers: list[Variable] = [ag.variable(np.full(2, value), dtype="float64") for value in start]
    go = switches("p", "q", "r")
    u, wanted, runs = Updates(), list(start), set()
    for i, (target, source, own, around) in enumerate(layers):
        v, w = registers[target], registers[source]
        layer = Updates([(v, counting(calls, i)(v * 0.5) + ag.sin(w))])
        u = u.then(layer if own is None else layer.when(go[own]))
        if own is None or answers[own]:
            runs.add(i)
            wanted[target] = wanted[target] * 0.5 + np.sin(wanted[source])
        if around is not None:
            u = u.when(go[around])
            if not answers[around]:
                wanted, runs = list(start), set()
    f = ag.function(go, None, u, on_unused_input="ignore", on_nonfinite=mode)
    f(*answers)
    found = [v.get_value()[0] for v in registers]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert set(calls) <= runs and len(calls) == len(set(calls))


def test_a_condition_is_remembered_as_long_as_it_is_asked() -> None:
    a = ag.variable(np.ones(1), dtype="float64")
    x = ag.placeholder((1,), dtype="float64", name="x")
    late = a
    for _ in range(8):  # each asks once more, long after the condition was computed; one byte would serve what comes between
        late = ag.hold(ag.reduce_sum(x) > 0, ag.sin(late), ag.cos(late))
        late = late + ag.cast(ag.greater(late, 5.0), "float64")
    f = ag.function([x], late, [])
    for feed, wave in ((1.0, np.sin), (-1.0, np.cos)):
        wanted = 1.0
        for _ in range(8):
            wanted = wave(wanted)
        np.testing.assert_allclose(f([feed]), wanted, rtol=1e-12)
