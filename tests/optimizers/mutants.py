"""Wrong rules on purpose: the path of each must be another than that of the references.

    python -m tests.optimizers.mutants              every mutant of every rule
    python -m tests.optimizers.mutants Adam SOAP    those of some rules
    python -m tests.optimizers.mutants --each 7     every seventh

A mutant is a rule whose source has one thing wrong: two hyper-parameters exchanged, a slot that is not written, is read
before it is written or is forgotten afterwards, an ε that is left out or stands elsewhere, a sign, a term dropped, another
step number, another constant. It is killed where its path differs from the reference's in one of the settings of
`test_rules`, by more than these tests allow. One that takes the path of the right rule in these, and in others drawn by
chance, is equivalent in its path, and counted apart. The exit code is 1 if a mutant survives.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from types import FunctionType
from typing import Any

import numpy as np

from autograph import AutographError, maximum, minimum
from optimizers import ASGD, Muon, Optimizer
from optimizers.choices import Choice, Count, Start
from optimizers.hyperparameters import Flag, Hyper
from tests.mutation import asked, judged
from tests.optimizers.paths import Make, apart, path
from tests.optimizers.references import SHAPES, VECTORS, Array, walk
from tests.optimizers.test_rules import SETTINGS

PRECISION = 1e-12  # of test_a_path_is_that_of_plain_numpy
DRAWN = 4  # settings beside those of the tests, to tell the equivalent from what survives


@dataclass(frozen=True)
class Mutation:
    """What is done wrong, in which function, and where: the words are those that are printed."""

    kind: str
    function: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.function}: {self.what}"


# making mutants ------------------------------------------------------------------------------------------------------


def functions_of(rule: Make) -> dict[str, FunctionType]:
    """The functions that a rule is written in: `rule`, and what it calls of its own class and module."""
    found: dict[str, FunctionType] = {}
    todo = ["rule"]
    while todo:
        name = todo.pop()
        owner = next((c for c in rule.__mro__ if name in vars(c)), None)
        value = vars(owner).get(name) if owner else getattr(inspect.getmodule(rule), name, None)
        home = getattr(value, "__module__", "")
        if name in found or owner is Optimizer or not isinstance(value, FunctionType) or home != rule.__module__:
            continue
        found[name] = value
        calls = [node.func for node in ast.walk(tree_of(value)) if isinstance(node, ast.Call)]
        todo += [f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)]
    return found


@cache
def tree_of(function: FunctionType) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    tree.decorator_list, tree.returns = [], None
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return tree


Source = Callable[[], ast.FunctionDef]  # of a mutant, made when it is judged


def mutations(rule: Make) -> Iterator[tuple[Mutation, FunctionType, Source]]:
    """Everything that can be done wrong in a rule: what, in which function, and its source then."""
    numbers = [name for name, field in rule.hyperparameters.items() if isinstance(field, Hyper) and name in rule._own]
    for name, function in functions_of(rule).items():
        for kind, what, source in _wrong(tree_of(function), numbers):
            yield Mutation(kind, name, what), function, source


def _wrong(tree: ast.FunctionDef, numbers: Sequence[str]) -> Iterator[tuple[str, str, Source]]:
    read = [name for name in numbers if any(_is_number(node, name) for node in ast.walk(tree))]
    for a, b in combinations(read, 2):
        yield "exchanged", f"{a} and {b}", partial(_everywhere, tree, {a: b, b: a})
    for i, node in enumerate(ast.walk(tree)):
        for slot in [target.attr for target in getattr(node, "targets", ()) if _is_slot(target)]:
            yield "not written", f"s.{slot}", partial(_unwritten, tree, i, slot)
            yield "late", f"s.{slot}", partial(_late, tree, i, slot)
            yield "forgotten", f"s.{slot}", partial(_forgotten, tree, i, slot)
    for i, node in enumerate(ast.walk(tree)):
        for kind, new in _other_expressions(node):
            yield kind, f"{ast.unparse(node)} → {ast.unparse(new)}", partial(_replaced, tree, i, new)


def _is_number(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_slot(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "s"


def _everywhere(tree: ast.FunctionDef, names: dict[str, str]) -> ast.FunctionDef:
    wrong = copy.deepcopy(tree)
    for node in ast.walk(wrong):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            node.attr = names.get(node.attr, node.attr)
    return wrong


def _unwritten(tree: ast.FunctionDef, place: int, slot: str, name: str = "_value") -> ast.FunctionDef:
    """What is to be the slot's value goes to a variable: the slot holds what it held."""
    wrong = copy.deepcopy(tree)
    statement = list(ast.walk(wrong))[place]
    assert isinstance(statement, ast.Assign)
    aside: list[ast.expr] = [ast.Name(name, ast.Store())]
    statement.targets = [t for t in statement.targets if not (_is_slot(t) and ast.unparse(t) == f"s.{slot}")] + aside
    wrong.body.insert(0, ast.parse(f"{name} = None").body[0])
    return wrong


