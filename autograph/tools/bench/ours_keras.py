"""Keras for `bench keras`, as a user writes it: on autograph, and the same on TensorFlow."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from autograph import default_executor, set_default_executor

from .epochs import BATCH, CLASSES, Epoch
from .problems import BETA_1, BETA_2, EPSILON, RATE, Step


def fit(problem: Epoch, executor: str = "numpy") -> Step:
    """Keras 2.3.1 on autograph."""
    import_module("autograph.keras")
    model = _model(import_module("keras"), problem)
    with by_default(executor):
        model._make_train_function()  # which is when its executor is chosen
    return _epochs(model, problem)


def fit_native(problem: Epoch) -> Step:
    """The same as machine code."""
    return fit(problem, "native")


def fit_tensorflow(problem: Epoch) -> Step:
    """Keras 2 as TensorFlow keeps it."""
    return _epochs(_model(import_module("tf_keras"), problem), problem)


@contextmanager
def by_default(executor: str) -> Iterator[None]:
    """Functions that are built inside run on this executor."""
    before = default_executor()
    set_default_executor(executor)
    try:
        yield
    finally:
        set_default_executor(before)


def _model(keras: Any, problem: Epoch) -> Any:
    layers, shape = keras.layers, problem.x.shape[1:]
    first = {
        "MLP": lambda: [layers.Dense(128, activation="tanh", input_shape=shape)],
        "CNN": lambda: [
            layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=shape), layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        ],
        "LSTM": lambda: [layers.LSTM(32, recurrent_activation="sigmoid", input_shape=shape)],
    }[problem.kind]()  # fmt: skip
    model = keras.models.Sequential([*first, layers.Dense(CLASSES, activation="softmax")])
    adam = keras.optimizers.Adam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
    model.compile(adam, "categorical_crossentropy")
    model.set_weights(list(problem.weights))
    return model


def _epochs(model: Any, problem: Epoch) -> Step:
    options = {"batch_size": BATCH, "epochs": 1, "shuffle": False, "verbose": 0}
    return lambda i: float(model.fit(problem.x, problem.targets, **options).history["loss"][0])
