"""C as a careful programmer writes it, for the sizes at hand: the whole step one call, on the BLAS that SciPy carries.

It is compiled with what `cc` allows to be fastest, results of another rounding included. What it takes is the limit.
"""

import ctypes
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import cython_blas

from .problems import BETA_1, BETA_2, EPSILON, RATE, ROTATION, Array, Network, Step, Stepper, Steps

FLAGS = ("-O3", "-march=native", "-ffast-math", "-fno-math-errno", "-shared", "-fPIC")
SOURCE = r"""
#include <math.h>
#include <string.h>

typedef void gemm(const char *, const char *, const int *, const int *, const int *, const float *, const float *,
                  const int *, const float *, const int *, const float *, float *, const int *);

/* c[m, n] = a·b by rows, a or b turned where the letter is T */
static void product(gemm *blas, char ta, char tb, int m, int n, int k, const float *a, const float *b, float *c) {
    const float one = 1, zero = 0;
    int da = ta == 'N' ? k : m, db = tb == 'N' ? n : k;
    blas(&tb, &ta, &n, &m, &k, &one, b, &db, a, &da, &zero, c, &n);
}

void adam(long n, float *restrict p, const float *restrict g, float *restrict m, float *restrict v, float rate, float b1,
          float b2, float epsilon) {
    for (long i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        p[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

static void sgd(long n, float *restrict p, const float *restrict g, float rate) {
    for (long i = 0; i < n; i++) p[i] -= rate * g[i];
}

/* Gradients of softmax cross-entropy with respect to the logits z, and the sum of the losses. */
static float crossed(int rows, int columns, const float *z, const float *targets, float *d) {
    float loss = 0;
    for (int r = 0; r < rows; r++, z += columns, targets += columns, d += columns) {
        float most = z[0], sum = 0, all = 0;
        for (int k = 1; k < columns; k++) most = z[k] > most ? z[k] : most;
        for (int k = 0; k < columns; k++) sum += d[k] = expf(z[k] - most);
        for (int k = 0; k < columns; k++) all += targets[k];
        float scale = all / sum, log_sum = logf(sum) + most;
        for (int k = 0; k < columns; k++) {
            loss += targets[k] * (log_sum - z[k]);
            d[k] = (d[k] * scale - targets[k]) / rows;
        }
    }
    return loss;
}

/* p, g, m and v hold kernel and bias of each layer in turn; m is null for SGD. room: for outputs and their gradients */
float step(gemm *blas, int layers, const int *sizes, int batch, const float *x, const float *targets, float *p, float *g,
           float *m, float *v, float *room, float rate, float b1, float b2, float epsilon) {
    float *h[17], *d[17], *kernel[17], *slope[17];
    long count = 0;
    h[0] = (float *)x;
    for (int i = 1; i <= layers; i++) {
        long size = (long)batch * sizes[i];
        h[i] = room, d[i] = room + size, room += 2 * size;
        kernel[i] = p + count, slope[i] = g + count;
        count += (long)(sizes[i - 1] + 1) * sizes[i];
    }
    for (int i = 1; i <= layers; i++) {
        int in = sizes[i - 1], out = sizes[i];
        float *y = h[i], *bias = kernel[i] + (long)in * out;
        product(blas, 'N', 'N', batch, out, in, h[i - 1], kernel[i], y);
        for (int r = 0; r < batch; r++)
            for (int k = 0; k < out; k++) {
                float s = y[r * out + k] + bias[k];
                y[r * out + k] = i < layers ? tanhf(s) : s;
            }
    }
    float loss = crossed(batch, sizes[layers], h[layers], targets, d[layers]);
    for (int i = layers; i > 0; i--) {
        int in = sizes[i - 1], out = sizes[i];
        float *bias = slope[i] + (long)in * out;
        product(blas, 'T', 'N', in, out, batch, h[i - 1], d[i], slope[i]);
        memset(bias, 0, out * sizeof(float));
        for (int r = 0; r < batch; r++)
            for (int k = 0; k < out; k++) bias[k] += d[i][r * out + k];
        if (i == 1) break;
        product(blas, 'N', 'T', batch, in, out, d[i], kernel[i], d[i - 1]);
        for (long k = 0; k < (long)batch * in; k++) d[i - 1][k] *= 1 - h[i - 1][k] * h[i - 1][k];
    }
    if (m) adam(count, p, g, m, v, rate, b1, b2, epsilon); else sgd(count, p, g, rate);
    return loss / batch;
}
"""


@cache
def _library() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "step.c"), Path(folder, "step.so")
        source.write_text(SOURCE, encoding="utf-8")
        subprocess.run(["cc", *FLAGS, str(source), "-o", str(library), "-lm"], check=True)
        loaded = ctypes.CDLL(str(library))
    loaded.step.restype = ctypes.c_float
    return loaded


def _sgemm() -> ctypes.c_void_p:
    capsule = cython_blas.__pyx_capi__["sgemm"]
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    return ctypes.c_void_p(pointer(capsule, name(capsule)))


def _places(arrays: Sequence[Array]) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(a.ctypes.data) for a in arrays]


def _floats(*numbers: float) -> list[ctypes.c_float]:
    return [ctypes.c_float(x) for x in numbers]


def _rate(t: int) -> float:
    return float(RATE * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t))


def mlp(network: Network) -> Step:
    """The training step as one call."""
    library, blas = _library(), _sgemm()
    p = np.concatenate([array.ravel() for layer in network.layers for array in layer])
    g, m, v = (np.zeros_like(p) for _ in range(3))
    room = np.empty(2 * network.batch * sum(network.sizes[1:]), np.float32)
    sizes = (ctypes.c_int * len(network.sizes))(*network.sizes)
    adam = network.rule == "Adam"
    held = [*_places([p, g]), *(_places([m, v]) if adam else (None, None)), *_places([room])]
    batches = [_places(batch) for batch in network.batches]
    keep = (p, g, m, v, room)
    t = 0

    def step(i: int) -> float:
        nonlocal t
        assert keep
        t += 1
        numbers = _floats(_rate(t) if adam else RATE, BETA_1, BETA_2, EPSILON)
        fed = batches[i % ROTATION]
        return float(library.step(blas, len(sizes) - 1, sizes, network.batch, *fed, *held, *numbers))

    return step


def rule(problem: Steps) -> Stepper | None:
    """Adam, one call for each parameter; None for any other rule."""
    if problem.rule.name != "Adam":
        return None
    library = _library()
    parameters = [p.copy() for p in problem.parameters]
    slots = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    places = [(ctypes.c_long(p.size), *_places([p, *held])) for p, held in zip(parameters, slots, strict=True)]
    batches = [_places(gradients) for gradients in problem.batches]
    t = 0

    def step(i: int) -> None:
        nonlocal t
        t += 1
        numbers = _floats(_rate(t), BETA_1, BETA_2, 1e-8)
        for (n, p, m, v), g in zip(places, batches[i % len(batches)], strict=True):
            library.adam(n, p, g, m, v, *numbers)

    return Stepper(step, lambda: [p for p, _ in zip(parameters, slots, strict=True)])
