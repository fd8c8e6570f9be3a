"""A sample of the mutants of `tests/mutants.py`: wrong rules are caught, and called by their names."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

from autograph.graph.op import REGISTRY
from tests import mutants

pytestmark = pytest.mark.no_cover
EACH = 1 if os.environ.get("AUTOGRAPH_CAMPAIGN") else 7


def test_no_wrong_rule_survives_and_each_is_named() -> None:
    verdicts = mutants.run(each=EACH)
    counts = Counter(v.outcome for v in verdicts)
    bad = [f"{v.outcome} {v.op}: {v.mutation}\n  {v.said}" for v in verdicts if v.outcome in ("survived", "misnamed")]
    assert not bad, "\n".join(bad)
    assert counts["killed"] >= 100
    assert counts["equivalent"] <= len(verdicts) / 10


def test_a_mutant_leaves_its_op_as_it_was() -> None:
    rules = {name: op.vjp for name, op in REGISTRY.items()}
    mutants.run(["tanh"])
    assert rules == {name: op.vjp for name, op in REGISTRY.items()}


def test_an_op_whose_gradient_is_zero_has_equivalent_mutants_alone() -> None:
    assert {v.outcome for v in mutants.run(["floor"])} == {"equivalent"}


def test_every_kind_of_mutant_is_made() -> None:
    made = {v.mutation.kind for v in mutants.run(["add", "contract", "matmul", "multiply", "tanh"])}
    assert made == set(mutants.RIGHT)


def test_the_exit_code_tells() -> None:
    assert mutants.main(["tanh"]) == 0
    assert np.all([v.outcome != "survived" for v in mutants.run(["tanh"])])