def _late(tree: ast.FunctionDef, place: int, slot: str) -> ast.FunctionDef:
    """The slot is written at the end: what reads it meanwhile reads its old value."""

    class Returns(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> Any:
            assert node.value is not None
            write = f"if _value is not None: s.{slot} = _value"
            before = ast.parse(f"_result = {ast.unparse(node.value)}\n{write}").body
            return [*before, ast.Return(ast.Name("_result", ast.Load()))]

    return ast.fix_missing_locations(Returns().visit(_unwritten(tree, place, slot)))


def _forgotten(tree: ast.FunctionDef, place: int, slot: str) -> ast.FunctionDef:
    """What follows reads the new value, and the slot does not keep it."""
    after = list(ast.walk(tree))[place].lineno  # type: ignore[attr-defined]  # a statement

    class Reads(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> Any:
            later = _is_slot(node) and node.attr == slot and isinstance(node.ctx, ast.Load) and node.lineno > after
            return ast.parse(f"s.{slot} if _value is None else _value").body[0].value if later else self.generic_visit(node)

    return ast.fix_missing_locations(Reads().visit(_unwritten(tree, place, slot)))


def _other_expressions(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What may stand wrongly in the place of an expression."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            yield "sign", ast.BinOp(left, ast.Sub() if isinstance(op, ast.Add) else ast.Add(), right)
            if not _is_epsilon(right):
                yield "dropped term", left
            yield "dropped term", right if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), right)
            if isinstance(op, ast.Add) and isinstance(left, ast.Call) and ast.unparse(left.func) == "sqrt":
                yield "moved ε", ast.Call(left.func, [ast.BinOp(left.args[0], ast.Add(), right)], [])
            elif isinstance(op, ast.Add) and _is_epsilon(right):
                two, half = ast.Constant(2), ast.Constant(0.5)
                yield "moved ε", ast.BinOp(ast.BinOp(ast.BinOp(left, ast.Pow(), two), ast.Add(), right), ast.Pow(), half)
        case ast.Call(ast.Name("sqrt") as root, [ast.BinOp(left, ast.Add(), right)]) if _is_epsilon(right):
            yield "moved ε", ast.BinOp(ast.Call(root, [left], []), ast.Add(), right)
        case ast.Attribute() if _is_epsilon(node):
            yield "no ε", ast.Constant(0.0)
        case ast.BinOp(left, ast.Mult(), right):
            yield "dropped factor", left
            yield "dropped factor", right
        case ast.BinOp(left, ast.Div(), right):
            yield "dropped factor", left
        case ast.Call(ast.Name("maximum" | "minimum" as name), arguments):
            other_name = "minimum" if name == "maximum" else "maximum"
            yield "exchanged", ast.Call(ast.Name(f"_{other_name}", ast.Load()), arguments, [])
            yield "dropped term", arguments[0]
            yield "dropped term", arguments[1]
        case ast.Call(ast.Name("square" | "sqrt" | "abs" | "sign"), [argument]):
            yield "dropped function", argument
        case ast.Attribute(ast.Name("self"), "t"):
            yield "another step", ast.BinOp(node, ast.Add(), ast.Constant(1))
        case ast.Constant(float() as number) if number:
            yield "another constant", ast.Constant(number * 1.01)


def _is_epsilon(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr.startswith("epsilon")


def _replaced(tree: ast.FunctionDef, number: int, new: ast.expr) -> ast.FunctionDef:
    """The tree with another expression in the place of its node of that number."""
    wrong = copy.deepcopy(tree)
    old = list(ast.walk(wrong))[number]

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return copy.deepcopy(new) if node is old else self.generic_visit(node)

    Replace().visit(wrong)
    return wrong


@contextmanager
def planted(rule: Make, mutation: Mutation, function: FunctionType, source: Source) -> Iterator[Make]:
    """The rule with a function of another source, for a while."""
    wrong = source()
    wrong.name = "mutant"
    scope = {**function.__globals__, "_minimum": minimum, "_maximum": maximum}
    exec(compile(ast.fix_missing_locations(ast.Module([wrong], [])), f"<{mutation}>", "exec"), scope)  # our own source
    made = scope["mutant"]
    if any(mutation.function in vars(c) for c in rule.__mro__):
        yield type(rule.__name__, (rule,), {mutation.function: made})
        return
    module = inspect.getmodule(rule)
    assert module is not None
    setattr(module, mutation.function, made)
    try:
        yield rule
    finally:
        setattr(module, mutation.function, function)


# judging them --------------------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What became of one mutant: killed, survived or equivalent; with what was seen."""

    rule: str
    mutation: Mutation
    outcome: str
    seen: str = ""


def rules() -> list[Make]:
    """Every rule of the table of tests."""
    return list(dict.fromkeys(rule for rule, _, _ in SETTINGS))


def drawn(rule: Make) -> list[dict[str, Any]]:
    """Settings by chance, in which every term has a part."""
    draw = np.random.default_rng(len(rule.__name__))
    found = []
    for i in range(DRAWN):
        settings: dict[str, Any] = {"lr": 0.02, "decay": 0.05}
        for name in rule._own - {"learning_rate", "steps", "probe", "every"}:
            field = rule.hyperparameters[name]
            if isinstance(field, Choice):
                settings[name] = field.words[i % len(field.words)]
            elif isinstance(field, Hyper):
                settings[name] = _number(field, float(draw.uniform(0.1, 0.9)))
            elif isinstance(field, Flag) and not isinstance(field, Count | Start) and isinstance(field.default, bool):
                settings[name] = bool((i >> (len(name) % 2)) % 2)
        found.append(settings | ({"probe": "rademacher", "every": 2} if "probe" in rule._own else {}))
    return found


def _number(field: Hyper, x: float) -> float:
    """A number within the bounds of a hyper-parameter."""
    return x if field.least <= 0 else field.least + x


def seen_of(rule: Make, kwargs: dict[str, Any], shapes: Any) -> list[Array]:
    """What the tests see of a rule: its path, and of ASGD, which steps as if there were none, the averages."""
    optimizer = rule(**kwargs)
    found = path(optimizer, shapes=shapes)
    return found + [optimizer.state()[f"average/{name}"] for name in "wb" if issubclass(rule, ASGD)]


def shapes_of(rule: Make) -> list[Any]:
    return [SHAPES] if rule is Muon else [SHAPES, VECTORS]


def judge(rule: Make, chosen: Callable[[int], bool]) -> Iterator[Verdict]:
    """The verdicts on the mutants of one rule; `chosen` says which of them, by number."""
    kept = {"kept": "average"} if rule is ASGD else {}
    rows = [(reference, kwargs) for one, reference, kwargs in SETTINGS if one is rule]
    places = shapes_of(rule)
    tested = [(kwargs, at, walk(one, shapes=at, **kept, **kwargs)) for at in places for one, kwargs in rows]
    usual: list[tuple[dict[str, Any], Any, list[Array]]] = []
    for number, (mutation, function, source) in enumerate(mutations(rule)):
        if not chosen(number):
            continue
        with planted(rule, mutation, function, source) as mutant:
            seen = next((what for row in tested if (what := _differs(mutant, *row, PRECISION))), "")
            if seen:
                yield Verdict(rule.__name__, mutation, "killed", seen)
                continue
        usual = usual or [(kwargs, at, seen_of(rule, kwargs, at)) for kwargs in drawn(rule) for at in places]
        with planted(rule, mutation, function, source) as mutant:
            seen = next((f"{row[:2]}: {what}" for row in usual if (what := _differs(mutant, *row, 1e-10))), "")
        yield Verdict(rule.__name__, mutation, "survived" if seen else "equivalent", seen)


def _differs(rule: Make, kwargs: dict[str, Any], shapes: Any, right: list[Array], precision: float) -> str:
    """How what is seen of a rule differs from what is right, or nothing."""
    try:
        with np.errstate(all="ignore"):
            away = apart(seen_of(rule, kwargs, shapes), right)
    except (AutographError, ArithmeticError, AttributeError, IndexError, NameError, TypeError, ValueError) as error:
        return type(error).__name__
    return "" if away <= precision else f"{away:.1e} away"


# the script ----------------------------------------------------------------------------------------------------------


def run(names: Iterable[str] = (), each: int = 1) -> list[Verdict]:
    """The verdicts on every `each`-th mutant of the named rules, or of all."""
    wanted = set(names)
    chosen = [rule for rule in rules() if not wanted or rule.__name__ in wanted]
    return judged(chosen, judge, each)


def main(arguments: Sequence[str]) -> int:
    options = asked(__doc__, "rules", arguments)
    verdicts = run(options.names, options.each)
    for v in verdicts:
        if options.verbose or v.outcome == "survived":
            print(f"{v.outcome:10} {v.rule}: {v.mutation}\n           {v.seen}")
    counts = Counter(v.outcome for v in verdicts)
    kinds = Counter(v.mutation.kind for v in verdicts)
    print(f"{len(verdicts)} mutants of {len({v.rule for v in verdicts})} rules: "
          + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))  # fmt: skip
    print("of these " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    return 1 if counts["survived"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
