"""The output of the third layer, in test and in training, by K.function."""

import os

import numpy as np
from keras import backend as K
from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Model, Sequential
from keras.optimizers import Adam

np.random.seed(0)
data = np.load(os.path.join(os.path.dirname(__file__), "..", "tutorials", "data", "optdigits.npz"))
images, labels = data["images"][..., None] / 16.0, data["labels"]
order = np.random.permutation(len(images))
learned, unseen = order[:1350], order[1350:]

model = Sequential()
model.add(Conv2D(8, (3, 3), activation="relu", padding="same", input_shape=(8, 8, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Dropout(0.25))
model.add(Conv2D(24, (3, 3), activation="relu"))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer=Adam(lr=0.005), metrics=["accuracy"])
model.fit(images[learned], labels[learned], batch_size=50, epochs=8, verbose=0)
print("read:", model.evaluate(images[unseen], labels[unseen], verbose=0)[1])

get_3rd_layer_output = K.function([model.layers[0].input, K.learning_phase()], [model.layers[2].output])
x = images[unseen[:20]]
tested = get_3rd_layer_output([x, 0])[0]  # in test mode
trained = get_3rd_layer_output([x, 1])[0]  # in train mode
unfed = K.function([model.layers[0].input], [model.layers[2].output])([x])[0]

print("shape:", tested.shape)
print("dropped in training:", np.mean(trained[tested > 0] == 0))
print("the rest is scaled by:", np.unique(np.round(trained[trained > 0] / tested[trained > 0], 4)))
print("without a phase as in test:", np.array_equal(unfed, tested))
print("as a model of its own:", np.allclose(Model(model.input, model.layers[2].output).predict(x), tested, atol=1e-6))
