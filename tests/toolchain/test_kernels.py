"""Kernels are what the forward pass uses: masked, clustered, or on the grid of the file."""

import numpy as np
import pytest

from qkit.tflite.file import read_tflite
from qkit.toolchain.kernels import kernels


def test_plain_kernels_are_the_variables(trained):
    found = kernels(trained)
    assert list(found) == ["conv", "logits"]
    np.testing.assert_array_equal(found["conv"], trained.get_layer("conv").kernel.numpy())
    np.testing.assert_array_equal(found["logits"], trained.get_layer("logits").kernel.numpy())


@pytest.mark.parametrize("name", ["qat", "pqat", "cqat", "pcqat"])
def test_kernels_through_the_grid_are_those_of_the_file(name, techniques, tflite):
    file = read_tflite(tflite(name))
    scales = {t.shape: t.scale for t in file.weights if len(t.shape) > 1}
    for kernel in kernels(techniques[name]).values():
        kernel = np.moveaxis(kernel, -1, 0)  # as a file has it
        scale = scales[kernel.shape].reshape(-1, *[1] * (kernel.ndim - 1))
        steps = kernel / scale
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert np.abs(np.round(steps)).max() == 127


def test_several_kernels_of_a_layer_are_told_apart(tf):
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.InputLayer((5, 3)), layers.SimpleRNN(4, name="rnn")])
    assert {name: k.shape for name, k in kernels(model).items()} == {
        "rnn/kernel": (3, 4),
        "rnn/recurrent_kernel": (4, 4),
    }
