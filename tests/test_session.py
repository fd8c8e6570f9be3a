"""Sessions, `eval`, and what `clear_session` leaves."""

from __future__ import annotations

import gc
import weakref
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Session, StaleGraphError, Update, Updates, placeholder, variable
from autograph.session import _KEPT


@pytest.fixture
def session() -> Any:
    with Session() as made:
        yield made


# fetches and feeds ---------------------------------------------------------------------------------------------------


def test_a_tensor_gives_its_value(session: Session) -> None:
    x, v = placeholder((None,)), variable([1.0, 2.0])
    assert session.run(v).tolist() == [1, 2]
    assert session.run(x * 2, {x: [3, 4]}).tolist() == [6, 8]
    assert session.run(v + x, feed_dict={x: np.ones(2)}).tolist() == [2, 3]


def test_structures_come_back_as_they_were(session: Session) -> None:
    v, point = variable(2.0), namedtuple("point", "a b")
    fetched = session.run({"one": v, "many": [v + 1, (v + 2,)], "named": point(v + 3, v)})
    assert fetched == {"one": 2, "many": [3, (4,)], "named": point(5, 2)}
    assert session.run([]) == []


def test_any_tensor_may_be_fed_and_a_feed_may_be_unused(session: Session) -> None:
    x, y = placeholder(()), placeholder(())
    middle = x * x
    assert session.run(middle + 1, {middle: 10.0, y: 3.0}) == 11


def test_updates_are_carried_out_in_one_tick(session: Session) -> None:
    a, b = variable(1.0), variable(2.0)
    swap = Updates([(a, b), (b, a)])
    assert session.run([a, swap]) == [1, None] and (a.get_value(), b.get_value()) == (2, 1)
    step = Update(a, a + 10)
    assert session.run([step, a]) == [12, 2] and a.get_value() == 12
    assert session.run(step) == 22
    assert session.run((step, step)) == (32, 32) and a.get_value() == 32


@pytest.mark.parametrize("fetches", [1.0, "loss", None, [np.ones(2)]])
def test_a_fetch_is_a_tensor_or_an_update(session: Session, fetches: Any) -> None:
    with pytest.raises(TypeError, match="no tensor and no update"):
        session.run(fetches)


def test_a_feed_is_named_by_its_tensor(session: Session) -> None:
    x = placeholder((), name="x")
    with pytest.raises(TypeError, match="'x', not a tensor"):
        session.run(x, {"x": 1.0})
    with pytest.raises(ag.MissingInputError, match="'x'"):
        session.run(x)


# what is kept --------------------------------------------------------------------------------------------------------


def test_functions_are_compiled_once_for_each_set_of_fetches_and_feeds(session: Session) -> None:
    x, y = placeholder(()), placeholder(())
    total = x + y
    for i in range(5):
        assert session.run(total, {x: i, y: 1} if i % 2 else {y: 1, x: i}) == i + 1
        session.run([total], {x: 1, y: 1})
    assert repr(session) == "<Session: 1 functions>"
    session.run([total, x], {x: 1, y: 1})
    assert repr(session) == "<Session: 2 functions>"
    session.close()
    assert repr(session) == "<Session: 0 functions>"


def test_a_session_keeps_a_bounded_number(session: Session) -> None:
    v = variable(1.0)
    for i in range(_KEPT + 10):
        assert session.run(v + i) == i + 1
    assert repr(session) == f"<Session: {_KEPT} functions>"


def test_the_program_shares_one_session() -> None:
    mine, before = Session(), ag.get_session()
    try:
        ag.set_session(mine)
        assert ag.get_session() is mine
    finally:
        ag.set_session(before)
    with pytest.raises(TypeError, match="no session"):
        ag.set_session(3)  # type: ignore[arg-type]


def test_clear_session_makes_tensors_stale_and_lets_functions_run() -> None:
    v = variable(1.0)
    f = ag.function([], [v * 2], updates=[(v, v + 1)])
    ag.get_session().run(v)
    ag.clear_session()
    assert f() == [2] and f() == [4] and v.get_value() == 3
    assert repr(ag.get_session()) == "<Session: 0 functions>"
    with pytest.raises(StaleGraphError, match=r"cleared at test_session\.py"):
        v + 1
    with pytest.raises(StaleGraphError):
        ag.get_session().run(v)


# eval ----------------------------------------------------------------------------------------------------------------


def test_eval_of_leaves_and_expressions() -> None:
    x, v = placeholder((None,), name="x"), variable([1.0, 2.0])
    assert ag.eval(v).tolist() == [1, 2] and ag.eval(v * 2).tolist() == [2, 4]
    assert ag.eval(3) == 3 and ag.eval([1.5, 2]).tolist() == [1.5, 2]
    assert ag.eval(v + x, {x: [1, 1]}).tolist() == [2, 3] and ag.eval(v, {v * 1: [0, 0]}).tolist() == [1, 2]
    assert ag.eval(x, {x: [5]}).tolist() == [5]
    assert ag.eval(placeholder((), default=4)) == 4


def test_eval_gives_copies() -> None:
    v, c = variable([1.0]), ag.constant([1.0])
    for tensor in (v, c, v + c):
        ag.eval(tensor)[:] = 7
    assert v.get_value() == 1 and c.value == 1 and ag.eval(v + c) == 2


def test_eval_keeps_its_function_and_lets_go_with_the_tensor() -> None:
    v = variable([1.0, 2.0])
    y = v * 3
    ag.eval(y)
    (kept,) = y._evaluations.values()  # type: ignore[attr-defined]
    v.set_value([2.0, 2.0])
    assert ag.eval(y).tolist() == [6, 6] and list(y._evaluations.values()) == [kept]  # type: ignore[attr-defined]
    gone = weakref.ref(kept)
    del y, kept
    gc.collect()
    assert gone() is None


def test_eval_explains_a_missing_value() -> None:
    x = placeholder((None,), name="x")
    with pytest.raises(ag.MissingInputError, match=r"(?s)needs placeholder 'x'.*eval\(.*\{x: value\}\).*test_session\.py"):
        ag.eval(x + 1)
    with pytest.raises(TypeError, match="not a tensor"):
        ag.eval(x, {"x": 1})  # type: ignore[dict-item]


def test_eval_draws_random_numbers_anew() -> None:
    noise = ag.random_uniform((4,))
    assert (ag.eval(noise) != ag.eval(noise)).any()
