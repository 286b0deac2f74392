"""Ranges of activations while they settle: recorded as they are, and judged by the data's own."""

import dataclasses

import numpy as np
import pytest

import qkit as qk


@pytest.fixture(scope="module")
def followed(toy_model, toy_data):
    """Return a toy model before training, its history, and its ranges after it."""
    model = qk.quantization_aware(toy_model())
    history = qk.range_history(model, toy_data, steps=50, every=20, batch_size=8)
    return history, qk.activation_ranges(model)


def test_a_record_at_the_start_every_so_often_and_at_the_end(followed):
    history, after = followed
    assert history.steps.tolist() == [0, 20, 40, 50]
    assert {layer: ends[0].tolist() for layer, ends in history.ranges.items()} == {
        "input": [0, 0],
        "hidden": [-6, 6],
        "logits": [-6, 6],
    }
    for layer, ends in history.ranges.items():
        assert ends.shape == (4, 2)
        assert tuple(ends[-1]) == after[layer]


def test_input_takes_in_all_values_at_once(followed, toy_data):
    history, _ = followed
    assert history.ranges["input"][1:, 0].tolist() == [0, 0, 0]
    largest = history.ranges["input"][1:, 1]
    assert (largest > 0.95 * toy_data.x_train.max()).all()
    assert largest[-1] == pytest.approx(history.data_ranges["input"][1], rel=0.01)


def test_other_ranges_follow_by_a_moving_average_of_0999_a_step(followed):
    history, _ = followed
    # the hidden layer's smallest value is 0 at each step, by its ReLU, so that only 0.999 acts
    settling = -6 * 0.999**history.steps
    np.testing.assert_allclose(history.ranges["hidden"][:, 0], settling, rtol=1e-4)
    assert history.data_ranges["hidden"][0] == 0
    assert (np.diff(history.ranges["hidden"][:, 1]) < 0).all()


def test_table_and_line(followed):
    history, _ = followed
    frame = history.to_frame()
    assert frame.index.name == "step"
    assert frame.loc[0, ("logits", "min")] == -6
    ratios = {k: np.ptp(v[-1]) / np.ptp(history.data_ranges[k]) for k, v in history.ranges.items()}
    widest = max(ratios, key=ratios.get)
    assert f"after 50 steps the grid of {widest!r} spans {ratios[widest]:.2f} times" in str(history)


def test_plain_model_has_no_ranges(toy_model):
    assert qk.activation_ranges(toy_model()) == {}


def test_range_history_refuses(toy_model, toy_data, changed):
    aware = qk.quantization_aware(toy_model())
    with pytest.raises(ValueError, match=r"'toy' has no ranges.*qk\.quantization_aware"):
        qk.range_history(toy_model(), toy_data, steps=1)
    for options in ({"steps": 0}, {"steps": 1, "every": 0}):
        with pytest.raises(ValueError, match="steps and every must be 1 or more"):
            qk.range_history(aware, toy_data, **options)
    with pytest.raises(ValueError, match=r"y_train holds the label 3.*0 to 2"):
        qk.range_history(aware, changed(toy_data, "y_train", 7, 3), steps=1)
    half = dataclasses.replace(toy_data, x_train=toy_data.x_train[:, :2])
    with pytest.raises(ValueError, match=r"data\.x_train must have the shape \(n, 4, 4\)"):
        qk.range_history(aware, half, steps=1)
