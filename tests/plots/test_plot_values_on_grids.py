"""The picture of values on grids shows each point of a grid that lies among the values."""

import dataclasses

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.file import read_tflite

VALUES = np.random.default_rng(0).uniform(-2, 3, 500)


@pytest.fixture(autouse=True)
def closed(figures):
    """Close all figures after a test."""


@pytest.fixture
def grid(tflite):
    """Return a function from dtype, step and zero point to a tensor with that grid."""
    tensor = read_tflite(tflite("full_integer")).inputs[0]
    return lambda dtype, step, zero_point: dataclasses.replace(
        tensor, dtype=dtype, scale=np.float32([step]), zero_point=np.int64([zero_point])
    )


def test_rows_show_the_points_among_the_values_and_count_them(grid):
    grids = {"wide": grid("int8", 40, 127), "fine": grid("int16", 0.5, 0)}
    spread, points = qk.plot_values_on_grids(VALUES, grids, unit="score").axes
    wide, fine = (np.asarray(line.get_xdata()) for line in points.lines)
    assert wide.tolist() == [0]
    np.testing.assert_allclose(np.diff(fine), 0.5)
    assert fine[0] == -2.5
    assert fine[-1] == 3.5
    said = [text.get_text() for text in points.texts]
    assert said == ["step 40: 1 point", "step 0.5: 9 points"]
    assert points.get_xlabel() == "score"
    assert spread.get_xlim()[0] < VALUES.min()
    assert [label.get_text() for label in points.get_yticklabels()] == ["wide", "fine"]


def test_points_end_where_the_integers_do(grid):
    _, points = qk.plot_values_on_grids(VALUES, {"to 0": grid("int8", 0.1, 127)}).axes
    assert points.lines[0].get_xdata().max() == 0


def test_shares_of_the_values_sum_to_one(grid):
    spread, _ = qk.plot_values_on_grids(VALUES, {"grid": grid("int8", 1, 0)}).axes
    heights = spread.patches[0].get_data().values
    assert heights.sum() == pytest.approx(1)
