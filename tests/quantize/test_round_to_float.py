"""Shorter floats: every code of eight bits, and longer ones bit by bit."""

import struct

import ml_dtypes
import numpy as np
import pytest

import qkit as qk

LARGEST = {"float16": 65504, "bfloat16": 3.3895314e38, "float8_e4m3": 448, "float8_e5m2": 57344}
DTYPES = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


def finite_codes(name):
    """Return all finite numbers of a format, in order."""
    dtype = np.dtype(DTYPES[name])
    codes = np.arange(256**dtype.itemsize, dtype=f"u{dtype.itemsize}")
    with np.errstate(invalid="ignore"):
        values = codes.view(dtype).astype(np.float32)
    return np.unique(values[np.isfinite(values)])


@pytest.mark.parametrize("name", DTYPES)
def test_every_number_of_a_format_stays(name):
    codes = finite_codes(name)
    assert codes.max() == np.float32(LARGEST[name])
    np.testing.assert_array_equal(qk.round_to_float(codes, name), codes)


@pytest.mark.parametrize("name", DTYPES)
def test_between_two_numbers_the_nearest_is_taken(name):
    codes = finite_codes(name).astype(np.float64)
    codes = codes[np.abs(codes) < 1e30]  # the middle of larger ones is no float32
    low, high = codes[:-1], codes[1:]
    for share, expected in ((0.25, low), (0.75, high)):
        between = low + share * (high - low)
        np.testing.assert_array_equal(qk.round_to_float(between, name), expected.astype(np.float32))


@pytest.mark.parametrize("name", ["float8_e4m3", "float8_e5m2"])
def test_halfway_the_even_code_is_taken(name):
    dtype = np.dtype(DTYPES[name])
    codes = np.arange(127, dtype=np.uint8)
    values = codes.view(dtype).astype(np.float64)
    codes = codes[np.isfinite(values)]
    values = values[np.isfinite(values)]
    middles = (values[:-1] + values[1:]) / 2
    expected = np.where(codes[:-1] % 2 == 0, values[:-1], values[1:])
    np.testing.assert_array_equal(qk.round_to_float(middles, name), expected)
    np.testing.assert_array_equal(qk.round_to_float(-middles, name), -expected)


def test_against_the_standard_library():
    x = np.random.default_rng(0).normal(size=2_000).astype(np.float32)
    x *= np.float32(10) ** np.random.default_rng(1).integers(-6, 5, x.size).astype(np.float32)
    x = x[np.abs(x) < 65504]
    packed = struct.pack(f"<{x.size}e", *x.tolist())
    expected = np.float32(struct.unpack(f"<{x.size}e", packed))
    np.testing.assert_array_equal(qk.round_to_float(x, "float16"), expected)
    # bfloat16 is the upper half of a float32, rounded to even
    bits = x.view(np.uint32).astype(np.uint64)
    upper = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    expected = upper.astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(qk.round_to_float(x, "bfloat16"), expected)


@pytest.mark.parametrize("name", DTYPES)
def test_beyond_the_largest_number(name):
    largest = np.float32(LARGEST[name])
    beyond = np.float32([largest, -largest, min(float(largest) * 1.25, 3.4028234e38), -3.4e38])
    end = 448 if name == "float8_e4m3" else np.inf  # that format has no infinity
    expected = np.float32([largest, -largest, end, -end])
    np.testing.assert_array_equal(qk.round_to_float(beyond, name), expected)


def test_shape_and_dtype_and_refusals():
    assert qk.round_to_float(0.1, "bfloat16").shape == ()
    assert qk.round_to_float(np.zeros((0, 3)), "float16").shape == (0, 3)
    assert qk.round_to_float(np.zeros((2, 3), np.float16), "float8_e5m2").dtype == np.float32
    with pytest.raises(ValueError, match="format must be one of 'float16', 'bfloat16', "):
        qk.round_to_float([0.5], "float8")
    with pytest.raises(ValueError, match="round_to_float: 1 of 2 values are NaN or infinite"):
        qk.round_to_float([0.5, np.inf], "float16")
    with pytest.raises(TypeError, match="must be floating point, got int64"):
        qk.round_to_float([1], "float16")
