"""What is passed beside tensors: read in one way, and named in messages so that a person knows it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph.arguments import as_name, choice, items, listed, misfit, number, several, shown, truth, whole

W = ag.variable(np.ones((2, 3)), name="w")
Error = type[ag.AutographError]


class Frame:
    """What a table of another library looks like: it has a `describe`, and says other things by it."""

    def describe(self) -> str:
        raise AssertionError("nobody asked")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), (True, "True"), (3, "3"), (1.5, "1.5"), ("abc", "'abc'"), (b"x", "b'x'"), (..., "Ellipsis"), (2j, "2j"),
        ("a" * 99, f"'{'a' * 59}…"), pytest.param(10**5000, "a whole number of 16,610 bits", id="huge"),
        (np.float32(2.5), "2.5"), (np.array(7), "7"),
        (np.ones((2, 3)), "an array float64[2, 3]"), (np.array([None]), "an array object[1]"), ([1, None], "[1, None]"),
        ((1, "a"), "(1, 'a')"), ([0] * 9, "[0, 0, 0, 0, 0, 0, …]"), ([[[W]]], "[[a list]]"), (int, "the class int"),
        (len, "the function len"), (object(), "an object"), (Frame(), "a Frame"), ({"a": 1}, "{'a': 1}"),
        ({i: i for i in range(99)}, "a dict"), (slice(1, 2), "slice(1, 2, None)"), (W, W.describe()), ([W], f"[{W.describe()}]"),
        (iter([1]), "a list_iterator"), (np.dtype("int8"), "dtype('int8')"),
    ],
)  # fmt: skip
def test_a_value_is_called_by_what_it_is_and_never_by_its_address(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: whole(1.0, "n"), ag.ArgumentError, "n is 1.0, not a whole number"),
        (lambda: whole(True, "n"), ag.ArgumentError, "n is True"),
        (lambda: whole(np.bool_(1), "n"), ag.ArgumentError, "n is True"),
        (lambda: whole(W, "n"), ag.ArgumentError, "n is variable 'w'"),
        (lambda: whole(-1, "n", 0), ag.ArgumentError, "n is -1, not a whole number ≥ 0"),
        (lambda: whole(2**63, "n"), ag.ArgumentError, "beyond 64 bits"),
        (lambda: number("1", "x"), ag.ArgumentTypeError, "x is '1', not a number"),
        (lambda: number(True, "x"), ag.ArgumentTypeError, "x is True"),
        (lambda: number(np.ones(1), "x"), ag.ArgumentTypeError, "an array"),
        (lambda: number(np.nan, "x"), ag.ArgumentError, "x is nan, not a finite number"),
        (lambda: number(10**999, "x"), ag.ArgumentError, "bits, not a finite number"),
        (lambda: truth(2, "keepdims"), ag.ArgumentTypeError, "keepdims is 2, not True or False"),
        (lambda: truth(None, "keepdims"), ag.ArgumentTypeError, "keepdims is None"),
        (lambda: truth(np.ones(2), "keepdims"), ag.ArgumentTypeError, "keepdims is an array"),
        (lambda: truth(W, "keepdims"), ag.ArgumentTypeError, "keepdims is variable 'w'"),
        (lambda: listed(W, "params", "pass a list"), ag.ArgumentTypeError, "params is variable 'w'.*not a list"),
        (lambda: listed("ab", "params", "pass a list"), ag.ArgumentTypeError, "params is 'ab', not a list"),
        (lambda: listed({1, 2}, "params", "pass a list"), ag.ArgumentTypeError, "not a list"),
        (lambda: listed({1: 2}, "params", "pass a list"), ag.ArgumentTypeError, "not a list"),
        (lambda: listed(np.array(1), "params", "pass a list"), ag.ArgumentTypeError, "params is 1, not a list"),
        (lambda: choice("mode", "egde", ("edge", "same")), ag.ArgumentError, "mode='egde' is unknown; did you mean 'edge'"),
        (lambda: choice("mode", 3, ("edge", "same")), ag.ArgumentError, "mode=3 is unknown"),
        (lambda: as_name(3), ag.ArgumentTypeError, "the name is 3, not text"),
    ],
)
def test_what_is_refused(call: Callable[[], Any], error: Error, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        call()
    assert caught.value.fix and "test_arguments.py" in caught.value.where


def test_what_is_taken() -> None:
    assert [whole(n, "n") for n in (3, np.int8(3), np.array(3), -(2**63))] == [3, 3, 3, -(2**63)]
    assert [number(x, "x") for x in (1, 2.5, np.float16(0.5), np.array(4))] == [1, 2.5, 0.5, 4]
    assert [truth(t, "t") for t in (True, 0, np.bool_(1), np.int64(0))] == [True, False, True, False]
    assert [listed(i, "i", "") for i in ((1, 2), range(2), np.arange(2), iter("ab"))] == [[1, 2], [0, 1], [0, 1], ["a", "b"]]
    assert [items(i) for i in (3, [3], "ab", np.array(3), W)] == [[3], [3], ["ab"], [np.array(3)], [W]]
    assert [several(i) for i in ([], (), {1}, np.ones(1), "ab", b"", 3, None, np.array(3), W)] == [True] * 4 + [False] * 6
    assert as_name(None) is None and as_name("w") == "w"


@pytest.mark.parametrize(
    ("values", "dtype", "odd"),
    [
        ([1.0, 2.5], "int8", "2.5 at [1], which is not whole"), ([np.nan], "int64", "nan at [0], which is not whole"),
        ([2.0**63], "int64", "9.223372036854776e+18 at [0], outside -9223372036854775808..9223372036854775807"),
        ([[1, 300]], "uint8", "300 at [0, 1], outside 0..255"), ([-1], "uint64", "-1 at [0], outside 0..18446744073709551615"),
        (np.array([2**63], "uint64"), "int64", f"{2**63} at [0], outside {-(2**63)}..{2**63 - 1}"),
        ([2], "bool", "2 at [0], outside 0..1"), (7.5, "int32", "7.5, which is not whole"),
        ([255.0, 0], "uint8", ""), ([1, 0], "bool", ""), ([1e300], "float32", ""), ([True], "int8", ""), ([], "int8", ""),
    ],
)  # fmt: skip
def test_numbers_that_a_dtype_cannot_hold_are_found_with_their_place(values: Any, dtype: str, odd: str) -> None:
    assert misfit(np.asarray(values), np.dtype(dtype)) == odd
    if odd:
        with pytest.raises(ag.DTypeError, match="cannot hold"):
            ag.variable(values, dtype=dtype)
        with pytest.raises(ag.DTypeError, match="cannot hold"):
            ag.constant(values, dtype=dtype)
