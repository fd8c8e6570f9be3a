"""Tensors: one output of one op, with its inputs, its type, and the place where the user made it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from itertools import count
from math import copysign
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from autograph.arguments import as_name, shown, whole
from autograph.errors import (
    ArgumentTypeError,
    AutographError,
    DTypeError,
    ShapeError,
    StaleGraphError,
    SymbolicError,
)
from autograph.graph.op import REGISTRY, Kind, Op, as_given, register
from autograph.graph.register import Register
from autograph.literals import array_of, fitted
from autograph.origin import Origin, here
from autograph.tensor_type import (
    CANONICAL,
    DType,
    Shape,
    TensorType,
    as_dtype,
    as_shape,
)

_next_number = count().__next__
_cleared: list[tuple[int, str]] = [(-1, "")]


class Tensor:
    """A symbolic array: `op` applied to `inputs`. Compared and hashed by identity; any attribute may be set on it.

    Tensors are made by functions and operators, never by this class's constructor.
    """

    __iter__: Any = None
    __hash__ = object.__hash__

    op: Op
    inputs: tuple[Tensor, ...]
    params: dict[str, Any]
    type: TensorType
    number: int
    origin: Origin
    given_name: str | None
    known_finite: bool | None = None  # what `stays_finite` has found

    def __init__(
        self, op: Op, inputs: tuple[Tensor, ...], params: dict[str, Any], type: TensorType, name: str | None = None,
        origin: Origin | None = None,
    ) -> None:  # fmt: skip
        self.op = op
        self.inputs = inputs
        self.params = params
        self.type = type
        self.number = _next_number()
        self.origin = origin or here()
        self.given_name = name

    @property
    def name(self) -> str:
        return self.given_name or f"{self.op.name}_{self.number}"

    @name.setter
    def name(self, name: str | None) -> None:
        self.given_name = as_name(name)

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def T(self) -> Tensor:
        return apply(REGISTRY["transpose"], self, axes=tuple(reversed(range(self.ndim))))

    def evaluate(self, xp: Any, arrays: list[Any]) -> Any:
        """The value of this tensor from the values of its inputs."""
        return self.op.eval(xp, *arrays, **self.params)

    def describe(self) -> str:
        """What errors call it: `matmul_4 float32[?, 10] (train.py:12)`."""
        return f"{self.op.name} {self.name!r} {self.type} ({self.origin.place})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, int | float | complex | np.ndarray | np.generic | list):
            raise SymbolicError(
                f"== compares tensors by identity, so {self.name!r} == {shown(other)} can never be true",
                fix="use equal(tensor, value) for an elementwise comparison",
            )
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        same = self.__eq__(other)
        return NotImplemented if same is NotImplemented else not same

    def __bool__(self) -> NoReturn:
        raise SymbolicError(
            f"{self.name!r} has no truth value yet: it is computed when a function runs",
            fix="use switch, where, minimum or maximum for a choice, and eval(tensor) to look at it",
            where=str(self.origin),
        )

    def _not_a_number(self, *_: object, **__: object) -> NoReturn:
        raise SymbolicError(
            f"{self.name!r} is symbolic and has no value yet",
            fix="use autograph's functions, not NumPy's; eval(tensor) for its value, shape(tensor)[0], unstack to iterate",
            where=str(self.origin),
        )

    __float__ = __int__ = __complex__ = __index__ = __contains__ = _not_a_number
    __array__ = _not_a_number

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Tensor:
        """What `array * tensor` asks: NumPy's operators give tensors, any other of its functions is refused."""
        if ufunc not in _UFUNCS or method != "__call__" or options:
            ours = next((name for name in (ufunc.__name__, ufunc.__name__.replace("absolute", "abs")) if name in REGISTRY), "")
            raise SymbolicError(
                f"NumPy's {ufunc.__name__} cannot take {self.name!r}, which has no value yet",
                why="it would make an array of objects",
                fix=f"use {ours}, autograph's own" if ours else "use autograph's functions, or eval(tensor) for its value",
                where=str(self.origin),
            )
        return apply(REGISTRY[_UFUNCS[ufunc]], *operands)

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise SymbolicError(
            f"{self.name!r} cannot be assigned to: tensors are immutable",
            fix="use update(variable, value), or where(mask, value, tensor)",
        )

    def __getitem__(self, index: Any) -> Tensor:
        return _index(self, index)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise ArgumentTypeError(
            f"{self.name!r} cannot be pickled alone", fix="pickle the function, or save variables by a checkpoint"
        )

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: object) -> Tensor:
        return self

    # The operators stand in the table at the end of this file; these lines tell type checkers of them.
    __add__: Callable[..., Tensor]
    __radd__: Callable[..., Tensor]
    __sub__: Callable[..., Tensor]
    __rsub__: Callable[..., Tensor]
    __mul__: Callable[..., Tensor]
    __rmul__: Callable[..., Tensor]
    __truediv__: Callable[..., Tensor]
    __rtruediv__: Callable[..., Tensor]
    __floordiv__: Callable[..., Tensor]
    __mod__: Callable[..., Tensor]
    __pow__: Callable[..., Tensor]
    __rpow__: Callable[..., Tensor]
    __matmul__: Callable[..., Tensor]
    __neg__: Callable[..., Tensor]
    __abs__: Callable[..., Tensor]
    __rfloordiv__: Callable[..., Tensor]
    __rmod__: Callable[..., Tensor]
    __rmatmul__: Callable[..., Tensor]
    __and__: Callable[..., Tensor]
    __or__: Callable[..., Tensor]
    __xor__: Callable[..., Tensor]
    __invert__: Callable[..., Tensor]
    __lt__: Callable[..., Tensor]
    __le__: Callable[..., Tensor]
    __gt__: Callable[..., Tensor]
    __ge__: Callable[..., Tensor]


