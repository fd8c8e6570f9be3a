"""What a function gives and commits is what the graph as written says, computed op by op."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograph as ag
from autograph.executors.numpy import blas
from autograph.graph.graph import ancestors
from autograph.graph.tensor import Tensor
from tests.function.programs import RandomProgram, close, computed, count, precision, random_program

seeds = st.integers(0, 2**32 - 1)


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@settings(max_examples=count(150, 5000))
@given(seeds)
def test_outputs_and_new_values_are_those_of_the_plain_graph(seed: int) -> None:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
    tolerance = precision(p.roots)
    for tick in range(3):
        feeds = p.feeds(seed + tick)
        wanted = computed(p.roots, dict(zip(p.inputs, feeds, strict=True)))
        found = f(*feeds)
        for got, value in zip(found, wanted, strict=False):
            close(got, value, tolerance)
        for update, value in zip(p.updates, wanted[len(p.outputs) :], strict=True):
            close(update.variable.get_value(), value, tolerance)


@settings(max_examples=count(40, 2000))
@given(seeds)
def test_feeds_are_never_changed_and_results_never_share_memory_with_state(seed: int) -> None:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
    feeds = p.feeds(seed)
    for feed in feeds:
        feed.flags.writeable = False
    before = [sha(feed) for feed in feeds]
    first = f(*feeds)
    kept = [sha(np.asarray(result)) for result in first]
    homes = [v.register.home for v in p.variables]
    for result in first:
        assert not any(np.shares_memory(result, array) for array in (*homes, *feeds))
    for tick in range(3):
        f(*p.feeds(seed + tick))
    assert [sha(feed) for feed in feeds] == before
    assert [sha(np.asarray(result)) for result in first] == kept
    for result in first:
        if isinstance(result, np.ndarray) and result.size:
            result[...] = 1  # the caller's own
    wanted = computed(p.roots, dict(zip(p.inputs, feeds, strict=True)))
    for got, value in zip(f(*feeds), wanted, strict=False):
        close(got, value, precision(p.roots))


@settings(max_examples=count(30, 1000))
@given(seeds, st.sampled_from(("raise", "skip")))
def test_a_guard_against_non_finite_values_changes_no_result(seed: int, guard: str) -> None:
    plain, guarded = random_program(seed), random_program(seed)
    functions = [
        ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", on_nonfinite=how)
        for p, how in ((plain, "apply"), (guarded, guard))
    ]
    for tick in range(3):
        results = [f(*plain.feeds(seed + tick)) for f in functions]
        for a, b in zip(*results, strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
        assert plain.state() == guarded.state()


@settings(max_examples=count(30, 1000))
@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_updates_means_nothing(seed: int, shuffler: object) -> None:
    plain, other = random_program(seed), random_program(seed)
    mixed = list(other.updates)
    shuffler.shuffle(mixed)  # type: ignore[attr-defined]
    f = ag.function(plain.inputs, plain.outputs, plain.updates, on_unused_input="ignore")
    g = ag.function(other.inputs, other.outputs, mixed, on_unused_input="ignore")
    for tick in range(2):
        f(*plain.feeds(seed + tick)), g(*plain.feeds(seed + tick))
        assert plain.state() == other.state()


@settings(max_examples=count(30, 1000))
@given(seeds)
def test_preview_and_trace_say_what_a_call_then_does(seed: int) -> None:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
    feeds, before = p.feeds(seed), p.state()
    promised = f.preview(*feeds)
    traced = f.trace(*feeds)
    assert p.state() == before
    results = f(*feeds)
    for variable, value in promised.items():
        close(variable.get_value(), value, precision(p.roots))
    close(results[0], traced[f.tick.outputs[0].name], precision(p.roots))


@settings(max_examples=count(25, 1000))
@given(seeds)
def test_strided_and_reversed_feeds_give_what_plain_ones_give(seed: int) -> None:
    p = random_program(seed)
    f = ag.function(p.inputs, p.outputs, (), on_unused_input="ignore")
    feeds = p.feeds(seed)
    turned = [np.asfortranarray(x) if x.ndim > 1 else np.concatenate([x, x])[: len(x)] if x.ndim else x for x in feeds]
    flipped = [x[::-1][::-1] if x.ndim else x for x in turned]
    spread = [np.stack([x, x + 1], axis=-1)[..., 0] for x in feeds]
    for views in (turned, flipped, spread):
        for a, b in zip(f(*feeds), f(*views), strict=True):
            close(b, a, precision(p.roots))


@pytest.mark.parametrize("seed", range(count(8, 200)))
def test_a_function_gives_the_same_bits_each_time(seed: int) -> None:
    runs = []
    for _ in range(3):
        p = random_program(seed)
        f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore")
        results = [f(*p.feeds(seed + tick)) for tick in range(2)]
        runs.append(([np.asarray(r).tobytes() for row in results for r in row], p.state()))
    assert runs[0] == runs[1] == runs[2]


@settings(max_examples=count(40, 2000))
@given(seeds, st.sampled_from(("apply", "raise")))
def test_what_blas_does_for_large_registers_is_right_for_small_ones(seed: int, mode: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blas, "WORTH", 1)
        p = random_program(seed)
        f = ag.function(p.inputs, p.outputs, p.updates, on_unused_input="ignore", on_nonfinite=mode)
        for tick in range(2):
            feeds = p.feeds(seed + tick)
            wanted = computed(p.roots, dict(zip(p.inputs, feeds, strict=True)))
            f(*feeds)
            for update, value in zip(p.updates, wanted[len(p.outputs) :], strict=True):
                close(update.variable.get_value(), value, precision(p.roots))


def test_random_programs_have_what_compilers_get_wrong() -> None:
    programs = [random_program(seed) for seed in range(300)]

    def share(what: object) -> float:
        return sum(bool(what(p)) for p in programs) / len(programs)  # type: ignore[operator]

    def reads(p: RandomProgram) -> dict[Tensor, int]:
        return Counter(source for t in set(ancestors(p.roots)) for source in t.inputs if source.inputs)

    def swaps(p: RandomProgram) -> bool:
        new = {u.variable: u.value for u in p.updates}
        return any(new.get(value) is variable for variable, value in new.items())  # type: ignore[call-overload]

    def late(p: RandomProgram, size: int) -> bool:
        fed = [(n, m) for q, s in zip(p.inputs, p.shapes, strict=True) for n, m in zip(s, q.shape, strict=True)]
        return (size, None) in fed

    assert share(lambda p: max(reads(p).values(), default=0) > 1) > 1 / 3
    assert share(swaps) > 0.1 and share(lambda p: late(p, 1)) > 1 / 3 and share(lambda p: late(p, 0)) > 0.05
    assert share(lambda p: any(u.value.op.name == "hold" for u in p.updates)) > 0.1
    assert share(lambda p: any(t.dtype.kind == "i" for t in ancestors(p.roots))) > 1 / 3
    assert share(lambda p: len({t.dtype for t in ancestors(p.roots) if t.type.is_float}) > 1) > 1 / 3
