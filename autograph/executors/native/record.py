"""Recording for native code: what NumPy needs cut up to be fast is left whole, and what it does in one call is cut up.

Arithmetic of rank 0 stays in arrays, sums stay sums, a choice is one step. A view of what each call brings is remembered
as such, so that kernels reach through it. What was made before, of the same values by the same call, is not made again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace, reductions
from autograph.executors.native.drawing import DrawingRecorder
from autograph.executors.native.halves import in_single
from autograph.executors.native.integers import IntegerRecorder
from autograph.executors.native.repeating import RepeatingRecorder
from autograph.executors.native.special import into
from autograph.executors.numpy.values import Place, Step, Value, stand_in
from autograph.graph.tensor import Tensor
from autograph.tensor_type import DType

_TOLD = (bool, int, float, str, tuple, slice, np.generic, np.dtype, FunctionType, np.ufunc)  # by their `repr` alone


@in_single(
    "matmul", "mean", "logsumexp", "softmax_weights", "centered", "var", "norm", "concatenate", "stack", "pad", "unslice",
    "undiagonal", "roll", "shift", "gather", "scatter", "advanced_index", "advanced_scatter", "take_along_axis",
    "scatter_along_axis", "dynamic_index", "dynamic_unslice", "class_labels", "one_hot", "argmax", "argmin", "cumsum", "cumprod",
    "linear_scan", "searchsorted", "sort", "argsort", "top_k", "cholesky", "inv", "solve", "det", "orthonormal", "cofactor",
    "cofactor_slope", "floor_divide", "remainder", "basis_like", "reshape_to", "broadcast_to_sizes", "touched_sums", "conv",
    "conv_to_input", "conv_to_kernel", "overlap_add",
)  # fmt: skip
class NativeRecorder(RepeatingRecorder, IntegerRecorder, DrawingRecorder):
    """The namespace handed to `eval` where steps become machine code.

    views  for each view of an array that calls bring, what it is a view of
    """

    python_floats = False

    def __init__(self, prepare: Callable[..., Any] = lambda body: body) -> None:
        super().__init__(prepare)
        self.views: dict[Value, Value] = {}
        self._made: dict[Any, Value] = {}
        self._caches.append(self._made)

    def _once(self, make: Callable[..., Value], *arguments: Any) -> Value:
        """What `make` records for these arguments, none of which is written afterwards: the first time alone."""
        known = [self._known(x) for x in arguments]
        if not all(isinstance(x, (Value, *_TOLD)) for x in known):
            return make(*known)
        told = [x.number if isinstance(x, Value) else (type(x), x if callable(x) else repr(x)) for x in known]
        key = (make.__name__, self.node.dtype, *told)
        if key not in self._made:
            self._made[key] = make(*known)
        return self._made[key]

    def _ufunc(self, name: str, function: np.ufunc, *operands: Any) -> Value:
        return self._once(super()._ufunc, name, function, *operands)

    def where(self, condition: Any, a: Any, b: Any) -> Value:
        return self._once(super().where, condition, a, b)

    def leaf(self, tensor: Tensor) -> Value:
        value = super().leaf(tensor)
        if value.place is Place.FEED:
            value.layout = stand_in(value.dtype, value.shape)
        return value

    def _view(self, name: str, function: Callable[..., Any], x: Any, *params: Any) -> Value:
        return self._once(self._viewed, name, function, x, *params)

    def _viewed(self, name: str, function: Callable[..., Any], x: Any, *params: Any) -> Value:
        if not isinstance(x, Value) or x.fixed or None in x.shape:
            return super()._view(name, function, x, *params)
        layout = layout_of(x)
        if name == "reshape" and not layout.flags.c_contiguous:
            return super()._view(name, function, self.copy(x), *params)
        layout = function(layout, *params)
        result = Value(Place.DYNAMIC, x.dtype, layout.shape, layout=layout, recorder=self)
        self.steps.append(Step(name, function, [x, *params], result, self.node))
        self.views[result] = x
        return result

    def _special(self, name: str, *given: Any) -> Value:
        """A function of the last that is given, in its dtype."""
        *params, x = given
        x = self._known(x)
        if not isinstance(x, Value) or None in x.shape or x.dtype.kind != "f":
            return self._call(name, getattr(numpy_namespace, name), *params, x)
        result = self.scratch(x.dtype, x.shape)
        own = "_".join([name, *map(str, params)])
        self.steps.append(Step(own, into(name), [*params, x], result, self.node, into=True))
        return result

    erf = functools.partialmethod(_special, "erf")
    erfc = functools.partialmethod(_special, "erfc")
    erfinv = functools.partialmethod(_special, "erfinv")
    ndtr = functools.partialmethod(_special, "ndtr")
    ndtri = functools.partialmethod(_special, "ndtri")
    lgamma = functools.partialmethod(_special, "lgamma")
    digamma = functools.partialmethod(_special, "digamma")

    def polygamma(self, n: int, x: Any) -> Value:
        return self._special("polygamma", n, x)

    def _inner(self, name: str, arguments: list[Any]) -> bool:
        """A node of half precision is computed in single."""
        return self.node.dtype.char == "e" or super()._inner(name, arguments)

    def logistic(self, x: Any) -> Any:
        """One exponential is enough where a choice costs little: of what is not below 0 the other one is 1."""
        e = self.exp(self.negative(self.absolute(x)))
        return self.divide(self.where(self.less(x, 0), e, 1), self.add(1, e))

    def matmul(self, a: Any, b: Any) -> Value:
        """A product, or the zeros that a sum of no terms is."""
        made = super().matmul(a, b)
        if not self._plain(a, made) or a.shape[-1]:
            return made
        del self.steps[-1]
        return self._filled(made.dtype, made.shape, 0)

    # reductions -------------------------------------------------------------------------------------------------------

    def _reduced(self, name: str, x: Value, axis: tuple[int, ...], keepdims: bool, dtype: DType) -> Value:
        return self._once(self._reduction, name, x, axis, keepdims, dtype)

    def _reduction(self, name: str, x: Value, axis: tuple[int, ...], keepdims: bool, dtype: DType) -> Value:
        kept = [1 if a in axis else n for a, n in enumerate(x.shape) if keepdims or a not in axis]
        result = self.scratch(dtype, tuple(kept))
        self.steps.append(Step(name, getattr(numpy_namespace, name), [x, axis, keepdims], result, self.node, into=True))
        return result

    def _told(self, name: str, x: Any, axis: tuple[int, ...], keepdims: bool) -> Value:
        """A reduction, or what it makes of nothing."""
        made = self._call(name, getattr(numpy_namespace, name), x, axis, keepdims)
        x = self._known(x)
        if not self._plain(x, made) or all(x.shape[a] for a in axis):
            return made
        del self.steps[-1]
        return self._filled(made.dtype, made.shape, name == "all" or name == "prod")

    def any(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        return self._told("any", x, axis, keepdims)

    def all(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        return self._told("all", x, axis, keepdims)

    def prod(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        return self._told("prod", x, axis, keepdims)

    def sum(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        x = self._known(x)
        if self._plain(x) and 0 in [x.shape[a] for a in axis]:
            return self._told("sum", x, axis, keepdims)
        return self._reduced("sum", x if isinstance(x, Value) else self.constant(np.asarray(x)), axis, keepdims, x.dtype)

    def _extreme(self, name: str, x: Any, axis: tuple[int, ...], keepdims: bool) -> Value:
        x = self._known(x)
        return self._reduced(name, x, axis, keepdims, x.dtype)

    def _in_parts(self, x: Any, axis: tuple[int, ...]) -> bool:
        """Whether a function of several passes is recorded pass by pass: of plain floats, and of some."""
        return isinstance(x, Value) and x.dtype.char in "fd" and all(x.shape[a] for a in axis)

    def _exponentials(self, x: Value, axis: tuple[int, ...]) -> tuple[Value, Value, Value]:
        """As the function of this name in `arrays.reductions`, which also says 0 and 1 of rows of infinities."""
        top = self.max(x, axis, True)
        m = self.where(self.isfinite(top), top, 0.0)
        below = self.subtract(x, m)
        zero = self.constant(np.zeros((), x.dtype))
        e = self.exp(self.where(self.equal(top, np.inf), self.where(self.equal(x, np.inf), zero, -np.inf), below))
        return e, self.sum(e, axis, True), top

    def logsumexp(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        x = self._known(x)
        if not self._in_parts(x, axis):
            return self._call("logsumexp", reductions.logsumexp, x, axis, keepdims)
        _, total, top = self._exponentials(x, axis)
        y = self.where(self.isfinite(top), self.add(self.log(total), top), top)
        return y if keepdims else self.squeeze(y, axis)

    def softmax_weights(self, x: Any, axis: tuple[int, ...]) -> Value:
        x = self._known(x)
        if not self._in_parts(x, axis):
            return self._call("softmax_weights", reductions.softmax_weights, x, axis)
        e, total, _ = self._exponentials(x, axis)
        return self.divide(e, self.where(self.equal(total, 0.0), 1.0, total))

    def centered(self, x: Any, axis: tuple[int, ...]) -> Value:
        x = self._known(x)
        if not self._in_parts(x, axis):
            return self._call("centered", reductions.centered, x, axis)
        m = self.mean(x, axis, True)
        first = self.basic_index(x, tuple([slice(1) if a in axis else slice(None) for a in range(len(x.shape))]))
        bound = self.multiply(self.absolute(m), float(64 * np.finfo(x.dtype).eps))
        near = self.less_equal(self.absolute(self.subtract(m, first)), bound)
        e = self.subtract(x, self.where(near, first, m))
        return self.subtract(e, self.mean(e, axis, True))

    def var(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        x = self._known(x)
        if not self._in_parts(x, axis):
            return self._call("var", reductions.var, x, axis, keepdims)
        return self.mean(self.square(self.centered(x, axis)), axis, keepdims)


def layout_of(x: Value) -> np.ndarray[Any, Any]:
    """How a value lies in memory: one that calls bring is taken to be dense, which a segment sees to."""
    if x.layout is None:
        x.layout = stand_in(x.dtype, x.shape)
    return x.layout
