"""Ours, as a user writes it: the Keras backend vocabulary, an optimizer, one function."""

from autograph import backend as K
from autograph.graph.tensor import Tensor
from optimizers import Adam

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, ManyParameters, Network, Step


def mlp(network: Network) -> Step:
    """The training step."""
    x, targets = K.placeholder((None, network.sizes[0])), K.placeholder((None, network.sizes[-1]))
    layers = [(K.variable(w), K.variable(b)) for w, b in network.layers]
    h: Tensor = x
    for w, b in layers[:-1]:
        h = K.tanh(K.dot(h, w) + b)
    w, b = layers[-1]
    loss = K.mean(K.categorical_crossentropy(targets, K.dot(h, w) + b, from_logits=True))
    updates = _adam().get_updates(loss, [p for layer in layers for p in layer])
    train = K.function([x, targets], [loss], updates=updates)
    batches = [list(batch) for batch in network.batches]

    def step(i: int) -> float:
        return train(batches[i % ROTATION])[0]

    return step


def updates(problem: ManyParameters) -> Step:
    """Adam on parameters whose gradients are rows of one fed array: the loss is linear, so they *are* its gradients."""
    parameters = [K.variable(row) for row in problem.parameters]
    fed = K.placeholder(problem.parameters.shape)
    loss = sum(K.sum(p * fed[i]) for i, p in enumerate(parameters))
    train = K.function([fed], [parameters[-1][-1]], updates=_adam().get_updates(loss, parameters))
    feeds = [[rows] for rows in problem.gradients]
    return lambda i: train(feeds[i % ROTATION])[0]


def updates_separate(problem: ManyParameters) -> Step:
    """The same with one feed for each gradient."""
    parameters = [K.variable(row) for row in problem.parameters]
    fed = [K.placeholder(row.shape) for row in problem.parameters]
    loss = sum(K.sum(p * g) for p, g in zip(parameters, fed, strict=True))
    train = K.function(fed, [parameters[-1][-1]], updates=_adam().get_updates(loss, parameters))
    feeds = [list(rows) for rows in problem.gradients]
    return lambda i: train(feeds[i % ROTATION])[0]


def _adam() -> Adam:
    return Adam(lr=RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
