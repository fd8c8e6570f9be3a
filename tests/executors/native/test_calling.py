"""A call whose feeds fit is one builtin; whatever is unusual goes the long way, and both do the same."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph import backend as K
from autograph.errors import ReentrantCallError
from autograph.executors.native import segments
from autograph.function import Function
from optimizers import Adam
from tests.executors.faults import is_free


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[Function]:
    """The functions whose calls went the long way."""
    found: list[Function] = []
    run = Function._run

    def noted(self: Function, feeds: Any) -> Any:
        found.append(self)
        return run(self, feeds)

    monkeypatch.setattr(Function, "_run", noted)
    return found


def step(executor: str = "native", width: int = 3) -> tuple[Any, list[Any], list[Any]]:
    """A step of training with outputs of all kinds; its registers, and feeds for it."""
    rng = np.random.default_rng(0)
    x, t = ag.placeholder((None, 4), name="x"), ag.placeholder((None, width), name="t")
    w, n = ag.variable(rng.normal(size=(4, width)), name="w"), ag.variable(0, name="n", dtype="int64")
    y = ag.tanh(ag.matmul(x, w))
    loss = ag.reduce_mean(ag.square(y - t))
    updates = Adam(lr=0.05).get_updates(loss, [w]).when(n < 9) + [(n, n + 1)]
    outputs = [loss, y, n, ag.transpose(y), w, y[:0], ag.reduce_all(y > 0.0), ag.reduce_max(y, 0)]
    feeds = [rng.normal(size=(5, 4)).astype("float32"), rng.normal(size=(5, width)).astype("float32")]
    return ag.function([x, t], outputs, updates, executor=executor), [w, n], feeds


@pytest.mark.parametrize("width", [3, 5000])
def test_calls_whose_feeds_fit_go_the_short_way_and_give_the_same(width: int, long_ways: list[Function]) -> None:
    (short, registers, feeds), (other, others, _) = step(width=width), step(width=width)
    held = []
    for k in range(12):
        got, wanted = short(*feeds), other(*(list(map(list, feed)) for feed in feeds))
        held.append(got)
        for a, b in zip(got, wanted, strict=True):
            assert type(a) is type(b) and np.shape(a) == np.shape(b) and a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
            assert np.ndim(a) == 0 or (a.flags.writeable and a.flags.c_contiguous)
        assert long_ways.count(short) == (1 if width == 3 else k + 1), "long outputs are Python's"
    for a, b in zip(registers, others, strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    assert [int(row[2]) for row in held] == list(range(12)), "each call gives arrays of its own"
    assert len({row[1].ctypes.data for row in held}) == 12 and is_free(registers)


def test_long_ticks_take_the_lock_and_let_others_run(monkeypatch: pytest.MonkeyPatch, long_ways: list[Function]) -> None:
    monkeypatch.setattr(segments, "_LONG", 0)
    f, registers, feeds = step()
    f(*feeds)
    for _ in range(5):
        f(*feeds)
    assert len(long_ways) == 1 and is_free(registers)
    lock = registers[0].register.domain.root().lock
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            entered.set()
            leave.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    entered.wait(30)
    caller = threading.Thread(target=lambda: f(*feeds))
    caller.start()
    caller.join(0.05)
    assert caller.is_alive() and registers[1].register.home == 6, "who holds the lock is waited for"
    leave.set()
    caller.join(30)
    other.join(30)
    assert registers[1].get_value() == 7 and len(long_ways) == 2


@pytest.mark.parametrize("what", ["list", "double", "strided", "turned", "shape", "unaligned", "subclass", "byteorder", "none"])
def test_what_does_not_fit_goes_the_long_way(what: str, long_ways: list[Function]) -> None:
    f, _, (x, t) = step()
    wanted = f(x, t)[3]
    unaligned = np.frombuffer(b"0" + x.tobytes(), "float32", x.size, 1).reshape(x.shape)
    odd: Any = {
        "list": x.tolist(), "double": x.astype("float64"), "strided": np.repeat(x, 2, 1)[:, ::2], "turned": np.asfortranarray(x),
        "shape": x[:4], "unaligned": unaligned, "subclass": x.view(np.recarray), "byteorder": x.astype(">f4"), "none": None,
    }[what]  # fmt: skip
    before = len(long_ways)
    if what == "none":
        with pytest.raises(ag.FeedError):
            f(odd, t)
    else:
        got = f(odd, t[:4] if what == "shape" else t)
        assert np.shape(got[3]) == (3, 4 if what == "shape" else 5) and np.shape(wanted) == (3, 5)
    assert len(long_ways) == before + 1
    with pytest.raises(ag.FeedError):
        f(x)
    with pytest.raises(ag.FeedError):
        f(x, t, t)


def test_homes_that_moved_and_domains_that_merged_are_seen(long_ways: list[Function]) -> None:
    f, (w, n), feeds = step()
    f(*feeds), f(*feeds)
    w.register.move(np.empty_like(w.register.home))
    assert int(f(*feeds)[2]) == 2 and len(long_ways) == 2, "bound anew"
    before = w.get_value()
    np.testing.assert_array_equal(f(*feeds)[4], before)
    assert len(long_ways) == 2 and not np.array_equal(w.get_value(), before), "it is the new home that is written"
    m = ag.variable(0.0)
    g = ag.function([], n, [(m, m + 1.0), (n, n + 10)], executor="native")
    g(), g(), f(*feeds), f(*feeds)
    assert n.get_value() == 26 and f._direct(*feeds)[2] == 26, "by the lock of both"
    assert is_free([w, n, m])


def test_a_lock_that_others_no_longer_take_is_not_relied_upon(long_ways: list[Function]) -> None:
    m = ag.variable(0.0)
    f, registers, feeds = step()
    f(*feeds), f(*feeds)
    own, before = registers[0].register.domain.root(), len(long_ways)
    ag.function([], None, [(m, m + 1.0), (registers[1], registers[1] + 1)], executor="native")
    assert own.parent is not None and f._direct(*feeds) is NotImplemented, "its registers have joined those of another"
    f(*feeds), f(*feeds)
    assert len(long_ways) == before + 2 and is_free([m, *registers]), "the first, by the lock it had and by that of all"


def test_a_call_inside_a_tick_of_the_same_registers_is_refused() -> None:
    w = ag.variable(np.ones(2), name="w")
    inner = ag.function([], w, [(w, w * 3.0)], executor="native")
    inner(), inner()
    refused = []

    def inside(a: np.ndarray) -> np.ndarray:
        with pytest.raises(ReentrantCallError):
            inner()
        refused.append(1)
        return a

    outer = ag.function([], None, [(w, ag.custom_op("inside", inside)(w) + 1.0)], executor="native")
    outer(), outer()
    assert len(refused) == 2 and w.get_value().tolist() == [11, 11]


def test_what_a_kernel_cannot_do_changes_nothing_and_is_told_as_ever(long_ways: list[Function]) -> None:
    x, k = ag.placeholder((None, 2)), ag.placeholder((), dtype="int64")
    w = ag.variable(0.0)
    f = ag.function([x, k], ag.gather(x, k), [(w, w + 1.0)], executor="native")
    data = np.ones((3, 2), "float32")
    f(data, np.array(1)), f(data, np.array(2))
    with pytest.raises(IndexError, match="created at"):
        f(data, np.array(7))
    assert w.get_value() == 2.0 and len(long_ways) == 2 and is_free([w])
    f(data, np.array(0))
    assert w.get_value() == 3.0


def test_lists_names_and_structures_are_called_by_the_same_builtin(long_ways: list[Function]) -> None:
    x, y = K.placeholder((None,), name="x"), K.placeholder((None,), name="y")
    a, b = np.arange(3, dtype="float32"), np.ones(3, "float32")
    forms = [K.function([x, y], [x + y], executor="native")]
    forms += [ag.function([x, y], form, executor="native") for form in (x + y, {"sum": x + y})]
    for f, read in zip(forms, (lambda r: r[0], lambda r: r, lambda r: r["sum"]), strict=True):
        for _ in range(2):
            got = f([a, b]) if f is forms[0] else f(a, b)
            np.testing.assert_array_equal(read(got), [1, 2, 3])
    assert len(long_ways) == 3
    np.testing.assert_array_equal(forms[1](y=a, x=b), [1, 2, 3])
    nested = ag.function([[x, y]], x - y, executor="native")
    nested([a, b])
    np.testing.assert_array_equal(nested([a, b]), [-1, 0, 1])
    with pytest.raises(ag.FeedError):
        nested(a)


def test_plain_tensors_among_updates_are_no_outputs() -> None:
    x = ag.placeholder((None,))
    with pytest.warns(UserWarning, match="get_updates"):
        f = ag.function([x], [x * 2.0], [x + 1.0], executor="native")
    data = np.ones(3, "float32")
    assert len(f(data)) == len(f(data)) == 1


def test_a_function_is_let_go_of_with_its_builtin() -> None:
    f, _, feeds = step()
    f(*feeds)
    direct, row = f._direct, weakref.ref(f._direct.__self__)
    wanted = f(*feeds)[2] + 1
    del f
    gc.collect()
    assert direct(*feeds)[2] == wanted, "what it needs lives as long as it does"
    del direct
    gc.collect()
    assert row() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_goes_on_with_a_lock_of_its_own() -> None:
    f, (_, n), feeds = step()
    f(*feeds), f(*feeds)
    child = os.fork()
    if child == 0:
        try:
            f(*feeds), f(*feeds), f(*feeds)
            os._exit(0 if f._direct(*feeds) is not NotImplemented and n.get_value() == 6 and is_free([n]) else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    f(*feeds)
    assert n.get_value() == 3


def test_numpy_has_no_such_builtin() -> None:
    f, _, feeds = step("numpy")
    f(*feeds)
    assert f._direct is None
