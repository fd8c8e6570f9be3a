"""A sample of the mutants of `mutants`: a rule with one thing wrong takes another path than its reference."""

from __future__ import annotations

import os
from collections import Counter

import pytest

import optimizers as o
from optimizers import layerwise
from tests.optimizers import mutants
from tests.optimizers.paths import ALL

pytestmark = pytest.mark.no_cover
EACH = 1 if os.environ.get("AUTOGRAPH_CAMPAIGN") else 13


def test_no_wrong_rule_survives() -> None:
    verdicts = mutants.run(each=EACH)
    counts = Counter(v.outcome for v in verdicts)
    assert not counts["survived"], [f"{v.rule}: {v.mutation}: {v.seen}" for v in verdicts if v.outcome == "survived"]
    assert counts["killed"] >= 100
    assert counts["equivalent"] <= len(verdicts) / 25
    assert {v.rule for v in verdicts} >= {rule.__name__ for rule in mutants.rules()} - {"NAdamW"}  # it has very few


def test_every_rule_is_among_them_or_is_written_as_one_that_is() -> None:
    written = {rule.rule for rule in mutants.rules()}
    assert {rule.__name__ for rule in ALL if rule.rule not in written} == set()


def test_betas_exchanged_slots_not_kept_and_epsilon_moved_are_made_of_every_rule_that_has_them() -> None:
    for rule in set(mutants.rules()) - {o.NAdamW}:  # which is Nadam's, and a decay
        made = [mutation for mutation, _, _ in mutants.mutations(rule)]
        kinds = Counter(mutation.kind for mutation in made)
        named = {word for mutation in made if mutation.kind == "exchanged" for word in mutation.what.split(" and ")}
        assert len(made) >= 10, rule
        if {"beta_1", "beta_2"} <= rule._own:
            assert {"beta_1", "beta_2"} <= named, rule
        assert kinds["not written"] == kinds["late"] == kinds["forgotten"] > 0, rule
        if {"epsilon", "epsilon_1"} & rule._own:
            assert kinds["no ε"] > 0, rule
    moved = {rule for rule in mutants.rules() for m, _, _ in mutants.mutations(rule) if m.kind == "moved ε"}
    without = {o.SGD, o.Rprop, o.Lion, o.Muon, o.ASGD, o.Ftrl, o.ScheduleFreeSGD, o.NAdamW, o.Sophia}
    assert moved == set(mutants.rules()) - without


def test_a_mutant_leaves_its_rule_and_its_module_as_they_were() -> None:
    rule, helper = o.Muon.rule, layerwise._orthogonal
    assert "_orthogonal" in mutants.functions_of(o.Muon)
    assert {v.outcome for v in mutants.run(["Muon"], each=9)} == {"killed"}
    assert (o.Muon.rule, layerwise._orthogonal) == (rule, helper)


def test_what_the_settings_do_not_see_survives_and_the_exit_code_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mutants.main(["SGD"]) == 0
    row = next(row for row in mutants.SETTINGS if row[0] is o.SGD)
    monkeypatch.setattr(mutants, "SETTINGS", [row])  # without momentum
    assert mutants.main(["SGD"]) == 1
    survivors = [v for v in mutants.run(["SGD"]) if v.outcome == "survived"]
    assert any("momentum" in v.mutation.what for v in survivors)
