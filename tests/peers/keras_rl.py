"""keras-rl's agents on autograph: `python tests/peers/keras_rl.py`. First its own tests, then seven agents learn.

Each agent starts from a fixed seed and has to reach a mean return over test episodes. `--draw FILE` draws the returns of the
episodes in training; `--only NAME` trains those with NAME in their names. Needs the extra `keras`.
"""

# ruff: noqa: E402  # Keras has to be told of autograph before it is imported

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ["KERAS_BACKEND"] = "autograph.keras"

from keras.layers import Dense, Flatten
from keras.models import Sequential
from keras.optimizers import Adam
from keras_suite import fetched, run, unpacked
from rl.agents import CEMAgent, DQNAgent, NAFAgent, SARSAAgent
from rl.memory import EpisodeParameterMemory
from rl.policy import BoltzmannQPolicy

from autograph.tools.bench.agents import REWARD, ddpg, memory, network, network_of_action, of_pendulum, seeded


class Trial(NamedTuple):
    """An agent, the task it learns, for how many steps, and the mean return of ten episodes that it has to reach."""

    make: Callable[[], Any]
    task: str
    steps: int
    bar: float


def naf() -> Any:
    _, steepness = network_of_action(64, inputs=3, outputs=1)
    agent = NAFAgent(
        nb_actions=1, V_model=network(64, 64, inputs=3, outputs=1), L_model=steepness,
        mu_model=network(64, 64, inputs=3, outputs=1), memory=memory(), nb_steps_warmup=200, **of_pendulum(),
    )  # fmt: skip
    agent.compile(Adam(lr=1e-3, clipnorm=1.0), metrics=["mae"])
    return agent


def dqn(**options: Any) -> Any:
    agent = DQNAgent(
        model=network(32, 32, inputs=4, outputs=2), nb_actions=2, memory=memory(), nb_steps_warmup=100,
        target_model_update=1e-2, policy=BoltzmannQPolicy(), **options,
    )  # fmt: skip
    agent.compile(Adam(lr=1e-3), metrics=["mae"])
    return agent


def sarsa() -> Any:
    model = network(32, 32, inputs=4, outputs=2)
    agent = SARSAAgent(model=model, nb_actions=2, nb_steps_warmup=10, gamma=0.95, policy=BoltzmannQPolicy())
    agent.compile(Adam(lr=2e-3))
    return agent


def cem() -> Any:
    model = Sequential([Flatten(input_shape=(1, 4)), Dense(2, activation="softmax")])
    agent = CEMAgent(
        model=model, nb_actions=2, memory=EpisodeParameterMemory(limit=1000, window_length=1), batch_size=50,
        nb_steps_warmup=2000, train_interval=50, elite_frac=0.05,
    )  # fmt: skip
    agent.compile()
    return agent


TRIALS = {
    "DDPG": Trial(ddpg, "Pendulum-v1", 8_000, -300.0),
    "NAF": Trial(naf, "Pendulum-v1", 8_000, -300.0),
    "DQN": Trial(lambda: dqn(enable_double_dqn=False), "CartPole-v1", 8_000, 120.0),
    "double DQN": Trial(lambda: dqn(enable_double_dqn=True), "CartPole-v1", 8_000, 120.0),
    "duelling DQN": Trial(lambda: dqn(enable_dueling_network=True, dueling_type="avg"), "CartPole-v1", 8_000, 120.0),
    "SARSA": Trial(sarsa, "CartPole-v1", 15_000, 120.0),
    "CEM": Trial(cem, "CartPole-v1", 40_000, 120.0),
}


def learned(trial: Trial) -> tuple[list[float], float, float]:
    """The returns of the episodes in training, the mean return of ten episodes behind it, and the steps of a second."""
    env, agent = seeded(trial.task), trial.make()
    scale = REWARD if trial.task.startswith("Pendulum") else 1
    start = time.perf_counter()
    history = agent.fit(env, nb_steps=trial.steps, verbose=0).history
    seconds = time.perf_counter() - start
    tested = agent.test(env, nb_episodes=10, visualize=False, verbose=0).history
    returns = [scale * each for each in history["episode_reward"]]
    return returns, scale * float(np.mean(tested["episode_reward"])), trial.steps / seconds


def draw(curves: dict[str, list[float]], file: Path) -> None:
    """The returns of training, one picture for each task."""
    import matplotlib.pyplot as plt

    tasks = sorted({TRIALS[name].task for name in curves})
    figure, axes = plt.subplots(1, len(tasks), figsize=(5 * len(tasks), 3.2), squeeze=False, layout="constrained")
    for axis, task in zip(axes[0], tasks):
        for name in [name for name in curves if TRIALS[name].task == task]:
            returns = np.array(curves[name])
            width = max(1, len(returns) // 20)
            mean = np.convolve(returns, np.ones(width) / width, mode="valid")
            axis.plot(np.linspace(0, TRIALS[name].steps, len(mean)), mean, label=name)
        axis.set(title=task, xlabel="steps", ylabel="return of an episode, running mean")
        axis.legend(fontsize=8)
    figure.savefig(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="agents with this in their name; repeat")
    parser.add_argument("--source", type=Path, help="the archive of keras-rl's source distribution, for its own tests")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the returns into FILE")
    options = parser.parse_args()
    failed = False
    if not options.only:
        with tempfile.TemporaryDirectory() as name:
            tests = unpacked(options.source or fetched("keras-rl==0.4.2", Path(name)), Path(name))
            failed |= bool(run(tests.parent, Path(name, "report.xml"), "tests/rl"))
    curves = {}
    print("| agent | task | steps | mean return | bar | steps a second |\n|---|---|---|---|---|---|")
    for name, trial in TRIALS.items():
        if options.only and not any(part in name for part in options.only):
            continue
        curves[name], mean, speed = learned(trial)
        failed |= mean < trial.bar
        print(f"| {name} | {trial.task} | {trial.steps} | {mean:.0f} | {trial.bar:.0f} | {speed:.0f} |", flush=True)
    if options.draw:
        draw(curves, options.draw)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
