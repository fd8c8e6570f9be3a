"""Three scripts of Keras 2.3.1, as they are shown in the documentation, run unchanged; the agent of the benchmark learns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "docs/keras"
PACKAGES = ("h5py", "keras", "scipy")

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in PACKAGES), reason="the extra `keras` is not installed"
)


def third_layer(said: dict[str, list[str]]) -> None:
    assert float(*said["read"]) > 0.9
    assert said["shape"] == ["(20,", "4,", "4,", "8)"]
    assert 0.2 < float(*said["dropped in training"]) < 0.3 and said["the rest is scaled by"] == ["[1.3333]"]
    assert said["without a phase as in test"] == said["as a model of its own"] == ["True"]


def part_of_a_network(said: dict[str, list[str]]) -> None:
    assert said["0 to 4, before"] == said["0 to 4, after"] and float(*said["0 to 4, after"]) > 0.95
    assert float(*said["5 to 9"]) > 0.7
    assert said["the body is as it was"] == ["True"] and said["steps of the optimizer"] == ["300"]
    assert len({*said["fed 1"]}) == 3
    assert {*said["fed 0"]} == {*said["fed nothing"]} == {*said["not an input"]} and len({*said["fed 0"]}) == 1


def ddpg(said: dict[str, list[str]]) -> None:
    assert float(*said["return before"]) < -15 < -8 < float(*said["return after"])
    moved = "the actor's function moves actor, critic, slow actor, slow critic"
    assert said[moved] == ["True", "False", "True", "True"]


FACTS: dict[str, Callable[[dict[str, list[str]]], None]] = {
    check.__name__: check for check in (third_layer, part_of_a_network, ddpg)
}


@pytest.mark.parametrize("name", FACTS)
def test_a_script_of_2019_runs_and_prints_what_it_says(name: str, run: Any) -> None:
    done = run("-B", str(SCRIPTS / f"{name}.py"), KERAS_BACKEND="autograph.keras")
    assert not done.returncode, done.stderr
    assert "Using autograph.keras backend." in done.stderr and "Warning" not in done.stderr, done.stderr
    FACTS[name]({what: rest.split() for what, rest in (line.split(": ", 1) for line in done.stdout.splitlines())})


def test_every_script_is_run_and_names_no_backend() -> None:
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.py")}
    assert set(scripts) == set(FACTS)
    assert not any(re.search("autograph|tensorflow|theano", text) for text in scripts.values())


@pytest.mark.skipif(any(find_spec(name) is None for name in ("rl", "gymnasium")), reason="the extra `keras` is not installed")
def test_the_agent_of_the_benchmark_learns_alike_on_every_executor(run: Any, tmp_path: Path) -> None:
    done = run("-m", "autograph", "bench", "keras", "--only", "keras-rl", "--rounds", "1", "--json", "agents.json")
    assert not done.returncode, done.stderr
    found = json.loads((tmp_path / "agents.json").read_text(encoding="utf-8"))
    assert len(found["agents"]) == (2 if find_spec("llvmlite") else 1) and found["races"] == {}
    for name, numbers in found["agents"].items():
        assert f"| {name} " in done.stdout
        assert numbers.pop("steps a second") > 1 and min(numbers.values()) > 0.01
        assert sum(numbers.values()) == pytest.approx(1)
