"""Names that others give are shown as they are, in every picture and every explorer."""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from matplotlib.text import Text

import qkit as qk
from qkit.evaluate.accuracy import Score
from qkit.evaluate.digit import DigitAnswers
from qkit.evaluate.significance import PairedScores
from qkit.plots import style
from qkit.published.relatives import TOP_1, Int16Effect, Relative
from qkit.toolchain.aware import RangeHistory
from qkit.toolchain.history import WeightHistory

# Formulas; what legends leave out, two lines, markup, formats, an escaped dollar, other letters.
NAMES = [r"price in $ and $\frac$", "__h\n<b>‘%’&{}{x}a\\$bÄ→²\\s"]
LONG = "encoder." + 12 * "block_$1$.attention." + "kernel"
FILES = Path(__file__).parents[1] / "files"
IMAGES = np.random.default_rng(0).random((1000, 6, 6)).astype(np.float32)


@pytest.fixture
def make(hand_made, edited, toy_tflite, toy_data, digits):
    """Return by its name how each picture and explorer is made with a name in it."""

    def comparison(name):
        rows = {"float32": (range(9), 80, 20), name: (range(3, 14), 20, 9)}
        return hand_made(rows, data_name=name)

    def file(name):
        def rename(model):
            for tensor in model.subgraphs[0].tensors:
                tensor.name = tensor.name.replace(b"hidden", name.encode())

        return edited(toy_tflite, rename)

    def answers(name):
        scores = {"float32": np.array([0.9, 0.1]), name: np.array([0.2, 0.8])}
        return DigitAnswers(MappingProxyType(scores), name)

    def histories(name):
        record, steps = {name: np.array([0.5, 0.6])}, np.arange(2)
        return {name: WeightHistory(steps, record, {name: np.array([9, 8])}, steps, {}, False)}

    def changed(name):
        ranges = qk.simulation.calibrated_ranges(file(name), toy_data.x_train[:9])
        bits = qk.simulation.bits(file(name), ranges, weight_bits=4, activation_bits=4)
        return qk.effect(file(name), bits, toy_data.x_test, toy_data.y_test)

    def pruned(name):
        change = qk.prune_once(file(name), 0.5)
        return qk.effect(file(name), change, toy_data.x_test, toy_data.y_test)

    def clustered(name):
        change = qk.cluster_once(file(name), 3)
        return qk.effect(file(name), change, toy_data.x_test, toy_data.y_test)

    def int16(name):
        metric = dataclasses.replace(TOP_1, name=name)
        scores = {k: Score(metric, None, 9, 0.5, (0.4, 0.6)) for k in ("float32", "int8", "int16")}
        lost = PairedScores(scores["float32"], scores["int8"], 0.1, (0, 0.2))
        relative = Relative(name, None, None, metric, 1)
        return Int16Effect(relative, MappingProxyType(scores), {"int8": lost, "int16": lost}, {})

    def measured(name):
        metric = dataclasses.replace(TOP_1, name=name)
        return {"int8": Score(metric, None, 9, 0.5, (0.4, 0.6))}

    def table(name):
        import pandas as pd

        row = {"architecture": name, "scheme": "qat", "quantity": "latency, × float32"}
        return pd.DataFrame([row | {"measured": 0.5, "low": 0.4, "high": 0.6, "published": 0.7}])

    def flips(name):
        compared = comparison(name)
        return qk.plot_flips(compared.paired[name], IMAGES, names=("float32", name))

    def ranged(name):
        ends = np.array([[-1.0, 1], [-2, 2]])
        return qk.plot_range_history(RangeHistory(np.arange(2), {name: ends}, {name: (-1, 1)}))

    def layer_errors(name):
        int8 = qk.convert(file(name), "litert_full_integer", toy_data.x_train)
        return qk.plot_layer_errors(qk.layer_errors(file(name), int8, toy_data.x_test))

    def mixed(name):
        found = qk.mixed_precision(toy_tflite, toy_data, budget_bytes=9999)
        return qk.plot_mixed_precision(dataclasses.replace(found, unit=name))

    def ledgers(name):
        return {name: qk.size(toy_tflite)}

    digits_file = (FILES / "trained_float32.tflite").read_bytes()
    return {
        "accuracies": lambda n: qk.plot_accuracies(comparison(n)),
        "accuracies of a metric": lambda n: qk.plot_accuracies(measured(n)),
        "latencies": lambda n: qk.plot_latencies(comparison(n)),
        "sizes": lambda n: qk.plot_sizes(ledgers(n)),
        "bytes_by_stage": lambda n: qk.plot_bytes_by_stage(ledgers(n)),
        "scheme_rows": lambda n: qk.plot_scheme_rows(qk.tradeoff(comparison(n))),
        "tradeoff": lambda n: qk.plot_tradeoff(comparison(n), picked=n),
        "architectures": lambda n: qk.plot_architectures(table(n)),
        "int16_effects": lambda n: qk.plot_int16_effects([int16(n)]),
        "weight_history": lambda n: qk.plot_weight_history(histories(n), kernel=n),
        "range_history": ranged,
        "weight_histogram": lambda n: qk.plot_weight_histogram({n: np.arange(99.0)}),
        "digit_answers": lambda n: qk.plot_digit_answers(answers(n), IMAGES[0]),
        "flips": flips,
        "effect of bits": lambda n: qk.plot_effect(changed(n)),
        "effect of pruning": lambda n: qk.plot_effect(pruned(n)),
        "effect of clustering": lambda n: qk.plot_effect(clustered(n)),
        "calibration_effect": lambda n: qk.plot_calibration_effect(
            qk.calibration_effect(file(n), toy_data, sample_size=5)
        ),
        "layer_errors": layer_errors,
        "sensitivity": lambda n: qk.plot_sensitivity(
            qk.sensitivity(file(n), toy_data, bits=[4], parts=["weights"])
        ),
        "mixed_precision": mixed,
        "explore_layers": lambda n: qk.explore_layers(file(n), toy_data),
        "explore_grid": lambda n: qk.explore_grid({n: IMAGES[0], "b": IMAGES[1]}),
        "explore_bits": lambda n: qk.explore_bits(file(n), toy_data),
        "explore_sparsity": lambda n: qk.explore_sparsity(file(n), toy_data),
        "explore_clusters": lambda n: qk.explore_clusters(file(n), toy_data),
        "explore_calibration": lambda n: qk.explore_calibration(file(n), toy_data),
        "explore_digit": lambda n: qk.explore_digit(
            {n: digits_file, "b": digits_file}, digits.x_test[:3]
        ),
        "explore_schemes": lambda n: qk.explore_schemes(comparison(n), x=IMAGES),
        "explore_decision_tree": lambda n: qk.explore_decision_tree(
            hand_made({n: (range(9), 80, 20), "float32": (range(9), 80, 20)})
        ),
    }


