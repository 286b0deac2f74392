"""The pictures of layers show the numbers of their tables, all of them, and mark the right row."""

import dataclasses
from itertools import pairwise
from types import MappingProxyType

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.evaluate.layers import LayerErrors
from qkit.evaluate.mixed_precision import MixedPrecision
from qkit.evaluate.sensitivity import Sensitivity
from qkit.plots.layers import compose_errors

ERRORS = {"all errors up to it": "sqnr_db", "network": "output_sqnr_db", "alone": "alone_sqnr_db"}


@pytest.fixture(scope="module")
def errors(depthwise_tflite, digits):
    files = map(depthwise_tflite, ("float32", "full_integer"))
    return qk.layer_errors(*files, digits.x_test[:20], digits.y_test[:20])


@pytest.fixture(scope="module")
def sensitivity(tflite, digits):
    data = digits.x_test[:50], digits.y_test[:50]
    return qk.sensitivity(tflite("float32"), data, bits=[8, 2])


def marks(ax):
    """Return by the label of a mark where it stands, as x by row."""
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    return {k: dict(xy[:, ::-1].tolist()) for k, xy in lines.items() if not k.startswith("_")}


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def table_of(rows):
    """Return errors of so many operators by hand, the third of every ten only passing values on."""
    passing = np.arange(rows) % 10 == 2
    table = pd.DataFrame(
        {
            "name": [f"operator_{k}" for k in range(rows)],
            "operator": np.where(passing, "RESHAPE", "CONV_2D"),
            "sqnr_db": np.linspace(50, 20, rows),
            "alone_sqnr_db": np.where(passing, np.inf, np.linspace(60, 40, rows)),
            "output_sqnr_db": np.where(passing, np.inf, np.linspace(90, 30, rows)),
        }
    )
    return LayerErrors(table, (), MappingProxyType({}), 7)


def test_every_error_stands_in_the_row_of_its_operator(errors):
    ax = qk.plot_layer_errors(errors)
    assert names(ax) == errors.table["name"].tolist()
    kinds = [text.get_text() for text in ax.texts]
    assert kinds == errors.table["operator"].tolist()
    shown = marks(ax)
    for label, column in zip(shown, ("sqnr_db", "output_sqnr_db", "alone_sqnr_db"), strict=True):
        for row, value in enumerate(errors.table[column]):
            if np.isfinite(value):
                assert shown[label][row] == pytest.approx(value), (label, row)
    looks = {(line.get_marker(), line.get_color()) for line in ax.lines}
    assert len(looks) == 3


def test_infinite_errors_stand_at_the_edge_beyond_all_others(errors):
    ax = qk.plot_layer_errors(errors)
    row = errors.table["operator"].tolist().index("RESHAPE")
    ticks = dict(zip((t.get_text() for t in ax.get_xticklabels()), ax.get_xticks(), strict=True))
    at = [xs[row] for label, xs in marks(ax).items() if "its error alone" in label]
    assert at == [ticks["∞"]] * 2
    assert ticks["∞"] > errors.table[[*ERRORS.values()]].replace(np.inf, 0).to_numpy().max()
    silent = table_of(3)
    silent.table.loc[0, "sqnr_db"] = -np.inf
    low = {t.get_text() for t in qk.plot_layer_errors(silent).get_xticklabels()}
    assert {"-∞", "∞"} <= low


def test_no_number_stands_beside_infinity():
    values = {column: [0.0, 54.0, np.inf] for column in ERRORS.values()}
    table = pd.DataFrame({"name": list("abc"), "operator": "ADD", **values})
    ax = plt.figure().add_subplot()
    compose_errors(ax, table, "")
    *numbers, infinity = sorted(ax.get_xticks())
    assert infinity - numbers[-1] > 0.05 * np.ptp(ax.get_xlim())


def test_the_worst_is_marked_and_named_with_what_it_costs(errors):
    ax = qk.plot_layer_errors(errors)
    (band,) = ax.patches
    row = errors.table.index.get_loc(errors.worst)
    assert (band.get_y(), band.get_y() + band.get_height()) == (row - 0.5, row + 0.5)
    worst = errors.table.loc[errors.worst]
    said = ax.get_title(loc="left")
    assert said.startswith(
        f"Hurts most: {worst['name']}, output {worst['output_sqnr_db']:.1f} dB\n"
    )
    assert said.endswith(errors.paired[errors.worst].summary())
    assert qk.plot_layer_errors(table_of(5)).get_title(loc="left").endswith("output 30.0 dB")


def test_operators_without_a_counterpart_are_counted(errors):
    missing = dataclasses.replace(errors, unmatched=("a", "b"))
    assert "not matched with float: 2 operators" in qk.plot_layer_errors(missing).get_xlabel()
    assert "matched" not in qk.plot_layer_errors(errors).get_xlabel()


