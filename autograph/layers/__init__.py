"""Layers and models, thin and written on `autograph.backend`, with the names and arguments of Keras 2.

    from autograph.layers import Dense, Sequential

    model = Sequential([Dense(64, activation="relu", input_shape=(64,)), Dense(10, activation="softmax")])
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, epochs=5)

A layer is called on tensors and gives tensors; with `K.function` these are as good as any. Initializers, regularizers and
constraints are plain functions: those of weights stand in `autograph.layers.initializers`, constraints in `optimizers`.
"""

from __future__ import annotations

from autograph.layers import initializers
from autograph.layers.choices import l1, l1_l2, l2
from autograph.layers.core import Activation, Dense, Dropout, Embedding, Flatten, Lambda, Reshape
from autograph.layers.layer import Input, InputLayer, Layer
from autograph.layers.merge import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from autograph.layers.model import Model, Sequential
from autograph.layers.normalisation import BatchNormalization, LayerNormalization
from autograph.layers.training import History

__all__ = [
    "Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "Dot", "Dropout", "Embedding", "Flatten",
    "History", "Input", "InputLayer", "Lambda", "Layer", "LayerNormalization", "Maximum", "Minimum", "Model", "Multiply",
    "Reshape", "Sequential", "Subtract", "initializers", "l1", "l1_l2", "l2",
]  # fmt: skip
