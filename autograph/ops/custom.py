"""Ops and gradients of the user's own.

    cube = custom_op("cube", lambda x: x**3, vjp=lambda g, y, x: (g * 3 * x**2,))

`eval` works on NumPy arrays; `vjp` works on tensors, so that gradients of gradients follow from it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograph.arguments import shown
from autograph.errors import ArgumentError, ArgumentTypeError, AutographError, DTypeError, NoGradientRuleError, ShapeError
from autograph.graph.graph import substitute
from autograph.graph.op import REGISTRY, Kind, Op, as_given, promoted
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.literals import array_of
from autograph.ops.define import elementwise_type, named
from autograph.tensor_type import DTYPES, TensorType, shapes_agree

__all__ = ["custom_gradient", "custom_op"]

Array = np.ndarray[Any, Any]


class CustomOp(Op):
    """An op in no registry: it is known by the user's functions, not by its name, and pickles as these do."""

    def __reduce__(self) -> Any:
        return CustomOp, (self.name, self.kind, self.infer, self.eval, self.vjp, self.operands, None, self.raises, self.doc)


class _Checked:
    """The user's `eval`: it sees read-only arrays, and its result is copied, and held to the type that was promised."""

    def __init__(self, name: str, function: Callable[..., Any], infer: Callable[..., TensorType]) -> None:
        self.name, self.function, self.infer = name, function, infer

    def __call__(self, xp: Any, *arrays: Any, **params: Any) -> Array:
        given = [_read_only(np.asarray(array)) for array in arrays]
        promised = self.infer(*[TensorType(DTYPES[a.dtype.name], a.shape) for a in given], **params)
        answer = self.function(*given, **params)
        try:
            result = array_of(answer)
        except AutographError as error:
            raise error.retold(f"{self.name}: eval returned what is no array: {error.what}") from None
        if result.dtype != promised.dtype:
            raise DTypeError(
                f"{self.name}: eval returned {result.dtype}, and {promised} was promised",
                why="the type of an op is settled when the graph is built",
                fix=f"return y.astype(x.dtype), or pass infer=lambda {_arguments(given)}: TensorType(...)",
            )
        if not shapes_agree(result.shape, promised.shape):
            raise ShapeError(
                f"{self.name}: eval returned shape {list(result.shape)}, and {promised} was promised",
                why="without `infer` the result has the shape of the inputs broadcast together",
                fix=f"pass infer=lambda {_arguments(given)}: TensorType(x.dtype, shape)",
            )
        return result


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _arguments(arrays: Sequence[Any]) -> str:
    return "x" if len(arrays) == 1 else "x, *others"


class _NoRule:
    """In the place of a gradient rule that was not given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, g: Tensor, y: Tensor, *inputs: Tensor, **params: Any) -> tuple[Any, ...]:
        raise NoGradientRuleError(
            f"no gradient rule for {self.name!r} ({y.name!r}, computed from {', '.join(x.name for x in inputs)})",
            why="custom_op got no `vjp`",
            fix="give it vjp=lambda g, y, x: (...,), or differentiable=False to cut the path",
            where=str(y.origin),
        )


class _Rule:
    """The user's `vjp`, whose answer must be one cotangent for each input."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def __call__(self, g: Tensor, y: Tensor, *inputs: Tensor, **params: Any) -> tuple[Any, ...]:
        return _cotangents(self.name, self.function(g, y, *inputs, **params), inputs)


def _cotangents(name: str, terms: Any, inputs: Sequence[Tensor]) -> tuple[Any, ...]:
    """The answer of a user's rule as a tuple of one tensor (or None) for each input."""
    found = tuple(terms) if isinstance(terms, tuple | list) else (terms,)
    if len(found) != len(inputs):
        raise ArgumentError(
            f"{name}: the gradient rule returned {len(found)} cotangents for {len(inputs)} inputs",
            fix="return a tuple with one for each input, None where nothing flows",
        )
    return tuple([None if term is None else as_tensor(term) for term in found])


def _broadcast(*types: TensorType, **params: Any) -> TensorType:
    return elementwise_type(*types)