def _leaf(name: str) -> Op:
    """Leaves are ops too, so that every tensor has one; they are never evaluated."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise ArgumentTypeError(f"a {name} is not computed from other tensors", fix="feed it, or make it an argument")

    return register(Op(name, Kind.LEAF, infer=refuse, eval=refuse, operands=as_given, doc=f"A {name}."))


_PLACEHOLDER, _CONSTANT, _VARIABLE = _leaf("placeholder"), _leaf("constant"), _leaf("variable")


class Placeholder(Tensor):
    """An input of functions. `default`, where given, stands in when nothing is fed."""

    def __init__(
        self, type: TensorType, name: str | None = None, default: Any = None, origin: Origin | None = None
    ) -> None:
        super().__init__(_PLACEHOLDER, (), {}, type, name, origin)
        self.default = default


class Constant(Tensor):
    """A value known when the graph is built; the array is read-only."""

    def __init__(self, value: np.ndarray[Any, Any], weak: bool = False, origin: Origin | None = None) -> None:
        super().__init__(_CONSTANT, (), {}, TensorType(CANONICAL[value.dtype], value.shape, weak), None, origin)
        value.setflags(write=False)
        self.value = value

    def evaluate(self, xp: Any, arrays: list[Any]) -> Any:
        return self.value


class Variable(Tensor):
    """A register: state that functions read, and that updates write at the end of a tick.

    `constraint`, where given, is a function of the new value that optimizers apply.
    """

    def __init__(self, value: np.ndarray[Any, Any], name: str | None = None, constraint: Any = None) -> None:
        super().__init__(_VARIABLE, (), {}, TensorType(CANONICAL[value.dtype], value.shape), name)
        self.register = Register(value)
        self.constraint = constraint
        self.default_update: Tensor | None = None  # the next state that joins any function reading it (random counters)

    def get_value(self) -> Any:
        """A copy of the value: an array, or a NumPy scalar where the rank is 0."""
        return self.register.read()

    def set_value(self, value: npt.ArrayLike) -> None:
        """Replace the value, all or nothing. Raises ShapeError, DTypeError, or ReentrantCallError inside a tick."""
        self.register.write(self.fitted(value), self.name)

    def fitted(self, value: npt.ArrayLike) -> np.ndarray[Any, Any]:
        """`value` as an array that the register can hold. Raises ShapeError or DTypeError."""
        return fitted(value, self)


def as_tensor(value: Any, dtype: npt.DTypeLike | None = None) -> Tensor:
    """`value` as a tensor: tensors pass, literals become weak constants (of `dtype`, and no longer weak, where given)."""
    if isinstance(value, Tensor):
        return value
    try:
        return Constant(array_of(value, dtype), weak=dtype is None)
    except SymbolicError:
        if not isinstance(value, list | tuple):  # of which NumPy asks each item for its numbers
            raise
        return apply(REGISTRY["stack"], *value, axis=0)


def cast_literal(tensor: Tensor, dtype: DType) -> Tensor:
    """A tensor of `dtype`: literals are converted at once, others by a cast op."""
    if tensor.type.dtype is dtype:
        return tensor
    if isinstance(tensor, Constant):
        value = tensor.value
        if value.dtype.kind != "f" and dtype.kind in "iu":
            info = np.iinfo(dtype)
            if value.size and (value.min() < info.min or value.max() > info.max):
                what = f"{shown(value)} does not fit {dtype.name} ({info.min}..{info.max})"
                raise DTypeError(what, fix="cast the other operand to a wider dtype")
        with np.errstate(all="ignore"):
            return Constant(value.astype(dtype), origin=tensor.origin)
    return apply(REGISTRY["cast"], tensor, dtype=dtype)


def apply(op: Op, *operands: Any, **params: Any) -> Tensor:
    """One more tensor: `op` on `operands`, cast as the op wants them, its type inferred.

    Raises what `infer` raises, with the op's name in front and each input's origin behind.
    """
    given: list[Any] = list(operands)
    origin = here()
    try:
        given = [x if isinstance(x, Tensor) or x.__class__ in _NUMBERS else as_tensor(x) for x in operands]
        wanted = op.operands([x.type if isinstance(x, Tensor) else _NUMBERS[x.__class__] for x in given])
        for i, dtype in enumerate(wanted):
            x = given[i]
            if not isinstance(x, Tensor):
                given[i] = _number_constant(x, dtype, origin)
            elif dtype is not None and x.type.dtype is not dtype:
                given[i] = cast_literal(x, dtype)
        inputs: tuple[Tensor, ...] = tuple(given)
        inferred = op.infer(*[x.type for x in inputs], **params)
        if op.check is not None:
            op.check(*inputs)
    except AutographError as error:
        raise told(error, op.name, given) from None
    cleared = _cleared[0][0]
    for x in inputs:
        if x.number <= cleared:
            check_current(inputs)
    return Tensor(op, inputs, params, inferred, None, origin)


_NUMBERS: dict[type, TensorType] = {  # literals that need no array to be typed
    kind: TensorType(as_dtype(name), (), weak=True) for kind, name in ((bool, "bool"), (int, "int64"), (float, "float64"))
}


def _number_constant(number: bool | int | float, dtype: DType | None, origin: Origin) -> Tensor:
    """A Python number as a constant of `dtype`; a weak one of its own where None."""
    if dtype is None or (dtype.kind in "iu" and not isinstance(number, bool)):
        weak = as_tensor(number)
        return weak if dtype is None else cast_literal(weak, dtype)
    try:
        return Constant(_filled(number, dtype, copysign(1, number)), origin=origin)
    except OverflowError:
        raise ArgumentTypeError(f"{shown(number)} is beyond {dtype}", fix="write it as a float") from None


@functools.lru_cache(maxsize=1024, typed=True)
def _filled(number: bool | int | float, dtype: DType, sign: float) -> np.ndarray[Any, Any]:
    """A number as an array of rank 0; of two zeros, which are equal, the one with that sign."""
    with np.errstate(all="ignore"):
        return np.array(number, dtype)


def told(error: AutographError, name: str, operands: Iterable[Any], where: str = "", after: str = "") -> AutographError:
    """The same error, saying in what op it was and what its inputs are."""
    what = error.what if error.what.startswith(name.partition(" ")[0]) else f"{name}: {error.what}"
    lines = [f"input {i} is {shown(x)}" for i, x in enumerate(operands)]
    why = [error.why] if "input 0 is" in error.why else [error.why, *lines]
    return error.retold(what, why="\n  ".join(filter(None, why)), where=where, after=after)


def node(tensor: Tensor, inputs: tuple[Tensor, ...], params: dict[str, Any], type: TensorType) -> Tensor:
    """A tensor like `tensor`, of the same op, name and origin, with other inputs, params or type."""
    return Tensor(tensor.op, inputs, params, type, tensor.given_name, tensor.origin)


def rebuilt(tensor: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """`tensor` with other inputs, its type inferred anew."""
    if not all(x.type[::2] == y.type[::2] for x, y in zip(inputs, tensor.inputs, strict=True)):  # dtype and weak
        wanted = tensor.op.operands([x.type for x in inputs])
        inputs = tuple([x if d is None else cast_literal(x, d) for x, d in zip(inputs, wanted, strict=True)])
    return node(tensor, inputs, tensor.params, tensor.op.infer(*[x.type for x in inputs], **tensor.params))


def placeholder(
    shape: Iterable[Any] | None = None,
    ndim: int | None = None,
    dtype: npt.DTypeLike | None = None,
    name: str | None = None,
    default: Any = None,
) -> Placeholder:
    """An input of `shape` (None where a size is not known yet), or of `ndim` unknown sizes.

    Raises ArgumentError if neither is given or a size is negative.
    """
    from_shape = None if shape is None else as_shape(shape, "placeholder")
    if from_shape is None:
        if ndim is None:
            raise ShapeError("placeholder() needs `shape=` or `ndim=`", fix="placeholder((None, 3)) for rows of three")
        from_shape = (None,) * whole(ndim, "placeholder: ndim", 0)
    return Placeholder(TensorType(as_dtype(dtype), from_shape), as_name(name), default)


def constant(value: Any, dtype: npt.DTypeLike | None = None) -> Constant:
    """A tensor with a known value; floats take floatx unless `dtype` is given."""
    array = array_of(value, dtype)
    literal = dtype is None and array.dtype.kind == "f" and not isinstance(value, np.ndarray | np.generic)
    return Constant(array.astype(as_dtype(None)) if literal else array)


def variable(value: Any, dtype: npt.DTypeLike | None = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A register that holds `value`, as floatx unless `dtype` is given.

    Raises ArgumentTypeError for what is no array of numbers, DTypeError for an unknown dtype.
    """
    return Variable(np.ascontiguousarray(array_of(value, as_dtype(dtype))).reshape(np.shape(value)), as_name(name), constraint)


