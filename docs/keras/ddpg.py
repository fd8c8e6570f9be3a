"""Deep deterministic policy gradients: an actor and a critic, each with a slow copy. A sledge learns to park at 0."""

import numpy as np
from keras import backend as K
from keras.initializers import RandomUniform
from keras.layers import Concatenate, Dense, Input
from keras.models import Model
from keras.optimizers import Adam

GAMMA, TAU, SLEDGES, TIME, BATCH = 0.95, 0.02, 16, 40, 64
np.random.seed(0)


def move(state, push):
    """The next places and speeds, and what this moment is worth."""
    place, speed = state.T
    reward = -(place**2) - 0.05 * speed**2 - 0.01 * push**2
    speed = 0.95 * speed + 0.2 * push
    return np.stack([np.clip(place + 0.2 * speed, -3, 3), speed], axis=1), reward


def create_actor():
    state = Input(shape=(2,))
    h = Dense(32, activation="relu")(state)
    h = Dense(32, activation="relu")(h)
    push = Dense(1, activation="tanh", kernel_initializer=RandomUniform(-3e-3, 3e-3))(h)
    return state, Model(state, push)


def create_critic():
    state, push = Input(shape=(2,)), Input(shape=(1,))
    h = Dense(32, activation="relu")(Concatenate()([state, push]))
    h = Dense(32, activation="relu")(h)
    return Model([state, push], Dense(1, kernel_initializer=RandomUniform(-3e-3, 3e-3))(h))


def follow(slow, model):
    """Updates by which the weights of one model follow those of another."""
    return [(s, TAU * w + (1.0 - TAU) * s) for s, w in zip(slow.weights, model.weights)]


(state, actor), (_, slow_actor) = create_actor(), create_actor()
critic, slow_critic = create_critic(), create_critic()
slow_actor.set_weights(actor.get_weights())
slow_critic.set_weights(critic.get_weights())
critic.compile(optimizer=Adam(lr=4e-3), loss="mse")

# The actor should please the critic: the gradient goes through one model into the other.
value = K.mean(critic([state, actor(state)]))
updates = Adam(lr=2e-3, clipnorm=1.0).get_updates(params=actor.trainable_weights, loss=-value)
updates += follow(slow_actor, actor) + follow(slow_critic, critic)
train_actor = K.function([state], [value], updates=updates)


def play(noise, memory=None):
    """One episode of all sledges: the mean return."""
    now, total = np.random.uniform(-1, 1, (SLEDGES, 2)), 0.0
    for _ in range(TIME):
        push = np.clip(actor.predict_on_batch(now) + noise * np.random.normal(size=(SLEDGES, 1)), -1, 1)
        then, reward = move(now, push[:, 0])
        if memory is not None:
            memory.extend(zip(now, push, reward, then))
        now, total = then, total + reward.mean()
    return total


print("return before:", np.mean([play(0.0) for _ in range(5)]))
memory = []
for _ in range(20):
    play(0.3, memory)
    for _ in range(TIME):
        rows = np.random.randint(len(memory), size=BATCH)
        states, pushes, rewards, after = map(np.array, zip(*[memory[row] for row in rows]))
        expected = slow_critic.predict_on_batch([after, slow_actor.predict_on_batch(after)])
        critic.train_on_batch([states, pushes], rewards[:, None] + GAMMA * expected)
        train_actor([states])
print("return after:", np.mean([play(0.0) for _ in range(5)]))

weights = {model: model.get_weights() for model in (actor, critic, slow_actor, slow_critic)}
train_actor([states])
moved = [any(np.any(a != b) for a, b in zip(weights[model], model.get_weights())) for model in weights]
print("the actor's function moves actor, critic, slow actor, slow critic:", *moved)
