"""
7 · An optimizer of your own in ten lines
=========================================

A rule is the mathematics of one parameter. Written as in its paper it is a class with one method, and everything else is
there already: schedules, clipping, constraints, state. Here it is ADOPT (Taniguchi et al. 2024), which this library does
not have. It is checked against plain NumPy, and then solves a problem on which Adam walks the wrong way.
"""

# %%
# The rule
# --------
# ADOPT is Adam in another order: each gradient is divided by what is known *without* it, and only then counted.
# Numbers in the body of the class are hyper-parameters. ``s`` holds the slots, what the rule remembers of a parameter:
# to read ``s.v`` is to read its value at this point of the rule, first that of the last step; to assign it is to say
# what follows. ``self.rate`` is the learning rate of this step and ``self.t`` its number, 1 at the first.

from importlib.util import find_spec

import numpy as np

from autograph import backend as K
from autograph import equal, function, maximum, sqrt, square, where
from optimizers import Adam, Optimizer, box


class ADOPT(Optimizer):
    beta_1, beta_2, epsilon = 0.9, 0.9999, 1e-6

    def rule(self, p, g, s):
        first = equal(self.t, 1)
        fair = g / maximum(sqrt(s.v), self.epsilon)
        s.m = where(first, 0, self.beta_1 * s.m + (1 - self.beta_1) * fair)
        s.v = where(first, square(g), self.beta_2 * s.v + (1 - self.beta_2) * square(g))
        return p - self.rate * s.m

print(ADOPT(lr=0.01))

# %%
# What comes with it
# ------------------
# All options of the other optimizers, and errors for arguments that make no sense. Numbers are registers: a change
# compiles nothing anew. The state has names, and :doc:`checkpoint </reference/checkpoint>` keeps it.

adopt = ADOPT(lr=0.01, beta_1=0.8, clipnorm=1.0, weight_decay=1e-4, multipliers={"*/bias": 2.0})
w = K.variable(np.ones((3, 2)), name="w")
b = K.variable(np.zeros(2), name="dense/bias")
adopt.get_updates(K.sum(K.square(w)) + K.sum(K.square(b - 1)), [w, b])
adopt.lr = 0.02
print(*adopt.state(), sep=", ")
try:
    ADOPT(beta1=0.8)
except TypeError as error:
    print("TypeError:", str(error).splitlines()[0])

# %%
# Is it right?
# ------------
# A loss that goes down proves little: a rule that is a step late goes down too. What proves something is the path. Here
# are a hundred given gradients of very different sizes, the paper's algorithm as a plain loop, and the distance between
# the two in double precision. And here is whether the check can fail: the same rule with its two lines swapped, so that
# the gradient is divided by what already contains it.

class Hasty(ADOPT):
    def rule(self, p, g, s):
        s.v = where(equal(self.t, 1), square(g), self.beta_2 * s.v + (1 - self.beta_2) * square(g))
        s.m = where(equal(self.t, 1), 0, self.beta_1 * s.m + (1 - self.beta_1) * g / maximum(sqrt(s.v), self.epsilon))
        return p - self.rate * s.m

rng = np.random.default_rng(0)
start, gradients = rng.normal(size=5), rng.normal(size=(100, 5)) * 10 ** rng.uniform(-3, 1, (100, 1))

def walk(optimizer):
    p, g = K.variable(start, "float64", "p"), K.placeholder((5,), dtype="float64")
    step = function([g], updates=optimizer.get_updates([g], [p]))
    for gradient in gradients:
        step(gradient)
    return K.get_value(p)

p, m, v = start, 0.0, gradients[0] ** 2
for gradient in gradients[1:]:
    m = 0.9 * m + 0.1 * gradient / np.maximum(np.sqrt(v), 1e-6)
    v = 0.9999 * v + 0.0001 * gradient**2
    p = p - 0.01 * m
print(f"seed 0: distance from the reference {np.abs(walk(ADOPT(lr=0.01)) - p).max():.0e}")
print(f"of the rule with its lines swapped {np.abs(walk(Hasty(lr=0.01)) - p).max():.0e}")

# %%
# Where Adam walks the wrong way
# ------------------------------
# One number x in [-1, 1]. The slope is 100 once in ten times, at random, and -10 otherwise: on average 1, so x should go
# to -1. Adam divides the rare large slope by an average that it has just raised, so it counts for less than the nine small
# ones, which pull the other way (Reddi, Kale & Kumar 2018). ADOPT divides it by what came before. The rate falls as 1/√t; ``box``
# projects each new x into its interval; ``loop`` runs all steps in one call.

STEPS = 50_000
slopes = np.where(np.random.default_rng(1).random(STEPS) < 0.1, 100.0, -10.0)
numbers = {"lr": lambda t: 0.01 / sqrt(1 + 0.01 * t), "beta_2": 0.9}
rules = {"Adam": Adam(**numbers), "AMSGrad": Adam(**numbers, amsgrad=True), "ADOPT": ADOPT(**numbers)}
paths = {}
for name, optimizer in rules.items():
    x, slope = K.variable(0.0, "float64", "x", constraint=box(-1, 1)), K.placeholder((), dtype="float64")
    step = function([slope], x, updates=optimizer.get_updates([slope], [x]))
    paths[name] = step.loop(STEPS, slopes)
    print(f"{name:>7}: x = {paths[name][-5000:].mean():+.2f} at the end of {STEPS:,} steps")

# %%
# The picture, in which all three saw the same slopes:

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, path), colour in zip(paths.items(), ("#D55E00", "#999999", "#0072B2")):
        ax.plot(path, color=colour, linewidth=1.5)
        ax.text(STEPS * 1.01, path[-1], name, color=colour, va="center")
    ax.axhline(-1, color="black", linestyle=":")
    ax.set(xlabel="step", ylabel="x, best at -1", xlim=(0, STEPS), ylim=(-1.05, 1.05))
    ax.spines[["top", "right"]].set_visible(False)
    plt.show()
