"""
12 · DDPG with layers
=====================

An actor and a critic, each with a slow copy, as in *deterministic policy gradients* (Lillicrap et al. 2016): four models of
``autograph.layers``, and two functions of ``K``. The task is our own: park a sledge at 0 by pushing it left and right.
"""

# %%
# The task
# --------
# A sledge has a place and a speed. A push between -1 and 1 changes the speed, some of which is lost, and each moment costs the
# squared distance, and a little for speed and push. Sixteen sledges run at once, each for 40 moments.

from importlib.util import find_spec

import numpy as np

from autograph import backend as K
from autograph.layers import Concatenate, Dense, Input, Model
from autograph.layers.initializers import random_uniform
from optimizers import Adam

SEED, SLEDGES, TIME, EPISODES, BATCH = 0, 16, 40, 40, 64
GAMMA, TAU, NOISE, HIDDEN = 0.95, 0.02, 0.3, 32
np.random.seed(SEED)

def move(state, push):
    """The next places and speeds, and what this moment is worth."""
    place, speed = state.T
    reward = -(place**2) - 0.05 * speed**2 - 0.01 * push**2
    speed = 0.95 * speed + 0.2 * push
    return np.stack([np.clip(place + 0.2 * speed, -3, 3), speed], axis=1), reward

# %%
# The models
# ----------
# A function makes each model, so that the slow copies are made like the others. The last layers begin near 0.

small = random_uniform(-3e-3, 3e-3)

def actor(name):
    state = Input((2,))
    h = Dense(HIDDEN, activation="relu")(state)
    h = Dense(HIDDEN, activation="relu")(h)
    return Model(state, Dense(1, activation="tanh", kernel_initializer=small)(h), name=name)

def critic(name):
    state, push = Input((2,)), Input((1,))
    h = Dense(HIDDEN, activation="relu")(Concatenate()([state, push]))
    h = Dense(HIDDEN, activation="relu")(h)
    return Model([state, push], Dense(1, kernel_initializer=small)(h), name=name)

act, judge, slow_act, slow_judge = actor("actor"), critic("critic"), actor("slow_actor"), critic("slow_critic")
slow_act.set_weights(act.get_weights())
slow_judge.set_weights(judge.get_weights())
judge.summary()

# %%
# One step of learning
# --------------------
# Models are called on tensors. The critic should agree with the reward and what the slow copies expect to follow; the actor
# should please the critic, and its gradient goes through one model into the other. Each optimizer is given the weights of one.
# ``+`` lets both read the old weights, ``.then`` lets the slow copies follow the new ones, and all of it is one tick.

state, push, reward, after = (K.placeholder((None, n)) for n in (2, 1, 1, 2))
goal = reward + GAMMA * slow_judge([after, slow_act(after)])
error = K.mean(K.square(judge([state, push]) - K.stop_gradient(goal)))
value = K.mean(judge([state, act(state)]))
updates = Adam(lr=4e-3).get_updates(error, judge.trainable_weights)
updates = updates + Adam(lr=2e-3, clipnorm=1.0).get_updates(-value, act.trainable_weights)
pairs = zip(slow_act.weights + slow_judge.weights, act.weights + judge.weights)
updates = updates.then([(slow, (1 - TAU) * slow + TAU * w) for slow, w in pairs])
learn = K.function([state, push, reward, after], [error, value], updates=updates)

# %%
# Learning
# --------

def play(noise):
    """One episode: the moments of all sledges, and the mean return."""
    now, moments, total = np.random.uniform(-1, 1, (SLEDGES, 2)), [], 0.0
    for _ in range(TIME):
        pushes = np.clip(act.predict_on_batch(now) + noise * np.random.normal(size=(SLEDGES, 1)), -1, 1)
        then, worth = move(now, pushes[:, 0])
        moments.append([now, pushes, worth[:, None], then])
        total, now = total + worth.mean(), then
    return moments, total

untrained = np.mean([play(0.0)[1] for _ in range(5)])
memory, returns = [], []
for episode in range(EPISODES):
    moments, total = play(NOISE)
    memory += moments
    returns.append(total)
    stored = [np.concatenate(column).astype("float32") for column in zip(*memory)]
    for _ in range(TIME):
        rows = np.random.randint(0, len(stored[0]), BATCH)
        learn([column[rows] for column in stored])
    if episode % 10 == 9:
        print(f"episode {episode + 1}: mean return of the last ten {np.mean(returns[-10:]):.2f}", flush=True)
trained = np.mean([play(0.0)[1] for _ in range(5)])
print(f"seed {SEED}: return without noise, before {untrained:.2f}, after {trained:.2f}")

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, (left, middle) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.plot(returns)
    left.set(xlabel="episode", ylabel="return")
    for sledge in range(6):
        middle.plot([now[sledge, 0] for now, *_ in play(0.0)[0]])
    middle.set(xlabel="moment", ylabel="place", title="six sledges, after learning")
    plt.show()
