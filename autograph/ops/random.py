"""Random numbers: pure functions of a register of two words, a key and a counter.

Every call makes a register of its own, unless it is given one by `state=`. Its `default_update` moves the counter past
what was drawn, so that each tick draws anew; `function` adds that update to any function that reads the register.
Within a tick a tensor has one value. The bits are those of `numpy.random.Philox`, and one word of 64 bits makes one
number, so that a seed gives the same numbers on every machine.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.arguments import number, shown
from autograph.arrays.random import random_step
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from autograph.graph.op import Kind, Op, as_given, register
from autograph.graph.tensor import Constant, Tensor, Variable, apply, as_tensor
from autograph.ops.comparison import less, less_equal
from autograph.ops.elementwise import add, cast
from autograph.ops.gathering import gather
from autograph.ops.shape import shape as shape_of
from autograph.ops.shape import size_of, sizes_of
from autograph.tensor_type import DTYPES, DType, Shape, TensorType, as_dtype, normalize_axis

__all__ = [
    "happens",
    "random_bernoulli",
    "random_bits",
    "random_integers",
    "random_normal",
    "random_permutation",
    "random_uniform",
    "seed_state",
    "truncated_normal",
]

_WORD = DTYPES["uint64"]

# bits ----------------------------------------------------------------------------------------------------------------


def _check_state(state: TensorType) -> None:
    if state.dtype is not _WORD or state.shape != (2,):
        raise DTypeError(f"a random state is uint64[2], not {state}", fix="make one by seed_state")


def _bits_type(state: TensorType, *sizes: TensorType, shape: Shape) -> TensorType:
    _check_state(state)
    return TensorType(_WORD, shape)


def _sized_bits(inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor | None:
    """With the sizes a constant: bits of a known shape."""
    state, *sizes = inputs
    if not sizes or not isinstance(sizes[0], Constant):
        return None
    return apply(_RANDOM_BITS, state, shape=sizes_of(sizes[0], "random", free=False)[0])


_RANDOM_BITS = register(Op(
    "random_bits",
    kind=Kind.RANDOM,
    infer=_bits_type,
    eval=lambda xp, state, *sizes, shape: xp.random_bits(state, sizes[0] if sizes else shape),
    operands=as_given,
    specialize=_sized_bits,
    raises=True,
    doc="Random words of 64 bits from a key and a counter, in `shape`, or where that is unknown in the vector `sizes`.",
))

def _advanced_type(state: TensorType, bits: TensorType) -> TensorType:
    _check_state(state)
    return TensorType(state.dtype, state.shape)


_ADVANCE_RANDOM = register(Op(
    "advance_random",
    kind=Kind.RANDOM,
    infer=_advanced_type,
    eval=lambda xp, state, bits: xp.add(state, xp.random_step(bits.shape)),
    operands=as_given,
    specialize=lambda inputs, params: add(inputs[0], Constant(random_step(inputs[1].shape))),
    doc="The key, and the counter moved past `bits`.",
))


def seed_state(seed: int | None = None) -> Variable:
    """A register of random numbers, to be shared by `state=`: what is drawn from it does not repeat.

    Without a seed it is drawn from `numpy.random`, so that `numpy.random.seed` settles it. Raises ArgumentTypeError
    unless the seed is a whole number.
    """
    if seed is None:
        return Variable(np.array([np.random.randint(0, 2**64, dtype=np.uint64), 0], np.uint64))
    try:
        key = operator.index(seed)
    except TypeError:
        what = f"the seed is {shown(seed)}, not a whole number"
        raise ArgumentTypeError(what, fix="seed=1, or None for another on every run") from None
    return Variable(np.array([key % 2**64, 0], np.uint64))


def random_bits(
    shape: Any = None, seed: int | None = None, *, like: Tensor | None = None, state: Variable | None = None
) -> Tensor:
    """Random words of 64 bits (uint64), anew at every tick.

    shape  sizes, each a whole number or a tensor of rank 0; or a vector of them, as `shape(x)`
    like   a tensor whose shape is taken, instead of `shape`
    state  a register from `seed_state`, instead of one of its own from `seed`

    Raises ArgumentError unless either `shape` or `like` is given, or for a negative size, ShapeError for None in it.
    """
    if state is not None and seed is not None:
        raise ArgumentError("random: `seed` and `state` are both given", fix="the state has a seed already: drop `seed`")
    register = seed_state(seed) if state is None else state
    if not isinstance(register, Variable):
        raise ArgumentTypeError(f"random: the state is {shown(register)}, not a register", fix="use seed_state(1)")
    if (shape is None) == (like is None):
        raise ArgumentError("random: give either `shape` or `like`", fix="random_normal((32, 10)), or like=x")
    known, sizes = sizes_of(shape if like is None else shape_of(like), "random", free=False)
    start = register if register.default_update is None else register.default_update
    bits = apply(_RANDOM_BITS, start, *([] if sizes is None else [sizes]), shape=known)
    register.default_update = apply(_ADVANCE_RANDOM, start, bits)
    return bits


# numbers -------------------------------------------------------------------------------------------------------------


def _of_dtype(bits: TensorType, dtype: DType, **_: Any) -> TensorType:
    return TensorType(dtype, bits.shape)


_UNIFORM = register(Op(
    "uniform_from_bits",
    kind=Kind.ELEMENTWISE,
    infer=_of_dtype,
    eval=lambda xp, bits, dtype: xp.uniform_from_bits(bits, dtype),
    operands=as_given,
    doc="Uniform in [0, 1), from the top bits of each word.",
))

_NORMAL = register(Op(
    "normal_from_bits",
    kind=Kind.ELEMENTWISE,
    infer=_of_dtype,
    eval=lambda xp, bits, dtype: xp.normal_from_bits(bits, dtype),
    operands=as_given,
    doc="Standard normal, by the inverse of its distribution function.",
))

_TRUNCATED_NORMAL = register(Op(
    "truncated_normal_from_bits",
    kind=Kind.ELEMENTWISE,
    infer=_of_dtype,
    eval=lambda xp, bits, dtype: xp.truncated_normal_from_bits(bits, dtype),
    operands=as_given,
    doc="Standard normal on the condition that it lies in [-2, 2].",
))

_INTEGERS = register(Op(
    "integers_from_bits",
    kind=Kind.ELEMENTWISE,
    infer=_of_dtype,
    eval=lambda xp, bits, dtype, low, high: xp.integers_from_bits(bits, low, high, dtype),
    operands=as_given,
    doc="Whole numbers in [low, high), all equally probable.",
))

def _permutation_type(bits: TensorType) -> TensorType:
    if bits.ndim != 1:
        raise ShapeError(f"needs a vector of words, got {bits}", fix="permute one axis at a time")
    return TensorType(DTYPES["int64"], bits.shape)


_PERMUTATION = register(Op(
    "permutation_from_bits",
    kind=Kind.INDEXING,
    infer=_permutation_type,
    eval=lambda xp, bits: xp.permutation_from_bits(bits),
    operands=as_given,
    doc="The permutation that sorts a vector of words.",
))


def _float(dtype: npt.DTypeLike | None, like: Tensor | None) -> DType:
    """The dtype of random floats: `dtype`, or that of `like`, or floatx."""
    if like is not None and not isinstance(like, Tensor):
        raise ArgumentTypeError(f"random: like is {shown(like)}, not a tensor", fix="give a shape, as random_normal((32, 10))")
    found = like.dtype if dtype is None and like is not None and like.type.is_float else as_dtype(dtype)
    if found.kind != "f":
        raise DTypeError(f"random: {found} is no float", fix="use random_integers, or cast the result")
    return found


def _scaled(z: Tensor, scale: Any, shift: Any) -> Tensor:
    """shift + scale·z in the dtype of z, through which gradients flow to scale and shift."""
    for what, value in (("the scale", scale), ("the shift", shift)):
        if _is_number(value):
            number(value, f"random: {what}")
    if not (_is_number(scale) and scale == 1):
        z = z * (scale if _is_number(scale) else cast(scale, z.dtype))
    if not (_is_number(shift) and shift == 0):
        z = z + (shift if _is_number(shift) else cast(shift, z.dtype))
    return z


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def random_uniform(
    shape: Any = None,
    low: Any = 0.0,
    high: Any = 1.0,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    *,
    like: Tensor | None = None,
    state: Variable | None = None,
) -> Tensor:
    """Uniform random numbers low + (high - low)·u, u in [0, 1); `low` and `high` may be tensors that broadcast.

    Gradients flow to `low` and `high`. `shape`, `seed`, `like` and `state` as in `random_bits`. Raises ArgumentError
    if low > high, DTypeError unless the dtype is a float.
    """
    target = _float(dtype, like)
    if _is_number(low) and _is_number(high) and low > high:
        raise ArgumentError(f"random_uniform: low={low} exceeds high={high}", fix="swap them")
    u = apply(_UNIFORM, random_bits(shape, seed, like=like, state=state), dtype=target)
    width = high - low if _is_number(low) and _is_number(high) else cast(high, target) - cast(low, target)
    return _scaled(u, width, low)


def random_normal(
    shape: Any = None,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    *,
    like: Tensor | None = None,
    state: Variable | None = None,
) -> Tensor:
    """Normal random numbers mean + stddev·z; `mean` and `stddev` may be tensors that broadcast.

    Gradients flow to both (the reparameterisation of Kingma & Welling 2014). `shape`, `seed`, `like` and `state` as in
    `random_bits`. Raises ArgumentError if stddev < 0, DTypeError unless the dtype is a float.
    """
    target = _float(dtype, like)
    _check_stddev("random_normal", stddev)
    z = apply(_NORMAL, random_bits(shape, seed, like=like, state=state), dtype=target)
    return _scaled(z, stddev, mean)


def truncated_normal(
    shape: Any = None,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    *,
    like: Tensor | None = None,
    state: Variable | None = None,
) -> Tensor:
    """As `random_normal`, on the condition that each number lies within two `stddev` of `mean`."""
    target = _float(dtype, like)
    _check_stddev("truncated_normal", stddev)
    z = apply(_TRUNCATED_NORMAL, random_bits(shape, seed, like=like, state=state), dtype=target)
    return _scaled(z, stddev, mean)


def _check_stddev(what: str, stddev: Any) -> None:
    if _is_number(stddev) and not stddev >= 0:
        raise ArgumentError(f"{what}: stddev={stddev} is not ≥ 0", fix="0 gives the mean alone")


def happens(probability: Any, bits: Tensor) -> Tensor:
    """A boolean for each word of `bits`, true with `probability`: a number, or a tensor that broadcasts."""
    if not _is_number(probability):
        chance = as_tensor(probability)
        return less(apply(_UNIFORM, bits, dtype=DTYPES["float64" if chance.dtype.name == "float64" else "float32"]), chance)
    if not 0 <= probability <= 1:
        raise ArgumentError(f"the probability {probability} is not within [0, 1]", fix="0.5 is every second time")
    threshold = int(float(probability) * 2.0**64)
    if threshold < 2**64:
        return less(bits, Constant(np.array(threshold, np.uint64)))
    return less_equal(bits, Constant(np.array(2**64 - 1, np.uint64)))


def random_bernoulli(
    shape: Any = None,
    p: Any = 0.5,
    dtype: npt.DTypeLike | None = None,
    seed: int | None = None,
    *,
    like: Tensor | None = None,
    state: Variable | None = None,
) -> Tensor:
    """1 with probability `p`, else 0, of `dtype` (floatx, unless given; any dtype will do); no gradient flows to `p`.

    `p` is a number or a tensor that broadcasts; `shape`, `seed`, `like` and `state` as in `random_bits`. Raises
    ArgumentError unless 0 ≤ p ≤ 1.
    """
    return cast(happens(p, random_bits(shape, seed, like=like, state=state)), as_dtype(dtype))


def random_integers(
    shape: Any = None,
    low: int = 0,
    high: int | None = None,
    dtype: npt.DTypeLike = "int64",
    seed: int | None = None,
    *,
    like: Tensor | None = None,
    state: Variable | None = None,
) -> Tensor:
    """Whole numbers in [low, high), or in [0, low) if `high` is None; all are equally probable to within 2⁻⁶⁴.

    `shape`, `seed`, `like` and `state` as in `random_bits`. Raises ArgumentError if the range is empty or does not fit
    the dtype, DTypeError unless the dtype is an integer.
    """
    target = as_dtype(dtype)
    if target.kind not in "iu":
        raise DTypeError(f"random_integers: {target} is no integer", fix="use random_uniform, or cast the result")
    try:
        first, last = (0, operator.index(low)) if high is None else (operator.index(low), operator.index(high))
    except TypeError:
        what = f"random_integers: the range [{shown(low)}, {shown(high)}) is not of whole numbers"
        raise ArgumentTypeError(what, fix="random_integers((3,), 0, 10) draws from 0..9") from None
    limits = np.iinfo(target)
    if not limits.min <= first < last <= int(limits.max) + 1:
        what = f"random_integers: the range [{shown(first)}, {shown(last)}) is empty or does not fit {target}"
        raise ArgumentError(what, fix=f"high exceeds low, and both lie in {limits.min}..{int(limits.max) + 1}")
    bits = random_bits(shape, seed, like=like, state=state)
    return apply(_INTEGERS, bits, dtype=target, low=first, high=last)


def random_permutation(x: Any, axis: int = 0, seed: int | None = None, *, state: Variable | None = None) -> Tensor:
    """The slices of `x` along `axis` in random order; of a number n, the whole numbers below n in random order.

    Gradients flow back to each slice's place. Raises AxisError for an axis that `x` does not have.
    """
    if isinstance(x, int | np.integer) and not isinstance(x, bool):
        return apply(_PERMUTATION, random_bits((int(x),), seed, state=state))
    tensor = as_tensor(x)
    place = normalize_axis(axis, tensor)
    bits = random_bits((size_of(tensor, place),), seed, state=state)
    return gather(tensor, apply(_PERMUTATION, bits), place)
