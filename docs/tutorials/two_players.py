"""
9 · Two players in one function
===============================

A generator makes points, a discriminator tells them from real ones, and each learns from the other's mistakes (Goodfellow
et al. 2014). In one function the forward pass is shared. Whether the players move at once or in turn is one word, and on
the smallest game of all that word decides whether they go round or fly apart.
"""

# %%
# The smallest game
# -----------------
# One player owns a and wants a·b small, the other owns b and wants it large. The only rest is at 0. ``+`` lets both read the
# old values: they move at once. ``.then`` lets the second read what the first has just written: they take turns. Either
# way it is one tick.

from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from autograph import backend as K
from optimizers import SGD, Adam

RATE, TICKS = 0.1, 300

def play(in_turn):
    a, b = K.variable(1.0, "float64", "a"), K.variable(1.0, "float64", "b")
    first, second = SGD(RATE).get_updates(a * b, [a]), SGD(RATE).get_updates(-a * b, [b])
    step = K.function([], [a, b], updates=first.then(second) if in_turn else first + second)
    return np.transpose(step.loop(TICKS + 1))
at_once, in_turn = play(False), play(True)

# %%
# At once, each step is at a right angle to the way to 0 and so leads outwards: the distance grows by √(1 + rate²) a tick,
# however small the rate. In turn, the second player corrects the first, and they go round a closed curve.

for name, path in (("at once", at_once), ("in turn", in_turn)):
    print(f"{name}: after {TICKS} ticks the distance from 0 is {np.hypot(*path[-1]) / np.hypot(*path[0]):.4f} of the first")
print(f"√(1 + rate²) to the power {TICKS}: {(1 + RATE**2) ** (TICKS / 2):.4f}")

# %%
# A generator and a discriminator
# -------------------------------
# Real points lie on a ring, in eight heaps. The generator makes points from noise. What the discriminator says of a made
# point enters both losses. Each optimizer has its own parameters, and the gradient goes through the other player's without
# changing them. Each way to play is a function, and ``make`` shows what the generator makes.

SEEDS, HIDDEN, BATCH, STEPS = range(3), 32, 64, 2500

def network(name, sizes, rng):
    pairs = [(rng.normal(0, (2 / m) ** 0.5, (m, n)), np.zeros(n)) for m, n in pairwise(sizes)]
    return [K.variable(value, name=f"{name}/{'wb'[i % 2]}{i // 2}") for i, value in enumerate(sum(pairs, ()))]

def output(params, h):
    for w, b in zip(params[:-2:2], params[1:-2:2]):
        h = K.relu(K.dot(h, w) + b)
    return K.dot(h, params[-2]) + params[-1]

def build(seed, executor=None):
    rng = np.random.default_rng(seed)
    G, D = network("G", [2, HIDDEN, HIDDEN, 2], rng), network("D", [2, HIDDEN, HIDDEN, 1], rng)
    noise, real = K.placeholder((None, 2), name="noise"), K.placeholder((None, 2), name="real")
    made = output(G, noise)
    of_made, of_real = output(D, made), output(D, real)
    d_loss, g_loss = K.mean(K.softplus(-of_real)) + K.mean(K.softplus(of_made)), K.mean(K.softplus(-of_made))
    d, g = (Adam(2e-3, beta_1=0.5).get_updates(loss, params) for loss, params in ((d_loss, D), (g_loss, G)))
    ways = {
        "at once": ([d_loss, g_loss], d + g), "in turn": ([d_loss, g_loss], d.then(g)),
        "D alone": ([d_loss], d), "G alone": ([g_loss], g), "make": ([made], None),
    }
    return {way: K.function([noise, real], *what, executor=executor) for way, what in ways.items()}

# %%
# How much is shared? Calls of NumPy's ``dot`` in a tick, counted in the functions. At once, what the generator makes and
# what the discriminator says of it is computed once instead of twice: three layers each. In turn, the generator is judged
# by a discriminator that has already moved, so only the points are shared.

for way, function in build(0, "numpy").items():
    steps = function.profile(np.zeros((BATCH, 2)), np.zeros((BATCH, 2)), ticks=1).rows
    print(f"calls of dot, {way}: {sum('dot(' in step.code for step in steps)}")

# %%
# Learning
# --------
# Eight heaps is where such players are known to forget some. What is counted: the heaps that get at least 1 % of two
# thousand made points, and how many of the points lie near a heap at all. Both ways learn it here, and one seed differs
# from the next by more than one way from the other.

turn = np.arange(8) * np.pi / 4
heaps, made = np.stack([np.cos(turn), np.sin(turn)], 1), {}
for seed in SEEDS:
    for way in ("at once", "in turn"):
        functions, rng = build(seed), np.random.default_rng(seed)
        for _ in range(STEPS):
            real = heaps[rng.integers(0, 8, BATCH)] + rng.normal(0, 0.05, (BATCH, 2))
            functions[way]([rng.normal(size=(BATCH, 2)), real])
        made[way], = functions["make"]([rng.normal(size=(2000, 2)), heaps])
        away = np.linalg.norm(made[way][:, None] - heaps, axis=2)
        near = np.bincount(away.argmin(1)[away.min(1) < 0.15], minlength=8)
        print(f"seed {seed}, {way}: {np.sum(near >= 20)} heaps found, {near.sum() / 2000:.0%} of the points near one", flush=True)

# %%
# The picture: the smallest game, and what the last seed makes (blue) of the eight heaps (orange rings).

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, (left, *rest) = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained")
    left.plot(*at_once.T, label="at once", color="#0072B2")
    left.plot(*in_turn.T, label="in turn", color="#D55E00")
    left.set(title="a·b", xlabel="a", ylabel="b", aspect="equal", ylim=(-7, 9))
    left.legend(loc="upper center", ncols=2)
    for ax, (way, points) in zip(rest, made.items()):
        ax.plot(*points.T, ".", color="#0072B2", markersize=2, alpha=0.5)
        ax.plot(*heaps.T, "o", markersize=22, markerfacecolor="none", markeredgecolor="#D55E00")
        ax.set(title=way, xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=[], yticks=[])
    plt.show()
