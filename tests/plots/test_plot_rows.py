"""Each picture of rows shows the numbers of its result, on the axes it is given."""

from dataclasses import replace
from types import MappingProxyType

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

import qkit as qk
from qkit.evaluate.accuracy import Score
from qkit.evaluate.size import Size
from qkit.evaluate.tasks import Metric
from qkit.plots.style import by_ratio


@pytest.fixture(scope="module")
def compared(trained, digits, tflite, converted_once):
    with converted_once():
        return qk.compare(trained, digits, ["full_integer"], extra={"mine": tflite("float16")})


ON_AXES = ["plot_accuracies", "plot_latencies", "plot_sizes"]


@pytest.mark.parametrize("name", ON_AXES)
def test_draws_on_the_axes_it_is_given_and_opens_no_figure(name, compared):
    figure, (ax, other) = plt.subplots(1, 2)
    before = plt.get_fignums()
    assert getattr(qk, name)(compared, ax=ax) is ax
    assert plt.get_fignums() == before
    assert ax.lines or ax.patches
    assert not other.lines
    assert not other.patches
    assert figure.axes == [ax, other]


@pytest.mark.parametrize("name", ON_AXES)
def test_makes_a_figure_of_its_own_where_none_is_given(name, compared):
    before = set(plt.get_fignums())
    ax = getattr(qk, name)(compared)
    assert isinstance(ax, Axes)
    assert len(set(plt.get_fignums()) - before) == 1
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("name", "x_label"),
    [
        ("plot_accuracies", "accuracy on 500 test images, %, with 95 % interval"),
        ("plot_latencies", "invoke(), µs an image, 1 thread, "),
        ("plot_sizes", "size of the file, kB"),
    ],
)
def test_axes_name_quantity_and_unit(name, x_label, compared):
    ax = getattr(qk, name)(compared)
    assert ax.get_xlabel().startswith(x_label)
    assert ax.get_ylabel() == ""


@pytest.mark.parametrize("name", ON_AXES)
def test_rows_are_named_from_the_top(name, compared):
    ax = getattr(qk, name)(compared)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(compared.models)
    bottom, top = ax.get_ylim()
    assert bottom > top


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("plot_accuracies", "accuracies"), ("plot_latencies", "latency"), ("plot_sizes", "sizes")],
)
def test_takes_a_part_of_a_comparison_as_well(name, attribute, compared):
    whole = getattr(qk, name)(compared)
    part = getattr(qk, name)(getattr(compared, attribute))
    for line, other in zip(whole.lines, part.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())


def lines_of(ax):
    return [line.get_xdata().tolist() for line in ax.lines if len(line.get_xdata())]


def test_accuracies_stand_on_their_intervals(compared):
    lines = lines_of(qk.plot_accuracies(compared))
    for row, found in enumerate(compared.accuracies.values()):
        interval, (point,) = lines[2 * row : 2 * row + 2]
        assert interval == pytest.approx([100 * end for end in found.interval])
        assert point == pytest.approx(100 * found.accuracy)


def test_latencies_with_intervals_ratios_and_pythons_share(compared):
    ax, times = qk.plot_latencies(compared), compared.latency
    lines = lines_of(ax)
    for row, name in enumerate(times.median_us):
        interval, point, overhead = lines[3 * row : 3 * row + 3]
        assert interval == list(times.interval_us[name])
        assert point == [times.median_us[name]]
        assert overhead == [times.overhead_us[name]]
    ratios = [f"{ratio:.2f} ×" for ratio in times.ratio.values()]
    assert [text.get_text() for text in ax.texts] == ratios
    assert ax.get_xscale() == "linear"
    assert ax.get_xlim()[0] == 0


def test_latencies_far_apart_get_a_logarithmic_axis(hand_made):
    ax = qk.plot_latencies(hand_made({"int8": (range(5), 20, 8), "int16": (range(5), 20, 81)}))
    assert ax.get_xscale() == "log"


