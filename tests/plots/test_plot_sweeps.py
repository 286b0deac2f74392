"""The pictures of the sweeps show the numbers of their results."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk

X = np.random.default_rng(0).normal(size=2_000)


def lines(ax):
    return [np.asarray(line.get_ydata(), float) for line in ax.lines]


def shown(values, ax):
    return any(len(y) == len(values) and np.allclose(y, values) for y in lines(ax))


def test_range_sweep_shows_both_causes_and_every_bit():
    sweep = qk.range_sweep(X, bits=(8, 4))
    figure = qk.plot_range_sweep(sweep, bits=8)
    causes, ratio = figure.axes
    assert shown(100 * sweep.rounding[0], causes)
    assert shown(100 * sweep.clipping[0], causes)
    assert shown(sweep.sqnr_db[0], ratio)
    assert shown(sweep.sqnr_db[1], ratio)
    labels = [text.get_text() for text in ratio.get_legend().get_texts()]
    assert labels == [
        f"{n} bits: best end {end:.2f}" for n, end in zip((8, 4), sweep.best_share, strict=True)
    ]


def test_range_sweep_refuses_bits_that_were_not_swept():
    with pytest.raises(ValueError, match="not 5"):
        qk.plot_range_sweep(qk.range_sweep(X, bits=[4]), bits=5)


def test_bit_sweep_shows_measurement_and_law_on_the_figure_given():
    sweep = qk.bit_sweep({"x": X, "y": X[:50]}, bits=range(2, 6))
    figure = plt.figure()
    assert qk.plot_bit_sweep(sweep, figure=figure) is figure
    steps, ratio = figure.axes
    for row in range(2):
        assert shown(sweep.rmse_steps[row], steps)
        assert shown(sweep.sqnr_db[row], ratio)
        assert shown(sweep.law_db[row], ratio)
    assert steps.get_ylim()[1] > sweep.rmse_steps.max()
