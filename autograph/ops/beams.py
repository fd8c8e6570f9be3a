"""Beam search over the labellings that a sequence of scores of classes and of a blank may stand for."""

from __future__ import annotations

from typing import Any

from autograph.arguments import whole
from autograph.errors import ArgumentError, DTypeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.ops.elementwise import cast
from autograph.ops.gathering import index_tensor
from autograph.tensor_type import DTYPES, TensorType, shapes_agree

__all__ = ["ctc_beams"]


def _beams_type(scores: TensorType, lengths: TensorType, width: int, paths: int) -> TensorType:
    if scores.ndim != 3 or lengths.ndim != 1:
        raise ShapeError(f"scores {scores} and lengths {lengths}", fix="ranks 3 (n, time, classes) and 1 (n,) are needed")
    if not shapes_agree(scores.shape[:1], lengths.shape):
        raise ShapeError(f"scores {scores} and lengths {lengths} do not pair", fix="a length for each sequence")
    if scores.shape[2] == 0:
        raise ShapeError(f"scores {scores} have no class", fix="the last one is the blank")
    if scores.dtype.kind != "f":
        raise DTypeError(f"scores are {scores}", fix="they are logarithms of probabilities")
    time = scores.shape[1]
    return TensorType(DTYPES["float64"], (scores.shape[0], paths, None if time is None else 1 + time))


_BEAMS = register(Op(
    "ctc_beams",
    kind=Kind.INDEXING,
    infer=_beams_type,
    eval=lambda xp, scores, lengths, width, paths: xp.ctc_beams(scores, lengths, width, paths),
    operands=as_given,
    raises=True,
    doc="The likeliest labellings by beam search: for each path its log-probability, and then its labels.",
))


def ctc_beams(scores: Any, lengths: Any, width: int, paths: int = 1) -> tuple[Tensor, Tensor]:
    """The `paths` likeliest labellings of each sequence (the best first), and their log-probabilities.

    scores    logarithms of the probabilities of classes and, last, of a blank: (n, time, classes)
    lengths   how many steps of each sequence count: integers (n,)
    width     how many prefixes are kept from step to step; with all that there are the search is exact

    Labels are int64 (n, paths, time), -1 behind the last one; log-probabilities are float64 (n, paths), -inf where fewer
    labellings were found. A constant to gradients. Raises ArgumentError unless 1 ≤ paths ≤ width, ShapeError and DTypeError
    for other types, IndexRangeError for a length beyond the time.
    """
    kept, wanted = whole(width, "ctc_beams: the width", 1), whole(paths, "ctc_beams: the number of paths", 1)
    if wanted > kept:
        raise ArgumentError(f"ctc_beams: {wanted} paths of a beam of {kept}", fix="a width of at least the number of paths")
    found = apply(_BEAMS, as_tensor(scores), index_tensor(lengths, "lengths"), width=kept, paths=wanted)
    return cast(found[:, :, 1:], "int64"), found[:, :, 0]
