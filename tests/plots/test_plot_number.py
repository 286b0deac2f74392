"""The picture of a number shows its bits, and its neighbours where they are."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import qkit as qk
from qkit.plots.number import plot_numbers


def drawn_bits(ax):
    """Return the digits by row, from left to right, as they are seen."""
    rows = {}
    for line in ax.lines:
        for x, y in zip(*line.get_data(), strict=True):
            rows.setdefault(round(float(y)), []).append((x, line.get_marker().strip("$")))
    return ["".join(digit for _, digit in sorted(rows[row])) for row in sorted(rows)]


@pytest.mark.parametrize("value", [0.123456789, -7.0, 0.0, 1e6])
def test_bits_are_all_there_and_their_cells_tell_ones_from_zeros(value):
    found = qk.nearest_numbers(value)
    bits, _, _ = plot_numbers(found).axes
    assert drawn_bits(bits) == [row.bits.replace("|", "") for row in found.rows]
    (cells,) = (c for c in bits.collections if isinstance(c, PolyCollection))
    digits = "".join(row.bits.replace("|", "") for row in found.rows)
    dark = [sum(colour[:3]) < 2.2 for colour in cells.get_facecolor()]
    assert dark == [digit == "1" for digit in digits]
    assert [text.get_text() for text in bits.texts] == [row.formula for row in found.rows]


def test_neighbours_stand_in_steps_from_the_value():
    found = qk.nearest_numbers(0.123456789)
    _, line, errors = plot_numbers(found).axes
    neighbours, stored = line.lines
    steps = [[(x - row.value) / row.spacing for x in (row.below, row.above)] for row in found.rows]
    np.testing.assert_allclose(neighbours.get_xdata(), np.ravel(steps))
    assert neighbours.get_ydata().tolist() == np.repeat(range(6), 2).tolist()
    np.testing.assert_allclose(stored.get_xdata(), [r.error / r.spacing for r in found.rows])
    assert np.abs(stored.get_xdata()).max() <= 0.5 + 1e-6
    assert [text.get_text() for text in line.texts][1] == "0.123474121"
    np.testing.assert_allclose(
        errors.lines[0].get_xdata(), [row.relative_error for row in found.rows]
    )


def test_what_is_out_of_sight_is_said_in_words():
    _, line, errors = plot_numbers(qk.nearest_numbers(-1e6)).axes
    said = [text.get_text() for text in line.texts]
    assert said[1] == "← overflow to ∞"
    assert said[4] == "→ clipped to −0.996078, 1.3e+08 steps off"
    assert np.isnan(line.lines[1].get_xdata()).tolist() == [False, True, False, True, True, True]
    # nothing is lost by float32, all by float16
    at_ends = errors.lines[0].get_xdata()[:2]
    labels = dict(
        zip(errors.get_xticks(), (t.get_text() for t in errors.get_xticklabels()), strict=True)
    )
    assert [labels[x] for x in at_ends] == ["0", "∞"]
