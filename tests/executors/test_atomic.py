"""All or nothing: after any failure at any moment each register holds, byte for byte, what it held before the tick.

The faults: an exception at every bytecode, two real signals a call, no memory, an op that raises, sizes that do not fit.
"""

from __future__ import annotations

import itertools
import signal
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
from autograph.graph.updates import Updates
from optimizers import SGD, Adam
from tests.executors.faults import Injected, Shots, fuse, interrupted_at, is_free, values
from tests.function.programs import count, random_program

MODES = ("apply", "raise", "skip")


def network(mode: str, optimizer: Any, width: int = 64, guard: bool = False) -> tuple[Any, list[Variable], list[Any]]:
    """A training step of a small network, every register it has, and feeds for it."""
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, 8), name="x"), ag.placeholder((None, 3), name="t")
    params = [
        ag.variable(rng.normal(size=shape) * 0.3, name=name)
        for name, shape in (("w1", (8, width)), ("b1", (width,)), ("w2", (width, 3)), ("b2", (3,)))
    ]
    hidden = ag.tanh(ag.matmul(x, params[0]) + params[1])
    loss = ag.reduce_mean(ag.square(ag.matmul(hidden, params[2]) + params[3] - t))
    ticks, target = ag.variable(0, dtype="int64", name="ticks"), ag.variable(np.zeros((8, width)), name="target")
    updates = optimizer.get_updates(loss, params) + [(ticks, ticks + 1), (target, 0.9 * target + 0.1 * params[0])]
    if guard:
        updates = updates.when(ag.greater(loss, 0.0))
    f = ag.function([x, t], loss, updates, on_nonfinite=mode)
    return f, f.registers, [rng.normal(size=(16, 8)).astype("float32"), rng.normal(size=(16, 3)).astype("float32")]


# an exception at every bytecode ---------------------------------------------------------------------------------------


def survives_every_bytecode(call: Callable[[], Any], registers: list[Variable], stride: int = 1) -> int:
    """Interrupt the call at each bytecode; registers are then all old or all new, and no lock is held. How many points."""
    call()
    point = points = 0
    while True:
        old = values(registers)
        hit = interrupted_at(call, point)
        found = values(registers)
        assert not any(v.register.domain.root().lock._is_owned() for v in registers)  # type: ignore[attr-defined]
        if not hit:
            return points
        if found != old:
            assert all(a != b for a, b in zip(found, old, strict=True)), f"torn at bytecode {point}"
        points += 1
        point += stride


class Moving:
    """A function of which every register moves with every tick, so that old and new are told apart one by one."""

    def __init__(self, mode: str, guard: bool, draw: bool) -> None:
        x = ag.placeholder((None, 3), name="x")
        a, b = ag.variable(np.ones((3, 3)), name="a"), ag.variable(np.full((3, 3), 2.0), name="b")
        n, big = ag.variable(0, dtype="int64", name="n"), ag.variable(np.zeros(600), name="big")
        shift = ag.random_uniform((3, 3), seed=1) if draw else ag.matmul(x.T, x)
        updates = Updates([(a, b + 1.0), (b, a * 1.01 + 0.01 * shift), (n, n + 1), (big, big + 1.0 + ag.reduce_sum(x) * 0.0)])
        if guard:
            updates = updates.when(n >= 0)
        self.function = ag.function([x], [a, ag.reduce_sum(x)], updates, on_nonfinite=mode)
        self.registers = self.function.registers
        self.feed = np.eye(3, dtype="float32")

    def __call__(self) -> Any:
        return self.function(self.feed)


@pytest.mark.parametrize("draw", [False, True])
@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_an_exception_at_any_bytecode_of_a_call_leaves_all_old_or_all_new(mode: str, guard: bool, draw: bool) -> None:
    moving = Moving(mode, guard, draw)
    assert survives_every_bytecode(moving, moving.registers) > 20
    assert is_free(moving.registers)
    before = moving.registers[0].get_value()
    moving()
    assert moving.registers[0].get_value().tobytes() != before.tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_an_exception_at_any_bytecode_of_a_first_call(mode: str) -> None:
    points = 0
    for point in range(3, 10**6, count(331, 7)):
        moving = Moving(mode, guard=False, draw=False)
        old = values(moving.registers)
        if not interrupted_at(moving, point):
            break
        points += 1
        found = values(moving.registers)
        changed = [a != b for a, b in zip(found, old, strict=True)]
        assert all(changed) or not any(changed)
        assert not any(v.register.domain.root().lock._is_owned() for v in moving.registers)  # type: ignore[attr-defined]
        twin = Moving(mode, guard=False, draw=False)
        if all(changed):
            twin()
        moving(), twin()
        assert values(moving.registers) == values(twin.registers)
    assert points > 20


