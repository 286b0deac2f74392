"""The ideal code: against sums by hand, against codes that exist, and at its ends."""

import bz2
import lzma
import zlib
from math import comb, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qkit.quantize.entropy_coding import entropy_coded_bytes
from qkit.quantize.weight_statistics import entropy_bits


def test_a_tensor_by_hand():
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
