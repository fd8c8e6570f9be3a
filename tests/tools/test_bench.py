"""The benchmarks: turns are fair, tables say what was measured, and all competitors do the same work."""

from __future__ import annotations

import gc
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograph.tools import bench
from autograph.tools.bench import agents, child, contest, embeddings, mlp, optimizers, recurrent, report, timing, updates
from autograph.tools.bench import keras as bench_keras
from autograph.tools.bench import steps as bench_steps
from autograph.tools.bench.contest import Competitor, Mismatch, Row
from autograph.tools.bench.problems import (
    ACTOR_CRITIC,
    IMAGES,
    LSTM,
    MANY_PARAMETERS,
    ROTATION,
    ROW_FUNCTIONS,
    network,
    problem,
    steps,
)
from autograph.tools.bench.rules import RULES, Rule

pytestmark = pytest.mark.no_cover
SMALL = "4-64-64-2"
EVERYONE = [
    *((SMALL, c) for c in mlp.COMPETITORS if c.whole and not c.slow),
    *(("784-500-10", c) for c in mlp.COMPETITORS if c.whole and not c.slow),
    *((ACTOR_CRITIC, c) for c in bench_steps.AGENTS),
    *((IMAGES, c) for c in bench_steps.NETWORKS),
    *((name, c) for name in ROW_FUNCTIONS for c in bench_steps.FUNCTIONS if c.whole),
    *((LSTM, c) for c in recurrent.COMPETITORS),
    *((MANY_PARAMETERS, c) for c in updates.COMPETITORS if c.source != "peers_jax:updates"),  # seconds to compile
]
BY_HAND = next(c for c in mlp.COMPETITORS if c.source == "peers_numpy:mlp")
ROW = Row("torch, fused", 1234.5, 12.345, 0.5, import_ms=1000.0, build_ms=1.234, peak_mb=99.9)
NUMBERS = ["1234", "12.3", "0.50", "1.23", "1000", "100"]  # in the order of the columns


def first_numbers(competitor: Competitor, problem_name: str) -> list[float]:
    step = competitor.builder()(problem(problem_name))
    return [float(step(i)) for i in range(contest.CHECKED_STEPS)]


# ---- the work


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("problem_name, competitor", EVERYONE, ids=[f"{name}, {c.source}" for name, c in EVERYONE])
def test_every_competitor_computes_what_the_first_peer_computes(problem_name: str, competitor: Competitor) -> None:
    """Which is NumPy by hand, where somebody has written it."""
    if competitor.missing():
        pytest.skip(f"{competitor.missing()} is not installed")
    peers = [c for name, c in EVERYONE if name == problem_name and not c.is_ours and not c.missing()]
    if not peers:
        pytest.skip("no peer is installed")
    peers.sort(key=lambda c: not c.source.startswith("peers_numpy:"))
    expected = first_numbers(peers[0], problem_name)
    np.testing.assert_allclose(first_numbers(competitor, problem_name), expected, rtol=1e-4, atol=1e-5)


def test_a_network_learns_by_the_hand_written_step() -> None:
    step = BY_HAND.builder()(network(SMALL))
    losses = [step(0) for _ in range(300)]  # the labels are random: it can learn a batch by heart, not all 64
    assert losses[-1] < losses[0] / 2


def test_no_competitor_changes_the_numbers_the_others_start_from() -> None:
    before = [array.copy() for layer in network(SMALL).layers for array in layer]
    first_numbers(BY_HAND, SMALL)
    after = [array for layer in network(SMALL).layers for array in layer]
    assert all(np.array_equal(a, b) for a, b in zip(before, after))


def test_batches_are_64_different_ones() -> None:
    assert len({x.tobytes() for x, _ in network(SMALL).batches}) == ROTATION == 64


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_every_rule_takes_the_steps_of_the_peers_that_have_it(rule: Rule) -> None:
    competitors = [c for c in optimizers.COMPETITORS if not c.missing()]
    found = optimizers.compare(steps(rule, 2, 16), competitors, rounds=1, seconds=0.001)
    having = {"autograph": rule.ours, "torch, loop": rule.torch, "jax jit, optax": rule.optax}
    assert [name for name in having if name in found.median_us] == [
        c.name for c in competitors if having.get(c.name) is not None
    ]
    assert found.scratch_mb is not None and 0 < found.scratch_mb < 0.1


