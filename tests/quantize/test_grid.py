"""The grid's own laws, on values drawn at random and on those that break arithmetic."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import qkit as qk
from qkit.quantize import grid as cut
from qkit.quantize.grid import (
    PerAxis,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
)

SHAPES = [(), (1,), (7,), (3, 4), (4, 1, 6), (3, 3, 2, 8)]
SCALES = [1e-45, 1e-38, 1e-7, 1e-3, 1.0, 1e6, 1e38]
FEW = settings(max_examples=50, deadline=None)


@st.composite
def tensors(draw):
    """Return values and the arguments of a grid: tiny, huge, mixed, one-sided, constant, zero."""
    shape = draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.uniform(-1, 1, shape) * draw(st.sampled_from(SCALES))
    kind = draw(st.sampled_from(["plain", "mixed", "positive", "negative", "one value", "zero"]))
    if kind == "mixed":
        x *= 10 ** rng.uniform(-6, 0, shape)
    elif kind != "plain":
        x = {"positive": np.abs(x), "negative": -np.abs(x), "zero": 0 * x}.get(
            kind, np.full(shape, x.flat[0])
        )
    granularity = draw(st.sampled_from(granularities(shape)))
    return x.astype(np.float32), {
        "bits": draw(st.integers(2, 16)),
        "symmetric": draw(st.booleans()),
        "granularity": granularity,
        "rule": draw(st.sampled_from(["converter", "fake_quant"])),
    }


def granularities(shape):
    axes = [PerAxis(axis) for axis in range(-len(shape), len(shape))]
    groups = [PerGroup(n) for n in range(1, 9) if shape and shape[-1] % n == 0]
    return [PerTensor(), *axes, *groups]


def spread(per_channel, shape, granularity):
    """Return one number a channel as an array of a tensor's shape, without `blocks`."""
    if isinstance(granularity, PerTensor):
        return np.full(shape, per_channel[0])
    if isinstance(granularity, PerAxis):
        sizes = [1] * len(shape)
        sizes[granularity.axis] = -1
        return np.broadcast_to(per_channel.reshape(sizes), shape)
    return np.repeat(per_channel, granularity.size).reshape(shape)


def plain_fake_quantize(x, qparams):
    """Return what `fake_quantize` must give, in the order of TensorFlow's operators."""
    below_zero = np.float32(qparams.zero_point - qparams.qmin)
    low, high, scale, below_zero = (
        spread(v, x.shape, qparams.granularity)
        for v in (qparams.low, qparams.high, qparams.scale, below_zero)
    )
    steps = np.clip(x, low, high) - low
    if qparams.inverse is None:
        steps = steps / scale
    else:
        steps = steps * spread(qparams.inverse, x.shape, qparams.granularity)
    return np.floor(steps - below_zero + np.float32(0.5)) * scale


def assert_same_bits(found, expected):
    assert found.dtype == expected.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


@FEW
@given(tensors())
def test_values_inside_the_grid_move_by_half_a_step_at_most(drawn):
    x, arguments = drawn
    found = choose_qparams(x, **arguments)
    low, high, scale = (
        spread(v, x.shape, found.granularity) for v in (found.low, found.high, found.scale)
    )
    moved = np.abs(fake_quantize(x, found).astype(np.float64) - x)
    # the subtraction in single precision adds a little, the more the finer the grid
    allowed = scale.astype(np.float64) * (0.5 + 2.0 ** (found.bits - 22))
    beyond = np.maximum(np.maximum(low - x, x - high), 0)
    assert (moved <= allowed + beyond).all()
    # the zero point is rounded, so that an end of the range may lie half a step outside
    assert (beyond <= allowed).all()


@FEW
@given(tensors())
def test_once_on_the_grid_values_stay(drawn):
    x, arguments = drawn
    found = choose_qparams(x, **arguments)
    once = fake_quantize(x, found)
    assert_same_bits(fake_quantize(once, found), once)


@FEW
@given(tensors())
def test_there_and_back_is_fake_quantize_to_the_last_bit(drawn):
    x, arguments = drawn
    found = choose_qparams(x, **arguments)
    q = quantize(x, found)
    assert q.dtype == (np.int8 if found.bits <= 8 else np.int16)
    assert ((q >= found.qmin) & (q <= found.qmax)).all()
    assert_same_bits(dequantize(q, found), fake_quantize(x, found))


