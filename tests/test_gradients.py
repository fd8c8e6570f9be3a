"""What `gradients` refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest

from autograph import cast, gradients, placeholder, reduce_sum, variable
from autograph.errors import ArgumentError, ArgumentTypeError, AutographError, DTypeError, ShapeError

X = placeholder((None, 3), name="x")
W = variable([1.0, 2.0, 3.0], name="w")
LOSS = reduce_sum(X * W)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gradients(3.0, W), ArgumentTypeError, "the loss is 3.0, not a tensor"),
        (lambda: gradients([LOSS, 3.0], W), ArgumentTypeError, "the loss is 3.0, not a tensor"),
        (lambda: gradients(cast(LOSS, "int32"), W), DTypeError, "only floats"),
        (lambda: gradients(LOSS, [W, 1.0]), ArgumentTypeError, r"variables\[1\]"),
        (lambda: gradients(LOSS, cast(X, "int64")), DTypeError, "only floats"),
        (lambda: gradients(X * W, W), ShapeError, "one number"),
        (lambda: gradients([LOSS, LOSS], W, cotangents=[1.0]), ArgumentError, "one each"),
        (lambda: gradients(X * W, W, cotangents=[[1.0, 2.0]]), ShapeError, "cotangent"),
    ],
)
def test_a_call_without_meaning_is_refused(call: Any, error: type[AutographError], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