def custom_op(
    name: Any,
    eval: Callable[..., Any],
    vjp: Callable[..., Any] | None = None,
    infer: Callable[..., TensorType] | None = None,
    doc: str = "",
    *,
    differentiable: bool = True,
) -> Callable[..., Tensor]:
    """A function of tensors from a function of NumPy arrays.

    eval   (*arrays, **params) → array; it neither keeps nor changes its arrays, which are read-only
    vjp    (g, y, *inputs, **params) → for each input the cotangent, of tensors, or None where nothing flows
    infer  (*types, **params) → TensorType of the result; unless given, that of the inputs broadcast together
    differentiable  False: gradients stop here. Without a `vjp`, a gradient through the op raises NoGradientRuleError

    Inputs are cast to the dtype in which they meet; keywords of the function reach all three. The result is checked at
    every run: DTypeError or ShapeError where it is not what `infer` promised. Raises ArgumentError for the name of an op of
    the engine, ArgumentTypeError for what is no function.
    """
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"custom_op: the name is {shown(name)}, not text", fix='custom_op("cube", lambda x: x**3)')
    given: tuple[tuple[str, Any], ...] = (("eval", eval), ("vjp", vjp), ("infer", infer))
    for what, part in given:
        if not callable(part) and (part is not None or what == "eval"):
            raise ArgumentTypeError(f"custom_op {name!r}: {what} is {shown(part)}, not a function", fix="lambda x: x**3, for one")
    if vjp is not None and not differentiable:
        raise ArgumentError(f"custom_op {name!r} has a vjp, and is declared not differentiable", fix="drop one of them")
    if name in REGISTRY:
        raise ArgumentError(f"custom_op {name!r}: the engine has an op of that name", fix="give yours another name")
    rule = _Rule(name, vjp) if vjp is not None else _NoRule(name) if differentiable else None
    typed = infer or _broadcast
    op = CustomOp(name, Kind.CUSTOM, typed, _Checked(name, eval, typed), rule, promoted, raises=True, doc=doc)

    def function(*inputs: Any, **params: Any) -> Tensor:
        if not inputs:
            raise ArgumentError(f"{name}: at least one tensor is needed")
        return apply(op, *inputs, **params)

    result = named(function, name, doc or f"The custom op {name!r}.", "")
    try:
        result.__signature__ = inspect.signature(eval)  # type: ignore[attr-defined]  # what tools and errors call its inputs
    except (TypeError, ValueError):  # a function of C
        del result.__signature__  # type: ignore[attr-defined]  # any number of tensors
    return result


class _Reversed:
    """The rule that a user's function returned with its result, made for `inputs` and their `result`."""

    def __init__(self, name: str, function: Callable[..., Any], result: Tensor, inputs: Sequence[Tensor]) -> None:
        self.name, self.function, self.made_for = name, function, (result, *inputs)

    def __call__(self, g: Tensor, y: Tensor, *inputs: Tensor) -> tuple[Any, ...]:
        terms = _cotangents(self.name, self.function(g), inputs[1:])
        moved = {old: new for old, new in zip(self.made_for, inputs, strict=True) if old is not new}
        if moved:  # the expression has been rebuilt on other inputs since
            live = [term for term in terms if term is not None]
            rebuilt = iter(substitute(live, moved))
            terms = tuple([None if term is None else next(rebuilt) for term in terms])
        return None, *terms


def custom_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Tensor]:
    """A decorator: `function` returns its result and the rule of its gradient, g → the cotangents of its arguments.

        @custom_gradient
        def straight_through(x):
            return round(x), lambda g: g

    The rule replaces what would follow from the result; nothing flows to tensors that are no arguments. A gradient of the
    gradient follows from the rule. Raises ArgumentTypeError unless a tensor and a function are returned, ArgumentError
    unless the rule gives a cotangent for each argument.
    """
    name = getattr(function, "__name__", "custom_gradient")

    @functools.wraps(function)
    def wrapped(*arguments: Any) -> Tensor:
        inputs = tuple([as_tensor(x) for x in arguments])
        answer: Any = function(*inputs)
        if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[1]):
            raise ArgumentTypeError(
                f"{name} returned {shown(answer)}, not a tensor and its gradient rule", fix="return y, lambda g: (g * ...,)"
            )
        result = as_tensor(answer[0])
        op = CustomOp(
            "custom_gradient",
            Kind.MOVEMENT,
            infer=lambda y, *_: TensorType(y.dtype, y.shape),
            eval=lambda xp, y, *_: y,
            vjp=_Reversed(name, answer[1], result, inputs),
            operands=as_given,
            specialize=lambda nodes, params: nodes[0],
            doc=f"The result of {name}, with a gradient rule of its own.",
        )
        return apply(op, result, *inputs)

    return wrapped
