"""Zeros, distinct values, entropy, 2:4 and the ideal code: against hands, codes and libraries."""

import bz2
import collections
import lzma
import zlib
from math import comb, log2

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from qkit.quantize.coding import (
    _log2_choose,
    distinct_values,
    entropy_bits,
    entropy_coded_bytes,
    sparsity,
    stored_bytes,
    two_of_four_share,
)

ALL = [sparsity, distinct_values, entropy_bits, two_of_four_share]
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16, np.int8, np.int32]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_a_tensor_by_hand(dtype):
    x = np.array([[0, 0, 0, 0], [1, -1, 0, 0], [2, 2, 2, 1]]).astype(dtype)
    assert sparsity(x) == 0.5
    assert distinct_values(x) == 4
    by_hand = 6 / 12 * 1 + 2 / 12 * np.log2(6) + 1 / 12 * np.log2(12) + 3 / 12 * np.log2(4)
    assert entropy_bits(x) == pytest.approx(by_hand, abs=1e-12)
    assert two_of_four_share(x) == pytest.approx(2 / 3)
    assert two_of_four_share(x[:2]) == 1


def test_zero_has_no_sign_and_no_tolerance():
    x = np.float32([0.0, -0.0, 1e-40, -1e-40])  # the last two are subnormal, and no zeros
    assert sparsity(x) == 0.5
    assert distinct_values(x) == 3
    assert entropy_bits(x) == 1.5
    assert entropy_bits(x.view(np.uint32)) == 2
    assert two_of_four_share(x) == 1


@pytest.mark.parametrize("count", [1_000, 4_000, 20_280])
@pytest.mark.parametrize("levels", [16, 64])
def test_half_precision_is_counted_where_numpy_fails_to_sort_it(count, levels):
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(size=count).astype(np.float32)
        levels_of_x = np.linspace(x.min(), x.max(), levels, dtype=np.float32)
        x = levels_of_x[np.abs(x[:, None] - levels_of_x).argmin(axis=1)].astype(np.float16)
        counts = [*collections.Counter(x.tolist()).values()]
        assert distinct_values(x) == len(counts)
        assert entropy_bits(x) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "bits"), [([3, 3, 3], 0), (np.arange(256), 8), ([0, 1] * 50, 1), ([5], 0)]
)
def test_entropy_at_its_ends(x, bits):
    assert entropy_bits(x) == bits
    assert not np.signbit(entropy_bits(x))


@given(arrays(np.int8, st.integers(1, 300), elements=st.integers(-5, 5)))
def test_entropy_is_that_of_scipy(x):
    counts = np.unique(x, return_counts=True)[1]
    assert entropy_bits(x) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


# of a length that is no multiple of four too; zeros are frequent enough for both answers
@pytest.mark.tensorflow
@settings(deadline=None)  # the first example loads TensorFlow
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=4), elements=st.sampled_from([0, 0, 1]))
)
def test_two_of_four_is_that_of_the_library(x):
    from qkit._tensorflow import quiet, tensorflow

    tf = tensorflow()
    with quiet():
        from tensorflow_model_optimization.python.core.sparsity.keras import pruning_utils

    theirs = pruning_utils.is_pruned_m_by_n(tf.constant(x), (2, 4), "C_IN")
    assert (two_of_four_share(x) == 1) == theirs


@pytest.mark.parametrize(
    ("x", "share"),
    [
        ([1, 1, 0, 0, 1], 1),  # a remainder of one, two: as with zeros behind
        ([1, 1, 0, 0, 1, 1], 1),
        ([1, 1, 0, 0, 1, 1, 1], 0.5),
        ([0, 1, 1, 0, 1, 1], 1),
        ([0, 0, 1, 1, 1, 1], 1),
        ([0, 1, 1, 1, 0, 0, 0, 0], 0.5),
        (np.ones((12, 3, 3, 1)), 1),
        (np.ones((4, 2)), 1),
    ],
)
def test_groups_start_at_multiples_of_four_and_the_rest_counts_as_a_group(x, share):
    assert two_of_four_share(x) == share


def test_groups_lie_along_the_last_axis():
    x = np.zeros((4, 8))
    x[0] = 1  # two of four along the columns, and not along the rows
    assert two_of_four_share(x.T) == 1
    assert two_of_four_share(x) == 0.75


def test_types_are_those_of_python():
    found = [function(np.float32([0, 1, 1])) for function in ALL]
    assert [type(value) for value in found] == [float, int, float, float]


def test_a_code_by_hand():
    x = np.array([0] * 60 + [1] * 30 + [-1] * 10, np.int8)
    zeros = log2(101) - 60 * log2(0.6) - 40 * log2(0.4)
    others = -30 * log2(0.75) - 10 * log2(0.25)
    table = log2(comb(256, 2)) + log2(39)  # which two symbols; 1 to 39 times the first
    assert entropy_coded_bytes(x) == pytest.approx((zeros + others + table) / 8)


