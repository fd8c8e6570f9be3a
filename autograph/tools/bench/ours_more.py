"""Ours for `bench steps`, as a user writes it; and what the memory allows."""

import numpy as np

from autograph import backend as K
from autograph.graph.tensor import Tensor, Variable
from optimizers import Adam, soft_update

from .problems import BETA_1, BETA_2, DISCOUNT, EPSILON, RATE, ROTATION, TAU, ActorCritic, ImageNetwork, Layers, RowFunction, Step

Net = list[tuple[Variable, Variable]]


def _net(layers: Layers) -> Net:
    return [(K.variable(w), K.variable(b)) for w, b in layers]


def _output(net: Net, h: Tensor) -> Tensor:
    for w, b in net[:-1]:
        h = K.tanh(K.dot(h, w) + b)
    w, b = net[-1]
    return K.dot(h, w) + b


def actor_critic(problem: ActorCritic, executor: str = "numpy") -> Step:
    """Both losses, both optimizers and both soft targets in one function."""
    actor, critic, late_actor, late_critic = (_net(layers) for layers in (problem.actor, problem.critic) * 2)
    state, action, reward, following = (K.placeholder(x.shape) for x in problem.batches[0])

    def value(net: Net, s: Tensor, a: Tensor) -> Tensor:
        return _output(net, K.concatenate([s, a]))

    goal = reward + DISCOUNT * value(late_critic, following, K.tanh(_output(late_actor, following)))
    critic_loss = K.mean(K.square(value(critic, state, action) - goal))
    actor_loss = -K.mean(value(critic, state, K.tanh(_output(actor, state))))
    pairs = ((actor_loss, actor, late_actor), (critic_loss, critic, late_critic))
    updates = [move for loss, *nets in pairs for move in _moves(loss, *map(_flat, nets))]
    train = K.function([state, action, reward, following], [critic_loss], updates=updates, executor=executor)
    batches = [list(batch) for batch in problem.batches]
    return lambda i: train(batches[i % ROTATION])[0]


def _moves(loss: Tensor, net: list[Variable], late: list[Variable]) -> list[tuple[Variable, Tensor]]:
    adam = Adam(lr=RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
    return [*adam.get_updates(loss, net), *soft_update(late, net, TAU)]


def _flat(net: Net) -> list[Variable]:
    return [p for layer in net for p in layer]


def actor_critic_native(problem: ActorCritic) -> Step:
    """The same as machine code."""
    return actor_critic(problem, "native")


def images(problem: ImageNetwork, executor: str = "numpy") -> Step:
    """A convolutional network as with Keras's backend."""
    x, targets = (K.placeholder(array.shape) for array in problem.batches[0])
    kernels, ((w, b),) = _net(problem.kernels), _net((problem.layer,))
    h: Tensor = x
    for kernel, bias in kernels:
        h = K.pool2d(K.relu(K.bias_add(K.conv2d(h, kernel, padding="same"), bias)), (2, 2), (2, 2))
    scores = K.dot(K.batch_flatten(h), w) + b
    loss = K.mean(K.categorical_crossentropy(targets, scores, from_logits=True))
    adam = Adam(lr=RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
    updates = adam.get_updates(loss, [*_flat(kernels), w, b])
    train = K.function([x, targets], [loss], updates=updates, executor=executor)
    batches = [list(batch) for batch in problem.batches]
    return lambda i: train(batches[i % ROTATION])[0]


def images_native(problem: ImageNetwork) -> Step:
    """The same as machine code."""
    return images(problem, "native")


def along_rows(problem: RowFunction, executor: str = "numpy") -> Step:
    """The function, and the gradient of its product with given numbers."""
    x, given = K.placeholder(problem.x.shape), K.placeholder(problem.given.shape)
    centred = x - K.mean(x, axis=-1, keepdims=True)
    y = {
        "softmax": lambda: K.softmax(x),
        "layer normalisation": lambda: centred / K.sqrt(K.var(x, axis=-1, keepdims=True) + 1e-5),
        "log-sum-exp": lambda: K.logsumexp(x, axis=-1, keepdims=True),
    }[problem.name]()
    f = K.function([x, given], [y, *K.gradients(K.sum(y * given), [x])], executor=executor)
    feeds = [problem.x, problem.given]
    return lambda i: float(f(feeds)[1][i, i])


def along_rows_native(problem: RowFunction) -> Step:
    """The same as machine code."""
    return along_rows(problem, "native")


def copies(problem: RowFunction) -> Step:
    """NumPy copies what has to be read to where results have to be written: what the memory allows."""
    read = (problem.x, problem.given)
    written = [np.empty_like(problem.given), np.empty_like(problem.x)]

    def step(i: int) -> float:
        for source, target in zip(read, reversed(written), strict=True):
            np.copyto(target, source)
        return 0.0

    return step
