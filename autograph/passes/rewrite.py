"""Rewrites: a rule is a pattern that reads as algebra, or a function of one tensor, filed under the op it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from autograph.graph.graph import ancestors, on
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Placeholder, Tensor, rebuilt
from autograph.origin import credit
from autograph.tensor_type import TensorType, as_dtype

Rewrite = Callable[[Tensor], Tensor | None]
Filed = dict[tuple[str, ...], list[Rewrite]]
_COMMUTATIVE = {"add", "multiply", "maximum", "minimum", "logical_and", "logical_or", "equal"}


class Rules:
    """Named rewrites, each filed under the op at the root of what it replaces."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.by_op: dict[str, list[tuple[frozenset[str], Rewrite]]] = {}  # ops that must be among the inputs, rewrite
        self.names: list[str] = []

    def on(self, *ops: str, reads: Iterable[str] = ()) -> Callable[[Rewrite], Rewrite]:
        """File a function that gives an equal tensor, or None where it does not apply.

        reads  names of ops that must be among the tensor's inputs: a quick way to say no
        """

        def file(function: Rewrite) -> Rewrite:
            for op in ops:
                self.by_op.setdefault(op, []).append((frozenset(reads), function))
            self.names.append(function.__name__)
            return function

        return file

    def rule(self, pattern: Callable[..., Tensor]) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
        """File a replacement for what `pattern` describes: its arguments are holes, any number in it that number."""
        code = pattern.__code__  # patterns are lambdas
        holes = [Placeholder(TensorType(as_dtype("float32"), ()), name) for name in code.co_varnames[: code.co_argcount]]
        shape, unbound = pattern(*holes), set[Tensor](holes)

        def file(replacement: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def matched(tensor: Tensor) -> Tensor | None:
                found: dict[Tensor, Tensor] = {}
                if not _matches(shape, tensor, found, unbound):
                    return None
                return replacement(*[found[hole] for hole in holes])

            matched.__name__ = replacement.__name__
            self.on(shape.op.name, reads=[x.op.name for x in shape.inputs if x not in holes])(matched)
            return replacement

        return file


def _matches(pattern: Tensor, tensor: Tensor, found: dict[Tensor, Tensor], holes: set[Tensor]) -> bool:
    """Whether the tensor has the pattern's form; `found` gets what each hole stands for. Patterns are a few ops deep."""
    if pattern in holes:
        return found.setdefault(pattern, tensor) is tensor
    if isinstance(pattern, Constant):
        return is_number(tensor, float(pattern.value))
    if pattern.op is not tensor.op or pattern.params != tensor.params:
        return False
    for inputs in (tensor.inputs, tensor.inputs[::-1])[: 2 if tensor.op.name in _COMMUTATIVE else 1]:
        trial = dict(found)
        for part, x in zip(pattern.inputs, inputs, strict=True):
            if not _matches(part, x, trial, holes):
                break
        else:
            found.update(trial)
            return True
    return False


def is_number(tensor: Tensor, number: float) -> bool:
    """Whether it is a constant that equals `number` everywhere."""
    if not isinstance(tensor, Constant):
        return False
    value = tensor.value
    return bool(value.item() == number) if value.size == 1 else value.size > 0 and bool(np.all(value == number))


_ROUNDS = 4  # over the graph: what a rule makes may fit another rule below its root


def rewritten(roots: Sequence[Tensor], rules: Sequence[Rules]) -> list[Tensor]:
    """`roots` with every rule applied wherever it fits, inputs before consumers, until none fits or rounds run out."""
    roots = list(roots)
    filed: Filed = {}
    settled: set[Tensor] = set()  # those that no rule fits: each is asked about once
    for _ in range(_ROUNDS):
        roots, changed = _one_round(roots, rules, filed, settled)
        if not changed:
            break
    return roots


def _one_round(
    roots: list[Tensor], rules: Sequence[Rules], filed: Filed, settled: set[Tensor]
) -> tuple[list[Tensor], bool]:
    new: dict[Tensor, Tensor] = {}
    kept = new.keys().isdisjoint
    changed = False
    for tensor in ancestors(roots):
        if tensor.op.kind is Kind.LEAF:
            continue
        result = tensor
        if not kept(tensor.inputs):
            inputs = tuple([new.get(source, source) for source in tensor.inputs])
            alike = all(a.type == b.type for a, b in zip(inputs, tensor.inputs, strict=True))
            result = on(tensor, inputs) if alike else rebuilt(tensor, inputs)
        simple = result
        for _ in range(8):  # each replacement is simpler than what it replaces; the bound guards against a rule that is not
            if simple in settled:
                break
            simpler = _once(simple, rules, filed)
            if simpler is None:
                settled.add(simple)
                break
            simple, changed = simpler, True
        if simple is not tensor:
            new[tensor] = simple
    return [new.get(root, root) for root in roots], changed


def _once(tensor: Tensor, rules: Sequence[Rules], filed: Filed) -> Tensor | None:
    """What the first rule that fits makes of the tensor; `filed` remembers which may, by its op and those of its inputs."""
    name, *read = key = (tensor.op.name, *[source.op.name for source in tensor.inputs])
    if key not in filed:
        filed[key] = [rewrite for book in rules for needed, rewrite in book.by_op.get(name, ()) if needed.issubset(read)]
    for rewrite in filed[key]:
        with credit(tensor.origin):
            result = rewrite(tensor)
        if result is not None and result is not tensor and result.dtype is tensor.dtype and result.shape == tensor.shape:
            return result
    return None