@FEW
@given(tensors())
def test_zero_is_kept_and_every_scale_is_above_it(drawn):
    x, arguments = drawn
    found = choose_qparams(x, **arguments)
    assert (found.scale > 0).all()
    assert np.isfinite([found.scale, found.low, found.high]).all()
    assert ((found.zero_point >= found.qmin) & (found.zero_point <= found.qmax)).all()
    assert not fake_quantize(np.zeros_like(x), found).any()
    if arguments["symmetric"]:
        assert not found.zero_point.any()
        assert found.qmin == -found.qmax


@FEW
@given(tensors())
def test_order_is_kept(drawn):
    x, arguments = drawn
    arguments.update(granularity=PerTensor())
    q = quantize(np.sort(x.ravel()), choose_qparams(x, **arguments)).astype(np.int32)
    assert (np.diff(q) >= 0).all()


@FEW
@given(st.integers(0, 2**32), st.integers(2, 16), st.booleans(), st.integers(-3, 2))
def test_channels_do_not_feel_each_other(seed, bits, symmetric, axis):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 4, 5)).astype(np.float32)
    x *= 10 ** rng.uniform(-5, 5, (3, 4, 5)).astype(np.float32)
    order = rng.permutation(x.shape[axis])
    arguments = {"bits": bits, "symmetric": symmetric, "granularity": PerAxis(axis)}
    found = choose_qparams(x, **arguments)
    shuffled = np.take(x, order, axis)
    found_shuffled = choose_qparams(shuffled, **arguments)
    np.testing.assert_array_equal(found_shuffled.scale, found.scale[order])
    np.testing.assert_array_equal(found_shuffled.zero_point, found.zero_point[order])
    expected = np.take(fake_quantize(x, found), order, axis)
    assert_same_bits(fake_quantize(shuffled, found_shuffled), expected)
    one = np.take(x, [order[0]], axis)
    alone = choose_qparams(one, bits=bits, symmetric=symmetric)
    assert_same_bits(fake_quantize(one, alone), np.take(expected, [0], axis))


@FEW
@given(tensors(), st.sampled_from([1, 2, 3, 7, 16, 40, 2**16]))
@example((np.ones((3, 3, 2, 8), np.float32), {"granularity": PerAxis(2)}), 3)
def test_blocks_of_any_size_change_nothing(drawn, block):
    x, arguments = drawn
    found = choose_qparams(x, **arguments)
    x = x * np.float32(1.5)  # some lie beyond the grid
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "_BLOCK", block)
        assert_same_bits(fake_quantize(x, found), plain_fake_quantize(x, found))
        assert_same_bits(dequantize(quantize(x, found), found), plain_fake_quantize(x, found))


