"""Comparisons, logic and tests: booleans out, so that gradients stop here. Every operand broadcasts."""

from __future__ import annotations

from autograph.errors import DTypeError
from autograph.graph.op import as_given
from autograph.ops.define import boolean_type, elementwise
from autograph.tensor_type import TensorType

__all__ = [
    "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "logical_and",
    "logical_not", "logical_or", "logical_xor", "not_equal",
]  # fmt: skip

# Operands of two dtypes are compared in the dtype where they meet; NaN is neither less, equal nor greater.

equal         = elementwise("equal", "a = b", inputs="a b", infer=boolean_type)
not_equal     = elementwise("not_equal", "a ≠ b", inputs="a b", infer=boolean_type)
less          = elementwise("less", "a < b", inputs="a b", infer=boolean_type)
less_equal    = elementwise("less_equal", "a ≤ b", inputs="a b", infer=boolean_type)
greater       = elementwise("greater", "a > b", inputs="a b", infer=boolean_type)
greater_equal = elementwise("greater_equal", "a ≥ b", inputs="a b", infer=boolean_type)

isnan    = elementwise("isnan", "Whether x is NaN.", infer=boolean_type)
isinf    = elementwise("isinf", "Whether x is infinite.", infer=boolean_type)
isfinite = elementwise("isfinite", "Whether x is neither infinite nor NaN.", infer=boolean_type)


def booleans(*types: TensorType) -> TensorType:
    """Booleans of booleans. Raises DTypeError for numbers: whether `&` should mean bits or truth, they do not say."""
    for type in types:
        if type.dtype.kind != "b":
            raise DTypeError(f"needs booleans, got {type}", fix='compare first (x > 0), or cast(x, "bool")')
    return boolean_type(*types)


logical_and = elementwise("logical_and", "a and b, of booleans", inputs="a b", operands=as_given, infer=booleans)
logical_or  = elementwise("logical_or", "a or b, of booleans", inputs="a b", operands=as_given, infer=booleans)
logical_xor = elementwise("logical_xor", "either a or b, of booleans", inputs="a b", operands=as_given, infer=booleans)
logical_not = elementwise("logical_not", "not x, of booleans", operands=as_given, infer=booleans)
