"""Einstein's sum: axes by letters. Everything reduces to diagonals, sums, and contractions of two tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.arguments import shown
from autograph.errors import ArgumentError, ArgumentTypeError, ShapeError
from autograph.graph.op import promoted
from autograph.graph.tensor import Tensor, as_tensor, cast_literal
from autograph.ops.contraction import LETTERS, contract
from autograph.ops.diagonal import diagonal_of_square
from autograph.ops.movement import squeeze_at, transpose
from autograph.ops.reduction import reduce_sum

__all__ = ["einsum"]

Labelled = tuple[str, Tensor]  # one letter an axis


def einsum(subscripts: Any, *operands: Any) -> Tensor:
    """Σ of products by letters, as `numpy.einsum`: `einsum("ij,jk->ik", a, b)` is the matrix product.

    A letter twice in one operand takes its diagonal; a letter that the result lacks is summed over; `...` stands for
    axes that broadcast. Without `->` the result has the letters that come once, in the order of the alphabet. Several
    operands are contracted two by two, in the cheapest order where all sizes are known, else from the left.

    A size summed over must be equal in all operands, or known to be 1. Raises ArgumentError for subscripts that have no
    meaning, ShapeError where they do not fit the operands.
    """
    if not isinstance(subscripts, str):
        what = f"einsum: the subscripts come first, as text, not {shown(subscripts)}"
        raise ArgumentTypeError(what, fix='einsum("ij,jk->ik", a, b)')
    terms, out = _parse(subscripts, [as_tensor(x) for x in operands])
    dtypes = promoted([tensor.type for _, tensor in terms])
    terms = [_squared(labels, cast_literal(x, d)) for (labels, x), d in zip(terms, dtypes)]
    for left, right in _order(terms, out):
        first, second = terms[left], terms[right]
        rest = [term for i, term in enumerate(terms) if i not in (left, right)]
        terms = [*rest, _pair(first, second, _needed(rest, out))]
    labels, result = _summed(terms[0], out)
    return result if labels == out else transpose(result, [labels.index(c) for c in out])


# reading -------------------------------------------------------------------------------------------------------------

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def _parse(subscripts: str, operands: Sequence[Tensor]) -> tuple[list[Labelled], str]:
    """Each operand with a letter for each of its axes, and the letters of the result."""
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    parts = inputs.split(",")
    for part in (*parts, out):
        if not _TERM.fullmatch(part):
            raise ArgumentError(f"einsum: {part!r} in {subscripts!r} is no list of letters", fix='as in "...ij,jk->...ik"')
    if len(parts) != len(operands):
        what = f"einsum: {subscripts!r} is of {len(parts)} operands, and {len(operands)} are given"
        raise ArgumentError(what, fix="a comma parts the operands")
    unused = [c for c in LETTERS if c not in subscripts]
    terms = [_lettered(part, x, unused, i, subscripts) for i, (part, x) in enumerate(zip(parts, operands))]
    dots = max([_dots(part, x, unused) for part, x in zip(parts, operands)], key=len)
    given = "".join(parts).replace(".", "")
    if not arrow:
        return terms, dots + "".join(sorted(c for c in set(given) if given.count(c) == 1))
    if dots and "..." not in out:
        raise ArgumentError(f"einsum: the result of {subscripts!r} lacks the axes of `...`", fix="put `...` behind ->")
    for letter in out.replace(".", ""):
        if letter not in given:
            what = f"einsum: {letter!r} of the result is in no operand of {subscripts!r}"
            raise ArgumentError(what, fix="every letter comes from an operand")
        if out.count(letter) > 1:
            what = f"einsum: {letter!r} comes twice in the result of {subscripts!r}"
            raise ArgumentError(what, fix="name it once, and use diag")
    return terms, out.replace("...", dots)


def _dots(part: str, x: Tensor, unused: list[str]) -> str:
    """The letters that stand for the `...` of one operand: equal for axes that broadcast together."""
    count = x.ndim - len(part.replace("...", ""))
    return "".join(unused[:count][::-1]) if "..." in part and count > 0 else ""


def _lettered(part: str, x: Tensor, unused: list[str], place: int, subscripts: str) -> Labelled:
    labels = part.replace("...", _dots(part, x, unused))
    if len(labels) != x.ndim:
        raise ShapeError(
            f"einsum: {part!r} in {subscripts!r} names {len(labels)} axes, and operand {place} is {x.describe()}",
            fix="give each axis a letter, or put `...` for those that broadcast",
        )
    return labels, x


# computing -----------------------------------------------------------------------------------------------------------


def _squared(labels: str, x: Tensor) -> Labelled:
    """Every letter once: where one comes twice, the diagonal."""
    for letter in dict.fromkeys(labels):
        while labels.count(letter) > 1:
            one = labels.index(letter)
            two = labels.index(letter, one + 1)
            x = diagonal_of_square(x, one, two)
            labels = labels[:one] + labels[one + 1 : two] + labels[two + 1 :] + letter
    return labels, x


def _summed(term: Labelled, needed: str) -> Labelled:
    """Without the letters that nothing else needs."""
    labels, x = term
    axes = [axis for axis, letter in enumerate(labels) if letter not in needed]
    return "".join(c for c in labels if c in needed), reduce_sum(x, axes) if axes else x


def _needed(terms: Sequence[Labelled], out: str) -> str:
    return out + "".join(labels for labels, _ in terms)


def _pair(first: Labelled, second: Labelled, needed: str) -> Labelled:
    """Two operands contracted; what they share and nothing else needs is summed over."""
    for letter in [c for c in first[0] if c in second[0] and c not in needed]:
        sizes = [x.shape[labels.index(letter)] for labels, x in (first, second)]
        if sizes[0] == 1 != sizes[1]:
            first = _without(first, letter)
        elif sizes[1] == 1 != sizes[0]:
            second = _without(second, letter)
    first, second = _summed(first, second[0] + needed), _summed(second, first[0] + needed)
    out = "".join(dict.fromkeys(c for c in first[0] + second[0] if c in needed))
    return out, contract(f"{first[0]},{second[0]}->{out}", first[1], second[1])


def _without(term: Labelled, letter: str) -> Labelled:
    labels, x = term
    return labels.replace(letter, ""), squeeze_at(x, (labels.index(letter),))


def _order(terms: Sequence[Labelled], out: str) -> list[tuple[int, int]]:
    """Which two operands meet at each step, by place among those still there; what they give is appended."""
    if len(terms) > 2 and all(x.type.is_static for _, x in terms):
        shapes = [np.broadcast_to(np.int8(0), x.shape) for _, x in terms]  # type: ignore[arg-type]  # they are known
        text = f"{','.join(labels for labels, _ in terms)}->{out}"
        path = np.einsum_path(text, *shapes, optimize="greedy")[0][1:]
        if all(len(step) == 2 for step in path):
            return [(min(step), max(step)) for step in path]
    # What the first two give stands last: it meets the next one at the front.
    return [(0, 1), *[(0, count - 1) for count in range(len(terms) - 1, 1, -1)]] if len(terms) > 1 else []
