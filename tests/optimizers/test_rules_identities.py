"""What must hold of every rule: its identities and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optimizers as o
from tests.optimizers.paths import ALL, Make, after, bare
from tests.optimizers.references import Array, gradients_of, start

BY_NORMS: list[Make] = [o.LAMB, o.LARS, o.NovoGrad, o.Muon, o.Adafactor, o.SOAP]
pytestmark = pytest.mark.no_cover
ELEMENTWISE = [rule for rule in ALL if rule not in BY_NORMS]
numbers = st.floats(0.01, 100.0).flatmap(lambda x: st.sampled_from([x, -x]))
matrices = st.lists(numbers, min_size=8, max_size=8).map(lambda values: np.array(values).reshape(4, 2))
some = settings(max_examples=10, deadline=None)


@pytest.mark.parametrize("rule", ELEMENTWISE)
@some
@given(w=matrices, g=matrices, h=matrices)
def test_a_tensor_split_in_two_takes_the_same_steps_where_a_rule_is_elementwise(rule: Make, w: Array, g: Array, h: Array) -> None:
    [whole] = after(rule(), [w], [g], [h], [g])
    parts = after(rule(), [w[:2], w[2:]], [g[:2], g[2:]], [h[:2], h[2:]], [g[:2], g[2:]])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("rule", BY_NORMS)
def test_a_tensor_split_in_two_takes_other_steps_where_a_rule_takes_it_as_a_whole(rule: Make) -> None:
    w, g = start()[0], next(gradients_of())[0]
    often = {"every": 1} if rule is o.SOAP else {}
    [whole] = after(bare(rule, lr=0.1, **often), [w], [g], [g * 3])
    parts = after(bare(rule, lr=0.1, **often), [w[:2], w[2:]], [g[:2], g[2:]], [g[:2] * 3, g[2:] * 3])
    assert np.abs(np.concatenate(parts) - whole).max() > 1e-6


@pytest.mark.parametrize("rule", ALL)
@some
@given(w=matrices, g=matrices)
def test_parameters_in_another_order_take_the_same_steps(rule: Make, w: Array, g: Array) -> None:
    a, b = after(rule(), [w, w.T], [g, g.T], [w, g.T])
    c, d = after(rule(), [w.T, w], [g.T, g], [g.T, w])
    assert (a.tobytes(), b.tobytes()) == (d.tobytes(), c.tobytes())


SCALELESS = [
    o.Lion(), o.Rprop(), o.Muon(), o.RMSprop(epsilon=0), o.RMSprop(epsilon=0, momentum=0.9), o.Adagrad(epsilon=0),
    o.Adam(epsilon=0), o.AdamW(epsilon=0), o.Adamax(epsilon=0), o.Nadam(epsilon=0), o.NAdamW(epsilon=0), o.AdaBelief(epsilon=0),
    o.Adan(epsilon=0), o.NovoGrad(epsilon=0), o.LAMB(epsilon=0), o.LARS(), o.Adafactor(epsilon_1=0),
    o.Sophia(), o.SOAP(epsilon=0), o.ScheduleFreeAdamW(epsilon=0),
]  # fmt: skip


@pytest.mark.parametrize("rule", SCALELESS, ids=[repr(rule) for rule in SCALELESS])
@some
@given(w=matrices, g=matrices, h=matrices, power=st.integers(-20, 20))
def test_steps_do_not_depend_on_the_size_of_gradients(rule: o.Optimizer, w: Array, g: Array, h: Array, power: int) -> None:
    def path(c: float) -> Array:
        return after(type(rule)(**rule.get_config()), [w], [c * g], [c * h], [c * g])[0]

    np.testing.assert_allclose(path(2.0**power), path(1.0), rtol=1e-10, atol=1e-12)


@some
@given(w=matrices, g=matrices, power=st.integers(-20, 20))
def test_lamb_and_lars_scale_with_the_parameter(w: Array, g: Array, power: int) -> None:
    c = 2.0**power
    for rule in (o.LAMB, o.LARS):
        [one], [other] = after(rule(lr=0.1), [w], [g], [g]), after(rule(lr=0.1), [c * w], [g], [g])
        np.testing.assert_allclose(other, c * one, rtol=1e-9)


@some
@given(w=matrices, g=matrices, h=matrices)
def test_one_rule_is_another_where_a_term_vanishes(w: Array, g: Array, h: Array) -> None:
    def same(a: o.Optimizer, b: o.Optimizer) -> None:
        np.testing.assert_allclose(after(a, [w], [g], [h], [g])[0], after(b, [w], [g], [h], [g])[0], rtol=1e-12, atol=1e-13)

    same(o.AdamW(weight_decay=0.0), o.Adam())
    same(o.AdamW(weight_decay=0.0, amsgrad=True), o.Adam(amsgrad=True))
    same(o.NAdamW(weight_decay=0.0), o.Nadam())
    same(o.ASGD(lambd=0.0), o.SGD())
    same(o.RMSprop(lr=0.1, rho=0.0, epsilon=0.0), o.Lion(lr=0.1, beta_1=0.0))
    same(o.Adam(lr=0.1, beta_1=0.0, beta_2=0.0, epsilon=0.0), o.Lion(lr=0.1, beta_1=0.0))
    same(o.RAdam(lr=0.1, beta_1=0.0, beta_2=0.5), o.SGD(lr=0.1))
    same(o.SOAP(weight_decay=0.1), o.AdamW(0.003, beta_1=0.95, beta_2=0.95, weight_decay=0.1))
    same(o.SOAP(every=1, largest=1, weight_decay=0.0), o.Adam(0.003, beta_1=0.95, beta_2=0.95))
    same(o.Sophia(lr=0.1, beta_1=0.0, weight_decay=0.0), o.Lion(lr=0.1, beta_1=0.0))


@settings(max_examples=3, deadline=None)
@given(w=matrices, g=matrices)
def test_what_weight_decay_takes_is_what_it_is_multiplied_by(w: Array, g: Array) -> None:
    for rule in (o.AdamW, o.NAdamW, o.RAdam, o.AdaBelief, o.Lion, o.Muon):
        [without] = after(rule(lr=0.5, decay=1.0, weight_decay=0.0), [w], [g])
        for coupling, factor in (("lr", 0.5), ("schedule", 1.0), ("none", 1.0)):
            [found] = after(rule(lr=0.5, decay=1.0, weight_decay=0.25, decoupled=coupling), [w], [g])
            np.testing.assert_allclose(without - found, 0.25 * factor * w, rtol=1e-9, atol=1e-9)


def test_the_schedule_alone_moves_decay_where_the_paper_says_so() -> None:
    optimizer, zeros = o.AdamW(lr=0.5, decay=1.0, weight_decay=0.25, decoupled="schedule"), [np.zeros((1, 1))]
    [found] = after(optimizer, [np.ones((1, 1))], zeros, zeros)
    np.testing.assert_allclose(found, 0.75 * (1 - 0.25 / 2), rtol=1e-15)
