"""Bits, neighbours and errors are those of struct, NumPy and ml_dtypes."""

import math
import struct

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import qkit as qk
from qkit.quantize.formats import FLOATS, INTEGERS, nearest_numbers
from qkit.quantize.grid import choose_qparams

DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
UINTS = {"float32": np.uint32, "float16": np.uint16, "bfloat16": np.uint16}
VALUES = st.floats(allow_nan=False, allow_infinity=False)
ORDINARY = st.floats(-4, 4)
ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).filter(lambda e: e[1] - e[0] > 1e-3)

with np.errstate(invalid="ignore"):  # of the NaNs among them
    ALL_BFLOAT16 = np.arange(2**16, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)
FINITE_BFLOAT16 = np.unique(ALL_BFLOAT16[np.isfinite(ALL_BFLOAT16)])


def bits_of(number):
    return "".join(bits for _, bits in number.parts)


def decoded(name, bits):
    return float(np.array(int(bits, 2), UINTS[name]).view(DTYPES[name]))


def cast(name, value):
    """Return a value in a format, rounded once."""
    if name == "bfloat16":  # ml_dtypes goes by way of float32, and may round twice
        i = np.searchsorted(FINITE_BFLOAT16, value)
        if i in (0, FINITE_BFLOAT16.size):
            return None
        low, high = FINITE_BFLOAT16[i - 1 : i + 1]
        if value - low == high - value:
            return float(np.float32(value).astype(ml_dtypes.bfloat16))
        return low if value - low < high - value else high
    with np.errstate(over="ignore"):
        return float(DTYPES[name](value))


@given(VALUES)
@example(0.123456789)
@example(-0.0)
@example(65520.0)  # the first that overflows float16: a tie
@example(np.nextafter(65520.0, 0))
@example(2.0**-25)  # half of float16's smallest
@example(2.0**-24 * 1.5)
@example(1 + 2.0**-11)  # ties, to even
@example(1 + 3 * 2.0**-11)
@example(1 - 2.0**-12)  # rounded up to a power of two
@example(1.7e308)
def test_floats_are_what_numpy_stores(value):
    found = nearest_numbers(value)
    for name in FLOATS:
        number, expected = found[name], cast(name, value)
        if expected is None:
            assert abs(number.stored) in (FINITE_BFLOAT16[-1], math.inf)
            continue
        assert number.stored == expected or (np.isinf(expected) and number.beyond)
        assert math.copysign(1, number.stored) == math.copysign(1, value)
        assert decoded(name, bits_of(number)) == number.stored


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bits_are_those_of_struct(value):
    found = nearest_numbers(value)
    (packed,) = struct.unpack(">I", struct.pack(">f", value))
    assert bits_of(found["float32"]) == f"{packed:032b}"
    assert found["float32"].error == 0
    if abs(value) < 65519:
        (packed,) = struct.unpack(">H", struct.pack(">e", value))
        assert bits_of(found["float16"]) == f"{packed:016b}"


@given(VALUES | ORDINARY)
@example(65504.0)
@example(-1.0)
@example(0.0)
def test_neighbours_are_those_of_nextafter(value):
    found = nearest_numbers(value)
    for name in ("float32", "float16"):
        number, dtype = found[name], DTYPES[name]
        stored = dtype(number.stored)
        if np.isinf(stored):
            inner = number.below if stored > 0 else number.above
            assert abs(inner) == float(np.finfo(dtype).max)
            continue
        with np.errstate(over="ignore"):
            assert number.below == float(np.nextafter(stored, dtype(-np.inf)))
            assert number.above == float(np.nextafter(stored, dtype(np.inf)))


@pytest.mark.slow
def test_bfloat16_over_its_whole_range_with_its_neighbours():
    for i in range(1, FINITE_BFLOAT16.size - 1, 13):
        number = nearest_numbers(FINITE_BFLOAT16[i])["bfloat16"]
        assert number.error == 0
        assert (number.below, number.above) == (FINITE_BFLOAT16[i - 1], FINITE_BFLOAT16[i + 1])
    largest = nearest_numbers(FINITE_BFLOAT16[-1])["bfloat16"]
    assert (largest.error, largest.above) == (0, math.inf)


@given(VALUES)
def test_errors_stay_within_half_a_step_of_the_format(value):
    for number in nearest_numbers(value).rows:
        if not number.beyond:
            slack = 1e-6 * abs(value)  # the grid rounds in float32
            assert abs(number.error) <= number.spacing / 2 + slack
        assert math.isnan(number.below) or number.below < number.stored
        assert math.isnan(number.above) or number.above > number.stored


