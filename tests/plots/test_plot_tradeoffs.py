"""Schemes by two quantities, as points and in rows: their values, the front, and what flips."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import qkit as qk
from qkit.plots.flips import in_turn
from qkit.plots.looks import look

ROWS = {
    "float32": (range(20), 80, 10),
    "float16": (range(20), 40, 10),
    "dynamic_range": (range(5, 30), 20, 8),
    "int16_activations": (range(18), 22, 300),
}


@pytest.fixture(scope="module")
def compared(hand_made):
    return hand_made(ROWS)


def dots(ax):
    """Return the marks of the schemes that are shown, by name."""
    return {
        line.get_label(): line
        for line in ax.lines
        if line.get_label()[0] != "_" and len(line.get_xdata())
    }


def places(ax):
    return [dot.get_xydata()[0] for dot in dots(ax).values()]


def filled(ax):
    return [name for name, dot in dots(ax).items() if to_hex(dot.get_mfc()) != "#ffffff"]


def test_points_intervals_and_front(compared):
    found = qk.tradeoff(compared)
    figure = qk.plot_tradeoff(found, picked="float16", against="float32")
    ax = figure.axes[0]
    (bars,) = (c for c in ax.collections if isinstance(c, LineCollection))
    assert list(dots(ax)) == list(found.points)
    expected = [(px[0], py[0]) for px, py in found.points.values()]
    np.testing.assert_allclose(places(ax), expected)
    assert filled(ax) == [name for name in found.points if name in found.front]
    for segment, (_, (_, low, high)) in zip(
        bars.get_segments(), found.points.values(), strict=False
    ):
        assert segment[:, 1].tolist() == [low, high]
    assert ax.get_xlabel() == "file size, kB"
    assert ax.get_ylabel() == "accuracy, %, with 95 % interval"
    assert [text.get_text() for text in ax.texts] == ["float16", "float32"]
    assert "Better: ↖" in ax.get_title(loc="left")
    legend = [text.get_text() for text in figure.axes[1].texts]
    assert legend == list(ROWS)


@pytest.mark.parametrize("with_images", [False, True])
def test_long_names_fit_into_the_legend(with_images):
    names = [f"pruned 50 %, {i} clusters+full_integer" for i in range(20)]
    x = np.zeros((10, 4, 4), np.float32) if with_images else None
    figure, _ = qk.plot_tradeoff.live(schemes=names, x=x)
    ends = [text.get_window_extent() for text in figure.axes[1].texts]
    columns = {round(end.x0): max(e.x1 for e in ends if e.x0 == end.x0) for end in ends}
    assert len(columns) == 1 + with_images
    assert max(columns.values()) <= figure.bbox.x1
    if with_images:
        assert min(columns.values()) < max(columns)


def test_markers_stand_where_their_values_are(compared):
    found = qk.tradeoff(compared, schemes=["dynamic_range", "float16", "float32"])
    figure = qk.plot_tradeoff(found)
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[::-1]
    for name, (px, py) in found.points.items():
        x, y = figure.axes[0].transData.transform((px[0], py[0])).astype(int)
        colour = look(name)[0] if name in found.front else "#ffffff"
        assert to_hex(drawn[y, x] / 255) == colour.lower()


def test_line_of_the_front_goes_from_edge_to_edge(compared):
    ax = qk.plot_tradeoff(qk.tradeoff(compared)).axes[0]
    corners = ax.lines[0].get_xydata()
    assert corners[0][1] == ax.get_ylim()[0]
    assert corners[-1][0] == ax.get_xlim()[1]
    # one step a front member: dynamic_range, then int16_activations
    np.testing.assert_allclose(corners[1:3], [(20, 97.5), (22, 98.2)])


def test_axes_become_logarithmic_and_back(compared):
    figure, update = qk.plot_tradeoff.live(schemes=list(ROWS))
    ax = figure.axes[0]
    for quantity, scale in (("latency, µs", "log"), ("file size, kB", "linear")) * 2:
        update(qk.tradeoff(compared, quantity))
        assert ax.get_xscale() == scale
        low, high = ax.get_xlim()
        assert all(
            low < px[1] <= px[2] < high for px, _ in qk.tradeoff(compared, quantity).points.values()
        )
        figure.canvas.draw()
        labels = [text.get_text() for text in ax.get_xticklabels()]
        assert all("mathdefault" not in text for text in labels)


def test_schemes_of_the_same_x_stand_side_by_side(compared):
    found = qk.tradeoff(compared, "latency, µs", schemes=["float32", "float16", "dynamic_range"])
    a, b, c = (x for x, _ in places(qk.plot_tradeoff(found).axes[0]))
    assert a < 10 < b
    assert (a, b) == pytest.approx((10, 10), rel=0.01)
    assert c == 8


def test_however_many_share_an_x_they_stand_within_a_markers_width_of_it(hand_made):
    rows = {f"twin {i}": (range(9 + i), 50, 10) for i in range(6)} | {"far": (range(6), 90, 10)}
    ax = qk.plot_tradeoff(hand_made(rows)).axes[0]
    *twins, _ = (ax.transData.transform((x, 0.5))[0] for x, _ in places(ax))
    marker = 8.5 * ax.figure.dpi / 72
    assert 0 < np.ptp(twins) <= marker


def test_standing_side_by_side_keeps_the_order(hand_made):
    rows = {"a": (range(9), 50, 10), "b": (range(8), 50, 10), "c": (range(7), 50.1, 10)}
    rows["far"] = (range(6), 90, 10)
    a, b, c, far = (x for x, _ in places(qk.plot_tradeoff(hand_made(rows)).axes[0]))
    assert a < 50 < b < c == pytest.approx(50.1, abs=0.001)
    assert far == 90


def test_a_scheme_keeps_its_colour_and_marker_when_others_go(compared):
    whole = dots(qk.plot_tradeoff(compared).axes[0])["int16_activations"]
    alone = qk.tradeoff(compared, schemes=["int16_activations"])
    (part,) = dots(qk.plot_tradeoff(alone).axes[0]).values()
    assert (part.get_color(), part.get_marker()) == (whole.get_color(), whole.get_marker())


def test_the_still_legend_names_what_is_drawn_and_the_explorers_all(compared):
    part = qk.tradeoff(compared, schemes=["float16", "int16_activations"])
    points, names = qk.plot_tradeoff(part).axes
    assert [text.get_text() for text in names.texts] == ["float16", "int16_activations"]
    drawn = [(dot.get_color(), dot.get_marker()) for dot in dots(points).values()]
    assert [(line.get_color(), line.get_marker()) for line in names.lines] == drawn
    figure, update = qk.plot_tradeoff.live(schemes=list(ROWS))
    update(part)
    assert [text.get_text() for text in figure.axes[1].texts] == list(ROWS)


@pytest.mark.parametrize("picked", ROWS)
def test_a_name_stands_beyond_the_interval_of_its_scheme(compared, picked):
    found = qk.tradeoff(compared)
    figure = qk.plot_tradeoff(found, picked=picked)
    figure.canvas.draw()
    ax = figure.axes[0]
    low, high = (ax.transData.transform((1, end))[1] for end in found.points[picked][1][1:])
    label = ax.texts[0].get_window_extent()
    assert label.y0 >= high or label.y1 <= low


def test_draws_on_the_figure_it_is_given(compared):
    figure = Figure()
    assert qk.plot_tradeoff(qk.tradeoff(compared), figure=figure) is figure
    assert plt.get_fignums() == []


def test_flipped_images_with_both_answers(compared):
    x = np.zeros((1000, 4, 4), np.float32)
    x[20] = 1
    figure, update = qk.plot_tradeoff.live(schemes=list(ROWS), x=x)
    held = qk.paired(compared.accuracies["float32"], compared.accuracies["dynamic_range"])
    update(qk.tradeoff(compared), "dynamic_range", "float32", held)
    panel = figure.axes[2]
    title, *answers = [text.get_text() for text in panel.texts]
    assert title == "against float32: 10 lost, 5 gained"
    assert in_turn(held)[:2] == [20, 0]
    assert answers[:2] == ["is 0: 0 → 1\nlost", "is 0: 1 → 0\ngained"]
    sheet = panel.images[0].get_array()
    assert (sheet == 0).all(axis=-1).sum() == 16, "one image is all ink"
    update(qk.tradeoff(compared), "float16", "float32", qk.paired(held.a, held.a))
    assert {text.get_text() for text in panel.texts[1:]} == {""}
    assert (panel.images[0].get_array() == 255).all()


def test_of_a_comparison_it_is_accuracy_against_file_size_and_says_on_which_images(compared):
    figure = qk.plot_tradeoff(compared)
    points, names = figure.axes
    assert points.get_xlabel() == "file size, kB"
    assert names.get_title(loc="left") == "1,000 test images\nof made up"
    assert list(dots(points)) == list(ROWS)


def test_small_files_that_crowd_are_spread_out_in_a_panel_of_their_own(hand_made):
    rows = ROWS | {"full_integer": (range(26), 20.5, 5), "qat": (range(17), 21, 5)}
    found = qk.tradeoff(hand_made(rows))
    whole, spread, names = qk.plot_tradeoff(found, picked="qat").axes
    assert spread.get_title(loc="left") == "the smallest, spread out"
    small = ["dynamic_range", "int16_activations", "full_integer", "qat"]
    assert list(dots(spread)) == small
    np.testing.assert_allclose(
        [y for _, y in places(spread)], [found.points[k][1][0] for k in small]
    )
    assert filled(spread) == [name for name in small if name in found.front]
    assert [ax.texts[0].get_text() for ax in (whole, spread)] == ["qat"] * 2
    assert [text.get_text() for text in names.texts] == list(rows)


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
    for x in ("file size, kB", "accuracy, %"):
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