@pytest.mark.parametrize(("rows", "shown"), [(1, 1), (12, 12), (70, 70), (120, 108)])
def test_more_than_seventy_rows_keep_those_that_make_an_error_and_say_so(rows, shown):
    ax = qk.plot_layer_errors(table_of(rows))
    assert len(names(ax)) == shown
    assert ("left out: 12 operators" in ax.get_xlabel()) == (rows == 120)
    assert ax.figure.get_size_inches()[1] == pytest.approx(1.7 + 0.2 * shown)
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in pairwise(boxes))
    kinds = [text.get_text() for text in ax.texts]
    assert ("RESHAPE" in kinds) == (2 < rows <= 70)


def test_each_layer_part_and_bits_has_both_differences_and_their_intervals(sensitivity):
    panels = qk.plot_sensitivity(sensitivity).axes
    titles = [ax.get_title() for ax in panels]
    assert titles == [f"{p}, {b} bits" for p in ("weights", "activations") for b in (8, 2)]
    layers = names(panels[0])
    assert layers == ["all layers", "input", "conv", "logits"]
    for ax in panels:
        part, bits = ax.get_title().removesuffix(" bits").split(", ")
        table = sensitivity.table.query(f"part == {part!r} and bits == {bits}")
        for mode, lines in zip(("alone", "all but it"), ax.collections, strict=True):
            each, shown = table[table["mode"] == mode], marks(ax)[mode]
            rows = {layers[round(row)]: x for row, x in shown.items()}
            assert rows == dict(zip(each["layer"], each["difference_pp"], strict=True))
            spans = [segment[:, 0].tolist() for segment in lines.get_segments()]
            assert spans == each[["difference_low_pp", "difference_high_pp"]].to_numpy().tolist()
        of_all = table.loc[table["layer"] == "all layers", "difference_pp"].item()
        assert next(iter(marks(ax)["all layers"].values())) == of_all
        low, high = ax.get_xlim()
        assert low <= table["difference_low_pp"].min() <= table["difference_high_pp"].max() <= high
    assert panels[0].get_xlim() == panels[2].get_xlim() != panels[1].get_xlim()
    assert "points" in panels[0].figure.get_supxlabel()


def test_without_points_the_output_is_held_against_float(sensitivity):
    table = sensitivity.table.drop(columns=[c for c in sensitivity.table if c.endswith("_pp")])
    figure = qk.plot_sensitivity(Sensitivity(table, 50))
    assert "output SQNR, dB" in figure.get_supxlabel()
    each = table.query("part == 'weights' and bits == 8 and mode == 'alone'")
    assert [*marks(figure.axes[0])["alone"].values()] == each["output_sqnr_db"].tolist()
    assert not figure.axes[0].collections


def test_one_part_and_one_number_of_bits_are_a_single_panel(sensitivity):
    table = sensitivity.table.query("part == 'weights' and bits == 2")
    (ax,) = qk.plot_sensitivity(Sensitivity(table, 50)).axes
    assert names(ax) == ["all layers", "conv", "logits"]


@pytest.fixture(scope="module")
def mixed(tflite, digits):
    return qk.mixed_precision(tflite("float32"), digits, budget_bytes=15_000)


def test_each_file_stands_at_its_bytes_and_its_loss_in_the_order_of_trying(mixed):
    ax = qk.plot_mixed_precision(mixed)
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    points = np.column_stack([mixed.table["size_bytes"] / 1000, mixed.table["drop_pp"]])
    assert lines["files tried, in this order"] == pytest.approx(points)
    numbers = {text.get_text(): text.xy for text in ax.texts}
    assert [*numbers] == [f"{k}" for k in range(1, len(points) + 1)]
    assert np.array([*numbers.values()]) == pytest.approx(points)
    spans = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert spans == mixed.table[["drop_low_pp", "drop_high_pp"]].to_numpy().tolist()
    assert lines["taken"].tolist() == [points[mixed.chosen].tolist()]
    front = np.column_stack([mixed.front["size_bytes"] / 1000, mixed.front["drop_pp"]])
    assert lines["none beats in both"] == pytest.approx(front)
    assert lines["at most 15,000 bytes"][:, 0] == pytest.approx([15_000 / 1000] * 2)
    assert ax.get_ylabel() == "lost, points, with 95 % interval"


def test_a_limit_of_loss_is_a_line_across_and_the_nearest_is_no_success(mixed):
    changes = {"limit": ("drop_high_pp", 0.5), "asked": "at most 0.5 points lost", "met": False}
    ax = qk.plot_mixed_precision(dataclasses.replace(mixed, **changes))
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    (label,) = (label for label in lines if label.startswith("at most 0.5 points lost"))
    assert lines[label][:, 1].tolist() == [0.5, 0.5]
    assert "taken: the nearest, not within" in lines


def test_a_loss_is_within_its_limit_by_the_column_that_is_drawn(tflite, digits):
    found = qk.mixed_precision(tflite("float32"), digits, max_drop_pp=5)
    column, most = found.limit
    assert (column, most) == ("drop_high_pp", 5)
    assert found.met == (found.table.loc[found.chosen, column] <= most)


def test_a_loss_without_a_unit_has_none_on_its_axis(mixed):
    unit = MixedPrecision(**{**vars(mixed), "unit": ""})
    assert qk.plot_mixed_precision(unit).get_ylabel() == "lost, with 95 % interval"
