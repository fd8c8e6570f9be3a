"""Why a gradient flows, or does not: the path from a loss to a variable, or the op that cuts every path."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from autograph.arguments import shown
from autograph.errors import ArgumentTypeError, NoGradientRuleError
from autograph.gradients import flows
from autograph.graph.graph import ancestors, descendants
from autograph.graph.op import Kind
from autograph.graph.show import summary
from autograph.graph.tensor import Placeholder, Tensor

__all__ = ["GradientPath", "explain_gradient"]

_FLAT = frozenset({"ceil", "floor", "rint", "round", "sign", "trunc"})  # their slope is 0 wherever they have one
_SHOWN = 16  # tensors of a path that are printed
_COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})


class GradientPath(NamedTuple):
    """How a gradient goes from `loss` to `variable`; printed, it is the explanation.

    path   tensors from the loss to the variable, each reading the next, through which a gradient flows; or empty
    cuts   the tensors whose ops cut the paths there are, nearest to the loss first; empty if there is no path at all
    """

    loss: Tensor
    variable: Tensor
    path: tuple[Tensor, ...] = ()
    cuts: tuple[Tensor, ...] = ()

    @property
    def flows(self) -> bool:
        """Whether the gradient flows."""
        return bool(self.path)

    @property
    def why(self) -> str:
        """In one line, what stands between the two: `the path is cut at argmax 'argmax_3' (train.py:12), which …`."""
        if self.path:
            flat = [f"{t.describe()}" for t in self.path if t.op.name in _FLAT]
            return f"the gradient flows, and is 0 everywhere behind {', '.join(flat)}" if flat else "the gradient flows"
        if not self.cuts:
            return f"{self.loss.name!r} does not read it{_twin(self.loss, self.variable)}"
        return "the path is cut at " + ", and at ".join(f"{t.describe()}, {_reason(t)}" for t in self.cuts[:3])

    @property
    def remedy(self) -> str:
        """In one line, what to do about it."""
        names = {t.op.name for t in self.cuts}
        if not names:
            return "" if self.path else "remove it from the list, or build the loss from it"
        if names & {"argmax", "argmin"}:
            change = "use softmax in its place"
        elif names & _COMPARISONS:
            change = "use a smooth function such as sigmoid in place of the comparison"
        elif "stop_gradient" in names:
            change = "take stop_gradient away"
        else:
            change = "keep the path in floats and smooth functions"
        return f"{change}, or remove the variable from the list"

    def __str__(self) -> str:
        head = f"∂{self.loss.name}/∂{self.variable.name}: "
        if not self.path:
            return f"{head}no gradient flows: {self.why}\n  {self.remedy}"
        half = _SHOWN // 2
        between = len(self.path) - 2 * half
        lines = [summary(t) for t in self.path]
        if between > 0:
            lines[half:-half] = [f"… {between:,} more"]
        return "\n  ".join([head + self.why, *lines])

    def __repr__(self) -> str:
        return str(self)


def explain_gradient(loss: Tensor, variable: Tensor) -> GradientPath:
    """The path by which the gradient of `loss` reaches `variable`, or the ops that cut every path; print it to read it.

    Raises ArgumentTypeError for what is no tensor.
    """
    for argument in (loss, variable):
        if not isinstance(argument, Tensor):
            raise ArgumentTypeError(f"explain_gradient: {shown(argument)} is no tensor", fix="explain_gradient(loss, w)")
    order = ancestors([loss])
    relevant = descendants([variable], order)
    if loss not in relevant:
        return GradientPath(loss, variable)
    reader: dict[Tensor, Tensor | None] = {loss: None}
    closed: dict[Tensor, None] = {}
    todo = deque([loss] if loss.type.is_float else [])
    if not loss.type.is_float:
        closed[_origin_of_integers(loss, relevant)] = None
    while todo and variable not in reader:
        tensor = todo.popleft()
        for source, flow in zip(tensor.inputs, _open(tensor, relevant), strict=True):
            if flow and source not in reader:
                reader[source] = tensor
                todo.append(source)
            elif not flow and source in relevant:
                closed[tensor if source.type.is_float else _origin_of_integers(source, relevant)] = None
    if variable not in reader:
        return GradientPath(loss, variable, (), tuple(closed))
    path: list[Tensor] = []
    step: Tensor | None = variable
    while step is not None:
        path.append(step)
        step = reader[step]
    return GradientPath(loss, variable, tuple(reversed(path)))


def _open(tensor: Tensor, relevant: set[Tensor]) -> list[bool]:
    """To which inputs a gradient flows, found by asking the op's own rule."""
    try:
        return [flow is not None for flow in flows(tensor, Placeholder(tensor.type), relevant)]
    except NoGradientRuleError:
        return [False] * len(tensor.inputs)


def _origin_of_integers(tensor: Tensor, relevant: set[Tensor]) -> Tensor:
    """Behind an integer or boolean tensor: the op that made it of floats, or the last one there is."""
    while True:
        sources = [source for source in tensor.inputs if source in relevant]
        if not sources or any(source.type.is_float for source in sources):
            return tensor
        tensor = sources[0]


def _reason(tensor: Tensor) -> str:
    name = tensor.op.name
    if tensor.op.kind is Kind.LEAF:
        return f"which holds {tensor.dtype}, and only floats have gradients"
    if name == "stop_gradient":
        return "which is there to cut it"
    if not tensor.type.is_float:
        return f"which gives {tensor.dtype}, and only floats have gradients"
    return "which has no gradient rule" if tensor.op.vjp is None else "whose rule sends nothing to this input"


def _twin(loss: Tensor, variable: Tensor) -> str:
    """A hint where the loss reads another tensor of the same name: a model that was built twice."""
    named = variable.given_name
    twins = [t for t in ancestors([loss]) if named and t.given_name == named and t.op is variable.op]
    return f"; it reads another {named!r}, made at {twins[0].origin}" if twins else ""
