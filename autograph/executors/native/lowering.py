"""What a recorded step is to a kernel: a call on each element, a reduction, a product of matrices; or why it is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autograph.arrays import indexing, numpy_namespace
from autograph.arrays.rows import added_rows
from autograph.executors.native.accumulators import ACCUMULATORS
from autograph.executors.native.convolving import CONVOLVING
from autograph.executors.native.division import DIVISION
from autograph.executors.native.drawing import DRAWING
from autograph.executors.native.emitter import Emitter, type_of
from autograph.executors.native.functions import FUNCTIONS
from autograph.executors.native.integers import INTEGERS
from autograph.executors.native.mathlib import exact_products
from autograph.executors.native.matrices import MATRICES
from autograph.executors.native.ordering import ORDERING
from autograph.executors.native.placing import PLACING
from autograph.executors.native.special import SPECIAL, into
from autograph.executors.native.writing import Written
from autograph.executors.numpy.record import select
from autograph.executors.numpy.values import Step, Value

_FLOATS_ONLY = {"divide", "reciprocal", "sqrt", "copysign"}
_ELEMENTARY = {
    "absolute", "add", "bitwise_and", "ceil", "copysign", "divide", "equal", "floor", "fmax", "fmin", "greater",
    "greater_equal", "isfinite", "isinf", "isnan", "left_shift", "less", "less_equal", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "reciprocal", "right_shift",
    "rint", "sign", "signbit", "sqrt", "square", "subtract", "trunc",
}  # fmt: skip
assert all(hasattr(Emitter, name) for name in _ELEMENTARY)
WRITTEN = {**PLACING, **ORDERING, **MATRICES, **INTEGERS, **DRAWING, **CONVOLVING}


class Elementwise(NamedTuple):
    """A call on each element: an operation, what it reads, in which types, and the type that it gives."""

    name: str
    operands: list[Value]
    types: list[str]
    type: str


class Reduce(NamedTuple):
    """A reduction of one value along axes."""

    name: str
    operand: Value
    axes: tuple[int, ...]


class Product(NamedTuple):
    """A product of matrices, or of stacks of them."""

    a: Value
    b: Value


@dataclass(frozen=True)
class Host:
    """A step that stays a call of NumPy, and why."""

    reason: str


Lowered = Elementwise | Reduce | Product | Written | Host


def lowered(step: Step) -> Lowered:
    """The step as a kernel may run it."""
    values = [*step.reads, step.result]
    if any(None in v.shape for v in values) or not step.result.fixed:
        return Host("its size, or its value, is known only as it runs" if None in step.result.shape else _unknown(step))
    if any(type_of(v.dtype) is None for v in values):
        return Host("half precision, which this processor does not convert")
    if step.function is np.copyto and "no" not in step.arguments:
        x = step.arguments[0]
        return Elementwise("cast", [x], [_type(x)], _type(step.result))
    if step.function is select:
        return choice(step.reads, step.result)
    if isinstance(step.function, np.ufunc):
        reads = [a for a in step.arguments if isinstance(a, Value)]
        known = len(reads) == len(step.arguments) and step.name == step.function.__name__
        return of_ufunc(step.function, reads, step.result) if known else Host(_unknown(step))
    if step.name in SPECIAL and step.function is into(step.name.partition("_")[0]):
        return Elementwise(step.name, list(step.reads), [_type(step.result)], _type(step.result))
    if step.function is added_rows and step.result.dtype.char == "e":
        return Host("rows of half precision are added in single")
    if step.function in WRITTEN:
        return WRITTEN[step.function](step)
    if step.name in ACCUMULATORS and step.function is getattr(numpy_namespace, step.name):
        return _reduction(step)
    if step.function in (np.dot, numpy_namespace.matmul):
        a, b = step.reads
        good = a.dtype is b.dtype is step.result.dtype and a.dtype.char in "fd" and min(len(a.shape), len(b.shape)) > 1
        return Product(a, b) if good else Host("a product that BLAS has not")
    return Host(_unknown(step))


def _unknown(step: Step) -> str:
    if step.function is indexing.sort:
        return "NumPy sorts long lines faster"
    return f"no kernel for {step.name!r}"


def _type(value: Value) -> str:
    found = type_of(value.dtype)
    assert found is not None  # what has no type was sent away
    return found


def choice(reads: list[Value], result: Value) -> Elementwise:
    """A `where` of these values."""
    return Elementwise("where", list(reads), [_type(v) for v in reads], _type(result))


def of_ufunc(function: np.ufunc, reads: list[Value], result: Value) -> Elementwise | Host:
    """A ufunc on these values: in the types that NumPy would choose for it."""
    name = function.__name__
    asked = function.resolve_dtypes((*(v.dtype for v in reads), *[None] * function.nout))
    types = [type_of(d) for d in asked]
    kinds = set(types[:-1])
    floats = name in _FLOATS_ONLY or (name in FUNCTIONS and name not in DIVISION)
    known = name in _ELEMENTARY or (name in FUNCTIONS and (name != "power" or "f8" not in kinds or exact_products()))
    typed = None not in types and len(kinds) == 1 and asked[-1] == result.dtype and (not floats or kinds <= {"f2", "f4", "f8"})
    if not known or not typed or function.nout != 1:
        return Host(f"no kernel for {name!r} of {', '.join(str(d) for d in asked[: len(reads)])}")
    return Elementwise(name, reads, [t for t in types[:-1] if t is not None], _type(result))


def _reduction(step: Step) -> Lowered:
    x, axes, _ = step.arguments
    result = step.result
    if not isinstance(x, Value) or (x.dtype is not result.dtype and step.name not in ("any", "all")):
        return Host(_unknown(step))
    if not axes:
        return Elementwise("cast", [x], [_type(x)], _type(result)) if x.dtype is result.dtype else Host(_unknown(step))
    if step.name == "prod" and x.dtype.kind == "f":
        return Host("products of floats keep NumPy's order")
    if not math.prod(x.shape[a] for a in axes):
        return Host("of nothing")
    return Reduce(step.name, x, tuple(axes))
