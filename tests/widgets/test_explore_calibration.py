"""The explorer of calibration: every control moved, the readout held against the measurement."""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk

FILES = Path(__file__).parents[1] / "files"


@pytest.fixture(scope="module")
def explorer(tflite, digits):
    return qk.explore_calibration(tflite("float32"), digits, test_images=100)


@pytest.mark.slow
def test_every_control_asks_what_is_then_measured(explorer, tflite, digits):
    asked = {"images": "random", "one_class": 0, "sample_size": 100, "observer": "min–max"}
    asked["bits"] = 8
    for control, value in asked.items():  # others may have been here before
        explorer.controls[control].value = value
    steps = [
        ("sample_size", 1), ("sample_size", 5), ("images", "0…255"), ("images", "noise"),
        ("images", "−1…1"), ("images", "one class"), ("one_class", 9),
        ("observer", "percentile 99.99"), ("observer", "percentile 99"), ("observer", "MSE"),
        ("observer", "entropy"), ("observer", "moving average"), ("bits", 4), ("bits", 16),
    ]  # fmt: skip
    for control, value in steps:
        before = explorer.png()
        explorer.controls[control].value = value
        explorer.wait()
        asked[control] = value
        expected = qk.calibration_effect(tflite("float32"), digits, test_images=100, **asked)
        assert explorer.readout.endswith(expected.summary()), (control, value)
        assert explorer.png() != before, (control, value)
    assert explorer.readout.startswith(
        "activation bits: 4 → 16. Ranges from 5 training images of class 9, by moving average; "
        "activations in 16 bits"
    )


def test_a_quick_drag_ends_where_the_hand_does_and_leaks_no_figure(explorer):
    before = plt.get_fignums()
    explorer.controls["observer"].value = "min–max"
    explorer.controls["images"].value = "one class"
    sizes = [value for _, value in explorer.controls["sample_size"].options]
    for size in [*sizes, *reversed(sizes), sizes[-1]]:
        explorer.controls["sample_size"].value = size
    explorer.wait()
    assert explorer.settled
    assert sizes[-1] == 1000
    # of one digit there are not so many
    assert "images of class" in explorer.readout
    assert "(all there are)" in explorer.readout
    assert plt.get_fignums() == before


def test_a_single_image_is_called_one(explorer):
    explorer.controls["images"].value = "random"
    explorer.controls["sample_size"].value = 1
    assert "Ranges from 1 random training image, by" in explorer.readout
    explorer.wait()


def test_a_keras_model_is_converted(trained, digits):
    assert "n = 20" in qk.explore_calibration(trained, digits, test_images=20).readout


def test_few_training_images_make_small_samples(toy_tflite, toy_data):
    explorer = qk.explore_calibration(toy_tflite, toy_data)
    assert explorer.controls["sample_size"].options[-1] == ("100", 100)
    for control in explorer.controls.values():
        for option in control.options:
            control.value = option[1] if isinstance(option, tuple) else option
    explorer.wait()
    assert explorer.settled


@pytest.mark.parametrize("test_images", [0, -1, 2.5, "all"])
def test_no_test_images_are_refused(test_images, toy_tflite, toy_data):
    with pytest.raises(ValueError, match="whole number of 1 or more, got"):
        qk.explore_calibration(toy_tflite, toy_data, test_images=test_images)


def test_training_images_that_do_not_fit_are_refused(toy_tflite, toy_data, digits):
    data = replace(toy_data, x_train=digits.x_train)
    with pytest.raises(ValueError, match=r"explore_calibration: data\.x_train must have the shape"):
        qk.explore_calibration(toy_tflite, data)


def test_what_it_cannot_sample_is_refused(toy_tflite, toy_data):
    data = replace(toy_data, y_train=np.eye(3)[toy_data.y_train])
    with pytest.raises(ValueError, match=r"y\.argmax.* got data\.y_train of shape \(100, 3\)"):
        qk.explore_calibration(toy_tflite, data)
    ids, words = (FILES / "zoo_embedding_float32.tflite").read_bytes(), np.ones((9, 6), np.int32)
    with pytest.raises(ValueError, match=r"models of one input, of real numbers.*qk\.explore"):
        qk.explore_calibration(ids, (words, np.zeros(9, int)))


def test_the_still_picture_is_drawn_by_the_same_hand(tflite, digits, figures):
    effect = qk.calibration_effect(
        tflite("float32"), digits, images="one class", sample_size=2, test_images=50
    )
    spans, rates = qk.plot_calibration_effect(effect).axes
    assert [label.get_text() for label in spans.get_yticklabels()] == ["input", "conv", "logits"]
    grey, cut, bars = (c.get_segments() for c in spans.collections)
    row = effect.table.loc["logits"]
    test = row["test_low"], row["test_high"]
    largest = max(map(abs, test))
    assert bars[2][:, 0] == pytest.approx(np.divide((row["low"], row["high"]), largest))
    assert grey[2][:, 0] == pytest.approx(np.divide(test, largest))
    assert len(cut) >= 1
    said = [text.get_text() for text in spans.texts]
    assert {"levels used, of 256", *map(str, effect.table["levels_used"])} <= {*said}
    assert f"{100 * row['clipped_share']:.2g} %" in said
    wrong = 1 - effect.paired.b.accuracy
    assert rates.lines[-1].get_xydata().tolist() == [[2, wrong]]


def test_observers_and_bits_look_at_values_that_were_seen_before(explorer, monkeypatch):
    from qkit.interpreter import simulation

    passes = []
    original = simulation.intermediate
    monkeypatch.setattr(
        simulation, "intermediate", lambda *given: passes.append(1) or original(*given)
    )
    explorer.controls["images"].value = "noise"
    explorer.controls["sample_size"].value = 10
    explorer.wait()
    passes.clear()
    for name, value in [("observer", "entropy"), ("observer", "MSE"), ("bits", 6)]:
        explorer.controls[name].value = value
        explorer.wait()
    assert explorer.settled
    assert not passes
    explorer.controls["sample_size"].value = 20
    explorer.wait()
    assert passes == [1]