@given(VALUES | st.floats(-10, 10), ENDS, st.booleans())
@example(3.0, (2.0, 5.0), False)
@example(-3.0, (-5.0, -4.0), True)
def test_integers_are_on_the_grid_that_the_range_gives(value, ends, symmetric):
    found = nearest_numbers(value, *ends, symmetric=symmetric)
    assert found.low <= 0 <= found.high
    for name, bits in INTEGERS.items():
        grid = choose_qparams([0.0], bits=bits, symmetric=symmetric, range=ends)
        number, scale, zero = found[name], grid.scale[0], int(grid.zero_point[0])
        levels = np.arange(grid.qmin, grid.qmax + 1)
        reals = (levels - zero).astype(np.float32) * scale
        target = float(np.clip(value, reals[0], reals[-1]))
        place = int(np.abs(reals.astype(np.float64) - target).argmin())
        stored = int(bits_of(number), 2)
        stored -= 2**bits * (stored >= 2 ** (bits - 1))  # two's complement
        assert number.stored == float(reals[stored - grid.qmin])
        assert abs(number.stored - target) == abs(float(reals[place]) - target)
        around = [
            float(reals[stored - grid.qmin + side]) if grid.qmin <= stored + side <= grid.qmax
            else math.nan
            for side in (-1, 1)
        ]  # fmt: skip
        np.testing.assert_equal([number.below, number.above], around)
        assert len(bits_of(number)) == bits


@pytest.mark.parametrize(("name", "fraction_bits"), [("float16", 10), ("bfloat16", 7)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_is_not_made_float32_first(name, fraction_bits, sign):
    """Just off the middle of two numbers: in float32 it would be the middle, and go to the even."""
    step, tiny = 2.0**-fraction_bits, 2.0**-40
    for even, value, nearest in (
        (1, 1 + step / 2 + tiny, 1 + step),
        (1 + 2 * step, 1 + 3 * step / 2 - tiny, 1 + step),
    ):
        assert np.float32(value) == (even + 1 + step) / 2
        assert nearest_numbers(sign * value)[name].stored == sign * nearest


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (-0.3, 0.7), (0.0, 1e-4), (-7.0, 900.0)])
def test_the_integer_shown_is_the_nearest_of_the_value_that_was_typed(ends):
    rng = np.random.default_rng(0)
    for name, bits in INTEGERS.items():
        grid = choose_qparams([0.0], bits=bits, range=ends)
        for q in rng.integers(grid.qmin, grid.qmax, 60):
            real = (np.array([q, q + 1]) - grid.zero_point).astype(np.float32) * grid.scale
            low, high = real.astype(float)
            for value, nearest in (
                (np.nextafter((low + high) / 2, low), low),
                ((low + high) / 2, high),  # halves go up
                (np.nextafter((low + high) / 2, high), high),
            ):
                assert nearest_numbers(value, *ends)[name].stored == nearest


def test_the_example_of_the_tutorial():
    found = nearest_numbers(0.123456789)
    assert found["float16"].formula == "1.975586 × 2⁻⁴"
    assert found["float16"].parts[1] == ("exponent", "01011")
    assert bits_of(found["bfloat16"]) == "0011110111111101"
    assert found.summary().startswith(
        "float16 keeps 0.12347412 (off by 1.7e−05, 0.014 %); bfloat16 keeps 0.12353516 "
        "(off by 7.8e−05, 0.063 %). On −1 … 1, int16 keeps 0.12344549 (off by 1.1e−05, 0.0092 %), "
        "1.5 times closer than float16; int8 keeps"
    )
    assert [row.format for row in found.rows] == [*FLOATS, *INTEGERS]
    assert found["int8"].stored == pytest.approx(0.12549, abs=1e-5)


def test_what_is_beyond_a_range_is_told():
    found = nearest_numbers(1e6)
    assert "float16 has no number so large, and keeps ∞" in found.summary()
    assert "int8 clips it to 1.0039216 (off by 1e+06, 100 %)" in found.summary()
    assert found["float16"].formula == "an exponent of ones alone stands for ∞"
    assert found["float16"].spacing == 32  # that of the largest numbers
    assert [row.format for row in found.rows if row.beyond] == ["float16", *INTEGERS]
    assert nearest_numbers(0.0).summary() == "Every format keeps it exactly."
    assert nearest_numbers(1.0 + 1 / 255)["int8"].beyond is False  # still rounds to the last number
    assert nearest_numbers(1.02)["int8"].beyond


def test_a_subnormal_number_has_no_leading_one():
    number = nearest_numbers(5e-8)["float16"]
    assert number.formula == "0.0009765625 × 2⁻¹⁴"
    assert number.stored == 2.0**-24


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((math.nan,), "the value must be a finite number, got nan"),
        ((math.inf,), "got inf"),
        ((1.0, 2.0, 2.0), "low end below its high end, got 2.0 to 2.0"),
        ((1.0, 0.0, math.inf), "range must be finite"),
        ((1.0, -3e38, 3e38), "too wide"),
    ],
)
def test_what_is_no_number_or_no_range_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        qk.nearest_numbers(*arguments)
