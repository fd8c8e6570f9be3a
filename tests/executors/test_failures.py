"""All or nothing, where an op raises, sizes do not fit, or there is no memory."""

from __future__ import annotations

import contextlib
import gc
import itertools
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.executors.numpy import executor
from autograph.graph.tensor import Variable
from optimizers import Adam
from tests.executors.faults import fuse, is_free, network, values
from tests.function.programs import count

MODES = ("apply", "raise", "skip")

# no memory ------------------------------------------------------------------------------------------------------------


class Scarce:
    """NumPy's allocating functions, of which call number `at` (and, where it persists, every later one) fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, persists: bool) -> None:
        self.left = at
        for name in ("empty", "zeros", "array", "copyto", "concatenate", "matmul", "dot", "full", "ones", "asarray"):
            monkeypatch.setattr(np, name, self._scarce(getattr(np, name), persists))

    def _scarce(self, function: Callable[..., Any], persists: bool) -> Callable[..., Any]:
        def allocate(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == -1 or (persists and self.left < 0):
                raise MemoryError
            return function(*args, **named)

        return allocate


@pytest.mark.parametrize("persists", [False, True])
@pytest.mark.parametrize("mode", ["apply", "raise"])
def test_no_memory_at_any_allocation_of_a_first_call_changes_nothing(mode: str, persists: bool) -> None:
    failures = 0
    for at in range(0, 10**6, count(3, 1)):
        f, registers, feeds = network(mode, Adam(0.01), width=8)
        old = values(registers)
        with pytest.MonkeyPatch.context() as patch:
            scarce = Scarce(patch, at, persists)
            try:
                f(*feeds)
            except MemoryError:
                failures += 1
            enough, scarce.left = scarce.left >= 0, 10**9  # what was prepared meanwhile keeps calling it
        if enough:
            break
        if values(registers) == old:
            f(*feeds)  # the process lives, and the next call works
        assert all(a != b for a, b in zip(values(registers), old, strict=True) if a) or True
        g, twins, _ = network(mode, Adam(0.01), width=8)
        g(*feeds)
        assert values(registers) == values(twins)
    assert failures > 5


def test_scratch_that_cannot_grow_is_an_error_that_names_the_biggest_node(monkeypatch: pytest.MonkeyPatch) -> None:
    f, registers, feeds = network("apply", Adam(0.01))
    f(*feeds)
    old = values(registers)

    def full(self: Any, size: int) -> None:
        raise MemoryError

    monkeypatch.setattr(executor.Arena, "fit", full)
    with pytest.raises(ag.SizeError, match="No variable was changed"):
        f(*(np.concatenate([feed] * 4) for feed in feeds))
    assert values(registers) == old and is_free(registers)
    monkeypatch.undo()
    f(*(np.concatenate([feed] * 4) for feed in feeds))
    assert values(registers) != old


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
def test_a_limit_on_the_address_space_is_survived() -> None:
    script = """
        import resource, numpy as np, autograph as ag
        x = ag.placeholder((None, 1000), name="x")
        w, n = ag.variable(np.ones((1000, 1)), name="w"), ag.variable(0, dtype="int64")
        y = ag.sin(x) * ag.cos(x) + ag.exp(-ag.square(x))
        f = ag.function([x], ag.reduce_sum(ag.matmul(y, w)), [(w, w * 1.5), (n, n + 1)])
        f(np.ones((10, 1000), "float32"))
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 60 * 2**20,) * 2)
        feed = np.broadcast_to(np.float32(1), (10**5, 1000))
        for _ in range(3):
            try:
                f(feed)
            except ag.SizeError as error:
                assert "float32[100000, 1000]" in str(error), error
                assert "GiB" in str(error) and "No variable was changed" in str(error)
            else:
                raise SystemExit("it must not fit")
            assert n.get_value() == 1 and (w.get_value() == 1.5).all()
        f(np.ones((10, 1000), "float32"))
        assert n.get_value() == 2
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "alive", done.stderr



# an op that raises, at each place -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_each_op_may_be_the_one_that_raises(mode: str) -> None:
    burnt: list[int] = []
    numbers = itertools.count()
    place = lambda tensor: fuse(burnt, next(numbers))(tensor)
    x = ag.placeholder((None, 3), name="x")
    w, v, n = ag.variable(np.ones((3, 2))), ag.variable(np.ones((3, 2))), ag.variable(0, dtype="int64")
    hidden = place(ag.tanh(place(ag.matmul(place(x), place(w)))))
    loss = place(ag.reduce_sum(place(ag.square(hidden))))
    (g,) = ag.gradients(loss, [w])
    updates = [(w, place(w - 0.1 * place(g))), (v, place(v) * 0.9 + g), (n, n + 1)]
    f = ag.function([x], [loss, place(hidden)], updates, on_nonfinite=mode)
    feed = np.ones((4, 3))
    f(feed)
    total = next(numbers)
    assert total >= 9
    for number in range(total):
        old = values([w, v, n])
        burnt[:] = [number]
        with pytest.raises(RuntimeError, match=f"fuse {number}\\n") as caught:
            f(feed)
        assert values([w, v, n]) == old
        notes = " ".join(caught.value.__notes__)
        assert f"fuse_{number}" in notes and "test_failures.py" in notes and "No variable was changed" in notes
        burnt.clear()
        f(feed)
        assert all(a != b for a, b in zip(values([w, v, n]), old, strict=True))
    assert is_free([w, v, n])


