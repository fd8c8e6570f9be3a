"""The work that every competitor is given: the same numbers, the same 64 batches in the same order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

import numpy as np

from .epochs import EPOCHS, Epoch, epoch
from .rules import Rule

Array = np.ndarray
Step = Callable[[int], float]  # the number of the step -> the number it computed, on the host

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # of Adam, for all
ROTATION = 64  # one batch for ever would sit in the cache, and its loss would sink to zero
GRADIENTS = 8  # batches of them: so few that small ones lie in the cache, as if they had just been made
BATCH_SIZES = {"4-64-64-2": 32, "784-128-10": 32, "784-512-512-10": 128, "784-500-10": 1}
PLAIN = {"784-500-10"}  # networks that learn by SGD, from one case after another
MANY_PARAMETERS = "400 parameters of 100 numbers"
ACTOR_CRITIC = "actor and critic, 64-64 each, batch 64"
IMAGES = "28 × 28 images, two convolutions, batch 32"
ROWS = 1000
ROW_FUNCTIONS = tuple(f"{name}, {ROWS} × {ROWS}" for name in ("softmax", "layer normalisation", "log-sum-exp"))
LSTM = "LSTM 8 → 32, 50 steps, batch 16, and its gradient"
DISCOUNT, TAU = 0.99, 0.005
Layers = tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class Network:
    """One training step: tanh layers, softmax cross-entropy on one-hot targets, Adam or SGD; a step returns its loss.

    `layers` holds the first kernel and bias of each layer (a competitor copies what it changes), `batches` pairs of
    inputs and targets.
    """

    sizes: tuple[int, ...]
    batch: int
    layers: Layers
    batches: tuple[tuple[Array, Array], ...]
    rule: str = "Adam"


@dataclass(frozen=True)
class ActorCritic:
    """A step of deterministic policy gradients: Adam on the loss of the critic, (Q(s, a) − r − γ·Q′(s′, μ′(s′)))², and on
    that of the actor, −Q(s, μ(s)), while the late networks come nearer by τ to what those were; it returns the critic's.

    A row of `batches` holds states, actions, rewards and the states that followed.
    """

    actor: Layers
    critic: Layers
    batches: tuple[tuple[Array, Array, Array, Array], ...]


@dataclass(frozen=True)
class ImageNetwork:
    """A step of a small convolutional network: twice a convolution of 3 × 3 places with a bias, relu, and the maximum of 2 × 2;
    then a layer, softmax cross-entropy, Adam; it returns the loss.

    kernels  (3, 3, channels in, channels out), of images whose channels are last
    layer    of the pixels of all channels, in that order
    """

    kernels: Layers
    layer: tuple[Array, Array]
    batches: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class RowFunction:
    """A function of each row of x, and its gradient for `given` numbers; step i returns the gradient's i-th of the diagonal."""

    name: str
    x: Array
    given: Array


@dataclass(frozen=True)
class Recurrent:
    """An LSTM from zeros, with gates i, f, g, o side by side in x·w + h·u + b, and the mean of (h − goal)² at the end.

    A row of `batches` holds inputs (batch, time, features) and goals. A step returns the loss, and for proof of the
    gradient to u one number of it on the diagonal.
    """

    w: Array
    u: Array
    b: Array
    batches: tuple[tuple[Array, Array], ...]


@dataclass(frozen=True)
class ManyParameters:
    """Adam alone: a step is fed one array of gradients, and returns the last number of the last parameter as it was.

    A row of `parameters` is the first value of one parameter (a competitor copies it), a row of one of the
    `gradients` its gradient.
    """

    parameters: Array
    gradients: tuple[Array, ...]


@dataclass(frozen=True)
class Steps:
    """One rule alone: a step is given a gradient for each parameter, arrays that lie in no order, and changes the parameters.

    A competitor copies the `parameters`, and reads each of the `batches` of gradients where it lies or moves it once.
    """

    rule: Rule
    parameters: tuple[Array, ...]
    batches: tuple[tuple[Array, ...], ...]


class Stepper(NamedTuple):
    """A competitor's way to take `Steps`: the step, what the parameters then are, and where it is known, the megabytes
    that it holds or takes beyond parameters, gradients and state."""

    step: Callable[[int], object]
    values: Callable[[], list[Array]]
    scratch_mb: float | None = None


