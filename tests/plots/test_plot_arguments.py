"""What a picture does not draw is told by one error: what is wanted, what came, what makes it."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.evaluate.accuracy import accuracy_of

ACCURACY = accuracy_of(np.arange(9) % 3, np.arange(9) % 3)
PAIRED = qk.paired(ACCURACY, ACCURACY)
WRONG = {
    "None": None, "a number": 7, "a word": "x", "a list": [], "a result": qk.nearest_numbers(1),
    "a dict of None": {"a": None}, "a dict of both": {"a": ACCURACY, "b": None}, "a scalar": 0.5,
    "an empty dict": {},
}  # fmt: skip
PLOTS = sorted(name for name in qk.__all__ if name.startswith("plot_"))
BESIDES = {
    "plot_flips": (np.zeros((9, 4, 4)),),
    "plot_digit_answers": (np.zeros((28, 28)),),
    "plot_weight_history": {"kernel": "a"},
}


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_result_is_refused_by_name(plot, wrong, figures):
    besides = BESIDES.get(plot, ())
    given, named = ((), besides) if isinstance(besides, dict) else (besides, {})
    with pytest.raises((TypeError, ValueError)) as error:
        getattr(qk, plot)(WRONG[wrong], *given, **named)
    assert str(error.value).startswith(f"{plot}: ") or "nothing to draw" in str(error.value)
    assert "qk." in str(error.value) or "nothing to draw" in str(error.value)


def test_the_remedy_names_what_returns_it():
    for plot, said in {
        "plot_sizes": r"expected a Comparison or a dict of Size by name, got int. Pass what "
        r"qk\.compare or qk\.size returns",
        "plot_grid_fit": r"expected a GridFit, got int. Pass what qk\.grid_fit returns",
        "plot_mistake": r"expected a Examination|an Examination",
    }.items():
        with pytest.raises(TypeError, match=said):
            getattr(qk, plot)(7)


@pytest.mark.parametrize("plot", PLOTS)
def test_what_each_names_is_there(plot):
    documented = inspect.getclosurevars(getattr(qk, plot)).nonlocals
    for kind in (*documented.get("kinds", ()), *documented.get("named", ())):
        with pytest.raises(TypeError) as error:
            qk.plots.style.require(None, kind, what=plot)
        name = str(error.value).partition("qk.")[2].partition(" ")[0]
        assert callable(eval(f"qk.{name}")), name


def test_arguments_by_keyword_and_accuracies_on_different_counts():
    ax = qk.plot_accuracies(
        accuracies={"a": ACCURACY, "b": accuracy_of(np.zeros(4, int), np.zeros(4, int))}
    )
    assert "on 9 and 4 test images" in ax.get_xlabel()


@pytest.mark.parametrize(
    "values",
    [np.array([]), np.array([np.nan]), np.array([1, np.inf]), np.array(["a"]), np.ones(3) * 1j],
)
def test_weights_that_are_no_numbers_are_refused(values, figures):
    with pytest.raises(ValueError, match=r"plot_weight_histogram: a must hold numbers"):
        qk.plot_weight_histogram({"a": values})
    with pytest.raises(ValueError, match="plot_mask: the kernel must hold numbers"):
        qk.plot_mask(values)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_weights_of_any_dtype_are_drawn(value):
    for dtype in (np.float16, np.float64, np.int8, bool):
        qk.plot_weight_histogram({"a": np.full((3, 3), value, dtype)})
        qk.plot_mask(np.full((3, 3), value, dtype))


def test_a_layer_that_is_not_there_is_refused(toy_tflite, toy_data):
    x, y = toy_data.x_test, toy_data.y_test
    effect = qk.effect(toy_tflite, qk.prune_once(toy_tflite, 0.5), x, y)
    with pytest.raises(ValueError, match="plot_effect: layer must be one of 'hidden', 'logits'"):
        qk.plot_effect(effect, layer="conv")


def test_flips_of_what_is_no_image_say_what_was_answered():
    other = accuracy_of((np.arange(9) + 1) % 3, np.arange(9) % 3)
    paired = qk.paired(ACCURACY, other)
    for x in (
        np.zeros((9, 5)),
        np.zeros((9, 4, 4, 2)),
        np.zeros((9, 4, 4, 4)),
        np.zeros((9, 4, 4)),
    ):
        figure = qk.plot_flips(paired, x)
        assert sum("lost" in text.get_text() for text in figure.axes[0].texts) == 9
    for x in (None, np.zeros((8, 4, 4)), 3):
        with pytest.raises(ValueError, match="plot_flips: the models were measured on 9 images"):
            qk.plot_flips(paired, x)
    for limit in (0, -1, "all"):
        with pytest.raises(ValueError, match="plot_flips: limit must be a whole number of 1"):
            qk.plot_flips(paired, x, limit=limit)


@pytest.mark.parametrize("image", [None, np.zeros(784), np.full((28, 28), np.nan), "a"])
def test_a_digit_that_is_no_image_is_refused(image, float_file, digits):
    answers = qk.digit_answers({"a": float_file}, digits.x_test[0])
    with pytest.raises((TypeError, ValueError), match="plot_digit_answers: the image"):
        qk.plot_digit_answers(answers, image)


def test_tables_without_their_columns_or_rows_are_refused():
    with pytest.raises(ValueError, match="plot_architectures: the table has no columns architec"):
        qk.plot_architectures(pd.DataFrame({"scheme": ["qat"]}))
    columns = ["architecture", "scheme", "quantity", "measured", "low", "high", "published"]
    with pytest.raises(ValueError, match="nothing to draw: no row has time ÷ that of float32"):
        qk.plot_architectures(pd.DataFrame(columns=columns))
    with pytest.raises(ValueError, match="nothing to draw: no row has lost against float32"):
        qk.plot_int16_effects([])


def test_a_single_scheme_is_drawn(hand_made):
    alone = hand_made({"float32": (range(9), 80, 20)})
    for plot in (qk.plot_accuracies, qk.plot_latencies, qk.plot_sizes, qk.plot_bytes_by_stage):
        assert [t.get_text() for t in plot(alone).get_yticklabels()] == ["float32"]
    qk.plot_tradeoff(alone)
    qk.plot_scheme_rows(qk.tradeoff(alone))
    assert "float32" in qk.explore_schemes(alone).readout


EXPLORERS = {
    "explore_bits": ("x_test", "y_test", "x_train"),
    "explore_sparsity": ("x_test", "y_test"),
    "explore_clusters": ("x_test", "y_test"),
    "explore_calibration": ("x_test", "y_test", "x_train", "y_train"),
    "explore_layers": ("x_test", "y_test", "x_train"),
}


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_explorers_say_which_part_of_the_data_is_missing(explorer, toy_tflite, toy_data):
    explore = getattr(qk, explorer)
    for name in EXPLORERS[explorer]:
        said = (
            f"{explorer}: expected a Dataset with {name}, got Dataset without it. Pass what qk.load"
        )
        with pytest.raises(TypeError, match=said):
            explore(toy_tflite, replace(toy_data, **{name: None}))
    for data in (None, {}, "mnist"):
        with pytest.raises(TypeError, match=f"{explorer}: expected a Dataset with x_test, got "):
            explore(toy_tflite, data)


def test_a_file_without_layers_has_nothing_to_explore(toy_tflite, toy_data, edited):
    def without_layers(model):
        graph = model.subgraphs[0]
        graph.operators = graph.operators[:1]  # RESHAPE
        graph.outputs = graph.operators[0].outputs

    file, data = edited(toy_tflite, without_layers), replace(toy_data, y_test=toy_data.y_test)
    for name in ("bits", "sparsity", "clusters", "layers"):
        explore = getattr(qk, f"explore_{name}")
        with pytest.raises(ValueError, match="has no convolution and no dense layer"):
            explore(file, data)
    with pytest.raises(ValueError, match="has no convolution and no dense layer"):
        qk.explore_grid(file)
    with pytest.raises(TypeError, match="axis must be a whole number, got 'x'"):
        qk.explore_grid(np.ones((2, 2)), axis="x")
