"""Each observer against the raw values: the histogram must not change what it chooses."""

import functools
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkit as qk
from qkit.quantize.calibration import (
    entropy,
    histogram,
    min_max,
    moving_average,
    mse,
    percentile,
)
from qkit.quantize.grid import PerAxis, choose_qparams, fake_quantize

OBSERVERS = [min_max, percentile, mse, entropy, moving_average]
BIN = 1 / 2048  # of the range at most: joining neighbours leaves half of 4,096 bins
COUNT = 8_000


def samples():
    """Return streams of values by name: both signs, one, heavy tails, mostly zeros."""
    rng = np.random.default_rng(0)
    drawn = {
        "normal": rng.normal(size=COUNT),
        "shifted": rng.normal(0.5, 1, COUNT),
        "laplace": rng.laplace(size=COUNT),
        "uniform": rng.uniform(-1, 3, COUNT),
        "heavy tails": rng.standard_t(3, COUNT),
        "positive": rng.exponential(size=COUNT),
        "negative": -rng.gamma(2, 1, COUNT),
        "70 % zeros": np.maximum(rng.normal(-0.524, 1, COUNT), 0),  # after a ReLU
        "one outlier": np.r_[rng.normal(size=COUNT), 40],
    }
    return {name: x.astype(np.float32) for name, x in drawn.items()}


SAMPLES = samples()


@pytest.fixture(params=SAMPLES)
def x(request):
    return SAMPLES[request.param]


def shuffled_batches(x, seed):
    """Return the values in batches of unequal size, in another order."""
    rng = np.random.default_rng(seed)
    borders = np.sort(rng.integers(1, x.size, 6))
    return np.split(rng.permutation(x), borders)


def test_min_max_is_that_of_all_values_in_any_order(x):
    assert min_max([x]) == (x.min(), x.max())
    assert min_max(shuffled_batches(x, 1)) == (x.min(), x.max())


@pytest.mark.parametrize("percent", [50, 90, 99, 99.99, 100])
def test_percentile_is_that_of_numpy_to_one_bin(x, percent):
    outside = (100 - percent) / 200 * x.size
    one_bin = np.ptp(np.r_[x, 0]) * BIN
    for batches in ([x], shuffled_batches(x, 2)):
        low, high = percentile(batches, percent)
        # no more is cut off than allowed, and with another bin it would be
        assert max(np.sum(x < low), np.sum(x > high)) <= outside + 1e-6
        assert min(np.sum(x <= low + one_bin), np.sum(x >= high - one_bin)) >= outside
    if percent in (90, 99):  # farther out, neighbours lie far apart
        between = [np.percentile(x, p) for p in (50 - percent / 2, 50 + percent / 2)]
        np.testing.assert_allclose((low, high), between, atol=0.02 * np.ptp(x))


def squared_error(x, low, high, bits, symmetric):
    grid = choose_qparams(x, bits=bits, symmetric=symmetric, range=(low, high))
    return float(np.square(fake_quantize(x, grid).astype(np.float64) - x).sum())


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_mse_finds_what_trying_all_ranges_finds(x, bits):
    x = x[-1_000:]  # the outlier is the last
    shares = np.linspace(0, 1, 21)[1:]
    lows = shares * x.min() if x.min() < 0 else [0]
    highs = shares * x.max() if x.max() > 0 else [0]
    least = min(squared_error(x, *ends, bits, False) for ends in itertools.product(lows, highs))
    assert squared_error(x, *mse([x], bits=bits), bits, False) <= 1.02 * least
    reaches = np.abs(x).max() * np.linspace(0, 1, 101)[1:]
    least = min(squared_error(x, -reach, reach, bits, True) for reach in reaches)
    assert squared_error(x, *mse([x], bits=bits, symmetric=True), bits, True) <= 1.02 * least


def test_mse_of_a_stream_is_that_of_the_whole(x):
    whole = squared_error(x, *mse([x]), 8, False)
    streamed = squared_error(x, *mse(shuffled_batches(x, 3)), 8, False)
    assert streamed <= 1.02 * whole


