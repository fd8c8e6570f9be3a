"""Each layer beside that of Keras 2.3.1, which runs on autograph.keras: a script that prints a line for each that agrees.

The weights of one are given to the other, so their order and shapes agree; then so do outputs, losses, and one step of SGD.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from autograph import layers
from optimizers import SGD

RNG = np.random.RandomState(0)
WORDS = 5
Make = Callable[[Any], Callable[[Any], Any]]  # from the module of the layers a function of tensors


def words(ns: Any) -> Callable[[Any], Any]:
    """An embedding in which 0 is no word."""
    table = ns.Embedding(WORDS, 3, mask_zero=True)
    return lambda x: table(x)


CASES: dict[str, tuple[Make, tuple[tuple[int | None, ...], ...]]] = {
    "Dense": (lambda ns: ns.Dense(5, activation="selu"), ((3,),)),
    "Dense of rank 3": (lambda ns: ns.Dense(5, activation="softmax"), ((2, 3),)),
    "BatchNormalization": (lambda ns: ns.BatchNormalization(), ((3,),)),
    "BatchNormalization of axis 1": (lambda ns: ns.BatchNormalization(axis=1, scale=False), ((3, 4, 5),)),
    "Conv1D": (lambda ns: ns.Conv1D(4, 3, padding="causal", dilation_rate=2), ((9, 2),)),
    "Conv2D": (lambda ns: ns.Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="relu"), ((9, 8, 2),)),
    "Conv3D": (lambda ns: ns.Conv3D(4, 2, use_bias=False), ((5, 4, 4, 2),)),
    "MaxPooling2D": (lambda ns: ns.MaxPooling2D((3, 2), padding="same"), ((9, 8, 2),)),
    "AveragePooling1D": (lambda ns: ns.AveragePooling1D(3, 2, padding="same"), ((9, 2),)),
    "MaxPooling3D": (lambda ns: ns.MaxPooling3D(), ((4, 5, 4, 2),)),
    "GlobalMaxPooling2D": (lambda ns: ns.GlobalMaxPooling2D(), ((9, 8, 2),)),
    "GlobalAveragePooling1D": (lambda ns: ns.GlobalAveragePooling1D(), ((9, 2),)),
    "Embedding": (lambda ns: ns.Embedding(WORDS, 3), ((7,),)),
    "SimpleRNN": (lambda ns: ns.SimpleRNN(4, return_sequences=True), ((6, 3),)),
    "GRU": (lambda ns: ns.GRU(4), ((None, 3),)),
    "GRU, reset after": (lambda ns: ns.GRU(4, reset_after=True, return_sequences=True), ((6, 3),)),
    "LSTM": (lambda ns: ns.LSTM(4, go_backwards=True, return_sequences=True, recurrent_activation="hard_sigmoid"), ((6, 3),)),
    "LSTM, masked": (lambda ns: lambda x: ns.LSTM(4, return_sequences=True)(words(ns)(x)), ((6,),)),
    "GRU, masked": (lambda ns: lambda x: ns.GRU(4)(words(ns)(x)), ((6,),)),
    **{name: (lambda ns, name=name: getattr(ns, name)(), ((4, 3), (4, 3)))
       for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")},
    "Dot": (lambda ns: ns.Dot(axes=(2, 2), normalize=True), ((4, 3), (5, 3))),
    "Dot of vectors": (lambda ns: ns.Dot(axes=1), ((3,), (3,))),
    "Reshape": (lambda ns: ns.Reshape((-1, 2)), ((4, 3),)),
    "Flatten": (lambda ns: ns.Flatten(data_format="channels_first"), ((4, 3, 2),)),
    "penalties": (lambda ns: ns.Dense(3, kernel_regularizer=penalty(ns, "l2"), activity_regularizer=penalty(ns, "l1")), ((3,),)),
}  # fmt: skip


def penalty(ns: Any, name: str) -> Any:
    return getattr(layers if ns is layers else keras.regularizers, name)(0.1)


def single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def compare(make: Make, shapes: tuple[tuple[int | None, ...], ...]) -> None:
    """Raise AssertionError where ours differs from theirs."""
    models = []
    for ns, model in ((keras.layers, keras.models.Model), (layers, layers.Model)):
        inputs = [ns.Input(shape) for shape in shapes]
        models.append(model(single(inputs), make(ns)(single(inputs))))
    theirs, ours = models
    assert [w.shape for w in theirs.get_weights()] == [w.shape for w in ours.get_weights()]
    weights = [np.abs(RNG.normal(size=w.shape)) / 2 for w in ours.get_weights()]
    sizes = [(4, *[6 if n is None else n for n in shape]) for shape in shapes]
    indices = "Embedding" in repr(ours.layers)
    x = single([RNG.randint(0, WORDS, size) if indices else RNG.normal(size=size) for size in sizes])
    found = []
    for model, sgd in ((theirs, keras.optimizers.SGD(0.1)), (ours, SGD(0.1))):
        model.set_weights(weights)
        outputs = model.predict(x)
        model.compile(sgd, "mse")
        loss = model.train_on_batch(x, np.cos(np.arange(outputs.size)).reshape(outputs.shape))
        found.append([outputs, loss, *model.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    for case, (make, shapes) in CASES.items():
        try:
            compare(make, shapes)
        except AssertionError as error:
            print(f"{case} differs: {error}")
        else:
            print(f"{case} agrees")
