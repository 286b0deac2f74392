"""The explorer of a digit: drawn, disturbed or from the test images, held against the models."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.widgets.drawing import (
    Drawing,
    disturb,
    drawing_canvas,
    like_mnist,
    rasterise,
    shrink,
)

NAMES = ("float32", "full_integer", "int16_activations")
SEVEN = [[[90, 60], [190, 60], [130, 230]]]


@pytest.fixture(scope="module")
def models(tflite):
    return {name: tflite(name) for name in ("dynamic_range", *NAMES)}


@pytest.fixture
def explorer(models, digits):
    return qk.explore_digit(models, digits.x_test[:20])


@pytest.fixture
def without_anywidget(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)


def expected(models, image, names=NAMES):
    return qk.digit_answers({name: models[name] for name in names}, image).summary()


def test_the_three_usual_schemes_come_first(explorer, models, digits):
    assert explorer.controls["models"].value == NAMES
    assert explorer.readout == expected(models, digits.x_test[0])


def test_other_models_are_all_shown(models, digits):
    some = {name: models[name] for name in ("dynamic_range", "full_integer")}
    explorer = qk.explore_digit(some, digits.x_test[:2])
    assert explorer.controls["models"].value == tuple(some)
    assert "dynamic_range gives" in explorer.readout


def test_every_control_answers_with_what_the_models_say(explorer, models, digits):
    x, controls, pictures = digits.x_test, explorer.controls, {explorer.png()}

    def check(image, names=NAMES):
        assert explorer.readout.endswith(expected(models, image, names))
        picture = explorer.png()
        assert picture not in pictures
        pictures.add(picture)

    controls["image"].value = 3
    check(x[3])
    for name, ends in {"right": (-10, 10), "down": (-10, 10), "turn": (-90, 180)}.items():
        for value in ends:
            controls[name].value = value
            check(disturb(x[3], **{name: value}))
        controls[name].value = 0
    controls["noise"].value = 0.6
    check(disturb(x[3], noise=0.6))
    controls["noise"].value = 0
    controls["models"].value = ("full_integer", "dynamic_range")
    check(x[3], ("full_integer", "dynamic_range"))
    controls["models"].value = NAMES
    controls["drawing"].strokes = SEVEN
    check(like_mnist(rasterise(SEVEN)))
    controls["centred"].value = False
    check(shrink(rasterise(SEVEN)))
    controls["turn"].value = 30
    check(disturb(shrink(rasterise(SEVEN)), turn=30))


def test_what_was_touched_last_is_shown(explorer):
    controls = explorer.controls
    controls["drawing"].strokes = SEVEN
    assert controls["source"].value == "drawing"
    assert explorer.readout.startswith("drawing: nothing → 1 stroke, 28 pixels long.")
    controls["image"].value = 5
    assert controls["source"].value == "test image"
    assert explorer.readout.startswith("test image: 0 → 5.")
    controls["source"].value = "drawing"
    assert explorer.readout.startswith("source: test image → drawing.")


def test_a_quick_stroke_ends_where_the_hand_does(explorer, models):
    before = plt.get_fignums()
    stroke = [[140 + round(50 * np.cos(t)), 140 + round(90 * np.sin(t))] for t in range(7)]
    for length in range(1, len(stroke) + 1):
        explorer.controls["drawing"].strokes = [stroke[:length]]
    assert explorer.readout.endswith(expected(models, like_mnist(rasterise([stroke]))))
    assert plt.get_fignums() == before


def test_blank_paper_and_no_model_are_told(explorer):
    explorer.controls["source"].value = "drawing"
    assert "The image is blank, and no class stands for that." in explorer.readout
    explorer.controls["models"].value = ()
    assert explorer.readout.endswith("No model is chosen: choose one or more.")
    explorer.controls["models"].value = NAMES
    assert "float32 gives" in explorer.readout


def test_without_anywidget_there_are_the_test_images(without_anywidget, models, digits):
    explorer = qk.explore_digit(models, digits.x_test[:5])
    assert list(explorer.controls) == ["models", "image", "right", "down", "turn", "noise"]
    explorer.controls["image"].value = 4
    assert explorer.readout.endswith(expected(models, digits.x_test[4]))
    assert "pip install anywidget" in explorer.children[-1].value


def test_a_drawing_is_a_value():
    sheet = drawing_canvas()
    assert sheet.value == Drawing()
    sheet.strokes = [[[0, 0], [30, 40]], [[7, 7]]]
    assert sheet.value == Drawing((((0, 0), (30, 40)), ((7, 7),)))
    assert hash(sheet.value) == hash(Drawing((((0, 0), (30, 40)), ((7, 7),))))
    assert str(sheet.value) == "2 strokes, 5 pixels long"
    assert sheet.get_state(["strokes"]) == {"strokes": [[[0, 0], [30, 40]], [[7, 7]]]}


@pytest.mark.parametrize(
    ("x", "error", "said"),
    [
        (np.zeros((3, 8, 8)), ValueError, r"must have the shape \(n, 28, 28\)"),
        (np.zeros((3, 28, 28), np.uint8), TypeError, "x / 255"),
        (np.full((3, 28, 28), 255.0), ValueError, "values from 0 to 1, got 255 to 255"),
    ],
)
def test_other_images_are_refused(models, x, error, said):
    with pytest.raises(error, match=said):
        qk.explore_digit(models, x)
