"""A graph made fit for checking: every float in float64, run op by op on real, complex or deliberately rounded arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.function import function
from autograph.graph.graph import ancestors, substitute
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, cast_literal, node
from autograph.tensor_type import DTYPES, TensorType

Array = Any
DOUBLE = DTYPES["float64"]

# What either has no complex form, or has one that is no derivative; and approximations made for real numbers.
NOT_ANALYTIC = frozenset(
    ("absolute", "abs", "logistic", "fabs", "sign", "copysign", "signbit", "floor", "ceil", "trunc", "rint", "round", "hypot")
    + ("arctan2", "fmax", "fmin", "remainder", "mod", "floor_divide", "cbrt", "logaddexp", "norm", "sort", "heaviside")
    + ("erf", "erfc", "erfinv", "lgamma", "gammaln", "digamma", "polygamma", "trigamma", "ndtri", "zeta", "i0", "i1")
)


class NotAnalytic(Exception):
    """The graph holds something through which the complex step tells nothing."""


class _ComplexNamespace:
    """The namespace of ops on complex arrays: NumPy's own, short of what is not analytic."""

    def __getattr__(self, name: str) -> Any:
        if name in NOT_ANALYTIC:
            raise NotAnalytic(name)
        return getattr(numpy_namespace, name)

    @staticmethod
    def astype(x: Array, dtype: np.dtype[Any]) -> Array:
        """A cast among floats, which keeps the imaginary part."""
        if np.asarray(x).dtype.kind != "c":
            return numpy_namespace.astype(x, dtype)
        if dtype.kind != "f":
            raise NotAnalytic("astype")
        return x


_COMPLEX = _ComplexNamespace()


def _lifted_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params with every narrow float dtype widened."""
    return {
        key: DOUBLE if isinstance(value, np.dtype) and value.kind == "f" else value for key, value in params.items()
    }


def lift(outputs: Iterable[Tensor]) -> tuple[list[Tensor], dict[Tensor, Array]]:
    """The same graph with every float in float64, and the values of the registers it reads.

    Float32 constants, variables and casts are widened with it, so that a derivative has sixteen digits whatever
    `floatx` is. Leaves that are float64 already, and what stands on them alone, are shared with the original.
    """
    outputs = list(outputs)
    done: dict[Tensor, Tensor] = {}
    values: dict[Tensor, Array] = {}
    for tensor in ancestors(outputs):
        done[tensor] = _lifted(tensor, done)
        if isinstance(tensor, Variable):
            value = np.asarray(tensor.get_value())
            values[done[tensor]] = value.astype(DOUBLE) if tensor.type.is_float else value
    return [done[tensor] for tensor in outputs], values


def _lifted(tensor: Tensor, done: Mapping[Tensor, Tensor]) -> Tensor:
    narrow = tensor.type.is_float and tensor.dtype is not DOUBLE
    match tensor:
        case Constant() if narrow:
            return Constant(tensor.value.astype(DOUBLE), tensor.type.weak, tensor.origin)
        case Placeholder() | Variable() if narrow:
            wide = Placeholder(TensorType(DOUBLE, tensor.shape), tensor.given_name)
            wide.origin = tensor.origin
            return wide
        case _ if tensor.op.kind is Kind.LEAF:
            return tensor
    inputs = tuple([done[source] for source in tensor.inputs])
    params = _lifted_params(tensor.params)
    if inputs == tensor.inputs and params == tensor.params:
        return tensor
    wanted = tensor.op.operands([x.type for x in inputs])
    inputs = tuple([x if d is None else cast_literal(x, d) for x, d in zip(inputs, wanted, strict=True)])
    return node(tensor, inputs, params, tensor.op.infer(*[x.type for x in inputs], **params))


class Runner:
    """The values of `outputs` from arrays for `inputs`, op by op, with the order of the ops found once."""

    def __init__(self, outputs: Sequence[Tensor], inputs: Sequence[Tensor], values: Mapping[Tensor, Array]) -> None:
        self.outputs, self.inputs, self.values = list(outputs), list(inputs), dict(values)
        known = {*self.inputs, *self.values}
        self.order = [tensor for tensor in ancestors(self.outputs, stop=known) if tensor not in known]

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs on real arrays."""
        known = self._known(arrays)
        with np.errstate(all="ignore"):
            for tensor in self.order:
                known[tensor] = tensor.evaluate(numpy_namespace, [known[source] for source in tensor.inputs])
        return [known[tensor] for tensor in self.outputs]

    def complex(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs where some arrays are complex. Raises NotAnalytic where that would tell no derivative."""
        known = self._known(arrays)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")
            for tensor in self.order:
                given = [known[source] for source in tensor.inputs]
                try:
                    known[tensor] = _users_own(tensor, given) if _is_custom(tensor) else tensor.evaluate(_COMPLEX, given)
                except Exception as error:  # whatever an op raises on complex arrays, it is not for them
                    raise NotAnalytic(tensor.op.name) from error
        return [known[tensor] for tensor in self.outputs]

    def rounded(self, arrays: Sequence[Array], rng: np.random.Generator, leaves: bool) -> list[Array]:
        """The outputs with one more rounding error after every op (and on the inputs): what this graph does to noise."""
        known = {x: _rounded(a, rng) if leaves else a for x, a in self._known(arrays).items()}
        with np.errstate(all="ignore"):
            for tensor in self.order:
                value = tensor.evaluate(numpy_namespace, [known[source] for source in tensor.inputs])
                exact = tensor.op.kind in (Kind.LEAF, Kind.MOVEMENT, Kind.INDEXING, Kind.SHAPE)
                known[tensor] = value if exact else _rounded(value, rng)
        return [known[tensor] for tensor in self.outputs]

    def everything(self, arrays: Sequence[Array]) -> dict[Tensor, Array]:
        """The value of every tensor on the way."""
        known = self._known(arrays)
        with np.errstate(all="ignore"):
            for tensor in self.order:
                known[tensor] = tensor.evaluate(numpy_namespace, [known[source] for source in tensor.inputs])
        return known

    def _known(self, arrays: Sequence[Array]) -> dict[Tensor, Array]:
        return {**self.values, **dict(zip(self.inputs, arrays, strict=True))}


def _is_custom(tensor: Tensor) -> bool:
    return tensor.op.kind is Kind.CUSTOM and hasattr(tensor.op.eval, "function")


def _users_own(tensor: Tensor, given: Sequence[Array]) -> Array:
    """What the function behind a custom op makes of complex arrays, without the check that its result is real."""
    return tensor.op.eval.function(*given, **tensor.params)  # type: ignore[attr-defined]  # _is_custom has looked


class Compiled:
    """The same values from one compiled function on a machine. It is fed with what registers hold, and changes none."""

    def __init__(
        self, outputs: Sequence[Tensor], inputs: Sequence[Tensor], values: Mapping[Tensor, Array], executor: str
    ) -> None:
        registers = [leaf for leaf in values if isinstance(leaf, Variable)]
        fed: dict[Tensor, Tensor] = {leaf: Placeholder(leaf.type, leaf.given_name) for leaf in registers}
        leaves = [*inputs, *(fed.get(leaf, leaf) for leaf in values)]
        self.fixed = list(values.values())
        self.function = function(leaves, substitute(outputs, fed), executor=executor, on_unused_input="ignore")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs on real arrays."""
        return list(self.function(*arrays, *self.fixed))


def _rounded(value: Array, rng: np.random.Generator) -> Array:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return value
    return array * (1 + np.finfo(float).eps * rng.integers(-1, 2, array.shape))
