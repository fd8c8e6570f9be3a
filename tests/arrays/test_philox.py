"""Random bits are NumPy's Philox stream, and the numbers made of them have their distributions."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograph.arrays import philox

laws = settings(derandomize=True, max_examples=100, deadline=None)
words = st.integers(0, 2**64 - 1)
BITS = philox.philox_uint64(2**77 + 5, 9, 100_000)
ENDS = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
FLOATS = (np.float64, np.float32, np.float16)


def philox_block(key: int, counter: int) -> list[int]:
    """Philox-4x64-10 as its paper states it, on Python integers."""
    mask = 2**64 - 1
    k0, k1 = key & mask, key >> 64
    a, b, c, d = ((counter >> 64 * i) & mask for i in range(4))
    for _ in range(10):
        p, q = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (q >> 64) ^ b ^ k0, q & mask, (p >> 64) ^ d ^ k1, p & mask
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return [a, b, c, d]


@laws
@given(st.integers(0, 2**128 - 1), st.integers(0, 2**256 - 1), st.integers(0, 30))
def test_the_bits_are_numpy_s(key: int, counter: int, size: int) -> None:
    bits = philox.philox_uint64(key, counter, size)
    assert (bits.dtype, bits.shape) == (np.uint64, (size,))
    np.testing.assert_array_equal(bits, np.random.Philox(key=key, counter=counter).random_raw(size))


@laws
@given(st.integers(0, 2**128 - 1), st.integers(0, 2**256 - 1))
def test_the_bits_are_those_of_the_paper(key: int, counter: int) -> None:
    expected = [word for step in (1, 2) for word in philox_block(key, (counter + step) % 2**256)]
    assert philox.philox_uint64(key, counter, 8).tolist() == expected


@laws
@given(st.lists(words, min_size=2, max_size=2), st.lists(words, min_size=4, max_size=4))
def test_words_and_integers_mean_the_same(key: list[int], counter: list[int]) -> None:
    by_integers = philox.philox_uint64(*(sum(w << 64 * i for i, w in enumerate(ws)) for ws in (key, counter)), 5)
    by_words = philox.philox_uint64(np.array(key, np.uint64), np.array(counter, np.uint64), 5)
    np.testing.assert_array_equal(by_words, by_integers)


def test_a_stream_goes_on_at_a_later_counter() -> None:
    np.testing.assert_array_equal(philox.philox_uint64(1, 10, 12)[4:], philox.philox_uint64(1, 11, 8))
    assert philox.philox_uint64(1, np.uint64(10), 3)[0] == philox.philox_uint64(np.int64(1), 10, 1)[0]


def test_a_draw_does_not_depend_on_the_draws_before() -> None:
    first = philox.philox_uint64(1, 2, 7)
    philox.philox_uint64(3, 4, 5)
    np.testing.assert_array_equal(philox.philox_uint64(1, 2, 7), first)


def test_threads_do_not_mix_their_streams() -> None:
    expected = [philox.philox_uint64(key, 0, 1001) for key in range(8)]
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda i: philox.philox_uint64(i % 8, 0, 1001), range(400)))
    for i, bits in enumerate(drawn):
        np.testing.assert_array_equal(bits, expected[i % 8])


@pytest.mark.parametrize(
    ("key", "counter", "size"), [(-1, 0, 1), (2**128, 0, 1), (0, -1, 1), (0, 2**256, 1), (0, 0, -1)]
)
def test_a_number_out_of_range_is_refused(key: int, counter: int, size: int) -> None:
    with pytest.raises(ValueError, match="philox"):
        philox.philox_uint64(key, counter, size)


def test_a_wrong_number_of_words_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 4 words"):
        philox.philox_uint64(0, np.zeros(3, np.uint64), 1)


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_takes_every_digit_of_the_dtype_and_stays_below_1(dtype: type) -> None:
    digits = np.finfo(dtype).nmant + 1
    u = philox.uniform_from_bits(ENDS, dtype)
    assert u.dtype == dtype
    assert u.tolist() == [0, 0, 0.5, 1 - 2.0**-digits]
    u = philox.uniform_from_bits(BITS, dtype)
    assert (u.astype(np.float64) * 2.0**digits == (BITS >> np.uint64(64 - digits)).astype(np.float64)).all()


def test_uniform_float64_is_numpy_s_random() -> None:
    generator = np.random.Generator(np.random.Philox(key=4, counter=3))
    np.testing.assert_array_equal(
        philox.uniform_from_bits(philox.philox_uint64(4, 3, 50), np.float64), generator.random(50)
    )


def test_open_uniform_meets_neither_end_and_is_symmetric() -> None:
    u = philox.open_uniform_from_bits(ENDS)
    assert u.tolist() == [2.0**-53, 2.0**-53, 0.5 + 2.0**-53, 1 - 2.0**-53]
    np.testing.assert_array_equal(philox.open_uniform_from_bits(~BITS), 1 - philox.open_uniform_from_bits(BITS))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normals_are_normal(dtype: type) -> None:
    x = philox.normal_from_bits(BITS, dtype)
    assert x.dtype == dtype
    x = np.sort(x.astype(np.float64))
    assert abs(x.mean()) < 0.015 and abs(x.std() - 1) < 0.015
    quantiles = [NormalDist().inv_cdf(p) for p in (0.001, 0.1, 0.5, 0.9, 0.999)]
    np.testing.assert_allclose(x[[100, 10_000, 50_000, 90_000, 99_900]], quantiles, atol=0.1)
    assert np.abs(philox.normal_from_bits(ENDS, dtype)).max() == pytest.approx(
        8.209536151601387, rel=float(np.finfo(dtype).eps)
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_truncated_normals_stay_within_2_and_have_their_spread(dtype: type) -> None:
    x = philox.truncated_normal_from_bits(np.concatenate([BITS, ENDS]), dtype)
    assert x.dtype == dtype
    x = x.astype(np.float64)
    assert -2 <= x.min() < -1.9999999 and 1.9999999 < x.max() <= 2
    variance = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
    assert abs(x.mean()) < 0.01 and abs(x.std() - math.sqrt(variance)) < 0.01


@laws
@given(st.lists(words, min_size=1, max_size=5), st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**64))
def test_integers_are_the_high_half_of_the_product(bits: list[int], low: int, width: int) -> None:
    high = min(low + width, 2**63)
    drawn = philox.integers_from_bits(np.array(bits, np.uint64), low, high, np.int64)
    assert drawn.tolist() == [low + (word * (high - low) >> 64) for word in bits]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_integers_reach_both_ends_of_any_dtype(dtype: type) -> None:
    limits = np.iinfo(dtype)
    drawn = philox.integers_from_bits(ENDS, int(limits.min), int(limits.max) + 1, dtype)
    assert drawn.dtype == dtype
    assert (drawn[0], drawn[-1]) == (limits.min, limits.max)
    assert philox.integers_from_bits(np.array(2**64 - 1, np.uint64), 3, 5, dtype) == 4


def test_integers_are_even() -> None:
    counts = np.bincount(philox.integers_from_bits(BITS, 0, 10, np.int32))
    assert len(counts) == 10 and abs(counts - 10_000).max() < 400


@pytest.mark.parametrize(("low", "high"), [(3, 3), (5, 2), (-1, 5), (0, 257)])
def test_an_empty_or_unfitting_range_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="empty or does not fit uint8"):
        philox.integers_from_bits(ENDS, low, high, np.uint8)


def test_a_permutation_sorts_the_bits_and_keeps_ties_in_order() -> None:
    order = philox.permutation_from_bits(BITS[:1000])
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(1000))
    assert (np.diff(BITS[order].astype(np.float64)) >= 0).all()
    assert philox.permutation_from_bits(np.array([7, 3, 7, 3], np.uint64)).tolist() == [1, 3, 0, 2]


def test_no_bits_make_no_numbers() -> None:
    none = philox.philox_uint64(1, 1, 0)
    for f in (philox.uniform_from_bits, philox.normal_from_bits, philox.truncated_normal_from_bits):
        assert f(none, np.float32).shape == (0,)
    assert philox.integers_from_bits(none, 0, 5, np.int32).shape == philox.permutation_from_bits(none).shape == (0,)
