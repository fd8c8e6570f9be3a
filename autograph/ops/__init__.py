"""The primitives: each op's type rule, value and gradient in one paragraph, by subject."""

from autograph.ops import (
    barriers,
    beams,
    comparison,
    contraction,
    convolution,
    cumulative,
    custom,
    diagonal,
    effects,
    einsum,
    elementwise,
    filling,
    gathering,
    guard,
    indexing,
    joining,
    linear_algebra,
    movement,
    norms,
    pooling,
    random,
    ranges,
    reduction,
    rounding,
    rows,
    selection,
    shape,
    sorting,
    special,
)

__all__ = [
    "barriers", "beams", "comparison", "contraction", "convolution", "cumulative", "custom", "diagonal", "effects", "einsum",
    "elementwise", "filling", "gathering", "guard", "indexing", "joining", "linear_algebra", "movement", "norms", "pooling",
    "random", "ranges", "reduction", "rounding", "rows", "selection", "shape", "sorting", "special",
]  # fmt: skip
