"""The pictures: what they say is what the results hold, and they leave no figure behind."""

from types import MappingProxyType

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.accuracy import from_predictions
from qkit.plots.tradeoff import _pareto
from qkit.quantize.ranges import RangeHistory

NAMES = ("float32", "full_integer", "int16_activations")


@pytest.fixture(scope="module")
def comparison(trained, digits):
    return qk.compare(trained, digits, NAMES)


@pytest.fixture
def ax(figures):
    return plt.figure().add_subplot()


def row_labels(ax):
    return tuple(label.get_text() for label in ax.get_yticklabels())


@pytest.mark.parametrize(
    ("plot", "unit"),
    [
        (qk.plot_sizes, "KiB"),
        (qk.plot_accuracies, "%"),
        (qk.plot_latencies, "µs"),
        (qk.plot_tradeoff, "KiB"),
    ],
)
def test_a_picture_draws_into_the_axes_given_names_its_unit_and_opens_no_figure(
    plot, unit, comparison, ax, figures
):
    open_before = plt.get_fignums()
    assert plot(comparison, ax=ax) is ax
    assert unit in ax.get_xlabel()
    assert plt.get_fignums() == open_before


@pytest.mark.parametrize("plot", [qk.plot_sizes, qk.plot_accuracies, qk.plot_latencies])
def test_rows_stand_in_the_order_of_the_result_from_the_top(plot, comparison, ax):
    plot(comparison, ax=ax)
    assert row_labels(ax) == NAMES
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_pictures_never_call_show(comparison, figures, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("a picture called show()"))
    for plot in (qk.plot_sizes, qk.plot_accuracies, qk.plot_latencies, qk.plot_tradeoff):
        plot(comparison)


def test_bars_are_as_long_as_the_files(comparison, ax):
    qk.plot_sizes(comparison.sizes, ax=ax)
    ends = {}
    for bar in ax.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = max(ends.get(row, 0), bar.get_x() + bar.get_width())
    sizes = [ledger.size_bytes / 1024 for ledger in comparison.sizes.values()]
    assert [ends[row] for row in range(len(sizes))] == pytest.approx(sizes)


def test_points_lie_on_their_intervals(comparison, ax):
    qk.plot_accuracies(comparison.accuracies, ax=ax)
    intervals, points = ax.lines[::2], ax.lines[1::2]
    for found, interval, point in zip(
        comparison.accuracies.values(), intervals, points, strict=True
    ):
        assert list(interval.get_xdata()) == pytest.approx([100 * end for end in found.interval])
        assert point.get_xdata()[0] == pytest.approx(100 * found.accuracy)


def test_latencies_that_differ_tenfold_stand_on_a_logarithmic_axis(comparison, ax):
    qk.plot_latencies(comparison, ax=ax)
    assert ax.get_xscale() == "log"
    assert "1.00 ×" in [text.get_text() for text in ax.texts]


def test_the_tradeoff_has_a_second_panel_where_it_makes_its_own_figure(comparison, figures):
    ax = qk.plot_tradeoff(comparison)
    assert len(ax.figure.axes) == 2
    assert "500 test images of digits" in ax.get_title()
    (legend,) = ax.figure.legends
    assert tuple(text.get_text() for text in legend.get_texts()) == NAMES


def test_deflated_sizes_are_named(comparison, ax):
    assert "deflated" in qk.plot_tradeoff(comparison, ax=ax, deflated=True).get_xlabel()


def test_the_front_holds_what_nothing_smaller_beats():
    points = {"small": (1, 0.90), "worse": (2, 0.89), "twin": (2, 0.90), "best": (3, 0.95)}
    assert _pareto(points) == ["small", "best"]


def disagreeing(n=40):
    labels = np.zeros(n, int)
    a, b = labels.copy(), labels.copy()
    b[[3, 5, 9]] = 1  # lost
    a[[7]] = 2  # gained
    a[11], b[11] = 3, 4  # both wrong, each in its way
    return qk.paired(from_predictions(a, labels), from_predictions(b, labels))


def test_flips_show_lost_and_gained_in_turn_then_those_both_wrong(figures):
    figure = qk.plot_flips(disagreeing(), np.zeros((40, 8, 8)), names=("A", "B"))
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles[0] == "is 0: 0 → 1\nlost"
    assert titles[1] == "is 0: 2 → 0\ngained"
    assert titles[-1] == "is 0: 3 → 4\nboth wrong"
    assert len(titles) == 5
    assert "B loses 3 and gains 1 against A" in figure.get_suptitle()


def test_flips_keep_to_their_limit_and_draw_two_that_agree(figures):
    figure = qk.plot_flips(disagreeing(), np.zeros((40, 8, 8)), limit=2)
    assert sum(bool(ax.images) for ax in figure.axes) == 2
    same = from_predictions(np.zeros(4, int), np.zeros(4, int))
    assert "0 of 4" in qk.plot_flips(qk.paired(same, same), np.zeros((4, 8, 8))).get_suptitle()


def test_flips_refuse_other_images():
    with pytest.raises(ValueError, match="measured on 40 images, got 39"):
        qk.plot_flips(disagreeing(), np.zeros((39, 8, 8)))


def test_ranges_are_drawn_with_the_ends_of_the_data(ax):
    history = RangeHistory(
        steps=np.array([0, 10]),
        ranges=MappingProxyType({"conv": np.array([[-6.0, 6.0], [-5.0, 4.0]])}),
        data_ranges=MappingProxyType({"conv": (0.0, 3.0)}),
    )
    qk.plot_range_history(history, ax=ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["conv: its grid", "conv: its data"]
    heights = sorted(float(line.get_ydata()[-1]) for line in ax.lines)
    assert heights == [-5.0, 0.0, 3.0, 4.0]
