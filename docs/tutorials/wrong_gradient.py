"""
5 · Catch a wrong gradient
==========================

A wrong gradient rule raises nothing. The loss goes down a little less, and weeks pass. Here an op of our own gets a rule
with a mistake in it, an example that looks at it misses the mistake, and a search finds it.
"""

# %%
# An op of your own
# -----------------
# ``log cosh x`` is a loss that is square near 0 and straight far away. ``cosh`` overflows, so the op is written with
# ``|x|``, and so is its rule. The derivative is ``tanh x``. Can you see the mistake?

import math
from importlib.util import find_spec

import numpy as np

from autograph import abs, custom_op, exp, tanh
from autograph.testing import GradientError, check_gradients


def value(x):
    return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - math.log(2)


def rule(g, y, x):
    e = exp(-2 * abs(x))
    return g * (1 - e) / (1 + e)


log_cosh = custom_op("log_cosh", value, vjp=rule)

# %%
# An example misses it
# --------------------
# ``check_gradients`` compares the rule with the slopes of the function itself. At these three points all is well.

print(check_gradients(log_cosh, np.array([0.5, 1.0, 2.0])))

# %%
# A search finds it
# -----------------
# `Hypothesis <https://hypothesis.readthedocs.io>`_ draws inputs, and when one fails, it looks for the simplest that still
# does. ``tensors`` tells it what to draw: here any number of floats, and none near 0, where ``|x|`` has its corner. The
# message says which element, both numbers, what kind of mistake it is, and how to see it again.


def searched(op):
    """Raise GradientError if a search finds an input at which the rule of `op` is wrong."""
    if not find_spec("hypothesis"):
        print("(hypothesis is not installed: one random input instead)")
        check_gradients(op, np.random.default_rng(0).normal(size=5))
        return
    from hypothesis import given, settings

    from autograph.testing import tensors

    @settings(max_examples=50, deadline=None, derandomize=True, database=None)
    @given(x=tensors("float64[?]", away_from=0))
    def test(x):
        check_gradients(op, x)

    test()


try:
    searched(log_cosh)
except GradientError as error:
    print("GradientError:", error)

# %%
# The sign is wrong, where ``x`` is negative: ``|x|`` lost it on the way. The cure is shorter than the disease. With
# ``order=2`` the check goes on to the gradient of the gradient, and to whether the Hessian is symmetric.

log_cosh = custom_op("log_cosh", value, vjp=lambda g, y, x: g * tanh(x))
searched(log_cosh)
print(check_gradients(log_cosh, np.array([-1.0, 0.5, 2.0]), order=2))

# %%
# In a file of tests, this whole page is one line::
#
#     test_log_cosh = gradient_property(log_cosh, "(n)->(n)", away_from=0)
#
# Why differences are not enough
# ------------------------------
# Take a slope by differences: a large step is wrong by the curve, a small one by rounding. Where the function can be
# evaluated at complex numbers, ``Im f(x + ih)/h`` subtracts nothing, and ``h`` may be as small as you like. The checker
# uses it wherever the graph allows, and differences of a higher order elsewhere.

steps = 10.0 ** np.arange(-20, 0.1, 0.25)
x, truth = 0.7, np.tanh(0.7)


def plain(x):
    return np.log(np.cosh(x))


errors = {
    "forward": np.abs((plain(x + steps) - plain(x)) / steps / truth - 1),
    "central": np.abs((plain(x + steps) - plain(x - steps)) / (2 * steps) / truth - 1),
    "complex step": np.abs(plain(x + 1j * steps).imag / steps / truth - 1),
}
for name, error in errors.items():
    print(f"{name:>12}: best relative error {max(error.min(), 1e-17):.0e} at h = {steps[error.argmin()]:.0e}")

if find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, error in errors.items():
        ax.loglog(steps, np.maximum(error, 1e-17), label=name, linewidth=2)
    ax.set(xlabel="step h", ylabel="relative error of the slope of log cosh", ylim=(5e-18, 10))
    ax.legend()
    plt.show()
