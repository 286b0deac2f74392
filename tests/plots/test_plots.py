"""Each picture shows the numbers of its result, on the axes it is given, and opens nothing."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import qkit as qk
from qkit.evaluate.accuracy import from_predictions
from qkit.plots import style

pytestmark = pytest.mark.tensorflow  # a comparison, and a history of ranges


@pytest.fixture(scope="module")
def compared(trained, digits, tflite, converted_once):
    with converted_once():
        return qk.compare(trained, digits, ["full_integer"], extra={"mine": tflite("float16")})


@pytest.fixture(scope="module")
def history(toy_model, toy_data):
    return qk.range_history(qk.quantization_aware(toy_model()), toy_data, steps=4, every=2)


@pytest.fixture
def result(request):
    """Return the result that a plot draws, by its name."""

    def of(plot):
        return request.getfixturevalue("history" if plot == "plot_range_history" else "compared")

    return of


ON_AXES = [
    "plot_accuracies",
    "plot_latencies",
    "plot_range_history",
    "plot_sizes",
    "plot_tradeoff",
]


@pytest.mark.parametrize("name", ON_AXES)
def test_draws_on_the_axes_it_is_given_and_opens_no_figure(name, result):
    drawn = result(name)
    figure, (ax, other) = plt.subplots(1, 2)
    before = plt.get_fignums()
    assert getattr(qk, name)(drawn, ax=ax) is ax
    assert plt.get_fignums() == before
    assert ax.lines or ax.patches
    assert not other.lines
    assert not other.patches
    assert figure.axes == [ax, other]


@pytest.mark.parametrize("name", ON_AXES)
def test_makes_a_figure_of_its_own_where_none_is_given(name, result):
    before = set(plt.get_fignums())
    ax = getattr(qk, name)(result(name))
    assert isinstance(ax, Axes)
    assert len(set(plt.get_fignums()) - before) == 1
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("name", "x_label", "y_label"),
    [
        ("plot_accuracies", "accuracy on 500 test images, %, with 95 % interval", ""),
        ("plot_latencies", "invoke(), µs an image, 1 thread, ", ""),
        ("plot_range_history", "training step", "smallest and largest value"),
        ("plot_sizes", "size of the file, KiB", ""),
        ("plot_tradeoff", "size of the file, KiB", "accuracy, %, with 95 % interval"),
    ],
)
def test_axes_name_quantity_and_unit(name, x_label, y_label, result):
    ax = getattr(qk, name)(result(name))
    assert ax.get_xlabel().startswith(x_label)
    assert ax.get_ylabel() == y_label


@pytest.mark.parametrize("name", ["plot_accuracies", "plot_latencies", "plot_sizes"])
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
    near = {"float32": ((), 80, 10.0), "near": ((), 24, 20.0)}
    far = near | {"far": ((), 24, 900.0)}
    axes = [qk.plot_latencies(hand_made(rows).latency) for rows in (near, far)]
    assert [ax.get_xscale() for ax in axes] == ["linear", "log"]


def test_bars_of_a_file_add_up_to_it(compared):
    ax = qk.plot_sizes(compared)
    for row, ledger in enumerate(compared.sizes.values()):
        bars = [bar for bar in ax.patches if abs(bar.get_y() + bar.get_height() / 2 - row) < 0.01]
        assert sum(bar.get_width() for bar in bars) == pytest.approx(ledger.size_kib)
        assert ax.lines[row].get_xdata().tolist() == [ledger.deflated_bytes / 1024]
        assert ax.texts[row].get_text() == f" {ledger.size_kib:.1f}"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == len(set(labels))
    assert {"float32", "int8", "float16", "metadata", "whole file, deflated"} <= set(labels)


@pytest.mark.parametrize("deflated", [False, True])
def test_tradeoff_marks_the_pareto_front(compared, deflated):
    _, ax = plt.subplots()
    qk.plot_tradeoff(compared, ax=ax, deflated=deflated)
    size = {
        name: ledger.deflated_bytes if deflated else ledger.size_bytes
        for name, ledger in compared.sizes.items()
    }
    accuracy = {name: found.accuracy for name, found in compared.accuracies.items()}
    for container in ax.containers:
        name, point = container.get_label(), container.lines[0]
        beaten = any(
            size[other] <= size[name] and accuracy[other] >= accuracy[name]
            for other in size
            if other != name and (size[other], accuracy[other]) != (size[name], accuracy[name])
        )
        assert (point.get_markerfacecolor() == "white") == beaten
        assert point.get_xdata()[0] == pytest.approx(size[name] / 1024, rel=0.02)
        assert point.get_ydata()[0] == pytest.approx(100 * accuracy[name])
    assert {container.get_label() for container in ax.containers} == set(size)
    assert ("deflated" in ax.get_xlabel()) == deflated


def test_tradeoff_of_its_own_spreads_the_small_files(compared):
    ax = qk.plot_tradeoff(compared)
    whole, zoom = ax.figure.axes
    assert whole is ax
    assert len(zoom.containers) < len(whole.containers)
    assert whole.get_title() == "500 test images of digits"
    (legend,) = whole.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(compared.models)


def test_range_history_shows_grids_and_data(history):
    ax = qk.plot_range_history(history)
    curves = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == len(history.steps)]
    expected = [ends[:, side] for ends in history.ranges.values() for side in (1, 0)]
    for curve in expected:
        assert any(np.array_equal(curve, drawn) for drawn in curves)
    dotted = {line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"}
    assert dotted == {end for ends in history.data_ranges.values() for end in ends}


@pytest.fixture
def flips():
    """Return two models that differ on five of eight images, and the images."""
    labels = np.zeros(8, np.int64)
    a = from_predictions(np.array([0, 0, 1, 1, 0, 0, 0, 0]), labels)
    b = from_predictions(np.array([2, 0, 0, 2, 3, 4, 0, 0]), labels)
    return qk.paired(a, b), np.random.default_rng(0).random((8, 28, 28)).astype(np.float32)


def test_flips_show_the_images_and_both_answers(flips):
    paired, x = flips
    figure = qk.plot_flips(paired, x, names=("float32", "qat"))
    assert isinstance(figure, Figure)
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == [
        "is 0: 0 → 2\nlost",
        "is 0: 1 → 0\ngained",
        "is 0: 0 → 3\nlost",
        "is 0: 0 → 4\nlost",
        "is 0: 1 → 2\nboth wrong",
    ]
    for ax, index in zip(shown, (0, 2, 4, 5, 3), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), x[index])
    assert figure.get_suptitle() == (
        "5 of 8 images answered differently: qat loses 3 and gains 1 against float32"
    )


def test_flips_stop_at_the_limit_and_stand_where_there_are_none(flips):
    paired, x = flips
    assert sum(bool(ax.images) for ax in qk.plot_flips(paired, x, limit=2).axes) == 2
    same = qk.plot_flips(qk.paired(paired.a, paired.a), x)
    assert not any(ax.images for ax in same.axes)
    assert same.get_suptitle().startswith("0 of 8 images")


def test_flips_need_the_images_that_were_measured(flips):
    paired, x = flips
    with pytest.raises(ValueError, match=r"measured on 8 images, got 7.*the same images"):
        qk.plot_flips(paired, x[:7])


def test_rows_can_be_told_apart_without_colour():
    marks = [style.mark(row) for row in range(12)]
    assert len(set(marks)) == 12
    assert len({marker for _, marker in marks}) == 12
    assert "#ffffff" not in {to_hex(colour) for colour, _ in marks}
