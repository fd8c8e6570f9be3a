"""Steps that have a kernel of their own: how one is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autograph.executors.native import language
from autograph.executors.numpy.values import Place, Value, stand_in
from autograph.tensor_type import DType


class Written(NamedTuple):
    """A kernel for one step, on arrays in C order.

    words   what it is called with: whole numbers, and values for their addresses
    work    arrays that it needs on the way, which are among the words
    effort  about as many simple calls on each number
    """

    text: str
    words: list[int | Value]
    work: Sequence[Value]
    effort: int = 1


def written(
    kernel: Callable[..., Any], *words: int | Value | tuple[Value, str], work: Sequence[Value] = (), effort: int = 1
) -> Written:
    """The kernel that a function describes, for these words; a value is read in its own type, or in the one beside it."""
    types = []
    plain: list[int | Value] = []
    for word in words:
        value, type = word if isinstance(word, tuple) else (word, "")
        if isinstance(value, Value):
            types.append(type or value.dtype.str[1:])
        plain.append(value)
    return Written(language.text(kernel, tuple(types)), plain, work, effort)


def scratch(dtype: DType, size: int) -> Value:
    """An array for numbers on the way."""
    return Value(Place.SCRATCH, dtype, (size,), layout=stand_in(dtype, (size,)))
