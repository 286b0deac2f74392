"""The picture of a number shows its bits, and its neighbours where they are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

import qkit as qk
from qkit.plots.number import outline, plot_numbers, words


def words_of(ax):
    """Return the outlines of the words on an Axes that change."""
    (artist,) = (c for c in ax.collections if isinstance(c, PathCollection))
    return [path.vertices.tolist() for path in artist.get_paths()]


def outlines(texts, *, centred=False):
    return [outline(text, centred=centred).vertices.tolist() for text in texts]


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
    assert {line.get_linestyle() for line in bits.lines} == {"None"}
    expected = ["".join(part for _, part in row.parts) for row in found.rows]
    assert drawn_bits(bits) == expected
    (cells,) = (c for c in bits.collections if isinstance(c, PolyCollection))
    digits = "".join(expected)
    dark = [sum(colour[:3]) < 2.2 for colour in cells.get_facecolor()]
    assert dark == [digit == "1" for digit in digits]
    assert words_of(bits) == outlines([row.formula for row in found.rows])


def test_neighbours_stand_in_steps_from_the_value():
    found = qk.nearest_numbers(0.123456789)
    _, line, errors = plot_numbers(found).axes
    neighbours, stored = line.lines
    steps = [[(x - row.value) / row.spacing for x in (row.below, row.above)] for row in found.rows]
    np.testing.assert_allclose(neighbours.get_xdata(), np.ravel(np.transpose(steps)))
    assert neighbours.get_ydata().tolist() == [*range(6), *range(6)]
    np.testing.assert_allclose(stored.get_xdata(), [r.error / r.spacing for r in found.rows])
    assert np.abs(stored.get_xdata()).max() <= 0.5 + 1e-6
    assert words_of(line)[1:2] == outlines(["0.123474121"], centred=True)
    np.testing.assert_allclose(
        errors.lines[0].get_xdata(), [row.relative_error for row in found.rows]
    )


def test_what_is_out_of_sight_is_said_in_words():
    _, line, errors = plot_numbers(qk.nearest_numbers(-1e6)).axes
    said = words_of(line)
    expected = ["← overflow to ∞", "→ clipped to −0.996078, 1.3e+08 steps off"]
    assert [said[1], said[4]] == outlines(expected, centred=True)
    assert np.isnan(line.lines[1].get_xdata()).tolist() == [False, True, False, True, True, True]
    # nothing is lost by float32, all by float16
    at_ends = errors.lines[0].get_xdata()[:2]
    labels = dict(
        zip(errors.get_xticks(), (t.get_text() for t in errors.get_xticklabels()), strict=True)
    )
    assert [labels[x] for x in at_ends] == ["0", "∞"]


@pytest.mark.parametrize("value", [7e4, -7e4, 1e39])
def test_an_overflow_is_drawn_without_a_warning(value):
    with np.errstate(invalid="raise"):
        plot_numbers(qk.nearest_numbers(value))


def test_outlines_are_where_a_text_would_be():
    figure = plt.figure(figsize=(5, 1), dpi=200)
    pictures = []
    for artist in ("text", "words"):
        figure.clear()
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        if artist == "text":
            ax.text(0.5, 0.5, "→ (−12 + 1) × 2⁻⁴", size=20, ha="center", va="center")
        else:
            drawn = words(ax, [0.5], [0.5], size=20)
            drawn.set(animated=False, paths=[outline("→ (−12 + 1) × 2⁻⁴", centred=True)])
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba())[..., 0] < 128)
    ours, theirs = ([np.nonzero(p.any(axis=axis))[0][[0, -1]] for axis in (0, 1)] for p in pictures)
    np.testing.assert_allclose(ours, theirs, atol=4)  # pixels, of 55 a letter's height
