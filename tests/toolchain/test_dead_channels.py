"""A channel without weights keeps its bias: the plain converter cuts it off after QAT."""

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import scores
from qkit.toolchain.promise import PromiseError


@pytest.fixture(scope="module")
def dead(tf, trained):
    """Return `trained` with one filter of which only a large bias is left."""
    model = tf.keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 3], bias[3] = 0, 0.5
    model.get_layer("conv").set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def dead_aware(dead, digits):
    return qk.quantization_aware(dead, calibration=digits.x_train[:300])


def error(tflite, model, x):
    return np.sqrt(np.mean((scores(tflite, x) - model.predict(x, verbose=0)) ** 2))


def test_the_plain_converter_loses_the_bias_and_ours_keeps_it(tf, dead_aware, digits):
    x = digits.x_test[:100]
    converter = tf.lite.TFLiteConverter.from_keras_model(dead_aware)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with qk.quiet():
        plain = converter.convert()
    before = [w.copy() for w in dead_aware.get_weights()]
    ours = qk.convert(dead_aware, "qat")
    assert error(plain, dead_aware, x) > 0.3
    assert error(ours, dead_aware, x) < 0.05
    for weight, old in zip(dead_aware.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_after_training_the_converter_keeps_it_by_itself(dead, digits):
    tflite = qk.convert(dead, "full_integer", digits.x_train[:300])
    assert error(tflite, dead, digits.x_test[:100]) < 0.1


def test_a_folder_in_which_it_cannot_be_repaired_is_refused(dead_aware, tmp_path):
    with qk.quiet():
        dead_aware.save(tmp_path / "model", save_format="tf")
    with pytest.raises(PromiseError, match=r"a bias in .* is cut off.*weights .* all zero"):
        qk.convert(tmp_path / "model", "qat")


def test_without_dead_channels_nothing_is_changed(aware):
    from qkit.toolchain.dead_channels import room_for_biases

    before = aware.get_weights()
    with room_for_biases(aware):
        for weight, old in zip(aware.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, old)
