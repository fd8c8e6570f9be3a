"""Functions in the form of Keras, which take one list and give one; gradients; sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograph import session
from autograph.arguments import shown
from autograph.backend import naming, phases
from autograph.backend.dependencies import distinct, with_metrics
from autograph.backend.operands import tensor
from autograph.backend.sparse import SparseFunction, is_sparse
from autograph.errors import NOTHING_CHANGED, ArgumentError, ArgumentTypeError, FeedError, nearest
from autograph.function import Function as Compiled
from autograph.function import function as compiled_function
from autograph.gradients import gradients as gradients_of
from autograph.graph.tensor import Tensor
from autograph.graph.updates import Updates
from autograph.ops import barriers
from autograph.session import get_session, set_session
from autograph.tensor_type import show_shape

__all__ = ["Function", "clear_session", "function", "get_session", "gradients", "set_session", "stop_gradient"]

_OPTIONS = ("executor", "givens", "name", "on_nonfinite", "on_unused_input")


class Function:
    """A compiled function that takes one list of arrays and gives one list of arrays; a call is one tick.

    compiled   the function of the engine, with everything it can do: `preview`, `loop`, `profile`, `copy`, `source`
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled

    def __call__(self, inputs: Sequence[Any] = ()) -> list[Any]:
        """The outputs before the tick, one array each, or a NumPy scalar where the rank is 0.

        Raises FeedError, a TypeError and a ValueError, for what is no list, for another number of values, and for a
        value that does not fit its input; then no variable has changed.
        """
        if inputs.__class__ is list or inputs.__class__ is tuple:
            return self.compiled.called(inputs)
        raise self._misused(inputs)

    def _misused(self, inputs: Any) -> FeedError:
        call = f"{self.name}([{', '.join(p.name for p in self.compiled.tick.inputs)}])"
        if isinstance(inputs, np.ndarray):
            what = f"an array {show_shape(inputs.shape)}"
            why = f"its first axis would be taken as {len(inputs)} inputs" if inputs.ndim else ""
        else:
            what, why = shown(inputs), "the inputs come in one list"
        return FeedError(f"{self.name!r} got {what} instead of a list", why=why, fix=f"call {call}", after=NOTHING_CHANGED)

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.compiled.name

    @property
    def updates(self) -> Updates:
        """The pairs (variable, new value) that a call carries out."""
        return self.compiled.updates

    def __repr__(self) -> str:
        return f"{self.compiled!r}; takes a list"

    def __getattr__(self, name: str) -> Any:
        """What the compiled function offers beyond: `preview`, `loop`, `state`, `restore`, `prepare`, `profile`, `source` …"""
        if name.startswith("__") or name == "compiled":
            raise AttributeError(name)
        return getattr(self.compiled, name)


def function(inputs: Any, outputs: Any, updates: Any = None, **kwargs: Any) -> Any:
    """Compile `outputs` and `updates` into a function that takes one list of arrays and gives one list of arrays.

    inputs    a list of placeholders, or of any tensors that are to be fed; some may be unused, and a learning phase that
              stands last need not be fed: then it is 0
    outputs   a list of tensors: their values before the updates; of those that Keras marks as metrics, after them
    updates   pairs (variable, new value), as the functions `update…` and optimizers return them; all are computed from
              the old values, then all take effect, or none if anything fails
              In the place of sparse tensors it takes and gives SciPy's sparse matrices
    kwargs    name, givens, executor, on_nonfinite, on_unused_input: as in `autograph.function`

    Raises ArgumentTypeError for what is no list, ArgumentError for another keyword, DuplicateUpdateError for two new
    values of one variable, MissingInputError for a placeholder that is not listed.
    """
    for what, given in (("inputs", inputs), ("outputs", outputs)):
        if not isinstance(given, list | tuple):
            got = f"Tensor {given.name!r}" if isinstance(given, Tensor) else shown(given)
            raise ArgumentTypeError(
                f"`{what}` must be a list or tuple, got {got}", why="K.function takes lists", fix="write K.function([x], [y])"
            )
    for keyword in kwargs:
        if keyword not in _OPTIONS:
            raise ArgumentError(
                f"K.function got {keyword!r}{nearest(keyword, _OPTIONS)}", fix=f"accepted: {', '.join(_OPTIONS)}"
            )
    if any(map(is_sparse, (*inputs, *outputs))):
        return SparseFunction(function, inputs, outputs, updates, **kwargs)
    options: Mapping[str, Any] = {"on_unused_input": "ignore", **kwargs}
    results, pairs = with_metrics([tensor(output) for output in outputs], distinct(updates))
    return Function(compiled_function(list(inputs), results, pairs, **options))


def gradients(loss: Any, variables: Any) -> list[Tensor | None]:
    """The gradient of `loss` in each of `variables`, in its shape and dtype; None where the loss does not depend on it.

    loss        a tensor, whose elements are summed; or several, which are added
    variables   float tensors in a list: variables, placeholders, or what the loss is computed from; or a single one

    Raises DTypeError for integers, NoGradientRuleError for an op on the path without a gradient.
    """
    losses = list(loss) if isinstance(loss, list | tuple) else [loss]
    sources = list(variables) if isinstance(variables, list | tuple) else [variables]
    found: list[Tensor | None] = gradients_of(losses, sources, cotangents=[1.0] * len(losses))
    return found


def stop_gradient(variables: Any) -> Any:
    """The tensor, or each in a list, of the same shape, through which no gradient flows."""
    if isinstance(variables, Iterable) and not isinstance(variables, Tensor | np.ndarray):
        return [barriers.stop_gradient(tensor(x)) for x in variables]
    return barriers.stop_gradient(tensor(variables))


def clear_session() -> None:
    """Start afresh: tensors made so far can no longer be built upon, names and their numbers begin again, and the
    learning phase is an input again. Functions that exist go on running.
    """
    session.clear_session()
    naming.reset_uids()
    phases.reset_learning_phase()