def tensorrt(x, levels):
    """Return the threshold by Migacz' algorithm, and the divergence at each of the thresholds."""
    magnitudes = np.abs(x[x != 0]).astype(np.float64)
    counts, edges = np.histogram(magnitudes, 2048, (0, magnitudes.max()))
    divergences = np.full(2049, np.inf)
    for bins in range(levels, 2049):
        reference = counts[:bins].astype(np.float64)
        candidate = np.zeros(bins)
        for part in np.array_split(np.arange(bins), levels):
            filled = part[reference[part] > 0]
            candidate[filled] = reference[part].sum() / max(filled.size, 1)
        reference[-1] += counts[bins:].sum()
        reference, candidate = reference / reference.sum(), candidate / candidate.sum()
        some = reference > 0
        with np.errstate(divide="ignore"):
            logs = np.log(reference[some] / candidate[some])
        divergences[bins] = reference[some] @ logs
    return edges, divergences


@pytest.mark.parametrize("name", ["laplace", "heavy tails", "70 % zeros"])
def test_entropy_is_that_of_tensorrt(name):
    rng = np.random.default_rng(4)
    x = SAMPLES[name]
    x = np.concatenate([x * s for s in rng.uniform(0.999, 1.001, 12)]).astype(np.float32)
    both = x.min() < 0
    edges, divergences = tensorrt(x, 2**3 if both else 2**4)
    low, high = entropy([x], bits=4)
    # the threshold itself lies in a flat valley; what counts is how deep ours lies in it
    found = np.searchsorted(edges, max(-low, high) * (1 + 1e-6)) - 1
    nearby = divergences[max(found - 10, 0) : found + 11]
    assert nearby.min() <= 1.1 * divergences.min()
    threshold = max(-low, high)
    assert np.isclose(threshold, edges[divergences.argmin()], rtol=0.25)
    np.testing.assert_allclose((low, high), np.clip((x.min(), x.max()), -threshold, threshold))


def test_entropy_does_not_care_for_exact_zeros():
    x = SAMPLES["70 % zeros"]
    assert 0.65 < np.mean(x == 0) < 0.75
    assert entropy([x]) == entropy([x[x > 0], np.zeros(1, np.float32)])
    low, high = entropy([x], bits=4)
    assert (low, x.max() > high > np.percentile(x[x > 0], 95)) == (0, True)


def test_entropy_cuts_a_lone_outlier_off_and_keeps_an_even_spread():
    assert entropy([SAMPLES["one outlier"]])[1] < 8
    low, high = entropy([SAMPLES["uniform"]])
    assert (low, high) == (SAMPLES["uniform"].min(), SAMPLES["uniform"].max())
    # no histogram of 4,096 bins tells 2**12 levels apart
    outlier = SAMPLES["one outlier"]
    assert entropy([outlier], bits=12) == (outlier.min(), outlier.max())


def test_moving_average_is_that_of_training(toy_model, toy_data, monkeypatch):
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    original, seen = quant_ops.MovingAvgQuantize, {}

    def spy(inputs, low, high, **options):
        ranges, batches = seen.setdefault(low.name, ([], []))
        batches.append(inputs.numpy())
        result = original(inputs, low, high, **options)
        ranges.append((float(low), float(high)))
        return result

    aware = qk.quantization_aware(toy_model())
    monkeypatch.setattr(quant_ops, "MovingAvgQuantize", spy)
    for batch in np.split(toy_data.x_train, 20):
        aware(batch, training=True)
    assert len(seen) == 2  # the hidden layer's values and the logits
    for ranges, batches in seen.values():
        assert ranges[0] != ranges[-1]
        for count in (1, 5, 20):
            found = moving_average(batches[:count])
            np.testing.assert_allclose(found, ranges[count - 1], rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-6, 6), st.integers(1, 50)), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_histogram_grows_with_its_batches_and_loses_nothing(sizes, seed):
    rng = np.random.default_rng(seed)
    batches = [(rng.normal(size=n) * 10**exponent).astype(np.float32) for exponent, n in sizes]
    x = np.concatenate(batches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qkit.quantize.histogram._BINS", 64)
        found = histogram(batches)
    assert (found.low, found.high) == (x.min(), x.max())
    assert found.counts.sum() == x.size
    assert found.counts.size <= 64
    edges = (found.first + np.arange(found.counts.size + 1)) * found.width
    counts, _ = np.histogram(x.astype(np.float64), edges)
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.sums.sum(), x.sum(dtype=np.float64), rtol=1e-9, atol=1e-9)
    widest = max(np.ptp(np.r_[x, 0]), np.finfo(np.float32).tiny * 63)
    assert found.width <= 2 * widest / 31


@pytest.mark.parametrize("first", [0, 1e-45, -1e-30])
def test_a_first_batch_of_nothing_does_not_stand_in_the_way_of_the_next(first):
    found = histogram([np.full(3, first, np.float32), np.float32([-3, 1])])
    assert (found.low, found.high, found.counts.sum()) == (-3, 1, 5)
    assert found.counts.size >= 2048