def test_an_exception_at_any_bytecode_when_shapes_change() -> None:
    moving = Moving("apply", guard=False, draw=False)
    rows = [np.ones((n, 3), "float32") for n in range(1, 100)]
    for point in range(count(60, 900)):
        feed = rows[point % len(rows)]
        moving.feed = feed
        old = values(moving.registers)
        interrupted_at(moving, point * count(97, 7))
        changed = [a != b for a, b in zip(values(moving.registers), old, strict=True)]
        assert all(changed) or not any(changed)
        moving.feed = feed
        assert moving()[1] == feed.sum(), "the shapes of an interrupted call are not another's"


@pytest.mark.parametrize("seed", range(count(10, 200)))
def test_random_programs_under_an_exception_at_each_bytecode(seed: int) -> None:
    p = random_program(seed)
    q = random_program(seed)
    f, g = (ag.function(r.inputs, r.outputs, r.updates, on_unused_input="ignore", on_nonfinite=MODES[seed % 3]) for r in (p, q))
    feeds = p.feeds(seed)
    f(*feeds), g(*feeds)
    point = 0
    while interrupted_at(lambda: f(*feeds), point):
        if values(p.variables) != values(q.variables):
            g(*feeds)
        assert values(p.variables) == values(q.variables), f"torn at bytecode {point}"
        point += 1 + seed % 3


@pytest.mark.parametrize(
    "what", ["get_value", "set_value", "state", "restore", "preview", "profile", "prepare", "function", "pickle"]
)
def test_no_lock_stays_held_whatever_is_interrupted(what: str) -> None:
    import pickle

    moving = Moving("apply", guard=False, draw=True)
    moving()
    a, f = moving.registers[0], moving.function
    state = f.state()
    rows = iter(range(5, 10**6))
    calls: dict[str, Callable[[], Any]] = {
        "get_value": a.get_value, "set_value": lambda: a.set_value(np.ones(a.shape)), "state": f.state,  # type: ignore[arg-type]
        "restore": lambda: f.restore(state), "preview": lambda: f.preview(moving.feed),
        "profile": lambda: f.profile(moving.feed, ticks=1), "prepare": lambda: f.prepare((next(rows), 3)),
        "function": lambda: ag.function([], a, [(a, a + 1.0)]), "pickle": lambda: pickle.dumps(f),
    }  # fmt: skip
    stride = {"profile": 97, "preview": 23, "prepare": 401, "function": 401, "pickle": 41, "state": 3, "restore": 5}.get(what, 1)
    point = 0
    while interrupted_at(calls[what], point):
        assert not any(v.register.domain.root().lock._is_owned() for v in moving.registers)  # type: ignore[attr-defined]
        point += stride
        if point > count(12_000, 10**6):
            break
    assert is_free(moving.registers)
    moving()


def test_restoring_is_all_or_nothing_at_every_bytecode() -> None:
    moving = Moving("apply", guard=False, draw=True)
    f = moving.function
    moving()
    first = f.state()
    moving()
    second = f.state()
    point, now = 0, second
    while True:
        other = first if now is second else second
        hit = interrupted_at(lambda: f.restore(other), point)  # noqa: B023
        found = [f.state()[v].tobytes() for v in f.registers]
        wanted = [[s[v].tobytes() for v in f.registers] for s in (now, other)]
        assert found in wanted, f"torn at bytecode {point}"
        now = now if found == wanted[0] else other
        if not hit:
            break
        point += 1


# real signals ---------------------------------------------------------------------------------------------------------

def needs_timers(test: Any) -> Any:
    """For tests with real signals: one that falls into a finalizer is lost, which tears nothing."""
    skip = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timer signals")
    return skip(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(test))


NETWORKS: dict[str, Callable[[], tuple[Any, list[Variable], list[Any]]]] = {
    "Adam": lambda: network("apply", Adam(0.01, amsgrad=True)),
    "Adam, refusing": lambda: network("raise", Adam(0.01)),
    "Adam, skipping": lambda: network("skip", Adam(0.01, clipnorm=1.0)),
    "momentum, guarded": lambda: network("apply", SGD(0.01, momentum=0.9), guard=True),
    "a product stepped at once": lambda: network("apply", SGD(0.01), width=2100),
    "blocks": lambda: network("apply", Adam(0.01), width=400),
}


