"""Every rule: its path against plain NumPy and Keras 2.3.1, and mutants, whose path is another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import optimizers as o
from autograph import Variable, abs, cast, equal, function, matmul, maximum, sign, square, transpose, where
from tests.optimizers import references as plain
from tests.optimizers.paths import Make, apart, path
from tests.optimizers.problems import keras_problem
from tests.optimizers.references import VECTORS, walk

SETTINGS: list[tuple[Make, plain.Rule, dict[str, Any]]] = [
    (o.SGD, plain.sgd, {"lr": 0.05}),
    (o.SGD, plain.sgd, {"lr": 0.05, "decay": 0.1}),
    (o.SGD, plain.sgd, {"lr": 0.05, "momentum": 0.9}),
    (o.SGD, plain.sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (o.SGD, plain.sgd, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.1}),
    (o.Adam, plain.adam, {"lr": 0.01}),
    (o.Adam, plain.adam, {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    (o.Adam, plain.adam, {"lr": 0.01, "decay": 0.1}),
    (o.Adam, plain.adam, {"lr": 0.01, "amsgrad": True, "beta_2": 0.9}),
    (o.RMSprop, plain.rmsprop, {"lr": 0.01}),
    (o.RMSprop, plain.rmsprop, {"lr": 0.01, "rho": 0.5, "epsilon": 1e-3, "decay": 0.1}),
    (o.RMSprop, plain.rmsprop, {"lr": 0.01, "centered": True}),
    (o.RMSprop, plain.rmsprop, {"lr": 0.01, "momentum": 0.9, "decay": 0.1}),
    (o.RMSprop, plain.rmsprop, {"lr": 0.01, "momentum": 0.9, "centered": True}),
    (o.Adagrad, plain.adagrad, {"lr": 0.1}),
    (o.Adagrad, plain.adagrad, {"lr": 0.1, "epsilon": 1e-3, "decay": 0.1}),
    (o.Adadelta, plain.adadelta, {"lr": 1.0}),
    (o.Adadelta, plain.adadelta, {"lr": 0.5, "rho": 0.8, "epsilon": 1e-4, "decay": 0.1}),
    (o.Adamax, plain.adamax, {"lr": 0.01}),
    (o.Adamax, plain.adamax, {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.9, "decay": 0.1}),
    (o.Nadam, plain.nadam, {"lr": 0.01}),
    (o.Nadam, plain.nadam, {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "schedule_decay": 1.0}),
    (o.AdamW, plain.adamw, {"lr": 0.01}),
    (o.AdamW, plain.adamw, {"lr": 0.01, "weight_decay": 0.1, "epsilon": 1e-3, "eps_hat": False}),
    (o.AdamW, plain.adamw, {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True, "beta_2": 0.9, "decay": 0.1}),
    (o.AdamW, plain.adamw, {"lr": 0.01, "decoupled": "schedule", "decay": 0.1}),
    (o.AdamW, plain.adamw, {"lr": 0.01, "decoupled": "none", "decay": 0.1}),
    (o.NAdamW, plain.nadam, {"lr": 0.01, "weight_decay": 0.1}),
    (o.RAdam, plain.radam, {"lr": 0.01}),
    (o.RAdam, plain.radam, {"lr": 0.01, "epsilon": 1e-3, "weight_decay": 0.1, "beta_2": 0.9, "eps_hat": False}),
    (o.RAdam, plain.radam, {"lr": 0.01, "beta_2": 0.5}),
    (o.Yogi, plain.yogi, {"lr": 0.01}),
    (o.Yogi, plain.yogi, {"lr": 0.01, "initial": 0.1, "beta_2": 0.9}),
    (o.AdaBelief, plain.adabelief, {"lr": 0.01}),
    (o.AdaBelief, plain.adabelief, {"lr": 0.01, "epsilon": 1e-8, "weight_decay": 0.1}),
    (o.Adan, plain.adan, {"lr": 0.01}),
    (o.Adan, plain.adan, {"lr": 0.01, "weight_decay": 0.1, "beta_1": 0.9, "epsilon": 1e-3}),
    (o.Lion, plain.lion, {"lr": 0.01}),
    (o.Lion, plain.lion, {"lr": 0.01, "weight_decay": 0.1, "decay": 0.1}),
    (o.Rprop, plain.rprop, {"lr": 0.01}),
    (o.Rprop, plain.rprop, {"lr": 0.1, "shrink": 0.25, "grow": 2.0, "smallest": 0.01, "largest": 0.3}),
    (o.LAMB, plain.lamb, {"lr": 0.01}),
    (o.LAMB, plain.lamb, {"lr": 0.01, "weight_decay": 0.1}),
    (o.LARS, plain.lars, {"lr": 1.0}),
    (o.LARS, plain.lars, {"lr": 0.5, "weight_decay": 0.1, "nesterov": True, "epsilon": 1e-3}),
    (o.NovoGrad, plain.novograd, {"lr": 0.01}),
    (o.NovoGrad, plain.novograd, {"lr": 0.01, "beta_2": 0.9, "weight_decay": 0.1}),
    (o.Muon, plain.muon, {"lr": 0.01}),
    (o.Muon, plain.muon, {"lr": 0.01, "nesterov": False, "weight_decay": 0.0, "adjust": "rms", "steps": 3}),
    (o.Muon, plain.muon, {"lr": 0.01, "adjust": "none"}),
    (o.Adafactor, plain.adafactor, {"lr": 0.2}),
    (o.Adafactor, plain.adafactor, {"lr": 0.1, "epsilon_1": 0.1, "epsilon_2": 2.0}),
    (o.Adafactor, plain.adafactor, {"lr": 0.01, "weight_decay": 0.1, "threshold": 0.5, "relative_step": False}),
    (o.ASGD, plain.asgd, {"lr": 0.01}),
    (o.ASGD, plain.asgd, {"lr": 0.01, "lambd": 0.5, "alpha": 0.5, "t0": 10.0}),
    (o.Ftrl, plain.ftrl, {"lr": 0.05}),
    (o.Ftrl, plain.ftrl, {"lr": 0.05, "l1": 2.0, "l2": 0.5, "beta": 1.0}),
    (o.Sophia, plain.sophia, {"lr": 0.01, "probe": "rademacher"}),
    (o.Sophia, plain.sophia, {"lr": 0.01, "probe": "rademacher", "every": 1, "gamma": 0.1, "beta_1": 0.5, "beta_2": 0.5}),
    (o.Sophia, plain.sophia, {"lr": 0.01, "probe": "rademacher", "every": 3, "epsilon": 1e-3, "weight_decay": 0.0}),
    (o.SOAP, plain.soap, {"lr": 0.01}),
    (o.SOAP, plain.soap, {"lr": 0.01, "every": 4, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1}),
    (o.SOAP, plain.soap, {"lr": 0.01, "largest": 4, "weight_decay": 0.0}),
    (o.ScheduleFreeSGD, plain.schedule_free_sgd, {"lr": 0.05}),
    (o.ScheduleFreeSGD, plain.schedule_free_sgd,
     {"lr": 0.05, "beta_1": 0.5, "weight_decay": 0.1, "weight_power": 1.0, "decay": 0.1}),
    (o.ScheduleFreeAdamW, plain.schedule_free_adamw, {"lr": 0.05}),
    (o.ScheduleFreeAdamW, plain.schedule_free_adamw, {"lr": 0.05, "weight_power": 1.0, "decay": 0.1}),
    (o.ScheduleFreeAdamW, plain.schedule_free_adamw,
     {"lr": 0.05, "eps_hat": False, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.1, "weight_power": 0.0, "decay": 0.1}),
]  # fmt: skip
NAMES = [f"{rule.__name__}-{i}" for i, (rule, _, _) in enumerate(SETTINGS)]


@pytest.mark.parametrize(("rule", "reference", "kwargs"), SETTINGS, ids=NAMES)
def test_a_path_is_that_of_plain_numpy(rule: Make, reference: plain.Rule, kwargs: dict[str, Any]) -> None:
    expected = walk(reference, **kwargs)
    assert apart(path(rule(**kwargs)), expected) < 1e-12
    found = path(rule(**kwargs), "float32")
    assert all(value.dtype == np.float32 for value in found)
    assert apart(found, expected) < 5e-6 * max(np.abs(a).max() for a in expected)


@pytest.mark.parametrize(("rule", "reference", "kwargs"), [row for row in SETTINGS if row[0] is not o.Muon],
                         ids=[name for name in NAMES if "Muon" not in name])  # fmt: skip
def test_a_path_of_vectors_is_that_of_plain_numpy(rule: Make, reference: plain.Rule, kwargs: dict[str, Any]) -> None:
    assert apart(path(rule(**kwargs), shapes=VECTORS), walk(reference, shapes=VECTORS, **kwargs)) < 1e-12


@pytest.mark.parametrize("kwargs", [row[2] for row in SETTINGS if row[0] is o.ASGD], ids=repr)
def test_the_average_of_asgd_is_that_of_plain_numpy(kwargs: dict[str, Any]) -> None:
    optimizer = o.ASGD(**kwargs)
    path(optimizer)
    averages = [optimizer.state()[f"average/{name}"] for name in "wb"]
    assert apart(averages, walk(plain.asgd, kept="average", **kwargs)[2:]) < 1e-12


MUTANTS: list[tuple[Make, plain.Rule, dict[str, Any], dict[str, Any]]] = [
    (o.Adam, plain.adam, {}, {"beta_1": 0.999, "beta_2": 0.9}),
    (o.Adam, plain.adam, {}, {"epsilon": 1e-6}),
    (o.Adam, plain.adam, {}, {"lr": 0.0100001}),
    (o.Adam, plain.adam, {}, {"decay": 1e-6}),
    (o.RMSprop, plain.rmsprop, {}, {"epsilon": 2e-7}),
    (o.Adadelta, plain.adadelta, {}, {"rho": 0.95001}),
    (o.Adamax, plain.adamax, {}, {"beta_1": 0.999, "beta_2": 0.9}),
    (o.Nadam, plain.nadam, {}, {"schedule_decay": 1.0}),
    (o.AdamW, plain.adamw, {}, {"eps_hat": False}),
    (o.AdamW, plain.adamw, {"decay": 0.1}, {"decoupled": "none"}),
    (o.Lion, plain.lion, {}, {"beta_1": 0.99, "beta_2": 0.9}),
    (o.LARS, plain.lars, {}, {"nesterov": True}),
    (o.Adafactor, plain.adafactor, {}, {"relative_step": True, "lr": 0.5}),
    (o.Sophia, plain.sophia, {"probe": "rademacher"}, {"beta_1": 0.99, "beta_2": 0.96}),
    (o.Sophia, plain.sophia, {"probe": "rademacher"}, {"every": 11}),
    (o.Sophia, plain.sophia, {"probe": "rademacher", "epsilon": 0.1}, {"epsilon": 0.11}),
    (o.SOAP, plain.soap, {}, {"every": 11}),
    (o.SOAP, plain.soap, {}, {"beta_1": 0.94}),
    (o.SOAP, plain.soap, {}, {"epsilon": 2e-7}),
    (o.ScheduleFreeSGD, plain.schedule_free_sgd, {}, {"beta_1": 0.9001}),
    (o.ScheduleFreeSGD, plain.schedule_free_sgd, {"decay": 0.1}, {"weight_power": 0.0}),
    (o.ScheduleFreeAdamW, plain.schedule_free_adamw, {}, {"eps_hat": False}),
    (o.ScheduleFreeAdamW, plain.schedule_free_adamw, {}, {"beta_1": 0.999, "beta_2": 0.9}),
]


@pytest.mark.parametrize(("rule", "reference", "common", "mutant"), MUTANTS)
def test_a_wrong_number_would_be_seen(rule: Make, reference: plain.Rule, common: dict[str, Any], mutant: dict[str, Any]) -> None:
    expected = walk(reference, **{"lr": 0.01, **common})
    assert apart(path(rule(**{"lr": 0.01, **common, **mutant})), expected) > 1e-9


class StaleRprop(o.Rprop):
    """optax's mistake: the step is taken by the gradient before."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        before = s.h
        super().rule(p, g, s)
        return p - sign(before) * s.delta