def problem(name: str) -> Network | ManyParameters | ActorCritic | ImageNetwork | RowFunction | Recurrent | Epoch:
    """The problem of that name, which may be the sizes of a network."""
    if name in EPOCHS:
        return epoch(name)
    if name in ROW_FUNCTIONS:
        return row_function(name)
    if name == LSTM:
        return recurrent()
    if name == ACTOR_CRITIC:
        return actor_critic()
    if name == IMAGES:
        return image_network()
    return many_parameters() if name == MANY_PARAMETERS else network(name)


@cache
def network(name: str) -> Network:
    """The network whose sizes are in its name, as in 784-128-10. All who ask get the same arrays."""
    sizes, batch = tuple(map(int, name.split("-"))), BATCH_SIZES.get(name, 32)
    rng = np.random.default_rng(1)
    layers = _layers(rng, sizes)
    one_hot = np.eye(sizes[-1], dtype=np.float32)
    labels = rng.integers(0, sizes[-1], (ROTATION, batch))
    batches = tuple((_normal(rng, batch, sizes[0]), one_hot[row]) for row in labels)
    return Network(sizes, batch, layers, batches, "SGD" if name in PLAIN else "Adam")


@cache
def actor_critic() -> ActorCritic:
    """The problem `ACTOR_CRITIC`: eight numbers of state, two of action. All who ask get the same arrays."""
    rng, states, actions, batch = np.random.default_rng(5), 8, 2, 64
    shapes = ((batch, states), (batch, actions), (batch, 1), (batch, states))
    batches = [tuple(rng.standard_normal(shape, np.float32) for shape in shapes) for _ in range(ROTATION)]
    actor, critic = _layers(rng, (states, 64, 64, actions)), _layers(rng, (states + actions, 64, 64, 1))
    return ActorCritic(actor, critic, tuple(batches))  # type: ignore[arg-type]  # four each


@cache
def image_network() -> ImageNetwork:
    """The problem `IMAGES`: 16 and 32 channels, ten classes. All who ask get the same arrays."""
    rng, classes, batch = np.random.default_rng(7), 10, 32
    kernels = [_glorot(rng, 9 * a, b).reshape(3, 3, a, b) for a, b in ((1, 16), (16, 32))]
    ((w, b),) = _layers(rng, (7 * 7 * 32, classes))
    one_hot = np.eye(classes, dtype=np.float32)
    labels = rng.integers(0, classes, (ROTATION, batch))
    batches = tuple((rng.standard_normal((batch, 28, 28, 1), np.float32), one_hot[row]) for row in labels)
    return ImageNetwork(tuple((k, np.zeros(k.shape[-1], np.float32)) for k in kernels), (w, b), batches)


@cache
def row_function(name: str) -> RowFunction:
    """One of `ROW_FUNCTIONS`. All who ask get the same arrays."""
    rng, title = np.random.default_rng(6), name.partition(",")[0]
    x = _normal(rng, ROWS, ROWS)
    return RowFunction(title, x, _normal(rng, ROWS, 1 if title == "log-sum-exp" else ROWS))


@cache
def recurrent() -> Recurrent:
    """The problem `LSTM`. All who ask get the same arrays."""
    rng, features, units, time, batch = np.random.default_rng(7), 8, 32, 50, 16
    shape = (batch, time, features)
    batches = tuple((rng.standard_normal(shape, np.float32), _normal(rng, batch, units)) for _ in range(ROTATION))
    w, u = (_glorot(rng, rows, 4 * units) for rows in (features, units))
    return Recurrent(w, u, np.zeros(4 * units, np.float32), batches)


@cache
def many_parameters() -> ManyParameters:
    """The problem `MANY_PARAMETERS`. All who ask get the same arrays."""
    rng = np.random.default_rng(2)
    return ManyParameters(_normal(rng, 400, 100), tuple(_normal(rng, 400, 100) for _ in range(ROTATION)))


def steps(rule: Rule, count: int, size: int) -> Steps:
    """`count` parameters of `size` numbers; square matrices, as near as can be, for rules that are made for these."""
    rng = np.random.default_rng(4)
    rows = isqrt(size) if rule.matrices else 0
    shape = (rows, size // rows) if rows else (size,)

    def some() -> tuple[Array, ...]:
        return tuple(rng.standard_normal(shape, np.float32) for _ in range(count))

    return Steps(rule, some(), tuple(some() for _ in range(GRADIENTS)))


def _layers(rng: np.random.Generator, sizes: tuple[int, ...]) -> Layers:
    return tuple((_glorot(rng, a, b), np.zeros(b, np.float32)) for a, b in pairwise(sizes))


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return _normal(rng, rows, columns) * np.float32((2 / (rows + columns)) ** 0.5)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    return rng.standard_normal((rows, columns), dtype=np.float32)
