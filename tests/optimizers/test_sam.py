"""SAM: gradients at a point uphill, against PyTorch by hand and optax, and where they must not break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
import optimizers as o

X = np.random.default_rng(0).normal(size=(5, 2))
START = ([[1.0, -2.0], [3.0, 0.5]], [0.1, -0.2])


def model(library: Any, w: Any, b: Any, x: Any = X) -> Any:
    """A loss in any library's words."""
    squares = library.square(library.tanh(library.matmul(x, w) + b) - 0.5)
    return ag.reduce_sum(squares) if library is ag else squares.sum()


def ours(dtype: str = "float64") -> tuple[Any, list[Any]]:
    params = [ag.variable(value, dtype, name) for value, name in zip(START, "wb", strict=True)]
    return model(ag, *params, x=X.astype(dtype)), params


def test_it_is_the_gradient_at_the_point_uphill() -> None:
    loss, params = ours()
    [g, h] = ag.function([], ag.gradients(loss, params))()
    found = ag.function([], o.sam_gradients(loss, params, rho=0.1))()
    size = np.sqrt((g**2).sum() + (h**2).sum())
    for p, slope in zip(params, (g, h), strict=True):
        p.set_value(p.get_value() + 0.1 * slope / size)
    for a, b in zip(found, ag.function([], ag.gradients(loss, params))(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_path_is_that_of_two_passes_of_torch(adaptive: bool, momentum: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    loss, params = ours()
    updates = o.SGD(lr=0.1, momentum=momentum).get_updates(o.sam_gradients(loss, params, 0.2, adaptive=adaptive), params)
    step = ag.function([], loss, updates)
    theirs = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in START]
    peer, x = torch.optim.SGD(theirs, lr=0.1, momentum=momentum), torch.tensor(X)

    def slopes() -> Any:
        return torch.autograd.grad(model(torch, *theirs, x=x), theirs)

    for _ in range(20):
        step()
        with torch.no_grad():
            old = [p.clone() for p in theirs]
        found = slopes()
        weights = [p.detach().abs() if adaptive else torch.ones_like(p) for p in theirs]
        size = torch.cat([(w * g).flatten() for w, g in zip(weights, found, strict=True)]).norm()
        with torch.no_grad():
            for p, w, g in zip(theirs, weights, found, strict=True):
                p += 0.2 * w**2 * g / size
        found = slopes()
        with torch.no_grad():
            for p, value, g in zip(theirs, old, found, strict=True):
                p.copy_(value)
                p.grad = g
        peer.step()
    for a, b in zip(params, theirs, strict=True):
        np.testing.assert_allclose(a.get_value(), b.detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.oracle
def test_a_path_is_that_of_optax_whose_every_second_step_is_one_of_ours() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")
    loss, params = ours()
    step = ag.function([], loss, o.Adam(lr=0.01, epsilon=0).get_updates(o.sam_gradients(loss, params, 0.05), params))
    with jax.enable_x64(True):
        j = jax.numpy
        uphill = optax.chain(optax.contrib.normalize(), optax.sgd(0.05))
        peer = optax.contrib.sam(optax.adam(0.01, eps=0.0), uphill, sync_period=2)
        theirs = [j.asarray(value, "float64") for value in START]
        state = peer.init(theirs)
        slopes = jax.jit(jax.grad(lambda p: model(j, *p, x=j.asarray(X))))
        for _ in range(30):
            step()
            for _ in range(2):
                changes, state = peer.update(slopes(theirs), state, theirs)
                theirs = optax.apply_updates(theirs, changes)
        for a, b in zip(params, theirs, strict=True):
            np.testing.assert_allclose(a.get_value(), np.asarray(b), rtol=0, atol=1e-10)


@pytest.mark.parametrize("adaptive", [False, True])
def test_without_a_gradient_it_is_zero_and_never_nan(adaptive: bool) -> None:
    for dtype in ("float16", "float32", "float64"):
        w, v = ag.variable(np.zeros(3), dtype), ag.variable(2.0, dtype)
        loss = ag.reduce_sum(ag.square(w)) * v + 0 * v
        found = ag.function([], o.sam_gradients(loss, [w, v], adaptive=adaptive))()
        assert [np.asarray(g).dtype for g in found] == [dtype, dtype]
        assert all((np.asarray(g) == 0).all() for g in found)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_a_norm_neither_overflows_nor_vanishes(size: float) -> None:
    w = ag.variable([3.0, -4.0], "float32")
    loss = 0.5 * size * ag.reduce_sum(ag.square(w))
    [found] = ag.function([], o.sam_gradients(loss, [w], rho=0.5))()
    np.testing.assert_allclose(found / np.float32(size), [3.3, -4.4], rtol=1e-6)


def test_half_precision_holds_a_norm_of_many() -> None:
    w = ag.variable(np.ones(10_000), "float16")
    loss = ag.cast(ag.reduce_sum(ag.square(ag.cast(w, "float32"))) * 5e3, "float32")
    [found] = ag.function([], o.sam_gradients(loss, [w], rho=50.0))()
    np.testing.assert_allclose(found, np.full(10_000, 1.5e4), rtol=2e-3)


def test_what_is_not_finite_stays_so_that_a_guard_sees_it() -> None:
    w, scale = ag.variable([1.0, 2.0], "float64"), ag.placeholder((), dtype="float64")
    found = o.sam_gradients(ag.reduce_sum(ag.square(w)) * scale, [w])
    step = ag.function([scale], None, o.SGD(0.1).get_updates(found, [w]).when(o.all_finite(found)))
    step(np.nan)
    assert w.get_value().tolist() == [1.0, 2.0]
    step(1.0)
    assert w.get_value().tolist() != [1.0, 2.0]


def test_adaptive_steps_do_not_depend_on_the_scale_of_a_parameter() -> None:
    """Kwon et al. 2021: with p = c·q the loss at p + ε is the same."""

    def loss_at(c: float) -> float:
        q = ag.variable(np.array([1.0, -2.0, 0.5]) / c, "float64")
        loss = ag.reduce_sum(ag.square(ag.tanh(c * q) - np.array([0.1, 0.2, 0.3])))
        [g] = ag.function([], o.sam_gradients(loss, [q], adaptive=True))()
        return float((g * np.array([1.0, -2.0, 0.5]) / c).sum())

    np.testing.assert_allclose(loss_at(100.0), loss_at(1.0), rtol=1e-12)
    np.testing.assert_allclose(loss_at(0.01), loss_at(1.0), rtol=1e-12)


def test_the_step_uphill_counts_as_a_constant() -> None:
    w = ag.variable([1.0, 2.0], "float64")
    [g] = o.sam_gradients(ag.reduce_sum(w**4), [w], rho=0.5)
    second = ag.function([], ag.gradients(ag.reduce_sum(g), w))()
    unit = np.array([4.0, 32.0]) / np.hypot(4, 32)
    np.testing.assert_allclose(second, 12 * (np.array([1.0, 2.0]) + 0.5 * unit) ** 2, rtol=1e-12)


def test_rho_may_be_a_register_and_zero_is_the_plain_gradient() -> None:
    loss, params = ours()
    rho = ag.variable(0.0, "float64")
    f = ag.function([], [*o.sam_gradients(loss, params, rho), *ag.gradients(loss, params)])
    a, b, c, d = f()
    assert (a.tobytes(), b.tobytes()) == (c.tobytes(), d.tobytes())
    rho.set_value(0.5)
    assert np.abs(f()[0] - c).max() > 1e-3


def test_random_numbers_are_the_same_at_both_points() -> None:
    w = ag.variable(np.ones(50), "float64")
    noise = ag.random_normal((50,), dtype="float64", state=ag.seed_state(1))
    loss = ag.reduce_sum(w * noise)
    [found], plain = o.sam_gradients(loss, [w], rho=3.0), ag.gradients(loss, w)
    a, b = ag.function([], [found, plain])()
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda loss, ps: o.sam_gradients(ag.gradients(loss, ps), ps), ag.ArgumentTypeError, "gradients in place of the loss"),
        (lambda loss, ps: o.sam_gradients(loss, ps, rho=-1), ag.ArgumentError, "at least 0"),
        (lambda loss, ps: o.sam_gradients(loss, ps, rho="far"), ag.ArgumentTypeError, "no number"),
        (lambda loss, ps: o.sam_gradients(loss, []), ag.ArgumentError, "params is empty"),
        (lambda loss, ps: o.sam_gradients(loss, [ag.variable(1.0)]), ag.DisconnectedError, "no gradient"),
    ],
)
def test_what_makes_no_sense_is_said(call: Callable[..., Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(*ours())
