"""
1 · Read handwritten digits
===========================

A network of one hidden layer learns to read digits that people wrote with a pen: 1,797 images of 8×8 grey levels, from
the `optdigits set <https://archive.ics.uci.edu/dataset/80>`_ of E. Alpaydin and C. Kaynak. It takes a few seconds.
"""

# %%
# The data
# --------
# Every fourth image is put aside. The network never learns from those; they show what it understood.

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autograph import backend as K
from optimizers import Adam

SEED, EPOCHS, BATCH, HIDDEN = 0, 40, 27, 128
rng = np.random.default_rng(SEED)

with np.load(Path(sys.argv[0]).parent / "data" / "optdigits.npz") as data:
    images, labels = data["images"].reshape(-1, 64) / np.float32(16), data["labels"]
order = rng.permutation(len(images))
learned, unseen = order[:1350], order[1350:]
one_hot = np.eye(10)[labels]
print(f"seed {SEED}: {len(learned)} digits to learn from, {len(unseen)} unseen")

# %%
# The model
# ---------
# Nothing is computed here. ``scores`` and ``loss`` are expressions: graphs from the placeholders, which are fed, and the
# variables, which are learned. ``None`` is a size that each call may choose.

x, t = K.placeholder((None, 64), name="x"), K.placeholder((None, 10), name="t")
w1, b1 = K.variable(rng.normal(0, 64**-0.5, (64, HIDDEN)), name="w1"), K.variable(np.zeros(HIDDEN), name="b1")
w2, b2 = K.variable(rng.normal(0, HIDDEN**-0.5, (HIDDEN, 10)), name="w2"), K.variable(np.zeros(10), name="b2")
scores = K.dot(K.relu(K.dot(x, w1) + b1), w2) + b2
loss = K.mean(K.categorical_crossentropy(t, scores, from_logits=True))

# %%
# One step
# --------
# The optimizer takes the gradients of the loss and answers with *updates*: pairs of a variable and the expression of its
# next value. ``K.function`` compiles outputs and updates into one call. Outputs see the values before the step.

adam = Adam(lr=0.005)
step = K.function([x, t], [loss], updates=adam.get_updates(loss, [w1, b1, w2, b2]))
read = K.function([x], [K.argmax(scores)])

# %%
# Learning
# --------
# A little noise on every image keeps the network from learning the images by heart. The learning rate falls from epoch
# to epoch: it is a variable like any other, so to change it compiles nothing anew.

epochs = range(EPOCHS)
if find_spec("tqdm") and sys.stdout.isatty():
    from tqdm import tqdm
    epochs = tqdm(epochs, unit="epoch", mininterval=0.5)
curve, shown, began = [], 0.0, time.monotonic()
for epoch in epochs:
    adam.lr = 0.005 * (1 - epoch / EPOCHS)
    losses = []
    for batch in rng.permutation(learned).reshape(-1, BATCH):
        noisy = images[batch] + rng.normal(0, 0.2, (BATCH, 64))
        losses += step([noisy, one_hot[batch]])
    guesses, = read([images[unseen]])
    curve.append((np.mean(losses), np.mean(guesses == labels[unseen])))
    line = "loss {:.4f}, unseen digits right {:.1%}".format(*curve[-1])
    if not isinstance(epochs, range):
        epochs.set_postfix_str(line, refresh=False)
    elif time.monotonic() - shown > 0.5 or epoch == EPOCHS - 1:
        shown = time.monotonic()
        print(f"epoch {epoch + 1:2}: {line}", flush=True)
print(f"held-out accuracy {curve[-1][1]:.4f} after {time.monotonic() - began:.1f} s")

# %%
# What it has learned, and what it misreads
# -----------------------------------------
# The picture is text: an SVG file, for which nothing has to be installed.

wrong = np.flatnonzero(guesses != labels[unseen])[:10]

def text(left, top, words, colour="#555"):
    return f'<text x="{left}" y="{top}" fill="{colour}">{words}</text>'

def line(values, colour):
    points = " ".join(f"{40 + 300 * i / (EPOCHS - 1):.1f},{190 - 160 * v:.1f}" for i, v in enumerate(values))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'

def digit(n, left, top):
    pixels = [f'<path d="M{i % 8} {i // 8}h1v1h-1z" opacity="{g:.2f}"/>' for i, g in enumerate(images[unseen[n]]) if g]
    caption = text(left, top + 76, f"{guesses[n]}, not {labels[unseen[n]]}")
    return f'<g transform="translate({left},{top}) scale(7.2)">{"".join(pixels)}</g>{caption}'

picture = "\n".join([
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 230" font-family="sans-serif" font-size="13">',
    '<rect width="740" height="230" fill="white"/><path d="M40 30V190H340" fill="none" stroke="#999"/>',
    text(12, 34, "1.0") + text(12, 194, "0.0") + text(278, 210, f"{EPOCHS} epochs"),
    line([share for _, share in curve], "#1f77b4") + text(150, 54, f"unseen digits right: {curve[-1][1]:.1%}", "#1f77b4"),
    line([min(loss, 1) for loss, _ in curve], "#d95f02") + text(70, 155, "loss", "#d95f02"),
    *(digit(n, 390 + 70 * (i % 5), 26 + 100 * (i // 5)) for i, n in enumerate(wrong)),
    "</svg>",
])
Path("digits.svg").write_text(picture, encoding="utf-8")
print("the curve, and digits it misreads: digits.svg")

class Picture(str):
    """Text that notebooks and this page show as the picture it is."""
    _repr_html_ = str.__str__

# sphinx_gallery_thumbnail_path = "pictures/digits.svg"
Picture(picture)
