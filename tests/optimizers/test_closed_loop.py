"""Every rule on losses, where each step changes the next gradient: its way down is that of plain NumPy and of its peers.

A gradient that is fed does not answer; here a number that is off by 1e-16 may grow. Sophia draws random numbers, and is
followed with given ones in `test_rules.py`; L-BFGS in `test_lbfgs.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers as o
from autograph import function, variable
from tests.optimizers import references as plain
from tests.optimizers.paths import Make
from tests.optimizers.test_rules import NAMES, SETTINGS, MovedEpsilon, PolyakSGD, StaleAdagrad, StaleRprop
from tests.optimizers.test_rules_of_peers import OPTAX, TORCH, Bridge, from_zero
from tests.optimizers.valleys import VALLEYS, Array

pytestmark = pytest.mark.no_cover
STEPS = 100
FOLLOWED = [(row, name) for row, name in zip(SETTINGS, NAMES, strict=True) if row[0] is not o.Sophia]


def total(params: Any) -> Any:
    """The sum of all losses, each of a row of two unknowns of its own: any library's."""
    return sum(valley.scale * valley.loss(p[0, 0], p[0, 1]) for valley, p in zip(VALLEYS, params, strict=True))


def starts() -> list[Array]:
    return [np.array([valley.start]) for valley in VALLEYS]


def way(optimizer: o.Optimizer, push: float = 0.0) -> Array:
    """Where each row is before each step, with a push before every tenth."""
    params = [variable(at, "float64", valley.name) for at, valley in zip(starts(), VALLEYS, strict=True)]
    step = function([], params, optimizer.get_updates(total(params), params))
    seen = []
    for t in range(STEPS):
        if t % 10 == 5:
            for p in params:
                p.set_value(p.get_value() + push)
        seen.append(step())
    return np.array(seen)


def plain_way(rule: plain.Rule, lr: float, decay: float = 0.0, **numbers: Any) -> Array:
    params, memory = starts(), [{} for _ in VALLEYS]  # type: ignore[var-annotated]
    seen = []
    for t in range(1, STEPS + 1):
        seen.append(params)
        slopes = [valley.scale * np.array([valley.slope(*p[0])]) for valley, p in zip(VALLEYS, params, strict=True)]
        rate = lr / (1 + decay * (t - 1))
        params = [rule(p, g, s, t, rate, **numbers) for p, g, s in zip(params, slopes, memory, strict=True)]
    return np.array(seen)


def distances(a: Array, b: Array) -> Array:
    """By step and valley."""
    found: Array = np.abs(a - b).max(axis=(2, 3))
    return found


def apart(optimizer: o.Optimizer, wanted: Array) -> float:
    """The greatest distance on the way, as far as pushes of 1e-15 lead less than 1e-12 astray."""
    make, numbers = type(optimizer), optimizer.get_config()
    found, pushed = way(make(**numbers)), way(make(**numbers), 1e-15)
    certain = np.maximum.accumulate(distances(pushed, found), axis=0) < 1e-12
    assert np.abs(wanted).max() < 1e3
    assert certain[:10].all() and certain.mean() > 0.8
    return float(distances(found, wanted)[certain].max())


@pytest.mark.parametrize(("rule", "reference", "kwargs"), [row for row, _ in FOLLOWED], ids=[name for _, name in FOLLOWED])
def test_a_way_down_is_that_of_plain_numpy(rule: Make, reference: plain.Rule, kwargs: dict[str, Any]) -> None:
    assert apart(rule(**kwargs), plain_way(reference, **kwargs)) < 1e-11


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "make", "bridge", "precision"), TORCH, ids=[repr(row[0]) for row in TORCH])
def test_a_way_down_is_that_of_torch(
    ours: o.Optimizer, make: Callable[[Any, list[Any]], Any], bridge: Bridge | None, precision: float
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product in it
    try:
        params = [torch.tensor(at, requires_grad=True) for at in starts()]
        peer, seen = make(torch, params), []
        for t in range(1, STEPS + 1):
            seen.append([p.detach().numpy().copy() for p in params])
            peer.zero_grad()
            total(params).backward()
            peer.param_groups[0].update(bridge(t) if bridge else {})
            peer.step()
    finally:
        torch.set_default_dtype(usual)
    assert apart(ours, np.array(seen)) < 100 * precision


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "make"), OPTAX, ids=[repr(row[0]) for row in OPTAX])
def test_a_way_down_is_that_of_optax(ours: o.Optimizer, make: Callable[[Any], Any]) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")
    with jax.enable_x64(True):  # with slopes by hand: compiled, those of its own are not exactly 0 where they should be
        params = [jax.numpy.asarray(at) for at in starts()]
        peer = make(optax)
        state = peer.init(params)
        if isinstance(ours, o.Yogi):
            state = from_zero(optax, state)

        def advance(now: Any, _: Any) -> Any:
            params, state = now
            pairs = zip(VALLEYS, params, strict=True)
            slopes = [valley.scale * jax.numpy.stack(valley.slope(*p[0]))[None] for valley, p in pairs]
            changes, state = peer.update(slopes, state, params)
            return (optax.apply_updates(params, changes), state), params

        seen = jax.jit(lambda now: jax.lax.scan(advance, now, length=STEPS)[1])((params, state))
        expected = np.stack([np.asarray(row) for row in seen], axis=1)
    assert apart(ours, expected) < 1e-11


# what is wrong is seen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mutant", "reference", "numbers"),
    [
        (o.Adam(lr=0.01, beta_1=0.999, beta_2=0.9), plain.adam, {}),
        (o.Adam(lr=0.01, epsilon=1.1e-7), plain.adam, {}),
        (o.AdamW(lr=0.01, eps_hat=False, epsilon=1e-5), plain.adamw, {"epsilon": 1e-5}),
        (o.Lion(lr=0.01, beta_1=0.99, beta_2=0.9), plain.lion, {}),
        (o.SGD(lr=0.01, momentum=0.9, nesterov=True), plain.sgd, {"momentum": 0.9}),
        (o.Adagrad(lr=0.0100000001), plain.adagrad, {}),
        (StaleRprop(lr=0.01), plain.rprop, {}),
        (MovedEpsilon(lr=0.01, epsilon=1e-5), plain.rmsprop, {"epsilon": 1e-5}),
        (StaleAdagrad(lr=0.01), plain.adagrad, {}),
        (PolyakSGD(lr=0.01), plain.schedule_free_sgd, {}),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value),
)
def test_swapped_betas_a_moved_epsilon_and_a_stale_slot_lead_another_way(
    mutant: o.Optimizer, reference: plain.Rule, numbers: dict[str, Any]
) -> None:
    assert not distances(way(mutant), plain_way(reference, 0.01, **numbers)).max() < 1e-9  # nor where it leaves the numbers
