"""Exercises of 02: what is right is taken, and typical mistakes are told by their name."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit._tensorflow import tensorflow

FILES = Path(__file__).parents[1] / "files"
RNG = np.random.default_rng(0)


class Later:
    """Answers that are made when they are asked for: they take conversions."""

    def __init__(self, *functions):
        self.functions = functions

    def __len__(self):
        return len(self.functions)

    def __iter__(self):
        return (function() for function in self.functions)


@cache
def digits():
    return qk.load_data("digits")


@cache
def model():
    """Return the walkthrough's network, trained on digits."""
    made = qk.models.walkthrough_cnn()
    with np.load(FILES / "trained.npz") as arrays:
        made.set_weights([*arrays.values()])
    return made


def bars():
    """Return bright strokes on dark ground, lying and upright in turn."""
    sample = np.zeros((10, 28, 28), np.float32)
    for i, image in enumerate(sample):
        across = slice(9 + i % 5, 12 + i % 5), slice(4, 24)
        image[across if i % 2 else across[::-1]] = 1
    return sample


def noise(lit):
    return (RNG.random((20, 28, 28)) < lit).astype(np.float32)


def one_pixel(scale, shift):
    """Return an image that is dark but for one of its pixels, which is as bright as can be."""
    return scale * (np.arange(28 * 28) == 0).reshape(1, 28, 28).astype(np.float32) + shift


@cache
def in_lab():
    """Return the network for images of another scale, its test images and labels."""
    network = qk.models.walkthrough_cnn()
    kernel, bias, *dense = model().get_weights()
    network.set_weights([kernel / 4, bias + kernel.sum(axis=(0, 1, 2)) / 4, *dense])
    return {"network": network, "x": 4 * digits().x_test - 1, "y": digits().y_test}


def calibrated(x, scheme="full_integer"):
    return qk.convert(in_lab()["network"], scheme, x)


def with_uint8_ends(x):
    """Return a file that has an operator more at either end, as the converter itself makes it."""
    tf = tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(in_lab()["network"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return converter.convert()


def train(scale, shift, count=60):
    return scale * digits().x_train[:count] + shift


# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "02.1": (
        lambda: {"model": model(), "data": digits()},
        [bars()],
        Later(
            lambda: (noise(0.5), "of a digit's pixels"),
            lambda: (one_pixel(1, 0), "too little is lit"),
            lambda: (digits().x_train[:2], "an image of the data"),
            lambda: (digits().x_test[:2] * 0.999, "an image of the data"),
            lambda: (255 * bars(), "[0, 1] and no more"),
            lambda: (np.repeat(bars(), 3, axis=0), "got the shape (30, 28, 28)"),
            lambda: (bars()[0], "got the shape (28, 28)"),
            lambda: ("bars", "an array of 1 to 20 images"),
        ),
    ),
    "02.2": (
        {},
        ["d"],
        [("a", "float32 again"), ("b", "once more"), ("c", "the sums"), ("e", "one of")],
    ),
    "02.3": (
        in_lab,
        Later(
            lambda: calibrated(train(4, -1)),
            lambda: calibrated(train(4, -1), "full_integer_int8_io"),
            lambda: calibrated(train(4, -1), "int16_activations"),
            lambda: with_uint8_ends(train(4, -1)),
        ),
        Later(
            lambda: (calibrated(train(1, 0)), "from 0.00 to 1.00, and what flows in from -1.00"),
            lambda: (calibrated(train(255, 0)), "from 0.00 to 255.00"),
            lambda: (calibrated(None, "float32"), "compute in float"),
            lambda: (calibrated(None, "dynamic_range"), "compute in float"),
            lambda: (calibrated(in_lab()["x"]), "the test images"),
            lambda: (with_uint8_ends(in_lab()["x"]), "the test images"),
            lambda: (calibrated(one_pixel(4, -1)), "points are lost"),
            lambda: (in_lab()["network"], "the bytes of a .tflite file"),
        ),
    ),
}
MARKS = {"02.1": pytest.mark.slow, "02.3": pytest.mark.slow}  # these convert
