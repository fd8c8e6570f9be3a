"""What nobody holds is freed, what runs for ever does not grow, and the same program gives the same bits."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from optimizers import Adam
from tests.function.programs import count, random_program


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


def step() -> tuple[Any, Any, Any]:
    x, w = ag.placeholder((None, 3), name="x"), ag.variable(np.ones((3, 2)), name="w")
    loss = ag.reduce_mean(ag.square(ag.matmul(x, w)))
    return ag.function([x], loss, Adam(0.01).get_updates(loss, [w]), on_nonfinite="raise"), loss, w


def test_everything_of_a_function_is_freed_with_it() -> None:
    f, loss, w = step()
    f(np.ones((4, 3))), f(np.ones((2, 3))), f.preview(np.ones((2, 3))), f.profile(np.ones((2, 3)), ticks=1)
    f.copy()(np.ones((4, 3)))
    program, arena = f._program, f._state.arena
    dead = [weakref.ref(o) for o in (f, loss, w, w.register, w.register.domain.root(), program, arena, program.tick.outputs[0])]
    del f, loss, w, program, arena
    gc.collect()
    assert [ref() for ref in dead] == [None] * len(dead)


def test_a_function_does_not_keep_feeds_or_results() -> None:
    f, _, _ = step()
    feed = np.ones((4, 3), "float32")
    f(feed)
    result = ag.function([], ag.variable(np.ones((3, 2))))()
    dead = [weakref.ref(feed), weakref.ref(result)]
    del feed, result
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def test_a_register_outlives_functions_and_a_function_its_tensors() -> None:
    f, loss, w = step()
    dead = weakref.ref(f)
    f(np.ones((4, 3)))
    kept = w.get_value()
    del f
    gc.collect()
    assert dead() is None and w.get_value().tobytes() == kept.tobytes()
    assert ag.function([], w)().tobytes() == kept.tobytes()
    x = ag.placeholder((2,), name="x")
    g = ag.function([x], ag.sin(x) * 2.0)
    del x, loss
    gc.collect()
    assert g([0, 0]).tolist() == [0, 0]


@needs_proc
def test_functions_that_come_and_go_leave_no_memory_behind() -> None:
    w = ag.variable(np.ones(3), name="kept")

    def build(n: int) -> None:
        for i in range(n):
            x = ag.placeholder((None,), name="x")
            f = ag.function([x], ag.reduce_sum(x * w), [(w, w + ag.reduce_sum(x) * 0.0)])
            f(np.ones((1, 3)[i % 2]))

    build(60)
    gc.collect()
    before = resident()
    build(count(400, 20_000))
    gc.collect()
    assert resident() - before < 5 * 2**20


@needs_proc
def test_a_step_that_runs_for_long_does_not_grow() -> None:
    f, _, _ = step()
    feeds = [np.ones((n, 3), "float32") for n in (4, 5)]
    for i in range(2000):
        f(feeds[i % 2])
    gc.collect()
    before = resident()
    n = count(20_000, 2_000_000)
    for i in range(n):
        f(feeds[i % 2])
    gc.collect()
    assert resident() - before < 2**20 + n


@needs_proc
def test_values_can_be_set_and_read_for_ever() -> None:
    v = ag.variable(np.zeros((100, 100)))
    home = v.register.home
    v.set_value(np.ones((100, 100)))
    before = resident()
    for i in range(2000):
        v.set_value(np.full((100, 100), i))
        v.get_value()
    assert resident() - before < 2**20 and v.register.home is home


# the same bits --------------------------------------------------------------------------------------------------------


def fingerprint() -> str:
    """Of what some random programs and a training run compute."""
    digest = hashlib.sha256()
    for seed in range(12):
        p = random_program(seed)
        f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", on_nonfinite=("apply", "raise")[seed % 2])
        for tick in range(2):
            for result in f(*p.feeds(seed + tick)):
                digest.update(np.asarray(result).tobytes())
        digest.update(b"".join(p.state()))
    f, _, w = step()
    noise = ag.function([], ag.random_normal((50,), seed=3))
    for i in range(20):
        f(np.ones((4, 3)) * i / 10)
        digest.update(noise().tobytes())
    digest.update(w.get_value().tobytes())
    return digest.hexdigest()


def test_the_same_program_gives_the_same_bits_again_and_again() -> None:
    assert len({fingerprint() for _ in range(count(5, 100))}) == 1


def test_other_processes_and_hash_seeds_give_the_same_bits() -> None:
    program = "from tests.executors.test_lifetimes import fingerprint; print(fingerprint())"
    found = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=root, capture_output=True, text=True, check=True
        )
        found.add(done.stdout.strip())
    assert found == {fingerprint()}


def test_the_generated_code_is_the_same_each_time() -> None:
    sources = []
    for _ in range(3):
        f, _, _ = step()
        f(np.ones((4, 3)))
        sources.append(f.source)
    assert sources[0] == sources[1] == sources[2]
