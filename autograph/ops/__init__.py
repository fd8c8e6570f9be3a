"""The primitives: each op's type rule, value and gradient in one paragraph, by subject."""

from autograph.ops import (
    barriers,
    comparison,
    contraction,
    elementwise,
    filling,
    indexing,
    movement,
    random,
    reduction,
    rounding,
    selection,
    special,
)

__all__ = [
    "barriers", "comparison", "contraction", "elementwise", "filling", "indexing", "movement", "random",
    "reduction", "rounding", "selection", "special",
]  # fmt: skip
