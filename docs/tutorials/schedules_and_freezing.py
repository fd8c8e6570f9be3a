"""
8 · Schedules and freezing
==========================

A network that reads digits is to say whether a number is even, from thirty examples. Its body knows what that takes,
its head knows nothing. So: freeze, unfreeze, warm up, let the rate fall, move some layers less than others, and measure
what it is worth.
"""

# %%
# What is there to begin with
# ---------------------------
# Two layers are the body. One head names the digit, from a thousand examples; the other says even or odd, from thirty.

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autograph import backend as K
from optimizers import Adam, cosine, partition, plateau, warmup

SEEDS, WIDTH, FEW, STEPS = range(8), 64, 30, 400
with np.load(Path(sys.argv[0]).parent / "data" / "optdigits.npz") as data:
    images, labels = data["images"].reshape(-1, 64) / np.float32(16), data["labels"]

def weights(name, *sizes):
    return K.variable(np.zeros(sizes), name=f"{name}/kernel"), K.variable(np.zeros(sizes[1]), name=f"{name}/bias")

body = [*weights("body/1", 64, WIDTH), *weights("body/2", WIDTH, WIDTH)]
old_head, head = weights("old", WIDTH, 10), weights("head", WIDTH, 2)
x, digit, even = K.placeholder((None, 64)), K.placeholder((None, 10)), K.placeholder((None, 2))
h = K.relu(K.dot(K.relu(K.dot(x, body[0]) + body[1]), body[2]) + body[3])
old_loss = K.mean(K.categorical_crossentropy(digit, K.dot(h, old_head[0]) + old_head[1], from_logits=True))
loss = K.mean(K.categorical_crossentropy(even, K.dot(h, head[0]) + head[1], from_logits=True))
judge = K.function([x], [K.argmax(K.dot(h, head[0]) + head[1])])

# %%
# Freezing
# --------
# What is not among the parameters is not trained. ``partition`` chooses by name, and says ``None`` for what stays as it is.
# Frozen layers have no slots and do not count in ``clipnorm``.

head_only = lambda: partition({"body/*": None}, Adam(3e-3, clipnorm=1.0))
print("a step writes", ", ".join(v.name for v in head_only().get_updates(loss, [*body, *head]).registers))

# %%
# A schedule is a function of the steps taken
# -------------------------------------------
# It is part of the graph: there is nothing to call each epoch, and no order to get wrong. ``multipliers`` scale the rate of
# some parameters, again by name. A rate given as a number may be set at any time instead: ``adam.lr = 1e-4``.

rate = warmup(cosine(3e-3, STEPS // 2 - 20), 20)
careful = lambda: Adam(rate, multipliers={"body/*": 0.3})
print("the rate at steps 0, 10, 20, 110, 200:", *(f"{K.eval(rate(t)):.4f}" for t in (0, 10, 20, 110, 200)))

# %%
# Four ways to learn
# ------------------
# Each takes as many steps on the same thirty images, from the weights of the old task; the first begins afresh.

def train(optimizer, loss, answer, one_hot, params, chosen, steps, rng):
    step = K.function([x, answer], [loss], updates=optimizer.get_updates(loss, params))
    for _ in range(steps):
        batch = rng.choice(chosen, 16)
        step([images[batch] + rng.normal(0, 0.2, (16, 64)), one_hot[batch]])

share = {}
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    many, few, unseen = np.split(rng.permutation(len(images)), [1000, 1000 + FEW])
    fresh = [(p, rng.normal(0, p.shape[0] ** -0.5, p.shape) * (K.ndim(p) > 1)) for p in (*body, *old_head, *head)]
    K.batch_set_value(fresh)
    train(Adam(3e-3), old_loss, digit, np.eye(10)[labels], [*body, *old_head], many, 1000, rng)
    learned = [(p, K.get_value(p)) for p in (*body, *head)]
    for name, start, phases in [
        ("from nothing", fresh, [Adam(3e-3)]), ("all at once", learned, [Adam(3e-3)]),
        ("head only", learned, [head_only()]), ("head, then all", learned, [head_only(), careful()]),
    ]:
        K.batch_set_value(start)
        for optimizer in phases:
            train(optimizer, loss, even, np.eye(2)[labels % 2], [*body, *head], few, STEPS // len(phases), rng)
        share.setdefault(name, []).append(np.mean(judge([images[unseen]])[0] == labels[unseen] % 2))
for name, values in share.items():
    print(f"{name:>14}: {np.mean(values):.1%} of the unseen right, single seeds from {min(values):.1%} to {max(values):.1%}")
better = sum(a > b for a, b in zip(share["head, then all"], share["from nothing"]))
print(f"head, then all is better than from nothing with {better} of {len(SEEDS)} seeds, 0 to 7")

# %%
# A rate that follows what is measured
# ------------------------------------
# A plateau is no function of time, it is a state: the best so far, and how long ago. So it is an update of the register
# that holds the rate, in a function that is called once an epoch, here with the mean loss of the old task.

mean_loss = K.placeholder((), name="mean_loss")
for name, patience in (("constant", 1000), ("plateau", 3)):
    K.batch_set_value(fresh)
    adam, rng = Adam(0.03), np.random.default_rng(0)
    step = K.function([x, digit], [old_loss], updates=adam.get_updates(old_loss, [*body, *old_head]))
    epoch_ends = K.function([mean_loss], [adam.lr], updates=plateau(adam.lr, mean_loss, 0.5, patience, least=1e-4))
    for _ in range(40):
        loss_now = np.mean([step([images[b], np.eye(10)[labels[b]]]) for b in rng.permutation(many).reshape(-1, 20)])
        epoch_ends([loss_now])
    print(f"{name:>8}: mean loss of epoch 40 {loss_now:.4f}, the rate then {K.get_value(adam.lr):.4f}")

# %%
# The picture: rates on the left, what the four ways are worth on the right, a line for each seed.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, (left, beside) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    heights = np.array([K.eval(rate(t)) for t in range(STEPS // 2)])
    left.plot(np.transpose([heights, 0.3 * heights]), label=["rate of the head", "rate of the body"])
    left.legend(title="once it is unfrozen")
    beside.plot(list(share), list(share.values()), color="0.75", marker=".")
    beside.plot(list(share), np.mean(list(share.values()), axis=1), color="black", linewidth=2.5, marker="o")
    beside.set_ylabel("share of unseen right")
    plt.show()
