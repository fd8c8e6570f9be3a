"""Every rule beside SGD and Adam: its path against plain NumPy, PyTorch, optax and Keras 2.3.1, and its identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import (
    Variable,
    function,
    sign,
    square,
)
from optimizers import (
    ASGD,
    LAMB,
    LARS,
    AdaBelief,
    Adadelta,
    Adafactor,
    Adagrad,
    Adamax,
    AdamW,
    Adan,
    Ftrl,
    Lion,
    Muon,
    Nadam,
    NAdamW,
    NovoGrad,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    Yogi,
)
from tests.optimizers import references as plain
from tests.optimizers.paths import Make, apart, path
from tests.optimizers.problems import keras_problem
from tests.optimizers.references import walk

SETTINGS: list[tuple[Make, plain.Rule, dict[str, Any]]] = [
    (RMSprop, plain.rmsprop, {"lr": 0.01}),
    (RMSprop, plain.rmsprop, {"lr": 0.01, "rho": 0.5, "epsilon": 1e-3, "decay": 0.1}),
    (RMSprop, plain.rmsprop, {"lr": 0.01, "centered": True}),
    (RMSprop, plain.rmsprop, {"lr": 0.01, "momentum": 0.9, "decay": 0.1}),
    (RMSprop, plain.rmsprop, {"lr": 0.01, "momentum": 0.9, "centered": True}),
    (Adagrad, plain.adagrad, {"lr": 0.1}),
    (Adagrad, plain.adagrad, {"lr": 0.1, "epsilon": 1e-3, "decay": 0.1}),
    (Adadelta, plain.adadelta, {"lr": 1.0}),
    (Adadelta, plain.adadelta, {"lr": 0.5, "rho": 0.8, "epsilon": 1e-4, "decay": 0.1}),
    (Adamax, plain.adamax, {"lr": 0.01}),
    (Adamax, plain.adamax, {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.9, "decay": 0.1}),
    (Nadam, plain.nadam, {"lr": 0.01}),
    (Nadam, plain.nadam, {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "schedule_decay": 1.0}),
    (AdamW, plain.adamw, {"lr": 0.01}),
    (AdamW, plain.adamw, {"lr": 0.01, "weight_decay": 0.1, "epsilon": 1e-3, "eps_hat": False}),
    (AdamW, plain.adamw, {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True, "beta_2": 0.9, "decay": 0.1}),
    (AdamW, plain.adamw, {"lr": 0.01, "decoupled": "schedule", "decay": 0.1}),
    (AdamW, plain.adamw, {"lr": 0.01, "decoupled": "none", "decay": 0.1}),
    (NAdamW, plain.nadam, {"lr": 0.01, "weight_decay": 0.1}),
    (RAdam, plain.radam, {"lr": 0.01}),
    (RAdam, plain.radam, {"lr": 0.01, "epsilon": 1e-3, "weight_decay": 0.1, "beta_2": 0.9, "eps_hat": False}),
    (RAdam, plain.radam, {"lr": 0.01, "beta_2": 0.5}),
    (Yogi, plain.yogi, {"lr": 0.01}),
    (Yogi, plain.yogi, {"lr": 0.01, "initial": 0.1, "beta_2": 0.9}),
    (AdaBelief, plain.adabelief, {"lr": 0.01}),
    (AdaBelief, plain.adabelief, {"lr": 0.01, "epsilon": 1e-8, "weight_decay": 0.1}),
    (Adan, plain.adan, {"lr": 0.01}),
    (Adan, plain.adan, {"lr": 0.01, "weight_decay": 0.1, "beta_1": 0.9, "epsilon": 1e-3}),
    (Lion, plain.lion, {"lr": 0.01}),
    (Lion, plain.lion, {"lr": 0.01, "weight_decay": 0.1, "decay": 0.1}),
    (Rprop, plain.rprop, {"lr": 0.01}),
    (Rprop, plain.rprop, {"lr": 0.1, "shrink": 0.25, "grow": 2.0, "smallest": 0.01, "largest": 0.3}),
    (LAMB, plain.lamb, {"lr": 0.01}),
    (LAMB, plain.lamb, {"lr": 0.01, "weight_decay": 0.1}),
    (LARS, plain.lars, {"lr": 1.0}),
    (LARS, plain.lars, {"lr": 1.0, "weight_decay": 0.1, "nesterov": True, "epsilon": 1e-3}),
    (NovoGrad, plain.novograd, {"lr": 0.01}),
    (NovoGrad, plain.novograd, {"lr": 0.01, "beta_2": 0.9, "weight_decay": 0.1}),
    (Muon, plain.muon, {"lr": 0.01}),
    (Muon, plain.muon, {"lr": 0.01, "nesterov": False, "weight_decay": 0.0, "adjust": "rms", "steps": 3}),
    (Adafactor, plain.adafactor, {"lr": 0.2}),
    (Adafactor, plain.adafactor, {"lr": 0.01, "weight_decay": 0.1, "threshold": 0.5, "relative_step": False}),
    (ASGD, plain.asgd, {"lr": 0.01}),
    (ASGD, plain.asgd, {"lr": 0.01, "lambd": 0.5, "alpha": 0.5, "t0": 10.0}),
    (Ftrl, plain.ftrl, {"lr": 0.05}),
    (Ftrl, plain.ftrl, {"lr": 0.05, "l1": 2.0, "l2": 0.5, "beta": 1.0}),
]
NAMES = [f"{rule.__name__}-{i}" for i, (rule, _, _) in enumerate(SETTINGS)]


@pytest.mark.parametrize(("rule", "reference", "kwargs"), SETTINGS, ids=NAMES)
def test_a_path_is_that_of_plain_numpy(rule: Make, reference: plain.Rule, kwargs: dict[str, Any]) -> None:
    expected = walk(reference, **kwargs)
    assert apart(path(rule(**kwargs)), expected) < 1e-12
    found = path(rule(**kwargs), "float32")
    assert all(value.dtype == np.float32 for value in found)
    assert apart(found, expected) < 5e-6 * max(np.abs(a).max() for a in expected)


MUTANTS: list[tuple[Make, plain.Rule, dict[str, Any], dict[str, Any]]] = [
    (RMSprop, plain.rmsprop, {}, {"epsilon": 2e-7}),
    (Adadelta, plain.adadelta, {}, {"rho": 0.95001}),
    (Adamax, plain.adamax, {}, {"beta_1": 0.999, "beta_2": 0.9}),
    (Nadam, plain.nadam, {}, {"schedule_decay": 1.0}),
    (AdamW, plain.adamw, {}, {"eps_hat": False}),
    (AdamW, plain.adamw, {"decay": 0.1}, {"decoupled": "none"}),
    (Lion, plain.lion, {}, {"beta_1": 0.99, "beta_2": 0.9}),
    (LARS, plain.lars, {}, {"nesterov": True}),
    (Adafactor, plain.adafactor, {}, {"relative_step": True, "lr": 0.5}),
]


@pytest.mark.parametrize(("rule", "reference", "common", "mutant"), MUTANTS)
def test_a_wrong_number_would_be_seen(rule: Make, reference: plain.Rule, common: dict[str, Any], mutant: dict[str, Any]) -> None:
    expected = walk(reference, **{"lr": 0.01, **common})
    assert apart(path(rule(**{"lr": 0.01, **common, **mutant})), expected) > 1e-9


class StaleRprop(Rprop):
    """optax's mistake: the step is taken by the gradient before."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        before = s.h
        super().rule(p, g, s)
        return p - sign(before) * s.delta


