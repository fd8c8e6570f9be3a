"""Composed optimizers asked as if they were one: rate, weights, configuration; and how all optimizers are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optimizers as o
from autograph import AmbiguousError, ArgumentError, ArgumentTypeError, Variable, function, reduce_sum, square, variable
from optimizers import SGD, Adam, Nadam, RMSprop
from tests.optimizers.paths import ALL, Make
from tests.ticking import tick


def shared() -> Any:
    """One optimizer with two groups."""
    both = SGD(0.1, 0.9)
    return o.partition({"*/bias": both, "*/kernel": Adam(0.1)}, both)


COMPOSED: dict[str, Callable[[], Any]] = {
    "partition": lambda: o.partition({"*/bias": SGD(0.1, 0.9), "frozen": None}, Adam(0.02)),
    "partition of one": lambda: o.partition({}, RMSprop(0.02)),
    "shared": shared,
    "accumulate": lambda: o.accumulate(Adam(0.02), 2),
    "accumulate sums": lambda: o.accumulate(SGD(0.02), 2, mean=False),
    "static scale": lambda: o.static_scale(Adam(0.02), 64.0),
    "dynamic scale": lambda: o.dynamic_scale(Nadam(0.02), 8.0, period=2),
    "nested": lambda: o.accumulate(o.partition({"*/bias": SGD(0.1)}, Adam(0.02)), 2),
}
ONE = ["accumulate", "accumulate sums", "static scale", "dynamic scale", "partition of one"]


def parameters() -> list[Variable]:
    return [
        variable(np.arange(6.0).reshape(3, 2), "float64", name="dense/kernel"),
        variable([1.0, -2.0], "float64", name="dense/bias"),
        variable([4.0], "float64", name="frozen"),
    ]


def stepping(optimizer: Any) -> tuple[list[Variable], Any]:
    params = parameters()
    if optimizer.name == "partition" and not optimizer.groups:
        params = params[:2]
    if "frozen" not in getattr(optimizer, "groups", ()):
        params = params[:2]
    loss = sum((reduce_sum(square(p - 3.0)) for p in params), start=0.0)
    return params, function([], loss, optimizer.get_updates(loss, params))


def values(params: list[Variable]) -> list[bytes]:
    return [p.get_value().tobytes() for p in params]


# one optimizer inside -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE)
def test_the_rate_of_a_single_optimizer_is_that_of_the_whole_and_changes_in_flight(name: str) -> None:
    whole = COMPOSED[name]()
    [inner] = whole.optimizers
    params, step = stepping(whole)
    assert whole.lr is whole.learning_rate is inner.lr
    assert whole.iterations is inner.iterations
    step()
    step()
    assert whole.iterations.get_value() > 0
    before = [p.get_value() for p in params]
    whole.lr = 1e-30
    assert inner.lr.get_value() == 1e-30
    step()
    step()
    assert all(np.allclose(p.get_value(), old, rtol=0, atol=1e-20) for p, old in zip(params, before, strict=True))
    whole.learning_rate = 0.5
    assert inner.get_config()["learning_rate"] == 0.5


def test_the_rate_of_a_nested_one_is_reached_through_both() -> None:
    whole = o.dynamic_scale(o.accumulate(Adam(0.25), 2))
    whole.lr = 0.5
    assert whole.optimizers[0].optimizers[0].get_config()["learning_rate"] == 0.5


@pytest.mark.parametrize("name", ["lr", "learning_rate", "iterations"])
def test_of_several_optimizers_none_is_meant(name: str) -> None:
    for whole in (COMPOSED["partition"](), o.accumulate(COMPOSED["partition"](), 2)):
        with pytest.raises(AmbiguousError, match=rf"partition holds 2 optimizers(?s:.*)\.optimizers\[0\]\.{name}"):
            getattr(whole, name)
        assert not hasattr(whole, name)
        if name != "iterations":
            with pytest.raises(AmbiguousError):
                setattr(whole, name, 0.1)


def test_a_number_set_on_the_whole_is_never_lost_in_silence() -> None:
    for make in COMPOSED.values():
        with pytest.raises(AttributeError):
            make().beta_1 = 0.5


def test_the_sum_of_gradients_in_place_of_their_mean() -> None:
    w, v = variable([0.0], "float64"), variable([0.0], "float64")
    summed = o.accumulate(SGD(1.0), 4, mean=False).get_updates([np.array([0.1])], [w])
    mean = o.accumulate(SGD(4.0), 4).get_updates([np.array([0.1])], [v])
    for _ in range(8):
        tick(summed)
        tick(mean)
    assert w.get_value() == pytest.approx(-0.8, rel=1e-15)
    assert v.get_value() == pytest.approx(w.get_value(), rel=1e-15)
    with pytest.raises(ArgumentTypeError, match="mean=3"):
        o.accumulate(SGD(), 2, mean=3)  # type: ignore[arg-type]


# weights and configurations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPOSED)
def test_state_and_weights_resume_bit_for_bit(name: str) -> None:
    through = COMPOSED[name]()
    params, step = stepping(through)
    for _ in range(5):
        step()
    state, weights, held = through.state(), through.get_weights(), [p.get_value() for p in params]
    assert len(weights) == len(through.weights) > 0
    for _ in range(6):
        step()
    for restore in (lambda one: one.load(state), lambda one: one.set_weights(weights)):
        resumed = COMPOSED[name]()
        again, other = stepping(resumed)
        other()
        restore(resumed)
        for p, value in zip(again, held, strict=True):
            p.set_value(value)
        for _ in range(6):
            other()
        assert values(again) == values(params)


def test_weights_are_registers_of_its_own_then_those_of_the_optimizers_in_keras_order() -> None:
    whole = o.accumulate(o.partition({"*/bias": SGD(0.1, 0.9)}, RMSprop()), 2)
    assert [w.name for w in whole.weights] == ["accumulate/ticks"]
    stepping(whole)
    assert [w.name for w in whole.weights] == [
        "accumulate/ticks", "sum/dense/kernel", "sum/dense/bias", "SGD/iterations", "m/dense/bias", "RMSprop/iterations",
        "a/dense/kernel",
    ]  # fmt: skip
    with pytest.raises(ArgumentError, match=r"accumulate needs 7 arrays, got 1\n  they are accumulate/ticks, sum/dense/kernel"):
        whole.set_weights([0])


@pytest.mark.parametrize("name", COMPOSED)
def test_a_configuration_goes_round(name: str) -> None:
    whole = COMPOSED[name]()
    config = o.serialize(whole)
    again = o.get(config)
    assert type(again) is type(whole)
    assert o.serialize(again) == config
    assert repr(again) == repr(whole)
    assert o.get(whole) is whole
    assert o.serialize(type(whole).from_config(whole.get_config())) == config
    first, step = stepping(whole)
    second, other = stepping(again)
    for _ in range(4):
        step()
        other()
    assert values(first) == values(second)


def test_the_scale_of_the_moment_is_part_of_the_configuration() -> None:
    whole = o.dynamic_scale(SGD(), 8.0)
    whole.scale.set_value(16.0)
    assert o.get(o.serialize(whole)).get_config()["scale"] == 16.0


def test_a_configuration_that_none_gave_is_refused() -> None:
    [w, *_] = parameters()
    with pytest.raises(ArgumentError, match="name them by patterns"):
        o.partition({w: SGD()}).get_config()
    for name in ("accumulated", "partition", "scaled"):
        with pytest.raises(ArgumentError, match="the config lacks 'optimizers'"):
            o.get(name)
    with pytest.raises(ArgumentError, match="the config lacks"):
        o.deserialize({"class_name": "Accumulated", "config": {"optimizers": []}})


# how they are shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ALL)
def test_every_rule_is_shown_as_mathematics_with_its_current_numbers(rule: Make) -> None:
    optimizer = rule(lr=0.25, name="mine")
    params = [variable(np.ones((2, 2)), "float64", name=name) for name in ("w", "u")]
    loss = reduce_sum(square(params[0])) + reduce_sum(square(params[1]))
    step = function([], updates=optimizer.get_updates(loss, params))
    step()
    optimizer.lr = 0.125
    before = {name: value.tobytes() for name, value in optimizer.state().items()}
    text = str(optimizer)
    assert "learning_rate=0.125" in text
    slots = list(optimizer._slots[params[0]])
    rows = [line.strip().partition("←")[0].strip() for line in text.splitlines()[1:]]
    assert rows[-1] == "p" or "p" in rows
    assert len(rows) == len(slots) + 1 + len(optimizer._clocks[0].shared)
    for shown in (optimizer._repr_html_(), optimizer._repr_latex_()):
        assert shown.count(r"\leftarrow") == len(rows)
    assert "0.125" in optimizer._repr_html_()
    assert not {"mine/", "object at", "variable_"} & set(text.split())
    assert "mine/" not in text
    assert "object at" not in text
    assert {name: value.tobytes() for name, value in optimizer.state().items()} == before, "looking changes nothing"
    numbers = {f"mine/{name}" for name, value in optimizer._settings.items() if isinstance(value, Variable)}
    named = numbers | {f"{slot}/{p.name}" for slot in slots for p in params} | {"mine/iterations"}
    named |= {"mine/random"} if optimizer._random is not None else set()
    assert set(optimizer.state()) == named | {f"mine/{name}" for name in optimizer._clocks[0].shared}


@pytest.mark.parametrize("name", COMPOSED)
def test_composed_optimizers_show_the_rules_inside(name: str) -> None:
    whole = COMPOSED[name]()
    stepping(whole)
    text, html, latex = str(whole), whole._repr_html_(), whole._repr_latex_()
    assert text.startswith(whole.name)
    leaves = [one for one in whole.optimizers if not hasattr(one, "optimizers")]
    for one in leaves:
        assert repr(one) in text
        assert all(line.strip() in text for line in str(one).splitlines())
        assert one._repr_html_() in html
        assert one._repr_latex_() in latex
    assert "object at" not in text + html + latex


def test_a_partition_shows_which_parameters_go_where() -> None:
    text = str(o.partition({"*/bias": SGD(0.5), "emb_1": None}, Adam()))
    assert text.splitlines()[:5] == [
        "partition", "  */bias:", "    SGD(learning_rate=0.5, momentum=0.0)", "      p ← p − η·g", "  emb_1:",
    ]  # fmt: skip
    assert "    frozen" in text.splitlines()
    assert "  all others:" in text.splitlines()
    assert r"\text{emb\_1:}" in o.partition({"emb_1": None}, Adam())._repr_latex_()
    assert "&lt;b&gt;" in o.partition({"<b>": SGD()})._repr_html_()
    [w, *_] = parameters()
    assert repr(o.partition({w: SGD(0.5)})) == "partition({'dense/kernel': SGD(learning_rate=0.5, momentum=0.0)})"


def test_ticks_and_scales_are_shown_with_their_current_numbers() -> None:
    assert str(o.accumulate(SGD(), 1)).startswith("accumulate(k=1)\n  every tick, where g is the mean")
    assert "the sum of their gradients" in str(o.accumulate(SGD(), 3, mean=False))
    whole = o.dynamic_scale(SGD(0.5), 8.0)
    whole.scale.set_value(4.0)
    assert str(whole).startswith("dynamic_scale(scale=4.0, factor=2.0, period=2000,")
    assert repr(o.static_scale(SGD(0.5), 8.0)) == "static_scale(SGD(learning_rate=0.5, momentum=0.0), scale=8.0)"


def test_a_schedule_that_is_a_function_is_shown_by_its_name() -> None:
    def falling(t: Any) -> Any:
        return 0.1 / (1 + t)

    assert repr(SGD(falling)) == "SGD(learning_rate=falling, momentum=0.0)"
    assert repr(SGD(o.cosine(0.1, 5))) == "SGD(learning_rate=cosine(0.1, 5), momentum=0.0)"


def test_two_numbers_of_one_symbol_are_told_apart() -> None:
    assert "λ" in str(o.ASGD())
    assert "ASGD/" not in str(o.ASGD())
    assert {"λ·p", "weight_decay·p"} <= set(str(o.ASGD(weight_decay=0.5)).replace("(", " ").replace(")", " ").split())
