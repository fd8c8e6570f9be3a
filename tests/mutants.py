"""Wrong gradient rules on purpose: every one must be caught by `check_gradients`, and called by its name.

    python -m tests.mutants              every mutant of every differentiable op
    python -m tests.mutants tanh where   those of some ops
    python -m tests.mutants --each 7     every seventh

A mutant is an op whose `vjp` does one thing wrong: a sign, a factor, a term dropped, operands swapped, a sum over a
broadcast axis left out, nothing at all. One that gives the same numbers in every case drawn is equivalent, and counted
apart. The exit code is 1 if a mutant survives or is given a wrong diagnosis.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import autograph.ops  # noqa: F401  # fills the registry
from autograph.arrays import numpy_namespace
from autograph.errors import AutographError
from autograph.gradients import gradients
from autograph.graph.graph import ancestors, evaluate, substitute
from autograph.graph.op import REGISTRY, Kind, Op
from autograph.graph.tensor import Constant, Placeholder, Tensor, apply
from autograph.tensor_type import DTYPES, TensorType
from autograph.testing import GradientError, check_gradients
from autograph.testing.gradients import tensors_in
from tests.mutation import asked, judged
from tests.samples.define import Array, Case, Sample

CASES = 24  # drawn for each op
TRIED = 8  # of them, the ones with the most to tell, until a mutant differs
RIGHT = {
    "sign": {"sign"},
    "factor": {"factor"},
    "zero": {"none"},
    "no rule": {"none"},
    "swapped": {"swapped", "transposed"},
    "exchanged": {"swapped", "transposed", "places"},
    "dropped": {"term", "offset"},
    "unsummed": {"sum"},
}
EXCHANGEABLE = ("matmul", "contract")  # where the order of operands is all that tells two right-looking rules apart


@dataclass(frozen=True)
class Mutation:
    """What is done wrong (a key of RIGHT), to the cotangent of which input, and at which place in its expression."""

    kind: str
    input: int
    place: int = 0
    number: float = 0.0

    def __str__(self) -> str:
        detail = f" {self.number:g}" if self.number else (f" {self.place}" if self.place else "")
        return f"{self.kind}{detail} at input {self.input}"


# making mutants ------------------------------------------------------------------------------------------------------


def mutations(op: Op, g: Any, y: Tensor, inputs: Sequence[Tensor], params: dict[str, Any]) -> Iterator[Mutation]:
    """Everything that can be done wrong in the rule of this node."""
    assert op.vjp is not None
    terms = op.vjp(g, y, *inputs, **params)
    live = [i for i, term in enumerate(terms) if term is not None and inputs[i].type.is_float]
    for i in live:
        yield Mutation("sign", i)
        yield Mutation("factor", i, number=1.01)
        yield Mutation("factor", i, number=2.0)
        yield Mutation("zero", i)
        yield Mutation("no rule", i)
        if i + 1 in live and inputs[i].shape == inputs[i + 1].shape:
            yield Mutation("swapped", i)
        broadcasts = op.kind in (Kind.ELEMENTWISE, Kind.CONTRACTION) or op.name.startswith("broadcast")
        if broadcasts and _stretched(inputs[i], y):
            yield Mutation("unsummed", i)
        for place, node in enumerate(_inner(terms[i], g, y, inputs)):
            if node.op.name in ("add", "subtract"):
                yield Mutation("dropped", i, place, number=1)
                yield Mutation("dropped", i, place, number=2)
            if node.op.name in EXCHANGEABLE and _exchanged_shape(node) == node.shape:
                yield Mutation("exchanged", i, place)


def mutated(op: Op, mutation: Mutation) -> Callable[..., tuple[Any, ...]]:
    """The rule of the op with one thing wrong."""
    rule = op.vjp
    assert rule is not None

    def wrong(g: Any, y: Tensor, *inputs: Tensor, **params: Any) -> tuple[Any, ...]:
        terms = list(rule(g, y, *inputs, **params))
        i = mutation.input
        if i >= len(terms) or terms[i] is None:  # another node of the op, with fewer inputs
            return tuple(terms)
        match mutation.kind:
            case "sign":
                terms[i] = -terms[i]
            case "factor":
                terms[i] = mutation.number * terms[i]
            case "zero":
                terms[i] = terms[i] * 0
            case "no rule":
                terms[i] = None
            case "swapped":
                terms[i], terms[i + 1] = terms[i + 1], terms[i]
            case "unsummed":
                first = np.zeros([1 if n is None else n for n in y.shape])
                first[tuple(slice(0, 1) if a in _stretched(inputs[i], y) else slice(None) for a in range(y.ndim))] = 1
                terms[i] = rule(g * Constant(first), y, *inputs, **params)[i]
            case _:
                nodes = _inner(terms[i], g, y, inputs)[mutation.place : mutation.place + 1]  # none where it was simpler
                terms[i] = substitute([terms[i]], {node: _wrong_node(node, mutation) for node in nodes})[0]
        return tuple(terms)

    return wrong


def _wrong_node(node: Tensor, mutation: Mutation) -> Tensor:
    if len(node.inputs) != 2:
        return node
    a, b = node.inputs
    if mutation.kind == "exchanged":
        return apply(node.op, b, a, **node.params)
    kept = a if mutation.number == 1 else (-b if node.op.name == "subtract" else b)
    return kept if kept.shape == node.shape else kept + 0 * node


def _exchanged_shape(node: Tensor) -> Any:
    try:
        return node.op.infer(*[x.type for x in node.inputs[::-1]], **node.params).shape
    except AutographError:
        return None


def _inner(term: Tensor, g: Any, y: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The nodes of a rule's own expression: between its cotangent and what it was given."""
    given_ = {*(g.values() if isinstance(g, dict) else [g]), y, *inputs}
    return [t for t in ancestors([term], stop=given_) if t not in given_ and t.inputs]


