"""Samples of contraction: the matrix product, and the contraction of named axes that dot, tensordot and einsum become."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError
from autograph.graph.tensor import placeholder
from autograph.ops.contraction import batch_dot, contract, dot, inner, matmul, outer, tensordot, vecdot
from autograph.ops.einsum import einsum
from tests.samples.define import Array, Case, Sample, values

a, b = placeholder((None, 3)), placeholder((4, 5))


def _product(x: Array, y: Array) -> Array:
    """The matrix product by a broadcast product and one exact sum an element."""
    rows = x[None, :] if x.ndim == 1 else x
    columns = y[:, None] if y.ndim == 1 else y
    terms = rows[..., :, None, :] * np.swapaxes(columns, -1, -2)[..., None, :, :]
    total = np.array([math.fsum(line) for line in terms.reshape(-1, terms.shape[-1])] if terms.size else 0.0)
    full = np.broadcast_to(0.0, terms.shape[:-1]) + (total.reshape(terms.shape[:-1]) if terms.size else 0.0)
    full = full[..., 0, :] if x.ndim == 1 else full
    return full[..., 0] if y.ndim == 1 else full


@st.composite
def _matmul(draw: st.DrawFn) -> Case:
    found = draw(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, min_side=0, max_side=4))
    x, y = [draw(values(shape)) for shape in found.input_shapes]
    operator = draw(st.booleans())
    build = (lambda x, y: x @ y) if operator else matmul
    return Case(build, (x, y), _product, lambda torch, x, y: torch.matmul(x, y), analytic=True)


def _lettered(texts: tuple[str, ...], build: Any) -> st.SearchStrategy[Case]:
    """Cases of subscripts with two operands or more, each letter with a size from 0 to 3."""

    @st.composite
    def case(draw: st.DrawFn) -> Case:
        text = draw(st.sampled_from(texts))
        terms = text.partition("->")[0].replace("...", "YZ").split(",")
        sizes = {letter: draw(st.integers(0, 3)) for letter in sorted(set("".join(terms)))}
        arrays = tuple(draw(values(tuple(sizes[c] for c in term))) for term in terms)
        return Case(
            lambda *x: build(text, *x),
            arrays,
            lambda *x: np.einsum(text, *x),
            lambda torch, *x: torch.einsum(text, *x),
            analytic=True,
        )

    return case()


_CONTRACT = (
    "ij,jk->ik", "ij,jk->ki", "bij,bjk->bik", "ibj,jkb->kbi", "ij,ij->i", "ij,ij->ij", "ij,kl->kjil", "ijk,jki->",
    "abij,bji->ab", "i,j->ij", ",ij->ji", "abk,km->abm",
)  # fmt: skip
_EINSUM = (
    "ij,jk", "ij,jk->i", "ii,ij->j", "iij,jk->ik", "bij,bjk->ik", "...ij,...jk->...ik", "...i,ij->j...", "ij,jk,kl->il",
    "i,ij,j", "i,i,i->", "ab,cd,ef->fa", "ij...,j...", "ijij,j->i", "ij,i,k->jk",
)  # fmt: skip


@st.composite
def _named(draw: st.DrawFn) -> Case:
    """The products by NumPy's names."""
    i, j, k, m = draw(st.tuples(*[st.integers(0, 3)] * 4))
    form: tuple[tuple[int, ...], tuple[int, ...], Any, Any, str] = draw(st.sampled_from((
        ((i, j, k), (m, k, i), dot, np.dot, "ijk,mkl->ijml"),
        ((i, k), (k,), dot, np.dot, "ik,k->i"),
        ((k,), (i, k, j), dot, np.dot, "k,ikj->ij"),
        ((k,), (k,), dot, np.dot, "k,k->"),
        ((i, k), (j, m, k), inner, np.inner, "ik,jmk->ijm"),
        ((i,), (j,), outer, np.outer, "i,j->ij"),
        ((i, j, k), (k, j, m), lambda x, y: tensordot(x, y, ([1, -1], [1, 0])),
         lambda x, y: np.tensordot(x, y, ([1, -1], [1, 0])), "ijk,kjm->im"),
        ((i, j, k), (j, k, m), tensordot, np.tensordot, "ijk,jkm->im"),
        ((i, j), (k,), lambda x, y: tensordot(x, y, 0), lambda x, y: np.tensordot(x, y, 0), "ij,k->ijk"),
        ((i, 1, k), (j, k), vecdot, np.vecdot, "iak,jk->ij"),
        ((i, j), (i, k), lambda x, y: batch_dot(x, y[:, None, :] * np.ones((j, 1)), (1, 1)), None, "ij,ik->ik"),
        ((i, j, k), (i, m, j), lambda x, y: batch_dot(x, y, (1, 2)), None, "ijk,imj->ikm"),
    )))  # fmt: skip
    one, two, build, reference, text = form
    return Case(
        build,
        (draw(values(one)), draw(values(two))),
        reference or (lambda x, y: np.einsum(text, x, y)),
        lambda torch, x, y: torch.einsum(text, x, y),
        analytic=True,
    )


SAMPLES = (
    Sample("matmul", _matmul(), (
        (lambda: matmul(a, b), ShapeError),
        (lambda: matmul(1.0, a), ShapeError),
        (lambda: matmul(placeholder((2, 3, 4)), placeholder((3, 4, 5))), ShapeError),
        (lambda: matmul(None, a), ArgumentTypeError),
    )),
    Sample("contract", st.one_of(_lettered(_CONTRACT, contract), _lettered(_EINSUM, einsum), _named()), (
        (lambda: contract("ij,jk->ik", a, b), ShapeError),
        (lambda: contract("ijk,jk->i", a, b), ShapeError),
        (lambda: dot(a, b), ShapeError),
        (lambda: inner(a, b), ShapeError),
        (lambda: vecdot(a, b), ShapeError),
        (lambda: vecdot(a, 1.0), AxisError),
        (lambda: tensordot(a, b, 3), ArgumentError),
        (lambda: tensordot(a, b, ([0], [0, 1])), ArgumentError),
        (lambda: tensordot(a, b, ([0, 0], [0, 1])), AxisError),
        (lambda: batch_dot(a, b), ShapeError),
        (lambda: batch_dot(a, a, 0), ArgumentError),
        (lambda: batch_dot(a, [1.0]), ShapeError),
        (lambda: einsum("ij,jk", a, b), ShapeError),
        (lambda: einsum("ij->kj", a), ArgumentError),
        (lambda: einsum("ij->jj", a), ArgumentError),
        (lambda: einsum("i1", a), ArgumentError),
        (lambda: einsum("i", a), ShapeError),
        (lambda: einsum("ij,jk", a), ArgumentError),
        (lambda: einsum("...->", a), ArgumentError),
        (lambda: einsum(a, "ij"), ArgumentTypeError),
    )),
)  # fmt: skip
