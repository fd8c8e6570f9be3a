"""docs/peers.md tells the truth: each of its rows is run, and compared with the peer where that is installed."""

from __future__ import annotations

import importlib
import os
import re
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

import optimizers
from tests.optimizers.paths import EVERY, apart, path
from tests.optimizers.references import Array, gradients_of, start
from tests.optimizers.test_rules_of_peers import optax_path, torch_path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "peers.md").read_text(encoding="utf-8")
PEER = r"^\| `((torch|optax|keras)\..+?)` \| `(.+?)`[^|]* \|"
SAME: list[tuple[str, str, str]] = re.findall(PEER + "$", PAGE, re.MULTILINE)
APART: list[tuple[str, str, str, str]] = re.findall(PEER + r" ([\de.+-]+) \|", PAGE, re.MULTILINE)


def keras_path(call: str) -> list[Array]:
    """100 steps of Keras 3, on JAX."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    if not any(d.version.startswith("3") for d in distributions(name="keras")):
        pytest.skip("Keras 3 is not installed")
    keras = importlib.import_module("keras")
    with jax.enable_x64(True):
        peer, params = eval(call, {"keras": keras}), [keras.Variable(a, dtype="float64") for a in start()]
        for gradients in gradients_of():
            peer.apply([jax.numpy.asarray(g) for g in gradients], params)
        return [np.asarray(p.value) for p in params]


def distance(call: str, peer: str, ours: str) -> float:
    """How far the two calls lead apart."""
    if peer == "torch":
        theirs = torch_path(lambda torch, params: eval(call, {"torch": torch, "params": params}))
    elif peer == "optax":
        theirs = optax_path(lambda optax: eval(call, {"optax": optax}))
    else:
        theirs = keras_path(call)
    names = dict(vars(optimizers))
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, names)
    return apart(path(eval(ours, names)), theirs)


@pytest.mark.oracle
@pytest.mark.parametrize(("call", "peer", "ours"), SAME, ids=[row[0] for row in SAME])
def test_the_numbers_are_those_of_the_peer(call: str, peer: str, ours: str) -> None:
    assert distance(call, peer, ours) < (1e-5 if peer == "keras" else 1e-10 if "adamax" in call.lower() else 1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize(("call", "peer", "ours", "said"), APART, ids=[row[0] for row in APART])
def test_what_differs_differs_by_as_much_as_is_said(call: str, peer: str, ours: str, said: str) -> None:
    assert float(said) / 2 < distance(call, peer, ours) < float(said) * 2


def test_no_row_of_the_page_is_left_out() -> None:
    assert len(SAME) + len(APART) == len(re.findall(r"^\| `", PAGE, re.MULTILINE)) > 50


def test_every_rule_has_a_row() -> None:
    told = {word for row in re.findall(r"^\| ([A-Z][\w, ]*?) \|", PAGE, re.MULTILINE) for word in re.split(r"\W+", row)}
    assert not [rule.__name__ for rule in EVERY if rule.__name__ not in told]
