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
from autograph.layers.convolution import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    Conv1D,
    Conv2D,
    Conv3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from autograph.layers.core import Activation, Dense, Dropout, Embedding, Flatten, Lambda, Reshape
from autograph.layers.layer import Input, InputLayer, Layer
from autograph.layers.merge import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from autograph.layers.model import Model, Sequential
from autograph.layers.normalisation import BatchNormalization, LayerNormalization
from autograph.layers.recurrent import GRU, LSTM, SimpleRNN
from autograph.layers.training import History

__all__ = [
    "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization",
    "Concatenate", "Conv1D", "Conv2D", "Conv3D", "Dense", "Dot", "Dropout", "Embedding", "Flatten", "GRU",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalMaxPooling3D", "History", "Input", "InputLayer", "LSTM", "Lambda", "Layer",
    "LayerNormalization", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "Model", "Multiply",
    "Reshape", "Sequential", "SimpleRNN", "Subtract", "initializers", "l1", "l1_l2", "l2",
]  # fmt: skip