def test_steps_that_lead_apart_are_told_by_how_much() -> None:
    start, there, near, away = ([np.full(4, x)] for x in (1.0, 1.1, 1.10009, 1.1002))
    optimizers.check_steps(start, {"ours": there, "theirs": near})
    for other in (away, [np.full(4, np.nan)]):
        with pytest.raises(Mismatch, match="theirs and the first below lead apart"):
            optimizers.check_steps(start, {"ours": there, "theirs": other})


# ---- the timing


def test_competitors_take_turns_and_each_goes_on_where_it_stopped() -> None:
    calls: list[tuple[str, int]] = []
    steps = {name: lambda i, name=name: calls.append((name, i)) for name in "ab"}
    times = timing.race(steps, rounds=3, seconds=0.003)
    assert [len(taken) for taken in times.values()] == [3, 3]
    turns = [name for (name, _), (before, _) in zip(calls[1:], calls) if name != before]
    assert "".join(turns) == "bababab"
    steps_of_a = [i for name, i in calls if name == "a"]
    timed = steps_of_a[len(steps_of_a) - 1 - steps_of_a[::-1].index(0) :]
    assert timed == list(range(len(timed)))


def test_the_collector_rests_during_a_race_and_works_again_after_an_error() -> None:
    def fail(_: int) -> None:
        assert not gc.isenabled()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        timing.race({"a": fail}, rounds=1, seconds=0.001)
    assert gc.isenabled()


def test_a_clock_gives_each_place_what_it_had_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Agent:
        def fit(self) -> str:
            return self.train() + self.train()

        def train(self) -> str:
            return "x"

    times = iter([0.0, 10.0, 11.0, 20.0, 22.0, 30.0])  # fit from 0 to 30, train from 10 to 11 and from 20 to 22
    monkeypatch.setattr(agents, "perf_counter", lambda: next(times))
    agent, clock = Agent(), agents.Clock()
    clock.watch(agent, "fit", "keras-rl")
    clock.watch(agent, "train", "Keras")
    assert agent.fit() == "xx"
    assert clock.seconds == {"keras-rl": 27.0, "Keras": 3.0, "K.function": 0.0, "gymnasium": 0.0}


# ---- who takes part


def test_numbers_within_a_thousandth_agree() -> None:
    contest.check_agreement({"ours": [1.0, 0.5], "theirs": [1.0005, 0.5004]})
    contest.check_agreement({})


@pytest.mark.parametrize("number", [0.51, float("nan")])
def test_a_mismatch_names_who_differs(number: float) -> None:
    with pytest.raises(Mismatch, match="MISMATCH, nothing is timed: theirs and the first below differ"):
        contest.check_agreement({"ours": [1.0, 0.5], "same": [1.0, 0.5], "theirs": [1.0, number]})


def test_a_peer_that_is_not_installed_is_left_out_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Competitor("nobody", "nowhere:mlp", ("no_such_library.a",))
    assert contest.entrants([BY_HAND, absent], None) == [BY_HAND]
    assert capsys.readouterr().out == "Left out: nobody (no_such_library.a is not installed).\n"


def test_only_picks_by_a_part_of_the_name_in_any_case() -> None:
    assert [c.name for c in contest.entrants(mlp.COMPETITORS, ["NumPy"])] == ["numpy by hand", "numpy matmul only"]


# ---- the report


def test_a_table_is_markdown_with_three_digits_a_number() -> None:
    title, blank, head, rule, row, end = report.race_table("400 parameters", [ROW]).split("\n")
    assert (title, blank, end) == ("### 400 parameters", "", "")
    assert [cell.strip() for cell in head.split("|")[1:-1]] == list(report.COLUMNS)
    assert set(rule) <= set("|-: ")
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["torch, fused", *NUMBERS]
    assert len(head) == len(rule) == len(row)


def test_without_ours_there_is_no_ratio() -> None:
    assert "| – |" in report.race_table("t", [replace(ROW, ratio=None)]).replace("  ", "")


def test_costs_stand_with_their_units() -> None:
    assert "| a call | 1.60 µs |" in report.cost_table("costs", [("a call", 1.6, "µs")])


