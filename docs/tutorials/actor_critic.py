"""
6 · Actor and critic in one function
====================================

A pendulum hangs on a motor that is too weak to lift it: it has to swing. An *actor* learns which torque to apply, a
*critic* what that is worth, as in DDPG (Lillicrap et al. 2016). The critic's output is the actor's loss, slow copies of
both stand still enough to be aimed at, and all of it is one tick of one function.
"""

# %%
# The pendulum
# ------------
# Ten at a time, each for 100 steps of 0.05 s. The reward is 0 for standing still upright, and negative otherwise.

from importlib.util import find_spec

import numpy as np

from autograph import backend as K
from optimizers import Adam

SEEDS, PENDULUMS, TIME, EPISODES, BATCH = range(5), 10, 100, 30, 64
GAMMA, TAU, NOISE, HIDDEN = 0.97, 0.02, 0.3, 32

def move(angle, speed, torque):
    """The next angle and speed, and the reward of this moment; torque is in [-1, 1], angle 0 is up."""
    off = (angle + np.pi) % (2 * np.pi) - np.pi
    reward = -(off**2) - 0.1 * speed**2 - 0.004 * torque**2
    speed = np.clip(speed + 0.05 * (15 * np.sin(angle) + 6 * torque), -8, 8)
    return angle + 0.05 * speed, speed, reward

def seen(angle, speed):
    return np.stack([np.cos(angle), np.sin(angle), speed / 8], axis=-1)

# %%
# Two networks, four sets of weights
# ----------------------------------
# A network is a list of variables and a function of tensors. The same function serves the learner and its slow copy.

def weights(name, sizes, rng):
    scale = [m**-0.5 for m in sizes[:-2]] + [0.1 * sizes[-2] ** -0.5]
    pairs = [(rng.uniform(-c, c, (m, n)), np.zeros(n)) for c, m, n in zip(scale, sizes, sizes[1:])]
    return [K.variable(value, name=f"{name}/{'wb'[i % 2]}{i // 2}") for i, value in enumerate(sum(pairs, ()))]

def layers(params, x):
    for w, b in zip(params[:-2:2], params[1:-2:2]):
        x = K.relu(K.dot(x, w) + b)
    return K.dot(x, params[-2]) + params[-1]

act = lambda params, s: K.tanh(layers(params, s))
worth = lambda params, s, a: layers(params, K.concatenate([s, a]))

# %%
# One function
# ------------
# The critic should agree with the reward and what the slow copies expect to follow. The actor should please the critic:
# its loss is the critic's output with its own action in it, and the gradient goes through the critic's weights without
# changing them, for they are not in its list. ``+`` lets both optimizers read the old values; ``.then`` lets the copies
# follow the new ones. If anything fails on the way, every register stays as it was.

def build(rng):
    actor, critic = weights("actor", [3, HIDDEN, 1], rng), weights("critic", [4, HIDDEN, HIDDEN, 1], rng)
    slow = [K.variable(K.get_value(p), name=f"slow/{p.name}") for p in actor + critic]
    s, a, r, after = (K.placeholder((None, n), name=name) for name, n in {"s": 3, "a": 1, "r": 1, "after": 3}.items())
    goal = r + GAMMA * worth(slow[len(actor) :], after, act(slow[: len(actor)], after))
    critic_loss = K.mean(K.square(worth(critic, s, a) - K.stop_gradient(goal)))
    value = worth(critic, s, act(actor, s))
    updates = Adam(lr=4e-3).get_updates(critic_loss, critic) + Adam(lr=2e-3).get_updates(-K.mean(value), actor)
    updates = updates.then([(p, (1 - TAU) * p + TAU * q) for p, q in zip(slow, actor + critic)])
    learn = K.function([s, a, r, after], [critic_loss], updates=updates)
    return learn, K.function([s], [act(actor, s)]), K.function([s], [value])

# %%
# Learning to swing
# -----------------
# The actor plays with some noise, everything is remembered, and each moment brings one step on a random batch.

grid = np.meshgrid(np.linspace(-np.pi, np.pi, 61), np.linspace(-8, 8, 41))
returns = np.zeros((len(SEEDS), EPISODES))
for row, seed in enumerate(SEEDS):
    rng = np.random.default_rng(seed)
    learn, play, judge = build(rng)
    before, = judge([seen(*grid).reshape(-1, 3)])
    memory, size = [np.zeros((PENDULUMS * TIME * EPISODES, n), "float32") for n in (3, 1, 1, 3)], 0
    for episode in range(EPISODES):
        angle, speed = rng.uniform(-np.pi, np.pi, PENDULUMS), rng.uniform(-1, 1, PENDULUMS)
        for _ in range(TIME):
            s = seen(angle, speed)
            torque = np.clip(play([s])[0][:, 0] + rng.normal(0, NOISE, PENDULUMS), -1, 1)
            angle, speed, reward = move(angle, speed, torque)
            returns[row, episode] += reward.mean()
            for store, new in zip(memory, (s, torque[:, None], 0.1 * reward[:, None], seen(angle, speed))):
                store[size : size + PENDULUMS] = new
            size += PENDULUMS
            batch = rng.integers(0, size, BATCH)
            learn([store[batch] for store in memory])
    first, last = returns[row, :5].mean(), returns[row, -5:].mean()
    print(f"seed {seed}: return of the first five episodes {first:.0f}, of the last five {last:.0f}", flush=True)

# %%
# The picture
# -----------
# The return, its mean and range over the seeds; and what the critic thinks of every angle and speed, before and after.
# The bright band is where a swing carries over the top.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, (left, *rest) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    left.fill_between(range(EPISODES), returns.min(0), returns.max(0), alpha=0.25)
    left.plot(returns.mean(0))
    left.set(xlabel="episode", ylabel="return")
    after, = judge([seen(*grid).reshape(-1, 3)])
    for ax, values, title in zip(rest, (before, after), ("before", "after learning")):
        ax.pcolormesh(*grid, values.reshape(grid[0].shape), shading="gouraud")
        ax.set(xlabel="angle", ylabel="speed", title=f"value, {title}")
        ax.set_xticks([-np.pi, 0, np.pi], ["down", "up", "down"])
    plt.show()
