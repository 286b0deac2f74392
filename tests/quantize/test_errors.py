"""What a grid costs, against plain sums in double precision and against theory."""

import numpy as np
import pytest

import qkit as qk
from qkit.quantize import grid as cut
from qkit.quantize.errors import STEP_EDGES, VALUE_EDGES, grid_fit
from qkit.quantize.grid import (
    PerAxis,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    fake_quantize,
)

X = np.random.default_rng(0).normal(size=(6, 500)).astype(np.float32)
GRANULARITIES = [PerTensor(), PerAxis(0), PerAxis(-2), PerGroup(3)]
UNIT = QParams(np.float32([1]), np.int32([0]), -8, 7)


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=str)
@pytest.mark.parametrize("block", [7, 2**16])
def test_shares_are_those_of_plain_sums(granularity, block, monkeypatch):
    monkeypatch.setattr(cut, "_BLOCK", block)
    x = np.random.default_rng(0).standard_t(3, (5, 4, 6)).astype(np.float32)
    found = choose_qparams(x, bits=4, range=(-2, 2), granularity=granularity)
    result = qk.quantization_error(x, found)

    channels = np.arange(found.scale.size)
    blocks = granularity.blocks(x.shape)
    channel = np.broadcast_to(channels.reshape(1, -1, 1), blocks).ravel()
    wide = x.astype(np.float64).ravel()
    error = fake_quantize(x, found).astype(np.float64).ravel() - wide
    scale, low, high = (v[channel].astype(np.float64) for v in (found.scale, found.low, found.high))
    beyond = (wide < low - scale / 2) | (wide > high + scale / 2)
    assert 0 < result.clipped_share < 0.2
    assert result.clipped_share == beyond.mean()
    assert result.n == x.size
    per_channel = [
        10 * np.log10(np.sum(wide[channel == c] ** 2) / np.sum(error[channel == c] ** 2))
        for c in channels
    ]
    np.testing.assert_allclose(result.channel_sqnr_db, per_channel)
    np.testing.assert_allclose(
        [result.sqnr_db, result.rmse_steps, result.clipping_share],
        [
            10 * np.log10(np.sum(wide**2) / np.sum(error**2)),
            np.sqrt(np.mean((error / scale) ** 2)),
            np.sum(error[beyond] ** 2) / np.sum(error**2),
        ],
    )


def test_rounding_alone_costs_a_step_by_root_twelve():
    x = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    for bits in (4, 8):
        result = qk.quantization_error(x, choose_qparams(x, bits=bits))
        assert result.rmse_steps == pytest.approx(12**-0.5, rel=0.01)
        assert (result.clipped_share, result.clipping_share) == (0, 0)
        assert result.sqnr_db == pytest.approx(20 * np.log10(2**bits - 1), abs=0.1)
        assert str(result).endswith("all of it rounding")


def test_a_value_is_clipped_from_half_a_step_beyond_the_end():
    result = qk.quantization_error(np.float32([7.5, 7.51, -8.5, -9]), UNIT)
    assert result.clipped_share == 0.5
    squares = np.float64([0.5, 0.51, 0.5, 1]) ** 2
    assert result.clipping_share == pytest.approx((squares[1] + squares[3]) / squares.sum())
    assert "50 % of the values are clipped, which makes up 72 % of" in str(result)


def test_values_on_the_grid_cost_nothing():
    result = qk.quantization_error(np.float32([-8, 0, 7]), UNIT)
    assert (result.sqnr_db, result.rmse_steps, result.clipping_share) == (np.inf, 0, 0)
    nothing = qk.quantization_error(np.zeros((2, 3), np.float32), choose_qparams(np.zeros(2)))
    assert nothing.sqnr_db == np.inf  # neither signal nor noise: nothing is lost
    half = QParams(np.float32([1, 1]), np.int32([0, 0]), -8, 7, PerAxis(0))
    by_row = qk.quantization_error(np.float32([[0, 0], [0.25, 1]]), half).channel_sqnr_db
    np.testing.assert_allclose(by_row, [np.nan, 10 * np.log10(1.0625 / 0.0625)])


