"""Models of Keras on autograph: `python tests/peers/keras_models.py`. Each is built, runs, trains, and is saved and loaded.

MobileNet of Keras's applications, a small residual network, and a convolutional network that has to know 97 % of
the digits that it was not shown. Needs the extra `keras`.
"""

# ruff: noqa: E402  # Keras has to be told of autograph before it is imported

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["KERAS_BACKEND"] = "autograph.keras"

from keras import applications, layers
from keras.models import Model, Sequential
from keras.optimizers import SGD
from keras.utils import to_categorical

IMAGES = (32, 32, 3)
BAR = 0.97


def residual() -> Model:
    """Three blocks of two convolutions with a way past them, the last two at half the resolution."""
    inputs = layers.Input(IMAGES)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        past = x if stride == 1 else layers.Conv2D(width, 1, strides=stride)(x)
        x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.Activation("relu")(layers.add([x, past]))
    return Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


MODELS: dict[str, Callable[[], Model]] = {
    "MobileNet (α = ¼)": lambda: applications.MobileNet(input_shape=IMAGES, alpha=0.25, weights=None, classes=10),
    "small ResNet": residual,
}


def round_trip(make: Callable[[], Model], folder: Path) -> tuple[int, float, float, bool]:
    """Parameters, the loss of a batch before and behind five steps, and whether saved weights come back equal."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(8, *IMAGES)).astype("float32"), to_categorical(rng.integers(0, 10, 8), 10)
    model, twin = make(), make()
    model.compile(SGD(0.01, momentum=0.9), "categorical_crossentropy")
    losses = [float(model.train_on_batch(images, labels)) for _ in range(6)]
    model.save_weights(str(folder / "weights.h5"))
    twin.load_weights(str(folder / "weights.h5"))
    same = all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))
    return model.count_params(), losses[0], losses[-1], same and np.array_equal(model.predict(images), twin.predict(images))


def digits() -> tuple[float, float]:
    """The share of 360 unseen digits of 8 × 8 pixels that a convolutional network knows, and the seconds of its training."""
    with np.load(ROOT / "docs/tutorials/data/optdigits.npz") as data:
        images, labels = data["images"].reshape(-1, 8, 8, 1) / 16, to_categorical(data["labels"], 10)
    order = np.random.RandomState(0).permutation(len(images))
    train, test = order[360:], order[:360]
    np.random.seed(0)
    model = Sequential([
        layers.Conv2D(32, 3, padding="same", activation="relu", input_shape=(8, 8, 1)), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dropout(0.25), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(images[train], labels[train], batch_size=32, epochs=12, verbose=0)
    seconds = time.perf_counter() - start
    return float(model.evaluate(images[test], labels[test], verbose=0)[1]), seconds


def main() -> int:
    failed = False
    print("| model | parameters | loss before | loss after 5 steps | through HDF5 |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in MODELS.items():
            parameters, before, after, same = round_trip(make, Path(folder))
            failed |= not (same and after < before)
            print(f"| {name} | {parameters:,} | {before:.3f} | {after:.3f} | {'equal' if same else 'different'} |", flush=True)
    share, seconds = digits()
    print(f"digits: {100 * share:.1f} % of 360 unseen ones after 12 epochs, {seconds:.0f} s; the bar is {100 * BAR:.0f} %")
    return int(failed or share < BAR)


if __name__ == "__main__":
    sys.exit(main())
