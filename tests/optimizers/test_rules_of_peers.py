"""Every rule takes the path of PyTorch's and optax's, where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers as o
from tests.optimizers.paths import apart, path
from tests.optimizers.references import Array, curvature, gradients_of, start

Bridge = Callable[[int], dict[str, float]]


def torch_path(make: Callable[[Any, list[Any]], Any], bridge: Bridge | None = None, turned: bool = False) -> list[Array]:
    """100 steps of PyTorch, its groups' numbers set before each step t by `bridge(t)`; turned: on transposed matrices."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product in it
    try:
        params = [torch.tensor(a.T if turned else a, requires_grad=True) for a in start()]
        peer = make(torch, params)
        for t, gradients in enumerate(gradients_of(), 1):
            for p, g in zip(params, gradients, strict=True):
                p.grad = torch.tensor(g.T if turned else g)
            peer.param_groups[0].update(bridge(t) if bridge else {})
            peer.step()
        return [p.detach().numpy().T if turned else p.detach().numpy() for p in params]
    finally:
        torch.set_default_dtype(usual)


def hat(epsilon: float, beta: float = 0.999) -> Bridge:
    """ε of Algorithm 1 from our ε-hat."""
    return lambda t: {"eps": epsilon / np.sqrt(1 - beta**t)}


def falling(lr: float, decay: float) -> Bridge:
    """The rate of Keras's `decay`."""
    return lambda t: {"lr": lr / (1 + decay * (t - 1))}


TORCH: list[tuple[o.Optimizer, Callable[[Any, list[Any]], Any], Bridge | None, float]] = [
    (o.SGD(lr=0.05, decay=0.1), lambda T, p: T.optim.SGD(p), falling(0.05, 0.1), 1e-12),
    (o.SGD(lr=0.05, momentum=0.9), lambda T, p: T.optim.SGD(p, lr=0.05, momentum=0.9), None, 1e-12),
    (o.SGD(lr=0.05, momentum=0.9, nesterov=True), lambda T, p: T.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True), None, 1e-12),
    (o.Adam(lr=0.01, decay=0.1), lambda T, p: T.optim.Adam(p), lambda t: hat(1e-7)(t) | falling(0.01, 0.1)(t), 1e-12),
    (o.Adam(lr=0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3), lambda T, p: T.optim.Adam(p, lr=0.01, betas=(0.5, 0.9)),
     hat(1e-3, 0.9), 1e-12),
    (o.Adam(lr=0.01, amsgrad=True, beta_2=0.9), lambda T, p: T.optim.Adam(p, lr=0.01, betas=(0.9, 0.9), amsgrad=True),
     hat(1e-7, 0.9), 1e-12),
    (o.RMSprop(lr=0.01), lambda T, p: T.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-7), None, 1e-12),
    (o.RMSprop(lr=0.01, centered=True), lambda T, p: T.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-7, centered=True), None,
     1e-12),
    (o.RMSprop(lr=0.01, momentum=0.9), lambda T, p: T.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-7, momentum=0.9), None, 1e-12),
    (o.RMSprop(lr=0.01, decay=0.1), lambda T, p: T.optim.RMSprop(p, alpha=0.9, eps=1e-7),
     falling(0.01, 0.1), 1e-12),
    (o.Adagrad(lr=0.1, decay=0.1), lambda T, p: T.optim.Adagrad(p, lr=0.1, eps=1e-7, lr_decay=0.1), None, 1e-12),
    (o.Adadelta(), lambda T, p: T.optim.Adadelta(p, lr=1.0, rho=0.95, eps=1e-7), None, 1e-12),
    (o.Adamax(lr=0.01), lambda T, p: T.optim.Adamax(p, lr=0.01, eps=1e-7), None, 1e-10),
    (o.Nadam(lr=0.01), lambda T, p: T.optim.NAdam(p, lr=0.01, eps=1e-7, momentum_decay=0.004), None, 1e-12),
    (o.NAdamW(lr=0.01, weight_decay=0.1),
     lambda T, p: T.optim.NAdam(p, lr=0.01, eps=1e-7, weight_decay=0.1, decoupled_weight_decay=True), None, 1e-12),
    (o.AdamW(lr=0.01, weight_decay=0.1, eps_hat=False, amsgrad=True),
     lambda T, p: T.optim.AdamW(p, lr=0.01, eps=1e-7, weight_decay=0.1, amsgrad=True), None, 1e-12),
    (o.AdamW(lr=0.01), lambda T, p: T.optim.AdamW(p, lr=0.01), hat(1e-7), 1e-12),
    (o.RAdam(lr=0.01), lambda T, p: T.optim.RAdam(p, lr=0.01, eps=1e-7), None, 1e-12),
    (o.RAdam(lr=0.01, weight_decay=0.1),
     lambda T, p: T.optim.RAdam(p, lr=0.01, eps=1e-7, weight_decay=0.1, decoupled_weight_decay=True), None, 1e-12),
    (o.Rprop(lr=0.01), lambda T, p: T.optim.Rprop(p, lr=0.01), None, 1e-12),
    (o.ASGD(lr=0.01, lambd=0.01, t0=10), lambda T, p: T.optim.ASGD(p, lr=0.01, lambd=0.01, t0=10), None, 1e-12),
    (o.Adafactor(lr=0.2, weight_decay=0.1), lambda T, p: T.optim.Adafactor(p, lr=0.2, eps=(1e-30, 1e-3), weight_decay=0.1),
     None, 1e-12),
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "make", "bridge", "precision"), TORCH, ids=[repr(row[0]) for row in TORCH])
def test_a_path_is_that_of_torch(
    ours: o.Optimizer, make: Callable[[Any, list[Any]], Any], bridge: Bridge | None, precision: float
) -> None:
    expected = torch_path(make, bridge)
    assert apart(path(type(ours)(**ours.get_config())), expected) < precision


