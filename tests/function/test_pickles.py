"""What a pickle and a deep copy of functions keep: shared registers, labels, random streams, constraints."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import backend as K
from autograph.graph.updates import Updates
from optimizers import Adam
from tests.executors.faults import is_free

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "the oldest protocol": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "pickle in Python": lambda x: pickle._loads(pickle._dumps(x)),  # type: ignore[attr-defined]
    "deepcopy": copy.deepcopy,
}
each_way = pytest.mark.parametrize("twin_of", WAYS.values(), ids=WAYS)


def at_most_one(w: Any) -> Any:
    """A constraint that a pickle can name."""
    return ag.minimum(w, 1.0)


def register(f: Any, name: str) -> Any:
    return next(v for v in f.registers if v.name == name)


def pair() -> tuple[Any, Any, Any]:
    """Two functions of one register, and the register."""
    x, w = ag.placeholder((2,), name="x"), ag.variable(np.ones(2), name="w")
    return ag.function([x], None, [(w, w + x)], name="step"), ag.function([x], w * x, name="look"), w


@each_way
@pytest.mark.parametrize("put", [lambda f, g: [f, g], lambda f, g: {"a": f, "b": [(g,)]}, lambda f, g: (g, [f])])
def test_functions_that_are_copied_together_share_what_they_shared(twin_of: Any, put: Any) -> None:
    step, look, w = pair()
    step([1, 2])
    found = twin_of(put(step, look))
    functions = {f.name: f for f in flat_functions(found)}
    one, other = functions["step"], functions["look"]
    assert one is not step and register(one, "w") is register(other, "w") is not w
    assert other([1, 1]).tolist() == [2, 3]
    one([10, 10])
    assert other([1, 1]).tolist() == [12, 13] and w.get_value().tolist() == [2, 3]
    assert is_free([register(one, "w")]) and one._domain.root() is other._domain.root()


def flat_functions(x: Any) -> list[Any]:
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else None
    return [x] if parts is None else [f for part in parts for f in flat_functions(part)]


@each_way
def test_functions_that_are_copied_apart_share_nothing(twin_of: Any) -> None:
    step, look, _ = pair()
    one, other = twin_of(step), twin_of(look)
    one([1, 1])
    assert other([1, 1]).tolist() == [1, 1] and register(one, "w") is not register(other, "w")


@each_way
def test_one_function_twice_is_one_function_twice(twin_of: Any) -> None:
    step, _, _ = pair()
    first, second = twin_of([step, step])
    assert first is second is not step


def test_a_variable_beside_a_function_in_a_pickle_is_the_register_of_the_copy() -> None:
    step, _, w = pair()
    for box in ({"w": w, "step": step}, {"step": step, "w": w}):
        other = pickle.loads(pickle.dumps(box))
        other["step"]([5, 5])
        assert other["w"].get_value().tolist() == [6, 6] and w.get_value().tolist() == [1, 1]
        assert other["w"].name == "w" and "test_pickles.py" in str(other["w"].origin)


@each_way
def test_the_labels_of_updates_are_kept(twin_of: Any) -> None:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    loss = ag.reduce_sum(ag.square(ag.matmul(x, w)))
    f = ag.function([x], loss, Adam(0.1, clipnorm=1.0).get_updates(loss, [w]).when(loss < 10))
    other = twin_of(f)
    assert f.updates.labels and len(other.updates.labels) > 3
    assert repr(other.updates) == repr(f.updates)
    assert other.updates._repr_latex_() == f.updates._repr_latex_()
    again = twin_of(other)
    assert repr(again.updates) == repr(f.updates) == repr(f.copy().updates)


def test_a_label_of_what_the_updates_do_not_read_stays_behind() -> None:
    w, unread = ag.variable(np.ones(2), name="w"), ag.variable(np.ones(1000), name="unread")
    f = ag.function([], None, Updates([(w, w + 1.0)], {unread * 2.0: "u", w: "ω"}))
    other = pickle.loads(pickle.dumps(f))
    assert list(other.updates.labels.values()) == ["ω"] and len(pickle.dumps(f)) < 3000
    assert repr(other.updates) == repr(f.updates)


@each_way
def test_random_streams_go_on_in_functions_built_on_the_copy(twin_of: Any) -> None:
    draw = ag.random_uniform((2,), seed=5)
    f = ag.function([], draw)
    f()
    other, second = twin_of([f, ag.function([], draw * 2.0)])
    (state,) = other.registers
    assert state.default_update is not None and second.registers == [state]
    built = ag.function([], other.tick.outputs[0])
    assert built.updates.registers == [state]
    wanted = [f().tolist() for _ in range(4)]
    assert [other().tolist(), built().tolist(), (second() / 2).tolist(), built().tolist()] == wanted


@each_way
def test_a_skipped_tick_of_a_copy_moves_its_random_stream_alone(twin_of: Any) -> None:
    draw = ag.random_uniform((2,), seed=5)
    x, w = ag.placeholder((), name="x"), ag.variable(np.zeros(2), name="w")
    f = ag.function([x], draw, [(w, w + draw * x)], on_nonfinite="skip")
    other = twin_of(f)
    first = other(np.nan)
    assert first.tolist() != other(1.0).tolist() and register(other, "w").get_value().any()


@each_way
def test_a_constraint_travels_where_a_pickle_can_name_it(twin_of: Any) -> None:
    w = ag.variable(np.zeros(2), name="w", constraint=at_most_one)
    f = ag.function([], None, [(w, w + 1.0)])
    assert register(twin_of(f), "w").constraint is at_most_one
    kept = ag.variable(np.zeros(2), name="kept", constraint=lambda v: v)
    g = ag.function([], kept)
    assert register(copy.deepcopy(g), "kept").constraint is kept.constraint


def test_a_constraint_that_no_pickle_can_name_is_an_error_that_says_what_to_do() -> None:
    w = K.variable(np.zeros(2), name="bounded", constraint=lambda v: v * 0.5)
    f = ag.function([], None, [(w, w + 1.0)])
    with pytest.raises(ag.ArgumentTypeError, match=r"(?s)'bounded'.*constraint.*lambda.*top of a module.*test_pickles"):
        pickle.dumps(f)
    f()
    assert w.get_value().tolist() == [1, 1]
    w.constraint = None
    assert pickle.loads(pickle.dumps(f)).registers[0].constraint is None


@each_way
def test_a_function_of_rows_can_be_copied(twin_of: Any) -> None:
    x, w = ag.placeholder((3,), name="x"), ag.variable(np.arange(3.0), name="w")
    f = ag.function([x], ag.hessian(ag.reduce_sum(ag.sin(x * w) * x), x))
    np.testing.assert_array_equal(twin_of(f)(np.ones(3)), f(np.ones(3)))


@pytest.mark.parametrize("what", [lambda w: w + 1.0, lambda w: ag.placeholder((2,), name="x"), lambda w: ag.constant(1.0)])
def test_an_expression_is_pickled_with_its_function_or_not_at_all(what: Callable[[Any], Any]) -> None:
    with pytest.raises(ag.ArgumentTypeError, match="pickle the function"):
        pickle.dumps(what(ag.variable(np.ones(2))))


def test_functions_that_share_registers_open_in_another_process() -> None:
    step, look, _ = pair()
    program = (
        "import pickle, sys; f, g = pickle.load(sys.stdin.buffer); f([1, 1]); print(g([1, 2]).tolist(), f.updates)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps([step, look]), capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"[2.0, 4.0] {step.updates}"


@each_way
def test_a_long_chain_that_two_functions_share_is_copied_without_recursion(twin_of: Any) -> None:
    w = ag.variable(np.array([0.5, -0.25]), name="w")
    y = w
    for _ in range(1000):
        y = y + 1e-4 * ag.tanh(y)
    one, other = twin_of([ag.function([], y), ag.function([], None, [(w, y)])])
    before = one()
    other()
    np.testing.assert_array_equal(register(one, "w").get_value(), before)


@each_way
def test_a_copy_is_let_go(twin_of: Any) -> None:
    one, other = twin_of(list(pair()[:2]))
    dead = [weakref.ref(one), weakref.ref(register(other, "w"))]
    del one, other
    gc.collect()
    assert [ref() for ref in dead] == [None, None]
