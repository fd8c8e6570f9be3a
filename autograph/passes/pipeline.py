"""The order of the passes, read aloud."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from autograph.control import Body, with_bodies
from autograph.graph.tensor import Tensor
from autograph.passes.algebra import algebra, drop_masks, stretch_late
from autograph.passes.constants import fold_constants
from autograph.passes.loops import join_loops
from autograph.passes.rewrite import Rules, rewritten
from autograph.passes.sharing import share_common
from autograph.passes.stability import stability

Pass = Callable[[Sequence[Tensor]], list[Tensor]]


def rewriting(*rules: Rules) -> Pass:
    """The pass that applies these rules."""

    def run(roots: Sequence[Tensor]) -> list[Tensor]:
        return rewritten(roots, rules)

    run.__name__ = "_then_".join(book.name for book in rules)
    return run


_ALGEBRA = rewriting(algebra)
_STABLE = rewriting(stability, algebra)

SIMPLIFY: tuple[Pass, ...] = (share_common, fold_constants, _STABLE)  # on the graph as written, once a function
FINISH: tuple[Pass, ...] = (  # with every size known, once a signature
    stretch_late, fold_constants, _ALGEBRA, share_common, drop_masks, _ALGEBRA, fold_constants,
)  # fmt: skip


def simplify(roots: Sequence[Tensor], passes: Sequence[Pass] = SIMPLIFY) -> list[Tensor]:
    """Tensors equal to `roots`, computed with less; so are the graphs that ops among them hold."""

    @functools.cache  # the results of one op share its graph
    def simpler(body: Body) -> Body:
        return body._replace(outputs=tuple(simplify(body.outputs, passes)))

    roots = with_bodies(join_loops(roots), simpler)
    for run in passes:
        roots = run(roots)
    return join_loops(roots)  # what their graphs do not read any more, nobody makes
