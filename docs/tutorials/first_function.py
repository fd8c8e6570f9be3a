"""
2 · A first function, and how a gradient walks backwards
========================================================

One number goes in, one comes out, and in between a value is used twice. That is enough to see all of reverse-mode
differentiation: why it goes backwards, why in that order, and why there is nothing to reset between two steps.
"""

# %%
# An expression has no value
# --------------------------
# A placeholder is fed at each call; a variable keeps its value between calls. Everything else is an expression of them.

import math
from importlib.util import find_spec

import numpy as np

from autograph import backend as K

x = K.placeholder((), dtype="float64", name="x")
w = K.variable(0.5, dtype="float64", name="w")

u = w * x  # used twice below: the graph is a diamond
a = K.tanh(u)
b = u * u
y = a + b
for name, tensor in {"u": u, "a": a, "b": b, "y": y}.items():
    tensor.name = name

print("y before it has a value:", y)
f = K.function([x], [y])
print("f([3.0]) =", f([3.0]))

# %%
# By hand
# -------
# The derivative of ``y`` by every value, from the end to the beginning. Each line needs only the line above it and the
# values that went forward. ``u`` feeds both ``a`` and ``b``, so its derivative has two parts, and **both must have
# arrived before the walk goes on to** ``w`` **and** ``x``. Whoever goes on too early sends half a gradient.

u0 = 0.5 * 3.0
dy = 1.0
da, db = dy, dy  # y = a + b
du = da * (1 - math.tanh(u0) ** 2)  # the part through a = tanh(u)
print(f"dy/dw, if the walk went on too early: {du * 3.0:.6f}")
du += db * 2 * u0  # the part through b = u·u
dw, dx = du * 3.0, du * 0.5  # u = w·x
print(f"dy/dw by hand:                        {dw:.6f}")

# %%
# By the engine
# -------------
# ``K.gradients`` walks the same way, over any graph: tensors in reverse topological order, each after all that read it.
# It is a loop, so a graph may be as deep as memory allows. What it returns are expressions, and a function
# computes them like any others.

nodes = [y, a, b, u, w, x]
values = dict(zip("yabuwx", K.function([x], nodes)([3.0])))
slopes = dict(zip("yabuwx", K.function([x], K.gradients(y, nodes))([3.0])))
print(f"dy/dw by the engine:                  {slopes['w']:.6f}")
for name in "yabuwx":
    print(f"   {name} = {values[name]:8.5f}     dy/d{name} = {slopes[name]:8.5f}")

# %%
# By finite differences
# ---------------------
# Move the variable a little and see what happens. It is slow, it needs a step that is neither too large nor too small,
# and it is always right in the end. So it is how gradients are checked; tutorial 5 makes a tool of it.

h = 1e-5
around = []
for moved in (0.5 + h, 0.5 - h):
    K.set_value(w, moved)
    around += f([3.0])
K.set_value(w, 0.5)
print(f"dy/dw by differences:                 {(around[0] - around[1]) / (2 * h):.6f}")

# %%
# Nothing to reset
# ----------------
# In libraries where a gradient is a buffer, it grows each time it is asked for, until someone calls ``zero_grad``.
# Here it is an expression. To ask twice is to get the same thing twice, and the gradient of a gradient is no new idea.

again, = K.function([x], K.gradients(y, [w]))([3.0])
second, = K.function([x], K.gradients(K.gradients(y, [w])[0], [w]))([3.0])
curve = 2 * math.tanh(u0) * (math.tanh(u0) ** 2 - 1) * 3.0**2 + 2 * 3.0**2
print(f"asked again: {again:.6f}; second derivative: {second:.6f}, by hand {curve:.6f}")
assert np.isclose(slopes["w"], dw) and np.isclose(again, dw) and np.isclose(second, curve)

# %%
# The picture
# -----------
# Values go up, in black. Gradients come down, in red, and the number in the circle says when.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    RED = "tab:red"
    places = {"y": (0, 3), "a": (-1, 2), "b": (1, 2), "u": (0, 1), "w": (-1, 0), "x": (1, 0)}
    words = {"y": "y = a + b", "a": "a = tanh(u)", "b": "b = u · u", "u": "u = w · x", "w": "w", "x": "x"}
    figure, ax = plt.subplots(figsize=(6, 5))
    for start, end in ("ua", "ub", "ay", "by", "wu", "xu"):
        ax.annotate("", places[start], places[end], arrowprops={"arrowstyle": "-|>", "color": RED, "shrinkA": 30, "shrinkB": 30})
    for n, (name, (left, up)) in enumerate(places.items(), 1):
        ax.text(left, up + 0.13, words[name], ha="center", weight="bold")
        ax.text(left, up - 0.05, f"{values[name]:.4f}", ha="center")
        ax.text(left, up - 0.23, f"dy/d{name} = {slopes[name]:.4f}", ha="center", color=RED)
        ax.text(left - 0.62, up, n, ha="center", va="center", color=RED, bbox={"boxstyle": "circle", "fc": "w", "ec": RED})
    ax.set(xlim=(-1.9, 1.7), ylim=(-0.4, 3.4))
    ax.axis("off")
    plt.show()