def texts(drawn):
    """Lay a picture or an explorer out as for drawing, and return its texts."""
    figure = drawn._live._figure if hasattr(drawn, "_live") else drawn.get_figure() or drawn
    figure.draw_without_rendering()
    return [text for text in figure.findobj(Text) if text.get_text()]


PICTURES = (
    "accuracies", "accuracies of a metric", "latencies", "sizes", "bytes_by_stage", "scheme_rows",
    "tradeoff", "architectures", "int16_effects", "weight_history", "range_history",
    "weight_histogram", "digit_answers", "flips", "effect of bits", "effect of pruning",
    "effect of clustering", "calibration_effect", "layer_errors", "sensitivity", "mixed_precision",
)  # fmt: skip
EXPLORERS = (
    "explore_grid", "explore_bits", "explore_sparsity", "explore_clusters", "explore_calibration",
    "explore_digit", "explore_schemes", "explore_decision_tree", "explore_layers",
)  # fmt: skip


@pytest.mark.parametrize("picture", PICTURES)
def test_every_name_stands_in_the_picture_as_it_is(picture, make):
    for name in NAMES:
        named = [text for text in texts(make[picture](name)) if name in text.get_text()]
        assert named, name
        assert not any(text.get_parse_math() for text in named), name
        style.plt.close("all")


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_every_name_stands_in_the_explorer_and_its_readout_is_escaped(explorer, make):
    made = make[explorer]("_<i>$x$</i>\n& {} \\ %")
    for text in texts(made):
        said = text.get_text()
        assert not text.get_parse_math() or "$" not in said or r"\mathdefault" in said
    for control in made.controls.values():
        for option in getattr(control, "options", ())[:3]:
            value = option[1] if isinstance(option, tuple) else option
            control.value = (value,) if isinstance(control.value, tuple) else value
            made.wait()
    assert "could not be measured" not in made.readout
    for shown in made.children[1:3]:
        assert "<i>" not in shown.value
        assert len(re.findall("<", shown.value)) <= 6


@pytest.mark.filterwarnings("error:constrained_layout")
@pytest.mark.parametrize("name", [LONG, ""])
def test_long_and_empty_names_leave_room_for_the_picture(name, make):
    # an explorer draws without a name what the pictures do
    for picture in (*PICTURES, *(EXPLORERS if name else ())):
        shown = texts(make[picture](name))
        parts = [text.get_text() for text in shown]
        if name and picture in PICTURES:
            assert any("kernel" in part for part in parts), picture
        style.plt.close("all")


@pytest.mark.parametrize("explore", [qk.explore_bits, qk.explore_calibration])
def test_long_names_of_layers_leave_room_for_the_ticks(explore):
    file = (FILES / "zoo_separable_float32.tflite").read_bytes()
    x = np.random.default_rng(0).random((9, 12, 12, 4), np.float32)
    figure = explore(file, (x, np.arange(9) % 3))._live._figure
    labels = figure.findobj(style.plt.Axes)[0].get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert all(a.x1 < b.x0 + 1 for a, b in pairwise(boxes))


def test_a_long_legend_is_within_the_picture():
    rng = np.random.default_rng(0)
    ax = qk.plot_weight_histogram({f"{n}{LONG}": rng.normal(size=99) for n in "ab"})
    ax.figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    assert ax.figure.bbox.x0 <= box.x0 <= box.x1 <= ax.figure.bbox.x1
