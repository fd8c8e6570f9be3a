"""Gradient noise, an option of every optimizer: its size, its place, and its random numbers, which are saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optimizers as o
from autograph import ArgumentError, ArgumentTypeError, Variable, checkpoint, function, greater, placeholder, variable
from tests.optimizers.paths import ALL, Make, bare, steps

MANY = 20_000


def noise_of(count: int = 1, **options: Any) -> list[np.ndarray]:
    """The noise of each step of descent with rate 1, whose gradients are 0."""
    w = variable(np.zeros(MANY), "float64", name="w")
    step = function([], w, updates=o.SGD(1.0, **options).get_updates([np.zeros(MANY)], [w]))
    return [-x for x in np.diff([step() for _ in range(count + 1)], axis=0)]


@pytest.mark.parametrize(("options", "gamma"), [({}, 0.55), ({"noise_decay": 0.0}, 0.0), ({"noise_decay": 2.0}, 2.0)])
def test_its_variance_falls_with_the_steps_as_in_the_paper(options: dict[str, float], gamma: float) -> None:
    found = noise_of(5, noise=0.3, seed=1, **options)
    for t, noise in enumerate(found, 1):
        assert noise.std() == pytest.approx(np.sqrt(0.3 / t**gamma), rel=0.03)
        assert abs(noise.mean()) < 0.02
        assert np.mean(noise**4) / noise.var() ** 2 == pytest.approx(3, rel=0.1)
    assert abs(np.corrcoef(found[0], found[1])[0, 1]) < 0.03


def test_a_seed_gives_the_same_noise_again_and_another_seed_another() -> None:
    a, b, c = (noise_of(noise=0.3, seed=seed)[0] for seed in (5, 5, 6))
    assert a.tobytes() == b.tobytes()
    assert abs(np.corrcoef(a, c)[0, 1]) < 0.03
    found = []
    for _ in range(2):
        np.random.seed(3)
        found.append(noise_of(noise=0.3)[0].tobytes())
    assert found[0] == found[1]


def test_each_parameter_has_noise_of_its_own_and_of_its_dtype() -> None:
    params = [variable(np.zeros(MANY), dtype, name) for dtype, name in (("float16", "a"), ("float32", "b"), ("float64", "c"))]
    function([], updates=o.SGD(1.0, noise=1.0, seed=2).get_updates([np.zeros(MANY)] * 3, params))()
    found = [p.get_value() for p in params]
    assert [x.dtype for x in found] == ["float16", "float32", "float64"]
    assert np.abs(np.corrcoef(found) - np.eye(3)).max() < 0.03
    assert all(x.std() == pytest.approx(1.0, rel=0.03) for x in found)


def test_it_is_added_after_clipping_and_before_decay_and_the_rule() -> None:
    w = variable(np.ones(MANY), "float64", name="w")
    optimizer = o.SGD(0.5, momentum=0.5, noise=4.0, clipnorm=1e-9, clipvalue=1e-9, weight_decay=3.0)
    step = function([], updates=optimizer.get_updates([np.ones(MANY)], [w]))
    step()
    moved = (1 - w.get_value()) / 0.5
    assert moved.std() == pytest.approx(2.0, rel=0.03)
    assert moved.mean() == pytest.approx(3.0, abs=0.05)
    np.testing.assert_allclose(optimizer.state()["m/w"], -0.5 * moved, rtol=1e-9)


def test_get_gradients_are_without_it_and_so_is_a_rule_with_none() -> None:
    w = variable(np.ones(3), "float64", name="w")
    optimizer = o.SGD(0.1, noise=1.0)
    [g] = optimizer.get_gradients([np.ones(3)], [w])
    assert function([], [g])()[0].tolist() == [1.0, 1.0, 1.0]
    function([], updates=o.SGD(1.0, noise=0.0).get_updates([np.ones(3)], [w]))()
    assert w.get_value().tolist() == [0.0, 0.0, 0.0]
    assert "random" not in "".join(o.SGD().state())


def test_it_can_be_changed_in_flight_and_be_an_expression() -> None:
    w, level = variable(np.zeros(MANY), "float64", name="w"), variable(4.0, "float64", name="level")
    for noise, louder in ((4.0, lambda opt: setattr(opt, "noise", 16.0)), (level * 1.0, lambda opt: level.set_value(16.0))):
        optimizer = o.SGD(1.0, noise=noise, noise_decay=0.0)
        step = function([], w, updates=optimizer.get_updates([np.zeros(MANY)], [w]))
        w.set_value(np.zeros(MANY))
        step()
        assert w.get_value().std() == pytest.approx(2.0, rel=0.03)
        louder(optimizer)
        before = w.get_value()
        step()
        assert (w.get_value() - before).std() == pytest.approx(4.0, rel=0.03)


def test_time_of_the_noise_stands_still_where_steps_are_skipped_and_its_numbers_go_on() -> None:
    w, go = variable(np.zeros(MANY), "float64", name="w"), placeholder((), name="go")
    optimizer = o.SGD(1.0, noise=4.0, noise_decay=2.0, seed=1)
    step = function([go], w, updates=optimizer.get_updates([np.zeros(MANY)], [w]).when(greater(go, 0)))
    state = optimizer.random.get_value()
    for _ in range(9):
        step(-1.0)
    assert not w.get_value().any()
    assert optimizer.random.get_value().tolist() != state.tolist()
    step(1.0)
    assert w.get_value().std() == pytest.approx(2.0, rel=0.03)


def resumed(rule: Make, save: Callable[[Any, list[Variable]], Callable[[Any, list[Variable]], None]]) -> None:
    """Five steps on and five steps on from what was saved, the parameters listed the other way: bit for bit the same."""
    rng = np.random.default_rng(0)
    found = [[rng.normal(size=(3, 2)), rng.normal(size=(2, 2))] for _ in range(10)]

    def make(order: int = 1) -> tuple[Any, list[Variable], Any]:
        optimizer, params = bare(rule, noise=0.3), [variable(np.ones((n, 2)), "float64", name=f"w{n}") for n in (3, 2)]
        feeds = [placeholder(p.shape, dtype=p.dtype) for p in params]
        return optimizer, params, function(feeds, updates=steps(optimizer, feeds[::order], params[::order]))

    optimizer, params, step = make()
    for gradients in found[:5]:
        step(*gradients)
    restore = save(optimizer, params)
    other, again, go_on = make(-1)
    restore(other, again)
    for gradients in found[5:]:
        step(*gradients)
        go_on(*gradients)
    assert [p.get_value().tobytes() for p in again] == [p.get_value().tobytes() for p in params]
    assert other.random.get_value().tobytes() == optimizer.random.get_value().tobytes()


@pytest.mark.parametrize("rule", ALL)
def test_its_random_numbers_are_saved_with_every_rule(rule: Make, tmp_path: Path) -> None:
    def by_state(optimizer: Any, params: list[Variable]) -> Any:
        state, values = optimizer.state(), [p.get_value() for p in params]

        def restore(other: Any, again: list[Variable]) -> None:
            other.load(state)
            for p, value in zip(again, values, strict=True):
                p.set_value(value)

        return restore

    def by_checkpoint(optimizer: Any, params: list[Variable]) -> Any:
        checkpoint.save(tmp_path / "all.safetensors", [optimizer, *params])
        return lambda other, again: checkpoint.load(tmp_path / "all.safetensors", [other, *again])

    resumed(rule, by_state)
    resumed(rule, by_checkpoint)


def test_weights_hold_them_last() -> None:
    w = variable(np.ones(2), name="w")
    optimizer = o.Adam(noise=0.3)
    assert optimizer.weights == []
    step = function([], w, updates=optimizer.get_updates([np.ones(2)], [w]))
    weights = optimizer.get_weights()
    first = [step() for _ in range(3)]
    optimizer.set_weights(weights)
    w.set_value(np.ones(2))
    np.testing.assert_array_equal([step() for _ in range(3)], first)
    assert [weight.name for weight in optimizer.weights] == ["Adam/iterations", "m/w", "v/w", "vhat/w", "Adam/random"]


def test_it_goes_through_configurations_and_is_printed() -> None:
    made = o.Adam(noise=0.3, noise_decay=0.5, seed=np.int64(7))
    config = made.get_config()
    assert (config["noise"], config["noise_decay"], config["seed"]) == (0.3, 0.5, 7)
    assert o.Adam.from_config(config).get_config() == config
    assert not {"noise", "noise_decay", "seed"} & set(o.Adam().get_config())
    assert "noise=0.3, noise_decay=0.5, seed=7" in repr(made)
    w = variable(np.ones(2), name="w")
    assert "g + √(noise/t^0.55)·ξ".replace("g", "∂loss/∂w") in repr(o.SGD(noise=0.3).get_updates((w * w)[0], [w]))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"noise": -0.1}, ArgumentError, "noise=-0.1 makes no sense"),
        ({"noise": "loud"}, ArgumentTypeError, "no number"),
        ({"noise": 0.1, "noise_decay": -1}, ArgumentError, "noise_decay=-1"),
        ({"noise_decay": 0.5}, ArgumentError, "noise_decay without noise does nothing"),
        ({"seed": 1}, ArgumentError, "seed without noise does nothing"),
        ({"noise": 0.1, "seed": 1.5}, ArgumentTypeError, "seed=1.5 is no whole number"),
        ({"noise": 0.1, "seed": True}, ArgumentTypeError, "seed=True is no whole number"),
        ({"noize": 0.1}, ArgumentTypeError, "did you mean 'noise'"),
    ],
)
def test_noise_that_makes_no_sense(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        o.SGD(**options)


def test_a_seed_is_fixed_once_updates_exist() -> None:
    optimizer, w = o.SGD(noise=0.1, seed=1), variable(np.ones(2), name="w")
    optimizer.get_updates([np.ones(2)], [w])
    optimizer.seed = 1
    with pytest.raises(ArgumentError, match="seed is fixed"):
        optimizer.seed = 2
    with pytest.raises(ArgumentError, match="noise_decay cannot become 1"):
        optimizer.noise_decay = 1.0
