"""`check_gradients`: whether the gradient rules behind a function agree with the function itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from autograph.arguments import shown, whole
from autograph.errors import ArgumentError, ArgumentTypeError
from autograph.executors.executor import executor_named
from autograph.graph.tensor import Constant, Placeholder, Tensor
from autograph.literals import array_of
from autograph.structure import flatten
from autograph.tensor_type import DTYPES, TensorType
from autograph.testing.diagnosis import diagnose
from autograph.testing.failure import Diagnosis, Element, Failure
from autograph.testing.lift import DOUBLE, Array, lift
from autograph.testing.report import paste, story
from autograph.testing.subject import EXACT, NEAR, RuleError, Subject, product, reach, signed

__all__ = ["Checked", "GradientError", "check_gradients"]

DIRECTIONS = 2  # random ones for each input: a fault hides from one with probability 0, and from rounding with two never
EXPLAINED = 512  # elements of one input that are looked at one by one


class GradientError(AssertionError):
    """A gradient is wrong. The message says where, by how much and, where it can be told, which mistake it is.

    input, index         the input at fault (its position), and the index in it where the gradient is worst
    rule, numeric        what the rule gives there, and what the function's own slope is
    diagnosis            the mistake: its `kind` is one word ("sign", "factor", "term", …)
    """

    input: int = 0
    index: tuple[int, ...] = ()
    rule: float = float("nan")
    numeric: float = float("nan")
    diagnosis: Diagnosis = Diagnosis("unknown", "")


@dataclass
class Checked:
    """What a check that passed has seen.

    methods   how slopes were found: "complex step", "differences"
    error     the largest difference met, in parts of the sum of absolute terms
    kinks     elements where the two sides differ and the rule lies between them, as the conventions want: what was found
              by place
    """

    methods: set[str] = field(default_factory=set)
    error: float = 0.0
    kinks: dict[str, str] = field(default_factory=dict)


def check_gradients(
    fn: Callable[..., Any], *inputs: Any, order: int = 1, executor: str | None = None, rng: Any = 0
) -> Checked:
    """Raise GradientError unless the gradients of `fn` at `inputs` are right.

    fn         a function of tensors that returns a tensor, or a list, tuple or dict of them
    inputs     an array for each; floats are lifted to float64, and with them every float in the graph
    order      2 checks the gradient of the gradient too, and that the Hessian is symmetric
    executor   the machine whose gradients are judged; the graph itself, op by op, where None
    rng        a seed or a NumPy generator for the directions

    Along random signed directions v and cotangents u, ⟨u, J·v⟩ from the function alone is compared with ⟨Jᵀ·u, v⟩ from
    the rules: by the complex step (10⁻¹² of the sum of absolute terms) where the graph is analytic, else by five-point
    differences that estimate their own error. The rules must be linear in u, and give exactly 0 for u = 0. Only where
    a direction disagrees are elements looked at one by one. At a kink, as of relu at 0, a rule may give anything
    between the slopes of the two sides. Raises ArgumentError where there is nothing to check.
    """
    call = _Call(fn, inputs, order, executor, rng)
    try:
        generator = np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"rng is {shown(rng)}, no seed", fix="rng=1, or a numpy.random.Generator") from None
    seen = Checked()
    try:
        subject = call.subject()
        for depth in range(1, call.order + 1):
            _check(subject, generator, seen, call)
            if depth < call.order:
                if not subject.flowing:
                    break
                following = _derivative(subject, generator)
                _check_symmetry(subject, following, generator)
                subject = following
    except RuleError as fault:
        error = GradientError(str(fault))
        error.diagnosis = Diagnosis(fault.kind, fault.detail)
        raise _told(error, call) from fault
    return seen


class _Call:
    """One call of `check_gradients`: the function with its arguments, to build from and to print."""

    def __init__(self, fn: Callable[..., Any], inputs: Sequence[Any], order: int, executor: str | None, rng: Any) -> None:
        if not callable(fn):
            raise ArgumentTypeError(f"{shown(fn)} is no function", fix="check_gradients(lambda x: x * x, np.ones(3))")
        if executor is not None:
            executor_named(executor)
        self.fn, self.order, self.executor, self.rng = fn, whole(order, "order", 1), executor, rng
        self.arrays = [array_of(value) for value in inputs]
        self.name = getattr(fn, "__name__", type(fn).__name__).replace("<lambda>", "fn")

    def subject(self) -> Subject:
        """The function built on placeholders of the inputs' shapes, lifted to float64."""
        floats = [i for i, array in enumerate(self.arrays) if array.dtype.kind == "f"]
        if not floats:
            raise ArgumentError(f"{self.name} has no float input to differentiate by", fix="pass arrays of floats")
        leaves = [self._placeholder(i, array) for i, array in enumerate(self.arrays)]
        outputs = [y for y in tensors_in(self.fn(*leaves)) if y.type.is_float]
        if not outputs:
            raise ArgumentTypeError(f"{self.name} gives no float tensor, so it has no gradient", fix="cast its result to float")
        lifted, values = lift(outputs)
        values |= {leaf: array for leaf, array in zip(leaves, self.arrays, strict=True) if array.dtype.kind != "f"}
        sources = [leaves[i] for i in floats]
        arrays = [self.arrays[i] for i in floats]
        subject = Subject(self.name, outputs[0].origin.place, lifted, sources, arrays, values, floats, self.executor)
        if any(y.size and not np.isfinite(y).any() for y in subject.at):
            raise ArgumentError(f"{self.name} is not finite at this point", why=self.line(), fix="choose inputs in its domain")
        return subject

    def _placeholder(self, i: int, array: Array) -> Placeholder:
        dtype = DOUBLE if array.dtype.kind == "f" else DTYPES[array.dtype.name]
        return Placeholder(TensorType(dtype, array.shape), self._names()[i])

    def _names(self) -> list[str | None]:
        """The names of the function's parameters, as far as it has some."""
        try:
            parameters = list(inspect.signature(self.fn).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return [*names[: len(self.arrays)], *[None] * (len(self.arrays) - len(names))]

    def line(self) -> str:
        """The call as Python text, with exact numbers."""
        options = [f"order={self.order}"] if self.order != 1 else []
        options += [f"executor={self.executor!r}"] if self.executor else []
        options += [f"rng={self.rng}"] if isinstance(self.rng, int) and self.rng else []
        return f"check_gradients({', '.join([self.name, *map(paste, self.arrays), *options])})"


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors of nested lists, tuples and dicts, in order. Raises ArgumentTypeError for anything else."""
    leaves, _ = flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ArgumentTypeError(f"the function returned {shown(leaf)}, not tensors", fix="return what autograph's ops give")
    return leaves


# one order of derivative ---------------------------------------------------------------------------------------------


def _check(subject: Subject, rng: np.random.Generator, seen: Checked, call: _Call) -> None:
    _check_cotangents(subject, rng)
    failure = find_failure(subject, rng, seen)
    if failure is not None:
        raise _error(failure, subject, rng, call)


def find_failure(subject: Subject, rng: np.random.Generator, seen: Checked | None = None) -> Failure | None:
    """The first input along which rules and function disagree, looked at element by element; None if all agree."""
    seen = Checked() if seen is None else seen
    for direction in range(DIRECTIONS):
        u = subject.random_cotangents(rng)
        flow, noise = subject.flow(u), subject.value_noise(u, rng)
        for i, g in enumerate(flow):
            if g.size and not _agrees(subject, i, u, g, _direction(subject, i, g, direction, rng), noise, rng, seen):
                failure = _explained(subject, i, u, g, noise, rng, seen)
                if failure is not None:
                    return failure
    return None


def _direction(subject: Subject, i: int, g: Array, which: int, rng: np.random.Generator) -> Array:
    """The first direction moves every element by a part of its own size; the others let every element count the same."""
    x = subject.arrays[i]
    v = signed(rng, x.shape) * reach(x)
    size = np.abs(np.where(np.isfinite(g), g, 0.0))
    if which and size.any():
        weights = 1 / np.maximum(size / size.max(), 1e-3)
        v = signed(rng, x.shape) * weights / np.max(weights / reach(x, 0.1))
    return v


def _agrees(
    subject: Subject, i: int, u: list[Array], g: Array, v: Array, noise: float, rng: np.random.Generator, seen: Checked
) -> bool:
    """Whether ⟨g, v⟩ is the slope along v."""
    if not np.isfinite(g).all():
        return False
    slope, terms = subject.slope(i, v, u, noise)
    if not isfinite(slope.value) or not isfinite(slope.error):
        return False
    scale = terms + product(np.abs(g), np.abs(v))
    gap = abs(product(g, v) - slope.value)
    precise = slope.method == "complex step"
    allowed = (EXACT if precise else NEAR) * scale + slope.error
    if gap > allowed:
        noise_of_rule = product(subject.flow_noise(u, rng)[i], np.abs(v))
        allowed += min(noise_of_rule, max(1e-3 * scale, EXACT * subject.magnitude(u)))
    if gap > allowed or slope.error > 1e-3 * scale:
        return False
    seen.methods.add(slope.method)
    seen.error = max(seen.error, gap / scale if scale else 0.0)
    return True


def _explained(
    subject: Subject, i: int, u: list[Array], g: Array, noise: float, rng: np.random.Generator, seen: Checked
) -> Failure | None:
    """Each element on its own: which disagree, which are at a kink. None if every one can be accepted."""
    x = subject.arrays[i]
    indices = list(np.ndindex(x.shape))
    if len(indices) > EXPLAINED:
        indices = [indices[k] for k in sorted(rng.choice(len(indices), EXPLAINED, replace=False))]
    flow_noise, magnitude = None, subject.magnitude(u)
    elements = []
    for index in indices:
        slope, terms, v = subject.element(i, index, u, noise)
        rule, step = float(g[index]), float(v[index])
        scale = terms + abs(rule * step) if isfinite(rule) else terms
        precise = slope.method == "complex step"
        allowed = (EXACT if precise else NEAR) * scale
        wrong = not (isfinite(rule) and isfinite(slope.value) and slope.admits(rule * step, allowed))
        if wrong and isfinite(rule) and isfinite(slope.value):
            flow_noise = subject.flow_noise(u, rng)[i] if flow_noise is None else flow_noise
            room = min(float(flow_noise[index]) * step, max(1e-3 * scale, EXACT * magnitude))
            wrong = not slope.admits(rule * step, allowed + room)
        at_kink = subject.kink(i, v, u, noise) if wrong or slope.error > 1e-3 * scale else None
        if at_kink is not None:
            wrong = not at_kink.admits(rule * step, 1e-5 * scale)
        elif not isfinite(slope.error):  # the function is defined at this point alone
            wrong = False
        if at_kink is not None and not wrong:
            found = f"{at_kink.per(step)}; the rule gives {rule:.6g}"
            seen.kinks.setdefault(f"{subject.title}, {subject.named(i)} at {list(index)}", found)
        elements.append(Element(index, rule, slope.per(step), wrong, at_kink.per(step) if at_kink else None))
    return Failure(subject, i, u, g, elements, noise) if any(e.wrong for e in elements) else None


def _error(failure: Failure, subject: Subject, rng: np.random.Generator, call: _Call) -> GradientError:
    culprit = find_culprit(subject, rng)
    diagnosis = diagnose(failure if culprit is None else culprit)
    if culprit is not None and not diagnosis.certain:
        whole = diagnose(failure)
        diagnosis = whole if whole.certain else diagnosis
    error = GradientError(story(failure, diagnosis, culprit, call.line()))
    worst = failure.worst
    error.input, error.index = subject.positions[failure.input], worst.index
    error.rule, error.numeric = worst.rule, worst.slope.value
    error.diagnosis = diagnosis
    return _told(error, call)


def _told(error: GradientError, call: _Call) -> GradientError:
    error.add_note(call.line())
    return error


def find_culprit(subject: Subject, rng: np.random.Generator) -> Failure | None:
    """The first op of the graph whose own rule is wrong, checked alone at the values it meets; None if it has but one."""
    ops = [tensor for tensor in subject.forward.order if tensor.inputs]
    if len(ops) < 2:
        return None
    values = subject.forward.everything(subject.arrays)
    for tensor in ops[:300]:
        alone = isolated(tensor, values, subject.executor)
        if alone is not None:
            failure = find_failure(alone, rng)
            if failure is not None:
                return failure
    return None


def isolated(tensor: Tensor, values: dict[Tensor, Array], executor: str | None = None) -> Subject | None:
    """One op alone, its inputs fed with what they hold; None where it has no derivative to judge."""
    if tensor.op.name == "custom_gradient":  # a rule for a whole expression, which alone it is not
        return None
    if not tensor.type.is_float or not any(x.type.is_float and not isinstance(x, Constant) for x in tensor.inputs):
        return None
    held: dict[Tensor, Array] = {}
    inputs = [x if isinstance(x, Constant) else Placeholder(TensorType(x.dtype, x.shape), x.given_name) for x in tensor.inputs]
    for leaf, source in zip(inputs, tensor.inputs, strict=True):
        if leaf is not source:
            held[leaf] = np.asarray(values[source])
    sources = [x for x in inputs if x in held and x.type.is_float]
    arrays = [held.pop(x) for x in sources]
    copy = Tensor(tensor.op, tuple(inputs), tensor.params, tensor.type, tensor.given_name, tensor.origin)
    positions = [inputs.index(x) for x in sources]
    subject = Subject(tensor.op.name, tensor.origin.place, [copy], sources, arrays, held, positions, executor)
    return subject if any(np.isfinite(y).any() for y in subject.at) else None


# laws of the rules ---------------------------------------------------------------------------------------------------


def _check_cotangents(subject: Subject, rng: np.random.Generator) -> None:
    """Jᵀ is linear, and Jᵀ·0 is exactly 0."""
    zero = [np.zeros(y.shape) for y in subject.at]
    for i, g in enumerate(subject.flow(zero)):
        if np.any(g != 0):
            index = tuple(int(k) for k in np.argwhere(g != 0)[0])
            raise RuleError(
                "zero",
                f"{subject.title}, {subject.named(i)} ({subject.place}): "
                f"a zero cotangent gives {g[index]:.6g} at {list(index)}, not 0",
                "use mul_no_nan(g, …) where the local derivative may be infinite, and no term without g",
            )
    u, w = subject.random_cotangents(rng), subject.random_cotangents(rng)
    a, b = 1.375, -0.625
    both = subject.flow([a * p + b * q for p, q in zip(u, w, strict=True)])
    for i, (g, p, q) in enumerate(zip(both, subject.flow(u), subject.flow(w), strict=True)):
        with np.errstate(all="ignore"):
            gap, size = np.abs(g - (a * p + b * q)), np.abs(a * p) + np.abs(b * q)
        if g.size and np.any(gap > EXACT * size):
            noise = subject.flow_noise(u, rng)[i] + subject.flow_noise(w, rng)[i]
            most = np.maximum(1e-6 * np.max(size), EXACT * subject.magnitude(u) / reach(subject.arrays[i]))
            bad = np.isfinite(gap) & (gap > EXACT * size + np.minimum(noise, most) + EXACT * np.max(size))
            if np.any(bad):
                index = tuple(int(k) for k in np.argwhere(bad)[0])
                raise RuleError(
                    "linear",
                    f"{subject.title}, {subject.named(i)} ({subject.place}): its rule is not linear in the cotangent",
                    f"at {list(index)} the sum of two cotangents gives {g[index]:.9g}, the two apart "
                    f"{(a * p + b * q)[index]:.9g}",
                )


def _derivative(subject: Subject, rng: np.random.Generator) -> Subject:
    """The gradients as a function of the point and of the cotangents."""
    title = f"the gradient of {subject.title}"
    sources, arrays = [*subject.sources, *subject.cotangents], [*subject.arrays, *subject.random_cotangents(rng)]
    return Subject(title, subject.place, subject.flowing, sources, arrays, subject.values, None, subject.executor)


def _check_symmetry(subject: Subject, gradient: Subject, rng: np.random.Generator) -> None:
    """⟨w, H·v⟩ = ⟨v, H·w⟩ to 10⁻¹² of the sum of absolute terms, H being the Hessian of ⟨u, f⟩."""
    flowing = [i for i, rule in enumerate(subject.rules) if rule is not None]
    v, w = ([signed(rng, a.shape) for a in subject.arrays] for _ in range(2))
    hv, hw = (gradient.flow([z[i] for i in flowing])[: len(v)] for z in (v, w))
    left, right = _sum_of_products(w, hv), _sum_of_products(v, hw)
    scale = _sum_of_products(map(np.abs, w), map(np.abs, hv)) + _sum_of_products(map(np.abs, v), map(np.abs, hw))
    if not isfinite(scale) or abs(left - right) <= EXACT * scale:
        return
    noise = _sum_of_products(map(np.abs, w), gradient.flow_noise([v[i] for i in flowing], rng))
    if abs(left - right) > EXACT * scale + min(noise, 1e-6 * scale):
        raise RuleError(
            "symmetry",
            f"{gradient.title} ({gradient.place}): the Hessian is not symmetric",
            f"⟨w, H·v⟩ is {left:.12g} and ⟨v, H·w⟩ is {right:.12g}: a rule misses a path in second order",
        )


def _sum_of_products(a: Iterable[Array], b: Iterable[Array]) -> float:
    return sum(product(p, q) for p, q in zip(a, b))
