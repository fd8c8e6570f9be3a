"""
4 · Updates are a state machine
===============================

A variable is a register, a call of a function is one tick of the clock, and the updates say what each register holds
after the tick in terms of what all of them held before it. Training is one use of that. Here are some others.
"""

# %%
# A counter and a swap
# --------------------
# Every expression reads the old values, and all new values are written together. So two registers swap without a third,
# and the output is the count *before* the tick.

import signal
import threading
from importlib.util import find_spec

import numpy as np

from autograph import DuplicateUpdateError, Updates, function
from autograph import backend as K

n = K.variable(0, dtype="int64", name="n")
a, b = K.variable(1.0, name="a"), K.variable(2.0, name="b")
count = Updates([(n, n + 1)])
swap = Updates([(a, b), (b, a)])
tick = function([], [n, a, b], updates=count + swap)
for _ in range(3):
    print("before the tick:  n, a, b =", *tick())

# %%
# Updates are values
# ------------------
# They can be printed, added, looked into and put in sequence before anything has changed. ``+`` lets both sides read the
# old values. After ``.then``, the second reads what the first writes. Either way it is one tick.

seen = K.variable(0, dtype="int64", name="seen")
look = Updates([(seen, n)])
print(count + look, "\n\n", count.then(look), sep="")
try:
    function([], n, updates=count + [(n, n - 1)])
except DuplicateUpdateError as error:
    print("\nDuplicateUpdateError:", error)

# %%
# A guard
# -------
# A moving average that one bad value would ruin. ``.when`` holds every register unless its condition is true, and NaN is
# not less than 100. ``preview`` says what a tick would write, and writes nothing.

x = K.placeholder((), name="x")
mean = K.variable(0.0, name="mean")
watch = Updates([(mean, 0.7 * mean + 0.3 * x)])
guarded = (count + swap + watch).when(K.less(x, 100.0))
print(guarded)
step = function([x], mean, updates=guarded)
print("preview of x = 5:  ", {v.name: value.item() for v, value in step.preview(5.0).items()})
print("preview of x = nan:", {v.name: value.item() for v, value in step.preview(np.nan).items()})
print("registers still:   ", {v.name: value.item() for v, value in step.state().items()})

# %%
# Some ticks, one of which is refused, and what every register held in between.

K.set_value(n, 0)
feeds = [5.0, 4.0, 5.0, 6.0, np.nan, 5.0, 7.0, 6.0]
held = [step.state()]
for value in feeds:
    step(value)
    held.append(step.state())
table = {r.name: [state[r].item() for state in held] for r in (n, a, b, mean)}
for name, row in {"x": feeds, **table}.items():
    print(f"{name:>5}", *(f"{value:6.2f}" for value in row))
assert table["n"][-1] == 7 and table["mean"][5] == table["mean"][4]

# %%
# Ctrl-C changes nothing
# ----------------------
# An interrupt arrives whenever it likes. A tick that it stops has written nothing, so two registers that
# belong together stay together. Here a timer presses Ctrl-C a hundred times in the middle of the work.

p, q = K.variable(np.zeros(100_000), name="p"), K.variable(np.zeros(100_000), name="q")
pair = function([], None, updates=[(p, p + 1), (q, q - 1)])
pair()  # compiled now, so that the presses find it at work
signal.signal(signal.SIGINT, signal.default_int_handler)
torn = 0
for press in range(100):
    timer = threading.Timer(0.001 + 0.00001 * press, signal.raise_signal, [signal.SIGINT])
    try:
        timer.start()
        for _ in range(10_000):
            pair()
    except KeyboardInterrupt:
        pass
    timer.join()
    torn += not np.array_equal(K.get_value(p), -K.get_value(q))
print(f"interrupted {press + 1} times in {int(K.get_value(p)[0]):,} ticks; p and q torn apart: {torn} times")
assert torn == 0

# %%
# The timing diagram
# ------------------
# Registers down, ticks across. All edges of one tick stand in one line; in the refused tick there is no edge.

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(len(table), sharex=True, figsize=(8, 4.5))
    for ax, (name, row) in zip(rows, table.items()):
        ax.step(range(len(row) + 1), [*row, row[-1]], where="post", linewidth=2)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.set(yticks=[], ylim=(min(row) - 0.25 * np.ptp(row), max(row) + 0.25 * np.ptp(row)))
        ax.grid(axis="x", linestyle=":")
        ax.axvspan(4.5, 5.5, color="0.85")
        for i, value in enumerate(row):
            ax.text(i + 0.5, value, f" {value:.3g}", ha="center", va="bottom", fontsize=8)
        ax.spines[["top", "right", "left"]].set_visible(False)
    rows[-1].set(xlabel="tick", xlim=(0, len(row)))
    rows[0].text(5, rows[0].get_ylim()[1], "refused: x = nan", ha="center", va="bottom", color="0.4")
    plt.show()
