"""What the picture of a grid shows is what the grid does."""

import numpy as np
import pytest

from qkit.quantize.grid import PerAxis, choose_qparams, fake_quantize
from qkit.quantize.grid_fit import STEP_EDGES, VALUE_EDGES, grid_fit

X = np.random.default_rng(0).normal(size=(6, 500)).astype(np.float32)


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


def test_table_and_line():
    fit = grid_fit(X, choose_qparams(X, bits=4, granularity=PerAxis(0)))
    assert fit.to_frame().loc[0, ["bits", "scales"]].tolist() == [4, 6]
    assert "4 bits" in fit.summary()
    assert "SQNR" in fit.summary()
