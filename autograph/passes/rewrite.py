"""Rewrites: a rule is a pattern that reads as algebra, or a function of one tensor, filed under the op it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from autograph.graph.graph import ancestors, on, same
from autograph.graph.tensor import Constant, Placeholder, Tensor, rebuilt
from autograph.origin import credit
from autograph.tensor_type import TensorType, as_dtype

Rewrite = Callable[[Tensor], Tensor | None]
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
        shape = pattern(*holes)

        def file(replacement: Callable[..., Tensor]) -> Callable[..., Tensor]:
            def matched(tensor: Tensor) -> Tensor | None:
                found: dict[Tensor, Tensor] = {}
                if not _matches(shape, tensor, found, set(holes)):
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
    orders = [tensor.inputs]
    if tensor.op.name in _COMMUTATIVE:
        orders.append(tensor.inputs[::-1])
    for inputs in orders:
        trial = dict(found)
        if all(_matches(p, t, trial, holes) for p, t in zip(pattern.inputs, inputs, strict=True)):
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
    settled: set[Tensor] = set()
    for _ in range(_ROUNDS):
        roots, changed = _one_round(roots, rules, settled)
        if not changed:
            break
    return roots


def _one_round(roots: list[Tensor], rules: Sequence[Rules], settled: set[Tensor]) -> tuple[list[Tensor], bool]:
    done: dict[Tensor, Tensor] = {}
    changed = False
    for tensor in ancestors(roots):
        inputs = tuple([done[source] for source in tensor.inputs])
        result = tensor
        if not same(inputs, tensor.inputs):
            alike = all(a.type == b.type for a, b in zip(inputs, tensor.inputs, strict=True))
            result = on(tensor, inputs) if alike else rebuilt(tensor, inputs)
        done[tensor] = _settled(result, rules, settled)
        changed = changed or done[tensor] is not result
    return [done[root] for root in roots], changed


def _settled(tensor: Tensor, rules: Sequence[Rules], settled: set[Tensor]) -> Tensor:
    """What the rules make of the tensor; `settled` gets those that none of them fits, so that each is asked about once."""
    for _ in range(8):  # each replacement is simpler than what it replaces; the bound guards against a rule that is not
        if tensor in settled:
            break
        changed = _once(tensor, rules)
        if changed is None:
            settled.add(tensor)
            break
        tensor = changed
    return tensor


def _once(tensor: Tensor, rules: Sequence[Rules]) -> Tensor | None:
    """What the first rule that fits makes of the tensor."""
    filed = [pair for book in rules for pair in book.by_op.get(tensor.op.name, ())]
    if not filed:
        return None
    read = {source.op.name for source in tensor.inputs}
    with credit(tensor.origin):
        for needed, rewrite in filed:
            result = rewrite(tensor) if needed <= read else None
            if result is not None and result is not tensor and result.dtype is tensor.dtype and result.shape == tensor.shape:
                return result
    return None