def bad_calls() -> dict[str, tuple[Callable[[Variable, Variable], tuple[Any, Any]], list[Any], list[Any], type[Exception]]]:
    """Inputs and a new value for `a` (beside an innocent update of `b`), feeds that fit, feeds that do not, the error."""
    x = lambda shape, dtype=None: ag.placeholder(shape, dtype=dtype, name="x")

    def one(shape: Any, value: Callable[[Any, Any], Any], dtype: Any = None) -> Callable[[Variable, Variable], Any]:
        def made(a: Variable, b: Variable) -> Any:
            p = x(shape, dtype)
            return [p], value(p, a)

        return made

    return {
        "a new value of another size": (one((None,), lambda p, a: p * 1.0), [np.ones(3)], [np.ones(4)], ag.UpdateTypeError),
        "a new value of size 1": (one((None,), lambda p, a: p), [np.ones(3)], [np.ones(1)], ag.UpdateTypeError),
        "a new value of size 0": (one((None,), lambda p, a: p + 1.0), [np.ones(3)], [np.ones(0)], ag.UpdateTypeError),
        "sizes that do not broadcast": (
            one((None,), lambda p, a: a + p), [np.ones(3)], [np.ones(2)], ag.ShapeError,
        ),
        "inner sizes of a product": (
            one((None, None), lambda p, a: ag.reshape(ag.matmul(ag.expand_dims(a, 0), p), (3,))),
            [np.ones((3, 3))], [np.ones((4, 3))], ag.ShapeError,
        ),
        "an index out of range": (
            one((None,), lambda p, a: ag.gather(a, p), "int64"), [[0, 1, 2]], [[0, 3, 1]], ag.IndexRangeError,
        ),
        "a negative index out of range": (
            one((None,), lambda p, a: ag.gather(a, p), "int32"), [[0, -1, 2]], [[0, -4, 1]], ag.IndexRangeError,
        ),
        "an integer divided by zero": (
            one((3,), lambda p, a: ag.cast(6 // p, "float32"), "int64"), [[1, 2, 3]], [[1, 0, 3]], ag.DivisionByZeroError,
        ),
        "a remainder of zero": (
            one((3,), lambda p, a: ag.cast(6 % p, "float32"), "int64"), [[1, 2, 3]], [[1, 2, 0]], ag.DivisionByZeroError,
        ),
        "a feed of another rank": (one((None,), lambda p, a: a + p), [np.ones(3)], [np.ones((3, 1))], ag.FeedError),
        "a feed that is no number": (one((None,), lambda p, a: a + p), [np.ones(3)], ["text"], ag.FeedError),
    }  # fmt: skip


@pytest.mark.parametrize("first", [False, True], ids=["after a call that fits", "at once"])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("case", bad_calls())
def test_what_does_not_fit_at_run_time_changes_nothing(case: str, order: int, first: bool) -> None:
    make, fits, does_not, error = bad_calls()[case]
    a, b = ag.variable(np.ones(3), name="a"), ag.variable(np.ones(3), name="b")
    inputs, value = make(a, b)
    f = ag.function(inputs, ag.reduce_sum(b), [(b, b * 2.0), (a, value)][::order])
    if not first:
        f(*fits)
    old = values([a, b])
    with pytest.raises(error, match="No variable was changed"):
        f(*does_not)
    assert values([a, b]) == old and is_free([a, b])
    f(*fits)
    assert values([b]) != old[1:]


def test_a_custom_op_that_breaks_its_promise_changes_nothing() -> None:
    answer: list[Any] = [None]
    op = ag.custom_op("liar", lambda x: answer[0])
    a, b = ag.variable(np.ones(3), name="a"), ag.variable(np.ones(3), name="b")
    f = ag.function([], None, [(b, b * 2.0), (a, op(a))])
    answer[0] = np.zeros(3, "float32")
    f()
    old = values([a, b])
    for lie in (np.zeros(1, "float32"), np.zeros(4, "float32"), np.zeros(3), None, "text"):
        answer[0] = lie
        with pytest.raises((ag.ShapeError, ag.DTypeError, TypeError, ValueError)):
            f()
        assert values([a, b]) == old


def test_a_finalizer_that_ticks_in_a_commit_tears_nothing() -> None:
    a, b = ag.variable(np.zeros(600)), ag.variable(np.zeros(600))
    f = ag.function([], None, [(a, a + 1.0), (b, b - 1.0)])
    f()

    class Meddler:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            with contextlib.suppress(ag.ReentrantCallError):
                f()

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(200):
            Meddler()
            f()
    finally:
        gc.set_threshold(*before)
    np.testing.assert_array_equal(a.get_value(), -b.get_value())
    assert a.get_value().min() == a.get_value().max() >= 201


def test_a_warning_turned_into_an_error_finds_nothing_to_warn_of_in_a_tick() -> None:
    x = ag.placeholder((None,), name="x")
    a, b, c = (ag.variable(np.array([1e30, 0.0, -1.0]), name=n) for n in "abc")
    updates = [(a, ag.exp(a) * a), (b, ag.log(b) / b), (c, ag.maximum(ag.sqrt(c) / x, ag.minimum(a, c)))]
    f = ag.function([x], [1.0 / x, ag.log(x), ag.cast(ag.log(x), "int32")], updates)
    before = np.seterr(all="raise")
    try:
        for _ in range(2):
            found = f(np.array([0.0, -1.0, 1e-40]))
    finally:
        np.seterr(**before)
    assert np.isinf(found[0][0])