class MovedEpsilon(o.RMSprop):
    """Keras 3's place of ε."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        s.a = self.rho * s.a + (1 - self.rho) * square(g)
        return p - self.rate * g / (s.a + self.epsilon) ** 0.5


class StaleAdagrad(o.Adagrad):
    """The slot as it was before this step."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        before = s.a
        s.a = s.a + square(g)
        return p - self.rate * g / ((before + 1e-30) ** 0.5 + self.epsilon)


class EarlySophia(o.Sophia):
    """The diagonal as it is after this step, as in Algorithm 3."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        super().rule(p, g, s)
        return p - self.rate * (s.m / maximum(maximum(self.gamma * s.h, self.epsilon), abs(s.m)) + self.weight_decay * p)


class HalfTurnedSOAP(o.SOAP):
    """The moments are turned, and the step is not turned back."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        left = s.start("Ql", np.eye(p.shape[0]), (p.shape[0],) * 2)
        return matmul(transpose(left), super().rule(p, g, s) - (1 - self.rate * self.weight_decay) * p) + p


class PolyakSGD(o.ScheduleFreeSGD):
    """The gradient is taken at the mean."""

    def rule(self, p: Variable, g: Any, s: Any) -> Any:
        s.z = where(equal(self.t, 1), p, s.z) - self.rate * g
        return p + (s.z - p) / cast(self.t, p.dtype)


