"""keras-rl's DDPG on gymnasium's Pendulum, for `bench keras`: how many steps it takes a second, and where the time goes."""

import random
from collections.abc import Sequence
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .contest import Competitor, check_agreement
from .ours_keras import by_default
from .report import number, table
from .timing import collector_off

TITLE = "DDPG of keras-rl on Pendulum-v1, networks of 64-64, batches of 64"
WARM_UP, CHECKED, TURN, SEED = 200, 20, 200, 3  # steps that fill the memory, learn alike, are timed in one turn
REWARD = 16  # by which Pendulum's rewards are divided
PLACES = ("K.function", "Keras", "gymnasium", "keras-rl")


class Clock:
    """The seconds that each place had for itself: what is watched inside a call counts for the inner place alone."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PLACES, 0.0)
        self._inner = [0.0]

    def watch(self, owner: Any, name: str, place: str) -> None:
        """Time the calls of a method, or of another attribute that can be called."""
        function = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            before = perf_counter()
            try:
                return function(*args, **named)
            finally:
                taken = perf_counter() - before
                self.seconds[place] += taken - self._inner.pop()
                self._inner[-1] += taken

        setattr(owner, name, timed)


class Timed(NamedTuple):
    """An agent that has begun to learn, its task, whose time is whose, and a number in which those of one seed agree."""

    agent: Any
    env: Any
    clock: Clock
    learned: float


def network(*sizes: int, inputs: int, outputs: int) -> Any:
    """A multilayer perceptron on one observation."""
    from keras.layers import Dense, Flatten
    from keras.models import Sequential

    hidden = [Dense(size, activation="relu") for size in sizes]
    return Sequential([Flatten(input_shape=(1, inputs)), *hidden, Dense(outputs)])


def network_of_action(*sizes: int, inputs: int, outputs: int) -> tuple[Any, Any]:
    """A perceptron on an action of one number and an observation; the input of the action, and the model."""
    from keras.layers import Concatenate, Dense, Flatten, Input
    from keras.models import Model

    action, seen = Input(shape=(1,)), Input(shape=(1, inputs))
    x = Concatenate()([action, Flatten()(seen)])
    for size in sizes:
        x = Dense(size, activation="relu")(x)
    return action, Model([action, seen], Dense(outputs)(x))


def memory() -> Any:
    """What an agent has met, one observation at a time."""
    from rl.memory import SequentialMemory

    return SequentialMemory(limit=50_000, window_length=1)


def of_pendulum() -> dict[str, Any]:
    """What agents on Pendulum have in common; their rewards, of -16 to 0, come in a range that suits Adam's steps."""
    from rl.core import Processor
    from rl.random import OrnsteinUhlenbeckProcess

    processor = Processor()
    processor.process_reward = lambda reward: reward / REWARD
    noise = OrnsteinUhlenbeckProcess(size=1, theta=0.15, mu=0.0, sigma=0.3)
    return {"random_process": noise, "processor": processor, "gamma": 0.99, "batch_size": 64, "target_model_update": 1e-2}


def seeded(task: str) -> Any:
    """A task of gymnasium for keras-rl; it and all that draws numbers begin at `SEED`."""
    np.random.seed(SEED)
    random.seed(SEED)
    env = import_module("autograph.keras").gym(import_module("gymnasium").make(task))
    env.seed(SEED)
    env.action_space.seed(SEED)
    return env


def ddpg() -> Any:
    """The agent, compiled: an actor and a critic, Adam for each, and copies that follow by a hundredth."""
    from keras.optimizers import Adam
    from rl.agents.ddpg import DDPGAgent

    action, critic = network_of_action(64, 64, inputs=3, outputs=1)
    agent = DDPGAgent(
        nb_actions=1, actor=network(64, 64, inputs=3, outputs=1), critic=critic, critic_action_input=action, memory=memory(),
        nb_steps_warmup_critic=WARM_UP, nb_steps_warmup_actor=WARM_UP, **of_pendulum(),
    )  # fmt: skip
    agent.compile([Adam(lr=1e-3, clipnorm=1.0), Adam(lr=1e-3, clipnorm=1.0)], metrics=["mae"])
    return agent


def timed(executor: str = "numpy") -> Timed:
    """The agent on this executor, after its first steps, by which all its functions are built."""
    env = seeded("Pendulum-v1")
    with by_default(executor):
        agent = ddpg()
        agent.fit(env, nb_steps=WARM_UP + 1 + CHECKED, verbose=0)
    agent.nb_steps_warmup_critic = agent.nb_steps_warmup_actor = 0
    learned = sum(float(np.abs(weights).sum()) for weights in agent.critic.get_weights())
    clock = Clock()
    models = (agent.actor, agent.target_actor, agent.target_critic)
    clock.watch(agent, "fit", "keras-rl")
    for owner, name in [(agent.critic, "train_on_batch"), *((model, "predict_on_batch") for model in models)]:
        clock.watch(owner, name, "Keras")
    functions = [(agent.critic, "train_function"), *((model, "predict_function") for model in models)]
    for owner, name in [(agent, "actor_train_fn"), *functions]:
        clock.watch(owner, name, "K.function")
    for name in ("reset", "step"):
        clock.watch(env, name, "gymnasium")
    return Timed(agent, env, clock, learned)


def timed_native() -> Timed:
    """The same as machine code."""
    return timed("native")


def agents_table(competitors: Sequence[Competitor], rounds: int) -> tuple[str, dict[str, dict[str, float]]]:
    """What the agents take, in turns of a round each, as a table; and its numbers by agent and column.

    Raises:
        Mismatch: two of them learn different things from one seed.
    """
    found = {c.name: c.builder()() for c in competitors}
    check_agreement({name: [each.learned] for name, each in found.items()})
    speeds: dict[str, list[float]] = {name: [] for name in found}
    with collector_off():
        for _ in range(rounds):
            for name, each in found.items():
                before = perf_counter()
                each.agent.fit(each.env, nb_steps=TURN, verbose=0)
                speeds[name].append(TURN / (perf_counter() - before))
    numbers = {
        name: {"steps a second": median(speeds[name]),
               **{place: each.clock.seconds[place] / sum(each.clock.seconds.values()) for place in PLACES}}
        for name, each in found.items()
    }  # fmt: skip
    rows = [(name, number(row["steps a second"]), *(f"{row[place]:.0%}" for place in PLACES)) for name, row in numbers.items()]
    return f"### {TITLE}\n\n{table(('agent', 'steps a second', *PLACES), rows)}\n", numbers