def test_conditions_name_versions_and_threads_and_nothing_of_the_machine() -> None:
    text = report.conditions(10)
    assert f"numpy {np.__version__}" in text and "float32, threads=1" in text


def test_peak_memory_is_at_least_that_of_an_interpreter() -> None:
    assert child.peak_mb() > 5


# ---- the command


def test_mlp_prints_a_table_and_writes_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mlp.json"
    arguments = f"mlp --network {SMALL} --rounds 2 --seconds 0.01 --only numpy --json {file}"
    assert bench.main(arguments.split()) == 0
    printed = capfd.readouterr().out
    assert f"### {SMALL}, batch 32" in printed and "| numpy by hand " in printed and "torch," not in printed
    (rows,) = json.loads(file.read_text(encoding="utf-8"))["races"].values()
    assert [row["competitor"] for row in rows] == ["numpy by hand", "numpy matmul only"]
    assert all(row[key] > 0 for row in rows for key in ("median_us", "min_us", "build_ms", "import_ms", "peak_mb"))


def test_updates_prints_a_table(capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["updates", "--rounds", "2", "--seconds", "0.02", "--only", "numpy"]) == 0
    assert "| numpy, one flat Adam " in capfd.readouterr().out


def test_optimizers_prints_a_table_for_each_size_and_writes_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "optimizers.json"
    arguments = f"optimizers --rounds 2 --seconds 0.01 --only autograph --rule adam --size 3x4 --size 1x9 --json {file}"
    assert bench.main(arguments.split()) == 0
    printed = capfd.readouterr().out
    assert "### 3 × 4 numbers" in printed and "### 1 × 9 numbers" in printed
    assert "| AdamW " in printed and "| SGD" not in printed and "torch," not in printed
    races = json.loads(file.read_text(encoding="utf-8"))["races"]
    assert all(row["median_us"]["autograph"] > 0 for rows in races.values() for row in rows)


def test_rules_that_lead_apart_end_with_1_and_are_told_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adam = next(rule for rule in RULES if rule.name == "Adam")
    monkeypatch.setattr(optimizers, "check_steps", _refuse)
    monkeypatch.setattr(optimizers, "RULES", (adam,))
    options = Namespace(only=["autograph"], rule=None, size=["2x3"], quick=False, rounds=1, seconds=0.01, json=None)
    assert optimizers.run(options) == 1
    assert "2x3, Adam: MISMATCH" in capsys.readouterr().err


def _refuse(*_: object) -> None:
    raise Mismatch("MISMATCH")


def test_a_mismatch_ends_with_1_and_is_told_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    products = next(c for c in mlp.COMPETITORS if not c.whole)
    monkeypatch.setattr(mlp, "COMPETITORS", (BY_HAND, replace(products, whole=True)))
    assert mlp.run(Namespace(only=None, network=[SMALL], rounds=1, seconds=0.01, json=None)) == 1
    assert "MISMATCH, nothing is timed: numpy matmul only" in capsys.readouterr().err


def test_agents_that_learn_other_things_end_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(agents, "timed", lambda: agents.Timed(None, None, agents.Clock(), 1.0))
    monkeypatch.setattr(agents, "timed_native", lambda: agents.Timed(None, None, agents.Clock(), 1.1))
    monkeypatch.setattr(bench_keras, "AGENTS", [replace(each, imports=()) for each in bench_keras.AGENTS])
    assert bench_keras.run(Namespace(only=["keras-rl"], rounds=1, seconds=0.01, json=None)) == 1
    assert "keras-rl: MISMATCH, nothing is timed: keras-rl on autograph, native" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        [], ["mlp", "--rounds", "0"], ["mlp", "--seconds", "-1"], ["mlp", "--network", "784,10"],
        ["optimizers", "--size", "400"],
    ],
)
def test_wrong_arguments_end_with_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(wrong)
    assert "usage: python -m autograph bench" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_steps_of_a_few_rows_are_compared_in_a_table() -> None:
    text = embeddings.embedding_table(2, 0.02, size=1000, width=4, rows=8)
    assert text.startswith("### 8 rows of a table of 1,000 × 4")
    rows = [line.split("|")[1:-1] for line in text.splitlines()[4:7]]
    assert [row[0].strip() for row in rows] == list(embeddings.RULES)
    assert all(float(row[1]) > 0 and float(row[3]) > 0 for row in rows)