def test_all_that_is_told_of_a_time_is_in_sight(hand_made):
    latency = hand_made({"float32": (range(5), 20, 0.6)}).latency
    latency = replace(latency, interval_us=MappingProxyType({"float32": (0.5, 1.9)}))
    ax = qk.plot_latencies(latency)  # of Python's overhead the median is 1
    assert max(max(ends) for ends in lines_of(ax)) == 1.9 < ax.get_xlim()[1]


def test_no_two_kinds_of_constants_have_one_colour(sizes):
    constants = dict.fromkeys(("float32", "float16", "int8", "int4", "int16", "int32"), 100)
    size = replace(sizes["large"], constants_bytes=MappingProxyType(constants))
    bars = qk.plot_sizes({"all": size}).patches
    assert len({bar.get_facecolor() for bar in bars}) == len(constants) + 1


@pytest.mark.parametrize("ends", [(1.1, 1.9), (1.1, 3.9), (3, 3), (7, 9), (1, 500)])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_logarithmic_axis_has_ticks_to_read_it_by(ends, axis):
    ax = plt.figure().add_subplot()
    ax.plot(ends, ends)
    by_ratio(getattr(ax, f"{axis}axis"))
    low, high = getattr(ax, f"get_{axis}lim")()
    assert low <= ends[0] <= ends[1] <= high
    ticks = getattr(ax, f"get_{axis}ticks")()
    assert np.sum((ticks >= low) & (ticks <= high)) >= 2


def test_bars_of_a_file_add_up_to_it(compared):
    ax = qk.plot_sizes(compared)
    for row, ledger in enumerate(compared.sizes.values()):
        bars = [bar for bar in ax.patches if abs(bar.get_y() + bar.get_height() / 2 - row) < 0.01]
        assert sum(bar.get_width() for bar in bars) == pytest.approx(ledger.size_bytes / 1000)
        assert ax.lines[row].get_xdata().tolist() == [ledger.deflated_bytes / 1000]
        assert ax.texts[row].get_text() == f" {ledger.size_bytes / 1000:.1f}"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == len(set(labels))
    assert {"float32", "int8", "float16", "metadata", "whole file, deflated"} <= set(labels)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture
def sizes():
    def ledger(n):
        found = Size(n * 1000, n * 500, MappingProxyType({"int8": n * 900}), n * 100, b"")
        vars(found).update(entropy_coded_bytes=n * 250)  # as if it were computed
        return found

    return {"large": ledger(80), "small": ledger(20)}


def test_stages_are_in_kb(sizes):
    ax = qk.plot_bytes_by_stage(sizes)
    assert legend(ax) == ["file", "deflated", "entropy floor"]
    shown = {line.get_label(): line.get_xdata() for line in ax.lines[2:]}
    np.testing.assert_allclose(shown["file"], [80, 20])
    np.testing.assert_allclose(shown["deflated"], [40, 10])
    np.testing.assert_allclose(shown["entropy floor"], [20, 5])
    assert ax.texts[0].get_text() == "80.0 → 40.0 → 20.0"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["large", "small"]


def test_stages_of_a_comparison_are_those_of_its_files(hand_made):
    comparison = hand_made({"float32": (range(10), 80, 7), "int8": (range(12), 20, 7)})
    assert len(qk.plot_bytes_by_stage(comparison).texts) == 2


def test_scores_stand_in_the_unit_of_their_metric():
    for unit, value, low, high in (("dB", 17, 16, 18), ("", 0.93, 0.9, 0.95)):
        metric = Metric("SNR", unit, True, None, None)
        found = Score(metric, None, n=200, value=value, interval=(low, high))
        ax = qk.plot_accuracies({"int8": found})
        np.testing.assert_allclose(lines_of(ax)[0], np.multiply([low, high], 1 if unit else 100))
        assert ax.get_xlabel() == f"SNR on 200 test items, {unit or '%'}, with 95 % interval"


def test_no_accuracies_are_no_picture(figures):
    with pytest.raises(ValueError, match="no accuracies to draw"):
        qk.plot_accuracies({})
    assert set(plt.get_fignums()) == figures
