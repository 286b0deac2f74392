"""What fewer bits do: sizes by hand, accuracies by the file that is run."""

import numpy as np
import pytest

import qkit as qk


@pytest.fixture(scope="module")
def at(tflite, digits):
    ranges = qk.simulation.calibrated_ranges(tflite("float32"), digits.x_train[:60])

    def effect(weight_bits, activation_bits, images=100):
        x, y = digits.x_test[:images], digits.y_test[:images]
        return qk.bits_effect(
            tflite("float32"), x, y, ranges,
            weight_bits=weight_bits, activation_bits=activation_bits,
        )  # fmt: skip

    return effect


def test_all_in_float_is_the_reference(at):
    effect = at({}, {})
    assert effect.weights_bytes == 4 * (12 * 9 + 10 * 2028)
    assert np.array_equal(effect.paired.a.predictions, effect.paired.b.predictions)
    assert effect.activation_bits["input"] == 32


def test_bits_are_counted_layer_by_layer(at):
    effect = at({"conv": 16, "logits": 2}, {"logits": 8})
    assert effect.weights_bytes == 2 * 12 * 9 + 10 * 2028 / 4
    assert dict(effect.activation_bits) == {"input": 32, "conv": 32, "logits": 8}


def test_eight_bits_keep_the_answers_and_two_bits_do_not(at):
    eight, two = (dict.fromkeys(("input", "conv", "logits"), n) for n in (8, 2))
    assert len(at(eight, eight).paired.disagreements) <= 3
    assert len(at(two, two).paired.disagreements) > 3


def test_table_and_line(at):
    effect = at({"logits": 4}, {})
    frame = effect.to_frame()
    assert frame.loc[0, "weights_bytes"] == effect.weights_bytes
    assert frame.loc[0, "accuracy"] == effect.paired.b.accuracy
    assert "against float" in effect.summary()
