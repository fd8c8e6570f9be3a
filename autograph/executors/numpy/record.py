"""Recording: each op's `eval` runs once, with a namespace that notes every call as a step over planned arrays.

An elementwise call becomes a ufunc with an `out`; a view of a fixed array is made once, at preparation; arithmetic of
rank 0 in float64 becomes Python floats; anything else is called as it is. What cannot be recorded runs as one step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from autograph.arrays import numpy_namespace, reductions, scalars
from autograph.control import Body, changed
from autograph.executors.numpy.values import ALWAYS, Guard, Place, Step, Value, stand_in
from autograph.graph.graph import family
from autograph.graph.op import REGISTRY, Kind
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable
from autograph.tensor_type import CANONICAL, DTYPES, DType, broadcast_shapes

FLOAT64, BOOL = DTYPES["float64"], DTYPES["bool"]
_INLINE = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "negative": "-{}"}
_BY_CALL: dict[str, Callable[..., float]] = {
    "divide": scalars.divide, "power": scalars.power, "sqrt": scalars.sqrt, "square": scalars.square,
}
_RAISES = {"floor_divide", "remainder", "power"}  # of integers
_CHAIN, _SHORT = 26, 64  # terms within the pairwise bound: in one chain, of four rows at a time
_WHOLE = 65536  # elements of a sum of which a call more is nothing, and which need not be in memory whole
_FEW = 4  # columns
_MANY = 8  # views of one feed
_PLAIN = (bool, int, float, np.generic)


class Unrecordable(Exception):
    """The op must run as one call: its sizes depend on data, or its eval needs real arrays."""


class Recorder:
    """The namespace handed to `eval`: same names as `numpy_namespace`, values for arrays, steps for calls.

    python_floats  whether arithmetic of rank 0 in float64 becomes that of Python
    """

    python_floats = True

    def __init__(self, prepare: Callable[[Body], Body] = lambda body: body) -> None:
        self.prepare = prepare
        self.steps: list[Step] = []
        self.node: Tensor = None  # type: ignore[assignment]  # set before each eval
        self.recording = False
        self._scalars: dict[Value, Value] = {}
        self._arrays: dict[Value, Value] = {}
        self._caches: list[dict[Any, Value]] = [self._scalars, self._arrays]  # what was made once, and may be made again
        self._constants: dict[tuple[DType, bytes], Value] = {}
        self._families: dict[Any, Value] = {}

    def __getattr__(self, name: str) -> Callable[..., Value]:
        if name.startswith("_"):
            raise AttributeError(name)
        function = getattr(numpy_namespace, name)
        if isinstance(function, np.ufunc):
            bound = functools.partial(self._ufunc, name, function)
        elif name in numpy_namespace.VIEWS:
            bound = functools.partial(self._view, name, function)
        else:
            bound = functools.partial(self._call, name, function)
        setattr(self, name, bound)
        return bound

    def apart(self) -> int:
        """Begin steps that may run where others, behind a guard, did not: they share nothing with these. The first's number."""
        for cache in self._caches:
            cache.clear()
        return len(self.steps)

    # values -----------------------------------------------------------------------------------------------------------

    def scratch(self, dtype: DType, shape: tuple[int, ...]) -> Value:
        return Value(Place.SCRATCH, dtype, shape, layout=stand_in(dtype, shape), recorder=self)

    def dynamic(self, dtype: DType, shape: tuple[int, ...]) -> Value:
        return Value(Place.DYNAMIC, dtype, shape, recorder=self)

    def constant(self, array: np.ndarray[Any, Any]) -> Value:
        """A constant; of rank 0, the same for the same number, so that steps are alike which read it."""
        key = (array.dtype, array.tobytes()) if array.ndim == 0 else None
        if key in self._constants:
            return self._constants[key]
        value = Value(Place.CONSTANT, CANONICAL[array.dtype], array.shape, array=array, layout=array, recorder=self)
        if key is not None:
            self._constants[key] = value
        return value

    def leaf(self, tensor: Tensor) -> Value:
        shape: tuple[int, ...] = tensor.shape  # type: ignore[assignment]  # lowered: static
        if isinstance(tensor, Constant):
            return self.constant(tensor.value)
        if isinstance(tensor, Variable):
            return Value(
                Place.HOME, tensor.dtype, shape, tensor, layout=stand_in(tensor.dtype, shape), recorder=self
            )
        return Value(Place.FEED, tensor.dtype, shape, recorder=self)

    def fed(self, placeholder: Tensor, leaf: Value, views: int) -> Value:
        """A feed as the program reads it: of many views, a copy, so that they are made once and not at each call."""
        if views < _MANY:
            return leaf
        self.node = placeholder
        return self.copy(leaf)

    def scalar_of(self, value: Any) -> Value | float:
        """A float64 of rank 0 as a Python float."""
        if not isinstance(value, Value):
            return float(value)
        if value.place is Place.SCALAR:
            return value
        if value.root.place is Place.CONSTANT and value.source is None:
            return float(value.array)  # type: ignore[arg-type]  # a constant has its array
        if value not in self._scalars:
            result = Value(Place.SCALAR, FLOAT64, (), recorder=self)
            self.steps.append(Step("", None, [value], result, self.node, template="float({})"))
            self._scalars[value] = result
        return self._scalars[value]

    def array_of(self, value: Any) -> Any:
        """A Python float as an array of rank 0, so that ufuncs can read it."""
        if not isinstance(value, Value) or value.place is not Place.SCALAR:
            return value
        if value not in self._arrays:
            result = self.scratch(FLOAT64, ())
            self.steps.append(Step("", None, [value], result, self.node, template="fill"))
            self._arrays[value] = result
        return self._arrays[value]

    # calls ------------------------------------------------------------------------------------------------------------

    def _ufunc(self, name: str, function: np.ufunc, *operands: Any) -> Value:
        given = [self._known(x) for x in operands]
        if self.python_floats and (name in _INLINE or name in _BY_CALL):
            if all(map(_is_scalar, given)) and any(isinstance(x, Value) for x in given):
                return self._scalar(name, [self.scalar_of(x) for x in given])
        given = [self.array_of(x) for x in given]
        resolved = _resolved(function, tuple(map(_dtype_for_ufunc, given)))
        arguments = [
            x if isinstance(x, Value) else self.constant(np.asarray(x, d)) for x, d in zip(given, resolved, strict=False)
        ]
        dtype = CANONICAL[resolved[-1]]
        result = self.scratch(dtype, cast(tuple[int, ...], broadcast_shapes(*[a.shape for a in arguments])))
        safe = all(a.dtype == d for a, d in zip(arguments, resolved, strict=False)) and not (
            name in _RAISES and dtype.kind in "iu"
        )
        self.steps.append(Step(name, function, arguments, result, self.node, into=True, safe=safe))
        return result

    def _scalar(self, name: str, operands: list[Any]) -> Value:
        result = Value(Place.SCALAR, FLOAT64, (), recorder=self)
        if name in _INLINE:
            step = Step("", None, operands, result, self.node, template=_INLINE[name])
        else:
            step = Step(f"scalar_{name}", _BY_CALL[name], operands, result, self.node)
        self.steps.append(step)
        return result

    def _view(self, name: str, function: Callable[..., Any], x: Any, *params: Any) -> Value:
        x = self.array_of(self._known(x))
        if not isinstance(x, Value):
            x = self.constant(np.asarray(x))
        if not x.fixed:
            if name == "transpose" and params[0] == tuple(range(len(x.shape)))[::-1] and x.source is None:
                result = Value(Place.DYNAMIC, x.dtype, x.shape[::-1], recorder=self)
                self.steps.append(Step("", None, [x], result, self.node, template="{}.T"))
                return result
            return self._emit_call(name, function, [x, *params])
        if name == "reshape" and x.layout is not None and not x.layout.flags.c_contiguous:
            x = self.copy(x)
        assert x.layout is not None  # every fixed value has one
        layout = function(x.layout, *params)
        return Value(
            x.place, x.dtype, layout.shape, source=x, transform=(name, params), layout=layout, recorder=self
        )

    def copy(self, x: Value, dtype: DType | None = None) -> Value:
        """x in a buffer of its own, converted to `dtype`."""
        result = self.scratch(dtype or x.dtype, x.shape)
        same = dtype is None or dtype is x.dtype
        arguments: list[Any] = [x] if same else [x, "unsafe"]
        self.steps.append(Step("copyto", np.copyto, arguments, result, self.node, into=True, first=True, safe=same))
        return result

    def astype(self, x: Any, dtype: DType) -> Value:
        x = self._known(x)
        if not isinstance(x, Value):
            return self.constant(np.asarray(x, dtype))
        if x.dtype is dtype:
            return x
        if self.python_floats and x.dtype is FLOAT64 and x.shape == () and dtype.kind == "f":
            result = self.scratch(dtype, ())
            self.steps.append(Step("", None, [self.scalar_of(x)], result, self.node, template="fill"))
            return result
        x = self.array_of(x)
        if self.python_floats and dtype is FLOAT64 and x.shape == () and x.dtype.kind in "iu":
            scalar = Value(Place.SCALAR, FLOAT64, (), recorder=self)
            self.steps.append(Step("", None, [x], scalar, self.node, template="float({})"))
            return scalar
        return self.copy(x, dtype)

    def logistic(self, x: Any) -> Any:
        """As the function of this name in `numpy_namespace`, call by call."""
        return self.divide(self.exp(self.minimum(x, 0)), self.add(1, self.exp(self.negative(self.absolute(x)))))

    def hold(self, tensor: Tensor, guard: Guard, new: Value, old: Value) -> Value:
        """The old value in a buffer of its own, and over it the new one by a step that runs behind the guard alone."""
        self.node = tensor
        new, old = (self.array_of(self._known(x)) for x in (new, old))
        result = self.scratch(tensor.dtype, tensor.shape)  # type: ignore[arg-type]  # the caller knows it is static
        for value, behind in ((old, ALWAYS), (new, guard)):
            step = Step("copyto", np.copyto, [value], result, tensor, into=True, first=True, guard=behind)
            self.steps.append(step)
        return result

    def where(self, condition: Any, a: Any, b: Any) -> Value:
        condition, a, b = (self.array_of(self._known(x)) for x in (condition, a, b))
        dtype = next(x.dtype for x in (a, b, self.node) if isinstance(x, Value | Tensor))
        a, b = (x if isinstance(x, Value) else self.constant(np.asarray(x, dtype)) for x in (a, b))
        if a.dtype is not b.dtype or not isinstance(condition, Value) or condition.dtype is not BOOL:
            raise Unrecordable
        result = self.scratch(a.dtype, np.broadcast_shapes(condition.shape, a.shape, b.shape))
        self.steps.append(Step("select", select, [condition, a, b], result, self.node, into=True, safe=True))
        return result

    def print_tensor(self, x: Any, message: str) -> Value:
        """A step that prints, and nobody tries out before."""
        x = self.array_of(self._known(x))
        result = self.scratch(x.dtype, x.shape)
        self.steps.append(Step("print_tensor", numpy_namespace.print_tensor, [x, message], result, self.node, into=True))
        return result

    def _call(self, name: str, function: Callable[..., Any], *operands: Any) -> Value:
        return self._emit_call(name, function, [self.array_of(x) for x in operands])

    def matmul(self, a: Any, b: Any) -> Value:
        """Two matrices by `dot`, which costs half a microsecond less a call than `matmul`."""
        a, b = self._known(a), self._known(b)
        if len(a.shape) == len(b.shape) == 2 and a.dtype is b.dtype and a.dtype.char in "fd":
            return self._dot(a, b, self.scratch(a.dtype, (a.shape[0], b.shape[1])))
        return self._emit_call("matmul", numpy_namespace.matmul, [a, b])

    def _dot(self, a: Value, b: Value, result: Value) -> Value:
        self.steps.append(Step("dot", np.dot, [a, b], result, self.node, into=True))
        return result

    def sum(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        """Short sums over the first or the last axis as `dot` with ones: a third of a reduction's price. Longer ones over many
        lines as sums of sums."""
        x = self._known(x)
        dense = isinstance(x, Value) and x.dtype.char in "fd" and x.fixed and x.layout.flags.c_contiguous  # type: ignore[union-attr]
        shape = x.shape if dense else ()
        count = math.prod(shape[a] for a in axis) if dense else 0
        rest = math.prod(shape) // max(count, 1)
        trailing = axis == tuple(range(len(shape) - len(axis), len(shape)))
        piece = reductions.piece(count) if trailing and rest >= reductions.LINES else 0
        short = count <= _SHORT and (count <= _CHAIN or not count % 4)
        if not dense or not axis or not 0 < rest * count <= _WHOLE or not (short or piece):
            return self._emit_call("sum", reductions.sum, [x, axis, keepdims])
        kept = tuple(1 if a in axis else n for a, n in enumerate(shape)) if keepdims else tuple(
            n for a, n in enumerate(shape) if a not in axis
        )
        result = self.scratch(x.dtype, kept)
        if axis == tuple(range(len(axis))) and (rest > 1 or count > reductions.ALONG):
            self._dot_rows(self._shaped(x, (count, rest)), self._shaped(result, (rest,)))
        elif piece:
            parts = self.scratch(x.dtype, (rest * count // piece,))
            self._dot(self._shaped(x, (rest * count // piece, piece)), self.constant(np.ones(piece, x.dtype)), parts)
            ones = self.constant(np.ones(count // piece, x.dtype))
            self._dot(self._shaped(parts, (rest, count // piece)), ones, self._shaped(result, (rest,)))
        elif trailing and count <= reductions.ALONG:
            ones = self.constant(np.ones(count, x.dtype))
            lines = (count,) if rest == 1 and not kept else (rest, count)
            self._dot(self._shaped(x, lines), ones, self._shaped(result, (rest,)[: len(lines) - 1]))
        else:
            return self._emit_call("sum", reductions.sum, [x, axis, keepdims])
        return result

    def _dot_rows(self, x: Value, result: Value) -> None:
        """The sum of the rows of a matrix; in slabs of four where one chain would be too long."""
        count, rest = x.shape
        while count > _CHAIN and rest % 4:
            slabs = self._shaped(x, (4, count // 4 * rest))
            part = self.scratch(x.dtype, (slabs.shape[1],))
            self._dot(self.constant(np.ones(4, x.dtype)), slabs, part)
            count //= 4
            x = self._shaped(part, (count, rest))
        self._dot(self.constant(np.ones(count, x.dtype)), x, result)

    def mean(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        """A sum over a count; half precision is left to the namespace, which adds it in single."""
        x = self._known(x)
        if not isinstance(x, Value) or x.dtype.char not in "fd":
            return self._emit_call("mean", reductions.mean, [x, axis, keepdims])
        return self.divide(self.sum(x, axis, keepdims), float(math.prod(x.shape[a] for a in axis)))

    def max(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        """Over a last axis of a few, column by column: a reduction costs five times a call."""
        return self._extreme("max", x, axis, keepdims)

    def min(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        """As `max`."""
        return self._extreme("min", x, axis, keepdims)

    def _extreme(self, name: str, x: Any, axis: tuple[int, ...], keepdims: bool) -> Value:
        x = self._known(x)
        few = isinstance(x, Value) and x.fixed and axis == (len(x.shape) - 1,) and 1 < x.shape[-1] <= _FEW
        if not few:
            return self._emit_call(name, getattr(numpy_namespace, name), [x, axis, keepdims])
        columns = [self._column(x, k, keepdims) for k in range(x.shape[-1])]
        best = columns[0]
        for column in columns[1:]:
            best = self._ufunc(f"{name}imum", np.maximum if name == "max" else np.minimum, best, column)
        return best

    def _column(self, x: Value, k: int, keepdims: bool) -> Value:
        return self._view("column", numpy_namespace.column, x, k, keepdims)

    def _shaped(self, x: Value, shape: tuple[int, ...]) -> Value:
        return x if x.shape == shape else self._view("reshape", numpy_namespace.reshape, x, shape)

    def _emit_call(self, name: str, function: Callable[..., Any], arguments: list[Any]) -> Value:
        arguments = [self._known(x) for x in arguments]
        if name in numpy_namespace.WITH_OUT:
            type = self.node.type
            dtype, shape = _probe(function, arguments) if self._inner(name, arguments) else (type.dtype, type.shape)
            if None in shape:
                raise Unrecordable
            result = self.scratch(dtype, cast(tuple[int, ...], shape))
            self.steps.append(Step(name, function, arguments, result, self.node, into=True))
            return result
        result = self.dynamic(self.node.dtype, self.node.shape)  # type: ignore[arg-type]  # static or pending
        result.pending = True
        self.steps.append(Step(name, function, arguments, result, self.node))
        return result

    def _inner(self, name: str, arguments: list[Any]) -> bool:
        """Whether a call's result may differ in type from its node: then it is found by a trial."""
        return self.node.op.name != name

    def _known(self, x: Any) -> Any:
        """A value whose dtype and shape are certain: found by running its step on zeros, where they are not."""
        if isinstance(x, Value) and x.pending:
            step = next(s for s in reversed(self.steps) if s.result is x)
            x.dtype, x.shape = _probe(step.function, step.arguments)  # type: ignore[arg-type]  # a call has one
            x.pending = False
        return x

    # nodes ------------------------------------------------------------------------------------------------------------

    def record(self, tensor: Tensor, inputs: list[Value]) -> Value:
        """The value of one tensor of the graph."""
        if not tensor.inputs and tensor.op.kind is Kind.LEAF:
            return self.leaf(tensor)
        self.node = tensor
        mark = len(self.steps)
        ours = REGISTRY.get(tensor.op.name) is tensor.op  # a user's own eval meets arrays alone
        static = tensor.type.is_static and all(None not in x.shape for x in inputs)
        if ours and static and tensor.op.kind is not Kind.CONTROL:
            try:
                self.recording = True
                result = tensor.op.eval(self, *inputs, **tensor.params)
                if not isinstance(result, Value):
                    result = self.constant(np.asarray(result, tensor.dtype))
                if result.pending:
                    result.pending = False
                elif result.dtype is not tensor.dtype or result.shape != tensor.shape:
                    raise Unrecordable
                return result
            except (Unrecordable, TypeError, AttributeError, ValueError):
                del self.steps[mark:]
                known = {step.result for step in self.steps}
                for cache in self._caches:
                    for key in [k for k, v in cache.items() if v not in known]:
                        del cache[key]
            finally:
                self.recording = False
        return self._whole(tensor, inputs)

    def _whole(self, tensor: Tensor, inputs: list[Value]) -> Value:
        """The op as one call on real arrays; of several results, each is taken from what the one call gave."""
        result = self.dynamic(tensor.dtype, tensor.shape)  # type: ignore[arg-type]  # may hold None: made at each call
        arguments = [self.array_of(x) for x in inputs]
        if not tensor.op.several:
            function = functools.partial(tensor.op.eval, numpy_namespace, **changed(tensor, self.prepare))
            self.steps.append(Step(tensor.op.name, function, arguments, result, tensor))
            return result
        kin = family(tensor)
        if kin not in self._families:
            self._families[kin] = self.dynamic(tensor.dtype, ())
            function = functools.partial(tensor.op.eval, numpy_namespace, **{**changed(tensor, self.prepare), "result": None})
            self.steps.append(Step(tensor.op.name, function, arguments, self._families[kin], tensor))
        self.steps.append(Step("", None, [self._families[kin]], result, tensor, template=f"{{}}[{tensor.params['result']}]"))
        return result


@functools.lru_cache(maxsize=1024)
def _resolved(function: np.ufunc, asked: tuple[Any, ...]) -> tuple[DType, ...]:
    """The dtypes in which a ufunc takes its operands and gives its results."""
    return function.resolve_dtypes((*asked, *(None,) * function.nout))


def select(condition: Any, a: Any, b: Any, out: Any) -> None:
    """`out` becomes a where the condition holds, and b elsewhere; it is none of them."""
    np.copyto(out, b)
    np.copyto(out, a, "no", condition)


def _is_scalar(x: Any) -> bool:
    if isinstance(x, Value):
        return x.dtype is FLOAT64 and x.shape == ()
    return isinstance(x, _PLAIN) and not isinstance(x, complex)


def _dtype_for_ufunc(x: Any) -> Any:
    if isinstance(x, Value):
        return x.dtype
    if isinstance(x, bool | np.bool_):
        return BOOL
    if isinstance(x, np.generic | np.ndarray):
        return x.dtype
    return type(x)


def _probe(function: Callable[..., Any], arguments: list[Any]) -> tuple[DType, tuple[int, ...]]:
    """dtype and shape of a call's result, by running it on zeros; on ones where it divides integers."""
    fill = np.ones if function in (numpy_namespace.floor_divide, numpy_namespace.remainder) else np.zeros
    with np.errstate(all="ignore"):
        result = np.asarray(function(*[fill(a.shape, a.dtype) if isinstance(a, Value) else a for a in arguments]))
    return CANONICAL[result.dtype], result.shape


def placeholders(inputs: tuple[Placeholder, ...], recorder: Recorder) -> dict[Tensor, Value]:
    """The feeds of a program as values."""
    return {p: recorder.leaf(p) for p in inputs}
