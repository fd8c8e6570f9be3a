"""Train a part of a network: its last layer alone, with a loss of one's own, by an optimizer's updates."""

import os

import numpy as np
from keras import backend as K
from keras.layers import Dense, Dropout, Input
from keras.models import Model
from keras.optimizers import Adam

np.random.seed(1)
data = np.load(os.path.join(os.path.dirname(__file__), "..", "tutorials", "data", "optdigits.npz"))
images, labels = data["images"].reshape(-1, 64) / 16.0, data["labels"]
low = np.flatnonzero(labels < 5)
high = np.random.permutation(np.flatnonzero(labels >= 5))

# A network reads the digits 0 to 4.
x = Input(shape=(64,))
body = Dropout(0.3)(Dense(64, activation="relu", name="body")(x))
first = Model(x, Dense(5, activation="softmax")(body))
first.compile(optimizer=Adam(lr=0.005), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
first.fit(images[low], labels[low], batch_size=50, epochs=10, verbose=0)
print("0 to 4, before:", first.evaluate(images[low], labels[low], verbose=0)[1])

# A new head on its body shall read 5 to 9: the right score has to be larger than every other by 1.
second = Model(x, Dense(5, name="head")(body))
scores = second.output
target = K.placeholder(shape=(None, 5))
right = K.sum(target * scores, axis=-1)
best_other = K.max(scores - 1e9 * target, axis=-1)
loss = K.mean(K.maximum(best_other + 1.0 - right, 0.0))

optimizer = Adam(lr=.001, clipnorm=1.)  # fmt: skip
updates = optimizer.get_updates(loss, second.get_layer("head").trainable_weights)
train = K.function([x, target, K.learning_phase()], [loss], updates=updates)
test = K.function([x, target, K.learning_phase()], [loss, scores])

few = np.concatenate([high[labels[high] == digit][:30] for digit in range(5, 10)])
unseen = np.setdiff1d(high, few)
one_hot = np.eye(5)[labels % 5]
before = second.get_layer("body").get_weights()
for _ in range(300):
    batch = np.random.permutation(few)[:50]
    train([images[batch], one_hot[batch], 1])

guesses = test([images[unseen], one_hot[unseen], 0])[1].argmax(axis=1)
print("5 to 9:", np.mean(guesses == labels[unseen] % 5))
after = second.get_layer("body").get_weights()
print("the body is as it was:", all(np.array_equal(a, b) for a, b in zip(before, after)))
print("0 to 4, after:", first.evaluate(images[low], labels[low], verbose=0)[1])
print("steps of the optimizer:", K.get_value(optimizer.iterations))

# Fed 1 the phase drops parts of the body, other ones each time; fed nothing it is 0.
feeds = [images[few], one_hot[few]]
print("fed 1:", *[test(feeds + [1])[0] for _ in range(3)])
print("fed 0:", *[test(feeds + [0])[0] for _ in range(3)])
print("fed nothing:", *[test(feeds)[0] for _ in range(3)])
print("not an input:", K.function([x, target], [loss])(feeds)[0])