@given(arrays(np.int8, st.integers(1, 400), elements=st.integers(-8, 8)))
def test_zeros_first_costs_nothing(x):
    # the chain rule: H(value) = H(zero or not) + p(not) H(value, if not)
    body = x.size * entropy_bits(x) / 8
    tables = (log2(x.size + 1) + log2(2.0**128) + 32 * log2(x.size + 1)) / 8
    assert body - 1e-9 <= entropy_coded_bytes(x) <= body + tables
    assert entropy_coded_bytes(x) <= x.nbytes + log2(x.size + 1) / 8 + x.size / 8


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32])
def test_no_ordinary_compressor_is_better_on_scattered_values(dtype):
    rng = np.random.default_rng(0)
    x = (20 * rng.standard_t(4, 20_000)).clip(-127, 127).round().astype(dtype)
    x[rng.random(x.size) < 0.6] = 0
    found = entropy_coded_bytes(x)
    assert x.size * entropy_bits(x) / 8 < found
    for compress in (zlib.compress, bz2.compress, lzma.compress):
        assert found < len(compress(x.tobytes()))


def test_floats_that_never_repeat_keep_their_mantissas():
    x = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    assert x.size * 16 / 8 < 0.75 * x.nbytes < entropy_coded_bytes(x) < 0.9 * x.nbytes


def test_what_cannot_be_coded_is_stored():
    x = np.random.default_rng(0).integers(1, 2**32, 20_000, dtype=np.uint32)
    assert x.nbytes <= entropy_coded_bytes(x) < x.nbytes + 20


def exactly(n, k):
    """Return log2 of how many ways there are to choose, from all of its digits."""
    ways = comb(n, k)
    rest = max(ways.bit_length() - 64, 0)
    return rest + log2(ways >> rest)


@pytest.mark.parametrize("n", [1, 2, 10, 255, 256, 1000, 2**16, 2**32, 2**48, 2**64])
def test_ways_to_choose_keep_their_digits_in_any_alphabet(n):
    for k in (0, 1, 2, 3, 10, 100, 255, 1000, 5000):
        for few in {min(k, n), n - min(k, n)} if n <= 1000 else {k}:
            assert _log2_choose(n, few) == pytest.approx(exactly(n, few), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("size", [1, 3, 50, 1000, 20_000])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float64], ids=str)
def test_floor_of_random_bytes_is_all_of_them(dtype, size):
    """No code takes a byte off all but one in 256 of random contents (Kraft's inequality)."""
    rng = np.random.default_rng(size)
    x = np.frombuffer(rng.bytes(size * np.dtype(dtype).itemsize), dtype)
    # what is beyond them: whether and where zeros are, and of which sign
    assert x.nbytes - 3 <= entropy_coded_bytes(x) <= 1.001 * x.nbytes + 8


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32], ids=str)
def test_table_of_a_few_values_of_many_bits_is_paid_for(dtype):
    """Five values drawn from all, again and again: their bits once, and log2(5) bits each time."""
    rng = np.random.default_rng(0)
    values = np.frombuffer(rng.bytes(5 * np.dtype(dtype).itemsize), dtype)
    found = 8 * entropy_coded_bytes(rng.choice(values, 3000))
    least = 3000 * log2(5) + 8 * values.nbytes - log2(120)  # in any order
    assert least - 10 < found < least + 80


def test_signs_of_zeros_are_paid_for():
    x = np.zeros(8_000, np.float32)
    x[::2] = -0.0
    assert entropy_coded_bytes(x) > 1_000 > 4 > entropy_coded_bytes(x + 0)


def test_a_product_with_a_mask_costs_the_signs_of_its_zeros_and_no_more():
    x = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    masked = x * (np.abs(x) > np.quantile(np.abs(x), 0.8))
    signs = entropy_coded_bytes(masked) - entropy_coded_bytes(masked + 0)
    assert signs == pytest.approx(16_000 / 8, abs=3)  # a bit for each zero
    assert entropy_coded_bytes(masked) < len(lzma.compress(masked.tobytes()))


@pytest.mark.parametrize("count", [1, 2, 1_000_000])
def test_a_constant_takes_its_count(count):
    assert entropy_coded_bytes(np.zeros(count, np.int8)) < 3
    assert entropy_coded_bytes(np.full(count, 7, np.int8)) < 4


def test_stored_bytes_are_those_of_all_arrays():
    found = stored_bytes([np.zeros(4096, np.float32), np.arange(1024, dtype=np.float32)])
    assert found.raw_bytes == 20480
    assert found.deflated_bytes < found.entropy_bytes < 2048  # deflate sees patterns
    assert list(found.by_way) == ["raw", "deflated", "entropy floor"]
    assert found.summary().startswith("raw 20.5 kB, deflated 1.")