@pytest.mark.oracle
@pytest.mark.parametrize(("adjust", "theirs"), [("original", "original"), ("rms", "match_rms_adamw")])
def test_muon_is_that_of_torch_on_transposed_matrices_in_double_precision(
    monkeypatch: pytest.MonkeyPatch, adjust: str, theirs: str
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    expected = torch_path(lambda T, p: T.optim.Muon(p, lr=0.01, adjust_lr_fn=theirs, eps=0.0), turned=True)
    assert apart(path(o.Muon(lr=0.01, adjust=adjust)), expected) < 1e-12


def from_zero(optax: Any, state: Any) -> Any:
    """Yogi's state with the first moment at zeros, as in the paper."""
    first = state[0]
    return (first._replace(mu=optax.tree.zeros_like(first.mu)), *state[1:])


OPTAX: list[tuple[o.Optimizer, Callable[[Any], Any]]] = [
    (o.RMSprop(lr=0.01), lambda O: O.rmsprop(0.01, decay=0.9, eps=1e-7, eps_in_sqrt=False)),
    (o.Adadelta(), lambda O: O.adadelta(1.0, rho=0.95, eps=1e-7)),
    (o.AdamW(lr=0.01, weight_decay=0.1, eps_hat=False), lambda O: O.adamw(0.01, eps=1e-7, weight_decay=0.1)),
    (o.RAdam(lr=0.01, eps_hat=False), lambda O: O.radam(0.01, eps=1e-7)),
    (o.Lion(lr=0.01, weight_decay=0.1), lambda O: O.lion(0.01, weight_decay=0.1)),
    (o.LAMB(lr=0.01, weight_decay=0.1), lambda O: O.lamb(0.01, weight_decay=0.1)),
    (o.LARS(lr=1.0, weight_decay=0.1), lambda O: O.lars(1.0, weight_decay=0.1)),
    (o.LARS(lr=1.0, nesterov=True), lambda O: O.lars(1.0, nesterov=True)),
    (o.Yogi(lr=0.01), lambda O: O.yogi(0.01)),
    (o.AdaBelief(lr=0.01, epsilon=1e-8), lambda O: O.adabelief(0.01, eps=1e-8, eps_root=1e-8)),
    (o.NovoGrad(lr=0.01, weight_decay=0.1), lambda O: O.novograd(0.01, weight_decay=0.1)),
    (o.Adan(lr=0.01), lambda O: O.adan(0.01, eps=1e-7, eps_root=0.0)),
    (o.Muon(lr=0.01, nesterov=False, weight_decay=0.0, adjust="none"), lambda O: O.chain(
        O.contrib.scale_by_muon(
            nesterov=False, eps=0.0, weight_dimension_numbers=lambda ps: [O.contrib.MuonDimensionNumbers()] * len(ps)),
        O.scale(-0.01))),
    (o.ScheduleFreeSGD(lr=0.05), lambda O: O.contrib.schedule_free_sgd(0.05)),
    (o.ScheduleFreeSGD(lr=0.05, beta_1=0.5, weight_decay=0.1),
     lambda O: O.contrib.schedule_free_sgd(0.05, b1=0.5, weight_decay=0.1)),
    (o.ScheduleFreeAdamW(lr=0.05, eps_hat=False, weight_decay=0.1),
     lambda O: O.contrib.schedule_free_adamw(0.05, eps=1e-7, weight_decay=0.1)),
]  # fmt: skip


def optax_path(make: Callable[[Any], Any], begin: Callable[[Any, Any], Any] = lambda optax, state: state) -> list[Array]:
    """100 steps of optax; `begin` may begin them from another state."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")
    with jax.enable_x64(True):
        peer, params = make(optax), [jax.numpy.asarray(a) for a in start()]
        state, advance = begin(optax, peer.init(params)), jax.jit(peer.update)
        for gradients in gradients_of():
            changes, state = advance([jax.numpy.asarray(g) for g in gradients], state, params)
            params = optax.apply_updates(params, changes)
        return [np.asarray(p) for p in params]


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "make"), OPTAX, ids=[repr(row[0]) for row in OPTAX])
def test_a_path_is_that_of_optax(ours: o.Optimizer, make: Callable[[Any], Any]) -> None:
    expected = optax_path(make, from_zero) if isinstance(ours, o.Yogi) else optax_path(make)
    assert expected[0].dtype == np.float64
    assert apart(path(type(ours)(**ours.get_config())), expected) < 1e-12


@pytest.mark.oracle
def test_sophia_is_that_of_optax_without_its_correction_of_m() -> None:
    """optax divides m by 1−β₁ᵗ, which γ and ε undo."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")
    ours = o.Sophia(lr=0.01, gamma=0.1, probe="rademacher")
    given = optax.GradientTransformationExtraArgs(lambda _: (), lambda g, state, params, h: (h, state))

    def peer(t: int) -> Any:
        gamma, epsilon = 0.1 / (1 - 0.96**t), 1e-12 / (1 - 0.96**t)
        return optax.contrib.sophia(0.01, 0.96, 0.99, epsilon, 0.01, gamma=gamma, hessian_diagonal_fn=given)

    with jax.enable_x64(True):
        params = [jax.numpy.asarray(a) for a in start()]
        state = peer(1).init(params)
        for t, gradients in enumerate(gradients_of(), 1):
            changes, state = peer(t).update(gradients, state, params, h=[curvature(p.shape, t) for p in params])
            params = optax.apply_updates(params, changes)
    assert apart(path(ours), [np.asarray(p) for p in params]) < 1e-12
