"""Which mistake a wrong gradient is: each cause that can be told apart has its test here, and its sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import isfinite
from typing import NamedTuple

import numpy as np

from autograph.errors import AutographError
from autograph.graph.tensor import rebuilt
from autograph.testing.failure import Diagnosis, Failure
from autograph.testing.lift import Array
from autograph.testing.subject import RuleError, Subject, reach

MOST = 512  # elements of which a whole gradient is found
FEW = 24  # elements below which more points are asked, so that chance cannot look like a law
ON_PURPOSE = ("stop_gradient", "gradient_clip", "gradient_scale", "gradient_reverse")


class Point(NamedTuple):
    """A subject at a point, cotangents, and both gradients of one input there, in its shape."""

    subject: Subject
    u: Sequence[Array]
    rule: Array
    truth: Array


@dataclass
class Evidence:
    """Numbers of the rule beside the truth, over the elements at fault and over more points where there are few.

    near     how closely numbers must agree to be called equal
    points   the same by point; none where the input is too large for the whole gradient
    """

    failure: Failure
    rule: Array
    truth: Array
    near: float
    points: Sequence[Point] = ()

    def same(self, a: Array, b: Array) -> bool:
        """Whether a is b, each element within `near` of its size."""
        if np.shape(a) != np.shape(b) or not np.size(a):
            return False
        size = np.abs(a) + np.abs(b)
        return bool(np.all(np.abs(a - b) <= self.near * (size + 1e-3 * np.max(size))))


def diagnose(failure: Failure) -> Diagnosis:
    """The first cause that explains every number, in an order from the simplest to the least certain."""
    subject = failure.subject
    if len(subject.forward.order) == 1 and subject.title in ON_PURPOSE:
        return Diagnosis("purpose", f"{subject.title} has a gradient of its own on purpose: check the function without it")
    if all(not isfinite(e.rule) for e in failure.wrong):
        where = _where(failure) if len(failure.wrong) < len(failure.elements) else "everywhere"
        return Diagnosis("nan", f"{where}: the rule gives {failure.worst.rule} where the function has a slope")
    with np.errstate(all="ignore"):
        for cause in (_whole, _partial):
            found = cause(failure)
            if found is not None:
                return found
    rest = "neither a sign, a factor nor an order of axes explains it: a term is missing or wrong"
    return Diagnosis("term", rest, certain=False)


def _whole(failure: Failure) -> Diagnosis | None:
    """Causes that hold for all elements."""
    evidence = _gather(failure)
    if evidence is None:
        return None
    tests: Sequence[Callable[[Evidence], Diagnosis | None]] = (_nothing, _sign, _factor, _offset)
    if evidence.points:
        tests = (_nothing, _sign, _missing_sum, _factor, _transposed, _swapped, _offset, _term, _places)
    return next((found for test in tests if (found := test(evidence)) is not None), None)


def _gather(failure: Failure) -> Evidence | None:
    """The whole gradient, with more points where it has few elements; of a large one, the elements that were looked at."""
    near = 1e-8 if failure.precise else 1e-4
    if len(failure.elements) != failure.flow.size:
        rule, truth = np.array([e.rule for e in failure.elements]), np.array([e.slope.value for e in failure.elements])
        good = np.isfinite(rule) & np.isfinite(truth)
        return Evidence(failure, rule[good], truth[good], near) if good.any() else None
    shape = failure.flow.shape
    truth = np.reshape([e.slope.value for e in failure.elements], shape)
    points = [Point(failure.subject, failure.u, failure.flow, truth)]
    for seed in range(6):
        if failure.flow.size * len(points) >= FEW:
            break
        points += _another_point(failure, seed)
    rule, truth = (np.concatenate([getattr(point, name).ravel() for point in points]) for name in ("rule", "truth"))
    good = np.isfinite(rule) & np.isfinite(truth)
    near = near if len(points) == 1 else 1e-4
    return Evidence(failure, rule[good], truth[good], near, points) if good.any() else None


def _another_point(failure: Failure, seed: int) -> list[Point]:
    """The same numbers at inputs a little away, with other cotangents; nothing where the function is not finite there."""
    rng = np.random.default_rng(seed)
    subject = failure.subject
    arrays = [x + reach(x) * rng.uniform(-0.2, 0.2, x.shape) for x in subject.arrays]
    near = Subject(
        subject.title, subject.place, subject.outputs, subject.sources, arrays, subject.values, executor=subject.executor
    )  # fmt: skip
    if not all(np.isfinite(y).all() for y in near.at):
        return []
    u = near.random_cotangents(rng)
    return [Point(near, u, near.flow(u)[failure.input], true_gradient(near, failure.input, u, failure.noise))]


def true_gradient(subject: Subject, i: int, u: Sequence[Array], noise: float) -> Array:
    """Jᵀu for source `i` without the rules, element by element; NaN where no slope can be trusted, as near a kink."""
    result = np.zeros(subject.arrays[i].shape)
    for index in np.ndindex(result.shape):
        slope, scale, v = subject.element(i, index, u, noise)
        trusted = slope.error <= 1e-5 * scale + 10 * noise / slope.h
        result[index] = slope.value / v[index] if trusted else np.nan
    return result


# causes that hold for all elements -----------------------------------------------------------------------------------


def _nothing(e: Evidence) -> Diagnosis | None:
    if not np.any(e.rule) and np.any(e.truth):
        missing = e.failure.subject.rules[e.failure.input] is None
        how = "the rule has no cotangent for it (None, or an op without vjp cuts the path)" if missing else "the rule gives 0"
        return Diagnosis("none", f"nothing flows to this input: {how}")
    if np.any(e.rule) and np.max(np.abs(e.truth)) <= e.near * np.max(np.abs(e.rule)):
        return Diagnosis("extra", "the function does not depend on this input, and yet a gradient flows to it")
    return None


def _sign(e: Evidence) -> Diagnosis | None:
    return Diagnosis("sign", "everywhere −1 ×: the sign is wrong") if e.same(e.rule, -e.truth) else None


def _factor(e: Evidence) -> Diagnosis | None:
    c = float(np.sum(e.rule * e.truth) / np.sum(e.truth**2))
    if not isfinite(c) or e.truth.size < 2 or not e.same(e.rule, c * e.truth):
        return None
    said = f"everywhere {c:.6g} ×: a constant factor is wrong"
    sizes = {*e.failure.flow.shape, *(n for y in e.failure.subject.at for n in y.shape), e.failure.flow.size} - {0, 1}
    for n in sorted(sizes):
        for factor, what in ((n, "a sum where a mean belongs"), (1 / n, "a mean where a sum belongs")):
            if abs(c / factor - 1) < 1e-6:
                return Diagnosis("factor", f"{said}; {n} is a size here, so perhaps {what}")
    return Diagnosis("factor", said)


def _offset(e: Evidence) -> Diagnosis | None:
    """The same number is missing everywhere (at each point: it may go with the cotangent)."""
    missing = [(point.truth - point.rule).ravel() for point in e.points] or [e.truth - e.rule]
    if any(m.size < 3 or not e.same(m, np.full_like(m, m.mean())) for m in missing):
        return None
    return Diagnosis("offset", f"everywhere {missing[0].mean():.6g} too small: a constant term is missing")


def _transposed(e: Evidence) -> Diagnosis | None:
    failure = e.failure
    shape = failure.flow.shape
    if not 2 <= len(shape) <= 4 or failure.flow.size < 3:
        return None
    truth = e.points[0].truth
    for axes in list(permutations(range(len(shape))))[1:]:
        if e.same(failure.flow, truth.transpose(axes)):
            return Diagnosis("transposed", f"it is the right gradient with its axes in the order {axes}: transpose it")
    return None


def _swapped(e: Evidence) -> Diagnosis | None:
    """The gradient of another input, or that of the op with its operands exchanged."""
    failure, subject = e.failure, e.failure.subject
    if failure.flow.size < 2 and e.truth.size < 2:
        return None
    for j, other in enumerate(subject.arrays):
        if j == failure.input or other.size > MOST or other.size < 1:
            continue
        truth = true_gradient(subject, j, failure.u, failure.noise)
        for form, how in ((truth, ""), (truth.T, ", transposed")):
            if e.same(failure.flow, form):
                name = subject.sources[j].name
                return Diagnosis("swapped", f"it is the gradient of input {j} {name!r}{how}: the operands are swapped")
    exchanged = _exchanged(subject)
    if exchanged is not None and [y.shape for y in exchanged.at] == [y.shape for y in subject.at]:
        if e.same(failure.flow, true_gradient(exchanged, failure.input, failure.u, failure.noise)):
            return Diagnosis("swapped", "it is the gradient of the op with its operands swapped: exchange them in the rule")
    return None


def _exchanged(subject: Subject) -> Subject | None:
    """A single op with its two operands the other way round, at the same point."""
    if len(subject.forward.order) != 1 or len(subject.outputs[0].inputs) != 2:
        return None
    output = subject.outputs[0]
    try:
        twin = rebuilt(output, output.inputs[::-1])
        return Subject(subject.title, subject.place, [twin], subject.sources, subject.arrays, subject.values)
    except (AutographError, RuleError, ValueError):
        return None


def _missing_sum(e: Evidence) -> Diagnosis | None:
    """One slice of a broadcast axis where the sum over it belongs."""
    failure, subject = e.failure, e.failure.subject
    if len(subject.at) != 1:
        return None
    u, shape = failure.u[0], failure.flow.shape
    extra = u.ndim - len(shape)
    axes = [a for a in range(u.ndim) if u.shape[a] > 1 and (a < extra or shape[a - extra] == 1)] if extra >= 0 else []
    for chosen in [axes, *([a] for a in axes)] if axes else []:
        for position, which in ((0, "first"), (-1, "last")):
            mask = np.zeros(u.shape)
            mask[tuple(slice(position, position + 1 or None) if a in chosen else slice(None) for a in range(u.ndim))] = 1
            if e.same(failure.flow, true_gradient(subject, failure.input, [u * mask], failure.noise)):
                said = f"only the {which} slice of axis {chosen} counts: the sum over the broadcast axis is missing"
                return Diagnosis("sum", said)
    return None


def _term(e: Evidence) -> Diagnosis | None:
    """For elementwise ops: what is missing as a number times a product of cotangent, inputs and output."""
    subject, shape = e.failure.subject, e.failure.flow.shape
    if len(subject.at) != 1 or subject.at[0].shape != shape or any(x.shape not in (shape, ()) for x in subject.arrays):
        return None
    missing = np.concatenate([(point.truth - point.rule).ravel() for point in e.points])
    features: dict[str, list[Array]] = {}
    for point in e.points:
        for name, value in _products(point.subject):
            features.setdefault(name, []).append((point.u[0] * value).ravel())
    good = np.isfinite(missing)
    missing = missing[good]
    for name, parts in features.items():
        feature = np.concatenate(parts)[good]
        k = float(np.sum(missing * feature) / np.sum(feature**2))
        if missing.size > 2 and isfinite(k) and e.same(missing, k * feature):
            return Diagnosis("term", f"what is missing is {k:.6g} × {name}: a term is dropped or wrong")
    return None


def _products(subject: Subject) -> Iterable[tuple[str, Array]]:
    """Small products of the numbers at hand, named as in a rule: g is the cotangent, y the output."""
    y = subject.at[0]
    named = [("y", y), *((x.given_name or f"x{i}", a) for i, (x, a) in enumerate(zip(subject.sources, subject.arrays)))]
    yield "g", np.ones(y.shape)
    for name, value in named:
        yield f"g·{name}", value
    for k, (name, value) in enumerate(named):
        for other, more in named[k:]:
            yield (f"g·{name}²" if name == other else f"g·{name}·{other}"), value * more
    for name, value in named:
        yield f"g/{name}", 1 / value


def _places(e: Evidence) -> Diagnosis | None:
    rule, truth = e.points[0].rule.ravel(), e.points[0].truth.ravel()
    if rule.size >= 3 and e.same(np.sort(rule), np.sort(truth)):
        return Diagnosis("places", "the right numbers stand in other places: an order, an axis or an index is wrong")
    return None


# causes that hold for some -------------------------------------------------------------------------------------------


def _partial(failure: Failure) -> Diagnosis | None:
    """The same causes among the elements that are wrong, where others are right, and what sets these apart."""
    wrong = failure.wrong
    right = len(failure.elements) - len(wrong)
    if not right:
        return None
    rule, truth = np.array([e.rule for e in wrong]), np.array([e.slope.value for e in wrong])
    good = np.isfinite(rule) & np.isfinite(truth)
    if not good.all():
        return Diagnosis("nan", f"{_where(failure)}: the rule gives {rule[~good][0]} where the function has a slope")
    evidence = Evidence(failure, rule, truth, 1e-8 if failure.precise else 1e-4)
    for test in (_nothing, _sign, *([_factor] if len(wrong) > 2 else []), *([_offset] if len(wrong) > 2 else [])):
        found = test(evidence)
        if found is not None:
            sentence = found.sentence.removeprefix("everywhere ").replace("to this input", "there")
            return Diagnosis(found.kind, f"{_where(failure)}: {sentence}")
    return Diagnosis("term", f"{_where(failure)}: no sign or factor explains it: a term is missing or wrong", False)


def _where(failure: Failure) -> str:
    """The wrong elements by what sets them apart: the sign of x, or their place along an axis."""
    x = failure.subject.arrays[failure.input]
    wrong = {e.index for e in failure.wrong}
    rest = [e.index for e in failure.elements if not e.wrong]
    sides: list[tuple[str, Callable[[float], bool]]] = [
        ("x < 0", lambda t: t < 0), ("x > 0", lambda t: t > 0), ("x ≤ 0", lambda t: t <= 0), ("x ≥ 0", lambda t: t >= 0),
        ("x = 0", lambda t: t == 0), ("|x| > 1", lambda t: abs(t) > 1), ("|x| < 1", lambda t: abs(t) < 1),
    ]  # fmt: skip
    for name, holds in sides:
        if all(holds(float(x[i])) for i in wrong) and not any(holds(float(x[i])) for i in rest):
            return f"only where {name}"
    for axis in range(x.ndim):
        for position, name in ((0, "first"), (x.shape[axis] - 1, "last")):
            if all(i[axis] == position for i in wrong) and not any(i[axis] == position for i in rest):
                return f"only in the {name} place of axis {axis}"
    return f"in {len(wrong)} of {len(failure.elements)} elements"
