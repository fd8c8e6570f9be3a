"""Kernels touch nothing but their arrays: each array ends, or begins, at a page that kills the process that touches it."""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import autograph as ag
from autograph.control import map_rows
from autograph.executors.numpy.values import Place
from autograph.ops.cumulative import linear_scan
from autograph.ops.gathering import class_labels
from autograph.ops.rows import is_last, put_rows, touched_sums
from tests.executors.native.test_agreement import close
from tests.executors.native.test_matrices import op

ROOT = Path(__file__).parents[3]
PAGE = mmap.PAGESIZE


class Guarded:
    """Memory between two pages that nobody may touch. Arrays stand at its end, or at its beginning."""

    def __init__(self, nbytes: int) -> None:
        inner = -(-max(nbytes, 1) // PAGE) * PAGE
        self.map = mmap.mmap(-1, inner + 2 * PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for page in (self.start, self.start + PAGE + inner):
            assert protect(ctypes.c_void_p(page), PAGE, 0) == 0
        self.inner = inner

    def array(self, like: np.ndarray, at_end: bool) -> np.ndarray:
        """A copy of an array, next to a page that kills."""
        offset = PAGE + (self.inner - like.nbytes if at_end else 0)
        copy = np.frombuffer(self.map, like.dtype, like.size, offset).reshape(like.shape)
        copy[...] = like
        return copy


def guarded(x: np.ndarray, at_end: bool) -> np.ndarray:
    return Guarded(x.nbytes).array(x, at_end)


def graph(x: Any, y: Any) -> list[Any]:
    """Loops, reductions over rows and columns, choices, products, steps of two, the other way round; rows and lines by number."""
    z = ag.tanh(x) * y
    rows = ag.cast(x[:, 0] * 1e6, "int64") % ag.shape(x)[0]
    lines = ag.cast(y * 1e6, "int32") % ag.cast(ag.shape(x)[1], "int32")
    taken = ag.gather(y, rows)
    row = ag.placeholder((None,), dtype=x.dtype)
    kernel = ag.stack([ag.transpose(y)] * 3)
    seen = ag.conv(x[None], kernel, padding="same")
    fewer = ag.max_pool(ag.conv(x[None, :, :, None], kernel[:, None, :1, :5], 2, "same"), 2, padding="same")
    square = ag.matmul(ag.transpose(x), x) * 0.01 + ag.diag(x[0] * 0.0 + 1.0)
    return [
        ag.gather(z, rows), *ag.gradients(ag.reduce_sum(ag.square(taken)), [y]), ag.scatter_add(x, rows, z), put_rows(x, rows, z),
        ag.take_along_axis(x, lines, 1), touched_sums(x, rows, z), is_last(rows), class_labels(rows, x, 0),
        ag.argmax(z, 1), ag.argmin(z, 0), ag.cumsum(x, 1), ag.cumprod(x, 0), ag.sort(x, 0), ag.argsort(z), ag.top_k(y, 1, 0)[0],
        ag.searchsorted(ag.cumsum(ag.abs(x[0])), y), ag.norm(x, axis=0), linear_scan(x, y, 0), linear_scan(x, y, 1, True),
        op("inv", square), op("solve", square, ag.transpose(y)), op("det", square), op("cholesky", square),
        op("orthonormal", ag.concatenate([x, square])), op("cofactor", square),
        map_rows(ag.cumsum(row) + y[0], row, x), ag.iterate(lambda a: a * 2.0 + y, z, lambda a: a[0, 0] < 1.0, 3),
        z, ag.reduce_sum(z, 0), ag.reduce_sum(x, 1), ag.reduce_max(x + y), ag.where(x > y, x, z), ag.matmul(x, ag.transpose(y)),
        x[::-1, ::2] * 2.0, ag.cast(x, "int8"), ag.softmax(x), x > 0.0,
        seen, fewer, *ag.gradients(ag.reduce_sum(ag.square(seen)), [x, y]), *ag.gradients(ag.reduce_sum(fewer), [x, y]),
    ]  # fmt: skip


def alone(program: Any, at_end: bool) -> None:
    """Give every array of a program, on the way and constant, pages of its own."""

    def array(value: Any, arrays: dict[Any, Any]) -> Any:
        if value not in arrays and value.source is None and value.place is not Place.HOME:
            plain = value.array if value.place is Place.CONSTANT else np.zeros(value.shape, value.dtype)
            arrays[value] = guarded(plain, at_end)
        return type(program)._array(program, value, arrays)

    program._array = array


def campaign() -> int:
    """Every small size, each array and each register next to such a page. How many ticks it took."""
    rng = np.random.default_rng(0)
    ticks = 0
    sizes = [(1, n) for n in range(1, 36)] + [(n, 1) for n in range(1, 20)]
    sizes += [(5, n) for n in range(2, 70, 9)] + [(19, n) for n in range(3, 40, 5)]
    for dtype in ("float32", "float64"):
        x, y = ag.placeholder((None, None), dtype=dtype), ag.placeholder((None, None), dtype=dtype)
        for rows, columns in sizes:
            register = ag.variable(np.zeros((rows, columns)), dtype=dtype)
            update = [(register, register * 0.9 + ag.square(x) / (1.0 + ag.sqrt(ag.abs(y))))]
            native, plain = (ag.function([x, y], graph(x, y), update, executor=name) for name in ("native", "numpy"))
            feeds = [rng.normal(size=(rows, columns)).astype(dtype) for _ in range(2)]
            wanted = plain(*feeds)
            after = register.get_value()
            native.prepare((rows, columns), (rows, columns))
            for at_end in (False, True):
                register.register.move(guarded(np.zeros((rows, columns), dtype), at_end))
                register.set_value(np.zeros((rows, columns)))
                alone(native._program, at_end)
                native._state.arena.epoch += 1  # so that it is bound anew
                got = native(*(guarded(a, at_end) for a in feeds))
                assert all(map(close, got, wanted)) and close(register.get_value(), after)
                ticks += 1
    return ticks


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect here")
def test_no_kernel_touches_a_byte_beside_its_arrays() -> None:
    program = "from tests.executors.native.test_guard_pages import campaign; print(campaign())"
    ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stderr[-2000:]}"
    assert int(ran.stdout) > 100


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect here")
def test_such_a_page_does_kill() -> None:
    program = (
        "import numpy as np, ctypes; from tests.executors.native.test_guard_pages import guarded;"
        "x = guarded(np.zeros(4), True); ctypes.memset(x.ctypes.data + x.nbytes, 1, 1)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, cwd=ROOT, timeout=60).returncode < 0
