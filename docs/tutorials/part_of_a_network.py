"""
11 · Train a part of a network
==============================

A network has learned to read the digits 0 to 4. Its lower part is kept, and a new head learns 5 to 9 from thirty examples of
each, with a loss of our own: one function, whose updates name the weights that may change.
"""

# %%
# A network that can read half of the digits
# ------------------------------------------

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autograph import backend as K
from autograph.layers import Dense, Dropout, Input, Model
from optimizers import Adam

SEED = 1
np.random.seed(SEED)
with np.load(Path(sys.argv[0]).parent / "data" / "optdigits.npz") as data:
    images, labels = data["images"].reshape(-1, 64) / np.float32(16), data["labels"]
low, high = [np.random.permutation(np.flatnonzero(side)) for side in (labels < 5, labels >= 5)]

x = Input((64,), name="x")
body = Dropout(0.3)(Dense(64, activation="relu", name="body")(x))
first = Model(x, Dense(5, activation="softmax")(body), name="first")
first.compile(Adam(lr=0.005), "sparse_categorical_crossentropy", ["accuracy"])
first.fit(images[low], labels[low], batch_size=50, epochs=10, verbose=0)
print(f"seed {SEED}: the first network reads {first.evaluate(images[low], labels[low], verbose=0)[1]:.1%} of 0 to 4")

# %%
# A new head
# ----------
# It is called on the same tensor, and so stands on the same body: layers hold weights, tensors only say what depends on what.

scores = Dense(5, name="head")(body)
second = Model(x, scores, name="second")
second.summary()

# %%
# A loss of our own
# -----------------
# The margin loss of Crammer and Singer wants the right score to be larger than every other by 1:
# :math:`\max(0, \max_{k \neq t} s_k + 1 - s_t)`. Nobody has to provide it, and its gradient follows.

t = K.placeholder((None, 5), name="t")  # 1 at the right one, 0 elsewhere
right, best_other = K.sum(t * scores, axis=-1), K.max(scores - 1e9 * t, axis=-1)
loss = K.mean(K.maximum(0.0, best_other + 1 - right))

# %%
# A function that trains the head alone
# -------------------------------------
# The parameters are those of one layer. ``clipnorm`` scales a gradient down wherever its norm exceeds 1. The learning phase is
# an input: fed 1 the body drops some of what it sees, and fed nothing it is 0.

head = second.get_layer("head")
updates = Adam(lr=0.001, clipnorm=1.0).get_updates(loss, head.trainable_weights)
train = K.function([x, t, K.learning_phase()], [loss], updates=updates)
test = K.function([x, t], [loss, K.mean(K.equal(K.argmax(scores), K.argmax(t)))])
print("a call of it changes:", ", ".join(v.name for v in updates.registers))

few = np.concatenate([high[labels[high] == digit][:30] for digit in range(5, 10)])
unseen = np.setdiff1d(high, few)
one_hot = np.eye(5)[labels % 5]
before, curve = second.get_layer("body").get_weights(), []
for _ in range(300):
    batch = np.random.permutation(few)[:50]
    train([images[batch], one_hot[batch], 1])
    curve.append(test([images[unseen], one_hot[unseen]]))
after = second.get_layer("body").get_weights()
print(f"of 5 to 9 it reads {curve[-1][1]:.1%}, learned from {len(few)} examples")
print("the body is as it was, to the last bit:", all(np.array_equal(a, b) for a, b in zip(before, after)))
print(f"and the first network still reads {first.evaluate(images[low], labels[low], verbose=0)[1]:.1%} of 0 to 4")

# %%
# The phase tells
# ---------------
# With the phase fed, the same loss on the same images differs from call to call: other parts of the body are dropped. Fed
# nothing it is that of test. A learning function without the phase would train without dropout.

noisy = K.function([x, t, K.learning_phase()], [loss])
batch = [images[few], one_hot[few]]
print("fed 1:      ", *(f"{noisy([*batch, 1])[0]:.4f}" for _ in range(3)))
print("fed nothing:", *(f"{test(batch)[0]:.4f}" for _ in range(3)))

# %%
# The same without ``K.function``
# -------------------------------
# ``trainable`` is what ``compile`` and ``fit`` ask: a layer that is not trainable lends its output and keeps its weights.

second.get_layer("body").trainable = False
second.compile(Adam(lr=0.001, clipnorm=1.0), lambda t, s: K.maximum(0.0, K.max(s - 1e9 * t, axis=-1) + 1 - K.sum(t * s, axis=-1)))
print("what fit would change:", ", ".join(v.name for v in second.trainable_weights))

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
    ax.plot([share for _, share in curve], label="share of unseen 5 to 9 that is read")
    ax.plot([loss for loss, _ in curve], label="margin loss on them")
    ax.set(xlabel="step", ylim=(0, 2))
    ax.legend()
    plt.show()
