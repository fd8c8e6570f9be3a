"""
10 · What a layer sees
======================

A small network of convolutions reads digits. Then we look inside: any layer's output is a tensor, and ``K.function`` makes a
function of any tensors. Here it is the output of the third layer, in training and in test.
"""

# %%
# A network of layers
# -------------------
# ``autograph.layers`` has the names and arguments of Keras 2. A model is a layer, a layer is a function of tensors.

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autograph import backend as K
from autograph.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Sequential
from optimizers import Adam

SEED = 0
np.random.seed(SEED)  # weights, dropout and the order of samples come from NumPy's generator
with np.load(Path(sys.argv[0]).parent / "data" / "optdigits.npz") as data:
    images, labels = data["images"][..., None] / np.float32(16), data["labels"]
order = np.random.permutation(len(images))
learned, unseen = order[:1350], order[1350:]
print(f"seed {SEED}: {len(learned)} digits to learn from, {len(unseen)} unseen")

model = Sequential([
    Conv2D(8, 3, activation="relu", padding="same", input_shape=(8, 8, 1), name="strokes"),
    MaxPooling2D(name="smaller"),
    Dropout(0.25, name="gaps"),
    Conv2D(24, 3, activation="relu", name="parts"),
    Flatten(),
    Dense(10, activation="softmax", name="digit"),
])
model.summary()

# %%
# ``compile`` says how it learns, ``fit`` does it. Where a terminal watches, a bar is drawn; here it is a line an epoch.

model.compile(Adam(lr=0.005), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images[learned], labels[learned], batch_size=50, epochs=16, validation_data=(images[unseen], labels[unseen]))
loss, share = model.evaluate(images[unseen], labels[unseen], verbose=0)
print(f"held-out accuracy {share:.4f}")

# %%
# The output of the third layer
# -----------------------------
# The third layer drops a quarter of its input, in training only. The *learning phase* tells which it is: 1 in training, 0 in
# test. It is an input like any other, and 0 where it is not fed.

third = K.function([model.layers[0].input, K.learning_phase()], [model.layers[2].output])
sample = images[unseen[:1]]
tested, = third([sample, 0])
trained, = third([sample, 1])
print("the third layer gives", tested.shape)
print(f"in test it changes nothing, in training {np.mean(trained[tested > 0] == 0):.0%} of what is not 0 are dropped")

unfed = K.function([model.input], [model.layers[2].output])
print("without a phase it is as in test:", np.array_equal(unfed([sample])[0], tested))

# %%
# As many outputs as you like come from one call, and nothing is computed twice: here every layer of the network.

everything = K.function([model.input], [layer.output for layer in model.layers])
for layer, values in zip(model.layers, everything([images[unseen]])):
    print(f"{layer.name:>9}: {values.shape!s:18} {np.mean(values > 0):4.0%} of it is active")

# %%
# What changes a layer's output most? Its gradient is an expression too: which pixels speak for the digit that is read?

guess = K.max(model.output, axis=-1)
speaks = K.function([model.input], [K.gradients(K.sum(K.log(guess)), [model.input])[0], K.argmax(model.output)])
slopes, read = speaks([images[unseen[:6]]])
print("read:", *read, "  written:", *labels[unseen[:6]])

# %%
# The picture
# -----------
# Six digits; what the filters of the first layer make of the first one; and the pixels that speak for (red) or against (blue)
# what was read.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 8, figsize=(9, 3.6), layout="constrained")
    strokes = everything([sample])[0][0]
    for column in range(8):
        if column < 6:
            axes[0, column].imshow(images[unseen[column], :, :, 0], cmap="gray_r")
            top = np.abs(slopes[column]).max()
            axes[2, column].imshow(slopes[column, :, :, 0], cmap="RdBu_r", vmin=-top, vmax=top)
        axes[1, column].imshow(strokes[..., column], cmap="viridis")
    for ax in axes.ravel():
        ax.axis("off")
    plt.show()