def _stretched(x: Tensor, y: Tensor) -> list[int]:
    """The axes of y along which x was broadcast, if the op broadcasts at all."""
    extra = y.ndim - x.ndim
    if extra < 0 or any(m not in (1, n) for m, n in zip(x.shape, y.shape[extra:], strict=True)):
        return []
    return [a for a in range(y.ndim) if (y.shape[a] or 0) > 1 and (a < extra or x.shape[a - extra] == 1)]


@contextmanager
def planted(op: Op, rule: Callable[..., tuple[Any, ...]]) -> Iterator[None]:
    """The op with another rule, for a while."""
    right = op.vjp
    object.__setattr__(op, "vjp", rule)
    try:
        yield
    finally:
        object.__setattr__(op, "vjp", right)


# judging them --------------------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What became of one mutant: killed, misnamed, survived or equivalent; with what was said."""

    op: str
    mutation: Mutation
    outcome: str
    said: str = ""


def samples() -> list[Sample]:
    """The samples of differentiable ops."""
    home = Path(__file__).parent / "samples"
    names = sorted(path.stem for path in home.glob("*.py") if path.stem not in ("__init__", "define"))
    return [s for name in names for s in import_module(f"tests.samples.{name}").SAMPLES if s.differentiable]


def telling_cases(sample: Sample) -> list[Case]:
    """Cases of the sample, those with most to tell first: several elements, but not hundreds."""
    found: list[Case] = []

    @settings(max_examples=CASES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(sample.cases)
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    smooth = [case for case in found if case.smooth and all(a.size for a in case.arrays)]
    return sorted(smooth, key=lambda case: abs(sum(a.size for a in case.arrays) - 30))[:TRIED]


class Site:
    """A case built, with the node of the op in it."""

    def __init__(self, case: Case, op: Op) -> None:
        self.case, self.op = case, op
        self.leaves = [Placeholder(TensorType(DTYPES[a.dtype.name], a.shape), f"x{i}") for i, a in enumerate(case.arrays)]
        self.output = tensors_in(case.build(*self.leaves))[0]
        self.nodes = [t for t in ancestors([self.output]) if t.op is op]

    def mutations(self) -> list[Mutation]:
        """What can be done wrong here; nothing where the case does not hold the op, or its output is not float."""
        if not self.nodes or not self.output.type.is_float:
            return []
        y = self.nodes[0]
        g = Placeholder(TensorType(y.dtype, y.shape), "g")
        return list(mutations(self.op, {y.params["result"]: g} if self.op.several else g, y, y.inputs, y.params))

    def flows(self) -> list[Array]:
        """The gradients by the rules in force."""
        floats = [i for i, a in enumerate(self.case.arrays) if a.dtype.kind == "f"]
        values = {**dict(zip(self.leaves, self.case.arrays, strict=True))}
        values |= {t: t.get_value() for t in ancestors([self.output]) if hasattr(t, "register")}
        with np.errstate(all="ignore"):
            y = np.asarray(evaluate([self.output], values, numpy_namespace)[0])
            rng = np.random.default_rng(y.size)
            u = rng.uniform(0.5, 1.5, y.shape) * rng.choice((-1.0, 1.0), y.shape)
            rules = gradients(self.output, [self.leaves[i] for i in floats], cotangents=u)
            live = iter(evaluate([rule for rule in rules if rule is not None], values, numpy_namespace))
        shapes = [self.case.arrays[i].shape for i in floats]
        return [np.zeros(s) if rule is None else np.asarray(next(live)) for rule, s in zip(rules, shapes, strict=True)]


def judge(sample: Sample, chosen: Callable[[int], bool]) -> Iterator[Verdict]:
    """The verdicts on the mutants of one op; `chosen` says which of them, by number."""
    op = REGISTRY[sample.op]
    if op.vjp is None:
        return
    sites = [Site(case, op) for case in telling_cases(sample)]
    possible: dict[Mutation, list[Site]] = {}
    for site in sites:
        for mutation in site.mutations():
            possible.setdefault(mutation, []).append(site)
    for number, (mutation, places) in enumerate(possible.items()):
        if chosen(number):
            yield _verdict(op, mutation, places)


def _verdict(op: Op, mutation: Mutation, sites: Sequence[Site]) -> Verdict:
    for site in sites:
        right = site.flows()
        with planted(op, mutated(op, mutation)):
            try:
                wrong = site.flows()
            except (AutographError, ValueError, TypeError, IndexError):
                wrong = None
            if wrong is not None and [a.shape for a in wrong] != [a.shape for a in right]:
                wrong = None
            if wrong is not None and all(map(_equal, right, wrong)):
                continue
            try:
                check_gradients(site.case.build, *site.case.arrays)
            except GradientError as error:
                kind = error.diagnosis.kind
                named = wrong is None or kind in RIGHT[mutation.kind] | _also_true(right, wrong)
                named = named or (mutation.kind == "exchanged" and kind == "term" and op.name not in EXCHANGEABLE)
                return Verdict(op.name, mutation, "killed" if named else "misnamed", f"{kind}: {error}")
            return Verdict(op.name, mutation, "survived", f"shapes {[a.shape for a in site.case.arrays]}")
    return Verdict(op.name, mutation, "equivalent")


def _equal(a: Array, b: Array) -> bool:
    """Whether two gradients are the same number for number, or differ only where one is not finite."""
    size = np.max(np.abs(a), initial=0, where=np.isfinite(a))
    with np.errstate(all="ignore"):
        return bool(np.all((np.abs(a - b) <= 1e-7 * np.abs(a) + 1e-9 * size) | ~np.isfinite(a - b)))


def _also_true(right: Sequence[Array], wrong: Sequence[Array]) -> set[str]:
    """Other names that fit the numbers as well: a term dropped may leave the gradient with its sign changed."""
    names: set[str] = set()
    for a, b in zip(right, wrong, strict=True):
        with np.errstate(all="ignore"):
            differs = ~(np.abs(a - b) <= 1e-7 * np.abs(a))
        p, q = a[differs], b[differs]
        if not p.size:
            continue
        names |= {"sign"} if _equal(-p, q) else set()
        names |= {"none"} if not q.any() else set()
        names |= {"extra"} if not p.any() else set()
        names |= {"factor"} if p.any() and _equal(np.sum(p * q) / np.sum(p * p) * p, q) else set()
        names |= {"places"} if _equal(np.sort(a.ravel()), np.sort(b.ravel())) else set()
        names |= {"swapped"} if any(c.shape == b.shape and _equal(c, b) for c in right if c is not a) else set()
        names |= {"nan"} if not np.isfinite(q).all() else set()
    return names


# the script ----------------------------------------------------------------------------------------------------------


def run(names: Iterable[str] = (), each: int = 1) -> list[Verdict]:
    """The verdicts on every `each`-th mutant of the named ops, or of all."""
    wanted = set(names)
    chosen = [sample for sample in samples() if not wanted or sample.op in wanted]
    return judged(chosen, judge, each)


def main(arguments: Sequence[str]) -> int:
    options = asked(__doc__, "ops", arguments)
    verdicts = run(options.names, options.each)
    for v in verdicts:
        if options.verbose or v.outcome in ("survived", "misnamed"):
            print(f"{v.outcome:10} {v.op}: {v.mutation}\n           {v.said}")
    counts = Counter(v.outcome for v in verdicts)
    ops = len({v.op for v in verdicts})
    print(f"{len(verdicts)} mutants of {ops} ops: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
    return 1 if counts["survived"] or counts["misnamed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
