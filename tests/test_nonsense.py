"""Nonsense passed to every public function: it is refused by an error of ours, with a way out and the user's line.

Arguments are drawn from a pool of good and bad ones, the same ones every time; a campaign draws more. What is accepted
is evaluated, so that nothing waits for the run to fail in the words of NumPy.
"""

from __future__ import annotations

import inspect
import os
import random
import re
import signal
import traceback
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers
from autograph import backend as K
from autograph.backend.phases import reset_learning_phase
from autograph.testing import check_gradients

TRIALS = 200 if os.environ.get("AUTOGRAPH_CAMPAIGN") else 12
OURS = (os.path.dirname(ag.__file__) + os.sep, os.path.dirname(optimizers.__file__) + os.sep)
SETTINGS = {"set_floatx", "set_epsilon", "set_image_data_format", "set_default_executor", "set_session", "clear_session",
            "set_learning_phase", "set_threads"}  # fmt: skip
APART = {"Function", "Session", "Slots", "Averages", "Plateau", "nearest", "swapped"}  # made by functions; helpers
DOCUMENTED = (np.linalg.LinAlgError, OSError)  # of a matrix that has no answer, and of a file that is not there


def pool() -> tuple[list[Any], list[Any]]:
    """Arguments that have a meaning somewhere, and such as have none."""
    v, s = ag.variable(np.arange(6.0).reshape(2, 3) + 0.5, name="v"), ag.variable(2.0, name="s")
    i, n = ag.variable([0, 1, 0], dtype="int32", name="i"), ag.variable(2, dtype="int64", name="n")
    b, x = ag.variable(np.ones((2, 3), bool), dtype="bool", name="b"), ag.placeholder((None, 3), name="x")
    good = [v, v, v, i, b, s, n, x, v * 2.0, ag.variable(np.eye(3) + 0.1), ag.variable(np.ones((2, 4, 4, 3))),
            ag.variable(np.zeros((0, 3))), np.ones((2, 3), "float32"), np.array([1, 0]), 1, 2, 0, 1.5, [1, 2], (0, 1), True,
            False, [v, v], (v, s)]  # fmt: skip
    bad = [None, "abc", "", b"x", -1, -7, 10**7, 2**70, 10**5000, float("nan"), float("inf"), [], (), [None], ["a"], {},
           {"a": 1}, object(), np.array([1.5, np.nan]), np.array("a"), np.array(None, object), np.array([1 + 2j]), print, int,
           lambda: 1, slice(None), ..., np.float64(2), np.int64(1), "float32", np.dtype("M8[D]"), set(), {1, 2}, range(3),
           (z for z in (1, 2)), [[1, 2], [3]], [1.5], (1, -1), (0, 5), [v, None], [v, "a"], {v: 1.0}, [(v, 1)], [(v, None)],
           3 + 4j, NotImplemented, np.ones((2, 3))[::-1], np.zeros(0), np.ones(()), memoryview(b"ab"), (2, None), [2, 3.5],
           -0.5, v.type, ag.Update, v.op, np.float32("nan"), [np.nan], [n, 3]]  # fmt: skip
    return good, bad


class Slow(BaseException):
    """The alarm."""


