"""Sweeps over ranges and bits: each point is what the grid itself gives, and the laws are met."""

import numpy as np
import pytest

import qkit as qk

NORMAL = np.random.default_rng(0).normal(size=20_000).astype(np.float32)


@pytest.fixture(scope="module")
def ranges():
    return qk.range_sweep(NORMAL, bits=(8, 3), shares=np.linspace(0.1, 1.5, 29))


def test_range_sweep_is_the_error_of_each_grid(ranges):
    end = 0.5 * np.abs(NORMAL).max()
    grid = qk.grid.choose_qparams(NORMAL, bits=3, symmetric=True, range=(-end, end))
    error = qk.quantization_error(NORMAL, grid)
    at = np.abs(ranges.shares - 0.5).argmin()
    assert ranges.sqnr_db[1, at] == pytest.approx(error.sqnr_db, abs=1e-3)
    assert ranges.clipped_share[1, at] == pytest.approx(error.clipped_share, abs=1e-3)


def test_causes_add_up_and_nothing_clips_beyond_the_largest(ranges):
    both = ranges.rounding**2 + ranges.clipping**2
    np.testing.assert_allclose(both, 10 ** (-ranges.sqnr_db / 10))
    assert not ranges.clipping[:, ranges.shares >= 1].any()
    assert (np.diff(ranges.clipping[0]) <= 0).all()


def test_the_coarser_grid_has_its_best_end_further_in(ranges):
    assert ranges.best_share[1] < ranges.best_share[0] <= 1
    frame = ranges.to_frame()
    assert (frame["gain_db"] >= 0).all()
    assert frame.loc[3, "sqnr_db"] == ranges.sqnr_db[1].max()
    assert f"{frame.loc[3, 'best_share']:.2f} at 3 bits" in ranges.summary()


def test_the_best_end_is_where_the_mse_observer_finds_it(ranges):
    _, high = qk.calibration.mse([NORMAL], bits=3, symmetric=True)
    assert ranges.best_share[1] == pytest.approx(high / np.abs(NORMAL).max(), abs=0.05)


@pytest.mark.parametrize(
    ("x", "more"),
    [(np.zeros(3), {}), (np.zeros(0), {}), (NORMAL, {"shares": [0]}), (NORMAL, {"shares": []})],
)
def test_range_sweep_refuses(x, more):
    with pytest.raises(ValueError, match="range_sweep"):
        qk.range_sweep(x, **more)


def test_even_errors_keep_the_laws_and_few_bits_of_a_spike_do_not():
    even = np.random.default_rng(1).uniform(-1, 1, 20_000)
    sweep = qk.bit_sweep({"even": even, "spike": np.append(even * 0.01, 1)}, bits=(2, 6, 10))
    assert sweep.within_law[0, 1:].all()
    assert not sweep.within_law[1, 0]
    assert sweep.rmse_steps[1, 0] < 0.2
    np.testing.assert_allclose(sweep.sqnr_db[0, 1:], sweep.law_db[0, 1:], atol=0.1)
    assert sweep.law_db[0, 2] - sweep.law_db[0, 1] == pytest.approx(20 * np.log10(1023 / 63))


def test_bit_sweep_is_the_error_of_each_grid():
    sweep = qk.bit_sweep({"a": NORMAL, "b": NORMAL[:100]}, bits=(3, 5), symmetric=True)
    grid = qk.grid.choose_qparams(NORMAL[:100], bits=5, symmetric=True)
    error = qk.quantization_error(NORMAL[:100], grid)
    row = sweep.to_frame().loc[("b", 5)]
    assert row["sqnr_db"] == error.sqnr_db
    assert row["rmse_steps"] == error.rmse_steps
    assert sweep.n.tolist() == [20_000, 100]
    assert f"in {sweep.within_law.sum()} of 4 cases" in sweep.summary()


def test_margin_holds_95_percent_of_even_errors():
    errors = np.random.default_rng(2).uniform(-0.5, 0.5, (2000, 108))
    rms = np.sqrt((errors**2).mean(axis=1))
    margin = qk.bit_sweep({"x": NORMAL[:108]}, bits=[4]).rmse_steps_margin[0]
    assert np.mean(np.abs(rms - 1 / np.sqrt(12)) <= margin) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("tensors", [{}, NORMAL, {"x": np.zeros(4)}, {"x": np.zeros(0)}])
def test_bit_sweep_refuses(tensors):
    with pytest.raises(ValueError, match="bit_sweep"):
        qk.bit_sweep(tensors)
