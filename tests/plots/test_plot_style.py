"""Colours, marks and axes that all pictures share, and what makes a picture still or live."""

import inspect

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from qkit.plots import style


def test_rows_can_be_told_apart_without_colour():
    marks = [style.mark(row) for row in range(12)]
    assert len(set(marks)) == 12
    assert len({marker for _, marker in marks}) == 12
    assert "#ffffff" not in {to_hex(colour) for colour, _ in marks}


@pytest.mark.parametrize(("low", "high", "kind"), [(1, 11, "log"), (1, 10, "linear")])
@pytest.mark.parametrize("direction", ["x", "y"])
def test_axes_are_logarithmic_from_ten_times_on(low, high, kind, direction):
    axis = getattr(Figure().add_subplot(), f"{direction}axis")
    for _ in range(2):
        assert style.scale_axis(axis, low, high) == (kind == "log")
        assert axis.get_scale() == kind
        assert not style.scale_axis(axis, -low, high)
        assert axis.get_scale() == "linear"


@style.picture(figsize=(3, 2), fixed=lambda result, other=0: {"title": f"{result} and {other}"})
def plot_sum(figure, title):
    """Draw a sum."""
    ax = figure.add_subplot(title=title)

    def update(result, other=0):
        ax.set_xlabel(f"{result + other}")

    return update


def test_a_picture_is_drawn_still_or_live():
    still = plot_sum(1, other=2)
    assert still.number in plt.get_fignums()
    assert (still.axes[0].get_title(), still.axes[0].get_xlabel()) == ("1 and 2", "3")
    own = Figure()
    assert plot_sum(4, figure=own) is own
    assert own.axes[0].get_title() == "4 and 0"
    live, update = plot_sum.live(title="any")
    update(2, 3)
    update(5)
    assert (live.axes[0].get_title(), live.axes[0].get_xlabel()) == ("any", "5")
    assert plt.get_fignums() == [still.number]
    assert str(inspect.signature(plot_sum)) == "(result, other=0, *, figure=None)"
    assert plot_sum.__doc__.startswith("Draw a sum.\nfigure : matplotlib Figure, optional")


def test_a_veil_lies_over_what_is_out_of_date():
    ax, drawn = Figure().add_subplot(), []
    update = style.veiling(lambda result, after=None: drawn.append((result, after)), ax)
    (veil,) = ax.patches
    for result, shown in ((1, False), (None, True), (2, False)):
        update(result, after=3)
        assert veil.get_visible() == shown
    assert drawn == [(1, 3), (2, 3)]
