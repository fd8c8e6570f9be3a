"""
3 · A loss of your own, and gradients that stay small
=====================================================

Two moons, a network, and a loss that no library has to provide: you write it as an expression and its gradient follows.
Large gradients are clipped, and a loss that cannot be learned from says so.
"""

# %%
# Two moons
# ---------
# Two half circles that hold on to each other, with some noise. No straight line parts them.

from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from autograph import DisconnectedError, explain_gradient
from autograph import backend as K
from optimizers import SGD, Adam, global_norm

SEED, POINTS, HIDDEN, STEPS, CLIP = 3, 200, 24, 1000, 0.25
rng = np.random.default_rng(SEED)
angle = rng.uniform(0, np.pi, POINTS)
side = np.where(np.arange(POINTS) % 2, 1.0, -1.0)  # which moon: +1 or -1
upper = np.stack([np.cos(angle), np.sin(angle)], 1)
moons = np.where(side[:, None] > 0, upper, [1.0, 0.4] - upper) + rng.normal(0, 0.12, (POINTS, 2))
print(f"seed {SEED}: {POINTS} points")

# %%
# A loss by hand
# --------------
# The squared hinge wants a score of at least 1 on the right side, and does not care by how much more:
# :math:`\frac1n \sum \max(0, 1 - s_i\,y_i)^2`. It is written as it reads. The second part keeps the weights small.

x, s = K.placeholder((None, 2), name="x"), K.placeholder((None,), name="s")
sizes = [2, HIDDEN, HIDDEN, 1]
weights = [K.variable(rng.normal(0, m**-0.5, (m, n)), name=f"w{i}") for i, (m, n) in enumerate(pairwise(sizes), 1)]
biases = [K.variable(np.zeros(n), name=f"b{i}") for i, n in enumerate(sizes[1:], 1)]
layer = x
for w, b in zip(weights[:-1], biases):
    layer = K.tanh(K.dot(layer, w) + b)
score = K.flatten(K.dot(layer, weights[-1]) + biases[-1])
hinge = K.mean(K.square(K.maximum(0.0, 1 - s * score)))
loss = hinge + 1e-4 * sum(K.sum(K.square(w)) for w in weights)

# %%
# Gradients that stay small
# -------------------------
# Large steps with momentum are fast, and now and then they throw everything away. ``clipnorm`` scales all
# gradients together wherever their common norm exceeds the limit. The norm before clipping is an expression too, so
# it can be an output of the same function, and costs nothing twice.

params = weights + biases
norm = global_norm(K.gradients(loss, params))
start = [K.get_value(p) for p in params]
runs = {}
for name, optimizer in {"free": SGD(lr=0.5, momentum=0.9), "clipped": SGD(lr=0.5, momentum=0.9, clipnorm=CLIP)}.items():
    for p, value in zip(params, start):
        K.set_value(p, value)
    step = K.function([x, s], [loss, norm], updates=optimizer.get_updates(loss, params))
    rows = []
    for _ in range(STEPS):
        batch = rng.integers(0, POINTS, 20)
        rows.append(step([moons[batch], side[batch]]))
    runs[name] = np.array(rows)
    largest, late = np.nanmax(runs[name][:, 1]), runs[name][-100:, 0].mean()
    print(f"{name:>8}: largest norm {largest:.3g}, mean loss of the last 100 steps {late:.4f}")

judge = K.function([x], [score])
right = np.mean(np.sign(judge([moons])[0]) == side)
print(f"points on their side of the boundary: {right:.1%}")

# %%
# A loss that cannot be learned from
# ----------------------------------
# Why not count the mistakes? Because ``argmax`` gives a whole number, which stays as it is when a weight moves a little:
# no gradient goes through. ``K.gradients`` answers ``None``, and an optimizer refuses to train on nothing. It names the
# parameters, the op that cuts the path, and the line where you wrote it.

guess = 2 * K.cast(K.argmax(K.stack([-score, score], axis=1)), "float32") - 1  # -1 or +1
mistakes = K.mean(K.square(guess - s)) / 4
print("gradient of the share of mistakes:", K.gradients(mistakes, weights[:1]))
try:
    Adam().get_updates(mistakes, params)
except DisconnectedError as error:
    print(f"DisconnectedError: {error}")

# %%
# The same question may be asked at any time, of any tensor. And a part of a network is trained by naming that part.

print(explain_gradient(hinge, weights[0]))
last = SGD(lr=0.1).get_updates(loss, [weights[-1], biases[-1]])
print("training the last layer alone writes:", [v.name for v in last.registers])

# %%
# The picture
# -----------
# The boundary on the moons; and the norm of the gradient before clipping, with the limit.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, (left, below) = plt.subplots(2, height_ratios=(3, 1), figsize=(6.5, 6.5), layout="constrained")
    across, up = np.meshgrid(np.linspace(-1.6, 2.6, 120), np.linspace(-1.2, 1.6, 90))
    height, = judge([np.stack([across.ravel(), up.ravel()], 1)])
    height = np.clip(height.reshape(across.shape), -1.5, 1.5)
    left.contourf(across, up, height, levels=20, cmap="RdBu", vmin=-3, vmax=3)
    left.contour(across, up, height, levels=[-1, 0, 1], colors="black", linestyles=["dotted", "solid", "dotted"])
    left.scatter(*moons.T, c=side, cmap="RdBu", vmin=-1.3, vmax=1.3, edgecolors="black", s=22)
    left.set(xticks=[], yticks=[], title=f"{right:.1%} on their side; dotted: where the hinge ends")
    below.plot(runs["free"][:, 1], color="0.75", label="without clipping")
    below.plot(runs["clipped"][:, 1], color="tab:blue", label="norm before clipping")
    below.axhline(CLIP, color="tab:red", label=f"clipnorm = {CLIP}")
    below.set(xlabel="step", yscale="log", ylim=(1e-3, 1e3))
    below.legend(ncols=3, fontsize=8)
    plt.show()
