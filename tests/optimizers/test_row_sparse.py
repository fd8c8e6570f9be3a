"""Gradients of embeddings: a lazy rule steps the rows that were gathered, and these alone; any other the whole table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers
from autograph import (
    Tensor,
    Variable,
    abs,
    function,
    gather,
    gradients,
    placeholder,
    reduce_sum,
    sin,
    square,
    variable,
)
from autograph.graph.graph import ancestors
from optimizers import (
    SGD,
    Adagrad,
    Adam,
    NonNeg,
    Optimizer,
    SparseAdam,
    accumulate,
    all_finite,
    clip_by_norm,
    dynamic_scale,
    global_norm,
    partition,
    static_scale,
)
from tests.optimizers.embeddings import EXACT, LAZY, ROWS, WIDTH, Problem, batches, densely, is_lazy, start
from tests.optimizers.paths import apart
from tests.optimizers.references import Array

# values ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"decay": 0.1}, {"clipvalue": 0.3}, {"multipliers": {"table": 0.5}}])
@pytest.mark.parametrize("rule", EXACT)
def test_a_lazy_step_is_the_dense_one_bit_for_bit(rule: Callable[..., Optimizer], options: dict[str, Any], dtype: str) -> None:
    found = Problem(dtype).path(rule(lr=0.01, **options))
    wanted = Problem(dtype).path(densely(rule)(lr=0.01, **options))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    assert is_lazy(rule(lr=0.01, **options))
    assert not is_lazy(densely(rule)(lr=0.01, **options))


@pytest.mark.parametrize("options", [{"clipnorm": 0.5}, {"clipnorm_per_param": 0.5}, {"clipnorm": 0.5, "clipvalue": 0.1}])
@pytest.mark.parametrize("rule", EXACT)
def test_a_norm_over_rows_is_that_over_the_table(rule: Callable[..., Optimizer], options: dict[str, Any]) -> None:
    assert apart(Problem().path(rule(lr=0.1, **options)), Problem().path(densely(rule)(lr=0.1, **options))) < 1e-13
    assert is_lazy(rule(**options))


def torch_path(make: Callable[[Any, list[Any]], Any], dtype: str) -> Array:
    """PyTorch's, with a sparse embedding."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    p = torch.nn.Embedding(ROWS, WIDTH, sparse=True, _weight=torch.tensor(start(dtype)))
    peer = make(torch, list(p.parameters()))
    for indices in batches():
        peer.zero_grad()
        (torch.square(p(torch.tensor(indices % ROWS)) - 0.5).sum()).backward()
        peer.step()
    return p.weight.detach().numpy()  # type: ignore[no-any-return]


