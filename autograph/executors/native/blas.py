"""BLAS and LAPACK, through the function pointers that SciPy publishes for Cython."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

from scipy.linalg import cython_blas, cython_lapack

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")  # by which users say how many
_SETTERS = ("scipy_openblas_set_num_threads", "openblas_set_num_threads", "MKL_Set_Num_Threads")

_capsule_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@functools.cache
def blas(name: str) -> int:
    """The address of a routine of BLAS."""
    return pointed(cython_blas.__pyx_capi__[name])


@functools.cache
def lapack(name: str) -> int:
    """The address of a routine of LAPACK."""
    return pointed(cython_lapack.__pyx_capi__[name])


def pointed(capsule: Any) -> int:
    """The address that a capsule holds."""
    return int(_capsule_pointer(capsule, _capsule_name(capsule)))


def on_one_thread() -> None:
    """Let SciPy's BLAS multiply on one thread from now on, unless the environment says how many: sums of products depend, in
    their last bits, on how BLAS shares them. Nothing happens where it is a BLAS that cannot be told."""
    if any(os.environ.get(name) for name in _THREADS):
        return
    library = ctypes.CDLL(cython_blas.__file__)
    for name in _SETTERS:
        if (setter := getattr(library, name, None)) is not None:
            setter(1)
