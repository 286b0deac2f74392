"""Schemes in rows: each stands in its row, in both panels, with its intervals."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

import qkit as qk

ROWS = {
    "float32": (range(20), 80, 10),
    "float16": (range(20), 40, 10),
    "dynamic_range": (range(5, 30), 20, 8),
    "int16_activations": (range(18), 22, 300),
}


@pytest.fixture(scope="module")
def compared(hand_made):
    return hand_made(ROWS)


def rows_of(ax, names):
    """Return value, interval and whether it is filled, by the name of the row."""
    bars, dots = ax.lines[0 : 2 * len(names) : 2], ax.lines[1 : 2 * len(names) : 2]
    return {
        name: (dot.get_xdata()[0], *bar.get_xdata(), to_hex(dot.get_mfc()) != "#ffffff")
        for name, bar, dot in zip(names, bars, dots, strict=True)
    }


@pytest.mark.parametrize("y", ["accuracy, %", "drop against float32, points", "latency, µs"])
def test_rows_show_both_quantities_with_their_intervals(compared, y):
    found = qk.tradeoff(compared, y=y)
    panels = qk.plot_scheme_rows(found).axes
    for axis, ax in enumerate(panels):
        shown = rows_of(ax, [label.get_text() for label in panels[0].get_yticklabels()])
        for name, point in found.points.items():
            np.testing.assert_allclose(shown[name][:3], point[axis])
            assert shown[name][3] == (name in found.front)


def test_the_best_is_on_top(compared):
    for x in ("file size, KiB", "accuracy, %"):
        found = qk.tradeoff(compared, x=x, y="latency, µs")
        ax = qk.plot_scheme_rows(found).axes[0]
        names = [label.get_text() for label in ax.get_yticklabels()]
        values = [found.points[name][0][0] for name in names]
        assert values == sorted(values, reverse=found.x.better == "larger")
        assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_wide_spans_are_logarithmic_and_signs_have_their_line(compared):
    size, drop = qk.plot_scheme_rows(
        qk.tradeoff(compared, "latency, µs", "drop against float32, points")
    ).axes
    assert (size.get_xscale(), drop.get_xscale()) == ("log", "linear")
    assert [line.get_xdata()[0] for line in drop.lines[2 * len(ROWS) :]] == [0]
    assert drop.get_xlabel() == "drop against float32, points,\nwith 95 % interval"