@pytest.fixture(autouse=True)
def _an_end_to_it() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def judged(call: Callable[[], Any], given: str) -> Any:
    """What a call gives, or None where it was refused properly."""
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        return call()
    except ag.AutographError as error:
        text = str(error)
        assert error.fix, f"no way out, for {given}: {text}"
        assert "test_nonsense.py:" in error.where, f"not the user's line, for {given}: {text}"
        assert not re.search(r"at 0x[0-9a-f]{6}", text), f"an address, for {given}: {text}"
    except DOCUMENTED:
        pass
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.filename.startswith(OURS) or frame.filename == "<autograph>" for frame in frames):
            raise AssertionError(f"{type(error).__name__} for {given}: {error}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def named(values: list[Any]) -> str:
    return ", ".join(ag.arguments.shown(value) for value in values)


def functions(module: Any) -> list[str]:
    return [name for name in module.__all__ if callable(getattr(module, name)) and name not in SETTINGS | APART
            and not (module is not optimizers and name[0].isupper())]  # fmt: skip


def drawn(function: Any, rng: random.Random) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for the parameters that a function has."""
    good, bad = pool()
    args: list[Any] = []
    named: dict[str, Any] = {}
    for p in inspect.signature(function).parameters.values():
        values = [rng.choice(good if rng.random() < 0.6 else bad) for _ in range(3)]
        if p.kind is p.VAR_POSITIONAL:
            args += values[: rng.randint(0, 3)]
        elif p.kind is p.VAR_KEYWORD or (p.default is not p.empty and rng.random() < 0.6):
            continue
        elif p.kind is p.KEYWORD_ONLY or named or (p.default is not p.empty and p.kind is not p.POSITIONAL_ONLY):
            named[p.name] = values[0]
        else:
            args.append(values[0])
    return args, named


@pytest.mark.parametrize("name", [f"{m.__name__}:{n}" for m in (ag, K, optimizers) for n in functions(m)])
def test_nonsense_is_refused_by_an_error_of_ours(name: str) -> None:
    module, _, short = name.partition(":")
    function = getattr({m.__name__: m for m in (ag, K, optimizers)}[module], short)
    rng = random.Random(zlib.crc32(name.encode()))
    for _ in range(TRIALS):
        args, kwargs = drawn(function, rng)
        given = f"{short}({named(args)}, {kwargs.keys()} = {named(list(kwargs.values()))})"
        result = judged(lambda: function(*args, **kwargs), given)  # noqa: B023  # it is called at once
        for leaf in result if isinstance(result, list | tuple) else [result]:
            if isinstance(leaf, ag.Tensor) and np.prod([size or 1 for size in leaf.shape], dtype=float) < 1e6:
                feeds = {p: np.ones((2, 3), p.dtype) for p in args if isinstance(p, ag.Placeholder)}
                judged(lambda: ag.eval(leaf, feeds), given)  # noqa: B023  # it is called at once


def methods() -> dict[str, Callable[..., Any]]:
    """What can be called on objects, as functions of one or two arguments."""
    w, v = ag.variable(np.ones(3), name="w"), ag.variable(np.ones((2, 3)), name="v")
    x, n = ag.placeholder((None, 3), name="x"), ag.placeholder((), dtype="int32", name="n")
    loss = ag.reduce_sum(x * w) * ag.cast(n, "float32")
    u, session = ag.Updates([(w, w * 2.0)]), ag.Session()
    opt, sgd, new = optimizers.Adam(0.1), optimizers.SGD(0.1, momentum=0.9), optimizers.SGD(0.1)
    f = ag.function([x, n], loss, opt.get_updates(loss, [w]))
    k = K.function([x, n], [loss])
    nested = ag.function({"a": x, "b": [n]}, {"l": loss})
    sgd.get_updates(loss, [w])
    composed, partition = optimizers.accumulate(optimizers.SGD(0.1), 2), optimizers.partition({"w": optimizers.SGD(0.1)})
    row = np.ones((2, 3))
    return {
        "call": f, "call by name": lambda a, b: f(x=a, n=b), "call K": lambda a, b: k(a),
        "call K with a list": lambda a, b: k([a, b]),
        "call nested": nested, "call nested with a list": lambda a, b: nested(a, [b]),
        "loop": lambda a, b: f.loop(a, b, 1), "loop's outputs": lambda a, b: f.loop(1, row, 1, outputs=a), "prepare": f.prepare,
        "preview": f.preview, "trace": f.trace,
        "profile": lambda a, b: f.profile(row, 1, ticks=min(a, 9) if isinstance(a, int) else a),
        "copy": f.copy,
        "restore": lambda a, b: f.restore(a), "run": session.run, "feed": lambda a, b: session.run(loss, {x: a, n: b}),
        "when": lambda a, b: u.when(a), "then": lambda a, b: u.then(a), "map": u.map,
        "map to": lambda a, b: u.map(w, lambda _: a),
        "after": lambda a, b: u.after(a), "plus": lambda a, b: u + a, "append": lambda a, b: u.copy().append(a),
        "extend": lambda a, b: u.copy().extend(a), "Updates": lambda a, b: ag.Updates(a),
        "an update": lambda a, b: ag.function([], [], [ag.Update(a, b)]), "updates": lambda a, b: ag.function([x, n], loss, a),
        "givens": lambda a, b: ag.function([x, n], loss, givens=a), "given": lambda a, b: ag.function([n], loss, givens={x: a}),
        "inputs": lambda a, b: ag.function(a, loss), "outputs": lambda a, b: ag.function([x, n], a, on_unused_input="ignore"),
        "name": lambda a, b: ag.function([x, n], loss, name=a), "executor": lambda a, b: ag.function([x, n], loss, executor=a),
        "on_nonfinite": lambda a, b: ag.function([x, n], loss, on_nonfinite=a),
        "get_updates": new.get_updates, "get_updates of old": lambda a, b: new.get_updates(a, b, loss),
        "get_gradients": new.get_gradients, "accumulate": composed.get_updates, "partition": partition.get_updates,
        "constraints": lambda a, b: new.get_updates(loss, [w], constraints=a), "set_weights": lambda a, b: sgd.set_weights(a),
        "load": lambda a, b: sgd.load(a), "rate": lambda a, b: setattr(sgd, "lr", a),
        "flag": lambda a, b: setattr(sgd, "nesterov", a),
        "from_config": lambda a, b: optimizers.SGD.from_config(a), "set_value": lambda a, b: w.set_value(a),
        "index": lambda a, b: v[a], "two indices": lambda a, b: v[a, b], "slice": lambda a, b: v[a:b],
        "times": lambda a, b: v * a,
        "minus from the left": lambda a, b: a - v, "matrix product": lambda a, b: v @ a, "less": lambda a, b: v < a,
        "rename": lambda a, b: setattr(v, "name", a), "cotangents": lambda a, b: ag.gradients(v * 2, v, cotangents=a),
        "check_gradients": check_gradients, "check's order": lambda a, b: check_gradients(ag.tanh, np.ones(2), rng=a),
        "check's result": lambda a, b: check_gradients(lambda _: a, np.ones(2)),
        "custom_op's eval": lambda a, b: ag.eval(ag.custom_op("q", lambda _: a)(v)),
        "custom_op's vjp": lambda a, b: ag.gradients(ag.reduce_sum(ag.custom_op("q", lambda y: y, lambda g, y, z: a)(v)), v),
        "custom_op's infer": lambda a, b: ag.custom_op("q", lambda y: y, infer=lambda y: a)(v),
        "custom_gradient": lambda a, b: ag.custom_gradient(lambda _: a)(v),
        "schedule": lambda a, b: optimizers.SGD(lambda _: a).get_updates(loss, [w]),
        "constraint": lambda a, b: optimizers.SGD(constraints={"w": lambda _: a}).get_updates(loss, [w]),
        "set_floatx": lambda a, b: ag.set_floatx(a), "set_epsilon": lambda a, b: ag.set_epsilon(a),
        "set_default_executor": lambda a, b: ag.set_default_executor(a), "set_session": lambda a, b: ag.set_session(a),
        "set_image_data_format": lambda a, b: ag.set_image_data_format(a),
        "set_learning_phase": lambda a, b: K.set_learning_phase(a), "set_threads": lambda a, b: ag.set_threads(a),
    }  # fmt: skip


@pytest.mark.parametrize("name", methods())
def test_nonsense_is_refused_where_it_is_handed_to_objects(name: str) -> None:
    rng = random.Random(zlib.crc32(name.encode()))
    before = (ag.floatx(), ag.epsilon(), ag.image_data_format(), ag.default_executor(), ag.get_session(), ag.threads())
    for _ in range(TRIALS):
        call = methods()[name]
        a, b = [rng.choice(rng.choice(pool())) for _ in range(2)]
        judged(lambda: call(a, b), f"{name}({named([a, b])})")  # noqa: B023  # it is called at once
        ag.set_floatx(before[0]), ag.set_epsilon(before[1]), ag.set_image_data_format(before[2])
        ag.set_default_executor(before[3]), ag.set_session(before[4]), ag.set_threads(before[5])
        reset_learning_phase()