class MovedEpsilon(RMSprop):
    """Keras 3's place of ε."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        s.a = self.rho * s.a + (1 - self.rho) * square(g)
        return p - self.rate * g / (s.a + self.epsilon) ** 0.5


class StaleAdagrad(Adagrad):
    """The slot as it was before this step."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        before = s.a
        s.a = s.a + square(g)
        return p - self.rate * g / ((before + 1e-30) ** 0.5 + self.epsilon)


@pytest.mark.parametrize(
    ("mutant", "reference"), [(StaleRprop, plain.rprop), (MovedEpsilon, plain.rmsprop), (StaleAdagrad, plain.adagrad)]
)
def test_a_mutated_rule_would_be_seen(mutant: Make, reference: plain.Rule) -> None:
    assert apart(path(mutant(lr=0.01)), walk(reference, lr=0.01)) > 1e-9


# Keras 2.3.1 on TensorFlow: three steps, float32 (reference/keras_goldens/opt_tf.txt) --------------------------------

KERAS: list[tuple[Optimizer, list[float], list[float], float, list[str]]] = [
    (RMSprop(lr=0.05), [20.75, 17.433994, 15.328611], [0.654359, -1.641929], 0.18459, ["a/p", "a/q"]),
    (RMSprop(lr=0.05, decay=0.5), [20.75, 17.433994, 16.013807], [0.729233, -1.722914], 0.244602, ["a/p", "a/q"]),
    (Adagrad(lr=0.05), [20.75, 19.66625, 18.930588], [0.887911, -1.886822], 0.390228, ["a/p", "a/q"]),
    (Adadelta(), [20.75, 20.718901, 20.687445], [0.995712, -1.995711], 0.495716, ["a/p", "a/q", "d/p", "d/q"]),
    (Adamax(lr=0.05), [20.75, 19.66625, 18.629778], [0.853824, -1.851843], 0.35775, ["m/p", "m/q", "u/p", "u/q"]),
    (Nadam(lr=0.05), [20.75, 19.606039, 18.792303], [0.873754, -1.87254], 0.376365,
     ["Nadam/m_schedule", "m/p", "m/q", "v/p", "v/q"]),
]  # fmt: skip


@pytest.mark.parametrize("row", KERAS, ids=[repr(row[0]) for row in KERAS])
def test_three_steps_are_those_of_keras(row: tuple[Optimizer, list[float], list[float], float, list[str]]) -> None:
    optimizer, losses, p_after, q_after, names = row
    loss, p, q = keras_problem()
    step = function([], loss, updates=optimizer.get_updates(loss=loss, params=[p, q]))
    found = [step() for _ in range(3)]
    np.testing.assert_allclose(found, losses, rtol=2e-6)
    np.testing.assert_allclose(p.get_value(), p_after, rtol=0, atol=2e-6)
    np.testing.assert_allclose(q.get_value(), [[q_after]], rtol=0, atol=2e-6)
    assert optimizer.iterations.get_value() == 3
    assert [weight.name for weight in optimizer.weights] == [f"{optimizer.name}/iterations", *names]
    wanted = [(2,) if name[-1] == "p" else (1, 1) if name[-1] == "q" else () for name in names]
    assert [weight.shape for weight in optimizer.get_weights()[1:]] == wanted
