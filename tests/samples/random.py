"""Samples of random numbers: judged by NumPy's own Philox stream, and by what the distributions promise."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograph.errors import ArgumentError, ArgumentTypeError, AxisError, DTypeError, ShapeError
from autograph.graph.tensor import Tensor, placeholder, variable
from autograph.ops.random import (
    random_bernoulli,
    random_bits,
    random_integers,
    random_normal,
    random_permutation,
    random_uniform,
    seed_state,
    truncated_normal,
)
from autograph.ops.shape import shape
from tests.samples.define import Array, Case, Sample, values
from tests.samples.indexing import line, op

seeds = st.integers(0, 2**64 - 1)
any_shape = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
likes = any_shape.flatmap(lambda size: values(size, 0, 1, dtype="int8"))
state = placeholder((2,), dtype="uint64")
normal = statistics.NormalDist()


def words(like: Array, seed: int) -> Array:
    """What NumPy draws."""
    return np.random.Philox(key=seed, counter=0).random_raw(like.size).reshape(like.shape)


def _drawn(build: Any, reference: Any) -> st.SearchStrategy[Case]:
    """Cases of what is drawn in the shape of a tensor, from any seed."""
    return st.tuples(likes, seeds).map(
        lambda drawn: Case(
            lambda x: build(x, drawn[1]),
            (np.asarray(drawn[0]),),
            lambda x: reference(words(x, drawn[1])),
        )
    )


def _later(x: Tensor, seed: int) -> Tensor:
    """The state after drawing twice."""
    register = seed_state(seed)
    random_bits(like=x, state=register)
    random_bits(shape(x), state=register)
    assert register.default_update is not None
    return register.default_update


def _count(like: Array, seed: int) -> Array:
    return np.array([seed, 2 * math.ceil(like.size / 4)], np.uint64)


@st.composite
def _scaled(draw: st.DrawFn, function: Any, standard: Any) -> Case:
    """shift + scale·(the standard distribution), with gradients to both."""
    first, second = draw(values((3,), -1, 1)), draw(values((2, 1), 0.5, 2))
    seed = draw(seeds)
    return Case(
        lambda a, b: function((2, 3), a, b, "float64", seed),
        (first, second),
        lambda a, b: standard(a, b, words(np.zeros((2, 3)), seed)),
    )


def _unit(bits: Array) -> Array:
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _open(bits: Array) -> Array:
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _by(function: Any, u: Array) -> Array:
    return np.array([function(float(p)) for p in u.flat]).reshape(u.shape)


def _truncated(u: float) -> float:
    low, high = normal.cdf(-2), normal.cdf(2)
    return normal.inv_cdf(low + u * (high - low))


def _whole(bits: Array) -> Array:
    return np.array([-3 + (int(word) * 7 >> 64) for word in bits.flat], np.int64).reshape(bits.shape)


SAMPLES = (
    Sample("random_bits", _drawn(lambda x, seed: random_bits(like=x, seed=seed), lambda bits: bits), (
        (lambda: random_bits(), ArgumentError),
        (lambda: random_bits((3,), like=line), ArgumentError),
        (lambda: random_bits((None,)), ShapeError),
        (lambda: random_bits((-1,)), ArgumentError),
        (lambda: random_bits((3,), seed="a"), ArgumentTypeError),  # type: ignore[arg-type]
        (lambda: random_bits((3,), seed=1, state=seed_state(1)), ArgumentError),
        (lambda: random_bits((3,), state=variable([1, 2])), DTypeError),
        (lambda: random_bits((3,), state=3), ArgumentTypeError),  # type: ignore[arg-type]
    ), differentiable=False),
    Sample("advance_random", st.tuples(likes, seeds).map(lambda drawn: Case(
        lambda x: _later(x, drawn[1]), (np.asarray(drawn[0]),), lambda x: _count(x, drawn[1]))), (
        (lambda: op("advance_random", line, line), DTypeError),
        (lambda: op("advance_random", placeholder((3,), dtype="uint64"), line), DTypeError),
        (lambda: op("advance_random", placeholder((), dtype="uint64"), line), DTypeError),
    ), differentiable=False),
    Sample("uniform_from_bits", _scaled(random_uniform, lambda a, b, bits: a + (b - a) * _unit(bits)), (
        (lambda: random_uniform((3,), 2, 1), ArgumentError),
        (lambda: random_uniform((3,), dtype="int32"), DTypeError),
        (lambda: random_bernoulli((3,), 1.5), ArgumentError),
        (lambda: random_uniform("ab"), ArgumentTypeError),
    )),
    Sample("normal_from_bits", _scaled(random_normal, lambda a, b, bits: a + b * _by(normal.inv_cdf, _open(bits))), (
        (lambda: random_normal((3,), stddev=-1), ArgumentError),
        (lambda: random_normal((3,), dtype="bool"), DTypeError),
        (lambda: random_normal(line), DTypeError),
        (lambda: random_normal(placeholder((None,), dtype="int32")), ShapeError),
    )),
    Sample("truncated_normal_from_bits", _scaled(
        truncated_normal, lambda a, b, bits: a + b * _by(_truncated, _open(bits))), (
        (lambda: truncated_normal((3,), stddev=-1), ArgumentError),
        (lambda: truncated_normal((3,), dtype="uint8"), DTypeError),
        (lambda: truncated_normal((2.5,)), ArgumentError),
    )),
    Sample("integers_from_bits", _drawn(
        lambda x, seed: random_integers(low=-3, high=4, seed=seed, like=x), _whole), (
        (lambda: random_integers((3,), 3, 3), ArgumentError),
        (lambda: random_integers((3,), 300, dtype="uint8"), ArgumentError),
        (lambda: random_integers((3,), 1.5), ArgumentTypeError),  # type: ignore[arg-type]
        (lambda: random_integers((3,), 3, dtype="float32"), DTypeError),
    ), differentiable=False),
    Sample("permutation_from_bits", st.tuples(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0).flatmap(values), seeds).map(
        lambda drawn: Case(
            lambda x: random_permutation(x, 0, drawn[1]),
            (drawn[0],),
            lambda x: x[np.array(sorted(range(len(x)), key=words(x[(..., *[0] * (x.ndim - 1))] if x.size else np.zeros(
                len(x)), drawn[1]).__getitem__), int)],
            analytic=True,
        )), (
        (lambda: random_permutation(line, 1), AxisError),
        (lambda: random_permutation(-3), ArgumentError),
        (lambda: op("permutation_from_bits", placeholder((2, 2), dtype="uint64")), ShapeError),
    )),
)  # fmt: skip
