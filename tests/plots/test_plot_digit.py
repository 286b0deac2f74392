"""The picture of answers shows each model's probabilities and differences where they are."""

from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import qkit as qk
from qkit.evaluate.digit import DigitAnswers

ANSWERS = DigitAnswers(
    MappingProxyType(
        {
            "float32": np.array([0.001, 0.699, 0.3]),
            "full_integer": np.array([0.001, 0.299, 0.7]),
        }
    ),
    "float32",
)
IMAGE = np.linspace(0, 1, 16).reshape(4, 4)


def parts(figure):
    return {ax.get_label(): ax for ax in figure.axes}


def heights(ax):
    found = (c for c in ax.collections if isinstance(c, PolyCollection) and c.get_visible())
    return [[path.vertices[:, 1].max() for path in bars.get_paths()] for bars in found]


def test_bars_points_and_words_are_the_answers():
    axes = parts(qk.plot_digit_answers(ANSWERS, IMAGE))
    assert np.array_equal(axes["image"].images[0].get_array(), IMAGE)
    np.testing.assert_allclose(heights(axes["bars"]), list(ANSWERS.probabilities.values()))
    points = [line for line in axes["differences"].lines if line.get_marker() == "X"]
    np.testing.assert_allclose(points[0].get_ydata(), [0, -0.4, 0.4], atol=1e-12)
    said = {text.get_text() for text in axes["words"].texts}
    assert {"float32", "full_integer", "1, 69.90 %", "2, 70.00 %"} <= said
    assert "probability minus that of float32" in {
        text.get_text() for text in axes["differences"].texts
    }


def test_bars_of_one_class_stand_beside_each_other():
    bars = parts(qk.plot_digit_answers(ANSWERS, IMAGE))["bars"]
    first, second = (c.get_paths() for c in bars.collections)
    for a, b in zip(first, second, strict=True):
        assert a.vertices[:, 0].max() < b.vertices[:, 0].min()


def test_models_that_are_not_asked_are_not_drawn():
    names = ["float32", "other", "full_integer"]
    figure, update = qk.plot_digit_answers.live(names=names, classes=3, shape=(4, 4))
    update(ANSWERS, IMAGE)
    assert len(heights(parts(figure)["bars"])) == 2
    update(None, IMAGE)
    assert heights(parts(figure)["bars"]) == []
    update(ANSWERS, IMAGE)
    assert len(heights(parts(figure)["bars"])) == 2


@pytest.mark.parametrize("classes", [1, 10, 47, 1000])
def test_numbers_of_classes_do_not_run_together(classes):
    answers = DigitAnswers({"float32": np.full(classes, 1 / classes)}, "float32")
    figure = qk.plot_digit_answers(answers, np.zeros((28, 28)))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[1].get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