def test_sqnr_of_a_grid_is_that_of_its_values():
    result = qk.quantization_error(np.float32([0.25, 1]), UNIT)
    assert result.sqnr_db == qk.sqnr_db([0.25, 1.0], [0.0, 1.0])


def test_sqnr_of_two_arrays():
    assert qk.sqnr_db([3.0, 4.0], [3.0, 4.5]) == pytest.approx(20)
    for x, y, db in ((1.0, 1.0, np.inf), (0.0, 0.0, np.inf), (0.0, 1.0, -np.inf)):
        assert qk.sqnr_db([x], [y]) == db
    x = np.random.default_rng(0).normal(size=(300, 500)).astype(np.float32)
    y = x + np.float32(0.01)
    wide, other = x.astype(np.float64), y.astype(np.float64)
    expected = 10 * np.log10(np.sum(wide**2) / np.sum((wide - other) ** 2))
    assert qk.sqnr_db(x.T, y.T) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"shapes must be equal, got \(2,\) and \(1, 2\)"):
        qk.sqnr_db([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="sqnr_db: 1 of 1 values are NaN"):
        qk.sqnr_db([1.0], [np.nan])


def test_all_values_and_all_errors_are_counted():
    fit = grid_fit(X, choose_qparams(X, bits=3, range=(-1, 1)))
    assert fit.value_share.sum() == pytest.approx(1)
    assert (fit.error_density * np.diff(STEP_EDGES)).sum() == pytest.approx(1)
    assert fit.largest == np.abs(X).max()


def test_rounding_alone_is_even_between_half_a_step():
    fit = grid_fit(X, choose_qparams(X, bits=8, granularity=PerAxis(0)))
    inside = np.abs((STEP_EDGES[1:] + STEP_EDGES[:-1]) / 2) < 0.5
    assert fit.error_density[~inside].sum() == 0
    assert fit.error_density[inside].mean() == pytest.approx(1)


def test_clipped_values_are_in_the_outermost_bins():
    fit = grid_fit(X, choose_qparams(X, bits=8, range=(-0.5, 0.5)))
    width = STEP_EDGES[1] - STEP_EDGES[0]
    clipped = (fit.error_density[[0, -1]] * width).sum()
    assert clipped == pytest.approx(fit.error.clipped_share, abs=0.02)
    steps = (fake_quantize(X, fit.qparams) - X) / fit.qparams.scale
    assert clipped == pytest.approx((np.abs(steps) > 1.45).mean(), abs=0.002)


def test_zeros_alone_have_a_picture_too():
    fit = grid_fit(np.zeros(5, np.float32), choose_qparams(np.zeros(5, np.float32)))
    assert fit.largest == 1
    assert fit.value_share[VALUE_EDGES.size // 2 - 1] == 1


def test_line_of_a_fit():
    fit = grid_fit(X, choose_qparams(X, bits=4, granularity=PerAxis(0)))
    assert fit.summary().startswith("4 bits, integers -8 to 7; 6 scales, ")
    error = qk.quantization_error(X, fit.qparams)
    assert fit.summary() == f"{fit.qparams.summary()}. {error.summary()}"


def test_values_in_double_precision_are_held_against_what_they_are():
    x = np.random.default_rng(0).uniform(0.5, 1, 10_000)
    single = x.astype(np.float32)
    noise = np.square(single - x).sum()
    assert qk.sqnr_db(x, single) == pytest.approx(10 * np.log10(np.square(x).sum() / noise))
    # the middle of two integers and a billionth of a step less, which float32 would round up
    found = qk.quantization_error(np.full(4, 2.5 - 1e-9), UNIT)
    assert found.rmse_steps == pytest.approx(0.5 - 1e-9, abs=1e-12)
    assert grid_fit(np.full(4, 2.5 - 1e-9), UNIT).error.rmse_steps == found.rmse_steps