def test_ranges_that_grow_a_billionfold():
    batches = [np.float32([-1, 1]) * 10**e for e in range(-3, 7)]
    assert min_max(batches) == (-1e6, 1e6)
    found = histogram(batches)
    assert found.counts.size >= 2048
    for observe in (percentile, mse, entropy):
        low, high = observe(batches)
        assert -1e6 <= low < 0 < high <= 1e6
        if observe is not entropy:  # twenty values have no distribution
            assert observe(batches[::-1]) == pytest.approx((low, high), rel=0.02)


@pytest.mark.parametrize("observe", OBSERVERS)
@pytest.mark.parametrize(
    "values",
    [[0, 0, 0], [3], [-3, -3], [1e-45, -1e-42], [1e-40], [2e38, -1e38], [1e-30, 1], [-1, 0, 1]],
    ids=str,
)
def test_odd_values_give_a_range_that_a_grid_takes(observe, values):
    x = np.float32(values)
    low, high = observe([x])
    assert np.isfinite([low, high]).all()
    assert low <= high
    if observe is not moving_average:  # which comes from ±6
        assert min(x.min(), 0) <= low
        assert high <= max(x.max(), 0)
    grid = choose_qparams(x, range=(low, high))
    assert np.isfinite(fake_quantize(x, grid)).all()
    if len(set(values)) == 1 and observe is not moving_average:
        np.testing.assert_allclose(fake_quantize(x, grid), x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("observe", [*OBSERVERS, histogram])
def test_stream_without_values_is_refused(observe):
    used_up = (batch for batch in [np.ones(3, np.float32)])
    observe(used_up)
    for empty in (used_up, [], [np.zeros((0, 4), np.float32)]):
        with pytest.raises(ValueError, match=r"no values\. Was the generator used up before\?"):
            observe(empty)
    # a batch without values among others does no harm
    observe([np.zeros(0, np.float32), np.ones(2, np.float32)])
    with pytest.raises(ValueError, match="calibration: 1 of 2 values are NaN"):
        observe([np.float32([1, np.nan])])
    with pytest.raises(TypeError, match="calibration: the values must be floating point, got int"):
        observe([np.arange(3)])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: percentile([[1.0]], 0), r"percent must be a number in \(0, 100\], got 0"),
        (lambda: percentile([[1.0]], 101), "got 101"),
        (lambda: moving_average([[1.0]], decay=1), r"decay must be a number in \[0, 1\), got 1"),
        (lambda: moving_average([[1.0]], decay=-0.1), "got -0.1"),
    ],
)
def test_arguments_out_of_range_are_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


@pytest.mark.parametrize("observe", OBSERVERS)
def test_memory_does_not_grow_with_the_stream(observe):
    rng = np.random.default_rng(0)
    batch = rng.normal(size=20_000).astype(np.float32)

    def peak(count):
        tracemalloc.start()
        try:
            observe(batch * np.float32(1 + i / 100) for i in range(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    observe([batch])  # what it imports is not its own
    assert peak(200) <= 1.1 * peak(4) + 50_000


@pytest.mark.parametrize(
    "observe",
    [*OBSERVERS, functools.partial(percentile, percent=99), functools.partial(mse, bits=4)],
)
def test_each_observer_gives_the_range_of_a_grid(observe):
    x = np.stack([SAMPLES[name] for name in ("normal", "positive", "70 % zeros")], axis=1)
    for granularity, columns in ((PerAxis(1), x.T), (PerAxis(-1), x.T)):
        found = choose_qparams(x, range=observe, granularity=granularity)
        for column, scale, zero_point in zip(columns, found.scale, found.zero_point, strict=True):
            alone = choose_qparams(column, range=observe([column]))
            assert (scale, zero_point) == (alone.scale[0], alone.zero_point[0])
    whole = choose_qparams(x, range=observe)
    assert whole.scale == choose_qparams(x, range=observe([x])).scale


@pytest.mark.parametrize("observe", OBSERVERS)
def test_a_histogram_filled_before_gives_the_range_of_the_stream(observe):
    rng = np.random.default_rng(0)
    batches = [np.float32(scale * rng.normal(size=500)) for scale in (1, 3, 0.1, 40, 2)]
    filled = histogram(batches)
    assert observe(filled) == observe(batches)
    assert observe(filled) == observe(iter(batches))  # it is not used up