@pytest.mark.parametrize(
    ("shape", "granularity"),
    [
        ((2**16 - 1,), PerTensor()),
        ((2**16,), PerTensor()),
        ((2**16 + 1,), PerTensor()),
        ((2, 2**16 + 1), PerAxis(0)),
        ((3, 2**15 + 1), PerAxis(1)),
        ((2**14 + 1, 5), PerAxis(1)),
        ((5, 7, 3001), PerAxis(1)),
        ((3, 2**16 // 4, 4), PerGroup(4)),
    ],
    ids=str,
)
def test_borders_of_blocks_of_the_real_size(shape, granularity):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = choose_qparams(x / 2, granularity=granularity)  # some lie beyond the grid
    assert_same_bits(fake_quantize(x, found), plain_fake_quantize(x, found))


def test_groups_are_rows_of_a_tensor_laid_out_anew():
    x = np.random.default_rng(0).normal(size=(3, 4, 8)).astype(np.float32)
    grouped = choose_qparams(x, bits=4, granularity=PerGroup(2))
    rows = choose_qparams(x.reshape(-1, 2), bits=4, granularity=PerAxis(0))
    np.testing.assert_array_equal(grouped.scale, rows.scale)
    assert grouped.scale.shape == (48,)
    given = quantize(x, grouped)
    np.testing.assert_array_equal(given.reshape(-1, 2), quantize(x.reshape(-1, 2), rows))


@pytest.mark.parametrize("granularity", [PerTensor(), PerAxis(1), PerAxis(-3), PerGroup(3)])
def test_layout_and_precision_of_the_input_do_not_matter(granularity):
    plain = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(ml_dtypes.bfloat16)
    plain = plain.astype(np.float32)  # values that every dtype below holds, or nearly
    found = choose_qparams(plain, granularity=granularity)
    expected = fake_quantize(plain, found)
    wide = np.zeros((4, 10, 12), np.float32)
    wide[:, ::2, ::-2] = plain
    same = {
        "Fortran order": np.asfortranarray(plain),
        "strided": wide[:, ::2, ::-2],
        "transposed": np.ascontiguousarray(plain.T).T,
        "float64": plain.astype(np.float64),
        "bfloat16": plain.astype(ml_dtypes.bfloat16),
        "big-endian": plain.astype(">f4"),
        "nested lists": plain.tolist(),
        "read-only": np.frombuffer(plain.tobytes(), np.float32).reshape(plain.shape),
    }
    for name, x in same.items():
        np.testing.assert_array_equal(
            choose_qparams(x, granularity=granularity).scale, found.scale, err_msg=name
        )
        assert_same_bits(fake_quantize(x, found), expected)
    halves = plain.astype(np.float16)
    assert_same_bits(fake_quantize(halves, found), fake_quantize(np.float32(halves), found))
    np.testing.assert_array_equal(plain, wide[:, ::2, ::-2])  # the input is left as it was


def test_a_single_number_and_none_at_all():
    found = choose_qparams(-2.0)
    assert found.zero_point.tolist() == [127]
    given = fake_quantize(-2.0, found)
    assert given.shape == ()
    assert given == -2
    assert quantize(np.float32(-2), found) == -128
    for shape in ((0,), (3, 0), (0, 4)):
        empty = np.zeros(shape, np.float32)
        assert fake_quantize(empty, found).shape == shape
        assert quantize(empty, found).dtype == np.int8
        assert dequantize(quantize(empty, found), found).shape == shape
        with pytest.raises(ValueError, match="no values to choose a range from"):
            choose_qparams(empty)
    # without rows there are still channels, and a range that is given needs no values
    kept = choose_qparams(np.zeros((0, 4), np.float32), range=(-1, 1), granularity=PerAxis(1))
    assert kept.scale.shape == (4,)
    assert fake_quantize(np.zeros((0, 4), np.float32), kept).shape == (0, 4)


@pytest.mark.parametrize("bits", range(2, 17))
def test_every_integer_is_used_and_the_ends_are_reached(bits):
    ramp = np.linspace(-1, 3, 2**18, dtype=np.float32)
    found = choose_qparams(ramp, bits=bits)
    assert found.bits == bits
    assert np.unique(quantize(ramp, found)).size == 2**bits
    found = choose_qparams(ramp, bits=bits, symmetric=True)
    assert found.bits == bits
    given = quantize(np.float32([-9, -3, 0, 3, 9]), found)
    top = 2 ** (bits - 1) - 1
    assert given.tolist() == [-top, -top, 0, top, top]


@pytest.mark.parametrize(
    ("qmin", "qmax", "dtype"), [(-1, 127, "int8"), (-1, 254, "int16"), (0, 40_000, "uint16")]
)
def test_grids_made_by_hand_have_integers_that_hold_them(qmin, qmax, dtype):
    one = QParams(np.float32([0.1]), np.int32([0]), qmin, qmax)
    found = quantize(np.float32([-9, 12.5, 9e3]), one)
    assert found.tolist() == [qmin, min(125, qmax), qmax]
    assert found.dtype == dtype


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("rule", ["converter", "fake_quant"])
@pytest.mark.parametrize("granularity", [PerTensor(), PerAxis(0)])
def test_double_precision_is_rounded_once(bits, rule, granularity):
    """A billionth of a step off the middle of two integers: float32 cannot tell the sides apart."""
    found = choose_qparams(
        np.zeros((1, 1)), bits=bits, range=(-0.3, 0.7), rule=rule, granularity=granularity
    )
    scale, zero_point = found.scale.astype(float), found.zero_point
    q = np.arange(found.qmin, found.qmax)[None]
    middles = (q - zero_point + 0.5) * scale
    for sides, nearest in ((-1e-9, q), (1e-9, q + 1)):
        x = middles + sides * scale
        np.testing.assert_array_equal(quantize(x, found), nearest)
        np.testing.assert_array_equal(fake_quantize(x, found), dequantize(nearest, found))
    single = [
        quantize((middles + side * scale).astype(np.float32), found) for side in (-1e-9, 1e-9)
    ]
    assert (single[0] == single[1]).mean() > 0.9


def test_what_no_float32_can_hold_is_clipped_and_what_is_no_number_is_not():
    found = choose_qparams([-1.0, 3.0])
    assert quantize([-1e300, 1e300], found).tolist() == [-128, 127]
    with pytest.raises(ValueError, match="NaN or infinite"):
        quantize([np.inf, 1e300], found)


def test_halves_go_up():
    found = QParams(np.float32([0.5]), np.int32([-3]), -128, 127)
    x = np.float32([-0.75, -0.25, 0.25, 0.75])
    assert quantize(x, found).tolist() == [-4, -3, -2, -1]
    assert fake_quantize(x, found).tolist() == [-0.5, 0, 0.5, 1]


def test_range_is_given_in_numbers_in_arrays_or_by_a_function():
    x = np.float32([[-1, 1], [-2, 4], [0.5, 1]])
    by_row = PerAxis(0)
    smallest, largest = np.minimum(x.min(axis=1), 0), x.max(axis=1)
    for range_ in (None, (smallest, largest), (x.min(axis=1), largest), qk.calibration.min_max):
        found = choose_qparams(x, range=range_, granularity=by_row)
        np.testing.assert_array_equal(found.scale, np.float32((largest - smallest) / 255))
    shared = choose_qparams(x, range=(-0.5, 0.5), granularity=by_row)
    np.testing.assert_array_equal(shared.scale, np.float32([1 / 255] * 3))
    above = choose_qparams(x, range=(3, 5))  # it is widened until it holds 0
    assert (above.low[0], above.zero_point[0]) == (0, -128)


def test_narrowest_and_widest_ranges():
    tiny = choose_qparams(np.float32([-1e-45, 1e-40]))
    assert tiny.scale.tolist() == [np.float32(2e-6) / np.float32(255)]
    assert not fake_quantize(np.float32([-1e-45, 1e-40]), tiny).any()
    ends = np.float32([-1.7e38, 1.7e38])  # their distance still fits into single precision
    for bits in (2, 8, 16):
        for symmetric in (False, True):
            found = choose_qparams(ends, bits=bits, symmetric=symmetric)
            assert np.isfinite(fake_quantize(ends, found)).all()
    for rule in ("converter", "fake_quant"):
        with pytest.raises(ValueError, match=r"range from -3e\+38 to 3e\+38 is too wide"):
            choose_qparams(np.float32([-3e38, 3e38]), rule=rule)
    with pytest.raises(ValueError, match="too wide"):
        choose_qparams(np.float32([3e38]), symmetric=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted(bad):
    x = np.ones((3, 4), np.float32)
    found = choose_qparams(x)
    x[1, 1:3] = bad
    for call in (choose_qparams, lambda v: quantize(v, found), lambda v: fake_quantize(v, found)):
        with pytest.raises(ValueError, match="2 of 12 values are NaN or infinite in float32"):
            call(x)
    with pytest.raises(ValueError, match="1 of 2 values are NaN or infinite in float32"):
        choose_qparams(np.array([1.0, 1e39]))  # float64 that float32 cannot hold
    # huge values whose sum overflows are not taken for infinite ones
    huge = np.full(100, 3e38, np.float32)
    assert np.isfinite(fake_quantize(huge, choose_qparams(huge))).all()


def test_a_grid_tells_what_it_spans():
    x = np.float32([[0.1, -0.2], [30.0, 10.0]])
    found = choose_qparams(x, granularity=PerAxis(0))
    np.testing.assert_allclose(found.high - found.low, 255 * found.scale, rtol=1e-6)
    assert str(found).startswith("8 bits, integers -128 to 127; 2 scales, 0.00118 to 0.118")
    assert "zero point -128: 0 to 30" in str(choose_qparams(np.abs(x)))


LARGE = 2**23
GRANULARITIES = [PerTensor(), PerAxis(0), PerAxis(-1), PerGroup(32)]


@pytest.fixture(scope="module")
def large():
    return np.random.default_rng(0).standard_normal((LARGE // 64, 64), np.float32)


def peak(call):
    """Return the most memory that a call holds beside its input, in bytes; its result counts."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=str)
def test_memory_stays_below_three_times_the_input(granularity, large):
    found = choose_qparams(large, granularity=granularity)
    q = quantize(large, found)
    scales = 40 * found.scale.nbytes + 3 * 2**20  # what the grid itself and the blocks take
    # the input itself makes one of the three
    assert peak(lambda: fake_quantize(large, found)) <= large.nbytes + scales
    assert peak(lambda: quantize(large, found)) <= large.nbytes / 4 + scales
    assert peak(lambda: dequantize(q, found)) <= large.nbytes + scales
    assert peak(lambda: choose_qparams(large, granularity=granularity)) <= scales
    assert peak(lambda: qk.quantization_error(large, found)) <= 2 * large.nbytes


@pytest.mark.parametrize("observer", ["min_max", "percentile", "mse", "entropy"])
def test_memory_of_a_range_chosen_from_a_histogram(observer, large):
    observe = getattr(qk.calibration, observer)
    assert peak(lambda: choose_qparams(large, range=observe)) <= 0.5 * large.nbytes
