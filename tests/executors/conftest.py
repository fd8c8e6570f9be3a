"""BLAS for tests of what is done with it: SciPy's where it is installed, and else what NumPy makes of it."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from autograph.executors.numpy import blas


def _gemm(alpha: Any, a: Any, b: Any, beta: Any, c: Any, *, trans_a: int, trans_b: int, overwrite_c: int) -> Any:
    assert overwrite_c and c.flags.f_contiguous, "BLAS would write into a copy"
    c[...] = beta * c + alpha * ((a.T if trans_a else a) @ (b.T if trans_b else b))
    return c


@pytest.fixture
def any_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of the same signatures where SciPy is missing."""
    if find_spec("scipy") is None:
        kernels = SimpleNamespace(sgemm=_gemm, dgemm=_gemm)
        monkeypatch.setattr(blas, "_blas", lambda: kernels)