def check_current(tensors: Iterable[Tensor]) -> None:
    """Raise StaleGraphError for a tensor made before the last `clear_session`."""
    number, place = _cleared[0]
    for tensor in tensors:
        if tensor.number <= number and not isinstance(tensor, Constant):
            raise StaleGraphError(
                f"{tensor.name!r} belongs to a graph cleared at {place}",
                fix="build it again after clear_session",
                where=str(tensor.origin),
            )


def forget_graph() -> None:
    """Make every tensor that exists stale for building; functions that exist go on running."""
    _cleared[0] = (_next_number(), str(here()))


def _index(tensor: Tensor, index: Any) -> Tensor:
    """Replaced by `ops.indexing`, which knows every form of index."""
    raise ArgumentTypeError("indexing is not loaded", fix="import autograph")


def set_indexing(function: Callable[[Tensor, Any], Tensor]) -> None:
    """Let `tensor[index]` call `function`."""
    global _index
    _index = function  # type: ignore[assignment]  # a function for a function


_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide", "mod": "mod",
    "pow": "power", "matmul": "matmul", "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
_COMPARISONS = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_UNARY = {"neg": "negative", "abs": "abs", "invert": "logical_not"}
_UFUNCS = {getattr(np, name): name for name in (*_OPERATORS.values(), *_COMPARISONS.values())}  # np.add and its like
_UFUNCS |= {np.bitwise_and: "logical_and", np.bitwise_or: "logical_or", np.bitwise_xor: "logical_xor"}


def _operand(value: object) -> bool:
    """Whether an operator takes a value, or refuses it here: a foreign class may know what to do with a tensor."""
    return isinstance(value, _OPERANDS)


_HOPELESS = (NoneType, str, bytes, dict, set, complex, FunctionType, BuiltinFunctionType, np.ufunc, type)
_OPERANDS = (Tensor, int, float, np.ndarray, np.generic, list, tuple, *_HOPELESS)


def _binary(name: str) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: apply(REGISTRY[name], self, other) if _operand(other) else NotImplemented


def _reflected(name: str) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: apply(REGISTRY[name], other, self) if _operand(other) else NotImplemented


for _python, _name in {**_OPERATORS, **_COMPARISONS}.items():
    setattr(Tensor, f"__{_python}__", _binary(_name))
for _python, _name in _OPERATORS.items():
    setattr(Tensor, f"__r{_python}__", _reflected(_name))
for _python, _name in _UNARY.items():
    setattr(Tensor, f"__{_python}__", lambda self, _name=_name: apply(REGISTRY[_name], self))
