"""Random graphs: valid by construction, finite tick after tick, and with what makes passes and executors stumble."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import Phase, assume, find, given, settings

import autograph as ag
from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors, evaluate, substitute
from autograph.graph.op import Kind
from autograph.tensor_type import shapes_agree
from autograph.testing import RandomGraph, check_gradients, graphs
from tests.ticking import tick, values_of

some = settings(max_examples=60)


def drawn(count: int, **options: object) -> list[RandomGraph]:
    """So many graphs, the same ones each time."""
    found: list[RandomGraph] = []

    @settings(max_examples=count, derandomize=True, phases=[Phase.generate])
    @given(graphs(**options))  # type: ignore[arg-type]  # the options of a test
    def collect(graph: RandomGraph) -> None:
        found.append(graph)

    collect()
    return found


@pytest.fixture(scope="module")
def hundred() -> list[RandomGraph]:
    return drawn(100)


def roots(graph: RandomGraph) -> list[ag.Tensor]:
    return [*graph.outputs, *(u.value for u in graph.updates)]


@some
@given(graphs())
def test_every_value_is_finite_and_of_the_promised_type(graph: RandomGraph) -> None:
    for seed in (0, 1):
        feeds = dict(zip(graph.inputs, graph.feeds(seed), strict=True))
        for tensor, value in zip(roots(graph), values_of(roots(graph), feeds), strict=True):
            assert value.dtype == tensor.dtype
            assert shapes_agree(tensor.shape, value.shape)
            assert np.all(np.isfinite(value))


@some
@given(graphs())
def test_it_stays_finite_tick_after_tick(graph: RandomGraph) -> None:
    for seed in range(3):
        results = tick(graph.updates, graph.outputs, dict(zip(graph.inputs, graph.feeds(seed), strict=True)))
        assert all(np.all(np.isfinite(value)) for value in results)


def test_sizes_go_from_five_to_two_hundred(hundred: list[RandomGraph]) -> None:
    sizes = [graph.size for graph in hundred]
    assert min(sizes) >= 4
    assert 150 <= max(sizes) <= 220
    assert 15 < np.median(sizes) < 120


@pytest.mark.parametrize("feature", ["shared", "swap", "late one"])
def test_a_third_of_them_at_least_has_what_makes_compilers_stumble(hundred: list[RandomGraph], feature: str) -> None:
    assert sum(feature in graph.features for graph in hundred) >= 33


def test_a_swap_is_a_swap(hundred: list[RandomGraph]) -> None:
    for graph in hundred:
        if "swap" in graph.features:
            a, b = graph.updates[:2]
            assert (a.variable, a.value) == (b.value, b.variable)


def test_a_late_one_is_unknown_until_it_is_fed_and_then_broadcasts(hundred: list[RandomGraph]) -> None:
    for graph in hundred:
        if "late one" in graph.features:
            assert graph.inputs[-1].shape[0] is None
            assert graph.shapes[-1][0] == 1 < graph.shapes[-2][0]


def test_what_is_shared_is_read_twice_and_built_twice(hundred: list[RandomGraph]) -> None:
    for graph in hundred:
        if "shared" in graph.features:
            order = ancestors(roots(graph))
            reads = Counter(source for tensor in order for source in tensor.inputs)
            assert max(reads.values()) > 1
            equal = Counter((t.op.name, t.inputs, str(t.params)) for t in order if t.inputs)
            assert max(equal.values()) > 1


def test_they_hold_every_kind_of_op() -> None:
    """Five hundred of them: the rarest kind is in one of fifty, and what is drawn depends on the modules that are loaded."""
    ops = {tensor.op for graph in drawn(500) for tensor in ancestors(roots(graph))}
    assert {op.kind for op in ops} >= set(Kind) - {Kind.CONTROL, Kind.CUSTOM, Kind.EFFECT}
    assert len({op.name for op in ops}) > 60


def test_dtypes_are_mixed(hundred: list[RandomGraph]) -> None:
    dtypes = {t.dtype.name for graph in hundred for t in ancestors(roots(graph))}
    assert dtypes >= {"float32", "float64", "int64", "bool"}


def test_the_loss_depends_on_every_float_of_the_graph(hundred: list[RandomGraph]) -> None:
    for graph in hundred[:20]:
        shown = ancestors([graph.loss])
        assert all(t in shown for t in graph.outputs if t.type.is_float)


@settings(max_examples=30)
@given(graphs(nodes=(5, 60)))
def test_the_loss_has_gradients_that_are_finite(graph: RandomGraph) -> None:
    wrt = [t for t in [*graph.inputs, *graph.variables] if t.type.is_float]
    found = [g for g in ag.gradients(graph.loss, wrt) if g is not None]
    values = values_of(found, dict(zip(graph.inputs, graph.feeds(0), strict=True)))
    assert all(np.all(np.isfinite(value)) for value in values)


def test_feeds_differ_by_seed_and_are_the_same_for_one(hundred: list[RandomGraph]) -> None:
    graph = next(g for g in hundred if any(t.type.is_float for t in g.inputs))
    one, again, other = graph.feeds(1), graph.feeds(1), graph.feeds(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert [feed.dtype for feed in one] == [t.dtype for t in graph.inputs]


def test_a_failing_graph_shrinks() -> None:
    found = find(graphs(), lambda graph: any(t.op.name == "where" for t in ancestors([graph.loss])))
    assert found.size < 25
    assert "where(" in repr(found)


def test_graphs_without_inputs_read_registers_alone() -> None:
    for graph in drawn(10, inputs=0, registers=(1, 3)):
        assert graph.inputs == []
        with np.errstate(all="ignore"):
            registers = {t: t.get_value() for t in ancestors([graph.loss]) if isinstance(t, ag.Variable)}
            assert np.isfinite(evaluate([graph.loss], registers, numpy_namespace)[0])


@settings(max_examples=40)
@given(graphs(nodes=(5, 60), dtypes=("float64",)))
def test_the_gradient_of_a_whole_graph_is_the_slope_of_its_loss(graph: RandomGraph) -> None:
    assume(any(t.type.is_float for t in graph.inputs))
    assume(not any(t.op.name == "stop_gradient" for t in ancestors([graph.loss])))
    check_gradients(lambda *xs: substitute([graph.loss], dict(zip(graph.inputs, xs, strict=True))), *graph.feeds(0))