TORCH: list[tuple[Optimizer, Callable[[Any, list[Any]], Any]]] = [
    (SGD(lr=0.1), lambda T, p: T.optim.SGD(p, lr=0.1)),
    (Adagrad(lr=0.1), lambda T, p: T.optim.Adagrad(p, lr=0.1, eps=1e-7)),
    (Adagrad(lr=0.1, decay=0.1), lambda T, p: T.optim.Adagrad(p, lr=0.1, eps=1e-7, lr_decay=0.1)),
    (SparseAdam(lr=0.1), lambda T, p: T.optim.SparseAdam(p, lr=0.1, eps=1e-7)),
    (SparseAdam(lr=0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
     lambda T, p: T.optim.SparseAdam(p, lr=0.01, betas=(0.5, 0.9), eps=1e-3)),
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(("dtype", "precision"), [("float64", 1e-12), ("float32", 5e-6)])
@pytest.mark.parametrize(("ours", "make"), TORCH, ids=[repr(row[0]) for row in TORCH])
def test_a_path_is_that_of_torch(
    ours: Optimizer, make: Callable[[Any, list[Any]], Any], dtype: str, precision: float
) -> None:
    wanted = torch_path(make, dtype)
    problem = Problem(dtype)
    loss = reduce_sum(square(gather(problem.p, problem.i) - 0.5))
    optimizer = type(ours)(**ours.get_config())
    step = function([problem.i], loss, optimizer.get_updates(loss, [problem.p]))
    for indices in batches():
        step(indices)
    assert apart([problem.p.get_value()], [wanted]) < precision
    assert is_lazy(type(ours)(**ours.get_config()))


def test_sparse_adam_by_hand() -> None:
    """Row by row, as PyTorch documents it, the moments of other rows left alone."""
    p, m, v = start(), np.zeros((ROWS, WIDTH)), np.zeros((ROWS, WIDTH))
    for t, indices in enumerate(batches(), 1):
        g = np.zeros_like(p)
        np.add.at(g, indices, 2 * (p[indices] - 0.5))
        for i in {int(i) % ROWS for i in indices.flat}:
            m[i] = 0.9 * m[i] + 0.1 * g[i]
            v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2
            p[i] -= 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m[i] / (np.sqrt(v[i]) + 1e-7)
    problem = Problem()
    loss = reduce_sum(square(gather(problem.p, problem.i) - 0.5))
    optimizer = SparseAdam(lr=0.1)
    step = function([problem.i], loss, optimizer.get_updates(loss, [problem.p]))
    for indices in batches():
        step(indices)
    assert apart([problem.p.get_value()], [p]) < 1e-12
    state = optimizer.state()
    assert apart([state["m/table"], state["v/table"]], [m, v]) < 1e-12


def test_sparse_adam_is_another_algorithm_than_adam() -> None:
    """In Adam rows that are not gathered move on by their moments."""
    lazy, dense = Problem(), Problem()
    paths = [one.path(rule(lr=0.1)) for one, rule in ((lazy, SparseAdam), (dense, Adam))]
    assert apart(paths[0][:1], paths[1][:1]) > 0.01


def test_sparse_adam_is_adam_where_every_row_is_gathered() -> None:
    everything = np.arange(ROWS)[None]
    found = []
    for rule in (SparseAdam, Adam):
        problem = Problem()
        step = problem.step(rule(lr=0.1, amsgrad=True))
        for _ in range(20):
            step(everything)
        found.append([problem.p.get_value(), problem.w.get_value()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", LAZY)
def test_rows_that_are_not_gathered_stay_as_they_are(rule: Callable[..., Optimizer]) -> None:
    problem, optimizer = Problem(), rule(lr=0.1)
    step = problem.step(optimizer)
    for _ in range(3):
        step([[1, -2, 1]])
    moved = (problem.p.get_value() != start()).any(axis=1)
    assert np.flatnonzero(moved).tolist() == [1, 7]
    for name, slot in optimizer.state().items():
        if name.endswith("/table"):
            assert np.flatnonzero(slot.any(axis=1)).tolist() == [1, 7]


# which steps are lazy --------------------------------------------------------------------------------------------------


def test_a_rule_is_dense_wherever_that_would_be_another_one() -> None:
    dense = [
        SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), SGD(weight_decay=0.1), Adagrad(weight_decay=0.1),
        SparseAdam(weight_decay=0.1), SGD(centralize=True), SGD(clip_adaptive=0.1), Adam(), optimizers.RMSprop(),
        optimizers.AdamW(),
    ]  # fmt: skip
    for optimizer in dense:
        assert not is_lazy(optimizer), optimizer
    assert is_lazy(SGD(weight_decay=0.1, no_decay="table"))
    assert is_lazy(SGD(constraints={"w": NonNeg()}))


@pytest.mark.parametrize("options", [{"constraints": {"*": NonNeg()}}, {"weight_decay": 0.1, "decoupled": "lr"}])
@pytest.mark.parametrize("rule", EXACT)
def test_what_follows_the_rule_is_for_the_whole_table(rule: Callable[..., Optimizer], options: dict[str, Any]) -> None:
    found, wanted = (Problem().path(make(lr=0.01, **options)) for make in (rule, densely(rule)))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (found[0] != start()).all()


@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {}])
def test_where_every_row_is_touched_sparse_adam_is_adam(options: dict[str, Any]) -> None:
    found = []
    for rule in (SparseAdam, Adam):
        problem = Problem()
        if not options:
            problem.loss = problem.loss + reduce_sum(sin(problem.p))
        found.append(problem.path(rule(lr=0.1, **options)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_step_lazily_under_a_constraint_of_the_whole() -> None:
    problem, optimizer = Problem(), SparseAdam(lr=0.1, constraints={"table": NonNeg()})
    problem.step(optimizer)([[1, 2, 1]])
    assert problem.p.get_value().min() == 0
    assert np.flatnonzero(optimizer.state()["m/table"].any(axis=1)).tolist() == [1, 2]


@pytest.mark.parametrize("rule", EXACT)
def test_a_table_that_is_read_densely_too_takes_dense_steps(rule: Callable[..., Optimizer]) -> None:
    found = []
    for make in (rule, densely(rule)):
        problem = Problem()
        problem.loss = problem.loss + reduce_sum(sin(problem.p))  # as an output layer that shares the table
        assert not is_lazy(make(lr=0.01), problem)
        found.append(problem.path(make(lr=0.01)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", LAZY)
def test_several_gathers_of_one_table_are_one_step(rule: Callable[..., Optimizer]) -> None:
    """Of the sum of their gradients; where both touch a row, once."""

    def run(several: bool, make: Callable[..., Optimizer]) -> Array:
        p, i, j = variable(start(), "float64", "table"), *(placeholder((None,), dtype="int64") for _ in "ij")
        if several:
            loss = reduce_sum(square(gather(p, i))) + reduce_sum(square(gather(p, j)))
        else:
            loss = reduce_sum(square(gather(p, [1, 2, 2, 3]))) + 0.0 * reduce_sum(i + j)
        updates = make(lr=0.1).get_updates(loss, [p])
        assert any(u.value.op.name == "put_rows" for u in updates)
        step = function([i, j], loss, updates)
        for _ in range(5):
            step([1, 2], [-7, 3])
        return p.get_value()  # type: ignore[no-any-return]

    assert apart([run(True, rule)], [run(False, rule)]) < 1e-14


class Signum(Optimizer):
    """A rule of a user's, with a slot of p's shape and one of its own."""

    beta = 0.9

    def rule(self, p: Variable, g: Tensor, s: Any) -> Tensor:
        s.m = self.beta * s.m + (1 - self.beta) * g
        s.steps = s.start("steps", shape=()) + 1.0
        return p - self.rate * s.m / (abs(s.m) + 1e-3) / s.steps

    def lazy(self) -> bool:
        return True


def test_a_rule_of_ones_own_may_be_lazy() -> None:
    problem, optimizer = Problem(), Signum(lr=0.1)
    assert is_lazy(optimizer, problem)
    step = problem.step(optimizer)
    step([[1, 2, 1]])
    state = optimizer.state()
    assert np.flatnonzero(state["m/table"].any(axis=1)).tolist() == [1, 2]
    assert state["steps/table"] == 1
    assert np.flatnonzero((problem.p.get_value() != start()).any(axis=1)).tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1), (ROWS, 2, 2), (0, 2), (ROWS, 0)])
@pytest.mark.parametrize("rule", LAZY)
def test_tables_of_every_rank(rule: Callable[..., Optimizer], shape: tuple[int, ...]) -> None:
    p, i = variable(np.ones(shape), "float64", "table"), placeholder((None,), dtype="int64")
    loss = reduce_sum(square(gather(p, i)))
    optimizer = rule(lr=0.1, clipnorm=1.0)
    step = function([i], loss, optimizer.get_updates(loss, [p]))
    step(np.zeros(0, int) if not shape[0] else [1, 1, -1])
    moved = (p.get_value().reshape(shape[0], -1) != 1).any(axis=1) if p.get_value().size else []
    assert np.flatnonzero(moved).tolist() == ([1, ROWS - 1] if len(moved) else [])


@pytest.mark.parametrize("rule", LAZY)
def test_a_batch_of_no_rows_moves_nothing_but_the_counter(rule: Callable[..., Optimizer]) -> None:
    problem, optimizer = Problem(), rule(lr=0.1, clipnorm=1.0)
    step = problem.step(optimizer)
    step(np.zeros((0, 3), int))
    np.testing.assert_array_equal(problem.p.get_value(), start())
    assert optimizer.iterations.get_value() == 1


# with others -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda o: static_scale(o, 1024.0), dynamic_scale, lambda o: partition({"w": SGD(0.01)}, o)])
@pytest.mark.parametrize("rule", EXACT)
def test_scales_and_groups_keep_rows(wrap: Callable[[Any], Any], rule: Callable[..., Optimizer]) -> None:
    problem = Problem()
    updates = wrap(rule(lr=0.01)).get_updates(problem.loss, [problem.p, problem.w])
    (new,) = [u.value for u in updates if u.variable is problem.p]
    assert "put_rows" in (new.op.name, *(x.op.name for x in new.inputs)), "perhaps behind a guard"
    assert apart(Problem().path(wrap(rule(lr=0.01))), Problem().path(wrap(densely(rule)(lr=0.01)))) < 1e-15


@pytest.mark.parametrize("rule", EXACT)
def test_sums_over_ticks_are_dense(rule: Callable[..., Optimizer]) -> None:
    found, wanted = (Problem().path(accumulate(make(lr=0.01), 3)) for make in (rule, densely(rule)))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_functions_of_gradients_take_rows_by_themselves() -> None:
    problem = Problem()
    g = gradients(problem.loss, problem.p)
    f = function([problem.i], [g, clip_by_norm(g, 0.5), global_norm([g]), all_finite([g])])
    whole, clipped, norm, finite = f([[1, 2, 1]])
    np.testing.assert_allclose(norm, np.linalg.norm(whole))
    np.testing.assert_allclose(clipped, whole * 0.5 / norm)
    assert finite
    problem.p.set_value(np.full((ROWS, WIDTH), np.inf))
    assert not f([[1, 2, 1]])[3]
    assert f(np.zeros((0, 1), int))[2:] == [0, True]


def test_norms_and_checks_of_rows_do_not_read_the_table() -> None:
    problem = Problem()
    g = gradients(problem.loss, problem.p)
    for looked_at in (global_norm([g]), all_finite([g])):
        wide = [t for t in ancestors([looked_at]) if t.shape == (ROWS, WIDTH)]
        assert wide == [problem.p]


def test_gradients_given_in_the_place_of_a_loss_keep_their_rows() -> None:
    problem = Problem()
    g = gradients(problem.loss, problem.p)
    (update,) = [u for u in SGD(lr=0.1).get_updates([0.5 * g], [problem.p]) if u.variable is problem.p]
    assert update.value.op.name == "put_rows"
    function([problem.i], None, [update])([[1, 1, 2]])
    assert np.flatnonzero((problem.p.get_value() != start()).any(axis=1)).tolist() == [1, 2]


def test_the_formula_names_the_rows() -> None:
    problem = Problem()
    loss = reduce_sum(square(gather(problem.p, problem.i)))
    assert repr(SGD().get_updates(loss, [problem.p])).splitlines()[1] == (
        "table          ← put_rows(table, i, table[i] − η·g[i])"
    )
    lines = repr(SparseAdam().get_updates(loss, [problem.p])).splitlines()
    assert lines[1] == "m/table               ← put_rows(m, i, β₁·m[i] + (1 − β₁)·g[i])"
