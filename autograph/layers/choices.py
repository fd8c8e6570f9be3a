"""What layers and models take as a function or by its name: activations, regularizers, losses, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Any

from autograph import backend as K
from autograph.arguments import shown
from autograph.errors import ArgumentError, ArgumentTypeError, nearest
from autograph.functions.activations import selu

__all__ = ["LOSSES", "activation_of", "chosen", "l1", "l1_l2", "l2", "loss_of", "metric_of", "regularizer_of"]


def chosen(what: str, identifier: Any, known: Mapping[str, Any]) -> Any:
    """A function from itself, or from its name. Raises ArgumentError for an unknown name, ArgumentTypeError for the rest."""
    if callable(identifier):
        return identifier
    if not isinstance(identifier, str):
        raise ArgumentTypeError(f"the {what} is {shown(identifier)}", fix=f"pass a function, or a name: {', '.join(known)}")
    if identifier not in known:
        raise ArgumentError(f"{what} {identifier!r} is unknown{nearest(identifier, known)}", fix=f"known: {', '.join(known)}")
    return known[identifier]


def linear(x: Any) -> Any:
    """x."""
    return x


_ACTIVATIONS = {
    "elu": K.elu, "exponential": K.exp, "hard_sigmoid": K.hard_sigmoid, "linear": linear, "relu": K.relu, "selu": selu,
    "sigmoid": K.sigmoid, "softmax": K.softmax, "softplus": K.softplus, "softsign": K.softsign, "tanh": K.tanh,
}  # fmt: skip


def activation_of(identifier: Any) -> Any:
    """An activation, a function of a tensor, from itself or its name; None is `linear`."""
    return linear if identifier is None else chosen("activation", identifier, _ACTIVATIONS)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> Callable[[Any], Any]:
    """The regularizer l1·Σ|w| + l2·Σw²: a function of a tensor that gives a tensor of rank 0."""
    return lambda w: (l1 * K.sum(K.abs(w)) if l1 else 0) + (l2 * K.sum(K.square(w)) if l2 else 0)


def l1(l: float = 0.01) -> Callable[[Any], Any]:
    """The regularizer l·Σ|w|."""
    return l1_l2(l, 0)


def l2(l: float = 0.01) -> Callable[[Any], Any]:
    """The regularizer l·Σw²."""
    return l1_l2(0, l)


def regularizer_of(identifier: Any) -> Any:
    """A regularizer from itself, from None, or from the name of one, with its factors of 0.01."""
    known = {"l1": l1(), "l2": l2(), "l1_l2": l1_l2()}
    return None if identifier is None else chosen("regularizer", identifier, known)


# losses and metrics: of targets y and outputs p, a number for each sample or each of its places -----------------------


def _mean(of_each: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda y, p: K.mean(of_each(y, p), axis=-1)


_small = K.epsilon
LOSSES: Mapping[str, Callable[[Any, Any], Any]] = {
    "binary_crossentropy": _mean(K.binary_crossentropy),
    "categorical_crossentropy": K.categorical_crossentropy,
    "hinge": _mean(lambda y, p: K.maximum(1 - y * p, 0)),
    "huber_loss": _mean(lambda y, p: K.switch(K.abs(p - y) < 1, 0.5 * K.square(p - y), K.abs(p - y) - 0.5)),
    "logcosh": _mean(lambda y, p: (p - y) + K.softplus(2 * (y - p)) - log(2)),
    "mean_absolute_error": _mean(lambda y, p: K.abs(p - y)),
    "mean_absolute_percentage_error": _mean(lambda y, p: 100 * K.abs((y - p) / K.clip(K.abs(y), _small(), None))),
    "mean_squared_error": _mean(lambda y, p: K.square(p - y)),
    "poisson": _mean(lambda y, p: p - y * K.log(p + _small())),
    "sparse_categorical_crossentropy": K.sparse_categorical_crossentropy,
}
_SHORT = {"mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error", "mse": "mean_squared_error"}
_MEASURES = {**LOSSES, **{short: LOSSES[name] for short, name in _SHORT.items()}}


def loss_of(identifier: Any) -> Any:
    """A loss from itself, a function of targets and outputs, or from its name; None is none."""
    return None if identifier is None else chosen("loss", identifier, _MEASURES)


def metric_of(identifier: Any, loss: Any, output: Any) -> Any:
    """A metric from itself, from the name of a loss, or from "accuracy", which is the one that fits the loss: the share of
    classes that are right, or of truth values on the right side of 1/2."""
    if identifier not in ("acc", "accuracy"):
        return chosen("metric", identifier, _MEASURES)
    if loss is K.sparse_categorical_crossentropy:
        return lambda y, p: K.equal(K.cast(K.squeeze(y, -1), "int64"), K.argmax(p))
    if K.int_shape(output)[-1] == 1 or loss is LOSSES["binary_crossentropy"]:
        return lambda y, p: K.equal(y, K.round(p))
    return lambda y, p: K.equal(K.argmax(y), K.argmax(p))