@pytest.mark.parametrize(
    ("mutant", "reference", "numbers"),
    [
        (StaleRprop, plain.rprop, {}),
        (MovedEpsilon, plain.rmsprop, {}),
        (StaleAdagrad, plain.adagrad, {}),
        (EarlySophia, plain.sophia, {"probe": "rademacher"}),
        (HalfTurnedSOAP, plain.soap, {}),
        (PolyakSGD, plain.schedule_free_sgd, {}),
    ],
)
def test_a_mutated_rule_would_be_seen(mutant: Make, reference: plain.Rule, numbers: dict[str, Any]) -> None:
    assert apart(path(mutant(lr=0.01, **numbers)), walk(reference, lr=0.01, **numbers)) > 1e-9


# Keras 2.3.1 on TensorFlow: three steps, float32 (reference/keras_goldens/opt_tf.txt) --------------------------------

KERAS: list[tuple[o.Optimizer, list[float], list[float], float, list[str]]] = [
    (o.SGD(lr=0.05), [20.75, 5.65375, 1.821278], [0.857375, -0.25], 0.3645, ["m/p", "m/q"]),
    (o.SGD(lr=0.05, momentum=0.9), [20.75, 5.65375, 1.297253], [0.731375, 1.46], 0.243, ["m/p", "m/q"]),
    (o.SGD(lr=0.05, momentum=0.9, nesterov=True), [20.75, 0.623537, 3.62586], [0.631463, 0.80975], 0.163661, ["m/p", "m/q"]),
    (o.SGD(lr=0.05, decay=0.5), [20.75, 5.65375, 2.82029], [0.895375, -0.5], 0.399, ["m/p", "m/q"]),
    (o.SGD(lr=0.05, clipnorm=1.0), [20.75, 19.759951, 18.794792], [0.992344, -1.85039], 0.492364, ["m/p", "m/q"]),
    (o.SGD(lr=0.05, clipvalue=0.5), [20.75, 20.204062, 19.66625], [0.925, -1.925], 0.425, ["m/p", "m/q"]),
    (o.Adam(lr=0.05), [20.75, 19.66625, 18.615948], [0.850312, -1.850137], 0.350794,
     ["m/p", "m/q", "v/p", "v/q", "vhat/p", "vhat/q"]),
    (o.Adam(lr=0.05, decay=0.5), [20.75, 19.66625, 18.962448], [0.891814, -1.891732], 0.392032,
     ["m/p", "m/q", "v/p", "v/q", "vhat/p", "vhat/q"]),
    (o.Adam(lr=0.05, amsgrad=True), [20.75, 19.66625, 18.615948], [0.850312, -1.850137], 0.350794,
     ["m/p", "m/q", "v/p", "v/q", "vhat/p", "vhat/q"]),
    (o.RMSprop(lr=0.05), [20.75, 17.433994, 15.328611], [0.654359, -1.641929], 0.18459, ["a/p", "a/q"]),
    (o.RMSprop(lr=0.05, decay=0.5), [20.75, 17.433994, 16.013807], [0.729233, -1.722914], 0.244602, ["a/p", "a/q"]),
    (o.Adagrad(lr=0.05), [20.75, 19.66625, 18.930588], [0.887911, -1.886822], 0.390228, ["a/p", "a/q"]),
    (o.Adadelta(), [20.75, 20.718901, 20.687445], [0.995712, -1.995711], 0.495716, ["a/p", "a/q", "d/p", "d/q"]),
    (o.Adamax(lr=0.05), [20.75, 19.66625, 18.629778], [0.853824, -1.851843], 0.35775, ["m/p", "m/q", "u/p", "u/q"]),
    (o.Nadam(lr=0.05), [20.75, 19.606039, 18.792303], [0.873754, -1.87254], 0.376365,
     ["Nadam/m_schedule", "m/p", "m/q", "v/p", "v/q"]),
]  # fmt: skip


@pytest.mark.parametrize("row", KERAS, ids=[repr(row[0]) for row in KERAS])
def test_three_steps_are_those_of_keras(row: tuple[o.Optimizer, list[float], list[float], float, list[str]]) -> None:
    optimizer, losses, p_after, q_after, names = row
    loss, p, q = keras_problem()
    step = function([], loss, updates=optimizer.get_updates(loss=loss, params=[p, q]))
    found = [step() for _ in range(3)]
    np.testing.assert_allclose(found, losses, rtol=2e-6)
    np.testing.assert_allclose(p.get_value(), p_after, rtol=0, atol=2e-6)
    np.testing.assert_allclose(q.get_value(), [[q_after]], rtol=0, atol=2e-6)
    assert optimizer.iterations.get_value() == 3
    assert [weight.name for weight in optimizer.weights] == [f"{optimizer.name}/iterations", *names]
    unused = ("vhat",) if not getattr(optimizer, "amsgrad", True) else ()
    shapes = {"p": (2,), "q": (1, 1)}
    wanted = [(1,) if name.startswith(unused) else shapes.get(name[-1], ()) for name in names]
    assert [weight.shape for weight in optimizer.get_weights()[1:]] == wanted