@needs_timers
@pytest.mark.parametrize("case", NETWORKS)
def test_two_signals_a_call_never_tear_a_step(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if case == "blocks":
        monkeypatch.setattr(executor, "BLOCK", 256)
        monkeypatch.setattr(executor, "last_level_cache", lambda: 1024)
    f, registers, feeds = NETWORKS[case]()
    g, twins, _ = NETWORKS[case]()  # the uninterrupted trajectory, always at the state of f or one step ahead
    start = f.state()
    f(*feeds)
    f.restore(start)
    assert sum(v.register.home.size for v in registers) > 500
    by_twin = {twin: start[v] for v, twin in zip(registers, twins, strict=True)}
    g(*feeds)
    g.restore(by_twin)
    from time import perf_counter

    began = perf_counter()
    for _ in range(5):
        f.profile(*feeds, ticks=1)
        g.profile(*feeds, ticks=1)
    began = perf_counter()
    f.loop(10, *feeds)
    g.loop(10, *feeds)
    longest = (perf_counter() - began) / 20
    hits = torn = 0
    with Shots(len(case), 1.3 * longest) as shots:
        for _ in range(count(1_500, 25_000)):
            old = values(twins)
            hits += shots.fire(lambda: f(*feeds)) > 0
            found = values(registers)
            if found != old:
                g(*feeds)
                torn += found != values(twins)
            assert not torn
            assert not any(v.register.domain.root().lock._is_owned() for v in registers)  # type: ignore[attr-defined]
    assert hits > 20, "the shots must land"
    f(*feeds), g(*feeds)
    assert values(registers) == values(twins) and is_free(registers)


@needs_timers
def test_signals_leave_no_lock_behind_in_reads_and_writes() -> None:
    v = ag.variable(np.zeros(1000))
    lock = v.register.domain.root().lock
    hits = 0
    with Shots(1, 6e-6) as shots:
        for _ in range(count(2000, 100_000)):
            hits += shots.fire(v.get_value) > 0
            hits += shots.fire(lambda: v.set_value(1.0 + np.zeros(1000))) > 0
            assert not lock._is_owned()  # type: ignore[attr-defined]
            assert v.register.home.min() == v.register.home.max()
    assert hits > 100


@needs_timers
def test_a_signal_in_a_loop_stops_it_between_two_ticks() -> None:
    a, b = ag.variable(np.zeros(600)), ag.variable(np.zeros(600))
    f = ag.function([], None, [(a, a + 1.0), (b, b - 1.0)])
    f()
    with Shots(2, 2e-3) as shots:
        hits = sum(shots.fire(lambda: f.loop(10_000)) > 0 for _ in range(count(20, 500)))
    assert hits > 10
    np.testing.assert_array_equal(a.get_value(), -b.get_value())
    assert a.get_value().min() == a.get_value().max()


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
        assert f"fuse_{number}" in notes and "test_atomic.py" in notes and "No variable was changed" in notes
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


def test_a_tick_inside_a_tick_is_refused_and_reads_are_of_old_values() -> None:
    seen: list[Any] = []
    w = ag.variable(np.ones(2), name="w")

    def inside(a: np.ndarray) -> np.ndarray:
        seen.append(w.get_value().tolist())
        try:
            inner()
        except ag.ReentrantCallError as error:
            seen.append(str(error))
        return a + 1

    inner = ag.function([], None, [(w, w * 3.0)], name="inner")
    outer = ag.function([], None, [(w, ag.custom_op("inside", inside)(w) * 2.0)])
    outer()
    assert seen[0] == [1, 1] and "'inner'" in seen[1] and "afterwards" in seen[1]
    assert w.get_value().tolist() == [4, 4]
    inner()
    assert w.get_value().tolist() == [12, 12]


def test_a_finalizer_that_ticks_in_a_commit_tears_nothing() -> None:
    import gc

    a, b = ag.variable(np.zeros(600)), ag.variable(np.zeros(600))
    f = ag.function([], None, [(a, a + 1.0), (b, b - 1.0)])
    f()

    class Meddler:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                f()
            except ag.ReentrantCallError:
                pass

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


def test_injected_is_no_exception_that_anyone_catches() -> None:
    assert not issubclass(Injected, Exception)
